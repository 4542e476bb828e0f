/**
 * Generates what is done to the credit ledger and its model.
 *
 * @module
 */

import fc from "fast-check";

import type { Call } from "./ledger_calls_testing.ts";
import { CREDIT, HOUR, LARGEST_AMOUNT } from "./ledger_amounts_testing.ts";

/** What the accounts of the sequences count. */
export const UNITS = ["credits", "ledger_images"] as const;
/** One of them. */
export type Unit = typeof UNITS[number];
/** An amount, or a share of the current value in thousandths, plus or minus a unit. */
export type Amount = number | { share: number; plus: number };
/** A call whose target is chosen later: `id` names its kind, `nth` picks from the newest of all or those that fit. */
export type Command =
  & { name: string; key: string | null; unit: Unit; amount?: Amount | null; hours?: number }
  & { id?: string; nth?: number; fit?: boolean; buys?: string[] | null; skus?: string[] | null }
  & { quoted?: boolean };

const among = <T>(...choices: [number, fc.Arbitrary<T>][]) =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
const int = (min: number, max: number) => fc.integer({ min, max });
const halfPast = (min: number, max: number) => int(min, max).map((hour) => (hour + 0.5) * HOUR);
type Arbitraries = Record<string, fc.Arbitrary<unknown>>;
const doing = (name: string, how: Arbitraries = {}): fc.Arbitrary<Command> =>
  fc.record({ name: fc.constant(name), key, unit, ...how });

/** A value of nth that matches nothing. */
export const NONE = 9;
const fit = among([6, fc.constant(true)], [1, fc.constant(false)]);
const which = (id: string) => ({ id: fc.constant(id), nth: int(0, NONE), fit });
const unit = among<Unit>([3, fc.constant(UNITS[0])], [1, fc.constant(UNITS[1])]);
const key = among<string | null>([4, fc.constant(null)], [1, fc.constantFrom(..."abcdef")]);
const absolute = among(
  [8, int(1, 8).map((tens) => tens * 10 * CREDIT)],
  [8, int(1, 60 * CREDIT)],
  [
    2,
    fc.tuple(int(1, 60 * CREDIT), fc.constantFrom(0.4, 0.5)).map(([units, part]) => units + part),
  ],
  [1, fc.constantFrom(1, LARGEST_AMOUNT)],
  [1, fc.constantFrom(0, -CREDIT, 0.1, LARGEST_AMOUNT + 1)],
);
const share = fc.record({
  share: among([5, int(1, 1000)], [2, fc.constant(1000)], [1, int(1001, 2000)]),
  plus: fc.constantFrom(0, 0, 0, 0, 1, -1),
});
const amount = among<Amount>([1, absolute], [1, share]);
/** What a charge is for: a plain amount, or items. */
const buys = among<string[] | null>([2, fc.constant(null)], [
  3,
  fc.constantFrom(["a"], ["b"], ["a", "b"], ["b", "a"], ["a", "b", "a"]),
]);
const terms = {
  amount: absolute,
  category: fc.constantFrom("paid", "promotional"),
  priority: fc.constantFrom(0, 50, 50, 100),
  effective_at: fc.option(halfPast(-1, 8), { freq: 2 }),
  expires_at: fc.option(among([8, halfPast(-1, 12)], [1, halfPast(900, 900)])),
  external_reference: fc.option(fc.constantFrom("x", "y"), { freq: 2 }),
  skus: among<string[] | null>([1, fc.constant(null)], [1, fc.constantFrom(["a"], ["b"], ["*"])]),
};
const part = fc.option(amount);
const capture = { ...which("hold_id"), amount: part, buys, allow_overage: fc.boolean() };
const command = among(
  [6, doing("grant_credits", terms)],
  [6, doing("deduct_credits", { amount, buys, quoted: fc.boolean() })],
  [6, doing("hold_credits", { amount, buys, expires_in: int(1, 12).map((hours) => hours * 3600) })],
  [4, doing("capture_credit_hold", capture)],
  [2, doing("release_credit_hold", which("hold_id"))],
  [5, doing("refund_credits", { ...which("entry_no"), amount: part })],
  [1, doing("void_credit_grant", which("grant_id"))],
  [3, doing("set_credit_overdraft", { amount: absolute })],
  [
    4,
    doing("transfer_credits", {
      amount: among<Amount>([1, int(1, 60 * CREDIT)], [1, share]),
      incoming: fc.constant(false),
    }),
  ],
  [3, doing("transfer_credits", { amount: int(1, 60 * CREDIT), incoming: fc.constant(true) })],
  [2, doing("repeat", which(""))],
  [6, doing("advance", { hours: among([6, int(1, 30)], [1, fc.constant(720)]) })],
  [1, doing("settle")],
);
const overdraft: Call = { name: "set_credit_overdraft", overdraft_limit: 60 * CREDIT };
const fortune = (less: number): Call => ({
  ...{ name: "grant_credits", amount: LARGEST_AMOUNT - less, category: "paid", priority: 90 },
  ...{ effective_at: null, expires_at: null, external_reference: null, skus: null },
});
const beginning = among<Call[]>(
  [3, fc.constant([])],
  [5, fc.constant([overdraft])],
  [1, fc.constant([...Array(9).fill(0), 300 * CREDIT].map(fortune))],
);
// Without bias, because bias would make most sequences short.
const commands = fc.array(command, { maxLength: 48, size: "max" });
/** The first calls of a sequence, and what follows. */
export const sequence = fc.noBias(fc.tuple(beginning, commands));
