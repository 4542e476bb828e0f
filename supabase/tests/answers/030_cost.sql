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
-- Each question of a conversation or project has its answer. The project also has those of somebody else, which are newer.
insert into answers (user_id, conversation_id, project_id, question_id, message_id, model, prices, input_tokens, state, ended_at, created_at)
select coalesce(c.user_id, p.user_id), q.conversation_id, q.project_id, q.id, a.id, 'lab/one', '{}', 1, 'complete', now(), a.created_at
from messages as q
join messages as a on coalesce(a.conversation_id, a.project_id) = coalesce(q.conversation_id, q.project_id)
  and a.created_at = q.created_at + interval '1 second' and q.role = 'user'
left join conversations as c on c.id = q.conversation_id
left join projects as p on p.id = q.project_id;
insert into answers (user_id, project_id, model, prices, input_tokens, state, ended_at)
select tests.user_id('other'), md5('plong')::uuid, 'lab/one', '{}', 1, 'complete', now() from generate_series(1, 5000);
insert into answers (user_id, model, prices, input_tokens, created_at)
select tests.user_id('other'), 'lab/one', '{}', 1, now() - n * interval '1 millisecond' from generate_series(1, 3000) as n;
analyze messages, answers, conversations, projects;

-- The pages that a statement reads. What it does is then taken back.
create function pg_temp.pages(statement text) returns bigint language plpgsql as $$
declare
  v_plan jsonb;
begin
  -- In the first rounds, statements are planned, which reads the catalog.
  for v_round in 1..7 loop
    begin
      execute 'explain (analyze, buffers, timing off, format json) ' || statement into v_plan;
      raise exception 'taken back' using errcode = 'ZZ000';
    exception when sqlstate 'ZZ000' then null;
    end;
  end loop;
  return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (v_plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
end $$;
create function pg_temp.first_question(name text, project boolean) returns jsonb language sql stable as $$
  select jsonb_build_object('id', m.id, 'role', m.role, 'content', m.content) from messages as m
  where m.role = 'user' and case when project then m.project_id = md5('p' || name)::uuid else m.conversation_id = md5(name)::uuid end
  order by m.created_at limit 1;
$$;
create function pg_temp.first_answer(name text, project boolean) returns uuid language sql stable as $$
  select a.id from answers as a where a.question_id = (select (pg_temp.first_question(name, project) ->> 'id')::uuid);
$$;
create function pg_temp.requests(name text, project boolean) returns table (request text, statement text) language sql stable as $$
  select r.request, 'select ' || format(r.call, tests.user_id(name),
    format(case when project then 'project_id => %L' else 'conversation_id => %L' end, p.id),
    pg_temp.first_question(name, project), pg_temp.first_answer(name, project), p.id)
  from (values
    ('to ask the last question again', 'begin_answer(%1$L, %2$s, regenerate => true)'),
    ('to repeat the first question', 'begin_answer(%1$L, %2$s, message => %3$L)'),
    ('to replay the first answer', 'read_answer(%1$L, %4$L)'),
    ('to find the newest answer', 'read_answer(%1$L, %5$L)')) as r (request, call)
  cross join (select md5(case when project then 'p' || name else name end)::uuid as id) as p;
$$;
select cmp_ok(pg_temp.pages(l.statement), '<', 2 * pg_temp.pages(s.statement), l.request || ' costs the same ' || k.kind)
from (values (false, 'in a long conversation'), (true, 'in a long project, with answers to others')) as k (project, kind)
cross join lateral pg_temp.requests('long', k.project) as l
join lateral pg_temp.requests('short', k.project) as s using (request);

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
