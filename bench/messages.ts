/**
 * What messages cost: saving one through the database's function compared with a fair reference, and with a plain insert
 * that also updates the project's time; a batch compared with single requests; the newest page of small and large
 * projects; and full-text search with and without its index.
 *
 * The fair reference is the shortest function that does the same work on the same tables: it finds the user's project
 * and sets its time, inserts the message under the next number, and keeps the key if there is one. It writes into the
 * project's own tables, so it pays for the same indexes, triggers and constraints, and like `save_messages` it is a
 * definer's, without row level security. It reads no JSON, validates nothing, recognises no repeat, and knows projects
 * only.
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
  print,
  ROUND_SECONDS,
  ROUNDS,
  SCALE,
  withDatabase,
  type Work,
} from "./throughput.ts";

/** Users, each with their own project. */
const USERS = Math.max(32, Math.round(1_000 * SCALE));
/** Messages in each of these projects once they are filled. */
const MESSAGES = 1_000;
/** Messages in the largest project. */
const MOST = Math.round(1_000_000 * SCALE);
/** One in this many messages has the words of the search. */
const FOUND = 200;

const BATCH = 100;

/** Runs of each query. The median counts. */
const RUNS = 101;

const CONTENT = {
  type: "text",
  text: "How do I fix the login form? It reloads the page as it is.",
};

/** Creates users with a project each, and minimal tables that keep a project's messages in order. */
async function fill(sql: Sql): Promise<void> {
  await sql.unsafe(`
    insert into auth.users (id, email)
      select md5('user' || n)::uuid, n || '@example.com' from generate_series(1, ${USERS}) as n;
    insert into projects (id, user_id, title)
      select md5('project' || n)::uuid, md5('user' || n)::uuid, 'P' from generate_series(1, ${USERS}) as n;
    create schema bench;
    grant usage on schema bench to postgres;
    alter default privileges in schema bench grant all on tables to postgres;
    create table bench.projects (id uuid primary key, updated_at timestamptz not null default now());
    create table bench.messages (
      id uuid primary key default gen_random_uuid(), project_id uuid not null, role text not null,
      content jsonb not null, sequence_number integer not null, created_at timestamptz not null default now(),
      unique (project_id, sequence_number)
    );
    insert into bench.projects (id) select id from public.projects;
    create function bench.save_message(user_id uuid, project_id uuid, role text, content jsonb, key text)
    returns public.messages language plpgsql volatile security definer set search_path = ''
    as $$
    declare
      v_saved public.messages;
    begin
      update public.projects as p set updated_at = now()
      where p.id = save_message.project_id and p.status <> 'deleted' and (p.user_id = save_message.user_id or exists (
        select 1 from public.team_members as m where m.team_id = p.team_id and m.user_id = save_message.user_id));
      if not found then
        raise exception 'There is no such project';
      end if;
      insert into public.messages as m (project_id, role, content, sequence_number)
      values (save_message.project_id, save_message.role::public.message_role_enum, save_message.content, (
        select coalesce(max(x.sequence_number) + 1, 0) from public.messages as x
        where x.project_id = save_message.project_id))
      returning m.* into v_saved;
      if key is not null then
        insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
        values (save_message.user_id, 'service', save_message.key,
          encode(sha256(convert_to(jsonb_build_array(project_id, role, content)::text, 'UTF8')), 'hex'),
          to_jsonb(v_saved.id));
      end if;
      return v_saved;
    end $$;
    grant execute on function bench.save_message(uuid, uuid, text, jsonb, text) to postgres;
    -- Not empty: plans made for an empty table read all of it, and stay until it is analysed again.
    set session_replication_role = replica;
    insert into messages (user_id, project_id, role, content, sequence_number)
      select p.user_id, p.id, 'user', '"Hello"', n from projects as p cross join generate_series(0, 19) as n;
    insert into bench.messages (project_id, role, content, sequence_number)
      select m.project_id, 'user', m.content, m.sequence_number from messages as m;
    reset session_replication_role;
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
}

/** Fills the projects, and adds a project of 10 messages and the largest project for two more users. */
async function fillMessages(sql: Sql): Promise<void> {
  const [index] = await sql`select pg_get_indexdef('messages_search'::regclass) as text`;
  await sql.unsafe(`
    set session_replication_role = replica;
    set maintenance_work_mem = '256MB';
    -- Made again below: once over all rows takes less than row by row.
    drop index messages_search;
    delete from messages;
    insert into auth.users (id, email)
      select md5('user' || name)::uuid, name || '@example.com' from unnest(array['small', 'large']) as name;
    insert into projects (id, user_id, title)
      select md5('project' || name)::uuid, md5('user' || name)::uuid, 'P' from unnest(array['small', 'large']) as name;
    insert into messages (user_id, project_id, role, content, sequence_number, created_at)
      select md5('user' || p)::uuid, md5('project' || p)::uuid, 'user', jsonb_build_object('type', 'text', 'text',
          case when n % ${FOUND} = 7 then 'The authentication has a bug ' else 'There is a word to read ' end || n),
        n, now() - (${MESSAGES} - n) * interval '1 second'
      from generate_series(1, ${MESSAGES}) as n cross join generate_series(1, ${USERS}) as p;
    insert into messages (user_id, project_id, role, content, sequence_number)
      select md5('user' || name)::uuid, md5('project' || name)::uuid, 'user', jsonb_build_object('type', 'text', 'text', 'Of the project ' || n), n
      from (values ('small', 10), ('large', ${MOST})) as p (name, size) cross join generate_series(1, size) as n;
    ${index?.text};
  `).simple();
  await sql.unsafe("vacuum analyze").simple();
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/**
 * The median time of a query in milliseconds and its number of rows. It runs like in PostgREST, in a transaction with a
 * user's claims and role, which is then rolled back.
 */
async function time(sql: Sql, role: Role, user: string, text: string, before = "") {
  const times: number[] = [];
  let rows = 0;
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`${before};
      select set_config('request.jwt.claims',
        json_build_object('sub', md5('user${user}')::uuid, 'role', '${role}')::text, true);
      set local role ${role};`).simple();
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      // Prepared and planned once, like in PostgREST.
      rows = (await transaction.unsafe(text, [], { prepare: true })).length;
      times.push(performance.now() - start);
    }
    throw UNDO;
  }).catch((error) => {
    if (error !== UNDO) throw error;
  });
  return { ms: median(times), rows };
}

const UNDO = new Error("undo");

type Role = "authenticated" | "service_role";

const DOCUMENTED = `select m.*, p.title as project_title
  from messages m join projects p on m.project_id = p.id
  where p.user_id = md5('user1')::uuid
    and to_tsvector('english', m.content::text) @@ to_tsquery('english', 'authentication & bug')
  order by m.created_at desc`;

const SEARCHES: [string, Role, string][] = [
  ["the documented query, as a user", "authenticated", DOCUMENTED],
  ["the documented query, as the service", "service_role", DOCUMENTED],
  ["search_messages", "authenticated", "select * from search_messages('authentication bug')"],
];

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  await fill(admin);
  const connections = Array.from({ length: CONNECTIONS }, () => connect(access, "postgres"));

  // Each connection has its own projects: on the same one, two would wait or take the same number.
  const anyone = (sql: Sql) => {
    const own = Math.floor(Math.random() * Math.floor(USERS / CONNECTIONS));
    return String(own * CONNECTIONS + connections.indexOf(sql) + 1);
  };
  const key = (keyed: boolean) => keyed ? crypto.randomUUID() : null;
  const save = (count: number, keyed = false): Work => {
    const messages = Array.from({ length: count }, () => ({ role: "user", content: CONTENT }));
    return (sql) => {
      const n = anyone(sql);
      return sql`select * from save_messages(user_id => md5('user' || ${n})::uuid,
        messages => ${sql.json(messages)}, project_id => md5('project' || ${n})::uuid,
        idempotency_key => ${key(keyed)})`;
    };
  };
  const fair = (keyed: boolean): Work => (sql) => {
    const n = anyone(sql);
    return sql`select * from bench.save_message(md5('user' || ${n})::uuid, md5('project' || ${n})::uuid, 'user',
      ${sql.json(CONTENT)}, ${key(keyed)})`;
  };
  const bare: Work = (sql) =>
    sql`with project as (
        update bench.projects set updated_at = now()
        where id = md5('project' || ${anyone(sql)})::uuid returning id
      )
      insert into bench.messages (project_id, role, content, sequence_number)
      select p.id, 'user', ${sql.json(CONTENT)}, (
          select coalesce(max(m.sequence_number) + 1, 0) from bench.messages as m where m.project_id = p.id)
      from project as p returning *`;
  const single = save(1);
  const singles: Work = async (sql) => {
    for (let n = 0; n < BATCH; n++) await single(sql);
  };

  console.log(
    `${CONNECTIONS} connections, ${USERS} projects, median of ${ROUNDS} rounds of ${ROUND_SECONDS} s; ` +
      `${
        DURABLE ? "durable" : "not durable"
      }. The client's CPU time for each is next to its speed\n`,
  );
  const [saved = [], reference = [], least = []] = await compare(connections, [
    single,
    fair(false),
    bare,
  ]);
  print("one message; the fair reference", saved, reference, 0.85);
  print("one message; a plain insert and update", saved, least, 0.6);
  const [keyed = [], keyedReference = []] = await compare(connections, [save(1, true), fair(true)]);
  print("one message with a key; the fair reference", keyed, keyedReference, 0.85);
  const [batches = [], requests = []] = await compare(connections.slice(0, 1), [
    save(BATCH),
    singles,
  ]);
  print(`a batch of ${BATCH}; ${BATCH} requests, one connection`, batches, requests, 10);

  await fillMessages(admin);
  const [sql] = connections as [Sql];
  console.log(`\nMedian of ${RUNS} runs. The newest 50 messages; aim: the same time for each\n`);
  let smallest: number | undefined;
  for (const [name, size] of [["small", 10], ["1", MESSAGES], ["large", MOST]] as const) {
    const text = `select * from messages where project_id = md5('project${name}')::uuid
      order by sequence_number desc limit 50`;
    const { ms, rows } = await time(sql, "authenticated", name, text);
    const ratio = (ms / (smallest ??= ms)).toFixed(2);
    console.log(
      `${String(size).padStart(7)} messages: ${ms.toFixed(2)} ms (x${ratio}), ${rows} rows`,
    );
  }

  console.log(
    `\nSearching ${USERS * MESSAGES} messages of ${USERS} users         index      without\n`,
  );
  for (const [name, role, text] of SEARCHES) {
    const { ms, rows } = await time(sql, role, "1", text);
    const without = (await time(sql, role, "1", text, "drop index messages_search")).ms;
    const [a, b] = [ms, without].map((value) => `${value.toFixed(2).padStart(8)} ms`);
    console.log(`${name.padEnd(40)} ${a} ${b}   x${(without / ms).toFixed(2)}, ${rows} rows`);
  }
  await Promise.all([...connections, admin].map((sql) => sql.end()));
});
