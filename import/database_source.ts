/**
 * A product's database.
 *
 * @module
 */

import postgres from "postgres";

import { StackFailure } from "../stack/failure.ts";
import { toField } from "./copy_text.ts";
import type { Source, SourceRow } from "./source.ts";

/**
 * Connects to a database.
 *
 * @param sql The connection. It is closed if that fails.
 * @param failure What is impossible then.
 * @param option The option that has its URL.
 * @throws {StackFailure} if the database does not answer.
 */
export async function assertReachable(
  sql: postgres.Sql,
  failure: string,
  option: string,
): Promise<void> {
  try {
    await sql`select 1`;
  } catch (cause) {
    await sql.end();
    const { message, code } = cause as Error & { code?: string };
    throw new StackFailure(
      `${failure}: ${message || code}`,
      `Check the URL after ${option}: host, port, role and password.`,
      { cause },
    );
  }
}

/**
 * Connects to the database of a product.
 *
 * @param url Its URL. Any role that may read all rows will do.
 * @throws {StackFailure} if it cannot be reached.
 */
export async function openDatabase(url: string): Promise<Source> {
  const sql = postgres(url, {
    max: 1,
    onnotice: () => {},
    connection: {
      application_name: "strongroom import",
      TimeZone: "UTC",
      DateStyle: "ISO",
      extra_float_digits: 1,
      statement_timeout: 0,
    },
  });
  await assertReachable(sql, "Cannot read the product's database", "--from");
  const { host, pathname } = new URL(url);
  return {
    name: `${host}${pathname}`,
    async columns(table) {
      const rows = await sql`
        select attname from pg_attribute
        where attrelid = to_regclass(${qualified(table)}) and attnum > 0 and not attisdropped
        order by attnum`;
      return rows.length === 0 ? undefined : rows.map(({ attname }) => attname);
    },
    async hasRows(table) {
      const [row] = await sql.unsafe(`select exists (select 1 from ${qualified(table)}) as any`);
      return row?.any;
    },
    async tables() {
      const rows = await sql`
        select c.relname from pg_class as c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and c.reltuples <> 0
        order by 1`;
      return rows.map(({ relname }) => relname);
    },
    rows: (table, columns, key, after) => readRows(sql, { table, columns, key, after }),
    close: () => sql.end(),
  };
}

/** The most rows, and about how many bytes, that are read at a time. */
const FETCH_ROWS = 500;
const FETCH_BYTES = 1024 * 1024;

const encoder = new TextEncoder();

/** Reads one table in one statement, which sees one state of it. */
async function* readRows(
  sql: postgres.Sql,
  { table, columns, key, after }: {
    table: string;
    columns: string[];
    key: string;
    after: string | undefined;
  },
): AsyncGenerator<SourceRow> {
  const fields = [key, ...columns].map((name) => `${quote(name)}::text`).join(", ");
  // DECLARE takes no parameters.
  const begin = after === undefined ? "" : `where ${quote(key)} > '${after.replaceAll("'", "''")}'`;
  await sql`begin isolation level repeatable read read only`;
  try {
    await sql.unsafe(`declare import_rows no scroll cursor for
      select ${fields} from ${qualified(table)} ${begin} order by ${quote(key)}`);
    // Few at first: the rows may be large.
    for (let most = 16;;) {
      const rows = await sql.unsafe(`fetch ${most} from import_rows`).values();
      if (rows.length === 0) return;
      let bytes = 0;
      for (const [position, ...values] of rows as unknown as (string | null)[][]) {
        const line = encoder.encode(`${[position ?? null, ...values].map(toField).join("\t")}\n`);
        bytes += line.length;
        yield { position: position ?? "", line };
      }
      const fitting = Math.floor(FETCH_BYTES * rows.length / bytes);
      most = Math.max(1, Math.min(fitting, most * 4, FETCH_ROWS));
    }
  } finally {
    await sql`rollback`;
  }
}

/** The name of a table in SQL. */
export function qualified(table: string): string {
  return (table.includes(".") ? table.split(".") : ["public", table]).map(quote).join(".");
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
