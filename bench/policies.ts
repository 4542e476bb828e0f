/**
 * What the policies cost: frequent queries under row level security as a signed-in user. Compared with the same query
 * as a role that bypasses the policies, with the filter written out. The last column is the query under the policies
 * that the products' documents print (bare `auth.uid()`, a sub-query per row).
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";

import { applyMigrations } from "../stack/migrations.ts";
import { connect } from "../stack/postgres.ts";
import { noReport } from "../stack/progress.ts";
import { withScratchDatabase } from "../stack/scratch_database.ts";

/** Scales the number of rows: users in teams of 20, and their data. Use SCALE=0.01 to test the benchmark itself. */
const SCALE = Number(Deno.env.get("SCALE") ?? "1");
const TEAMS = Math.round(1_000 * SCALE);
const USERS = TEAMS * 20;
const MESSAGES = Math.round(1_000_000 * SCALE);
const TASKS = Math.round(100_000 * SCALE);

/** Runs of each query. The median counts. */
const RUNS = 301;

/** The aim for a query under row level security. */
const AIM = 1.2;

interface Query {
  name: string;
  /** The query as a client sends it. */
  text: string;
  /** The same query with the policies' filter, for a role that bypasses them. */
  bare: string;
}

const QUERIES: Query[] = [
  {
    name: "a conversation's messages",
    text:
      "select * from messages where conversation_id = $conversation order by created_at limit 50",
    bare:
      "select * from messages where conversation_id = $conversation order by created_at limit 50",
  },
  {
    name: "a project's messages",
    text: "select * from messages where project_id = $project order by sequence_number limit 50",
    bare: "select * from messages where project_id = $project order by sequence_number limit 50",
  },
  {
    name: "a user's tasks by date",
    text: "select * from tasks order by created_at desc limit 50",
    bare: "select * from tasks where user_id = $user order by created_at desc limit 50",
  },
  {
    name: "a team's projects",
    text: "select * from projects where team_id = $team order by updated_at desc limit 50",
    bare: "select * from projects where team_id = $team order by updated_at desc limit 50",
  },
  {
    name: "the list of conversations",
    text: "select id, title, updated_at from conversations order by updated_at desc limit 50",
    bare:
      "select id, title, updated_at from conversations where user_id = $user order by updated_at desc limit 50",
  },
  {
    name: "the list of chats",
    text: "select id, updated_at from encrypted_chats order by updated_at desc limit 50",
    bare:
      "select id, updated_at from encrypted_chats where user_id = $user order by updated_at desc limit 50",
  },
  {
    name: "full-text search in a user's projects",
    text:
      `select m.id from messages m join projects p on p.id = m.project_id where p.user_id = $user
      and to_tsvector('english', m.content::text) @@ to_tsquery('english', 'needle') limit 50`,
    bare:
      `select m.id from messages m join projects p on p.id = m.project_id where p.user_id = $user
      and to_tsvector('english', m.content::text) @@ to_tsquery('english', 'needle') limit 50`,
  },
];

/** The policies that the products' documents print. */
const LITERAL_POLICIES = `
  create policy literal on messages for select using (
    conversation_id in (select id from conversations where user_id = auth.uid())
    or exists (select 1 from projects where projects.id = messages.project_id
      and (auth.uid() = projects.user_id or projects.is_public = true
        or exists (select 1 from literal_team_members m
          where m.team_id = projects.team_id and m.user_id = auth.uid()))));
  create policy literal on tasks for all using (auth.uid() = user_id);
  create policy literal on conversations for select using (auth.uid() = user_id);
  create policy literal on encrypted_chats for select using (auth.uid() = user_id);
  create policy literal on projects for select using (auth.uid() = user_id or is_public = true
    or exists (select 1 from literal_team_members m
      where m.team_id = projects.team_id and m.user_id = auth.uid()));`;

async function fill(sql: Sql): Promise<void> {
  console.log(`Filling: ${MESSAGES} messages, ${TASKS} tasks, ${TEAMS} teams of 20 ...`);
  await sql.unsafe(`
    -- No triggers and no foreign keys: the rows are right, and there are many.
    set session_replication_role = replica;
    create function pg_temp.id(kind text, n int) returns uuid language sql immutable
      as $$ select md5(kind || n)::uuid $$;
    insert into auth.users (id, email) select pg_temp.id('user', n), n || '@example.com' from generate_series(1, ${USERS}) n;
    insert into profiles (id) select id from auth.users;
    insert into teams (id, name) select pg_temp.id('team', n), 'T' from generate_series(1, ${TEAMS}) n;
    insert into team_members (team_id, user_id, role)
      select pg_temp.id('team', (n - 1) / 20 + 1), pg_temp.id('user', n), case when n % 20 = 1 then 'owner' else 'member' end
      from generate_series(1, ${USERS}) n;
    insert into projects (id, user_id, team_id, title, updated_at)
      select pg_temp.id('project', n), pg_temp.id('user', n),
        case when n % 2 = 0 then pg_temp.id('team', (n - 1) / 20 + 1) end, 'P', now() - n * interval '1 second'
      from generate_series(1, ${USERS}) n;
    insert into conversations (id, user_id, updated_at)
      select pg_temp.id('conversation', n), pg_temp.id('user', (n - 1) % ${USERS} + 1), now() - n * interval '1 second'
      from generate_series(1, ${USERS} * 2) n;
    -- No envelopes: what is in a chat is not looked at, and its trigger would.
    alter table encrypted_chats disable trigger user;
    insert into encrypted_chats (user_id, encrypted_data, sync_sequence, updated_at)
      select pg_temp.id('user', (n - 1) % ${USERS} + 1), 'x', n, now() - n * interval '1 second' from generate_series(1, ${USERS} * 10) n;
    alter table encrypted_chats enable trigger user;
    insert into messages (user_id, conversation_id, role, content, created_at)
      select pg_temp.id('user', (n - 1) % ${USERS} + 1), pg_temp.id('conversation', (n - 1) % (${USERS} * 2) + 1), 'user', to_jsonb('some words to read ' || n),
        now() - n * interval '1 second' from generate_series(1, ${MESSAGES} / 2) n;
    insert into messages (user_id, project_id, role, content, sequence_number)
      select pg_temp.id('user', (n - 1) % ${USERS} + 1), pg_temp.id('project', (n - 1) % ${USERS} + 1), 'user',
        to_jsonb(case when n % 1000 = 0 then 'a needle ' else 'some hay ' end || n), (n - 1) / ${USERS}
      from generate_series(1, ${MESSAGES} / 2) n;
    insert into tasks (user_id, prompt, created_at)
      select pg_temp.id('user', (n - 1) % ${USERS} + 1), 'x', now() - n * interval '1 second' from generate_series(1, ${TASKS}) n;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
}

const BOUND: Record<string, string> = {
  $user: "md5('user2')::uuid",
  $team: "md5('team1')::uuid",
  $project: "md5('project2')::uuid",
  $conversation: "md5('conversation2')::uuid",
};

/** Replaces placeholders with constants. */
function bind(text: string): string {
  return text.replace(/\$\w+/g, (name) => BOUND[name] ?? name);
}

/** The median time of a statement in milliseconds, and whether its plan scans a whole table. */
async function measure(
  sql: TransactionSql,
  text: string,
): Promise<{ milliseconds: number; scans: string[] }> {
  const plan = await sql.unsafe(`explain ${text}`);
  const scans = plan.map((row) => String(row["QUERY PLAN"]))
    .filter((line) =>
      /Seq Scan on (messages|tasks|projects|conversations|encrypted_chats|team_members)/.test(line)
    );
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    // Prepared and planned once, like in PostgREST.
    await sql.unsafe(text, [], { prepare: true });
    times.push(performance.now() - start);
  }
  return { milliseconds: times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? NaN, scans };
}

async function asUser(sql: TransactionSql): Promise<void> {
  await sql.unsafe(`
    select set_config('request.jwt.claims', json_build_object('sub', md5('user2')::uuid, 'role', 'authenticated')::text, true);
    set local role authenticated;
  `).simple();
}

await withScratchDatabase(async (access) => {
  const sql = connect(access, "postgres");
  await applyMigrations(sql, noReport);
  const admin = connect(access, "supabase_admin");
  await fill(admin);
  await admin.end();

  const bare = new Map<string, number>();
  const secured = new Map<string, { milliseconds: number; scans: string[] }>();
  const literal = new Map<string, { milliseconds: number; scans: string[] }>();
  await sql.begin(async (transaction) => {
    for (const query of QUERIES) {
      bare.set(query.name, (await measure(transaction, bind(query.bare))).milliseconds);
    }
    await asUser(transaction);
    for (const query of QUERIES) {
      secured.set(query.name, await measure(transaction, bind(query.text)));
    }
  });
  await sql.begin(async (transaction) => {
    const policies = await transaction`select policyname, tablename from pg_policies
      where schemaname = 'public' and tablename in ('messages', 'tasks', 'conversations', 'encrypted_chats', 'projects')`;
    for (const { policyname, tablename } of policies) {
      await transaction.unsafe(`drop policy "${policyname}" on ${tablename}`);
    }
    // As printed, the policies of team_members recurse without end, so a table without policies replaces it.
    await transaction.unsafe(`
      create table literal_team_members as select team_id, user_id from team_members;
      create index on literal_team_members (user_id);
      grant select on literal_team_members to authenticated;
      ${LITERAL_POLICIES}`).simple();
    await asUser(transaction);
    for (const query of QUERIES) {
      literal.set(query.name, await measure(transaction, bind(query.text)));
    }
    throw new Error("undo");
  }).catch((error) => {
    if (error.message !== "undo") throw error;
  });
  await sql.end();

  console.log(
    `\nMedian of ${RUNS} runs; aim: at most ${AIM} times the bare query, and no sequential scan\n`,
  );
  console.log(
    "query                                     bare      policies          as documented",
  );
  for (const { name } of QUERIES) {
    const base = bare.get(name) ?? NaN;
    const show = (result?: { milliseconds: number; scans: string[] }) =>
      `${(result?.milliseconds ?? NaN).toFixed(2).padStart(8)} ms (x${
        ((result?.milliseconds ?? NaN) / base).toFixed(2)
      })${result?.scans.length ? " SCAN" : ""}`;
    console.log(
      `${name.padEnd(38)} ${base.toFixed(2).padStart(6)} ms ${show(secured.get(name))}  ${
        show(literal.get(name))
      }`,
    );
    for (const scan of secured.get(name)?.scans ?? []) console.log(`    ${scan.trim()}`);
  }
});
