-- Cleanups on a schedule, where the database has pg_cron and pg_net: one schedule per job that calls the function. The
-- address and the key are in the Vault, under project_url and cron_secret_key; docs/cleanup.md says how they get there.

-- What is asked for when: each job that is switched on at its time, and what is due, in case that a call was lost.
create view private.cleanup_schedules as
  select 'cleanup:' || j.name as name, j.schedule, jsonb_build_object('jobs', jsonb_build_array(j.name)) as request
  from private.cleanup_jobs as j where j.enabled
  union all
  select 'cleanup', '*/10 * * * *', '{}';
revoke all on private.cleanup_schedules from public, anon, authenticated, service_role;

-- Sends a request to the function. pg_net does so after this transaction and does not repeat it: what is lost is made up
-- by the next call.
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
    raise exception 'The Vault lacks project_url or cron_secret_key'
      using errcode = 'P0002', hint = 'docs/cleanup.md says how to set them';
  end if;
  return net.http_post(
    url := rtrim(v_url, '/') || '/functions/v1/cleanup',
    headers := jsonb_build_object('content-type', 'application/json', 'apikey', v_key),
    body := request,
    -- Longer than the function works on one request.
    timeout_milliseconds := 60000);
end $$;
revoke all on function private.call_cleanup(jsonb) from public, anon, authenticated, service_role;

-- Registers these schedules, and removes those of jobs that are switched off or gone. Run it again after a change of
-- private.cleanup_jobs. Returns how many there are; 0 where the database has no pg_cron or no pg_net.
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
