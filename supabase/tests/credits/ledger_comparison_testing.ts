/**
 * Brings what the database and the model of the credit ledger say to one form.
 *
 * @module
 */

import { HOUR } from "./ledger_amounts_testing.ts";

/** Converts for comparison: amounts to units, times to half hours since zero, to ignore the test's own duration. */
export function comparable(value: unknown, zero: number, unit: number, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, zero, unit));
  if (value === null || value === undefined) return value;
  const halfHours = (time: number) => Math.round((time - zero) / (HOUR / 2)) + 0;
  if (name.endsWith("_at")) return halfHours(new Date(value as string).getTime());
  if (typeof value === "object") {
    const compared = (
      [name, item]: [string, unknown],
    ) => [name, comparable(item, zero, unit, name)];
    return Object.fromEntries(Object.entries(value).map(compared));
  }
  const isAmount = typeof value === "number" && !/_no$|refund_of|priority/.test(name);
  if (!isAmount) return value;
  // A requested amount may lie between two units, and 0.00015 * 10000 is not 1.5. The largest balances have no room for more.
  const precision = name === "requested_amount" ? 100 : 1;
  return Math.round(value * unit * precision) / precision + 0;
}
