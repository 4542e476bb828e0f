/**
 * For tests of webhooks: senders that sign like the real ones, with the secrets of the stack's functions.
 *
 * @module
 */

import Stripe from "stripe";
import { Webhook } from "standardwebhooks";

import { fetchChecked } from "../_testing/answers.ts";
import { functionsUrl } from "../_testing/testing.ts";
import { authHookSecrets, databaseSecrets, standardSecrets, stripeSecrets } from "./secrets.ts";

/** The response to a delivery. */
export interface Reply {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- each test asserts what it expects
  body: any;
}

/** How a delivery differs from a valid one. */
export interface Signing {
  secret?: string;
  /** When it is signed, in seconds. */
  timestamp?: number;
  /** What is signed, if it differs from what is sent. */
  signed?: string;
}

const [stripeSecret = "", nextStripeSecret = ""] = stripeSecrets();
const [authSecret = "", nextAuthSecret = ""] = authHookSecrets();
const [localSecret = "", nextLocalSecret = ""] = standardSecrets("local") ?? [];
const [databaseSecret = "", nextDatabaseSecret = ""] = databaseSecrets();

/** The secrets of each provider: the current one and the next one. */
export const SECRETS = {
  stripe: [stripeSecret, nextStripeSecret],
  auth: [authSecret, nextAuthSecret],
  standard: [localSecret, nextLocalSecret],
  database: [databaseSecret, nextDatabaseSecret],
} as const;

/** Seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Sends a body with headers. */
export async function post(
  path: string,
  body: BodyInit,
  headers: Record<string, string>,
  url: string = functionsUrl,
): Promise<Reply> {
  const response = await fetchChecked(`${url}/webhooks/${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith("{") ? JSON.parse(text) : text,
  };
}

/** The header that Stripe signs a body with. */
export async function stripeSignature(body: string, signing: Signing = {}): Promise<string> {
  return await Stripe.webhooks.generateTestHeaderStringAsync({
    payload: signing.signed ?? body,
    secret: signing.secret ?? stripeSecret,
    timestamp: signing.timestamp ?? now(),
    cryptoProvider: Stripe.createSubtleCryptoProvider(),
    // Required by the library's type, although it has a default.
    scheme: "v1",
    signature: "",
  });
}

/** Delivers an event as Stripe does. */
export async function deliverStripe(
  event: unknown,
  signing: Signing = {},
  url: string = functionsUrl,
): Promise<Reply> {
  const body = typeof event === "string" ? event : JSON.stringify(event, null, 2);
  const signature = await stripeSignature(body, signing);
  return await post("stripe", body, { "stripe-signature": signature }, url);
}

/** The headers that Standard Webhooks signs a body with. */
export function standardHeaders(
  id: string,
  body: string,
  secrets: string[],
  signing: Signing = {},
): Record<string, string> {
  const timestamp = signing.timestamp ?? now();
  const date = new Date(timestamp * 1000);
  const signatures = secrets.map((secret) =>
    new Webhook(secret).sign(id, date, signing.signed ?? body)
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    // Joined as Supabase Auth joins them. The specification uses only a space.
    "webhook-signature": signatures.join(", "),
  };
}

/** Delivers an event of the source `local`. */
export async function deliverStandard(
  id: string,
  event: unknown,
  signing: Signing = {},
): Promise<Reply> {
  const body = JSON.stringify(event);
  const headers = standardHeaders(id, body, [signing.secret ?? localSecret], signing);
  return await post("standard/local", body, headers);
}

/** Calls a hook as Supabase Auth does: signed with all of its secrets. */
export async function askAuthHook(message: unknown, secrets = [authSecret]): Promise<Reply> {
  const body = JSON.stringify(message);
  return await post("auth", body, standardHeaders(crypto.randomUUID(), body, secrets));
}
