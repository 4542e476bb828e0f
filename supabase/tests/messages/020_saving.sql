-- save_messages: batches, ids, numbers and refusals; drafts; what pays for a message.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('saving ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, is_public) values
  (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', false),
  (pg_temp.id('other'), tests.user_id('owner'), null, 'O', false),
  (pg_temp.id('keys'), tests.user_id('owner'), null, 'K', false),
  (pg_temp.id('public'), tests.user_id('owner'), null, 'Q', true),
  (pg_temp.id('gone'), tests.user_id('owner'), null, 'G', false);
update projects set status = 'deleted' where id = pg_temp.id('gone');
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('owner'));

create function pg_temp.save(messages jsonb, project text default 'project', name text default 'owner', replace boolean default true,
  actor text default 'user', settle jsonb default null, key text default null)
returns public.saved_messages language sql as $$
  select public.save_messages(tests.user_id(name), messages, pg_temp.id(project), null, replace, settle, key, actor)
$$;
create function pg_temp.numbers(saved public.saved_messages) returns text language sql as $$
  select string_agg(m.value ->> 'sequence_number', ' ' order by m.ordinality) from jsonb_array_elements(saved.messages) with ordinality as m
$$;
create function pg_temp.there() returns bigint language sql as $$ select count(*) from public.messages $$;

-- numbers --------------------------------------------------------------------------------------------------
select is(pg_temp.numbers(pg_temp.save('[{"role": "user", "content": "a"}, {"role": "assistant", "content": {"text": "b"}}]')), '0 1',
  'a batch is numbered in its order');
select is(pg_temp.numbers(pg_temp.save('[{"role": "user", "content": 1, "sequence_number": 5}, {"role": "user", "content": 2}]')), '5 6',
  'a number can be given, and the next follows it');
select is(pg_temp.numbers(pg_temp.save('[{"role": "user", "content": "new", "sequence_number": 1}]')), '1', 'one that is taken');
select is((select content from messages where project_id = pg_temp.id('project') and sequence_number = 1), '"new"'::jsonb, 'is replaced');
select is(tests.refusal($$ select pg_temp.save('[{"role": "user", "content": 1, "sequence_number": 1}]', replace => false) $$),
  'PT412 sequence_number_taken', 'unless that is forbidden');
select is(pg_temp.numbers(pg_temp.save('[{"role": "user", "content": 1}]', name => 'member')), '7', 'a member of the team writes');
select is((select updated_at from projects where id = pg_temp.id('project')), now(), 'the project is as new');

-- ids --------------------------------------------------------------------------------------------------------
create function pg_temp.with_id(content text, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('id', pg_temp.id('message'), 'role', 'user', 'content', content) || more)
$$;
select is(pg_temp.numbers(pg_temp.save(pg_temp.with_id('x'))), '8', 'a message with an id of the caller''s');
select is(pg_temp.numbers(pg_temp.save(pg_temp.with_id('x'))), '8', 'is saved once');
select is(tests.refusal($$ select pg_temp.save(pg_temp.with_id('y')) $$), 'PT409 message_id_used', 'another message has another id');
select is(pg_temp.numbers(pg_temp.save(pg_temp.with_id('y', '{"sequence_number": 8}'))), '8', 'or says that it replaces');
select is(tests.refusal($$ select pg_temp.save(pg_temp.with_id('y'), 'other') $$), 'PT409 message_id_used', 'an id is of one project');
select is(tests.refusal($$ select public.save_messages(tests.user_id('owner'), pg_temp.with_id('y'), null, pg_temp.id('conversation')::text) $$),
  'PT409 message_id_used', 'and not of a conversation');
select is(tests.refusal($$ select pg_temp.save(pg_temp.with_id('y', '{"sequence_number": 2}')) $$), 'PT409 message_id_used', 'and of one number');
select is(tests.refusal(format($$ select pg_temp.save('[{"id": "%s", "role": "user", "content": 1, "sequence_number": 8}]') $$, gen_random_uuid())),
  'PT412 sequence_number_taken', 'which keeps its id');

-- keys -------------------------------------------------------------------------------------------------------
select is((pg_temp.save('[{"role": "user", "content": "k"}]', key => 'k')).replayed, false, 'a key saves');
select is((pg_temp.save('[{"role": "user", "content": "k"}]', key => 'k')).replayed, true, 'once');
select is(tests.refusal($$ select pg_temp.save('[{"role": "user", "content": "l"}]', key => 'k') $$), 'PT422 idempotency_key_reused', 'and one thing');
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "user", "content": "k"}]', 'keys', key => %L) $$, t.key)), 'PT400 invalid_idempotency_key',
  format('a key with %s characters', char_length(t.key))) from (values (''), (repeat('k', 256))) as t (key);
select is((pg_temp.save('[{"role": "user", "content": "s"}]', 'keys', actor => 'service', key => 'k')).replayed, false, 'the service has keys of its own');
select is((pg_temp.save(jsonb_build_array(jsonb_build_object('id', pg_temp.id('both'), 'role', 'user', 'content', 'b')), 'keys', key => 'both')).replayed, t.again,
  format('an id and a key, again: %s', t.again)) from (values (false), (true)) as t (again);
select is(tests.refusal($$ select pg_temp.save(pg_temp.with_id('z'), 'keys', key => 'refused') $$), 'PT409 message_id_used', 'a refusal');
select is((pg_temp.save('[{"role": "user", "content": "r"}]', 'keys', key => 'refused')).replayed, false, 'keeps no key');
alter table projects disable trigger update_projects_updated_at;
update projects set updated_at = '2020-01-01' where id = pg_temp.id('project');
alter table projects enable trigger update_projects_updated_at;
select pg_temp.save('[{"role": "user", "content": "k"}]', key => 'k'), pg_temp.save(pg_temp.with_id('y'));
select is((select updated_at from projects where id = pg_temp.id('project')), '2020-01-01', 'a repeat leaves the project as it is');

-- bad input --------------------------------------------------------------------------------------------------
create temp table before as select pg_temp.there() as messages;
select is(tests.refusal(format('select pg_temp.save(%s)', t.arguments)), t.code, t.arguments)
from (values
  ($$ '[]' $$, 'PT422 invalid_batch'), ($$ '{}' $$, 'PT422 invalid_batch'), ($$ null $$, 'PT422 invalid_batch'),
  ($$ (select jsonb_agg('{"role": "user", "content": 1}'::jsonb) from generate_series(1, 101)) $$, 'PT422 invalid_batch'),
  ($$ '[1]' $$, 'PT422 invalid_message'), ($$ '[null]' $$, 'PT422 invalid_message'),
  ($$ '[{"role": "user", "content": 1, "owner": 2}]' $$, 'PT422 invalid_message'),
  ($$ '[{"role": "user", "content": 1, "metadata": []}]' $$, 'PT422 invalid_message'),
  ($$ '[{"role": "bot", "content": 1}]' $$, 'PT422 invalid_role'), ($$ '[{"content": 1}]' $$, 'PT422 invalid_role'),
  ($$ '[{"role": null, "content": 1}]' $$, 'PT422 invalid_role'), ($$ '[{"role": {}, "content": 1}]' $$, 'PT422 invalid_role'),
  ($$ '[{"role": "system", "content": 1}]' $$, 'PT422 invalid_role'),
  ($$ '[{"role": "user"}]' $$, 'PT422 content_missing'), ($$ '[{"role": "user", "content": null}]' $$, 'PT422 content_missing'),
  ($$ '[{"role": "user", "content": 1, "id": "x y"}]' $$, 'PT422 invalid_message_id'),
  ($$ '[{"role": "user", "content": 1, "id": 5}]' $$, 'PT422 invalid_message_id'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": -1}]' $$, 'PT422 invalid_sequence_number'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": 1.5}]' $$, 'PT422 invalid_sequence_number'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": 1e12}]' $$, 'PT422 invalid_sequence_number'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": "1"}]' $$, 'PT422 invalid_sequence_number'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": 99999}]' $$, 'PT422 invalid_sequence_number'),
  ($$ '[{"role": "user", "content": 1, "sequence_number": 1000000}]' $$, 'PT422 too_many_messages'),
  ($$ '[{"role": "user", "content": 1, "status": "aborted"}]' $$, 'PT422 invalid_status'),
  ($$ '[{"role": "user", "content": "good"}, {"role": "bot", "content": "bad"}]' $$, 'PT422 invalid_role'),
  ($$ jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('x', 262143))) $$, 'PT413 content_too_large'),
  ($$ jsonb_build_array(jsonb_build_object('role', 'user', 'content', 1, 'object_data', repeat('x', 262143))) $$, 'PT413 content_too_large'),
  ($$ '[{"role": "user", "content": 1}]', 'gone' $$, 'PT409 project_deleted'),
  ($$ '[{"role": "user", "content": 1}]', 'none' $$, 'PT404 project_not_found'),
  ($$ '[{"role": "user", "content": 1}]', name => 'stranger' $$, 'PT404 project_not_found'),
  ($$ '[{"role": "user", "content": 1}]', 'public', 'stranger' $$, 'PT403 project_read_only'),
  ($$ '[{"role": "user", "content": 1}]', settle => '{}' $$, 'PT422 invalid_batch'),
  ($$ '[{"role": "user", "content": 1}]', actor => 'nobody' $$, 'PT422 invalid_message')
) as t (arguments, code);
select throws_ok($$ select pg_temp.save('[{"role": "user", "content": 1}, {"role": "x", "content": 1}]') $$, 'PT422', 'The role of a message must be user or assistant',
  'a refusal says what is wrong');
select is(tests.refusal($$ select public.save_messages(tests.user_id('stranger'), '[{"role": "user", "content": 1}]', null, pg_temp.id('conversation')::text) $$),
  'PT404 conversation_not_found', 'a conversation is its owner''s alone');
select is(tests.refusal($$ select public.save_messages(tests.user_id('owner'), '[{"role": "user", "content": 1, "sequence_number": 1}]', null, pg_temp.id('conversation')::text) $$),
  'PT422 invalid_sequence_number', 'its messages have no numbers');
select is(tests.refusal($$ select public.save_messages(tests.user_id('owner'), '[{"role": "user", "content": 1}]') $$), 'PT422 invalid_message', 'no parent');
select is(pg_temp.there(), (select messages from before), 'no refusal left a message');
select lives_ok($$ select pg_temp.save(jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('x', 262142)))) $$,
  'the largest content is saved');
select tests.authenticate_as('owner');
select is(tests.refusal($$ insert into messages (conversation_id, role, content) values (pg_temp.id('conversation'), 'user', to_jsonb(repeat('x', 262143))) $$),
  'PT413 content_too_large', 'larger content is refused directly too');
select throws_ok($$ update messages set status = 'streaming' $$, '42501', null, 'a client sets no status');
select throws_ok($$ update messages set hold_id = gen_random_uuid() $$, '42501', null, 'and says nothing of payment');
select tests.clear_authentication();
update private.settings set value = 11 where name = 'messages.per_project';
select is(tests.refusal($$ select pg_temp.save('[{"role": "user", "content": 1}]') $$), 'PT422 too_many_messages', 'a project is full at its limit');
update private.settings set value = 1000000 where name = 'messages.per_project';
select is(pg_temp.numbers(pg_temp.save('[{"role": "system", "content": 1}]', actor => 'service')), '11', 'the service writes as system');
select is(tests.refusal($$ select pg_temp.save('[{"role": "user", "content": 1, "sequence_number": 11}]') $$), 'PT409 system_message',
  'which a user does not replace');

-- conversations ------------------------------------------------------------------------------------------------
create function pg_temp.say(message jsonb, key text default null) returns public.saved_messages language sql as $$
  select public.save_messages(tests.user_id('owner'), jsonb_build_array(message), null, pg_temp.id('conversation')::text, idempotency_key => key, actor => 'user')
$$;
create function pg_temp.said() returns bigint language sql as $$ select count(*) from public.messages where conversation_id = pg_temp.id('conversation') $$;
select results_eq($$ select (s.m ->> 'conversation_id')::uuid, s.m ->> 'content', s.m ->> 'sequence_number', s.m -> 'metadata'
    from (select (pg_temp.say('{"role": "user", "content": "c", "metadata": {"a": 1}}')).messages -> 0) as s (m) $$,
  $$ values (pg_temp.id('conversation'), 'c', null, '{"a": 1}'::jsonb) $$, 'a conversation takes a message without a number');
select is((select updated_at from conversations where id = pg_temp.id('conversation')), now(), 'and is as new');
select is((pg_temp.say('{"role": "user", "content": "c"}', 'said')).replayed, t.again, format('with a key, again: %s', t.again)) from (values (false), (true)) as t (again);
select is((pg_temp.say(jsonb_build_object('id', pg_temp.id('said'), 'role', 'user', 'content', 'c'))).messages -> 0 ->> 'id', pg_temp.id('said')::text, 'with an id')
from generate_series(1, 2);
select is(pg_temp.said(), 3::bigint, 'each once');
select ok((select min(m.value ->> 'created_at') < max(m.value ->> 'created_at') from public.save_messages(tests.user_id('owner'),
    '[{"role": "user", "content": 1}, {"role": "assistant", "content": 2}]', null, pg_temp.id('conversation')::text) s
    cross join jsonb_array_elements(s.messages) m), 'messages of a batch have an order in time');
create function pg_temp.start(message jsonb, title text default null, id uuid default null, key text default null) returns public.started_conversation
language sql as $$ select public.start_conversation(tests.user_id('owner'), message, title, id::text, key, 'user') $$;
select is((pg_temp.start(jsonb_build_object('role', 'user', 'content', t.content))).conversation ->> 'title', t.title, t.title)
from (values
  ('"How do I fix this?"'::jsonb, 'How do I fix this?'),
  ('{"type": "text", "value": "In an object"}', 'In an object'),
  ('[{"type": "text", "text": "In a"}, "list"]', 'In a list'),
  ('"\n\n   The   first\tline  \nand another"', 'The first line'),
  ('"A line that is much longer than a title should ever be, so it is cut"', 'A line that is much longer than a title should ever be, so…'),
  (to_jsonb(repeat('x', 100)), repeat('x', 59) || '…'),
  ('"   "', 'New Chat'), ('{"image": "x"}', 'New Chat'), ('5', 'New Chat')
) as t (content, title);
select is((pg_temp.start('{"role": "user", "content": "x"}', 'Mine')).conversation ->> 'title', 'Mine', 'a title of one''s own');
select is((pg_temp.start('{"role": "user", "content": "x"}', key => 'start')).replayed, false, 'a key starts one');
select is((pg_temp.start('{"role": "user", "content": "x"}', key => 'start')).replayed, true, 'once');
select is((pg_temp.start(format('{"id": "%s", "role": "user", "content": "x"}', pg_temp.id('first'))::jsonb, id => pg_temp.id('started'))).conversation ->> 'id',
  (pg_temp.start(format('{"id": "%s", "role": "user", "content": "x"}', pg_temp.id('first'))::jsonb, id => pg_temp.id('started'))).conversation ->> 'id',
  'so do ids');
select is((select count(*) from messages where conversation_id = pg_temp.id('started')), 1::bigint, 'once');
create temp table conversations_before as select count(*) as n from conversations;
select is(tests.refusal(format('select pg_temp.start(%s)', t.arguments)), t.code, t.arguments)
from (values
  ($$ '{"role": "bot", "content": "x"}' $$, 'PT422 invalid_role'), ($$ '{"role": "user"}' $$, 'PT422 content_missing'),
  ($$ null $$, 'PT422 invalid_message'), ($$ '[]' $$, 'PT422 invalid_message'),
  ($$ '{"role": "user", "content": "x"}', '' $$, 'PT422 invalid_title'), ($$ '{"role": "user", "content": "x"}', ' ' $$, 'PT422 invalid_title'),
  ($$ '{"role": "user", "content": "x"}', repeat('t', 201) $$, 'PT422 invalid_title'),
  ($$ '{"role": "user", "content": "x"}', id => pg_temp.id('started') $$, 'PT409 conversation_id_used')
) as t (arguments, code);
select is((select count(*) from conversations), (select n from conversations_before), 'no refusal left a conversation');
select is(tests.refusal($$ select start_conversation(tests.user_id('nobody'), '{"role": "user", "content": "x"}') $$), 'PT404 user_not_found', 'nobody');

-- drafts and payment ---------------------------------------------------------------------------------------------
create function pg_temp.draft(name text, hold boolean default true) returns uuid language sql as $$
  select (s.messages -> 0 ->> 'id')::uuid from pg_temp.save(jsonb_build_array(jsonb_build_object('id', pg_temp.id(name), 'role', 'assistant',
    'content', '', 'status', 'streaming')), actor => 'service') s
$$;
create function pg_temp.finish(name text, status text default 'complete', content jsonb default null, settle jsonb default null, who text default 'owner')
returns public.saved_messages language sql as $$
  select public.finish_draft(tests.user_id(who), pg_temp.id(name)::text, status, content, project_id => pg_temp.id('project'), settle => finish.settle)
$$;
create function pg_temp.update(name text, content jsonb, who text default 'owner') returns text language sql as $$
  select content #>> '{}' from public.update_draft(tests.user_id(who), pg_temp.id(name)::text, content, pg_temp.id('project'))
$$;
create function pg_temp.hold(amount numeric) returns jsonb language sql as $$
  select jsonb_build_object('hold_id', h.id) from public.hold_credits(tests.user_id('owner'), amount) h
$$;
select is((pg_temp.save(jsonb_build_array(jsonb_build_object('id', pg_temp.draft('draft'), 'role', 'assistant', 'content', '', 'status', 'streaming')),
  actor => 'service')).messages -> 0 ->> 'status', 'streaming', 'a draft has its place');
select is(pg_temp.update('draft', '"So"'), 'So', 'its text is replaced');
select is(tests.refusal($$ select pg_temp.update('draft', '"x"', 'member') $$), 'PT403 not_message_author', 'not by another member of the team');
update projects set message_editing = 'members' where id = pg_temp.id('project');
select is(pg_temp.update('draft', '"So far"', 'member'), 'So far', 'unless the project lets members edit');
update projects set message_editing = 'author' where id = pg_temp.id('project');
select is(tests.refusal($$ select pg_temp.update('draft', '"x"', 'stranger') $$), 'PT404 project_not_found', 'but by no stranger');
select is(tests.refusal($$ select pg_temp.update('draft', null) $$), 'PT422 content_missing', 'and not by nothing');
select is(tests.refusal($$ select pg_temp.update('none', '"x"') $$), 'PT404 message_not_found', 'no draft');
select is((pg_temp.draft('draft')), pg_temp.id('draft'), 'reserving it again changes nothing');
select is((select content from messages where id = pg_temp.id('draft')), '"So far"'::jsonb, 'of what it has');
create temp table paid as select pg_temp.hold(20) || '{"amount": 12.5}' as settle;
select results_eq($$ select s.messages -> 0 ->> 'status', s.messages -> 0 ->> 'content', (s.entry ->> 'amount')::numeric from paid, pg_temp.finish('draft', content => '"All of it"', settle => paid.settle) s $$,
  $$ values ('complete', 'All of it', -12.5) $$, 'it is finished and paid for');
select is((pg_temp.finish('draft', content => '"All of it"', settle => paid.settle)).entry ->> 'entry_no', (select max(entry_no)::text from credit_transactions
  where account_id = tests.account_of('owner')), 'once') from paid;
select is((pg_temp.finish('draft', content => '"Else"', settle => paid.settle)).messages -> 0 ->> 'content', 'All of it', 'and for good') from paid;
select is(tests.refusal($$ select pg_temp.finish('draft', 'aborted') $$), 'PT409 message_finished', 'not aborted then');
select is(tests.refusal($$ select pg_temp.update('draft', '"x"') $$), 'PT409 message_finished', 'nor replaced');
select is(tests.refusal(format($$ select pg_temp.finish('draft', settle => %L) $$, pg_temp.hold(1))), 'PT409 message_settled', 'nor paid for twice');
select is((select available from user_credits where user_id = tests.user_id('owner')), 86.5, 'what the hold did not need is free');

select pg_temp.draft('aborted');
select is(pg_temp.update('aborted', '"Half"'), 'Half', 'a draft');
select results_eq($$ select s.messages -> 0 ->> 'status', s.messages -> 0 ->> 'content', (s.entry ->> 'amount')::numeric
  from pg_temp.finish('aborted', 'aborted', settle => pg_temp.hold(5) || '{"amount": 1}') s $$,
  $$ values ('aborted', 'Half', -1::numeric) $$, 'is aborted with what it has, and paid for');
select is((pg_temp.finish('aborted', 'aborted')).messages -> 0 ->> 'status', 'aborted', 'once');

-- Both or neither.
create temp table h as select pg_temp.hold(5) as settle;
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "assistant", "content": "x"}]', actor => 'service', settle => %L) $$, settle || '{"amount": 6}')),
  'PT422 capture_exceeds_hold', 'an answer that cannot be paid for') from h;
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "bot", "content": "x"}]', actor => 'service', settle => %L) $$, settle)),
  'PT422 invalid_role', 'or cannot be saved') from h;
select is((select status from credit_holds, h where id = (settle ->> 'hold_id')::uuid), 'held', 'is not paid for');
select is((select count(*) from messages where content = '"x"' and role = 'assistant' and project_id = pg_temp.id('project')), 0::bigint, 'and not saved');
select is((pg_temp.save('[{"role": "assistant", "content": "paid"}]', actor => 'service', settle => settle)).entry ->> 'amount', '-5.0000', 'a whole hold') from h;
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "assistant", "content": "again"}]', actor => 'service', settle => %L) $$, settle)),
  'PT409 hold_already_captured', 'pays for one answer') from h;
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "assistant", "content": 1}]', name => 'member', actor => 'service', settle => %L) $$, pg_temp.hold(1))),
  'PT404 hold_not_found', 'of its own user');
select is(tests.refusal(format($$ select pg_temp.save('[{"role": "assistant", "content": 1}]', actor => 'service', settle => %L) $$, t.settle)), t.code, t.settle)
from (values ('[]', 'PT422 invalid_settlement'), ('{}', 'PT422 invalid_settlement'), ('{"hold_id": "x"}', 'PT422 invalid_settlement'),
  ('{"hold_id": "00000000-0000-0000-0000-000000000000"}', 'PT404 hold_not_found'),
  ('{"hold_id": "00000000-0000-0000-0000-000000000000", "amount": "1"}', 'PT422 invalid_settlement'),
  ('{"hold_id": "00000000-0000-0000-0000-000000000000", "price": 1}', 'PT422 invalid_settlement')) as t (settle, code);

-- cleanup: a draft that is left alone ---------------------------------------------------------------
select pg_temp.draft('left');
select is(pg_temp.update('left', '"Until here"'), 'Until here', 'a draft that is left alone');
select is(tests.clean_up('stale_drafts'), 0::bigint, 'is not aborted at once');
alter table messages disable trigger update_messages_updated_at;
update messages set updated_at = now() - interval '601 seconds' where id = pg_temp.id('left');
alter table messages enable trigger update_messages_updated_at;
select is(tests.clean_up('stale_drafts'), 1::bigint, 'but after its time');
select results_eq($$ select status, content from messages where id = pg_temp.id('left') $$, $$ values ('aborted', '"Until here"'::jsonb) $$, 'with what it has');
select is(tests.refusal($$ select pg_temp.finish('left', content => '"Late"') $$), 'PT409 message_finished', 'a finish comes too late');

-- in the end ----------------------------------------------------------------------------------------
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
