-- What an account had at a time, its statement of a month, and the books when they do not agree.

begin;
select no_plan();
select tests.create_user('owner');
select tests.create_user('other');
create temp table t as select tests.account_of('owner') as id;
grant select on t to authenticated, service_role;

select deduct_credits(tests.user_id('owner'), amount => 10);
select tests.pass_time((select id from t), '1 day');
select deduct_credits(tests.user_id('owner'), amount => 20, description => 'Later');
select grant_credits(tests.user_id('owner'), 5, expires_at => now() + interval '1 hour');
select tests.pass_time((select id from t), '1 day');
create function pg_temp.at(ago interval) returns numeric language sql as $$
  select trim_scale(public.credit_balance_at((select id from t), now() - ago))
$$;

-- credit_balance_at -----------------------------------------------------------------------------------------
select is(pg_temp.at('3 days'), 0::numeric, 'before the first entry there is nothing');
select is(pg_temp.at('36 hours'), 90::numeric, 'after the second what it left');
select is(pg_temp.at('23.5 hours'), 75::numeric, 'after the fourth what that left');
select is(pg_temp.at('22 hours'), 70::numeric, 'a grant has ended, though it is not posted');
select is(pg_temp.at('-1 day'), 70::numeric, 'and will have tomorrow');
select tests.settle_due_credits();
select is(pg_temp.at('23.5 hours'), 75::numeric, 'posting it');
select is(pg_temp.at('22 hours'), 70::numeric, 'changes nothing of that');
-- Two may have one moment, where the clock is coarse.
select is_empty($$ select x.entry_no from credit_accounts a join credit_transactions x on x.account_id = a.id
    where a.id = (select id from t) and private.last_entry_no(a, x.created_at) <> (select max(y.entry_no) from credit_transactions y
      where y.account_id = a.id and y.created_at <= x.created_at) $$, 'the newest entry at a moment is found, its own included');
select is(tests.refusal($$ select credit_balance_at((select id from t), null) $$), 'PT422 invalid_time', 'no time');
select is(tests.refusal($$ select credit_balance_at((select id from t), 'infinity') $$), 'PT422 invalid_time', 'no end');
select is(tests.refusal($$ select credit_balance_at(null, now()) $$), 'PT404 account_not_found', 'no account');
select tests.authenticate_as('owner');
select is(trim_scale(credit_balance_at((select id from t), now())), 70::numeric, 'the owner asks');
select tests.authenticate_as('other');
select is(tests.refusal($$ select credit_balance_at((select id from t), now()) $$), 'PT404 account_not_found', 'another does not');
select tests.authenticate_as_service();
select is(trim_scale(credit_balance_at((select id from t), now())), 70::numeric, 'the service asks');
select tests.clear_authentication();

-- credit_statement --------------------------------------------------------------------------------------------
create function pg_temp.month(ago int) returns date language sql as $$
  select (date_trunc('month', now(), 'UTC') at time zone 'UTC' - ago * interval '1 month')::date
$$;
create function pg_temp.statement(ago int, after bigint default 0, page_size int default 1000) returns public.credit_statement
language sql as $$
  select public.credit_statement(pg_temp.month(ago), tests.user_id('owner'), after => statement.after, page_size => statement.page_size)
$$;
-- To the middle of last month: all in one.
select tests.pass_time((select id from t),
  now() - (date_trunc('month', now(), 'UTC') - interval '15 days'));
select results_eq(
  $$ select opening_balance, closing_balance, granted, charged, refunded, expired, voided, entry_count,
      jsonb_array_length(entries), next_after, month = to_char(pg_temp.month(1), 'YYYY-MM') from pg_temp.statement(1) $$,
  $$ values (0::numeric, 70::numeric, 105::numeric, -30::numeric, 0::numeric, -5::numeric, 0::numeric, 5::bigint, 5, null::bigint, true) $$,
  'a month in sums that lead from opening to closing');
select is((select string_agg(e.value ->> 'entry_no', ' ') || s.next_after
    from pg_temp.statement(1, 1, 2) s cross join jsonb_array_elements(s.entries) e group by s.next_after), '2 33', 'a page of it');
select is((pg_temp.statement(1, 3, 2)).next_after, null, 'and the last one');
select is((pg_temp.statement(1, 9223372036854775807)).entries, '[]', 'nothing is behind it');
select results_eq($$ select opening_balance, closing_balance, entry_count, entries from pg_temp.statement(2) $$,
  $$ values (0::numeric, 0::numeric, 0::bigint, '[]'::jsonb) $$, 'the month before is empty');
select deduct_credits(tests.user_id('owner'), amount => 1);
select results_eq($$ select opening_balance, closing_balance, charged, entries -> 0 ->> 'description' from pg_temp.statement(0) $$,
  $$ values (70::numeric, 69::numeric, -1::numeric, null::text) $$, 'this month begins where that one ended');
select is(tests.refusal(format('select credit_statement(%s)', x.arguments)), x.code, x.arguments)
from (values
  ($$ null, tests.user_id('owner') $$, 'PT422 invalid_statement'),
  ($$ '2026-01-02', tests.user_id('owner') $$, 'PT422 invalid_statement'),
  ($$ 'infinity', tests.user_id('owner') $$, 'PT422 invalid_statement'),
  ($$ '1999-01-01', tests.user_id('owner') $$, 'PT422 invalid_statement'),
  ($$ '2026-01-01', tests.user_id('owner'), page_size => 1001 $$, 'PT422 invalid_statement'),
  ($$ '2026-01-01', tests.user_id('owner'), after => null $$, 'PT422 invalid_statement'),
  ($$ '2026-01-01', actor => 'user' $$, 'PT422 invalid_statement'),
  ($$ '2026-01-01', tests.user_id('nobody') $$, 'PT404 account_not_found')
) as x (arguments, code);

-- credit_reconciliation ----------------------------------------------------------------------------------------
-- A grant that is not the head, whose row says what it has.
select grant_credits(tests.user_id('owner'), 3, priority => 90);
select hold_credits(tests.user_id('owner'), 10);
select capture_credit_hold((hold_credits(tests.user_id('owner'), 5)).id);
select refund_credits((select id from t), 2, 1);
select is_empty($$ select * from credit_reconciliation() $$, 'the books of all accounts agree');
alter table private.credit_transactions disable trigger user;
alter table private.credit_transactions drop constraint credit_transactions_entry_check;
alter table credit_accounts drop constraint credit_accounts_covered_check;
alter table private.credit_refunds drop constraint credit_refunds_refunded_check;

-- What is reported when a statement damages the books; undone at once.
create function pg_temp.found(damage text) returns text language plpgsql as $$
declare
  v_found text;
begin
  begin
    execute replace(damage, '$id', quote_literal((select id from t)));
    select string_agg(distinct r.problem, ' ' order by r.problem) into v_found from public.credit_reconciliation() as r
    where r.account_id = (select id from t);
    raise exception using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    return v_found;
  end;
end $$;
select is(pg_temp.found(x.damage), x.problems, x.damage)
from (values
  ('update credit_accounts set balance = balance + 1 where id = $id', 'balance'),
  ('update credit_accounts set held = held + 1 where id = $id', 'holds'),
  ('update credit_accounts set overdraft_limit = 5, overdraft_held = 1 where id = $id', 'holds'),
  ('update credit_accounts set overdraft_limit = 5, overdraft_used = 1 where id = $id', 'balance overdraft'),
  ('update credit_accounts set version = version + 1 where id = $id', 'numbering'),
  ('update credit_accounts set next_due_at = null where id = $id', 'due'),
  ('update credit_accounts set next_due_at = next_due_at + interval ''1 day'' where id = $id', 'due'),
  ('delete from private.credit_transactions where account_id = $id and entry_no = 4', 'balance entries grants numbering'),
  ('update private.credit_transactions set amount = amount - 1 where account_id = $id and entry_no = 4', 'balance entries grants'),
  ('update private.credit_transactions set balance_after = 0 where account_id = $id and entry_no = 4', 'entries'),
  ('update private.credit_transactions set created_at = now() where account_id = $id and entry_no = 4', 'dates'),
  ('update private.credit_transactions set allocations = ''[]'', grant_id = null where account_id = $id and entry_no = 4', 'entries grants'),
  ('update private.credit_transactions set grant_id = gen_random_uuid()
    where account_id = $id and entry_no = 4', 'grants'),
  ('update private.credit_transactions set grant_id = null, allocations = jsonb_build_array(private.credit_allocation(null, amount))
    where account_id = $id and entry_no = 4', 'grants overdraft'),
  ('insert into private.credit_transactions (account_id, entry_no, kind, amount, balance_after, actor, created_at)
    values ($id, 99, ''grant'', 1, 1, ''system'', clock_timestamp())', 'balance entries numbering'),
  ('update credit_accounts set head_free = head_free - 1 where id = $id', 'balance grants'),
  ('update credit_accounts set head_free = head_free - 1, head_held = head_held + 1 where id = $id', 'grants'),
  ('update credit_accounts set head_grant_id = null where id = $id', 'head'),
  ('update credit_accounts set head_grant_id = gen_random_uuid() where id = $id', 'head'),
  ('update credit_accounts set open_holds = open_holds + 1 where id = $id', 'counters'),
  ('update credit_accounts set live_grants = live_grants - 1 where id = $id', 'counters'),
  ('update credit_accounts set pending = pending + 1 where id = $id', 'counters'),
  ('update private.credit_grants set remaining = remaining - 1 where account_id = $id and priority = 90', 'balance grants'),
  ('update private.credit_grants set held = held + 1 where account_id = $id and priority = 90', 'grants'),
  ('update private.credit_grants set status = ''expired'', remaining = held where account_id = $id and priority = 90',
    'balance counters grants'),
  ('update private.credit_grants set status = ''expired'', remaining = held
    where id = (select head_grant_id from credit_accounts where id = $id)', 'counters head'),
  ('delete from private.credit_grants where account_id = $id and priority = 90', 'balance counters grants'),
  ('update private.credit_holds set amount = amount + 1 where account_id = $id', 'grants holds'),
  ('delete from private.credit_holds where account_id = $id', 'counters grants holds'),
  ('update private.credit_transactions set hold_id = null where account_id = $id and kind = ''capture''', 'holds'),
  ('update private.credit_transactions set hold_id = gen_random_uuid() where account_id = $id and entry_no = 4', 'holds'),
  ('update private.credit_refunds set refunded = 2 where account_id = $id', 'refunds'),
  ('update private.credit_refunds set charged = 99 where account_id = $id', 'refunds'),
  ('delete from private.credit_refunds where account_id = $id', 'refunds')
) as x (damage, problems);
select is_empty($$ select * from credit_reconciliation() $$, 'nothing of it stayed');
select is_empty($$ select * from credit_reconciliation(tests.account_of('other')) $$, 'one account can be looked at alone');

select * from finish();
rollback;
