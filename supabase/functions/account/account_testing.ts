/**
 * Helpers for the tests of `account`.
 *
 * @module
 */

import type postgres from "postgres";

import { cronClient, invoke, type TestUser, until, withDatabase } from "../_testing/testing.ts";

/** A line of an archive. */
export interface Line {
  table: string;
  row: Record<string, unknown>;
}

/** Runs a cleanup job once and returns its result. */
// deno-lint-ignore no-explicit-any -- each test asserts what it expects
export async function clean(job: string, max_seconds = 25): Promise<any> {
  const { body } = await invoke(cronClient(), "cleanup", { body: { jobs: [job], max_seconds } });
  return body.jobs[0];
}

/** Runs a cleanup job until nothing is left. Another run may have it: then this one waits for its lease. */
export async function cleanAll(job: string): Promise<void> {
  await until(async () => {
    const { outcome, error } = await clean(job);
    if (outcome === "failed") throw new Error(error);
    return outcome === "done";
  });
}

/** Downloads all parts of a finished export, and returns the lines, the manifest and the files. */
export async function download(user: TestUser) {
  // deno-lint-ignore no-explicit-any -- as above
  const parts: any[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const { body } = await invoke(user.client, `account/export?after=${after}&limit=7`);
    parts.push(...body.parts);
    after = body.next_after;
  }
  const lines: Line[] = [];
  const files = new Map<string, string>();
  let manifest: Record<string, unknown> = {};
  for (const part of parts) {
    const response = await fetch(part.url);
    if (!response.ok) throw new Error(`${part.name}: ${response.status} ${await response.text()}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (part.kind === "file") {
      files.set(`${part.bucket}/${part.path}`, new TextDecoder().decode(bytes));
    } else if (part.kind === "manifest") manifest = JSON.parse(new TextDecoder().decode(bytes));
    else {
      if (await sha256(bytes) !== part.sha256) throw new Error(`${part.name} differs`);
      const text = await new Response(
        new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")),
      ).text();
      lines.push(...text.split("\n").filter(Boolean).map((line) => JSON.parse(line)));
    }
  }
  return { parts, lines, manifest, files };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The columns of all tables of the database in which a text appears, with how often.
 *
 * Leaves out the messages of Realtime, which it deletes itself after three days.
 *
 * @param text What to look for, in any case.
 */
export function columnsWith(text: string): Promise<string[]> {
  return withDatabase(async (sql: postgres.Sql) => {
    const columns = await sql`
      select n.nspname as schema, c.relname as table, a.attname as column
      from pg_attribute as a join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'tests', 'realtime')
        and n.nspname not like 'pg\\_%' and a.attnum > 0 and not a.attisdropped
        and has_table_privilege(c.oid, 'select')
        and a.atttypid::regtype::text not in ('boolean', 'integer', 'bigint', 'numeric', 'timestamp with time zone')
      order by 1, 2, 3`;
    const found: string[] = [];
    for (const { schema, table, column } of columns) {
      const [row] = await sql`select count(*)::integer as rows from ${sql(schema)}.${sql(table)}
        where strpos(lower(${sql(column)}::text), ${text.toLowerCase()}) > 0`;
      if (row?.rows > 0) found.push(`${schema}.${table}.${column}`);
    }
    return found;
  });
}
