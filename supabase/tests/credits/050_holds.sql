-- Holds: credits set aside, captured, released, expired; each resolved once.

begin;
select no_plan();
select tests.create_user('owner');
insert into credit_prices (sku, unit, price, quantity_scale) values ('tokens', '1000 tokens', 2, 3), ('msg', 'message', 1, 0);

create function pg_temp.hold(amount numeric default null, items jsonb default null, expires_in int default null,
  description text default null, key text default null)
returns public.credit_hold language sql as $$
  select public.hold_credits(tests.user_id('owner'), amount, items, expires_in, description, key)
$$;
create function pg_temp.capture(id uuid, amount numeric default null, items jsonb default null,
  overage boolean default false, key text default null)
returns public.credit_entry language sql as $$
  select public.capture_credit_hold(id, amount, items, overage, null, key)
$$;
create function pg_temp.credits() returns text language sql as $$
  select format('%s %s %s', trim_scale(balance), trim_scale(held), trim_scale(available)) from public.user_credits
  where user_id = tests.user_id('owner')
$$;
create temp table h (name text, id uuid);

-- held ------------------------------------------------------------------------------------------------
insert into h select 'part', id from pg_temp.hold(40, description => 'An answer', key => 'k');
select is(pg_temp.credits(), '100 40 60', 'what is held is there and cannot be spent');
select results_eq($$ select amount, captured, status, description, extract(epoch from expires_at - created_at)::int, actor_id
    from credit_holds where id = (select id from h where name = 'part') $$,
  $$ values (40::numeric, null::numeric, 'held', 'An answer', 900, tests.user_id('owner')) $$, 'for as long as the setting says');
select is((pg_temp.hold(40, description => 'An answer', key => 'k')).id, (select id from h where name = 'part'),
  'the same key is the same hold');
select is(tests.refusal($$ select pg_temp.hold(41, key => 'k') $$), 'PT422 idempotency_key_reused', 'and no other');
select is(tests.refusal($$ select pg_temp.hold(60.0001) $$), 'PT402 insufficient_credits', 'no more than is available');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('owner'), amount => 61) $$),
  'PT402 insufficient_credits', 'nor can it be charged');
select is((pg_temp.hold(items => '[{"sku": "tokens", "quantity": 1.5}, {"sku": "msg", "quantity": 2}]')).amount, 5::numeric,
  'a hold of what items cost');
select is(tests.refusal(format('select pg_temp.hold(%s)', t.arguments)), t.code, t.arguments)
from (values
  ('', 'PT422 invalid_charge'),
  ($$ 1, '[{"sku": "msg", "quantity": 1}]' $$, 'PT422 invalid_charge'),
  ('0', 'PT422 invalid_amount'), ('-1', 'PT422 invalid_amount'), ($$ 'NaN' $$, 'PT422 invalid_amount'),
  ('0.00004', 'PT422 invalid_amount'), ('1e9 + 1', 'PT422 invalid_amount'),
  ('1, expires_in => 0', 'PT422 invalid_hold'), ('1, expires_in => 604801', 'PT422 invalid_hold'),
  ($$ 1, description => '' $$, 'PT422 invalid_hold'),
  ($$ items => '[]' $$, 'PT422 invalid_charge'), ($$ items => '{}' $$, 'PT422 invalid_charge'),
  ($$ items => 'null' $$, 'PT422 invalid_charge'), ($$ items => '[1]' $$, 'PT422 invalid_charge'),
  ($$ items => '[{"sku": "msg"}]' $$, 'PT422 invalid_charge'),
  ($$ items => '[{"sku": "msg", "quantity": "1"}]' $$, 'PT422 invalid_charge'),
  ($$ items => '[{"sku": "msg", "quantity": 1, "price": 0}]' $$, 'PT422 invalid_charge'),
  ($$ items => '[{"sku": "none", "quantity": 1}]' $$, 'PT422 unknown_sku'),
  ($$ items => '[{"sku": "msg", "quantity": 1.5}]' $$, 'PT422 invalid_quantity'),
  ($$ items => (select jsonb_agg('{"sku": "msg", "quantity": 1}'::jsonb) from generate_series(1, 101)) $$, 'PT422 invalid_charge')
) as t (arguments, code);
select is(tests.refusal($$ select public.hold_credits(tests.user_id('nobody'), 1) $$), 'PT404 account_not_found', 'nobody');
select is(tests.refusal($$ select public.hold_credits(amount => 1) $$), 'PT404 account_not_found', 'no user');

-- captured ---------------------------------------------------------------------------------------------
select is(tests.refusal(format('select pg_temp.capture(%L, 40.0001)', id)), 'PT422 capture_exceeds_hold',
  'not more than was held') from h where name = 'part';
select is(tests.refusal(format('select pg_temp.capture(%L, -1)', id)), 'PT422 invalid_amount', 'nor less than nothing')
from h where name = 'part';
select is(tests.refusal(format($$ select pg_temp.capture(%L, 1, '[]') $$, id)), 'PT422 invalid_charge', 'nor two things')
from h where name = 'part';
select is(tests.refusal(format('select pg_temp.capture(%L, 96, overage => true)', id)), 'PT402 insufficient_credits',
  'an overage has to be available') from h where name = 'part';
select results_eq(
  $$ select e.kind, e.amount, e.balance_after, e.description, e.actor_id, e.replayed from h, pg_temp.capture(h.id, 30, key => 'c') e
    where name = 'part' $$,
  $$ values ('capture', -30::numeric, 70::numeric, 'An answer', tests.user_id('owner'), false) $$, 'a part is captured');
select is(pg_temp.credits(), '70 5 65', 'and the rest is free');
select is((pg_temp.capture(id, 30, key => 'c')).replayed, true, 'a repeat is a repeat') from h where name = 'part';
select is(tests.refusal(format('select pg_temp.capture(%L, 30)', id)), 'PT409 hold_already_captured', 'a hold is captured once')
from h where name = 'part';
select is(tests.refusal(format('select release_credit_hold(%L)', id)), 'PT409 hold_already_captured', 'and not released then')
from h where name = 'part';
select is((select entry_no from credit_holds join h using (id) where name = 'part'), 2::bigint, 'it knows its entry');
select is((pg_temp.capture((pg_temp.hold(10)).id)).amount, -10::numeric, 'all of it when nothing is said');
select is((pg_temp.capture((pg_temp.hold(10)).id, 15, overage => true)).balance_after, 45::numeric, 'more, if that is allowed');
select results_eq(
  $$ select e.amount, e.sku, e.items -> 1 from pg_temp.capture((pg_temp.hold(10)).id,
    items => '[{"sku": "tokens", "quantity": 2.5}, {"sku": "msg", "quantity": 1}]') e $$,
  $$ values (-6::numeric, null::text, '{"sku": "msg", "unit": "message", "quantity": 1, "unit_price": 1.0000, "amount": 1.0000}'::jsonb) $$,
  'what items cost now, with their prices');
select results_eq(
  $$ select e.amount, e.sku, e.quantity, e.unit_price, e.items from pg_temp.capture((pg_temp.hold(10)).id,
    items => '[{"sku": "tokens", "quantity": 0.5}]') e $$,
  $$ values (-1::numeric, 'tokens', 0.5::numeric, 2::numeric, null::jsonb) $$, 'one item is in the columns of one');
select is(tests.refusal($$ select pg_temp.capture(gen_random_uuid()) $$), 'PT404 hold_not_found', 'no hold, no capture');
select is(tests.refusal($$ select release_credit_hold(null) $$), 'PT404 hold_not_found', 'and no release');

-- released and expired ----------------------------------------------------------------------------------
insert into h select 'released', id from pg_temp.hold(20);
select is((release_credit_hold(id, 'r')).status, 'released', 'a hold is released') from h where name = 'released';
select is((release_credit_hold(id, 'r')).replayed, true, 'a repeat is a repeat') from h where name = 'released';
select is(tests.refusal(format('select release_credit_hold(%L)', id)), 'PT409 hold_released', 'once') from h where name = 'released';
select is(tests.refusal(format('select pg_temp.capture(%L)', id)), 'PT409 hold_released', 'and not captured then')
from h where name = 'released';
insert into h select 'expired', id from pg_temp.hold(20, expires_in => 60);
select is(pg_temp.credits(), '38 25 13', 'before it expires it holds');
select tests.pass_time(tests.account_of('owner'), '1 hour');
select is(pg_temp.credits(), '38 0 38', 'an expired hold is free when it is read');
select is((select status from credit_holds join h using (id) where name = 'expired'), 'held', 'though nobody has touched it');
select is(tests.refusal(format('select pg_temp.capture(%L)', id)), 'PT409 hold_expired', 'it is not captured') from h where name = 'expired';
select is(tests.refusal(format('select release_credit_hold(%L)', id)), 'PT409 hold_expired', 'nor released') from h where name = 'expired';
select is((public.deduct_credits(tests.user_id('owner'), amount => 38)).balance_after, 0::numeric, 'what it held is spent');
select is((select status from credit_holds join h using (id) where name = 'expired'), 'expired', 'and it says so');

-- a hold outlasts the grant --------------------------------------------------------------------------------
select grant_credits(tests.user_id('owner'), 10, expires_at => now() + interval '1 hour');
insert into h select 'outlasting', id from pg_temp.hold(6, expires_in => 86400);
select tests.pass_time(tests.account_of('owner'), '2 hours');
select is(pg_temp.credits(), '6 6 0', 'the end of a grant takes what is free of it');
select is((pg_temp.capture(id, 4)).balance_after, 2::numeric, 'what was held is captured') from h where name = 'outlasting';
select is(pg_temp.credits(), '0 0 0', 'and what it gives back ends too');
select is((select kind from credit_transactions where account_id = tests.account_of('owner') order by entry_no desc limit 1),
  'expire', 'as an entry');

-- on the overdraft -----------------------------------------------------------------------------------------
select set_credit_overdraft(10, tests.user_id('owner'));
select grant_credits(tests.user_id('owner'), 5);
insert into h select 'overdrawn', id from pg_temp.hold(12, expires_in => 60);
select is(pg_temp.credits(), '5 12 3', 'a hold uses the overdraft');
select is((select overdraft_held from credit_accounts where id = tests.account_of('owner')), 7::numeric, 'for what grants do not have');
select is(tests.refusal($$ select set_credit_overdraft(6.9999, tests.user_id('owner')) $$), 'PT409 overdraft_in_use',
  'which stays as long as it is held');
select is((public.deduct_credits(tests.user_id('owner'), amount => 3)).balance_after, 2::numeric, 'the rest of it is spent');
select tests.pass_time(tests.account_of('owner'), '1 hour');
select is(pg_temp.credits(), '2 0 12', 'when the hold expires');
select tests.settle_due_credits();
select is(pg_temp.credits(), '2 0 12', 'what comes free pays the overdraft');
select is((select overdraft_used from credit_accounts where id = tests.account_of('owner')), 0::numeric, 'all of it');

select throws_ok($$ update private.ended_credit_holds set status = 'captured' where status = 'released' $$, '23514', null,
  'a captured hold is its entry');
select throws_ok($$ update private.ended_credit_holds set status = 'gone' $$, '23514', null, 'a hold is in one of four states');

-- a repeated request meets an expired hold -----------------------------------------------------------------
select tests.create_user('repeating');
select deduct_credits(tests.user_id('repeating'), amount => 1, idempotency_key => 'again');
select hold_credits(tests.user_id('repeating'), 5, expires_in => 60);
select tests.pass_time(tests.account_of('repeating'), '1 hour');
select is((deduct_credits(tests.user_id('repeating'), amount => 1, idempotency_key => 'again')).replayed, true,
  'a repeated charge posts nothing');
select results_eq($$ select held, open_holds, next_due_at from credit_accounts where id = tests.account_of('repeating') $$,
  $$ values (0::numeric, 0, null::timestamptz) $$, 'but the hold that it met has expired');

select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
