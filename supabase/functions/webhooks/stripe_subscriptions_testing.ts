/**
 * Stripe's subscription events with all members that its API reference lists for version 2026-10-28.endive. The types
 * of its library check them.
 *
 * @module
 */

import type Stripe from "stripe";

import { plan, price } from "./stripe_prices_testing.ts";

/** The facts of a subscription that tests vary. */
export interface SubscriptionFacts {
  id: string;
  customer: string;
  /** When it began. */
  began: number;
  price: string;
  amount: number;
  status: Stripe.Subscription.Status;
  period_start: number;
  period_end: number;
  metadata?: Record<string, string>;
  trial_end?: number;
  ended_at?: number;
  cancel_at?: number;
  cancel_at_period_end?: boolean;
  pause_collection?: Stripe.Subscription.PauseCollection;
  quantity?: number;
  invoice?: string;
}

/** A subscription. */
export function subscription(of: SubscriptionFacts): Stripe.Subscription {
  return {
    id: of.id,
    object: "subscription",
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: of.began,
    billing_cycle_anchor_config: null,
    billing_mode: {
      flexible: { proration_discounts: "included" },
      type: "flexible",
      updated_at: of.began,
    },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: of.cancel_at ?? null,
    cancel_at_period_end: of.cancel_at_period_end ?? false,
    canceled_at: of.ended_at ?? null,
    cancellation_details: null,
    collection_method: "charge_automatically",
    created: of.began,
    currency: "eur",
    customer: of.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    ended_at: of.ended_at ?? null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: {
      object: "list",
      data: [subscriptionItem(of)],
      has_more: false,
      url: `/v1/subscription_items?subscription=${of.id}`,
    },
    latest_invoice: of.invoice ?? null,
    livemode: false,
    managed_payments: null,
    metadata: of.metadata ?? {},
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: of.pause_collection ?? null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: "off",
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: of.began,
    status: of.status,
    test_clock: null,
    transfer_data: null,
    trial_end: of.trial_end ?? null,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: "create_invoice" },
    },
    trial_start: of.trial_end ? of.began : null,
  };
}

function subscriptionItem(of: SubscriptionFacts): Stripe.SubscriptionItem {
  return {
    id: `si_${of.id}`,
    object: "subscription_item",
    billing_thresholds: null,
    created: of.began,
    current_period_end: of.period_end,
    current_period_start: of.period_start,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: plan(of.price, of.amount, of.began),
    price: price(of.price, of.amount, of.began),
    quantity: of.quantity ?? 1,
    subscription: of.id,
    tax_rates: [],
  };
}
