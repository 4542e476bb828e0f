/**
 * Deliveries of Stripe: signed as https://docs.stripe.com/webhooks/signature has it.
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

/** Year 9999, in seconds: what a time can be at most. */
const LAST_SECOND = 253_402_300_799;

/** What is read of an event here; SQL reads the object. */
const StripeEvent = z.looseObject({
  id: name,
  object: z.literal("event"),
  type: name,
  created: z.int().check(z.minimum(0), z.maximum(LAST_SECOND)),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/**
 * The event of a delivery, when Stripe has signed it with one of the secrets in the last five minutes.
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
  // The library lets pass what is dated in the future.
  if (time > Date.now() / 1000 + TOLERANCE_S) throw signatureExpired();

  const { success, data: event } = z.safeParse(StripeEvent, parseEvent(text));
  if (!success) {
    throw invalidEvent("The body is not an event of Stripe with a snapshot of its object");
  }
  return {
    provider: "stripe",
    event_id: event.id,
    type: event.type,
    event_created: new Date(event.created * 1000).toISOString(),
    payload: event as Delivery["payload"],
  };
}

/** When a header says that it was signed; undefined unless it says so once, as the library takes the last of several. */
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
  // When it is needed: no other route carries it through a cold start.
  const { default: Stripe } = await import("stripe");
  const crypto = Stripe.createSubtleCryptoProvider();
  try {
    // What constructEventAsync verifies with, before it parses: a body that is no event is said to be that elsewhere.
    await Stripe.webhooks.signature?.verifyHeaderAsync(text, header, secret, TOLERANCE_S, crypto);
    return Stripe.webhooks.signature ? undefined : "invalid";
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) throw error;
    return /outside the tolerance/i.test(error.message) ? "expired" : "invalid";
  }
}
