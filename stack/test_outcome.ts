/**
 * The result of a test file, and how it is reported.
 *
 * @module
 */

import { say } from "./progress.ts";

/** The result of a test file. */
export interface Outcome {
  /** The file, from the project's folder. */
  path: string;
  passed: number;
  failed: number;
  /** Tests that could not run here, because something that they need is missing. */
  skipped: number;
  /** What to print when a test failed. */
  output: string;
  /** What to print in any case, such as the seeds of random choices. */
  told?: string;
}

/** Adds up the numbers of tests. */
export function sum(outcomes: Outcome[]): Pick<Outcome, "passed" | "failed" | "skipped"> {
  const of = (key: "passed" | "failed" | "skipped") =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  return { passed: of("passed"), failed: of("failed"), skipped: of("skipped") };
}

/**
 * Prints the result of a file in one line, followed by what its tests tell, and by its output when a test failed.
 *
 * @param outcome The result.
 * @param start When the file began, from `performance.now()`.
 */
export function reportFile(outcome: Outcome, start: number): void {
  const { path, passed, failed, skipped, output, told } = outcome;
  const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${failed ? "FAILED" : "ok"}  ${path}  ${counts} (${seconds} s)`);
  if (told) say(told.trimEnd().replaceAll(/^/gm, "    "));
  if (failed) say(output.trimEnd().replaceAll(/^/gm, "    "));
}
