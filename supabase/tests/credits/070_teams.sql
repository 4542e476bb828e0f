-- Teams: an account of their own, members with limits, and who sees what of it.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['boss', 'admin', 'member', 'other', 'stranger']) as name;
create function pg_temp.team() returns uuid language sql immutable as $$ select md5('strongroom test team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role) values
  (pg_temp.team(), tests.user_id('boss'), 'owner'), (pg_temp.team(), tests.user_id('admin'), 'admin'),
  (pg_temp.team(), tests.user_id('member'), 'member'), (pg_temp.team(), tests.user_id('other'), 'member');
insert into credit_prices (sku, unit, price) values ('msg', 'message', 5);

create function pg_temp.account() returns uuid language sql stable as $$
  select id from public.credit_accounts where team_id = pg_temp.team()
$$;
create function pg_temp.deduct(name text, amount numeric, key text default null) returns public.credit_entry language sql as $$
  select public.deduct_credits(tests.user_id(name), amount => deduct.amount, idempotency_key => key, team_id => pg_temp.team())
$$;
create function pg_temp.spent(name text) returns text language sql as $$
  select format('%s of %s', trim_scale(spent), trim_scale(credit_limit)) from public.team_member_credits
  where team_id = pg_temp.team() and user_id = tests.user_id(name)
$$;
grant execute on function pg_temp.spent(text), pg_temp.team(), pg_temp.account() to authenticated;

-- the account -----------------------------------------------------------------------------------------------
select is((select balance from credit_accounts where team_id = pg_temp.team()), 0::numeric, 'a team has an account from the start');
select is((select count(*) from credit_member_limits where team_id = pg_temp.team() and credit_limit is null), 4::bigint,
  'each member has a row, without a limit');
select is((public.grant_credits(team_id => pg_temp.team(), amount => 100)).amount, 100::numeric, 'a team gets credits');
select results_eq($$ select amount, balance_after, actor_id from pg_temp.deduct('member', 10) $$,
  $$ values (-10::numeric, 90::numeric, tests.user_id('member')) $$, 'a member spends them, by name');
select is((select balance from user_credits where user_id = tests.user_id('member')), 100::numeric, 'and not their own');
select is((public.deduct_credits(tests.user_id('member'), 'msg', 2, actor => 'user', team_id => pg_temp.team())).amount,
  -10::numeric, 'at the price list, when they ask themselves');
select is((public.deduct_credits(team_id => pg_temp.team(), amount => 1)).actor_id, null, 'the service spends for the team as such');
select is(tests.refusal($$ select pg_temp.deduct('stranger', 1) $$), 'PT404 account_not_found', 'a stranger does not');
select is(tests.refusal($$ select public.deduct_credits(team_id => pg_temp.team(), amount => 1, actor => 'user') $$),
  'PT422 invalid_charge', 'nor does a user without a name');
select is(tests.refusal($$ select public.deduct_credits(team_id => gen_random_uuid(), amount => 1) $$),
  'PT404 account_not_found', 'no team');
select is((pg_temp.deduct('member', 1, 'k')).replayed or (pg_temp.deduct('other', 1, 'k')).replayed, false,
  'a key is one member''s');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('member'), amount => 1, idempotency_key => 'k') $$),
  'PT422 idempotency_key_reused', 'and for one account');

-- limits --------------------------------------------------------------------------------------------------
select tests.authenticate_as('member');
select is_empty($$ update credit_member_limits set credit_limit = 1000 returning 1 $$, 'a member sets no limit');
select tests.authenticate_as('stranger');
select is_empty($$ select 1 from credit_member_limits union all select 1 from team_credits $$, 'a stranger sees none');
select tests.authenticate_as('admin');
select throws_ok($$ update credit_member_limits set spent = 0 $$, '42501', null, 'nobody says what was spent');
select throws_ok($$ update credit_member_limits set credit_limit = -1 $$, '23514', null, 'a limit is not negative');
select throws_ok($$ update credit_member_limits set period = 'year' $$, '23514', null, 'nor for a year');
update credit_member_limits set credit_limit = 30 where user_id = tests.user_id('member');
select is(pg_temp.spent('member'), '21 of 30', 'an admin sets one, and what was spent counts');
select tests.clear_authentication();
select is(tests.refusal($$ select pg_temp.deduct('member', 9.0001) $$), 'PT402 member_limit_exceeded', 'a member is held to it');
select is((pg_temp.deduct('other', 20)).balance_after, 57::numeric, 'others are not');
select is(tests.refusal($$ select public.hold_credits(tests.user_id('member'), 10, team_id => pg_temp.team()) $$),
  'PT402 member_limit_exceeded', 'a hold counts as well');
create temp table h as select * from public.hold_credits(tests.user_id('member'), 5, expires_in => 60, team_id => pg_temp.team());
select is(pg_temp.spent('member'), '26 of 30', 'as soon as it holds');
select is(tests.refusal(format('select capture_credit_hold(%L, 10, allow_overage => true)', id)), 'PT402 member_limit_exceeded',
  'and so does an overage') from h;
select is((capture_credit_hold(id, 2)).amount, -2::numeric, 'what a capture leaves') from h;
select is(pg_temp.spent('member'), '23 of 30', 'is theirs again');
create temp table h2 as select * from public.hold_credits(tests.user_id('member'), 5, team_id => pg_temp.team());
select is((release_credit_hold(id)).status, 'released', 'what a release gives back') from h2;
select is(pg_temp.spent('member'), '23 of 30', 'too');
create temp table h3 as select * from public.hold_credits(tests.user_id('member'), 5, expires_in => 60, team_id => pg_temp.team());
select tests.pass_time(pg_temp.account(), '2 minutes');
update credit_member_limits set period_start = period_start - interval '2 minutes';
select is(pg_temp.spent('member'), '23 of 30', 'and what an expired hold held, when it is read') ;
select is((public.refund_credits(pg_temp.account(), 2)).amount, 10::numeric, 'a refund') ;
select is(pg_temp.spent('member'), '13 of 30', 'gives back as well');
select is((select spent from credit_member_limits where user_id = tests.user_id('member')), 13::numeric, 'also in the row itself');
update credit_member_limits set period_start = period_start - interval '2 months';
select is(pg_temp.spent('member'), '0 of 30', 'a new period begins at nothing');
select is((pg_temp.deduct('member', 30)).amount, -30::numeric, 'and the limit is there again');
select is(pg_temp.spent('member'), '30 of 30', 'once');
select results_eq($$ select affordable, total, member_available
    from public.quote_credits('[{"sku": "msg", "quantity": 1}]', tests.user_id('member'), pg_temp.team()) $$,
  $$ values (false, 5::numeric, 0::numeric) $$, 'a quote knows the limit');
select results_eq($$ select affordable, total, member_available
    from public.quote_credits('[{"sku": "msg", "quantity": 1}]', tests.user_id('other'), pg_temp.team()) $$,
  $$ values (true, 5::numeric, null::numeric) $$, 'and who has none');
select is(tests.refusal($$ select public.quote_credits('[{"sku": "msg", "quantity": 1}]', tests.user_id('stranger'), pg_temp.team()) $$),
  'PT404 account_not_found', 'a stranger gets no quote');
select is(extract(isodow from private.credit_period_start('week', now())), 1::numeric, 'a week begins on Monday');

-- who sees what ---------------------------------------------------------------------------------------------
create function pg_temp.seen(name text) returns text language plpgsql as $$
declare
  v_seen text;
begin
  perform tests.authenticate_as(name);
  select format('%s %s %s %s %s',
    (select count(*) from public.team_credits), (select count(*) from public.credit_transactions where account_id = pg_temp.account()),
    (select count(*) from public.credit_holds where account_id = pg_temp.account()),
    (select count(*) from public.credit_grants where account_id = pg_temp.account()),
    (select count(*) from public.credit_member_limits)) into v_seen;
  perform tests.clear_authentication();
  return v_seen;
end $$;
create temp table all_of_it as
select format('1 %s %s 1 4', (select count(*) from credit_transactions where account_id = pg_temp.account()),
  (select count(*) from credit_holds where account_id = pg_temp.account())) as seen;
select is(pg_temp.seen('boss'), (select seen from all_of_it), 'owners see all');
select is(pg_temp.seen('admin'), (select seen from all_of_it), 'so do admins');
select is(pg_temp.seen('member'), format('1 %s 3 0 1', (select count(*) from credit_transactions
  where account_id = pg_temp.account() and actor_id = tests.user_id('member'))), 'a member sees the balance and their own');
select is(pg_temp.seen('stranger'), '0 0 0 0 0', 'a stranger sees nothing');
select tests.authenticate_as('member');
select is((select balance from team_credits), (credit_balance_at((select account_id from team_credits), now() + interval '1 minute')),
  'a member may ask for the balance at a time');
select tests.authenticate_as('stranger');
select is(tests.refusal(format('select credit_balance_at(%L, now())', md5('none')::uuid)), 'PT404 account_not_found', 'a stranger may not');
select tests.clear_authentication();

delete from team_members where user_id = tests.user_id('member');
select is_empty($$ select 1 from credit_member_limits where user_id = tests.user_id('member') $$, 'who leaves has no limit any more');
select is(pg_temp.seen('member'), '0 0 0 0 0', 'and sees nothing');
select is(tests.refusal($$ select pg_temp.deduct('member', 1) $$), 'PT404 account_not_found', 'and spends nothing');
select is_empty($$ select * from public.credit_reconciliation() $$, 'the books agree');
delete from teams where id = pg_temp.team();
select is(pg_temp.account(), null, 'the account goes with the team');
select is_empty($$ select 1 from private.idempotency_keys where owner_id = pg_temp.team() $$, 'and its keys');

select * from finish();
rollback;
