-- profiles: every action by anon, the owner, another user and the service.

begin;
select plan(24);
select tests.create_user('owner');
select tests.create_user('stranger');

-- anon ----------------------------------------------------------------------------------------------
select tests.authenticate_as_anon();
select throws_ok($$ select * from profiles $$, '42501', null, 'anon cannot read');
select throws_ok($$ insert into profiles (id) values (tests.user_id('x')) $$, '42501', null,
  'anon cannot insert');
select throws_ok($$ update profiles set display_name = 'x' $$, '42501', null, 'anon cannot update');
select throws_ok($$ delete from profiles $$, '42501', null, 'anon cannot delete');

-- owner ---------------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select id from profiles $$, $$ values (tests.user_id('owner')) $$,
  'the owner reads the own profile and no other');
select results_eq(
  $$ update profiles set display_name = 'New', preferences = '{"a": 1}' returning display_name $$,
  $$ values ('New') $$, 'the owner updates the own profile');
select lives_ok(
  $$ insert into profiles (id, display_name, updated_at) values (tests.user_id('owner'), 'Again', '2020-01-01')
    on conflict (id) do update set id = excluded.id, display_name = excluded.display_name,
      updated_at = excluded.updated_at $$,
  'the owner upserts the own profile, as clients do');
select is((select updated_at from profiles), now(), 'updated_at is the database''s');
select throws_ok($$ update profiles set created_at = now() $$, '42501', null,
  'the owner cannot change when it was made');
select throws_ok($$ update profiles set id = tests.user_id('nobody') $$, '42501', null,
  'the owner cannot hand the profile to another id');
select throws_ok($$ delete from profiles $$, '42501', null, 'the owner cannot delete it');
select throws_ok($$ truncate profiles $$, '42501', null, 'the owner cannot truncate');

-- stranger ------------------------------------------------------------------------------------------
select tests.authenticate_as('stranger');
select is_empty($$ select 1 from profiles where id = tests.user_id('owner') $$,
  'a stranger does not see the profile');
select is_empty(
  $$ update profiles set display_name = 'Mine' where id = tests.user_id('owner') returning 1 $$,
  'a stranger changes nothing');
select throws_ok($$ insert into profiles (id) values (tests.user_id('owner')) $$, '42501', null,
  'a stranger cannot insert for the owner');
select throws_ok($$ delete from profiles where id = tests.user_id('owner') $$, '42501', null,
  'a stranger cannot delete');

-- service -------------------------------------------------------------------------------------------
select tests.authenticate_as_service();
select is((select count(*) from profiles
  where id in (tests.user_id('owner'), tests.user_id('stranger'))), 2::bigint, 'the service reads all');
select isnt_empty(
  $$ update profiles set display_name = 'S' where id = tests.user_id('stranger') returning 1 $$,
  'the service updates');
select isnt_empty($$ delete from profiles where id = tests.user_id('stranger') returning 1 $$,
  'the service deletes');
select lives_ok($$ insert into profiles (id) values (tests.user_id('stranger')) $$,
  'the service inserts');
select throws_ok($$ truncate profiles $$, '42501', null, 'the service cannot truncate');

-- afterwards ----------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select display_name, preferences from profiles $$,
  $$ values ('Again', '{"a": 1}'::jsonb) $$, 'nothing moved for the owner');
select is((select p.credits from profiles p), 100::numeric, 'credits is a computed field');
select tests.authenticate_as('stranger');
select is(public.credits(row(tests.user_id('owner'), null, null, null, null)::public.profiles),
  0::numeric, 'the computed field tells nothing of another user');

select * from finish();
rollback;
