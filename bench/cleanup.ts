/**
 * What cleanup jobs cost: how many rows a second each heavy job processes in batches with a million rows due, and how
 * much slower charges on 16 connections are meanwhile. Compared with doing everything in one statement.
 *
 * PostgreSQL is durable, as in production; with DURABLE=0 it is not. ONLY=idempotency_keys,... runs only
 * some of the jobs.
 *
 * @module
 */

import type { Sql } from "postgres";

import { connect } from "../stack/postgres.ts";
import { pauseAfter } from "../supabase/functions/cleanup/pauses.ts";
import { CONNECTIONS, DURABLE, SCALE, withDatabase } from "./throughput.ts";

const ROWS = Math.round(1_000_000 * SCALE);

/** Users who are charged meanwhile. */
const PAYERS = 1_000;

/** Seconds that charges are measured without cleanup. */
const CALM_SECONDS = Math.max(1, 8 * Math.min(1, SCALE));

/** The aim: largest slowdown of the slowest twentieth of charges. */
const AIM = 1.3;

/** A job, statements that make rows due for it, and a statement that does the same at once. */
interface Heavy {
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

const HEAVY: Heavy[] = [
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

/** Inserts due rows quickly, and updates the statistics. */
async function fill(admin: Sql, statements: string): Promise<void> {
  await admin.begin((transaction) =>
    transaction.unsafe(
      `set local session_replication_role = replica; set local synchronous_commit = off; ${statements}`,
    )
      .simple()
  );
  await admin.unsafe("vacuum analyze").simple();
  await admin.unsafe("checkpoint").simple();
}

/** Runs a job to its end, with the function's pause after each batch. Returns rows per second. */
async function runJob(sql: Sql, job: string): Promise<number> {
  const lease = crypto.randomUUID();
  const start = performance.now();
  while (true) {
    const begun = performance.now();
    const [batch] = await sql`select outcome from run_cleanup_batch(${job}, ${lease})`;
    if (batch?.outcome === "done") break;
    if (batch?.outcome !== "more") throw new Error(`${job} is ${batch?.outcome}`);
    await pause(pauseAfter(job, performance.now() - begun) / 1000);
  }
  return ROWS / (performance.now() - start) * 1000;
}

async function runAtOnce(sql: Sql, statement: string): Promise<number> {
  const start = performance.now();
  await sql.begin((transaction) => transaction.unsafe(statement).simple());
  return ROWS / (performance.now() - start) * 1000;
}

/** Charges on all connections during the work. Returns the 95th percentile of their times in milliseconds. */
async function charge(connections: Sql[], work: Promise<unknown>): Promise<number> {
  let over = false;
  work.finally(() => over = true).catch(() => {});
  const times: number[] = [];
  await Promise.all(connections.map(async (sql, i) => {
    for (let n = 0; !over; n++) {
      const payer = Math.floor(Math.random() * PAYERS) + 1;
      const start = performance.now();
      await sql`select * from deduct_credits(user_id => md5('payer' || ${payer}::text)::uuid, amount => 0.0001,
        idempotency_key => ${`${i}-${n}-${crypto.randomUUID()}`})`;
      times.push(performance.now() - start);
    }
  }));
  await work;
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? NaN;
}

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  const worker = connect(access, "postgres");
  const connections = Array.from({ length: CONNECTIONS }, () => connect(access, "postgres"));
  await admin.unsafe(
    `insert into auth.users (id, email) select md5('payer' || n)::uuid, n || '@example.com'
    from generate_series(1, ${PAYERS}) as n; analyze`,
  ).simple();
  await charge(connections, pause(1));

  const only = Deno.env.get("ONLY")?.split(",");
  console.log(
    `${ROWS} rows due, ${CONNECTIONS} connections charging, ${
      DURABLE ? "durable" : "not durable"
    }. Slowdown: of the 95th ` +
      `percentile of charges, aim x${AIM} for batches\n\n${"".padEnd(22)} ${
        "batches".padStart(10)
      } ${"at once".padStart(10)}` +
      `   alone, then slowdown by batches, at once`,
  );
  for (const { job, fill: statements, atOnce, aim = AIM } of HEAVY) {
    if (only && !only.includes(job)) continue;
    await fill(admin, statements);
    const alone = await runJob(worker, job);

    await fill(admin, statements);
    const before = await charge(connections, pause(CALM_SECONDS));
    const batches = await charge(connections, runJob(worker, job));

    await fill(admin, statements);
    let speed = 0;
    const big = await charge(
      connections,
      runAtOnce(worker, atOnce).then((reached) => speed = reached),
    );
    const after = await charge(connections, pause(CALM_SECONDS));
    const calm = (before + after) / 2;
    const slowdown = batches / calm;
    console.log(
      `${job.padEnd(22)} ${alone.toFixed(0).padStart(8)}/s ${speed.toFixed(0).padStart(8)}/s   ${
        calm.toFixed(1)
      } ms, ` +
        `x${slowdown.toFixed(2)}${slowdown > aim ? ` MISSED x${aim}` : ""}, x${
          (big / calm).toFixed(2)
        }`,
    );
  }
  await Promise.all([admin, worker, ...connections].map((sql) => sql.end()));
});
