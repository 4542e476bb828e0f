import assert from "node:assert/strict";
import type Stripe from "stripe";

import { serviceClient, test } from "../_testing/testing.ts";
import { invoice, invoicePayment } from "./stripe_invoices_testing.ts";
import { charge, checkoutSession, dispute, stripeEvent } from "./stripe_payments_testing.ts";
import { subscription, type SubscriptionFacts } from "./stripe_subscriptions_testing.ts";
import { asOldest, paymentIntent } from "./stripe_versions_testing.ts";
import { deliverStripe, now } from "./webhooks_testing.ts";

const service = serviceClient();
const DAY = 86_400;

type Version = (event: ReturnType<typeof stripeEvent>) => ReturnType<typeof stripeEvent>;

/** The team's state, as its members read it. */
const STATE = "tier, subscription_status, stripe_status, subscription_quantity, " +
  "cancel_at_period_end, cancel_at, pause_collection, pause_resumes_at";

/**
 * Signs a team up as Stripe reports it in one API version, and asserts the outcome of each event and the team's state
 * after it.
 *
 * @param version Writes an event as this version has it.
 * @param scheduled How this version says that a subscription ends with its period.
 * @param ordered Whether a payment intent says in this version what it pays for.
 */
async function assertLife(
  version: Version,
  scheduled: "cancel_at" | "cancel_at_period_end",
  ordered: boolean,
) {
  const suffix = crypto.randomUUID().slice(0, 8);
  const [pro, pack] = [`price_pro_${suffix}`, `price_pack_${suffix}`];
  const prices = await service.from("stripe_prices").insert([
    { id: pro, credits: 1000, tier: "pro" },
    { id: pack, credits: 500, tier: null },
  ]);
  assert.equal(prices.error, null);
  const { data: team, error } = await service.from("teams").insert({ name: "Version" }).select("id")
    .single();
  if (error) throw error;

  const customer = `cus_${suffix}`;
  const id = `sub_${suffix}`;
  const began = now() - 20 * DAY;
  let state: SubscriptionFacts = {
    id,
    customer,
    began,
    price: pro,
    amount: 1000,
    status: "trialing",
    trial_end: began + 14 * DAY,
    period_start: began,
    period_end: began + 14 * DAY,
    quantity: 3,
  };
  const tell = async (
    type: Stripe.Event.Type,
    object: unknown,
    outcome: "processed" | "ignored",
    previous?: Record<string, unknown>,
  ) => {
    const event = version(stripeEvent(type, began, object, previous));
    const reply = await deliverStripe(event);
    const { data: kept } = await service.from("webhook_events").select("error, result")
      .eq("event_id", event.id).single();
    assert.deepEqual([reply.status, reply.body.outcome], [200, outcome], `${type} ${kept?.error}`);
    return kept?.result as { credits?: number; reason?: string; ignored?: string } | null;
  };
  let second = began;
  const change = async (what: string, changed: Partial<SubscriptionFacts>) => {
    state = { ...state, ...changed };
    const event = version(
      stripeEvent(`customer.subscription.${what}`, ++second, subscription(state)),
    );
    const { status, body } = await deliverStripe(event);
    assert.deepEqual([status, body.outcome], [200, "processed"], what);
    const { data } = await service.from("teams").select(STATE).eq("id", team.id).single();
    return data as unknown as Record<string, unknown>;
  };
  const bill = (of: string, amount: number, paid: boolean) =>
    invoice({
      id: `in_${of}_${suffix}`,
      customer,
      subscription: id,
      created: began,
      amount,
      paid,
      billing_reason: "subscription_cycle",
      lines: [{
        id: `il_${of}_${suffix}`,
        price: pro,
        amount,
        period_start: state.period_start,
        period_end: state.period_end,
      }],
    });

  await tell("customer.created", { id: customer, object: "customer" }, "ignored");
  await tell(
    "checkout.session.completed",
    checkoutSession({
      id: suffix,
      created: began,
      amount: 0,
      customer,
      reference: team.id,
      mode: "subscription",
      subscription: id,
      invoice: `in_trial_${suffix}`,
    }),
    "processed",
  );
  assert.deepEqual(await change("created", {}), {
    tier: "pro",
    subscription_status: "active",
    stripe_status: "trialing",
    subscription_quantity: 3,
    cancel_at_period_end: false,
    cancel_at: null,
    pause_collection: null,
    pause_resumes_at: null,
  });
  const trial = await tell("invoice.paid", bill("trial", 0, true), "processed");
  assert.equal(trial?.reason, "no_charge");
  await change("trial_will_end", {});
  const period = { period_start: began + 14 * DAY, period_end: began + 44 * DAY };
  assert.equal((await change("updated", { status: "active", ...period })).stripe_status, "active");

  await tell("invoice.payment_failed", bill("first", 1000, false), "processed");
  const due = await change("updated", { status: "past_due" });
  assert.deepEqual([due.tier, due.subscription_status], ["pro", "past_due"]);
  const first = await tell("invoice.paid", bill("first", 1000, true), "processed");
  assert.equal(first?.credits, 1000);
  const payment_intent = `pi_first_${suffix}`;
  await tell(
    "invoice_payment.paid",
    invoicePayment({ invoice: `in_first_${suffix}`, payment_intent, created: began, amount: 1000 }),
    "processed",
  );
  const order = `in_first_${suffix}`;
  const paid = { id: payment_intent, created: began, amount: 1000, customer, order };
  const outcome = ordered ? "processed" : "ignored";
  await tell("payment_intent.succeeded", paymentIntent(paid), outcome);
  const charged = { payment_intent, customer, created: began, amount: 1000, refunded: 0 };
  await tell("charge.succeeded", charge(charged), "ignored");
  await tell(
    "charge.refunded",
    charge({ ...charged, refunded: 250 }),
    "processed",
    { amount_refunded: 0, refunded: false },
  );
  await change("updated", { status: "active" });

  // A pack by Checkout with an invoice: its intent, its session, its invoice and their link.
  const bought = { created: began, amount: 900, customer };
  const intent = await tell(
    "payment_intent.succeeded",
    paymentIntent({ ...bought, id: `pi_pack_${suffix}`, order: `cs_test_pack_${suffix}` }),
    "ignored",
  );
  assert.equal(intent?.ignored, ordered ? "session_grants" : "not_described");
  await tell(
    "checkout.session.completed",
    checkoutSession({
      ...bought,
      id: `pack_${suffix}`,
      payment_intent: `pi_pack_${suffix}`,
      invoice: `in_pack_${suffix}`,
      reference: team.id,
    }),
    "processed",
  );
  const lines = [{ id: `il_pack_${suffix}`, price: pack, amount: 900 }];
  const packed = { ...bought, id: `in_pack_${suffix}`, paid: true, lines };
  await tell("invoice.paid", invoice({ ...packed, billing_reason: "manual" }), "processed");

  // A pack without Checkout, disputed and won.
  const mobile = { ...bought, id: `pi_mobile_${suffix}` };
  const metadata = { team_id: team.id, price_id: pack };
  await tell("payment_intent.succeeded", paymentIntent({ ...mobile, metadata }), "processed");
  for (const [what, status] of [["created", "needs_response"], ["closed", "won"]] as const) {
    const facts = { payment_intent: mobile.id, created: began, amount: 900, status };
    await tell(`charge.dispute.${what}`, dispute(facts), "processed");
  }

  const resumes_at = began + 30 * DAY;
  const paused = await change("updated", { pause_collection: { behavior: "void", resumes_at } });
  assert.deepEqual(
    [paused.tier, paused.pause_collection, Date.parse(String(paused.pause_resumes_at))],
    ["free", "void", resumes_at * 1000],
  );
  const { pause_collection: _, ...resumed } = state;
  state = resumed;
  assert.equal((await change("updated", {})).tier, "pro");
  const ending = await change("updated", {
    [scheduled]: scheduled === "cancel_at" ? state.period_end : true,
  });
  assert.deepEqual(
    [ending.cancel_at_period_end, Date.parse(String(ending.cancel_at)), ending.tier],
    [true, state.period_end * 1000, "pro"],
  );
  const ended = await change("deleted", { status: "canceled", ended_at: began + 16 * DAY });
  assert.deepEqual([ended.tier, ended.subscription_status], ["free", "canceled"]);

  const { data: account } = await service.from("credit_accounts").select("balance")
    .eq("team_id", team.id).single();
  assert.equal(account?.balance, 1000 - 250 + 500 + 500);
}

test("the events of the newest API version of Stripe are understood", async () => {
  await assertLife((event) => event, "cancel_at", true);
});

test("the events of the oldest supported API version of Stripe are understood", async () => {
  await assertLife(asOldest, "cancel_at_period_end", false);
});

test("an event of Stripe names the version that is not supported", async () => {
  const object = checkoutSession({ id: "old", created: now(), amount: 900, customer: null });
  const event = {
    ...stripeEvent("checkout.session.completed", now(), object),
    api_version: "2025-02-24.acacia",
  };
  assert.equal((await deliverStripe(event)).status, 503);
  const { data } = await service.from("webhook_events").select("error").eq("event_id", event.id)
    .single();
  assert.match(data?.error ?? "", /^stripe_event_unreadable: .*"2025-02-24\.acacia"/);
});
