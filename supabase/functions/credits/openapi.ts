/**
 * The routes of `credits` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { Entry, entry, unit } from "../_openapi/credit_entry.ts";
import { describeFunction } from "../_openapi/document.ts";
import { id } from "../_shared/schema.ts";
import { Balance, Grant, Hold, Quote, Settings, Statement, Transfer } from "./answers.ts";
import * as schema from "./schema.ts";

// A shared component keeps the document small: the function loads it.
z.globalRegistry.add(schema.quantity, { id: "Quantity" });
z.globalRegistry.add(schema.items, { id: "Items" });
z.globalRegistry.add(schema.unit, {
  id: "Unit",
  description: "A unit of the table credit_units; credits if it is left out",
});
z.globalRegistry.add(schema.amount, {
  id: "Amount",
  description: "Rounded half up to four decimals",
});
z.globalRegistry.add(schema.computed, {
  id: "ComputedAmount",
  description: "Rounded half up to four decimals; may be 0",
});
z.globalRegistry.add(schema.computedItems, { id: "ComputedItems" });

const PRICING = ["unknown_sku", "invalid_quantity", "invalid_charge", "unit_mismatch"];
const PAYMENT = ["insufficient_credits", "member_limit_exceeded"];
const RESOLVED = ["hold_already_captured", "hold_released", "hold_expired"];

/** The OpenAPI document of `credits`. */
export const document: unknown = describeFunction({
  name: "credits",
  summary:
    "Credits of users and teams: balance, charges, holds, refunds, grants. Amounts are in credits, or in the other unit of the account, with up to four decimals.",
  routes: [
    {
      method: "get",
      path: "",
      summary: "The balance of a user or a team",
      description:
        "A signed-in user reads their own balance, or that of one of their teams; a service names the user or team. " +
        "`available` is what can be spent on anything now: the balance, less what is held, plus the overdraft limit, and " +
        "less `scoped`, which limited grants have for their skus only. With `unit`, it is the account in that unit; if the " +
        "owner has never had anything in that unit, all amounts are 0 and `account_id` is null.",
      auth: ["user", "secret"],
      permission: "credits:read",
      query: z.object({
        user_id: z.optional(id),
        team_id: z.optional(id),
        unit: z.optional(schema.unit),
      }),
      response: { status: 200, description: "The balance", schema: Balance },
      problems: { 404: ["account_not_found"], 422: ["invalid_request", "unknown_unit"] },
    },
    {
      method: "post",
      path: "/quote",
      summary: "Price items",
      description:
        "Returns what the items cost now, and whether they could be paid. Changes nothing. `member_available` is " +
        "what the member of a team may still spend; null without a limit. All items must be priced in one unit. `available` is " +
        "what can be spent on some of the items or, if that does not pay for all of them, what can be spent of the total.",
      auth: ["user", "secret"],
      permission: "credits:read",
      body: z.union([schema.UserQuote, schema.ServiceQuote]),
      response: { status: 200, description: "The quote", schema: Quote },
      problems: { 404: ["account_not_found"], 422: PRICING },
    },
    {
      method: "post",
      path: "/deduct",
      summary: "Charge a user or a team",
      description:
        "A signed-in user names what is bought, and the server sets the price. A service names the user, " +
        "and either what is bought or an amount. With `team_id`, the account of the team pays. The account in the unit " +
        "of the prices pays; a service names the unit of an amount. Posts one entry, or none at all.",
      auth: ["user", "secret"],
      permission: "credits:write",
      idempotent: true,
      body: z.union([schema.UserDeduction, schema.ServiceDeduction]),
      response: {
        status: 200,
        description:
          "The entry. With `Idempotent-Replayed: true`, an earlier request with the same key posted it.",
        schema: Entry,
      },
      problems: {
        402: PAYMENT,
        404: ["account_not_found"],
        422: [...PRICING, "invalid_amount", "unknown_unit"],
      },
    },
    {
      method: "post",
      path: "/grants",
      summary: "Grant credits",
      description:
        "They can be spent from `effective_at` (default: now) until just before `expires_at` (default: never). The " +
        "same `external_reference` never grants twice: with the same account, amount and category, the first grant is " +
        "returned again. With `skus`, they pay only for these: skus, or beginnings of skus such as `image.*`.",
      auth: ["secret"],
      idempotent: true,
      body: schema.Grant,
      response: { status: 201, description: "The grant", schema: Grant },
      problems: {
        404: ["account_not_found"],
        409: ["external_reference_used", "too_many_grants"],
        422: ["invalid_grant", "invalid_amount", "unknown_unit", "balance_too_large"],
      },
    },
    {
      method: "post",
      path: "/grants/{id}/void",
      summary: "Void a grant",
      description:
        "Credits that are not held lapse now; held credits lapse when their hold is released. Spent credits stay spent.",
      auth: ["secret"],
      idempotent: true,
      params: schema.IdPath,
      body: schema.Void,
      response: { status: 200, description: "The grant", schema: Grant },
      problems: {
        404: ["grant_not_found"],
        409: ["grant_already_voided", "grant_expired"],
        422: ["invalid_void"],
      },
    },
    {
      method: "post",
      path: "/holds",
      summary: "Hold credits",
      description:
        "Sets aside the most that some work may cost, to be captured when its cost is known. Nothing else can spend " +
        "these credits. The hold expires after `expires_in` seconds.",
      auth: ["secret"],
      idempotent: true,
      body: schema.Hold,
      response: { status: 201, description: "The hold", schema: Hold },
      problems: {
        402: PAYMENT,
        404: ["account_not_found"],
        409: ["too_many_holds"],
        422: [...PRICING, "invalid_amount", "unknown_unit", "invalid_hold"],
      },
    },
    {
      method: "post",
      path: "/holds/{id}/capture",
      summary: "Capture a hold",
      description:
        "Charges an amount, items, or all of the hold. The rest becomes available again. More than was held is charged only " +
        "with `allow_overage`, and only if it is available. An amount of 0 charges nothing and releases the hold.",
      auth: ["secret"],
      idempotent: true,
      params: schema.IdPath,
      body: schema.Capture,
      response: {
        status: 200,
        description: "The entry; `entry_no` is null if nothing was charged",
        schema: z.object({ account_id: id, ...entry, entry_no: z.nullable(entry.entry_no), unit }),
      },
      problems: {
        402: PAYMENT,
        404: ["hold_not_found"],
        409: RESOLVED,
        422: [...PRICING, "invalid_amount", "capture_exceeds_hold"],
      },
    },
    {
      method: "post",
      path: "/holds/{id}/release",
      summary: "Release a hold",
      description: "All credits of the hold become available again.",
      auth: ["secret"],
      idempotent: true,
      params: schema.IdPath,
      body: schema.Release,
      response: { status: 200, description: "The hold", schema: Hold },
      problems: { 404: ["hold_not_found"], 409: RESOLVED },
    },
    {
      method: "post",
      path: "/refunds",
      summary: "Refund a charge",
      description:
        "Refunds all that is left of the charge, or a part. All refunds together never exceed the charge. The credits " +
        "go back to the grants that were charged.",
      auth: ["secret"],
      idempotent: true,
      body: schema.Refund,
      response: { status: 200, description: "The entry of the refund", schema: Entry },
      problems: {
        404: ["account_not_found", "entry_not_found"],
        409: ["entry_not_refundable"],
        422: ["refund_exceeds_charge", "invalid_amount", "invalid_refund"],
      },
    },
    {
      method: "post",
      path: "/transfers",
      summary: "Move credits to another account",
      description:
        "Posts two entries that name each other, or none. Only credits of grants move, in the order in which they are " +
        "spent, and they keep their category, priority, end and cost; held credits and an overdraft stay. A signed-in " +
        "user moves their own credits to one of their teams, and, as an owner or admin, those of a team to its members: " +
        "without `from_team_id`, it is their own account. A service moves them between any two accounts. Both accounts are in " +
        "the same unit. An API key cannot move credits.",
      auth: ["user", "secret"],
      idempotent: true,
      body: z.union([schema.UserTransfer, schema.ServiceTransfer]),
      response: {
        status: 200,
        description:
          "The numbers of the two entries, and the balance of the account that the credits left",
        schema: Transfer,
      },
      problems: {
        402: ["insufficient_credits"],
        403: ["not_team_admin"],
        404: ["account_not_found"],
        409: ["too_many_grants"],
        422: ["invalid_transfer", "invalid_amount", "unknown_unit", "balance_too_large"],
      },
    },
    {
      method: "put",
      path: "/overdraft",
      summary: "Set how far below zero an account may go",
      description: "The limit is 0 by default, and cannot be set below the overdraft in use.",
      auth: ["secret"],
      idempotent: true,
      body: schema.Overdraft,
      response: { status: 200, description: "The account's settings", schema: Settings },
      problems: {
        404: ["account_not_found"],
        409: ["overdraft_in_use"],
        422: ["invalid_overdraft", "unknown_unit"],
      },
    },
    {
      method: "put",
      path: "/alert",
      summary: "Set the alert threshold",
      description:
        "When fewer credits than `threshold` are available, one row is written to `credit_alerts`; the next one " +
        "only after a top-up. Null turns alerts off. Only owners and admins of a team can set its threshold.",
      auth: ["user", "secret"],
      idempotent: true,
      body: z.union([schema.UserAlert, schema.ServiceAlert]),
      response: { status: 200, description: "The account's settings", schema: Settings },
      problems: {
        403: ["not_team_admin"],
        404: ["account_not_found"],
        422: ["invalid_alert", "unknown_unit"],
      },
    },
    {
      method: "get",
      path: "/statement",
      summary: "The statement of a month",
      description:
        "Returns the opening and closing balance of a month (UTC), the sums of its entries by kind, and the entries in " +
        "pages of `limit`; for the next page, send `next_after` as `after`. With `Accept: text/csv`, all entries come as " +
        "CSV. Only owners and admins of a team can read its statement.",
      auth: ["user", "secret"],
      permission: "credits:read",
      query: z.object({
        month: z.string(),
        user_id: z.optional(id),
        team_id: z.optional(id),
        after: z.optional(z.string()),
        limit: z.optional(z.string()),
        unit: z.optional(schema.unit),
      }),
      response: {
        status: 200,
        description: "The statement",
        schema: Statement,
        alsoAs: { "text/csv": z.string() },
      },
      problems: {
        403: ["not_team_admin"],
        404: ["account_not_found"],
        429: ["too_many_requests"],
        422: ["invalid_request", "invalid_statement", "unknown_unit"],
      },
    },
  ],
});
