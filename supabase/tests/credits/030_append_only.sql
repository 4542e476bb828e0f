-- History is append-only, for everyone, and the last line of defence holds even for the owner.

begin;
select plan(27);
select tests.create_user('owner');
insert into credit_prices (sku, unit, price) values ('msg', 'message', 1);
select public.deduct_credits(tests.user_id('owner'), 'msg', 1);

select throws_ok($$ update private.credit_transactions set amount = -2 $$, '42501', null,
  'not even the owner of the table changes an entry');
select throws_ok($$ delete from private.credit_transactions $$, '42501', null, 'or deletes one');
select throws_ok($$ truncate private.credit_transactions cascade $$, '42501', null, 'or truncates');
select throws_ok($$ update private.credit_transactions set actor_hash = private.actor_hash(actor_id), actor_id = null
  where actor_id is not null $$, '42501', null, 'or hides who has acted, while that user exists');
select is((select count(*) from credit_transactions where account_id = tests.account_of('owner')),
  2::bigint, 'the entries are there');

-- constraints -----------------------------------------------------------------------------------------
select throws_ok($$ update credit_accounts set balance = -1 where user_id = tests.user_id('owner') $$,
  '23514', null, 'a balance does not pass its overdraft');
select throws_ok($$ update credit_accounts set held = 100 where user_id = tests.user_id('owner') $$,
  '23514', null, 'more cannot be held than is there');
select throws_ok($$ update credit_accounts set held = -1 where user_id = tests.user_id('owner') $$,
  '23514', null, 'what is held is not negative');
select throws_ok(
  $$ update credit_accounts set overdraft_limit = -1 where user_id = tests.user_id('owner') $$,
  '23514', null, 'an overdraft is not negative');
select throws_ok($$ update credit_accounts set team_id = gen_random_uuid() $$, '23514', null,
  'an account has one owner');
select throws_ok($$ insert into credit_accounts default values $$, '23514', null,
  'and not none');

create function pg_temp.post(entry_no bigint, kind text, amount numeric, sku text, refund_of bigint)
returns void language sql as $$
  insert into private.credit_transactions
    (account_id, entry_no, kind, amount, balance_after, sku, actor, actor_id, refund_of, created_at)
  values (tests.account_of('owner'), entry_no, kind, amount, 0, sku, 'user', tests.user_id('owner'), refund_of, now())
$$;
select throws_ok($$ select pg_temp.post(2, 'deduct', -1, null, null) $$, '23505', null,
  'a number is given once');
select throws_ok($$ select pg_temp.post(3, 'deduct', 1, null, null) $$, '23514', null,
  'a deduction does not add');
select throws_ok($$ select pg_temp.post(3, 'grant', -1, null, null) $$, '23514', null,
  'a grant does not take');
select throws_ok($$ select pg_temp.post(3, 'gift', 1, null, null) $$, '23514', null,
  'there are no other kinds');
select throws_ok($$ select pg_temp.post(3, 'deduct', -1, 'msg', null) $$, '23514', null,
  'a sku has its quantity and price with it');

select throws_ok($$ select pg_temp.post(3, 'refund', 1, null, null) $$, '23514', null, 'a refund is of an entry');
select throws_ok($$ select pg_temp.post(3, 'deduct', -1, null, 2) $$, '23514', null, 'and nothing else is');
select throws_ok($$ select pg_temp.post(3, 'repay', -1, null, null) $$, '23514', null,
  'paying an overdraft changes no balance');
select throws_ok($$ select pg_temp.post(3, 'expire', 1, null, null) $$, '23514', null, 'what expires is lost');
select throws_ok($$ select pg_temp.post(3, 'transfer', -1, null, null) $$, '23514', null, 'a transfer names its other entry');
select throws_ok(format($$ insert into private.credit_transactions
    (account_id, entry_no, kind, amount, balance_after, actor, created_at, counterpart)
    values (tests.account_of('owner'), 9, %L, %s, 1, 'service', now(), '{}') $$, e.kind, e.amount), '23514', null, e.description)
from (values ('grant', 1, 'and nothing else does'), ('transfer', 0, 'and moves something')) as e (kind, amount, description);
select throws_ok($$ insert into private.credit_transactions (account_id, entry_no, kind, amount, balance_after, actor, created_at)
    values (tests.account_of('owner'), 9, 'grant', 1, 1, 'nobody', now()) $$, '23514', null,
  'an actor is user, service or system');

select throws_ok($$ insert into private.credit_transactions (id, account_id, entry_no, kind, amount, balance_after, actor, created_at)
    select id, account_id, 9, 'grant', 1, 1, 'service', now() from private.credit_transactions limit 1 $$, '23505', null,
  'an id is given once');

-- the end of an account -------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('owner');
select is_empty($$ select 1 from credit_accounts where user_id = tests.user_id('owner') $$,
  'deleting the user deletes the account');
select is_empty(
  $$ select 1 from credit_transactions where actor_id = tests.user_id('owner') $$,
  'and its history');

select * from finish();
rollback;
