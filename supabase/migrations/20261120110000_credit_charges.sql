-- Credit charges: what a member of a team may spend, and the charge itself.

-- credit_member_limits ------------------------------------------------------------------------------

create table public.credit_member_limits (
  team_id uuid not null,
  user_id uuid not null,
  credit_limit numeric(15, 4),
  period text not null default 'month',
  spent numeric(15, 4) not null default 0,
  period_start timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (team_id, user_id),
  constraint credit_member_limits_member_fkey foreign key (team_id, user_id)
    references public.team_members (team_id, user_id) on delete cascade,
  constraint credit_member_limits_credit_limit_check check (credit_limit between 0 and 1000000000),
  constraint credit_member_limits_period_check check (period in ('day', 'week', 'month')),
  constraint credit_member_limits_spent_check check (spent >= 0)
);
comment on table public.credit_member_limits is
  'What each member may spend from the account of the team. One row per member, inserted when they join';
comment on column public.credit_member_limits.credit_limit is 'Credits per period; null means no limit';
comment on column public.credit_member_limits.period is 'day, week (from Monday) or month, in UTC';
comment on column public.credit_member_limits.spent is
  'Credits charged and held in the period that began at period_start, less what was given back; team_member_credits shows the present period';

create index idx_credit_member_limits_user_id on public.credit_member_limits (user_id);

alter table public.credit_member_limits enable row level security;
revoke all on public.credit_member_limits from public, anon, authenticated, service_role;
grant select on public.credit_member_limits to authenticated, service_role;
grant update (credit_limit, period) on public.credit_member_limits to authenticated, service_role;

create policy "members read their own limit, owners and admins all" on public.credit_member_limits
  for select to authenticated
  using (user_id = (select auth.uid()) and team_id = any (array(select private.my_team_ids()))
    or team_id = any (array(select private.my_administered_team_ids())));
create policy "owners and admins set the limits of members" on public.credit_member_limits
  for update to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())))
  with check (team_id = any (array(select private.my_administered_team_ids())));

create trigger update_credit_member_limits_updated_at before update on public.credit_member_limits
  for each row execute function public.handle_updated_at();

-- Definer: a caller that adds a member may not write the tables of credits.
create function private.open_credit_member_limit()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.credit_member_limits (team_id, user_id) values (new.team_id, new.user_id) on conflict do nothing;
  return null;
end $$;
comment on function private.open_credit_member_limit() is 'Trigger function: inserts the row of a new member';
revoke all on function private.open_credit_member_limit() from public, anon, authenticated, service_role;

create trigger open_credit_member_limit after insert on public.team_members
  for each row execute function private.open_credit_member_limit();

-- Spending ------------------------------------------------------------------------------------------

-- Returns the start (UTC) of the day, week or month that contains a time.
create function private.credit_period_start(period text, at timestamptz)
returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return date_trunc(period, at, 'UTC');
end $$;
revoke all on function private.credit_period_start(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function private.credit_period_start(text, timestamptz) to authenticated, service_role;

-- Takes amount from what a member may still spend in another unit than credits, as far as the limit allows or, with beyond,
-- in any case. Returns whether it did: not for a user who is not a member.
create function private.spend_unit_allowance(
  account public.credit_accounts, user_id uuid, amount numeric, at timestamptz, beyond boolean
)
returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.credit_unit_limits (team_id, user_id, unit)
  select m.team_id, m.user_id, account.unit from public.team_members as m
  where m.team_id = account.team_id and m.user_id = spend_unit_allowance.user_id
    and not exists (select from public.credit_unit_limits as l
      where l.team_id = m.team_id and l.user_id = m.user_id and l.unit = account.unit)
  on conflict do nothing;
  update public.credit_unit_limits as l
  set spent = case when l.period_start < date_trunc(l.period, spend_unit_allowance.at, 'UTC') then 0 else l.spent end
      + spend_unit_allowance.amount,
    period_start = greatest(l.period_start, date_trunc(l.period, spend_unit_allowance.at, 'UTC'))
  where l.team_id = account.team_id and l.user_id = spend_unit_allowance.user_id and l.unit = account.unit
    and (l.credit_limit is null or beyond or spend_unit_allowance.amount <= l.credit_limit
      - case when l.period_start < date_trunc(l.period, spend_unit_allowance.at, 'UTC') then 0 else l.spent end);
  return found;
end $$;
revoke all on function private.spend_unit_allowance(public.credit_accounts, uuid, numeric, timestamptz, boolean)
  from public, anon, authenticated, service_role;

-- Takes amount from what a member may still spend. Does nothing for the account of a user, or when user_id is null. With
-- beyond, it counts what exceeds the limit too, and does nothing for a user who is not a member. The caller holds the lock
-- of the account.
-- Raises: PT402 member_limit_exceeded {available, required}.
create function private.spend_allowance(
  account public.credit_accounts, user_id uuid, amount numeric, at timestamptz, beyond boolean default false
)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_limit record;
  v_available numeric := 0;
  v_done boolean;
begin
  if account.team_id is null or spend_allowance.user_id is null then
    return;
  end if;
  if account.unit = 'credits' then
    update public.credit_member_limits as l
    set spent = case when l.period_start < date_trunc(l.period, spend_allowance.at, 'UTC') then 0 else l.spent end
        + spend_allowance.amount,
      period_start = greatest(l.period_start, date_trunc(l.period, spend_allowance.at, 'UTC'))
    where l.team_id = account.team_id and l.user_id = spend_allowance.user_id
      and (l.credit_limit is null or beyond or spend_allowance.amount <= l.credit_limit
        - case when l.period_start < date_trunc(l.period, spend_allowance.at, 'UTC') then 0 else l.spent end);
    v_done := found;
  else
    v_done := private.spend_unit_allowance(account, spend_allowance.user_id, spend_allowance.amount, spend_allowance.at,
      beyond);
  end if;
  if v_done or beyond then
    return;
  end if;
  select l.credit_limit, l.period, l.period_start, l.spent into v_limit from public.credit_member_limits as l
  where account.unit = 'credits' and l.team_id = account.team_id and l.user_id = spend_allowance.user_id
  union all
  select l.credit_limit, l.period, l.period_start, l.spent from public.credit_unit_limits as l
  where l.team_id = account.team_id and l.user_id = spend_allowance.user_id and l.unit = account.unit;
  -- Every member has a row: a user without one has left the team while this waited for the account.
  if not found then
    raise exception 'User "%" is no longer in the team', user_id
      using errcode = 'PT402',
        detail = format('member_limit_exceeded %s', jsonb_build_object('available', 0, 'required', amount));
  end if;
  v_available := greatest(0, v_limit.credit_limit
    - case when v_limit.period_start < private.credit_period_start(v_limit.period, at) then 0 else v_limit.spent end);
  raise exception 'The member can spend % more % this %, not %', trim_scale(v_available), account.unit, v_limit.period,
    trim_scale(amount)
    using errcode = 'PT402', hint = 'An owner or admin of the team can raise the limit',
      detail = format('member_limit_exceeded %s', jsonb_build_object('available', v_available, 'required', amount));
end $$;
revoke all on function private.spend_allowance(public.credit_accounts, uuid, numeric, timestamptz, boolean)
  from public, anon, authenticated, service_role;

-- Gives back amount of a member's allowance, if it was spent in the period that is being counted.
create function private.restore_allowance(
  account public.credit_accounts, user_id uuid, amount numeric, spent_at timestamptz
)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if account.team_id is null or user_id is null or amount = 0 then
    return;
  end if;
  if account.unit = 'credits' then
    update public.credit_member_limits as l
    set spent = greatest(0, l.spent - restore_allowance.amount)
    where l.team_id = account.team_id and l.user_id = restore_allowance.user_id
      and restore_allowance.spent_at >= l.period_start;
  else
    update public.credit_unit_limits as l
    set spent = greatest(0, l.spent - restore_allowance.amount)
    where l.team_id = account.team_id and l.user_id = restore_allowance.user_id and l.unit = account.unit
      and restore_allowance.spent_at >= l.period_start;
  end if;
end $$;
revoke all on function private.restore_allowance(public.credit_accounts, uuid, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- deduct_credits ------------------------------------------------------------------------------------

-- Posts a charge that the head of the account may not cover: the account in a unit of entry.actor_id, or of the team.
-- Returns the entry, or that of an earlier request with the same key.
-- Raises: what deduct_credits raises.
create function private.charge_grants(entry private.credit_transactions, team_id uuid, idempotency_key text, unit text)
returns public.credit_entry
language plpgsql volatile set search_path = ''
as $$
declare
  -- What is due is written together with the charge.
  v_account public.credit_accounts := private.lock_credit_account(entry.actor_id, charge_grants.team_id, null, unit,
    save => false);
  v_amount numeric := -entry.amount;
  v_drawn record;
begin
  -- A request with the same key may have been posted, even while this one waited for the account.
  if entry.id is not null and (exists (select from private.credit_transactions as t where t.id = entry.id)
    or exists (select from private.idempotency_keys as k
      where k.owner_id = coalesce(entry.actor_id, charge_grants.team_id) and k.actor = entry.actor
        and k.key = charge_grants.idempotency_key)) then
    perform private.save_credit_account(v_account);
    return private.repeat_credit_entry(coalesce(entry.actor_id, charge_grants.team_id), entry.actor, idempotency_key,
      entry.request_hash);
  end if;
  if v_amount > v_account.head_free or v_account.balance - v_amount < v_account.held - v_account.overdraft_limit then
    perform private.require_credits(v_account, v_amount, private.charged_items(entry));
  end if;
  if v_account.team_id is not null then
    perform private.spend_allowance(v_account, entry.actor_id, v_amount, clock_timestamp());
  end if;
  if v_amount <= v_account.head_free then
    entry.grant_id := v_account.head_grant_id;
    v_account.head_free := v_account.head_free - v_amount;
  else
    v_account := private.put_back_credit_head(v_account);
    v_drawn := private.draw_items(v_account, private.charged_items(entry), v_amount, false,
      greatest(clock_timestamp(), v_account.updated_at));
    if v_drawn.uncovered > 0 then
      v_drawn.allocations := v_drawn.allocations || private.credit_allocation(null, -v_drawn.uncovered);
      v_account.overdraft_used := v_account.overdraft_used + v_drawn.uncovered;
    end if;
    entry := private.allocate_credit_entry(entry, v_drawn.allocations);
    v_account := private.take_credit_head(v_account);
  end if;
  v_account.balance := v_account.balance - v_amount;
  return private.to_credit_entry(private.post_credit_entry(entry, v_account), unit);
end $$;
revoke all on function private.charge_grants(private.credit_transactions, uuid, text, text)
  from public, anon, authenticated, service_role;

-- Charges the account of a user or, with team_id, the account of a team on behalf of its member: a quantity of sku at
-- its price, items [{sku, quantity}] at their prices, or an amount, which is rounded half up to four decimals. Posts
-- one entry and returns it. The same request with the same idempotency_key, user and actor returns the first entry
-- again, with replayed = true. actor, user or service, is who makes the request; the service may leave out user_id for
-- a team. The account in the unit of the prices pays; for an amount, the one in unit, which is credits when it is null.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id and
-- decides who may name an amount.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required}; PT404
-- account_not_found; PT422 invalid_charge, unknown_sku, invalid_quantity, invalid_amount, unknown_unit, unit_mismatch,
-- idempotency_key_reused.
create function public.deduct_credits(
  user_id uuid default null,
  sku text default null,
  quantity numeric default null,
  amount numeric default null,
  description text default null,
  idempotency_key text default null,
  actor text default 'service',
  items jsonb default null,
  team_id uuid default null,
  unit text default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid;
  v_entry private.credit_transactions;
  v_posted private.credit_transactions;
  v_priced public.credit_entry;
  v_amount numeric := deduct_credits.amount;
  v_unit text := coalesce(deduct_credits.unit, 'credits');
begin
  if num_nonnulls(deduct_credits.sku, deduct_credits.items, deduct_credits.amount) <> 1
    or deduct_credits.sku is null and deduct_credits.quantity is not null
    or char_length(deduct_credits.description) not between 1 and 500
    or deduct_credits.actor is null or deduct_credits.actor not in ('user', 'service')
    or deduct_credits.actor = 'user' and deduct_credits.user_id is null then
    raise exception 'A charge needs exactly one of: a sku with a quantity, items, or an amount'
      using errcode = 'PT422', detail = 'invalid_charge',
        hint = 'A description must be 1 to 500 characters long; actor must be service, or user together with a user_id';
  end if;

  v_entry.kind := 'deduct';
  v_entry.actor := deduct_credits.actor;
  v_entry.actor_id := deduct_credits.user_id;
  v_entry.description := deduct_credits.description;
  if deduct_credits.idempotency_key is not null then
    v_owner := coalesce(deduct_credits.user_id, deduct_credits.team_id);
    -- The id of the key, as private.idempotency_id returns it: a call of a function costs more than what it does.
    v_entry.id := left(encode(sha256(convert_to(
      concat_ws(' ', v_owner, deduct_credits.actor, deduct_credits.idempotency_key), 'UTF8')), 'hex'), 32)::uuid;
    v_entry.request_hash := sha256(convert_to(jsonb_build_array('deduct', deduct_credits.user_id, deduct_credits.team_id,
      deduct_credits.sku, trim_scale(deduct_credits.quantity), trim_scale(deduct_credits.amount),
      deduct_credits.description, deduct_credits.items, deduct_credits.unit)::text, 'UTF8'));
    -- A charge at a price is looked up before it is priced: the price may have changed since the first request.
    if char_length(deduct_credits.idempotency_key) not between 1 and 255
      or deduct_credits.amount is null
        and private.is_used_key(v_owner, deduct_credits.actor, deduct_credits.idempotency_key) then
      perform private.lock_credit_account(deduct_credits.user_id, deduct_credits.team_id, null, coalesce((
        select a.unit from private.credit_transactions as t join public.credit_accounts as a on a.id = t.account_id
        where t.id = v_entry.id), 'credits'));
      return private.repeat_credit_entry(v_owner, deduct_credits.actor, deduct_credits.idempotency_key,
        v_entry.request_hash);
    end if;
  end if;

  if deduct_credits.sku is not null then
    select p.unit_price, p.amount, p.credit_unit into v_entry.unit_price, v_amount, v_unit
    from private.price_credits(deduct_credits.sku, deduct_credits.quantity) as p;
    v_entry.sku := deduct_credits.sku;
    v_entry.quantity := deduct_credits.quantity;
  elsif deduct_credits.items is not null then
    v_priced := private.price_charge(deduct_credits.items);
    v_amount := v_priced.amount;
    v_entry.sku := v_priced.sku;
    v_entry.quantity := v_priced.quantity;
    v_entry.unit_price := v_priced.unit_price;
    v_entry.items := v_priced.items;
    v_unit := v_priced.unit;
  end if;
  if v_unit <> deduct_credits.unit then
    perform private.refuse_unit(v_unit, deduct_credits.unit);
  end if;
  if (v_amount between 0.0001 and 1000000000 and trunc(v_amount, 4) = v_amount) is not true then
    v_amount := private.round_credit_amount(v_amount);
    v_entry.requested_amount := deduct_credits.amount;
  end if;
  v_entry.amount := -v_amount;

  if deduct_credits.team_id is null then
    v_posted := private.post_credit_entry(v_entry, null, deduct_credits.idempotency_key, v_unit);
  end if;
  if v_posted.entry_no is null then
    return private.charge_grants(v_entry, deduct_credits.team_id, deduct_credits.idempotency_key, v_unit);
  end if;
  return row(v_posted.account_id, v_posted.entry_no, v_posted.kind, v_posted.amount, v_posted.balance_after, v_posted.sku,
    v_posted.quantity, v_posted.unit_price, v_posted.items, v_posted.description, v_posted.actor_id, null,
    v_posted.created_at, v_unit, false)::public.credit_entry;
end $$;
revoke all on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text, jsonb, uuid, text)
  from public, anon, authenticated;
grant execute on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text, jsonb, uuid, text)
  to service_role;
