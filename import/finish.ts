/**
 * What is left to do when all rows are copied.
 *
 * @module
 */

import type { Sql } from "postgres";

import { STAGED_USERS } from "./credits.ts";
import { batches } from "./source.ts";
import { stage } from "./staging.ts";
import { type Import, prepare, rowsOf, teller } from "./steps.ts";

/** Tables of which a sign-up creates a row. */
const ACCOUNT_TABLES = [
  "user_profiles",
  "user_preferences",
  "user_settings",
  "user_security_settings",
  "user_chat_analytics",
];

const PROFILES = `insert into public.profiles (id, display_name)
  select u.id, private.display_name(u.raw_user_meta_data) from auth.users as u
  where u.id in (${STAGED_USERS}) on conflict do nothing`;

/**
 * Completes the accounts of users whom the product has not given all rows, and lets new tasks continue after the
 * numbers of the old ones.
 *
 * @param run The import.
 */
export async function finish(run: Import): Promise<void> {
  const { sql } = run;
  const plan = run.plans.find(({ target }) => target === "auth.users");
  if (plan) {
    const inserts = [PROFILES];
    for (const table of ACCOUNT_TABLES) {
      if (!await exists(sql, `public.${table}`)) continue;
      inserts.push(`insert into public.${table} (user_id)
        select u.id from auth.users as u where u.id in (${STAGED_USERS}) on conflict do nothing`);
    }
    const tell = teller(run, "Completing accounts");
    // Only the users of this product: those of another may still get their rows from an import of their own.
    for await (const batch of batches(rowsOf(run, plan), run.batchSize)) {
      await sql.begin(async (tx) => {
        await prepare(tx);
        await stage(tx, plan, batch);
        for (const insert of inserts) await tx.unsafe(insert);
      });
      tell.count(batch.rows.length);
    }
    tell.end();
  }
  if (await exists(sql, "public.tasks")) await continueTasks(sql);
}

/** Sets the sequence only if it is behind: tasks may be created meanwhile. */
async function continueTasks(sql: Sql): Promise<void> {
  await sql`
    select setval(pg_get_serial_sequence('public.tasks', 'id'), t.last)
    from (select max(id) as last from public.tasks) as t
    where t.last > coalesce((select last_value from pg_sequences
      where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('public.tasks', 'id')), 0)`;
}

async function exists(sql: Sql, table: string): Promise<boolean> {
  const [row] = await sql`select to_regclass(${table}) is not null as there`;
  return row?.there;
}
