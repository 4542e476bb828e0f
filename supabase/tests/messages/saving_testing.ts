/**
 * For tests of answers that are saved and paid for in one request: their stack, their holds, and checks of the books.
 *
 * @module
 */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import {
  type Answer,
  invoke,
  serviceClient,
  signUp,
  type TestStack,
} from "../../functions/_testing/testing.ts";

/** A separate stack with one user, who has a million credits, and one project. */
export interface Scene {
  /** Client with the secret key. */
  client: SupabaseClient<Database>;
  sql: postgres.Sql;
  user_id: string;
  project_id: string;
}

/** An answer of a model, to be saved and paid for. */
export interface Saving {
  /** Id of the message. */
  id: string;
  content: string;
  hold_id: string;
  /** What is captured of the hold. */
  amount: number;
  /** Whether its request has an idempotency key in addition to the message's id. */
  keyed: boolean;
  /** The response to its first request, if there was one. */
  answer?: Answer;
  /** The failure of its first request, if it failed. */
  failure?: unknown;
}

const CREDITS = 1_000_000;

/** Concurrent requests. */
const CLIENTS = 4;

/** Creates a user and a project on a stack that has no users yet. */
export async function withScene(
  stack: TestStack,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const client = serviceClient(stack);
  // Only the superuser sees the queries of others.
  const sql = postgres(stack.adminDbUrl, { max: 2 });
  try {
    const { id: user_id } = await signUp(stack);
    const [project] = await sql`
      insert into projects (user_id, title) values (${user_id}, 'P') returning id`;
    const project_id = project?.id;
    assert.ok(project_id);
    const grant = await invoke(client, "credits/grants", { body: { user_id, amount: CREDITS } });
    assert.equal(grant.status, 201, inspect(grant.body));
    await run({ client, sql, user_id, project_id });
  } finally {
    await sql.end();
  }
}

/** Runs something for each item, several at a time. */
export async function withEach<T>(items: T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    for (const item of rest) await act(item);
  }));
}

/**
 * Prepares answers with a hold for each. Half of each hold will be captured, and no two amounts are equal.
 *
 * @param scene The stack and its user.
 * @param count Number of answers.
 * @param first Number of answers that exist already.
 */
export async function prepare(
  { client, user_id }: Scene,
  count: number,
  first = 0,
): Promise<Saving[]> {
  const savings: Saving[] = [];
  await withEach(Array.from({ length: count }, (_, n) => first + n), async (n) => {
    const hold = await invoke(client, "credits/holds", { body: { user_id, amount: n + 1 } });
    assert.equal(hold.status, 201, inspect(hold.body));
    savings.push({
      id: crypto.randomUUID(),
      content: `Answer ${n}`,
      hold_id: hold.body.id,
      amount: (n + 1) / 2,
      keyed: n % 2 === 0,
    });
  });
  return savings;
}

/** Sends the request that saves and pays for an answer. It is the same each time. */
export async function save(
  { client, user_id, project_id }: Scene,
  { id, content, hold_id, amount, keyed }: Saving,
): Promise<Answer> {
  return await invoke(client, `projects/${project_id}/messages`, {
    body: { user_id, id, role: "assistant", content, settle: { hold_id, amount } },
    headers: keyed ? { "idempotency-key": id } : {},
  });
}

/** Counts the active queries of others, or those of them that wait for a lock. */
export async function countCalls({ sql }: Scene, waitingFor?: "Lock"): Promise<number> {
  const calls = await sql`
    select from pg_stat_activity
    where backend_type = 'client backend' and state = 'active' and pid <> pg_backend_pid()
      and ${waitingFor ? sql`wait_event_type = ${waitingFor}` : sql`true`}`;
  return calls.length;
}

/**
 * Asserts that each answer is either saved and paid for once, or neither.
 *
 * @returns The sequence numbers of the saved messages, by id.
 */
export async function assertBooks(
  { sql }: Scene,
  savings: Saving[],
): Promise<Map<string, number>> {
  // One statement, so that all is from one moment. The full join shows rows without a counterpart.
  const rows = await sql`
    select m.id, m.content, m.sequence_number, h.id as hold_id, h.status,
      h.captured::float8 as captured, t.amount::float8 as charged
    from credit_holds as h
    full join messages as m on m.hold_id = h.id
    full join (select * from credit_transactions where kind = 'capture') as t
      on t.account_id = h.account_id and t.entry_no = h.entry_no`;
  assert.equal(rows.length, savings.length);
  const found = new Map(rows.map((row) => [row.hold_id, row]));
  const numbers = new Map<string, number>();
  for (const { id, content, hold_id, amount } of savings) {
    const { sequence_number, ...row } = found.get(hold_id) ?? {};
    const neither = { id: null, content: null, status: "held", captured: null, charged: null };
    const both = { id, content, status: "captured", captured: amount, charged: -amount };
    assert.deepEqual(row, { hold_id, ...(row.id ? both : neither) });
    if (row.id) numbers.set(id, sequence_number);
  }
  return numbers;
}

/** Asserts that all answers are saved, numbered without gaps and paid for once, and that nothing else is. */
export async function assertAllSaved(scene: Scene, savings: Saving[]): Promise<void> {
  const { sql } = scene;
  const numbers = [...(await assertBooks(scene, savings)).values()];
  assert.deepEqual(numbers.sort((a, b) => a - b), savings.map((_, n) => n));
  assert.deepEqual([...await sql`select * from credit_reconciliation()`], []);
  const [account] = await sql`
    select balance::float8 as balance, held::float8 as held from credit_accounts`;
  const charged = savings.reduce((sum, { amount }) => sum + amount, 0);
  assert.deepEqual(account, { balance: 100 + CREDITS - charged, held: 0 });
}
