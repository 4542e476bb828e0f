-- What is shared by being public, and what a row may refer to. The regular part is in 010_matrix.sql.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(60);
select tests.create_user(name) from unnest(array['owner', 'stranger', 'member', 'admin']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$
  select md5('sharing ' || name)::uuid
$$;
insert into teams (id, name) values (pg_temp.id('team'), 'T'), (pg_temp.id('other team'), 'O');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'member'),
  (pg_temp.id('team'), tests.user_id('member'), 'member'),
  (pg_temp.id('team'), tests.user_id('admin'), 'admin'),
  (pg_temp.id('other team'), tests.user_id('admin'), 'admin');
insert into projects (id, user_id, team_id, title, is_public, deleted_at) values
  (pg_temp.id('private'), tests.user_id('owner'), null, 'Private', false, null),
  (pg_temp.id('public'), tests.user_id('owner'), null, 'Public', true, null),
  (pg_temp.id('deleted'), tests.user_id('owner'), null, 'Deleted', true, now()),
  (pg_temp.id('shared'), tests.user_id('owner'), pg_temp.id('team'), 'Shared', false, null),
  (pg_temp.id('strange'), tests.user_id('stranger'), null, 'Strange', false, null);
insert into messages (project_id, role, content, sequence_number)
select p.id, m.role::message_role_enum, '"x"', m.n
from projects p cross join (values ('system', 0), ('user', 1)) as m (role, n)
where p.user_id = tests.user_id('owner');
insert into fragments (id, user_id, project_id, title, template, code, file_path, is_public) values
  (pg_temp.id('public'), tests.user_id('owner'), null, 'F', 't', 'c', 'f', true),
  (pg_temp.id('private'), tests.user_id('owner'), null, 'F', 't', 'c', 'f', false);
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (pg_temp.id('public'), 'f', 'p', 'pdf', 1);
insert into encrypted_chats (id, user_id, encrypted_data) values
  (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope()),
  (pg_temp.id('strange chat'), tests.user_id('stranger'), tests.envelope());
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('owner'));

create function pg_temp.attempt(actor text, statement text) returns text language sql as $$
  select tests.attempt(actor, regexp_replace(replace(statement, '{me}', '(select auth.uid())'),
    '\{([a-z ]+)\}', 'md5(''sharing \1'')::uuid', 'g'))
$$;

-- public ----------------------------------------------------------------------------------------------
select tests.authenticate_as_anon();
select results_eq($$ select title from projects $$, $$ values ('Public') $$,
  'a visitor reads public projects, and none that is deleted');
select results_eq($$ select is_public from fragments $$, $$ values (true) $$,
  'a visitor reads public fragments');
select throws_ok($$ select * from messages $$, '42501', null, 'a visitor reads no message');
select tests.authenticate_as('stranger');
select set_eq($$ select title from projects $$, array['Public', 'Strange'],
  'a signed-in user reads public projects beside the own');
select results_eq($$ select distinct project_id from messages $$, $$ values (pg_temp.id('public')) $$,
  'and the messages of public projects');
select is_empty($$ select 1 from project_files $$, 'but not their file records');
select tests.clear_authentication();
select is(pg_temp.attempt('stranger', $$ insert into messages (project_id, role, content, sequence_number)
  values ({public}, 'user', '"x"', 9) $$), '42501', 'a reader of a public project writes no message');
select is(pg_temp.attempt('stranger', $$ update messages set content = '"x"' where project_id = {public} $$), '0',
  'and changes none');
select is(pg_temp.attempt('stranger', $$ delete from messages where project_id = {public} $$), '0',
  'and deletes none');
select is(pg_temp.attempt('stranger', $$ update projects set title = 'x' where id = {public} $$), '0',
  'and not the project');
select is(pg_temp.attempt('stranger', $$ update fragments set title = 'x' where id = {public} $$), '0',
  'nor a public fragment');
select is(pg_temp.attempt('stranger', $$ insert into fragment_executions (fragment_id, user_id, template)
  values ({public}, {me}, 't') $$), '1', 'a public fragment is executed by anyone');
select is(pg_temp.attempt('stranger', $$ insert into fragment_executions (fragment_id, user_id, template)
  values ({private}, {me}, 't') $$), '42501', 'a private one by its owner only');

-- what a row refers to --------------------------------------------------------------------------------
select is(pg_temp.attempt('stranger', $$ insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
  values ({me}, {private}, 'f', 'p', 'b') $$), '42501', 'an upload is not filed in another''s project');
select is(pg_temp.attempt('stranger', $$ insert into workspace_files (user_id, project_id, path, name)
  values ({me}, {public}, 'f', 'p') $$), '42501', 'nor a workspace file, public or not');
select is(pg_temp.attempt('stranger', $$ insert into fragments (user_id, project_id, title, template, code, file_path)
  values ({me}, {private}, 'f', 't', 'c', 'f') $$), '42501', 'nor a fragment');
select is(pg_temp.attempt('stranger', $$ insert into project_files (project_id, file_name, storage_path, file_type, file_size)
  values ({private}, 'f', 'p', 'pdf', 1) $$), '42501', 'nor a project file');
select is(pg_temp.attempt('member', $$ insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
  values ({me}, {shared}, 'f', 'p', 'b') $$), '42501', 'nor in a project that is the team''s');
select is(pg_temp.attempt('owner', $$ insert into projects (user_id, team_id, title) values ({me}, {other team}, 'x') $$),
  '42501', 'a project is not made for a team one is not in');
select is(pg_temp.attempt('owner', $$ update projects set team_id = {other team} where id = {private} $$),
  '42501', 'nor moved into one');
select is(pg_temp.attempt('owner', $$ update projects set team_id = {team} where id = {private} $$), '1',
  'but into one''s own team');
select is(pg_temp.attempt('owner', $$ update projects set team_id = null where id = {shared} $$), '1',
  'and out of it by its owner');
select is(pg_temp.attempt('admin', $$ update projects set title = 'x' where id = {shared} $$), '1',
  'an admin edits the team''s projects');
select is(pg_temp.attempt('admin', $$ update projects set team_id = {other team} where id = {shared} $$), '42501',
  'but does not take them to another team');
select is(pg_temp.attempt('admin', $$ update projects set team_id = null where id = {shared} $$), '42501',
  'or out of all');
select is(pg_temp.attempt('owner', $$ insert into chat_sessions (user_id, team_id) values ({me}, {other team}) $$),
  '42501', 'a session is not made for a team one is not in');
select is(pg_temp.attempt('owner', $$ insert into users_teams (user_id, team_id) values ({me}, {other team}) $$),
  '42501', 'nor listed among one''s teams');
select is(pg_temp.attempt('owner', $$ insert into project_chats (project_id, chat_id) values ({private}, {chat}) $$),
  '1', 'an own chat is linked to an own project');
select is(pg_temp.attempt('owner', $$ insert into project_chats (project_id, chat_id) values ({private}, {strange chat}) $$),
  '42501', 'not another''s chat');
select is(pg_temp.attempt('stranger', $$ insert into project_chats (project_id, chat_id) values ({private}, {strange chat}) $$),
  '42501', 'and not to another''s project');

-- what is deleted ---------------------------------------------------------------------------------------
select is(pg_temp.attempt('owner', $$ insert into messages (project_id, role, content, sequence_number)
  values ({deleted}, 'user', '"x"', 9) $$), '42501', 'nothing is written into a deleted project');
select is(pg_temp.attempt('owner', $$ update projects set status = 'deleted' where id = {public} $$), '1',
  'a project is deleted by its status');
update projects set status = 'deleted' where id = pg_temp.id('public');
select is(pg_temp.attempt('stranger', $$ select 1 from projects where id = {public} $$), '0',
  'and is not public any more');
update projects set deleted_at = null where id = pg_temp.id('public');
select is(pg_temp.attempt('stranger', $$ select 1 from projects where id = {public} $$), '1',
  'until it is restored');

-- a team left behind ------------------------------------------------------------------------------------
insert into chat_sessions (id, user_id, team_id) values (pg_temp.id('session'), tests.user_id('owner'), pg_temp.id('team'));
insert into users_teams (user_id, team_id, is_default) values (tests.user_id('owner'), pg_temp.id('team'), true);
delete from team_members where user_id = tests.user_id('owner');
select is(pg_temp.attempt('owner', $$ update projects set title = 'x' where id = {shared} $$), '1',
  'who has left a team still edits the own project');
select is(pg_temp.attempt('owner', $$ update chat_sessions set title = 'x' where id = {session} $$), '1',
  'and session');
select is(pg_temp.attempt('owner', $$ update users_teams set is_default = false $$), '1', 'and list of teams');
select is(pg_temp.attempt('owner', $$ update projects set team_id = null where id = {shared} $$), '1',
  'and takes the project out of it');
select is(pg_temp.attempt('owner', $$ update projects set team_id = {team} where id = {private} $$), '42501',
  'but puts no other in');
select is(pg_temp.attempt('owner', $$ update chat_sessions set team_id = {other team} where id = {session} $$), '42501',
  'and no session');
insert into team_members (team_id, user_id, role) values (pg_temp.id('team'), tests.user_id('owner'), 'member');
select tests.authenticate_as('owner');
select tests.clear_authentication();
select set_config('request.jwt.claims', jsonb_build_object('sub', tests.user_id('member'), 'role', 'authenticated')::text, true);
savepoint team_goes;
select lives_ok($$ delete from teams where id = pg_temp.id('team') $$, 'a team goes, whoever''s projects are in it');
select is((select team_id from projects where id = pg_temp.id('shared')), null, 'and they stay');
rollback to team_goes;
select set_config('request.jwt.claims', '', true);

-- the system's messages -------------------------------------------------------------------------------
select is(pg_temp.attempt('owner', $$ insert into messages (project_id, role, content, sequence_number)
  values ({private}, 'system', '"x"', 9) $$), '42501', 'a client writes no message of the system');
select is(pg_temp.attempt('owner', $$ insert into messages (conversation_id, role, content)
  values ({conversation}, 'system', '"x"') $$), '42501', 'in no conversation either');
select is(pg_temp.attempt('owner', $$ update messages set role = 'system' where project_id = {private} and role = 'user' $$),
  '42501', 'and makes none of an own one');
select is(pg_temp.attempt('owner', $$ update messages set content = '"x"' where project_id = {private} and role = 'system' $$),
  '0', 'and rewrites none');
select is(pg_temp.attempt('service', $$ insert into messages (project_id, role, content, sequence_number)
  values ({private}, 'system', '"x"', 9) $$), '1', 'the service does');
select is(pg_temp.attempt('owner', $$ update messages set project_id = {public}, sequence_number = 7
  where project_id = {private} and role = 'user' $$), '42501', 'a message is not moved');

-- columns that are the server's -----------------------------------------------------------------------
select is(pg_temp.attempt('owner', $$ insert into api_keys (user_id, name, key_hash, key_prefix)
  values ({me}, 'n', 'h', 'p') $$), '42501', 'a client makes no API key');
select is(pg_temp.attempt('owner', $$ update api_keys set key_hash = 'x' $$), '42501', 'and changes no hash');
select is(pg_temp.attempt('admin', $$ update teams set tier = 'enterprise' $$), '42501', 'a plan is not a client''s to set');
select is(pg_temp.attempt('admin', $$ update teams set stripe_customer_id = 'x' $$), '42501', 'nor a customer');
select is(pg_temp.attempt('admin', $$ update teams set subscription_status = 'active' $$), '42501',
  'nor a subscription');
select is(pg_temp.attempt('owner', $$ update conversations set user_id = (select tests.user_id('stranger')) $$), '42501',
  'no row is handed to somebody else');
select is(pg_temp.attempt('owner', $$ update user_preferences set user_id = (select tests.user_id('stranger')) $$), '42501',
  'not where upserts write the user_id either');
select is(pg_temp.attempt('owner', $$ update tasks set created_at = now() $$), '42501', 'creation is dated by the server');
select is(pg_temp.attempt('anon', $$ insert into waitlist (id, email) values (gen_random_uuid(), 'a@example.com') $$),
  '42501', 'a visitor leaves an address and nothing else');
select is(pg_temp.attempt('anon', $$ insert into waitlist (email) values ('no address') $$), '23514',
  'which has to look like one');
select is(pg_temp.attempt('anon', $$ insert into site_visits (path, referrer) values ('/', repeat('x', 2049)) $$), '42501',
  'and is counted within limits');
select is(pg_temp.attempt('owner', $$ insert into user_preferences (user_id, theme) values ({me}, 'dark')
  on conflict (user_id) do update set user_id = excluded.user_id, theme = excluded.theme $$), '1',
  'an upsert by user_id works, as Chuk Chat''s clients do it');

select * from finish();
rollback;
