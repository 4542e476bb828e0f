/**
 * Stripe's invoice events with all members that its API reference lists for version 2026-10-28.endive. The types of its
 * library check them.
 *
 * @module
 */

import type Stripe from "stripe";

import { decimal } from "./stripe_prices_testing.ts";

/** A line of an invoice. A line with a period belongs to a subscription. */
export interface LineFacts {
  id: string;
  price: string;
  amount: number;
  period_start?: number;
  period_end?: number;
  proration?: boolean;
}

/** The facts of an invoice that tests vary. */
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

/** The payment of an invoice by a payment intent. */
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
