/**
 * Events of Stripe about subscriptions and invoices, complete as its API reference has them for API version
 * 2026-10-28.endive: the types of its library hold these objects to it.
 *
 * @module
 */

import type Stripe from "stripe";

/** What a subscription is; only what differs from one test to another. */
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
  cancel_at_period_end?: boolean;
  invoice?: string;
}

/** A line of an invoice; one with a period is a subscription's. */
export interface LineFacts {
  id: string;
  price: string;
  amount: number;
  period_start?: number;
  period_end?: number;
  proration?: boolean;
}

/** What an invoice is. */
export interface InvoiceFacts {
  id: string;
  customer: string;
  created: number;
  amount: number;
  paid: boolean;
  billing_reason: Stripe.Invoice.BillingReason;
  lines: LineFacts[];
  subscription?: string;
  metadata?: Record<string, string>;
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
    cancel_at: null,
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
    pause_collection: null,
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

/** An invoice, paid or not. */
export function invoice(of: InvoiceFacts): Stripe.Invoice {
  return {
    id: of.id,
    object: "invoice",
    account_country: "DE",
    account_name: "Example",
    account_tax_ids: null,
    amount_due: of.amount,
    amount_overpaid: 0,
    amount_paid: of.paid ? of.amount : 0,
    amount_remaining: of.paid ? 0 : of.amount,
    amount_shipping: 0,
    application: null,
    attempt_count: 1,
    attempted: true,
    auto_advance: !of.paid,
    automatic_tax: {
      disabled_reason: null,
      enabled: false,
      liability: null,
      provider: null,
      status: null,
    },
    automatically_finalizes_at: null,
    billing_reason: of.billing_reason,
    collection_method: "charge_automatically",
    created: of.created,
    currency: "eur",
    custom_fields: null,
    customer: of.customer,
    customer_account: null,
    customer_address: null,
    customer_email: "ada@example.com",
    customer_name: "Ada Example",
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: "none",
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: of.created,
    ending_balance: 0,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: `https://invoice.example/${of.id}`,
    invoice_pdf: `https://invoice.example/${of.id}/pdf`,
    issuer: { type: "self" },
    last_finalization_error: null,
    latest_revision: null,
    lines: {
      object: "list",
      data: of.lines.map((line) => invoiceLine(of, line)),
      has_more: false,
      url: `/v1/invoices/${of.id}/lines`,
    },
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: `EXAMPLE-${of.id}`,
    on_behalf_of: null,
    parent: of.subscription === undefined ? null : {
      quote_details: null,
      subscription_details: { metadata: of.metadata ?? {}, subscription: of.subscription },
      type: "subscription_details",
    },
    payment_settings: {
      default_mandate: null,
      payment_method_options: null,
      payment_method_types: null,
    },
    period_end: of.created,
    period_start: of.created,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: of.paid ? "paid" : "open",
    status_transitions: {
      finalized_at: of.created,
      marked_uncollectible_at: null,
      paid_at: of.paid ? of.created : null,
      voided_at: null,
    },
    subtotal: of.amount,
    subtotal_excluding_tax: of.amount,
    test_clock: null,
    total: of.amount,
    total_discount_amounts: [],
    total_excluding_tax: of.amount,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: of.created,
  };
}

/** Which payment intent paid an invoice. */
export function invoicePayment(of: {
  invoice: string;
  payment_intent: string;
  created: number;
  amount: number;
}): Stripe.InvoicePayment {
  return {
    id: `inpay_${of.invoice}`,
    object: "invoice_payment",
    amount_paid: of.amount,
    amount_requested: of.amount,
    created: of.created,
    currency: "eur",
    invoice: of.invoice,
    is_default: true,
    livemode: false,
    payment: { payment_intent: of.payment_intent, type: "payment_intent" },
    status: "paid",
    status_transitions: { canceled_at: null, paid_at: of.created },
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
    quantity: 1,
    subscription: of.id,
    tax_rates: [],
  };
}

function invoiceLine(of: InvoiceFacts, line: LineFacts): Stripe.InvoiceLineItem {
  return {
    id: line.id,
    object: "line_item",
    amount: line.amount,
    currency: "eur",
    description: "1 unit",
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: of.id,
    livemode: false,
    metadata: {},
    parent: line.period_end === undefined
      ? {
        invoice_item_details: {
          invoice_item: `ii_${line.id}`,
          proration: false,
          proration_details: { credited_items: null },
          subscription: null,
        },
        subscription_item_details: null,
        type: "invoice_item_details",
      }
      : {
        invoice_item_details: null,
        subscription_item_details: {
          invoice_item: null,
          proration: line.proration ?? false,
          proration_details: { credited_items: null },
          subscription: of.subscription ?? null,
          subscription_item: `si_${of.subscription}`,
        },
        type: "subscription_item_details",
      },
    period: { end: line.period_end ?? of.created, start: line.period_start ?? of.created },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: line.price, product: "prod_1" },
      type: "price_details",
      unit_amount_decimal: decimal(line.amount),
    },
    quantity: 1,
    quantity_decimal: decimal(1),
    subscription: of.subscription ?? null,
    subtotal: line.amount,
    taxes: [],
  };
}

function price(id: string, amount: number, created: number): Stripe.Price {
  return {
    id: id,
    object: "price",
    active: true,
    billing_scheme: "per_unit",
    created: created,
    currency: "eur",
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: "prod_1",
    recurring: {
      interval: "month",
      interval_count: 1,
      meter: null,
      trial_period_days: null,
      usage_type: "licensed",
    },
    tax_behavior: "unspecified",
    tiers_mode: null,
    transform_quantity: null,
    type: "recurring",
    unit_amount: amount,
    unit_amount_decimal: decimal(amount),
  };
}

function plan(id: string, amount: number, created: number): Stripe.Plan {
  return {
    id: id,
    object: "plan",
    active: true,
    amount: amount,
    amount_decimal: decimal(amount),
    billing_scheme: "per_unit",
    created: created,
    currency: "eur",
    interval: "month",
    interval_count: 1,
    livemode: false,
    metadata: {},
    meter: null,
    nickname: null,
    product: "prod_1",
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: "licensed",
  };
}

/** A decimal as it is in JSON, a text; the type is of what the library makes of it. */
function decimal(value: number): Stripe.Decimal {
  return String(value) as unknown as Stripe.Decimal;
}
