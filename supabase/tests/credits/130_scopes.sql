-- Scopes: a grant can be limited to skus, and then pays for nothing else.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['ada', 'bob', 'eve', 'dan', 'due', 'low', 'boss', 'member', 'over', 'many', 'pay', 'twice', 'below', 'same', 'room', 'portion', 'view', 'from', 'to']) as name;
create function pg_temp.team() returns uuid language sql immutable as $$ select md5('strongroom scopes team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role) values (pg_temp.team(), tests.user_id('boss'), 'owner'),
  (pg_temp.team(), tests.user_id('member'), 'member');
insert into credit_prices (sku, unit, price, quantity_scale, effective_from) values
  ('s.text', 'message', 1, 2, '2020-01-01'), ('s.image', 'image', 1, 2, '2020-01-01'),
  ('s.image.large', 'image', 2, 2, '2020-01-01'), ('s.video', 'video', 1, 2, '2020-01-01');
-- Sign-up credits would be in the way: they come first, as promotional credits do.
select public.void_credit_grant(g.id, 'me', 'so') from private.credit_grants as g
where g.source = 'signup' and g.account_id in (select tests.account_of(n) from unnest(array['ada', 'bob', 'eve', 'dan', 'due', 'low', 'boss', 'over', 'many', 'pay', 'twice', 'below', 'same', 'room', 'portion', 'view', 'from', 'to']) as n);
create function pg_temp.grant(name text, amount numeric, reference text, skus text[] default null, priority integer default 50,
  expires_at timestamptz default null) returns uuid language sql as $$
  select (public.grant_credits(tests.user_id($1), $2, external_reference => $3, skus => $4, priority => $5, expires_at => $6)).id
$$;
create function pg_temp.left_of(reference text) returns numeric language sql stable as $$
  select trim_scale(g.remaining) from public.credit_grants as g where g.external_reference = $1
$$;
create function pg_temp.totals(name text) returns text language sql stable as $$
  select concat_ws(' ', trim_scale(b.balance), trim_scale(b.available), trim_scale(b.scoped)) from public.credit_balances as b
  where b.account_id = tests.account_of($1)
$$;
create function pg_temp.books() returns setof text language sql as $$
  select format('%s %s', r.problem, r.subject) from public.credit_accounts as a
  cross join lateral public.credit_reconciliation(a.id) as r
  -- Time passes here by moving grants into the past; entries do not move.
  where r.problem <> 'dates'
$$;
create function pg_temp.shortage(command text) returns text language plpgsql as $$
declare v_detail text;
begin
  execute command;
  return null;
exception when sqlstate 'PT402' then
  get stacked diagnostics v_detail = pg_exception_detail;
  return (select concat_ws(' ', trim_scale((d.j ->> 'available')::numeric), trim_scale((d.j ->> 'required')::numeric))
    from (select regexp_replace(v_detail, '^insufficient_credits ', '')::jsonb as j) as d);
end $$;

-- what a scope can be --------------------------------------------------------------------------------------------
select is(tests.refusal(format('select public.grant_credits(tests.user_id(''ada''), 1, skus => %L)', s)), 'PT422 invalid_grant',
  concat('not a scope: ', s)) from unnest(array['{}', '{""}', '{*}', '{A}', '{a,NULL}', '{a*b}', '{"a b"}', '{.a}', '{{a},{b}}',
    (select array_agg('a' || i)::text from generate_series(1, 101) as i), array[repeat('a', 101)]::text]) as s;
select throws_ok($$ update private.credit_grants set skus = '{"a b"}' where source = 'signup' $$, '23514', null,
  'nor for the owner of the table');
select is(private.pays_for(s.skus, s.sku), s.pays, format('%s pays for %s: %s', s.skus, s.sku, s.pays)) from (values
  (null::text[], 'x', true), (null, null, true), (array['x'], 'x', true), (array['x'], 'xy', false), (array['x*'], 'xy', true),
  (array['x*'], 'x', true), (array['x.*'], 'x', false), (array['y', 'x.*'], 'x.y', true), (array['x'], null, false),
  (array['a_*'], 'abc', false)) as s (skus, sku, pays);
select results_eq($$ select skus, replayed from public.grant_credits(tests.user_id('dan'), 1, skus => array['s.image'], idempotency_key => 'k') $$,
  $$ values (array['s.image'], false) $$, 'a grant says what it pays for');
select results_eq($$ select skus, replayed from public.grant_credits(tests.user_id('dan'), 1, skus => array['s.image'], idempotency_key => 'k') $$,
  $$ values (array['s.image'], true) $$, 'and again');
select is(tests.refusal($$ select public.grant_credits(tests.user_id('dan'), 1, skus => array['s.text'], idempotency_key => 'k') $$),
  'PT422 idempotency_key_reused', 'with another scope it is another request');

-- charges --------------------------------------------------------------------------------------------------------
select pg_temp.grant('ada', 10, 'ada image', array['s.image*'], 10);
select pg_temp.grant('ada', 10, 'ada all');
select is((select head_grant_id from credit_accounts where id = tests.account_of('ada')), null,
  'an account with limited credits has no head');
select is(pg_temp.totals('ada'), '20 10 10', 'what is available for anything is without them');
select public.deduct_credits(tests.user_id('ada'), 's.text', 1);
select is(pg_temp.left_of('ada all'), 9::numeric, 'a charge does not take credits that do not pay for it, though they come first');
select public.deduct_credits(tests.user_id('ada'), 's.image', 1);
select public.deduct_credits(tests.user_id('ada'), 's.image.large', 1);
select is(pg_temp.left_of('ada image'), 7::numeric, 'what they pay for takes them first, also by a beginning');
select public.deduct_credits(tests.user_id('ada'), amount => 2);
select is(pg_temp.left_of('ada all'), 7::numeric, 'an amount takes only credits that pay for everything');
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('ada'), amount => 7.5) $$), '7 7.5',
  'and no more than these: available says how many');
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('ada'), 's.video', 7.5) $$), '7 7.5', 'nor does another sku');
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('ada'), 's.image', 14.5) $$), '14 14.5',
  'for a sku that they pay for, more is available');
select is(pg_temp.totals('ada'), '14 7 7', 'a refused charge takes nothing');
select public.deduct_credits(tests.user_id('ada'), 's.image', 9);
select results_eq($$ select (a.value ->> 'amount')::numeric from public.credit_transactions as t
    cross join jsonb_array_elements(t.allocations) as a
    where t.account_id = tests.account_of('ada') and t.amount = -9 order by 1 $$, $$ values (-7::numeric), (-2) $$,
  'a charge goes on with the next grant that pays for it');
select isnt((select head_grant_id from credit_accounts where id = tests.account_of('ada')), null,
  'without free limited credits the account has a head again');

-- several items --------------------------------------------------------------------------------------------------
select pg_temp.grant('bob', 5, 'bob image', array['s.image'], 10);
select pg_temp.grant('bob', 5, 'bob video', array['s.video', 's.image'], 20);
select pg_temp.grant('bob', 5, 'bob all', null, 30);
select public.deduct_credits(tests.user_id('bob'), items => '[{"sku": "s.text", "quantity": 1}, {"sku": "s.image", "quantity": 6}, {"sku": "s.video", "quantity": 2}]');
select results_eq($$ select pg_temp.left_of(r) from unnest(array['bob image', 'bob video', 'bob all']) as r $$,
  $$ values (0::numeric), (2), (4) $$, 'each item takes the first grants that pay for it');
select is((select jsonb_array_length(t.allocations) from credit_transactions as t where t.account_id = tests.account_of('bob')
  order by entry_no desc limit 1), 3, 'the entry has each grant once');
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('bob'),
    items => '[{"sku": "s.text", "quantity": 3}, {"sku": "s.video", "quantity": 4}]') $$), '6 7',
  'no item takes what another one has taken: all are refused');
select results_eq(format($$ select total, available, affordable from public.quote_credits(%L, tests.user_id('bob')) $$, q.items),
  format('values (%s::numeric, %s::numeric, %L::boolean)', q.total, q.available, q.affordable), 'quote of ' || q.items)
from (values ('[{"sku": "s.text", "quantity": 4}]', 4, 4, true), ('[{"sku": "s.text", "quantity": 5}]', 5, 4, false),
  ('[{"sku": "s.image", "quantity": 6}]', 6, 6, true), ('[{"sku": "s.image", "quantity": 7}]', 7, 6, false),
  ('[{"sku": "s.image", "quantity": 1}, {"sku": "s.image", "quantity": 2}]', 3, 6, true),
  ('[{"sku": "s.image", "quantity": 0}, {"sku": "s.text", "quantity": 1}]', 1, 4, true),
  ('[{"sku": "s.text", "quantity": 3}, {"sku": "s.video", "quantity": 3}]', 6, 6, true),
  ('[{"sku": "s.text", "quantity": 3}, {"sku": "s.video", "quantity": 4}]', 7, 6, false)) as q (items, total, available, affordable);

-- refunds --------------------------------------------------------------------------------------------------------
select public.refund_credits(tests.account_of('bob'), (select max(entry_no) from credit_transactions where account_id = tests.account_of('bob')));
select results_eq($$ select pg_temp.left_of(r) from unnest(array['bob image', 'bob video', 'bob all']) as r $$,
  $$ values (5::numeric), (5), (5) $$, 'a refund goes back to the grants that paid');
select public.deduct_credits(tests.user_id('bob'), 's.image', 5);
select public.void_credit_grant((select id from credit_grants where external_reference = 'bob image'), 'me', 'so');
select public.refund_credits(tests.account_of('bob'), (select max(entry_no) from credit_transactions where account_id = tests.account_of('bob') and kind = 'deduct'));
select results_eq($$ select remaining, skus from credit_grants where account_id = tests.account_of('bob') and source = 'refund' $$,
  $$ values (5::numeric, array['s.image']) $$, 'of a grant that has ended, as one that pays for the same');

-- holds ----------------------------------------------------------------------------------------------------------
select pg_temp.grant('eve', 10, 'eve image', array['s.image'], 10);
select pg_temp.grant('eve', 10, 'eve all');
create temp table holds as
  select 'image' as name, h.* from public.hold_credits(tests.user_id('eve'), items => '[{"sku": "s.image", "quantity": 4}]') as h
  union all select 'amount', h.* from public.hold_credits(tests.user_id('eve'), amount => 3) as h;
select results_eq($$ select external_reference, held from credit_grants where account_id = tests.account_of('eve') and held > 0 order by 1 $$,
  $$ values ('eve all', 3::numeric), ('eve image', 4) $$, 'a hold of items sets limited credits aside, one of an amount does not');
select is(pg_temp.totals('eve'), '20 7 6', 'and neither is available any more');
select is(pg_temp.shortage($$ select public.hold_credits(tests.user_id('eve'), amount => 8) $$), '7 8', 'an amount finds no others');
select is(pg_temp.shortage($$ select public.hold_credits(tests.user_id('eve'), items => '[{"sku": "s.image", "quantity": 14}]') $$),
  '13 14', 'items find all that pay for them');
select public.capture_credit_hold(id, items => '[{"sku": "s.text", "quantity": 2}]') from holds where name = 'image';
select results_eq($$ select pg_temp.left_of(r) from unnest(array['eve image', 'eve all']) as r $$, $$ values (10::numeric), (8) $$,
  'a capture of something else takes credits that pay for it');
select is(pg_temp.totals('eve'), '18 5 10', 'and what was held is free again');
insert into holds select 'more', h.* from public.hold_credits(tests.user_id('eve'), items => '[{"sku": "s.image", "quantity": 8}]') as h;
select is(pg_temp.shortage($$ select public.capture_credit_hold(id, items => '[{"sku": "s.text", "quantity": 6}]') from holds where name = 'more' $$),
  '5 6', 'if there are any');
select public.capture_credit_hold(id, items => '[{"sku": "s.image", "quantity": 5}, {"sku": "s.text", "quantity": 1}]') from holds where name = 'more';
select results_eq($$ select pg_temp.left_of(r) from unnest(array['eve image', 'eve all']) as r $$, $$ values (5::numeric), (7) $$,
  'a capture of several items takes for each what pays for it');
insert into holds select 'amounts', h.* from public.hold_credits(tests.user_id('eve'), items => '[{"sku": "s.image", "quantity": 5}]') as h;
select public.capture_credit_hold(id, amount => 2) from holds where name = 'amounts';
select is(pg_temp.left_of('eve image'), 3::numeric, 'an amount captures what the hold has set aside');
insert into holds select 'over', h.* from public.hold_credits(tests.user_id('eve'), items => '[{"sku": "s.image", "quantity": 1}]') as h;
select public.capture_credit_hold(id, items => '[{"sku": "s.image", "quantity": 4}]', allow_overage => true) from holds where name = 'over';
select results_eq($$ select pg_temp.left_of(r) from unnest(array['eve image', 'eve all']) as r $$, $$ values (0::numeric), (6) $$,
  'more than was held draws on limited credits first');
select public.release_credit_hold(id) from holds where name = 'amount';
select is(pg_temp.totals('eve'), '6 6 0', 'nothing is held at the end');

-- A capture of just what was held: later items must not find that earlier ones took what only they can take.
select pg_temp.grant('same', 10, 'same image', array['s.image'], 10);
select pg_temp.grant('same', 30, 'same all', null, 20);
insert into holds select 'same', h.* from public.hold_credits(tests.user_id('same'),
  items => '[{"sku": "s.text", "quantity": 10}, {"sku": "s.image", "quantity": 15}, {"sku": "s.video", "quantity": 15}]') as h;
select is(pg_temp.totals('same'), '40 0 0', 'a hold of three items takes all there is');
select lives_ok($$ select public.capture_credit_hold(id, items => '[{"sku": "s.text", "quantity": 10},
  {"sku": "s.image", "quantity": 15}, {"sku": "s.video", "quantity": 15}]') from holds where name = 'same' $$, 'and can be captured as it was made');

-- a hold that expired before its message was settled
select pg_temp.grant('pay', 5, 'pay image', array['s.image']);
select pg_temp.grant('pay', 2, 'pay all');
insert into holds select 'late ' || n, h.* from unnest(array['sku', 'amount']) as n
  cross join public.hold_credits(tests.user_id('pay'), items => '[{"sku": "s.image", "quantity": 3}]', expires_in => 60) as h
  where n = 'sku';
update private.credit_holds set created_at = created_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('pay');
update credit_accounts set next_due_at = next_due_at - interval '1 h' where id = tests.account_of('pay');
select is(pg_temp.totals('pay'), '7 2 5', 'before its end is posted, what it gives back is limited too');
select is((select d.amount from holds as h cross join public.capture_credit_hold(h.id,
    items => '[{"sku": "s.text", "quantity": 3}]', message_id => 'm') as d where h.name = 'late sku'), -2::numeric,
  'it is charged as far as there are credits that pay for it');
select is(pg_temp.totals('pay'), '5 0 5', 'and the limited ones stay');
insert into holds select 'late image', h.* from public.hold_credits(tests.user_id('pay'), items => '[{"sku": "s.image", "quantity": 3}]', expires_in => 60) as h;
update private.credit_holds set created_at = created_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('pay');
update credit_accounts set next_due_at = next_due_at - interval '1 h' where id = tests.account_of('pay');
select is((select d.amount from holds as h cross join public.capture_credit_hold(h.id,
    items => '[{"sku": "s.image", "quantity": 3}]', message_id => 'n') as d where h.name = 'late image'), -3::numeric,
  'which pay for what they are limited to');

-- transfers ------------------------------------------------------------------------------------------------------
select pg_temp.grant('dan', 10, 'dan image', array['s.image'], 10);
select pg_temp.grant('dan', 10, 'dan all');
select public.transfer_credits(12, from_user_id => tests.user_id('dan'), to_team_id => pg_temp.team());
select public.transfer_credits(1, from_user_id => tests.user_id('dan'), to_team_id => pg_temp.team());
select results_eq($$ select t.skus, t.remaining from credit_grants as t join credit_accounts as a on a.id = t.account_id
    where a.team_id = pg_temp.team() order by t.priority, t.skus $$, $$ values (array['s.image'], 10::numeric), (array['s.image'], 1), (null, 2) $$,
  'what moves pays for the same as before, and equal terms come to one grant');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('member'), amount => 3, team_id => pg_temp.team()) $$),
  'PT402 insufficient_credits', 'in the team too');
update credit_member_limits set credit_limit = 6 where user_id = tests.user_id('member');
select public.deduct_credits(tests.user_id('member'), 's.image', 5, team_id => pg_temp.team());
select is((select spent from team_member_credits where user_id = tests.user_id('member')), 5::numeric,
  'the limit of a member counts limited credits');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('member'), 's.image', 2, team_id => pg_temp.team()) $$),
  'PT402 member_limit_exceeded', 'and refuses more');

-- Grants that differ in one thing each.
select public.grant_credits(tests.user_id('from'), 5, coalesce(t.category, 'paid'), effective_at => now() + coalesce(t.begins, '1 h'), skus => t.skus,
  expires_at => t.expires_at, cost_basis => t.cost, currency => case when t.cost is not null then 'eur' end)
from (values (null::text[], null::timestamptz, null, null::numeric, null::interval), (array['s.image'], null, null, null, null),
  (null, '2100-01-01', null, null, null), (null, null, 'promotional', null, null), (null, null, null, 0.01, null),
  (null, null, null, null, '30 min')) as t (skus, expires_at, category, cost, begins);
update private.credit_grants set effective_at = effective_at - interval '2 h' where account_id = tests.account_of('from') and status = 'pending';
update credit_accounts set next_due_at = now() - interval '1 h' where id = tests.account_of('from');
select public.transfer_credits(15, from_user_id => tests.user_id('from'), to_user_id => tests.user_id('to'));
select public.transfer_credits(15, from_user_id => tests.user_id('from'), to_user_id => tests.user_id('to'));
select is((select count(*) from credit_grants where account_id = tests.account_of('to') and source = 'transfer'), 6::bigint,
  'what differs stays apart');
select is(pg_temp.totals('to'), '30 25 5', 'limited credits do not become unlimited ones on the way, nor the other way round');

-- overdraft and debt ---------------------------------------------------------------------------------------------
select public.set_credit_overdraft(10, tests.user_id('over'));
select pg_temp.grant('over', 5, 'over image', array['s.image']);
select public.deduct_credits(tests.user_id('over'), 's.text', 4);
select results_eq($$ select balance, overdraft_used from credit_accounts where id = tests.account_of('over') $$,
  $$ values (1::numeric, 4::numeric) $$, 'the overdraft pays for what limited credits do not');
select is(pg_temp.totals('over'), '1 6 5', 'and is what is available for that');
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('over'), 's.image', 12) $$), '11 12', 'both are for what they do');
select public.deduct_credits(tests.user_id('over'), 's.image', 6);
select is(pg_temp.totals('over'), '-5 5 0', 'which takes them first');
select pg_temp.grant('over', 3, 'over more', array['s.image']);
select is(pg_temp.left_of('over more'), 3::numeric, 'limited credits do not pay an overdraft');
select pg_temp.grant('over', 3, 'over all');
select is(pg_temp.left_of('over all'), 0::numeric, 'others do');
select private.take_back_credits(tests.account_of('over'), array(select id from credit_grants where external_reference = 'over all'), 13, null, 0);
select is((select debt from credit_accounts where id = tests.account_of('over')), 5::numeric,
  'nor do they pay what is taken back of others: that is a debt');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('over'), 's.text', 1) $$), 'PT402 insufficient_credits',
  'which stops charges');
select is((public.quote_credits('[{"sku": "s.image", "quantity": 3}]', tests.user_id('over'))).affordable, true, 'a quote knows that limited credits pay');
select lives_ok($$ select public.deduct_credits(tests.user_id('over'), 's.image', 3) $$, 'but those that limited credits pay for');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('over'), 's.image', 1) $$), 'PT402 insufficient_credits',
  'and no others');

select public.set_credit_overdraft(10, tests.user_id('room'));
insert into holds select 'room', h.* from public.hold_credits(tests.user_id('room'), items => '[{"sku": "s.text", "quantity": 6}]') as h;
select is(pg_temp.shortage($$ select public.capture_credit_hold(id, items => '[{"sku": "s.text", "quantity": 12}]', allow_overage => true)
  from holds where name = 'room' $$), '4 6', 'what a hold has set aside of the overdraft is there once');

-- time -----------------------------------------------------------------------------------------------------------
select pg_temp.grant('due', 5, 'due all');
select public.grant_credits(tests.user_id('due'), 7, skus => array['s.image'], effective_at => now() + interval '1 h',
  expires_at => now() + interval '3 h', external_reference => 'due image');
select isnt((select head_grant_id from credit_accounts where id = tests.account_of('due')), null, 'a pending grant leaves the head');
create function pg_temp.pass(hours integer) returns void language sql as $$
  update private.credit_grants set effective_at = effective_at - make_interval(hours => $1), expires_at = expires_at - make_interval(hours => $1),
    created_at = created_at - make_interval(hours => $1) where account_id = tests.account_of('due');
  update credit_accounts set next_due_at = next_due_at - make_interval(hours => $1), updated_at = updated_at - make_interval(hours => $1)
  where id = tests.account_of('due')
$$;
select pg_temp.pass(2);
select is(pg_temp.totals('due'), '12 5 7', 'begun and not posted, it counts as it will');
select results_eq($$ select available, affordable from public.quote_credits('[{"sku": "s.image", "quantity": 12}]', tests.user_id('due')) $$,
  $$ values (12::numeric, true) $$, 'in a quote too');
select public.deduct_credits(tests.user_id('due'), 's.text', 1);
select is(pg_temp.totals('due'), '11 4 7', 'and when it is posted');
select pg_temp.pass(2);
select is(pg_temp.totals('due'), '4 4 0', 'ended and not posted, it has gone');
select public.deduct_credits(tests.user_id('due'), 's.image', 1);
select results_eq($$ select balance, scoped_grants from credit_accounts where id = tests.account_of('due') $$, $$ values (3::numeric, 0) $$,
  'and the account counts it no more');

-- A quote of what is due, but not posted: the first hold that expires pays the overdraft, not the first grant in spending order.
select pg_temp.grant('twice', 10, 'twice last', null, 30);
select public.hold_credits(tests.user_id('twice'), amount => 10, expires_in => 60);
select pg_temp.grant('twice', 10, 'twice first', null, 10);
select public.hold_credits(tests.user_id('twice'), amount => 10, expires_in => 120);
select public.set_credit_overdraft(10, tests.user_id('twice'));
select public.deduct_credits(tests.user_id('twice'), amount => 10);
select pg_temp.grant('twice', 10, 'twice image', array['s.image'], 20);
update private.credit_holds set created_at = created_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('twice');
update credit_accounts set next_due_at = next_due_at - interval '1 h' where id = tests.account_of('twice');
select is(pg_temp.totals('twice'), '20 20 10', 'both holds have expired');
create temp table quoted as select * from public.quote_credits('[{"sku": "s.image", "quantity": 10}, {"sku": "s.text", "quantity": 11}]', tests.user_id('twice'));
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('twice'),
    items => '[{"sku": "s.image", "quantity": 10}, {"sku": "s.text", "quantity": 11}]') $$),
  (select concat_ws(' ', trim_scale(available), trim_scale(total)) from quoted where not affordable), 'a charge is refused as its quote says');

select public.set_credit_overdraft(10, tests.user_id('view'));
select pg_temp.grant('view', 5, 'view image', array['s.image']);
select public.hold_credits(tests.user_id('view'), items => '[{"sku": "s.image", "quantity": 5}]', expires_in => 60);
select public.deduct_credits(tests.user_id('view'), amount => 4);
update private.credit_holds set created_at = created_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('view');
update credit_accounts set next_due_at = next_due_at - interval '1 h' where id = tests.account_of('view');
select is(pg_temp.totals('view'), '1 6 5', 'limited credits that a hold gives back pay no overdraft, posted or not');
select public.set_credit_overdraft(10, tests.user_id('view'));
select is(pg_temp.totals('view'), '1 6 5', 'and posted the same');

-- More has come due than one request posts.
select pg_temp.grant('portion', 10, 'portion all', null, 10);
select public.hold_credits(tests.user_id('portion'), amount => 4, expires_in => 60);
select pg_temp.grant('portion', 5, 'portion image', array['s.image'], 5, now() + interval '2 min');
create temp table charged as select * from public.deduct_credits(tests.user_id('portion'), 's.image', 2);
update private.credit_holds set created_at = created_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('portion');
update private.credit_grants set effective_at = effective_at - interval '1 h', expires_at = expires_at - interval '1 h'
where account_id = tests.account_of('portion');
update credit_accounts set next_due_at = next_due_at - interval '1 h' where id = tests.account_of('portion');
create or replace function private.settlement_portion() returns integer language sql immutable as $$ select 1 $$;
select is(pg_temp.shortage($$ select public.deduct_credits(tests.user_id('portion'), amount => 11) $$), '10 11',
  'limited credits that have ended and are not posted are not subtracted twice');
select public.refund_credits(account_id, entry_no) from charged;
select is((select remaining from credit_grants where account_id = tests.account_of('portion') and source = 'refund' and skus = array['s.image']),
  2::numeric, 'nothing goes back to a grant whose end is not posted');
create or replace function private.settlement_portion() returns integer language sql immutable as $$ select 1000 $$;

-- alerts ---------------------------------------------------------------------------------------------------------
select pg_temp.grant('low', 10, 'low all');
select public.set_credit_alert(5, tests.user_id('low'));
select pg_temp.grant('low', 10, 'low image', array['s.image'], 10);
select public.deduct_credits(tests.user_id('low'), 's.image', 10);
select is_empty($$ select from credit_alerts where account_id = tests.account_of('low') $$, 'limited credits that are spent raise no alert');
select pg_temp.grant('low', 10, 'low image again', array['s.image'], 10);
select public.deduct_credits(tests.user_id('low'), 's.text', 6);
select results_eq($$ select available from credit_alerts where account_id = tests.account_of('low') $$, $$ values (4::numeric) $$,
  'those that are left do not stop one');
select is((select (public.set_credit_alert(5, tests.user_id('low'))).available), 4::numeric, 'the settings say what is available');

select pg_temp.grant('below', 10, 'below image', array['s.image']);
select public.set_credit_alert(5, tests.user_id('below'));
select public.deduct_credits(tests.user_id('below'), 's.image', 1);
select is_empty($$ select from credit_alerts where account_id = tests.account_of('below') $$,
  'an account that has limited credits only was below its threshold before');

-- how many -------------------------------------------------------------------------------------------------------
update private.settings set value = 100 where name = 'credits.scoped_grants';
select is((select count(public.grant_credits(tests.user_id('many'), 1, skus => array['s.image'])) from generate_series(1, 100)), 100::bigint,
  'an account can have as many limited grants as the setting says');
select is(tests.refusal($$ select public.grant_credits(tests.user_id('many'), 1, skus => array['s.image']) $$), 'PT409 too_many_grants',
  'and no more');
select lives_ok($$ select public.grant_credits(tests.user_id('many'), 1) $$, 'but others');

-- the books ------------------------------------------------------------------------------------------------------
select is_empty('select * from pg_temp.books()', 'the books balance');
update credit_accounts as a set head_grant_id = g.id, head_free = 1 from private.credit_grants as g
where a.id = tests.account_of('many') and g.account_id = a.id and g.skus is null and g.spendable;
select is((select array_agg(concat_ws(' ', r.problem, r.subject, trim_scale(r.actual))) from credit_reconciliation(tests.account_of('many')) as r),
  array['head free credits that pay for some skus only, beside a head 100'], 'reconciliation finds a head beside free limited credits');
update credit_accounts set head_grant_id = null, head_free = 0 where id = tests.account_of('many');
update credit_accounts set scoped_grants = scoped_grants + 1 where id = tests.account_of('many');
update private.credit_grants set skus = array['s.video'] where external_reference = 'ada image';
update credit_accounts set head_grant_id = (select id from private.credit_grants where external_reference = 'pay image')
where id = tests.account_of('pay');
select is(array(select distinct split_part(b, ' ', 1) from pg_temp.books() as b order by 1), array['balance', 'counters', 'grants', 'head', 'scopes'],
  'reconciliation finds a wrong counter, a charge that a grant does not pay for, and a limited head');
select * from finish();
rollback;
