/**
 * What the routes of `credits` take. The bounds are those of SQL, which holds them too.
 *
 * @module
 */

import * as z from "zod/mini";

/** Credits and quantities: the largest that one entry may have. */
const LARGEST = 1_000_000_000;

/** Smallest step of credits and quantities: four decimals. */
const STEP = 0.0001;

const sku = z.string().check(z.regex(/^[a-z0-9][a-z0-9._:/-]{0,99}$/));
const quantity = z.number().check(z.minimum(STEP), z.maximum(LARGEST), z.multipleOf(STEP));
const amount = quantity;
const description = z.string().check(z.minLength(1), z.maxLength(500));

/** `POST /credits/deduct` by a signed-in user: the server sets the price. */
export const UserDeduction = z.strictObject({ sku, quantity });

/** `POST /credits/deduct` by a service: for a user, at the price list or by an amount of its own. */
export const ServiceDeduction = z.strictObject({
  user_id: z.guid(),
  sku: z.optional(sku),
  quantity: z.optional(quantity),
  amount: z.optional(amount),
  description: z.optional(description),
}).check(z.refine(
  (charge) =>
    charge.amount === undefined
      ? charge.sku !== undefined && charge.quantity !== undefined
      : charge.sku === undefined && charge.quantity === undefined,
  "Give either sku and quantity, or amount",
));

/** `GET /credits` by a service. */
export const ServiceBalanceQuery = z.strictObject({ user_id: z.guid() });

/** `GET /credits` by a signed-in user: nothing to choose. */
export const UserBalanceQuery = z.strictObject({});
