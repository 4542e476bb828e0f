-- Payments that buy something else than credits, or several units at once.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user(n) from unnest(array['both', 'won', 'moved', 'heir', 'linked']) as n;
insert into credit_units (unit) values ('images');
insert into stripe_prices (id, credits, credit_unit, rollover_cap) values
  ('price_credits', 500, 'credits', null), ('price_images', 20, 'images', null), ('price_plan', 30, 'images', 10);
insert into stripe_customers (id, user_id) select 'cus_' || n, tests.user_id(n) from unnest(array['both', 'won', 'moved', 'linked']) as n;

create function pg_temp.stripe(type text, object jsonb) returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('stripe', e.id, stripe.type, jsonb_build_object('id', e.id, 'object', 'event',
    'api_version', '2026-10-28.endive', 'type', stripe.type, 'created', 1790000000,
    'data', jsonb_build_object('object', object, 'previous_attributes', '{"amount_refunded": 0}'::jsonb)), to_timestamp(1790000000))
  from (select gen_random_uuid()::text as id) as e
$$;
create function pg_temp.line(price text) returns jsonb language sql as $$
  select jsonb_build_object('id', 'il_' || price, 'amount', 1000, 'quantity', 1,
    'pricing', jsonb_build_object('price_details', jsonb_build_object('price', price)),
    'period', '{"start": 1895788800, "end": 1898208000}'::jsonb,
    'parent', '{"type": "subscription_item_details", "subscription_item_details": {"proration": false}}'::jsonb)
$$;
create function pg_temp.invoice(who text, lines jsonb) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice.paid', jsonb_build_object('id', 'in_' || who, 'customer', 'cus_' || who, 'amount_paid', 1000,
    'currency', 'eur', 'metadata', '{}'::jsonb, 'lines', jsonb_build_object('data', lines)))
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
create function pg_temp.has(who text) returns text language sql as $$
  select string_agg(concat(trim_scale(b.balance), ' ', b.unit), ', ' order by b.unit) from credit_balances as b
  where b.user_id = tests.user_id(who)
$$;
create function pg_temp.payment(id text) returns text language sql as $$
  select string_agg(concat_ws(' ', p.unit, trim_scale(p.credits), trim_scale(p.taken_back)), ', ' order by p.unit)
  from stripe_payments as p where p.id = payment.id
$$;

-- what a payment buys --------------------------------------------------------------------------------------------
select throws_ok($$ insert into stripe_prices (id, credits, credit_unit) values ('price_x', 1, 'gpus') $$, '23503', null, 'a price buys a known unit');
select is((pg_temp.invoice('both', jsonb_build_array(pg_temp.line('price_credits'), pg_temp.line('price_images')))).result - 'subscription',
  '{"credits": 500, "units": {"images": 20}}', 'one payment buys two units');
select is(pg_temp.has('both'), '500 credits, 20 images', 'in two accounts');
select is(pg_temp.payment('in_both'), 'credits 500 0, images 20 0', 'and is recorded for each');
select is((pg_temp.invoice('both', jsonb_build_array(pg_temp.line('price_credits'), pg_temp.line('price_images')))).result - 'subscription',
  '{"credits": 500, "units": {"images": 20}}', 'another event of it');
select is(pg_temp.has('both'), '500 credits, 20 images', 'grants nothing more');
select is((pg_temp.stripe('checkout.session.completed', jsonb_build_object('id', 'cs_1', 'mode', 'payment', 'payment_status', 'paid',
    'payment_intent', 'pi_1', 'customer', 'cus_both', 'amount_total', 1000, 'currency', 'eur', 'metadata', '{"price_id": "price_images"}'::jsonb))).result,
  '{"credits": 0, "units": {"images": 20}}', 'a session without credits is not one that buys nothing');

-- refunds and disputes -------------------------------------------------------------------------------------------
select pg_temp.link('both');
select pg_temp.refund('both', 250);
select is(pg_temp.has('both'), '375 credits, 35 images', 'a refund of a quarter takes a quarter of each');
select is(pg_temp.payment('in_both'), 'credits 500 125, images 20 5', 'and says so');
select pg_temp.invoice('won', jsonb_build_array(pg_temp.line('price_credits'), pg_temp.line('price_plan')));
select results_eq($$ select trim_scale(amount), expires_at is not null from credit_grants where account_id = tests.account_of('won', 'images') order by 1 $$,
  $$ values (10::numeric, true), (20, true) $$, 'a plan in images rolls over');
select pg_temp.link('won');
select public.deduct_credits(tests.user_id('won'), amount => 5, unit => 'images');
select pg_temp.dispute('won', 'created', 'needs_response');
select is(pg_temp.has('won'), '0 credits, -5 images', 'a dispute takes all of each, and what was spent is a debt in its unit');
select pg_temp.dispute('won', 'closed', 'won');
select is(pg_temp.has('won'), '500 credits, 25 images', 'and gives all back when it is won');
select is((select string_agg(external_reference, ' ' order by external_reference) from credit_grants where external_reference like 'stripe:dp%'),
  'stripe:dp_won stripe:dp_won/images', 'by a reference for each');

-- a payment that is reported twice, and one that moves -----------------------------------------------------------
select pg_temp.stripe('payment_intent.succeeded', jsonb_build_object('id', 'pi_linked', 'customer', 'cus_linked', 'amount_received', 1000,
  'currency', 'eur', 'metadata', '{"price_id": "price_images"}'::jsonb));
select is(pg_temp.has('linked'), '0 credits, 20 images', 'a payment intent grants what its metadata says');
select pg_temp.link('linked');
select pg_temp.invoice('linked', jsonb_build_array(pg_temp.line('price_credits'), pg_temp.line('price_images')));
select is(pg_temp.has('linked'), '500 credits, 20 images', 'its invoice knows better');
select is(pg_temp.payment('pi_linked'), null, 'and takes its place');
select pg_temp.invoice('moved', jsonb_build_array(pg_temp.line('price_credits'), pg_temp.line('price_images')));
select pg_temp.link('moved');
select pg_temp.refund('moved', 500);
select private.move_stripe_payment('in_moved', tests.user_id('heir'), null);
select is(pg_temp.has('moved'), '0 credits, 0 images', 'a payment that moves takes all of it along');
select is(pg_temp.has('heir'), '250 credits, 10 images', 'less what was refunded');
select is(pg_temp.payment('in_moved'), 'credits 500 250, images 20 10', 'of each');
select is_empty($$ select r.* from credit_accounts as a cross join lateral credit_reconciliation(a.id) as r $$, 'the books agree');

select * from finish();
rollback;
