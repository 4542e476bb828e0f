/**
 * For tests of many sessions on the same credit accounts: records the responses and compares them with the books.
 *
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";

import { withDatabase } from "../../functions/_testing/testing.ts";
import { type Account, type Call, call, type Connection } from "./load_testing.ts";

/** The responses to the sessions of a test. */
export class Journal {
  /** First responses, by the key of the request. */
  readonly first = new Map<string, { call: Call; row: postgres.Row }>();
  /** Responses to repeated requests. */
  readonly replays: { key: string; row: postgres.Row }[] = [];
  /** Number of refusals, by SQLSTATE and code. */
  readonly refusals = new Map<string, number>();
  /** Number of transactions of one or several calls that were aborted to end a deadlock. */
  readonly deadlocks = { alone: 0, together: 0 };

  /** Makes one call in its own transaction; undefined if it is refused. */
  async attempt(sql: postgres.Sql, request: Call): Promise<postgres.Row | undefined> {
    const [row] = await this.together(sql, [request]) ?? [];
    return row;
  }

  /**
   * Makes calls in one transaction. They count as answered once it is committed. A transaction that is aborted to end a
   * deadlock is repeated.
   */
  async together(sql: postgres.Sql, requests: Call[]): Promise<postgres.Row[] | undefined> {
    const all = async (connection: Connection) => {
      const rows: postgres.Row[] = [];
      for (const request of requests) rows.push(await call(connection, request));
      return rows;
    };
    try {
      const rows = requests.length === 1 ? await all(sql) : await sql.begin(all);
      rows.forEach((row, i) => this.#note(requests[i] as Call, row));
      return rows;
    } catch (error) {
      if (!(error instanceof postgres.PostgresError)) throw error;
      if (error.code === "40P01") {
        this.deadlocks[requests.length === 1 ? "alone" : "together"]++;
        return this.together(sql, requests);
      }
      const code = error.code.startsWith("PT") ? error.detail?.split(" ")[0] : error.message;
      const reason = `${error.code} ${code}`;
      this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
      return undefined;
    }
  }

  /** The first responses to calls of a function. */
  answers(name: string): { call: Call; row: postgres.Row }[] {
    return [...this.first.values()].filter((answer) => answer.call.name === name);
  }

  #note(request: Call, row: postgres.Row): void {
    const key = request.args.idempotency_key;
    if (typeof key !== "string") return;
    if (row.replayed) return void this.replays.push({ key, row });
    assert.ok(!this.first.has(key), `${request.name} was done twice with one key`);
    this.first.set(key, { call: request, row });
  }
}

/** Refusals that a session on a busy account must expect. */
const EXPECTED = [
  "PT402 insufficient_credits",
  "PT409 hold_already_captured",
  "PT409 hold_released",
  "PT409 hold_expired",
  "PT409 grant_already_voided",
  "PT409 grant_expired",
  "PT409 overdraft_in_use",
  "PT422 capture_exceeds_hold",
  "PT422 refund_exceeds_charge",
];

/** Asserts that all refusals were expected. */
export function assertRefusals(journal: Journal, ...more: string[]): void {
  const unexpected = [...journal.refusals].filter(([reason]) =>
    ![...EXPECTED, ...more].includes(reason)
  );
  assert.deepEqual(unexpected, []);
}

/** Whether there were enough requests: too few would prove nothing. */
export function isEnough(journal: Journal): boolean {
  return journal.first.size > 20;
}

/** Asserts that accounts have exactly what the responses say. */
export async function assertBooks(accounts: Account[], journal: Journal): Promise<void> {
  assert.ok(isEnough(journal), `${journal.first.size} requests`);
  for (const { key, row } of journal.replays) {
    assert.deepEqual({ ...row, replayed: false }, { ...journal.first.get(key)?.row });
  }
  for (const account of accounts) {
    await withDatabase(async (sql) => {
      assert.deepEqual([...await sql`select * from credit_reconciliation(${account.id})`], []);

      const entries = await sql`
        select entry_no, kind, amount, balance_after from credit_transactions
        where account_id = ${account.id} order by entry_no`;
      assert.deepEqual(
        entries.map((entry) => Number(entry.entry_no)),
        entries.map((_, i) => i + 1),
      );
      const asText = (entry: postgres.Row) =>
        `${entry.entry_no} ${entry.kind} ${Number(entry.amount)} ${Number(entry.balance_after)}`;
      const posted = ["deduct_credits", "capture_credit_hold", "refund_credits"]
        .flatMap((name) => journal.answers(name)).map(({ row }) => row)
        .filter((row) => row.account_id === account.id)
        .sort((a, b) => Number(a.entry_no) - Number(b.entry_no));
      assert.deepEqual(
        entries.filter((entry) => ["deduct", "capture", "refund"].includes(entry.kind)).map(asText),
        posted.map(asText),
      );

      const grants = await sql`
        select id from credit_grants where account_id = ${account.id} and source = 'load'`;
      assertSameIds(grants, answersOf(account, journal, "grant_credits"));
      const holds = await sql`select id from credit_holds where account_id = ${account.id}`;
      assertSameIds(holds, answersOf(account, journal, "hold_credits"));
      const released = await sql`
        select id from credit_holds where account_id = ${account.id} and status = 'released'`;
      assertSameIds(released, answersOf(account, journal, "release_credit_hold"));
    });
  }
  await assertKeys(accounts, journal);
}

function answersOf(account: Account, journal: Journal, name: string): postgres.Row[] {
  return journal.answers(name).map(({ row }) => row).filter((row) => row.account_id === account.id);
}

function assertSameIds(rows: postgres.Row[], answers: postgres.Row[]): void {
  const ids = (list: postgres.Row[]) => list.map(({ id }) => id).sort();
  assert.deepEqual(ids(rows), ids(answers));
}

/** Asserts that exactly the successful requests have stored their keys: in an entry, a hold, or with a response. */
async function assertKeys(accounts: Account[], journal: Journal): Promise<void> {
  const owners = accounts.flatMap(({ owner, spenders }) => [owner, ...spenders])
    .flatMap((owner) => Object.values(owner));
  const ids = accounts.map(({ id }) => id);
  const keys = [...journal.first.keys()].sort();
  const [found] = await withDatabase((sql) =>
    sql`
    with owners as (
      select value::uuid as id from jsonb_array_elements_text(${sql.json(owners)})
    ), accounts as (
      select value::uuid as id from jsonb_array_elements_text(${sql.json(ids)})
    ), stored as (
      select private.idempotency_id(k.owner_id, k.actor, k.key) as id from private.idempotency_keys as k
        where k.owner_id in (select id from owners)
      union
      select t.id from private.credit_transactions as t
        where t.account_id in (select id from accounts) and t.request_hash is not null
      union
      select h.id from private.credit_holds as h where h.account_id in (select id from accounts) and h.request_hash is not null
      union
      select h.id from private.ended_credit_holds as h where h.account_id in (select id from accounts) and h.request_hash is not null
      union
      select t.hold_id from private.credit_transactions as t
        where t.account_id in (select id from accounts) and t.hold ->> 'request_hash' is not null
    )
    select (select count(*)::integer from stored) as stored, (
      select coalesce(jsonb_agg(distinct k.key), '[]')
      from jsonb_array_elements_text(${sql.json(keys)}) as k (key)
      cross join owners as o
      join stored as s on s.id = private.idempotency_id(o.id, 'service', k.key)) as keys`
  );
  assert.deepEqual(found?.keys.sort(), keys);
  assert.equal(found?.stored, keys.length);
}

/** Asserts that what members have spent matches their entries and open holds. */
export async function assertAllowances(account: Account): Promise<void> {
  const rows = await withDatabase((sql) =>
    sql`
    select l.user_id, l.spent,
      coalesce((select -sum(t.amount) from credit_transactions as t
        where t.account_id = ${account.id} and t.actor_id = l.user_id
          and t.kind in ('deduct', 'capture', 'refund')), 0)
      + coalesce((select sum(h.amount) from credit_holds as h
        where h.account_id = ${account.id} and h.actor_id = l.user_id and h.status = 'held'), 0)
        as expected
    from credit_member_limits as l join credit_accounts as a on a.team_id = l.team_id
    where a.id = ${account.id}`
  );
  assert.equal(rows.length, account.spenders.length);
  for (const { spent, expected } of rows) assert.equal(Number(spent), Number(expected));
}
