-- Every cleanup: what is due goes, at the very instant that it is; what is not yet stays. Looking changes nothing and says
-- just what a run does; a second run finds nothing.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'other', 'later', 'gone']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('cleanup ' || name)::uuid $$;

-- Runs a job to its end, in batches of the given size; returns rows and bytes.
create function pg_temp.run(job_name text, batch integer) returns bigint[] language plpgsql as $$
declare
  v_batch public.cleanup_batch;
  v_lease uuid := gen_random_uuid();
  v_done bigint[] := '{0,0}';
begin
  update private.cleanup_jobs as j set batch_size = batch where j.name = job_name;
  loop
    v_batch := public.run_cleanup_batch(job_name, v_lease);
    v_done := array[v_done[1] + v_batch.rows, v_done[2] + v_batch.bytes];
    exit when v_batch.outcome <> 'more';
  end loop;
  return v_done;
end $$;

-- All that a cleanup could change.
create function pg_temp.image() returns text language plpgsql as $$
declare
  v_table text;
  v_part text;
  v_image text := '';
begin
  foreach v_table in array array['private.cleanup_jobs', 'private.cleanup_runs', 'public.credit_accounts',
    'public.credit_transactions', 'public.credit_grants', 'public.credit_holds', 'public.credit_alerts', 'public.messages',
    'public.projects', 'public.project_files', 'private.project_purges', 'private.storage_removals', 'storage.objects',
    'public.tasks', 'private.idempotency_keys', 'auth.sessions', 'auth.refresh_tokens'] loop
    execute format('select md5(string_agg(t::text, %L order by t::text)) from %s as t', '|', v_table) into v_part;
    v_image := v_image || coalesce(v_part, '-');
  end loop;
  return v_image;
end $$;

-- The tests that are alike for all: batches of 2 and of 1000 do what was foreseen.
create function pg_temp.check_job(job_name text, expected bigint, batch integer) returns setof text language plpgsql as $$
declare
  v_image text := pg_temp.image();
  v_due public.cleanup_batch := public.preview_cleanup(job_name);
begin
  return next is(v_due.rows, expected, job_name || ': what is due is foreseen');
  return next is(pg_temp.image(), v_image, job_name || ': looking changes nothing');
  return next is(pg_temp.run(job_name, batch), array[v_due.rows, v_due.bytes], job_name || ': just that is done');
  return next is((public.preview_cleanup(job_name)).rows, 0::bigint, job_name || ': then nothing is due');
  return next is((pg_temp.run(job_name, batch))[1], 0::bigint, job_name || ': and a second run does nothing');
end $$;

-- credit_settlement ------------------------------------------------------------------------------------------
select settle_due_credits();
select grant_credits(tests.user_id('owner'), 10, expires_at => now() + interval '2 days');
select grant_credits(tests.user_id('other'), 50, effective_at => now() + interval '3 days');
select grant_credits(tests.user_id('later'), 10, expires_at => now() + interval '2 days');
select hold_credits(tests.user_id('owner'), 5, expires_in => 60);
select set_credit_alert(120, tests.user_id('other'));
-- All of this was so long ago that it is due now, at this very instant, and of one a second later.
select tests.pass_time(tests.account_of('owner'), interval '2 days');
update credit_grants set expires_at = now() where account_id = tests.account_of('owner') and expires_at is not null;
update credit_accounts set next_due_at = now() where id = tests.account_of('owner');
select tests.pass_time(tests.account_of('other'), interval '3 days');
select tests.pass_time(tests.account_of('later'), interval '2 days' - interval '1 second' - (clock_timestamp() - now()));
update credit_accounts set next_due_at = now() + interval '1 minute' where id = tests.account_of('later');
update credit_grants set expires_at = now() + interval '1 minute'
where account_id = tests.account_of('later') and expires_at is not null;
select is(alert_armed, false, 'an alert is off below its threshold') from credit_accounts where id = tests.account_of('other');
select pg_temp.check_job('credit_settlement', 2, 1);
select is(array_agg(balance::int order by balance), '{100,110,150}', 'what ended is gone, what began is there, what ends later too')
from credit_accounts where id in (tests.account_of('owner'), tests.account_of('other'), tests.account_of('later'));
select is(status, 'expired', 'a hold expires') from credit_holds where account_id = tests.account_of('owner');
select is(alert_armed, true, 'what began has armed the alert again') from credit_accounts where id = tests.account_of('other');

-- credit_reconciliation --------------------------------------------------------------------------------------
select is((preview_cleanup('credit_reconciliation')).rows, (select count(*) from credit_accounts), 'a pass looks at all accounts');
select is((pg_temp.run('credit_reconciliation', 1))[1], (select count(*) from credit_accounts), 'and does, one by one');
select is((select last_report from cleanup_health() where job = 'credit_reconciliation'), '[]', 'the books agree');
alter table credit_accounts disable trigger user;
update credit_accounts set balance = balance + 1 where id = tests.account_of('later');
alter table credit_accounts enable trigger user;
select pg_temp.run('credit_reconciliation', 3);
select is((select jsonb_agg(distinct p -> 'account_id') from cleanup_health(), jsonb_array_elements(last_report) as p
  where job = 'credit_reconciliation'), jsonb_build_array(tests.account_of('later')), 'and when they do not it says whose');
select set_eq($$ select * from credit_reconciliation() $$,
  $$ select * from credit_reconciliation(tests.account_of('later')) $$, 'all at once finds the same');
update credit_accounts set balance = balance - 1 where id = tests.account_of('later');
select is_empty($$ select * from credit_reconciliation() $$, 'mended, nothing is found');

-- stale_drafts -----------------------------------------------------------------------------------------------
insert into projects (id, user_id, title) values (pg_temp.id('drafts'), tests.user_id('owner'), 'P');
insert into messages (id, project_id, role, content, status, sequence_number)
select pg_temp.id('draft' || n), pg_temp.id('drafts'), 'assistant', '"x"', 'streaming', n from generate_series(1, 4) as n;
alter table messages disable trigger user;
update messages set updated_at = now() - interval '600 seconds' - (n - 2) * interval '1 microsecond'
from generate_series(1, 4) as n where id = pg_temp.id('draft' || n);
alter table messages enable trigger user;
select pg_temp.check_job('stale_drafts', 3, 2);
select is((select array_agg(status order by n) from messages join generate_series(1, 4) as n on id = pg_temp.id('draft' || n)),
  '{streaming,aborted,aborted,aborted}', 'drafts of 600 seconds and more are aborted');

-- deleted_projects -------------------------------------------------------------------------------------------
insert into projects (id, user_id, title, deleted_at)
select pg_temp.id('deleted' || n), tests.user_id('owner'), 'P', now() - interval '30 days' - (n - 2) * interval '1 microsecond'
from generate_series(1, 4) as n;
insert into messages (project_id, role, content, sequence_number)
select pg_temp.id('deleted' || p), 'user', '"x"', n from generate_series(1, 4) as p, generate_series(0, 4) as n;
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('deleted' || n), 'f', tests.user_id('owner') || '/deleted' || n, 'txt', 1 from generate_series(1, 4) as n;
insert into storage.objects (bucket_id, name)
select 'project-files', tests.user_id('owner') || '/deleted' || n from generate_series(1, 4) as n;
update private.cleanup_jobs set batch_size = 3 where name = 'deleted_projects';
select is((run_cleanup_batch('deleted_projects', gen_random_uuid())).outcome, 'more', 'a project with more messages than a batch takes several');
select is((select count(*) from messages where project_id = pg_temp.id('deleted4')), 2::bigint, 'a batch of messages has gone');
select is(tests.refusal($$ select restore_project(tests.user_id('owner'), pg_temp.id('deleted4')) $$), 'PT409 project_purged',
  'then it is not restored any more');
select is(tests.refusal($$ update projects set deleted_at = null where id = pg_temp.id('deleted4') $$), 'PT409 project_purged',
  'by nobody');
select lives_ok($$ update projects set title = 'Q' where id = pg_temp.id('deleted4') $$, 'other changes are harmless');
select is((restore_project(tests.user_id('owner'), pg_temp.id('deleted3'))).project ->> 'status', 'active', 'one that is whole is');
update projects set deleted_at = now() - interval '31 days' where id = pg_temp.id('deleted3');
update private.cleanup_jobs set lease = null, leased_until = null where name = 'deleted_projects';
select pg_temp.check_job('deleted_projects', 3, 3);
select results_eq($$ select id from projects where id in (select pg_temp.id('deleted' || n) from generate_series(1, 4) as n) $$,
  $$ values (pg_temp.id('deleted1')) $$, 'projects deleted for 30 days are gone');
select is((select count(*) from messages where project_id = pg_temp.id('deleted1')), 5::bigint, 'one deleted later has its messages');
select bag_eq($$ select name from private.storage_removals $$,
  $$ select tests.user_id('owner') || '/deleted' || n from generate_series(2, 4) as n $$, 'and the objects of those that went are queued');

-- finished_tasks ---------------------------------------------------------------------------------------------
insert into tasks (user_id, prompt, status, updated_at)
select tests.user_id('owner'), s || n, s::task_status_enum, now() - interval '90 days' - (n - 2) * interval '1 microsecond'
from unnest(array['pending', 'processing', 'completed', 'error']) as s, generate_series(1, 3) as n;
select pg_temp.check_job('finished_tasks', 4, 2);
select bag_eq($$ select prompt from tasks where user_id = tests.user_id('owner') $$,
  array['pending1', 'pending2', 'pending3', 'processing1', 'processing2', 'processing3', 'completed1', 'error1'],
  'tasks finished 90 days ago are gone, those that go on stay');

-- idempotency_keys -------------------------------------------------------------------------------------------
delete from private.idempotency_keys;
select deduct_credits(tests.user_id('owner'), amount => 1, idempotency_key => 'k' || n) from generate_series(1, 3) as n;
update private.idempotency_keys set created_at = now() - interval '30 days' - (right(key, 1)::int - 2) * interval '1 microsecond';
select pg_temp.check_job('idempotency_keys', 2, 1000);
select is((deduct_credits(tests.user_id('owner'), amount => 1, idempotency_key => 'k1')).replayed, true, 'a key younger than 30 days is known');
select is((deduct_credits(tests.user_id('owner'), amount => 1, idempotency_key => 'k3')).replayed, false, 'an older one is a new request''s');
select grant_credits(tests.user_id('owner'), 5, external_reference => 'cleanup-payment', idempotency_key => 'g');
update private.idempotency_keys set created_at = now() - interval '1 year';
select pg_temp.run('idempotency_keys', 1);
select is((grant_credits(tests.user_id('owner'), 5, external_reference => 'cleanup-payment', idempotency_key => 'g')).replayed, true,
  'a payment grants once, whatever became of its key');
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree without keys');

-- expired_sessions -------------------------------------------------------------------------------------------
delete from auth.sessions;
delete from auth.refresh_tokens;
insert into auth.sessions (id, user_id, not_after) values
  (pg_temp.id('s1'), tests.user_id('owner'), now()), (pg_temp.id('s2'), tests.user_id('owner'), now() - interval '1 microsecond'),
  (pg_temp.id('s3'), tests.user_id('owner'), now() - interval '1 day'), (pg_temp.id('s4'), tests.user_id('owner'), null);
insert into auth.refresh_tokens (id, token, user_id, revoked, created_at, session_id) values
  (1, 't1', tests.user_id('owner'), true, now() - interval '30 days', pg_temp.id('s4')),
  (2, 't2', tests.user_id('owner'), true, now() - interval '30 days' - interval '1 microsecond', pg_temp.id('s4')),
  (3, 't3', tests.user_id('owner'), true, now() - interval '40 days', pg_temp.id('s3')),
  (4, 't4', tests.user_id('owner'), false, now() - interval '40 days', pg_temp.id('s4')),
  (5, 't5', tests.user_id('owner'), false, now(), pg_temp.id('s3'));
select pg_temp.check_job('expired_sessions', 4, 1);
select bag_eq($$ select id from auth.sessions $$, array[pg_temp.id('s1'), pg_temp.id('s4')],
  'a session is Auth''s until after its end');
select bag_eq($$ select token::text from auth.refresh_tokens $$, array['t1', 't4'], 'a revoked token until after 30 days, another with its session');
insert into auth.sessions (id, user_id, not_after) values (pg_temp.id('s5'), tests.user_id('owner'), now() - interval '1 day');
select cleanup_expired_sessions();
select is_empty($$ select 1 from auth.sessions where id = pg_temp.id('s5') $$, 'all at once does the same');

-- multipart_uploads, cron_history: where there is such a table -------------------------------------------------
select pg_temp.check_job('multipart_uploads', 0, 2) where to_regclass('storage.s3_multipart_uploads') is null;
select pg_temp.check_job('cron_history', 0, 2) where to_regclass('cron.job_run_details') is null;

create function pg_temp.check_multipart_uploads() returns setof text language plpgsql as $$
begin
  insert into storage.s3_multipart_uploads (id, bucket_id, key, created_at)
  select 'cleanup' || n, 'avatars', 'k', now() - interval '7 days' - (n - 1) * interval '1 microsecond'
  from generate_series(1, 4) as n;
  return query select pg_temp.check_job('multipart_uploads', 3, 2);
  return next is((select string_agg(id, ' ') from storage.s3_multipart_uploads), 'cleanup1', 'an upload is given up after 7 days');
  update storage.s3_multipart_uploads set created_at = now() - interval '8 days';
  perform public.cleanup_old_multipart_uploads();
  return next is((select count(*) from storage.s3_multipart_uploads), 0::bigint, 'all at once does the same');
end $$;
select pg_temp.check_multipart_uploads() where to_regclass('storage.s3_multipart_uploads') is not null;
create function pg_temp.check_cron_history() returns setof text language plpgsql as $$
begin
  delete from cron.job_run_details;
  insert into cron.job_run_details (jobid, runid, username, status, start_time, end_time)
  select 1, -n, 'postgres', 'succeeded', now() - interval '8 days', now() - interval '7 days' - (n - 2) * interval '1 microsecond'
  from generate_series(1, 4) as n
  union all values (1, -5, 'postgres', 'failed', now() - interval '8 days', null::timestamptz), (1, -6, 'postgres', 'running', now(), null);
  return query select pg_temp.check_job('cron_history', 4, 2);
  return next bag_eq($q$ select runid from cron.job_run_details where runid < 0 $q$, array[-1, -6]::bigint[], 'runs of 7 days ago are gone');
end $$;
select pg_temp.check_cron_history() where to_regclass('cron.job_run_details') is not null;

-- storage_removals: the removal itself is the function's ------------------------------------------------------
delete from private.storage_removals;
delete from project_files;
insert into storage.objects (bucket_id, name, metadata) values ('project-files', 'cleanup/a', '{"size": 7}');
insert into private.storage_removals (bucket_id, name) values ('project-files', 'cleanup/a'), ('avatars', 'cleanup/b'), ('project-files', 'needed');
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (pg_temp.id('drafts'), 'f', 'needed', 'txt', 1);
select results_eq($$ select rows, bytes from preview_cleanup('storage_removals') $$, $$ values (2::bigint, 7::bigint) $$,
  'what is queued and not needed again is foreseen, with its size');
select is((run_cleanup_batch('storage_removals', gen_random_uuid())).outcome, 'more', 'there is something to remove');
select is((select count(*) from next_storage_removals()), (preview_cleanup('storage_removals')).rows, 'just that is next');
delete from private.storage_removals;
update private.cleanup_jobs set lease = null, leased_until = null where name = 'storage_removals';
select is((run_cleanup_batch('storage_removals', gen_random_uuid())).outcome, 'done', 'then there is not');

-- orphaned_objects -------------------------------------------------------------------------------------------
insert into encrypted_chats (id, user_id, encrypted_data, image_paths) values
  (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope(), array[tests.user_id('owner') || '/' || pg_temp.id('moved') || '/i']);
insert into file_uploads (user_id, file_name, file_path, bucket_name) values
  (tests.user_id('owner'), 'f', tests.user_id('owner') || '/recorded', 'project-files');
delete from auth.users where id = tests.user_id('gone');
create temporary table objects as
select * from (values
  ('project-files', 'owner', 'orphan', true), ('project-files', 'owner', 'recorded', false), ('project-files', 'gone', 'x', true),
  ('chat-images', 'owner', pg_temp.id('none') || '/i', true), ('chat-images', 'owner', pg_temp.id('chat') || '/i', false),
  ('chat-images', 'owner', pg_temp.id('moved') || '/i', false), ('chat-images', 'other', pg_temp.id('chat') || '/i', true),
  ('chat-images', 'gone', 'i', true),
  ('avatars', 'owner', 'avatar.jpg', false), ('avatars', 'gone', 'avatar.jpg', true), ('user-avatars', 'gone', 'a/b', true),
  ('voice_recordings', 'owner', 'v', false), ('voice_recordings', 'gone', 'v', true), ('chat_attachments', 'gone', 'c', true),
  ('app_storage', 'gone', 's', true), ('app_storage', 'owner', 's', false)) as o (bucket_id, owner, name, orphan);
insert into storage.buckets (id, name) values ('test-cleanup', 'test-cleanup');
insert into storage.objects (bucket_id, name, metadata, created_at, updated_at)
select bucket_id, tests.user_id(owner) || '/' || name, '{"size": 3}', now() - interval '9 days', now() - interval '7 days' from objects
union all values ('app_storage', 'public/logo.png', '{"size": 3}'::jsonb, now() - interval '9 days', now() - interval '9 days'),
  ('test-cleanup', tests.user_id('gone') || '/x', '{"size": 3}', now() - interval '9 days', now() - interval '9 days'),
  ('project-files', tests.user_id('owner') || '/young', '{}', now() - interval '9 days', now() - interval '7 days' + interval '1 microsecond'),
  ('project-files', tests.user_id('owner') || '/new', '{}', now() - interval '7 days' + interval '1 microsecond', now() - interval '9 days');
select pg_temp.check_job('orphaned_objects', 10, 3);
select bag_eq($$ select bucket_id, name from private.storage_removals $$,
  $$ select bucket_id, tests.user_id(owner) || '/' || name from objects where orphan $$, 'just what nobody needs is queued');
select is(bytes, 30::bigint, 'with its size') from cleanup_runs('orphaned_objects') order by id offset 0 limit 1;

-- run_history ------------------------------------------------------------------------------------------------
delete from private.cleanup_runs;
insert into private.cleanup_runs (job, started_at, ended_at, outcome)
select 'finished_tasks', now() - interval '30 days' - (n - 2) * interval '1 microsecond', now(), 'done' from generate_series(1, 4) as n;
select results_eq($$ select rows from preview_cleanup('run_history') $$, $$ values (3::bigint) $$, 'run_history: what is due is foreseen');
select is((pg_temp.run('run_history', 2))[1], 3::bigint, 'run_history: just that is done');
select is((select count(*) from cleanup_runs('finished_tasks')), 1::bigint, 'younger runs stay');

-- for all ----------------------------------------------------------------------------------------------------
select is_empty($$ select j.name from private.cleanup_jobs as j
  where to_regprocedure(format('private.cleanup_%s(private.cleanup_jobs, boolean)', j.name)) is null $$, 'every job has its function');
select is_empty($$ select p.oid::regprocedure from pg_proc as p
  where p.pronamespace = 'private'::regnamespace and p.prorettype = 'private.cleanup_result'::regtype and p.proname ~ '^cleanup_'
    and not exists (select 1 from private.cleanup_jobs as j where p.proname = 'cleanup_' || j.name) $$, 'and every function its job');

select * from finish();
rollback;
