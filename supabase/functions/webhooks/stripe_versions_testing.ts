/**
 * Stripe's payment intents, and events as an older API version writes them.
 *
 * The members are those that Stripe publishes: for the newest version in the types of its library `stripe` 23.1.0, for
 * `2025-03-31.basil` in those of 18.0.0. Of the objects here, the newer version has only added members.
 *
 * @module
 */

import type Stripe from "stripe";

/** The oldest API version that is supported. */
export const OLDEST = "2025-03-31.basil";

/** Members that were added after {@link OLDEST}, by the kind of the object. */
const ADDED: Record<string, string[]> = {
  subscription: [
    "billing_mode",
    "billing_schedules",
    "billing_thresholds",
    "customer_account",
    "managed_payments",
  ],
  subscription_item: ["billing_thresholds", "current_trial"],
  invoice: ["customer_account"],
  line_item: ["quantity_decimal", "subtotal"],
  payment_intent: [
    "allowed_payment_method_types",
    "customer_account",
    "excluded_payment_method_types",
    "managed_payments",
    "payment_details",
    "payment_record",
  ],
  dispute: ["intended_submission_method"],
  "checkout.session": [
    "allowed_payment_method_types",
    "customer_account",
    "integration_identifier",
    "managed_payments",
    "origin_context",
    "wallet_options",
  ],
};

/** The event as an endpoint of the version {@link OLDEST} receives it. */
export function asOldest<Event extends Record<string, unknown>>(event: Event): Event {
  const text = JSON.stringify(event, (_, value) => {
    const added = ADDED[value?.object];
    if (!added) return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => !added.includes(name)));
  });
  return { ...JSON.parse(text), api_version: OLDEST };
}

/** A payment intent that has succeeded. */
export function paymentIntent(of: {
  id: string;
  created: number;
  amount: number;
  customer: string | null;
  metadata?: Record<string, string>;
  /** What it pays for: an invoice or a Checkout session. */
  order?: string;
}): Stripe.PaymentIntent {
  return {
    id: of.id,
    object: "payment_intent",
    allowed_payment_method_types: null,
    amount: of.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: of.amount,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: { allow_redirects: "always", enabled: true },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: "automatic_async",
    client_secret: null,
    confirmation_method: "automatic",
    created: of.created,
    currency: "eur",
    customer: of.customer,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: `ch_${of.id}`,
    livemode: false,
    managed_payments: null,
    metadata: of.metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    payment_details: { customer_reference: null, order_reference: of.order ?? null },
    payment_method: "pm_1",
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ["card"],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: "succeeded",
    transfer_data: null,
    transfer_group: null,
  };
}
