/**
 * What the credit ledger costs: charges and holds through the database's functions on 16 connections. Compared
 * with the minimum, one statement that changes a balance and inserts a line about it, and with the three
 * statements in a transaction that a client would send without a function. Every charge has an idempotency key; the
 * references have none.
 *
 * PostgreSQL is durable, as in production; with DURABLE=0 it is not.
 *
 * @module
 */

import type { Sql } from "postgres";

import { connect } from "../stack/postgres.ts";
import {
  compare,
  CONNECTIONS,
  DURABLE,
  judge,
  NOTHING_LEFT,
  print,
  ratio,
  ROUND_SECONDS,
  ROUNDS,
  SCALE,
  warmUp,
  withDatabase,
} from "./throughput.ts";

const ACCOUNTS = Math.round(10_000 * SCALE);
const TEAMS = Math.max(1, Math.round(1_000 * SCALE));
const ENTRIES = Math.round(10_000_000 * SCALE);

/** Creates users with credits, like a sign-up does, and equivalent accounts without a ledger. */
async function fill(sql: Sql): Promise<string[]> {
  await sql.unsafe(`
    update private.settings set value = 10000 where name = 'credits.signup_amount';
    insert into auth.users (id, email)
      select gen_random_uuid(), n || '@example.com' from generate_series(1, ${ACCOUNTS}) as n;
    create schema bench authorization postgres;
    set role postgres;
    create table bench.accounts (
      id uuid primary key,
      balance numeric(15, 4) not null check (balance >= 0),
      version bigint not null default 0
    );
    create table bench.entries (
      account_id uuid not null,
      entry_no bigint not null,
      amount numeric(15, 4) not null,
      balance_after numeric(15, 4) not null,
      created_at timestamptz not null default clock_timestamp(),
      primary key (account_id, entry_no)
    );
    insert into bench.accounts (id, balance) select id, 10000 from auth.users;
    insert into public.credit_prices (sku, unit, price, effective_from) values ('bench', 'one', 0.0001, '2020-01-01');
    insert into public.teams (id, name) select gen_random_uuid(), 'Bench' from generate_series(1, ${TEAMS});
    insert into public.team_members (team_id, user_id, role)
      select t.id, u.id, 'owner' from (select id, row_number() over () as n from public.teams) as t
      join (select id, row_number() over () as n from auth.users) as u on u.n = t.n;
    update public.credit_member_limits set credit_limit = 1000000;
    select public.grant_credits(team_id => t.id, amount => 10000) from public.teams as t;
    reset role;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
  return (await sql`select id from bench.accounts`).map(({ id }) => id);
}

/**
 * Adds entries to the history of every account and idempotency keys for half of them, as if they had been charged one
 * after another. The books still agree.
 */
async function fillHistory(sql: Sql): Promise<void> {
  const each = Math.round(ENTRIES / ACCOUNTS);
  await sql.unsafe(`
    -- No triggers and no foreign keys: the rows are right, and there are many.
    set session_replication_role = replica;
    set synchronous_commit = off;
    insert into private.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, grant_id, id,
          request_hash)
      select a.id, a.version + n, 'deduct', -0.0001, a.balance - n * 0.0001, 'service', a.user_id, a.updated_at,
        a.head_grant_id, gen_random_uuid(), sha256('')
      from generate_series(1, ${each}) as n cross join public.credit_accounts as a where a.user_id is not null;
    update public.credit_accounts as a
      set version = a.version + ${each}, balance = a.balance - ${each} * 0.0001,
        head_free = a.head_free - ${each} * 0.0001
      where a.user_id is not null;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
  await sql.unsafe("checkpoint").simple();
}

/** Gives every user's account a hold that has expired, unless it has one. */
async function expireHolds(sql: Sql): Promise<void> {
  await sql.unsafe(`
    with held as (
      update public.credit_accounts as a
      set held = a.held + 0.0001, head_free = a.head_free - 0.0001, head_held = a.head_held + 0.0001, open_holds = 1,
        next_due_at = now() - interval '1 minute'
      where a.user_id is not null and a.open_holds = 0
      returning a.*
    )
    insert into private.credit_holds (account_id, created_at, expires_at, grant_id, actor_id, amount)
      select a.id, now() - interval '1 hour', now() - interval '1 minute', a.head_grant_id, a.user_id, 0.0001
      from held as a;
  `).simple();
  await sql.unsafe("vacuum public.credit_accounts, private.credit_holds").simple();
}

/** Settles all accounts: the holds that a turn has left would be settled by charges that are to be compared with it. */
async function settleAccounts(sql: Sql): Promise<void> {
  await sql.unsafe(`
    select private.settle_credit_account(a, clock_timestamp()) from public.credit_accounts as a
    where a.next_due_at <= clock_timestamp();
  `).simple();
  await sql.unsafe("vacuum public.credit_accounts, private.credit_holds").simple();
}

/** Bytes of WAL for one charge: without full pages, which depend on the time since the last checkpoint. */
async function walOfACharge(admin: Sql, charge: () => Promise<unknown>): Promise<number> {
  await admin.unsafe("alter system set full_page_writes = off").simple();
  await admin`select pg_reload_conf()`;
  for (let n = 0; n < 100; n++) await charge();
  const written = async () =>
    Number((await admin`select pg_current_wal_insert_lsn() - '0/0' as bytes`)[0]?.bytes);
  const [count, before] = [1000, await written()];
  for (let n = 0; n < count; n++) await charge();
  const bytes = (await written() - before) / count;
  await admin.unsafe("alter system reset full_page_writes").simple();
  await admin`select pg_reload_conf()`;
  return bytes;
}

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  const users = await fill(admin);
  const connections = Array.from({ length: CONNECTIONS }, () => connect(access, "postgres"));
  const anyone = () => users[Math.floor(Math.random() * users.length)] ?? "";
  const [hot = ""] = users;
  let keys = 0;

  const charge = (sql: Sql, user = anyone()) =>
    sql`select * from deduct_credits(user_id => ${user}, amount => 0.0001, idempotency_key => ${`bench-${keys++}`})`;
  const least = (sql: Sql) =>
    sql`with account as (
        update bench.accounts set balance = balance - 0.0001, version = version + 1
        where id = ${anyone()} returning id, version, balance
      )
      insert into bench.entries (account_id, entry_no, amount, balance_after)
      select id, version, -0.0001, balance from account returning *`;
  const threeTrips = (sql: Sql) =>
    sql.begin(async (transaction) => {
      const id = anyone();
      const [account] = await transaction`
        select balance, version from bench.accounts where id = ${id} for update`;
      const balance = (Number(account?.balance) - 0.0001).toFixed(4);
      const version = Number(account?.version) + 1;
      await transaction`
        update bench.accounts set balance = ${balance}, version = ${version} where id = ${id}`;
      await transaction`insert into bench.entries (account_id, entry_no, amount, balance_after)
        values (${id}, ${version}, -0.0001, ${balance})`;
    });
  const chargeHot = (sql: Sql) => charge(sql, hot);
  const updateHot = (sql: Sql) =>
    sql`update bench.accounts set balance = balance - 0.0001, version = version + 1 where id = ${hot}`;
  const holdAndCapture = async (sql: Sql) => {
    const [hold] = await sql`select id from hold_credits(user_id => ${anyone()}, amount => 0.0001,
      idempotency_key => ${`hold-${keys++}`})`;
    await sql`select * from capture_credit_hold(hold_id => ${hold?.id}, idempotency_key => ${`capture-${keys++}`})`;
  };
  const chargeSku = (sql: Sql) =>
    sql`select * from deduct_credits(user_id => ${anyone()}, sku => 'bench', quantity => 1,
      idempotency_key => ${`bench-${keys++}`})`;
  const members = await admin`select team_id, user_id from team_members`;
  const chargeMember = (sql: Sql) => {
    const { team_id, user_id } = members[Math.floor(Math.random() * members.length)] ?? {};
    return sql`select * from deduct_credits(team_id => ${team_id}, user_id => ${user_id}, amount => 0.0001,
      idempotency_key => ${`bench-${keys++}`})`;
  };
  let expired: string[] = [];
  const chargeExpired = {
    prepare: async () => {
      await expireHolds(admin);
      expired = [...users];
    },
    work: async (sql: Sql) => {
      const user = expired.pop();
      return user ? await charge(sql, user) : NOTHING_LEFT;
    },
  };
  const chargeSettled = { prepare: () => settleAccounts(admin), work: (sql: Sql) => charge(sql) };
  const leastTwice = async (sql: Sql) => {
    await least(sql);
    await least(sql);
  };

  // Updates statistics: plans made for empty tables read all rows until autovacuum runs.
  await warmUp(connections, [charge, least, holdAndCapture]);
  await admin`analyze`;

  console.log(
    `\n${CONNECTIONS} connections, ${ACCOUNTS} accounts, median of ${ROUNDS} rounds of ${ROUND_SECONDS} s, ` +
      `${
        DURABLE ? "durable" : "not durable"
      }; the client's CPU time for one is next to each speed\n`,
  );
  console.log(`${"".padEnd(48)} ${"ours".padStart(17)}  ${"reference".padStart(17)}`);
  const [ours = [], reference = [], trips = []] = await compare(connections, [
    charge,
    least,
    threeTrips,
  ]);
  print("(a) a charge; the minimum", ours, reference, 0.65);
  print("(b) a charge; three statements in a transaction", ours, trips, 1.6);
  const [oursHot = [], referenceHot = []] = await compare(connections, [chargeHot, updateHot]);
  print("(c) charges to one account; bare updates of a row", oursHot, referenceHot, 0.65);
  const [oursTwo = [], referenceTwo = []] = await compare(connections, [
    holdAndCapture,
    leastTwice,
  ]);
  print("(e) a hold and its capture; the minimum, twice", oursTwo, referenceTwo, 0.55);
  // Before holds expire, whose settlement would count as the charge's.
  const wal = await walOfACharge(admin, () => charge(admin));
  console.log(`WAL of a charge: ${wal.toFixed(0)} bytes, aim 850${wal > 850 ? " MISSED" : ""}`);
  const [plain = [], ofSku = [], ofMember = [], ofExpired = []] = await compare(connections, [
    chargeSettled,
    chargeSku,
    chargeMember,
    chargeExpired,
  ]);
  print("a charge for a sku; a charge", ofSku, plain, 0.75);
  print("a charge for a member with a limit; a charge", ofMember, plain, 0.75);
  print("a charge that meets an expired hold; a charge", ofExpired, plain, 0.75);

  const problems = await admin`select * from credit_reconciliation() limit 3`;
  if (problems.length > 0) throw new Error(`The books do not agree: ${JSON.stringify(problems)}`);

  await fillHistory(admin);
  const [oursLater = [], referenceLater = []] = await compare(connections, [
    charge,
    least,
  ]);
  print(`(d) a charge after ${ENTRIES} more entries; the minimum`, oursLater, referenceLater);
  const kept = ratio(oursLater, referenceLater) / ratio(ours, reference);
  console.log(
    `\nWith the longer history a charge has x${kept.toFixed(2)} of its speed${judge(kept, 0.9)}`,
  );

  await Promise.all([...connections, admin].map((sql) => sql.end()));
});
