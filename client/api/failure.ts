/**
 * Reads why a request failed, and whether it can be sent again.
 *
 * @module
 */

import { readRefusal } from "../chats/problem.ts";
import { StrongroomError } from "./strongroom_error.ts";

/** Why a request failed. */
export interface Failure {
  readonly error: StrongroomError;
  /** Whether the same request may succeed later. */
  readonly again: boolean;
  /** Whether the server may have done what was asked. */
  readonly uncertain: boolean;
}

/** Statuses from a proxy, a busy database, or a worker that was stopped: the change may have been made. */
const UNCERTAIN = [502, 503, 504, 546];

/**
 * Reads an error of `functions.invoke()`.
 *
 * @param error of supabase-js
 */
export async function readFailure(
  error: { name?: string; context?: unknown },
): Promise<Failure> {
  const refusal = await readRefusal(error);
  if (!refusal) {
    const unreachable = new StrongroomError("unreachable", "The server cannot be reached", {
      cause: error,
    });
    return { error: unreachable, again: true, uncertain: true };
  }
  const { status, retry_after, problem, body } = refusal;
  const uncertain = UNCERTAIN.includes(status);
  const details = { status, retry_after, cause: error };
  if (problem) {
    const { hint, request_id, ...fields } = problem.fields as ProblemFields;
    return {
      error: new StrongroomError(problem.code, problem.detail, {
        ...details,
        hint,
        request_id,
        fields,
      }),
      // Without Retry-After, waiting does not help: the operator or the user has to do something.
      again: (uncertain || status === 429) && retry_after !== undefined,
      uncertain,
    };
  }
  const fields = typeof body === "object" ? { ...body } : {};
  const message = `The response with status ${status} does not come from Strongroom`;
  return {
    error: new StrongroomError(uncertain ? "unreachable" : "unexpected_answer", message, {
      ...details,
      fields,
    }),
    again: uncertain || status === 429,
    uncertain,
  };
}

type ProblemFields = Record<string, unknown> & { hint?: string; request_id?: string };
