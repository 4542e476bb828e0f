/**
 * The requests of `credits`. SQL checks the same limits.
 *
 * @module
 */

import * as z from "zod/mini";

import { id, list, pageSize, time } from "../_shared/schema.ts";

/** Largest amount or quantity of one entry. */
const LARGEST = 1_000_000_000;

/** Smallest step of what a user names: four decimals. */
const STEP = 0.0001;

/** Smallest amount that SQL does not round to 0. */
const SMALLEST = STEP / 2;

/** Most items in one charge. */
const MOST_ITEMS = 100;

const sku = z.string().check(z.regex(
  /^[a-z0-9][a-z0-9._:/-]{0,99}$/,
  "Must be 1 to 100 of the characters a-z, 0-9 and . _ : / -, and begin with a letter or digit",
));
/** A quantity that a user names. */
export const quantity = z.number().check(z.minimum(STEP), z.maximum(LARGEST), z.multipleOf(STEP));
/** An amount or a quantity that a service has computed: SQL rounds it, and 0 is nothing to charge. */
export const computed = z.number().check(z.minimum(0), z.maximum(LARGEST));
/** An amount of at least one step, from a service. */
export const amount = z.number().check(z.minimum(SMALLEST), z.maximum(LARGEST));
const description = z.string().check(z.minLength(1), z.maxLength(500));
/** The items of one charge, from a user. */
export const items = list(z.strictObject({ sku, quantity }), MOST_ITEMS, 1);
/** The items of one charge, from a service. */
export const computedItems = list(z.strictObject({ sku, quantity: computed }), MOST_ITEMS, 1);

/** The unit of an account: credits unless it names another one of the table `credit_units`. */
export const unit = z.string().check(z.regex(
  /^[a-z][a-z0-9_]{0,49}$/,
  "Must be 1 to 50 of the characters a-z, 0-9 and _, and begin with a letter",
));

/** What a grant pays for: skus, and beginnings of skus with an asterisk after them. */
export const skus = list(
  z.string().check(
    z.maxLength(100),
    z.regex(
      /^[a-z0-9][a-z0-9._:/-]*[*]?$/,
      "Must be a sku, or the beginning of skus with an asterisk after it, such as image.*",
    ),
  ),
  100,
  1,
);

/** The owner of the account: a user or a team. */
const account = { user_id: z.optional(id), team_id: z.optional(id) };

/** What is charged: one sku, several items, or an amount. */
const charge = {
  sku: z.optional(sku),
  quantity: z.optional(amount),
  items: z.optional(computedItems),
  amount: z.optional(amount),
};

type Given = Record<string, unknown>;

function count(value: Given, names: string[]): number {
  return names.filter((name) => value[name] !== undefined).length;
}

const oneCharge = z.refine<Given>(
  (value) =>
    count(value, ["sku", "items", "amount"]) === 1 &&
    (value.sku === undefined) === (value.quantity === undefined),
  "Give exactly one of these: sku with quantity; items; amount, which only a service may give",
);
const amountOrItems = z.refine<Given>(
  (value) => count(value, ["items", "amount"]) === 1,
  "Give either items or amount",
);
const someAccount = z.refine<Given>(
  (value) => count(value, ["user_id", "team_id"]) > 0,
  "Give user_id or team_id, or both for a member of a team",
);
const oneAccount = z.refine<Given>(
  (value) => count(value, ["user_id", "team_id"]) === 1,
  "Give either user_id or team_id",
);

/** `POST /credits/deduct` from a signed-in user: the server sets the price. */
export const UserDeduction = z.strictObject({
  sku: z.optional(sku),
  quantity: z.optional(quantity),
  items: z.optional(items),
  team_id: z.optional(id),
}).check(oneCharge);

/** `POST /credits/deduct` from a service: at the list price, or for an amount. */
export const ServiceDeduction = z.strictObject({
  ...account,
  ...charge,
  unit: z.optional(unit),
  description: z.optional(description),
}).check(oneCharge, someAccount);

/** `POST /credits/quote` from a signed-in user. */
export const UserQuote = z.strictObject({ items, team_id: z.optional(id) });

/** `POST /credits/quote` from a service. */
export const ServiceQuote = z.strictObject({ items: computedItems, ...account }).check(someAccount);

/** `POST /credits/grants`. */
export const Grant = z.strictObject({
  ...account,
  amount,
  unit: z.optional(unit),
  category: z.optional(z.enum(["paid", "promotional"])),
  priority: z.optional(z.int().check(z.minimum(0), z.maximum(100))),
  effective_at: z.optional(time),
  expires_at: z.optional(time),
  source: z.optional(z.string().check(z.minLength(1), z.maxLength(50))),
  external_reference: z.optional(z.string().check(z.minLength(1), z.maxLength(255))),
  cost_basis: z.optional(z.number().check(z.minimum(0), z.maximum(LARGEST))),
  currency: z.optional(
    z.string().check(z.regex(/^[a-z]{3}$/, "Must be a currency code in lower case, such as eur")),
  ),
  description: z.optional(description),
  skus: z.optional(skus),
}).check(oneAccount);

/** `POST /credits/grants/:id/void`. */
export const Void = z.strictObject({
  voided_by: z.string().check(z.minLength(1), z.maxLength(200)),
  reason: description,
});

/** `POST /credits/holds`. */
export const Hold = z.strictObject({
  ...account,
  items: z.optional(computedItems),
  amount: z.optional(amount),
  unit: z.optional(unit),
  expires_in: z.optional(z.int().check(z.minimum(1), z.maximum(30 * 86_400))),
  description: z.optional(description),
}).check(amountOrItems, someAccount);

/** `POST /credits/holds/:id/capture`: captures the whole hold if neither items nor amount is given. */
export const Capture = z.strictObject({
  items: z.optional(computedItems),
  amount: z.optional(computed),
  allow_overage: z.optional(z.boolean()),
  description: z.optional(description),
}).check(z.refine<Given>(
  (value) => count(value, ["items", "amount"]) < 2,
  "Give either items or amount, or neither to capture the whole hold",
));

/** `POST /credits/holds/:id/release`, which has no options. */
export const Release = z.strictObject({});

/** `POST /credits/refunds`: refunds all that is left of the charge if no amount is given. */
export const Refund = z.strictObject({
  account_id: id,
  entry_no: z.int().check(z.minimum(1)),
  amount: z.optional(amount),
  description: z.optional(description),
});

const receiver = { to_user_id: z.optional(id), to_team_id: z.optional(id) };

const oneReceiver = z.refine<Given>(
  (value) => count(value, ["to_user_id", "to_team_id"]) === 1,
  "Give either to_user_id or to_team_id",
);

/** `POST /credits/transfers` from a signed-in user: from their own account, unless they name a team. */
export const UserTransfer = z.strictObject({
  from_team_id: z.optional(id),
  ...receiver,
  amount: quantity,
  unit: z.optional(unit),
  description: z.optional(description),
}).check(oneReceiver);

/** `POST /credits/transfers` from a service: between any two accounts. */
export const ServiceTransfer = z.strictObject({
  from_user_id: z.optional(id),
  from_team_id: z.optional(id),
  ...receiver,
  amount,
  unit: z.optional(unit),
  description: z.optional(description),
}).check(
  oneReceiver,
  z.refine<Given>(
    (value) => count(value, ["from_user_id", "from_team_id"]) === 1,
    "Give either from_user_id or from_team_id",
  ),
);

/** `PUT /credits/overdraft`. */
export const Overdraft = z.strictObject({
  ...account,
  overdraft_limit: computed,
  unit: z.optional(unit),
}).check(oneAccount);

const threshold = z.nullable(amount);

/** `PUT /credits/alert` from a signed-in user. */
export const UserAlert = z.strictObject({
  threshold,
  team_id: z.optional(id),
  unit: z.optional(unit),
});

/** `PUT /credits/alert` from a service. */
export const ServiceAlert = z.strictObject({ ...account, threshold, unit: z.optional(unit) })
  .check(oneAccount);

/** The path of a route with an id. */
export const IdPath = z.strictObject({ id });

/** `GET /credits` from a service. */
export const ServiceBalanceQuery = z.strictObject({ ...account, unit: z.optional(unit) })
  .check(oneAccount);

/** `GET /credits` from a signed-in user: their own balance, or that of one of their teams. */
export const UserBalanceQuery = z.strictObject({
  team_id: z.optional(id),
  unit: z.optional(unit),
});

const statement = {
  month: z.string().check(
    z.regex(/^[2-9]\d{3}-(0[1-9]|1[0-2])$/, "Must be a month such as 2026-11"),
  ),
  after: z.optional(
    z.string().check(z.regex(/^\d{1,15}$/, "Must be a whole number, 0 or greater")),
  ),
  limit: z.optional(pageSize),
  unit: z.optional(unit),
};

/** `GET /credits/statement` from a signed-in user. */
export const UserStatementQuery = z.strictObject({ ...statement, team_id: z.optional(id) });

/** `GET /credits/statement` from a service. */
export const ServiceStatementQuery = z.strictObject({ ...statement, ...account }).check(oneAccount);
