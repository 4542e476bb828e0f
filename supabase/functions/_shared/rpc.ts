/**
 * Takes the result out of a response of the database, or throws its error as a problem.
 *
 * SQL raises an expected failure with its HTTP status as SQLSTATE (`PT402`), a sentence as MESSAGE, a code
 * as DETAIL and what to do as HINT. After the code, DETAIL may have a JSON object with additional members of
 * the problem: `insufficient_credits {"available": 3}`. The member `retry_after`, in seconds, is also sent as the header.
 *
 * @module
 */

import type { PostgrestError } from "@supabase/supabase-js";

import { Problem } from "./problem.ts";

/**
 * Milliseconds that a call to the database may take. Longer than PostgreSQL's own limit of 8 s, whose error says more.
 */
export const DATABASE_TIMEOUT_MS = 10_000;

/** What supabase-js returns for a query or a call. */
export interface DatabaseAnswer<T> {
  data: T;
  error: PostgrestError | null;
  status: number;
}

/**
 * Takes the data out of a response.
 *
 * @param answer What supabase-js returned.
 * @returns Its data, for queries that always have a result.
 * @throws {Problem} with the code that SQL raised, or one of the table in docs/errors.md.
 */
export function unwrap<T>(answer: DatabaseAnswer<T>): NonNullable<T> {
  if (answer.error) throw fromPostgres(answer.error, answer.status);
  if (answer.data === null || answer.data === undefined) {
    throw new TypeError("The database returned no data");
  }
  return answer.data;
}

/** Attempts at a call that the database aborted because of concurrent transactions. */
const ATTEMPTS = 5;

/** Longest pause before the second attempt, in milliseconds. It doubles with each further attempt. */
const FIRST_PAUSE_MS = 20;

/**
 * Makes a call that changes something. If the database aborted it because of concurrent transactions (a deadlock or a
 * serialization failure, which leaves no changes), makes it again.
 *
 * @param make Makes the call. It runs once for each attempt.
 * @returns Its data.
 * @throws {Problem} as {@link unwrap}.
 */
export async function call<T>(make: () => PromiseLike<DatabaseAnswer<T>>): Promise<NonNullable<T>> {
  for (let attempt = 1;; attempt++) {
    const answer = await make();
    if (attempt === ATTEMPTS || !["40001", "40P01"].includes(answer.error?.code ?? "")) {
      return unwrap(answer);
    }
    // Random, so that two calls that collided do not collide again.
    const pause = Math.random() * FIRST_PAUSE_MS * 2 ** (attempt - 1);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Leaves out undefined arguments of a call, so that SQL's defaults apply.
 *
 * @param args Arguments by name.
 */
export function defined<T extends Record<string, unknown>>(args: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(args).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** An object whose optional members are absent rather than undefined. */
export type Defined<T> =
  & { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
  & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/**
 * Passes an argument that may be null. The generated types do not allow null for any argument.
 *
 * @param value The argument.
 */
export function nullable<T>(value: T): NonNullable<T> {
  return value as NonNullable<T>;
}

/** SQLSTATEs that a caller's input or timing can cause, by code or by class (first two characters). */
const KNOWN_STATES: Record<string, [status: number, code: string, detail: string]> = {
  "22": [422, "invalid_value", "A value is invalid or out of range"],
  "23502": [422, "invalid_value", "A required value is missing"],
  "23503": [409, "reference_missing", "The request refers to something that does not exist"],
  "23505": [409, "already_exists", "Something with the same key already exists"],
  "23514": [422, "invalid_value", "A value is outside its limits"],
  "40": [503, "try_again", "Another request changed the same data at the same time"],
  "42501": [403, "forbidden", "You do not have permission to do this"],
  "53": [503, "try_again", "The database is overloaded"],
  "54": [422, "invalid_value", "A value is too large or nested too deep"],
  "55P03": [503, "try_again", "Another request is changing the same data"],
  "57": [503, "try_again", "The database was interrupted"],
  "57014": [504, "database_timeout", "The database took too long"],
  "08": [503, "try_again", "The database cannot be reached"],
  PGRST000: [503, "try_again", "The database cannot be reached"],
  PGRST001: [503, "try_again", "The database cannot be reached"],
  PGRST002: [503, "try_again", "The database cannot be reached"],
  PGRST003: [504, "database_timeout", "No database connection became free in time"],
  PGRST116: [404, "not_found", "The requested item does not exist"],
};

/** What to do about a problem, by status. The same request can be sent again: an idempotency key makes that harmless. */
const HINTS: Record<number, string> = {
  401: "Refresh the session and send the request again",
  503: "Send the same request again in a moment",
  504: "Send the same request again in a moment",
};

/** The header that says when to repeat a request, by status. */
const RETRY = { "retry-after": "1" };

/** Problems for responses without a known code, by status: from PostgREST, or from a proxy in front of it. */
const KNOWN_STATUSES: Record<number, [status: number, code: string, detail: string]> = {
  401: [401, "token_expired", "The session token has expired"],
  429: [503, "try_again", "The database is receiving too many requests"],
  502: [503, "try_again", "The database cannot be reached"],
  503: [503, "try_again", "The database cannot be reached"],
  504: [504, "database_timeout", "The database took too long"],
};

function fromPostgres(error: PostgrestError, status: number): Problem {
  const state = typeof error.code === "string" ? error.code : "";
  const raised = state.match(/^PT([45]\d\d)$/)?.[1];
  if (raised) return fromRaise(Number(raised), error);

  const known = KNOWN_STATES[state] ?? KNOWN_STATES[state.slice(0, 2)] ?? KNOWN_STATUSES[status];
  if (known) {
    const [status, code, detail] = known;
    return new Problem(status, code, detail, {
      hint: HINTS[status],
      cause: error,
      ...(status >= 500 && { headers: RETRY }),
      ...(status === 401 && { headers: { "www-authenticate": "Bearer" } }),
    });
  }
  // Status 0: supabase-js received no response.
  if (status === 0) return unreachable(error);
  return new Problem(500, "internal_error", "Something went wrong on the server", { cause: error });
}

function fromRaise(status: number, error: PostgrestError): Problem {
  const [, code, json] = (error.details ?? "").match(/^([a-z][a-z0-9_]*)(?: (\{.*\}))?$/s) ?? [];
  if (!code) {
    return new Problem(500, "internal_error", "Something went wrong on the server", {
      cause: error,
    });
  }
  const fields = json ? JSON.parse(json) : undefined;
  const wait = fields?.retry_after ?? (status === 503 ? 1 : undefined);
  return new Problem(status, code, error.message, {
    hint: error.hint || undefined,
    fields,
    headers: code === "too_many_requests"
      ? limitHeaders(fields)
      : wait === undefined
      ? undefined
      : { "retry-after": `${wait}` },
    cause: error,
  });
}

/** The headers of a 429, as the database sends them to its own callers: supabase-js does not hand them on. */
function limitHeaders(fields: Record<string, unknown>): Record<string, string> {
  const { policy, limit, window, retry_after } = fields;
  return {
    "retry-after": `${retry_after}`,
    "ratelimit-policy": `"${policy}";q=${limit};w=${window}`,
    "ratelimit": `"${policy}";r=0;t=${retry_after}`,
  };
}

function unreachable(error: PostgrestError): Problem {
  const timedOut = /timeout|abort/i.test(error.message);
  return timedOut
    ? new Problem(504, "database_timeout", "The database took too long", {
      hint: HINTS[504],
      cause: error,
      headers: RETRY,
    })
    : new Problem(503, "try_again", "The database cannot be reached", {
      hint: HINTS[503],
      cause: error,
      headers: RETRY,
    });
}
