/**
 * What the routes of credits cost for accounts with a long history: the pages (buffers) that PostgreSQL touches for each,
 * with 10, 1,000 and 100,000 grants, open holds and entries. A route that follows the request and not the account
 * touches about as many for each. The reference is the smallest account.
 *
 * Then, how long a charge waits for an account on which 100,000 holds and 20,000 grants have ended, and for its neighbour.
 *
 * @module
 */

import type { Sql } from "postgres";

import { connect } from "../stack/postgres.ts";
import { SCALE, withDatabase } from "./throughput.ts";

const SIZES = [10, 1_000, Math.round(100_000 * SCALE)];
/** Ended holds and grants of the account that is settled. */
const [ENDED_HOLDS, ENDED_GRANTS] = [Math.round(100_000 * SCALE), Math.round(20_000 * SCALE)];
/** How many times as many pages the largest account may touch: log 100,000 / log 10. */
const MOST_TIMES = 5;

/** Creates a user whose account has `size` grants, open holds and entries. The books agree. */
async function fillAccount(sql: Sql, size: number): Promise<string> {
  const user = crypto.randomUUID();
  await sql.unsafe(`
    insert into auth.users (id, email) values ('${user}', '${user}@example.com');
    create temporary table made as
      select a.id as account_id, a.head_grant_id, a.updated_at as created_at, gen_random_uuid() as id, n
      from public.credit_accounts as a cross join generate_series(1, ${size}) as n where a.user_id = '${user}';
    insert into private.credit_grants
        (id, account_id, category, amount, remaining, priority, status, effective_at, source, created_at)
      select id, account_id, 'paid', 1, 1, 60, 'active', created_at, 'bench', created_at from made;
    insert into private.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, created_at, grant_id)
      select account_id, 1 + n, 'grant', 1, 100 + n, 'service', created_at, id from made;
    insert into private.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, grant_id)
      select account_id, 1 + ${size} + n, 'deduct', -0.0001, 100 + ${size} - n * 0.0001, 'service', '${user}', created_at,
        head_grant_id
      from made;
    insert into private.credit_holds (account_id, created_at, expires_at, grant_id, actor_id, amount)
      select account_id, now(), now() + interval '1 day' + n * interval '1 millisecond', head_grant_id, '${user}', 0.0001
      from made;
    update public.credit_accounts as a
      set balance = 100 + ${size} - ${size} * 0.0001, version = 1 + 2 * ${size}, live_grants = 1 + ${size},
        open_holds = ${size}, held = ${size} * 0.0001, head_held = ${size} * 0.0001, head_free = 100 - 2 * ${size} * 0.0001,
        next_due_at = (select min(h.expires_at) from private.credit_holds as h where h.account_id = a.id)
      where a.user_id = '${user}';
    drop table made;
  `).simple();
  return user;
}

/** The statements of the routes, and of what an app reads directly. */
const ROUTES: Record<string, string> = {
  "POST /deduct":
    "select deduct_credits({user}, amount => 0.0001, idempotency_key => gen_random_uuid()::text)",
  "POST /deduct, three grants":
    "select deduct_credits({user}, amount => (select head_free + 2 from a))",
  "POST /quote": `select quote_credits('[{"sku": "bench", "quantity": 1}]', {user})`,
  "POST /holds": "select hold_credits({user}, 0.0001, idempotency_key => gen_random_uuid()::text)",
  "POST /holds, three grants": "select hold_credits({user}, (select head_free + 2 from a))",
  "POST /holds/ID/capture":
    "select capture_credit_hold((select id from h), idempotency_key => gen_random_uuid()::text)",
  "POST /holds/ID/release": "select release_credit_hold((select id from h))",
  "POST /grants": "select grant_credits({user}, 5, expires_at => now() + interval '1 hour')",
  "POST /grants/ID/void": "select void_credit_grant((select id from g), 'me', 'bench')",
  "POST /refunds": "select refund_credits((select id from a), (select version from a))",
  "PUT /overdraft": "select set_credit_overdraft(5, {user})",
  "PUT /alert": "select set_credit_alert(5, {user})",
  "GET /statement, a page of 100":
    "select credit_statement(date_trunc('month', now() at time zone 'UTC')::date, {user}, page_size => 100)",
  "GET /": "select * from user_credits where user_id = {user}",
  "credit_balance_at()":
    "select credit_balance_at((select id from a), now() - interval '1 second')",
  "the newest 50 entries, as the user":
    "select * from credit_transactions where account_id = (select id from a) and entry_no < 1e9 order by entry_no desc limit 50",
};

/** Pages that a statement touches when it runs for the second time. */
async function pagesOf(sql: Sql, statement: string, user: string): Promise<number> {
  let pages = NaN;
  const text = statement.replaceAll("{user}", `'${user}'`);
  const names =
    `with a as materialized (select * from public.credit_accounts where user_id = '${user}'),
    h as materialized (select h.id from private.credit_holds as h join a on h.account_id = a.id limit 1),
    g as materialized (select g.id from private.credit_grants as g join a on g.account_id = a.id where priority = 60 limit 1)`;
  const [given] = await sql.unsafe(
    `${names} select a.id as a, a.head_free, a.version, h.id as h, g.id as g from a, h, g`,
  );
  const filled = text.replaceAll("(select id from a)", `'${given?.a}'`).replaceAll(
    "(select id from h)",
    `'${given?.h}'`,
  )
    .replaceAll("(select id from g)", `'${given?.g}'`).replaceAll(
      "(select version from a)",
      given?.version,
    )
    .replaceAll("(select head_free + 2 from a)", `${Number(given?.head_free) + 2}`);
  for (let run = 0; run < 2; run++) {
    await sql.unsafe("begin").simple();
    if (statement.includes("order by entry_no")) {
      await sql.unsafe(
        `select set_config('request.jwt.claims', '{"sub": "${user}", "role": "authenticated"}', true);
        set local role authenticated`,
      ).simple();
    }
    const [row] = await sql.unsafe(`explain (analyze, buffers, format json) ${filled}`);
    const plan = row?.["QUERY PLAN"][0].Plan;
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    await sql.unsafe("rollback").simple();
  }
  return pages;
}

/** Makes an account on which much has ended, and charges it and another one until it is settled. */
async function settleAccount(sql: Sql): Promise<void> {
  const [user, neighbour] = [await fillAccount(sql, ENDED_HOLDS), await fillAccount(sql, 10)];
  await sql.unsafe(`
    set session_replication_role = replica;
    create temporary table account as select * from public.credit_accounts where user_id = '${user}';
    update private.credit_holds as h set created_at = h.created_at - interval '3 days', expires_at = h.expires_at - interval '2 days'
      from account as a where h.account_id = a.id;
    update private.credit_grants as g
      set effective_at = g.effective_at - interval '3 days', created_at = g.created_at - interval '3 days',
        expires_at = now() - interval '1 day' + n * interval '1 millisecond'
      from (
        select g.id, row_number() over () as n from private.credit_grants as g join account as a on g.account_id = a.id
        where g.priority = 60 limit ${ENDED_GRANTS}
      ) as x where g.id = x.id;
    update private.credit_transactions as t set created_at = t.created_at - interval '3 days'
      from account as a where t.account_id = a.id;
    update public.credit_accounts as a set next_due_at = now() - interval '2 days', updated_at = a.updated_at - interval '3 days'
      where a.user_id = '${user}';
    drop table account;
    set session_replication_role = origin;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
  const timed = async (of: string) => {
    const start = performance.now();
    await sql`select deduct_credits(${of}, amount => 0.0001)`;
    return performance.now() - start;
  };
  await timed(neighbour);
  const [waits, neighbours]: [number[], number[]] = [[], []];
  let due = true;
  while (due) {
    waits.push(await timed(user));
    neighbours.push(await timed(neighbour));
    const [row] = await sql`
      select coalesce(next_due_at <= now(), false) as due from credit_accounts where user_id = ${user}`;
    due = row?.due;
  }
  const longest = Math.max(...waits);
  console.log(
    `\n${ENDED_HOLDS} holds and ${ENDED_GRANTS} grants of one account have ended. Settled in ${waits.length} charges: the first took ` +
      `${waits[0]?.toFixed(0)} ms, the longest ${longest.toFixed(0)} ms (aim 1000${
        longest > 1000 ? " MISSED" : ""
      }); one to a ` +
      `neighbour meanwhile ${Math.max(...neighbours).toFixed(1)} ms at most`,
  );
}

await withDatabase(async (access) => {
  const sql = connect(access, "supabase_admin");
  await sql.unsafe(
    `insert into public.credit_prices (sku, unit, price, effective_from) values ('bench', 'one', 1, '2020-01-01');
    update private.settings set value = maximum where name in ('credits.open_holds', 'credits.live_grants')`,
  ).simple();
  const users: string[] = [];
  for (const size of SIZES) users.push(await fillAccount(sql, size));
  const problems = await sql`select * from credit_reconciliation() limit 3`;
  if (problems.length > 0) throw new Error(`The books do not agree: ${JSON.stringify(problems)}`);
  // A statement adds up a month once, and then only what has come since.
  const statement = ROUTES["GET /statement, a page of 100"] ?? "";
  for (const user of users) await sql.unsafe(statement.replaceAll("{user}", `'${user}'`));
  await sql.unsafe("vacuum analyze").simple();
  console.log(`\nPages touched, for accounts with as many grants, open holds and entries\n`);
  console.log(`${"".padEnd(36)} ${SIZES.map((size) => String(size).padStart(9)).join(" ")}`);
  for (const [name, statement] of Object.entries(ROUTES)) {
    const pages: number[] = [];
    for (const user of users) pages.push(await pagesOf(sql, statement, user));
    const times = (pages.at(-1) ?? NaN) / (pages[0] ?? NaN);
    console.log(
      `${name.padEnd(36)} ${pages.map((count) => String(count).padStart(9)).join(" ")}  x${
        times.toFixed(1)
      }` +
        (times > MOST_TIMES ? `, aim x${MOST_TIMES} MISSED` : ""),
    );
  }
  await settleAccount(sql);
  const after = await sql`select * from credit_reconciliation() limit 3`;
  if (after.length > 0) throw new Error(`The books do not agree: ${JSON.stringify(after)}`);
  await sql.end();
});
