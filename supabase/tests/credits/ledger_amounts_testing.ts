/**
 * The amounts and times of the model of the credit ledger. Amounts are integers in steps of 0.0001, times are in ms.
 *
 * @module
 */

/** One credit, or one of another unit, in steps. */
export const CREDIT = 10_000;
/** One hour, in ms. */
export const HOUR = 3_600_000;
/** The largest amount of an entry, in steps. */
export const LARGEST_AMOUNT = 1_000_000_000 * CREDIT;

/** Whether an amount is valid for an entry. */
export const isAmount = (amount: number): boolean =>
  Number.isInteger(amount) && amount >= 1 && amount <= LARGEST_AMOUNT;

/** Rounds half up to whole steps. */
export const round = (amount: number): number => Math.floor(amount + 0.5) + 0;
