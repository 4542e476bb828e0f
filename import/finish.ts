/**
 * What is left to do when all rows are copied.
 *
 * @module
 */

import type { Sql } from "postgres";

import { prepare } from "./steps.ts";

/** What a sign-up creates, for users who have not brought it along. */
const ACCOUNT_ROWS: { table: string; insert: string }[] = [
  {
    table: "public.profiles",
    insert: `insert into public.profiles (id, display_name)
      select u.id, private.display_name(u.raw_user_meta_data) from auth.users as u
      where not exists (select 1 from public.profiles as p where p.id = u.id) on conflict do nothing`,
  },
  ...[
    "user_profiles",
    "user_preferences",
    "user_settings",
    "user_security_settings",
    "user_chat_analytics",
  ].map((table) => ({
    table: `public.${table}`,
    insert: `insert into public.${table} (user_id)
      select u.id from auth.users as u
      where not exists (select 1 from public.${table} as t where t.user_id = u.id) on conflict do nothing`,
  })),
];

/**
 * Completes the accounts of users whom the product has not given all rows, and lets new tasks continue after the
 * numbers of the old ones.
 *
 * @param sql The database here.
 */
export async function finish(sql: Sql): Promise<void> {
  for (const { table, insert } of ACCOUNT_ROWS) {
    if (!await exists(sql, table)) continue;
    await sql.begin(async (tx) => {
      await prepare(tx);
      await tx.unsafe(insert);
    });
  }
  if (await exists(sql, "public.tasks")) {
    await sql`
      select setval(pg_get_serial_sequence('public.tasks', 'id'), max(id))
      from public.tasks
      having max(id) > (select last_value from pg_sequences
        where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('public.tasks', 'id'))
        or (select last_value from pg_sequences
        where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('public.tasks', 'id')) is null
          and max(id) is not null`;
  }
}

async function exists(sql: Sql, table: string): Promise<boolean> {
  const [row] = await sql`select to_regclass(${table}) is not null as there`;
  return row?.there;
}
