-- deduct_credits: what it charges, what it writes, what it refuses.

begin;
select plan(54);
select tests.create_user('owner');
select tests.create_user('other');
insert into credit_prices (sku, effective_from, unit, price, quantity_scale) values
  ('msg', '2020-01-01', 'message', 5, 0),
  ('msg', '2021-01-01', 'message', 1, 0),
  ('msg', now() + interval '1 day', 'message', 50, 0),
  ('tokens', '2020-01-01', '1000 tokens', 0.25, 3),
  ('tiny', '2020-01-01', 'one', 0.0001, 4);

create function pg_temp.deduct(
  sku text default null, quantity numeric default null, amount numeric default null,
  description text default null, idempotency_key text default null, name text default 'owner'
) returns public.credit_entry language sql as $$
  select public.deduct_credits(tests.user_id(name), sku, quantity, amount, description,
    idempotency_key, 'user')
$$;
create function pg_temp.balance() returns numeric language sql as $$
  select balance from public.credit_accounts where user_id = tests.user_id('owner')
$$;

-- charges -------------------------------------------------------------------------------------------
select results_eq(
  $$ select entry_no, kind, amount, balance_after, sku, quantity, unit_price, replayed
    from pg_temp.deduct('msg', 3) $$,
  $$ values (2::bigint, 'deduct', -3::numeric, 97::numeric, 'msg', 3::numeric, 1::numeric, false) $$,
  'the price in force is charged: the newest whose time has come');
select results_eq(
  $$ select amount, quantity, unit_price from pg_temp.deduct('tokens', 1.234) $$,
  $$ values (-0.3085::numeric, 1.234::numeric, 0.25::numeric) $$, 'a fraction where the sku allows it');
select is((pg_temp.deduct(amount => 0.0001, description => 'Dust')).balance_after, 96.6914,
  'an amount, down to the smallest step');
select is(pg_temp.balance(), 96.6914, 'the balance has followed');
select results_eq(
  $$ select actor, actor_id, description, sku from credit_transactions
    where account_id = tests.account_of('owner') and entry_no = 4 $$,
  $$ values ('user', tests.user_id('owner'), 'Dust', null::text) $$, 'the entry says who and what for');
select is((select version from credit_accounts where user_id = tests.user_id('owner')), 4::bigint,
  'version is the number of entries');
select is((pg_temp.deduct(amount => 96.6914)).balance_after, 0::numeric, 'to the last step');

-- running out -----------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.deduct('msg', 1) $$), 'PT402 insufficient_credits',
  'nothing is left');
select throws_ok($$ select pg_temp.deduct('msg', 2) $$, 'PT402',
  'Cannot charge 2 credits: 0 are available', 'the refusal says how much there is');
update credit_accounts set overdraft_limit = 10 where user_id = tests.user_id('owner');
select is((select available from user_credits where user_id = tests.user_id('owner')), 10::numeric,
  'an overdraft is available');
select is((pg_temp.deduct('msg', 10)).balance_after, -10::numeric, 'and can be spent');
select is(tests.refusal($$ select pg_temp.deduct(amount => 0.0001) $$), 'PT402 insufficient_credits',
  'to its limit');
update credit_accounts set overdraft_limit = 1000, held = 900 where user_id = tests.user_id('owner');
select is((pg_temp.deduct('msg', 90)).balance_after, -100::numeric, 'what is held cannot be spent');
select is(tests.refusal($$ select pg_temp.deduct(amount => 0.0001) $$), 'PT402 insufficient_credits',
  'as it is not available');
update credit_accounts set held = 0 where user_id = tests.user_id('owner');

-- idempotency ------------------------------------------------------------------------------------------
select is((pg_temp.deduct('msg', 1, idempotency_key => 'k')).replayed, false, 'a new key charges');
select results_eq(
  $$ select entry_no, balance_after, replayed from pg_temp.deduct('msg', 1, idempotency_key => 'k') $$,
  $$ values (8::bigint, -101::numeric, true) $$, 'the key again returns the same entry');
select is((pg_temp.deduct('msg', 1.0, idempotency_key => 'k')).replayed, true,
  'one and 1.0 are the same request');
select is(pg_temp.balance(), -101::numeric, 'and charges once');
select is(tests.refusal($$ select pg_temp.deduct('msg', 2, idempotency_key => 'k') $$),
  'PT422 idempotency_key_reused', 'another quantity is another request');
select is(tests.refusal($$ select pg_temp.deduct(amount => 1, idempotency_key => 'k') $$),
  'PT422 idempotency_key_reused', 'so is an amount');
select is(tests.refusal($$ select pg_temp.deduct('msg', 1, description => 'd', idempotency_key => 'k') $$),
  'PT422 idempotency_key_reused', 'so is a description');
select is((public.deduct_credits(tests.user_id('other'), 'msg', 1, idempotency_key => 'k')).replayed, false,
  'a service has keys of its own');
select is((pg_temp.deduct('msg', 1, idempotency_key => 'k', name => 'other')).replayed, false,
  'another user''s key is another key');
insert into credit_prices values ('msg', now(), 'message', 7);
select is((pg_temp.deduct('msg', 1, idempotency_key => 'k')).amount, -1::numeric,
  'a repeat returns what was charged, whatever the price is now');
delete from credit_prices where sku = 'msg';
select is((pg_temp.deduct('msg', 1, idempotency_key => 'k')).replayed, true,
  'and whether or not it is still sold');
update credit_accounts set balance = -1000 where user_id = tests.user_id('owner');
select is((pg_temp.deduct('msg', 1, idempotency_key => 'k')).replayed, true,
  'and whether or not it could still be paid');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 1, idempotency_key => '') $$),
  'PT400 invalid_idempotency_key', 'an empty key');
select is(
  tests.refusal($$ select pg_temp.deduct('tiny', 1, idempotency_key => repeat('k', 256)) $$),
  'PT400 invalid_idempotency_key', 'a key of 256 characters');

-- bad input -------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.deduct('no.such', 1) $$), 'PT422 unknown_sku', 'an unknown sku');
select is(tests.refusal($$ select pg_temp.deduct('tiny') $$), 'PT422 invalid_quantity', 'no quantity');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 0) $$), 'PT422 invalid_quantity', 'quantity 0');
select is(tests.refusal($$ select pg_temp.deduct('tiny', -1) $$), 'PT422 invalid_quantity', 'quantity -1');
select is(tests.refusal($$ select pg_temp.deduct('tokens', 1.2345) $$), 'PT422 invalid_quantity',
  'more decimals than the sku allows');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 'NaN') $$), 'PT422 invalid_quantity',
  'quantity NaN');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 'Infinity') $$), 'PT422 invalid_quantity',
  'quantity Infinity');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 1e308) $$), 'PT422 invalid_quantity',
  'quantity 1e308');
select is(tests.refusal($$ select pg_temp.deduct('tokens', 0.0001) $$), 'PT422 invalid_quantity',
  'a quantity below the sku''s step');
select is(tests.refusal($$ select pg_temp.deduct(amount => 0) $$), 'PT422 invalid_amount', 'amount 0');
select is(tests.refusal($$ select pg_temp.deduct(amount => -1) $$), 'PT422 invalid_amount', 'amount -1');
select is(tests.refusal($$ select pg_temp.deduct(amount => 'NaN') $$), 'PT422 invalid_amount',
  'amount NaN');
select is(tests.refusal($$ select pg_temp.deduct(amount => '-Infinity') $$), 'PT422 invalid_amount',
  'amount -Infinity');
select is(tests.refusal($$ select pg_temp.deduct(amount => 0.00004) $$), 'PT422 invalid_amount',
  'an amount that is 0 when rounded');
select is(tests.refusal($$ select pg_temp.deduct(amount => 1000000000.0001) $$),
  'PT422 invalid_amount', 'one step above the largest amount');
select is(tests.refusal($$ select pg_temp.deduct(amount => 1000000000) $$),
  'PT402 insufficient_credits', 'the largest amount is an amount');
select is(tests.refusal($$ select pg_temp.deduct() $$), 'PT422 invalid_charge', 'nothing to charge');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 1, 1) $$), 'PT422 invalid_charge',
  'both a sku and an amount');
select is(tests.refusal($$ select pg_temp.deduct(quantity => 1, amount => 1) $$),
  'PT422 invalid_charge', 'a quantity of an amount');
select is(tests.refusal($$ select pg_temp.deduct(amount => 1, description => '') $$),
  'PT422 invalid_charge', 'an empty description');
select is(tests.refusal($$ select pg_temp.deduct('tiny', 1, name => 'nobody') $$),
  'PT404 account_not_found', 'a user without an account');
select is(tests.refusal($$ select public.deduct_credits(null, 'tiny', 1) $$),
  'PT404 account_not_found', 'no user');

select is(tests.refusal($$ select public.deduct_credits(tests.user_id('owner'), 'tiny', 1, actor => 'system') $$),
  'PT422 invalid_charge', 'the system charges nobody');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('owner'), 'tiny', 1, actor => null) $$),
  'PT422 invalid_charge', 'nor does nobody');
select throws_ok($$ insert into credit_prices (sku, unit, price, quantity_scale) values ('x', 'y', 1, 5) $$, '23514',
  null, 'a quantity has at most four decimals');

-- afterwards ------------------------------------------------------------------------------------------
select results_eq(
  $$ select count(*), max(entry_no) from credit_transactions
    where account_id = tests.account_of('owner') $$,
  $$ values (8::bigint, 8::bigint) $$, 'no refusal left an entry or a gap');

select * from finish();
rollback;
