-- Deleting an account with many rows: at once nobody sees or writes any of them, also not with a session token that is
-- still valid; the cleanup deletes them in portions; in the end, no column of any table has the user's id.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(32);
select tests.create_user(name) from unnest(array['heavy', 'member', 'stranger', 'small']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$
  select md5('deleted accounts ' || name)::uuid
$$;

update private.settings set value = 10 where name = 'accounts.rows_at_once';
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('heavy'), 'owner'),
  (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, is_public) values
  (pg_temp.id('private'), tests.user_id('heavy'), null, 'Private', false),
  (pg_temp.id('public'), tests.user_id('heavy'), null, 'Public', true),
  (pg_temp.id('shared'), tests.user_id('heavy'), pg_temp.id('team'), 'Shared', false),
  (pg_temp.id('strange'), tests.user_id('stranger'), null, 'Strange', false);
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('heavy'));
insert into messages (project_id, role, content, sequence_number)
  select pg_temp.id(p), 'user', '"needle"', n from unnest(array['private', 'public', 'shared']) as p, generate_series(0, 9) as n;
insert into messages (conversation_id, role, content)
  select pg_temp.id('conversation'), 'user', '"needle"' from generate_series(1, 10);
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
  select pg_temp.id('shared'), 'f', tests.user_id('heavy') || '/' || n, 'pdf', 1 from generate_series(1, 5) as n;
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
  select tests.user_id('heavy'), pg_temp.id('shared'), 'f', tests.user_id('heavy') || '/' || n, 'project-files'
  from generate_series(1, 20) as n;
insert into file_uploads (id, user_id, file_name, file_path, upload_path, file_size, bucket_name, status, expires_at)
values (pg_temp.id('upload'), tests.user_id('heavy'), 'f', tests.user_id('heavy') || '/p', tests.user_id('heavy') || '/p', 1,
  'project-files', 'pending', now() + interval '2 hours');
insert into storage.objects (bucket_id, name, version)
  select 'project-files', tests.user_id('heavy') || '/' || n, '1' from generate_series(1, 25) as n;
insert into encrypted_chats (id, user_id, encrypted_data)
  select pg_temp.id('chat' || n), tests.user_id('heavy'), tests.envelope() from generate_series(1, 5) as n;
insert into private.chat_nonces (user_id, key_id, nonce)
  select tests.user_id('heavy'), tests.user_id('heavy'), decode(lpad(n::text, 24, '0'), 'hex') from generate_series(1, 5) as n;
insert into private.chat_tombstones (user_id, chat_id, version, sync_sequence)
  select tests.user_id('heavy'), pg_temp.id('gone' || n), 1, 1000 + n from generate_series(1, 5) as n;
insert into chat_segments (user_id, chat_id, number, encrypted_data, key_id)
  select tests.user_id('heavy'), pg_temp.id('chat1'), n, 'x', pg_temp.id('key') from generate_series(1, 5) as n;
insert into project_chats (project_id, chat_id) values (pg_temp.id('private'), pg_temp.id('chat1'));
insert into chat_sessions (id, user_id) values (pg_temp.id('session'), tests.user_id('heavy'));
insert into chat_messages (session_id, sender, content)
  select pg_temp.id('session'), 'user', 'x' from generate_series(1, 5);
insert into chat_message_cache (session_id, message_id, role, content)
  select pg_temp.id('session'), n::text, 'user', 'x' from generate_series(1, 5) as n;
insert into tasks (user_id, prompt) values (tests.user_id('heavy'), 'x');
insert into fragments (id, user_id, title, template, code, file_path, is_public)
values (pg_temp.id('fragment'), tests.user_id('heavy'), 'F', 't', 'c', 'f', true);
insert into fragment_executions (fragment_id, user_id, template) values (pg_temp.id('fragment'), tests.user_id('heavy'), 't');
insert into workspace_files (user_id, path, name) values (tests.user_id('heavy'), '/a', 'a');
insert into conversation_threads (name, created_by) values ('x', tests.user_id('heavy'));
insert into user_integrations (user_id, service_name) values (tests.user_id('heavy'), 'github');
insert into api_keys (user_id, name, key_hash, key_prefix) values (tests.user_id('heavy'), 'x', 'deleted account', 'x');
insert into users_teams (user_id, team_id) values (tests.user_id('heavy'), pg_temp.id('team'));
insert into user_goals (user_id, title) values (tests.user_id('heavy'), 'x');
insert into user_progress (user_id, metric_type) values (tests.user_id('heavy'), 'x');
insert into journal_entries (user_id, content) values (tests.user_id('heavy'), 'x');
insert into theme_settings (user_id) values (tests.user_id('heavy'));
insert into customization_preferences (user_id) values (tests.user_id('heavy'));
select count(deduct_credits(tests.user_id('heavy'), amount => 1, idempotency_key => 'deleted')) from generate_series(1, 2);
select count(reserve_upload(tests.user_id('heavy'), 'project-files', 'a', 1, 'text/plain', idempotency_key => 'deleted'));
insert into messages (project_id, role, content, sequence_number) values (pg_temp.id('strange'), 'user', '"needle"', 0);

-- The tables and views of the API that return rows of the caller's, or of whoever the caller sees.
create function pg_temp.tables_with_rows() returns setof text language plpgsql as $$
declare
  v_name text;
  v_count bigint;
begin
  for v_name in
    select c.relname from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
      and has_any_column_privilege(current_user, c.oid, 'select')
    order by 1
  loop
    execute format('select count(*) from public.%I', v_name) into v_count;
    if v_count > 0 then
      return next v_name;
    end if;
  end loop;
end $$;

-- The columns of all tables that have a user's id.
create function pg_temp.columns_with(user_id uuid) returns setof text language plpgsql as $$
declare
  v_column record;
  v_found boolean;
begin
  for v_column in
    select a.attrelid::regclass as relation, a.attname, a.atttypid from pg_attribute as a join pg_class as c on c.oid = a.attrelid
    where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and a.attnum > 0 and not a.attisdropped and a.atttypid in ('uuid'::regtype, 'text'::regtype)
      -- Kept for good, so that a late payment is not taken for one of a stranger.
      and a.attrelid is distinct from to_regclass('private.deleted_owners')
    order by 1, 2
  loop
    execute format('select exists (select from %s where %I::text = $1::text or %2$I::text like $1 || ''/%%'')',
      v_column.relation, v_column.attname) into v_found using user_id;
    if v_found then
      return next v_column.relation || '.' || v_column.attname;
    end if;
  end loop;
end $$;

-- at once ---------------------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('heavy');
select is((select count(*)::integer from messages where user_id = tests.user_id('heavy')), 30, 'a portion of the rows goes at once');
select results_eq('select user_id from private.deleted_accounts', $$ values (tests.user_id('heavy')) $$, 'the others are remembered');

insert into credit_prices (sku, unit, price) values ('test.everybody', 'one', 1);
delete from models where true;
select tests.authenticate_as('heavy');
select set_eq('select pg_temp.tables_with_rows()', array['credit_prices', 'credit_units'],
  'with a token that is still valid, the user reads no table but the prices and their units, which are everybody''s');
select is_empty('select 1 from storage.objects', 'no object');
select is_empty($$ select 1 from search_messages('needle') $$, 'no message by search');
select is((sync_chats()).changes, '[]', 'no chat by a sync');
select throws_ok($$ select get_chat(pg_temp.id('chat1')) $$, 'PT404', null, 'and no single chat');
select throws_ok($$ insert into messages (project_id, role, content, sequence_number) values (pg_temp.id('private'), 'user', '"x"', 50) $$,
  '42501', null, 'nor do they write into a project');
select throws_ok($$ insert into messages (conversation_id, role, content) values (pg_temp.id('conversation'), 'user', '"x"') $$,
  '42501', null, 'or into a conversation');
select throws_ok($$ insert into projects (user_id, title) values ((select auth.uid()), 'x') $$, '42501', null, 'start a project');
select throws_ok($$ insert into conversations (user_id) values ((select auth.uid())) $$, '42501', null, 'a conversation');
select throws_ok($$ insert into profiles (id) values ((select auth.uid())) $$, '42501', null, 'or have a profile again');
select throws_ok($$ insert into file_uploads (user_id, file_name, file_path, bucket_name)
  values ((select auth.uid()), 'f', 'x', 'project-files') $$, '42501', null, 'or a file');
select is_empty($$ update messages set content = '"x"' returning 1 $$, 'they change nothing');
select is_empty($$ delete from file_uploads returning 1 $$, 'and delete nothing');

select tests.authenticate_as('member');
select is_empty($$ select 1 from projects union all select 1 from messages union all select 1 from file_uploads
  union all select 1 from project_files $$, 'the members of the team see nothing of it');
select tests.authenticate_as('stranger');
select set_eq('select title from projects', array['Strange'], 'nobody sees the public project');
select results_eq('select distinct project_id from messages', $$ values (pg_temp.id('strange')) $$, 'or its messages');
select is_empty('select 1 from fragments', 'or a public fragment');
select tests.authenticate_as_anon();
select is_empty('select id from projects', 'nor does a visitor');

select tests.authenticate_as_service();
select throws_ok($$ select save_messages(tests.user_id('heavy'), '[{"role": "user", "content": "x"}]', project_id => pg_temp.id('private')) $$,
  'PT409', null, 'the service writes for them into no project');
select throws_ok($$ select save_messages(tests.user_id('heavy'), '[{"role": "user", "content": "x"}]',
  conversation_id => pg_temp.id('conversation')::text) $$, 'PT404', null, 'no conversation');
select throws_ok($$ select save_messages(tests.user_id('member'), '[{"role": "user", "content": "x"}]', project_id => pg_temp.id('shared')) $$,
  'PT404', null, 'nor for a member of the team');
select throws_ok($$ select restore_project(tests.user_id('heavy'), pg_temp.id('private')) $$, 'PT409', null, 'restores no project');
select throws_ok($$ select start_conversation(tests.user_id('heavy'), '{"role": "user", "content": "x"}') $$, '23503', null,
  'starts no conversation');
select throws_ok($$ select get_upload(tests.user_id('heavy'), pg_temp.id('upload')) $$, 'PT404', null, 'and returns no upload');

select tests.clear_authentication();

-- cleanup: the rest, behind --------------------------------------------------------------------------------
update private.cleanup_jobs set batch_size = 15 where name = 'deleted_accounts';
create temporary table batches on commit drop as
  select n, (run_cleanup_batch('deleted_accounts', pg_temp.id('lease'))).outcome from generate_series(1, 20) as n;
select cmp_ok((select count(*) from batches where outcome = 'more'), '>=', 1::bigint, 'the cleanup takes several batches');
select is_empty('select 1 from private.deleted_accounts', 'until nothing is left');
-- The list of what is to be removed from Storage, and upload URLs that may still bring an object, go when that is done.
select set_eq($$ select pg_temp.columns_with(tests.user_id('heavy')) $$,
  array['private.storage_removals.name', 'private.spent_uploads.name', 'private.spent_uploads.user_id'],
  'then no column has the user''s id');
select is((select count(*)::integer from private.storage_removals where name like tests.user_id('heavy') || '/%'), 25,
  'all objects are queued for removal');
select is((select count(*)::integer from private.due_storage_removals where is_garbage and name like tests.user_id('heavy') || '/%'),
  25, 'and nothing refers to them');

-- an ordinary account ---------------------------------------------------------------------------------
insert into projects (id, user_id, title) values (pg_temp.id('small'), tests.user_id('small'), 'Small');
insert into messages (project_id, role, content, sequence_number) values (pg_temp.id('small'), 'user', '"x"', 0);
delete from auth.users where id = tests.user_id('small');
select is_empty($$ select pg_temp.columns_with(tests.user_id('small')) $$, 'of an ordinary account nothing is left at once');

select * from finish();
rollback;
