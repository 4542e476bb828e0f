/**
 * The report at the end: for people, and as JSON.
 *
 * @module
 */

import type { Note } from "./plan.ts";
import type { Problem } from "./problems.ts";
import type { Comparison } from "./verify.ts";

/** What an import or a check has found. */
export interface Report {
  product: string;
  source: string;
  /** `check`: nothing was changed. */
  mode: "check" | "import";
  /** Whether everything fits; after an import, whether both sides are also equal. */
  ok: boolean;
  seconds: number;
  /** What stays behind. */
  notes: Note[];
  /** What does not fit. */
  problems: Problem[];
  /** Both sides of each table. Empty after a check. */
  tables: Comparison[];
}

/**
 * Writes a report for people.
 *
 * @param report The report.
 */
export function toText({ mode, ok, seconds, notes, problems, tables }: Report): string {
  const lines: string[] = [];
  if (notes.length > 0) {
    lines.push("Notes:", ...notes.map(({ table, text }) => `  ${table}: ${text}`), "");
  }
  if (problems.length > 0) {
    lines.push("These rows do not fit:");
    for (const { table, problem, rows, keys, message } of problems) {
      const more = rows > keys.length ? " ..." : "";
      lines.push(`  ${table}: ${problem}: ${count(rows)}`, `    ${keys.join(", ")}${more}`);
      lines.push(`    ${message}`);
    }
    lines.push("");
  }
  if (tables.length > 0) {
    lines.push("Rows and checksums, of the product / of this database:");
    for (const { table, source, target, equal, leftOut } of tables) {
      const left = leftOut > 0 ? `, ${leftOut} left out` : "";
      lines.push(
        `  ${equal ? "equal    " : "DIFFERENT"}  ${table}: ${source.rows} ${source.checksum} / ` +
          `${target.rows} ${target.checksum}${left}`,
      );
    }
    lines.push("");
  }
  const time = `${seconds.toFixed(1)} s`;
  if (mode === "check") lines.push(`${ok ? "Everything fits" : "Not everything fits"} (${time}).`);
  else lines.push(`${ok ? "Complete and equal" : "Not complete or not equal"} (${time}).`);
  return lines.join("\n");
}

function count(rows: number): string {
  return rows === 1 ? "1 row" : `${rows} rows`;
}
