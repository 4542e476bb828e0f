-- Teams: who manages whom. The regular part is in policies/010_matrix.sql.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(28);
select tests.create_user(name) from unnest(array['boss', 'admin', 'member', 'guest', 'second']) as name;

create function pg_temp.team() returns uuid language sql immutable as $$ select md5('team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role)
select pg_temp.team(), tests.user_id(m.name), m.role
from (values ('boss', 'owner'), ('admin', 'admin'), ('member', 'member')) as m (name, role);

create function pg_temp.attempt(actor text, statement text) returns text language sql as $$
  select tests.attempt(actor, replace(replace(statement, '{team}', quote_literal(pg_temp.team())),
    '{guest}', quote_literal(tests.user_id('guest'))))
$$;

-- roles -----------------------------------------------------------------------------------------------
select is(pg_temp.attempt('member', $$ update team_members set role = 'owner' where user_id = (select auth.uid()) $$),
  '0', 'a member cannot raise the own role');
select is(pg_temp.attempt('admin', $$ update team_members set role = 'owner' where user_id = (select auth.uid()) $$),
  '42501', 'an admin cannot become an owner');
select is(pg_temp.attempt('admin', $$ update team_members set role = 'owner' where role = 'member' $$),
  '42501', 'an admin cannot make an owner');
select is(pg_temp.attempt('admin', $$ update team_members set role = 'member' where role = 'owner' $$),
  '0', 'an admin cannot demote an owner');
select is(pg_temp.attempt('admin', $$ insert into team_members (team_id, user_id, role) values ({team}, {guest}, 'admin') $$),
  '42501', 'an admin puts nobody into the team');
select is(pg_temp.attempt('boss', $$ insert into team_members (team_id, user_id, role) values ({team}, {guest}, 'member') $$),
  '42501', 'nor does an owner');
select is(pg_temp.attempt('boss', $$ update team_members set role = 'owner' where role = 'admin' $$),
  '42501', 'an owner makes nobody an owner who has not accepted it');
select is(pg_temp.attempt('boss', $$ update team_members set role = 'admin' where role = 'member' $$),
  '1', 'an owner makes a member an admin');
select is(pg_temp.attempt('guest', $$ insert into team_members (team_id, user_id, role) values ({team}, {guest}, 'member') $$),
  '42501', 'nobody adds themselves');
select is(pg_temp.attempt('boss', $$ update team_members set team_id = gen_random_uuid() $$),
  '42501', 'a membership is not moved to another team');
select is(pg_temp.attempt('boss', $$ update team_members set user_id = {guest} $$),
  '42501', 'or given to somebody else');
select is(pg_temp.attempt('boss', $$ update team_members set role = 'king' where role = 'member' $$),
  '23514', 'there are three roles');

-- leaving ---------------------------------------------------------------------------------------------
select is(pg_temp.attempt('member', $$ delete from team_members where user_id = (select auth.uid()) $$),
  '1', 'a member leaves');
select is(pg_temp.attempt('admin', $$ delete from team_members where user_id = (select auth.uid()) $$),
  '1', 'an admin leaves');
select is(pg_temp.attempt('member', $$ delete from team_members where role = 'admin' $$),
  '0', 'a member removes nobody else');
select is(pg_temp.attempt('boss', $$ delete from team_members where user_id = (select auth.uid()) $$),
  'PT409', 'the last owner cannot leave');
select is(pg_temp.attempt('boss', $$ update team_members set role = 'admin' where user_id = (select auth.uid()) $$),
  'PT409', 'the last owner cannot step down');
select is(pg_temp.attempt('service', $$ delete from team_members where role = 'owner' $$),
  'PT409', 'nor does the service remove the last owner');
select is(pg_temp.attempt('boss', $$ delete from team_members $$), 'PT409', 'nor all members at once');
insert into team_members (team_id, user_id, role) values (pg_temp.team(), tests.user_id('second'), 'owner');
select is(pg_temp.attempt('boss', $$ delete from team_members where user_id = (select auth.uid()) $$),
  '1', 'one of two owners leaves');
select is(pg_temp.attempt('boss', $$ delete from team_members where role = 'owner' $$),
  'PT409', 'but not both');
select is(pg_temp.attempt('service', $$ delete from teams where id = {team} $$), '1',
  'a team is deleted with its owners');
select lives_ok($$ delete from auth.users where id in (tests.user_id('boss'), tests.user_id('second')) $$,
  'an account is deleted, also that of the last owner');

-- the helpers -----------------------------------------------------------------------------------------
select tests.authenticate_as('admin');
select set_eq($$ select private.my_administered_team_ids() $$, array[md5('team')::uuid],
  'a user''s teams, by what they may do there');
select set_eq($$ select private.my_owned_team_ids() $$, array[md5('team')::uuid],
  'the admin has become the owner when the owners'' accounts went');
select tests.authenticate_as('member');
select set_eq($$ select private.my_team_ids() $$, array[md5('team')::uuid], 'a member belongs to a team');
select is_empty($$ select private.my_administered_team_ids() union all select private.my_owned_team_ids() $$,
  'and neither administers nor owns it');
select tests.clear_authentication();
insert into team_members (team_id, user_id, role) values (pg_temp.team(), tests.user_id('guest'), 'admin');
select results_eq(
  $$ select name, private.administers_team(tests.user_id(name), pg_temp.team()),
      private.owns_team(tests.user_id(name), pg_temp.team())
    from unnest(array['admin', 'guest', 'member', 'stranger']) as name $$,
  $$ values ('admin', true, true), ('guest', true, false), ('member', false, false), ('stranger', false, false) $$,
  'of a user whom the service names: an owner, an admin, a member and a stranger');

select * from finish();
rollback;
