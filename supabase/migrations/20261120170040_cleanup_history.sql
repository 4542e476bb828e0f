-- Reading what cleanups did and how they are doing, and pruning the history. Adds functions only.

-- Reading -------------------------------------------------------------------------------------------

-- The jobs that are due, the longest first, or those that are named, in that order, whether due or not.
-- Definer: the tables of cleanups are nobody's else. For the service only.
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

-- The history, the newest first, in pages of page_size, 1 to 1000, from the first before id before; of one job if it is
-- named.
-- Definer: the tables of cleanups are nobody's else. For the service only.
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
    raise exception 'A page has 1 to 1000 runs' using errcode = 'PT422', detail = 'invalid_page';
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

-- How each job is doing: overdue when it should have succeeded longer ago than cleanup.overdue_after; its last run and
-- what that had to report.
-- Definer: the tables of cleanups are nobody's else. For the service only.
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

-- run_history ---------------------------------------------------------------------------------------

insert into private.cleanup_jobs (name, description, schedule, batch_size, retention) values
  ('run_history', 'Runs of cleanups', '23 4 * * *', 5000, '30 days'),
  ('cron_history', 'Entries of cron.job_run_details, which pg_cron does not prune', '28 4 * * *', 5000, '7 days');

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
