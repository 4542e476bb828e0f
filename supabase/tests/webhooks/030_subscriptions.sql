-- Subscriptions: a team's tier, status and period are those of the newest event, in whatever order they come.

begin;
select no_plan();
select tests.create_user('solo');
create function pg_temp.team() returns uuid language sql immutable as $$ select md5('subscribed team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into stripe_customers (id, team_id) values ('cus_team', pg_temp.team());
insert into stripe_customers (id, user_id) values ('cus_solo', tests.user_id('solo'));
insert into stripe_prices (id, tier, credits) values ('price_pro', 'pro', 0), ('price_big', 'enterprise', 0), ('price_addon', null, 5);

create function pg_temp.stripe(id text, type text, created integer, object jsonb) returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('stripe', stripe.id, stripe.type, jsonb_build_object('id', stripe.id, 'object', 'event',
    'api_version', '2026-10-28.endive', 'type', stripe.type, 'created', stripe.created,
    'data', jsonb_build_object('object', object)), to_timestamp(stripe.created))
$$;
create function pg_temp.subscription(what text, created integer, status text, price text default 'price_pro',
  id text default 'sub_1', event text default null, more jsonb default '{}')
returns public.webhook_receipt language sql as $$
  select pg_temp.stripe(coalesce(event, concat_ws('_', 'evt', subscription.id, what, created)), 'customer.subscription.' || what, created,
    jsonb_build_object('id', subscription.id, 'customer', 'cus_team', 'status', subscription.status, 'created', 1000,
      'cancel_at_period_end', false, 'metadata', '{}'::jsonb, 'items', jsonb_build_object('data', jsonb_build_array(
        jsonb_build_object('price', jsonb_build_object('id', price), 'current_period_start', created,
          'current_period_end', created + 500)))) || more)
$$;
create function pg_temp.invoice(what text, created integer, id text default 'sub_1') returns public.webhook_receipt language sql as $$
  select pg_temp.stripe(concat_ws('_', 'evt', invoice.id, what, created), 'invoice.' || what, created, jsonb_build_object(
    'id', 'in_' || created, 'customer', 'cus_team', 'amount_due', 0, 'amount_paid', 0, 'currency', 'eur',
    'parent', jsonb_build_object('subscription_details', jsonb_build_object('subscription', invoice.id, 'metadata', '{}'::jsonb)),
    'lines', '{"data": []}'::jsonb))
$$;
create function pg_temp.state() returns text language sql as $$
  select concat_ws(' ', tier, subscription_status, extract(epoch from current_period_start)::integer,
    extract(epoch from current_period_end)::integer, stripe_subscription_id)
  from teams where id = pg_temp.team()
$$;
-- As if nothing had been heard.
create function pg_temp.forget() returns void language sql as $$
  delete from webhook_events;
  delete from subscription_events;
  delete from stripe_subscriptions;
  update teams set tier = 'free', subscription_status = 'active', stripe_subscription_id = null, current_period_start = null,
    current_period_end = null where id = pg_temp.team();
$$;

-- in order -------------------------------------------------------------------------------------------
select is((pg_temp.subscription('created', 1000, 'incomplete')).result, '{"newer": true, "subscription": "sub_1"}', 'a new subscription');
select is(pg_temp.state(), 'free incomplete 1000 1500 sub_1', 'is not paid for yet');
select pg_temp.invoice('paid', 1001);
select is(pg_temp.state(), 'pro active 1000 1500 sub_1', 'and then is');
select pg_temp.subscription('updated', 1001, 'active');
select is(pg_temp.state(), 'pro active 1001 1501 sub_1', 'as Stripe says too');
select pg_temp.subscription('updated', 1100, 'active', 'price_big');
select is(pg_temp.state(), 'enterprise active 1100 1600 sub_1', 'an upgrade');
select is((pg_temp.subscription('updated', 1050, 'past_due')).result, '{"newer": false, "subscription": "sub_1"}', 'an older event');
select is(pg_temp.state(), 'enterprise active 1100 1600 sub_1', 'never overwrites a newer state');
select pg_temp.invoice('payment_failed', 1200);
select is(pg_temp.state(), 'enterprise past_due 1100 1600 sub_1', 'a payment that failed');
select pg_temp.invoice('paid', 1150);
select is(pg_temp.state(), 'enterprise past_due 1100 1600 sub_1', 'is not undone by an older one that did not');
select pg_temp.invoice('paid', 1300);
select is(pg_temp.state(), 'enterprise active 1100 1600 sub_1', 'but by a newer one');
select pg_temp.subscription('updated', 1400, 'active', 'price_big', more => '{"cancel_at_period_end": true}');
select is((select cancel_at_period_end from teams where id = pg_temp.team()), true, 'it will end');
select pg_temp.subscription('deleted', 1600, 'canceled', 'price_big');
select is(pg_temp.state(), 'free canceled 1600 2100 sub_1', 'and has ended');
select pg_temp.subscription('updated', 1700, 'active'), pg_temp.invoice('paid', 1700);
select is(pg_temp.state(), 'free canceled 1600 2100 sub_1', 'for good, whatever is said later');
select pg_temp.subscription('created', 1900, 'trialing', id => 'sub_2', more => '{"created": 1900}');
select is(pg_temp.state(), 'pro active 1900 2400 sub_2', 'a new one takes its place; a trial is in force');
select is((select stripe_customer_id from teams where id = pg_temp.team()), 'cus_team', 'the customer is the team''s');
select is((select count(*) from subscription_events where team_id = pg_temp.team()), 13::bigint, 'the history has every event');
select is((select event_data -> 'status' from subscription_events where stripe_event_id = 'evt_sub_1_updated_1050'), '"past_due"', 'with what it said');

select pg_temp.forget(), pg_temp.subscription('updated', 1700, 'active'), pg_temp.subscription('deleted', 1600, 'canceled');
select is(pg_temp.state(), 'free canceled 1600 2100 sub_1', 'and whichever is heard of first');

-- other statuses -------------------------------------------------------------------------------------
select pg_temp.forget(), pg_temp.subscription('created', 1000, 'unpaid');
select is(pg_temp.state(), 'free unpaid 1000 1500 sub_1', 'unpaid');
select pg_temp.forget(), pg_temp.subscription('paused', 1000, 'paused');
select is(pg_temp.state(), 'free unpaid 1000 1500 sub_1', 'paused, as there is no means of payment');
select pg_temp.forget(), pg_temp.subscription('created', 1000, 'incomplete_expired');
select is(pg_temp.state(), 'free canceled 1000 1500 sub_1', 'never begun');
select pg_temp.forget(), pg_temp.subscription('created', 1000, 'past_due');
select is(pg_temp.state(), 'pro past_due 1000 1500 sub_1', 'past due keeps its tier');
select is((pg_temp.subscription('updated', 1001, 'strange')).error, 'stripe_event_unreadable: The subscription has the unknown status "strange"', 'a status that is none');
select is((pg_temp.subscription('updated', 1002, 'active', 'price_unknown')).error,
  'stripe_price_unknown: Price "price_unknown" of subscription "sub_1" is not in stripe_prices', 'a price that is not in the table');
select is(pg_temp.state(), 'pro past_due 1000 1500 sub_1', 'changes nothing');
select is((pg_temp.subscription('updated', 1002, 'active', 'price_addon', event => 'evt_addon')).outcome, 'processed', 'one without a tier');
select is(pg_temp.state(), 'free active 1002 1502 sub_1', 'is free');
select pg_temp.forget(), pg_temp.subscription('created', 1000, 'active');
select is((pg_temp.subscription('created', 1010, 'active', 'price_addon', 'sub_2', more => '{"created": 1010}')).outcome, 'processed',
  'a later subscription of a price without a tier');
select is(pg_temp.state(), 'pro active 1000 1500 sub_1', 'leaves the team what the other gives it');
select matches((pg_temp.subscription('created', 1020, 'active', 'price_unknown', 'sub_3', more => '{"created": 1020}')).error,
  '^stripe_price_unknown: ', 'a later one of an unknown price is not passed over');
select matches((pg_temp.subscription('created', 1030, 'active', id => 'sub_4', more => '{"created": 1030, "items": {"data": []}}')).error,
  '^stripe_price_unknown: ', 'nor one of none');
select is((pg_temp.stripe('evt_solo', 'customer.subscription.created', 1000, '{"id": "sub_solo", "customer": "cus_solo", "status": "active",
  "created": 1, "items": {"data": [{"price": "price_none"}]}}')).outcome, 'processed', 'a user has no tier');
select is((select user_id from stripe_subscriptions where id = 'sub_solo'), tests.user_id('solo'), 'and a subscription');
select matches((pg_temp.stripe('evt_x', 'customer.subscription.created', 1000, '{"id": "sub_x", "customer": "cus_x", "status": "active",
  "created": 1, "items": {"data": []}}')).error, '^stripe_customer_unknown', 'a customer whom nobody knows');

-- what else a customer or an operator can do ----------------------------------------------------------------
create function pg_temp.plans() returns text language sql as $$
  select concat_ws(' ', tier, subscription_status, stripe_status, subscription_quantity, cancel_at_period_end,
    extract(epoch from cancel_at)::integer, extract(epoch from trial_end)::integer, pause_collection,
    extract(epoch from pause_resumes_at)::integer)
  from teams where id = pg_temp.team()
$$;
create function pg_temp.change(created integer, more jsonb, status text default 'active', what text default 'updated') returns text language sql as $$
  select pg_temp.forget();
  select pg_temp.subscription('created', 1000, 'active');
  select pg_temp.subscription(change.what, change.created, change.status, more => change.more);
  select pg_temp.plans();
$$;
select is(pg_temp.change(1100, '{}'), 'pro active active f', 'nothing is planned');
select is(pg_temp.change(1100, '{"cancel_at": 1600}'), 'pro active active t 1600', 'the portal ends a subscription by cancel_at');
select is(pg_temp.change(1100, '{"cancel_at": 9000}'), 'pro active active f 9000', 'a later end is not that of the period');
select is(pg_temp.change(1100, '{"cancel_at_period_end": true}'), 'pro active active t 1600', 'an end with the period has a time');
select is(pg_temp.change(1100, '{"cancel_at_period_end": true, "cancel_at": 1600}'), 'pro active active t 1600', 'as classic billing says it');
select pg_temp.subscription('updated', 1101, 'active', more => '{"cancel_at": null}');
select is(pg_temp.plans(), 'pro active active f', 'and taken back it is none');
select is(pg_temp.change(1100, '{"trial_end": 1500}', 'trialing'), 'pro active trialing f 1500', 'a trial says when it ends');
select is(pg_temp.change(1100, '{"trial_end": 1500}', 'trialing', 'trial_will_end'), 'pro active trialing f 1500', 'and so does the reminder');
select is((select count(*) from subscription_events where event_type = 'customer.subscription.trial_will_end'), 1::bigint, 'which is in the history');
select is(pg_temp.change(1100, format('{"pause_collection": {"behavior": "%s", "resumes_at": 1700}}', b)::jsonb),
  'pro active active f ' || b || ' 1700', b || ': the service is free for a while') from unnest(array['keep_as_draft', 'mark_uncollectible']) as b;
select is(pg_temp.change(1100, '{"pause_collection": {"behavior": "void", "resumes_at": null}}'), 'free unpaid active f void',
  'void: there is no service for a while');
select pg_temp.subscription('updated', 1101, 'active', more => '{"pause_collection": null}');
select is(pg_temp.plans(), 'pro active active f', 'and then there is');
select is(pg_temp.change(1100, '{}', s), e, s) from (values ('paused', 'free unpaid paused f'), ('unpaid', 'free unpaid unpaid f'),
  ('past_due', 'pro past_due past_due f'), ('incomplete', 'free incomplete incomplete f'),
  ('incomplete_expired', 'free canceled incomplete_expired f'), ('canceled', 'free canceled canceled f')) as v (s, e);
select is(pg_temp.change(1100, '{"pending_update": {"expires_at": 2000, "subscription_items": [{"price": "price_big"}]}, "schedule": "sub_sched_1"}'),
  'pro active active f', 'what is planned has not happened');
select is(pg_temp.change(1100, '{"items": {"data": [{"price": "price_big", "quantity": 7, "current_period_start": 1, "current_period_end": 2}]}}',
  what => 'pending_update_applied'), 'enterprise active active 7 f', 'and then has');
select is(pg_temp.change(1100, '{"discounts": ["di_1"], "items": {"data": [{"price": "price_addon", "quantity": 1, "current_period_start": 1, "current_period_end": 2},
  {"price": "price_pro", "quantity": 3, "current_period_start": 1200, "current_period_end": 1300}]}}'), 'pro active active 3 f', 'seats are those of the plan');
select is(pg_temp.state(), 'pro active 1200 1300 sub_1', 'and so is the period');
select matches((pg_temp.subscription('updated', 1101, 'active', more => '{"items": {"has_more": true, "data": [{"price": "price_addon"}]}}')).error,
  '^stripe_lines_incomplete: ', 'a plan that is not among the first ten items');
update teams set stripe_customer_id = 'cus_team' where id = pg_temp.team();
select is((pg_temp.stripe('evt_gone', 'customer.deleted', 1200, '{"id": "cus_team", "object": "customer", "deleted": true}')).outcome, 'processed',
  'a customer that is deleted in the dashboard');
select pg_temp.subscription('deleted', 1200, 'canceled');
select results_eq($$ select stripe_customer_id, tier from teams where id = pg_temp.team() $$, $$ values (null::text, 'free') $$,
  'is not the team''s any more, and its subscription ends');
select is((pg_temp.stripe('evt_stranger', 'customer.deleted', 1200, '{"id": "cus_stranger"}')).outcome, 'ignored', 'one of nobody here');
update stripe_customers set deleted_at = null;
select pg_temp.forget();

-- two teams of one customer --------------------------------------------------------------------------
select pg_temp.forget();
insert into teams (id, name) values (md5('second team')::uuid, 'Second');
select pg_temp.subscription('created', 1000, 'active', more => jsonb_build_object('metadata', jsonb_build_object('team_id', pg_temp.team())));
select is((pg_temp.subscription('created', 1000, 'active', id => 'sub_second', more => jsonb_build_object('metadata',
  jsonb_build_object('team_id', md5('second team')::uuid)))).outcome, 'processed', 'a second team of the same customer');
select results_eq($$ select tier, stripe_subscription_id, stripe_customer_id from teams where id = md5('second team')::uuid $$,
  $$ values ('pro', 'sub_second', null::text) $$, 'has what it pays for; the customer stays the first one''s');
select is(pg_temp.state(), 'pro active 1000 1500 sub_1', 'and so has the first');
delete from stripe_subscriptions where id = 'sub_second';

-- one customer buys for a user and for a team, in every order -------------------------------------------
update private.settings set value = 0 where name = 'credits.signup_amount';
insert into stripe_prices (id, credits, tier) values ('price_both', 10, 'pro'), ('price_200', 200, null);
create temp table bought (no serial, statement text);
insert into bought (statement) values
  ($$ select pg_temp.stripe('evt_a' || v, 'checkout.session.completed', 1000, jsonb_build_object('id', 'cs_a' || v, 'mode', 'payment',
    'payment_status', 'paid', 'payment_intent', 'pi_a' || v, 'customer', 'cus_' || v, 'amount_total', 100, 'currency', 'eur',
    'client_reference_id', tests.user_id(v), 'metadata', '{"price_id": "price_200"}'::jsonb)) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.stripe('evt_b' || v, 'checkout.session.completed', 1001, jsonb_build_object('id', 'cs_b' || v, 'mode', 'subscription',
    'payment_status', 'paid', 'subscription', 'sub_' || v, 'invoice', 'in_' || v, 'customer', 'cus_' || v, 'amount_total', 100,
    'currency', 'eur', 'client_reference_id', md5(v)::uuid)) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.subscription('created', 1002, 'active', 'price_both', 'sub_' || v, more => jsonb_build_object('customer', 'cus_' || v))
    from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.stripe('evt_d' || v, 'invoice.paid', 1003, jsonb_build_object('id', 'in_' || v, 'customer', 'cus_' || v,
    'amount_due', 100, 'amount_paid', 100, 'currency', 'eur',
    'parent', jsonb_build_object('subscription_details', jsonb_build_object('subscription', 'sub_' || v, 'metadata', '{}'::jsonb)),
    'payments', jsonb_build_object('data', jsonb_build_array(jsonb_build_object('payment', jsonb_build_object('payment_intent', 'pi_d' || v)))),
    'lines', jsonb_build_object('data', jsonb_build_array(jsonb_build_object('id', 'il', 'amount', 100, 'quantity', 1,
      'pricing', '{"price_details": {"price": "price_both"}}'::jsonb))))) from (select 'ORDER') as x (v) $$),
  ($$ select pg_temp.stripe('evt_e' || v, 'charge.refunded', 1004, jsonb_build_object('id', 'ch_' || v, 'payment_intent', 'pi_d' || v,
    'amount', 100, 'amount_refunded', 40)) from (select 'ORDER') as x (v) $$);
create function pg_temp.buy(places integer[], linked text) returns text language plpgsql as $$
declare
  v text := array_to_string(places, '') || linked;
  v_statement text;
begin
  perform tests.create_user(v);
  insert into teams (id, name) values (md5(v)::uuid, v);
  insert into stripe_customers (id, user_id) select 'cus_' || v, tests.user_id(v) where linked <> '';
  for v_round in 1..2 loop
    for v_statement in select b.statement from unnest(places) with ordinality as p (no, place) join bought as b using (no) order by p.place loop
      execute replace(v_statement, 'ORDER', v);
    end loop;
  end loop;
  return replace((select concat_ws(' ', t.tier, t.subscription_status, t.stripe_subscription_id,
      trim_scale((select a.balance from credit_accounts as a where a.team_id = t.id)),
      trim_scale((select a.balance from credit_accounts as a where a.user_id = tests.user_id(v))),
      (select string_agg(e.stripe_event_id || e.event_data::text, ',' order by e.created_at) from subscription_events as e where e.team_id = t.id),
      (select string_agg(concat_ws(' ', c.kind, trim_scale(c.amount), c.description), ',' order by c.kind, c.amount) from credit_transactions as c
        join credit_accounts as a on a.id = c.account_id where a.team_id = t.id),
      (select string_agg(concat_ws(' ', p.id, trim_scale(p.credits), trim_scale(p.taken_back)), ',' order by p.id) from stripe_payments as p
        where p.id in ('pi_a' || v, 'in_' || v)),
      (select count(*) from webhook_events as w where w.event_id like '%' || v and w.outcome <> 'processed'))
    from teams as t where t.id = md5(v)::uuid), v, 'ORDER');
end $$;
create temp table bought_end as
  with recursive orders as (
    select array[]::integer[] as places union all
    select o.places || b.no from orders as o cross join bought as b where b.no <> all (o.places))
  select o.places, l.linked, pg_temp.buy(o.places, l.linked) as state
  from orders as o cross join (values (''), ('linked')) as l (linked)
  where cardinality(o.places) = 5;
select is(count(*), 240::bigint, 'every order, the customer linked before or not') from bought_end;
select is(count(distinct state), 1::bigint, 'the team and the user end with the same') from bought_end;
select matches(min(state), '^pro active sub_ORDER 6 200 ', 'each with what was bought for them') from bought_end;
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

-- what the subscription says of itself comes first -------------------------------------------------------
select pg_temp.buy(array[3, 4, 2, 1, 5], 'named');
select is((pg_temp.subscription('updated', 1010, 'active', 'price_both', 'sub_34215named', more => jsonb_build_object('customer', 'cus_34215named',
  'metadata', jsonb_build_object('team_id', pg_temp.team())))).outcome, 'processed', 'a subscription is given to another team');
select results_eq($$ select t.tier, t.stripe_subscription_id, a.balance, (select count(*) from subscription_events as e where e.team_id = t.id
      and e.event_data ->> 'subscription' = 'sub_34215named')
    from teams as t left join credit_accounts as a on a.team_id = t.id where t.id in (md5('34215named')::uuid, pg_temp.team()) order by t.tier $$,
  $$ values ('free', null::text, 0::numeric, 0::bigint), ('pro', 'sub_34215named', 6, 3) $$, 'with its state, its history and its credits');

-- in the same second, in every order -----------------------------------------------------------------
create temp table tied (no serial, statement text);
insert into tied (statement) values
  ($$ select pg_temp.subscription('created', 1000, 'incomplete') $$),
  ($$ select pg_temp.subscription('updated', 1000, 'active', 'price_pro', event => 'evt_a') $$),
  ($$ select pg_temp.subscription('updated', 1000, 'active', 'price_big', event => 'evt_b') $$),
  ($$ select pg_temp.invoice('payment_failed', 1000) $$),
  ($$ select pg_temp.subscription('created', 1000, 'active', 'price_pro', 'sub_0', more => '{"created": 900}') $$);
create function pg_temp.in_order(places integer[]) returns text language plpgsql as $$
declare v_statement text;
begin
  perform pg_temp.forget();
  for v_statement in select t.statement from unnest(places) with ordinality as p (no, place) join tied as t using (no) order by p.place loop
    execute v_statement;
  end loop;
  return pg_temp.state() || ' ' || (select string_agg(stripe_event_id || event_data::text, ',' order by stripe_event_id) from subscription_events);
end $$;
create temp table ended as
  with recursive orders as (
    select array[]::integer[] as places union all
    select o.places || t.no from orders as o cross join tied as t where t.no <> all (o.places))
  select pg_temp.in_order(places) as state from orders where cardinality(places) = 5;
select is(count(*), 120::bigint, 'every order of five events') from ended;
select is(count(distinct state), 1::bigint, 'ends in the same state') from ended;
select matches(min(state), '^enterprise active 1000 1500 sub_1', 'of the last by the rule: the subscription itself, updated, the greater id') from ended;

select * from finish();
rollback;
