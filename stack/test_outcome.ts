/**
 * What a file of tests came to, and how that is said.
 *
 * @module
 */

import { say } from "./progress.ts";

/** What the tests of a file, or of several, came to. */
export interface Outcome {
  /** The file, from the project's folder. */
  path: string;
  passed: number;
  failed: number;
  /** Not run here: what they need is not to be had. */
  skipped: number;
  /** What a person needs to see when something failed. */
  output: string;
}

/** How many tests there were in all. */
export function sum(outcomes: Outcome[]): Pick<Outcome, "passed" | "failed" | "skipped"> {
  const of = (key: "passed" | "failed" | "skipped") =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  return { passed: of("passed"), failed: of("failed"), skipped: of("skipped") };
}

/**
 * Says what a file came to: in one line, and with its output when something failed.
 *
 * @param outcome What it came to.
 * @param start When it began, as `performance.now()` said.
 */
export function reportFile(outcome: Outcome, start: number): void {
  const { path, passed, failed, skipped, output } = outcome;
  const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${failed ? "FAILED" : "ok"}  ${path}  ${counts} (${seconds} s)`);
  if (failed) say(output.trimEnd().replaceAll(/^/gm, "    "));
}
