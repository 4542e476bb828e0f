/**
 * A product's database.
 *
 * @module
 */

import postgres from "postgres";

import { StackFailure } from "../stack/failure.ts";
import { firstField } from "./copy_text.ts";
import type { Source, SourceRow } from "./source.ts";

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
      default_transaction_read_only: true,
      statement_timeout: 0,
    },
  });
  try {
    await sql`select 1`;
  } catch (cause) {
    await sql.end();
    throw new StackFailure(
      `Cannot read the product's database: ${(cause as Error).message}`,
      "Check the URL after --from: host, port, role and password.",
      { cause },
    );
  }
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
  const fields = [key, ...columns].map(quote).join(", ");
  // COPY takes no parameters.
  const begin = after === undefined ? "" : `where ${quote(key)} > '${after.replaceAll("'", "''")}'`;
  const query = `copy (select ${fields} from ${qualified(table)} ${begin} order by ${
    quote(key)
  }) to stdout`;
  const stream = await sql.unsafe(query).readable();
  // PostgreSQL sends each row in a message of its own.
  for await (const line of stream as AsyncIterable<Uint8Array>) {
    yield { position: firstField(line), line };
  }
}

/** The name of a table in SQL. */
export function qualified(table: string): string {
  return (table.includes(".") ? table.split(".") : ["public", table]).map(quote).join(".");
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
