-- Payments: credits for what was paid, and back for what was refunded or disputed, whatever comes first.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user(n) from unnest(array['buyer', 'other', 'early', 'won', 'plan', 'poor', 'own', 'lapse']) as n;
insert into stripe_prices (id, credits, rollover_cap) values
  ('price_pack', 500, null), ('price_plan', 1000, 300), ('price_whole', 1000, null), ('price_tiny', 1, null);
insert into stripe_prices (id, tier) values ('price_tier', 'pro'), ('price_free', null);

create function pg_temp.stripe(type text, object jsonb, previous jsonb default null, id text default gen_random_uuid()::text)
returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('stripe', stripe.id, stripe.type, jsonb_build_object('id', stripe.id, 'object', 'event',
    'api_version', '2026-10-28.endive', 'type', stripe.type, 'created', 1790000000,
    'data', jsonb_strip_nulls(jsonb_build_object('object', object, 'previous_attributes', previous))), to_timestamp(1790000000))
$$;
create function pg_temp.session(who text, pi text, more jsonb default '{}', customer text default null)
returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('checkout.session.completed', jsonb_build_object('id', 'cs_' || pi, 'mode', 'payment',
    'payment_status', 'paid', 'payment_intent', pi, 'customer', customer, 'amount_total', 1000, 'currency', 'eur',
    'client_reference_id', tests.user_id(who), 'metadata', '{"price_id": "price_pack"}'::jsonb) || more)
$$;
create function pg_temp.line(price text, more jsonb default '{}', quantity integer default 1) returns jsonb language sql as $$
  select jsonb_build_object('id', 'il_' || price, 'amount', 1000, 'quantity', quantity,
    'pricing', jsonb_build_object('price_details', jsonb_build_object('price', price)),
    'period', jsonb_build_object('start', extract(epoch from timestamptz '2030-01-31Z')::bigint,
      'end', extract(epoch from timestamptz '2030-02-28Z')::bigint),
    'parent', '{"type": "subscription_item_details", "subscription_item_details": {"proration": false}}'::jsonb) || more
$$;
create function pg_temp.invoice(id text, customer text, lines jsonb, more jsonb default '{}')
returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice.paid', jsonb_build_object('id', invoice.id, 'customer', customer, 'amount_paid', 1000,
    'currency', 'eur', 'metadata', '{}'::jsonb, 'lines', jsonb_build_object('data', lines)) || more)
$$;
create function pg_temp.link(pi text, invoice text) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice_payment.paid', jsonb_build_object('id', 'inpay_' || pi, 'invoice', invoice,
    'payment', jsonb_build_object('type', 'payment_intent', 'payment_intent', pi)))
$$;
create function pg_temp.refund(pi text, refunded_to integer, refunded_from integer default 0)
returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('charge.refunded', jsonb_build_object('id', 'ch_' || pi, 'payment_intent', pi, 'amount', 1000,
    'amount_refunded', refunded_to), jsonb_build_object('amount_refunded', refunded_from))
$$;
create function pg_temp.dispute(what text, pi text, status text, amount integer default 1000)
returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('charge.dispute.' || what, jsonb_build_object('id', 'dp_' || pi, 'payment_intent', pi,
    'amount', dispute.amount, 'status', dispute.status))
$$;
create function pg_temp.entries(who text) returns text language sql as $$
  select string_agg(kind || ' ' || trim_scale(amount), ', ' order by entry_no) from credit_transactions
  where account_id = tests.account_of(who)
$$;
create function pg_temp.balance(who text) returns numeric language sql as $$
  select balance from credit_accounts where id = tests.account_of(who)
$$;

-- a session ------------------------------------------------------------------------------------------
select results_eq($$ select outcome, result from pg_temp.session('buyer', 'pi_1', customer => 'cus_buyer') $$,
  $$ values ('processed', '{"credits": 500}'::jsonb) $$, 'a session that was paid grants');
select results_eq(
  $$ select category, source, external_reference, amount, expires_at from credit_grants
    where account_id = tests.account_of('buyer') $$,
  $$ values ('paid', 'stripe', 'stripe:pi_1:price_pack', 500::numeric, null::timestamptz) $$, 'paid credits, by the payment');
select results_eq($$ select user_id from stripe_customers where id = 'cus_buyer' $$,
  $$ values (tests.user_id('buyer')) $$, 'the customer is linked with who bought');
select is((pg_temp.session('buyer', 'pi_1')).result, '{"credits": 500}', 'another event of the same payment');
select is(pg_temp.entries('buyer'), 'grant 500', 'grants nothing more');
select is((pg_temp.session('buyer', 'pi_2', '{"payment_status": "unpaid"}')).result, '{"credits": 0, "reason": "not_paid"}', 'not paid yet');
select is((pg_temp.stripe('checkout.session.async_payment_succeeded', jsonb_build_object('id', 'cs_2', 'mode', 'payment',
  'payment_status', 'paid', 'payment_intent', 'pi_2', 'amount_total', 1000, 'customer', 'cus_buyer', 'metadata',
  '{"price_id": "price_pack", "quantity": "2"}'::jsonb))).result, '{"credits": 1000}', 'paid later, found by the customer, two of it');
select is((pg_temp.session('buyer', 'pi_3', '{"line_items": {"data": [{"id": "li_1", "price": {"id": "price_tiny"}, "quantity": 7}]}}'))
  .result, '{"credits": 7}', 'lines in the event come before metadata');
select is((pg_temp.session('buyer', 'pi_4', '{"mode": "subscription"}')).result, '{"credits": 0, "reason": "invoice_grants"}', 'a subscription is for its invoice');
select is((pg_temp.session('buyer', 'pi_5', '{"invoice": "in_5"}')).result, '{"credits": 0, "reason": "invoice_grants"}', 'so is what has an invoice');
select is((pg_temp.session('buyer', 'pi_6', '{"invoice_creation": {"enabled": true}}')).result, '{"credits": 0, "reason": "invoice_grants"}', 'or will have one');
select matches((pg_temp.session('buyer', 'pi_7', '{"metadata": {}}')).error, '^stripe_lines_missing: ', 'nobody knows what was bought');
select matches((pg_temp.session('buyer', 'pi_7', '{"metadata": {"price_id": "price_pack", "quantity": "-1"}}')).error,
  '^stripe_lines_missing: ', 'nor how much');
select matches((pg_temp.session('buyer', 'pi_8', '{"metadata": {"price_id": "price_shirt"}}')).error,
  '^stripe_price_unknown: Price "price_shirt" ', 'a price that is not in the table is not one that buys nothing');
select is((pg_temp.session('buyer', 'pi_8', '{"metadata": {"price_id": "price_tier"}}')).result, '{"credits": 0, "reason": "price_without_credits"}',
  'which one without credits is');
select matches((pg_temp.session('buyer', 'pi_8', '{"payment_status": null}')).error, '^stripe_event_unreadable: ',
  'nobody knows whether it was paid');
select matches((pg_temp.session('buyer', 'pi_8', '{"line_items": {"has_more": true, "data": [{"id": "li", "price": "price_tiny"}]}}')).error,
  '^stripe_lines_incomplete: ', 'nor what else was bought');
select results_eq(
  $$ select (pg_temp.session('buyer', null, '{"id": "cs_free", "payment_status": "no_payment_required", "amount_total": 0}')).result $$,
  $$ values ('{"credits": 500}'::jsonb) $$, 'what is free is bought all the same');
select matches((pg_temp.session('nobody', 'pi_9', customer => 'cus_new')).error, '^stripe_customer_unknown: ', 'a customer whom nobody knows');
insert into stripe_customers (id, user_id) values ('cus_new', tests.user_id('other'));
select is((pg_temp.session('nobody', 'pi_9', customer => 'cus_new')).result, '{"credits": 500}', 'and then is known');

-- an invoice -----------------------------------------------------------------------------------------
insert into stripe_customers (id, user_id) values ('cus_plan', tests.user_id('plan'));
select is((pg_temp.invoice('in_1', 'cus_plan', jsonb_build_array(pg_temp.line('price_plan'), pg_temp.line('price_free'),
    pg_temp.line('price_tiny', '{"id": "il_proration", "parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": true}}}'),
    pg_temp.line('price_tiny', '{"id": "il_trial", "amount": 0}'),
    pg_temp.line('price_tiny', '{"id": "il_pack", "parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": false}}}', 3))))
  .result -> 'credits', '1003', 'lines grant by the table; not trials, nor prorations');
select set_eq(
  $$ select external_reference, trim_scale(amount), expires_at from credit_grants where account_id = tests.account_of('plan') $$,
  $$ values ('stripe:in_1:il_price_plan', 700::numeric, timestamptz '2030-02-28Z'),
    ('stripe:in_1:il_price_plan:rollover', 300, '2030-03-28Z'), ('stripe:in_1:il_pack', 3, null) $$,
  'a plan''s credits last for the period, those up to the cap for the next one too; others do not end');
select is((select external_reference from credit_grants where account_id = tests.account_of('plan') and spendable
  order by priority, expires_at, created_at, id limit 1), 'stripe:in_1:il_price_plan', 'what ends first is spent first');
select (pg_temp.invoice('in_2', 'cus_plan', jsonb_build_array(pg_temp.line('price_plan',
  '{"period": {"start": 1600000000, "end": 1602592000}}')))).result;
select results_eq($$ select count(*), min(expires_at) > now() + interval '2 days', max(expires_at) < now() + interval '4 days'
    from credit_grants where external_reference like 'stripe:in_2:%' $$, $$ values (2::bigint, true, true) $$,
  'a period that is heard of when it is over lasts for three days');
select matches((pg_temp.invoice('in_4', 'cus_plan', jsonb_build_array(pg_temp.line('price_pack')),
    jsonb_build_object('lines', jsonb_build_object('has_more', true, 'data', jsonb_build_array(pg_temp.line('price_pack')))))).error,
  '^stripe_lines_incomplete: Invoice "in_4" .* /v1/invoices/in_4/lines', 'more lines than Stripe sends are not taken for all');
select is_empty($$ select 1 from stripe_payments where id = 'in_4' $$, 'and grant nothing');
update webhook_events set payload = jsonb_set(payload, '{data,object,lines}', jsonb_build_object('has_more', false,
  'data', jsonb_build_array(pg_temp.line('price_pack'), pg_temp.line('price_tiny'))))
where payload #>> '{data,object,id}' = 'in_4';
select is((public.replay_webhook_events((select event_id from webhook_events where payload #>> '{data,object,id}' = 'in_4'), 'stripe')).processed,
  1, 'with all of them put in it is replayed');
select is((select credits from stripe_payments where id = 'in_4'), 501::numeric, 'and grants all');
select results_eq($$ select outcome, result from pg_temp.invoice('in_3', 'cus_plan', jsonb_build_array(pg_temp.line('price_free'))) $$,
  $$ values ('ignored', '{"ignored": "price_without_credits"}'::jsonb) $$, 'an invoice that buys nothing here');

-- the two events of one purchase -----------------------------------------------------------------------
select pg_temp.session('other', 'pi_20', '{"invoice": "in_20"}', 'cus_new');
select pg_temp.invoice('in_20', 'cus_new', jsonb_build_array(pg_temp.line('price_pack')));
select pg_temp.invoice('in_21', 'cus_new', jsonb_build_array(pg_temp.line('price_pack')));
select pg_temp.session('other', 'pi_21', '{"invoice": "in_21"}', 'cus_new');
-- Not as Stripe does it, but then once too: an invoice that the session does not know of.
create function pg_temp.paid_by(pi text) returns jsonb language sql as $$
  select jsonb_build_object('payments', jsonb_build_object('data', jsonb_build_array(
    jsonb_build_object('payment', jsonb_build_object('payment_intent', pi)))))
$$;
select pg_temp.session('other', 'pi_22', customer => 'cus_new');
select pg_temp.invoice('in_22', 'cus_new', jsonb_build_array(pg_temp.line('price_pack')), pg_temp.paid_by('pi_22'));
select pg_temp.invoice('in_23', 'cus_new', jsonb_build_array(pg_temp.line('price_pack')), pg_temp.paid_by('pi_23'));
select pg_temp.session('other', 'pi_23', customer => 'cus_new');
select is(pg_temp.entries('other'), 'grant 500, grant 500, grant 500, grant 500, grant 500', 'grant once, in either order');
select pg_temp.refund('pi_22', 1000), pg_temp.refund('pi_23', 1000);
select is(pg_temp.balance('other'), 1500::numeric, 'and are taken back once');

-- refunds --------------------------------------------------------------------------------------------
select pg_temp.refund('pi_1', 300);
select is(pg_temp.entries('buyer'), 'grant 500, grant 1000, grant 7, grant 500, void -150', 'a part of the payment is that part of the credits');
select results_eq($$ select remaining from credit_grants where external_reference = 'stripe:pi_1:price_pack' $$, $$ values (350::numeric) $$,
  'of its grant');
select pg_temp.refund('pi_1', 300);
select pg_temp.refund('pi_1', 1000, 300);
select is(pg_temp.balance('buyer'), 1507::numeric, 'told of again it is not taken again, and the rest is the rest');
select is((select taken_back from stripe_payments where id = 'pi_1'), 500::numeric, 'all is taken back');
select throws_ok($$ update stripe_payments set taken_back = credits + 1 where id = 'pi_1' $$, '23514', null, 'and no more than all');
select throws_ok($$ update stripe_payments set lapsed = taken_back + 1 where id = 'pi_1' $$, '23514', null, 'nor lapses more than that');

select pg_temp.refund('pi_30', 1000, 300), pg_temp.refund('pi_30', 300), pg_temp.refund('pi_30', 1000, 300);
select is(pg_temp.entries('early'), null, 'refunds of what is not known yet wait');
select pg_temp.session('early', 'pi_30');
select is(pg_temp.entries('early'), 'grant 500, void -150, void -350', 'and are taken back in the same parts');
select pg_temp.refund('pi_31', 400);
select pg_temp.invoice('in_31', 'cus_early', jsonb_build_array(pg_temp.line('price_pack')),
  jsonb_build_object('metadata', jsonb_build_object('user_id', tests.user_id('early'))));
select is(pg_temp.balance('early'), 500::numeric, 'the invoice does not name the payment');
select pg_temp.link('pi_31', 'in_31');
select is(pg_temp.balance('early'), 300::numeric, 'until that is said');
select pg_temp.refund('pi_31', 1000, 400);
select is(pg_temp.balance('early'), 0::numeric, 'from then on it is known');

-- what was spent already -----------------------------------------------------------------------------
select pg_temp.session('poor', 'pi_40'), pg_temp.session('poor', 'pi_41');
select public.deduct_credits(tests.user_id('poor'), amount => 600);
select pg_temp.refund('pi_40', 1000);
select is(pg_temp.balance('poor'), -100::numeric, 'what was spent is taken from the other credits, and then owed');
select results_eq($$ select allocations -> -1 -> 'grant_id', (allocations -> -1 ->> 'amount')::numeric from credit_transactions
    where account_id = tests.account_of('poor') and kind = 'void' $$, $$ values ('null'::jsonb, -100::numeric) $$, 'as a debt');
select results_eq($$ select debt, overdraft_used, overdraft_limit from credit_accounts where id = tests.account_of('poor') $$,
  $$ values (100::numeric, 100::numeric, 0::numeric) $$, 'which is no overdraft to spend');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('poor'), amount => 1) $$), 'PT402 insufficient_credits', 'nothing is');
select is((select available from user_credits where user_id = tests.user_id('poor')), -100::numeric, 'available is below zero');
select public.grant_credits(tests.user_id('poor'), 30);
select results_eq($$ select balance, debt from credit_accounts where id = tests.account_of('poor') $$, $$ values (-70::numeric, 70::numeric) $$,
  'the next credits pay it');
select pg_temp.session('poor', 'pi_42');
select results_eq($$ select balance, debt, overdraft_used from credit_accounts where id = tests.account_of('poor') $$,
  $$ values (430::numeric, 0::numeric, 0::numeric) $$, 'and when it is paid it is gone');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('poor'), amount => 431) $$), 'PT402 insufficient_credits', 'for good');
select public.hold_credits(tests.user_id('poor'), 430);
select pg_temp.refund('pi_42', 1000);
select results_eq($$ select balance, held from credit_accounts where id = tests.account_of('poor') $$, $$ values (-70::numeric, 430::numeric) $$,
  'what a hold has set aside stays set aside');
select public.release_credit_hold(h.id) from credit_holds as h where h.account_id = tests.account_of('poor') and h.status = 'held';
select results_eq($$ select balance, debt from credit_accounts where id = tests.account_of('poor') $$, $$ values (-70::numeric, 70::numeric) $$,
  'and pays when it is free');
select throws_ok($$ update credit_accounts set debt = 69 where id = tests.account_of('poor') $$, '23514', null, 'a constraint says so too');

select public.grant_credits(tests.user_id('own'), 50, category => 'promotional', priority => 1), pg_temp.session('own', 'pi_45');
select pg_temp.refund('pi_45', 100);
select results_eq($$ select source, remaining from credit_grants where account_id = tests.account_of('own') order by created_at $$,
  $$ values ('service', 50::numeric), ('stripe', 450::numeric) $$, 'what is left of the payment''s own is taken first');

-- what had ended unused ------------------------------------------------------------------------------
select pg_temp.invoice('in_50', 'cus_lapse', jsonb_build_array(pg_temp.line('price_plan',
    jsonb_build_object('period', jsonb_build_object('start', extract(epoch from now())::bigint, 'end', extract(epoch from now() + interval '30 days')::bigint)))),
  jsonb_build_object('metadata', jsonb_build_object('user_id', tests.user_id('lapse'))));
select public.deduct_credits(tests.user_id('lapse'), amount => 200);
select public.grant_credits(tests.user_id('lapse'), 1000);
select tests.pass_time(tests.account_of('lapse'), '40 days');
select pg_temp.link('pi_50', 'in_50'), pg_temp.refund('pi_50', 1000);
select is(pg_temp.entries('lapse'), 'grant 700, grant 300, deduct -200, grant 1000, expire -500, void -500',
  'what has ended is not taken twice: of 1000, 300 are left, 200 were spent, 500 had ended');
select results_eq($$ select taken_back, lapsed from stripe_payments where id = 'in_50' $$, $$ values (1000::numeric, 500::numeric) $$, 'and says so');

-- disputes -------------------------------------------------------------------------------------------
select pg_temp.session('won', 'pi_60'), pg_temp.dispute('created', 'pi_60', 'warning_needs_response');
select is(pg_temp.balance('won'), 500::numeric, 'an inquiry takes nothing');
select pg_temp.dispute('funds_withdrawn', 'pi_60', 'needs_response'), pg_temp.dispute('created', 'pi_60', 'needs_response');
select is(pg_temp.entries('won'), 'grant 500, void -500', 'a dispute takes the credits back, once');
select pg_temp.dispute('closed', 'pi_60', 'won'), pg_temp.dispute('funds_reinstated', 'pi_60', 'won');
select is(pg_temp.entries('won'), 'grant 500, void -500, grant 500', 'one that is won gives them back, once');
select pg_temp.dispute('closed', 'pi_61', 'won'), pg_temp.dispute('created', 'pi_61', 'needs_response'), pg_temp.session('won', 'pi_61');
select is(pg_temp.entries('won'), 'grant 500, void -500, grant 500, grant 500, void -500, grant 500', 'the same when the last comes first');
select pg_temp.dispute('closed', 'pi_62', 'won'), pg_temp.session('won', 'pi_62');
select is(pg_temp.balance('won'), 1500::numeric, 'won before it was opened');
select pg_temp.dispute('created', 'pi_62', 'needs_response');
select is(pg_temp.balance('won'), 1500::numeric, 'is taken and given back');
select is((select count(*) from credit_transactions where account_id = tests.account_of('won')), 9::bigint, 'in entries of their own');
select pg_temp.session('won', 'pi_63'), pg_temp.dispute('created', 'pi_63', 'needs_response', 400), pg_temp.dispute('closed', 'pi_63', 'lost', 400);
select is(pg_temp.balance('won'), 1800::numeric, 'one that is lost, of a part, stays taken');
select pg_temp.refund('pi_63', 1000);
select is(pg_temp.balance('won'), 1500::numeric, 'never more in all than was granted');
select pg_temp.session('won', 'pi_64'), pg_temp.dispute('created', 'pi_64', 'needs_response'), pg_temp.refund('pi_64', 1000);
select pg_temp.dispute('closed', 'pi_64', 'won');
select is(pg_temp.balance('won'), 1500::numeric, 'won, but refunded: nothing comes back');

-- refunds and disputes of what has ended, in every order ----------------------------------------------
insert into stripe_prices (id, credits, rollover_cap) values ('price_ends', 100, 0);
create function pg_temp.subscribe(who text) returns void language sql as $$
  select pg_temp.invoice('in_' || who, 'cus_' || who, jsonb_build_array(pg_temp.line('price_ends', jsonb_build_object('period',
      jsonb_build_object('start', extract(epoch from now())::bigint, 'end', extract(epoch from now() + interval '30 days')::bigint)))),
    pg_temp.paid_by('pi_' || who) || jsonb_build_object('metadata', jsonb_build_object('user_id', tests.user_id(who))));
  select public.grant_credits(tests.user_id(who), 100);
$$;
create temp table turn (code text primary key, statement text);
insert into turn values ('D', $$ select pg_temp.dispute('funds_withdrawn', 'pi_%s', 'needs_response') $$),
  ('W', $$ select pg_temp.dispute('funds_reinstated', 'pi_%s', 'won') $$), ('R', $$ select pg_temp.refund('pi_%s', 500) $$);
create function pg_temp.settle(who text, turns text, spent numeric default 40) returns text language plpgsql as $$
declare v_turn text;
begin
  perform tests.create_user(who);
  perform pg_temp.subscribe(who);
  if spent > 0 then
    perform public.deduct_credits(tests.user_id(who), amount => spent);
  end if;
  foreach v_turn in array regexp_split_to_array(turns, '') loop
    if v_turn = '.' then
      perform tests.pass_time(tests.account_of(who), '40 days');
    else
      execute format((select t.statement from turn as t where t.code = v_turn), who);
    end if;
  end loop;
  return concat_ws(' ', trim_scale(pg_temp.balance(who)), (select concat_ws(' ', trim_scale(p.taken_back), trim_scale(p.lapsed))
    from stripe_payments as p where p.id = 'in_' || who));
end $$;
select is(pg_temp.settle('turn_' || t, t), '100 50 50', t || ': what had ended covers the refund')
from unnest(array['.DWR', '.WDR', '.DRW', '.RDW', '.RWD', '.WRD']) as t;
select pg_temp.settle('ended', 'DW.', 0);
select pg_temp.refund('pi_ended', 1000);
select is(pg_temp.entries('ended'), 'grant 100, grant 100, void -100, grant 100, expire -100', 'what a won dispute gives back and ends unused is not taken again by a refund');
select is(pg_temp.settle('partly', 'R.DW', 0), '100 50 0', 'half was refunded, half has ended: a dispute that is won adds nothing');
select is(pg_temp.settle('twice', '.D'), '60 100 60', 'two disputes of one payment: the first takes all');
select pg_temp.stripe('charge.dispute.funds_withdrawn', '{"id": "dp_2", "payment_intent": "pi_twice", "amount": 1000, "status": "lost"}');
select pg_temp.dispute('closed', 'pi_twice', 'won');
select is(pg_temp.balance('twice'), 60::numeric, 'the first is won, the second still asks');
select is((pg_temp.stripe('charge.dispute.closed', '{"id": "dp_2", "payment_intent": "pi_twice", "amount": 1000, "status": "won"}')).outcome,
  'processed', 'and then the second');
select is(pg_temp.balance('twice'), 100::numeric, 'gives back what was taken');

-- events that cannot be read -------------------------------------------------------------------------
create function pg_temp.raw(payload jsonb, type text default 'invoice.paid', at timestamptz default now()) returns text language sql as $$
  select split_part((public.receive_webhook_event('stripe', gen_random_uuid()::text, raw.type, raw.payload, at)).error, ':', 1)
$$;
select is(pg_temp.raw('{}'), 'stripe_event_unreadable', 'no version');
select is(pg_temp.raw('{"api_version": "2025-02-24.acacia", "data": {"object": {"id": "in_x"}}}'), 'stripe_event_unreadable', 'an old version');
select is(pg_temp.raw('{"api_version": "2026-10-28.endive"}'), 'stripe_event_unreadable', 'no object');
select is(pg_temp.raw('{"api_version": "2026-10-28.endive", "data": {"object": {"id": "in_x"}}}'), 'stripe_event_unreadable', 'an invoice of nobody');
select is(pg_temp.raw('{"api_version": "2026-10-28.endive", "data": {"object": {"id": "in_x"}}}', at => null), 'stripe_event_unreadable', 'no time');
select is(pg_temp.raw('{"api_version": "2026-10-28.endive", "data": {"object": {"id": "ch", "payment_intent": "pi_1", "amount_refunded": "1"}}}', 'charge.refunded'),
  'stripe_event_unreadable', 'an amount that is none');
select is((pg_temp.stripe('charge.refunded', '{"id": "ch_old", "amount": 1, "amount_refunded": 1}')).outcome, 'ignored', 'a charge without a payment intent');
select is((pg_temp.stripe('customer.created', '{"id": "cus_x"}')).outcome, 'ignored', 'an unknown type is stored');

-- replaying ------------------------------------------------------------------------------------------
create function pg_temp.image() returns text language sql as $$
  select md5(concat((select string_agg(t::text, '|' order by t.account_id, t.entry_no) from credit_transactions as t),
    (select string_agg(g::text, '|' order by g.id) from credit_grants as g),
    (select string_agg(a::text, '|' order by a.id) from credit_accounts as a),
    (select string_agg(p::text, '|' order by p.id) from stripe_payments as p),
    (select string_agg(c::text, '|' order by c.id) from stripe_customers as c)))
$$;
create temp table image as select pg_temp.image() as before;
select is((public.replay_webhook_events(received_from => '2000-01-01', batch => 500)).processed > 60, true, 'all of it again');
update stripe_prices set credits = credits * 2;
select is((public.replay_webhook_events(received_from => '2000-01-01', batch => 500)).processed > 60, true, 'and with other prices');
select is(pg_temp.image(), before, 'changes nothing') from image;
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
