/**
 * For tests of credits that a turn of a day or a month would disturb.
 *
 * @module
 */

import { until } from "../_testing/testing.ts";

/** Longer than such a test takes, in milliseconds. */
const TEST_MS = 60_000;

const dayOf = (milliseconds: number) => new Date(milliseconds).toISOString().slice(0, 10);

/**
 * Waits until the day in UTC has long enough left for a test: all its entries are then of one day and one month.
 *
 * @returns The month.
 */
export async function withinOneDay(): Promise<string> {
  await until(() => dayOf(Date.now()) === dayOf(Date.now() + TEST_MS));
  return dayOf(Date.now()).slice(0, 7);
}
