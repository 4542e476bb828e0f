-- Amounts that a service computes: rounded half up to four decimals, and 0.

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
create function pg_temp.asked() returns numeric language sql as $$
  select requested_amount from credit_transactions where account_id = tests.account_of('owner') order by entry_no desc limit 1
$$;

-- rounded -------------------------------------------------------------------------------------------
select is((pg_temp.hold(t.asked)).amount, t.held, format('a hold of %s', t.asked))
from (values (0.30000000000000004, 0.3000), (0.00005, 0.0001), (0.12345, 0.1235)) as t (asked, held);
insert into h select 'rounded', id from pg_temp.hold(1);
select is((pg_temp.capture(id, 0.30000000000000004)).amount, -0.3, 'a capture is rounded') from h where name = 'rounded';
select is(pg_temp.asked(), 0.30000000000000004, 'and its entry says what was asked');
insert into h select 'nothing', id from pg_temp.hold(1);
create temp table before_nothing as select pg_temp.credits() as credits, count(*) as entries from credit_transactions;
select results_eq(
  $$ select e.entry_no, e.kind, e.amount, e.replayed from h, pg_temp.capture(h.id, 0, key => 'nothing') e where name = 'nothing' $$,
  $$ values (null::bigint, 'capture', 0::numeric, false) $$, 'a capture of 0 charges nothing');
select is((select status from credit_holds join h using (id) where name = 'nothing'), 'released', 'and releases the hold');
select is((select count(*) from credit_transactions), (select entries from before_nothing), 'without an entry');
select results_eq(
  $$ select e.entry_no, e.amount, e.replayed from h, pg_temp.capture(h.id, 0, key => 'nothing') e where name = 'nothing' $$,
  $$ values (null::bigint, 0::numeric, true) $$, 'a repeat is a repeat');
select is(tests.refusal(format($$ select pg_temp.capture(%L, 1, key => 'nothing') $$, id)), 'PT422 idempotency_key_reused', 'of this request')
from h where name = 'nothing';
select is(tests.refusal(format('select pg_temp.capture(%L, 0)', id)), 'PT409 hold_released', 'once') from h where name = 'nothing';
select is((pg_temp.capture((pg_temp.hold(1)).id, items => '[{"sku": "tokens", "quantity": 0}, {"sku": "msg", "quantity": 0.00001}]')).entry_no,
  null::bigint, 'items of which nothing was used cost nothing');
select is((pg_temp.capture((pg_temp.hold(1)).id, items => '[{"sku": "tokens", "quantity": 0.30000000000000004}, {"sku": "msg", "quantity": 0}]')).amount,
  -0.6, 'and one of several may be 0');

-- everywhere ------------------------------------------------------------------------------------------
select is((public.deduct_credits(tests.user_id('owner'), amount => 1234 * 0.0000030000000001)).amount, -0.0037, 'a charge');
select is(pg_temp.asked(), 0.0037020000001234, 'and what was asked');
select is((select count(*) from credit_transactions where account_id = tests.account_of('owner') and requested_amount is not null), 2::bigint,
  'says what was asked only where that is another amount');
select is((public.deduct_credits(tests.user_id('owner'), amount => 5)).amount, -5::numeric, 'a charge');
select is((public.refund_credits(a.id, a.version, 0.10000000000000002)).amount, 0.1, 'a refund')
from credit_accounts a where a.user_id = tests.user_id('owner');
select is(pg_temp.asked(), 0.10000000000000002, 'and what was asked');
select is((public.grant_credits(tests.user_id('owner'), 0.1 + 0.20000000000000004)).amount, 0.3, 'a grant');
select is((public.set_credit_overdraft(0.30000000000000004, tests.user_id('owner'))).overdraft_limit, 0.3, 'an overdraft');
select is((public.set_credit_alert(0.30000000000000004, tests.user_id('owner'))).alert_threshold, 0.3, 'an alert');
select is(tests.refusal($$ select public.refund_credits(tests.account_of('owner'), 1, 0.00004) $$), 'PT422 invalid_amount', 'no refund of nothing');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('owner'), amount => 0.00004) $$), 'PT422 invalid_amount', 'no charge of nothing');
select is((public.quote_credits('[{"sku": "msg", "quantity": 0}]', tests.user_id('owner'))).total, 0::numeric, 'nothing is free');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('owner'), items => '[{"sku": "msg", "quantity": 0}]') $$), 'PT422 invalid_amount',
  'but no charge');

-- in the end ----------------------------------------------------------------------------------------
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
