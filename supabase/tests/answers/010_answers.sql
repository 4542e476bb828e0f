-- Answers: what is held, saved, charged and released; exactly one ending; limits; history; and who may use which model.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'boss']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('answering ' || name)::uuid $$;
insert into model_providers (name, base_url, secret_name) values ('lab', 'https://models.example.com/v1', 'LAB_API_KEY');
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, cached_input_price, output_price,
  reasoning_price, capabilities, tiers, rank) values
  ('lab/one', 'lab', 'one', 1000, 100, 10000, 1000, 100000, 200000, '{tools}', null, 0),
  ('lab/pro', 'lab', 'pro', 1000, 100, 10000, null, 100000, null, '{}', '{pro}', -1),
  ('lab/free', 'lab', 'free', 1000, 100, 0, null, 0, null, '{}', null, 5);
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price, enabled) values
  ('lab/off', 'lab', 'off', 1000, 100, 1, 1, false);
insert into models (name, valid_from, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price) values
  ('lab/one', now() + interval '1 day', 'lab', 'later', 1000, 100, 1, 1),
  ('lab/one', now() - interval '1 day', 'lab', 'earlier', 1000, 100, 1, 1);

create function pg_temp.ask(text text, more jsonb default '{}') returns jsonb language sql as $$
  select to_jsonb(b) from public.begin_answer(tests.user_id(coalesce(more ->> 'user', 'owner')),
    case when text is not null then jsonb_strip_nulls(jsonb_build_object('id', more ->> 'id', 'role', 'user',
      'content', jsonb_build_array(jsonb_build_object('type', 'text', 'text', text)))) end,
    more ->> 'model', coalesce(more ->> 'conversation', 'chat'), (more ->> 'project')::uuid, true,
    coalesce((more ->> 'regenerate')::boolean, false), (more ->> 'output')::integer) as b
$$;
create function pg_temp.finish(answer jsonb, state text, usage jsonb, pieces jsonb default '[]', number integer default 2147483647)
returns jsonb language sql as $$
  select to_jsonb(e) from public.finish_answer((answer #>> '{answer,id}')::uuid, state, usage || '{"source": "provider"}', pieces, number) as e
$$;
create function pg_temp.credits() returns text language sql as $$
  select format('%s %s', trim_scale(a.balance), trim_scale(a.held)) from public.credit_accounts as a
  where a.user_id = tests.user_id('owner')
$$;
create function pg_temp.say(part integer, text text, type text default 'text') returns jsonb language sql immutable as $$
  select jsonb_build_array(jsonb_build_object('part', part, 'type', type, 'text', text))
$$;
create function pg_temp.part(answer_id uuid, number integer, pieces jsonb, input_tokens bigint, output_tokens bigint)
returns jsonb language sql immutable as $$
  select jsonb_build_object('answer_id', answer_id, 'number', number, 'pieces', pieces, 'input_tokens', input_tokens, 'output_tokens', output_tokens)
$$;
create function pg_temp.append(answer_id uuid, number integer, pieces jsonb, input_tokens bigint, output_tokens bigint)
returns setof answer_progress language sql as $$
  select * from append_answer_parts(jsonb_build_array(pg_temp.part(answer_id, number, pieces, input_tokens, output_tokens)))
$$;
create temp table kept (name text primary key, value jsonb);

-- Beginning -----------------------------------------------------------------------------------------

insert into kept select 'first', pg_temp.ask('Hello', '{"id": "m1"}');
create function pg_temp.kept(name text) returns jsonb language sql stable as $$ select value from kept where kept.name = $1 $$;
select is(pg_temp.kept('first') #>> '{endpoints,0,endpoint_model}', 'one', 'the price and the endpoint are those in force now');
select results_eq($$ select role::text, status, client_id, content from messages where user_id = tests.user_id('owner') order by created_at $$,
  $$ values ('user', 'complete', 'm1', '[{"type": "text", "text": "Hello"}]'::jsonb), ('assistant', 'streaming', null, '[]') $$,
  'the question is saved, and a draft is opened');
select is(pg_temp.credits(), format('100 %s', trim_scale(((pg_temp.kept('first') #>> '{answer,input_tokens}')::numeric * 10000
  + 100 * 200000) / 1000000)), 'the most that the answer may cost is held: all output at its higher price');
select is(jsonb_array_length(pg_temp.kept('first') -> 'history'), 1, 'the model is told the question, and not the draft');
select throws_ok($$ select pg_temp.ask('Second') $$, 'PT409', null, 'a conversation has one answer at a time');
select is(pg_temp.ask('Hello', '{"id": "m1"}') #>> '{answer,id}', pg_temp.kept('first') #>> '{answer,id}',
  'the same message again is the same answer');

-- Writing and ending --------------------------------------------------------------------------------

select is((select a.state from pg_temp.append((pg_temp.kept('first') #>> '{answer,id}')::uuid, 0, pg_temp.say(0, null, 'step-start')
  || pg_temp.say(1, 'He'), 10, 1) as a), 'running', 'parts are stored');
select is((select a.state from pg_temp.append((pg_temp.kept('first') #>> '{answer,id}')::uuid, 0, pg_temp.say(1, 'twice'), 10, 1) as a),
  'running', 'the same number again changes nothing');
select pg_temp.append((pg_temp.kept('first') #>> '{answer,id}')::uuid, 1, pg_temp.say(1, 'll'), 10, 2);
select pg_temp.append((pg_temp.kept('first') #>> '{answer,id}')::uuid, 2, pg_temp.say(1, 'unconfirmed'), 10, 2);
select throws_ok($$ select pg_temp.append(pg_temp.id('x'), 0, '{}', 1, 1) $$, 'PT422', null, 'pieces are a list');
select throws_ok($$ select pg_temp.append(pg_temp.id('x'), -1, '[]', 1, 1) $$, 'PT422', null, 'their number is 0 or more');
select throws_ok($$ select pg_temp.append(null, 0, '[]', 1, 1) $$, 'PT422', null, 'they belong to an answer');
select throws_ok(format($$ select append_answer_parts(%L) $$, parts), 'PT422', null, 'parts are a list of objects')
from unnest(array['{}', 'null', '[1]', '[{}]']) as parts;
select throws_ok($$ select append_answer_parts((select jsonb_agg(pg_temp.part(gen_random_uuid(), 0, '[]', 1, 1)) from generate_series(1, 1001))) $$,
  'PT422', null, 'of at most 1,000');
insert into kept select 'ended', pg_temp.finish(pg_temp.kept('first'), 'complete',
  '{"input_tokens": 20, "cached_input_tokens": 10, "output_tokens": 30, "reasoning_tokens": 5}', pg_temp.say(1, 'o'), 2);
select is(pg_temp.kept('ended') #> '{message,content}', '[{"type": "step-start"}, {"type": "text", "text": "Hello", "state": "done"}]',
  'stored parts and the last pieces are the message; those that are sent again do not count twice');
select is(pg_temp.kept('ended') #>> '{entry,amount}', '-3.6100', '10 * 0.01 + 10 * 0.001 + 25 * 0.1 + 5 * 0.2');
select is(pg_temp.credits(), '96.39 0', 'the rest of the hold is released');
select is(pg_temp.kept('ended') #>> '{message,metadata,answer,credits}', '3.6100', 'the message says what it cost');
select is((select count(*) from answer_parts), 0::bigint, 'the parts are gone');
select is(pg_temp.finish(pg_temp.kept('first'), 'failed', '{"input_tokens": 1000}') -> 'entry', pg_temp.kept('ended') -> 'entry',
  'an answer ends once');
select is((select a.state from pg_temp.append((pg_temp.kept('first') #>> '{answer,id}')::uuid, 9, pg_temp.say(1, 'late'), 1, 1) as a),
  'complete', 'what comes after the end is told so');
select is((select count(*) from answer_parts), 0::bigint, 'and not stored');
select is(a.state, null, 'an answer that is not there has no state') from pg_temp.append(pg_temp.id('x'), 0, '[]', 1, 1) as a;
select is(to_jsonb(f) -> 'answer', 'null', 'and cannot be ended') from finish_answer(pg_temp.id('x'), 'complete', '{"source": "counted"}') as f;
select throws_ok($$ select pg_temp.finish(pg_temp.kept('first'), 'running', '{}') $$, 'PT422', null, 'running is no ending');
select throws_ok($$ select pg_temp.finish(pg_temp.kept('first'), 'complete', '{"input_tokens": -1}') $$, 'PT422', null, 'usage is 0 or more');

-- Nothing said, more than held, and a hold that is gone ------------------------------------------------

insert into kept select 'failed', pg_temp.finish(pg_temp.ask('Two', '{"id": "m2"}'), 'failed', '{"input_tokens": 50}',
  pg_temp.say(0, null, 'step-start'));
select is(pg_temp.kept('failed') -> 'message', 'null', 'an answer that failed and said nothing leaves no draft');
select is(pg_temp.credits(), '96.39 0', 'and costs nothing');
select isnt(pg_temp.ask('Two', '{"id": "m2"}') #>> '{answer,id}', pg_temp.kept('failed') #>> '{answer,id}',
  'its question can be asked again');
update answers set created_at = created_at - interval '1 hour';
insert into kept select 'dear', pg_temp.finish(pg_temp.ask('Three', '{"id": "m3"}'), 'complete',
  '{"input_tokens": 10000, "output_tokens": 900}', pg_temp.say(1, 'dear'));
select is(pg_temp.kept('dear') #>> '{entry,amount}', (-(pg_temp.kept('dear') #>> '{answer,held}')::numeric)::text,
  'if the account cannot pay more than was held, it pays that');
select isnt(pg_temp.kept('dear') -> 'message', 'null', 'and the text is saved');
select grant_credits(tests.user_id('owner'), 1000);
insert into kept select 'overage', pg_temp.finish(pg_temp.ask('Four', '{"id": "m4"}'), 'complete', '{"output_tokens": 900}', pg_temp.say(1, 'x'));
select is(pg_temp.kept('overage') #>> '{entry,amount}', '-90.0000', 'if it can, it pays for what was used');
insert into kept select 'open', pg_temp.ask('Five', '{"id": "m5"}');
select release_credit_hold((pg_temp.kept('open') #>> '{answer,hold_id}')::uuid);
select is(pg_temp.finish(pg_temp.kept('open'), 'complete', '{"output_tokens": 9}', pg_temp.say(1, 'free')) -> 'entry', 'null',
  'a hold that an operator has released charges nothing, and the answer ends all the same');
select is(pg_temp.finish(pg_temp.ask('Six', '{"model": "lab/free"}'), 'complete', '{"output_tokens": 9}', pg_temp.say(1, 'free'))
  #>> '{answer,hold_id}', null, 'a model without a price needs no hold');

-- Abandoned -----------------------------------------------------------------------------------------

insert into kept select 'lost', pg_temp.ask('Seven', '{"id": "m7"}');
select pg_temp.append((pg_temp.kept('lost') #>> '{answer,id}')::uuid, 0, pg_temp.say(0, null, 'step-start') || pg_temp.say(1, 'lost wo')
  || '[{"part": 2, "type": "tool", "tool_name": "t", "tool_call_id": "c", "text": "{\"a\""}]', 30, 4);
select is((select r.answer ->> 'state' from read_answer(tests.user_id('owner'), 'chat') as r), 'running', 'an answer with a sign of life runs');
update answer_parts set written_at = now() - interval '1 minute';
update answers set created_at = created_at - interval '1 minute';
select is((select r.answer ->> 'state' from read_answer(tests.user_id('stranger'), pg_temp.kept('lost') #>> '{answer,id}') as r), null,
  'a stranger sees no answer');
select is((select concat_ws(' ', r.answer ->> 'state', r.answer ->> 'credits', r.answer ->> 'usage_source', r.message ->> 'status')
  from read_answer(tests.user_id('owner'), 'chat') as r), 'abandoned 0.7000 counted aborted', 'who looks settles it for what is stored');
select is((select m.content from messages as m where m.id = (pg_temp.kept('lost') #>> '{answer,message_id}')::uuid),
  '[{"type": "step-start"}, {"type": "text", "text": "lost wo", "state": "done"}, {"type": "tool-t", "toolCallId": "c",
    "state": "output-error", "rawInput": "{\"a\"", "errorText": "The answer ended before the call was complete"}]',
  'its text is kept, and a call whose input is incomplete has failed');

-- Stopping ------------------------------------------------------------------------------------------

insert into kept select 'stopped', pg_temp.ask('Eight');
select is((select s.answer ->> 'stop_requested' from stop_answer(tests.user_id('owner'), 'chat') as s), 'true', 'a stop is noted');
select is((select a.stop_requested from pg_temp.append((pg_temp.kept('stopped') #>> '{answer,id}')::uuid, 0, '[]', 1, 0) as a), true,
  'and told to who writes the answer');
select throws_ok(format($$ select stop_answer(tests.user_id('stranger'), %L) $$, pg_temp.kept('stopped') #>> '{answer,id}'), 'PT404', null,
  'a stranger stops nothing');
select pg_temp.finish(pg_temp.kept('stopped'), 'stopped', '{"output_tokens": 1}', pg_temp.say(1, 'x'));
select is((select s.answer ->> 'state' from stop_answer(tests.user_id('owner'), 'chat') as s), 'stopped', 'a stop of what has ended changes nothing');

-- Models --------------------------------------------------------------------------------------------

select throws_ok($$ select pg_temp.ask('x', '{"model": "lab/pro"}') $$, 'PT403', null, 'a model may be for some tiers');
select throws_ok($$ select pg_temp.ask('x', '{"model": "lab/off"}') $$, 'PT422', null, 'a model that is off answers nobody');
select throws_ok($$ select pg_temp.ask('x', '{"model": "lab/none"}') $$, 'PT422', null, 'as does one that is unknown');
insert into teams (id, name, tier) values (pg_temp.id('team'), 'T', 'pro');
insert into team_members (team_id, user_id, role) values (pg_temp.id('team'), tests.user_id('boss'), 'owner'),
  (pg_temp.id('team'), tests.user_id('owner'), 'member');
select is(pg_temp.ask('x', '{"conversation": "pro"}') #>> '{answer,model}', 'lab/pro',
  'a member of a team has its tier, and the lowest rank is the default');
select throws_ok($$ insert into model_providers (name, secret_name) values ('evil', 'SUPABASE_SERVICE_ROLE_KEY') $$, '23514', null,
  'a provider is sent keys of providers only');

-- History -------------------------------------------------------------------------------------------

update conversations set system_prompt = 'Be brief' where client_id = 'pro';
select pg_temp.finish(jsonb_build_object('answer', to_jsonb(a)), 'complete', '{"output_tokens": 1}', pg_temp.say(1, 'y'))
from answers as a where a.state = 'running';
insert into kept select 'told', pg_temp.ask('z', '{"conversation": "pro"}');
select is(pg_temp.kept('told') ->> 'system', 'Be brief', 'the model is told the system prompt');
select is(jsonb_path_query_array(pg_temp.kept('told') -> 'history', '$[*].role'), '["user", "assistant", "user"]', 'and what was said');
select throws_ok(format($$ select pg_temp.ask(%L, '{"conversation": "long"}') $$, repeat('word ', 1000)), 'PT422', null,
  'a message that does not fit is refused');
select is((select count(*) from conversations where client_id = 'long'), 0::bigint, 'and not saved');

-- Several at once -----------------------------------------------------------------------------------

insert into kept select name, pg_temp.ask('Hello', jsonb_build_object('conversation', name)) from unnest(array['one', 'two', 'three']) as name;
select pg_temp.finish(pg_temp.kept('two'), 'complete', '{"input_tokens": 1, "output_tokens": 1}');
select stop_answer(tests.user_id('owner'), pg_temp.kept('three') #>> '{answer,id}');
select results_eq($$ select k.name, p.state, p.stop_requested
  from append_answer_parts((select jsonb_agg(pg_temp.part(coalesce((k.value #>> '{answer,id}')::uuid, pg_temp.id('x')), 0,
      pg_temp.say(0, name), 1, 1)) from (select name, value from kept where name in ('one', 'two', 'three') union all select 'x', '{}') as k)) as p
  left join kept as k on (k.value #>> '{answer,id}')::uuid = p.answer_id and k.name <> 'ended' order by k.name $$,
  $$ values ('one', 'running', false), ('three', 'running', true), ('two', 'complete', false), (null, null, null) $$,
  'parts of several answers are stored at once, and each is told how it is');
select results_eq($$ select k.name, p.pieces #>> '{0,text}' from answer_parts as p join kept as k on (k.value #>> '{answer,id}')::uuid = p.answer_id
  where k.name in ('one', 'two', 'three') order by k.name $$, $$ values ('one', 'one'), ('three', 'three') $$,
  'each has its own, and those that have ended get none');

select * from finish();
rollback;
