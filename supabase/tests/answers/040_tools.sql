-- Tools of the server: what they return is part of the message, and a call that needs approval runs once, as it was shown,
-- for the user who was asked.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;
select grant_credits(tests.user_id(name), 1000) from unnest(array['owner', 'member', 'stranger']) as name;
insert into model_providers (name, base_url, secret_name) values ('lab', 'https://models.example.com/v1', 'LAB_API_KEY');
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price, capabilities, rank)
values ('lab/one', 'lab', 'one', 100000, 100, 10000, 100000, '{tools}', 0);

create temp table asked (name text primary key, value jsonb);
grant select on asked to authenticated;
create function pg_temp.ask(name text, message jsonb default '{"role": "user", "content": "Hello"}', user_name text default 'owner',
  server_tools boolean default true) returns void language sql as $$
  insert into asked select ask.name, to_jsonb(b) from public.begin_answer(tests.user_id(user_name), message,
    conversation_id => split_part(ask.name, ' ', 1), start => true, server_tools => ask.server_tools) as b
$$;
create function pg_temp.asked(name text) returns jsonb language sql stable as $$ select value from asked where asked.name = $1 $$;
create function pg_temp.finish(name text, pieces jsonb, state text default 'complete') returns jsonb language sql as $$
  select to_jsonb(f) #> '{message,content}' from finish_answer((pg_temp.asked(name) #>> '{answer,id}')::uuid, state,
    '{"input_tokens": 10, "output_tokens": 10, "source": "provider"}', pieces) as f
$$;
create function pg_temp.call(part integer, id text, server boolean default true) returns jsonb language sql immutable as $$
  select jsonb_build_array(jsonb_build_object('part', part, 'type', 'tool', 'tool_name', 't', 'tool_call_id', id, 'server', server,
    'text', '{"n": 1}'))
$$;
create function pg_temp.request(part integer, name text) returns jsonb language sql stable as $$
  select jsonb_build_array(jsonb_build_object('part', part, 'type', 'approval', 'approval',
    jsonb_build_object('id', format('%s/%s', pg_temp.asked(name) #>> '{answer,id}', part))))
$$;
create function pg_temp.output(part integer, text text) returns jsonb language sql immutable as $$
  select jsonb_build_array(jsonb_build_object('part', part, 'type', 'output', 'output',
    jsonb_build_object('state', 'output-available', 'output', text)))
$$;
-- What a client posts to approve the call of an answer; changes are merged into the part.
create function pg_temp.approve(name text, approved jsonb, changes jsonb default '{}') returns jsonb language sql stable as $$
  select jsonb_build_object('id', pg_temp.asked(name) #>> '{message,id}', 'role', 'assistant', 'content', jsonb_build_array(
    jsonb_build_object('type', 'tool-t', 'toolCallId', 'c', 'state', 'approval-responded', 'input', '{"n": 1}'::jsonb,
      'approval', jsonb_build_object('id', format('%s/0', pg_temp.asked(name) #>> '{answer,id}'), 'approved', approved)) || changes))
$$;

grant execute on function pg_temp.asked(text), pg_temp.approve(text, jsonb, jsonb) to authenticated;

-- Outputs -------------------------------------------------------------------------------------------

select pg_temp.ask('plain', server_tools => false);
select pg_temp.ask('outputs');
select is(pg_temp.asked('outputs') #>> '{limits,steps}', '5', 'an answer with tools of the server has so many steps');
select is(round((pg_temp.asked('outputs') #>> '{answer,held}')::numeric - 10, 4),
  round(5 * ((pg_temp.asked('plain') #>> '{answer,held}')::numeric - 10), 4), 'and holds the prompt of each of them, and the longest answer once');
select is(pg_temp.asked('plain') #>> '{limits,steps}', '1', 'others have one');
select is(pg_temp.finish('outputs', pg_temp.call(0, 'a') || pg_temp.call(1, 'b') || pg_temp.output(0, 'blue') || pg_temp.call(2, 'c', false)),
  '[{"type": "tool-t", "toolCallId": "a", "providerExecuted": true, "input": {"n": 1}, "state": "output-available", "output": "blue"},
    {"type": "tool-t", "toolCallId": "b", "providerExecuted": true, "input": {"n": 1}, "state": "output-error",
      "errorText": "The answer ended before the tool returned"},
    {"type": "tool-t", "toolCallId": "c", "input": {"n": 1}, "state": "input-available"}]',
  'outputs are put into the parts of their calls; a call of the server without one has failed, one of the client waits');

-- Approval ------------------------------------------------------------------------------------------

select pg_temp.ask('approval');
select pg_temp.finish('approval', pg_temp.call(0, 'c') || pg_temp.request(0, 'approval'));
select is((select m.content #>> '{0,state}' from messages as m where m.id = (pg_temp.asked('approval') #>> '{message,id}')::uuid),
  'approval-requested', 'a call that needs approval waits for it');
select ok((select not to_jsonb(f) -> 'answer' ? 'approvals' from finish_answer((pg_temp.asked('approval') #>> '{answer,id}')::uuid, 'complete',
  '{"source": "counted"}') as f), 'what waits is not told to callers');
select throws_like($$ select pg_temp.ask('approval 1', pg_temp.approve('approval', 'true', '{"state": "input-available"}')) $$, '%no output or approval%',
  'a message without the approval is refused');
select throws_ok($$ select pg_temp.ask('approval 2', pg_temp.approve('approval', 'true', '{"input": {"n": 2}}')) $$, 'PT422', null,
  'approving another input is refused');
select throws_ok($$ select pg_temp.ask('approval 3', pg_temp.approve('approval', '"yes"')) $$, 'PT422', null, 'an approval is true or false');
select throws_ok($$ select pg_temp.ask('approval 4', pg_temp.approve('approval', 'true', '{"toolCallId": "d"}')) $$, 'PT409', null,
  'approving another call is refused');
select throws_ok($$ select pg_temp.ask('approval 5', pg_temp.approve('approval', 'true',
  jsonb_build_object('approval', jsonb_build_object('id', gen_random_uuid() || '/0', 'approved', true)))) $$, 'PT409', null,
  'an approval that nobody asked for is refused');
select throws_ok($$ select pg_temp.ask('approval 6', pg_temp.approve('approval', 'true', '{"approval": {"id": null, "approved": true}}')) $$,
  'PT409', null, 'as is one without an id');
select throws_ok($$ select pg_temp.ask('approval 7', pg_temp.approve('approval', 'true'), 'stranger') $$, 'PT404', null,
  'a stranger approves nothing');

-- Users can edit their messages.
select tests.authenticate_as('owner');
update messages set content = jsonb_set(content, '{0,input,n}', '2') where id = (pg_temp.asked('approval') #>> '{message,id}')::uuid;
select tests.clear_authentication();
select throws_ok($$ select pg_temp.ask('approval 8', pg_temp.approve('approval', 'true', '{"input": {"n": 2}}')) $$, 'PT422', null,
  'a call that was changed in the message is not run');
select tests.authenticate_as('owner');
update messages set content = jsonb_set(content, '{0,input,n}', '1') where id = (pg_temp.asked('approval') #>> '{message,id}')::uuid;
select tests.clear_authentication();

select pg_temp.ask('approval 9', pg_temp.approve('approval', 'true'));
select is((pg_temp.asked('approval 9') #> '{message,content,0}') - 'approval'::text,
  '{"type": "tool-t", "toolCallId": "c", "providerExecuted": true, "input": {"n": 1}, "state": "approval-responded"}',
  'the function is told which call to run');
select is(pg_temp.asked('approval 9') #>> '{answer,first_part}', '1', 'in the same message');
select is(pg_temp.finish('approval 9', pg_temp.output(0, 'done') || '[{"part": 1, "type": "text", "text": "Done"}]') -> 0 ->> 'output', 'done',
  'what it returns is put into the part of the earlier step');
select is((select m.content -> 1 ->> 'text' from messages as m where m.id = (pg_temp.asked('approval') #>> '{message,id}')::uuid), 'Done',
  'and the answer goes on');
select throws_ok($$ select pg_temp.ask('approval 10', pg_temp.approve('approval', 'true')) $$, 'PT409', null, 'an approval counts once');
select is((select a.approvals from answers as a where a.id = (pg_temp.asked('approval') #>> '{answer,id}')::uuid), '{}', 'nothing waits any more');

-- JavaScript rounds 12345678901234567890, so that a client sends another number back.
select pg_temp.ask('long');
select pg_temp.finish('long', jsonb_set(pg_temp.call(0, 'c'), '{0,text}', '"{\"n\": 12345678901234567890, \"m\": [0, 0.30]}"')
  || pg_temp.request(0, 'long'));
select throws_ok($$ select pg_temp.ask('long 1', pg_temp.approve('long', 'true', '{"input": {"n": 12345678901234560000, "m": [0, 0.3]}}')) $$,
  'PT422', null, 'another number is refused');
select throws_ok($$ select pg_temp.ask('long 2', pg_temp.approve('long', 'true', '{"input": {"n": 12345678901234567000, "m": [0.3, 0]}}')) $$,
  'PT422', null, 'as are the same in another order');
select lives_ok($$ select pg_temp.ask('long 3', pg_temp.approve('long', 'true', '{"input": {"n": 12345678901234567000, "m": [0, 0.3]}}')) $$,
  'a call whose number a client has rounded can be approved');

-- The state of a message proves nothing: the user writes it.
select tests.authenticate_as('owner');
update messages set content = jsonb_build_array(pg_temp.approve('approval', 'true') -> 'content' -> 0,
  pg_temp.approve('approval', 'true') -> 'content' -> 0 || '{"state": "input-available", "toolCallId": "e"}')
where id = (pg_temp.asked('approval') #>> '{message,id}')::uuid;
select tests.clear_authentication();
select pg_temp.ask('approval 11', jsonb_build_object('id', pg_temp.asked('approval') #>> '{message,id}', 'role', 'assistant',
  'content', '[{"type": "tool-t", "toolCallId": "e", "state": "output-available", "output": 1}]'::jsonb));
select is(pg_temp.asked('approval 11') #>> '{message,content,0,state}', 'output-error', 'a call that was never approved is not run');
select pg_temp.finish('approval 11', '[]', 'failed');

-- Denied, and killed --------------------------------------------------------------------------------

select pg_temp.ask('denied');
select pg_temp.finish('denied', pg_temp.call(0, 'c') || pg_temp.request(0, 'denied'));
select pg_temp.ask('denied 1', pg_temp.approve('denied', 'false'));
select is(pg_temp.finish('denied 1', '[]', 'stopped') -> 0 ->> 'state', 'output-denied', 'a call that was denied stays so when the answer is stopped');
select pg_temp.ask('killed');
select pg_temp.finish('killed', pg_temp.call(0, 'c') || pg_temp.request(0, 'killed'));
select pg_temp.ask('killed 1', pg_temp.approve('killed', 'true'));
select append_answer_parts(jsonb_build_array(jsonb_build_object('answer_id', pg_temp.asked('killed 1') #> '{answer,id}', 'number', 0,
  'pieces', '[]'::jsonb, 'input_tokens', 10, 'output_tokens', 0)));
update answer_parts set written_at = now() - interval '1 day';
select is((select r.message #>> '{content,0,state}' from read_answer(tests.user_id('owner'), 'killed') as r), 'output-error',
  'a call whose function was killed has failed, because it may have run');
select throws_ok($$ select pg_temp.ask('killed 2', pg_temp.approve('killed', 'true')) $$, 'PT409', null, 'and is not run again');

-- Between two steps.
select pg_temp.ask('between');
select append_answer_parts(jsonb_build_array(jsonb_build_object('answer_id', pg_temp.asked('between') #> '{answer,id}', 'number', 0,
  'pieces', '[{"part": 0, "type": "step-start"}]' || pg_temp.call(1, 'a') || pg_temp.call(2, 'b') || pg_temp.output(1, 'blue'),
  'input_tokens', 30, 'output_tokens', 10)));
update answer_parts set written_at = now() - interval '1 day';
update answers set created_at = created_at - interval '1 day' where state = 'running';
select is((select concat_ws(' ', r.answer ->> 'state', r.answer ->> 'credits', r.message #>> '{content,1,state}', r.message #>> '{content,2,state}')
  from read_answer(tests.user_id('owner'), 'between') as r), 'abandoned 1.3000 output-available output-error',
  'an answer whose function was killed between two steps is settled for what is stored');

-- projects: only who was asked approves -----------------------------------------------------------

insert into teams (id, name) values (md5('t')::uuid, 'T');
insert into team_members (team_id, user_id, role) values (md5('t')::uuid, tests.user_id('owner'), 'owner'),
  (md5('t')::uuid, tests.user_id('member'), 'member');
select grant_credits(team_id => md5('t')::uuid, amount => 1000);
insert into projects (id, user_id, team_id, title) values (md5('p')::uuid, tests.user_id('owner'), md5('t')::uuid, 'P');
insert into asked select 'team', to_jsonb(b) from begin_answer(tests.user_id('member'), '{"role": "user", "content": "Hello"}',
  project_id => md5('p')::uuid, server_tools => true) as b;
select pg_temp.finish('team', pg_temp.call(0, 'c') || pg_temp.request(0, 'team'));
select throws_ok($$ select begin_answer(tests.user_id('owner'), pg_temp.approve('team', 'true'), project_id => md5('p')::uuid) $$, 'PT409', null,
  'the owner of the project does not approve what a member was asked');
select lives_ok($$ select begin_answer(tests.user_id('member'), pg_temp.approve('team', 'true'), project_id => md5('p')::uuid) $$,
  'the member does');

select * from finish();
rollback;
