/**
 * What the model of the credit ledger consists of, and the calls that change it.
 *
 * @module
 */

import type { Portion } from "./ledger_portions_testing.ts";
import type { Charge } from "./ledger_scopes_testing.ts";

/** The terms of a grant. Null means now for effective_at and never for expires_at. */
export type Terms =
  & { amount: number; category: string; priority: number; external_reference: string | null }
  & { effective_at: number | null; expires_at: number | null; skus: string[] | null };

/** A grant of credits. */
export type Grant =
  & (Terms & { id: string; source: string; status: string })
  & { effective_at: number; created_at: number };

/** A hold. What its allocations do not cover comes from the overdraft. */
export type Hold =
  & { id: string; amount: number; allocations: Portion[]; expires_at: number; status: string }
  & { captured: number | null; entry_no: number | null };

/** A line of the statement. */
export type Entry =
  & { entry_no: number; kind: string; amount: number; balance_after: number; created_at: number }
  & { allocations: Portion[]; refund_of: number | null; requested_amount: number | null };

/** A call of the function `name`. Times of a grant are relative to the clock. Amounts may lie between two units. */
export type Call =
  | { name: "grant_credits" } & Terms
  | { name: "deduct_credits" } & Charge
  | { name: "hold_credits"; expires_in: number } & Charge
  | { name: "capture_credit_hold"; hold_id: string; allow_overage: boolean } & Charge
  | { name: "release_credit_hold"; hold_id: string }
  | { name: "refund_credits"; entry_no: number; amount: number | null }
  | { name: "void_credit_grant"; grant_id: string }
  | { name: "transfer_credits"; amount: number; incoming: boolean }
  | { name: "set_credit_overdraft"; overdraft_limit: number };

/** The terms of a grant that begins now and never ends. */
export const PLAIN = { effective_at: null, expires_at: null, external_reference: null };
/** Terms for what comes from no grant with its own. */
export const PAID: Terms = { ...PLAIN, amount: 0, category: "paid", priority: 50, skus: null };
/** Kind of the entry for credits that lapse, by the status of their grant. */
export const LAPSES: Record<string, string> = { expired: "expire", voided: "void" };
