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
    'public.projects', 'public.project_files', 'private.project_purges', 'private.project_clones', 'private.storage_removals', 'storage.objects',
    'public.tasks', 'public.team_invitations', 'private.idempotency_keys', 'auth.sessions', 'auth.refresh_tokens', 'public.file_uploads',
    'private.spent_uploads', 'private.chat_tombstones', 'private.chat_owners', 'public.chat_approvals', 'public.webhook_events', 'public.webhook_refusals'] loop
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
select tests.clean_up('credit_settlement', 10000);
select grant_credits(tests.user_id('owner'), 10, expires_at => now() + interval '2 days');
select grant_credits(tests.user_id('other'), 50, effective_at => now() + interval '3 days');
select grant_credits(tests.user_id('later'), 10, expires_at => now() + interval '2 days');
select hold_credits(tests.user_id('owner'), 5, expires_in => 60);
select set_credit_alert(120, tests.user_id('other'));
-- All of this was so long ago that it is due now, at this very instant, and of one a second later.
select tests.pass_time(tests.account_of('owner'), interval '2 days');
update private.credit_grants set expires_at = now() where account_id = tests.account_of('owner') and expires_at is not null;
update credit_accounts set next_due_at = now() where id = tests.account_of('owner');
select tests.pass_time(tests.account_of('other'), interval '3 days');
select tests.pass_time(tests.account_of('later'), interval '2 days' - interval '1 second' - (clock_timestamp() - now()));
update credit_accounts set next_due_at = now() + interval '1 minute' where id = tests.account_of('later');
update private.credit_grants set expires_at = now() + interval '1 minute'
where account_id = tests.account_of('later') and expires_at is not null;
select is(alert_armed, false, 'an alert is off below its threshold') from credit_accounts where id = tests.account_of('other');
select pg_temp.check_job('credit_settlement', 2, 1);
select is(array_agg(balance::int order by balance), '{100,110,150}', 'what ended is gone, what began is there, what ends later too')
from credit_accounts where id in (tests.account_of('owner'), tests.account_of('other'), tests.account_of('later'));
select is(status, 'expired', 'a hold expires') from credit_holds where account_id = tests.account_of('owner');
select is(alert_armed, true, 'what began has armed the alert again') from credit_accounts where id = tests.account_of('other');

-- An account that cannot be settled is reported, and the others go on.
select hold_credits(tests.user_id('later'), 5, expires_in => 60), hold_credits(tests.user_id('owner'), 5, expires_in => 60);
select tests.pass_time(tests.account_of('later'), '2 hours'), tests.pass_time(tests.account_of('owner'), '1 hour');
update private.credit_holds set amount = 50 where account_id = tests.account_of('later');
select pg_temp.run('credit_settlement', 1);
select is((select last_report -> 0 ->> 'account_id' from cleanup_health() where job = 'credit_settlement'),
  tests.account_of('later')::text, 'an account that fails is reported');
select results_eq($$ select open_holds from credit_accounts where id in (tests.account_of('later'), tests.account_of('owner'))
    order by open_holds $$, $$ values (0), (1) $$, 'and the other is settled');
update private.credit_holds set amount = 5 where account_id = tests.account_of('later');
select pg_temp.run('credit_settlement', 1);
select is((select open_holds from credit_accounts where id = tests.account_of('later')), 0, 'once it is mended, so is this one');

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

-- credit_seals -----------------------------------------------------------------------------------------------
select is((preview_cleanup('credit_seals')).rows, (select sum(version)::bigint from credit_accounts), 'all entries are due');
select is((pg_temp.run('credit_seals', 2))[1], (select sum(version)::bigint from credit_accounts),
  'and are sealed, however small the batches');
select is((preview_cleanup('credit_seals')).rows, 0::bigint, 'then none is');
select is_empty($$ select v.problem from credit_accounts as a cross join lateral verify_credit_ledger(a.id) as v
  where v.problem is not null or v.sealed_to <> a.version $$, 'they are what was sealed');

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

-- messages: deleted projects with more of them than a batch ---------------------------------------------------
insert into projects (id, user_id, title, deleted_at)
select pg_temp.id('full' || n), tests.user_id('owner'), 'P', now() - interval '40 days' + n * interval '1 day'
from generate_series(1, 2) as n;
insert into messages (project_id, role, content, sequence_number)
select pg_temp.id('full' || p), 'user', '"x"', n from generate_series(1, 2) as p, generate_series(0, 4) as n;
update private.cleanup_jobs set batch_size = 3 where name = 'deleted_projects';
select is((run_cleanup_batch('deleted_projects', gen_random_uuid())).outcome, 'more', 'a project with more messages than a batch takes several');
select is((select count(*) from messages where project_id = pg_temp.id('full1')), 2::bigint, 'a batch of messages has gone');
select is(tests.refusal($$ select restore_project(tests.user_id('owner'), pg_temp.id('full1')) $$), 'PT409 project_purged',
  'then it is not restored any more');
select is(tests.refusal($$ update projects set deleted_at = null where id = pg_temp.id('full1') $$), 'PT409 project_purged',
  'by nobody');
select lives_ok($$ update projects set title = 'Q' where id = pg_temp.id('full1') $$, 'other changes are harmless');
select is((restore_project(tests.user_id('owner'), pg_temp.id('full2'))).project ->> 'status', 'active', 'one that is whole is');
update projects set deleted_at = now() - interval '31 days' where id = pg_temp.id('full2');
update private.cleanup_jobs set lease = null, leased_until = null where name = 'deleted_projects';
select pg_temp.check_job('deleted_projects', 2, 3);
select is_empty($$ select 1 from messages where project_id in (pg_temp.id('full1'), pg_temp.id('full2')) $$, 'then their messages are gone');
update private.cleanup_jobs set lease = null, leased_until = null where name = 'deleted_projects';
insert into projects (id, user_id, title, deleted_at)
values (pg_temp.id('young'), tests.user_id('owner'), 'P', now() - interval '30 days' + interval '1 microsecond');
insert into messages (project_id, role, content, sequence_number)
select pg_temp.id('young'), 'user', '"x"', n from generate_series(0, 4) as n;
select pg_temp.check_job('deleted_projects', 0, 3);
select is((select count(*) from messages where project_id = pg_temp.id('young')), 5::bigint, 'one deleted later has its messages');

-- deleted_projects --------------------------------------------------------------------------------------------
insert into projects (id, user_id, title, deleted_at)
select pg_temp.id('deleted' || n), tests.user_id('owner'), 'P', now() - interval '30 days' - (n - 2) * interval '1 microsecond'
from generate_series(1, 4) as n;
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('deleted' || n), 'f', tests.user_id('owner') || '/deleted' || n, 'txt', 1 from generate_series(1, 4) as n;
insert into storage.objects (bucket_id, name)
select 'project-files', tests.user_id('owner') || '/deleted' || n from generate_series(1, 4) as n;
select pg_temp.check_job('deleted_projects', 3, 3);
select results_eq($$ select id from projects where id in (select pg_temp.id('deleted' || n) from generate_series(1, 4) as n) $$,
  $$ values (pg_temp.id('deleted1')) $$, 'projects deleted for 30 days are gone');
select bag_eq($$ select name from private.storage_removals $$,
  $$ select tests.user_id('owner') || '/deleted' || n from generate_series(2, 4) as n $$, 'and the objects of those that went are queued');

-- project_clones ------------------------------------------------------------------------------------------------
insert into projects (id, user_id, title) values (pg_temp.id('source'), tests.user_id('owner'), 'P');
insert into projects (id, user_id, title, status)
select pg_temp.id('clone' || n), tests.user_id('owner'), 'P', 'cloning' from generate_series(1, 3) as n;
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('source'), 'f' || n, tests.user_id('owner') || '/source' || n, 'txt', 1 from generate_series(1, 5) as n;
insert into private.project_clones (id, user_id, source_id, status, code, stage, total_files, finished_at)
select pg_temp.id('clone' || n), tests.user_id('owner'), pg_temp.id('source'),
  case when n < 3 then 'copying' when n < 4 then 'failed' else 'complete' end, case when n = 3 then 'project_not_found' end,
  'files', 5, case when n > 3 then now() - interval '30 days' - (n - 5) * interval '1 microsecond' end
from generate_series(1, 6) as n;
select pg_temp.check_job('project_clones', 5, 4);
select results_eq($$ select n, c.status, p.status::text, (select count(*)::integer from project_files as f where f.project_id = p.id)
    from generate_series(1, 6) as n left join private.project_clones as c on c.id = pg_temp.id('clone' || n)
    left join projects as p on p.id = pg_temp.id('clone' || n) order by n $$,
  $$ values (1, 'complete', 'active', 5), (2, 'complete', 'active', 5), (3, 'failed', null, 0), (4, 'complete', null, 0),
    (5, null, null, 0), (6, null, null, 0) $$, 'clones are completed, removed when they have failed, and forgotten after 30 days');

-- finished_tasks ---------------------------------------------------------------------------------------------
insert into tasks (user_id, prompt, status, updated_at)
select tests.user_id('owner'), s || n, s::task_status_enum, now() - interval '90 days' - (n - 2) * interval '1 microsecond'
from unnest(array['pending', 'processing', 'completed', 'error']) as s, generate_series(1, 3) as n;
select pg_temp.check_job('finished_tasks', 4, 2);
select bag_eq($$ select prompt from tasks where user_id = tests.user_id('owner') $$,
  array['pending1', 'pending2', 'pending3', 'processing1', 'processing2', 'processing3', 'completed1', 'error1'],
  'tasks finished 90 days ago are gone, those that go on stay');

-- api_key_events ---------------------------------------------------------------------------------------------
insert into api_key_events (user_id, key_id, key_prefix, event, created_at)
select tests.user_id('owner'), gen_random_uuid(), 'srk_' || n, 'created', now() - interval '365 days' - (n - 2) * interval '1 microsecond'
from generate_series(1, 4) as n;
select pg_temp.check_job('api_key_events', 3, 2);
select results_eq($$ select key_prefix from api_key_events where user_id = tests.user_id('owner') $$, array['srk_1'],
  'what happened to keys is forgotten after a year');

-- idempotency_keys -------------------------------------------------------------------------------------------
delete from private.idempotency_keys;
select grant_credits(tests.user_id('owner'), 1, idempotency_key => 'k' || n) from generate_series(1, 3) as n;
update private.idempotency_keys set created_at = now() - interval '30 days' - (right(key, 1)::int - 2) * interval '1 microsecond';
select pg_temp.check_job('idempotency_keys', 2, 1000);
select is((grant_credits(tests.user_id('owner'), 1, idempotency_key => 'k1')).replayed, true, 'a key younger than 30 days is known');
select is((grant_credits(tests.user_id('owner'), 1, idempotency_key => 'k3')).replayed, false, 'an older one is a new request''s');
select is((deduct_credits(tests.user_id('owner'), amount => 1, idempotency_key => 'c')).replayed, false, 'the key of a charge');
select pg_temp.run('idempotency_keys', 1);
select is((deduct_credits(tests.user_id('owner'), amount => 1, idempotency_key => 'c')).replayed, true, 'stays with its entry');
select grant_credits(tests.user_id('owner'), 5, external_reference => 'cleanup-payment', idempotency_key => 'g');
update private.idempotency_keys set created_at = now() - interval '1 year';
select pg_temp.run('idempotency_keys', 1);
select is((grant_credits(tests.user_id('owner'), 5, external_reference => 'cleanup-payment', idempotency_key => 'g')).replayed, true,
  'a payment grants once, whatever became of its key');
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree without keys');

-- team_invitations -------------------------------------------------------------------------------------------
insert into teams (id, name) values (md5('team')::uuid, 'Team');
insert into team_members (team_id, user_id, role) values (md5('team')::uuid, tests.user_id('owner'), 'owner');
insert into team_invitations (team_id, team_name, email, role, invited_by, status, expires_at, answered_at)
select md5('team')::uuid, 'Team', status || days || '@example.com', 'member', tests.user_id('owner'), status,
  now() - make_interval(days => days), case when status <> 'pending' then now() - interval '31 days' end
from unnest(array['pending', 'accepted']) as status, unnest(array[-7, 29, 31]) as days;
select pg_temp.check_job('team_invitations', 4, 2);
select bag_eq($$ select email from team_invitations $$, array['pending-7@example.com', 'pending29@example.com'],
  'invitations that have expired for 30 days or were answered that long ago are gone');

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

-- files: multipart_uploads, where there is such a table -------------------------------------------------------
select pg_temp.check_job('multipart_uploads', 0, 2) where to_regclass('storage.s3_multipart_uploads') is null;

create function pg_temp.check_multipart_uploads() returns setof text language plpgsql as $$
begin
  insert into storage.s3_multipart_uploads (id, bucket_id, key, version, upload_signature, created_at)
  select 'cleanup' || n, 'avatars', 'k', 'v', 's', now() - interval '7 days' - (n - 1) * interval '1 microsecond'
  from generate_series(1, 4) as n;
  return query select pg_temp.check_job('multipart_uploads', 3, 2);
  return next is((select string_agg(id, ' ') from storage.s3_multipart_uploads), 'cleanup1', 'an upload is given up after 7 days');
  update storage.s3_multipart_uploads set created_at = now() - interval '8 days';
  perform public.cleanup_old_multipart_uploads();
  return next is((select count(*) from storage.s3_multipart_uploads), 0::bigint, 'all at once does the same');
end $$;
select pg_temp.check_multipart_uploads() where to_regclass('storage.s3_multipart_uploads') is not null;

-- cron_history, where there is such a table -------------------------------------------------------------------
select pg_temp.check_job('cron_history', 0, 2) where to_regclass('cron.job_run_details') is null;

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

-- files: storage_removals, but for the removal itself, which is the function's --------------------------------
delete from project_files;
truncate private.storage_removals;
insert into storage.objects (bucket_id, name, version, metadata)
select 'project-files', tests.user_id('owner') || '/' || n, 'v', '{"size": 7}' from unnest(array['a', 'b', 'needed', 'written', 'later']) as n;
insert into storage.objects (bucket_id, name, version, metadata) values
  ('avatars', tests.user_id('owner') || '/avatar.jpg', 'v', '{"size": 7}'),
  ('project-files', md5('nobody')::uuid || '/a', 'other', '{"size": 7}');
insert into private.storage_removals (bucket_id, name, version, due_at)
select o.bucket_id, o.name, 'v', now() + case when o.name like '%/later' then interval '1 microsecond' else interval '0' end
from storage.objects as o where o.version in ('v', 'other');
update storage.objects set version = 'w' where name = tests.user_id('owner') || '/written';
insert into private.storage_removals (bucket_id, name) values ('project-files', tests.user_id('owner') || '/gone');
insert into projects (id, user_id, title) values (pg_temp.id('files'), tests.user_id('owner'), 'P');
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (pg_temp.id('files'), 'f', tests.user_id('owner') || '/needed', 'txt', 1);
insert into file_uploads (user_id, file_name, file_path, upload_path, bucket_name, file_size, status, expires_at)
values (tests.user_id('owner'), 'f', tests.user_id('owner') || '/avatar.jpg', tests.user_id('owner') || '/new', 'avatars', 1, 'pending', now() + interval '1 hour');
select results_eq($$ select rows, bytes from preview_cleanup('storage_removals') $$, $$ values (3::bigint, 21::bigint) $$,
  'what is queued, due, there as it was and not needed again is foreseen, with its size');
select is((run_cleanup_batch('storage_removals', gen_random_uuid())).outcome, 'more', 'there is something to remove');
select is((select count(*) from next_storage_removals()), 3::bigint, 'just that is next');
update private.cleanup_jobs set lease = null, leased_until = null where name = 'storage_removals';
select is((run_cleanup_batch('storage_removals', gen_random_uuid())).outcome, 'done', 'then there is not');
select is((preview_cleanup('storage_removals')).rows, 0::bigint, 'and nothing is foreseen');
update private.storage_removals set due_at = now() where name = tests.user_id('owner') || '/later';
select is((preview_cleanup('storage_removals')).rows, 1::bigint, 'to the instant');
delete from file_uploads;
truncate private.storage_removals, private.spent_uploads;
delete from project_files;
select set_config('storage.allow_delete_query', 'true', true);
delete from storage.objects where version in ('v', 'w', 'other');
select set_config('storage.allow_delete_query', 'false', true);
truncate private.storage_removals;

-- files: orphaned_objects -------------------------------------------------------------------------------------
insert into encrypted_chats (id, user_id, encrypted_data, image_paths) values
  (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope(), array[tests.user_id('owner') || '/' || pg_temp.id('moved') || '/i']);
insert into file_uploads (user_id, file_name, file_path, bucket_name) values
  (tests.user_id('owner'), 'f', tests.user_id('owner') || '/recorded', 'project-files');
-- Rows of others keep nothing.
insert into file_uploads (user_id, file_name, file_path, bucket_name) values
  (tests.user_id('other'), 'f', tests.user_id('owner') || '/another''s', 'project-files');
insert into encrypted_chats (id, user_id, encrypted_data, image_paths) values
  (pg_temp.id('trap'), tests.user_id('other'), tests.envelope(), array[tests.user_id('owner') || '/another''s']);
delete from auth.users where id = tests.user_id('gone');
insert into file_uploads (user_id, file_name, file_path, upload_path, bucket_name, file_size, status, expires_at) values
  (tests.user_id('owner'), 'f', tests.user_id('owner') || '/in place', tests.user_id('owner') || '/under way', 'project-files', 1, 'pending', now() + interval '1 hour');
create temporary table objects as
select * from (values
  ('project-files', 'owner', 'orphan', true), ('project-files', 'owner', 'recorded', false), ('project-files', 'gone', 'x', true),
  ('chat-images', 'owner', pg_temp.id('none') || '/i', true), ('chat-images', 'owner', pg_temp.id('chat') || '/i', false),
  ('chat-images', 'owner', pg_temp.id('moved') || '/i', false), ('chat-images', 'other', pg_temp.id('chat') || '/i', true),
  ('chat-images', 'gone', 'i', true),
  ('avatars', 'owner', 'avatar.jpg', false), ('avatars', 'gone', 'avatar.jpg', true), ('user-avatars', 'gone', 'a/b', true),
  ('voice_recordings', 'owner', 'v', false), ('voice_recordings', 'gone', 'v', true), ('chat_attachments', 'gone', 'c', true),
  ('app_storage', 'gone', 's', true), ('app_storage', 'owner', 's', false), ('project-files', 'owner', 'another''s', true),
  ('chat-images', 'owner', 'another''s', true), ('project-files', 'owner', 'in place', false),
  ('project-files', 'owner', 'under way', false), ('project-files', 'owner', 'spent', false), ('project-files', 'gone', 'spent', false)) as o (bucket_id, owner, name, orphan);
insert into storage.buckets (id, name) values ('test-cleanup', 'test-cleanup');
insert into storage.objects (bucket_id, name, metadata, created_at, updated_at, version)
select bucket_id, tests.user_id(owner) || '/' || name, '{"size": 3}', now() - interval '9 days', now() - interval '7 days', 'v' || name from objects
union all values ('app_storage', 'public/logo.png', '{"size": 3}'::jsonb, now() - interval '9 days', now() - interval '9 days', 'v'),
  ('test-cleanup', tests.user_id('gone') || '/x', '{"size": 3}', now() - interval '9 days', now() - interval '9 days', 'v'),
  ('project-files', tests.user_id('owner') || '/young', '{}', now() - interval '9 days', now() - interval '7 days' + interval '1 microsecond', 'v'),
  ('project-files', tests.user_id('owner') || '/new', '{}', now() - interval '7 days' + interval '1 microsecond', now() - interval '9 days', 'v');
insert into private.spent_uploads (bucket_id, name, user_id, expires_at)
select 'project-files', tests.user_id(n) || '/spent', tests.user_id(n), now() - interval '9 days' from unnest(array['owner', 'gone']) as n;
select pg_temp.check_job('orphaned_objects', (select count(*) from objects where orphan), 3);
select bag_eq($$ select bucket_id, name, version from private.storage_removals $$,
  $$ select bucket_id, tests.user_id(owner) || '/' || name as name, 'v' || name as version from objects where orphan $$, 'just what nobody needs is queued, as it is');
select bag_eq($$ select bucket_id, name from next_storage_removals() $$, $$ select bucket_id, tests.user_id(owner) || '/' || name from objects where orphan $$,
  'and will be removed');
select is(bytes, (select 3 * count(*) from objects where orphan), 'with its size') from cleanup_runs('orphaned_objects') order by id offset 0 limit 1;

-- files: expired_uploads --------------------------------------------------------------------------------------
delete from file_uploads;
truncate private.storage_removals, private.spent_uploads;
select reserve_upload(tests.user_id('owner'), 'avatars', 'n' || n, 5, 'image/png') from generate_series(1, 6) as n;
update file_uploads set expires_at = now() - (right(file_name, 1)::int - 2) * case when right(file_name, 1)::int > 3 then interval '1 hour' else interval '1 microsecond' end;
insert into storage.objects (bucket_id, name, metadata) select 'avatars', upload_path, '{"size": 3}' from file_uploads;
insert into private.spent_uploads (bucket_id, name, user_id, expires_at)
select 'avatars', tests.user_id('other') || '/spent' || n, tests.user_id('other'), now() - interval '1 hour' - (n - 2) * interval '1 microsecond'
from generate_series(1, 3) as n;
insert into storage.objects (bucket_id, name, metadata) select 'avatars', name, '{"size": 3}' from private.spent_uploads where name like '%spent%';
select pg_temp.check_job('expired_uploads', 7, 2);
select is(array_agg(file_name), '{n1}', 'reservations that have expired are given up') from file_uploads where status = 'pending';
select bag_eq($$ select name from private.spent_uploads where name like '%spent%' $$, array[tests.user_id('other') || '/spent1'],
  'an upload URL is looked after for an hour');
select is((select count(*) from private.storage_removals), 7::bigint, 'and what they brought is queued');
truncate private.storage_removals, private.spent_uploads;

-- chat_tombstones --------------------------------------------------------------------------------------------
delete from encrypted_chats;
delete from private.chat_tombstones;
insert into encrypted_chats (id, user_id, encrypted_data)
select pg_temp.id(name || n), tests.user_id(name), tests.envelope() from unnest(array['owner', 'other']) as name, generate_series(1, 4) as n;
delete from encrypted_chats where user_id in (tests.user_id('owner'), tests.user_id('other'));
update private.chat_tombstones as t set deleted_at = now() - interval '90 days' + (n - 3) * interval '1 microsecond'
from generate_series(1, 4) as n, unnest(array['owner', 'other']) as name where t.chat_id = pg_temp.id(name || n);
create temporary table pruned as
select t.user_id, max(t.sync_sequence) as through from private.chat_tombstones as t where t.deleted_at <= now() - interval '90 days' group by 1;
select pg_temp.check_job('chat_tombstones', 6, 4);
select bag_eq($$ select chat_id from private.chat_tombstones $$, array[pg_temp.id('owner4'), pg_temp.id('other4')],
  'deletions of 90 days ago are forgotten');
select bag_eq($$ select user_id, pruned_through from private.chat_owners where user_id in (tests.user_id('owner'), tests.user_id('other')) $$,
  $$ select * from pruned $$, 'and each user is known to lack them');

-- chat_approvals ---------------------------------------------------------------------------------------------
delete from chat_approvals;
insert into chat_approvals (user_id, id, share, created_at, expires_at)
select tests.user_id('owner'), pg_temp.id('approval' || n), 'x', now() - interval '1 day' + (n - 5) * interval '1 microsecond', now()
from generate_series(1, 6) as n;
select pg_temp.check_job('chat_approvals', 5, 2);
select bag_eq($$ select id from chat_approvals $$, array[pg_temp.id('approval6')], 'approvals are kept for a day, to the instant');

-- webhook_payloads -------------------------------------------------------------------------------------------
delete from webhook_events;
delete from webhook_refusals;
select receive_webhook_event(p, 'e' || n, 't', '{}') from unnest(array['auth', 'standard:cleanup']) as p, generate_series(1, 4) as n;
update webhook_events set received_at = now() - interval '90 days' - (right(event_id, 1)::int - 2) * interval '1 microsecond';
insert into webhook_refusals (provider, reason, day)
select 'stripe', 'r', ((now() - interval '90 days') at time zone 'UTC')::date - n from generate_series(0, 2) as n;
select pg_temp.check_job('webhook_payloads', 8, 3);
select results_eq($$ select provider, event_id, payload is null from webhook_events order by 1, 2 $$,
  $$ values ('auth', 'e1', false), ('standard:cleanup', 'e1', false), ('standard:cleanup', 'e2', true), ('standard:cleanup', 'e3', true),
    ('standard:cleanup', 'e4', true) $$, 'payloads of 90 days ago are gone, ids stay, but those of Auth');
select is((select count(*) from webhook_refusals), 1::bigint, 'and so are the counts of days that were over then');

-- run_history ------------------------------------------------------------------------------------------------
delete from private.cleanup_runs;
insert into private.cleanup_runs (job, started_at, ended_at, outcome)
select 'idempotency_keys', now() - interval '30 days' - (n - 2) * interval '1 microsecond', now(), 'done' from generate_series(1, 4) as n;
select results_eq($$ select rows from preview_cleanup('run_history') $$, $$ values (3::bigint) $$, 'run_history: what is due is foreseen');
select is((pg_temp.run('run_history', 2))[1], 3::bigint, 'run_history: just that is done');
select is((select count(*) from cleanup_runs('idempotency_keys')), 1::bigint, 'younger runs stay');

-- for all ----------------------------------------------------------------------------------------------------
select is_empty($$ select j.name from private.cleanup_jobs as j
  where to_regprocedure(format('private.cleanup_%s(private.cleanup_jobs, boolean)', j.name)) is null $$, 'every job has its function');
select is_empty($$ select p.oid::regprocedure from pg_proc as p
  where p.pronamespace = 'private'::regnamespace and p.prorettype = 'private.cleanup_result'::regtype and p.proname ~ '^cleanup_'
    and not exists (select 1 from private.cleanup_jobs as j where p.proname = 'cleanup_' || j.name) $$, 'and every function its job');

select * from finish();
rollback;
