-- Purchases: every payment ends in credits, in a written rule or in a dead letter, whichever events tell of it.

begin;
select no_plan();
update private.settings set value = 0 where name = 'credits.signup_amount';
select tests.create_user(n) from unnest(array['buyer', 'mobile', 'gone', 'stays']) as n;
insert into stripe_prices (id, credits) values ('price_pack', 500), ('price_free', 0), ('price_meter', 0.5);
insert into stripe_customers (id, user_id) values ('cus_buyer', tests.user_id('buyer'));

create function pg_temp.stripe(type text, object jsonb, id text default gen_random_uuid()::text)
returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('stripe', stripe.id, stripe.type, jsonb_build_object('id', stripe.id, 'object', 'event',
    'api_version', '2026-10-28.endive', 'type', stripe.type, 'created', 1790000000,
    'data', jsonb_build_object('object', object)), to_timestamp(1790000000))
$$;
create function pg_temp.line(price text, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('id', 'il_' || price, 'amount', 1000, 'quantity', 1, 'period', '{"start": 1790000000, "end": 1792592000}'::jsonb,
    'pricing', jsonb_build_object('type', 'price_details', 'price_details', jsonb_build_object('price', price)),
    'parent', '{"type": "invoice_item_details", "invoice_item_details": {"proration": false}}'::jsonb) || more
$$;
create function pg_temp.invoice(id text, lines jsonb, more jsonb default '{}') returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('invoice.paid', jsonb_build_object('id', invoice.id, 'customer', 'cus_buyer', 'amount_paid', 1000,
    'currency', 'eur', 'metadata', '{}'::jsonb, 'lines', jsonb_build_object('data', lines)) || more)
$$;
create function pg_temp.intent(id text, metadata jsonb, more jsonb default '{}') returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('payment_intent.succeeded', jsonb_build_object('id', intent.id, 'customer', null, 'amount', 900,
    'amount_received', 900, 'currency', 'eur', 'status', 'succeeded', 'metadata', intent.metadata) || more)
$$;
create function pg_temp.session(id text, more jsonb) returns public.webhook_receipt language sql as $$
  select pg_temp.stripe('checkout.session.completed', jsonb_build_object('id', session.id, 'mode', 'payment', 'payment_status', 'paid',
    'customer', 'cus_buyer', 'amount_total', 1000, 'currency', 'eur', 'metadata', '{}'::jsonb) || more)
$$;
create function pg_temp.balance(who text) returns numeric language sql as $$
  select trim_scale(coalesce((select balance from credit_accounts where id = tests.account_of(who)), 0))
$$;
create function pg_temp.end_of(receipt public.webhook_receipt) returns text language sql as $$
  select concat_ws(' ', receipt.outcome, trim_scale((receipt.result ->> 'credits')::numeric),
    coalesce(receipt.result ->> 'reason', receipt.result ->> 'ignored'), receipt.error)
$$;
create function pg_temp.replay(object_id text) returns text language sql as $$
  select public.replay_webhook_events(e.event_id, 'stripe') from webhook_events as e
  where e.payload #>> '{data,object,id}' = object_id;
  select concat_ws(' ', e.outcome, trim_scale((e.result ->> 'credits')::numeric), coalesce(e.result ->> 'reason', e.result ->> 'ignored'))
  from webhook_events as e where e.payload #>> '{data,object,id}' = object_id order by e.id desc limit 1;
$$;

-- a price that is not in the table -------------------------------------------------------------------------
select is(pg_temp.end_of(pg_temp.invoice('in_1', jsonb_build_array(pg_temp.line('price_pack'), pg_temp.line('price_new'), pg_temp.line('price_newer')))),
  'failed stripe_price_unknown: Price "price_new", "price_newer" of payment "in_1" is not in stripe_prices', 'an invoice fails, and names the prices');
select is(pg_temp.balance('buyer'), 0::numeric, 'and grants nothing yet');
select results_eq($$ select provider, type, code, failed, dead, example_error like '%"price_new"%' from webhook_health() $$,
  $$ values ('stripe', 'invoice.paid', 'stripe_price_unknown', 1::bigint, 0::bigint, true) $$, 'the health view shows it');
insert into stripe_prices (id, credits) values ('price_new', 100), ('price_newer', 0);
select is(pg_temp.replay('in_1'), 'processed 600', 'once the prices are there, a replay grants all lines');
select is_empty($$ select * from webhook_health() $$, 'and the inbox is healthy');
select is(pg_temp.end_of(pg_temp.session('cs_1', '{"payment_intent": "pi_cs_1", "line_items": {"data": [{"id": "li_1", "price": {"id": "price_pack"}, "quantity": 1},
  {"id": "li_2", "price": {"id": "price_other"}, "quantity": 1}]}}')),
  'failed stripe_price_unknown: Price "price_other" of payment "pi_cs_1" is not in stripe_prices', 'a session');
select is(pg_temp.end_of(pg_temp.intent('pi_1', jsonb_build_object('user_id', tests.user_id('buyer'), 'price_id', 'price_other'))),
  'failed stripe_price_unknown: Price "price_other" of payment "pi_1" is not in stripe_prices', 'a payment intent');
select is(pg_temp.end_of(pg_temp.invoice('in_2', jsonb_build_array(pg_temp.line('x', '{"pricing": null}')))),
  'failed stripe_price_unknown: Price "il_x" of payment "in_2" is not in stripe_prices', 'a line without a price counts under its id');
insert into stripe_prices (id, credits) values ('il_x', 7);
select is(pg_temp.replay('in_2'), 'processed 7', 'which says what it bought');
select is(pg_temp.end_of(pg_temp.invoice('in_3', '[]')), 'failed stripe_price_unknown: Price "in_3" of payment "in_3" is not in stripe_prices',
  'a paid invoice without lines');
select is(pg_temp.end_of(pg_temp.session('cs_2', '{"payment_intent": "pi_cs_2"}')), 'failed stripe_lines_missing: Session "cs_2" does not say what was bought',
  'a session that says nothing');
insert into stripe_prices (id, credits) values ('cs_2', 9);
select is(pg_temp.replay('cs_2'), 'processed 9', 'is granted once an operator says it');
delete from stripe_prices where id in ('il_x', 'cs_2', 'price_new');
select is(pg_temp.replay('in_1'), 'processed 600', 'what was granted stays so without its price');

-- the written rules ----------------------------------------------------------------------------------------
select is(pg_temp.end_of(pg_temp.invoice(id, lines, more)), ends, id) from (values
  ('in_trial', jsonb_build_array(pg_temp.line('price_new', '{"amount": 0}')), '{"amount_paid": 0}'::jsonb, 'ignored no_charge'),
  ('in_balance', jsonb_build_array(pg_temp.line('price_new', '{"amount": 0}')), '{}', 'ignored no_charge'),
  ('in_none', '[]', '{"amount_paid": 0}', 'ignored no_charge'),
  ('in_upgrade', jsonb_build_array(pg_temp.line('price_new', '{"amount": -300, "parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": true}}}'),
    pg_temp.line('price_new', '{"parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": true}}}')), '{}', 'ignored proration'),
  ('in_item', jsonb_build_array(pg_temp.line('price_new', '{"parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": true}}}')), '{}', 'ignored proration'),
  ('in_shirt', jsonb_build_array(pg_temp.line('price_free')), '{}', 'ignored price_without_credits'),
  ('in_metered', jsonb_build_array(pg_temp.line('price_meter', '{"quantity": 12, "quantity_decimal": "12.5"}')), '{}', 'processed 6.25'),
  ('in_flat', jsonb_build_array(pg_temp.line('price_pack', '{"quantity": null}')), '{}', 'processed 500'),
  ('in_coupon', jsonb_build_array(pg_temp.line('price_pack', '{"discount_amounts": [{"amount": 1000, "discount": "di_1"}]}')), '{"amount_paid": 0}', 'processed 500')
) as v (id, lines, more, ends);
select is(pg_temp.end_of(pg_temp.session('cs_' || ends, more)), ends, ends) from (values
  ('{"mode": "setup", "payment_status": "no_payment_required", "amount_total": null}'::jsonb, 'processed 0 setup'),
  ('{"mode": "subscription", "subscription": null}', 'processed 0 invoice_grants'),
  ('{"payment_status": "unpaid"}', 'processed 0 not_paid'),
  ('{"metadata": {"price_id": "price_free"}}', 'processed 0 price_without_credits')) as v (more, ends);

-- a payment intent -----------------------------------------------------------------------------------------
select is(pg_temp.end_of(pg_temp.intent('pi_2', jsonb_build_object('user_id', tests.user_id('mobile'), 'price_id', 'price_pack', 'quantity', '2'))),
  'processed 1000', 'metadata says what an app has sold without Checkout');
select is(pg_temp.balance('mobile'), 1000::numeric, 'and to whom');
select is(pg_temp.end_of(pg_temp.intent('pi_3', '{"price_id": "price_pack"}', '{"customer": "cus_buyer"}')), 'processed 500', 'or the customer does');
select is(pg_temp.end_of(pg_temp.intent('pi_4', '{}', m)), ends, ends) from (values
  ('{"customer": "cus_buyer"}'::jsonb, 'ignored not_described'),
  ('{"payment_details": {"order_reference": "cs_test_a1"}}', 'ignored session_grants'),
  ('{"payment_details": {"order_reference": "in_1SVX0PDwzg"}}', 'processed 0 invoice_grants')) as v (m, ends);
select is(pg_temp.end_of(pg_temp.intent('pi_5', jsonb_build_object('user_id', tests.user_id('mobile')))),
  'failed stripe_lines_missing: Payment intent "pi_5" does not say what was bought', 'one for a user without a price fails');
select is(pg_temp.end_of(pg_temp.intent('pi_5', jsonb_build_object('user_id', tests.user_id('mobile'), 'price_id', 'price_pack', 'quantity', '0'))),
  'failed stripe_lines_missing: Payment intent "pi_5" does not say what was bought', 'and one of a quantity that is none');
select is(pg_temp.end_of(pg_temp.intent('pi_6', '{"price_id": "price_pack"}', '{"customer": "cus_later"}')),
  'failed stripe_customer_unknown: Customer "cus_later" is not linked to any user or team', 'a customer whom nobody knows yet');
select pg_temp.stripe('charge.refunded', '{"id": "ch_2", "payment_intent": "pi_2", "amount": 900, "amount_refunded": 450}');
select is(pg_temp.balance('mobile'), 500::numeric, 'a refund takes back its part');

-- one purchase, told by any of its events, in any order --------------------------------------------------
create temp table told (no serial, statement text);
insert into told (statement) values
  ($$ select pg_temp.intent('pi_' || v, jsonb_build_object('user_id', tests.user_id(v), 'price_id', 'price_pack')) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.session('cs_' || v, jsonb_build_object('customer', null, 'client_reference_id', tests.user_id(v), 'payment_intent', 'pi_' || v,
    'invoice', INVOICE, 'metadata', '{"price_id": "price_pack"}'::jsonb)) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.invoice('in_' || v, jsonb_build_array(pg_temp.line('price_pack', '{"quantity": QUANTITY}')), jsonb_build_object('customer', null,
    'metadata', jsonb_build_object('user_id', tests.user_id(v)))) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.stripe('invoice_payment.paid', jsonb_build_object('id', 'inpay_' || v, 'invoice', 'in_' || v,
    'payment', jsonb_build_object('payment_intent', 'pi_' || v))) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.stripe('charge.refunded', jsonb_build_object('id', 'ch_' || v, 'payment_intent', 'pi_' || v, 'amount', 1000, 'amount_refunded', 500))
    from (select 'ORDER') as x (v) $$);
create function pg_temp.tell(places integer[], invoice text, quantity text) returns text language plpgsql as $$
declare
  v text := array_to_string(places, '') || invoice || quantity;
  v_statement text;
begin
  perform tests.create_user(v);
  for v_round in 1..2 loop
    for v_statement in select t.statement from unnest(places) with ordinality as p (no, place) join told as t using (no) order by p.place loop
      execute replace(replace(replace(v_statement, 'ORDER', v), 'INVOICE', case invoice when 'known' then $x$'in_' || v$x$ else 'null' end),
        'QUANTITY', quantity);
    end loop;
  end loop;
  return concat_ws(' ', pg_temp.balance(v), (select count(*) from stripe_payments where id in ('pi_' || v, 'in_' || v, 'cs_' || v)),
    (select string_agg(distinct w.outcome, ' ') from webhook_events as w where w.payload #>> '{data,object,id}' like '%\_' || v));
end $$;
create function pg_temp.orders(elements integer[]) returns setof integer[] language sql as $$
  with recursive o as (
    select array[]::integer[] as places union all
    select o.places || e from o cross join unnest(elements) as e where e <> all (o.places))
  select places from o where cardinality(places) = cardinality(elements)
$$;
select is(count(*) filter (where pg_temp.tell(o, 'known', '1') is distinct from '250 1 processed'), 0::bigint,
  'session, intent, invoice, link and refund: once, less the refund, in each order') from pg_temp.orders('{1,2,3,4,5}') as o;
select is(count(*) filter (where pg_temp.tell(o, 'unknown', '3') is distinct from '750 1 processed'), 0::bigint,
  'the invoice counts, if the others say something else') from pg_temp.orders('{1,2,3,4,5}') as o;
select is(pg_temp.tell(o, 'none', '1'), '250 1 processed', array_to_string(o, ', ') || ': without an invoice') from pg_temp.orders('{1,2,5}') as o;
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

-- a won dispute of what turns out to be the invoice's ----------------------------------------------------
select pg_temp.intent('pi_won', jsonb_build_object('user_id', tests.user_id('stays'), 'price_id', 'price_pack')),
  pg_temp.stripe('charge.dispute.created', '{"id": "dp_won", "payment_intent": "pi_won", "amount": 900, "status": "needs_response"}'),
  pg_temp.stripe('charge.dispute.closed', '{"id": "dp_won", "payment_intent": "pi_won", "amount": 900, "status": "won"}'),
  pg_temp.invoice('in_won', jsonb_build_array(pg_temp.line('price_pack')), jsonb_build_object('customer', null, 'metadata',
    jsonb_build_object('user_id', tests.user_id('stays'))));
select is(pg_temp.balance('stays'), 1000::numeric, 'told twice, and not yet known to be one');
select pg_temp.stripe('invoice_payment.paid', '{"id": "inpay_won", "invoice": "in_won", "payment": {"payment_intent": "pi_won"}}');
select is(pg_temp.balance('stays'), 500::numeric, 'is one, and the dispute is won');

-- nobody's -------------------------------------------------------------------------------------------------
insert into stripe_customers (id, user_id) values ('cus_gone', tests.user_id('gone'));
insert into teams (id, name, stripe_customer_id) values (md5('gone team')::uuid, 'Gone', 'cus_gone_team');
create temp table gone as select tests.user_id('gone') as id;
delete from auth.users where id = (select id from gone);
delete from teams where id = md5('gone team')::uuid;
select is(pg_temp.end_of(pg_temp.invoice('in_gone', jsonb_build_array(pg_temp.line('price_pack')), m)), 'ignored account_deleted', 'an invoice: ' || m::text)
from (values ('{"customer": "cus_gone"}'::jsonb), ('{"customer": "cus_gone_team"}'), (jsonb_build_object('customer', null, 'metadata',
  jsonb_build_object('team_id', md5('gone team')::uuid)))) as v (m);
select is(pg_temp.end_of(pg_temp.session('cs_gone', jsonb_build_object('customer', 'cus_new', 'client_reference_id', upper(id::text)))),
  'ignored account_deleted', 'a session') from gone;
select is(pg_temp.end_of(pg_temp.intent('pi_gone', jsonb_build_object('user_id', id, 'price_id', 'price_pack'))), 'ignored account_deleted', 'an intent') from gone;
select is(pg_temp.end_of(pg_temp.stripe('customer.subscription.' || t, '{"id": "sub_gone", "customer": "cus_gone", "status": "canceled", "created": 1,
  "items": {"data": []}}')), 'ignored account_deleted', 'a subscription ' || t) from unnest(array['updated', 'deleted']) as t;
select is(pg_temp.end_of(pg_temp.session('cs_' || coalesce(r, 'none'), jsonb_build_object('customer', null, 'client_reference_id', r))),
  'ignored names_nobody', 'no customer, and no id of a user: ' || coalesce(r, 'none')) from unnest(array[null, 'order-7', '']) as r;
select is(pg_temp.end_of(pg_temp.invoice('in_nobody', '[]', '{"customer": null}')), 'ignored names_nobody', 'an invoice of nobody');
select is(pg_temp.end_of(pg_temp.session('cs_early', jsonb_build_object('customer', null, 'client_reference_id', md5('early team')::uuid,
  'metadata', '{"price_id": "price_pack"}'::jsonb))), 'failed stripe_customer_unknown: The event names no user or team that exists', 'a team that is not there yet');
insert into teams (id, name) values (md5('early team')::uuid, 'Early');
select is(pg_temp.replay('cs_early'), 'processed 500', 'and then is');

select * from finish();
rollback;
