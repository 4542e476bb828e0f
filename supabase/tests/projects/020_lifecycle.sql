-- Cloning, deleting and restoring whole projects, and what becomes of their files.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'boss', 'admin', 'member', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('lifecycle ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role)
select pg_temp.id('team'), tests.user_id(t.name), t.role
from (values ('boss', 'owner'), ('admin', 'admin'), ('member', 'member'), ('owner', 'member')) as t (name, role);
insert into projects (id, user_id, team_id, title, description, metadata, is_public) values
  (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', 'D', '{"a": 1}', false),
  (pg_temp.id('public'), tests.user_id('owner'), null, 'Q', null, '{}', true);
select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
  {"role": "assistant", "content": "", "status": "streaming"}]', pg_temp.id('project'));
create function pg_temp.path(name text, owner text default 'owner') returns text language sql as $$ select tests.user_id(owner) || '/' || name $$;
insert into project_files (project_id, file_name, storage_path, file_type, file_size) values
  (pg_temp.id('project'), 'f', pg_temp.path('f'), 'txt', 1), (pg_temp.id('project'), 'g', pg_temp.path('g', 'stranger'), 'txt', 1);
create function pg_temp.clone(name text, project text default 'project', with_messages boolean default true,
  with_files boolean default false, title text default null, key text default null) returns public.project_clone language sql as $$
  select public.clone_project(tests.user_id(name), pg_temp.id(project), title, with_messages, with_files, key, 'user')
$$;
create function pg_temp.remove(name text, permanent boolean default false, key text default null, project text default 'project')
returns public.project_change language sql as $$
  select public.delete_project(tests.user_id(name), pg_temp.id(project), permanent, key, 'user')
$$;
create function pg_temp.restore(name text) returns text language sql as $$
  select (public.restore_project(tests.user_id(name), pg_temp.id('project'))).project ->> 'status'
$$;

-- files: uploads of the project ----------------------------------------------------------------------------
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name) values
  (tests.user_id('owner'), pg_temp.id('project'), 'u', pg_temp.path('u'), 'chat_attachments');
insert into storage.objects (bucket_id, name)
values ('project-files', pg_temp.path('f')), ('project-files', pg_temp.path('g', 'stranger')), ('chat_attachments', pg_temp.path('u'));

-- clone ----------------------------------------------------------------------------------------------------
create temp table c as select * from pg_temp.clone('owner', with_files => true, title => 'Copy', key => 'k');
select results_eq($$ select replayed, project ->> 'title', project ->> 'description', project -> 'metadata', project ->> 'team_id' from c $$,
  $$ values (false, 'Copy', 'D', '{"a": 1}'::jsonb, null) $$, 'a copy');
select is(messages, 2, 'with its messages') from c;
select results_eq($$ select role::text, content, sequence_number from messages where project_id = (select (project ->> 'id')::uuid from c) order by 3 $$,
  $$ values ('user', '"a"'::jsonb, 0), ('assistant', '"b"', 1) $$, 'the messages are the same, without the draft');
select is((pg_temp.clone('owner', with_files => true, title => 'Copy', key => 'k')).project -> 'id', (select project -> 'id' from c), 'the same key, the same copy');
select is((pg_temp.clone('member', with_messages => false)).messages, 0, 'a member of the team copies it too, without messages');
select is((pg_temp.clone('member')).project ->> 'user_id', tests.user_id('member')::text, 'into a project of their own');
select is(tests.refusal($$ select pg_temp.clone('member', with_files => true) $$), 'PT403 files_of_another', 'but not the files');
select is((pg_temp.clone('stranger', 'public')).project ->> 'is_public', 'false', 'anyone copies a public project, for themselves');
select is(tests.refusal($$ select pg_temp.clone('stranger') $$), 'PT404 project_not_found', 'and no other');
select is(tests.refusal($$ select pg_temp.clone('owner', title => ' ') $$), 'PT422 invalid_title', 'a title has words');

-- delete and restore ------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.remove('stranger') $$), 'PT404 project_not_found', 'a stranger finds nothing to delete');
select is(tests.refusal($$ select pg_temp.remove('stranger', project => 'public') $$), 'PT403 project_read_only', 'or only to read');
select is(tests.refusal($$ select pg_temp.remove('member') $$), 'PT403 not_project_owner', 'a member does not delete');
select is((pg_temp.remove('admin')).project ->> 'status', 'deleted', 'an admin does');
select is((pg_temp.remove('owner')).project ->> 'status', 'deleted', 'and again is a repeat');
select is((select count(*) from messages where project_id = pg_temp.id('project')), 3::bigint, 'its messages are there');
select is(tests.refusal($$ select pg_temp.clone('owner') $$), 'PT409 project_deleted', 'it is not copied');
select is(tests.refusal($$ select pg_temp.restore('member') $$), 'PT403 not_project_owner', 'a member does not restore');
select is(tests.refusal($$ select pg_temp.restore('stranger') $$), 'PT404 project_not_found', 'nor a stranger');
select is(pg_temp.restore('admin'), 'active', 'an admin does');
select is(pg_temp.restore('owner'), 'active', 'and again is a repeat');

-- for good ------------------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.remove('admin', true) $$), 'PT403 not_project_owner', 'for good an admin does not');
create temp table removed as select * from pg_temp.remove('boss', true, 'gone');
select is(replayed, false, 'the owner of the team does') from removed;
select is(messages, 3, 'with its messages') from removed;
select is((pg_temp.remove('boss', true, 'gone')).replayed, true, 'a repeat finds it was done');
select is(tests.refusal($$ select pg_temp.remove('owner', true) $$), 'PT404 project_not_found', 'there it is no more');
select is_empty($$ select 1 from project_files where project_id = pg_temp.id('project') $$, 'nor the records of its files');
select is_empty($$ select 1 from messages where project_id = pg_temp.id('project') $$, 'nor its messages');

-- files: what becomes of them -------------------------------------------------------------------------------------
select is(files, 3, 'the copy has the records of the files') from c;
select is(files, 3, 'and those of the project were deleted with it') from removed;
select is_empty($$ select * from private.storage_removals $$, 'its objects are not queued while a copy names them');
delete from projects where id = (select (project ->> 'id')::uuid from c);
select bag_eq($$ select bucket_id, name from private.storage_removals $$,
  $$ values ('project-files', pg_temp.path('f')), ('chat_attachments', pg_temp.path('u')) $$, 'and then are, but nobody else''s');
select is((select count(*) from next_storage_removals(1)), 1::bigint, 'they are next, in batches');
update private.storage_removals set due_at = now();
select is((select count(*) from next_storage_removals()), 2::bigint, 'and again until somebody reports');
select is(storage_objects_removed('project-files', array[pg_temp.path('f'), 'x']), 1, 'and leave the list');
select is((select count(*) from private.storage_removals), 1::bigint, 'when they are removed');
select is(tests.refusal($$ select next_storage_removals(1001) $$), 'PT422 invalid_batch', 'the Storage API takes 1000');

-- cleanup: for good, with very much -----------------------------------------------------------------------------
update private.settings set value = 2 where name = 'projects.rows_at_once';
update private.cleanup_jobs set batch_size = 2 where name = 'deleted_projects';
insert into projects (id, user_id, title) values (pg_temp.id('large'), tests.user_id('owner'), 'L');
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('large'), 'f', pg_temp.path('large ' || n), 'txt', 1 from generate_series(0, 4) as n;
select is((pg_temp.remove('owner', true, project => 'large')).project ->> 'status', 'deleted', 'a large project is deleted later');
select is(tests.refusal($$ select public.restore_project(tests.user_id('owner'), pg_temp.id('large')) $$), 'PT409 project_purged',
  'until then it cannot be restored');
select is((select count(run_cleanup_batch('deleted_projects', pg_temp.id('lease'))) from generate_series(1, 6)), 6::bigint,
  'the cleanup deletes it in portions');
select is_empty($$ select 1 from projects where id = pg_temp.id('large') $$, 'and then it is gone');

select * from finish();
rollback;
