/**
 * Deliveries that are signed as Standard Webhooks specifies (https://www.standardwebhooks.com): from any sender, and
 * from Supabase Auth, whose hooks wait for the response.
 *
 * @module
 */

import type { Context } from "hono";
import * as z from "zod/mini";

import { Problem } from "../_shared/problem.ts";
import { readText } from "../_shared/request.ts";
import { time } from "../_shared/schema.ts";
import {
  type Delivery,
  invalidEvent,
  parseEvent,
  signatureExpired,
  signatureInvalid,
  signatureMissing,
} from "./delivery.ts";
import { name } from "./schema.ts";
import { authHookSecrets, notConfigured, standardSecrets } from "./secrets.ts";

/** The signature is the same under the names that Svix gave it before the specification: Clerk and Resend send those. */
const PREFIXES = ["webhook", "svix"] as const;
const HEADERS = ["id", "timestamp", "signature"] as const;

/** The latest time of an event: the end of the year 9999, in milliseconds. */
const LAST_MS = 253_402_300_799_999;

/** Numbers up to this are seconds: as milliseconds, it would be a time in 1973. */
const LAST_IN_SECONDS = 100_000_000_000;

/** The members that the specification recommends: a type, a time and the data. Some senders write the time as a number. */
const StandardEvent = z.looseObject({
  type: name,
  timestamp: z.nullish(
    z.union([time, z.number().check(z.minimum(0), z.maximum(LAST_MS))]),
  ),
});

/** The only supported hook of Auth. Its name is in Auth's message. */
const BeforeUserCreated = z.looseObject({
  metadata: z.looseObject({ uuid: name, name: z.literal("before-user-created") }),
  user: z.looseObject({}),
});

/**
 * Reads the event of a delivery if its source signed it with one of its secrets in the last five minutes.
 *
 * @param c The request's context.
 * @param source Name of the source.
 * @throws {Problem} 401 `signature_missing`, `signature_invalid`, `signature_expired`; 400 `invalid_json`; 404
 *   `webhook_source_unknown`; 422 `invalid_webhook_event`; 503 `webhook_not_configured`.
 */
export async function readStandardDelivery(c: Context, source: string): Promise<Delivery> {
  const secrets = standardSecrets(source);
  if (!secrets) {
    throw new Problem(
      404,
      "webhook_source_unknown",
      "There is no secret for a source with this name",
      { hint: "Check the URL, or add the source to STANDARD_WEBHOOK_SECRETS" },
    );
  }
  const { id, body } = await readSigned(c, secrets, "STANDARD_WEBHOOK_SECRETS");
  if (id.length > 255) {
    throw invalidEvent("The id in the header must be at most 255 characters long");
  }
  const { success, data: event } = z.safeParse(StandardEvent, body);
  if (!success) {
    throw invalidEvent(
      "The body must have a type of 1 to 255 characters; a timestamp, if there is one, must be " +
        "like 2026-11-01T00:00:00Z, or a number of seconds or milliseconds since 1970",
    );
  }
  return {
    provider: `standard:${source}`,
    event_id: id,
    type: event.type,
    ...(event.timestamp != null && { event_created: writeTime(event.timestamp) }),
    payload: event as Delivery["payload"],
  };
}

/**
 * Reads the message of an Auth hook.
 *
 * @param c The request's context.
 * @throws {Problem} As {@link readStandardDelivery}, and 422 `auth_hook_unsupported` for unsupported hooks.
 */
export async function readAuthHook(c: Context): Promise<Delivery> {
  const { body } = await readSigned(c, authHookSecrets(), "AUTH_HOOK_SECRETS");
  const { success, data: hook } = z.safeParse(BeforeUserCreated, body);
  if (!success) {
    throw new Problem(
      422,
      "auth_hook_unsupported",
      "Only the hook before-user-created is supported",
      {
        hint: "Disable the other hook, or set its URL to a function of your own",
      },
    );
  }
  return {
    provider: "auth",
    // Not webhook-id, which is different for each attempt.
    event_id: hook.metadata.uuid,
    type: hook.metadata.name,
    payload: hook as Delivery["payload"],
  };
}

function writeTime(timestamp: string | number): string {
  if (typeof timestamp === "string") return timestamp;
  return new Date(timestamp > LAST_IN_SECONDS ? timestamp : timestamp * 1000).toISOString();
}

async function readSigned(
  c: Context,
  secrets: string[],
  variable: string,
): Promise<{ id: string; body: unknown }> {
  const prefix = PREFIXES.find((prefix) => c.req.header(`${prefix}-id`)) ?? PREFIXES[0];
  const [id, timestamp, signature] = HEADERS.map((header) => c.req.header(`${prefix}-${header}`));
  if (!id || !timestamp || !signature) throw missing();
  const text = await readText(c);
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signature,
  };
  const failures = await Promise.all(
    secrets.map((secret) => verify(text, headers, secret, variable)),
  );
  if (!failures.includes(undefined)) throw failures[0];
  return { id, body: parseEvent(c, text) };
}

async function verify(
  text: string,
  headers: Record<string, string>,
  secret: string,
  variable: string,
): Promise<Problem | undefined> {
  // Loaded on use, like Stripe's library.
  const { Webhook, WebhookVerificationError } = await import("standardwebhooks");
  let webhook: InstanceType<typeof Webhook>;
  try {
    webhook = new Webhook(secret);
  } catch (cause) {
    return notConfigured(variable, "v1,whsec_BASE64", cause);
  }
  try {
    webhook.verify(text, headers, { jsonParse: false });
    return undefined;
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    if (/timestamp too/i.test(error.message)) return signatureExpired();
    return /headers/i.test(error.message) ? missing() : signatureInvalid();
  }
}

function missing(): Problem {
  return signatureMissing(HEADERS.map((header) => `webhook-${header}`).join(", "));
}
