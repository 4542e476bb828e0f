/**
 * Errors as clients see them: problem documents (RFC 9457) with a stable `code`.
 *
 * @module
 */

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** The members of every problem document. Some codes add members, such as `available`. */
export interface ProblemDocument {
  /** Always `about:blank`: `status` and `code` identify the problem. */
  type: string;
  /** The status in words. */
  title: string;
  /** HTTP status. */
  status: number;
  /** What went wrong, as a sentence for people. */
  detail: string;
  /** What went wrong, as a snake_case word for programs. It never changes. */
  code: string;
  /** Identifies the request in the logs. */
  request_id: string;
  /** What to do about it. */
  hint?: string;
}

/** Optional parts of a problem. */
export interface ProblemOptions {
  /** What to do about it, as a sentence. */
  hint?: string | undefined;
  /** Additional members of the document. */
  fields?: Record<string, unknown> | undefined;
  /** Headers that belong to the status, such as `Allow`. */
  headers?: Record<string, string> | undefined;
  /** What went wrong underneath: logged, never answered. */
  cause?: unknown;
}

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** An expected failure. Throw it anywhere in a route to respond with a problem document. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly fields: Record<string, unknown>;
  readonly headers: Record<string, string>;

  /**
   * @param status HTTP status, 400 to 599.
   * @param code Stable snake_case word.
   * @param detail Sentence for people, without a full stop.
   * @param options Hint, additional members, headers and cause.
   */
  constructor(status: number, code: string, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.hint = options.hint;
    this.fields = options.fields ?? {};
    this.headers = options.headers ?? {};
  }
}

/**
 * Responds to an error that a route threw. An error that is not a {@link Problem} is internal: {@link logRequests} logs
 * all of it, and the response says nothing about it.
 *
 * @param error What was thrown.
 * @param c The request's context.
 */
export function renderProblem(error: Error, c: Context): Response {
  const problem = toProblem(error);
  const body: ProblemDocument = {
    type: "about:blank",
    title: TITLES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    request_id: c.get("requestId"),
    ...(problem.hint && { hint: problem.hint }),
    ...problem.fields,
  };
  return c.body(JSON.stringify(body), problem.status as ContentfulStatusCode, {
    ...problem.headers,
    "content-type": "application/problem+json",
  });
}

function toProblem(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException && error.status < 500) {
    return new Problem(error.status, "request_refused", error.message);
  }
  return new Problem(500, "internal_error", "Something went wrong on the server", { cause: error });
}
