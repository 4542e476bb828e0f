-- Sign-up: every row is made, and nothing a user sends can stop it.

begin;
select plan(20);

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

-- What else a new account gets.
insert into credit_units (unit) values ('drafts');
insert into private.signup_grants (name, amount, unit, skus, priority, valid_for) values
  ('images', 20, 'credits', array['image.*'], 10, 86400), ('drafts', 3, 'drafts', null, 50, null);
select lives_ok($$ select pg_temp.sign_up('gifted', '{}') $$, 'a user signs up who gets more than the setting says');
select results_eq($$ select unit, amount, skus, category, source, priority::integer, expires_at - effective_at between interval '23:59' and '1 day'
    from credit_grants where account_id in (select id from credit_accounts where user_id = tests.user_id('gifted')) order by unit, amount $$,
  $$ values ('credits', 20::numeric(15, 4), array['image.*'], 'promotional', 'signup', 10, true),
    ('credits', 100, null, 'promotional', 'signup', 50, null), ('drafts', 3, null, 'promotional', 'signup', 50, null) $$,
  'a grant for each row, which may be limited, end, and be in another unit');
select results_eq($$ select balance, available, scoped from user_credits where user_id = tests.user_id('gifted') $$,
  $$ values (120::numeric(15, 4), 100::numeric, 20::numeric) $$, 'and the account counts them');
select is((select count(*) from private.signup_grants cross join unnest(array['{}', '{*}', '{"a b"}', '{a,NULL}']) as s
  where tests.refusal(format('update private.signup_grants set skus = %L', s)) is null), 0::bigint, 'the skus of a row must be skus');
select throws_ok($$ update private.signup_grants set amount = 'NaN' $$, '23514', null, 'its amount a number');
select throws_ok($$ update private.signup_grants set valid_for = 0 $$, '23514', null, 'and its end in the future');
delete from private.signup_grants;

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
