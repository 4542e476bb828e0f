-- The counters of what users have stored: kept by triggers, whoever writes, checked against the objects, and counted anew.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'leaver']) as name;
create function pg_temp.path(file text, actor text default 'owner') returns text language sql immutable as $$
  select tests.user_id(actor) || '/' || file
$$;
create function pg_temp.counters(actor text default 'owner') returns text language sql as $$
  select string_agg(format('%s %s/%s', bucket_id, objects, bytes), ', ' order by bucket_id collate "C")
  from private.storage_counters where user_id = tests.user_id(actor) and objects > 0
$$;
create function pg_temp.is_right(what text) returns text language sql as $$
  select is_empty('select * from storage_reconciliation() where user_id in (select id from auth.users)', what)
$$;
select ok(private.counts_objects(), 'the triggers are there');
select is(pg_temp.counters(), null, 'nothing is stored');

-- what is written, moved and removed --------------------------------------------------------------------
insert into storage.objects (bucket_id, name, version, metadata)
select 'project-files', pg_temp.path('f' || n, case when n <= 3 then 'owner' else 'stranger' end), n, jsonb_build_object('size', n)
from generate_series(1, 5) as n;
insert into storage.objects (bucket_id, name, metadata) values
  ('project-files', 'no folder', '{"size": 100}'), ('project-files', gen_random_uuid() || '/nobody', '{"size": 100}'),
  ('avatars', pg_temp.path('a'), '{"size": 100}'), ('avatars', pg_temp.path('none'), null);
select is(pg_temp.counters(), 'avatars 2/100, project-files 3/6', 'many at once are counted, each for its user and bucket');
select is(pg_temp.counters('stranger'), 'project-files 2/9', 'and for the other');
insert into storage.objects (bucket_id, name, version, metadata) values ('project-files', pg_temp.path('f1'), 'x', '{"size": 50}')
on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata;
select is(pg_temp.counters(), 'avatars 2/100, project-files 3/55', 'what is overwritten counts as what it is now');
update storage.objects set bucket_id = 'avatars' where name = pg_temp.path('f1');
select is(pg_temp.counters(), 'avatars 3/150, project-files 2/5', 'what is moved to another bucket counts there');
update storage.objects set name = pg_temp.path('theirs', 'stranger') where name = pg_temp.path('f1');
select is(pg_temp.counters() || ', ' || pg_temp.counters('stranger'),
  'avatars 2/100, project-files 2/5, avatars 1/50, project-files 2/9', 'or to another user');
update storage.objects set name = 'nowhere' where name = pg_temp.path('theirs', 'stranger');
select is(pg_temp.counters('stranger'), 'project-files 2/9', 'or to none');
update storage.objects set last_accessed_at = now(), metadata = metadata || '{"eTag": "x"}';
select pg_temp.is_right('reading changes nothing');
select set_config('storage.allow_delete_query', 'true', true);
delete from storage.objects where name like '%/f2' or name like '%/f4' or bucket_id = 'avatars';
select is(pg_temp.counters() || ', ' || pg_temp.counters('stranger'), 'project-files 1/3, project-files 1/5',
  'what is removed is taken off, for whoever it was');
select pg_temp.is_right('the counters are right');
select is((select used from get_storage_usage(tests.user_id('owner')) where bucket is null), 3::bigint, 'usage is what they say');

-- an account that goes ----------------------------------------------------------------------------------
insert into storage.objects (bucket_id, name, metadata) values ('project-files', pg_temp.path('x', 'leaver'), '{"size": 1}');
delete from auth.users where id = tests.user_id('leaver');
select is_empty($$ select 1 from private.storage_counters where user_id = tests.user_id('leaver') $$, 'its counters go too');
select is(tests.attempt('service', format($$ insert into storage.objects (bucket_id, name, owner_id) values ('project-files', %L, %L) $$,
  pg_temp.path('late', 'leaver'), tests.user_id('leaver'))), '42501', 'what its tokens bring is refused');
delete from storage.objects where name like tests.user_id('leaver') || '/%';
select pg_temp.is_right('and what it left can be removed');

-- checking and counting anew ------------------------------------------------------------------------------
update private.storage_counters set bytes = 1000, objects = 0 where user_id = tests.user_id('owner') and bucket_id = 'project-files';
insert into private.storage_counters values (tests.user_id('owner'), 'chat_attachments', 1, 1);
delete from private.storage_counters where user_id = tests.user_id('stranger');
select set_eq($$ select user_id, bucket, problem, expected, actual from storage_reconciliation() where user_id is not null $$,
  $$ values (tests.user_id('owner'), 'project-files', 'objects', 1::bigint, 0::bigint),
    (tests.user_id('owner'), 'project-files', 'bytes', 3, 1000),
    (tests.user_id('owner'), 'chat_attachments', 'objects', 0, 1), (tests.user_id('owner'), 'chat_attachments', 'bytes', 0, 1),
    (tests.user_id('stranger'), 'project-files', 'objects', 1, 0), (tests.user_id('stranger'), 'project-files', 'bytes', 5, 0) $$,
  'what the counters say that is not so is found');
select is((select count(*) from storage_reconciliation(tests.user_id('stranger'))), 2::bigint, 'for one user, too');
select tests.clean_up('storage_reconciliation', 10000);
select is((select count(*) from cleanup_health() where job = 'storage_reconciliation'), 1::bigint, 'a job looks every day');
create function pg_temp.report() returns jsonb language plpgsql as $$
declare
  v_job private.cleanup_jobs;
begin
  select j.* into v_job from private.cleanup_jobs as j where j.name = 'storage_reconciliation';
  v_job.batch_size := 10000;
  return (private.do_cleanup(v_job, false)).report;
end $$;
select is((select count(*) from jsonb_array_elements(pg_temp.report()) as p
  where p ->> 'user_id' in (tests.user_id('owner')::text, tests.user_id('stranger')::text)), 6::bigint, 'and reports all of it');
select is((select count(*) from recount_storage(tests.user_id('owner'))), 4::bigint, 'counting anew says what was wrong');
select is((select count(*) from recount_storage(tests.user_id('stranger'))), 2::bigint, 'for each user');
select is_empty($$ select * from recount_storage(tests.user_id('owner')) $$, 'and rights it');
select pg_temp.is_right('nothing is found any more');
select is(tests.refusal($$ select recount_storage(gen_random_uuid()) $$), 'PT404 user_not_found', 'nobody is not counted');
truncate private.storage_counters;
select ok(private.watch_objects(), 'everything can be counted at once');
select pg_temp.is_right('and is');
select is(tests.attempt(c.actor, c.statement), '42501', c.actor || ': ' || c.statement)
from (values ('owner', 'select recount_storage(auth.uid())'), ('owner', 'select storage_reconciliation()'),
  ('anon', 'select storage_reconciliation()'), ('service', 'select 1 from private.storage_counters'),
  ('owner', 'select private.watch_objects()')) as c (actor, statement);

-- quota ---------------------------------------------------------------------------------------------------
-- Writes a row as Storage does: as itself, with the size of the bytes that came and whose they are.
create function pg_temp.store(file text, size bigint, owner text default 'owner', bucket text default 'project-files')
returns text language sql as $$
  select tests.attempt('service', format($s$ insert into storage.objects (bucket_id, name, owner_id, version, metadata)
    values (%L, %L, %L, gen_random_uuid()::text, '{"size": %s}')
    on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata,
      owner_id = coalesce(excluded.owner_id, objects.owner_id) $s$,
    bucket, pg_temp.path(file), case when owner is not null then tests.user_id(owner) end, size))
$$;
select set_storage_quota(tests.user_id('owner'), 100);
select is(pg_temp.store('new', 97), '1', 'what there is room for is stored');
select is(pg_temp.store('new', 98), '42501', 'not a byte more, with the size that came');
select is(pg_temp.store('f3', 100), '1', 'what is overwritten makes room');
select is(pg_temp.store('f3', 101), '42501', 'as much as it takes');
select is(pg_temp.store('new', 98, null), '1', 'the service itself stores what it likes');
create temp table r as select * from reserve_upload(tests.user_id('owner'), 'project-files', 'a', 50, 'image/png');
select is(pg_temp.store('new', 47), '1', 'beside what is reserved');
select is(pg_temp.store('new', 48), '42501', 'and no more');
select is(pg_temp.store(split_part(r.upload_path, '/', 2), 97, o), '1', 'what was reserved can be larger, if there is room') from r, unnest(array['owner', null]) as o;
select is(pg_temp.store(split_part(r.upload_path, '/', 2), 98, o), '42501', 'but not above the quota, whoever signed its URL') from r, unnest(array['owner', null]) as o;
select set_storage_quota(tests.user_id('owner'), 10);
select is(pg_temp.store(split_part(r.upload_path, '/', 2), 50), '1', 'what is reserved comes in, even if the quota is lower since') from r;
select is(pg_temp.store(split_part(r.upload_path, '/', 2), 51), '42501', 'as large as it is') from r;
select is(pg_temp.store('f3', 3), '1', 'a write that makes it no more is not refused');
select is(pg_temp.store('f3', 2), '1', 'nor one that makes it less');
select is(tests.attempt('service', format($$ update storage.objects set bucket_id = 'app_storage', version = 'm' where name = %L $$, pg_temp.path('f3'))),
  '1', 'nor a move');
select delete_files(tests.user_id('owner'), 'project-files', array[pg_temp.path('f3')]);
select is(pg_temp.store('f3', 1), '42501', 'what is queued does not count, and written again it does');
select release_upload(tests.user_id('owner'), r.id) from r;
select is(pg_temp.store('f3', 10), '1', 'up to the quota');
select is(pg_temp.store(split_part(r.upload_path, '/', 2), 11, null), '42501', 'a URL whose upload was given up brings no more than that') from r;
update private.bucket_rules set owner_quota = 5 where bucket_id = 'project-files';
select is(pg_temp.store('f3', 5), '1', 'a bucket may have a quota of its own');
select is(pg_temp.store('f3', 6), '42501', 'which holds for every write');
insert into storage.objects (bucket_id, name, metadata) values ('app_storage', pg_temp.path('moved'), '{"size": 6}');
select is(tests.attempt('service', format($$ update storage.objects set bucket_id = 'project-files', version = 'm', owner_id = %L where name = %L $$,
  tests.user_id('owner'), pg_temp.path('moved'))), '42501', 'and for a move to it');

-- what is let go of and taken back ------------------------------------------------------------------------
update private.bucket_rules set owner_quota = null where bucket_id = 'project-files';
delete from storage.objects where name like tests.user_id('owner') || '/%';
delete from file_uploads;
truncate private.storage_removals, private.spent_uploads;
select set_storage_quota(tests.user_id('owner'), 100);
select pg_temp.path('old' || n) as name into temp table old from generate_series(1, 2) as n;
insert into storage.objects (bucket_id, name, version, owner_id, metadata)
select 'project-files', name, 'v', tests.user_id('owner'), '{"size": 50}' from old;
create function pg_temp.take_back() returns text language plpgsql as $$
begin
  insert into file_uploads (user_id, file_name, file_path, bucket_name) select tests.user_id('owner'), 'f', name, 'project-files' from old;
  return (select coalesce(string_agg(split_part(r.name, '/', 2), ' ' order by r.name), 'nothing') from next_storage_removals() as r);
end $$;
select pg_temp.take_back();
delete from file_uploads;
select is(pg_temp.take_back(), 'nothing', 'what is let go of and taken back stays, while there is room for it');
select is((select used from get_storage_usage(tests.user_id('owner')) where bucket is null), 100::bigint, 'and counts again');
delete from file_uploads;
insert into storage.objects (bucket_id, name, version, owner_id, metadata)
values ('project-files', pg_temp.path('new'), 'v', tests.user_id('owner'), '{"size": 60}');
select is(pg_temp.take_back(), 'old1 old2', 'once its room is used for something else, it is removed all the same');
delete from file_uploads;
update private.storage_removals set due_at = now();
select set_storage_quota(tests.user_id('owner'), 110);
select matches(pg_temp.take_back(), '^old[12]$', 'or a part of it is');

select * from finish();
rollback;
