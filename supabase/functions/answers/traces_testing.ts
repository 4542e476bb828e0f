/**
 * Looks for a text wherever a stack could have kept it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";

import postgres from "postgres";

import type { TestStack } from "../_testing/testing.ts";

/** What a dump of the database would have, and what other sessions can see of the statements that run. */
const STATISTICS = ["pg_stat_activity", "pg_prepared_statements", "pg_stats"];

/**
 * Looks for a text in the rows of all tables, and in all files of the stack: the log of the functions, the services and
 * PostgreSQL, its data and its write-ahead log, and Storage.
 *
 * @param of The stack.
 * @param text The text. Must be short, because PostgreSQL compresses long values.
 * @returns Where it is.
 */
export async function findTraces(of: TestStack, text: string): Promise<string[]> {
  const sql = postgres(of.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    // What is still in memory goes to the disk.
    await sql`checkpoint`;
    const tables = await sql`
      select format('%I.%I', n.nspname, c.relname) as name from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`;
    assert.ok(tables.length > 60);
    const found: string[] = [];
    for (const name of [...tables.map(({ name }) => name), ...STATISTICS]) {
      // This session's own statement has the text only as a parameter.
      const [row] = await sql.unsafe(
        `select 1 from ${name} as t where strpos(t::text, $1) > 0 limit 1`,
        [text],
      );
      if (row) found.push(name);
    }
    return [...found, ...findInFiles(of.dir, Buffer.from(text))];
  } finally {
    await sql.end();
  }
}

function findInFiles(path: string, text: Buffer): string[] {
  try {
    const { isDirectory, isFile } = Deno.lstatSync(path);
    if (isDirectory) {
      return [...Deno.readDirSync(path)].flatMap(({ name }) =>
        findInFiles(`${path}/${name}`, text)
      );
    }
    return isFile && Buffer.from(Deno.readFileSync(path)).includes(text) ? [path] : [];
  } catch (error) {
    // PostgreSQL removes files and folders while it runs.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
