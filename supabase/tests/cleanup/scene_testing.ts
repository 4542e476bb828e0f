/**
 * Building blocks of scenes: see scenes_testing.ts.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import { serviceClient, type TestStack } from "../../functions/_testing/testing.ts";

/** Access for making scenes: the database as superuser, and Storage as the service. */
export interface Stage {
  sql: postgres.Sql;
  client: SupabaseClient<Database>;
}

/** Runs something with such access to a stack. */
export async function withStage<T>(
  stack: TestStack,
  run: (stage: Stage) => Promise<T>,
): Promise<T> {
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    return await run({ sql, client: serviceClient(stack) });
  } finally {
    // Does not wait for a server that was killed.
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

/** A set of items for one job, some due and some not. */
export interface Scene {
  /** Creates DUE * 2 items, of which the even ones are due. A label is never used twice. */
  fill(stage: Stage, label: string): Promise<void>;
  /** Returns the current state, to be compared with that of another label. */
  state(stage: Stage, label: string): Promise<unknown>;
}

/** Due items in each scene. */
export const DUE = 24;

/** Small, so that a scene takes several batches. */
export const BATCH_SIZE = 4;

/** All items of a scene, due or not. */
export const ALL = DUE * 2;

/** SQL for the id of an item. */
export const id = (label: string, kind = ""): string => `md5(${literal(label + kind)} || n)::uuid`;

/** A text as an SQL literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Runs statements without triggers and foreign keys. */
export async function fillRaw({ sql }: Stage, statements: string): Promise<void> {
  await sql.begin((transaction) =>
    transaction.unsafe(`set local session_replication_role = replica; ${statements}`).simple()
  );
}

/** SQL for the numbers of a scene's items. */
export const series = `generate_series(1, ${ALL}) as n`;

/** SQL for a time in the past for due items, and in the future for others. */
export const when = (past: string, later: string): string =>
  `now() + case when n % 2 = 0 then interval '${past}' else interval '${later}' end`;

/** Creates a user for each number. clearScenes deletes them with all their data. */
export async function fillUsers({ sql }: Stage, label: string): Promise<void> {
  await sql.unsafe(
    `insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
    select ${id(label, "user")}, ${
      literal(label)
    } || n || '@example.com', 'authenticated', 'authenticated', '{}', '{}'
    from ${series}`,
  );
}

/** The numbers of the items whose ids a query finds. */
export const numbers = async ({ sql }: Stage, label: string, found: string, kind = "") =>
  (await sql.unsafe(`select n from ${series} where ${id(label, kind)} in (${found}) order by n`))
    .map(({ n }) => n);
