-- replace_message, and the ids that apps give to conversations and messages, as a server calls them by RPC.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'author', 'member']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('replacing ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role)
select pg_temp.id('team'), tests.user_id(m.name), m.role
from (values ('owner', 'owner'), ('author', 'member'), ('member', 'member')) as m (name, role);
insert into projects (id, user_id, team_id, title)
values (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P');

create function pg_temp.replace(
  name text, message jsonb default '{"content": "new"}', id text default 'msg-1', if_match text default null, actor text default 'user'
) returns public.messages language sql as $$
  select public.replace_message(tests.user_id(name), id, message, pg_temp.id('project'), null, if_match, actor)
$$;
create function pg_temp.refusal(name text, message text default '{"content": "newer"}', id text default 'msg-1', if_match text default null, actor text default 'user')
returns text language sql as $$
  select tests.refusal(format('select pg_temp.replace(%L, %L, %L, %L, %L)', name, message, id, if_match, actor))
$$;
select public.save_messages(tests.user_id('author'), '[{"id": "msg-1", "role": "user", "content": "old", "metadata": {"a": 1}},
  {"id": "msg-2", "role": "system", "content": "s"}]', pg_temp.id('project'));
create temp table before as select * from messages;

-- replacing -------------------------------------------------------------------------------------------
select is(pg_temp.refusal('member'), 'PT403 not_message_author', 'another member replaces nothing');
select is(pg_temp.refusal('member', actor => 'service'), 'PT403 not_message_author', 'nor does a service for them');
select is(pg_temp.refusal('author', id => 'msg-2'), 'PT409 system_message', 'a user replaces nothing of the system');
select is((pg_temp.replace('author', '{"content": "s2"}', 'msg-2', actor => 'service')).content, '"s2"'::jsonb, 'the service does');
select results_eq($$ select r.content, r.metadata, r.author_id, r.sequence_number, r.created_at from pg_temp.replace('author') as r $$,
  $$ select '"new"'::jsonb, '{}'::jsonb, tests.user_id('author'), 0, b.created_at from before as b where b.client_id = 'msg-1' $$,
  'the author replaces a message, which keeps its number, author and time');
select is((pg_temp.replace('owner', '{"role": null, "content": "newer", "object_data": {"a": null}}')).object_data, '{"a": null}'::jsonb,
  'and so does the owner of the project');
select is((select author_id from messages where client_id = 'msg-1'), tests.user_id('author'), 'who does not become its author');
update projects set message_editing = 'members' where id = pg_temp.id('project');
select is((pg_temp.replace('member')).content, '"new"'::jsonb, 'a member does if the project says so');
select is((select updated_at from projects where id = pg_temp.id('project')), now(), 'the project is as new');
select is(pg_temp.refusal('author', m), c, m) from (values ('[]', 'PT422 invalid_message'), ('null', 'PT422 invalid_message'),
  ('{}', 'PT422 content_missing'), ('{"content": null}', 'PT422 content_missing'), ('{"content": 1, "role": "assistant"}', 'PT422 invalid_role'),
  ('{"content": 1, "status": "complete"}', 'PT422 invalid_message'), ('{"content": 1, "sequence_number": 0}', 'PT422 invalid_message'),
  ('{"content": 1, "id": "msg-2"}', 'PT422 invalid_message_id'), ('{"content": 1, "id": "msg-1"}', 'no refusal'),
  ('{"content": 1, "more": 1}', 'PT422 invalid_message')) as t (m, c);
select is(pg_temp.refusal('author', if_match => '2020-01-01T00:00:00+00:00'), 'PT412 message_changed', 'an old version');
select is((pg_temp.replace('author', '{"content": 1}', if_match => 'old')).content, '1'::jsonb, 'does not matter to a repeat');
select is((pg_temp.replace('author', '{"content": 2}', if_match => (select to_jsonb(updated_at) #>> '{}' from messages where client_id = 'msg-1'))).content,
  '2'::jsonb, 'the version that there is');
select is(tests.refusal($$ select replace_message(tests.user_id('author'), 'msg-1', '{"content": 1}') $$), 'PT422 invalid_message', 'no parent');
select is(tests.refusal($$ select replace_message(tests.user_id('author'), 'msg-1', '{"content": 1}', pg_temp.id('project'), actor => 'nobody') $$),
  'PT422 invalid_message', 'no actor');

-- ids -------------------------------------------------------------------------------------------------
create function pg_temp.say(message jsonb, conversation text default 'chat-1', name text default 'owner', key text default null)
returns public.saved_messages language sql as $$
  select public.save_messages(tests.user_id(name), jsonb_build_array(message), conversation_id => conversation, idempotency_key => key)
$$;
select is((start_conversation(tests.user_id('owner'), '{"id": "m", "role": "user", "content": "x"}', null, 'chat-1')).conversation ->> 'client_id',
  'chat-1', 'a conversation has the id of the app');
select is((pg_temp.say('{"id": "m", "role": "user", "content": "x"}')).messages -> 0 ->> 'client_id', 'm', 'a repeat by the same ids');
select is((select count(*) from messages where conversation_id is not null), 1::bigint, 'saves nothing');
select is((pg_temp.say('{"role": "user", "content": "k"}', key => 'k')).replayed, false, 'a key');
select is((pg_temp.say('{"role": "user", "content": "k"}', (select id::text from conversations), key => 'k')).replayed, true,
  'knows the conversation by either id');
select is(tests.refusal(format('select pg_temp.say(%L, %L, %L)', '{"role": "user", "content": 1}', t.id, t.name)), t.code, format('%s of %s', t.id, t.name))
from (values ('chat-1', 'author', 'PT404 conversation_not_found'), ('chat-2', 'owner', 'PT404 conversation_not_found'),
  ('', 'owner', 'PT404 conversation_not_found'), (gen_random_uuid()::text, 'owner', 'PT404 conversation_not_found')) as t (id, name, code);
select is(tests.refusal(format($$ select start_conversation(tests.user_id('owner'), '{"role": "user", "content": 1}', null, %L) $$, t.id)),
  'PT422 invalid_conversation_id', format('the id "%s"', left(t.id, 9)))
from (values (''), ('a b'), ('ä'), (repeat('x', 65)), (E'a\n')) as t (id);
select is(tests.refusal(format($$ select pg_temp.say(%L) $$, jsonb_build_object('id', t.id, 'role', 'user', 'content', 1))),
  t.code, format('the id %s', left(t.id::text, 9)))
from (values (jsonb '""', 'PT422 invalid_message_id'), ('"a b"', 'PT422 invalid_message_id'), (to_jsonb(repeat('x', 65)), 'PT422 invalid_message_id'),
  ('5', 'PT422 invalid_message_id'), ('["a"]', 'PT422 invalid_message_id'), (to_jsonb(repeat('x', 64)), 'no refusal'), ('"_-"', 'no refusal'),
  ('null', 'no refusal')) as t (id, code);
select is((pg_temp.say(jsonb_build_object('id', upper(gen_random_uuid()::text), 'role', 'user', 'content', 1))).messages -> 0 -> 'client_id',
  'null'::jsonb, 'a UUID is the id, not the id of the app');
-- By number, too.
select is(tests.refusal($$ select save_messages(tests.user_id('owner'), '[{"id": "msg-3", "role": "user", "content": 1, "sequence_number": 0}]', pg_temp.id('project')) $$),
  'PT412 sequence_number_taken', 'a number belongs to the id that it has');
select is(tests.refusal($$ select save_messages(tests.user_id('owner'), '[{"id": "msg-1", "role": "user", "content": 1, "sequence_number": 5}]', pg_temp.id('project')) $$),
  'PT409 message_id_used', 'and an id to its number');
select is((save_messages(tests.user_id('owner'), '[{"id": "msg-1", "role": "user", "content": 9, "sequence_number": 0}]', pg_temp.id('project'))).messages -> 0 -> 'content',
  '9'::jsonb, 'both replace');

-- A look-up by the app's id reads an index, however many messages others have.
create function pg_temp.plan(query text) returns text language plpgsql as $$
declare
  v_plan json;
begin
  execute 'explain (format json) ' || query into v_plan;
  return v_plan::text;
end $$;
set local enable_seqscan = off;
select matches(pg_temp.plan($$ select m.id from messages as m
  where coalesce(m.project_id, m.conversation_id) = pg_temp.id('project') and m.client_id = 'msg-1' $$), 'messages_client_id_key', 'messages have an index');
select matches(pg_temp.plan($$ select c.id from conversations as c where c.user_id = tests.user_id('owner') and c.client_id = 'chat-1' $$),
  'conversations_client_id_key|idx_conversations_user_id', 'and conversations');

select * from finish();
rollback;
