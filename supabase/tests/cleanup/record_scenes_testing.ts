/**
 * Scenes in tables: see scenes_testing.ts.
 *
 * @module
 */

import {
  ALL,
  fillRaw,
  fillUsers,
  id,
  literal,
  numbers,
  type Scene,
  series,
  when,
} from "./scene_testing.ts";

/** The scenes by job: credits, messages, projects and accounts. */
export const RECORD_SCENES: Record<string, Scene> = {
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
        update private.credit_grants set effective_at = now() - interval '2 hours', expires_at = now() - interval '1 minute'
          where account_id in (select id from accounts) and expires_at is not null;
        update private.credit_holds set created_at = now() - interval '2 hours', expires_at = now() - interval '2 minutes'
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
  credit_seals: {
    fill: (stage, label) => fillUsers(stage, label),
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, v.problem, v.sealed_to, a.version
        from credit_accounts as a join ${series} on a.user_id = ${id(label, "user")}
        cross join lateral verify_credit_ledger(a.id) as v order by n`),
    ],
  },
  abandoned_answers: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        insert into answers (id, user_id, model, prices, input_tokens, hold_id, held)
        select ${id(label)}, ${id(label, "user")}, 'm',
          '{"input": 1000, "cached_input": 1000, "output": 1000, "reasoning": 1000}', 9000,
          (hold_credits(${id(label, "user")}, 5)).id, 5
        from ${series};
        insert into answer_parts (answer_id, number, user_id, pieces, input_tokens, output_tokens, written_at)
        select ${id(label)}, 0, ${id(label, "user")}, '[]', 1000, 2000, ${
        when("-1 minute", "1 day")
      } from ${series};
        update answers set created_at = now() - interval '1 hour' where id in (select ${
        id(label)
      } from ${series})`).simple();
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, a.state, a.credits, a.usage_source, c.balance, c.held,
          (select count(*)::int from answer_parts as p where p.answer_id = a.id) as parts
        from ${series} join answers as a on a.id = ${id(label)}
        join credit_accounts as c on c.user_id = a.user_id order by n`),
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
  deleted_accounts: {
    // The users of the odd items are not in the list of deleted accounts.
    fill: (stage, label) =>
      fillRaw(
        stage,
        `
        insert into private.deleted_accounts (user_id) select ${
          id(label)
        } from ${series} where n % 2 = 0;
        insert into conversations (id, user_id) select ${id(label)}, ${id(label)} from ${series};
        insert into messages (conversation_id, user_id, role, content)
          select ${id(label)}, ${
          id(label)
        }, 'user', '"x"' from ${series}, generate_series(1, 1 + n % 5)`,
      ),
    state: async (stage, label) => ({
      conversations: await numbers(stage, label, "select id from conversations"),
      messages: await numbers(stage, label, "select user_id from messages"),
      accounts: await numbers(stage, label, "select user_id from private.deleted_accounts"),
    }),
  },
  account_deletions: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        insert into conversations (id, user_id) select ${id(label)}, ${
        id(label, "user")
      } from ${series};
        insert into private.account_deletions (user_id, due_at)
          select ${id(label, "user")}, ${when("-1 minute", "1 day")} from ${series}`).simple();
    },
    state: async (stage, label) => ({
      users: await numbers(stage, label, "select id from auth.users", "user"),
      requests: await numbers(
        stage,
        label,
        "select user_id from private.account_deletions",
        "user",
      ),
      begun: await numbers(
        stage,
        label,
        "select user_id from private.account_deletions where begun_at is not null",
        "user",
      ),
      conversations: await numbers(stage, label, "select id from conversations"),
    }),
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
        insert into project_files (project_id, user_id, file_name, storage_path, file_type, file_size)
          select ${id(label)}, ${id(label, "user")}, 'f', ${id(label, "user")} || '/' || f || ${
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
      // Without queued objects, which count as removed.
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
  project_clones: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      // Of the due ones, half are unfinished and half were finished long ago. Some have failed.
      await fillRaw(
        stage,
        `
        insert into projects (id, user_id, title, status)
          select ${id(label)}, ${
          id(label, "user")
        }, 'P', 'active'::project_status_enum from ${series}
          union all
          select ${id(label, "clone")}, ${
          id(label, "user")
        }, 'P', 'cloning' from ${series} where n % 4 = 0;
        insert into messages (project_id, role, content, sequence_number)
          select ${id(label)}, 'user', '"x"', m from ${series}, generate_series(0, 2 + n % 5) as m;
        insert into messages (project_id, role, content, sequence_number)
          select ${
          id(label, "clone")
        }, 'user', '"x"', m from ${series}, generate_series(0, 1 + n % 5) as m where n % 8 = 0;
        insert into private.project_clones
            (id, user_id, source_id, status, code, stage, last_number, after_number, messages, finished_at)
          select ${id(label, "clone")}, ${id(label, "user")}, ${id(label)},
            case when n % 4 > 0 then 'complete' when n % 8 = 0 then 'failed' else 'copying' end,
            case when n % 8 = 0 then 'project_not_found' end, 'messages', 2 + n % 5, -1,
            case when n % 8 = 0 then 2 + n % 5 else 0 end,
            case when n % 4 > 0 then ${when("-31 days", "-29 days")} end
          from ${series}`,
      );
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, c.status, c.messages, p.status as project,
          (select string_agg(m.sequence_number::text, ' ' order by m.sequence_number)
            from messages as m where m.project_id = p.id) as numbers
        from ${series} left join private.project_clones as c on c.id = ${id(label, "clone")}
        left join projects as p on p.id = ${id(label, "clone")} order by n`),
    ],
  },
};
