/**
 * JSON from callers: what the database and all code that writes JSON can take.
 *
 * @module
 */

import type { Context, Next } from "hono";

import { Problem } from "./problem.ts";

/** Deepest nesting of objects and arrays: far more than any caller uses, and safe for all code that writes it. */
export const MAX_DEPTH = 128;

/** Header that says how many characters of the request were replaced. */
export const REPLACED_CHARACTERS = "replaced-characters";

/** PostgreSQL holds neither NUL nor half a surrogate pair. In valid JSON, both can only be escaped. */
const ESCAPED = /\\u(?:0000|d[89a-f])/i;

const REPLACEMENT = "\ufffd";

/**
 * Parses JSON.
 *
 * @throws {Problem} 400 `invalid_json`.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidJson(cause);
  }
}

/** 400: the body is not JSON. */
export function invalidJson(cause: unknown): Problem {
  return new Problem(400, "invalid_json", "The body is not valid JSON in UTF-8", { cause });
}

/** Returns whether objects and arrays are nested more than {@link MAX_DEPTH} levels deep. */
export function isNestedTooDeep(value: unknown): boolean {
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= MAX_DEPTH) return true;
    level = level.flatMap((item) => Object.values(item)).filter(isNested);
  }
  return false;
}

/**
 * Middleware for functions whose requests contain text from elsewhere, such as the output of a tool. Such a text may
 * contain characters that the database cannot hold, and to refuse it would lose it: they are replaced. In other
 * requests, such as those that name a file, they are a mistake.
 */
export function acceptContent(c: Context, next: Next): Promise<void> {
  c.set("acceptsContent", true);
  return next();
}

/** Whether {@link acceptContent} ran for the request. */
export function acceptsContent(c: Context): boolean {
  return c.get("acceptsContent") === true;
}

/**
 * Replaces characters that the database cannot hold (NUL and lone surrogates) with U+FFFD, and says in a header of the
 * response how many there were.
 *
 * @param c The request's context.
 * @param text The JSON text.
 * @param value The value that was parsed from it, not nested too deep.
 */
export function replaceCharacters(c: Context, text: string, value: unknown): unknown {
  if (!ESCAPED.test(text)) return value;
  let replaced = 0;
  const clean = (text: string) =>
    // With the flag u, the halves of a valid pair are not surrogates.
    text.replace(/\0|\p{Surrogate}/gu, () => {
      replaced++;
      return REPLACEMENT;
    });
  const copy = (value: unknown): unknown => {
    if (typeof value === "string") return clean(value);
    if (Array.isArray(value)) return value.map(copy);
    if (!isNested(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [clean(name), copy(item)]),
    );
  };
  const result = copy(value);
  if (replaced > 0) c.header(REPLACED_CHARACTERS, String(replaced));
  return result;
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
