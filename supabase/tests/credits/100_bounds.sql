-- Accounts that have gathered much: what is due is settled in portions, and there are limits. And the spending order.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'saver', 'limited', 'early', 'reader']) as name;

create function pg_temp.state(name text) returns text language sql as $$
  select format('%s held %s, %s holds, %s grants', trim_scale(a.balance), trim_scale(a.held), a.open_holds, a.live_grants)
  from public.credit_accounts as a where a.id = tests.account_of(name)
$$;
create function pg_temp.spend(name text, amount numeric) returns public.credit_entry language sql as $$
  select public.deduct_credits(tests.user_id(name), amount => spend.amount)
$$;

-- many holds that have expired ---------------------------------------------------------------------------
update private.settings set value = 100000 where name = 'credits.open_holds';
select count((hold_credits(tests.user_id('owner'), 0.01, expires_in => 60)).id) from generate_series(1, 2500);
select is(pg_temp.state('owner'), '100 held 25, 2500 holds, 1 grants', '2,500 holds are open');
select tests.pass_time(tests.account_of('owner'), '1 hour');
select is(available, 100::numeric, 'the view counts all of them as expired') from user_credits where user_id = tests.user_id('owner');
select is(tests.refusal($$ select pg_temp.spend('owner', 90) $$), 'PT402 insufficient_credits',
  'a charge settles 1,000 of them, and the rest cannot be spent yet');
select is((pg_temp.spend('owner', 80)).balance_after, 20::numeric, 'what is free can be');
select is(pg_temp.state('owner'), '20 held 15, 1500 holds, 1 grants', 'and 1,000 holds are settled');
select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree between the portions');
select is(tests.settle_due_credits(), 1::bigint, 'the next portion is 1,000 more');
select is(pg_temp.state('owner'), '20 held 5, 500 holds, 1 grants', 'and the rest stays due');
select is(tests.settle_due_credits(), 1::bigint, 'for the portion after it');
select is(pg_temp.state('owner'), '20 held 0, 0 holds, 1 grants', 'until none is left');
select is((select count(*) from credit_holds where account_id = tests.account_of('owner') and status = 'expired'), 2500::bigint,
  'each is expired');
select is((pg_temp.spend('owner', 20)).balance_after, 0::numeric, 'all is free');

-- many grants that have ended -----------------------------------------------------------------------------
select count((grant_credits(tests.user_id('saver'), 1, expires_at => now() + interval '1 minute' + n * interval '1 millisecond')).id)
from generate_series(1, 1200) as n;
select tests.pass_time(tests.account_of('saver'), '1 hour');
select is((pg_temp.spend('saver', 100)).balance_after, 200::numeric,
  'a charge posts 1,000 ends, and draws on none of the grants that have ended');
select is(tests.refusal($$ select pg_temp.spend('saver', 1) $$), 'PT402 insufficient_credits', 'nothing else is left');
select is((public.grant_credits(tests.user_id('saver'), 5)).remaining, 5::numeric, 'a request that succeeds');
select is(pg_temp.state('saver'), '5 held 0, 0 holds, 2 grants', 'posts the rest');
select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree');

-- limits ---------------------------------------------------------------------------------------------------
update private.settings set value = 100 where name in ('credits.open_holds', 'credits.live_grants');
select count((hold_credits(tests.user_id('limited'), 0.01)).id) from generate_series(1, 100);
select is(tests.refusal($$ select public.hold_credits(tests.user_id('limited'), 0.01) $$), 'PT409 too_many_holds', '100 holds, and no more');
select release_credit_hold(id) from credit_holds where account_id = tests.account_of('limited') limit 1;
select is((public.hold_credits(tests.user_id('limited'), 0.01)).status, 'held', 'but another when one is released');
select count((grant_credits(tests.user_id('limited'), 1, effective_at => now() + interval '1 day')).id) from generate_series(1, 99);
select is(tests.refusal($$ select public.grant_credits(tests.user_id('limited'), 1) $$), 'PT409 too_many_grants',
  '100 grants, those to come included');
select is_empty($$ select * from public.credit_reconciliation() $$, 'the counters are right');

-- the spending order ---------------------------------------------------------------------------------------
select pg_temp.spend('early', 100);
create temp table g (name text, id uuid);
create function pg_temp.drawn() returns table (name text, amount numeric) language sql as $$
  select g.name, (a.value ->> 'amount')::numeric
  from (
    select t.allocations from credit_transactions as t where t.account_id = tests.account_of('early')
    order by t.entry_no desc limit 1
  ) as t
  cross join jsonb_array_elements(t.allocations) with ordinality as a
  join g on g.id = (a.value ->> 'grant_id')::uuid
  order by a.ordinality
$$;
insert into g select 'paid', (grant_credits(tests.user_id('early'), 50)).id;
insert into g select 'promotional', (grant_credits(tests.user_id('early'), 20, 'promotional')).id;
select pg_temp.spend('early', 60);
select results_eq('select * from pg_temp.drawn()',
  $$ values ('promotional', -20::numeric), ('paid', -40) $$, 'promotional before paid, although it is younger');
select results_eq($$ select g.name, c.remaining from g join credit_grants as c using (id) order by 1 $$,
  $$ values ('paid', 10::numeric), ('promotional', 0) $$, 'which leaves 10 and 0');
insert into g select 'effective later', (grant_credits(tests.user_id('early'), 5, expires_at => now() + interval '9 days',
  effective_at => now() + interval '2 hours')).id;
insert into g select 'effective earlier', (grant_credits(tests.user_id('early'), 5, expires_at => now() + interval '9 days',
  effective_at => now() + interval '1 hour')).id;
select tests.pass_time(tests.account_of('early'), '1 day');
select pg_temp.spend('early', 11);
select results_eq('select * from pg_temp.drawn()',
  $$ values ('effective earlier', -5::numeric), ('effective later', -5), ('paid', -1) $$,
  'the earliest end first, then the one that began first, although it is younger');
select results_eq($$ select remaining, held, spendable from credit_grants where id = (select id from g where name = 'paid') $$,
  $$ values (9::numeric, 0::numeric, true) $$, 'the view has what is left of the head');
select hold_credits(tests.user_id('early'), 4);
select pg_temp.spend('early', 5);
select results_eq($$ select remaining, held, spendable from credit_grants where id = (select id from g where name = 'paid') $$,
  $$ values (4::numeric, 4::numeric, false) $$, 'and what is held of it');

select grant_credits(tests.user_id('early'), 6, priority => 0, external_reference => 'repeated');
select hold_credits(tests.user_id('early'), 2);
select pg_temp.spend('early', 1);
select results_eq(
  $$ select remaining, held, replayed from public.grant_credits(tests.user_id('early'), 6, priority => 0, external_reference => 'repeated') $$,
  $$ values (5::numeric, 2::numeric, true) $$, 'so has a repeated grant');

-- a key is one request's, whichever it is ------------------------------------------------------------------
select is((grant_credits(tests.user_id('reader'), 10, idempotency_key => 'g')).replayed, false, 'a grant has a key');
select is((hold_credits(tests.user_id('reader'), 10, idempotency_key => 'h')).replayed, false, 'a hold too');
select is((public.deduct_credits(tests.user_id('reader'), amount => 10, idempotency_key => 'd')).replayed, false, 'and a charge');
select is(tests.refusal(format('select %s', t.call)), 'PT422 idempotency_key_reused', t.call) from (values
  ($$ public.deduct_credits(tests.user_id('reader'), amount => 10, idempotency_key => 'g') $$),
  ($$ public.deduct_credits(tests.user_id('reader'), amount => 10, idempotency_key => 'h') $$),
  ($$ public.hold_credits(tests.user_id('reader'), 10, idempotency_key => 'g') $$),
  ($$ public.hold_credits(tests.user_id('reader'), 10, idempotency_key => 'd') $$),
  ($$ public.grant_credits(tests.user_id('reader'), 10, idempotency_key => 'h') $$),
  ($$ public.grant_credits(tests.user_id('reader'), 10, idempotency_key => 'd') $$)) as t (call);
select is((public.capture_credit_hold(id, idempotency_key => 'c')).replayed, false, 'the hold is captured')
from credit_holds where account_id = tests.account_of('reader');
select is((hold_credits(tests.user_id('reader'), 10, idempotency_key => 'h')).status, 'held',
  'a repeated request gets the hold as it was, though it is an entry now');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('reader'), amount => 10, idempotency_key => 'h') $$),
  'PT422 idempotency_key_reused', 'its key stays used');
select results_eq($$ select status, amount, captured, entry_no is not null from credit_holds where account_id = tests.account_of('reader') $$,
  $$ values ('captured', 10::numeric, 10::numeric, true) $$, 'and the hold stays in the view');

-- sums of a month ------------------------------------------------------------------------------------------
select is((public.credit_statement(date_trunc('month', now() at time zone 'UTC')::date, tests.user_id('reader'))).charged, -20::numeric,
  'a statement adds up the month');
select pg_temp.spend('reader', 5);
select is((public.credit_statement(date_trunc('month', now() at time zone 'UTC')::date, tests.user_id('reader'))).charged, -25::numeric,
  'and adds what came since');
select is((select count(*) from private.credit_months where account_id = tests.account_of('reader')), 1::bigint, 'to what it has kept');

select * from finish();
rollback;
