-- Who edits and deletes which message, when a project was deleted, and what a repeat returns of what is gone.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'author', 'member', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('rights ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role)
select pg_temp.id('team'), tests.user_id(m.name), m.role
from (values ('owner', 'owner'), ('author', 'member'), ('member', 'admin')) as m (name, role);
insert into projects (id, user_id, team_id, title)
values (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P');
insert into conversations (id, user_id)
select pg_temp.id(name), tests.user_id(name) from unnest(array['owner', 'author']) as name;

create function pg_temp.attempt(actor text, statement text) returns text language sql as $$
  select tests.attempt(actor, regexp_replace(statement, '\{([a-z ]+)\}', 'md5(''rights \1'')::uuid', 'g'))
$$;
create function pg_temp.save(name text, message jsonb, key text default null, actor text default 'user')
returns public.saved_messages language sql as $$
  select public.save_messages(tests.user_id(name), jsonb_build_array(message), pg_temp.id('project'), null,
    idempotency_key => key, actor => save.actor)
$$;
create function pg_temp.message(name text, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('id', pg_temp.id(name), 'role', 'user', 'content', name) || more
$$;
select pg_temp.save('author', pg_temp.message('theirs'));
select pg_temp.save('owner', pg_temp.message('owned'));
select pg_temp.save('author', pg_temp.message('system', '{"role": "system"}'), actor => 'service');
select pg_temp.save('author', pg_temp.message('answer', '{"role": "assistant", "status": "streaming"}'), actor => 'service');

-- authors ---------------------------------------------------------------------------------------------------
select results_eq($$ select id, author_id from messages where project_id = pg_temp.id('project') order by sequence_number $$,
  $$ values (pg_temp.id('theirs'), tests.user_id('author')), (pg_temp.id('owned'), tests.user_id('owner')),
    (pg_temp.id('system'), tests.user_id('author')), (pg_temp.id('answer'), tests.user_id('author')) $$,
  'the author is the user who wrote a message, or for whom a service saved it');
select tests.authenticate_as('author');
select results_eq($$ insert into messages (project_id, role, content, sequence_number)
  values (pg_temp.id('project'), 'user', '"x"', 9) returning author_id $$,
  $$ select tests.user_id('author') $$, 'also of a direct insert');
select throws_ok($$ insert into messages (project_id, role, content, sequence_number, author_id)
  values (pg_temp.id('project'), 'user', '"x"', 10, tests.user_id('owner')) $$, '42501', null, 'which cannot name another');
select throws_ok($$ update messages set author_id = null $$, '42501', null, 'nobody changes it');
select is((save_message_and_update_project(pg_temp.id('project'), 'user', '"x"')).author_id, tests.user_id('author'),
  'nor by the documented function');
select tests.authenticate_as_service();
select is((save_message_and_update_project(pg_temp.id('project'), 'user', '"x"')).author_id, null,
  'through which the service writes for nobody');
select tests.clear_authentication();

select is(pg_temp.attempt(t.actor, format($$ update messages set content = '"new"' where id = %L $$, pg_temp.id(t.message))),
  t.rows, format('%s edits the message: %s', t.actor, t.message))
from (values ('author', 'theirs', '1'), ('author', 'owned', '0'), ('owner', 'theirs', '1'), ('member', 'theirs', '0'),
  ('stranger', 'theirs', '0'), ('author', 'system', '0'), ('owner', 'system', '0'), ('author', 'answer', '1')) as t (actor, message, rows);
select is(pg_temp.attempt(t.actor, format($$ delete from messages where id = %L $$, pg_temp.id(t.message))),
  t.rows, format('%s deletes the message: %s', t.actor, t.message))
from (values ('author', 'theirs', '1'), ('author', 'owned', '0'), ('owner', 'theirs', '1'), ('member', 'theirs', '0'),
  ('stranger', 'theirs', '0'), ('author', 'system', '0'), ('owner', 'system', '0'), ('service', 'system', '1')) as t (actor, message, rows);
insert into messages (conversation_id, role, content) values (pg_temp.id('owner'), 'system', '1');
select is(pg_temp.attempt('owner', $$ delete from messages where conversation_id = {owner} $$), '0',
  'nor is a message of the system deleted from a conversation');
select is(pg_temp.attempt('owner', $$ delete from conversations where id = {owner} $$), '1', 'but it goes with the conversation');

-- by number, and as a draft ------------------------------------------------------------------------------
create function pg_temp.replace(name text, number integer, actor text default 'user') returns text language sql as $$
  select tests.refusal(format($q$ select pg_temp.save(%L, '{"role": "user", "content": "new", "sequence_number": %s}', null, %L) $q$,
    name, number, actor))
$$;
select is(pg_temp.replace('member', 0), 'PT403 not_message_author', 'a member replaces no message of another by its number');
select is(pg_temp.replace('member', 0, 'service'), 'PT403 not_message_author', 'nor does a service for them');
select is(pg_temp.replace('owner', 2), 'PT409 system_message', 'nobody one of the system');
select is(pg_temp.replace('author', 0), 'no refusal', 'the author does');
select is(pg_temp.replace('owner', 0), 'no refusal', 'and the owner of the project');
select is((select author_id from messages where id = pg_temp.id('theirs')), tests.user_id('author'), 'which keeps its author');
select is(tests.refusal($$ select pg_temp.save('member', '{"role": "user", "content": "new", "sequence_number": 0}') $$),
  'PT403 not_message_author', 'a refusal');
select is(tests.refusal(format($$ select public.update_draft(tests.user_id(%L), pg_temp.id(%L)::text, '"x"', pg_temp.id('project'), actor => %L) $$,
    t.who, t.message, t.actor)), t.code, format('%s updates the draft %s as %s', t.who, t.message, t.actor))
from (values ('member', 'answer', 'user', 'PT403 not_message_author'), ('member', 'answer', 'service', 'PT403 not_message_author'),
  ('author', 'answer', 'user', 'no refusal'), ('owner', 'answer', 'user', 'no refusal')) as t (who, message, actor, code);
select pg_temp.save('author', pg_temp.message('prompt', '{"role": "system", "status": "streaming"}'), actor => 'service');
select is(tests.refusal($$ select public.update_draft(tests.user_id('author'), pg_temp.id('prompt')::text, '"x"', pg_temp.id('project'), actor => 'user') $$),
  'PT409 system_message', 'a user updates no draft of the system');
select is(tests.refusal($$ select public.finish_draft(tests.user_id('author'), pg_temp.id('prompt')::text, project_id => pg_temp.id('project'), actor => 'user') $$),
  'PT409 system_message', 'and finishes none');
select is(tests.refusal($$ select public.finish_draft(tests.user_id('author'), pg_temp.id('prompt')::text, project_id => pg_temp.id('project')) $$),
  'no refusal', 'the service does');
select is(tests.refusal($$ select public.finish_draft(tests.user_id('member'), pg_temp.id('answer')::text, 'aborted', project_id => pg_temp.id('project'), actor => 'user') $$),
  'PT403 not_message_author', 'a member does not abort what is written for another');

-- as the project says ------------------------------------------------------------------------------------
select is(pg_temp.attempt('author', $$ update projects set message_editing = 'members' where id = {project} $$), '0',
  'who edits is not a member''s to say');
select is(pg_temp.attempt('member', $$ update projects set message_editing = 'members' where id = {project} $$), '1',
  'but an admin''s');
update projects set message_editing = 'members' where id = pg_temp.id('project');
select is(pg_temp.attempt('member', $$ update messages set content = '"new"' where id = {theirs} $$), '1', 'then members edit');
select is(pg_temp.attempt('member', $$ delete from messages where id = {theirs} $$), '1', 'and delete');
select is(pg_temp.attempt('member', $$ delete from messages where id = {system} $$), '0', 'except what the system wrote');
select is(pg_temp.attempt('stranger', $$ update messages set content = '"new"' where id = {theirs} $$), '0', 'strangers do not');
select is(pg_temp.replace('member', 0), 'no refusal', 'they replace by number');
update projects set message_editing = 'author', is_public = true where id = pg_temp.id('project');
select is(pg_temp.attempt('stranger', $$ update messages set content = '"new"' where id = {theirs} $$), '0', 'nor readers');
create temp table clone as select (c.project ->> 'id')::uuid as id from clone_project(tests.user_id('stranger'), pg_temp.id('project')) as c;
select set_eq($$ select m.author_id from messages as m join clone on clone.id = m.project_id $$, array[null::uuid], 'a clone names nobody');
update projects set status = 'deleted' where id = pg_temp.id('project');
select is(pg_temp.attempt('author', $$ update messages set content = '"new"' where id = {theirs} $$), '0',
  'nobody edits in a deleted project');
update projects set status = 'active' where id = pg_temp.id('project');
delete from team_members where user_id = tests.user_id('author');
select is(pg_temp.attempt('author', $$ update messages set content = '"new"' where id = {theirs} $$), '0',
  'who has left the team edits no more');

-- the time of deletion -----------------------------------------------------------------------------------
select tests.authenticate_as('member');
update projects set deleted_at = now() - interval '1 year', status = 'deleted' where id = pg_temp.id('project');
select tests.clear_authentication();
select is((select deleted_at from projects where id = pg_temp.id('project')), now(), 'a project is deleted now, whatever an admin says');
update projects set deleted_at = now() - interval '1 hour' where id = pg_temp.id('project');
select tests.authenticate_as('member');
update projects set deleted_at = now() - interval '1 year' where id = pg_temp.id('project');
update projects set status = 'deleted', deleted_at = now() + interval '1 year' where id = pg_temp.id('project');
select tests.clear_authentication();
select is((select deleted_at from projects where id = pg_temp.id('project')), now() - interval '1 hour', 'and once');
select tests.authenticate_as('owner');
update projects set deleted_at = null where id = pg_temp.id('project');
select is((select status from projects where id = pg_temp.id('project')), 'active', 'without it, the project is restored');
select results_eq($$ insert into projects (user_id, title, deleted_at) values (tests.user_id('owner'), 'D', '2020-01-01') returning deleted_at, status $$,
  $$ values (now(), 'deleted'::project_status_enum) $$, 'a project is not born long deleted');
select tests.clear_authentication();

-- what a repeat returns of what is gone ------------------------------------------------------------------
create function pg_temp.say(name text, conversation uuid, message jsonb, key text) returns public.saved_messages language sql as $$
  select public.save_messages(tests.user_id(name), jsonb_build_array(message), null, conversation::text, idempotency_key => key, actor => 'user')
$$;
create function pg_temp.start(message jsonb, id uuid, key text) returns public.started_conversation language sql as $$
  select public.start_conversation(tests.user_id('stranger'), message, null, id::text, key, 'user')
$$;
select pg_temp.start(pg_temp.message('mine'), pg_temp.id('started'), 'start');
select is((pg_temp.start(pg_temp.message('mine'), pg_temp.id('started'), 'start')).replayed, true, 'a repeat');
select pg_temp.say('stranger', pg_temp.id('started'), pg_temp.message('more'), 'more');
delete from messages where id in (pg_temp.id('mine'), pg_temp.id('more'));
select is(tests.refusal($$ select pg_temp.start(pg_temp.message('mine'), pg_temp.id('started'), 'start') $$), 'PT410 message_deleted',
  'of a first message that is gone');
select is(tests.refusal($$ select pg_temp.say('stranger', pg_temp.id('started'), pg_temp.message('more'), 'more') $$), 'PT410 message_deleted',
  'of a message that is gone');
select pg_temp.say('author', pg_temp.id('author'), pg_temp.message('more', '{"content": "a secret"}'), 'theirs');
select is(tests.refusal($$ select pg_temp.say('stranger', pg_temp.id('started'), pg_temp.message('more'), 'more') $$), 'PT410 message_deleted',
  'also when its id is of somebody else''s message now');
delete from conversations where id = pg_temp.id('started');
select is(tests.refusal($$ select pg_temp.start(pg_temp.message('mine'), pg_temp.id('started'), 'start') $$), 'PT410 conversation_deleted',
  'of a conversation that is gone');
insert into conversations (id, user_id) values (pg_temp.id('started'), tests.user_id('author'));
insert into messages (id, conversation_id, role, content) values (pg_temp.id('mine'), pg_temp.id('started'), 'user', '"a secret"');
select is(tests.refusal($$ select pg_temp.start(pg_temp.message('mine'), pg_temp.id('started'), 'start') $$), 'PT410 conversation_deleted',
  'also when its id is of somebody else''s now');
select pg_temp.save('owner', '{"role": "user", "content": "p"}', 'p');
select pg_temp.save('owner', '{"role": "user", "content": "k"}', 'k');
delete from messages where content = '"k"';
select is(tests.refusal($$ select pg_temp.save('owner', '{"role": "user", "content": "k"}', 'k') $$), 'PT410 message_deleted',
  'of a message of a project');

update projects set status = 'deleted' where id = pg_temp.id('project');
select is(tests.refusal($$ select pg_temp.save('owner', '{"role": "user", "content": "p"}', 'p') $$), 'PT409 project_deleted',
  'of a message of a project that can be restored');
select is(tests.refusal($$ select pg_temp.save('member', '{"role": "user", "content": "p"}', 'p') $$), 'PT409 project_deleted',
  'somebody else''s key is another');
delete from projects where id = pg_temp.id('project');
select is(tests.refusal($$ select pg_temp.save('owner', '{"role": "user", "content": "p"}', 'p') $$), 'PT410 message_deleted',
  'of a message of a project that is gone');
select is(tests.refusal($$ select pg_temp.save('member', '{"role": "user", "content": "p"}', 'p') $$), 'PT404 project_not_found',
  'which nobody else ever saved');

select * from finish();
rollback;
