/**
 * The jobs of `cleanup.ts`, and what makes rows due for them.
 *
 * @module
 */

import { SCALE } from "./throughput.ts";

/** Rows that are due for each job. */
export const ROWS = Math.round(1_000_000 * SCALE);

/** Users who are charged meanwhile. */
export const PAYERS = 1_000;

/** A job, statements that make rows due for it, and a statement that does the same at once. */
export interface Heavy {
  job: string;
  fill: string;
  atOnce: string;
  /** Its own aim. */
  aim?: number;
}

const id = (kind: string) => `md5('${kind}' || n)::uuid`;
const series = `generate_series(1, ${ROWS}) as n`;
const accounts = `
  insert into auth.users (id, email) select ${
  id("due")
}, 'due' || n || '@example.com' from ${series}
    on conflict do nothing;
  insert into credit_accounts (id, user_id, balance, version, live_grants, next_due_at, created_at, updated_at)
    select ${id("account")}, ${
  id("due")
}, 10, 1, 1, now() - interval '1 hour', now() - interval '2 days', now() - interval '2 days'
    from ${series};
  insert into private.credit_grants
      (id, account_id, category, amount, remaining, status, effective_at, expires_at, source, created_at)
    select ${id("grant")}, ${
  id("account")
}, 'paid', 10, 10, 'active', now() - interval '2 days', now() - interval '1 hour',
      'bench', now() - interval '2 days' from ${series};
  insert into private.credit_transactions (account_id, entry_no, kind, amount, balance_after, actor, created_at, grant_id)
    select ${id("account")}, 1, 'grant', 10, 10, 'system', now() - interval '2 days',
      ${id("grant")} from ${series};`;
const noAccounts = `
  alter table private.credit_transactions disable trigger user;
  delete from private.credit_transactions where account_id in (select ${
  id("account")
} from ${series});
  alter table private.credit_transactions enable trigger user;
  delete from private.credit_grants where source = 'bench';
  delete from credit_accounts where user_id in (select ${id("due")} from ${series});`;

/** The jobs that have the most to do. */
export const HEAVY: Heavy[] = [
  {
    job: "idempotency_keys",
    fill:
      `insert into private.idempotency_keys (owner_id, actor, key, request_hash, response, created_at)
      select ${id("owner")}, 'service', 'bench-' || n, repeat('0', 64),
        '{"account_id": "6c6fce3e-f34c-4842-8419-9436a1ae94ef", "entry_no": 1}', now() - interval '60 days' + n * interval '1 second'
      from ${series}`,
    atOnce: "delete from private.idempotency_keys where created_at <= now() - interval '30 days'",
  },
  {
    job: "finished_tasks",
    fill: `insert into tasks (user_id, prompt, status, updated_at)
      select ${
      id("owner")
    }, 'Make the button blue', 'completed', now() - interval '120 days' + n * interval '1 second' from ${series}`,
    atOnce:
      "delete from tasks where status = 'completed' and updated_at <= now() - interval '90 days'",
  },
  {
    job: "run_history",
    fill: `insert into private.cleanup_runs (job, started_at, ended_at, outcome)
      select 'finished_tasks', now() - interval '60 days' + n * interval '1 second', now(), 'done' from ${series}`,
    atOnce: "delete from private.cleanup_runs where started_at <= now() - interval '30 days'",
  },
  {
    job: "expired_sessions",
    fill: `insert into auth.refresh_tokens (id, token, user_id, revoked, created_at)
      select n, 'bench' || n, ${id("payer")}, true, now() - interval '60 days' from ${series}`,
    atOnce:
      "delete from auth.refresh_tokens where revoked and created_at < now() - interval '30 days'",
  },
  {
    job: "stale_drafts",
    fill: `delete from messages;
      insert into messages (id, project_id, role, content, status, sequence_number, updated_at)
      select ${id("draft")}, ${
      id("project")
    }, 'assistant', '"An answer that was cut off"', 'streaming', n,
        now() - interval '30 days' + n * interval '1 second' from ${series}`,
    atOnce:
      "update messages set status = 'aborted' where status = 'streaming' and updated_at <= now() - interval '600 s'",
  },
  {
    job: "deleted_projects",
    fill: `delete from messages; truncate private.storage_removals;
      insert into projects (id, user_id, title, status, deleted_at)
        select md5('p' || p)::uuid, md5('payer1')::uuid, 'P', 'deleted', now() - interval '60 days'
        from generate_series(1, ${Math.ceil(ROWS / 1000)}) as p;
      insert into messages (project_id, role, content, sequence_number)
        select md5('p' || (n - 1) / 1000 + 1)::uuid, 'user', '"How do I fix the login form?"', n % 1000 from ${series};
      insert into project_files (project_id, user_id, file_name, storage_path, file_type, file_size)
        select id, user_id, 'f', user_id || '/' || id, 'txt', 1 from projects where status = 'deleted';
      insert into storage.objects (bucket_id, name)
        select 'project-files', user_id || '/' || id from projects where status = 'deleted' on conflict do nothing`,
    atOnce: "delete from projects where status = 'deleted'",
  },
  {
    job: "expired_uploads",
    fill: `delete from file_uploads; truncate private.storage_removals;
      insert into file_uploads (user_id, file_name, file_path, upload_path, bucket_name, file_size, status, expires_at)
        select p.id, 'f', p.id || '/' || n, p.id || '/' || n, 'chat_attachments', 1, 'pending',
          now() - interval '30 days' + n * interval '1 second'
        from ${series} cross join lateral (select md5('payer' || (n % ${PAYERS} + 1))::uuid) as p (id)`,
    atOnce: "delete from file_uploads where status = 'pending' and expires_at <= now()",
  },
  {
    job: "chat_tombstones",
    fill: `insert into private.chat_owners (user_id, sync_sequence)
        select md5('payer' || p)::uuid, ${ROWS} from generate_series(1, ${PAYERS}) as p on conflict do nothing;
      insert into private.chat_tombstones (user_id, chat_id, sync_sequence, deleted_at)
        select md5('payer' || (n % ${PAYERS} + 1))::uuid, ${
      id("chat")
    }, n, now() - interval '120 days' + n * interval '1 second'
        from ${series}`,
    atOnce: "delete from private.chat_tombstones where deleted_at <= now() - interval '90 days'",
  },
  {
    job: "webhook_payloads",
    fill: `delete from webhook_events;
      insert into webhook_events (provider, event_id, type, payload, outcome, received_at)
        select 'stripe', 'evt_' || n, 'invoice.paid', jsonb_build_object('id', 'evt_' || n, 'data', repeat('x', 1000)),
          'processed', now() - interval '120 days' + n * interval '1 second'
        from ${series}`,
    atOnce: `update webhook_events set payload = null
      where payload is not null and received_at <= now() - interval '90 days'`,
  },
  {
    job: "credit_settlement",
    fill: `${noAccounts} ${accounts}`,
    atOnce: `do $$ begin perform private.settle_credit_account(a, now()) from
      (select * from credit_accounts where next_due_at <= now() for no key update) as a; end $$`,
  },
  {
    job: "credit_reconciliation",
    fill:
      `${noAccounts} ${accounts} update credit_accounts set next_due_at = null where user_id in (
      select ${
        id("due")
      } from ${series}); update private.credit_grants set expires_at = null where source = 'bench'`,
    atOnce: "select * from credit_reconciliation()",
  },
  {
    job: "orphaned_objects",
    fill: `${noAccounts} truncate private.storage_removals;
      insert into storage.objects (bucket_id, name, metadata, created_at, updated_at)
      select 'avatars', ${
      id("gone")
    } || '/avatar.jpg', '{"size": 1}', now() - interval '60 days', now() - interval '60 days'
      from ${series} on conflict do nothing`,
    atOnce: `insert into private.storage_removals (bucket_id, name, version)
      select bucket_id, name, version from private.orphaned_objects on conflict do nothing`,
  },
  {
    job: "credit_seals",
    // A thousand accounts.
    fill: `${noAccounts} truncate private.credit_seals;
      delete from credit_accounts where id in (select md5('sealed' || a)::uuid from generate_series(1, 1000) as a);
      alter table private.credit_transactions disable trigger user;
      delete from private.credit_transactions where kind = 'deduct' and description = 'bench';
      alter table private.credit_transactions enable trigger user;
      insert into credit_accounts (id, user_id, balance, version)
        select md5('sealed' || a)::uuid, md5('sealer' || a)::uuid, 0, ${Math.ceil(ROWS / 1000)}
        from generate_series(1, 1000) as a;
      insert into private.credit_transactions
          (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, grant_id, request_hash, description)
        select md5('sealed' || (n - 1) % 1000 + 1)::uuid, (n - 1) / 1000 + 1, 'deduct', -1, 0, 'user',
          ${id("sealer")}, now(), ${id("grant")}, sha256(n::text::bytea), 'bench' from ${series}`,
    atOnce: "select private.seal_entries(id, 0, 1000000) from credit_accounts",
    aim: 1.1,
  },
];
