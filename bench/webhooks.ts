/**
 * What a webhook costs in the database: an event that grants credits compared with the grant and a row in the inbox, the
 * minimum that keeps the event, and with the grant alone; a repeated event compared with looking up a unique key, the
 * minimum to recognize it.
 *
 * @module
 */

import type { Sql } from "postgres";

import { connect } from "../stack/postgres.ts";
import { compare, CONNECTIONS, print, SCALE, warmUp, withDatabase } from "./throughput.ts";

const TYPE = "checkout.session.completed";

const ACCOUNTS = Math.max(10, Math.round(10_000 * SCALE));

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  await admin`
    insert into auth.users (id, email)
    select gen_random_uuid(), n || '@example.com' from generate_series(1, ${ACCOUNTS}) as n`;
  await admin`insert into stripe_prices (id, credits) values ('price_bench', 0.0001)`;
  const users = (await admin`select id from auth.users`).map(({ id }) => id as string);
  const anyone = () => users[Math.floor(Math.random() * users.length)] ?? "";
  const connections = Array.from({ length: CONNECTIONS }, () => connect(access, "postgres"));
  let events = 0;

  const payload = (sql: Sql, n: number, user: string) =>
    sql.json({
      id: `evt_${n}`,
      object: "event",
      api_version: "2026-10-28.endive",
      type: TYPE,
      created: 1790000000,
      data: {
        object: {
          id: `cs_${n}`,
          mode: "payment",
          payment_status: "paid",
          payment_intent: `pi_${n}`,
          customer: `cus_${user}`,
          client_reference_id: user,
          amount_total: 900,
          currency: "eur",
          metadata: { price_id: "price_bench" },
        },
      },
    });
  const receive = (sql: Sql, n: number, user: string) =>
    sql`select outcome from receive_webhook_event('stripe', ${`evt_${n}`}, ${TYPE}, ${
      payload(sql, n, user)
    }, '2026-11-01')`;
  const purchase = (sql: Sql) => receive(sql, events++, anyone());
  const grant = (sql: Sql) => {
    const n = events++;
    return sql`select id from grant_credits(user_id => ${anyone()}, amount => 0.0001, source => 'stripe',
      external_reference => ${`bench:${n}`}, description => ${`Payment ${n}`})`;
  };
  const grantAndKeep = (sql: Sql) => {
    const [n, user] = [events++, anyone()];
    return sql`
      with event as (
        insert into webhook_events (provider, event_id, type, event_created_at, payload, outcome, attempts, processed_at, result)
        values ('stripe', ${`kept_${n}`}, ${TYPE}, '2026-11-01', ${
      payload(sql, n, user)
    }, 'processed', 1,
          clock_timestamp(), '{"credits": 0.0001}'))
      select id from grant_credits(user_id => ${user}, amount => 0.0001, source => 'stripe',
        external_reference => ${`bench:${n}`}, description => ${`Payment ${n}`})`;
  };
  const repeat = (sql: Sql) => receive(sql, 0, users[0] ?? "");
  const look = (sql: Sql) =>
    sql`select outcome from webhook_events where provider = 'stripe' and event_id = 'evt_0'`;

  await warmUp(connections, [purchase, grantAndKeep, grant]);
  await admin`analyze`;
  console.log(`
${CONNECTIONS} connections, ${ACCOUNTS} accounts. An event that grants also knows its customer and its payment. To keep
the event is what the inbox is for: the reference is a grant that inserts one row of webhook_events too
`);
  console.log(`${"".padEnd(48)} ${"ours".padStart(17)}  ${"reference".padStart(17)}`);
  const [ours = [], kept = [], alone = []] = await compare(connections, [
    purchase,
    grantAndKeep,
    grant,
  ]);
  print("an event that grants; a grant and the event's row", ours, kept, 0.7);
  print("an event that grants; the grant alone", ours, alone);
  const [repeats = [], looks = []] = await compare(connections, [repeat, look]);
  print("a repeat of an event; a look at its key", repeats, looks);

  const problems = await admin`select * from credit_reconciliation() limit 3`;
  if (problems.length > 0) throw new Error(`The books do not agree: ${JSON.stringify(problems)}`);
  await Promise.all([...connections, admin].map((sql) => sql.end()));
});
