-- Grants: what they take, when they count, in which order they are spent, how they end.

begin;
select no_plan();
select tests.create_user('owner');
select tests.create_user('other');
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user('fresh');

create function pg_temp.fresh(amount numeric, priority int default 50, expires_in interval default null,
  starts_in interval default null, reference text default null, key text default null, category text default 'paid')
returns public.credit_grant language sql as $$
  select public.grant_credits(tests.user_id('fresh'), amount, category, priority, now() + starts_in, now() + expires_in,
    'test', reference, 0.01, 'usd', 'A grant', key)
$$;
create function pg_temp.credits(name text default 'fresh') returns text language sql as $$
  select format('%s %s %s', trim_scale(balance), trim_scale(held), trim_scale(available)) from public.user_credits
  where user_id = tests.user_id(name)
$$;
create function pg_temp.remaining(grant_id uuid) returns numeric language sql as $$
  select trim_scale(remaining) from public.credit_grants where id = grant_id
$$;
create function pg_temp.spend(amount numeric) returns public.credit_entry language sql as $$
  select public.deduct_credits(tests.user_id('fresh'), amount => spend.amount)
$$;

-- the head -----------------------------------------------------------------------------------------
-- Each grant comes before those that were there.
select tests.create_user('heads');
create function pg_temp.head_after(reference text, priority integer, expires_at timestamptz default null, category text default 'paid')
returns text language plpgsql as $$
begin
  perform public.grant_credits(tests.user_id('heads'), 1, category, priority, expires_at => head_after.expires_at,
    external_reference => reference);
  return (select coalesce(g.external_reference, g.source) from credit_accounts as a join credit_grants as g on g.id = a.head_grant_id
    where a.id = tests.account_of('heads'));
end $$;
select public.grant_credits(tests.user_id('other'), 1, 'promotional', 50, expires_at => '2100-01-01');
select is(pg_temp.head_after('first', 60), 'first', 'the only grant is spent next');
select is(pg_temp.head_after('priority', 50), 'priority', 'then the one with the lowest priority');
select is(pg_temp.head_after('end', 50, '2100-01-01'), 'end', 'of these, the one that ends first');
select is(pg_temp.head_after('category', 50, '2100-01-01', 'promotional'), 'category', 'of these, the promotional one');
select is(pg_temp.head_after('younger', 50, '2100-01-01', 'promotional'), 'category', 'of these, the older one');
select public.void_credit_grant(g.id, 'me', 'so') from credit_grants as g where g.account_id = tests.account_of('other') and g.source = 'signup';
select public.transfer_credits(1, from_user_id => tests.user_id('other'), to_user_id => tests.user_id('heads'));
select is(pg_temp.head_after('last', 70), 'transfer', 'or that which began first, wherever it was');

-- what is granted --------------------------------------------------------------------------------------
select results_eq(
  $$ select category, amount, remaining, held, priority, status, source, external_reference, cost_basis, currency,
      description, expires_at, replayed from pg_temp.fresh(10, 20, reference => 'pay_1') $$,
  $$ values ('paid', 10::numeric, 10::numeric, 0::numeric, 20::smallint, 'active', 'test', 'pay_1', 0.01::numeric, 'usd',
    'A grant', null::timestamptz, false) $$, 'a grant is what was asked for');
select is(pg_temp.credits(), '10 0 10', 'and it is there');
select results_eq(
  $$ select entry_no, kind, amount, balance_after, description, actor, allocations -> 0 ->> 'amount'
    from credit_transactions where account_id = tests.account_of('fresh') $$,
  $$ values (1::bigint, 'grant', 10::numeric, 10::numeric, 'A grant', 'service', '10.0000') $$, 'as an entry');
select is((pg_temp.fresh(10, 70, reference => 'pay_1')).replayed, true, 'the same payment is the same grant');
select is(pg_temp.credits(), '10 0 10', 'and grants once');
select is((pg_temp.fresh(10, reference => 'pay_1', expires_in => '-1 day')).replayed, true, 'also when its end has passed since');
select is(tests.refusal($$ select pg_temp.fresh(11, reference => 'pay_1') $$), 'PT409 external_reference_used',
  'with another amount it is refused');
select is(tests.refusal($$ select public.grant_credits(tests.user_id('other'), 10, external_reference => 'pay_1') $$),
  'PT409 external_reference_used', 'and for another account');
select is((pg_temp.fresh(5, key => 'k')).replayed, false, 'a key grants');
select is((pg_temp.fresh(5, key => 'k')).replayed, true, 'once');
select is(tests.refusal($$ select pg_temp.fresh(6, key => 'k') $$), 'PT422 idempotency_key_reused',
  'and only what it granted');
select is(pg_temp.credits(), '15 0 15', 'in all, two grants');

-- bad input --------------------------------------------------------------------------------------------
select is(tests.refusal(format('select public.grant_credits(%s)', t.arguments)), t.code, t.arguments)
from (values
  ($$ tests.user_id('fresh'), 0 $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), -1 $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), null $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), 'NaN' $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), 'Infinity' $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), 0.00001 $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('fresh'), 1000000000.0001 $$, 'PT422 invalid_amount'),
  ($$ tests.user_id('nobody'), 1 $$, 'PT404 account_not_found'),
  ($$ team_id => tests.user_id('nobody'), amount => 1 $$, 'PT404 account_not_found'),
  ($$ amount => 1 $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, team_id => tests.user_id('fresh') $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, 'free' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, null $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, priority => -1 $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, priority => 101 $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, priority => null $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, expires_at => now() - interval '1 second' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, expires_at => 'infinity' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, effective_at => '-infinity' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, effective_at => now() + interval '2 days', expires_at => now() + interval '1 day' $$,
    'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, source => '' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, source => null $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, external_reference => '' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, external_reference => repeat('r', 256) $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, cost_basis => 1 $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, cost_basis => -1, currency => 'usd' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, cost_basis => 'NaN', currency => 'usd' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, cost_basis => 1, currency => 'USD' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, description => '' $$, 'PT422 invalid_grant'),
  ($$ tests.user_id('fresh'), 1, idempotency_key => '' $$, 'PT400 invalid_idempotency_key')
) as t (arguments, code);
select is(pg_temp.credits(), '15 0 15', 'no refusal granted anything');
select is((public.grant_credits(tests.user_id('other'), 0.0001, cost_basis => 0.3333333333333333, currency => 'usd')).cost_basis, 0.333333,
  'a cost basis is rounded');
select is((public.grant_credits(tests.user_id('other'), 1000000000)).amount, 1000000000::numeric,
  'the largest amount is granted');
select is((public.deduct_credits(tests.user_id('other'), amount => 1000000000)).amount, -1000000000::numeric, 'and spent');
update private.settings set value = 1000 where name = 'credits.largest_balance';
select is(tests.refusal($$ select pg_temp.fresh(985.0001) $$), 'PT422 balance_too_large', 'an account has a largest balance');
select lives_ok($$ select pg_temp.fresh(985, starts_in => '1 day', expires_in => '2 days') $$, 'up to which it is filled');
select is(tests.refusal($$ select pg_temp.fresh(0.0001) $$), 'PT422 balance_too_large',
  'which counts what has not begun');
update private.settings set value = 10000000000 where name = 'credits.largest_balance';

-- when a grant counts -----------------------------------------------------------------------------------
select is(pg_temp.credits(), '15 0 15', 'a grant does not count before it begins');
select is(tests.refusal($$ select pg_temp.spend(16) $$), 'PT402 insufficient_credits', 'and cannot be spent');
select tests.pass_time(tests.account_of('fresh'), '1 day 1 hour');
select is(pg_temp.credits(), '1000 0 1000', 'it counts as soon as it has begun');
select is((select count(*) from credit_transactions where account_id = tests.account_of('fresh')), 2::bigint,
  'though nothing was posted');
select tests.pass_time(tests.account_of('fresh'), '1 day');
select is(pg_temp.credits(), '15 0 15', 'and no longer when it has ended');
select is((pg_temp.spend(15)).balance_after, 0::numeric, 'a charge posts what was due');
select results_eq(
  $$ select entry_no, kind, amount, balance_after, actor, date_trunc('hour', now() - created_at + interval '1 minute')
    from credit_transactions where account_id = tests.account_of('fresh') and entry_no > 2 order by entry_no $$,
  $$ values (3::bigint, 'grant', 985::numeric, 1000::numeric, 'system', interval '25 hours'),
    (4, 'expire', -985, 15, 'system', interval '1 hour'), (5, 'deduct', -15, 0, 'service', interval '0') $$,
  'dated when it was due');

-- the last line of defence ---------------------------------------------------------------------------------
select throws_ok(format('update private.credit_grants set %s where account_id = tests.account_of(''fresh'')', t.change), '23514', null, t.change)
from (values ($$ category = 'free' $$), ('amount = 0'), ('priority = 101'), ('priority = -1'), ('expires_at = effective_at'),
  ($$ expires_at = 'infinity' $$), ($$ source = '' $$), ($$ external_reference = '' $$), ($$ cost_basis = -1, currency = 'eur' $$),
  ('cost_basis = 1, currency = null'), ($$ currency = 'EURO' $$), ($$ description = '' $$), ($$ status = 'gone' $$),
  ($$ status = 'voided' $$), ($$ voided_by = 'x' $$), ('remaining = -1'), ('remaining = amount + 1'), ('held = remaining + 1')) as t (change);
select throws_ok($$ insert into private.credit_grants (account_id, category, amount, remaining, status, effective_at, source, created_at)
  values (tests.account_of('fresh'), 'gift', 1, 1, 'active', now(), 's', now()) $$, '23514', null, 'also for a new row');

-- the order of spending ---------------------------------------------------------------------------------
create temp table g as
select 'last' as name, (pg_temp.fresh(1, 60)).id union all
select 'later', (pg_temp.fresh(1, 50)).id union all
select 'younger', (pg_temp.fresh(1, 50, '2 days', category => 'promotional')).id union all
select 'sooner', (pg_temp.fresh(1, 50, '1 day')).id union all
select 'first', (pg_temp.fresh(1, 0)).id union all
select 'youngest', (pg_temp.fresh(1, 60)).id;
select is((pg_temp.spend(5.5)).balance_after, 0.5, 'a charge over several grants');
select is(
  (select string_agg(g.name, ' ' order by a.ordinality) from credit_transactions t
    cross join jsonb_array_elements(t.allocations) with ordinality as a join g on g.id = (a.value ->> 'grant_id')::uuid
    where t.account_id = tests.account_of('fresh')
      and t.entry_no = (select max(entry_no) from credit_transactions where account_id = tests.account_of('fresh'))),
  'first sooner younger later last youngest', 'takes them by priority, then earliest end, then age');

-- void ---------------------------------------------------------------------------------------------------
create function pg_temp.void(grant_id uuid, by text default 'Ada Example', reason text default 'Chargeback', key text default null)
returns public.credit_grant language sql as $$ select public.void_credit_grant(grant_id, by, reason, key) $$;
select is(tests.refusal($$ select pg_temp.void(gen_random_uuid()) $$), 'PT404 grant_not_found', 'nothing to void');
select is(tests.refusal(format('select pg_temp.void(%L, '''')', g.id)), 'PT422 invalid_void', 'nobody voids') from g where name = 'youngest';
select is(tests.refusal(format('select pg_temp.void(%L, reason => null)', g.id)), 'PT422 invalid_void', 'or for no reason')
from g where name = 'youngest';
select results_eq(
  $$ select v.status, v.remaining, v.voided_by, v.void_reason, v.replayed from g, pg_temp.void(g.id, key => 'v') v where name = 'youngest' $$,
  $$ values ('voided', 0::numeric, 'Ada Example', 'Chargeback', false) $$, 'a void says who and why');
select is((pg_temp.void(g.id, key => 'v')).replayed, true, 'a repeat of it is a repeat') from g where name = 'youngest';
select is(pg_temp.credits(), '0 0 0', 'what was left of it is gone');
select is(tests.refusal(format('select pg_temp.void(%L)', g.id)), 'PT409 grant_already_voided', 'once') from g where name = 'youngest';
select is(tests.refusal(format('select pg_temp.void(%L)', g.id)), 'PT409 grant_expired', 'an expired grant is not voided')
from credit_grants g where g.account_id = tests.account_of('fresh') and g.status = 'expired';
select is((pg_temp.void((pg_temp.fresh(7, starts_in => '1 day')).id)).remaining, 0::numeric, 'one that has not begun is');
select tests.pass_time(tests.account_of('fresh'), '2 days');
select is(pg_temp.credits(), '0 0 0', 'and never begins');

-- the overdraft --------------------------------------------------------------------------------------------
select is((public.set_credit_overdraft(10, tests.user_id('fresh'))).available, 10::numeric, 'an overdraft can be spent');
select is((pg_temp.spend(8)).balance_after, -8::numeric, 'and is');
select is(tests.refusal($$ select public.set_credit_overdraft(7.9999, tests.user_id('fresh')) $$), 'PT409 overdraft_in_use',
  'it is not taken away while it is used');
select is(tests.refusal($$ select public.set_credit_overdraft(-1, tests.user_id('fresh')) $$), 'PT422 invalid_overdraft',
  'nor negative');
select is(tests.refusal($$ select public.set_credit_overdraft('NaN', tests.user_id('fresh')) $$), 'PT422 invalid_overdraft',
  'nor no number');
select is(tests.refusal($$ select public.set_credit_overdraft(null, tests.user_id('fresh')) $$), 'PT422 invalid_overdraft',
  'nor nothing');
select is(tests.refusal($$ select public.set_credit_overdraft(1) $$), 'PT422 invalid_overdraft', 'nor of nobody');
select is((public.set_credit_overdraft(20, tests.user_id('fresh'), idempotency_key => 'o')).replayed, false, 'a key sets it');
select is((public.set_credit_overdraft(20.0, tests.user_id('fresh'), idempotency_key => 'o')).replayed, true, 'once');
create temp table paid as select * from pg_temp.fresh(10, expires_in => '1 day');
select is((select remaining from paid), 2::numeric, 'a grant pays the overdraft first');
select results_eq(
  $$ select kind, amount, jsonb_array_length(allocations) from credit_transactions
    where account_id = tests.account_of('fresh') order by entry_no desc limit 2 $$,
  $$ values ('repay', 0::numeric, 2), ('grant', 10, 1) $$, 'in an entry of its own');
select tests.pass_time(tests.account_of('fresh'), '2 days');
select is(pg_temp.credits(), '0 0 20', 'only the rest of it expires');
select is(tests.settle_due_credits() > 0, true, 'what is due is settled');
select is(pg_temp.credits(), '0 0 20', 'and changes nothing that is read');
select is(tests.settle_due_credits(), 0::bigint, 'after which nothing is due');
-- what comes free of a grant without an end pays the overdraft when it is read too -----------------------------
select tests.create_user('reader');
select grant_credits(tests.user_id('reader'), 10);
select set_credit_overdraft(100, tests.user_id('reader'));
select hold_credits(tests.user_id('reader'), 10, expires_in => 3600);
select grant_credits(tests.user_id('reader'), 20, effective_at => now() + interval '90 minutes', expires_at => now() + interval '150 minutes');
select deduct_credits(tests.user_id('reader'), amount => 15);
select tests.pass_time(tests.account_of('reader'), '3 hours');
create temp table as_read as select balance, held, available from user_credits where user_id = tests.user_id('reader');
select tests.settle_due_credits();
select results_eq($$ select balance, held, available from user_credits where user_id = tests.user_id('reader') $$,
  $$ select * from as_read $$, 'what is read before it is posted is what is posted');

select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
