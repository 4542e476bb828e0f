/**
 * What the credit ledger costs: charges and holds through the database's functions on 16 connections. Compared
 * with the minimum, one statement that changes a balance and inserts a line about it, and with the three
 * statements in a transaction that a client would send without a function.
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
  print,
  ratio,
  ROUND_SECONDS,
  ROUNDS,
  SCALE,
  warmUp,
  withDatabase,
} from "./throughput.ts";

const ACCOUNTS = Math.round(10_000 * SCALE);
const ENTRIES = Math.round(10_000_000 * SCALE);

/** Creates users with 100 credits each, like a sign-up does, and equivalent accounts without a ledger. */
async function fill(sql: Sql): Promise<string[]> {
  await sql.unsafe(`
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
    insert into bench.accounts (id, balance) select id, 100 from auth.users;
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
    create temporary table filled as
      select a.id, a.user_id, a.version, a.balance, a.updated_at, g.id as grant_id,
        jsonb_build_array(private.credit_allocation(g.id, -0.0001)) as allocations
      from public.credit_accounts as a
      cross join lateral (
        select g.id from public.credit_grants as g where g.account_id = a.id order by g.created_at limit 1
      ) as g;
    insert into public.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, allocations)
      select f.id, f.version + n, 'deduct', -0.0001, f.balance - n * 0.0001, 'service', f.user_id, f.updated_at,
        f.allocations
      from generate_series(1, ${each}) as n cross join filled as f;
    insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
      select f.user_id, 'service', md5(n::text || f.id), repeat('0', 64), s.response
      from filled as f
      cross join generate_series(1, ${each} / 2) as n
      cross join (select k.response from private.idempotency_keys as k limit 1) as s;
    update public.credit_accounts as a
      set version = a.version + ${each}, balance = a.balance - ${each} * 0.0001
      from filled as f where a.id = f.id;
    update public.credit_grants as g set remaining = g.remaining - ${each} * 0.0001
      from filled as f where g.id = f.grant_id;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
  await sql.unsafe("checkpoint").simple();
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
    const [hold] = await sql`select id from hold_credits(user_id => ${anyone()}, amount => 0.0001)`;
    await sql`select * from capture_credit_hold(hold_id => ${hold?.id})`;
  };
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
  print("a charge; the minimum", ours, reference, 0.6);
  print("a charge; three statements in a transaction", ours, trips, 1.5);
  const [oursHot = [], referenceHot = []] = await compare(connections, [chargeHot, updateHot]);
  print("charges to one account; bare updates of one row", oursHot, referenceHot, 0.6);
  const [oursTwo = [], referenceTwo = []] = await compare(connections, [
    holdAndCapture,
    leastTwice,
  ]);
  print("a hold and its capture; the minimum, twice", oursTwo, referenceTwo);

  const problems = await admin`select * from credit_reconciliation() limit 3`;
  if (problems.length > 0) throw new Error(`The books do not agree: ${JSON.stringify(problems)}`);

  await fillHistory(admin);
  const [oursLater = [], referenceLater = []] = await compare(connections, [
    charge,
    least,
  ]);
  print(`a charge after ${ENTRIES} more entries; the minimum`, oursLater, referenceLater);
  const kept = ratio(oursLater, referenceLater) / ratio(ours, reference);
  console.log(
    `\nWith the longer history a charge has x${kept.toFixed(2)} of its speed${judge(kept, 0.85)}`,
  );

  await Promise.all([...connections, admin].map((sql) => sql.end()));
});
