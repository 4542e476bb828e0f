/**
 * Database Webhooks of Supabase. They are not signed, but have a shared secret in a header. SQL does not trust the row
 * that they contain, and reads it again.
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
 * Reads the message of a Database Webhook if it has one of the secrets.
 *
 * @param c The request's context.
 * @throws {Problem} 401 `signature_missing`, `signature_invalid`; 400 `invalid_json`; 422 `invalid_webhook_event`; 503
 *   `webhook_not_configured`.
 */
export async function readDatabaseWebhook(c: Context): Promise<Json> {
  const secrets = databaseSecrets();
  const given = c.req.header(HEADER);
  if (!given) throw signatureMissing(HEADER);
  // Compares all secrets, by their digests, so that the time reveals nothing about a secret.
  const matches = await Promise.all(secrets.map((secret) => timingSafeEqual(secret, given)));
  if (!matches.includes(true)) throw signatureInvalid();
  const body = parseEvent(c, await readText(c));
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalidEvent("The body of a Database Webhook must be an object");
  }
  return body as Json;
}
