-- What a read costs does not depend on the rows of others: each query reads about as many buffers with thousands of their
-- rows as without. The queries are those that apps send without a filter, or with one that many rows meet.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(21);
select tests.create_user('reader');
select count(tests.create_user('other' || n)) from generate_series(1, 100) as n;

create function pg_temp.id(name text) returns uuid language sql immutable as $$
  select md5('reads ' || name)::uuid
$$;

-- Adds projects with a row of everything that projects, sessions and users have.
create function pg_temp.add_rows(name text, first integer, last integer) returns void language sql as $$
  insert into projects (id, user_id, title)
    select pg_temp.id(name || n), tests.user_id(name), 'P' from generate_series(first, last) as n;
  insert into messages (project_id, role, content, sequence_number)
    select pg_temp.id(name || n), 'user', '"x"', s from generate_series(first, last) as n, generate_series(0, 1) as s;
  insert into conversations (id, user_id)
    select pg_temp.id(name || n), tests.user_id(name) from generate_series(first, last) as n;
  insert into messages (conversation_id, role, content)
    select pg_temp.id(name || n), 'user', '"x"' from generate_series(first, last) as n;
  insert into project_files (project_id, file_name, storage_path, file_type, file_size)
    select pg_temp.id(name || n), 'f', name || n, 'pdf', 1 from generate_series(first, last) as n;
  insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
    select tests.user_id(name), pg_temp.id(name || n), 'f', name || n, 'project-files' from generate_series(first, last) as n;
  insert into encrypted_chats (id, user_id, encrypted_data)
    select pg_temp.id(name || n), tests.user_id(name), tests.envelope() from generate_series(first, last) as n;
  insert into project_chats (project_id, chat_id)
    select pg_temp.id(name || n), pg_temp.id(name || n) from generate_series(first, last) as n;
  insert into chat_sessions (id, user_id)
    select pg_temp.id(name || n), tests.user_id(name) from generate_series(first, last) as n;
  insert into chat_messages (session_id, sender, content)
    select pg_temp.id(name || n), 'user', 'x' from generate_series(first, last) as n;
  insert into chat_message_cache (session_id, message_id, role, content)
    select pg_temp.id(name || n), 'x', 'user', 'x' from generate_series(first, last) as n;
  insert into fragments (user_id, project_id, title, template, code, file_path)
    select tests.user_id(name), pg_temp.id(name || n), 'F', 't', 'c', 'f' from generate_series(first, last) as n;
  insert into tasks (user_id, prompt) select tests.user_id(name), 'x' from generate_series(first, last) as n;
  insert into site_visits (path) select '/' from generate_series(first, last) as n;
$$;

create temporary table queries (place serial, role text, statement text, before integer) on commit drop;
insert into queries (role, statement) values
  ('reader', 'select * from messages order by created_at desc limit 1'),
  ('reader', 'select count(*) from messages'),
  ('reader', $$ select * from messages where content = '"y"' $$),
  ('reader', 'select * from messages where project_id = pg_temp.id(''reader1'') order by sequence_number limit 50'),
  ('reader', 'select * from messages where conversation_id = pg_temp.id(''reader1'') order by created_at limit 50'),
  ('reader', 'select * from project_files order by created_at desc limit 20'),
  ('reader', 'select * from project_chats order by added_at desc limit 20'),
  ('reader', 'select * from file_uploads order by created_at desc limit 20'),
  ('reader', 'select count(*) from file_uploads'),
  ('reader', 'select * from fragments order by created_at desc limit 20'),
  ('reader', 'select * from chat_messages order by created_at desc limit 20'),
  ('reader', 'select * from chat_message_cache order by created_at desc limit 20'),
  ('reader', 'select * from chat_sessions_with_counts order by last_activity desc limit 20'),
  ('reader', 'select * from project_stats where user_id = tests.user_id(''reader'') order by updated_at desc limit 20'),
  ('reader', 'select * from tasks order by created_at desc limit 20'),
  ('reader', 'select * from user_statistics'),
  (null, 'select id, title from fragments where is_public order by created_at desc limit 20'),
  (null, 'select id, title from projects where is_public order by created_at desc limit 20'),
  ('service', 'select * from site_visits order by "timestamp" desc limit 1');
grant select on queries to public;

create function pg_temp.buffers(actor text, statement text) returns integer language plpgsql as $$
declare
  v_plan json;
begin
  case actor
    when 'reader' then perform tests.authenticate_as('reader');
    when 'service' then perform tests.authenticate_as_service();
    else perform tests.authenticate_as_anon();
  end case;
  -- Once more: the first run fills caches.
  for n in 1..2 loop
    execute 'explain (analyze, buffers, format json) ' || statement into v_plan;
  end loop;
  perform tests.clear_authentication();
  return (v_plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::integer + (v_plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::integer;
end $$;

-- In tables as small as these, a scan costs less than an index: here, the question is whether an index answers.
set local enable_seqscan = off;
-- It makes every plan look expensive enough to be compiled.
set local jit = off;

-- 3000 rows that the reader may not see, after a few of their own.
select pg_temp.add_rows('reader', 1, 5);
analyze;
update queries set before = pg_temp.buffers(role, statement);
select count(pg_temp.add_rows('other' || n, n * 100, n * 100 + 29)) from generate_series(1, 100) as n;
analyze;
-- Some indexes are a level deeper now, which a query pays for at each of its look-ups.
select cmp_ok(pg_temp.buffers(q.role, q.statement), '<=', greatest(q.before + 40, (2.5 * q.before)::integer),
  coalesce(q.role, 'a visitor') || ' reads no row of others: ' || q.statement)
from queries as q order by q.place;

-- What is shown is counted, and nothing else.
select pg_temp.add_rows('reader', 6, 600);
analyze;
select cmp_ok(pg_temp.buffers('reader', 'select * from chat_sessions_with_counts order by last_activity desc limit 5'), '<=', 150,
  'a view counts the messages of the sessions that it shows');

-- The owner of a project also owns its messages.
insert into projects (id, user_id, title) values (pg_temp.id('passed on'), tests.user_id('other1'), 'P');
insert into messages (project_id, role, content, sequence_number) values (pg_temp.id('passed on'), 'user', '"x"', 0);
update projects set user_id = tests.user_id('reader') where id = pg_temp.id('passed on');
select is(array_agg(distinct m.user_id), array[tests.user_id('reader')], 'messages go with their project')
from messages as m where m.project_id = pg_temp.id('passed on');

select * from finish();
rollback;
