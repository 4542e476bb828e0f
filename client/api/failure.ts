/**
 * Reads why a request failed, and whether it can be sent again.
 *
 * @module
 */

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
 * Reads an error of `functions.invoke()`. supabase-js has three classes, and also returns what a connection throws that
 * breaks during the answer.
 *
 * @param error of supabase-js
 */
export async function readFailure(
  error: { name?: string; context?: unknown },
): Promise<Failure> {
  const { context: response } = error;
  if (!(response instanceof Response) || error.name !== "FunctionsHttpError") {
    const cause = { cause: error };
    return {
      error: new StrongroomError(
        "unreachable",
        "The server cannot be reached",
        cause,
      ),
      again: true,
      uncertain: true,
    };
  }
  const { status } = response;
  const body: unknown = await response.json().catch(() => undefined);
  const retry_after = Number(response.headers.get("retry-after")) || undefined;
  const uncertain = UNCERTAIN.includes(status);
  if (isProblem(body)) {
    const { type: _type, title: _title, status: _status, ...members } = body;
    const { code, detail, hint, request_id, ...fields } = members;
    const details = {
      status,
      hint,
      request_id,
      retry_after,
      fields,
      cause: error,
    };
    // Without Retry-After, waiting does not help: the operator or the user has to do something.
    const again = (uncertain || status === 429) && retry_after !== undefined;
    return {
      error: new StrongroomError(code, detail, details),
      again,
      uncertain,
    };
  }
  const code = uncertain ? "unreachable" : "unexpected_answer";
  const fields = typeof body === "object" ? { ...body } : {};
  const message = `The response with status ${status} does not come from Strongroom`;
  return {
    error: new StrongroomError(code, message, {
      status,
      retry_after,
      fields,
      cause: error,
    }),
    again: uncertain || status === 429,
    uncertain,
  };
}

/** What the members of a problem document are. */
interface Problem {
  type?: unknown;
  title?: unknown;
  status?: unknown;
  code: string;
  detail: string;
  hint?: string;
  request_id?: string;
}

function isProblem(body: unknown): body is Problem {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}
