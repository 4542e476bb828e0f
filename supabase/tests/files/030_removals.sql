-- The removal queue: filled by whatever takes the last reference to an object, and worked off until nothing is left.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'leaver']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('removals ' || name)::uuid $$;
create function pg_temp.path(file text, actor text default 'owner') returns text language sql immutable as $$
  select tests.user_id(actor) || '/' || file
$$;
create function pg_temp.store(bucket text, file text, actor text default 'owner') returns void language sql as $$
  insert into storage.objects (bucket_id, name, version, metadata)
  values (bucket, pg_temp.path(file, actor), gen_random_uuid()::text, '{"size": 10}')
  on conflict (bucket_id, name) do update set version = excluded.version
$$;
-- What is queued, as bucket and file.
create function pg_temp.queued() returns text language sql as $$
  select coalesce(string_agg(bucket_id || ' ' || substr(name, 38), ', ' order by bucket_id collate "C", name collate "C"), '')
  from private.storage_removals
$$;
create function pg_temp.handed(batch integer default 1000) returns text language sql as $$
  select coalesce(string_agg(bucket_id || ' ' || substr(name, 38), ', ' order by bucket_id collate "C", name collate "C"), '')
  from next_storage_removals(batch)
$$;
create function pg_temp.upload(bucket text, file text, project uuid default null, actor text default 'owner', owner text default 'owner')
returns void language sql as $$
  insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
  values (tests.user_id(actor), project, 'f', pg_temp.path(file, owner), bucket)
$$;
create function pg_temp.project_file(project uuid, file text, owner text default 'owner') returns void language sql as $$
  insert into project_files (project_id, file_name, storage_path, file_type, file_size)
  values (project, 'f', pg_temp.path(file, owner), 'pdf', 1)
$$;
create function pg_temp.as_user(actor text, statement text) returns void language plpgsql as $$
begin
  perform tests.authenticate_as(actor);
  execute statement;
  perform tests.clear_authentication();
end $$;
insert into projects (id, user_id, title) values
  (pg_temp.id('a'), tests.user_id('owner'), 'A'), (pg_temp.id('b'), tests.user_id('owner'), 'B'),
  (pg_temp.id('trap'), tests.user_id('stranger'), 'Trap');

-- a record is deleted ---------------------------------------------------------------------------------
select pg_temp.store('chat_attachments', f) from unnest(array['one', 'two']) as f;
select pg_temp.upload('chat_attachments', 'one'), pg_temp.upload('chat_attachments', 'one'), pg_temp.upload('chat_attachments', 'none');
delete from file_uploads where ctid = (select min(ctid) from file_uploads where file_path = pg_temp.path('one'));
select is(pg_temp.queued(), '', 'an object that another record names is not queued');
select pg_temp.as_user('owner', 'delete from file_uploads');
select is(pg_temp.queued(), 'chat_attachments one', 'with the last record it is, deleted by a client; not one that is not there');
select pg_temp.upload('chat_attachments', 'one');
select is(pg_temp.handed(), '', 'named again, it is not handed out');
select is(pg_temp.queued(), '', 'and leaves the list');
select pg_temp.as_user('owner', format('update file_uploads set file_path = %L', pg_temp.path('two')));
select is(pg_temp.queued(), 'chat_attachments one', 'a record that names another object lets go of the first');
truncate private.storage_removals;
select pg_temp.upload('chat_attachments', 'two', actor => 'stranger'), pg_temp.upload('no bucket', 'two');
select pg_temp.as_user('stranger', 'delete from file_uploads');
select is(pg_temp.queued(), '', 'who names another''s object removes nothing by it');
select pg_temp.upload('chat_attachments', 'two', actor => 'stranger');
select pg_temp.as_user('owner', 'delete from file_uploads');
select is(pg_temp.queued(), 'chat_attachments two', 'and keeps nothing from removal');
select is(pg_temp.handed(), 'chat_attachments two', 'which is handed out');
truncate private.storage_removals;
delete from file_uploads;

-- a project -------------------------------------------------------------------------------------------
select pg_temp.store('project-files', f) from unnest(array['a.enc', 'shared.enc', 'single.enc', 'moved.enc']) as f;
select pg_temp.store('chat_attachments', 'a.pdf');
select pg_temp.project_file(pg_temp.id('a'), f) from unnest(array['a.enc', 'shared.enc', 'single.enc', 'moved.enc']) as f;
select pg_temp.project_file(pg_temp.id('b'), 'shared.enc');
select pg_temp.upload('chat_attachments', 'a.pdf', pg_temp.id('a'));
select pg_temp.as_user('owner', format('delete from project_files where storage_path = %L', pg_temp.path('single.enc')));
select is(pg_temp.queued(), 'project-files single.enc', 'a file of a project is deleted by a client');
select pg_temp.as_user('owner', format('update project_files set storage_path = %L where storage_path = %L',
  pg_temp.path('a.enc'), pg_temp.path('moved.enc')));
select is(pg_temp.queued(), 'project-files moved.enc, project-files single.enc', 'or named otherwise');
truncate private.storage_removals;
select pg_temp.as_user('owner', format('delete from projects where id = %L', pg_temp.id('a')));
select is(pg_temp.queued(), 'chat_attachments a.pdf, project-files a.enc', 'a project takes along its files, but those of another');
truncate private.storage_removals;
select is((delete_project(tests.user_id('owner'), pg_temp.id('b'), true)).files, 1, 'the other one is removed permanently');
select is(pg_temp.queued(), 'project-files shared.enc', 'and takes along what both had');
truncate private.storage_removals;
select pg_temp.project_file(pg_temp.id('trap'), 'shared.enc');
select pg_temp.as_user('stranger', 'delete from projects');
select is(pg_temp.queued(), '', 'a project that names another''s objects takes none along');
-- Its upload record and its record in the project are of one file.
insert into projects (id, user_id, title) values (pg_temp.id('c'), tests.user_id('owner'), 'C');
select pg_temp.project_file(pg_temp.id('c'), 'shared.enc');
insert into file_uploads (user_id, project_id, file_name, file_path, upload_path, expires_at, bucket_name)
values (tests.user_id('owner'), pg_temp.id('c'), 'f', pg_temp.path('shared.enc'), pg_temp.path('shared.enc'), now(), 'project-files');
delete from project_files;
select is((select count(*) from file_uploads) || pg_temp.queued(), '0project-files shared.enc',
  'a project''s file takes along the record of its upload');
truncate private.storage_removals, private.spent_uploads;
-- Not that of an upload to another project, or to none.
insert into projects (id, user_id, title) select pg_temp.id(t), tests.user_id('owner'), t from unnest(array['p1', 'p2']) as t;
select pg_temp.store('project-files', f) from unnest(array['p1.enc', 'none.enc']) as f;
insert into file_uploads (user_id, project_id, file_name, file_path, upload_path, expires_at, bucket_name)
select tests.user_id('owner'), c.project, 'f', pg_temp.path(c.file), pg_temp.path(c.file), now(), 'project-files'
from (values ('p1.enc', pg_temp.id('p1')), ('none.enc', null)) as c (file, project);
select pg_temp.project_file(pg_temp.id('p2'), f) from unnest(array['p1.enc', 'none.enc']) as f;
select delete_project(tests.user_id('owner'), pg_temp.id('p2'), true);
select is(pg_temp.queued(), '', 'a project does not take along what was uploaded to another, or to none');
select is((select count(*) from file_uploads), 2::bigint, 'nor the records of it');
select delete_project(tests.user_id('owner'), pg_temp.id('p1'), true);
select is(pg_temp.queued(), 'project-files p1.enc', 'which go along with theirs');
delete from file_uploads;
truncate private.storage_removals, private.spent_uploads;

-- an account ------------------------------------------------------------------------------------------
insert into projects (id, user_id, title) values (pg_temp.id('left'), tests.user_id('leaver'), 'L');
select pg_temp.store(bucket_id, 'x', 'leaver') from private.bucket_rules;
select pg_temp.store('app_storage', 'a/b/c', 'leaver');
select pg_temp.upload('avatars', 'x', pg_temp.id('left'), 'leaver', 'leaver');
select pg_temp.project_file(pg_temp.id('left'), 'x', 'leaver');
select pg_temp.project_file(pg_temp.id('c'), 'x', 'leaver');
select reserve_upload(tests.user_id('leaver'), 'avatars', 'a', 10, 'image/png');
delete from auth.users where id = tests.user_id('leaver');
select is((select count(*) from private.storage_removals), (select count(*) + 1 from private.bucket_rules), 'an account takes along all that is in its folders');
select is((select count(*) from storage.objects o where o.name like pg_temp.path('%', 'leaver') and not exists (
  select 1 from private.storage_removals r where r.bucket_id = o.bucket_id and r.name = o.name)), 0::bigint, 'nothing is left out');
select is((select count(*) from private.spent_uploads), 1::bigint, 'and its upload under way is looked after');
select pg_temp.store('avatars', 'x', 'leaver');
select is((select count(*) from next_storage_removals()), (select count(*) + 1 from private.bucket_rules),
  'whoever else names them, and whatever was written to them since');
truncate private.storage_removals, private.spent_uploads;

-- working it off --------------------------------------------------------------------------------------
select pg_temp.store('avatars', f) from unnest(array['1', '2', '3', '4']) as f;
select delete_files(tests.user_id('owner'), 'avatars', array[pg_temp.path('1'), pg_temp.path('2'), pg_temp.path('3'), pg_temp.path('4')]);
update private.storage_removals set due_at = now() - (10 - right(name, 1)::int) * interval '1 minute';
select is(pg_temp.handed(2), 'avatars 1, avatars 2', 'those due longest are first');
select is(pg_temp.handed(2), 'avatars 3, avatars 4', 'and another gets others');
select is(pg_temp.handed(2), '', 'until there are none');
select is(storage_objects_removed('avatars', array[pg_temp.path('1'), 'x']), 1, 'what was removed leaves the list');
select is(storage_removals_failed('avatars', array[pg_temp.path('2')], 'Storage is ill'), 1, 'what was not stays');
select is(extract(epoch from due_at - now())::int || ' ' || attempts || ' ' || last_error, '60 1 Storage is ill', 'for a minute, with the reason')
from private.storage_removals where name = pg_temp.path('2');
update private.storage_removals set due_at = now();
select is(pg_temp.handed(), 'avatars 2, avatars 3, avatars 4', 'what nobody reported is handed out again');
select storage_removals_failed('avatars', array[pg_temp.path('2')], 'Still ill');
select is(extract(epoch from due_at - now())::int || ' ' || attempts || ' ' || last_error, '120 2 Still ill', 'and after each failure later')
from private.storage_removals where name = pg_temp.path('2');
update private.storage_removals set attempts = 1000000;
select storage_removals_failed('avatars', array[pg_temp.path('2')], repeat('x', 5000));
select is(extract(epoch from due_at - now())::int || ' ' || length(last_error), '3600 1000', 'up to an hour')
from private.storage_removals where name = pg_temp.path('2');
update private.storage_removals set due_at = now();
select pg_temp.store('avatars', '3');
select set_config('storage.allow_delete_query', 'true', true);
delete from storage.objects where bucket_id = 'avatars' and name = pg_temp.path('4');
select set_config('storage.allow_delete_query', 'false', true);
select is(pg_temp.handed(1), 'avatars 2', 'what was written anew since, or is not there any more, is passed over');
select is(pg_temp.queued(), 'avatars 2', 'and leaves the list');
select is(tests.refusal(format('select next_storage_removals(%L)', b)), 'PT422 invalid_batch', 'the Storage API takes 1000')
from unnest(array[0, 1001, null]) as b;

select * from finish();
rollback;
