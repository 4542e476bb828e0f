/**
 * Runs the pgTAP files of `supabase/tests`, as `supabase test db` does with Docker.
 *
 * @module
 */

import postgres, { type PostgresError } from "postgres";
import { Parser } from "tap-parser";

import { PROJECT_DIR } from "./options.ts";
import { listTests, PGTAP_HELPERS } from "./test_files.ts";
import { type Outcome, reportFile } from "./test_outcome.ts";

/** Runs the text of a file and passes each line of TAP to `take` as it comes. */
export type Execute = (text: string, take: (line: string) => void) => Promise<void>;

/**
 * Executes files on a PostgreSQL server, each on its own connection as one simple query, as `psql -f` does.
 *
 * @param url The connection string of the database.
 */
export function executeOn(url: string): Execute {
  return async (text, take) => {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(text).simple().forEach((row) => takeRow(row, take));
    } finally {
      await sql.end();
    }
  };
}

/**
 * Finds the lines of TAP in a row of a result.
 *
 * @param row The row. Values that are not text are not TAP.
 * @param take Takes a line.
 */
export function takeRow(row: Record<string, unknown>, take: (line: string) => void): void {
  for (const value of Object.values(row)) {
    if (typeof value === "string") value.split("\n").forEach(take);
  }
}

/**
 * Runs the helpers, then files one after the other, and reports each.
 *
 * @param execute Runs the text of a file.
 * @param paths The files, relative to the project's folder; by default all.
 * @param signal Ends the run after the current file.
 */
export async function runPgtap(
  execute: Execute,
  paths: string[] = pgtapFiles(),
  signal?: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const path of [PGTAP_HELPERS, ...paths]) {
    if (signal?.aborted) break;
    const start = performance.now();
    const outcome = await runFile(execute, path);
    // The helpers are not a test.
    if (path === PGTAP_HELPERS && outcome.failed === 0) continue;
    reportFile(outcome, start);
    outcomes.push(outcome);
  }
  return outcomes;
}

function pgtapFiles(): string[] {
  return listTests().filter(({ kind }) => kind === "pgtap").map(({ path }) => path);
}

async function runFile(execute: Execute, path: string): Promise<Outcome> {
  const text = await Deno.readTextFile(`${PROJECT_DIR}/${path}`);
  const lines: string[] = [];
  let broken: string | undefined;
  try {
    await execute(text, (line) => lines.push(line));
  } catch (error) {
    const { message, position, where } = error as PostgresError;
    const line = position ? text.slice(0, Number(position)).split("\n").length : undefined;
    broken = `${message}${line ? ` (line ${line})` : ""}${where ? `\n${where}` : ""}`;
  }
  const result = await parse(`${lines.filter((line) => line !== "").join("\n")}\n`);
  // The parser also counts skipped tests as passed.
  const skipped = result?.skip ?? 0;
  const passed = (result?.pass ?? 0) - skipped;
  const failed = (result?.fail ?? 0) || (broken || !result?.ok ? 1 : 0);
  const told = lines.filter((line) => line.startsWith("not ok") || line.startsWith("#"));
  return {
    path,
    passed,
    failed,
    skipped,
    output: [...told, ...(broken ? [broken] : [])].join("\n"),
  };
}

function parse(tap: string): Promise<Parser["results"]> {
  return new Promise((resolve) => {
    const parser = new Parser((results) => resolve(results));
    parser.end(tap);
  });
}
