/**
 * Reads what a request carries, once, at the rim: inside, only typed values.
 *
 * @module
 */

import type { Context } from "hono";
import * as z from "zod/mini";

import { type AuthenticatedEnv, userId } from "./auth.ts";
import { Problem } from "./problem.ts";

/**
 * What a request asks for, and who asks: a signed-in user for themselves, or a service.
 *
 * @template Input What a service may send; a user sends the same without `user_id`, or less.
 */
export type RequestFor<Input> = Input & {
  /** Of a signed-in user the token says it; a service names the user, where the route is for one. */
  user_id?: string | undefined;
  actor: "user" | "service";
};

/**
 * The body of a request by a signed-in user, or by a service for a user.
 *
 * @param c The request's context.
 * @param user Shape of a user's body.
 * @param service Shape of a service's body, which names the user.
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_request`.
 */
export async function readFor<Body>(
  c: Context<AuthenticatedEnv>,
  user: z.ZodMiniType<Omit<Body, "user_id">>,
  service: z.ZodMiniType<Body>,
): Promise<RequestFor<Body>> {
  return checkFor(c, await readJson(c, z.unknown()), { user, service });
}

/**
 * The query of a request by a signed-in user, or by a service for a user.
 *
 * @param c The request's context.
 * @param user Shape of a user's query.
 * @param service Shape of a service's query, which names the user.
 * @throws {Problem} 422 `invalid_request`.
 */
export function readQueryFor<Query>(
  c: Context<AuthenticatedEnv>,
  user: z.ZodMiniType<Omit<Query, "user_id">>,
  service: z.ZodMiniType<Query>,
): RequestFor<Query> {
  return checkFor(c, c.req.query(), { user, service });
}

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
  const text = await readText(c);
  // A byte order mark is not JSON, but a client's library may write one (RFC 8259, 8.1).
  return check(schema, parseJson(text.replace(/^\uFEFF/, "")));
}

/**
 * The body of a request as text, byte for byte.
 *
 * @param c The request's context.
 * @throws {Problem} 400 `invalid_json` when it is not UTF-8, which is no JSON either.
 */
export async function readText(c: Context): Promise<string> {
  const bytes = await c.req.arrayBuffer();
  try {
    // With its byte order mark, if it has one: a signature is of that too.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalidJson(cause);
  }
}

/**
 * A text as JSON.
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

/** The form of an idempotency key: 1 to 255 visible ASCII characters. */
export const IDEMPOTENCY_KEY: RegExp = /^[\x21-\x7e]{1,255}$/;

/**
 * The key that makes a request harmless to repeat, from the `Idempotency-Key` header.
 *
 * @param c The request's context.
 * @returns The key; undefined when the request has none.
 * @throws {Problem} 400 `invalid_idempotency_key` unless it is 1 to 255 visible ASCII characters.
 */
export function readIdempotencyKey(c: Context): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new Problem(
    400,
    "invalid_idempotency_key",
    "An idempotency key is 1 to 255 visible ASCII characters",
    { hint: "Use a UUID" },
  );
}

function checkFor<Input>(
  c: Context<AuthenticatedEnv>,
  value: unknown,
  { user, service }: {
    user: z.ZodMiniType<Omit<Input, "user_id">>;
    service: z.ZodMiniType<Input>;
  },
): RequestFor<Input> {
  const { supabaseContext } = c.var;
  if (supabaseContext.authMode !== "user") return { ...check(service, value), actor: "service" };
  const request = { ...check(user, value), user_id: userId(supabaseContext), actor: "user" };
  // TypeScript does not put an omitted member back: without user_id, and with it, it is a request again.
  return request as RequestFor<Input>;
}

function invalidJson(cause: unknown): Problem {
  return new Problem(400, "invalid_json", "The body is not JSON in UTF-8", { cause });
}

function check<T extends z.ZodMiniType>(schema: T, value: unknown): z.infer<T> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw new Problem(422, "invalid_request", "The request does not have the shape it must have", {
    fields: {
      errors: result.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
    },
  });
}
