-- What an answer costs the database: it follows what the model is told, and neither the length of the conversation nor how
-- many answers the user and others have had.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['short', 'long', 'other']) as name;
insert into model_providers (name, base_url, secret_name) values ('lab', 'https://models.example.com/v1', 'LAB_API_KEY');
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price, rank)
values ('lab/one', 'lab', 'one', 1000, 100, 0, 0, 0);
create function pg_temp.fill(name text, messages integer) returns void language sql as $$
  insert into conversations (id, user_id, client_id) values (md5(fill.name)::uuid, tests.user_id(fill.name), fill.name);
  insert into projects (id, user_id, title) values (md5('p' || fill.name)::uuid, tests.user_id(fill.name), fill.name);
  insert into messages (conversation_id, project_id, sequence_number, role, content, created_at)
  select case when kind = 'c' then md5(fill.name)::uuid end, case when kind = 'p' then md5('p' || fill.name)::uuid end,
    case when kind = 'p' then n end, (array['assistant', 'user'])[1 + n % 2]::message_role_enum,
    jsonb_build_array(jsonb_build_object('type', 'text', 'text', repeat('word ', 20))), now() - interval '1 day' + n * interval '1 second'
  from generate_series(1, fill.messages) as n cross join unnest(array['c', 'p']) as kind order by kind, n;
$$;
select pg_temp.fill('short', 41);
select pg_temp.fill('long', 6001);
insert into answers (user_id, conversation_id, model, prices, input_tokens, state, ended_at, created_at)
select tests.user_id('long'), md5('long')::uuid, 'lab/one', '{}', 1, 'complete', now(), now() - n * interval '1 minute'
from generate_series(1, 5000) as n;
insert into answers (user_id, model, prices, input_tokens, created_at)
select tests.user_id('other'), 'lab/one', '{}', 1, now() - n * interval '1 millisecond' from generate_series(1, 3000) as n;
analyze messages, answers, conversations, projects;

-- The pages that a regenerated answer reads. It is then taken back.
create function pg_temp.pages(name text, project boolean) returns bigint language plpgsql as $$
declare
  v_plan jsonb;
begin
  for v_round in 1..2 loop
    begin
      execute format('explain (analyze, buffers, timing off, format json) select begin_answer(%L, %s, regenerate => true)',
        tests.user_id(name), case when project then format('project_id => %L', md5('p' || name)) else format('conversation_id => %L', name) end)
      into v_plan;
      raise exception 'taken back' using errcode = 'ZZ000';
    exception when sqlstate 'ZZ000' then null;
    end;
  end loop;
  return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (v_plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
end $$;
select cmp_ok(pg_temp.pages('long', false), '<', 2 * pg_temp.pages('short', false), 'a conversation of 6,001 messages costs what one of 41 does');
select cmp_ok(pg_temp.pages('long', true), '<', 2 * pg_temp.pages('short', true), 'and so does a project');

-- Files in data URLs are taken for 1,500 tokens, and may be much larger.
select tests.create_user('images');
insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price, capabilities, rank)
values ('lab/huge', 'lab', 'huge', 1000000, 100, 0, 0, '{images}', 1);
insert into conversations (id, user_id) values (md5('images')::uuid, tests.user_id('images'));
insert into messages (conversation_id, role, content, created_at)
select md5('images')::uuid, 'user', jsonb_build_array(jsonb_build_object('type', 'file', 'mediaType', 'image/png',
    'url', 'data:image/png;base64,' || repeat('A', 250000))), now() - interval '1 day' + n * interval '1 second'
from generate_series(1, 100) as n;
select is(jsonb_array_length((begin_answer(tests.user_id('images'), '{"role": "user", "content": "Which is best?"}', 'lab/huge',
  md5('images')::uuid::text)).history), 84, 'the model is told the newest messages with 20 MiB of them');

-- The text of files is counted by the size of their objects.
select is(private.unescape_url('a%20b/%C3%A4%zz'), 'a b/ä%zz', 'the name of an object is found in a URL');
select is(private.unescape_url('%ff'), null, 'if it is a text');

select * from finish();
rollback;
