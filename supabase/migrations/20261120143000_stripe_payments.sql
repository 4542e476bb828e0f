-- Stripe payments: what a price buys, who a customer belongs to, how events are read, and how a payment grants.

-- stripe_prices -------------------------------------------------------------------------------------

create table public.stripe_prices (
  id text primary key,
  credits numeric(15, 4) not null default 0,
  credit_unit text not null default 'credits' references public.credit_units (unit),
  skus text[],
  priority smallint not null default 50,
  rollover_cap numeric(15, 4),
  tier text,
  description text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stripe_prices_id_check check (char_length(id) between 1 and 255),
  constraint stripe_prices_credits_check check (credits between 0 and 1000000000),
  constraint stripe_prices_skus_check check (skus is null or private.is_grant_scope(skus) is true),
  constraint stripe_prices_priority_check check (priority between 0 and 100),
  constraint stripe_prices_rollover_cap_check check (rollover_cap between 0 and 1000000000),
  constraint stripe_prices_tier_check check (tier in ('free', 'pro', 'enterprise')),
  constraint stripe_prices_description_check check (char_length(description) between 1 and 500)
);
comment on table public.stripe_prices is
  'What each price in Stripe buys: credits, a tier, or both. The operator edits it';
comment on column public.stripe_prices.id is 'Stripe''s id of the price: price_...';
comment on column public.stripe_prices.credits is
  'How much one of it buys, in credit_unit; for the price of a subscription, in each period';
comment on column public.stripe_prices.credit_unit is
  'What it buys: credits, unless it names another of credit_units';
comment on column public.stripe_prices.skus is
  'What this pays for: skus, and beginnings of skus with an asterisk after them; null: for everything';
comment on column public.stripe_prices.priority is 'Priority of its grants: 0 to 100, lower is spent first';
comment on column public.stripe_prices.rollover_cap is
  'For the price of a subscription: how many unused credits of a period last through the next one; null means that none expire';
comment on column public.stripe_prices.tier is 'Tier of a team whose subscription has this price';

create index stripe_prices_credit_unit on public.stripe_prices (credit_unit);

alter table public.stripe_prices enable row level security;
revoke all on public.stripe_prices from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.stripe_prices to service_role;

-- The service bypasses policies. This one only states that the table is for the service alone.
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
  deleted_at timestamptz,
  constraint stripe_customers_id_check check (char_length(id) between 1 and 255),
  constraint stripe_customers_one_owner_check check (num_nonnulls(user_id, team_id) = 1)
);
comment on table public.stripe_customers is
  'Which user or team a customer in Stripe belongs to. Written when an event says so, or by the server that creates the customer';
comment on column public.stripe_customers.id is 'Stripe''s id of the customer: cus_...';
comment on column public.stripe_customers.deleted_at is
  'When the customer was deleted in Stripe. The row stays, because events about its payments may still arrive';

create index stripe_customers_user_id on public.stripe_customers (user_id);
create index stripe_customers_team_id on public.stripe_customers (team_id);

alter table public.stripe_customers enable row level security;
revoke all on public.stripe_customers from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.stripe_customers to service_role;

-- The service bypasses policies. This one only states that the table is for the service alone.
create policy "the service edits whose customers are" on public.stripe_customers
  for all to service_role using (true) with check (true);

-- stripe_payments -----------------------------------------------------------------------------------

create table public.stripe_payments (
  id text not null,
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  amount bigint not null,
  currency text,
  credits numeric(15, 4) not null,
  subscription_id text,
  taken_back numeric(15, 4) not null default 0,
  lapsed numeric(15, 4) not null default 0,
  grant_ids uuid[] not null,
  created_at timestamptz not null default now(),
  unit text not null default 'credits',
  taken_from jsonb not null default '[]',
  primary key (id, unit)
);
comment on table public.stripe_payments is
  'Payments that have granted credits, and how many of these were taken back: a row for each unit that a payment has bought. Only functions write it.';
comment on column public.stripe_payments.unit is 'What the account counts, and so credits, taken_back and lapsed';
comment on column public.stripe_payments.id is
  'Stripe''s id of the invoice; without an invoice, that of the payment intent or Checkout session';
comment on column public.stripe_payments.amount is 'The amount paid, in the smallest unit of the currency';
comment on column public.stripe_payments.subscription_id is
  'The subscription whose owner gets the credits; null when the payment itself names who does';
comment on column public.stripe_payments.taken_back is
  'Credits that refunds and disputes have taken back, including lapsed';
comment on column public.stripe_payments.taken_from is
  'What was taken back from each grant and is not returned: [{grant_id, amount}]; a null grant_id stands for a debt';
comment on column public.stripe_payments.lapsed is
  'The part of taken_back that had already ended unused, so that nothing was taken for it';

-- Not a CHECK constraint, which each payment would evaluate: a new one has taken nothing back.
create trigger stripe_payments_taken_back before update of credits, taken_back, lapsed on public.stripe_payments
  for each row when ((new.taken_back between 0 and new.credits and new.lapsed between 0 and new.taken_back) is false)
  execute function private.refuse_row();

create index stripe_payments_account_id on public.stripe_payments (account_id);
create index stripe_payments_subscription_id on public.stripe_payments (subscription_id) where subscription_id is not null;

alter table public.stripe_payments enable row level security;
revoke all on public.stripe_payments from public, anon, authenticated, service_role;
grant select on public.stripe_payments to service_role;

-- The service bypasses policies. This one only states that the table is for the service alone.
create policy "the service reads payments" on public.stripe_payments
  for select to service_role using (true);

-- Facts that may arrive before their payment --------------------------------------------------------

create table private.stripe_payment_intents (
  id text primary key,
  invoice_id text,
  reversed boolean not null default false
);
comment on table private.stripe_payment_intents is
  'Which invoice a payment intent paid: charges name the payment intent, grants the invoice';
comment on column private.stripe_payment_intents.reversed is
  'Whether stripe_refunds or stripe_disputes name it: the grant of a payment looks there only if they do';
create index stripe_payment_intents_invoice_id on private.stripe_payment_intents (invoice_id) where invoice_id is not null;
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
  'The refunds of charges: each is the part between the total refunded before it and the total refunded after it';
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
  took jsonb not null default '{}',
  constraint stripe_disputes_amount_check check (amount >= 0)
);
comment on table private.stripe_disputes is
  'Disputes: an opened one takes credits back, a won one returns them. The events for the two may arrive in any order';
comment on column private.stripe_disputes.took is
  'What it took back beyond what others had, and how much of that had already ended unused: {unit: {taken, lapsed}}';
create index stripe_disputes_payment_intent_id on private.stripe_disputes (payment_intent_id);
revoke all on private.stripe_disputes from public, anon, authenticated, service_role;

-- Reading events ------------------------------------------------------------------------------------

-- Returns the object that an event of Stripe is about, after checking that it can be read here.
-- Raises: PT422 stripe_event_unreadable.
create function private.stripe_object(event public.webhook_events)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  -- basil moved an invoice's subscription and payments, and a subscription's period, to where they are read here.
  if (event.payload ->> 'api_version' >= '2025-03-31') is not true then
    raise exception 'The event has API version "%": it must have version 2025-03-31.basil or later',
      event.payload ->> 'api_version' using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  if jsonb_typeof(event.payload #> '{data,object}') is distinct from 'object' or event.event_created_at is null
    or event.payload #>> '{data,object,id}' is null then
    raise exception '%', case
        when jsonb_typeof(event.payload #> '{data,object}') is distinct from 'object' then 'data.object of the event must be an object'
        when event.event_created_at is null then 'created of the event must be a time'
        else 'data.object of the event must have an id' end
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  return event.payload #> '{data,object}';
end $$;
revoke all on function private.stripe_object(public.webhook_events) from public, anon, authenticated, service_role;

-- Returns the lines of a list, after checking that it is complete: with an event, Stripe sends only the first ten.
-- Raises: PT422 stripe_lines_incomplete.
create function private.stripe_lines(list jsonb, name text, resource text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  if list -> 'has_more' = 'true' then
    raise exception '% has more lines than the event contains. Put the complete response of GET /v1/% into the payload of the event, then replay the event',
      name, resource using errcode = 'PT422', detail = 'stripe_lines_incomplete', hint = 'docs/webhooks.md says how';
  end if;
  return case jsonb_typeof(list -> 'data') when 'array' then list -> 'data' else jsonb '[]' end;
end $$;
revoke all on function private.stripe_lines(jsonb, text, text) from public, anon, authenticated, service_role;

-- Returns the id of an object that another names, which Stripe writes as the id or, expanded, as the whole object.
create function private.stripe_id(value jsonb)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return case jsonb_typeof(value) when 'string' then value #>> '{}' when 'object' then value ->> 'id' end;
end $$;
revoke all on function private.stripe_id(jsonb) from public, anon, authenticated, service_role;

-- Returns a time that Stripe writes as seconds; null when it is none.
create function private.stripe_time(value jsonb)
returns timestamptz
language plpgsql immutable set search_path = ''
as $$
begin
  return case jsonb_typeof(value) when 'number' then to_timestamp((value #>> '{}')::double precision) end;
end $$;
revoke all on function private.stripe_time(jsonb) from public, anon, authenticated, service_role;

-- Returns an amount of money, which the object must have.
-- Raises: PT422 stripe_event_unreadable.
create function private.stripe_amount(object jsonb, name text)
returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  if jsonb_typeof(object -> name) is distinct from 'number' or (object ->> name) !~ '^[0-9]{1,15}$' then
    raise exception 'The member "%" of the event must be a whole number with at most 15 digits', name
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  return (object ->> name)::bigint;
end $$;
revoke all on function private.stripe_amount(jsonb, text) from public, anon, authenticated, service_role;

-- Owners ----------------------------------------------------------------------------------------------

create type private.stripe_owner as (
  user_id uuid,
  team_id uuid,
  named_by text,
  ignored text
);
comment on type private.stripe_owner is
  'Either a user or a team, and what names them: metadata, reference or customer. If neither is known, why the event is ignored';

-- Returns whether a name in an event can be the id of a user or team.
create function private.is_uuid(name text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return name ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
end $$;
revoke all on function private.is_uuid(text) from public, anon, authenticated, service_role;

-- Returns the team or user that metadata names (team_id, then user_id), else the one that reference names; nulls if none
-- of these is the id of a team or user.
create function private.stripe_named(metadata jsonb, reference text)
returns private.stripe_owner
language plpgsql stable set search_path = ''
as $$
declare
  v_name text;
  v_owner private.stripe_owner;
begin
  foreach v_name in array array[metadata ->> 'team_id', metadata ->> 'user_id', reference] loop
    if private.is_uuid(v_name) then
      select case when t.id is null then u.id end, t.id,
        case when v_name in (metadata ->> 'team_id', metadata ->> 'user_id') then 'metadata' else 'reference' end, null
      into v_owner
      from (values (v_name::uuid)) as n (id)
      left join public.teams as t on t.id = n.id
      left join auth.users as u on u.id = n.id
      where num_nonnulls(t.id, u.id) > 0;
      if found then
        return v_owner;
      end if;
    end if;
  end loop;
  return null;
end $$;
revoke all on function private.stripe_named(jsonb, text) from public, anon, authenticated, service_role;

-- Returns the team or user that a customer belongs to: the one that metadata (team_id, user_id) names, else the one
-- that reference names, else the one that the customer is linked with. Links the customer, unless it is linked already.
-- Locks the customer until the end of the transaction, because several events together decide who owns its subscriptions.
-- Returns why the event is to be ignored (ignored) when the account was deleted, or when there is no customer and nobody
-- is named: such an event cannot belong to anybody, now or later.
-- Raises: PT404 stripe_customer_unknown.
create function private.stripe_owner(customer_id text, metadata jsonb, reference text)
returns private.stripe_owner
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner private.stripe_owner := private.stripe_named(metadata, reference);
  v_customer public.stripe_customers;
  v_names text[];
begin
  if customer_id is not null then
    perform pg_advisory_xact_lock(hashtextextended('stripe customer:' || customer_id, 0));
    select c.* into v_customer from public.stripe_customers as c where c.id = customer_id;
  end if;
  if v_owner.named_by is null then
    v_owner := row(v_customer.user_id, v_customer.team_id, 'customer', null)::private.stripe_owner;
    if v_customer.id is null then
      select t.id into v_owner.team_id from public.teams as t where t.stripe_customer_id = customer_id;
    end if;
    if num_nonnulls(v_owner.user_id, v_owner.team_id) = 0 then
      v_names := array_remove(array[customer_id, lower(metadata ->> 'team_id'), lower(metadata ->> 'user_id'), lower(reference)], null);
      v_owner.ignored := case
        when exists (
          select 1 from unnest(v_names) as n join private.deleted_owners as d on d.id = private.deleted_owner(n))
          then 'account_deleted'
        -- A name that is no id of a user or team, such as the number of an order, will never be one.
        when customer_id is null and not exists (
          select 1 from unnest(v_names) as n where private.is_uuid(n)) then 'names_nobody' end;
      if v_owner.ignored is not null then
        return v_owner;
      end if;
      raise exception '%', case
          when customer_id is null then 'The event names no user or team that exists'
          else format('Customer "%s" is not linked to any user or team', customer_id) end
        using errcode = 'PT404', detail = 'stripe_customer_unknown',
          hint = 'Set client_reference_id or metadata, or insert the customer into stripe_customers';
    end if;
  end if;
  if customer_id is not null and v_customer.id is null then
    insert into public.stripe_customers as c (id, user_id, team_id)
    values (customer_id, v_owner.user_id, v_owner.team_id) on conflict do nothing;
  end if;
  if customer_id is not null and v_owner.team_id is not null and v_customer.deleted_at is null then
    update public.teams as t set stripe_customer_id = customer_id
    where t.id = v_owner.team_id and t.stripe_customer_id is null
      and not exists (select 1 from public.teams as x where x.stripe_customer_id = customer_id);
  end if;
  return v_owner;
end $$;
revoke all on function private.stripe_owner(text, jsonb, text) from public, anon, authenticated, service_role;

-- Granting ------------------------------------------------------------------------------------------

-- Locks a payment, an invoice or a payment intent until the end of the transaction. A payment intent is locked before
-- its invoice.
create function private.lock_stripe_payment(id text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('stripe:' || id, 0));
end $$;
revoke all on function private.lock_stripe_payment(text) from public, anon, authenticated, service_role;

-- Returns the earliest time at which the credits of a payment that is reported now may expire.
create function private.stripe_late_end()
returns timestamptz
language plpgsql volatile set search_path = ''
as $$
begin
  -- At least a minute, because a grant has to end in the future.
  return clock_timestamp() + greatest(60, private.setting('webhooks.late_payment_validity')) * interval '1 second';
end $$;
revoke all on function private.stripe_late_end() from public, anon, authenticated, service_role;

-- Returns the id of the payment that a payment intent belongs to: its invoice, or itself if it has no invoice or if a
-- Checkout session has granted for it.
create function private.stripe_payment_of(payment_intent_id text)
returns text
language plpgsql volatile set search_path = ''
as $$
begin
  return coalesce(
    (select p.id from public.stripe_payments as p where p.id = payment_intent_id limit 1),
    (select i.invoice_id from private.stripe_payment_intents as i where i.id = payment_intent_id),
    payment_intent_id);
end $$;
revoke all on function private.stripe_payment_of(text) from public, anon, authenticated, service_role;

-- Applies the refunds and disputes of a payment intent that are not applied yet, each in an entry of its own. Does
-- nothing while their payment is unknown. The caller holds the lock of the payment intent, or of the payment.
create function private.settle_stripe_payment(payment_intent_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment_id text := private.stripe_payment_of(payment_intent_id);
  v_refund private.stripe_refunds;
  v_dispute private.stripe_disputes;
begin
  perform private.lock_stripe_payment(v_payment_id);
  if not exists (select 1 from public.stripe_payments as p where p.id = v_payment_id) then
    return;
  end if;
  for v_refund in
    select r.* from private.stripe_refunds as r
    where r.payment_intent_id = settle_stripe_payment.payment_intent_id and not r.applied
    order by r.charge_id, r.refunded_from, r.refunded_to
  loop
    update private.stripe_refunds as r set applied = true
    where r.charge_id = v_refund.charge_id and r.refunded_from = v_refund.refunded_from
      and r.refunded_to = v_refund.refunded_to;
    perform private.take_back_stripe_credits(v_payment_id, format('Refund of payment %s', v_payment_id));
  end loop;
  for v_dispute in
    select d.* from private.stripe_disputes as d
    where d.payment_intent_id = settle_stripe_payment.payment_intent_id
      and (d.opened and not d.opened_applied or d.won and not d.won_applied)
    order by d.id
  loop
    -- The win has been reported before the opening: the credits are taken and returned when both are known.
    continue when not v_dispute.opened;
    if not v_dispute.opened_applied then
      update private.stripe_disputes as d set opened_applied = true where d.id = v_dispute.id;
      v_dispute.took := private.take_back_stripe_credits(v_payment_id, format('Dispute %s', v_dispute.id));
      update private.stripe_disputes as d set took = v_dispute.took where d.id = v_dispute.id;
    end if;
    if v_dispute.won then
      update private.stripe_disputes as d set won_applied = true where d.id = v_dispute.id;
      perform private.return_stripe_credits(p, v_dispute)
      from (select x.* from public.stripe_payments as x where x.id = v_payment_id order by x.unit) as p;
    end if;
  end loop;
end $$;
revoke all on function private.settle_stripe_payment(text) from public, anon, authenticated, service_role;

create type private.stripe_line as (
  id text,
  price text,
  quantity numeric,
  period_start timestamptz,
  period_end timestamptz
);
comment on type private.stripe_line is 'A line of a purchase. One with a period belongs to a subscription';

create type private.stripe_part as (
  id text,
  unit text,
  credits numeric,
  expires_at timestamptz,
  skus text[],
  priority smallint
);
comment on type private.stripe_part is 'A part of what a line of a payment buys: one grant';

-- Returns what a payment has granted, {unit: amount}; null for one that has granted nothing.
create function private.stripe_payment_grants(payment_id text)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (select jsonb_object_agg(p.unit, p.credits) from public.stripe_payments as p where p.id = payment_id);
end $$;
revoke all on function private.stripe_payment_grants(text) from public, anon, authenticated, service_role;

-- Grants what a payment has bought, once, and applies the refunds and disputes that arrived before it. Returns what
-- it was, {unit: amount}; {} when it buys nothing. payment_id is an invoice or, if there is none, a payment intent or a session.
-- subscription_id is given when the credits are for the owner of the subscription, whoever that turns out to be.
-- stripe_prices says what a line buys. Of the credits of a line with a period, as many as the price's rollover_cap last
-- through the next period, the others until the end of their own.
-- Raises: PT422 stripe_price_unknown.
create function private.grant_stripe_payment(
  payment_id text,
  user_id uuid,
  team_id uuid,
  amount bigint,
  currency text,
  lines private.stripe_line[],
  subscription_id text default null
)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_parts private.stripe_part[];
  v_part private.stripe_part;
  v_grants public.credit_grant[] := array[]::public.credit_grant[];
  v_invoice text;
  v_known jsonb;
  v_known_id text;
  v_unknown text;
  v_reversed boolean;
  v_intent text;
begin
  perform private.lock_stripe_payment(payment_id);
  select i.invoice_id into v_invoice from private.stripe_payment_intents as i where i.id = payment_id;
  if v_invoice is not null then
    perform private.lock_stripe_payment(v_invoice);
  end if;
  select
    -- One purchase may be reported by its session, its payment intent and its invoice: any of them may have granted already.
    coalesce((select p.id from public.stripe_payments as p where p.id = payment_id limit 1),
      case when i.ids is not null then
        (select p.id from public.stripe_payments as p where p.id = any (i.ids) limit 1) end),
    i.reversed,
    (select string_agg(distinct format('"%s"', l.price), ', ') from unnest(lines) as l
      where not exists (select 1 from public.stripe_prices as s where s.id = l.price)),
    array(
      select row(p.id, s.credit_unit, p.credits, p.expires_at, s.skus, s.priority)::private.stripe_part
      from unnest(lines) as l
      join public.stripe_prices as s on s.id = l.price
      cross join lateral (select round(s.credits * l.quantity, 4) as total,
        l.period_end is not null and s.rollover_cap is not null as ends) as t
      cross join lateral (select case when t.ends then least(s.rollover_cap, t.total) else 0 end as rollover) as r
      cross join lateral (values
        (l.id, t.total - r.rollover, case when t.ends then l.period_end end),
        (l.id || ':rollover', r.rollover,
          -- In UTC: the length of the period in months must not depend on the server's time zone.
          (l.period_end at time zone 'UTC' + age(l.period_end at time zone 'UTC', l.period_start at time zone 'UTC'))
            at time zone 'UTC')
      ) as p (id, credits, expires_at)
      where p.credits > 0
      -- The accounts of one owner are locked in the order of their units.
      order by s.credit_unit, p.id)
  into v_known_id, v_reversed, v_unknown, v_parts
  from (
    select array_agg(i.id) || array_agg(i.invoice_id) as ids, bool_or(i.reversed) as reversed
    from (
      select i.* from private.stripe_payment_intents as i where i.id = payment_id
      union all
      select i.* from private.stripe_payment_intents as i where i.invoice_id = payment_id
    ) as i
  ) as i;
  if v_known_id is not null then
    v_known := private.stripe_payment_grants(v_known_id);
    if v_known_id in (payment_id, v_invoice) then
      return v_known;
    end if;
    -- The payment of an invoice was granted for its payment intent, before that was known.
    if private.is_stripe_purchase(v_known_id, v_parts) then
      update public.stripe_payments as p
      set id = payment_id, amount = grant_stripe_payment.amount, subscription_id = grant_stripe_payment.subscription_id
      where p.id = v_known_id;
      return v_known;
    end if;
  end if;
  if v_unknown is not null then
    raise exception 'Price % of payment "%" is not in stripe_prices', v_unknown, payment_id
      using errcode = 'PT422', detail = 'stripe_price_unknown',
        hint = 'Insert the price with the credits that it buys, or 0, then replay the event';
  end if;
  -- The metadata of the payment intent says something else than the invoice, which lists what was bought.
  if v_known_id is not null then
    perform private.undo_stripe_payment(v_known_id, payment_id);
  end if;
  foreach v_part in array v_parts loop
    v_grants := v_grants || public.grant_credits(user_id => grant_stripe_payment.user_id,
      team_id => grant_stripe_payment.team_id, amount => v_part.credits, unit => v_part.unit, category => 'paid', source => 'stripe',
      external_reference => format('stripe:%s:%s', payment_id, v_part.id),
      description => format('Payment %s', payment_id), skus => v_part.skus, priority => v_part.priority,
      expires_at => case when v_part.expires_at is not null then greatest(v_part.expires_at, private.stripe_late_end()) end);
  end loop;
  if cardinality(v_grants) = 0 then
    return jsonb_build_object();
  end if;
  insert into public.stripe_payments (id, account_id, amount, currency, credits, subscription_id, grant_ids, unit)
  select payment_id, g.account_id, grant_stripe_payment.amount, grant_stripe_payment.currency, sum(g.amount),
    grant_stripe_payment.subscription_id, array_agg(g.id order by g.ordinality), g.unit
  from unnest(v_grants) with ordinality as g
  group by g.account_id, g.unit;
  if v_reversed then
    for v_intent in
      select i.id from private.stripe_payment_intents as i
      where (i.id = payment_id or i.invoice_id = payment_id) and i.reversed
      order by 1
    loop
      perform private.settle_stripe_payment(v_intent);
    end loop;
  end if;
  return private.stripe_payment_grants(payment_id);
end $$;
revoke all on function private.grant_stripe_payment(text, uuid, uuid, bigint, text, private.stripe_line[], text)
  from public, anon, authenticated, service_role;
