/**
 * What scenes are made of: see scenes_testing.ts.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import { serviceClient, type TestStack } from "../../functions/_testing/testing.ts";

/** Where scenes are made: the database as its superuser, and Storage as the service. */
export interface Stage {
  sql: postgres.Sql;
  client: SupabaseClient<Database>;
}

/** Runs something on the stage that a stack has. */
export async function withStage<T>(
  stack: TestStack,
  run: (stage: Stage) => Promise<T>,
): Promise<T> {
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    return await run({ sql, client: serviceClient(stack) });
  } finally {
    // A server that was killed is not waited for.
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

/** What is due and what is not, for one job. */
export interface Scene {
  /** Makes it: of DUE * 2 things the even ones are due. The same label is never used twice. */
  fill(stage: Stage, label: string): Promise<void>;
  /** What there is now, to be compared with the state of another label. */
  state(stage: Stage, label: string): Promise<unknown>;
}

/** How many things are due in each scene. */
export const DUE = 24;

/** So that a scene takes several batches. */
export const BATCH_SIZE = 4;

/** All things of a scene, due or not. */
export const ALL = DUE * 2;

/** The id of a thing of a scene. */
export const id = (label: string, kind = ""): string => `md5(${literal(label + kind)} || n)::uuid`;

/** A text as SQL has it. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Statements on rows as they are: no triggers, no foreign keys. */
export async function fillRaw({ sql }: Stage, statements: string): Promise<void> {
  await sql.begin((transaction) =>
    transaction.unsafe(`set local session_replication_role = replica; ${statements}`).simple()
  );
}

/** The numbers of a scene's things. */
export const series = `generate_series(1, ${ALL}) as n`;

/** A time past for what is due, and one to come for what is not. */
export const when = (past: string, later: string): string =>
  `now() + case when n % 2 = 0 then interval '${past}' else interval '${later}' end`;

/** A user for each number; with clearScenes they go, and all that is theirs. */
export async function fillUsers({ sql }: Stage, label: string): Promise<void> {
  await sql.unsafe(
    `insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
    select ${id(label, "user")}, ${
      literal(label)
    } || n || '@example.com', 'authenticated', 'authenticated', '{}', '{}'
    from ${series}`,
  );
}

/** The numbers of the things that a query finds, by their ids. */
export const numbers = async ({ sql }: Stage, label: string, found: string, kind = "") =>
  (await sql.unsafe(`select n from ${series} where ${id(label, kind)} in (${found}) order by n`))
    .map(({ n }) => n);
