/**
 * What a model is told: messages of the AI SDK, in the form of OpenAI's chat completions.
 *
 * @module
 */

import { asText, type Part, toParts } from "./pieces.ts";

/** A message for a model. */
export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string | ContentPart[] | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

/** A part of what a user says. */
export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } };

/** A call of a tool. */
export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

/** A message as the database returns it. */
export interface StoredMessage {
  role: string;
  content: unknown;
}

/** What a model is told about a call whose output never came, because it must be told something. */
const NOT_RUN = "The tool was not run";

/**
 * Writes the messages for a model. Reasoning is left out: models do not read it again.
 *
 * @param system The system prompt, if there is one.
 * @param history The messages, the oldest first.
 */
export function toChatMessages(system: string | null, history: StoredMessage[]): ChatMessage[] {
  const messages: ChatMessage[] = system ? [{ role: "system", content: system }] : [];
  for (const { role, content } of history) {
    const parts = toParts(content);
    if (role === "assistant") messages.push(...toSteps(parts));
    else if (role === "system") messages.push({ role, content: toText(parts) });
    else messages.push({ role: "user", content: toContent(parts) });
  }
  return messages;
}

/** The names of what the messages ask of a model besides text. */
export function neededFor(messages: StoredMessage[]): string[] {
  const hasFile = messages.some(({ role, content }) =>
    role === "user" && toParts(content).some(({ type }) => type === "file")
  );
  return hasFile ? ["images"] : [];
}

/** Whether a part is an image that the model may be given. */
export function isImage({ type, mediaType, url }: Part): boolean {
  return type === "file" && asText(mediaType).startsWith("image/") && mayFetch(asText(url));
}

/** Whether the provider may be told to fetch a URL. It may be in a network of its own, where others would be dangerous. */
function mayFetch(url: string): boolean {
  if (/^data:image\//i.test(url)) return true;
  if (!URL.canParse(url)) return false;
  const { protocol, href } = new URL(url);
  // Signed URLs of Storage, which has no https on a local stack. href has neither `..` nor a user.
  const storage = `${Deno.env.get("SUPABASE_URL")}/storage/v1/object/`;
  return protocol === "https:" || href.startsWith(storage);
}

function toText(parts: Part[]): string {
  return parts.filter(({ type }) => type === "text").map(({ text }) => asText(text)).join("\n");
}

function toContent(parts: Part[]): string | ContentPart[] {
  const images = parts.filter(isImage);
  const text = toText(parts);
  if (images.length === 0) return text;
  return [
    ...text ? [{ type: "text" as const, text }] : [],
    ...images.map(({ url }) => ({ type: "image_url" as const, image_url: { url: asText(url) } })),
  ];
}

/** An answer: a message for each step, and one for each output of a tool. */
function toSteps(parts: Part[]): ChatMessage[] {
  const steps: Part[][] = [[]];
  for (const part of parts) {
    if (part.type === "step-start") steps.push([]);
    else steps.at(-1)?.push(part);
  }
  return steps.flatMap((step): ChatMessage[] => {
    const calls = step.filter(({ type, input }) => type.startsWith("tool-") && input !== undefined);
    const text = toText(step);
    if (!text && calls.length === 0) return [];
    return [
      {
        role: "assistant",
        content: text || null,
        ...calls.length > 0 && { tool_calls: calls.map(toCall) },
      },
      ...calls.map((call): ChatMessage => ({
        role: "tool",
        tool_call_id: asText(call.toolCallId),
        content: toOutput(call),
      })),
    ];
  });
}

function toCall({ type, toolCallId, input }: Part): ToolCall {
  return {
    id: asText(toolCallId),
    type: "function",
    function: { name: type.slice("tool-".length), arguments: JSON.stringify(input) },
  };
}

function toOutput({ state, output, errorText }: Part): string {
  if (state === "output-available") {
    return typeof output === "string" ? output : JSON.stringify(output ?? null);
  }
  return state === "output-error" ? asText(errorText) || "The tool failed" : NOT_RUN;
}
