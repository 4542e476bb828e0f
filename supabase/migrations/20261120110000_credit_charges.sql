-- Credit charges: what things cost, what a member of a team may spend, and the charge itself.

-- credit_prices -------------------------------------------------------------------------------------

create table public.credit_prices (
  sku text not null,
  effective_from timestamptz not null default now(),
  unit text not null,
  price numeric(15, 4) not null,
  quantity_scale smallint not null default 0,
  created_at timestamptz not null default now(),
  primary key (sku, effective_from),
  constraint credit_prices_sku_check check (sku ~ '^[a-z0-9][a-z0-9._:/-]{0,99}$'),
  constraint credit_prices_unit_check check (char_length(unit) between 1 and 50),
  constraint credit_prices_price_check check (price > 0 and price <= 1000000000),
  constraint credit_prices_quantity_scale_check check (quantity_scale between 0 and 4)
);
comment on table public.credit_prices is
  'The price list. The row in force is the newest whose effective_from has passed; a new price is a new row.';
comment on column public.credit_prices.sku is 'What is sold: chat.message, image.generate';
comment on column public.credit_prices.unit is 'What a quantity counts: message, image, 1000 tokens';
comment on column public.credit_prices.price is 'Credits for one unit';
comment on column public.credit_prices.quantity_scale is
  'Decimals that a quantity may have: 0 sells whole units only';

alter table public.credit_prices enable row level security;
revoke all on public.credit_prices from public, anon, authenticated, service_role;
grant select on public.credit_prices to authenticated;
grant select, insert, update, delete on public.credit_prices to service_role;

-- True for everyone: a price list is meant to be read before buying.
create policy "signed-in users read the price list" on public.credit_prices
  for select to authenticated using (true);

-- Prices a quantity of one sku: quantity times the price in force now, rounded half up to four decimals.
-- Raises: PT422 unknown_sku, invalid_quantity.
create function private.price_credits(
  sku text, quantity numeric, out unit text, out unit_price numeric, out amount numeric
)
language plpgsql stable set search_path = ''
as $$
declare
  v_price public.credit_prices;
begin
  select p.* into v_price from public.credit_prices as p
  where p.sku = price_credits.sku and p.effective_from <= statement_timestamp()
  order by p.effective_from desc
  limit 1;
  if not found then
    raise exception 'There is no price for "%"', sku using errcode = 'PT422', detail = 'unknown_sku',
      hint = 'Use a sku of the price list, credit_prices';
  end if;
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if quantity is null or quantity <= 0 or quantity > 1000000000
    or scale(trim_scale(quantity)) > v_price.quantity_scale then
    raise exception 'Cannot charge a quantity of % of "%"', quantity, price_credits.sku
      using errcode = 'PT422', detail = 'invalid_quantity',
        hint = format('A quantity of this sku is above 0, at most 1000000000, and has at most %s decimals',
          v_price.quantity_scale);
  end if;
  unit := v_price.unit;
  unit_price := v_price.price;
  amount := round(v_price.price * quantity, 4);
end $$;
revoke all on function private.price_credits(text, numeric) from public, anon, authenticated, service_role;

-- Prices a list of 1 to 100 items [{sku, quantity}]. Returns the items with unit, unit_price and amount, and the sum.
-- Raises: PT422 invalid_charge, unknown_sku, invalid_quantity.
create function private.price_items(items jsonb, out priced jsonb, out amount numeric)
language plpgsql stable set search_path = ''
as $$
declare
  v_item jsonb;
  v_price record;
begin
  priced := '[]';
  amount := 0;
  if jsonb_typeof(items) is distinct from 'array' or jsonb_array_length(items) not between 1 and 100 then
    raise exception 'A charge needs a list of 1 to 100 items' using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  for v_item in select value from jsonb_array_elements(items) loop
    if (jsonb_typeof(v_item) = 'object' and jsonb_typeof(v_item -> 'sku') = 'string'
        and jsonb_typeof(v_item -> 'quantity') = 'number' and v_item - 'sku' - 'quantity' = '{}') is not true then
      raise exception 'An item needs a sku and a quantity, and can have nothing else'
        using errcode = 'PT422', detail = 'invalid_charge';
    end if;
    v_price := private.price_credits(v_item ->> 'sku', (v_item ->> 'quantity')::numeric);
    priced := priced || jsonb_build_object('sku', v_item -> 'sku', 'unit', v_price.unit,
      'quantity', v_item -> 'quantity', 'unit_price', v_price.unit_price, 'amount', v_price.amount);
    amount := amount + v_price.amount;
  end loop;
end $$;
revoke all on function private.price_items(jsonb) from public, anon, authenticated, service_role;

-- Works out a charge for either an amount or items at their prices. Returns an entry that has amount (positive here)
-- and the columns that say what was charged for.
-- Raises: PT422 invalid_charge, unknown_sku, invalid_quantity, invalid_amount.
create function private.price_charge(amount numeric, items jsonb)
returns public.credit_transactions
language plpgsql stable set search_path = ''
as $$
declare
  v_entry public.credit_transactions;
  v_priced record;
begin
  if num_nonnulls(price_charge.amount, price_charge.items) <> 1 then
    raise exception 'A charge needs either items or an amount'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  if price_charge.items is null then
    perform private.check_credit_amount(price_charge.amount);
    v_entry.amount := price_charge.amount;
  else
    v_priced := private.price_items(price_charge.items);
    perform private.check_credit_amount(v_priced.amount);
    v_entry.amount := v_priced.amount;
    if jsonb_array_length(v_priced.priced) = 1 then
      v_entry.sku := v_priced.priced -> 0 ->> 'sku';
      v_entry.quantity := v_priced.priced -> 0 -> 'quantity';
      v_entry.unit_price := v_priced.priced -> 0 -> 'unit_price';
    else
      v_entry.items := v_priced.priced;
    end if;
  end if;
  return v_entry;
end $$;
revoke all on function private.price_charge(numeric, jsonb) from public, anon, authenticated, service_role;

create type public.credit_quote as (
  items jsonb,
  total numeric,
  available numeric,
  member_available numeric,
  affordable boolean
);
comment on type public.credit_quote is
  'What a list of items costs, [{sku, unit, quantity, unit_price, amount}], and whether it can be paid; member_available is null unless the member of a team has a limit';

-- Prices items for a user, or for a member of a team on the team's account, and says whether they could be charged now.
-- Changes nothing. user_id may be null for a team.
-- Definer: not even the service may call the private functions that it needs. For the service only.
-- Raises: PT404 account_not_found; PT422 invalid_charge, unknown_sku, invalid_quantity.
create function public.quote_credits(items jsonb, user_id uuid default null, team_id uuid default null)
returns public.credit_quote
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_due record;
  v_priced record;
  v_quote public.credit_quote;
begin
  select a.* into v_account from public.credit_accounts as a
  where case
    when quote_credits.team_id is null then a.user_id = quote_credits.user_id
    else a.team_id = quote_credits.team_id and (quote_credits.user_id is null or exists (
      select 1 from public.team_members as m
      where m.team_id = quote_credits.team_id and m.user_id = quote_credits.user_id)) end;
  if not found then
    perform private.refuse_credit_account(user_id, team_id);
  end if;
  v_priced := private.price_items(items);
  v_due := private.due_credits(v_account, statement_timestamp());
  v_quote.items := v_priced.priced;
  v_quote.total := v_priced.amount;
  v_quote.available := v_account.balance + v_due.balance - v_account.held - v_due.held + v_account.overdraft_limit;
  select m.available into v_quote.member_available from public.team_member_credits as m
  where m.team_id = quote_credits.team_id and m.user_id = quote_credits.user_id;
  v_quote.affordable := v_quote.total <= least(v_quote.available, v_quote.member_available);
  return v_quote;
end $$;
revoke all on function public.quote_credits(jsonb, uuid, uuid) from public, anon, authenticated;
grant execute on function public.quote_credits(jsonb, uuid, uuid) to service_role;

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

-- Takes amount from what a member may still spend. Does nothing for the account of a user, or when user_id is null. The
-- caller holds the lock of the account.
-- Raises: PT402 member_limit_exceeded {available, required}.
create function private.spend_allowance(account public.credit_accounts, user_id uuid, amount numeric, at timestamptz)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_limit public.credit_member_limits;
  v_start timestamptz;
begin
  if account.team_id is null or spend_allowance.user_id is null then
    return;
  end if;
  select l.* into v_limit from public.credit_member_limits as l
  where l.team_id = account.team_id and l.user_id = spend_allowance.user_id
  for no key update;
  -- Every member has a row: a user without one has left the team while this waited for the account.
  if not found then
    raise exception 'User "%" is no longer in the team', user_id
      using errcode = 'PT402',
        detail = format('member_limit_exceeded %s', jsonb_build_object('available', 0, 'required', amount));
  end if;
  v_start := private.credit_period_start(v_limit.period, at);
  if v_limit.period_start < v_start then
    v_limit.spent := 0;
  end if;
  if v_limit.credit_limit - v_limit.spent < amount then
    raise exception 'The member may spend % more credits this %, not %',
      trim_scale(greatest(0, v_limit.credit_limit - v_limit.spent)), v_limit.period, trim_scale(amount)
      using errcode = 'PT402',
        detail = format('member_limit_exceeded %s', jsonb_build_object(
          'available', greatest(0, v_limit.credit_limit - v_limit.spent), 'required', amount)),
        hint = 'An owner or admin of the team can raise the limit';
  end if;
  update public.credit_member_limits as l
  set spent = v_limit.spent + amount, period_start = greatest(v_start, v_limit.period_start)
  where l.team_id = v_limit.team_id and l.user_id = v_limit.user_id;
end $$;
revoke all on function private.spend_allowance(public.credit_accounts, uuid, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- Gives back amount of a member's allowance, if it was spent in the period that is being counted.
create function private.restore_allowance(
  team_id uuid, user_id uuid, amount numeric, spent_at timestamptz
)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if team_id is null or user_id is null or amount = 0 then
    return;
  end if;
  update public.credit_member_limits as l
  set spent = greatest(0, l.spent - restore_allowance.amount)
  where l.team_id = restore_allowance.team_id and l.user_id = restore_allowance.user_id
    and restore_allowance.spent_at >= l.period_start;
end $$;
revoke all on function private.restore_allowance(uuid, uuid, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- deduct_credits ------------------------------------------------------------------------------------

-- Checks that an account can be charged amount.
-- Raises: PT402 insufficient_credits {available, required}.
create function private.require_credits(account public.credit_accounts, amount numeric)
returns void
language plpgsql immutable set search_path = ''
as $$
declare
  v_available numeric := account.balance - account.held + account.overdraft_limit;
begin
  if v_available < amount then
    raise exception 'Cannot charge % credits: % are available', trim_scale(amount), trim_scale(v_available)
      using errcode = 'PT402',
        detail = format('insufficient_credits %s', jsonb_build_object('available', v_available, 'required', amount)),
        hint = 'Buy credits, or charge less';
  end if;
end $$;
revoke all on function private.require_credits(public.credit_accounts, numeric)
  from public, anon, authenticated, service_role;

-- Charges the account of a user or, with team_id, the account of a team on behalf of its member: a quantity of sku at
-- its price, items [{sku, quantity}] at their prices, or an amount. Posts one entry and returns it. The same request
-- with the same idempotency_key, user and actor returns the first entry again, with replayed = true. actor, user or
-- service, is who makes the request; the service may leave out user_id for a team.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id and
-- decides who may name an amount.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 account_not_found; PT422 invalid_charge, unknown_sku, invalid_quantity, invalid_amount,
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
  team_id uuid default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_entry public.credit_transactions;
  v_result public.credit_entry;
  v_owner uuid := coalesce(deduct_credits.user_id, deduct_credits.team_id);
  v_request jsonb;
  v_amount numeric;
  v_drawn record;
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

  v_account := private.lock_credit_account(deduct_credits.user_id, deduct_credits.team_id);
  if deduct_credits.idempotency_key is not null then
    v_request := jsonb_build_array('deduct', v_account.id, deduct_credits.sku, trim_scale(deduct_credits.quantity),
      trim_scale(deduct_credits.amount), deduct_credits.description, deduct_credits.items);
    v_result := private.claim_entry_key(v_owner, deduct_credits.actor, deduct_credits.idempotency_key, v_request,
      v_account);
    if v_result.entry_no is not null then
      return v_result;
    end if;
  end if;

  if deduct_credits.sku is not null then
    select p.unit_price, p.amount into v_entry.unit_price, v_amount
    from private.price_credits(deduct_credits.sku, deduct_credits.quantity) as p;
    v_entry.sku := deduct_credits.sku;
    v_entry.quantity := deduct_credits.quantity;
    perform private.check_credit_amount(v_amount);
  else
    v_entry := private.price_charge(deduct_credits.amount, deduct_credits.items);
    v_amount := v_entry.amount;
  end if;
  perform private.require_credits(v_account, v_amount);
  if v_account.team_id is not null then
    perform private.spend_allowance(v_account, deduct_credits.user_id, v_amount, clock_timestamp());
  end if;

  v_drawn := private.draw_credits(v_account.id, v_amount, false);
  v_entry.account_id := v_account.id;
  v_entry.kind := 'deduct';
  v_entry.amount := -v_amount;
  v_entry.allocations := v_drawn.allocations;
  if v_drawn.uncovered > 0 then
    v_entry.allocations := v_entry.allocations || private.credit_allocation(null, -v_drawn.uncovered);
  end if;
  v_entry.description := deduct_credits.description;
  v_entry.actor := deduct_credits.actor;
  v_entry.actor_id := deduct_credits.user_id;
  return private.to_credit_entry(private.post_credit_entry(v_entry, overdraft_used => v_drawn.uncovered));
end $$;
revoke all on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text, jsonb, uuid)
  from public, anon, authenticated;
grant execute on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text, jsonb, uuid)
  to service_role;
