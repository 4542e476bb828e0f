-- Answers that somebody tries not to pay for, or that say what no message can hold: each ends, is charged, and keeps nobody
-- else waiting.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;
select grant_credits(tests.user_id(name), 100000) from unnest(array['owner', 'stranger']) as name;
insert into model_providers (name, base_url, secret_name) values ('lab', 'https://models.example.com/v1', 'LAB_API_KEY');
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price, capabilities, rank)
values ('lab/one', 'lab', 'one', 1000000, 100, 10000, 100000, '{tools}', 0);

create temp table asked (name text primary key, id uuid, message_id uuid);
grant select on asked to authenticated;
create function pg_temp.ask(name text, message jsonb default '{"role": "user", "content": "Hello"}', user_name text default 'owner')
returns void language sql as $$
  insert into asked
  select ask.name, (b.answer ->> 'id')::uuid, (b.message ->> 'id')::uuid
  from public.begin_answer(tests.user_id(user_name), message, conversation_id => split_part(ask.name, ' ', 1), start => true) as b
$$;
create function pg_temp.append(name text, pieces jsonb) returns text language sql as $$
  select p.state from asked as a cross join lateral append_answer_parts(jsonb_build_array(jsonb_build_object(
    'answer_id', a.id, 'number', 0, 'pieces', pieces, 'input_tokens', 10, 'output_tokens', 5))) as p where a.name = append.name
$$;
create function pg_temp.finish(name text, state text, pieces jsonb, usage jsonb default '{"input_tokens": 10, "output_tokens": 10}')
returns public.ended_answer language sql as $$
  select f.* from asked as a cross join lateral finish_answer(a.id, state, usage || '{"source": "provider"}', pieces) as f
  where a.name = finish.name
$$;
create function pg_temp.charged(name text) returns text language sql stable as $$
  select concat_ws(' ', a.state, trim_scale(a.credits)) from asked as x join answers as a on a.id = x.id where x.name = charged.name
$$;
create function pg_temp.say(text text) returns jsonb language sql immutable as $$
  select jsonb_build_array(jsonb_build_object('part', 1, 'type', 'text', 'text', text))
$$;
create function pg_temp.call(input text) returns jsonb language sql immutable as $$
  select jsonb_build_array(jsonb_build_object('part', 1, 'type', 'tool', 'tool_name', 't', 'tool_call_id', 'c', 'text', input))
$$;

-- Fields that are full ------------------------------------------------------------------------------

select pg_temp.ask('metadata');
select tests.authenticate_as('owner');
update messages set metadata = jsonb_build_object('x', repeat('x', 262144 - 10))
where id = (select message_id from asked where name = 'metadata');
select tests.clear_authentication();
select lives_ok($$ select pg_temp.finish('metadata', 'complete', pg_temp.say('Hi')) $$, 'a user who fills the metadata of a draft pays all the same');
select is(pg_temp.charged('metadata'), 'complete 1.1', 'for what was said');
select is((select m.content -> 0 ->> 'text' from messages as m join asked as a on a.message_id = m.id where a.name = 'metadata'), 'Hi',
  'which is saved');

select pg_temp.ask('tools');
select pg_temp.finish('tools', 'complete', pg_temp.call('{}'));
select pg_temp.ask('tools again', jsonb_build_object('id', (select message_id from asked where name = 'tools'), 'role', 'assistant',
  'content', jsonb_build_array(jsonb_build_object('type', 'tool-t', 'toolCallId', 'c', 'state', 'output-available',
    'output', repeat('x', 262144 - 150)))));
select lives_ok($$ select pg_temp.finish('tools again', 'complete', pg_temp.say(repeat('y', 1000))) $$,
  'so does one who fills the message with the output of a tool');
select is(pg_temp.charged('tools again'), 'complete 1.1', 'and pays for what was said');

-- Calls of tools that no message can hold -----------------------------------------------------------

select pg_temp.ask('overflow');
select lives_ok($$ select pg_temp.finish('overflow', 'complete', pg_temp.call('{"n": 1e999999}')) $$,
  'a call with a number that PostgreSQL does not have ends the answer');
select is((select m.content -> 0 ->> 'state' from messages as m join asked as a on a.message_id = m.id where a.name = 'overflow'),
  'output-error', 'as a call that failed');
select pg_temp.ask('growth');
select pg_temp.finish('growth', 'complete', pg_temp.call('{"n": [1e100000, 1e100000, 1e100000]}'));
select ok((select octet_length(m.content::text) < 1000 from messages as m join asked as a on a.message_id = m.id where a.name = 'growth'),
  'numbers do not become a thousand times as long');
select pg_temp.ask('numbers');
select pg_temp.finish('numbers', 'complete', pg_temp.call('{"n":[1e20,-2.5e3,0.1]}'));
select is((select m.content #> '{0,input}' from messages as m join asked as a on a.message_id = m.id where a.name = 'numbers'),
  '{"n": [1e20, -2.5e3, 0.1]}', 'those of other calls are kept');

-- Usage that no account can pay ---------------------------------------------------------------------

select pg_temp.ask('huge');
select lives_ok($$ select pg_temp.finish('huge', 'complete', pg_temp.say('x'), '{"input_tokens": 1000000000, "output_tokens": 1000000000}') $$,
  'an answer for more credits than an entry can have ends');
select is((select a.credits from answers as a join asked as x on x.id = a.id where x.name = 'huge'),
  (select a.held from answers as a join asked as x on x.id = a.id where x.name = 'huge'), 'and costs what was held');

-- cleanup: behind an answer that cannot be settled -------------------------------------------------

select pg_temp.ask('stuck');
select pg_temp.append('stuck', pg_temp.say('x'));
select pg_temp.ask('lost', user_name => 'stranger');
select pg_temp.append('lost', pg_temp.say('x'));
update answer_parts set written_at = now() - interval '1 day';
update answers set created_at = created_at - interval '1 day' where state = 'running';
create function pg_temp.refuse() returns trigger language plpgsql as $$
begin
  if new.id = (select message_id from asked where name = 'stuck') then
    raise exception 'No';
  end if;
  return new;
end $$;
create trigger refuse before update on messages for each row execute function pg_temp.refuse();
select is(tests.clean_up('abandoned_answers'), 2::bigint, 'the cleanup goes on behind an answer that cannot be settled');
select is(pg_temp.charged('lost'), 'abandoned 0.6', 'and those of others are settled');
select is(pg_temp.charged('stuck'), 'running', 'which stays as it was');
drop trigger refuse on messages;
select is(tests.clean_up('abandoned_answers'), 1::bigint, 'and is settled as soon as it can be');

select * from finish();
rollback;
