/**
 * A year of a Stripe customer: all events in the order in which they happened.
 *
 * @module
 */

import {
  invoice,
  invoicePayment,
  type LineFacts,
} from "../../functions/webhooks/stripe_invoices_testing.ts";
import {
  charge,
  checkoutSession,
  dispute,
  stripeEvent,
} from "../../functions/webhooks/stripe_payments_testing.ts";
import {
  subscription,
  type SubscriptionFacts,
} from "../../functions/webhooks/stripe_subscriptions_testing.ts";

const DAY = 86_400;
const MONTH = 30 * DAY;

/** What the year's prices buy, for `stripe_prices`. */
export const PRICES = [
  { id: "price_year_pro", tier: "pro", credits: 1000, rollover_cap: 300 },
  { id: "price_year_big", tier: "enterprise", credits: 3000, rollover_cap: 500 },
  { id: "price_year_pack", credits: 500 },
];

/** Balance after the year: 3 months at 1000, 8 at 3000 and a pack, less half a month, the pack and the lost dispute. */
export const BALANCE = 3 * 1000 + 8 * 3000 + 500 - 500 - 500 - 3000;

export type StripeEvent = ReturnType<typeof stripeEvent>;

/**
 * The events: sign-up with a trial, eleven paid months, an upgrade, a payment that fails and recovers, a pack of
 * credits, partial refunds, a dispute that is won and one that is lost, and the cancellation.
 *
 * @param reference Id of the team that signs up. No other event names it.
 * @param suffix Makes the ids of this year unique.
 * @param began When it began, in seconds.
 * @param buyer A user with the same customer, who buys a pack for themselves. The team's pack then names the team.
 */
export function yearOf(
  reference: string,
  suffix: string,
  began: number,
  buyer?: string,
): StripeEvent[] {
  const customer = `cus_${suffix}`;
  const id = `sub_${suffix}`;
  const events: StripeEvent[] = [];
  const at = (month: number) => began + 14 * DAY + (month - 1) * MONTH;
  const intent = (month: number) => `pi_${month}_${suffix}`;
  const tell = (
    type: string,
    created: number,
    object: unknown,
    previous?: Record<string, unknown>,
  ) => events.push(stripeEvent(type, created, object, previous));

  let state: SubscriptionFacts = {
    id,
    customer,
    began,
    price: "price_year_pro",
    amount: 1000,
    status: "trialing",
    trial_end: at(1),
    period_start: began,
    period_end: at(1),
  };
  const change = (created: number, changed: Partial<SubscriptionFacts>) => {
    state = { ...state, ...changed };
    tell("customer.subscription.updated", created, subscription(state));
  };
  const bill = (month: number, created: number, paid: boolean, line: Partial<LineFacts> = {}) => {
    const { price, amount } = state;
    const period = { period_start: at(month), period_end: at(month + 1) };
    const lines = [{ id: `il_${month}_${suffix}`, price, amount, ...period, ...line }];
    tell(
      paid ? "invoice.paid" : "invoice.payment_failed",
      created,
      invoice({
        id: `in_${month}_${suffix}`,
        customer,
        subscription: id,
        created,
        amount: lines[0]?.amount ?? 0,
        paid,
        billing_reason: month === 0 ? "subscription_create" : "subscription_cycle",
        lines,
      }),
    );
    if (paid && amount > 0 && month > 0) {
      const facts = {
        invoice: `in_${month}_${suffix}`,
        payment_intent: intent(month),
        created,
        amount,
      };
      tell("invoice_payment.paid", created, invoicePayment(facts));
    }
  };
  const refund = (
    payment_intent: string,
    created: number,
    amount: number,
    from: number,
    to: number,
  ) =>
    tell(
      "charge.refunded",
      created,
      charge({ payment_intent, customer, created, amount, refunded: to }),
      { amount_refunded: from, refunded: false },
    );

  tell("customer.created", began, { id: customer, object: "customer" });
  if (buyer) {
    const pack = { id: `own_${suffix}`, payment_intent: `pi_own_${suffix}`, reference: buyer };
    const metadata = { price_id: "price_year_pack" };
    tell(
      "checkout.session.completed",
      began,
      checkoutSession({ ...pack, created: began, amount: 900, customer, metadata }),
    );
  }
  tell(
    "checkout.session.completed",
    began,
    checkoutSession({
      id: suffix,
      created: began,
      amount: 0,
      customer,
      reference,
      mode: "subscription",
      subscription: id,
      invoice: `in_0_${suffix}`,
    }),
  );
  tell("customer.subscription.created", began, subscription(state));
  bill(0, began, true, { amount: 0, period_start: began, period_end: at(1) });

  for (let month = 1; month <= 11; month++) {
    const period = { period_start: at(month), period_end: at(month + 1) };
    const start = at(month);
    if (month === 6) {
      // The events of a failed payment have the same second. Three days later, the payment succeeds.
      bill(month, start, false);
      change(start, { status: "past_due", ...period });
      bill(month, start + 3 * DAY, true);
      change(start + 3 * DAY, { status: "active" });
    } else {
      bill(month, start, true);
      change(start, { status: "active", ...period });
    }
    if (month === 3) {
      const upgraded = start + 10 * DAY;
      change(upgraded, { price: "price_year_big", amount: 3000 });
      bill(33, upgraded, true, { amount: 1333, proration: true });
    }
    if (month === 4) refund(intent(3), start + DAY, 1000, 0, 500);
    if (month === 5) {
      const facts = { payment_intent: intent(5), amount: 3000 };
      const tellDispute = (what: string, days: number, status: string) =>
        tell(
          `charge.dispute.${what}`,
          start + days * DAY,
          dispute({ ...facts, created: start + 5 * DAY, status }),
        );
      tellDispute("created", 5, "needs_response");
      tellDispute("funds_withdrawn", 5, "needs_response");
      tellDispute("closed", 25, "won");
      tellDispute("funds_reinstated", 25, "won");
    }
    if (month === 7) {
      const payment_intent = `pi_pack_${suffix}`;
      const created = start + DAY;
      const metadata = { price_id: "price_year_pack" };
      const pack = {
        id: `pack_${suffix}`,
        created,
        amount: 900,
        customer,
        payment_intent,
        metadata,
        ...(buyer && { reference }),
      };
      tell("payment_intent.succeeded", created, { id: payment_intent, object: "payment_intent" });
      tell("checkout.session.completed", created, checkoutSession(pack));
      refund(payment_intent, start + 2 * DAY, 900, 0, 300);
      refund(payment_intent, start + 3 * DAY, 900, 300, 400);
      refund(payment_intent, start + 4 * DAY, 900, 400, 900);
    }
    if (month === 8) {
      const facts = { payment_intent: intent(8), amount: 3000, created: start + DAY };
      tell("charge.dispute.created", start + DAY, dispute({ ...facts, status: "needs_response" }));
      tell("charge.dispute.closed", start + 20 * DAY, dispute({ ...facts, status: "lost" }));
    }
    if (month === 11) change(start + 5 * DAY, { cancel_at_period_end: true });
  }
  tell(
    "customer.subscription.deleted",
    at(12),
    subscription({ ...state, status: "canceled", ended_at: at(12) }),
  );
  return events;
}
