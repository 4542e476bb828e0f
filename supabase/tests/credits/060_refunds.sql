-- Refunds: of one charge, whole or in parts, back to where it came from.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user('owner');

create function pg_temp.charge(amount numeric) returns bigint language sql as $$
  select entry_no from public.deduct_credits(tests.user_id('owner'), amount => charge.amount)
$$;
create function pg_temp.refund(entry_no bigint, amount numeric default null, key text default null, reason text default null)
returns public.credit_entry language sql as $$
  select public.refund_credits(tests.account_of('owner'), entry_no, amount, reason, key)
$$;
create function pg_temp.left_of(name text) returns text language sql as $$
  select string_agg(trim_scale(remaining)::text, ' ' order by created_at) from public.credit_grants
  where account_id = tests.account_of('owner') and source = left_of.name
$$;
select public.grant_credits(tests.user_id('owner'), 10, priority => 1, source => 'soon', expires_at => now() + interval '1 day',
  category => 'promotional', cost_basis => 0.5, currency => 'eur');
select public.grant_credits(tests.user_id('owner'), 10, priority => 2, source => 'never');

-- back to the grants ---------------------------------------------------------------------------------------
select is(pg_temp.charge(16), 3::bigint, 'a charge on two grants');
select results_eq($$ select kind, amount, balance_after, refund_of, description, replayed from pg_temp.refund(3, 7, 'k', 'Bad answer') $$,
  $$ values ('refund', 7::numeric, 11::numeric, 3::bigint, 'Bad answer', false) $$, 'a part goes back');
select is(pg_temp.left_of('never') || ', ' || pg_temp.left_of('soon'), '10, 1', 'what was spent last comes back first');
select is((pg_temp.refund(3, 7, 'k', 'Bad answer')).replayed, true, 'a repeat is a repeat');
select is(tests.refusal($$ select pg_temp.refund(3, 9.0001) $$), 'PT422 refund_exceeds_charge', 'never more than is left');
select is((pg_temp.refund(3)).amount, 9::numeric, 'all that is left');
select is(pg_temp.left_of('never') || ', ' || pg_temp.left_of('soon'), '10, 10', 'is back where it was');
select is(tests.refusal($$ select pg_temp.refund(3, 0.0001) $$), 'PT422 refund_exceeds_charge', 'and no more');
select is(tests.refusal($$ select pg_temp.refund(3) $$), 'PT422 refund_exceeds_charge', 'not even nothing');
select throws_ok($$ update private.credit_refunds set refunded = 16.0001 $$, '23514', null, 'a constraint says so too');

-- bad input ------------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.refund(99) $$), 'PT404 entry_not_found', 'no such entry');
select is(tests.refusal($$ select pg_temp.refund(null) $$), 'PT404 entry_not_found', 'no entry');
select is(tests.refusal($$ select pg_temp.refund(1) $$), 'PT409 entry_not_refundable', 'a grant is no charge');
select is(tests.refusal($$ select pg_temp.refund(4) $$), 'PT409 entry_not_refundable', 'nor is a refund');
select is(tests.refusal($$ select pg_temp.refund(3, 0) $$), 'PT422 invalid_amount', 'refund 0');
select is(tests.refusal($$ select pg_temp.refund(3, -1) $$), 'PT422 invalid_amount', 'refund -1');
select is(tests.refusal($$ select pg_temp.refund(3, 'NaN') $$), 'PT422 invalid_amount', 'refund NaN');
select is(tests.refusal($$ select pg_temp.refund(3, 1, reason => '') $$), 'PT422 invalid_refund', 'an empty reason');
select is(tests.refusal($$ select public.refund_credits(null, 3) $$), 'PT422 invalid_refund', 'no account');
select is(tests.refusal($$ select public.refund_credits(gen_random_uuid(), 3) $$), 'PT404 account_not_found', 'another account');

-- a grant that has ended meanwhile ---------------------------------------------------------------------------
select is(pg_temp.charge(4), 6::bigint, 'a charge on the grant that ends');
select tests.pass_time(tests.account_of('owner'), '2 days');
select is((pg_temp.refund(6, 3)).balance_after, 13::numeric, 'is refunded after its end');
select results_eq(
  $$ select category, priority, amount, remaining, cost_basis, currency, (expires_at - created_at), external_reference
    from credit_grants where account_id = tests.account_of('owner') and source = 'refund' $$,
  $$ values ('promotional', 1::smallint, 3::numeric, 3::numeric, 0.5::numeric, 'eur', interval '30 days', null::text) $$,
  'as a grant of the same kind, for a month');
select is(pg_temp.left_of('soon'), '0', 'the ended grant stays ended');
select tests.pass_time(tests.account_of('owner'), '31 days');
select is((select balance from user_credits where user_id = tests.user_id('owner')), 10::numeric, 'and it ends as well');

-- an overdraft -----------------------------------------------------------------------------------------------
select set_credit_overdraft(10, tests.user_id('owner'));
create temp table e as select pg_temp.charge(16) as entry_no;
select is((pg_temp.refund((select entry_no from e), 2)).balance_after, -4::numeric, 'what an overdraft paid pays the overdraft');
select is((select overdraft_used from credit_accounts where id = tests.account_of('owner')), 4::numeric, 'back');
select grant_credits(tests.user_id('owner'), 4, source => 'topup');
select is((pg_temp.refund((select entry_no from e), 5)).balance_after, 5::numeric, 'that is paid already');
select results_eq(
  $$ select category, priority, remaining, expires_at from credit_grants
    where account_id = tests.account_of('owner') and source = 'refund' and status = 'active' $$,
  $$ values ('paid', 50::smallint, 4::numeric, null::timestamptz) $$, 'comes back as a paid grant without an end');
select is(pg_temp.left_of('never'), '1', 'and the rest to its grant');

-- a capture ---------------------------------------------------------------------------------------------------
select is((pg_temp.refund(c.entry_no)).amount, 2::numeric, 'a capture is refunded too')
from public.hold_credits(tests.user_id('owner'), 3) h, lateral public.capture_credit_hold(h.id, 2) c;
select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
