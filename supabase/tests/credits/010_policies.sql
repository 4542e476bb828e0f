-- The tables of credits: every action by anon, the owner, another user and the service.

begin;
select plan(50);
select tests.create_user('owner');
select tests.create_user('stranger');
insert into credit_prices (sku, unit, price) values ('test.sku', 'one', 1);

-- anon ----------------------------------------------------------------------------------------------
select tests.authenticate_as_anon();
select throws_ok($$ select * from credit_accounts $$, '42501', null, 'anon reads no account');
select throws_ok($$ select * from credit_transactions $$, '42501', null, 'anon reads no entry');
select throws_ok($$ select * from credit_prices $$, '42501', null, 'anon reads no price');
select throws_ok($$ select * from user_credits $$, '42501', null, 'anon reads no balance');
select throws_ok($$ update credit_accounts set balance = 1 $$, '42501', null, 'anon changes no balance');
select throws_ok($$ insert into credit_prices (sku, unit, price) values ('a', 'b', 1) $$, '42501',
  null, 'anon sets no price');
select throws_ok($$ select deduct_credits(tests.user_id('owner'), 'test.sku', 1) $$, '42501', null,
  'anon deducts nothing');

-- owner ---------------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select user_id, balance, held, available from user_credits $$,
  $$ values (tests.user_id('owner'), 100::numeric, 0::numeric, 100::numeric) $$,
  'the owner reads the own balance and no other');
select results_eq($$ select user_id from credit_accounts $$, $$ values (tests.user_id('owner')) $$,
  'the owner reads the own account and no other');
select is((select count(*) from credit_transactions), 1::bigint,
  'the owner reads the own entries and no other');
select isnt_empty($$ select 1 from credit_prices where sku = 'test.sku' $$, 'the owner reads prices');

select throws_ok($$ update credit_accounts set balance = 1000000 $$, '42501', null,
  'the owner cannot change the balance');
select throws_ok($$ update credit_accounts set overdraft_limit = 1000000 $$, '42501', null,
  'the owner cannot change the overdraft');
select throws_ok($$ update credit_accounts set version = 0 $$, '42501', null,
  'the owner cannot change the version');
select throws_ok($$ insert into credit_accounts (user_id) values (tests.user_id('owner')) $$, '42501',
  null, 'the owner cannot open an account');
select throws_ok($$ delete from credit_accounts $$, '42501', null, 'the owner cannot delete the account');
select throws_ok($$ truncate credit_accounts cascade $$, '42501', null, 'the owner cannot truncate accounts');
select throws_ok(
  $$ insert into credit_transactions (account_id, entry_no, kind, amount, balance_after, actor, created_at)
    select id, 99, 'grant', 1000, 1100, 'system', now() from credit_accounts $$,
  '42501', null, 'the owner cannot write an entry');
select throws_ok($$ update credit_transactions set amount = 1 $$, '42501', null,
  'the owner cannot change an entry');
select throws_ok($$ delete from credit_transactions $$, '42501', null,
  'the owner cannot delete an entry');
select throws_ok($$ truncate private.credit_transactions $$, '42501', null, 'the owner cannot truncate entries');
select throws_ok($$ update user_credits set balance = 1000 $$, '55000', null,
  'the owner cannot change the balance through the view');
select throws_ok($$ insert into credit_prices (sku, unit, price) values ('free', 'one', 0.0001) $$,
  '42501', null, 'the owner cannot set a price');
select throws_ok($$ update credit_prices set price = 0.0001 $$, '42501', null,
  'the owner cannot change a price');
select throws_ok($$ delete from credit_prices $$, '42501', null, 'the owner cannot delete a price');
select throws_ok($$ select deduct_credits(tests.user_id('owner'), 'test.sku', 1) $$, '42501', null,
  'the owner cannot call deduct_credits');
select throws_ok($$ select private.open_credit_account(tests.user_id('owner'), 1) $$, '42501', null,
  'the owner cannot call open_credit_account');
select throws_ok($$ select private.post_credit_entry(null, null) $$, '42501', null,
  'the owner cannot call post_credit_entry');

-- stranger ------------------------------------------------------------------------------------------
select tests.authenticate_as('stranger');
select is_empty($$ select 1 from credit_accounts where user_id = tests.user_id('owner') $$,
  'a stranger does not see the account');
select is_empty($$ select 1 from user_credits where user_id = tests.user_id('owner') $$,
  'a stranger does not see the balance');
select is_empty(
  $$ select 1 from credit_transactions where account_id not in (select id from credit_accounts) $$,
  'a stranger does not see the entries');
select throws_ok($$ select deduct_credits(tests.user_id('owner'), 'test.sku', 1) $$, '42501', null,
  'a stranger cannot charge the owner');
select throws_ok(
  $$ update credit_accounts set balance = 0 where user_id = tests.user_id('owner') $$, '42501', null,
  'a stranger cannot change the balance');

-- service -------------------------------------------------------------------------------------------
select tests.authenticate_as_service();
select is((select count(*) from user_credits
  where user_id in (tests.user_id('owner'), tests.user_id('stranger'))), 2::bigint,
  'the service reads every balance');
select isnt_empty($$ select 1 from credit_transactions $$, 'the service reads every entry');
select throws_ok($$ update credit_accounts set balance = 1000000 $$, '42501', null,
  'the service cannot change a balance');
select throws_ok($$ insert into credit_accounts (user_id) values (tests.user_id('x')) $$, '42501',
  null, 'the service cannot open an account');
select throws_ok($$ delete from credit_accounts $$, '42501', null, 'the service cannot delete an account');
select throws_ok($$ truncate credit_accounts cascade $$, '42501', null,
  'the service cannot truncate accounts');
select throws_ok(
  $$ insert into credit_transactions (account_id, entry_no, kind, amount, balance_after, actor, created_at)
    select id, 99, 'grant', 1000, 1100, 'system', now() from credit_accounts limit 1 $$,
  '42501', null, 'the service cannot write an entry');
select throws_ok($$ update credit_transactions set amount = 1 $$, '42501', null,
  'the service cannot change an entry');
select throws_ok($$ delete from credit_transactions $$, '42501', null,
  'the service cannot delete an entry');
select throws_ok($$ truncate private.credit_transactions $$, '42501', null,
  'the service cannot truncate entries');
select lives_ok($$ insert into credit_prices (sku, unit, price) values ('new', 'one', 2) $$,
  'the service sets a price');
select lives_ok($$ update credit_prices set price = 3 where sku = 'new' $$, 'the service corrects one');
select isnt_empty($$ delete from credit_prices where sku = 'new' returning 1 $$,
  'the service removes one');
select throws_ok($$ truncate credit_prices $$, '42501', null, 'the service cannot truncate prices');
select is((deduct_credits(tests.user_id('owner'), 'test.sku', 1)).balance_after, 99::numeric,
  'the service deducts');

-- afterwards ----------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select balance, available from user_credits $$,
  $$ values (99::numeric, 99::numeric) $$, 'nothing but the deduction moved');
select is((select count(*) from credit_transactions), 2::bigint, 'and it is the one new entry');

select * from finish();
rollback;
