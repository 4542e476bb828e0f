/**
 * The requests of `answers`.
 *
 * @module
 */

import * as z from "zod/mini";

import { clientId, id, json, list } from "../_shared/schema.ts";

/** The most messages of a request: `useChat` sends the whole conversation each time. */
const MOST_MESSAGES = 100_000;

/** The most messages of an ephemeral answer, as many as of a stored one. */
const MOST_EPHEMERAL_MESSAGES = 1_000;

/** The most tools that a request declares. */
const MOST_TOOLS = 128;

const parts = list(json, 1_000, 1);

/** A message of the AI SDK, or a shorter form. */
export const message = z.union([
  z.string().check(z.minLength(1)),
  z.strictObject({
    id: z.optional(clientId),
    role: z.optional(z.enum(["user", "assistant"])),
    parts: z.optional(parts),
    content: z.optional(json),
    metadata: z.optional(z.record(z.string(), json)),
  }),
]);

/** A tool of the client: the model is told about it, and the client runs it. */
const tool = z.strictObject({
  name: z.string().check(
    z.regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be 1 to 64 letters, digits, _ and -"),
  ),
  description: z.optional(z.string().check(z.maxLength(4_000))),
  parameters: z.optional(z.record(z.string(), json)),
});

/** What a model is to do. */
export const parameters = z.strictObject({
  max_output_tokens: z.optional(z.int().check(z.minimum(1), z.maximum(10_000_000))),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  top_p: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  frequency_penalty: z.optional(z.number().check(z.minimum(-2), z.maximum(2))),
  presence_penalty: z.optional(z.number().check(z.minimum(-2), z.maximum(2))),
  seed: z.optional(z.int()),
  stop: z.optional(list(z.string().check(z.minLength(1), z.maxLength(200)), 4)),
  reasoning_effort: z.optional(z.string().check(z.maxLength(20))),
  prompt_cache_key: z.optional(z.string().check(z.maxLength(200))),
  response_format: z.optional(
    z.looseObject({ type: z.enum(["text", "json_object", "json_schema"]) }),
  ),
  tools: z.optional(list(tool, MOST_TOOLS)),
  tool_choice: z.optional(z.string().check(z.maxLength(64))),
  /** Names of the tools of the server that the model is offered. */
  server_tools: z.optional(list(z.string().check(z.maxLength(64)), MOST_TOOLS)),
});

/** The same for an ephemeral answer. The tools of the server store what they are asked. */
export const ephemeralParameters = z.omit(parameters, { server_tools: true });

const model = z.optional(z.string().check(z.minLength(1), z.maxLength(100)));

/** What `useChat` posts, or what another client does. */
export const Request = z.strictObject({
  id: z.optional(clientId),
  conversation_id: z.optional(clientId),
  project_id: z.optional(id),
  message: z.optional(message),
  messages: z.optional(list(z.looseObject({}), MOST_MESSAGES)),
  trigger: z.optional(z.enum(["submit-message", "regenerate-message"])),
  messageId: z.optional(z.string()),
  model,
  parameters: z.optional(parameters),
});

/** A request for an ephemeral answer. `useChat` can post it, too. */
export const EphemeralRequest = z.strictObject({
  messages: list(
    z.looseObject({ role: z.enum(["system", "user", "assistant"]) }),
    MOST_EPHEMERAL_MESSAGES,
    1,
  ),
  id: z.optional(z.string()),
  trigger: z.optional(z.string()),
  messageId: z.optional(z.string()),
  model,
  parameters: z.optional(ephemeralParameters),
});

/** The path of an answer: its id, or that of its conversation or project. */
export const Path = z.strictObject({ id: clientId });
