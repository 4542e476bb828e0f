/**
 * Reads and checks requests, so that the rest of a route has typed values only.
 *
 * @module
 */

import type { Context } from "hono";
import * as z from "zod/mini";

import { type AuthenticatedEnv, userId } from "./auth.ts";
import {
  acceptsContent,
  invalidJson,
  isNestedTooDeep,
  MAX_DEPTH,
  parseJson,
  replaceCharacters,
} from "./json.ts";
import { withoutNulls } from "./nulls.ts";
import { Problem } from "./problem.ts";

/**
 * A request and who sent it: a signed-in user, or a service.
 *
 * @template Input What a service may send. A user may send the same without `user_id`, or less.
 */
export type RequestFor<Input> = Input & {
  /** A signed-in user's id comes from the token. A service names the user, if the route acts for one. */
  user_id?: string | undefined;
  actor: "user" | "service";
};

/**
 * Reads the body of a request from a signed-in user, or from a service for a user.
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
 * Checks what a signed-in user, or a service for a user, sent. Optional members that are null are left out: also those
 * of the other caller, because an app may have one type for both.
 *
 * @param c The request's context.
 * @param value What was sent.
 * @param schemas Its shape from a user, and from a service, which names the user.
 * @throws {Problem} 422 `invalid_request`.
 */
export function checkFor<Input>(
  c: Context<AuthenticatedEnv>,
  value: unknown,
  { user, service }: {
    user: z.ZodMiniType<Omit<Input, "user_id">>;
    service: z.ZodMiniType<Input>;
  },
): RequestFor<Input> {
  const { supabaseContext } = c.var;
  const given = withoutNulls(value, [user, service]);
  if (supabaseContext.authMode !== "user") return { ...check(service, given), actor: "service" };
  const request = { ...check(user, given), user_id: userId(supabaseContext), actor: "user" };
  // TypeScript does not see that adding user_id to Omit<Input, "user_id"> gives an Input again.
  return request as RequestFor<Input>;
}

/**
 * Reads the query of a request from a signed-in user, or from a service for a user.
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
  return checkFor(c, queryOf(c), { user, service });
}

/**
 * Reads the body of a request as JSON and checks it against a schema. Optional members that are null are left out.
 *
 * @param c The request's context.
 * @param schema Shape of the body.
 * @throws {Problem} 400 `invalid_json`; 422 `nested_too_deep`; 422 `invalid_request` with `errors`, the path and message of at
 *   most 20 faults.
 */
export async function readJson<T extends z.ZodMiniType>(
  c: Context,
  schema: T,
): Promise<z.infer<T>> {
  const text = await readText(c);
  // JSON has no byte order mark, but some clients write one (RFC 8259, 8.1).
  const value = parseJson(text.replace(/^\uFEFF/, ""));
  if (isNestedTooDeep(value)) {
    throw new Problem(
      422,
      "nested_too_deep",
      `The body must not be nested more than ${MAX_DEPTH} levels deep`,
      { fields: { deepest: MAX_DEPTH } },
    );
  }
  const content = acceptsContent(c) ? replaceCharacters(c, text, value) : value;
  return check(schema, withoutNulls(content, [schema]));
}

/**
 * Reads the body of a request as text, without changing a byte.
 *
 * @param c The request's context.
 * @throws {Problem} 400 `invalid_json` if it is not UTF-8, and so cannot be JSON.
 */
export async function readText(c: Context): Promise<string> {
  const bytes = await c.req.arrayBuffer();
  try {
    // Keeps a byte order mark: signatures cover it too.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalidJson(cause);
  }
}

/**
 * Reads the query of a request and checks it against a schema. If a name appears twice, its first value is used. The
 * parameters of a route without a query are not read, so they are ignored.
 *
 * @param c The request's context.
 * @param schema Shape of the query: an object of strings.
 * @throws {Problem} 422 `invalid_request`.
 */
export function readQuery<T extends z.ZodMiniType>(c: Context, schema: T): z.infer<T> {
  return check(schema, queryOf(c));
}

/** The query without the parameter that the Supabase clients add when an app chooses a region. */
function queryOf(c: Context): Record<string, string> {
  const { forceFunctionRegion: _, ...query } = c.req.query();
  return query;
}

/**
 * Reads the path parameters of a request and checks them against a schema.
 *
 * @param c The request's context.
 * @param schema Shape of the parameters: an object of strings.
 * @throws {Problem} 422 `invalid_request`.
 */
export function readPath<T extends z.ZodMiniType>(c: Context, schema: T): z.infer<T> {
  return check(schema, c.req.param());
}

/**
 * Whether a request may replace existing data: not with `If-None-Match: *` (RFC 9110, 13.1.2).
 *
 * @param c The request's context.
 * @throws {Problem} 400 `invalid_if_none_match` for entity tags, which are not supported.
 */
export function mayReplace(c: Context): boolean {
  const value = c.req.header("if-none-match");
  if (value === undefined || value.trim() === "*") return value === undefined;
  throw new Problem(400, "invalid_if_none_match", "If-None-Match must be * or absent");
}

/**
 * Reads the `If-Match` header, which makes a change conditional: what is changed must still have this ETag.
 *
 * @param c The request's context.
 * @returns The ETag without its quotation marks; undefined if the request has none or accepts any.
 * @throws {Problem} 400 `invalid_if_match` unless it is one ETag, `*` or absent.
 */
export function readIfMatch(c: Context): string | undefined {
  const value = c.req.header("if-match")?.trim();
  if (value === undefined || value === "*") return undefined;
  // Proxies that compress a response mark its ETag as weak (W/): the same version, in other bytes.
  const etag = value.match(/^(?:W\/)?"([\x21\x23-\x7e]*)"$/)?.[1];
  if (etag !== undefined) return etag;
  throw new Problem(400, "invalid_if_match", "If-Match must be one ETag in quotation marks, or *");
}

/** Format of an idempotency key: 1 to 255 visible ASCII characters. */
export const IDEMPOTENCY_KEY: RegExp = /^[\x21-\x7e]{1,255}$/;

/**
 * Reads the `Idempotency-Key` header, which makes a request safe to repeat.
 *
 * @param c The request's context.
 * @returns The key; undefined if the request has none.
 * @throws {Problem} 400 `invalid_idempotency_key` unless it is 1 to 255 visible ASCII characters.
 */
export function readIdempotencyKey(c: Context): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new Problem(
    400,
    "invalid_idempotency_key",
    "The Idempotency-Key header must consist of 1 to 255 visible ASCII characters",
    { hint: "Use a UUID" },
  );
}

/** The most faults that a problem document lists. */
const MOST_FAULTS = 20;

/** The longest path or message of a fault, in characters: both can contain names that the caller chose. */
const LONGEST_TEXT = 200;

function check<T extends z.ZodMiniType>(schema: T, value: unknown): z.infer<T> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw new Problem(422, "invalid_request", "The request is invalid: errors lists what is wrong", {
    fields: {
      errors: result.error.issues.slice(0, MOST_FAULTS).map(({ path, message }) => ({
        path: shorten(path.join(".")),
        message: shorten(message),
      })),
    },
  });
}

function shorten(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
