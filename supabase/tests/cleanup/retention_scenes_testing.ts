/**
 * Scenes of rows that are kept for a time: see scenes_testing.ts.
 *
 * @module
 */

import {
  fillRaw,
  fillUsers,
  id,
  literal,
  numbers,
  type Scene,
  series,
  when,
} from "./scene_testing.ts";

/** The scenes by job. */
export const RETENTION_SCENES: Record<string, Scene> = {
  finished_tasks: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into tasks (user_id, prompt, status, updated_at)
        select ${id(label)}, 'x', 'completed', ${when("-91 days", "-89 days")} from ${series}`,
      ),
    state: (stage, label) => numbers(stage, label, "select user_id from tasks"),
  },
  api_key_events: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `insert into api_key_events (user_id, key_id, key_prefix, event, created_at)
        select ${id(label, "user")}, ${id(label)}, 'srk_', 'created', ${
          when("-366 days", "-364 days")
        } from ${series}`,
      );
    },
    state: (stage, label) => numbers(stage, label, "select key_id from api_key_events"),
  },
  old_answers: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `insert into answers (id, user_id, model, prices, input_tokens, state, ended_at)
        select ${id(label)}, ${id(label, "user")}, 'm', '{}', 1, 'complete', ${
          when("-91 days", "-89 days")
        } from ${series}`,
      );
    },
    state: (stage, label) => numbers(stage, label, "select id from answers"),
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
  chat_tombstones: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `
        insert into private.chat_owners (user_id, sync_sequence)
          select ${id(label, "user")}, 9 from ${series};
        insert into private.chat_tombstones (user_id, chat_id, version, sync_sequence, deleted_at)
          select ${id(label, "user")}, ${id(label, "old")}, 1, 3, ${when("-91 days", "-89 days")}
          from ${series};
        insert into private.chat_tombstones (user_id, chat_id, version, sync_sequence)
          select ${id(label, "user")}, ${id(label, "new")}, 1, 7 from ${series}`,
      );
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, o.pruned_through::int, (select string_agg(t.sync_sequence::text, ' ' order by t.sync_sequence)
          from private.chat_tombstones as t where t.user_id = o.user_id) as known
        from private.chat_owners as o join ${series} on o.user_id = ${
        id(label, "user")
      } order by n`),
    ],
  },
  replaced_chat_keys: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `
        insert into chat_keys (user_id, id, epoch) select ${id(label, "user")}, ${
          id(label)
        }, 1 from ${series};
        insert into private.replaced_chat_key_wraps (user_id, key_id, kind, wrap, created_at, replaced_at)
          select ${id(label, "user")}, ${id(label)}, 'recovery', 'x', now() - interval '40 days', ${
          when("-31 days", "-29 days")
        } from ${series}`,
      );
    },
    state: (stage, label) =>
      numbers(stage, label, "select key_id from private.replaced_chat_key_wraps"),
  },
  chat_approvals: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await fillRaw(
        stage,
        `insert into chat_approvals (user_id, id, share, created_at, expires_at)
        select ${id(label, "user")}, ${id(label)}, 'x', ${
          when("-25 hours", "-23 hours")
        }, now() - interval '1 hour' from ${series}`,
      );
    },
    state: (stage, label) => numbers(stage, label, "select id from chat_approvals"),
  },
  webhook_payloads: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into webhook_events (provider, event_id, type, payload, outcome, received_at)
        select case when n % 3 = 0 then 'auth' else 'stripe' end, ${literal(label)} || n, 't', '{}',
          'processed', ${when("-91 days", "-89 days")} from ${series}`,
      ),
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`select n, provider, payload is not null as is_kept
        from webhook_events join ${series} on event_id = ${literal(label)} || n order by n`),
    ],
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
  visitor_rows: {
    fill: (stage, label) =>
      fillRaw(
        stage,
        `insert into site_visits (id, path, timestamp)
          select ${id(label)}, '/', ${when("-397 days", "-395 days")} from ${series};
        insert into waitlist (id, email, created_at)
          select ${id(label)}, ${id(label)} || '@example.com', ${
          when("-800 days", "-700 days")
        } from ${series}`,
      ),
    state: async (stage, label) => [
      await numbers(stage, label, "select id from site_visits"),
      await numbers(stage, label, "select id from waitlist"),
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
