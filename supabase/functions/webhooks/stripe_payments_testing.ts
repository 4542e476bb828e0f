/**
 * Stripe's payment events with all members that its API reference lists for version 2026-10-28.endive. The types of its
 * library, which are generated from the reference, check them.
 *
 * @module
 */

import type Stripe from "stripe";

const DAY = 86_400;

/** The facts of an event that tests vary. */
export interface SessionFacts {
  id: string;
  created: number;
  amount: number;
  customer: string | null;
  reference?: string;
  metadata?: Record<string, string>;
  mode?: "payment" | "subscription";
  payment_intent?: string;
  payment_status?: "paid" | "unpaid" | "no_payment_required";
  invoice?: string;
  subscription?: string;
}

/** An event around an object. */
export function stripeEvent(
  type: string,
  created: number,
  object: unknown,
  previous_attributes?: Record<string, unknown>,
): Record<string, unknown> & { id: string; type: string } {
  return {
    id: `evt_${crypto.randomUUID().replaceAll("-", "")}`,
    object: "event",
    api_version: "2026-10-28.endive",
    created,
    data: { object, ...(previous_attributes && { previous_attributes }) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
}

/** A Checkout session. */
export function checkoutSession(of: SessionFacts): Stripe.Checkout.Session {
  return {
    id: `cs_test_${of.id}`,
    object: "checkout.session",
    adaptive_pricing: null,
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: null,
    amount_subtotal: of.amount,
    amount_total: of.amount,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: "https://app.example/cancelled",
    client_reference_id: of.reference ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: of.created,
    currency: "eur",
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: of.customer,
    customer_account: null,
    customer_creation: "always",
    customer_details: {
      address: {
        city: null,
        country: "DE",
        line1: null,
        line2: null,
        postal_code: null,
        state: null,
      },
      business_name: null,
      email: "ada@example.com",
      individual_name: null,
      name: "Ada Example",
      phone: null,
      tax_exempt: "none",
      tax_ids: [],
    },
    customer_email: null,
    discounts: null,
    expires_at: of.created + DAY,
    integration_identifier: null,
    invoice: of.invoice ?? null,
    invoice_creation: null,
    livemode: false,
    locale: null,
    managed_payments: null,
    metadata: of.metadata ?? {},
    mode: of.mode ?? "payment",
    origin_context: null,
    payment_intent: of.payment_intent ?? null,
    payment_link: null,
    payment_method_collection: "if_required",
    payment_method_configuration_details: null,
    payment_method_options: { card: { request_three_d_secure: "automatic" } },
    payment_method_types: ["card"],
    payment_status: of.payment_status ?? "paid",
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: "complete",
    submit_type: null,
    subscription: of.subscription ?? null,
    success_url: "https://app.example/thanks",
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: "hosted_page",
    url: null,
    wallet_options: null,
  };
}

/** A charge, possibly with a partial refund. */
export function charge(of: {
  payment_intent: string;
  customer: string | null;
  created: number;
  amount: number;
  refunded: number;
}): Stripe.Charge {
  return {
    id: `ch_${of.payment_intent}`,
    object: "charge",
    amount: of.amount,
    amount_captured: of.amount,
    amount_refunded: of.refunded,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: `txn_${of.payment_intent}`,
    billing_details: {
      address: {
        city: null,
        country: "DE",
        line1: null,
        line2: null,
        postal_code: null,
        state: null,
      },
      email: "ada@example.com",
      name: "Ada Example",
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: null,
    captured: true,
    created: of.created,
    currency: "eur",
    customer: of.customer,
    description: null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: "approved_by_network",
      reason: null,
      risk_level: "normal",
      risk_score: 21,
      seller_message: "Payment complete.",
      type: "authorized",
    },
    paid: true,
    payment_intent: of.payment_intent,
    payment_method: "pm_1",
    payment_method_details: null,
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: of.refunded === of.amount,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: "succeeded",
    transfer_data: null,
    transfer_group: null,
  };
}

/** A dispute of a payment. */
export function dispute(of: {
  payment_intent: string;
  created: number;
  amount: number;
  status: Stripe.Dispute.Status;
}): Stripe.Dispute {
  return {
    id: `dp_${of.payment_intent}`,
    object: "dispute",
    amount: of.amount,
    balance_transactions: [],
    charge: `ch_${of.payment_intent}`,
    created: of.created,
    currency: "eur",
    enhanced_eligibility_types: [],
    evidence: NO_EVIDENCE,
    evidence_details: {
      due_by: of.created + 7 * DAY,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: "not_submitted",
    },
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: of.payment_intent,
    reason: "fraudulent",
    status: of.status,
  };
}

const NO_EVIDENCE: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};
