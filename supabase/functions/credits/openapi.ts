/**
 * The routes of `credits` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { ServiceBalanceQuery, ServiceDeduction, UserDeduction } from "./schema.ts";

const Balance = z.object({
  user_id: z.guid(),
  balance: z.number(),
  held: z.number(),
  available: z.number(),
  updated_at: z.iso.datetime({ offset: true }),
});

const Entry = z.object({
  account_id: z.guid(),
  entry_no: z.int(),
  kind: z.enum(["grant", "deduct"]),
  amount: z.number(),
  balance_after: z.number(),
  sku: z.nullable(z.string()),
  quantity: z.nullable(z.number()),
  unit_price: z.nullable(z.number()),
  description: z.nullable(z.string()),
  created_at: z.iso.datetime({ offset: true }),
});

/** The OpenAPI document of `credits`. */
export const document: unknown = describeFunction({
  name: "credits",
  summary: "Credits of users: balance and charges. Amounts are credits with up to four decimals.",
  routes: [
    {
      method: "get",
      path: "",
      summary: "The balance of a user",
      description:
        "A signed-in user gets the own balance; a service names the user in `user_id`. " +
        "`available` is what can be spent now: the balance without what is held, and the overdraft.",
      auth: ["user", "secret"],
      query: z.partial(ServiceBalanceQuery),
      response: { status: 200, description: "The balance", schema: Balance },
      problems: { 404: ["account_not_found"], 422: ["invalid_request"] },
    },
    {
      method: "post",
      path: "/deduct",
      summary: "Charge a user",
      description:
        "A signed-in user names what is bought, and the server sets the price. A service " +
        "names the user, and either what is bought or an amount. Posts one entry, or none.",
      auth: ["user", "secret"],
      idempotent: true,
      body: z.union([UserDeduction, ServiceDeduction]),
      response: {
        status: 200,
        description:
          "The entry. With `Idempotent-Replayed: true` an earlier request with the same " +
          "key posted it.",
        schema: Entry,
      },
      problems: {
        402: ["insufficient_credits"],
        404: ["account_not_found"],
        422: ["unknown_sku", "invalid_quantity", "invalid_amount", "invalid_charge"],
      },
    },
  ],
});
