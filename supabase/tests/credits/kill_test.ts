import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import { killPostgres, untilAnswering, withCheckout } from "../../functions/_testing/checkout.ts";
import {
  type Answer,
  invoke,
  serviceClient,
  signUp,
  soak,
  test,
  type TestStack,
  until,
} from "../../functions/_testing/testing.ts";

const CLIENTS = 20;
const ACCOUNTS = 4;
const KILLS = soak < 5 ? 1 : Math.min(5, soak);
const CREDITS = 1_000_000;

type Client = SupabaseClient<Database>;

/** A request, and its successful response. */
interface Sent {
  path: string;
  body: Record<string, unknown>;
  key: string;
  done?: Answer;
  /** Its last failure. */
  failure?: unknown;
}

/** Sends a request, for the first time or again. Returns whether it got a successful response. */
async function send(client: Client, request: Sent): Promise<boolean> {
  const { path, body, key } = request;
  try {
    const answer = await invoke(client, path, { body, headers: { "idempotency-key": key } });
    if (answer.status < 300) {
      request.done = answer;
      return true;
    }
    request.failure = answer.body;
  } catch (error) {
    request.failure = error;
  }
  return false;
}

/**
 * Charges, holds and captures until a request fails, or all is over: a request can be on its way until PostgreSQL runs again,
 * and then nothing of the kill is seen.
 */
async function spend(
  client: Client,
  user_id: string,
  { log, isOver }: { log: Sent[]; isOver: () => boolean },
): Promise<void> {
  const next = async (path: string, body: Record<string, unknown>) => {
    const request: Sent = { path, body, key: crypto.randomUUID() };
    log.push(request);
    return await send(client, request) ? request.done : undefined;
  };
  for (let n = 1; !isOver(); n++) {
    if (!await next("credits/deduct", { user_id, amount: n })) return;
    const hold = await next("credits/holds", { user_id, amount: n });
    if (!hold || !await next(`credits/holds/${hold.body.id}/capture`, { amount: n / 2 })) return;
  }
}

async function createAccounts(stack: TestStack): Promise<string[]> {
  const users: string[] = [];
  const client = serviceClient(stack);
  for (let n = 0; n < ACCOUNTS; n++) {
    const { id: user_id } = await signUp(stack);
    users.push(user_id);
    const grant = { path: "credits/grants", body: { user_id, amount: CREDITS }, key: user_id };
    assert.ok(await send(client, grant));
  }
  return users;
}

/** Sends each request again once. What was already done must not happen a second time. */
async function repeat(client: Client, logs: Sent[][]): Promise<void> {
  await Promise.all(logs.map(async (log) => {
    for (const request of log) {
      const first = request.done;
      assert.ok(await send(client, request), `${request.path}: ${inspect(request.failure)}`);
      if (!first) continue;
      assert.equal(request.done?.headers.get("idempotent-replayed"), "true");
      assert.equal(request.done?.status, first.status);
      assert.deepEqual(request.done?.body, first.body);
    }
  }));
}

/** Asserts that accounts have each request's entries once, and nothing else. */
async function assertBooks(stack: TestStack, users: string[], sent: Sent[]): Promise<void> {
  const sql = postgres(stack.dbUrl, { max: 1 });
  try {
    assert.deepEqual([...await sql`select * from credit_reconciliation()`], []);
    const entries = await sql`
      select account_id, entry_no, kind, amount, balance_after
      from credit_transactions where kind <> 'grant'`;
    const line = (entry: Record<string, unknown>) =>
      [entry.account_id, entry.entry_no, entry.kind, entry.amount, entry.balance_after]
        .map((part) => isNaN(Number(part)) ? part : Number(part)).join(" ");
    const charges = sent.filter(({ path }) => path !== "credits/holds");
    const answers = charges.map(({ done }) => line(done?.body));
    assert.equal(new Set(answers).size, charges.length);
    assert.deepEqual(entries.map(line).sort(), answers.sort());

    const holds = await sql`select id from credit_holds`;
    const held = sent.filter(({ path }) => path === "credits/holds");
    assert.deepEqual(
      holds.map(({ id }) => id).sort(),
      held.map(({ done }) => done?.body.id).sort(),
    );

    const [sums] = await sql`
      select sum(balance) as balance, sum(version) as entries from credit_accounts
      where user_id = any (${users})`;
    const charged = charges.reduce((sum, { done }) => sum + done?.body.amount, 0);
    assert.equal(Number(sums?.balance), ACCOUNTS * (100 + CREDITS) + charged);
    assert.equal(Number(sums?.entries), ACCOUNTS * 2 + charges.length);
  } finally {
    await sql.end();
  }
}

test("charges that succeeded before PostgreSQL is killed exist once, and all others can be repeated", async () => {
  await withCheckout(async (checkout) => {
    await checkout.start();
    const stack = await checkout.stack();
    const client = serviceClient(stack);
    const users = await createAccounts(stack);
    const sent: Sent[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      const logs = Array.from({ length: CLIENTS }, (): Sent[] => []);
      let [killed, over] = [false, false];
      const load = Promise.all(logs.map(async (log, i) => {
        await spend(client, users[i % ACCOUNTS] as string, { log, isOver: () => over });
        assert.ok(killed, `A request failed before the kill: ${inspect(log.at(-1)?.failure)}`);
      }));
      await until(() => logs.every((log) => log.length > 1));
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 700));
      killed = true;
      await killPostgres(checkout);
      await untilAnswering(stack);
      over = true;
      await load;
      assert.ok(logs.flat().some(({ done }) => !done), "The kill interrupted nothing");

      await repeat(client, logs);
      sent.push(...logs.flat());
      await assertBooks(stack, users, sent);
    }
  });
});
