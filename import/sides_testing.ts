/**
 * For tests: compares both sides of an import row by row, without the code of the import.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Sql } from "postgres";

import type { TestSource } from "./source_testing.ts";

/** Columns that the import converts: `TABLE.COLUMN`. */
const CONVERTED = [
  "messages.content",
  "projects.status",
  "projects.deleted_at",
  "projects.is_archived",
  "user_goals.status",
  "user_goals.progress_percentage",
  "user_goals.completed_at",
];

/** Tables that have other rows here. */
const ELSEWHERE = ["user_credits", "credit_transactions"];

/**
 * Asserts that each row of the product is here, with the same ids, times and other values.
 *
 * @param source The product's database.
 * @param here The database here.
 * @returns How many rows were compared.
 */
export async function assertRowsEqual(source: TestSource, here: Sql): Promise<number> {
  const tables = await source.sql`
    select schemaname as schema, tablename as name from pg_tables where schemaname in ('public', 'auth')`;
  let compared = 0;
  for (const { schema, name } of tables) {
    if (ELSEWHERE.includes(name)) continue;
    const columns = await commonColumns(source.sql, here, schema, name);
    const key = columns.includes("id") ? "id" : "user_id";
    const fields = columns.map((column) => `"${column}"::text`).join(", ");
    const cursor = source.sql.unsafe(`select ${fields} from ${schema}."${name}"`).cursor(1000);
    for await (const rows of cursor) {
      const keys = rows.map((row) => row[key]);
      const found = await here.unsafe(
        `select ${fields} from ${schema}."${name}" where ${key}::text = any ($1)`,
        [keys],
      );
      const byKey = new Map(found.map((row) => [row[key], row]));
      for (const row of rows) {
        const other = byKey.get(row[key]);
        assert.ok(other, `${name} ${row[key]} is missing`);
        for (const column of columns) {
          // Null can have become the default.
          if (row[column] === null) continue;
          assert.equal(other[column], row[column], `${name}.${column} of ${row[key]}`);
        }
        compared++;
      }
    }
  }
  return compared;
}

async function commonColumns(
  source: Sql,
  here: Sql,
  schema: string,
  table: string,
): Promise<string[]> {
  const query = (sql: Sql) =>
    sql`select attname as name from pg_attribute
      where attrelid = to_regclass(${`${schema}.${table}`}) and attnum > 0 and not attisdropped`;
  const [left, right] = await Promise.all([query(source), query(here)]);
  const known = new Set(right.map(({ name }) => name));
  return left.map(({ name }) => name as string).filter((name) =>
    known.has(name) && !CONVERTED.includes(`${table}.${name}`)
  );
}

/**
 * Asserts that everything that triggers count agrees with the rows.
 *
 * @param here The database here.
 * @param users Ids of the users to look at.
 */
export async function assertCountersRight(here: Sql, users: string[]): Promise<void> {
  assert.deepEqual([...await here`select * from public.credit_reconciliation()`], []);
  await here`set timezone = 'UTC'`;
  const tables = await here`
    select c.relname as name from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
    where t.tgname = 'count_added_rows' and t.tgfoid = 'private.count_rows_of_user_id'::regproc`;
  assert.ok(tables.length > 10);
  for (const { name } of tables) {
    const wrong = await here.unsafe(
      `select * from (
        select user_id as owner_id, count(*) as rows, sum(octet_length(t::text)) as bytes
        from public."${name}" as t where user_id = any ($1) group by 1) as x
      full join (
        select owner_id, rows as counted, bytes as counted_bytes from private.table_usage
        where table_name = '${name}' and owner_id = any ($1)) as u using (owner_id)
      where coalesce(x.rows, 0) <> coalesce(u.counted, 0) or coalesce(x.bytes, 0) <> coalesce(u.counted_bytes, 0)
      limit 3`,
      [users],
    );
    assert.deepEqual([...wrong], [], `The counts of ${name} are wrong`);
  }
  for (const table of ["profiles", "user_profiles", "user_preferences", "user_settings"]) {
    const key = table === "profiles" ? "id" : "user_id";
    const [row] = await here.unsafe(
      `select count(distinct ${key})::integer as rows from public.${table} where ${key} = any ($1)`,
      [users],
    );
    assert.equal(row?.rows, users.length, `Each user has a row in ${table}`);
  }
}
