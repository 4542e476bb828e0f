-- Units: an owner has an account for each, and nothing turns one into another.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['ada', 'bob', 'boss', 'member', 'left', 'stranger', 'late', 'seal']) as name;
create function pg_temp.team() returns uuid language sql immutable as $$ select md5('strongroom units team')::uuid $$;
grant execute on function pg_temp.team() to authenticated;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role) values (pg_temp.team(), tests.user_id('boss'), 'owner'),
  (pg_temp.team(), tests.user_id('member'), 'member'), (pg_temp.team(), tests.user_id('left'), 'member');
insert into credit_units (unit, description) values ('images', 'Images to generate'), ('minutes', null);
insert into credit_prices (sku, unit, price, quantity_scale, credit_unit, effective_from) values
  ('t.text', 'message', 2, 0, 'credits', '2020-01-01'), ('t.image', 'image', 1, 0, 'images', '2020-01-01'),
  ('t.poster', 'poster', 3, 0, 'images', '2020-01-01'), ('t.call', 'minute', 1, 2, 'minutes', '2020-01-01');
create function pg_temp.totals(name text, unit text) returns text language sql stable as $$
  select concat_ws(' ', trim_scale(b.balance), trim_scale(b.held), trim_scale(b.available)) from public.credit_balances as b
  where b.user_id = tests.user_id(name) and b.unit = totals.unit
$$;
create function pg_temp.books() returns setof text language sql as $$
  select format('%s %s', r.problem, r.subject) from public.credit_accounts as a
  cross join lateral public.credit_reconciliation(a.id) as r
$$;

-- the units ------------------------------------------------------------------------------------------------------
select throws_ok($$ insert into credit_units (unit) values ('Images') $$, '23514', null, 'a unit has a plain name');
select throws_ok($$ insert into credit_prices (sku, unit, price, credit_unit) values ('t.x', 'x', 1, 'none') $$, '23503', null,
  'a price names a known unit');
select is(tests.attempt('service', $$ delete from credit_units where unit = 'minutes' $$), '42501', 'the service removes no unit');
select throws_ok($$ update credit_accounts set unit = 'images' where id = tests.account_of('ada') $$, '23514', null,
  'what an account counts never changes, not even for its owner');

-- grants ---------------------------------------------------------------------------------------------------------
select is(tests.account_of('ada', 'images'), null, 'who has nothing in a unit has no account in it');
select results_eq($$ select unit, amount, remaining from public.grant_credits(tests.user_id('ada'), 10, unit => 'images', idempotency_key => 'g') $$,
  $$ values ('images', 10::numeric, 10::numeric) $$, 'a grant opens it');
select results_eq($$ select unit, replayed from public.grant_credits(tests.user_id('ada'), 10, unit => 'images', idempotency_key => 'g') $$,
  $$ values ('images', true) $$, 'the same request again is the same grant');
select is(tests.refusal($$ select public.grant_credits(tests.user_id('ada'), 10, unit => 'credits', idempotency_key => 'g') $$),
  'PT422 idempotency_key_reused', 'in another unit it is another request');
select is(tests.refusal(format('select public.grant_credits(tests.user_id(''ada''), 10, unit => %L)', u)), 'PT422 unknown_unit',
  concat('no unit is called ', quote_nullable(u))) from unnest(array['gpus', '', 'IMAGES', null]) as u;
select is(tests.refusal($$ select public.grant_credits(gen_random_uuid(), 10, unit => 'images') $$), 'PT404 account_not_found',
  'nobody has no account in a unit either');
select public.grant_credits(tests.user_id('ada'), 5, external_reference => 'paid', unit => 'images');
select is(tests.refusal($$ select public.grant_credits(tests.user_id('ada'), 5, external_reference => 'paid') $$),
  'PT409 external_reference_used', 'one payment grants in one unit');
select is(pg_temp.totals('ada', 'images'), '15 0 15', 'what there is of it');
select is(pg_temp.totals('ada', 'credits'), '100 0 100', 'the credits are what they were');
select results_eq($$ select balance from user_credits where user_id = tests.user_id('ada') $$, $$ values (100::numeric) $$,
  'the view of credits has one row');
select is((select p.credits from profiles as p where p.id = tests.user_id('ada')), 100::numeric, 'the profile shows credits');
select results_eq($$ select unit, sum(remaining) from credit_grants where account_id in (tests.account_of('ada'),
  tests.account_of('ada', 'images')) group by unit order by unit $$, $$ values ('credits', 100::numeric), ('images', 15) $$,
  'the view of grants says what they are');

-- charges --------------------------------------------------------------------------------------------------------
select results_eq($$ select unit, amount, balance_after from public.deduct_credits(tests.user_id('ada'), 't.image', 2) $$,
  $$ values ('images', -2::numeric, 13::numeric) $$, 'a charge takes the unit of its price');
select results_eq($$ select unit, amount, balance_after from public.deduct_credits(tests.user_id('ada'), 't.text', 2) $$,
  $$ values ('credits', -4::numeric, 96::numeric) $$, 'whatever that is');
select results_eq($$ select unit, amount from public.deduct_credits(tests.user_id('ada'), amount => 1, unit => 'images', idempotency_key => 'd') $$,
  $$ values ('images', -1::numeric) $$, 'one by amount names it');
select results_eq($$ select unit, replayed from public.deduct_credits(tests.user_id('ada'), amount => 1, unit => 'images', idempotency_key => 'd') $$,
  $$ values ('images', true) $$, 'and is repeated in it');
select is((public.deduct_credits(tests.user_id('ada'), amount => 1)).unit, 'credits', 'or means credits');
select results_eq($$ select unit, amount from public.deduct_credits(tests.user_id('ada'),
    items => '[{"sku": "t.image", "quantity": 1}, {"sku": "t.poster", "quantity": 2}]') $$,
  $$ values ('images', -7::numeric) $$, 'items of one unit');
select is(tests.refusal(format('select public.deduct_credits(tests.user_id(''ada''), %s)', args)), code, args)
from (values
  ($$ items => '[{"sku": "t.image", "quantity": 1}, {"sku": "t.text", "quantity": 1}]' $$, 'PT422 unit_mismatch'),
  ($$ items => '[{"sku": "t.image", "quantity": 0}, {"sku": "t.text", "quantity": 1}]' $$, 'PT422 unit_mismatch'),
  ($$ 't.image', 1, unit => 'credits' $$, 'PT422 unit_mismatch'),
  ($$ items => '[{"sku": "t.text", "quantity": 1}]', unit => 'images' $$, 'PT422 unit_mismatch'),
  ($$ amount => 1, unit => 'gpus' $$, 'PT422 unknown_unit'),
  ($$ amount => 6, unit => 'images' $$, 'PT402 insufficient_credits'),
  ($$ amount => 1, unit => 'minutes' $$, 'PT402 insufficient_credits'),
  ($$ 't.call', 0.5 $$, 'PT402 insufficient_credits')) as x (args, code);
select is(tests.account_of('ada', 'minutes'), null, 'what is refused opens no account');
select is(pg_temp.totals('ada', 'images'), '5 0 5', 'nothing of it was charged');
select results_eq($$ select unit, sum(amount) from credit_transactions where account_id in (tests.account_of('ada'),
  tests.account_of('ada', 'images')) group by unit order by unit $$, $$ values ('credits', 95::numeric), ('images', 5) $$,
  'the view of entries says what they count');

-- quotes ---------------------------------------------------------------------------------------------------------
select results_eq($$ select unit, total, available, affordable from public.quote_credits('[{"sku": "t.poster", "quantity": 2}]', tests.user_id('ada')) $$,
  $$ values ('images', 6::numeric, 5::numeric, false) $$, 'a quote is in the unit of the prices');
select results_eq($$ select unit, total, available, affordable from public.quote_credits('[{"sku": "t.call", "quantity": 1}]', tests.user_id('ada')) $$,
  $$ values ('minutes', 1::numeric, 0::numeric, false) $$, 'of which there may be none');
select is(tests.refusal($$ select public.quote_credits('[{"sku": "t.call", "quantity": 1}]', gen_random_uuid()) $$),
  'PT404 account_not_found', 'nobody gets none');
select is(tests.refusal($$ select public.quote_credits('[{"sku": "t.call", "quantity": 1}, {"sku": "t.text", "quantity": 1}]',
  tests.user_id('ada')) $$), 'PT422 unit_mismatch', 'two units have no sum');

-- holds, captures, refunds ---------------------------------------------------------------------------------------
create temp table hold as select * from public.hold_credits(tests.user_id('ada'), 4, unit => 'images', idempotency_key => 'h');
select is((select unit from hold), 'images', 'a hold has a unit');
select results_eq($$ select unit, replayed from public.hold_credits(tests.user_id('ada'), 4, unit => 'images', idempotency_key => 'h') $$,
  $$ values ('images', true) $$, 'and is repeated in it');
select is((select unit from credit_holds where id = (select id from hold)), 'images', 'the view says so');
select is(pg_temp.totals('ada', 'images'), '5 4 1', 'it holds images');
select is(tests.refusal($$ select public.capture_credit_hold((select id from hold), items => '[{"sku": "t.text", "quantity": 1}]') $$),
  'PT422 unit_mismatch', 'and is captured in images');
select results_eq($$ select unit, amount from public.capture_credit_hold((select id from hold), items => '[{"sku": "t.poster", "quantity": 1}]') $$,
  $$ values ('images', -3::numeric) $$, 'for what is priced in them');
select results_eq($$ select unit, amount from public.refund_credits(tests.account_of('ada', 'images'), (
    select max(entry_no) from credit_transactions where account_id = tests.account_of('ada', 'images'))) $$,
  $$ values ('images', 3::numeric) $$, 'a refund gives images back');
select is((public.release_credit_hold(h.id)).unit, 'images', 'a released one too')
from public.hold_credits(tests.user_id('ada'), items => '[{"sku": "t.image", "quantity": 2}]') as h;
select is(tests.refusal($$ select public.hold_credits(tests.user_id('ada'), unit => 'credits', items => '[{"sku": "t.image", "quantity": 1}]') $$),
  'PT422 unit_mismatch', 'a hold cannot name another unit');
select is(pg_temp.totals('ada', 'images'), '5 0 5', 'nothing is lost');
select public.hold_credits(tests.user_id('late'), 1, unit => 'images', idempotency_key => 'h', expires_in => 60)
from public.grant_credits(tests.user_id('late'), 2, unit => 'images');
select tests.pass_time(tests.account_of('late', 'images'), '2 minutes');
select public.hold_credits(tests.user_id('late'), 1, unit => 'images', idempotency_key => 'h', expires_in => 60);
select is((select held from credit_accounts where id = tests.account_of('late', 'images')), 0::numeric,
  'a repeated request settles the account that it is about');
select public.void_credit_grant(g.id, 'test', 'Begins with nothing') from credit_grants as g where g.account_id = tests.account_of('late', 'images');

-- transfers ------------------------------------------------------------------------------------------------------
select results_eq($$ select unit, amount, balance_after from public.transfer_credits(2, tests.user_id('ada'),
    to_user_id => tests.user_id('bob'), unit => 'images') $$,
  $$ values ('images', 2::numeric, 3::numeric) $$, 'a transfer moves images');
select is(pg_temp.totals('bob', 'images'), '2 0 2', 'to an account that it opens');
select is(pg_temp.totals('bob', 'credits'), '100 0 100', 'not to that in credits');
select is(tests.refusal($$ select public.transfer_credits(9, tests.user_id('ada'), to_user_id => tests.user_id('bob'), unit => 'images') $$),
  'PT402 insufficient_credits', 'credits do not pay for it');
select is(tests.refusal($$ select public.transfer_credits(1, tests.user_id('ada'), to_user_id => tests.user_id('bob'), unit => 'gpus') $$),
  'PT422 unknown_unit', 'an unknown unit');
select is(tests.refusal($$ select public.transfer_credits(1, tests.user_id('ada'), to_user_id => gen_random_uuid(), unit => 'images') $$),
  'PT404 account_not_found', 'to nobody');
select is(tests.refusal($$ select public.transfer_credits(1, actor => 'user', user_id => tests.user_id('stranger'),
  from_user_id => tests.user_id('stranger'), to_team_id => pg_temp.team(), unit => 'images') $$), 'PT404 account_not_found', 'to another''s team');
select is_empty($$ select 1 from credit_accounts where team_id = pg_temp.team() and unit = 'images' $$, 'which gets no account by it');

-- teams: limits for each unit ------------------------------------------------------------------------------------
select is((public.transfer_credits(3, actor => 'user', user_id => tests.user_id('boss'), from_user_id => tests.user_id('boss'),
  to_team_id => pg_temp.team(), unit => 'images')).amount, 3::numeric, 'a member moves images to the team')
from public.grant_credits(tests.user_id('boss'), 3, unit => 'images');
select public.grant_credits(team_id => pg_temp.team(), amount => 97, unit => 'images');
select public.grant_credits(team_id => pg_temp.team(), amount => 100);
create function pg_temp.member(amount numeric, unit text default 'images') returns public.credit_entry language sql as $$
  select public.deduct_credits(tests.user_id('member'), amount => member.amount, team_id => pg_temp.team(), unit => member.unit)
$$;
create function pg_temp.spent() returns text language sql as $$
  select string_agg(concat_ws(' ', m.unit, trim_scale(m.spent), trim_scale(m.available)), ', ' order by m.unit) from public.team_member_balances as m
  where m.user_id = tests.user_id('member')
$$;
select is((pg_temp.member(5)).balance_after, 95::numeric, 'without a limit');
select is(pg_temp.spent(), 'credits 0, images 5', 'it is counted all the same');
select tests.authenticate_as('boss');
insert into credit_unit_limits (team_id, user_id, unit, credit_limit, period)
values (pg_temp.team(), tests.user_id('member'), 'images', 10, 'day'), (pg_temp.team(), tests.user_id('member'), 'minutes', 20, 'day')
on conflict (team_id, user_id, unit) do update set team_id = excluded.team_id, user_id = excluded.user_id, unit = excluded.unit,
  credit_limit = excluded.credit_limit, period = excluded.period;
select throws_ok($$ update credit_unit_limits set unit = 'minutes' where unit = 'images' $$, '23514', null, 'a limit stays with its unit');
select throws_ok($$ insert into credit_unit_limits (team_id, user_id, unit) values (pg_temp.team(), tests.user_id('member'), 'credits') $$,
  '23514', null, 'that in credits has a table of its own');
select throws_ok($$ insert into credit_unit_limits (team_id, user_id, unit) values (pg_temp.team(), tests.user_id('stranger'), 'images') $$,
  '23503', null, 'only members have limits');
select throws_ok($$ update credit_unit_limits set spent = 0 $$, '42501', null, 'nobody says what was spent');
update credit_member_limits set credit_limit = 50 where team_id = pg_temp.team() and user_id = tests.user_id('member');
select is((select string_agg(trim_scale(credit_limit)::text, ' ' order by unit) from credit_unit_limits), '10 20',
  'an app that knows only credits sets that limit alone');
select tests.authenticate_as('member');
select is((select count(*) from credit_unit_limits), 2::bigint, 'a member reads the own limits');
select is_empty($$ update credit_unit_limits set credit_limit = 100 returning 1 $$, 'and sets none');
select results_eq($$ select unit, balance from credit_balances where team_id is not null order by unit $$,
  $$ values ('credits', 100::numeric), ('images', 95) $$, 'a member reads the team''s balances');
select is((select count(*) from credit_units), 3::bigint, 'and the units');
select tests.authenticate_as('stranger');
select is_empty($$ select 1 from credit_unit_limits union all select 1 from credit_balances where team_id is not null
  union all select 1 from team_member_balances $$, 'a stranger reads none of it');
select tests.clear_authentication();
select public.grant_credits(team_id => pg_temp.team(), amount => 10, unit => 'minutes');
select pg_temp.member(6, 'minutes');
select is(pg_temp.spent(), 'credits 0 50, images 5 5, minutes 6 14', 'what was spent counts');
select is((pg_temp.member(5)).balance_after, 90::numeric, 'up to the limit');
select is(tests.refusal($$ select pg_temp.member(0.1) $$), 'PT402 member_limit_exceeded', 'and no further');
select is((pg_temp.member(1, 'credits')).balance_after, 99::numeric, 'the limit in credits is another');
select is(pg_temp.spent(), 'credits 1 49, images 10 0, minutes 6 14', 'each counts its own');
select results_eq($$ select unit, member_available, affordable from public.quote_credits('[{"sku": "t.image", "quantity": 1}]',
  tests.user_id('member'), pg_temp.team()) $$, $$ values ('images', 0::numeric, false) $$, 'a quote knows it');
select public.refund_credits(a.id, a.version) from credit_accounts as a where a.team_id = pg_temp.team() and a.unit = 'images';
select is(pg_temp.spent(), 'credits 1 49, images 5 5, minutes 6 14', 'a refund gives it back');
select public.hold_credits(tests.user_id('member'), 2, team_id => pg_temp.team(), unit => 'images', expires_in => 60);
select public.hold_credits(tests.user_id('member'), 3, team_id => pg_temp.team(), unit => 'images', expires_in => 60);
select is(pg_temp.spent(), 'credits 1 49, images 10 0, minutes 6 14', 'holds count');
select tests.pass_time(a.id, '2 minutes') from credit_accounts as a where a.team_id = pg_temp.team() and a.unit = 'images';
update credit_unit_limits set period_start = period_start - interval '3 minutes';
select is(pg_temp.spent(), 'credits 1 49, images 5 5, minutes 6 14', 'until they expire');
select is((pg_temp.member(5)).balance_after, 90::numeric, 'then it can be spent');
select is((select spent from credit_unit_limits where unit = 'images' and user_id = tests.user_id('member')), 10::numeric, 'also in the row itself');
update credit_unit_limits set period_start = period_start - interval '2 days';
select is((pg_temp.member(4)).balance_after, 86::numeric, 'a new day begins');
select is(pg_temp.spent(), 'credits 1 49, images 4 6, minutes 0 20', 'at 0');
-- A hold of yesterday, when the limit counted it.
create temp table of_yesterday as select h.id, tests.account_of('seal') as account_id, 0::bigint as entry_no
from public.hold_credits(tests.user_id('member'), 3, team_id => pg_temp.team(), unit => 'images', expires_in => 3600) as h;
update private.credit_holds set created_at = created_at - interval '1 day' where id = (select id from of_yesterday);
update credit_unit_limits set spent = 4 where unit = 'images' and user_id = tests.user_id('member');
update of_yesterday set (account_id, entry_no) = (select c.account_id, c.entry_no
  from public.capture_credit_hold(id, amount => 5, allow_overage => true) as c);
select is(pg_temp.spent(), 'credits 1 49, images 6 4, minutes 0 20', 'a capture today counts what it charges beyond the hold of yesterday');
select public.refund_credits(account_id, entry_no, 1) from of_yesterday;
select is(pg_temp.spent(), 'credits 1 49, images 5 5, minutes 0 20', 'a refund gives back what was counted today');
select public.refund_credits(account_id, entry_no, 3) from of_yesterday;
select is(pg_temp.spent(), 'credits 1 49, images 4 6, minutes 0 20', 'and no more than that');
select public.refund_credits(account_id, entry_no) from of_yesterday;
select is(pg_temp.spent(), 'credits 1 49, images 4 6, minutes 0 20', 'the rest is of yesterday');
insert into of_yesterday select h.id from public.hold_credits(tests.user_id('member'), 2, team_id => pg_temp.team(), unit => 'images') as h;
update private.credit_holds set created_at = created_at - interval '1 day', expires_at = expires_at - interval '1 day'
where id = (select id from of_yesterday where entry_no is null);
update credit_accounts set next_due_at = next_due_at - interval '1 day' where team_id = pg_temp.team() and unit = 'images';
update credit_unit_limits set spent = 4 where unit = 'images' and user_id = tests.user_id('member');
select public.refund_credits(c.account_id, c.entry_no, 1) from of_yesterday as o
cross join public.capture_credit_hold(o.id, amount => 2, message_id => 'late') as c where o.entry_no is null;
select is(pg_temp.spent(), 'credits 1 49, images 5 5, minutes 0 20', 'what an expired hold is charged was counted then, not when it was held');
delete from team_members where user_id = tests.user_id('left');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('left'), amount => 1, team_id => pg_temp.team(), unit => 'images') $$),
  'PT404 account_not_found', 'who has left pays with nothing of the team''s');

-- overdraft and alerts -------------------------------------------------------------------------------------------
select results_eq($$ select unit, overdraft_limit, available from public.set_credit_overdraft(7, tests.user_id('late'), unit => 'images') $$,
  $$ values ('images', 7::numeric, 7::numeric) $$, 'an overdraft is of a unit');
select is((public.deduct_credits(tests.user_id('late'), amount => 5, unit => 'images')).balance_after, -5::numeric, 'and used in it');
select is(pg_temp.totals('late', 'credits'), '100 0 100', 'while there are credits');
select is((public.grant_credits(tests.user_id('late'), 20, unit => 'images')).remaining, 15::numeric, 'a grant in the unit repays it');
select is((public.set_credit_alert(12, tests.user_id('late'), unit => 'images')).unit, 'images', 'so is an alert');
select public.deduct_credits(tests.user_id('late'), amount => 99);
select is_empty($$ select 1 from credit_alerts where account_id in (tests.account_of('late'), tests.account_of('late', 'images')) $$,
  'credits raise none');
select public.deduct_credits(tests.user_id('late'), amount => 11, unit => 'images');
select results_eq($$ select unit, threshold, available from credit_alerts where account_id = tests.account_of('late', 'images') $$,
  $$ values ('images', 12::numeric, 11::numeric) $$, 'images do, and it says so');

-- time -----------------------------------------------------------------------------------------------------------
select public.grant_credits(tests.user_id('late'), 40, unit => 'images', expires_at => now() + interval '1 hour');
select tests.pass_time(tests.account_of('late', 'images'), '2 hours');
select is(pg_temp.totals('late', 'images'), '4 0 11', 'a grant that has ended is not counted');
select is(tests.settle_due_credits() > 0, true, 'the cleanup posts it');
select is((select kind || ' ' || trim_scale(amount) from credit_transactions where account_id = tests.account_of('late', 'images')
  order by entry_no desc limit 1), 'expire -40', 'in its unit');

-- statements -----------------------------------------------------------------------------------------------------
select results_eq($$ select unit, charged, refunded, transferred, closing_balance from public.credit_statement(
    date_trunc('month', now() at time zone 'UTC')::date, tests.user_id('ada'), unit => 'images') $$,
  $$ values ('images', -13::numeric, 3::numeric, -2::numeric, 3::numeric) $$, 'a statement is of one account');
select is((public.credit_statement(date_trunc('month', now() at time zone 'UTC')::date, tests.user_id('ada'))).unit, 'credits',
  'in credits unless it says otherwise');
select is(tests.refusal($$ select public.credit_statement('2026-01-01', tests.user_id('ada'), unit => 'gpus') $$), 'PT422 unknown_unit', 'in a known unit');
select is((public.credit_statement('2026-01-01', tests.user_id('ada'), unit => 'minutes')).entry_count, 0::bigint, 'which may be empty');

-- seals and reconciliation ---------------------------------------------------------------------------------------
select is_empty($$ select pg_temp.books() $$, 'the books agree');
select is((select sum(amount) from credit_transactions where kind = 'transfer' and unit = u), 0::numeric, 'transfers of ' || u || ' balance')
from unnest(array['images']) as u;
select public.grant_credits(tests.user_id('seal'), 3, unit => 'images');
select private.seal_entries(a.id, 0, 100) from credit_accounts as a;
select is((public.verify_credit_ledger(tests.account_of('seal', 'images'))).problem, null, 'the books are sealed');
select results_eq($$ select unit from credit_ledger_heads where user_id = tests.user_id('seal') order by unit $$,
  $$ values ('credits'), ('images') $$, 'each with its head');
alter table credit_accounts disable trigger user;
create temp table damaged as select a.id, x.id as other from credit_accounts as a, credit_accounts as x
where a.id = tests.account_of('bob', 'images') and x.id = tests.account_of('seal', 'images');
update credit_accounts set unit = 'minutes' where id in (select id from damaged union all select other from damaged);
select is((public.verify_credit_ledger((select other from damaged))).entry_no, 1::bigint, 'images that the owner of the database makes minutes show it');
select results_eq($$ select r.problem, r.subject from damaged as d cross join lateral credit_reconciliation(d.id) as r $$,
  $$ values ('transfers', 'unit of entry 1') $$, 'a transfer between two units does not balance');

select * from finish();
rollback;
