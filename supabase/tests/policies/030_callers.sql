-- A session token without sub is nobody's, and never the service's; visitors read the columns meant for them.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'other']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('callers ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values (pg_temp.id('team'), tests.user_id('owner'), 'owner');
insert into projects (id, user_id, team_id, title, is_public, system_prompt) values
  (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', true, 'secret');
insert into fragments (user_id, title, template, code, file_path, is_public)
values (tests.user_id('owner'), 'F', 't', 'c', 'f', true);
insert into encrypted_chats (id, user_id, encrypted_data) values (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope());
select tests.authenticate_as('owner');
delete from encrypted_chats where id = pg_temp.id('chat');
select tests.clear_authentication();

-- A signed token of role authenticated that names nobody.
create function pg_temp.as_nobody() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "authenticated", "aud": "authenticated"}', true);
  perform set_config('role', 'authenticated', true);
end $$;

select tests.authenticate_as_service();
select is(credit_balance_at(tests.account_of('owner'), now()), 0::numeric, 'the service reads the balance of any account');
select pg_temp.as_nobody();
select is(tests.refusal($$ select credit_balance_at(tests.account_of('owner'), now()) $$), 'PT404 account_not_found',
  'a token without sub reads none');
select is(tests.refusal($$ select save_message_and_update_project(pg_temp.id('project'), 'system', '"x"') $$),
  'PT403 project_read_only', 'saves no message');
select is(tests.refusal(format($$ insert into encrypted_chats (id, user_id, encrypted_data) values (%L, %L, tests.envelope()) $$,
  pg_temp.id('chat'), tests.user_id('owner'))), '42501', 'and does not learn which chats others have deleted');
select is_empty($$ update projects set team_id = null returning 1 $$, 'and moves no project out of its team');
select tests.clear_authentication();

-- The trigger itself, without the policies that would refuse the statement before it.
create policy "for this test" on projects for update to authenticated using (true) with check (true);
drop policy "a deleted account has no access" on projects;
select pg_temp.as_nobody();
select is(tests.refusal($$ update projects set team_id = null $$), '42501', 'not even if a policy let it');
select tests.clear_authentication();
drop policy "for this test" on projects;

-- visitors ------------------------------------------------------------------------------------------------
select tests.authenticate_as_anon();
select results_eq($$ select title, description, template_id, status::text, is_public from projects $$,
  $$ values ('P', null::text, null::text, 'active', true) $$, 'a visitor reads what a public project shows');
select results_eq($$ select title, code from fragments $$, $$ values ('F', 'c') $$, 'and a public fragment');
select throws_ok(format('select %I from %I', t.hidden, t.tbl), '42501', null, format('not %s.%s', t.tbl, t.hidden))
from (values ('projects', 'system_prompt'), ('projects', 'metadata'), ('projects', 'user_id'), ('projects', 'team_id'),
  ('projects', 'deleted_at'), ('fragments', 'user_id'), ('fragments', 'metadata'), ('fragments', 'project_id')) as t (tbl, hidden);
select tests.clear_authentication();

-- one user's names are not another's ---------------------------------------------------------------------
select tests.authenticate_as('owner');
insert into chat_sessions (user_id, session_id) values (tests.user_id('owner'), 'first');
select throws_ok($$ insert into chat_sessions (user_id, session_id) values (tests.user_id('owner'), 'first') $$, '23505', null,
  'a session_id is unique');
select tests.authenticate_as('other');
select lives_ok($$ insert into chat_sessions (user_id, session_id) values (tests.user_id('other'), 'first') $$,
  'among the sessions of one user');

select * from finish();
rollback;
