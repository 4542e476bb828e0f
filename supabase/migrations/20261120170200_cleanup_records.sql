-- Cleanups of records: drafts, deleted projects, tasks, idempotency keys, and what Auth and Storage leave behind. Where a
-- domain says what is due its rule is used, and written where both can read it. Restoring a project is refused from the
-- moment its messages begin to go; nothing else of the domains changes.

insert into private.cleanup_jobs (name, description, schedule, batch_size, retention) values
  ('stale_drafts', 'Answers that nobody goes on writing (messages.draft_limit): aborted with what they have', '*/5 * * * *', 1000,
    null),
  ('deleted_projects', 'Projects deleted that long ago, for good; their objects are queued', '13 * * * *', 5000, '30 days'),
  ('finished_tasks', 'Tasks that were completed or failed that long ago', '33 3 * * *', 5000, '90 days'),
  ('idempotency_keys', 'Answers kept for repeats: a request repeated later is a new one', '27 * * * *', 5000, '30 days'),
  ('expired_sessions', 'Sessions of Auth past their end, and its refresh tokens revoked and 30 days old', '18 * * * *', 5000,
    null),
  ('multipart_uploads', 'Multipart uploads to Storage that were begun 7 days ago', '38 3 * * *', 1000, null);

-- stale_drafts --------------------------------------------------------------------------------------

create view private.stale_drafts as
  select m.id, m.updated_at from public.messages as m
  where m.status = 'streaming'
    and m.updated_at <= now() - private.setting('messages.draft_limit') * interval '1 second';
revoke all on private.stale_drafts from public, anon, authenticated, service_role;

-- Aborts drafts that have not changed for messages.draft_limit, with what they have, and returns how many. For the
-- cleanup: call it until it returns fewer than batch. A hold for such a draft expires by itself.
-- Definer: it reads the settings. For the service only.
-- Raises: PT422 invalid_batch.
create or replace function public.abort_stale_drafts(batch integer default 1000)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_aborted integer;
begin
  if batch is null or batch not between 1 and 10000 then
    raise exception 'A batch has 1 to 10000 drafts' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  update public.messages as m set status = 'aborted'
  where m.id in (
    select x.id from private.stale_drafts as x order by x.updated_at limit batch for no key update skip locked);
  get diagnostics v_aborted = row_count;
  return v_aborted;
end $$;
revoke all on function public.abort_stale_drafts(integer) from public, anon, authenticated;
grant execute on function public.abort_stale_drafts(integer) to service_role;

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

-- deleted_projects ----------------------------------------------------------------------------------

create index projects_deleted_at on public.projects (deleted_at) where status = 'deleted';

create table private.project_purges (
  project_id uuid primary key references public.projects (id) on delete cascade,
  begun_at timestamptz not null default now()
);
comment on table private.project_purges is
  'Deleted projects of which messages have gone already, as they have more than one batch: they cannot be restored';
revoke all on private.project_purges from public, anon, authenticated, service_role;

-- In a trigger, because clients bring projects back directly as well. After: the status is settled by then.
-- Definer: clients may not read the table.
create function private.keep_purged_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if exists (select 1 from private.project_purges as x where x.project_id = new.id) then
    raise exception 'Project "%" is being deleted for good', new.id
      using errcode = 'PT409', detail = 'project_purged', hint = 'It was deleted too long ago';
  end if;
  return null;
end $$;
comment on function private.keep_purged_project() is 'Trigger function: refuses to restore what is half gone';
revoke all on function private.keep_purged_project() from public, anon, authenticated, service_role;

create trigger keep_purged_project after update on public.projects
  for each row when (old.status = 'deleted' and new.status <> 'deleted') execute function private.keep_purged_project();

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

-- finished_tasks ------------------------------------------------------------------------------------

create index tasks_finished on public.tasks (updated_at) where status in ('completed', 'error');

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

-- idempotency_keys ----------------------------------------------------------------------------------

create index idempotency_keys_created_at on private.idempotency_keys (created_at);

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
create or replace function public.cleanup_expired_sessions()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('expired_sessions');
end $$;
revoke all on function public.cleanup_expired_sessions() from public, anon, authenticated;
grant execute on function public.cleanup_expired_sessions() to service_role;

-- Definer: the tables of Storage are not the service role's to delete from.
create or replace function public.cleanup_old_multipart_uploads()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('multipart_uploads');
end $$;
revoke all on function public.cleanup_old_multipart_uploads() from public, anon, authenticated;
grant execute on function public.cleanup_old_multipart_uploads() to service_role;
