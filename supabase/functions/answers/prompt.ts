/**
 * What a model is told: messages of the AI SDK, in the form of OpenAI's chat completions.
 *
 * @module
 */

import { kindOf } from "./file_kinds.ts";
import type { GivenFiles } from "./given_files.ts";
import { isInternal } from "./hosts.ts";
import { asText, type Part, toParts } from "./pieces.ts";
import { type ProviderMetadata, toMetadata } from "./provider_metadata.ts";
import { toReference } from "./references.ts";

/** A message for a model. */
export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string | ContentPart[] | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
  /** What the model thought before, for the provider that the metadata names. */
  reasoning?: Reasoning | undefined;
}

/** What a model thought. */
export interface Reasoning {
  text: string;
  metadata: ProviderMetadata;
}

/** A part of what a user says. */
export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "file"; file: { filename: string; file_data: string } };

/** A call of a tool. */
export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
  /** What the provider that it names is given back with the call. */
  metadata?: ProviderMetadata | undefined;
}

/** A message as the database returns it. */
export interface StoredMessage {
  id?: string;
  role: string;
  content: unknown;
}

/** What a model is told about a call whose output never came, because it must be told something. */
const NOT_RUN = "The tool was not run";

/** What a model is told about a call that the user has denied. */
const DENIED = "The user did not allow this call";

/**
 * Writes the messages for a model. Reasoning is left out, because models do not read it again, but in answers that have
 * called tools: some providers want it back there.
 *
 * @param system The system prompt, if there is one.
 * @param history The messages, the oldest first.
 * @param files What the model is given for files that were read.
 */
export function toChatMessages(
  system: string | null,
  history: StoredMessage[],
  files: GivenFiles = new Map(),
): ChatMessage[] {
  const messages: ChatMessage[] = system ? [{ role: "system", content: system }] : [];
  const given = new Set<string>();
  for (const { role, content } of history) {
    const parts = toParts(content);
    if (role === "assistant") messages.push(...toSteps(parts));
    else if (role === "system") messages.push({ role, content: toText(parts) });
    else messages.push({ role: "user", content: toContent(parts, files, given) });
  }
  return messages;
}

/** The names of what the messages ask of a model besides text. */
export function neededFor(messages: StoredMessage[]): string[] {
  const kinds = messages.flatMap(({ role, content }) =>
    role === "user"
      ? toParts(content).flatMap(({ type, mediaType }) =>
        type === "file" ? [kindOf(asText(mediaType))] : []
      )
      : []
  );
  return [
    ...kinds.includes("image") ? ["images"] : [],
    ...kinds.includes("pdf") ? ["files"] : [],
  ];
}

/** Whether a part is an image whose URL the provider may be given. */
export function isImage({ type, mediaType, url }: Part): boolean {
  return type === "file" && kindOf(asText(mediaType)) === "image" && mayFetch(asText(url));
}

/** Whether the provider may be told to fetch a URL. */
function mayFetch(url: string): boolean {
  if (/^data:image\/(png|jpe?g|webp|gif)[;,]/i.test(url)) return true;
  if (!URL.canParse(url) || toReference(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" && !isInternal(hostname);
}

function toText(parts: Part[]): string {
  return parts.filter(({ type }) => type === "text").map(({ text }) => asText(text)).join("\n");
}

/** What a user says. A file is given once, however often it is named: it may be large, and was counted once. */
function toContent(
  parts: Part[],
  files: GivenFiles,
  before: Set<string>,
): string | ContentPart[] {
  const given = parts.flatMap((part): ContentPart[] => {
    const url = asText(part.url);
    const file = part.type === "file" ? files.get(url) : undefined;
    if (file && before.has(url)) {
      const name = asText(part.filename) || url.slice(0, 200).split("/").at(-1);
      return [{ type: "text", text: `[The file ${JSON.stringify(name)} is named above]` }];
    }
    if (file) {
      before.add(url);
      return [file];
    }
    return isImage(part) ? [{ type: "image_url", image_url: { url } }] : [];
  });
  const text = toText(parts);
  if (given.length === 0) return text;
  return [...text ? [{ type: "text" as const, text }] : [], ...given];
}

/** An answer: a message for each step, and one for each output of a tool. */
function toSteps(parts: Part[]): ChatMessage[] {
  const steps: Part[][] = [[]];
  for (const part of parts) {
    if (part.type === "step-start") steps.push([]);
    else steps.at(-1)?.push(part);
  }
  const hasCalls = parts.some(isCall);
  return steps.flatMap((step): ChatMessage[] => {
    const calls = step.filter(isCall);
    const text = toText(step);
    if (!text && calls.length === 0) return [];
    return [
      {
        role: "assistant",
        content: text || null,
        ...hasCalls && { reasoning: toReasoning(step) },
        ...calls.length > 0 && { tool_calls: calls.map(toCall) },
      },
      ...calls.map((call): ChatMessage => ({
        role: "tool",
        tool_call_id: asText(call.toolCallId),
        content: outputText(call),
      })),
    ];
  });
}

function isCall({ type, input, providerExecuted }: Part): boolean {
  return type.startsWith("tool-") && (input !== undefined || providerExecuted === true);
}

function toReasoning(step: Part[]): Reasoning | undefined {
  const thoughts = step.filter(({ type }) => type === "reasoning");
  const metadata = toMetadata(thoughts[0]?.providerMetadata);
  return metadata && { text: thoughts.map(({ text }) => asText(text)).join(""), metadata };
}

function toCall({ type, toolCallId, input, callProviderMetadata }: Part): ToolCall {
  return {
    id: asText(toolCallId),
    type: "function",
    function: { name: type.slice("tool-".length), arguments: JSON.stringify(input ?? {}) },
    metadata: toMetadata(callProviderMetadata),
  };
}

/** What a model is told that a call has returned. */
export function outputText({ state, output, errorText, approval }: Part): string {
  if (state === "output-denied") {
    const { reason } = (approval ?? {}) as { reason?: unknown };
    return asText(reason) ? `${DENIED}: ${asText(reason)}` : DENIED;
  }
  if (state === "output-available") {
    return typeof output === "string" ? output : JSON.stringify(output ?? null);
  }
  return state === "output-error" ? asText(errorText) || "The tool failed" : NOT_RUN;
}
