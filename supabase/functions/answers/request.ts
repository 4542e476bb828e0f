/**
 * Turns requests into what the database and the model are told.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { kindOf } from "./file_kinds.ts";
import { asText, type Part, toParts } from "./pieces.ts";
import { isImage, neededFor, type StoredMessage } from "./prompt.ts";
import { toReference } from "./references.ts";
import * as schema from "./schema.ts";
import { countExtra } from "./tokens.ts";
import { describeTool, findTool, SERVER_TOOLS } from "./tools/registry.ts";

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
  server_tools?: boolean | undefined;
}

/**
 * Reads a request: what `useChat` posts, or a shorter one.
 *
 * @param request The request.
 * @throws {Problem} 422 `invalid_request` if it contradicts itself, `unknown_tool`.
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
    extra_tokens: countExtra(toProvider(parameters)),
    server_tools: parameters.server_tools && parameters.server_tools.length > 0 || undefined,
    parameters: request.parameters as Json | undefined,
  };
}

/** Capabilities that a request asks for. */
export function needsOf(parameters: Parameters, messages: StoredMessage[]): string[] {
  const { tools, server_tools, response_format } = parameters;
  return [
    ...neededFor(messages),
    ...tools?.length || server_tools?.length ? ["tools"] : [],
    ...response_format && response_format.type !== "text" ? ["structured_output"] : [],
  ];
}

/**
 * The members of the provider's request.
 *
 * @param parameters What the caller wants.
 * @throws {Problem} 422 `unknown_tool`; `invalid_request` if two tools have the same name.
 */
export function toProvider(parameters: Parameters = {}): Record<string, unknown> {
  const { max_output_tokens: _, tools = [], server_tools = [], tool_choice, ...rest } = parameters;
  const names = [...tools.map(({ name }) => name), ...server_tools];
  if (names.length === 0) return rest;
  if (new Set(names).size < names.length) {
    throw invalid("parameters.tools", "Two tools must not have the same name");
  }
  return {
    ...rest,
    tools: [
      ...tools.map(({ name, description, parameters }) => ({
        type: "function",
        function: {
          name,
          ...description !== undefined && { description },
          parameters: parameters ?? { type: "object", properties: {} },
        },
      })),
      ...server_tools.map(toServerTool),
    ],
    ...tool_choice !== undefined && {
      tool_choice: ["auto", "none", "required"].includes(tool_choice)
        ? tool_choice
        : { type: "function", function: { name: tool_choice } },
    },
  };
}

/** The tools that the client runs; undefined if the server runs none, because then the client runs all. */
export function clientToolsOf(
  { tools = [], server_tools = [] }: Parameters,
): Set<string> | undefined {
  return server_tools.length > 0 ? new Set(tools.map(({ name }) => name)) : undefined;
}

function toServerTool(name: string): Record<string, unknown> {
  const tool = findTool(name);
  if (tool) return describeTool(tool);
  throw new Problem(422, "unknown_tool", `The server has no tool "${name}"`, {
    hint: "Use the names in tools, or declare a tool of your own in parameters.tools",
    fields: { tools: SERVER_TOOLS.map((known) => known.name) },
  });
}

/** Whether a message approves or denies calls of the server's tools. */
export function hasApprovals(message: unknown): boolean {
  const { role, content } = message as StoredMessage;
  return role === "assistant" &&
    toParts(content).some(({ state }) => state === "approval-responded");
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
    type === "file" && kindOf(asText(mediaType)) === "image";
  const refused = messages.some(({ role, content }) =>
    role === "user" &&
    toParts(content).some((part) =>
      claimsImage(part) && !isImage(part) && !toReference(asText(part.url))
    )
  );
  if (!refused) return;
  throw invalid(
    "message",
    "The url of an image must be storage://BUCKET/PATH, a URL of Storage, a public https URL, or a data URL of a PNG, " +
      "JPEG, WebP or GIF image",
  );
}

function invalid(path: string, message: string): Problem {
  return new Problem(422, "invalid_request", "The request is invalid: errors lists what is wrong", {
    fields: { errors: [{ path, message }] },
  });
}
