-- save_message_and_update_project, and how a parent follows its messages.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(39);
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('messages ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, updated_at) values
  (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', '2020-01-01'),
  (pg_temp.id('gone'), tests.user_id('owner'), null, 'G', now());
update projects set deleted_at = now(), status = 'deleted' where id = pg_temp.id('gone');
insert into conversations (id, user_id, updated_at) values (pg_temp.id('conversation'), tests.user_id('owner'), '2020-01-01');

create function pg_temp.save(
  role text default 'user', content jsonb default '"x"', number integer default null, project text default 'project'
) returns integer language sql as $$
  select (public.save_message_and_update_project(project_id_param => pg_temp.id(project), role_param => role,
    content_param => content, sequence_number_param => number)).sequence_number
$$;

-- PostgreSQL 15 does not update a row heap-only when a column of a BRIN index changes.
create function pg_temp.rewritten(name text) returns bigint language sql as $$
  select case when current_setting('server_version_num')::integer >= 160000
    then pg_stat_get_xact_tuples_updated(name::regclass) - pg_stat_get_xact_tuples_hot_updated(name::regclass) else 0 end
$$;
create temp table before as select pg_temp.rewritten('projects') as projects, pg_temp.rewritten('conversations') as conversations;

select tests.authenticate_as('owner');
select is(pg_temp.save(), 0, 'the first message is number 0');
select is(pg_temp.save('assistant'), 1, 'the next takes the next number');
select is(pg_temp.save(number => 5), 5, 'a number can be given');
select is(pg_temp.save(), 6, 'and the next is the one after');
select is(pg_temp.save('assistant', '{"type": "text"}', 1), 1, 'a number that is taken');
select results_eq($$ select role::text, content from messages where sequence_number = 1 $$,
  $$ values ('assistant', '{"type": "text"}'::jsonb) $$, 'is replaced');
select is((select updated_at from projects where id = pg_temp.id('project')), now(), 'the project is as new');
select results_eq(
  $$ select role::text, content, object_data, result_data from public.save_message_and_update_project(
    pg_temp.id('project'), 'user', '[1]', '{"o": 1}', '{"r": 1}') $$,
  $$ values ('user', '[1]'::jsonb, '{"o": 1}'::jsonb, '{"r": 1}'::jsonb) $$, 'the saved row comes back, whole');

select tests.authenticate_as('member');
select is(pg_temp.save(), 8, 'a member of the team writes');
select tests.authenticate_as('stranger');
select is(tests.refusal($$ select pg_temp.save() $$), 'PT404 project_not_found', 'a stranger is told of no project');
select tests.authenticate_as_anon();
select throws_ok($$ select public.save_message_and_update_project(null, 'user', '1') $$, '42501', null,
  'a visitor calls nothing');
select tests.authenticate_as('owner');
select is(tests.refusal($$ select pg_temp.save(project => 'none') $$), 'PT404 project_not_found', 'no such project');
select is(tests.refusal($$ select pg_temp.save(project => 'gone') $$), 'PT409 project_deleted', 'a deleted project');
select is(tests.refusal($$ select pg_temp.save('boss') $$), 'PT422 invalid_role', 'an unknown role');
select is(tests.refusal($$ select pg_temp.save(null) $$), 'PT422 invalid_role', 'no role');
select is(tests.refusal($$ select pg_temp.save('system') $$), 'PT422 invalid_role', 'the system''s role');
select is(tests.refusal($$ select pg_temp.save(content => null) $$), 'PT422 content_missing', 'no content');
select is(tests.refusal($$ select pg_temp.save(number => -1) $$), 'PT422 invalid_sequence_number', 'a negative number');
select tests.authenticate_as_service();
select is(pg_temp.save('system', number => 20), 20, 'the service writes for the system, into any project');
select tests.authenticate_as('owner');
select is(tests.refusal($$ select pg_temp.save(number => 20) $$), 'PT409 system_message',
  'a client does not replace what the system wrote');
select is((select count(*) from messages), 7::bigint, 'no refusal left a message');

-- the parent follows ------------------------------------------------------------------------------------
insert into messages (conversation_id, role, content) values (pg_temp.id('conversation'), 'user', '"plain"');
select is((select updated_at from conversations), now(), 'a conversation is as new as its newest message');
select results_eq($$ select content from messages where conversation_id is not null $$,
  $$ values ('"plain"'::jsonb) $$, 'a string stays a string');
select tests.clear_authentication();
select is(pg_temp.rewritten('conversations'), (select conversations from before), 'which leaves the indexes of conversations alone');
select is(pg_temp.rewritten('projects'), (select projects from before), 'as all of this has left those of projects');
update projects set title = title;
alter table projects disable trigger update_projects_updated_at;
update projects set updated_at = '2020-01-01' where id = pg_temp.id('project');
alter table projects enable trigger update_projects_updated_at;
select tests.authenticate_as('member');
insert into messages (project_id, role, content, sequence_number) values (pg_temp.id('project'), 'user', '1', 30);
select is((select updated_at from projects where id = pg_temp.id('project')), now(),
  'a project too, also when a member of the team writes');

-- constraints ---------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.save(number => 2147483647) $$), 'PT422 too_many_messages',
  'nobody takes the last number there is');
select is(tests.refusal($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('project'), 'user', '1', 132) $$), 'PT422 invalid_sequence_number',
  'or one too far ahead, directly');
select lives_ok($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('project'), 'user', '1', 108) $$, 'but some way ahead');
select tests.clear_authentication();
select tests.authenticate_as('owner');
select is(tests.refusal($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('gone'), 'user', '1', 0) $$), '42501', 'nothing is written into a deleted project');
select tests.clear_authentication();
select throws_ok($$ insert into messages (role, content) values ('user', '1') $$, '23514', null, 'a message has a parent');
select throws_ok($$ insert into messages (project_id, conversation_id, role, content, sequence_number)
  values (pg_temp.id('project'), pg_temp.id('conversation'), 'user', '1', 99) $$, '23514', null, 'and not two');
select throws_ok($$ insert into messages (project_id, role, content) values (pg_temp.id('project'), 'user', '1') $$,
  '23514', null, 'a message of a project has a number');
select throws_ok($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('project'), 'user', '1', 0) $$, '23505', null, 'and no two the same');
select throws_ok($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('project'), 'user', '1', -1) $$, '23514', null, 'which is not negative');
select throws_ok($$ insert into messages (conversation_id, role, content) values (pg_temp.id('conversation'), 'bot', '1') $$,
  '22P02', null, 'there are three roles');
delete from projects where id = pg_temp.id('project');
select is_empty($$ select 1 from messages where project_id is not null $$, 'messages go with their project');

-- conversations: messages inserted at once ------------------------------------------------------------------
-- As the documents order them. PostgREST, too, inserts a list of rows in one statement.
insert into conversations (id, user_id) values (md5('at once')::uuid, tests.user_id('owner'));
select tests.authenticate_as('owner');
insert into messages (conversation_id, role, content)
select md5('at once')::uuid, 'user', to_jsonb(n) from generate_series(1, 200) as n;
-- The clock of PGlite is so coarse that neighbours can have the same time.
select results_eq(
  $$ select content::integer from messages where conversation_id = md5('at once')::uuid order by created_at, content::integer $$,
  $$ select n from generate_series(1, 200) as n $$, 'created_at keeps the order of rows of one statement');
select cmp_ok((select count(distinct created_at) from messages where conversation_id = md5('at once')::uuid), '>', 1::bigint,
  'which do not have one time');
select tests.clear_authentication();

select * from finish();
rollback;
