/**
 * The routes of `answers` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { Message } from "../_messages/openapi.ts";
import { Entry } from "../_openapi/credit_entry.ts";
import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const Usage = z.object({
  input_tokens: z.int(),
  cached_input_tokens: z.int(),
  output_tokens: z.int(),
  reasoning_tokens: z.int(),
  source: z.optional(z.enum(["provider", "counted"])),
});

const state = z.enum(["running", "complete", "stopped", "failed", "abandoned"]);

const Answer = z.object({
  id,
  user_id: id,
  conversation_id: z.nullable(id),
  project_id: z.nullable(id),
  question_id: z.nullable(id),
  message_id: z.nullable(id),
  first_part: z.int(),
  model: z.string(),
  prices: z.record(z.string(), z.number()),
  state,
  stop_requested: z.boolean(),
  ephemeral: z.boolean(),
  attempts: z.int(),
  hold_id: z.nullable(id),
  held: z.number(),
  credits: z.nullable(z.number()),
  input_tokens: z.int(),
  cached_input_tokens: z.int(),
  output_tokens: z.int(),
  reasoning_tokens: z.int(),
  usage_source: z.nullable(z.enum(["provider", "counted"])),
  finish_reason: z.nullable(z.string()),
  error: z.nullable(z.string()),
  created_at: time,
  ended_at: z.nullable(time),
  metadata: z.object({
    id,
    model: z.string(),
    state,
    credits: z.optional(z.number()),
    finish_reason: z.optional(z.string()),
    error: z.optional(z.string()),
    usage: Usage,
  }),
});

const Ended = z.object({
  answer: Answer,
  message: z.nullable(Message),
  entry: z.nullable(Entry),
});

const EphemeralEnded = z.object({ ...Ended.shape, text: z.string() });

z.globalRegistry.add(Answer, { id: "Answer" });
z.globalRegistry.add(Usage, { id: "Usage" });
z.globalRegistry.add(Ended, { id: "EndedAnswer" });
z.globalRegistry.add(schema.parameters, { id: "AnswerParameters" });

const EVENTS = { "text/event-stream": z.string() };

/** Codes of problems that begin any answer. */
const BEGINNING = {
  402: ["insufficient_credits", "member_limit_exceeded"],
  403: ["model_not_allowed"],
  404: ["user_not_found", "account_not_found"],
  409: ["too_many_holds"],
  422: [
    "unknown_model",
    "model_cannot",
    "invalid_output_limit",
    "context_exceeded",
    "provider_refused",
  ],
  429: ["too_many_answers"],
  503: [
    "model_misconfigured",
    "provider_unavailable",
    "provider_interrupted",
    "provider_silent",
    "server_error",
  ],
};

/** Codes of the files of a message. */
const FILES = {
  403: ["session_required"],
  404: ["file_not_found"],
  413: ["file_too_large"],
  422: ["file_type_not_supported", "file_type_mismatch", "too_many_files"],
  503: ["storage_unavailable"],
};

/** Adds the codes of files to those of a route. */
function withFiles(problems: Record<number, string[]>): Record<number, string[]> {
  const merged = { ...problems };
  for (const [status, codes] of Object.entries(FILES)) {
    merged[Number(status)] = [...problems[Number(status)] ?? [], ...codes];
  }
  return merged;
}

/** The OpenAPI document of `answers`. */
export const document: unknown = describeFunction({
  name: "answers",
  summary: "Asks models: saves the question, streams the answer, saves it and charges for it.",
  routes: [
    {
      method: "post",
      path: "",
      summary: "Ask a model",
      description:
        "Takes what `useChat` of the AI SDK posts (`id`, `messages`, `trigger`), or `message` with `conversation_id` or " +
        "`project_id`; without any of them, a new conversation starts. Saves the message, holds the most that the answer " +
        "may cost, and streams the answer as the AI SDK's UI message stream. With `Accept: application/json`, it responds " +
        "with the whole answer when it has ended. A client that disconnects does not end the answer. A repeat returns the " +
        "same answer. The server runs the tools that `parameters.server_tools` names; a call that needs approval ends the " +
        "answer, and the next request has the response in the parts of the message.",
      auth: ["user"],
      permission: "answers:write",
      idempotent: true,
      stores: true,
      body: schema.Request,
      response: {
        status: 200,
        description: "The answer: a stream of events, or all at once",
        schema: Ended,
        alsoAs: EVENTS,
      },
      problems: withFiles({
        402: BEGINNING[402],
        403: [...BEGINNING[403], "project_read_only", "not_message_author"],
        404: [
          ...BEGINNING[404],
          "conversation_not_found",
          "project_not_found",
          "message_not_found",
        ],
        409: [
          ...BEGINNING[409],
          "answer_running",
          "nothing_to_answer",
          "approval_not_pending",
          "message_id_used",
          "conversation_id_used",
          "project_deleted",
          "project_cloning",
          "system_message",
        ],
        410: ["answer_deleted"],
        413: ["content_too_large"],
        422: [
          ...BEGINNING[422],
          "message_missing",
          "tool_output_missing",
          "unknown_tool",
          "approval_changed",
          "invalid_approval",
          "content_missing",
          "invalid_message",
          "invalid_message_id",
          "invalid_role",
          "invalid_conversation_id",
          "too_many_messages",
        ],
        429: BEGINNING[429],
        503: BEGINNING[503],
      }),
    },
    {
      method: "post",
      path: "/ephemeral",
      summary: "Ask a model without storing what is said",
      description:
        "Answers the messages that the client sends. Neither they nor the answer are stored; only the numbers of tokens " +
        "are, and what they cost. The answer ends when the client disconnects.",
      auth: ["user"],
      permission: "answers:write",
      body: schema.EphemeralRequest,
      response: {
        status: 200,
        description: "The answer: a stream of events, or all at once",
        schema: EphemeralEnded,
        alsoAs: EVENTS,
      },
      problems: withFiles(BEGINNING),
    },
    {
      method: "get",
      path: "/{id}/stream",
      summary: "Follow an answer",
      description:
        "`id` is that of the answer, or that of its conversation (or its `client_id`) or project. Replays the " +
        "answer from its beginning, or what follows the event in `Last-Event-ID`, then continues while the answer is written.",
      auth: ["user"],
      permission: "answers:write",
      params: schema.Path,
      response: {
        status: 200,
        description: "The answer as a stream of events",
        alsoAs: EVENTS,
        empty: "No answer is being written",
      },
      problems: { 422: ["invalid_request"], 429: ["too_many_requests"] },
    },
    {
      method: "post",
      path: "/{id}/stop",
      summary: "Stop an answer",
      description:
        "Ends an answer, keeps its text, and charges for it. `id` is as for the stream. An answer that has ended " +
        "stays as it is. Responds when the answer has ended, or after five seconds if it is still running.",
      auth: ["user"],
      permission: "answers:write",
      params: schema.Path,
      response: { status: 200, description: "The answer", schema: Ended },
      problems: { 404: ["answer_not_found"], 422: ["invalid_request"] },
    },
  ],
});
