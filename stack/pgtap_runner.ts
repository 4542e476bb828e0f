/**
 * Runs the pgTAP files of `supabase/tests`, as `supabase test db` does with Docker.
 *
 * @module
 */

import type { PostgresError, Sql } from "postgres";
import { Parser } from "tap-parser";

import { PROJECT_DIR } from "./options.ts";
import { connect, type DatabaseAccess } from "./postgres.ts";
import { say } from "./progress.ts";

/** How many tests there were. */
export interface Outcome {
  passed: number;
  failed: number;
  /** Not run here, as something they need is not to be had. */
  skipped: number;
}

const TESTS_DIR = `${PROJECT_DIR}/supabase/tests`;

/** Made first, whatever is run: the helpers that every file uses. */
const HELPERS = "000_helpers.sql";

/** Runs the text of a file, giving each line of TAP to `take` as it comes. */
export type Execute = (text: string, take: (line: string) => void) => Promise<void>;

/**
 * Runs the files whose path contains `filter`, each on a connection of its own, and prints a line for
 * each and the diagnostics of each failure.
 *
 * @param access The database.
 * @param filter Part of a path; empty for all.
 */
export async function runPgtap(access: DatabaseAccess, filter: string): Promise<Outcome> {
  return await runPgtapWith(async (text, take) => {
    const sql = connect(access, "postgres");
    try {
      await execute(sql, text, take);
    } finally {
      await sql.end();
    }
  }, filter);
}

/**
 * As {@link runPgtap}, on whatever executes SQL.
 *
 * @param execute Runs the text of one file.
 * @param filter Part of a path; empty for all.
 */
export async function runPgtapWith(execute: Execute, filter: string): Promise<Outcome> {
  const total: Outcome = { passed: 0, failed: 0, skipped: 0 };
  const files = listFiles("").filter((file) => file === HELPERS || file.includes(filter));
  for (const file of files) {
    const outcome = await runFile(execute, file);
    // They are there for the others, and no test by themselves.
    if (file === HELPERS && outcome.failed === 0) continue;
    total.passed += outcome.passed;
    total.failed += outcome.failed;
    total.skipped += outcome.skipped;
  }
  return total;
}

function listFiles(folder: string): string[] {
  return [...Deno.readDirSync(`${TESTS_DIR}/${folder}`)]
    .flatMap((entry) => {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory) return listFiles(path);
      return entry.name.endsWith(".sql") ? [path] : [];
    })
    .sort();
}

async function runFile(execute: Execute, file: string): Promise<Outcome> {
  const text = await Deno.readTextFile(`${TESTS_DIR}/${file}`);
  const start = performance.now();
  const lines: string[] = [];
  let broken: string | undefined;
  try {
    await execute(text, (line) => lines.push(line));
  } catch (error) {
    const { message, position, where } = error as PostgresError;
    const line = position ? text.slice(0, Number(position)).split("\n").length : undefined;
    broken = `${message}${line ? ` (line ${line})` : ""}${where ? `\n${where}` : ""}`;
  }
  return await report(file, lines, broken, performance.now() - start);
}

/** One simple query, as psql -f would send it; each row of its results is a line of TAP or more. */
async function execute(sql: Sql, text: string, take: (line: string) => void): Promise<void> {
  await sql.unsafe(text).simple().forEach((row) => takeRow(row, take));
}

/**
 * Gives the lines of TAP in a row of a result.
 *
 * @param row The row; what is no text in it is no TAP.
 * @param take Takes a line.
 */
export function takeRow(row: Record<string, unknown>, take: (line: string) => void): void {
  for (const value of Object.values(row)) {
    if (typeof value === "string") value.split("\n").forEach(take);
  }
}

async function report(
  file: string,
  lines: string[],
  broken: string | undefined,
  milliseconds: number,
): Promise<Outcome> {
  const tap = `${lines.filter((line) => line !== "").join("\n")}\n`;
  const result = await new Promise<Parser["results"]>((resolve) => {
    const parser = new Parser((results) => resolve(results));
    parser.end(tap);
  });
  // To the parser, what is skipped has passed too.
  const skipped = result?.skip ?? 0;
  const passed = (result?.pass ?? 0) - skipped;
  const failed = (result?.fail ?? 0) || (broken || !result?.ok ? 1 : 0);
  const time = `${milliseconds.toFixed(0)} ms`;
  const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
  say(`${failed ? "FAILED" : "ok"}  supabase/tests/${file}  ${counts} (${time})`);
  if (failed) {
    for (const line of lines.filter((l) => l.startsWith("not ok") || l.startsWith("#"))) {
      say(`    ${line}`);
    }
    if (broken) say(`    ${broken}`);
  }
  return { passed, failed, skipped };
}
