-- Stripe: what its prices buy, whose its customers are, what is known of payments, and how its objects are read.

-- stripe_prices -------------------------------------------------------------------------------------

create table public.stripe_prices (
  id text primary key,
  credits numeric(15, 4) not null default 0,
  rollover_cap numeric(15, 4),
  tier text,
  description text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stripe_prices_id_check check (char_length(id) between 1 and 255),
  constraint stripe_prices_credits_check check (credits between 0 and 1000000000),
  constraint stripe_prices_rollover_cap_check check (rollover_cap between 0 and 1000000000),
  constraint stripe_prices_tier_check check (tier in ('free', 'pro', 'enterprise')),
  constraint stripe_prices_description_check check (char_length(description) between 1 and 500)
);
comment on table public.stripe_prices is 'What a price of Stripe buys: credits, a tier, or both. Edited by the operator';
comment on column public.stripe_prices.id is 'Stripe''s id of the price: price_...';
comment on column public.stripe_prices.credits is 'Credits for one unit; of a subscription''s price, for each period';
comment on column public.stripe_prices.rollover_cap is
  'Of a subscription''s price: how many unused credits of a period last for the next one too; null: they do not end';
comment on column public.stripe_prices.tier is 'Tier of a team whose subscription has this price';

alter table public.stripe_prices enable row level security;
revoke all on public.stripe_prices from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.stripe_prices to service_role;

-- The service is not held to policies; that this is for it alone is said so that none seems to be missing.
create policy "the service edits what prices buy" on public.stripe_prices
  for all to service_role using (true) with check (true);

create trigger stripe_prices_updated_at before update on public.stripe_prices
  for each row execute function public.handle_updated_at();

-- stripe_customers ----------------------------------------------------------------------------------

create table public.stripe_customers (
  id text primary key,
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  created_at timestamptz not null default now(),
  constraint stripe_customers_id_check check (char_length(id) between 1 and 255),
  constraint stripe_customers_one_owner_check check (num_nonnulls(user_id, team_id) = 1)
);
comment on table public.stripe_customers is
  'Whose a customer of Stripe is. Written when an event says so, or by the server that makes the customer';
comment on column public.stripe_customers.id is 'Stripe''s id of the customer: cus_...';

create index stripe_customers_user_id on public.stripe_customers (user_id);
create index stripe_customers_team_id on public.stripe_customers (team_id);

alter table public.stripe_customers enable row level security;
revoke all on public.stripe_customers from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.stripe_customers to service_role;

-- The service is not held to policies; that this is for it alone is said so that none seems to be missing.
create policy "the service edits whose customers are" on public.stripe_customers
  for all to service_role using (true) with check (true);

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
  'Subscriptions of Stripe: the newest state that an event has told of, and how the newest invoice went. Written by functions only.';
comment on column public.stripe_subscriptions.owner_named_by is
  'What says whose it is: its own metadata, or else its Checkout session, or else whom the customer is linked with';
comment on column public.stripe_subscriptions.status is 'As Stripe has it; null until an event of the subscription itself has come';
comment on column public.stripe_subscriptions.state_at is
  'Watermark: when the event happened that the state is from; with state_rank and state_event_id for the same second';
comment on column public.stripe_subscriptions.state_rank is '1 created, 2 updated, 3 deleted';
comment on column public.stripe_subscriptions.invoice_paid is 'Whether the newest invoice was paid or failed, at invoice_at';

create index stripe_subscriptions_user_id on public.stripe_subscriptions (user_id);
create index stripe_subscriptions_team_id on public.stripe_subscriptions (team_id);

alter table public.stripe_subscriptions enable row level security;
revoke all on public.stripe_subscriptions from public, anon, authenticated, service_role;
grant select on public.stripe_subscriptions to service_role;

-- The service is not held to policies; that this is for it alone is said so that none seems to be missing.
create policy "the service reads subscriptions" on public.stripe_subscriptions
  for select to service_role using (true);

-- stripe_payments -----------------------------------------------------------------------------------

create table public.stripe_payments (
  id text primary key,
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  amount bigint not null,
  currency text,
  credits numeric(15, 4) not null,
  subscription_id text,
  taken_back numeric(15, 4) not null default 0,
  lapsed numeric(15, 4) not null default 0,
  grant_ids uuid[] not null,
  created_at timestamptz not null default now(),
  constraint stripe_payments_taken_back_check check (taken_back between 0 and credits and lapsed between 0 and taken_back)
);
comment on table public.stripe_payments is
  'Payments that have granted credits, each once, and what was taken back of them. Written by functions only.';
comment on column public.stripe_payments.id is
  'Stripe''s id of the invoice; of the payment intent or Checkout session where there is no invoice';
comment on column public.stripe_payments.amount is 'What was paid, in the smallest unit of the currency';
comment on column public.stripe_payments.subscription_id is
  'The subscription whose owner the credits are for; null when the payment itself says whose they are';
comment on column public.stripe_payments.taken_back is 'Credits that refunds and disputes have asked back';
comment on column public.stripe_payments.lapsed is 'The part of taken_back that had ended unused, and was not taken twice';

create index stripe_payments_account_id on public.stripe_payments (account_id);
create index stripe_payments_subscription_id on public.stripe_payments (subscription_id) where subscription_id is not null;

alter table public.stripe_payments enable row level security;
revoke all on public.stripe_payments from public, anon, authenticated, service_role;
grant select on public.stripe_payments to service_role;

-- The service is not held to policies; that this is for it alone is said so that none seems to be missing.
create policy "the service reads payments" on public.stripe_payments
  for select to service_role using (true);

-- Facts of payments, which may be known before the payment is ----------------------------------------

create table private.stripe_payment_intents (
  id text primary key,
  invoice_id text not null
);
comment on table private.stripe_payment_intents is
  'Which invoice a payment intent paid: a charge names the one, a grant the other';
create index stripe_payment_intents_invoice_id on private.stripe_payment_intents (invoice_id);
revoke all on private.stripe_payment_intents from public, anon, authenticated, service_role;

create table private.stripe_refunds (
  charge_id text not null,
  refunded_from bigint not null,
  refunded_to bigint not null,
  payment_intent_id text not null,
  charged bigint not null,
  applied boolean not null default false,
  primary key (charge_id, refunded_from, refunded_to),
  constraint stripe_refunds_range_check check (0 <= refunded_from and refunded_from < refunded_to and refunded_to <= charged)
);
comment on table private.stripe_refunds is
  'Parts of charges that were refunded: from what had been refunded before to what was after';
comment on column private.stripe_refunds.applied is 'Whether the credits have been taken back';
create index stripe_refunds_payment_intent_id on private.stripe_refunds (payment_intent_id);
revoke all on private.stripe_refunds from public, anon, authenticated, service_role;

create table private.stripe_disputes (
  id text primary key,
  payment_intent_id text not null,
  amount bigint not null,
  opened boolean not null default false,
  won boolean not null default false,
  opened_applied boolean not null default false,
  won_applied boolean not null default false,
  taken numeric(15, 4) not null default 0,
  lapsed numeric(15, 4) not null default 0,
  constraint stripe_disputes_amount_check check (amount >= 0)
);
comment on table private.stripe_disputes is
  'Disputes: opened takes credits back, won gives them back. One that is won was opened, whichever is heard of first';
comment on column private.stripe_disputes.taken is
  'Credits that it asked back beyond what others had: lapsed of them had ended unused';
create index stripe_disputes_payment_intent_id on private.stripe_disputes (payment_intent_id);
revoke all on private.stripe_disputes from public, anon, authenticated, service_role;

-- Reading events ------------------------------------------------------------------------------------

-- The object that an event of Stripe is about, if its shape is one that is read here.
-- Raises: PT422 stripe_event_unreadable.
create function private.stripe_object(event public.webhook_events)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  -- basil moved the invoice's subscription and payments and the subscription's period to where they are read.
  if (event.payload ->> 'api_version' >= '2025-03-31') is not true then
    raise exception 'The event is of API version "%", and read are those from 2025-03-31.basil on',
      event.payload ->> 'api_version' using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  if jsonb_typeof(event.payload #> '{data,object}') is distinct from 'object' or event.event_created_at is null
    or event.payload #>> '{data,object,id}' is null then
    raise exception 'The event has no object, or no time' using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  return event.payload #> '{data,object}';
end $$;
revoke all on function private.stripe_object(public.webhook_events) from public, anon, authenticated, service_role;

-- The lines in a list of an object, if Stripe has sent all of them: with an event it sends ten.
-- Raises: PT422 stripe_lines_incomplete.
create function private.stripe_lines(list jsonb, name text, resource text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  if list -> 'has_more' = 'true' then
    raise exception '% has more lines than Stripe sends: put all of GET /v1/% into its payload, and replay it', name, resource
      using errcode = 'PT422', detail = 'stripe_lines_incomplete', hint = 'docs/webhooks.md says how';
  end if;
  return case jsonb_typeof(list -> 'data') when 'array' then list -> 'data' else jsonb '[]' end;
end $$;
revoke all on function private.stripe_lines(jsonb, text, text) from public, anon, authenticated, service_role;

-- The id of what a member names, which Stripe writes as the id or, expanded, as the object.
create function private.stripe_id(value jsonb)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return case jsonb_typeof(value) when 'string' then value #>> '{}' when 'object' then value ->> 'id' end;
end $$;
revoke all on function private.stripe_id(jsonb) from public, anon, authenticated, service_role;

-- A time in seconds, as Stripe has it.
create function private.stripe_time(value jsonb)
returns timestamptz
language plpgsql immutable set search_path = ''
as $$
begin
  return case jsonb_typeof(value) when 'number' then to_timestamp((value #>> '{}')::double precision) end;
end $$;
revoke all on function private.stripe_time(jsonb) from public, anon, authenticated, service_role;

-- A number that must be there and be one.
-- Raises: PT422 stripe_event_unreadable.
create function private.stripe_amount(object jsonb, name text)
returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  if jsonb_typeof(object -> name) is distinct from 'number' or (object ->> name) !~ '^[0-9]{1,15}$' then
    raise exception 'The event''s "%" is no amount', name using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  return (object ->> name)::bigint;
end $$;
revoke all on function private.stripe_amount(jsonb, text) from public, anon, authenticated, service_role;

-- Whose -----------------------------------------------------------------------------------------------

-- Whom names say: the first that is the id of a team or of a user; nobody when there is none.
create function private.stripe_named(names text[], out user_id uuid, out team_id uuid)
language plpgsql stable set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
  v_name text;
begin
  foreach v_name in array names loop
    continue when (v_name ~ v_uuid) is not true;
    select t.id into team_id from public.teams as t where t.id = v_name::uuid;
    exit when team_id is not null;
    select u.id into user_id from auth.users as u where u.id = v_name::uuid;
    exit when user_id is not null;
  end loop;
end $$;
revoke all on function private.stripe_named(text[]) from public, anon, authenticated, service_role;

-- Whose a customer is: the team or the user that metadata (team_id, user_id) or reference names, else whom the customer
-- was linked with; named_by says which: metadata, reference or customer. Links the customer, unless it is linked already. What is done for one customer is
-- done one after the other from here on: whose its subscriptions are hangs on several events.
-- Raises: PT404 stripe_customer_unknown.
create function private.stripe_owner(
  customer_id text, metadata jsonb, reference text, out user_id uuid, out team_id uuid, out named_by text
)
language plpgsql volatile set search_path = ''
as $$
begin
  if customer_id is not null then
    perform pg_advisory_xact_lock(hashtextextended('stripe customer:' || customer_id, 0));
  end if;
  named_by := 'metadata';
  select n.user_id, n.team_id into user_id, team_id
  from private.stripe_named(array[metadata ->> 'team_id', metadata ->> 'user_id']) as n;
  if num_nonnulls(user_id, team_id) = 0 then
    named_by := 'reference';
    select n.user_id, n.team_id into user_id, team_id from private.stripe_named(array[reference]) as n;
  end if;
  if num_nonnulls(user_id, team_id) = 0 then
    named_by := 'customer';
    select c.user_id, c.team_id into user_id, team_id from public.stripe_customers as c where c.id = customer_id;
  end if;
  if num_nonnulls(user_id, team_id) = 0 then
    select t.id into team_id from public.teams as t where t.stripe_customer_id = customer_id;
  end if;
  if num_nonnulls(user_id, team_id) = 0 then
    raise exception 'Nobody is known by the customer "%"', customer_id
      using errcode = 'PT404', detail = 'stripe_customer_unknown',
        hint = 'Set client_reference_id or metadata, or insert into stripe_customers';
  end if;
  if customer_id is not null then
    insert into public.stripe_customers as c (id, user_id, team_id)
    values (customer_id, stripe_owner.user_id, stripe_owner.team_id) on conflict do nothing;
    update public.teams as t set stripe_customer_id = customer_id
    where t.id = stripe_owner.team_id and t.stripe_customer_id is null
      and not exists (select 1 from public.teams as x where x.stripe_customer_id = customer_id);
  end if;
end $$;
revoke all on function private.stripe_owner(text, jsonb, text) from public, anon, authenticated, service_role;
