/**
 * Deliveries from Stripe, signed as https://docs.stripe.com/webhooks/signature specifies.
 *
 * @module
 */

import type { Context } from "hono";
import * as z from "zod/mini";

import { readText } from "../_shared/request.ts";
import {
  type Delivery,
  invalidEvent,
  parseEvent,
  signatureExpired,
  signatureInvalid,
  signatureMissing,
  TOLERANCE_S,
} from "./delivery.ts";
import { name } from "./schema.ts";
import { stripeSecrets } from "./secrets.ts";

/** Latest time of an event: the end of the year 9999, in seconds. */
const LAST_SECOND = 253_402_300_799;

/** The members of an event that are used here. SQL reads the object. */
const StripeEvent = z.looseObject({
  id: name,
  object: z.literal("event"),
  type: name,
  created: z.int().check(z.minimum(0), z.maximum(LAST_SECOND)),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/**
 * Reads the event of a delivery if Stripe signed it with one of the secrets in the last five minutes.
 *
 * @param c The request's context.
 * @throws {Problem} 401 `signature_missing`, `signature_invalid`, `signature_expired`; 400 `invalid_json`; 422
 *   `invalid_webhook_event`; 503 `webhook_not_configured`.
 */
export async function readStripeDelivery(c: Context): Promise<Delivery> {
  const secrets = stripeSecrets();
  const header = c.req.header("stripe-signature");
  const time = header === undefined ? undefined : signedAt(header);
  if (header === undefined || time === undefined) throw signatureMissing("Stripe-Signature");
  const text = await readText(c);
  const failures = await Promise.all(secrets.map((secret) => verify(text, header, secret)));
  if (!failures.includes(undefined)) {
    throw failures.includes("expired") ? signatureExpired() : signatureInvalid();
  }
  // The library accepts times in the future.
  if (time > Date.now() / 1000 + TOLERANCE_S) throw signatureExpired();

  const { success, data: event } = z.safeParse(StripeEvent, parseEvent(c, text));
  if (!success) {
    throw invalidEvent(
      "The body must be a snapshot event of Stripe, with id, type, created and data.object",
    );
  }
  return {
    provider: "stripe",
    event_id: event.id,
    type: event.type,
    event_created: new Date(event.created * 1000).toISOString(),
    payload: event as Delivery["payload"],
  };
}

/**
 * When the header was signed. Undefined unless it has exactly one time, because the library uses the last of several.
 */
function signedAt(header: string): number | undefined {
  const times = header.split(",").filter((part) => /^\s*t\s*(=|$)/.test(part));
  return times.length === 1 && /^t=\d{1,12}$/.test(times[0] ?? "")
    ? Number(times[0]?.slice(2))
    : undefined;
}

async function verify(
  text: string,
  header: string,
  secret: string,
): Promise<"invalid" | "expired" | undefined> {
  // Loaded on use, so that other routes do not pay for it at a cold start.
  const { default: Stripe } = await import("stripe");
  const crypto = Stripe.createSubtleCryptoProvider();
  try {
    // The check of constructEventAsync without its parsing, because a body that is not an event has its own error.
    await Stripe.webhooks.signature?.verifyHeaderAsync(text, header, secret, TOLERANCE_S, crypto);
    return Stripe.webhooks.signature ? undefined : "invalid";
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) throw error;
    return /outside the tolerance/i.test(error.message) ? "expired" : "invalid";
  }
}
