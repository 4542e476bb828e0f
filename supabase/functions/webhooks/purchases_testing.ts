/**
 * For tests of webhooks: a purchase, and what came of it.
 *
 * @module
 */

import { serviceClient } from "../_testing/testing.ts";
import { checkoutSession, stripeEvent } from "./stripe_payments_testing.ts";
import { now } from "./webhooks_testing.ts";

const service = serviceClient();

/** Inserts a price of 500 credits and returns its id. */
export async function pack(): Promise<string> {
  const id = `price_${crypto.randomUUID()}`;
  const { error } = await service.from("stripe_prices").insert({ id, credits: 500 });
  if (error) throw error;
  return id;
}

/** An event of a purchase, by a user or by an unknown customer. */
export function purchase(price_id: string, reference?: string) {
  const id = crypto.randomUUID();
  return stripeEvent(
    "checkout.session.completed",
    now(),
    checkoutSession({
      id,
      created: now(),
      amount: 900,
      customer: `cus_${id}`,
      payment_intent: `pi_${id}`,
      metadata: { price_id },
      ...(reference && { reference }),
    }),
  );
}

/** The balance of a user. */
export async function balanceOf(user_id: string): Promise<number> {
  const { data, error } = await service.from("user_credits").select("balance").match({ user_id })
    .single();
  if (error) throw error;
  return data.balance ?? NaN;
}

/** The row of an event. */
export async function kept(event_id: string) {
  const { data, error } = await service.from("webhook_events").select().match({ event_id })
    .single();
  if (error) throw error;
  return data;
}
