/**
 * For tests of cleanups as a whole: for each job something that is due and something that is not, and what there is
 * afterwards, said without ids and times, so that two scenes can be compared.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";

/** Where scenes are made: the database as its superuser, and Storage as the service. */
export interface Stage {
  sql: postgres.Sql;
  client: SupabaseClient<Database>;
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

const ALL = DUE * 2;

/** The id of a thing of a scene. */
const id = (label: string, kind = "") => `md5(${literal(label + kind)} || n)::uuid`;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Statements on rows as they are: no triggers, no foreign keys. */
async function fillRaw({ sql }: Stage, statements: string): Promise<void> {
  await sql.begin((transaction) =>
    transaction.unsafe(`set local session_replication_role = replica; ${statements}`).simple()
  );
}

const series = `generate_series(1, ${ALL}) as n`;

/** A time past for what is due, and one to come for what is not. */
const when = (past: string, later: string) =>
  `now() + case when n % 2 = 0 then interval '${past}' else interval '${later}' end`;

async function fillUsers({ sql }: Stage, label: string): Promise<void> {
  await sql.unsafe(
    `insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
    select ${id(label, "user")}, ${
      literal(label)
    } || n || '@example.com', 'authenticated', 'authenticated', '{}', '{}'
    from ${series}`,
  );
}

/** The numbers of the things that a query finds, by their ids. */
const numbers = async ({ sql }: Stage, label: string, found: string, kind = "") =>
  (await sql.unsafe(`select n from ${series} where ${id(label, kind)} in (${found}) order by n`))
    .map(({ n }) => n);

const bytes = new TextEncoder().encode("what is stored");

/** The scenes by their jobs. */
export const SCENES: Record<string, Scene> = {
  credit_settlement: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        select grant_credits(${id(label, "user")}, 10, expires_at => now() + interval '1 hour'),
          hold_credits(${id(label, "user")}, 5, expires_in => 3000)
        from ${series}`);
      await stage.sql.unsafe(`
        create temporary table accounts on commit drop as
          select a.id from credit_accounts as a join ${series} on a.user_id = ${
        id(label, "user")
      } where n % 2 = 0;
        update credit_grants set effective_at = now() - interval '2 hours', expires_at = now() - interval '1 minute'
          where account_id in (select id from accounts) and expires_at is not null;
        update credit_holds set created_at = now() - interval '2 hours', expires_at = now() - interval '2 minutes'
          where account_id in (select id from accounts);
        update credit_accounts set next_due_at = now() - interval '2 minutes' where id in (select id from accounts)`)
        .simple();
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, a.balance, a.held, a.version, a.next_due_at is null as settled,
          (select string_agg(h.status, ' ') from credit_holds as h where h.account_id = a.id) as holds,
          (select string_agg(g.status, ' ' order by g.status) from credit_grants as g where g.account_id = a.id) as grants,
          (select string_agg(t.kind || t.amount, ' ' order by t.entry_no)
            from credit_transactions as t where t.account_id = a.id) as entries,
          (select count(*)::int from credit_reconciliation(a.id)) as problems
        from credit_accounts as a join ${series} on a.user_id = ${id(label, "user")} order by n`),
    ],
  },
  credit_reconciliation: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`update credit_accounts set balance = balance + 1 where user_id in (
        select ${id(label, "user")} from ${series} where n in (1, ${ALL}))`);
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select distinct n, p ->> 'problem' as problem
        from private.cleanup_runs as r cross join jsonb_array_elements(r.report) as p
        join credit_accounts as a on a.id::text = p ->> 'account_id'
        join ${series} on a.user_id = ${id(label, "user")}
        where r.job = 'credit_reconciliation' order by 1, 2`),
    ],
  },
  stale_drafts: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `
        insert into messages (id, project_id, role, content, status, sequence_number, updated_at)
        select ${id(label)}, md5(${literal(label)})::uuid, 'assistant', to_jsonb(n), 'streaming', n,
          ${when("-1 hour", "-1 minute")}
        from ${series}`,
      ),
    state: async (
      { sql },
      label,
    ) => [
      ...await sql.unsafe(`select sequence_number, status, content from messages
        where project_id = md5(${literal(label)})::uuid order by 1`),
    ],
  },
  deleted_projects: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `
        insert into projects (id, user_id, title, status, deleted_at)
          select ${id(label)}, ${id(label, "user")}, 'P', 'deleted', ${
          when("-31 days", "-29 days")
        } from ${series};
        insert into messages (project_id, role, content, sequence_number)
          select ${id(label)}, 'user', '"x"', m from ${series}, generate_series(0, 2 + n % 5) as m;
        insert into project_files (project_id, file_name, storage_path, file_type, file_size)
          select ${id(label)}, 'f', ${id(label, "user")} || '/' || f || ${
          literal(label)
        } || n, 'txt', 1
          from ${series}, generate_series(1, 2) as f;
        insert into storage.objects (bucket_id, name, metadata)
          select 'project-files', storage_path, '{"size": 1}' from project_files join ${series} on project_id = ${
          id(label)
        }`,
      );
    },
    state: async (stage, label) => ({
      projects: await numbers(stage, label, "select id from projects"),
      messages: [
        ...await stage.sql.unsafe(`select n, count(*)::int as messages
        from messages join ${series} on project_id = ${id(label)} group by n order by n`),
      ],
      files: [
        ...await stage.sql.unsafe(`select n, count(*)::int as files
        from project_files join ${series} on project_id = ${id(label)} group by n order by n`),
      ],
      // Not those that are queued: they are as good as gone.
      objects: [
        ...await stage.sql.unsafe(`select n, count(*)::int as objects
        from storage.objects as o join ${series} on split_part(o.name, '/', 1) = ${
          id(label, "user")
        }::text
        where not exists (
          select from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)
        group by n order by n`),
      ],
    }),
  },
  finished_tasks: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into tasks (user_id, prompt, status, updated_at)
        select ${id(label)}, 'x', 'completed', ${when("-91 days", "-89 days")} from ${series}`,
      ),
    state: (stage, label) => numbers(stage, label, "select user_id from tasks"),
  },
  idempotency_keys: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into private.idempotency_keys (owner_id, actor, key, request_hash, response, created_at)
        select ${id(label)}, 'user', 'k', 'h', '{}', ${
          when("-31 days", "-29 days")
        } from ${series}`,
      ),
    state: (stage, label) => numbers(stage, label, "select owner_id from private.idempotency_keys"),
  },
  expired_sessions: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        insert into auth.sessions (id, user_id, not_after)
          select ${id(label)}, ${id(label, "user")}, ${when("-1 minute", "1 hour")} from ${series};
        insert into auth.refresh_tokens (id, token, user_id, session_id, revoked, created_at)
          select abs(hashtext(${literal(label)}))::bigint * 1000 + n, ${literal(label)} || n,
            ${id(label, "user")}, ${id(label)}, n % 3 = 0, ${
        when("-29 days", "-31 days")
      } from ${series}`).simple();
    },
    state: async (stage, label) => ({
      sessions: await numbers(stage, label, "select id from auth.sessions"),
      tokens: await numbers(stage, label, "select session_id from auth.refresh_tokens"),
    }),
  },
  multipart_uploads: {
    async fill({ sql }, label) {
      await sql.unsafe(`
        create table if not exists storage.s3_multipart_uploads (
          id text primary key, key text, created_at timestamptz not null default now());
        grant all on storage.s3_multipart_uploads to postgres;
        insert into storage.s3_multipart_uploads (id, key, created_at)
          select ${literal(label)} || n, ${literal(label)}, ${
        when("-8 days", "-6 days")
      } from ${series}`).simple();
    },
    state: async (
      { sql },
      label,
    ) => [
      ...await sql.unsafe(`select replace(id, key, '')::int as n from storage.s3_multipart_uploads
        where key = ${literal(label)} order by 1`),
    ],
  },
  storage_removals: {
    async fill(stage, label) {
      // Even ones are queued; of these every third is needed again, by a record that came after.
      for (let n = 1; n <= ALL; n++) {
        const { error } = await stage.client.storage.from("project-files").upload(
          `${label}/${n}`,
          bytes,
        );
        if (error) throw error;
      }
      await fillRaw(
        stage,
        `
        insert into private.storage_removals (bucket_id, name)
          select 'project-files', ${literal(label)} || '/' || n from ${series} where n % 2 = 0;
        insert into project_files (project_id, file_name, storage_path, file_type, file_size)
          select ${id(label)}, 'f', ${
          literal(label)
        } || '/' || n, 'txt', 14 from ${series} where n % 3 = 0`,
      );
    },
    async state({ sql, client }, label) {
      const objects = await sql.unsafe(`select n from storage.objects join ${series}
        on bucket_id = 'project-files' and name = ${literal(label)} || '/' || n order by n`);
      // What is said to be there can be read.
      const readable: number[] = [];
      for (let n = 1; n <= ALL; n++) {
        const { data } = await client.storage.from("project-files").download(`${label}/${n}`);
        if (data && await data.text() === "what is stored") readable.push(n);
      }
      const queued = await sql`select name from private.storage_removals where name like ${
        label + "/%"
      }`;
      return { objects: objects.map(({ n }) => n), readable, queued: queued.length };
    },
  },
  orphaned_objects: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        insert into storage.objects (bucket_id, name, metadata, created_at, updated_at)
          select 'project-files', ${id(label, "user")} || '/' || ${
        literal(label)
      } || n, '{"size": 1}',
            ${when("-8 days", "-6 days")}, ${when("-8 days", "-6 days")} from ${series};
        insert into file_uploads (user_id, file_name, file_path, bucket_name)
          select ${id(label, "user")}, 'f', ${id(label, "user")} || '/' || ${
        literal(label)
      } || n, 'project-files'
          from ${series} where n % 3 = 0`).simple();
    },
    state: async (
      { sql },
      label,
    ) => [
      ...await sql.unsafe(`select n from storage.objects as o join ${series}
        on name = ${id(label, "user")} || '/' || ${literal(label)} || n
        where not exists (
          select from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)
        order by n`),
    ],
  },
  run_history: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into private.cleanup_runs (job, started_at, ended_at, outcome, report)
        select 'finished_tasks', ${
          when("-31 days", "-29 days")
        }, now(), 'done', jsonb_build_array(${literal(label)}, n)
        from ${series}`,
      ),
    state: async (
      { sql },
      label,
    ) => [
      ...await sql`select report -> 1 as n from private.cleanup_runs where report ->> 0 = ${label} order by 1`,
    ],
  },
  cron_history: {
    async fill({ sql }, label) {
      await sql.unsafe(`
        create schema if not exists cron;
        create table if not exists cron.job_run_details (
          runid bigint generated always as identity primary key, username text, command text,
          start_time timestamptz, end_time timestamptz);
        grant usage on schema cron to postgres;
        grant all on cron.job_run_details to postgres;
        insert into cron.job_run_details (username, command, start_time, end_time)
          select ${literal(label)}, n, now() - interval '9 days', ${
        when("-8 days", "-6 days")
      } from ${series}`).simple();
    },
    state: async (
      { sql },
      label,
    ) => [
      ...await sql`select command::int as n from cron.job_run_details where username = ${label} order by 1`,
    ],
  },
};

/** The jobs that have a scene. */
export const JOBS: string[] = Object.keys(SCENES);

/** Makes a scene for every job, and the jobs' batches small. */
export async function fillScenes(stage: Stage, label: string): Promise<void> {
  for (const [job, scene] of Object.entries(SCENES)) await scene.fill(stage, `${label} ${job}`);
  await stage.sql`update private.cleanup_jobs set batch_size = ${BATCH_SIZE}`;
}

/** The state of every scene, by its job. */
export async function readScenes(stage: Stage, label: string): Promise<Record<string, unknown>> {
  const states: Record<string, unknown> = {};
  for (const [job, scene] of Object.entries(SCENES)) {
    states[job] = await scene.state(stage, `${label} ${job}`);
  }
  return states;
}

/** Removes the users of scenes, with their books that were spoilt on purpose. */
export async function clearScenes({ sql }: Stage): Promise<void> {
  await sql`delete from auth.users where email like 'scene %'`;
}

/** Lets the time of a lease pass: whose holder is gone. */
export async function passLeases({ sql }: Stage): Promise<void> {
  await sql`update private.cleanup_jobs set leased_until = now() where lease is not null`;
}
