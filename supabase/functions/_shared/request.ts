/**
 * Reads what a request carries, once, at the rim: inside, only typed values.
 *
 * @module
 */

import type { Context } from "hono";
import * as z from "zod/mini";

import { Problem } from "./problem.ts";

/**
 * The body of a request, parsed as JSON and held against a schema.
 *
 * @param c The request's context.
 * @param schema Shape of the body.
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_request` with `errors`: path and message of each.
 */
export async function readJson<T extends z.ZodMiniType>(
  c: Context,
  schema: T,
): Promise<z.infer<T>> {
  return check(schema, parseJson(await c.req.arrayBuffer()));
}

/**
 * The query of a request, held against a schema. A name given twice counts once, the first time.
 *
 * @param c The request's context.
 * @param schema Shape of the query: an object of strings.
 * @throws {Problem} 422 `invalid_request`.
 */
export function readQuery<T extends z.ZodMiniType>(c: Context, schema: T): z.infer<T> {
  return check(schema, c.req.query());
}

/**
 * The parameters in the path of a request, held against a schema.
 *
 * @param c The request's context.
 * @param schema Shape of the parameters: an object of strings.
 * @throws {Problem} 422 `invalid_request`.
 */
export function readPath<T extends z.ZodMiniType>(c: Context, schema: T): z.infer<T> {
  return check(schema, c.req.param());
}

/**
 * Whether a request may replace what is there: not with `If-None-Match: *` (RFC 9110, 13.1.2).
 *
 * @param c The request's context.
 * @throws {Problem} 400 `invalid_if_none_match` for a list of entity tags, of which there are none here.
 */
export function mayReplace(c: Context): boolean {
  const value = c.req.header("if-none-match");
  if (value === undefined || value.trim() === "*") return value === undefined;
  throw new Problem(400, "invalid_if_none_match", "If-None-Match is * or left out");
}

/**
 * The key that makes a request harmless to repeat, from the `Idempotency-Key` header.
 *
 * @param c The request's context.
 * @returns The key; undefined when the request has none.
 * @throws {Problem} 400 `invalid_idempotency_key` unless it is 1 to 255 visible ASCII characters.
 */
export function readIdempotencyKey(c: Context): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem(
    400,
    "invalid_idempotency_key",
    "An idempotency key is 1 to 255 visible ASCII characters",
    { hint: "Use a UUID" },
  );
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Problem(400, "invalid_json", "The body is not JSON in UTF-8");
  }
}

/**
 * A value, held against a schema.
 *
 * @param schema Shape of the value.
 * @param value What a request carried.
 * @throws {Problem} 422 `invalid_request` with `errors`: path and message of each.
 */
export function check<T extends z.ZodMiniType>(schema: T, value: unknown): z.infer<T> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw new Problem(422, "invalid_request", "The request does not have the shape it must have", {
    fields: {
      errors: result.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
    },
  });
}
