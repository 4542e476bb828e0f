-- Sign-up: every row is made, and nothing a user sends can stop it.

begin;
select plan(14);

-- as the Auth server: its role, and whatever metadata a client made up
create function pg_temp.sign_up(name text, metadata jsonb) returns void language sql as $$
  insert into auth.users (id, email, raw_user_meta_data)
  values (tests.user_id(name), name || '@example.com', metadata)
$$;

select lives_ok($$ select pg_temp.sign_up('plain', '{"display_name": "  Plain  "}') $$,
  'a user signs up');
select is((select display_name from profiles where id = tests.user_id('plain')), 'Plain',
  'the name is trimmed');
select is((select balance from credit_accounts where user_id = tests.user_id('plain')), 100::numeric,
  'the account has the sign-up credits');
select results_eq(
  $$ select entry_no, kind, amount, balance_after, actor from credit_transactions
    where account_id = tests.account_of('plain') $$,
  $$ values (1::bigint, 'grant', 100::numeric(15, 4), 100::numeric(15, 4), 'system') $$,
  'an entry says where they come from');

select lives_ok($$ select pg_temp.sign_up('none', null) $$, 'no metadata');
select lives_ok($$ select pg_temp.sign_up('array', '[1, 2]') $$, 'metadata that is no object');
select lives_ok($$ select pg_temp.sign_up('blank', '{"display_name": "   "}') $$, 'a blank name');
select lives_ok(
  $$ select pg_temp.sign_up('long', jsonb_build_object('display_name', repeat('ä', 100000))) $$,
  'a name of 100,000 characters');
select is((select char_length(display_name) from profiles where id = tests.user_id('long')), 200,
  'a long name is cut to 200 characters');
select is_empty(
  $$ select 1 from profiles
    where id in (tests.user_id('none'), tests.user_id('array'), tests.user_id('blank'))
      and display_name is not null $$,
  'no name is no name, and never the e-mail address');

update private.settings set value = 0 where name = 'credits.signup_amount';
select pg_temp.sign_up('poor', '{}');
select is((select balance from credit_accounts where user_id = tests.user_id('poor')), 0::numeric,
  'sign-up credits can be none');
select is_empty(
  $$ select 1 from credit_transactions where account_id = tests.account_of('poor') $$,
  'and then there is no entry');

delete from private.settings;
select lives_ok($$ select pg_temp.sign_up('unset', '{}') $$, 'a missing setting stops no sign-up');

-- A user who was there before the trigger was.
delete from credit_accounts where user_id = tests.user_id('plain');
select private.open_credit_account(tests.user_id('plain'), 0);
select results_eq($$ select balance, version from credit_accounts where user_id = tests.user_id('plain') $$,
  $$ values (0::numeric, 0::bigint) $$, 'an account can be opened without credits');

select * from finish();
rollback;
