-- Stripe subscriptions: the tier of a team follows them, and their invoices grant credits.

-- stripe_subscriptions ------------------------------------------------------------------------------

create table public.stripe_subscriptions (
  id text primary key,
  customer_id text not null,
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  owner_named_by text not null default 'customer',
  status text,
  price_ids text[] not null default '{}',
  started_at timestamptz,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean not null default false,
  cancel_at timestamptz,
  trial_end timestamptz,
  pause_collection text,
  pause_resumes_at timestamptz,
  quantity integer,
  state_at timestamptz,
  state_rank smallint,
  state_event_id text,
  invoice_paid boolean,
  invoice_at timestamptz,
  invoice_event_id text,
  constraint stripe_subscriptions_owner_named_by_check check (owner_named_by in ('customer', 'session', 'subscription')),
  constraint stripe_subscriptions_one_owner_check check (num_nonnulls(user_id, team_id) = 1)
);
comment on table public.stripe_subscriptions is
  'Subscriptions in Stripe: the newest state that an event has reported, and whether the newest invoice was paid. Only functions write it.';
comment on column public.stripe_subscriptions.owner_named_by is
  'What names its owner: its own metadata (subscription), else its Checkout session, else the owner of its customer';
comment on column public.stripe_subscriptions.status is
  'Its status in Stripe; null until an event of the subscription itself has arrived';
comment on column public.stripe_subscriptions.current_period_start is
  'The period, like quantity, is that of the item whose price gives the tier, or else of the first item';
comment on column public.stripe_subscriptions.state_at is
  'When the event happened that reported the state; state_rank and state_event_id order events of the same second';
comment on column public.stripe_subscriptions.state_rank is '1 created, 2 updated, 3 deleted';
comment on column public.stripe_subscriptions.invoice_paid is
  'Whether the newest invoice was paid; false when its payment failed. invoice_at is when';

create index stripe_subscriptions_user_id on public.stripe_subscriptions (user_id);
create index stripe_subscriptions_team_id on public.stripe_subscriptions (team_id);

alter table public.stripe_subscriptions enable row level security;
revoke all on public.stripe_subscriptions from public, anon, authenticated, service_role;
grant select on public.stripe_subscriptions to service_role;

-- The service bypasses policies. This one only states that the table is for the service alone.
create policy "the service reads subscriptions" on public.stripe_subscriptions
  for select to service_role using (true);

-- State ---------------------------------------------------------------------------------------------

-- Returns whether an event is newer than the known state of a subscription. In the same second, deleted is newer than
-- updated, updated is newer than created, and otherwise the event ids decide.
create function private.stripe_state_is_newer(subscription public.stripe_subscriptions, at timestamptz, rank integer, event_id text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return subscription.state_at is null
    -- Stripe never uses an id again: a deleted subscription stays deleted.
    or (rank = 3, at, rank, event_id collate "C")
      > (subscription.state_rank = 3, subscription.state_at, subscription.state_rank,
        subscription.state_event_id collate "C");
end $$;
revoke all on function private.stripe_state_is_newer(public.stripe_subscriptions, timestamptz, integer, text)
  from public, anon, authenticated, service_role;

-- Returns the status of a team with this subscription. If the newest invoice was paid or failed after the known state,
-- the status is already the one that Stripe is about to report. While Stripe voids the invoices of a paused
-- subscription, nothing is paid for and nothing provided; its status in Stripe does not say so.
create function private.team_subscription_status(subscription public.stripe_subscriptions)
returns public.subscription_status_enum
language plpgsql immutable set search_path = ''
as $$
declare
  v_status text := subscription.status;
begin
  if subscription.invoice_at > subscription.state_at then
    if subscription.invoice_paid and v_status in ('past_due', 'unpaid', 'incomplete') then
      v_status := 'active';
    elsif not subscription.invoice_paid and v_status in ('active', 'trialing') then
      v_status := 'past_due';
    end if;
  end if;
  return (case
    when subscription.pause_collection = 'void' and v_status in ('active', 'trialing', 'past_due') then 'unpaid'
    else case v_status
    when 'trialing' then 'active' when 'incomplete_expired' then 'canceled' when 'paused' then 'unpaid' else v_status
    end
  end)::public.subscription_status_enum;
end $$;
revoke all on function private.team_subscription_status(public.stripe_subscriptions)
  from public, anon, authenticated, service_role;

-- Adds to a list the subscriptions of a team that have not ended, or of which nothing but an invoice is known.
create function private.add_stripe_subscriptions(ids text[], team_id uuid)
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
  return ids || array(
    select s.id from public.stripe_subscriptions as s
    where s.team_id = add_stripe_subscriptions.team_id and s.id <> all (ids)
      and coalesce(s.status, '') not in ('canceled', 'incomplete_expired')
    order by s.id);
end $$;
revoke all on function private.add_stripe_subscriptions(text[], uuid) from public, anon, authenticated, service_role;

-- Returns whether all prices of a subscription are in stripe_prices and none has a tier.
create function private.buys_credits_alone(price_ids text[])
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return cardinality(price_ids) > 0 and not exists (
    select 1 from unnest(price_ids) as i (id)
    left join public.stripe_prices as p on p.id = i.id
    where p.id is null or p.tier is not null);
end $$;
revoke all on function private.buys_credits_alone(text[]) from public, anon, authenticated, service_role;

-- Updates a team's row from its subscription. Of several, it takes one that is not canceled first, then one that does
-- more than buy credits, then the one that began last. While the subscription is active or past due, the tier is that
-- of the first price that has one; otherwise it is free. The caller holds the lock of the team.
-- Raises: PT422 stripe_price_unknown.
create function private.set_team_subscription(team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_subscription public.stripe_subscriptions;
  v_status public.subscription_status_enum;
  v_tier text;
  v_customer text;
begin
  select s.* into v_subscription from public.stripe_subscriptions as s
  where s.team_id = set_team_subscription.team_id and s.state_at is not null
  order by private.team_subscription_status(s) = 'canceled', private.buys_credits_alone(s.price_ids), s.started_at desc, s.id collate "C" desc
  limit 1;
  if not found then
    return;
  end if;
  v_status := private.team_subscription_status(v_subscription);
  if v_status in ('active', 'past_due') then
    select p.tier into v_tier from unnest(v_subscription.price_ids) with ordinality as i (id, place)
    join public.stripe_prices as p on p.id = i.id
    where p.tier is not null
    order by i.place
    limit 1;
    if v_tier is null and not private.buys_credits_alone(v_subscription.price_ids) then
      raise exception 'Price % of subscription "%" is not in stripe_prices', coalesce((
          select string_agg(format('"%s"', i.id), ', ') from unnest(v_subscription.price_ids) as i (id)
          where not exists (select 1 from public.stripe_prices as p where p.id = i.id)), '(none)'), v_subscription.id
        using errcode = 'PT422', detail = 'stripe_price_unknown', hint = 'Insert the price, with its tier if it has one, then replay the event';
    end if;
  end if;
  v_tier := coalesce(v_tier, 'free');
  -- A customer may pay for several teams, but is in the row of one only.
  select v_subscription.customer_id into v_customer
  where not exists (
    select 1 from public.teams as t
    where t.stripe_customer_id = v_subscription.customer_id and t.id <> set_team_subscription.team_id)
    and not exists (
    select 1 from public.stripe_customers as c where c.id = v_subscription.customer_id and c.deleted_at is not null);
  update public.teams as t
  set stripe_customer_id = coalesce(v_customer, t.stripe_customer_id), stripe_subscription_id = v_subscription.id, tier = v_tier,
    subscription_status = v_status, current_period_start = v_subscription.current_period_start,
    current_period_end = v_subscription.current_period_end, cancel_at_period_end = v_subscription.cancel_at_period_end,
    stripe_status = v_subscription.status, subscription_quantity = v_subscription.quantity, cancel_at = v_subscription.cancel_at,
    trial_end = v_subscription.trial_end, pause_collection = v_subscription.pause_collection,
    pause_resumes_at = v_subscription.pause_resumes_at
  where t.id = set_team_subscription.team_id
    and (t.stripe_customer_id, t.stripe_subscription_id, t.tier, t.subscription_status, t.current_period_start,
      t.current_period_end, t.cancel_at_period_end, t.stripe_status, t.subscription_quantity, t.cancel_at, t.trial_end,
      t.pause_collection, t.pause_resumes_at)
    is distinct from (coalesce(v_customer, t.stripe_customer_id), v_subscription.id, v_tier, v_status,
      v_subscription.current_period_start, v_subscription.current_period_end, v_subscription.cancel_at_period_end,
      v_subscription.status, v_subscription.quantity, v_subscription.cancel_at, v_subscription.trial_end,
      v_subscription.pause_collection, v_subscription.pause_resumes_at);
end $$;
revoke all on function private.set_team_subscription(uuid) from public, anon, authenticated, service_role;

-- Returns what the history of a team keeps of an event: what the team's owners may see, not the whole event.
create function private.subscription_event_data(event public.webhook_events)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
  v_object jsonb := private.stripe_object(event);
begin
  if event.type like 'invoice.%' then
    return jsonb_build_object('subscription', private.stripe_id(v_object #> '{parent,subscription_details,subscription}'),
      'invoice', v_object -> 'id', 'amount_due', v_object -> 'amount_due', 'amount_paid', v_object -> 'amount_paid',
      'currency', v_object -> 'currency');
  end if;
  return jsonb_build_object('subscription', v_object -> 'id', 'status', v_object -> 'status',
    'prices', (
      select coalesce(jsonb_agg(private.stripe_id(i.value -> 'price') order by i.ordinality), '[]')
      from jsonb_array_elements(v_object #> '{items,data}') with ordinality as i),
    'current_period_start', private.stripe_time(v_object #> '{items,data,0,current_period_start}'),
    'current_period_end', private.stripe_time(v_object #> '{items,data,0,current_period_end}'),
    'cancel_at_period_end', v_object -> 'cancel_at_period_end', 'cancel_at', private.stripe_time(v_object -> 'cancel_at'),
    'trial_end', private.stripe_time(v_object -> 'trial_end'), 'pause_collection', v_object #> '{pause_collection,behavior}');
end $$;
revoke all on function private.subscription_event_data(public.webhook_events)
  from public, anon, authenticated, service_role;

-- Owners --------------------------------------------------------------------------------------------

-- Locks the row of a subscription, after inserting it if it is new, and the row of its team, and returns the
-- subscription. Its owner is named by its own metadata, else by its Checkout session, else by its customer, and these
-- may be reported in any order: when named_by ranks above what named the known owner, the subscription moves to the
-- new one.
create function private.lock_stripe_subscription(id text, customer_id text, user_id uuid, team_id uuid, named_by text)
returns public.stripe_subscriptions
language plpgsql volatile set search_path = ''
as $$
declare
  v_ranks constant text[] := array['customer', 'session', 'subscription'];
  v_known public.stripe_subscriptions;
  v_subscription public.stripe_subscriptions;
begin
  perform 1 from public.teams as t where t.id = lock_stripe_subscription.team_id for update;
  insert into public.stripe_subscriptions (id, customer_id, user_id, team_id, owner_named_by)
  values (lock_stripe_subscription.id, lock_stripe_subscription.customer_id, lock_stripe_subscription.user_id,
    lock_stripe_subscription.team_id, named_by)
  on conflict do nothing;
  select s.* into v_known from public.stripe_subscriptions as s where s.id = lock_stripe_subscription.id for update;
  if array_position(v_ranks, named_by) <= array_position(v_ranks, v_known.owner_named_by) then
    perform 1 from public.teams as t where t.id = v_known.team_id for update;
    return v_known;
  end if;
  update public.stripe_subscriptions as s
  set user_id = lock_stripe_subscription.user_id, team_id = lock_stripe_subscription.team_id, owner_named_by = named_by
  where s.id = v_known.id
  returning s.* into v_subscription;
  if (v_known.user_id, v_known.team_id) is distinct from (v_subscription.user_id, v_subscription.team_id) then
    perform private.move_stripe_subscription(v_known, v_subscription.user_id, v_subscription.team_id);
  end if;
  return v_subscription;
end $$;
revoke all on function private.lock_stripe_subscription(text, text, uuid, uuid, text)
  from public, anon, authenticated, service_role;

-- Moves a subscription to another owner, with its history, its state and the credits that its invoices have granted,
-- as if that owner had been known from the start. The history is written again from the events whose payload is kept.
-- The caller holds the locks of the subscription and of the new owner, if that is a team.
create function private.move_stripe_subscription(subscription public.stripe_subscriptions, user_id uuid, team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment_id text;
begin
  perform 1 from public.teams as t where t.id = subscription.team_id for update;
  if move_stripe_subscription.team_id is null then
    delete from public.subscription_events as e
    where e.team_id = subscription.team_id and e.event_data ->> 'subscription' = subscription.id;
  else
    update public.subscription_events as e set team_id = move_stripe_subscription.team_id
    where e.team_id = subscription.team_id and e.event_data ->> 'subscription' = subscription.id;
    insert into public.subscription_events (team_id, stripe_event_id, event_type, event_data, created_at)
    select move_stripe_subscription.team_id, e.event_id, e.type, private.subscription_event_data(e), e.event_created_at
    from public.webhook_events as e
    where e.result ? 'subscription' and e.result ->> 'subscription' = subscription.id and e.provider = 'stripe'
      and e.payload is not null
    on conflict on constraint subscription_events_stripe_event_id_key do nothing;
  end if;
  update public.teams as t
  set stripe_subscription_id = null, tier = 'free', subscription_status = 'active', current_period_start = null,
    current_period_end = null, cancel_at_period_end = false, stripe_status = null, subscription_quantity = null,
    cancel_at = null, trial_end = null, pause_collection = null, pause_resumes_at = null
  where t.id = subscription.team_id and t.stripe_subscription_id = subscription.id;
  perform private.set_team_subscription(subscription.team_id);
  perform private.set_team_subscription(move_stripe_subscription.team_id);
  for v_payment_id in
    select distinct p.id from public.stripe_payments as p where p.subscription_id = subscription.id order by p.id
  loop
    perform private.move_stripe_payment(v_payment_id, move_stripe_subscription.user_id, move_stripe_subscription.team_id);
  end loop;
end $$;
revoke all on function private.move_stripe_subscription(public.stripe_subscriptions, uuid, uuid)
  from public, anon, authenticated, service_role;

-- Moves a payment to another owner: takes its credits back from the former owner, and grants them to the new one, less
-- what refunds and disputes take back. What the former owner has spent of them becomes a debt.
create function private.move_stripe_payment(payment_id text, user_id uuid, team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
begin
  perform private.lock_stripe_payment(payment_id);
  for v_payment in
    select p.* from public.stripe_payments as p where p.id = payment_id order by p.unit
  loop
    perform private.move_stripe_grants(v_payment, move_stripe_payment.user_id, move_stripe_payment.team_id);
  end loop;
  perform private.take_back_stripe_credits(payment_id, format('Refund of payment %s', payment_id));
end $$;
revoke all on function private.move_stripe_payment(text, uuid, uuid) from public, anon, authenticated, service_role;

-- Does so for what the payment has bought in one unit, up to what refunds and disputes take back.
create function private.move_stripe_grants(payment public.stripe_payments, user_id uuid, team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_grant record;
  v_new public.credit_grant;
  v_ids uuid[] := array[]::uuid[];
begin
  if payment.credits > payment.taken_back then
    perform private.take_back_credits(payment.account_id, payment.grant_ids, payment.credits - payment.taken_back,
      format('Payment %s belongs to another account', payment.id), payment.lapsed);
  end if;
  for v_grant in
    select g.* from private.credit_grants as g
    -- The reference of what a won dispute has returned has two parts only.
    where g.id = any (payment.grant_ids) and g.external_reference like 'stripe:%:%'
    order by g.created_at, g.id
  loop
    -- The new grant needs the reference, which only one grant can have.
    update private.credit_grants as g
    set external_reference = format('moved:%s:%s', v_grant.external_reference, payment.account_id)
    where g.id = v_grant.id;
    v_new := public.grant_credits(user_id => move_stripe_grants.user_id, team_id => move_stripe_grants.team_id,
      amount => v_grant.amount, unit => payment.unit, category => 'paid', source => 'stripe', skus => v_grant.skus,
      priority => v_grant.priority,
      external_reference => v_grant.external_reference, description => format('Payment %s', payment.id),
      expires_at => case when v_grant.expires_at is not null
        then greatest(v_grant.expires_at, private.stripe_late_end()) end);
    v_ids := v_ids || v_new.id;
  end loop;
  update public.stripe_payments as p
  set account_id = v_new.account_id, grant_ids = v_ids, taken_back = 0, lapsed = 0, taken_from = '[]'
  where p.id = payment.id and p.unit = payment.unit;
end $$;
revoke all on function private.move_stripe_grants(public.stripe_payments, uuid, uuid)
  from public, anon, authenticated, service_role;

-- Events --------------------------------------------------------------------------------------------

-- Adds an event to the history of the subscription's team, and updates the team's row.
create function private.note_subscription_event(event public.webhook_events, subscription public.stripe_subscriptions)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if subscription.team_id is null then
    return;
  end if;
  insert into public.subscription_events (team_id, stripe_event_id, event_type, event_data, created_at)
  values (subscription.team_id, event.event_id, event.type, private.subscription_event_data(event), event.event_created_at)
  on conflict on constraint subscription_events_stripe_event_id_key do nothing;
  perform private.set_team_subscription(subscription.team_id);
end $$;
revoke all on function private.note_subscription_event(public.webhook_events, public.stripe_subscriptions)
  from public, anon, authenticated, service_role;

-- customer.subscription.*, each of which has the whole subscription as it is then. What is only planned (pending_update,
-- schedule) is not in its state before it applies.
create function private.on_stripe_subscription(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_object jsonb := private.stripe_object(event);
  v_customer text := private.stripe_id(v_object -> 'customer');
  v_owner private.stripe_owner;
  v_subscription public.stripe_subscriptions;
  v_rank integer := case event.type
    when 'customer.subscription.created' then 1 when 'customer.subscription.deleted' then 3 else 2 end;
  v_prices text[];
  v_item jsonb;
  v_tier text;
  v_period_end timestamptz;
  v_newer boolean;
begin
  if v_customer is null or v_object ->> 'status' is null or jsonb_typeof(v_object #> '{items,data}') is distinct from 'array'
    or v_object ->> 'status' not in ('active', 'canceled', 'past_due', 'unpaid', 'incomplete', 'trialing',
      'incomplete_expired', 'paused') then
    raise exception '%', case
        when v_customer is null then 'The subscription must have a customer'
        when jsonb_typeof(v_object #> '{items,data}') is distinct from 'array' then 'items.data of the subscription must be a list'
        when v_object ->> 'status' is null then 'The subscription must have a status'
        else format('The subscription has the unknown status "%s"', v_object ->> 'status') end
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  v_owner := private.stripe_owner(v_customer, v_object -> 'metadata', null);
  if v_owner.ignored is not null then
    return jsonb_build_object('ignored', v_owner.ignored);
  end if;
  v_subscription := private.lock_stripe_subscription(v_object ->> 'id', v_customer, v_owner.user_id, v_owner.team_id,
    case v_owner.named_by when 'metadata' then 'subscription' else 'customer' end);
  select coalesce(array_agg(private.stripe_id(i.value -> 'price') order by i.ordinality), '{}') into v_prices
  from jsonb_array_elements(v_object #> '{items,data}') with ordinality as i;
  -- Items may have periods of their own. That of the plan counts.
  select i.value, p.tier into v_item, v_tier
  from jsonb_array_elements(v_object #> '{items,data}') with ordinality as i
  left join public.stripe_prices as p on p.id = private.stripe_id(i.value -> 'price')
  order by p.tier is null, i.ordinality
  limit 1;
  v_period_end := private.stripe_time(v_item -> 'current_period_end');
  -- Of more than ten items, Stripe sends ten.
  if v_tier is null and v_object #> '{items,has_more}' = 'true' then
    perform private.stripe_lines(v_object -> 'items', format('Subscription "%s"', v_object ->> 'id'),
      format('subscription_items?subscription=%s', v_object ->> 'id'));
  end if;

  v_newer := private.stripe_state_is_newer(v_subscription, event.event_created_at, v_rank, event.event_id);
  if v_newer then
    update public.stripe_subscriptions as s
    set status = v_object ->> 'status', price_ids = v_prices, customer_id = v_customer,
      started_at = private.stripe_time(v_object -> 'created'),
      current_period_start = private.stripe_time(v_item -> 'current_period_start'), current_period_end = v_period_end,
      -- With flexible billing, the customer portal sets cancel_at to the end of the period, and not cancel_at_period_end.
      cancel_at_period_end = coalesce((v_object ->> 'cancel_at_period_end')::boolean, false)
        or coalesce(private.stripe_time(v_object -> 'cancel_at') <= v_period_end, false),
      cancel_at = coalesce(private.stripe_time(v_object -> 'cancel_at'),
        case when v_object -> 'cancel_at_period_end' = 'true' then v_period_end end),
      trial_end = private.stripe_time(v_object -> 'trial_end'),
      pause_collection = v_object #>> '{pause_collection,behavior}',
      pause_resumes_at = private.stripe_time(v_object #> '{pause_collection,resumes_at}'),
      quantity = (v_item ->> 'quantity')::integer,
      state_at = event.event_created_at, state_rank = v_rank, state_event_id = event.event_id
    where s.id = v_subscription.id
    returning s.* into v_subscription;
  end if;
  perform private.note_subscription_event(event, v_subscription);
  return jsonb_build_object('subscription', v_object -> 'id', 'newer', v_newer);
end $$;
revoke all on function private.on_stripe_subscription(public.webhook_events)
  from public, anon, authenticated, service_role;

-- invoice.paid and invoice.payment_failed: records whether the subscription is paid, and grants credits for paid lines.
-- Lines without an amount (a trial) grant nothing, nor do prorations: a change of plan grants from the next period on.
-- A line without a price counts under its own id, and a paid invoice without lines under that of the invoice: so an
-- operator can say in stripe_prices what it bought.
-- Raises: PT422 stripe_event_unreadable, stripe_lines_incomplete, stripe_price_unknown; PT404 stripe_customer_unknown.
create function private.on_stripe_invoice(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_invoice jsonb := private.stripe_object(event);
  v_customer text := coalesce(private.stripe_id(v_invoice -> 'customer'), v_invoice ->> 'customer_account');
  v_subscription_id text := private.stripe_id(v_invoice #> '{parent,subscription_details,subscription}');
  v_paid boolean := event.type = 'invoice.paid';
  v_owner private.stripe_owner;
  v_subscription public.stripe_subscriptions;
  v_user_id uuid;
  v_team_id uuid;
  v_owner_of text;
  v_lines private.stripe_line[];
  v_intent text;
  v_granted jsonb := jsonb '{}';
  v_reason text;
begin
  if not v_paid and v_subscription_id is null then
    return null;
  end if;
  if v_customer is null and v_subscription_id is not null
    or jsonb_typeof(v_invoice #> '{lines,data}') is distinct from 'array' then
    raise exception '%', case when jsonb_typeof(v_invoice #> '{lines,data}') = 'array'
        then 'The invoice of a subscription must have a customer' else 'lines.data of the invoice must be a list' end
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  select n.user_id, n.team_id into v_user_id, v_team_id
  from private.stripe_named(v_invoice -> 'metadata', null) as n;
  v_owner := private.stripe_owner(v_customer, v_invoice #> '{parent,subscription_details,metadata}',
    coalesce(v_team_id::text, v_user_id::text, v_invoice #>> '{metadata,team_id}', v_invoice #>> '{metadata,user_id}'));
  if v_owner.ignored is not null then
    return jsonb_build_object('ignored', v_owner.ignored);
  end if;

  if v_subscription_id is not null then
    v_subscription := private.lock_stripe_subscription(v_subscription_id, v_customer, v_owner.user_id, v_owner.team_id,
      case v_owner.named_by when 'metadata' then 'subscription' else 'customer' end);
    -- In the same second, paid comes after failed.
    if v_subscription.invoice_at is null or (event.event_created_at, v_paid, event.event_id collate "C")
      > (v_subscription.invoice_at, v_subscription.invoice_paid, v_subscription.invoice_event_id collate "C") then
      update public.stripe_subscriptions as s
      set invoice_paid = v_paid, invoice_at = event.event_created_at, invoice_event_id = event.event_id
      where s.id = v_subscription_id;
    end if;
    perform private.note_subscription_event(event, v_subscription);
  end if;

  -- The credits are for the owner that the invoice itself names, else for the subscription's, else for the customer's.
  if num_nonnulls(v_user_id, v_team_id) = 0 then
    v_owner_of := v_subscription_id;
    v_user_id := case when v_subscription_id is null then v_owner.user_id else v_subscription.user_id end;
    v_team_id := case when v_subscription_id is null then v_owner.team_id else v_subscription.team_id end;
  end if;
  if v_paid then
    select array_agg(row(l.value ->> 'id', coalesce(private.stripe_id(l.value #> '{pricing,price_details,price}'), l.value ->> 'id'),
        coalesce(l.value ->> 'quantity_decimal', l.value ->> 'quantity', '1'),
        case when l.recurs then private.stripe_time(l.value #> '{period,start}') end,
        case when l.recurs then private.stripe_time(l.value #> '{period,end}') end
      )::private.stripe_line) filter (where l.charged and not l.proration),
      case when bool_or(l.charged) then 'proration' when count(*) > 0 then 'no_charge' end
    into v_lines, v_reason
    from (
      select x.value, (x.value ->> 'amount')::numeric > 0 as charged,
        x.value #>> '{parent,type}' = 'subscription_item_details' as recurs,
        coalesce(x.value #> '{parent,subscription_item_details,proration}',
          x.value #> '{parent,invoice_item_details,proration}', 'false') = 'true' as proration
      from jsonb_array_elements(private.stripe_lines(v_invoice -> 'lines', format('Invoice "%s"', v_invoice ->> 'id'),
        format('invoices/%s/lines', v_invoice ->> 'id'))) as x
    ) as l;
    if v_reason is null and private.stripe_amount(v_invoice, 'amount_paid') > 0 then
      v_lines := array[row(v_invoice ->> 'id', v_invoice ->> 'id', 1, null, null)::private.stripe_line];
    end if;
    for v_intent in
      select distinct private.stripe_id(p #> '{payment,payment_intent}')
      from jsonb_array_elements(case jsonb_typeof(v_invoice #> '{payments,data}') when 'array'
        then v_invoice #> '{payments,data}' else '[]' end) as p
      where private.stripe_id(p #> '{payment,payment_intent}') is not null
      order by 1
    loop
      perform private.link_stripe_payment(v_intent, v_invoice ->> 'id');
    end loop;
    v_granted := private.grant_stripe_payment(v_invoice ->> 'id', v_user_id, v_team_id,
      private.stripe_amount(v_invoice, 'amount_paid'), v_invoice ->> 'currency', v_lines, v_owner_of);
  end if;
  v_reason := case when v_paid and v_granted = '{}' then
    case when v_lines is null then coalesce(v_reason, 'no_charge') else 'price_without_credits' end end;
  if v_reason is not null and v_subscription_id is null then
    return jsonb_build_object('ignored', v_reason);
  end if;
  return private.stripe_grant_outcome(v_granted) - 'reason' || jsonb_build_object('subscription', v_subscription_id)
    || jsonb_strip_nulls(jsonb_build_object('reason', v_reason));
end $$;
revoke all on function private.on_stripe_invoice(public.webhook_events) from public, anon, authenticated, service_role;

-- Records which invoice a payment intent paid, and applies the refunds and disputes that arrived before. If both have
-- granted, the invoice counts, which lists what was bought.
create function private.link_stripe_payment(payment_intent_id text, invoice_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform private.lock_stripe_payment(payment_intent_id);
  insert into private.stripe_payment_intents as i (id, invoice_id)
  values (payment_intent_id, link_stripe_payment.invoice_id)
  on conflict on constraint stripe_payment_intents_pkey do update
  set invoice_id = excluded.invoice_id where i.invoice_id is null;
  perform private.lock_stripe_payment(invoice_id);
  if (select count(distinct p.id) from public.stripe_payments as p where p.id in (payment_intent_id, link_stripe_payment.invoice_id)) = 2 then
    perform private.undo_stripe_payment(payment_intent_id, invoice_id);
  end if;
  perform private.settle_stripe_payment(payment_intent_id);
end $$;
revoke all on function private.link_stripe_payment(text, text) from public, anon, authenticated, service_role;

-- invoice_payment.paid: records which payment intent paid an invoice. Refunds and disputes name the payment intent,
-- grants the invoice.
create function private.on_stripe_invoice_payment(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment jsonb := private.stripe_object(event);
  v_intent text := private.stripe_id(v_payment #> '{payment,payment_intent}');
  v_invoice text := private.stripe_id(v_payment -> 'invoice');
begin
  if v_intent is null or v_invoice is null then
    return null;
  end if;
  perform private.link_stripe_payment(v_intent, v_invoice);
  return jsonb_build_object('payment_intent', v_intent, 'invoice', v_invoice);
end $$;
revoke all on function private.on_stripe_invoice_payment(public.webhook_events)
  from public, anon, authenticated, service_role;

insert into private.webhook_handlers (provider, type, handler) values
  ('stripe', 'customer.subscription.created', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.updated', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.paused', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.resumed', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.trial_will_end', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.pending_update_applied', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.pending_update_expired', 'private.on_stripe_subscription'),
  ('stripe', 'customer.subscription.deleted', 'private.on_stripe_subscription'),
  ('stripe', 'invoice.paid', 'private.on_stripe_invoice'),
  ('stripe', 'invoice_payment.paid', 'private.on_stripe_invoice_payment'),
  ('stripe', 'invoice.payment_failed', 'private.on_stripe_invoice');
