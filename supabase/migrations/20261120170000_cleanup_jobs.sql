-- Cleanups: which jobs there are, when and how much of each is done. A job is a row here and a function in private that does
-- one bounded batch; what is due is state in the tables of its domain, so that a call that was lost is made up by the next
-- one, and one that came twice finds nothing left. Adds tables and functions only.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('cleanup.lease', 60, 'seconds', 15, 600,
    'How long a job is its runner''s after each batch: longer than any batch takes, and how long a crash may hold it up'),
  ('cleanup.overdue_after', 1800, 'seconds', 60, 604800,
    'A job that has not succeeded so long after it was due is reported as overdue');

-- cleanup_jobs --------------------------------------------------------------------------------------

create table private.cleanup_jobs (
  name text primary key,
  description text not null,
  schedule text not null,
  enabled boolean not null default true,
  batch_size integer not null,
  retention interval,
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
  constraint cleanup_jobs_retention_check check (retention between interval '1 minute' and interval '100 years'),
  constraint cleanup_jobs_lease_check check ((lease is null) = (leased_until is null))
);
comment on table private.cleanup_jobs is
  'What is cleaned up, when, and how much at a time: update private.cleanup_jobs set retention = ... where name = ...';
comment on column private.cleanup_jobs.schedule is
  'Cron expression of five fields, UTC. After a change: select private.schedule_cleanups()';
comment on column private.cleanup_jobs.batch_size is 'How much one transaction does at most';
comment on column private.cleanup_jobs.retention is 'How long what the job removes is kept first; null where its domain says when';
comment on column private.cleanup_jobs.next_run_at is 'When it is due next: once it is done, the next time of the schedule';
comment on column private.cleanup_jobs.last_success_at is 'When it last came to where nothing more was due';
comment on column private.cleanup_jobs.next_after is 'How far a pass over everything has come; null between passes';
comment on column private.cleanup_jobs.lease is 'Held by the run that works on it, until leased_until';

revoke all on private.cleanup_jobs from public, anon, authenticated, service_role;

-- A changed schedule counts from now, not when the old one would have come round.
create function private.reschedule_cleanup()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  new.next_run_at := now();
  return new;
end $$;
comment on function private.reschedule_cleanup() is 'Trigger function: makes a job due whose schedule has changed';
revoke all on function private.reschedule_cleanup() from public, anon, authenticated, service_role;

create trigger reschedule_cleanup before update of schedule, enabled on private.cleanup_jobs
  for each row when (old.schedule <> new.schedule or not old.enabled and new.enabled)
  execute function private.reschedule_cleanup();

-- How long a job keeps what it removes, for the views of what is due.
create function private.cleanup_retention(job text)
returns interval
language plpgsql stable set search_path = ''
as $$
declare
  v_retention interval;
begin
  select j.retention into strict v_retention from private.cleanup_jobs as j where j.name = cleanup_retention.job;
  return v_retention;
end $$;
revoke all on function private.cleanup_retention(text) from public, anon, authenticated, service_role;

-- What a batch did, or with dry_run what a run would do now. Every job has a function of the name cleanup_JOB
-- (job private.cleanup_jobs, dry_run boolean) that returns it.
create type private.cleanup_result as (
  rows bigint,
  bytes bigint,
  more boolean,
  next_after jsonb,
  report jsonb
);
comment on type private.cleanup_result is
  'rows removed or settled; bytes in Storage; whether more is due; how far a pass has come; an array of what a person has to look at';

-- What most jobs are: deletes a batch of the rows of a table for which a condition on $1, a time, holds, in an order that an
-- index has; or counts them all. The condition is written once, so that both are of the same rows. Rows in use are passed
-- over. A table that the database does not have has no rows.
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
    execute format('select count(*) from %s where %s', target, due) into v_result.rows using at;
    return v_result;
  end if;
  -- Planned for this time and this size of batch.
  execute format('delete from %1$s where ctid = any (array(
      select ctid from %1$s where %2$s order by %3$s limit %4$s for update skip locked))',
    target, due, sort, job.batch_size) using at;
  get diagnostics v_result.rows = row_count;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.delete_due(private.cleanup_jobs, boolean, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
