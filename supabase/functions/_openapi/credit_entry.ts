/**
 * An entry of the credit ledger, as the credit routes and the message routes that charge return it.
 *
 * @module
 */

import * as z from "zod/mini";

import { id, time } from "../_shared/schema.ts";

/** An item of a charge, at the price when it was charged. */
export const PricedItem = z.object({
  sku: z.string(),
  unit: z.string(),
  quantity: z.number(),
  unit_price: z.number(),
  amount: z.number(),
});

/** The members of an entry, without its account. */
export const entry = {
  entry_no: z.int(),
  kind: z.enum(["grant", "deduct", "capture", "refund", "expire", "void", "repay", "transfer"]),
  amount: z.number(),
  balance_after: z.number(),
  sku: z.nullable(z.string()),
  quantity: z.nullable(z.number()),
  unit_price: z.nullable(z.number()),
  items: z.nullable(z.array(PricedItem)),
  description: z.nullable(z.string()),
  actor_id: z.nullable(id),
  refund_of: z.nullable(z.int()),
  created_at: time,
};

/** What an account counts: credits, images. */
export const unit = z.string();

/** An entry with its account. */
export const Entry = z.object({ account_id: id, ...entry, unit });

z.globalRegistry.add(PricedItem, { id: "PricedItem" });
z.globalRegistry.add(Entry, { id: "Entry" });
