-- Teams: what is left when one is deleted, by its owner, by the service, or because its last member's account was.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;

create function pg_temp.create_team(name text) returns uuid language sql as $$
  select ((public.create_team(tests.user_id('owner'), create_team.name)).team ->> 'id')::uuid
$$;
create temp table team as select pg_temp.create_team('One') as id;
insert into team_members (team_id, user_id, role) select id, tests.user_id('member'), 'admin' from team;
select grant_credits(team_id => id, amount => 40) from team;
insert into projects (user_id, team_id, title) select tests.user_id('member'), id, 'P' from team;

-- who may -----------------------------------------------------------------------------------------------
select is(tests.refusal(format('select delete_team(tests.user_id(%L), %L)', name, id)), refusal, name)
from team, (values ('member', 'PT403 not_team_owner'), ('stranger', 'PT404 team_not_found')) as who (name, refusal);
update teams set stripe_subscription_id = 'sub_1' where id = (select id from team);
select is(tests.refusal(format('select delete_team(tests.user_id(%L), %L)', 'owner', id)),
  'PT409 team_has_subscription', 'a team that pays is not deleted') from team;
update teams set subscription_status = 'canceled' where id = (select id from team);

-- what is left ------------------------------------------------------------------------------------------
create temp table deleted as select d.* from team, lateral delete_team(tests.user_id('owner'), team.id) as d;
select results_eq($$ select credits, team ->> 'name' from deleted $$, $$ values (40::numeric, 'One') $$,
  'the owner learns what lapsed');
select is((select projects from deleted), 1, 'and how many projects left the team');
select results_eq($$ select team_id, status from projects where user_id = tests.user_id('member') $$,
  $$ values (null::uuid, 'active'::project_status_enum) $$, 'a project stays with the user who created it');
select results_eq($$ select name, balance, subscription_ids, deleted_by from private.team_deletions where team_id = (select id from team) $$,
  $$ values ('One', 40.0000::numeric, array[]::text[], tests.user_id('owner')) $$, 'the deletion is recorded');
select is_empty($$ select 1 from credit_accounts where team_id = (select id from team)
  union all select 1 from team_members where team_id = (select id from team) $$, 'the account and the members are gone');
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

-- a team with several units ------------------------------------------------------------------------------
insert into credit_units (unit) values ('images');
create temp table various as select pg_temp.create_team('Four') as id;
select grant_credits(team_id => id, amount => 5), grant_credits(team_id => id, amount => 7, unit => 'images') from various;
create temp table image_hold as select (hold_credits(team_id => id, amount => 2, unit => 'images')).id from various;
select is(tests.refusal($$ select delete_team(tests.user_id('owner'), id) from various $$), 'PT409 team_has_holds',
  'a hold in any unit is in the way');
select release_credit_hold(id) from image_hold;
select is((delete_team(tests.user_id('owner'), id)).credits, 5::numeric, 'the credits lapse') from various;
select results_eq($$ select balance, balances from private.team_deletions where name = 'Four' $$,
  $$ values (5::numeric(15, 4), '{"images": 7}'::jsonb) $$, 'and what there was in other units, which is recorded');

-- a team of an account that is deleted --------------------------------------------------------------------
create temp table alone as select pg_temp.create_team('Two') as id;
create temp table followed as select pg_temp.create_team('Three') as id;
insert into team_members (team_id, user_id, role) select id, tests.user_id('member'), 'member' from followed;
update teams set stripe_subscription_id = 'sub_2' where id = (select id from alone);
select grant_credits(team_id => id, amount => 5) from alone;
delete from auth.users where id = tests.user_id('owner');
select is_empty($$ select 1 from teams where id = (select id from alone) $$, 'a team without members is deleted');
select results_eq($$ select name, balance, subscription_ids, deleted_by from private.team_deletions where team_id = (select id from alone) $$,
  $$ values ('Two', 5.0000::numeric, array['sub_2'], null::uuid) $$, 'and an operator finds the subscription that still runs');
select results_eq($$ select user_id, role from team_members where team_id = (select id from followed) $$,
  $$ values (tests.user_id('member'), 'owner') $$, 'a member who is left becomes the owner');
select is((select deleted_by from private.team_deletions where name = 'One'), null, 'nothing names a deleted account');

-- by the service ------------------------------------------------------------------------------------------
select is(tests.attempt('service', 'delete from teams where name = ''Three'''), '1', 'the service deletes a team');
delete from teams where name = 'Three';
select is((select count(*) from private.team_deletions where name = 'Three'), 1::bigint, 'that is recorded too');

select * from finish();
rollback;
