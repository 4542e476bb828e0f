-- Projects: the two flags of an archive, the computed name, what goes with a project.

begin;
select plan(18);
select tests.create_user('owner');
select tests.authenticate_as('owner');
insert into projects (user_id, title) values (tests.user_id('owner'), 'P');

create function pg_temp.flags(change text) returns text language plpgsql as $$
declare
  v_flags text;
begin
  execute format('update projects set %s returning status || '' '' || is_archived', change) into v_flags;
  return v_flags;
end $$;
select is(pg_temp.flags('is_archived = true'), 'archived true', 'archived by the flag');
select is(pg_temp.flags('is_archived = false'), 'active false', 'and back');
select is(pg_temp.flags($$ status = 'archived' $$), 'archived true', 'archived by the status');
select is(pg_temp.flags($$ status = 'active' $$), 'active false', 'and back');
select is(pg_temp.flags($$ status = 'archived', is_archived = false $$), 'archived true', 'the status wins');
select is(pg_temp.flags($$ status = 'deleted' $$), 'deleted false', 'a deleted project is not archived');
select is(pg_temp.flags('is_archived = true'), 'deleted false', 'and the flag does not bring it back');
create function pg_temp.deletion(change text) returns text language plpgsql as $$
declare
  v_flags text;
begin
  execute format('update projects set %s returning status || '' '' || (deleted_at is not null)', change) into v_flags;
  return v_flags;
end $$;
select is(pg_temp.deletion('deleted_at = null'), 'active false', 'restored by the time');
select is(pg_temp.deletion('deleted_at = now()'), 'deleted true', 'deleted by the time');
select is(pg_temp.deletion($$ status = 'active' $$), 'active false', 'restored by the status');
select is(pg_temp.deletion($$ deleted_at = now(), status = 'deleted' $$), 'deleted true', 'deleted by both, as documented');
insert into projects (user_id, title, is_archived) values (tests.user_id('owner'), 'born', true);
select results_eq($$ select status, is_archived from projects where title = 'born' $$,
  $$ values ('archived'::project_status_enum, true) $$, 'a project can be born archived');
select is((select p.name from projects p where title = 'born'), 'born', 'name is a computed field');
select throws_ok($$ insert into projects (user_id, title) values (tests.user_id('owner'), '') $$, '23514',
  null, 'a project has a title');

delete from projects where title = 'P';
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select id, f, f, 'pdf', s from projects cross join (values ('a', 3), ('b', 4)) as v (f, s);
insert into encrypted_chats (user_id, encrypted_data) values (tests.user_id('owner'), tests.envelope());
insert into project_chats (project_id, chat_id) select p.id, c.id from projects p, encrypted_chats c;
select results_eq($$ select name, chat_count, file_count, total_file_size from project_stats $$,
  $$ values ('born', 1::bigint, 2::bigint, 7::bigint) $$, 'project_stats counts chats and files, each once');
select throws_ok($$ insert into project_chats (project_id, chat_id) select p.id, c.id from projects p, encrypted_chats c $$,
  '23505', null, 'a chat is linked to a project once');
delete from projects;
select is_empty($$ select 1 from project_files union all select 1 from project_chats $$,
  'files'' records and links go with the project');
select isnt_empty($$ select 1 from encrypted_chats $$, 'chats do not');

select * from finish();
rollback;
