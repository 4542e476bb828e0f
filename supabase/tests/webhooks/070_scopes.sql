-- Payments for credits that pay for some skus only.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user(n) from unnest(array['buyer', 'debtor', 'both', 'moved', 'heir', 'linked', 'same', 'many']) as n;
insert into credit_prices (sku, unit, price, effective_from) values
  ('s.image', 'image', 1, '2020-01-01'), ('s.text', 'message', 1, '2020-01-01');
insert into stripe_prices (id, credits, skus, priority, rollover_cap) values
  ('price_all', 10, null, 50, null), ('price_image', 10, array['s.image*'], 10, null),
  ('price_video', 10, array['s.video'], 20, null), ('price_plan', 30, array['s.image'], 5, 10);
insert into stripe_customers (id, user_id) select 'cus_' || n, tests.user_id(n)
from unnest(array['buyer', 'debtor', 'both', 'moved', 'linked', 'same', 'many']) as n;

create function pg_temp.stripe(type text, object jsonb) returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('stripe', e.id, stripe.type, jsonb_build_object('id', e.id, 'object', 'event',
    'api_version', '2026-10-28.endive', 'type', stripe.type, 'created', 1790000000,
    'data', jsonb_build_object('object', object, 'previous_attributes', '{"amount_refunded": 0}'::jsonb)), to_timestamp(1790000000))
  from (select gen_random_uuid()::text as id) as e
$$;
create function pg_temp.invoice(who text, variadic prices text[]) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice.paid', jsonb_build_object('id', 'in_' || who, 'customer', 'cus_' || who, 'amount_paid', 1000,
    'currency', 'eur', 'metadata', '{}'::jsonb, 'lines', jsonb_build_object('data', (select jsonb_agg(jsonb_build_object(
      'id', 'il_' || p, 'amount', 1000, 'quantity', 1, 'pricing', jsonb_build_object('price_details', jsonb_build_object('price', p)),
      'period', '{"start": 1895788800, "end": 1898208000}'::jsonb,
      'parent', '{"type": "subscription_item_details", "subscription_item_details": {"proration": false}}'::jsonb))
      from unnest(prices) as p))))
$$;
create function pg_temp.intent(who text, price text) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('payment_intent.succeeded', jsonb_build_object('id', 'pi_' || who, 'customer', 'cus_' || who, 'amount_received', 1000,
    'currency', 'eur', 'metadata', jsonb_build_object('price_id', price)))
$$;
create function pg_temp.link(who text) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice_payment.paid', jsonb_build_object('id', 'inpay_' || who, 'invoice', 'in_' || who,
    'payment', jsonb_build_object('type', 'payment_intent', 'payment_intent', 'pi_' || who)))
$$;
create function pg_temp.refund(who text, refunded integer) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('charge.refunded', jsonb_build_object('id', 'ch_' || who, 'payment_intent', 'pi_' || who,
    'amount', 1000, 'amount_refunded', refunded))
$$;
create function pg_temp.dispute(who text, what text, status text) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('charge.dispute.' || what, jsonb_build_object('id', 'dp_' || who, 'payment_intent', 'pi_' || who,
    'amount', 1000, 'status', dispute.status))
$$;
-- What an account has: its balance, then what is left of its grants, in spending order.
create function pg_temp.has(who text) returns text language sql as $$
  select concat(trim_scale(a.balance), ': ', string_agg(concat(trim_scale(g.remaining), ' ', coalesce(g.skus[1], 'all')), ', '
    order by g.priority, g.skus nulls first, g.created_at) filter (where g.remaining > 0))
  from credit_accounts as a left join credit_grants as g on g.account_id = a.id
  where a.user_id = tests.user_id(who) group by a.id
$$;

-- what a price buys ----------------------------------------------------------------------------------------------
select throws_ok(format('insert into stripe_prices (id, credits, %s) values (%L, 1, %s)', x.name, 'price_x', x.value), '23514', null,
  concat(x.name, ' cannot be ', x.value))
from (values ('skus', '''{}'''), ('skus', '''{*}'''), ('skus', '''{a,NULL}'''), ('skus', '''{{a},{b}}'''), ('skus', '''{"a b"}'''),
  ('priority', '-1'), ('priority', '101')) as x (name, value);
set local role service_role;
select lives_ok($$ insert into stripe_prices (id, credits, skus) values ('price_service', 1, array['s.image', 's.text']) $$,
  'the service says what a price pays for');
select throws_ok($$ update stripe_prices set skus = '{S}' where id = 'price_service' $$, '23514', null, 'which must be skus');
reset role;
select is((pg_temp.invoice('buyer', 'price_all', 'price_image', 'price_video')).result - 'subscription', '{"credits": 30}', 'one payment buys several kinds');
select is(pg_temp.has('buyer'), '30: 10 s.image*, 10 s.video, 10 all', 'each pays for its skus, in the order of its priority');
select pg_temp.invoice('buyer', 'price_all', 'price_image', 'price_video');
select is(pg_temp.has('buyer'), '30: 10 s.image*, 10 s.video, 10 all', 'another event of it grants nothing more');
select public.deduct_credits(tests.user_id('buyer'), 's.image', 4);
select is(pg_temp.has('buyer'), '26: 6 s.image*, 10 s.video, 10 all', 'a charge takes what pays for it');
select is(tests.refusal($$ select public.deduct_credits(tests.user_id('buyer'), 's.text', 11) $$), 'PT402 insufficient_credits', 'and nothing else');
select pg_temp.invoice('many', 'price_plan');
select results_eq($$ select trim_scale(amount), skus, priority::integer, expires_at is not null from credit_grants
    where account_id = tests.account_of('many') order by 1 $$,
  $$ values (10::numeric, array['s.image'], 5, true), (20, array['s.image'], 5, true) $$, 'what rolls over of a plan is limited, too');

-- refunds and disputes -------------------------------------------------------------------------------------------
select pg_temp.link('buyer');
select pg_temp.refund('buyer', 500);
select is(pg_temp.has('buyer'), '11: 1 s.video, 10 all', 'a refund takes limited credits first');
select pg_temp.invoice('debtor', 'price_image', 'price_all');
select pg_temp.link('debtor');
select public.deduct_credits(tests.user_id('debtor'), 's.image', 4);
select public.deduct_credits(tests.user_id('debtor'), 's.text', 7);
select is(pg_temp.has('debtor'), '9: 6 s.image*, 3 all', 'some of each is spent');
select pg_temp.dispute('debtor', 'created', 'needs_response');
select is(pg_temp.has('debtor'), '-11: ', 'a dispute takes all of each, and the rest is a debt');
select pg_temp.dispute('debtor', 'closed', 'won');
select is(pg_temp.has('debtor'), '9: 6 s.image*, 3 all', 'when it is won, everything is as before: the debt is paid, and limits stay');
select is((select debt from credit_accounts where id = tests.account_of('debtor')), 0::numeric, 'there is no debt');
select is((select taken_from from stripe_payments where id = 'in_debtor') @? '$[*] ? (@.amount != 0)', false, 'the payment has nothing taken any more');
select pg_temp.refund('debtor', 1000);
select is(pg_temp.has('debtor'), '-11: ', 'a refund afterwards takes the same again');
select pg_temp.invoice('both', 'price_image', 'price_all');
select pg_temp.link('both');
select pg_temp.dispute('both', 'created', 'needs_response');
select pg_temp.refund('both', 500);
select pg_temp.dispute('both', 'closed', 'won');
select is(pg_temp.has('both'), '10: 10 all', 'what another refund still takes is the limited part');

-- a payment that is reported twice, and one that moves -----------------------------------------------------------
select pg_temp.intent('linked', 'price_all');
select pg_temp.link('linked');
select pg_temp.invoice('linked', 'price_image');
select is(pg_temp.has('linked'), '10: 10 s.image*', 'an invoice says for what the credits of its payment intent pay');
select is((select array_agg(id) from stripe_payments where account_id = tests.account_of('linked')), array['in_linked'], 'and takes its place');
select pg_temp.intent('same', 'price_image');
select pg_temp.link('same');
select pg_temp.invoice('same', 'price_image');
select is((select count(*) from credit_transactions where account_id = tests.account_of('same')), 1::bigint,
  'if both say the same, nothing is granted again');
select pg_temp.invoice('moved', 'price_image', 'price_all');
select pg_temp.link('moved');
select pg_temp.refund('moved', 250);
select private.move_stripe_payment('in_moved', tests.user_id('heir'), null);
select is(pg_temp.has('heir'), '15: 5 s.image*, 10 all', 'a payment that moves takes its limits along');
select is(pg_temp.has('moved'), '0: ', 'and leaves nothing');

-- how many -------------------------------------------------------------------------------------------------------
update private.settings set value = 100 where name = 'credits.scoped_grants';
select count(public.grant_credits(tests.user_id('same'), 1, skus => array['s.image'])) from generate_series(1, 99);
select is((pg_temp.stripe('payment_intent.succeeded', '{"id": "pi_more", "customer": "cus_same", "amount_received": 1, "currency": "eur",
  "metadata": {"price_id": "price_image"}}')).outcome, 'failed', 'an account with too many limited grants gets no more, and the event says so');
update private.settings set value = 1000 where name = 'credits.scoped_grants';
select is((public.replay_webhook_events(provider => 'stripe', event_id => e.event_id)).processed, 1, 'a replay grants them when there is room')
from webhook_events as e where e.payload #>> '{data,object,id}' = 'pi_more';

select is_empty($$ select r.* from credit_accounts as a cross join lateral credit_reconciliation(a.id) as r $$, 'the books agree');
select * from finish();
rollback;
