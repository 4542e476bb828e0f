/**
 * Takes the result out of an answer of the database, or throws what it refused as a problem.
 *
 * SQL raises an expected failure with its HTTP status as SQLSTATE (`PT402`), a sentence as MESSAGE, a
 * machine code as DETAIL and what to do as HINT. DETAIL may go on, after the code, with a JSON
 * object of the problem's own members: `insufficient_credits {"available": 3}`.
 *
 * @module
 */

import type { PostgrestError } from "@supabase/supabase-js";

import { Problem } from "./problem.ts";

/** Milliseconds that a call to the database may take: above PostgreSQL's own limit of 8 s, which answers better. */
export const DATABASE_TIMEOUT_MS = 10_000;

/** What supabase-js answers to a query or a call. */
export interface DatabaseAnswer<T> {
  data: T;
  error: PostgrestError | null;
  status: number;
}

/**
 * The data of an answer.
 *
 * @param answer What supabase-js answered.
 * @returns Its data; not null when the query always has a result.
 * @throws {Problem} what SQL raised, or the code in the table in docs/errors.md.
 */
export function unwrap<T>(answer: DatabaseAnswer<T>): NonNullable<T> {
  if (answer.error) throw fromPostgres(answer.error, answer.status);
  if (answer.data === null || answer.data === undefined) {
    throw new TypeError("The database answered nothing");
  }
  return answer.data;
}

/** How often a call is made that the database gave up in favour of others. */
const ATTEMPTS = 5;

/** Milliseconds before the second attempt, at most; each further one waits up to twice as long. */
const FIRST_PAUSE_MS = 20;

/**
 * Makes a call that changes something, and again when the database ended it in favour of others (a deadlock or a
 * serialisation failure, of which nothing stays).
 *
 * @param make Makes the call, anew each time.
 * @returns Its data.
 * @throws {Problem} as {@link unwrap}.
 */
export async function call<T>(make: () => PromiseLike<DatabaseAnswer<T>>): Promise<NonNullable<T>> {
  for (let attempt = 1;; attempt++) {
    const answer = await make();
    if (attempt === ATTEMPTS || !["40001", "40P01"].includes(answer.error?.code ?? "")) {
      return unwrap(answer);
    }
    // By chance, so that two that met do not meet again.
    const pause = Math.random() * FIRST_PAUSE_MS * 2 ** (attempt - 1);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * The arguments of a call without those that are undefined, so that SQL's defaults apply.
 *
 * @param args Arguments by name.
 */
export function defined<T extends Record<string, unknown>>(args: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(args).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** An object whose members are there or not, and never undefined. */
export type Defined<T> =
  & { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
  & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/**
 * An argument that SQL takes as null too. The generated types say of no argument that it can be null.
 *
 * @param value The argument.
 */
export function nullable<T>(value: T): NonNullable<T> {
  return value as NonNullable<T>;
}

/** SQLSTATEs that a caller's input or timing can cause, by code or by class (first two characters). */
const KNOWN_STATES: Record<string, [status: number, code: string, detail: string]> = {
  "22": [422, "invalid_value", "A value is not one that the database can store"],
  "23502": [422, "invalid_value", "A value that must be there is missing"],
  "23503": [409, "reference_missing", "Something that this refers to does not exist (any more)"],
  "23505": [409, "already_exists", "Something with the same key exists already"],
  "23514": [422, "invalid_value", "A value is outside of its limits"],
  "40": [503, "try_again", "Others changed the same at the same time"],
  "42501": [403, "forbidden", "This is not allowed"],
  "53": [503, "try_again", "The database is at its limit"],
  "55P03": [503, "try_again", "Others hold what this would change"],
  "57": [503, "try_again", "The database was interrupted"],
  "57014": [504, "database_timeout", "The database took too long"],
  "08": [503, "try_again", "The database cannot be reached"],
  PGRST000: [503, "try_again", "The database cannot be reached"],
  PGRST001: [503, "try_again", "The database cannot be reached"],
  PGRST002: [503, "try_again", "The database cannot be reached"],
  PGRST003: [504, "database_timeout", "No connection to the database came free in time"],
  PGRST116: [404, "not_found", "There is no such thing"],
};

/** What an answer without a known code says by its status: of a proxy in front of PostgREST, or of PostgREST. */
const KNOWN_STATUSES: Record<number, [status: number, code: string, detail: string]> = {
  401: [401, "token_expired", "The session token has expired"],
  429: [503, "try_again", "The database takes no more requests for now"],
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
      cause: error,
      ...(status === 503 && { headers: { "retry-after": "1" } }),
      ...(status === 401 && { headers: { "www-authenticate": "Bearer" } }),
    });
  }
  // supabase-js has no status for an answer that never came.
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
  return new Problem(status, code, error.message, {
    hint: error.hint || undefined,
    fields: json ? JSON.parse(json) : undefined,
    cause: error,
  });
}

function unreachable(error: PostgrestError): Problem {
  const timedOut = /timeout|abort/i.test(error.message);
  return timedOut
    ? new Problem(504, "database_timeout", "The database took too long", { cause: error })
    : new Problem(503, "try_again", "The database cannot be reached", {
      cause: error,
      headers: { "retry-after": "1" },
    });
}
