-- Transfers: between two accounts, in two entries that name each other, and nothing changes but the owner.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user(name) from unnest(array['giver', 'taker', 'boss', 'member', 'stranger']) as name;
create function pg_temp.team() returns uuid language sql immutable as $$ select md5('strongroom transfer team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role) values
  (pg_temp.team(), tests.user_id('boss'), 'owner'), (pg_temp.team(), tests.user_id('member'), 'member');
create function pg_temp.team_account() returns uuid language sql stable as $$
  select id from public.credit_accounts where team_id = pg_temp.team()
$$;

create function pg_temp.move(amount numeric, key text default null, reason text default null)
returns public.credit_transfer language sql as $$
  select public.transfer_credits(move.amount, from_user_id => tests.user_id('giver'), to_user_id => tests.user_id('taker'),
    description => reason, idempotency_key => key)
$$;
create function pg_temp.by(name text, amount numeric, from_user text default null, to_user text default null)
returns public.credit_transfer language sql as $$
  select public.transfer_credits(by.amount, actor => 'user', user_id => tests.user_id(name),
    from_user_id => case when from_user is not null then tests.user_id(from_user) end,
    from_team_id => case when from_user is null then pg_temp.team() end,
    to_user_id => case when to_user is not null then tests.user_id(to_user) end,
    to_team_id => case when to_user is null then pg_temp.team() end)
$$;
create function pg_temp.books() returns setof text language sql as $$
  select format('%s %s %s', r.problem, r.subject, a.id) from public.credit_accounts as a
  cross join lateral public.credit_reconciliation(a.id) as r
  where a.user_id in (tests.user_id('giver'), tests.user_id('taker'), tests.user_id('boss'), tests.user_id('member'))
    or a.team_id = pg_temp.team()
$$;
select public.grant_credits(tests.user_id('giver'), 10, priority => 1, category => 'promotional', source => 'gift',
  expires_at => now() + interval '10 days', description => 'A gift');
select public.grant_credits(tests.user_id('giver'), 10, priority => 2, cost_basis => 0.5, currency => 'eur');

-- what moves -------------------------------------------------------------------------------------------------
select results_eq($$ select from_entry_no, to_entry_no, amount, balance_after, description, replayed
    from pg_temp.move(16, 'k', 'Shared') $$,
  $$ values (3::bigint, 1::bigint, 16::numeric, 4::numeric, 'Shared', false) $$, 'a transfer');
select results_eq($$ select category, amount, remaining, priority, status, source, cost_basis, currency, description,
    expires_at is not null from credit_grants where account_id = tests.account_of('taker') order by priority $$,
  $$ values ('promotional', 10::numeric(15, 4), 10::numeric(15, 4), 1::smallint, 'active', 'transfer', null::numeric(18, 6), null, 'A gift', true),
    ('paid', 6, 6, 2::smallint, 'active', 'transfer', 0.5, 'eur', null, false) $$, 'the grants keep what they are');
select results_eq($$ select expires_at, effective_at from credit_grants where account_id = tests.account_of('taker') $$,
  $$ select expires_at, effective_at from credit_grants where account_id = tests.account_of('giver') $$,
  'when they begin and end as well');
select results_eq($$ select kind, amount, balance_after, description, actor, counterpart from credit_transactions
    where (account_id, entry_no) in ((tests.account_of('giver'), 3), (tests.account_of('taker'), 1)) order by amount $$,
  $$ values ('transfer', -16::numeric, 4::numeric, 'Shared', 'service',
      jsonb_build_object('account_id', tests.account_of('taker'), 'entry_no', 1)),
    ('transfer', 16, 16, 'Shared', 'service', jsonb_build_object('account_id', tests.account_of('giver'), 'entry_no', 3)) $$,
  'two entries name each other');
select is((select sum(amount) from credit_transactions where kind = 'transfer'
    and account_id in (tests.account_of('giver'), tests.account_of('taker'))), 0::numeric, 'and balance');
select is_empty($$ select pg_temp.books() $$, 'the books agree');
select is((public.deduct_credits(tests.user_id('taker'), amount => 11)).balance_after, 5::numeric, 'they are spent');
select is((select string_agg(trim_scale(remaining)::text, ' ' order by priority) from credit_grants
    where account_id = tests.account_of('taker')), '0 5', 'in the same order');

-- repeats and refusals -----------------------------------------------------------------------------------------
select results_eq($$ select from_entry_no, to_entry_no, replayed from pg_temp.move(16, 'k', 'Shared') $$,
  $$ values (3::bigint, 1::bigint, true) $$, 'a repeat moves nothing');
select is(tests.refusal($$ select pg_temp.move(15, 'k', 'Shared') $$), 'PT422 idempotency_key_reused', 'another request with the key');
select is(tests.refusal($$ select pg_temp.move(4.0001) $$), 'PT402 insufficient_credits', 'more than there is');
select is(tests.refusal($$ select pg_temp.move(0) $$), 'PT422 invalid_amount', 'nothing');
select is(tests.refusal($$ select pg_temp.move(-1) $$), 'PT422 invalid_amount', 'less than nothing');
select is(tests.refusal($$ select pg_temp.move('NaN') $$), 'PT422 invalid_amount', 'no number');
select is(tests.refusal($$ select pg_temp.move(null) $$), 'PT422 invalid_amount', 'no amount');
select is(tests.refusal($$ select pg_temp.move(1, reason => '') $$), 'PT422 invalid_transfer', 'an empty description');
select is(tests.refusal($$ select pg_temp.move(1, '') $$), 'PT400 invalid_idempotency_key', 'an empty key');
select is(tests.refusal($$ select public.transfer_credits(1, from_user_id => tests.user_id('giver')) $$),
  'PT422 invalid_transfer', 'to nobody');
select is(tests.refusal($$ select public.transfer_credits(1, to_user_id => tests.user_id('giver')) $$),
  'PT422 invalid_transfer', 'from nobody');
select is(tests.refusal($$ select public.transfer_credits(1, tests.user_id('giver'), pg_temp.team(), tests.user_id('taker')) $$),
  'PT422 invalid_transfer', 'from two');
select is(tests.refusal($$ select public.transfer_credits(1, from_user_id => tests.user_id('giver'),
  to_user_id => tests.user_id('giver')) $$), 'PT422 invalid_transfer', 'to oneself');
select is(tests.refusal($$ select public.transfer_credits(1, from_user_id => tests.user_id('giver'),
  to_user_id => gen_random_uuid()) $$), 'PT404 account_not_found', 'to no account');
select is(tests.refusal($$ select public.transfer_credits(1, from_user_id => gen_random_uuid(),
  to_user_id => tests.user_id('giver')) $$), 'PT404 account_not_found', 'from no account');
select is(tests.refusal($$ select public.transfer_credits(1, from_user_id => tests.user_id('giver'),
  to_user_id => tests.user_id('taker'), actor => 'user') $$), 'PT422 invalid_transfer', 'by a user without a name');
select is((select count(*) from credit_transactions where account_id = tests.account_of('giver')), 3::bigint,
  'a refused transfer leaves nothing');

-- held credits and the overdraft -----------------------------------------------------------------------------------
select public.set_credit_overdraft(100, tests.user_id('giver'));
select is((public.hold_credits(tests.user_id('giver'), 3)).amount, 3::numeric, 'three of four are held');
select is(tests.refusal($$ select pg_temp.move(1.0001) $$), 'PT402 insufficient_credits', 'what is held stays, and the overdraft');
select is((pg_temp.move(1)).balance_after, 3::numeric, 'the rest moves');
select is(tests.refusal($$ select pg_temp.move(0.0001) $$), 'PT402 insufficient_credits', 'then there is none');
select public.set_credit_overdraft(50, tests.user_id('taker'));
select is((public.deduct_credits(tests.user_id('taker'), amount => 16)).balance_after, -10::numeric, 'the other is overdrawn');
select public.grant_credits(tests.user_id('giver'), 30);
select is((pg_temp.move(25)).amount, 25::numeric, 'a transfer');
select results_eq($$ select balance, overdraft_used from credit_accounts where id = tests.account_of('taker') $$,
  $$ values (15::numeric, 0::numeric) $$, 'repays the overdraft');
select is_empty($$ select pg_temp.books() $$, 'the books agree');

-- limits of the account that receives --------------------------------------------------------------------------------
update private.settings set value = 100 where name = 'credits.live_grants';
select public.grant_credits(tests.user_id('taker'), 0.0001)
from generate_series(1, 100 - (select live_grants from credit_accounts where id = tests.account_of('taker')));
select public.grant_credits(tests.user_id('giver'), 5, priority => 0, source => 'new terms');
select is(tests.refusal($$ select pg_temp.move(1) $$), 'PT409 too_many_grants', 'as many grants as it may have');
update private.settings set value = 15 where name = 'credits.largest_balance';
select is(tests.refusal($$ select pg_temp.move(1) $$), 'PT422 balance_too_large', 'as many credits as it may have');
update private.settings set value = 1000000 where name = 'credits.largest_balance';

-- who may --------------------------------------------------------------------------------------------------------
select public.grant_credits(team_id => pg_temp.team(), amount => 100);
select public.grant_credits(tests.user_id('member'), 10);
select public.grant_credits(tests.user_id('stranger'), 10);
select is((pg_temp.by('member', 2, from_user => 'member')).balance_after, 8::numeric, 'a member gives to the team');
select is((pg_temp.by('boss', 40, to_user => 'member')).balance_after, 62::numeric, 'an owner gives a member of the team''s');
select is((select balance from credit_accounts where user_id = tests.user_id('member')), 48::numeric, 'who has it');
select is(tests.refusal($$ select pg_temp.by('member', 1, to_user => 'member') $$), 'PT403 not_team_admin', 'a member takes none');
select is(tests.refusal($$ select pg_temp.by('stranger', 1, to_user => 'stranger') $$), 'PT404 account_not_found', 'nor a stranger');
select is(tests.refusal($$ select pg_temp.by('stranger', 1, from_user => 'stranger') $$), 'PT404 account_not_found',
  'who cannot give either');
select is(tests.refusal($$ select pg_temp.by('boss', 1, to_user => 'stranger') $$), 'PT404 account_not_found',
  'an owner gives to members only');
select is(tests.refusal($$ select pg_temp.by('boss', 1, from_user => 'member') $$), 'PT422 invalid_transfer',
  'and takes nothing of theirs');
select is(tests.refusal($$ select pg_temp.by('member', 1, from_user => 'member', to_user => 'boss') $$),
  'PT422 invalid_transfer', 'users do not give to each other');
select is((select array_agg(actor_id order by entry_no) from credit_transactions where account_id = pg_temp.team_account()
  and kind = 'transfer'), array[tests.user_id('member'), tests.user_id('boss')], 'the entries say who');
select is_empty($$ select pg_temp.books() $$, 'the books agree');

-- what readers see -------------------------------------------------------------------------------------------------
select is((public.credit_statement(date_trunc('month', now() at time zone 'UTC')::date, tests.user_id('member'))).transferred, 38::numeric,
  'a statement has their sum');
select tests.authenticate_as('member');
select is((select count(*) from credit_transactions where kind = 'transfer' and counterpart is not null), 3::bigint,
  'both parties see the transfer: their two entries, and the one that they posted for the team');
select throws_ok($$ select transfer_credits(1, to_user_id => tests.user_id('member')) $$, '42501', null,
  'a user does not call the function');
select tests.clear_authentication();

-- many small transfers, and promotional credits -----------------------------------------------------------------------
create function pg_temp.grants_of(account uuid) returns bigint language sql stable as $$
  select count(*) from public.credit_grants where account_id = account and source = 'transfer' and status = 'active'
$$;
create temp table counted as select pg_temp.grants_of(pg_temp.team_account()) as before;
select pg_temp.by('member', 0.0001, from_user => 'member') from generate_series(1, 20);
select cmp_ok(pg_temp.grants_of(pg_temp.team_account()) - (select before from counted), '<=', 1::bigint,
  'transfers on the same terms add to one grant');
select is_empty($$ select pg_temp.books() $$, 'the books agree');
select public.grant_credits(tests.user_id('member'), 7, category => 'promotional', priority => 0);
update private.settings set value = 0 where name = 'credits.transfer_promotional';
select is(tests.refusal(format('select pg_temp.by(%L, %s, from_user => %L)', 'member',
  (select balance - 6 from credit_accounts where user_id = tests.user_id('member')), 'member')), 'PT402 insufficient_credits',
  'a setting keeps promotional credits with whom they were given to');
select pg_temp.by('member', (select balance - 7 from credit_accounts where user_id = tests.user_id('member')), from_user => 'member');
select results_eq($$ select category, remaining from credit_grants
    where account_id = tests.account_of('member') and remaining > 0 $$,
  $$ values ('promotional', 7::numeric(15, 4)) $$, 'and lets paid ones go');
select is((public.transfer_credits(7, from_user_id => tests.user_id('member'), to_user_id => tests.user_id('stranger'))).balance_after,
  0::numeric, 'a service moves them all the same');
select public.grant_credits(tests.user_id('giver'), 30, priority => 7, description => 'To and fro');
create function pg_temp.to_and_fro() returns text language sql stable as $$
  select string_agg(concat_ws(' ', a.name, trim_scale(g.amount), trim_scale(g.remaining)), ', ' order by a.name, g.amount desc)
  from unnest(array['giver', 'taker']) as a (name)
  join public.credit_grants as g on g.account_id = tests.account_of(a.name) and g.description = 'To and fro'
$$;
-- The grants of a user come before others of theirs.
update private.settings set value = 20000 where name = 'credits.live_grants';
select public.void_credit_grant(g.id, 'me', 'In the way') from credit_grants as g
where g.account_id in (tests.account_of('giver'), tests.account_of('taker')) and g.status = 'active' and g.description is distinct from 'To and fro';
select pg_temp.move(3);
select public.transfer_credits(1, from_user_id => tests.user_id('taker'), to_user_id => tests.user_id('giver'));
select is(pg_temp.to_and_fro(), 'giver 30 27, giver 1 1, taker 3 2', 'what comes back does not become part of a grant from elsewhere');
select public.deduct_credits(tests.user_id('taker'), amount => 2);
select pg_temp.move(4);
select is(pg_temp.to_and_fro(), 'giver 30 23, giver 1 1, taker 7 4', 'a grant that was spent grows, too: no account gets full of them');
select public.hold_credits(tests.user_id('taker'), 4);
select pg_temp.move(5);
select is(pg_temp.to_and_fro(), 'giver 30 18, giver 1 1, taker 12 9', 'and one that is held');
select is((public.deduct_credits(tests.user_id('taker'), amount => 5)).balance_after, 4::numeric, 'what came to it is spent');
select is_empty($$ select pg_temp.books() $$, 'the books agree');
-- Credits that went to and fro for years.
select pg_temp.by('boss', 2, to_user => 'boss');
update private.credit_grants set amount = 99999999999 where account_id = tests.account_of('boss') and source = 'transfer';
select lives_ok($$ select pg_temp.by('boss', 2, to_user => 'boss') $$, 'a grant that has got as much as a grant can get is followed by another');
select is_empty($$ select pg_temp.books() $$, 'the books agree');

-- a transfer that was tampered with ----------------------------------------------------------------------------------
alter table private.credit_transactions disable trigger user;
update private.credit_transactions set counterpart = jsonb_build_object('account_id', tests.account_of('taker'), 'entry_no', 2)
where account_id = tests.account_of('giver') and entry_no = 3;
alter table private.credit_transactions enable trigger user;
select isnt_empty($$ select 1 from public.credit_reconciliation(tests.account_of('giver')) where problem = 'transfers' $$,
  'an entry that names another is found');
select isnt_empty($$ select 1 from public.credit_reconciliation(tests.account_of('taker')) where problem = 'transfers' $$,
  'from both sides');

select * from finish();
rollback;
