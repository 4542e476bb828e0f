/**
 * The responses of `credits`, for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { entry, PricedItem, unit } from "../_openapi/credit_entry.ts";
import { id, time } from "../_shared/schema.ts";

/** The balance of a user or a team. */
export const Balance = z.object({
  user_id: z.optional(id),
  team_id: z.optional(id),
  account_id: z.nullable(id),
  balance: z.number(),
  held: z.number(),
  available: z.number(),
  overdraft_limit: z.number(),
  updated_at: z.nullable(time),
  scoped: z.number(),
  unit: z.optional(unit),
});

/** What items cost. */
export const Quote = z.object({
  items: z.array(PricedItem),
  total: z.number(),
  available: z.number(),
  member_available: z.nullable(z.number()),
  affordable: z.boolean(),
  unit,
});

/** A grant of credits. */
export const Grant = z.object({
  id,
  account_id: id,
  category: z.enum(["paid", "promotional"]),
  amount: z.number(),
  remaining: z.number(),
  held: z.number(),
  priority: z.int(),
  status: z.enum(["pending", "active", "expired", "voided"]),
  effective_at: time,
  expires_at: z.nullable(time),
  source: z.string(),
  external_reference: z.nullable(z.string()),
  cost_basis: z.nullable(z.number()),
  currency: z.nullable(z.string()),
  description: z.nullable(z.string()),
  voided_at: z.nullable(time),
  voided_by: z.nullable(z.string()),
  void_reason: z.nullable(z.string()),
  created_at: time,
  unit,
  skus: z.nullable(z.array(z.string())),
});

/** A hold. */
export const Hold = z.object({
  id,
  account_id: id,
  amount: z.number(),
  captured: z.nullable(z.number()),
  status: z.enum(["held", "captured", "released", "expired"]),
  items: z.nullable(z.array(z.object({ sku: z.string(), quantity: z.number() }))),
  description: z.nullable(z.string()),
  actor_id: z.nullable(id),
  expires_at: time,
  resolved_at: z.nullable(time),
  entry_no: z.nullable(z.int()),
  created_at: time,
  unit,
});

/** A transfer, as its two entries. */
export const Transfer = z.object({
  from_account_id: id,
  from_entry_no: z.int(),
  to_account_id: id,
  to_entry_no: z.int(),
  amount: z.number(),
  balance_after: z.number(),
  description: z.nullable(z.string()),
  created_at: time,
  unit,
});

/** The settings of an account. */
export const Settings = z.object({
  account_id: id,
  overdraft_limit: z.number(),
  alert_threshold: z.nullable(z.number()),
  available: z.number(),
  unit,
});

/** The statement of a month. */
export const Statement = z.object({
  account_id: id,
  month: z.string(),
  opening_balance: z.number(),
  closing_balance: z.number(),
  granted: z.number(),
  charged: z.number(),
  refunded: z.number(),
  expired: z.number(),
  voided: z.number(),
  transferred: z.number(),
  entry_count: z.int(),
  entries: z.array(z.object({
    ...entry,
    actor: z.enum(["user", "service", "system"]),
    counterpart: z.nullable(z.object({ account_id: id, entry_no: z.int() })),
  })),
  next_after: z.nullable(z.int()),
  unit,
});

z.globalRegistry.add(Grant, { id: "Grant" });
z.globalRegistry.add(Hold, { id: "Hold" });
