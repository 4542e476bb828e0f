/**
 * Database Webhooks of Supabase, which are not signed: they carry a shared secret in a header, and SQL reads the row again
 * before it believes them.
 *
 * @module
 */

import type { Context } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";

import type { Json } from "../_shared/database.types.ts";
import { readText } from "../_shared/request.ts";
import { invalidEvent, parseEvent, signatureInvalid, signatureMissing } from "./delivery.ts";
import { databaseSecrets } from "./secrets.ts";

const HEADER = "x-webhook-secret";

/**
 * The message of a Database Webhook, when it has one of the secrets.
 *
 * @param c The request's context.
 * @throws {Problem} 401 `signature_missing`, `signature_invalid`; 400 `invalid_json`; 422 `invalid_webhook_event`; 503
 *   `webhook_not_configured`.
 */
export async function readDatabaseWebhook(c: Context): Promise<Json> {
  const secrets = databaseSecrets();
  const given = c.req.header(HEADER);
  if (!given) throw signatureMissing(HEADER);
  // All of them, and by their digests: how long it takes says nothing of a secret.
  const matches = await Promise.all(secrets.map((secret) => timingSafeEqual(secret, given)));
  if (!matches.includes(true)) throw signatureInvalid();
  const body = parseEvent(await readText(c));
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalidEvent("A Database Webhook is an object");
  }
  return body as Json;
}
