-- The cleanup jobs: one row each, with its schedule, and one function each that does a batch.

insert into private.cleanup_jobs (name, description, schedule, batch_size, retention) values
  ('run_history', 'Runs of cleanups', '23 4 * * *', 5000, '30 days'),
  ('cron_history', 'Entries of cron.job_run_details, which pg_cron does not prune', '28 4 * * *', 5000, '7 days'),
  ('credit_settlement', 'Grants that begin or end and holds that expire, on accounts that nobody touches; arms alerts again', '*/5 * * * *', 100, null),
  ('credit_reconciliation', 'Compares the books of all accounts, and reports what does not agree', '41 3 * * *', 200, null),
  ('stale_drafts', 'Answers that nobody goes on writing (messages.draft_limit): aborted with what they have', '*/5 * * * *', 1000, null),
  ('deleted_projects', 'Projects deleted that long ago, for good; their objects are queued', '13 * * * *', 5000, '30 days'),
  ('finished_tasks', 'Tasks that were completed or failed that long ago', '33 3 * * *', 5000, '90 days'),
  ('idempotency_keys', 'Answers kept for repeats: a request repeated later is a new one', '27 * * * *', 5000, '30 days'),
  ('expired_sessions', 'Sessions of Auth past their end, and its refresh tokens revoked and 30 days old', '18 * * * *', 5000, null),
  ('multipart_uploads', 'Multipart uploads to Storage that were begun 7 days ago', '38 3 * * *', 1000, null),
  ('storage_removals', 'Objects whose removal is queued', '*/10 * * * *', 1000, null),
  ('orphaned_objects', 'Queues objects of our buckets that no row refers to, and that have not changed for that long', '51 2 * * *', 1000, '7 days'),
  ('expired_uploads', 'Reservations that have expired, and what came by upload URLs too late: queued', '5-59/10 * * * *', 1000, null),
  ('chat_tombstones', 'Deletions of chats that devices need not hear of any more (chats.tombstone_retention)', '57 2 * * *', 500, null),
  ('webhook_payloads', 'Payloads of webhook events, and counts of refusals (webhooks.payload_retention)', '8 3 * * *', 1000, null);

create function private.cleanup_run_history(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.cleanup_runs', 'started_at <= $1 and outcome <> ''running''', 'started_at',
    now() - job.retention);
end $$;
revoke all on function private.cleanup_run_history(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- Not every database has pg_cron. A run that never ended is dated by its start.
create function private.cleanup_cron_history(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'cron.job_run_details', 'coalesce(end_time, start_time) <= $1', 'runid',
    now() - job.retention);
end $$;
revoke all on function private.cleanup_cron_history(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- credit_settlement ---------------------------------------------------------------------------------

create function private.cleanup_credit_settlement(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_now timestamptz := clock_timestamp();
begin
  if dry_run then
    select count(*) into v_result.rows from public.credit_accounts as a where a.next_due_at <= v_now;
    return v_result;
  end if;
  v_result.rows := public.settle_due_credits(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_credit_settlement(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- A pass over all accounts in the order of their ids. rows are accounts looked at: what is found is in the report.
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
    select count(*) into v_result.rows from public.credit_accounts as a where a.id > v_after;
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
  v_result.rows := public.abort_stale_drafts(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_stale_drafts(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

create view private.expired_projects as
  select p.id, p.deleted_at from public.projects as p
  where p.status = 'deleted' and p.deleted_at <= now() - private.cleanup_retention('deleted_projects');
revoke all on private.expired_projects from public, anon, authenticated, service_role;

-- A batch is so many messages, and the projects that are empty then. rows are projects: one with more messages than a
-- batch has counts when it goes.
create function private.cleanup_deleted_projects(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_left integer := job.batch_size;
  v_messages integer;
  v_id uuid;
begin
  if dry_run then
    select count(*) into v_result.rows from private.expired_projects;
    return v_result;
  end if;
  for v_id in
    select p.id from private.expired_projects as p order by p.deleted_at limit job.batch_size for update skip locked
  loop
    delete from public.messages as m
    where m.id in (select x.id from public.messages as x where x.project_id = v_id limit v_left);
    get diagnostics v_messages = row_count;
    v_left := v_left - v_messages - 1;
    if v_left < 0 then
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

create function private.cleanup_finished_tasks(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'public.tasks', 'updated_at <= $1 and status in (''completed'', ''error'')',
    'updated_at', now() - job.retention);
end $$;
revoke all on function private.cleanup_finished_tasks(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- Entries of the ledger do not need them: what must never be done twice, such as the grant for a payment, has a reference
-- of its own that stays.
create function private.cleanup_idempotency_keys(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.idempotency_keys', 'created_at <= $1', 'created_at',
    now() - job.retention);
end $$;
revoke all on function private.cleanup_idempotency_keys(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- expired_sessions ----------------------------------------------------------------------------------

-- As cleanup_expired_sessions() has it: a session is Auth's until after its end. Tokens first: a session takes its own along,
-- uncounted.
create function private.cleanup_expired_sessions(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_tokens private.cleanup_result;
  v_sessions private.cleanup_result;
begin
  v_tokens := private.delete_due(job, dry_run, 'auth.refresh_tokens', 'revoked and created_at < $1', 'id',
    now() - interval '30 days');
  if v_tokens.more then
    return v_tokens;
  end if;
  v_sessions := private.delete_due(job, dry_run, 'auth.sessions', 'not_after < $1', 'not_after', now());
  v_sessions.rows := v_sessions.rows + v_tokens.rows;
  return v_sessions;
end $$;
revoke all on function private.cleanup_expired_sessions(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- Not every Storage has the table.
create function private.cleanup_multipart_uploads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'storage.s3_multipart_uploads', 'created_at < $1', 'created_at',
    now() - interval '7 days');
end $$;
revoke all on function private.cleanup_multipart_uploads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- What CodingIT-1 documents is what the jobs do, all at once.
create function private.clean_up_at_once(job text)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_job private.cleanup_jobs;
begin
  select j.* into v_job from private.cleanup_jobs as j where j.name = clean_up_at_once.job;
  loop
    exit when not (private.do_cleanup(v_job, false)).more;
  end loop;
end $$;
revoke all on function private.clean_up_at_once(text) from public, anon, authenticated, service_role;

-- Definer: the tables of Auth are nobody's else.
create function public.cleanup_expired_sessions()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('expired_sessions');
end $$;
comment on function public.cleanup_expired_sessions() is
  'Removes sessions past their end and refresh tokens revoked, 30 days old';
revoke all on function public.cleanup_expired_sessions() from public, anon, authenticated;
grant execute on function public.cleanup_expired_sessions() to service_role;

-- Definer: the tables of Storage are not the service role's to delete from.
create function public.cleanup_old_multipart_uploads()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('multipart_uploads');
end $$;
comment on function public.cleanup_old_multipart_uploads() is 'Removes multipart uploads left for 7 days';
revoke all on function public.cleanup_old_multipart_uploads() from public, anon, authenticated;
grant execute on function public.cleanup_old_multipart_uploads() to service_role;

-- storage_removals ----------------------------------------------------------------------------------

-- Only says whether more is due: the function removes what next_storage_removals() hands out, and takes it off the list.
create function private.cleanup_storage_removals(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
-- Every job takes itself, this one needs nothing of it. @plpgsql_check_options: extra_warnings = false
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
    from private.due_storage_removals as d
    join storage.objects as o on o.bucket_id = d.bucket_id and o.name = d.name
    where d.is_garbage;
    return v_result;
  end if;
  v_result.more := exists (select 1 from private.due_storage_removals);
  return v_result;
end $$;
revoke all on function private.cleanup_storage_removals(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- orphaned_objects ----------------------------------------------------------------------------------

-- Objects below a user's folder that nobody needs: of a user who is gone, or in a bucket whose objects have a record each
-- that has none. Of the other buckets (avatars, recordings ...) no table says what is needed: there a user's objects stay
-- as long as the user. An object of Chuk Chat is needed as long as the chat that it is below is there, or another
-- of the user's chats names it. What an upload under way brings, or a URL that may still be good, is not looked at.
create view private.orphaned_objects as
  select o.bucket_id, o.name, o.version, coalesce((o.metadata ->> 'size')::bigint, 0) as bytes
  from storage.objects as o
  join private.bucket_rules as b on b.bucket_id = o.bucket_id
  cross join lateral (
    select private.object_owner(o.name) as user_id,
      case when split_part(o.name, '/', 2) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then split_part(o.name, '/', 2)::uuid end as chat_id
  ) as f
  -- A subquery, as the function would be called for each object.
  where greatest(o.created_at, o.updated_at) <= now() - (select private.cleanup_retention('orphaned_objects'))
    and f.user_id is not null
    and not exists (
      select 1 from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)
    and not exists (
      select 1 from private.spent_uploads as s where s.bucket_id = o.bucket_id and s.name = o.name)
    and not exists (
      select 1 from public.file_uploads as u
      where u.user_id = f.user_id and u.status = 'pending' and u.bucket_name = o.bucket_id
        and o.name in (u.file_path, u.upload_path))
    and (not exists (select 1 from auth.users as u where u.id = f.user_id)
      or o.bucket_id = 'project-files'
      or o.bucket_id = 'chat-images'
        and not exists (select 1 from public.encrypted_chats as c where c.user_id = f.user_id and c.id = f.chat_id))
    and not private.is_referenced(o.bucket_id, o.name, with_images => true);
revoke all on private.orphaned_objects from public, anon, authenticated, service_role;

-- A pass over all objects in the order of their names, so many at a time. What it queues is looked at once more before it
-- is removed.
create function private.cleanup_orphaned_objects(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_bucket text := coalesce(job.next_after ->> 'bucket_id', '');
  v_name text := coalesce(job.next_after ->> 'name', '');
  v_last record;
begin
  if dry_run then
    select count(*), coalesce(sum(o.bytes), 0) into v_result.rows, v_result.bytes
    from private.orphaned_objects as o where (o.bucket_id, o.name) > (v_bucket, v_name);
    return v_result;
  end if;
  select o.bucket_id, o.name into v_last
  from storage.objects as o
  where (o.bucket_id, o.name) > (v_bucket, v_name)
  order by o.bucket_id, o.name
  offset job.batch_size - 1 limit 1;
  v_result.more := found;
  with queued as (
    insert into private.storage_removals (bucket_id, name, version)
    select o.bucket_id, o.name, o.version from private.orphaned_objects as o
    where (o.bucket_id, o.name) > (v_bucket, v_name)
      and (not v_result.more or (o.bucket_id, o.name) <= (v_last.bucket_id, v_last.name))
    on conflict do nothing
    returning bucket_id, name
  )
  select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
  from queued as q join storage.objects as o on o.bucket_id = q.bucket_id and o.name = q.name;
  if v_result.more then
    v_result.next_after := jsonb_build_object('bucket_id', v_last.bucket_id, 'name', v_last.name);
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_orphaned_objects(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- expired_uploads -----------------------------------------------------------------------------------

create function private.cleanup_expired_uploads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_uploads) + (select count(*) from private.expired_spent_uploads);
    return v_result;
  end if;
  v_result.rows := public.expire_uploads(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_expired_uploads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- chat_tombstones -----------------------------------------------------------------------------------

create function private.cleanup_chat_tombstones(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*) into v_result.rows from private.expired_chat_tombstones;
    return v_result;
  end if;
  v_result.rows := public.prune_chat_tombstones(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_chat_tombstones(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- webhook_payloads ----------------------------------------------------------------------------------

create function private.cleanup_webhook_payloads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_webhook_payloads)
      + (select count(*) from private.expired_webhook_refusals);
    return v_result;
  end if;
  v_result.rows := public.prune_webhook_payloads(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_webhook_payloads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

do $$
begin
  if (select count(*) from pg_catalog.pg_available_extensions where name in ('pg_cron', 'pg_net')) = 2 then
    create extension if not exists pg_cron with schema pg_catalog;
    create extension if not exists pg_net with schema extensions;
  end if;
  perform private.schedule_cleanups();
exception
  -- Extensions may be there and not switched on. The tables of cleanups are right without; the rest can be done later.
  when others then
    raise warning 'Cleanups have no schedule yet: %', sqlerrm
      using hint = 'When pg_cron and pg_net are there: select private.schedule_cleanups()';
end $$;
