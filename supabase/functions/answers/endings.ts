/**
 * How an answer ends, for clients: the last chunks of its stream, and problems instead of an answer.
 *
 * @module
 */

import { Problem } from "../_shared/problem.ts";
import type { Answer } from "./begun.ts";
import type { Chunk } from "./chunks.ts";

/** What is said about the errors that the record of an answer can have. */
const ERRORS: Record<string, string> = {
  model_misconfigured:
    "The server cannot reach the model: its operator must check the provider and the key",
  provider_unavailable: "The model cannot answer at the moment",
  provider_refused: "The model refused the request",
  provider_interrupted: "The model stopped in the middle of the answer",
  provider_silent: "The model stopped in the middle of the answer",
  server_error: "The server stopped in the middle of the answer",
  time_limit: "The answer took longer than allowed",
};

const FINISH_REASONS: Record<string, string> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
};

/** The AI SDK's name of the reason why a provider ended an answer. */
export function toFinishReason(reason: string | undefined): string {
  return reason === undefined ? "other" : FINISH_REASONS[reason] ?? "other";
}

/** The chunks that end the stream of an answer that has ended. */
export function lastChunks({ state, error, finish_reason, metadata }: Answer): Chunk[] {
  const known = { type: "message-metadata", messageMetadata: { answer: metadata } };
  if (state === "complete") {
    return [known, { type: "finish", finishReason: finish_reason ?? "other" }];
  }
  if (state === "stopped") {
    return [known, { type: "abort", reason: ERRORS[error ?? ""] ?? "The answer was stopped" }];
  }
  return [known, { type: "error", errorText: ERRORS[error ?? ""] ?? ERRORS.server_error }];
}

/** The problem of an answer that failed before it said anything. */
export function toProblem({ error }: Pick<Answer, "error">): Problem {
  const code = error ?? "provider_unavailable";
  const detail = ERRORS[code] ?? "The model did not answer";
  if (code === "provider_refused") {
    return new Problem(422, code, detail, {
      hint: "Change the message or the parameters, or use another model",
    });
  }
  return new Problem(503, code, detail, {
    hint: code === "model_misconfigured"
      ? "Use another model"
      : "Send the request again in a moment, or use another model",
    headers: { "retry-after": "5" },
  });
}
