-- The cleanup jobs: one row each, with its schedule, and one function each, under a heading with the job's name. How long
-- something is kept is a setting. To take a job out, delete its row and everything under its heading. The jobs of files
-- are in cleanup_file_jobs.

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('credit_settlement', '*/5 * * * *', 100, 'Starts and ends grants and expires holds on accounts that nobody uses'),
  ('credit_reconciliation', '41 3 * * *', 200, 'Compares the books of all accounts and reports what does not agree'),
  ('credit_seals', '11-20 * * * *', 1000, 'Seals the entries that were posted since its last run'),
  ('idempotency_keys', '27 * * * *', 5000, 'Deletes idempotency keys: a request that is repeated later counts as a new one'),
  ('team_invitations', '37 3 * * *', 5000, 'Deletes invitations to teams that were answered or have expired'),
  ('deleted_accounts', '* * * * *', 5000, 'Deletes the rows that deleted accounts left, and queues their objects'),
  ('deleted_projects', '3-59/10 * * * *', 5000, 'Permanently deletes projects that were deleted long enough ago, and queues their objects'),
  ('project_clones', '* * * * *', 5000, 'Continues the clones of large projects, and forgets those that finished long ago'),
  ('stale_drafts', '*/5 * * * *', 1000, 'Aborts drafts that nobody writes to any more'),
  ('chat_tombstones', '57 2 * * *', 500, 'Forgets deletions of chats that devices no longer need to hear of'),
  ('chat_approvals', '52 * * * *', 5000, 'Deletes approvals of new devices that were begun more than a day ago'),
  ('webhook_payloads', '8 3 * * *', 1000, 'Clears the payloads of old webhook events and deletes old counts of refusals'),
  ('api_key_events', '48 3 * * *', 5000, 'Deletes old records of what happened to API keys'),
  ('expired_sessions', '18 * * * *', 5000, 'Deletes sessions of Auth that have ended and refresh tokens that were revoked'),
  ('finished_tasks', '33 3 * * *', 5000, 'Deletes tasks that were completed or failed'),
  ('request_counts', '*/5 * * * *', 10000, 'Deletes counts of requests of past minutes'),
  ('visitor_rows', '48 3 * * *', 5000, 'Deletes old visits, and addresses of the waitlist that are old or repeated'),
  ('run_history', '23 4 * * *', 5000, 'Deletes old runs of the cleanup'),
  ('cron_history', '28 4 * * *', 5000, 'Deletes old entries of cron.job_run_details, which pg_cron does not prune');

-- credit_settlement ---------------------------------------------------------------------------------

-- The longest due first, and of each a portion: an account with more comes again in the next batch, which is another
-- transaction. An account that fails is reported and left for the next run; the others go on. Accounts in use are left to
-- whoever uses them. They are locked as they are found, not in the order of ids: a transaction that waits for no lock
-- cannot deadlock.
create function private.cleanup_credit_settlement(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_account public.credit_accounts;
  v_failed uuid[] := array(select jsonb_array_elements_text(job.next_after -> 'failed')::uuid);
  -- A value, which an index finds; a function that moves with the clock would be called for every account.
  v_now timestamptz := clock_timestamp();
begin
  if dry_run then
    select count(*) into v_result.rows from public.credit_accounts as a where a.next_due_at <= v_now;
    return v_result;
  end if;
  for v_account in
    select a.* from public.credit_accounts as a
    where a.next_due_at <= v_now and a.id <> all (v_failed)
    order by a.next_due_at
    limit job.batch_size
    for no key update skip locked
  loop
    begin
      v_account := private.settle_credit_account(v_account, greatest(clock_timestamp(), v_account.updated_at));
    exception when others then
      v_failed := v_failed || v_account.id;
      v_result.report := coalesce(v_result.report, '[]')
        || jsonb_build_object('account_id', v_account.id, 'error', sqlerrm, 'code', sqlstate);
    end;
    v_result.rows := v_result.rows + 1;
    -- A batch that has grown long ends here.
    exit when clock_timestamp() > v_now + interval '2 seconds';
  end loop;
  v_result.more := v_result.rows > 0 and exists (
    select from public.credit_accounts as a where a.next_due_at <= v_now and a.id <> all (v_failed) limit 1);
  if v_result.more and v_failed <> array[]::uuid[] then
    v_result.next_after := jsonb_build_object('failed', to_jsonb(v_failed));
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_credit_settlement(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- credit_reconciliation -----------------------------------------------------------------------------

-- A pass over all accounts in the order of their ids. rows counts the accounts that were looked at; the report says what
-- was found.
create function private.cleanup_credit_reconciliation(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_after uuid := coalesce(job.next_after ->> 'account_id', '00000000-0000-0000-0000-000000000000')::uuid;
  v_ids uuid[];
begin
  if dry_run then
    select count(*) into v_result.rows
    from (select from public.credit_accounts as a where a.id > v_after limit 100000) as a;
    return v_result;
  end if;
  v_ids := array(
    select a.id from public.credit_accounts as a where a.id > v_after order by a.id limit job.batch_size);
  v_result.rows := cardinality(v_ids);
  v_result.more := v_result.rows = job.batch_size;
  if v_result.more then
    v_result.next_after := jsonb_build_object('account_id', v_ids[v_result.rows]);
  end if;
  v_result.report := (
    select jsonb_agg(to_jsonb(p)) from (select r.* from private.reconcile_credit_accounts(v_ids) as r limit 20) as p);
  return v_result;
end $$;
revoke all on function private.cleanup_credit_reconciliation(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- credit_seals --------------------------------------------------------------------------------------

-- A pass over all accounts in the order of their ids, of which most have nothing new. rows counts the entries that were
-- sealed. The account in which a batch ends comes again in the next one. A dry run looks at 10,000 accounts.
create function private.cleanup_credit_seals(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_after uuid := coalesce(job.next_after ->> 'account_id', '00000000-0000-0000-0000-000000000000')::uuid;
  v_account record;
  v_looked integer := 0;
begin
  for v_account in
    select a.id, a.version, coalesce(s.entry_no, 0) as sealed
    from (
      select x.id, x.version from public.credit_accounts as x
      where x.id > v_after order by x.id limit case when dry_run then 10000 else job.batch_size end
    ) as a
    left join lateral (
      select x.entry_no from private.credit_seals as x where x.account_id = a.id order by x.entry_no desc limit 1
    ) as s on true
    order by a.id
  loop
    if v_account.version > v_account.sealed then
      if dry_run then
        v_result.rows := v_result.rows + v_account.version - v_account.sealed;
      elsif v_result.rows < job.batch_size then
        v_result.rows := v_result.rows
          + private.seal_entries(v_account.id, v_account.sealed, job.batch_size - v_result.rows::integer);
      end if;
    end if;
    if not dry_run and v_result.rows >= job.batch_size then
      -- There may be more of this account.
      v_result.more := true;
      v_result.next_after := jsonb_build_object('account_id', v_after);
      return v_result;
    end if;
    v_looked := v_looked + 1;
    v_after := v_account.id;
  end loop;
  v_result.more := not dry_run and v_looked = job.batch_size;
  if v_result.more then
    v_result.next_after := jsonb_build_object('account_id', v_after);
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_credit_seals(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- idempotency_keys ----------------------------------------------------------------------------------

-- The ledger does not need them: whatever must never happen twice, such as the grant for a payment, has a reference of its
-- own that stays.
create function private.cleanup_idempotency_keys(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.idempotency_keys', 'created_at <= $1',
    'created_at', now() - private.retention('idempotency.key_retention'));
end $$;
revoke all on function private.cleanup_idempotency_keys(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- deleted_accounts ----------------------------------------------------------------------------------

-- The longest deleted first. rows counts accounts: one with more rows than a batch counts when the last of them goes.
create function private.cleanup_deleted_accounts(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_user_id uuid;
begin
  if dry_run then
    select count(*) into v_result.rows from private.deleted_accounts as d where d.due_at <= now();
    return v_result;
  end if;
  select d.user_id into v_user_id from private.deleted_accounts as d
  where d.due_at <= now() order by d.due_at limit 1 for update skip locked;
  if found then
    v_result.rows := private.purge_account(v_user_id, job.batch_size)::integer;
    v_result.more := exists (select 1 from private.deleted_accounts as d where d.due_at <= now());
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_deleted_accounts(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- team_invitations ----------------------------------------------------------------------------------

create function private.cleanup_team_invitations(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'public.team_invitations', 'coalesce(answered_at, expires_at) <= $1',
    'coalesce(answered_at, expires_at)', now() - private.retention('teams.invitation_retention'));
end $$;
revoke all on function private.cleanup_team_invitations(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- deleted_projects ----------------------------------------------------------------------------------

create view private.expired_projects as
  select p.id, p.deleted_at from public.projects as p
  where p.status = 'deleted' and p.deleted_at <= now() - private.retention('projects.deleted_retention');
revoke all on private.expired_projects from public, anon, authenticated, service_role;

-- A batch deletes at most batch_size messages and records of files, and the projects that are then empty. rows counts
-- projects: one with more than a batch counts when the project itself goes.
create function private.cleanup_deleted_projects(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_left integer := job.batch_size;
  v_id uuid;
  v_end timestamptz := clock_timestamp() + interval '1 second';
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_projects) + (
      select count(*) from private.project_purges as x
      where not exists (select 1 from private.expired_projects as p where p.id = x.project_id));
    return v_result;
  end if;
  for v_id in
    -- Those that are to be deleted for good, and those whose time is over.
    select p.id from public.projects as p
    where p.id = any (
      array(select x.project_id from private.project_purges as x order by x.begun_at limit job.batch_size)
      || array(select x.id from private.expired_projects as x order by x.deleted_at limit job.batch_size))
    order by p.deleted_at
    limit job.batch_size
    for update skip locked
  loop
    v_left := v_left - private.delete_project_messages(v_id, v_left);
    v_left := v_left - private.delete_project_files(v_id, v_left);
    v_left := v_left - private.delete_project_uploads(v_id, v_left);
    v_left := v_left - 1;
    if v_left < 0 or clock_timestamp() > v_end then
      insert into private.project_purges (project_id) values (v_id) on conflict do nothing;
      v_result.more := true;
      return v_result;
    end if;
    delete from public.projects as p where p.id = v_id;
    v_result.rows := v_result.rows + 1;
    v_result.more := v_left = 0;
    exit when v_result.more;
  end loop;
  return v_result;
end $$;
revoke all on function private.cleanup_deleted_projects(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- project_clones ------------------------------------------------------------------------------------

-- rows counts the clones that are complete, or have failed and been removed, and the forgotten ones.
create function private.cleanup_project_clones(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_clones record;
  v_result private.cleanup_result;
begin
  -- As long as an idempotency key is kept, a repeated request finds the clone.
  v_result := private.delete_due(job, dry_run, 'private.project_clones', 'finished_at <= $1', 'finished_at',
    now() - private.retention('idempotency.key_retention'));
  if dry_run then
    v_result.rows := v_result.rows + (select count(*) from private.project_clones as c where c.finished_at is null);
    return v_result;
  end if;
  select c.* into v_clones from private.continue_clones(job.batch_size) as c;
  v_result.rows := v_result.rows + v_clones.finished;
  v_result.more := v_result.more or v_clones.more;
  return v_result;
end $$;
revoke all on function private.cleanup_project_clones(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- stale_drafts --------------------------------------------------------------------------------------

create view private.stale_drafts as
  select m.id, m.updated_at from public.messages as m
  where m.status = 'streaming' and m.updated_at <= now() - private.retention('messages.draft_limit');
revoke all on private.stale_drafts from public, anon, authenticated, service_role;

-- A draft keeps the text it has. Its hold expires by itself.
create function private.cleanup_stale_drafts(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*) into v_result.rows from private.stale_drafts;
    return v_result;
  end if;
  update public.messages as m set status = 'aborted'
  where m.id = any (array(
    select x.id from private.stale_drafts as x order by x.updated_at limit job.batch_size for no key update skip locked));
  get diagnostics v_result.rows = row_count;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_stale_drafts(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- chat_tombstones -----------------------------------------------------------------------------------

create view private.expired_chat_tombstones as
  select t.user_id, t.chat_id, t.sync_sequence, t.deleted_at from private.chat_tombstones as t
  where t.deleted_at <= now() - private.retention('chats.tombstone_retention');
revoke all on private.expired_chat_tombstones from public, anon, authenticated, service_role;

-- The oldest first, in the order of users, each locked before its tombstones: two calls at once cannot wait for each other
-- in a ring. A cursor from before pruned_through is too old from then on.
create function private.cleanup_chat_tombstones(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_user record;
begin
  if dry_run then
    select count(*) into v_result.rows from private.expired_chat_tombstones;
    return v_result;
  end if;
  for v_user in
    select d.user_id, array_agg(d.chat_id) as chat_ids, max(d.sync_sequence) as sync_sequence
    from (select t.* from private.expired_chat_tombstones as t order by t.deleted_at limit job.batch_size) as d
    group by d.user_id order by d.user_id
  loop
    perform private.lock_chat_owner(v_user.user_id);
    delete from private.chat_tombstones as t where t.user_id = v_user.user_id and t.chat_id = any (v_user.chat_ids);
    update private.chat_owners as o set pruned_through = greatest(o.pruned_through, v_user.sync_sequence)
    where o.user_id = v_user.user_id;
    v_result.rows := v_result.rows + cardinality(v_user.chat_ids);
  end loop;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_chat_tombstones(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- chat_approvals ------------------------------------------------------------------------------------

create function private.cleanup_chat_approvals(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'public.chat_approvals', 'created_at <= $1', 'created_at', now() - interval '1 day');
end $$;
revoke all on function private.cleanup_chat_approvals(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- webhook_payloads ----------------------------------------------------------------------------------

create view private.expired_webhook_payloads as
  select e.id, e.received_at from public.webhook_events as e
  where e.payload is not null and e.received_at <= now() - private.retention('webhooks.payload_retention');
revoke all on private.expired_webhook_payloads from public, anon, authenticated, service_role;

-- Counts are per day: one goes when its whole day is older than the retention.
create view private.expired_webhook_refusals as
  select r.provider, r.reason, r.day from public.webhook_refusals as r
  where r.day < ((now() - private.retention('webhooks.payload_retention')) at time zone 'UTC')::date;
revoke all on private.expired_webhook_refusals from public, anon, authenticated, service_role;

-- The oldest first. An event that may be about money keeps its row, and its id, for good; of the others the whole row goes.
create function private.cleanup_webhook_payloads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_ids bigint[];
  v_refusals integer;
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_webhook_payloads)
      + (select count(*) from private.expired_webhook_refusals);
    return v_result;
  end if;
  select coalesce(array_agg(x.id), '{}') into v_ids from (
    select e.id from private.expired_webhook_payloads as e
    order by e.received_at
    limit job.batch_size
    for update skip locked
  ) as x;
  delete from public.webhook_events as e
  where e.id = any (v_ids) and e.provider in ('auth', 'database');
  update public.webhook_events as e set payload = null where e.id = any (v_ids);
  delete from public.webhook_refusals as r where (r.provider, r.reason, r.day) in (
    select x.provider, x.reason, x.day from private.expired_webhook_refusals as x
    limit job.batch_size - cardinality(v_ids)
    for update skip locked);
  get diagnostics v_refusals = row_count;
  v_result.rows := cardinality(v_ids) + v_refusals;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_webhook_payloads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- api_key_events ------------------------------------------------------------------------------------

create function private.cleanup_api_key_events(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_before timestamptz := now() - private.retention('api_keys.event_retention');
begin
  if dry_run then
    select count(*) into v_result.rows from public.api_key_events as e where e.created_at <= v_before;
    return v_result;
  end if;
  delete from public.api_key_events as e where e.id in (
    select x.id from public.api_key_events as x
    where x.created_at <= v_before
    order by x.created_at
    limit job.batch_size
    for update skip locked);
  get diagnostics v_result.rows = row_count;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_api_key_events(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- expired_sessions ----------------------------------------------------------------------------------

-- Tokens first: a session that is deleted takes its tokens with it, uncounted.
create function private.cleanup_expired_sessions(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_tokens private.cleanup_result;
  v_sessions private.cleanup_result;
begin
  v_tokens := private.delete_due(job, dry_run, 'auth.refresh_tokens', 'revoked and created_at < $1', 'id',
    now() - private.retention('auth.revoked_token_retention'));
  if v_tokens.more then
    return v_tokens;
  end if;
  v_sessions := private.delete_due(job, dry_run, 'auth.sessions', 'not_after < $1', 'not_after', now());
  v_sessions.rows := v_sessions.rows + v_tokens.rows;
  return v_sessions;
end $$;
revoke all on function private.cleanup_expired_sessions(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- As CodingIT-1 documents it. Definer: only Auth may write its tables.
create function public.cleanup_expired_sessions()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('expired_sessions');
end $$;
comment on function public.cleanup_expired_sessions() is
  'Deletes sessions that have ended and refresh tokens that were revoked 30 days ago';
revoke all on function public.cleanup_expired_sessions() from public, anon, authenticated;
grant execute on function public.cleanup_expired_sessions() to service_role;

-- finished_tasks ------------------------------------------------------------------------------------

create function private.cleanup_finished_tasks(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'public.tasks', 'updated_at <= $1 and status in (''completed'', ''error'')',
    'updated_at', now() - private.retention('tasks.finished_retention'));
end $$;
revoke all on function private.cleanup_finished_tasks(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- request_counts ------------------------------------------------------------------------------------

create function private.cleanup_request_counts(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.request_counts', 'window_start < $1',
    'window_start', date_trunc('minute', now()));
end $$;
revoke all on function private.cleanup_request_counts(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- visitor_rows --------------------------------------------------------------------------------------

-- Old rows first, then a pass over all addresses by their ids: of one that is there twice, the first stays.
create function private.cleanup_visitor_rows(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_old private.cleanup_result;
  v_result private.cleanup_result;
  v_after uuid := coalesce(job.next_after ->> 'id', '00000000-0000-0000-0000-000000000000')::uuid;
  v_ids uuid[];
  v_repeated uuid[];
begin
  v_result := private.delete_due(job, dry_run, 'public.site_visits', 'timestamp < $1', 'timestamp',
    now() - private.retention('site_visits.retention'));
  if not v_result.more then
    v_old := private.delete_due(job, dry_run, 'public.waitlist', 'created_at < $1', 'created_at',
      now() - private.retention('waitlist.retention'));
    v_result.rows := v_result.rows + v_old.rows;
    v_result.more := v_old.more;
  end if;
  v_result.next_after := job.next_after;
  if v_result.more then
    return v_result;
  end if;

  v_ids := array(select w.id from public.waitlist as w where w.id > v_after order by w.id limit job.batch_size);
  v_repeated := array(select w.id from public.waitlist as w
    where w.id = any (v_ids) and exists (
      select 1 from public.waitlist as x
      where lower(x.email) = lower(w.email) and (x.created_at, x.id) < (w.created_at, w.id)));
  v_result.rows := v_result.rows + cardinality(v_repeated);
  if dry_run then
    return v_result;
  end if;
  delete from public.waitlist as w where w.id = any (v_repeated);
  v_result.more := cardinality(v_ids) = job.batch_size;
  v_result.next_after := case when v_result.more then jsonb_build_object('id', v_ids[cardinality(v_ids)]) end;
  return v_result;
end $$;
revoke all on function private.cleanup_visitor_rows(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- run_history ---------------------------------------------------------------------------------------

create function private.cleanup_run_history(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.cleanup_runs', 'started_at <= $1 and outcome <> ''running''',
    'started_at', now() - private.retention('cleanup.run_retention'));
end $$;
revoke all on function private.cleanup_run_history(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- cron_history --------------------------------------------------------------------------------------

-- Not every database has pg_cron. A run without an end is dated by its start.
create function private.cleanup_cron_history(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'cron.job_run_details', 'coalesce(end_time, start_time) <= $1',
    'runid', now() - private.retention('cleanup.cron_history_retention'));
end $$;
revoke all on function private.cleanup_cron_history(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- Schedules -----------------------------------------------------------------------------------------

do $$
begin
  if (select count(*) from pg_catalog.pg_available_extensions where name in ('pg_cron', 'pg_net')) = 2 then
    create extension if not exists pg_cron with schema pg_catalog;
    create extension if not exists pg_net with schema extensions;
  end if;
  perform private.schedule_cleanups();
exception
  -- An extension can be available and not enabled. The jobs work without a schedule, which can be made later.
  when others then
    raise warning 'Cleanups have no schedule yet: %', sqlerrm
      using hint = 'Enable pg_cron and pg_net, then run: select private.schedule_cleanups()';
end $$;
