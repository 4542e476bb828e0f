-- Cleanups: which jobs there are, when and how much of each is done, and the schedule that calls them. A job is a row
-- and a function in private that does one bounded batch; what is due is state in the tables of its domain, so that a
-- call that was lost is made up by the next one, and one that came twice finds nothing left.

-- cleanup_jobs --------------------------------------------------------------------------------------

create table private.cleanup_jobs (
  name text primary key,
  description text not null,
  schedule text not null,
  enabled boolean not null default true,
  batch_size integer not null,
  next_run_at timestamptz not null default now(),
  last_success_at timestamptz,
  next_after jsonb,
  lease uuid,
  leased_until timestamptz,
  -- The name is part of that of a function.
  constraint cleanup_jobs_name_check check (name ~ '^[a-z]+(_[a-z]+)*$' and char_length(name) <= 50),
  -- What pg_cron and croner read alike: numbers, ranges, lists and steps.
  constraint cleanup_jobs_schedule_check check (schedule ~ concat(
    '^((\*|[0-5]?\d(-[0-5]?\d)?)(/[1-9]\d?)?(,|(?= )))+ ((\*|([01]?\d|2[0-3])(-([01]?\d|2[0-3]))?)(/[1-9]\d?)?(,|(?= )))+ ',
    '((\*|([12]\d|3[01]|0?[1-9])(-([12]\d|3[01]|0?[1-9]))?)(/[1-9]\d?)?(,|(?= )))+ ',
    '((\*|(1[0-2]|0?[1-9])(-(1[0-2]|0?[1-9]))?)(/[1-9]\d?)?(,|(?= )))+ ((\*|[0-7](-[0-7])?)(/[1-7])?(,|$))+$')
    and schedule !~ ',( |$)'),
  constraint cleanup_jobs_batch_size_check check (batch_size between 1 and 10000),
  -- What the Storage API takes.
  constraint cleanup_jobs_storage_batch_check check (name <> 'storage_removals' or batch_size <= 1000),
  constraint cleanup_jobs_lease_check check ((lease is null) = (leased_until is null))
);
comment on table private.cleanup_jobs is
  'What the cleanup does, when, and how much at a time. An operator may change schedule, enabled and batch_size';
comment on column private.cleanup_jobs.schedule is
  'Cron expression of five fields, UTC. After a change: select private.schedule_cleanups()';
comment on column private.cleanup_jobs.batch_size is 'How much one transaction does at most';
comment on column private.cleanup_jobs.next_run_at is 'When the job is due next: the next time of its schedule, set when a run is done';
comment on column private.cleanup_jobs.last_success_at is 'When a run last ended with nothing left to do';
comment on column private.cleanup_jobs.next_after is 'How far the current pass over all rows has come; null between passes';
comment on column private.cleanup_jobs.lease is 'Held by the run that works on it, until leased_until';

revoke all on private.cleanup_jobs from public, anon, authenticated, service_role;

-- A changed schedule counts from now on, not from the next time of the old one.
create function private.reschedule_cleanup()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  new.next_run_at := now();
  return new;
end $$;
comment on function private.reschedule_cleanup() is 'Trigger function: makes a job due when its schedule changes';
revoke all on function private.reschedule_cleanup() from public, anon, authenticated, service_role;

create trigger reschedule_cleanup before update of schedule, enabled on private.cleanup_jobs
  for each row when (old.schedule <> new.schedule or not old.enabled and new.enabled)
  execute function private.reschedule_cleanup();

-- What a batch did or, with dry_run, what a run would do now. Every job has a function
-- private.cleanup_JOB(job private.cleanup_jobs, dry_run boolean) that returns it.
create type private.cleanup_result as (
  rows bigint,
  bytes bigint,
  more boolean,
  next_after jsonb,
  report jsonb
);
comment on type private.cleanup_result is
  'rows: deleted or settled; bytes: freed in Storage; more: whether more is due; next_after: how far a pass has come; report: an array of what a person has to look at';

-- Deletes a batch of the rows of target that meet the condition due, in the order of sort; with dry_run, counts all of
-- them instead, up to 100,000. due refers to the time at as $1. Rows in use are skipped. Does nothing when the database
-- has no such table.
create function private.delete_due(
  job private.cleanup_jobs, dry_run boolean, target text, due text, sort text, at timestamptz
)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if to_regclass(target) is null then
    return v_result;
  end if;
  if dry_run then
    execute format('select count(*) from (select from %s where %s limit 100000) as d', target, due)
    into v_result.rows using at;
    return v_result;
  end if;
  -- Planned anew for this time and this batch size: a kept plan would read and sort all that is due.
  execute format('delete from %1$s where ctid = any (array(
      select ctid from %1$s where %2$s order by %3$s limit %4$s for update skip locked))',
    target, due, sort, job.batch_size) using at;
  get diagnostics v_result.rows = row_count;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.delete_due(private.cleanup_jobs, boolean, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;

-- cleanup_runs --------------------------------------------------------------------------------------

create table private.cleanup_runs (
  id bigint generated always as identity primary key,
  job text not null references private.cleanup_jobs (name) on update cascade on delete cascade,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  outcome text not null default 'running',
  batches integer not null default 0,
  rows bigint not null default 0,
  bytes bigint not null default 0,
  report jsonb not null default '[]',
  error text,
  constraint cleanup_runs_outcome_check check (outcome in ('running', 'done', 'more', 'failed', 'interrupted')),
  constraint cleanup_runs_ended_check check ((outcome = 'running') = (ended_at is null)),
  constraint cleanup_runs_error_check check ((outcome = 'failed') = (error is not null) and char_length(error) <= 2000),
  constraint cleanup_runs_counts_check check (rows >= 0 and bytes >= 0 and batches >= 0)
);
comment on table private.cleanup_runs is 'The runs of the cleanup jobs. Read them with cleanup_runs(); the job run_history deletes old ones';
comment on column private.cleanup_runs.outcome is
  'running; done: nothing more was due; more: its time ran out first; failed; interrupted: it never reported its end';
comment on column private.cleanup_runs.report is 'The first 20 things that a person has to look at, such as books that do not agree';

create index cleanup_runs_job on private.cleanup_runs (job, id);
create index cleanup_runs_started_at on private.cleanup_runs (started_at);
create unique index cleanup_runs_one_running on private.cleanup_runs (job) where outcome = 'running';
-- Few runs have something to tell.
create index cleanup_runs_told on private.cleanup_runs (id) where report <> '[]' or error is not null;

-- Runs whose report or error names a deleted user.
insert into private.account_rows (name, place, statement) values
  ('cleanup_runs', 74, 'update private.cleanup_runs as r
    set report = private.without_names(r.report::text, d)::jsonb, error = private.without_names(r.error, d)
    from private.deleted_accounts as d
    where d.user_id = $1 and r.id = any (array(
      select x.id from private.cleanup_runs as x
      where (x.report <> ''[]'' or x.error is not null)
        and strpos(concat_ws('' '', x.report::text, x.error), $1::text) > 0 limit $2))');

revoke all on private.cleanup_runs from public, anon, authenticated, service_role;

-- Running -------------------------------------------------------------------------------------------

create type public.cleanup_batch as (
  job text,
  outcome text,
  rows bigint,
  bytes bigint,
  run_id bigint,
  report jsonb,
  batch_size integer
);
comment on type public.cleanup_batch is
  'What a batch did. outcome is more or done, leased when another run has the job, disabled when the job is switched off; batch_size is how many objects the caller may remove from Storage at a time';

create function private.refuse_cleanup_job(job text)
returns void
language plpgsql immutable set search_path = ''
as $$
begin
  raise exception 'There is no cleanup job "%"', job
    using errcode = 'PT404', detail = format('cleanup_job_not_found %s', jsonb_build_object('job', job));
end $$;
revoke all on function private.refuse_cleanup_job(text) from public, anon, authenticated, service_role;

-- Calls the function of a job.
create function private.do_cleanup(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result;
begin
  execute format('select * from private.%I($1, $2)', 'cleanup_' || job.name)
  into v_result.rows, v_result.bytes, v_result.more, v_result.next_after, v_result.report
  using job, dry_run;
  return v_result;
end $$;
revoke all on function private.do_cleanup(private.cleanup_jobs, boolean) from public, anon, authenticated, service_role;

-- Runs a job to its end in one transaction, as the functions that CodingIT-1 documents do. The caller is the owner of
-- the tables.
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

-- Does one batch of a job, in one transaction with its entry in the history. lease is a UUID that the caller chooses: from
-- the first batch on it holds the job for as long as the outcome is more. rows and bytes are what the caller has removed
-- from Storage since the last batch, for the history; next_run_at is when the job runs next once it is done.
-- Definer: no role may read or write the tables of the cleanup. For the service only.
-- Raises: PT404 cleanup_job_not_found {job}; PT422 invalid_lease.
create function public.run_cleanup_batch(
  job text,
  lease uuid,
  rows bigint default 0,
  bytes bigint default 0,
  next_run_at timestamptz default null
)
returns public.cleanup_batch
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job private.cleanup_jobs;
  v_done private.cleanup_result;
  v_run private.cleanup_runs;
begin
  if lease is null then
    raise exception 'lease must not be null' using errcode = 'PT422', detail = 'invalid_lease', hint = 'Pass a new UUID';
  end if;
  -- Skipped, not waited for: whoever has locked the row is in the middle of a batch.
  select j.* into v_job from private.cleanup_jobs as j where j.name = run_cleanup_batch.job
  for no key update skip locked;
  if not found then
    if not exists (select 1 from private.cleanup_jobs as j where j.name = run_cleanup_batch.job) then
      perform private.refuse_cleanup_job(run_cleanup_batch.job);
    end if;
    return row(run_cleanup_batch.job, 'leased', 0, 0, null, null, null)::public.cleanup_batch;
  end if;

  if v_job.lease is distinct from run_cleanup_batch.lease then
    if not v_job.enabled or v_job.leased_until > clock_timestamp() then
      return row(v_job.name, case when v_job.enabled then 'leased' else 'disabled' end, 0, 0, null, null,
        null)::public.cleanup_batch;
    end if;
    -- A run whose lease has run out has ended without a word, or has lost its job.
    update private.cleanup_runs as r set outcome = 'interrupted', ended_at = now()
    where r.job = v_job.name and r.outcome = 'running';
    insert into private.cleanup_runs (job) values (v_job.name);
  end if;

  v_done := private.do_cleanup(v_job, false);

  update private.cleanup_jobs as j
  set next_after = v_done.next_after,
    lease = case when v_done.more then run_cleanup_batch.lease end,
    leased_until = case when v_done.more then
      clock_timestamp() + private.setting('cleanup.lease') * interval '1 second' end,
    last_success_at = case when v_done.more then j.last_success_at else now() end,
    next_run_at = case when v_done.more then j.next_run_at
      else coalesce(run_cleanup_batch.next_run_at, j.next_run_at) end
  where j.name = v_job.name;
  update private.cleanup_runs as r
  set batches = r.batches + 1,
    rows = r.rows + v_done.rows + run_cleanup_batch.rows,
    bytes = r.bytes + v_done.bytes + run_cleanup_batch.bytes,
    report = jsonb_path_query_array(r.report || coalesce(v_done.report, '[]'), '$[0 to 19]'),
    outcome = case when v_done.more then 'running' else 'done' end,
    ended_at = case when v_done.more then null else clock_timestamp() end
  where r.job = v_job.name and r.outcome = 'running'
  returning r.* into v_run;
  return row(v_job.name, case when v_done.more then 'more' else 'done' end, v_done.rows, v_done.bytes,
    v_run.id, v_done.report, v_job.batch_size)::public.cleanup_batch;
end $$;
revoke all on function public.run_cleanup_batch(text, uuid, bigint, bigint, timestamptz) from public, anon, authenticated;
grant execute on function public.run_cleanup_batch(text, uuid, bigint, bigint, timestamptz) to service_role;

-- Ends the run that holds the lease before everything is done, because its time is over or with an error. The job is then
-- free, and still due. The error of a run that does not hold the job, because it could not begin or lost its lease, is only
-- recorded. rows and bytes are as in run_cleanup_batch. Returns whether there was a run to end.
-- Definer: no role may read or write the tables of the cleanup. For the service only.
-- Raises: PT404 cleanup_job_not_found {job}.
create function public.end_cleanup_run(
  job text,
  lease uuid,
  rows bigint default 0,
  bytes bigint default 0,
  error text default null
)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_outcome text := case when error is null then 'more' else 'failed' end;
  v_ended boolean;
begin
  if not exists (select 1 from private.cleanup_jobs as j where j.name = end_cleanup_run.job) then
    perform private.refuse_cleanup_job(end_cleanup_run.job);
  end if;
  update private.cleanup_jobs as j set lease = null, leased_until = null
  where j.name = end_cleanup_run.job and j.lease = end_cleanup_run.lease;
  v_ended := found;
  if v_ended then
    update private.cleanup_runs as r
    set outcome = v_outcome, ended_at = now(), error = left(end_cleanup_run.error, 2000),
      rows = r.rows + end_cleanup_run.rows, bytes = r.bytes + end_cleanup_run.bytes
    where r.job = end_cleanup_run.job and r.outcome = 'running';
  elsif error is not null then
    insert into private.cleanup_runs (job, outcome, ended_at, error)
    values (end_cleanup_run.job, v_outcome, now(), left(end_cleanup_run.error, 2000));
  end if;
  return v_ended;
end $$;
revoke all on function public.end_cleanup_run(text, uuid, bigint, bigint, text) from public, anon, authenticated;
grant execute on function public.end_cleanup_run(text, uuid, bigint, bigint, text) to service_role;

-- What a run of a job would do now. Changes nothing.
-- Definer: it reads tables that no role may read. For the service only.
-- Raises: PT404 cleanup_job_not_found {job}.
create function public.preview_cleanup(job text)
returns public.cleanup_batch
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job private.cleanup_jobs;
  v_due private.cleanup_result;
begin
  select j.* into v_job from private.cleanup_jobs as j where j.name = preview_cleanup.job;
  if not found then
    perform private.refuse_cleanup_job(preview_cleanup.job);
  end if;
  v_due := private.do_cleanup(v_job, true);
  return row(v_job.name, 'due', v_due.rows, v_due.bytes, null, null, v_job.batch_size)::public.cleanup_batch;
end $$;
revoke all on function public.preview_cleanup(text) from public, anon, authenticated;
grant execute on function public.preview_cleanup(text) to service_role;

-- Reading -------------------------------------------------------------------------------------------

-- Returns the jobs that are due, the longest overdue first; or the named ones in the given order, due or not.
-- Definer: no role may read or write the tables of the cleanup. For the service only.
-- Raises: PT404 cleanup_job_not_found {job}.
create function public.due_cleanup_jobs(jobs text[] default null)
returns table (job text, schedule text)
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_unknown text;
begin
  if jobs is null then
    return query
      select j.name, j.schedule from private.cleanup_jobs as j
      where j.enabled and j.next_run_at <= now()
      order by j.next_run_at, j.name;
    return;
  end if;
  select n.name into v_unknown from unnest(jobs) as n (name)
  where not exists (select 1 from private.cleanup_jobs as j where j.name = n.name);
  if found then
    perform private.refuse_cleanup_job(v_unknown);
  end if;
  return query
    select j.name, j.schedule
    from (select n.name, min(n.place) as place from unnest(jobs) with ordinality as n (name, place) group by 1) as n
    join private.cleanup_jobs as j on j.name = n.name
    order by n.place;
end $$;
revoke all on function public.due_cleanup_jobs(text[]) from public, anon, authenticated;
grant execute on function public.due_cleanup_jobs(text[]) to service_role;

-- Returns the history, newest first, in pages of page_size (1 to 1000) runs; before is the id at which the last page ended.
-- Of one job, if it is named.
-- Definer: no role may read or write the tables of the cleanup. For the service only.
-- Raises: PT404 cleanup_job_not_found {job}; PT422 invalid_page.
create function public.cleanup_runs(job text default null, before bigint default null, page_size integer default 50)
returns table (
  id bigint, job_name text, started_at timestamptz, ended_at timestamptz, outcome text, batches integer, rows bigint,
  bytes bigint, report jsonb, error text
)
language plpgsql stable security definer set search_path = ''
as $$
begin
  if page_size is null or page_size not between 1 and 1000 then
    raise exception 'page_size must be a number from 1 to 1000' using errcode = 'PT422', detail = 'invalid_page';
  end if;
  if job is not null and not exists (select 1 from private.cleanup_jobs as j where j.name = cleanup_runs.job) then
    perform private.refuse_cleanup_job(cleanup_runs.job);
  end if;
  return query
    select r.id, r.job, r.started_at, r.ended_at, r.outcome, r.batches, r.rows, r.bytes, r.report, r.error
    from private.cleanup_runs as r
    where (cleanup_runs.job is null or r.job = cleanup_runs.job)
      and (cleanup_runs.before is null or r.id < cleanup_runs.before)
    order by r.id desc
    limit page_size;
end $$;
revoke all on function public.cleanup_runs(text, bigint, integer) from public, anon, authenticated;
grant execute on function public.cleanup_runs(text, bigint, integer) to service_role;

-- Returns the state of each job, with its last run and that run's report. A job is overdue when it should have succeeded
-- more than cleanup.overdue_after seconds ago.
-- Definer: no role may read or write the tables of the cleanup. For the service only.
create function public.cleanup_health()
returns table (
  job text, overdue boolean, enabled boolean, schedule text, next_run_at timestamptz, last_success_at timestamptz,
  running boolean, last_outcome text, last_error text, last_report jsonb
)
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select j.name,
      j.enabled and j.next_run_at < now() - private.setting('cleanup.overdue_after') * interval '1 second',
      j.enabled, j.schedule, j.next_run_at, j.last_success_at,
      coalesce(j.leased_until > now(), false),
      r.outcome, r.error, r.report
    from private.cleanup_jobs as j
    left join lateral (
      select x.* from private.cleanup_runs as x where x.job = j.name and x.outcome <> 'running'
      order by x.id desc limit 1
    ) as r on true
    order by 2 desc, 1;
end $$;
revoke all on function public.cleanup_health() from public, anon, authenticated;
grant execute on function public.cleanup_health() to service_role;

-- The calls to make: one for each enabled job at its time, and every ten minutes one for whatever is due, in case a call
-- was lost.
create view private.cleanup_schedules as
  select 'cleanup:' || j.name as name, j.schedule, jsonb_build_object('jobs', jsonb_build_array(j.name)) as request
  from private.cleanup_jobs as j where j.enabled
  union all
  select 'cleanup', '*/10 * * * *', '{}';
revoke all on private.cleanup_schedules from public, anon, authenticated, service_role;

-- Sends a request to the edge function. pg_net does so after this transaction and does not repeat it: the next call makes
-- up for a lost one.
create function private.call_cleanup(request jsonb)
returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_url text;
  v_key text;
begin
  select s.decrypted_secret into v_url from vault.decrypted_secrets as s where s.name = 'project_url';
  select s.decrypted_secret into v_key from vault.decrypted_secrets as s where s.name = 'cron_secret_key';
  if v_url is null or v_key is null then
    raise exception 'The Vault does not contain the secret %', case when v_url is null then 'project_url' else 'cron_secret_key' end
      using errcode = 'P0002', hint = 'Store project_url and cron_secret_key as docs/cleanup.md describes';
  end if;
  return net.http_post(
    url := rtrim(v_url, '/') || '/functions/v1/cleanup',
    headers := jsonb_build_object('content-type', 'application/json', 'apikey', v_key),
    body := request,
    -- Longer than the edge function works on one request.
    timeout_milliseconds := 60000);
end $$;
revoke all on function private.call_cleanup(jsonb) from public, anon, authenticated, service_role;

-- Registers these schedules with pg_cron and removes those of jobs that are switched off or gone. Run it again after a
-- change of private.cleanup_jobs. Returns the number of schedules; 0 where the database has no pg_cron or no pg_net.
create function private.schedule_cleanups()
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_wanted private.cleanup_schedules;
  v_unwanted text;
  v_count integer := 0;
begin
  if to_regclass('cron.job') is null or to_regnamespace('net') is null then
    return 0;
  end if;
  for v_unwanted in
    select c.jobname from cron.job as c
    where c.jobname like 'cleanup:%'
      and not exists (select 1 from private.cleanup_schedules as s where s.name = c.jobname)
  loop
    perform cron.unschedule(v_unwanted);
  end loop;
  for v_wanted in
    select s.* from private.cleanup_schedules as s order by s.name
  loop
    perform cron.schedule(v_wanted.name, v_wanted.schedule, format('select private.call_cleanup(%L)', v_wanted.request));
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
revoke all on function private.schedule_cleanups() from public, anon, authenticated, service_role;
