import assert from "node:assert/strict";
import type postgres from "postgres";

import { serviceClient, test, until, withDatabase } from "../../functions/_testing/testing.ts";
import { invoice, invoicePayment } from "../../functions/webhooks/stripe_invoices_testing.ts";
import {
  charge,
  checkoutSession,
  dispute,
  stripeEvent,
} from "../../functions/webhooks/stripe_payments_testing.ts";
import { subscription } from "../../functions/webhooks/stripe_subscriptions_testing.ts";
import { paymentIntent } from "../../functions/webhooks/stripe_versions_testing.ts";
import { connectAsService } from "../credits/load_testing.ts";
import { PRICES, type StripeEvent } from "./year_testing.ts";

const CREATED = 1_790_000_000;

/** The events of one team, by name. */
function eventsOf(reference: string, suffix: string) {
  const customer = `cus_${suffix}`;
  const payment_intent = `pi_${suffix}`;
  const amount = 1000;
  const created = CREATED;
  const id = `sub_${suffix}`;
  const bill = { id: `in_${suffix}`, customer, created, amount, subscription: id };
  const line = {
    id: `il_${suffix}`,
    price: "price_year_pro",
    amount,
    period_start: created,
    period_end: created + 1000,
  };
  const state = {
    id,
    customer,
    began: created,
    price: "price_year_pro",
    amount,
    period_start: created,
    period_end: created + 1000,
  };
  const about = { billing_reason: "subscription_cycle" as const, lines: [line] };
  return {
    session: stripeEvent(
      "checkout.session.completed",
      created,
      checkoutSession({
        id: suffix,
        created,
        amount,
        customer,
        reference,
        payment_intent,
        metadata: { price_id: "price_year_pack" },
      }),
    ),
    intent: stripeEvent(
      "payment_intent.succeeded",
      created,
      paymentIntent({
        id: payment_intent,
        created,
        amount,
        customer,
        metadata: { price_id: "price_year_pack" },
      }),
    ),
    part: stripeEvent(
      "charge.refunded",
      created,
      charge({ payment_intent, customer, created, amount, refunded: 300 }),
      { amount_refunded: 0 },
    ),
    rest: stripeEvent(
      "charge.refunded",
      created,
      charge({ payment_intent, customer, created, amount, refunded: 1000 }),
      { amount_refunded: 300 },
    ),
    opened: stripeEvent(
      "charge.dispute.created",
      created,
      dispute({ payment_intent, created, amount, status: "needs_response" }),
    ),
    won: stripeEvent(
      "charge.dispute.closed",
      created,
      dispute({ payment_intent, created, amount, status: "won" }),
    ),
    paid: stripeEvent("invoice.paid", created, invoice({ ...bill, ...about, paid: true })),
    failed: stripeEvent(
      "invoice.payment_failed",
      created + 20,
      invoice({ ...bill, ...about, paid: false, created: created + 20 }),
    ),
    link: stripeEvent(
      "invoice_payment.paid",
      created,
      invoicePayment({ invoice: bill.id, payment_intent, created, amount }),
    ),
    begun: stripeEvent(
      "customer.subscription.created",
      created,
      subscription({ ...state, status: "active" }),
    ),
    another: stripeEvent(
      "customer.subscription.created",
      created + 5,
      subscription({
        ...state,
        id: `sub2_${suffix}`,
        began: created + 5,
        status: "active",
        price: "price_year_big",
      }),
    ),
    upgraded: stripeEvent(
      "customer.subscription.updated",
      created + 10,
      subscription({ ...state, status: "active", price: "price_year_big" }),
    ),
    ended: stripeEvent(
      "customer.subscription.deleted",
      created + 30,
      subscription({ ...state, status: "canceled" }),
    ),
  };
}

type Name = keyof ReturnType<typeof eventsOf>;

/** Events that are applied before, and two that arrive at the same time. */
const MEETINGS: [before: Name[], first: Name, second: Name][] = [
  [[], "session", "part"],
  [[], "session", "opened"],
  [[], "session", "intent"],
  [["link"], "paid", "intent"],
  [["intent"], "paid", "link"],
  [["session"], "part", "rest"],
  [["session"], "opened", "won"],
  [[], "paid", "link"],
  [["link"], "paid", "part"],
  [["paid"], "link", "part"],
  [["paid", "part"], "link", "rest"],
  [["part"], "paid", "link"],
  [[], "begun", "upgraded"],
  [[], "begun", "another"],
  [["begun"], "upgraded", "ended"],
  [["begun"], "upgraded", "failed"],
  [["begun"], "failed", "paid"],
  [[], "begun", "failed"],
];

async function receive(sql: postgres.ISql, event: StripeEvent): Promise<void> {
  const [receipt] = await sql`
    select outcome, error from receive_webhook_event('stripe', ${event.id}, ${event.type}, ${
    sql.json(event as postgres.JSONValue)
  }, to_timestamp(${event.created as number}))`;
  assert.equal(receipt?.outcome, "processed", receipt?.error);
}

/** Creates a team whose customer is known, so that no event depends on another. */
async function newTeam(): Promise<{ team: string; suffix: string }> {
  const suffix = crypto.randomUUID().slice(0, 8);
  const service = serviceClient();
  const { data, error } = await service.from("teams").insert({ name: "Meeting" }).select("id")
    .single();
  if (error) throw error;
  const linked = await service.from("stripe_customers").insert({
    id: `cus_${suffix}`,
    team_id: data.id,
  });
  assert.equal(linked.error, null);
  return { team: data.id, suffix };
}

async function endOf(team: string): Promise<unknown> {
  return await withDatabase(async (sql) => [
    ...await sql`
      select a.balance, a.version, t.tier, t.subscription_status
      from credit_accounts as a join teams as t on t.id = a.team_id where t.id = ${team}`,
    ...await sql`
      select t.kind, t.amount from credit_transactions as t join credit_accounts as a on a.id = t.account_id
      where a.team_id = ${team} order by 1, 2`,
    ...await sql`
      select r.* from credit_accounts as a, credit_reconciliation(a.id) as r where a.team_id = ${team}`,
  ]);
}

async function oneAfterTheOther(names: Name[]): Promise<unknown> {
  const { team, suffix } = await newTeam();
  const events = eventsOf(team, suffix);
  const sql = connectAsService();
  try {
    for (const name of names) await receive(sql, events[name]);
  } finally {
    await sql.end();
  }
  return await endOf(team);
}

/** Delivers the second event after the first is applied and before it is committed. */
async function atOnce(before: Name[], first: Name, second: Name): Promise<unknown> {
  const { team, suffix } = await newTeam();
  const events = eventsOf(team, suffix);
  const [one, other] = [connectAsService(), connectAsService()];
  try {
    for (const name of before) await receive(one, events[name]);
    const [session] = await other`select pg_backend_pid() as pid`;
    let ended = false;
    let late: Promise<void> | undefined;
    await one.begin(async (transaction) => {
      await receive(transaction, events[first]);
      late = receive(other, events[second]).finally(() => ended = true);
      // Handled below. It may fail before then.
      late.catch(() => {});
      await until(async () => {
        const [state] = await transaction`
          select cardinality(pg_blocking_pids(${session?.pid})) > 0 as waits`;
        return ended || state?.waits;
      });
    });
    await late;
  } finally {
    await Promise.all([one.end(), other.end()]);
  }
  return await endOf(team);
}

test("two concurrent events have the same result as one after the other", async () => {
  assert.equal((await serviceClient().from("stripe_prices").upsert(PRICES)).error, null);
  for (const [before, first, second] of MEETINGS) {
    const expected = await oneAfterTheOther([...before, first, second]);
    for (const [a, b] of [[first, second], [second, first]] as const) {
      assert.deepEqual(await atOnce(before, a, b), expected, `[${before}] ${a}, ${b}`);
    }
  }
});
