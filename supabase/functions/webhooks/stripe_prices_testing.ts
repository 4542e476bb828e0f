/**
 * Stripe's prices with all members that its API reference lists for version 2026-10-28.endive. The types of its library
 * check them.
 *
 * @module
 */

import type Stripe from "stripe";

/** A monthly price. */
export function price(id: string, amount: number, created: number): Stripe.Price {
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

/** The plan that Stripe derives from such a price. */
export function plan(id: string, amount: number, created: number): Stripe.Plan {
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

/** A decimal as JSON has it: a string. The type is that of the library's parsed value. */
export function decimal(value: number): Stripe.Decimal {
  return String(value) as unknown as Stripe.Decimal;
}
