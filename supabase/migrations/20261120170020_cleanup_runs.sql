-- Running cleanups: a batch is one transaction with its entry in the history, and whoever works on a job has its lease.
-- Adds tables and functions only.

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
comment on table private.cleanup_runs is 'What was cleaned up when. Read with cleanup_runs(), pruned by the job run_history';
comment on column private.cleanup_runs.outcome is
  'running; done when nothing more was due; more when its time was over; failed; interrupted when it never said how it ended';
comment on column private.cleanup_runs.report is 'The first things that a person has to look at, such as books that do not agree';

create index cleanup_runs_job on private.cleanup_runs (job, id);
create index cleanup_runs_started_at on private.cleanup_runs (started_at);
create unique index cleanup_runs_one_running on private.cleanup_runs (job) where outcome = 'running';

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
  'What a batch did. outcome is more or done; leased when another run has the job; disabled when it is switched off; batch_size is how much the caller may do at a time in Storage';

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

-- Does a batch of a job, in one transaction with its entry in the history. The lease is a UUID of the caller's choice: it
-- has the job from the first batch on, while the outcome is more. rows and bytes are what the caller did since in Storage,
-- for the history; next_run_at is when the job is to run next once it is done.
-- Definer: the tables of cleanups are nobody's else. For the service only.
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
    raise exception 'A batch needs a lease' using errcode = 'PT422', detail = 'invalid_lease', hint = 'Make a UUID';
  end if;
  -- Not waited for: who has the row is in the midst of a batch.
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
    -- Of a lease that has run out, the holder is gone or has lost it.
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

-- Ends the run that has a lease before all is done: for now, when its time is over, or with an error. The job is free then,
-- and due as it was. An error of a run that has no job, as it could not even begin or has lost it, is only written down.
-- rows and bytes as in run_cleanup_batch. Returns whether the run was there to end.
-- Definer: the tables of cleanups are nobody's else. For the service only.
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
-- Definer: it reads what is nobody's else. For the service only.
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
