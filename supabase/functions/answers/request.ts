/**
 * Turns requests into what the database and the model are told.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { type Part, toParts } from "./pieces.ts";
import { type ChatMessage, isImage, neededFor, type StoredMessage } from "./prompt.ts";
import * as schema from "./schema.ts";
import { countExtra } from "./tokens.ts";

type Request = z.infer<typeof schema.Request>;
type Parameters = z.infer<typeof schema.parameters>;

/** Arguments of `begin_answer`, besides the user. */
export interface BeginArguments {
  message?: Json | undefined;
  model?: string | undefined;
  conversation_id?: string | undefined;
  project_id?: string | undefined;
  start?: boolean | undefined;
  regenerate?: boolean | undefined;
  max_output_tokens?: number | undefined;
  needs?: string[] | undefined;
  extra_tokens?: number | undefined;
  parameters?: Json | undefined;
}

/**
 * Reads a request: what `useChat` posts, or a shorter one.
 *
 * @param request The request.
 * @throws {Problem} 422 `invalid_request` if it contradicts itself.
 */
export function toArguments(request: Request): BeginArguments {
  const { id, conversation_id, project_id, model, parameters = {} } = request;
  const places = [id, conversation_id, project_id].filter((place) => place !== undefined);
  if (places.length > 1) throw invalid("", "Give only one of id, conversation_id and project_id");
  if (request.message !== undefined && request.messages !== undefined) {
    throw invalid("messages", "Give either message or messages");
  }
  const regenerate = request.trigger === "regenerate-message";
  const message = toMessage(request.message ?? request.messages?.at(-1));
  if (message) checkImages([message as unknown as StoredMessage]);
  return {
    message: message as Json | undefined,
    model,
    conversation_id: id ?? conversation_id,
    project_id,
    start: project_id === undefined && conversation_id === undefined,
    regenerate,
    max_output_tokens: parameters.max_output_tokens,
    needs: needsOf(parameters, message ? [message as unknown as StoredMessage] : []),
    extra_tokens: countExtra(parameters),
    parameters: request.parameters as Json | undefined,
  };
}

/** Capabilities that a request asks for. */
export function needsOf(parameters: Parameters, messages: StoredMessage[]): string[] {
  const { tools, response_format } = parameters;
  return [
    ...neededFor(messages),
    ...tools?.length ? ["tools"] : [],
    ...response_format && response_format.type !== "text" ? ["structured_output"] : [],
  ];
}

/**
 * The members of the provider's request.
 *
 * @param parameters What the caller wants.
 */
export function toProvider(parameters: Parameters = {}): Record<string, unknown> {
  const { max_output_tokens: _, tools, tool_choice, ...rest } = parameters;
  if (!tools?.length) return rest;
  return {
    ...rest,
    tools: tools.map(({ name, description, parameters }) => ({
      type: "function",
      function: {
        name,
        ...description !== undefined && { description },
        parameters: parameters ?? { type: "object", properties: {} },
      },
    })),
    ...tool_choice !== undefined && {
      tool_choice: ["auto", "none", "required"].includes(tool_choice)
        ? tool_choice
        : { type: "function", function: { name: tool_choice } },
    },
  };
}

/** Takes of a message what is saved: the AI SDK calls the content parts. */
function toMessage(given: unknown): Record<string, unknown> | undefined {
  if (given === undefined) return undefined;
  if (typeof given === "string") return { role: "user", content: [{ type: "text", text: given }] };
  const checked = z.safeParse(schema.message, pick(given as Record<string, unknown>));
  if (!checked.success || typeof checked.data === "string") {
    throw invalid("messages", "The last message does not have the form of a message of the AI SDK");
  }
  const { id, role = "user", parts, content, metadata } = checked.data;
  const text = typeof content === "string" ? [{ type: "text", text: content }] : content;
  return {
    ...id !== undefined && { id },
    role,
    content: parts ?? text ?? null,
    ...metadata !== undefined && { metadata },
  };
}

function pick(message: Record<string, unknown>): Record<string, unknown> {
  const { id, role, parts, content, metadata } = message;
  return Object.fromEntries(
    Object.entries({ id, role, parts, content, metadata }).filter(([, value]) => value != null),
  );
}

/**
 * The messages of an ephemeral answer, with content in place of parts.
 *
 * @param messages The messages.
 * @throws {Problem} 422 `invalid_request` if one has an image that no model is given.
 */
export function toStored(messages: Record<string, unknown>[]): StoredMessage[] {
  const stored = messages.map(({ role, parts, content }) => ({
    role: String(role),
    content: parts ?? content,
  }));
  checkImages(stored);
  return stored;
}

/** Refuses images that {@link isImage} would leave out, because nobody would see why the model does not know them. */
function checkImages(messages: StoredMessage[]): void {
  const claimsImage = ({ type, mediaType }: Part) =>
    type === "file" && typeof mediaType === "string" && mediaType.startsWith("image/");
  const refused = messages.some(({ role, content }) =>
    role === "user" && toParts(content).some((part) => claimsImage(part) && !isImage(part))
  );
  if (!refused) return;
  throw invalid(
    "message",
    "The url of an image must be a data URL of an image, an https URL, or a signed URL of Storage",
  );
}

/** An upper estimate of the tokens of messages, like that of the database. */
export function estimatePrompt(messages: ChatMessage[]): number {
  const bytes = new TextEncoder().encode(JSON.stringify(messages)).length;
  return Math.ceil(bytes / 3) + 8 * messages.length;
}

function invalid(path: string, message: string): Problem {
  return new Problem(422, "invalid_request", "The request is invalid: errors lists what is wrong", {
    fields: { errors: [{ path, message }] },
  });
}
