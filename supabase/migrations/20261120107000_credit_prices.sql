-- Credit prices: what things cost, and quotes.

-- credit_prices -------------------------------------------------------------------------------------

create table public.credit_prices (
  sku text not null,
  effective_from timestamptz not null default now(),
  unit text not null,
  price numeric(15, 4) not null,
  quantity_scale smallint not null default 0,
  created_at timestamptz not null default now(),
  credit_unit text not null default 'credits' references public.credit_units (unit),
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
comment on column public.credit_prices.price is 'What one of that costs, in credit_unit';
comment on column public.credit_prices.credit_unit is
  'What the price is in, and which account of an owner pays it: credits, unless it names another of credit_units';
comment on column public.credit_prices.quantity_scale is
  'Decimals that a quantity may have: 0 sells whole units only';

create index credit_prices_credit_unit on public.credit_prices (credit_unit);

alter table public.credit_prices enable row level security;
revoke all on public.credit_prices from public, anon, authenticated, service_role;
grant select on public.credit_prices to authenticated;
grant select, insert, update, delete on public.credit_prices to service_role;

-- True for everyone: a price list is meant to be read before buying.
create policy "signed-in users read the price list" on public.credit_prices
  for select to authenticated using (true);

-- Prices a quantity of one sku: quantity times the price in force now. Both are rounded half up to four decimals: a
-- quantity that is a sum of floating-point numbers is a little off.
-- Raises: PT422 unknown_sku, invalid_quantity.
create function private.price_credits(
  sku text, quantity numeric, out unit text, out unit_price numeric, out amount numeric, out credit_unit text
)
language plpgsql stable set search_path = ''
as $$
declare
  v_quantity numeric := round(quantity, 4);
  v_price public.credit_prices;
begin
  select p.* into v_price from public.credit_prices as p
  where p.sku = price_credits.sku and p.effective_from <= statement_timestamp()
  order by p.effective_from desc
  limit 1;
  if not found then
    raise exception 'There is no price for "%"', left(sku, 100) using errcode = 'PT422', detail = 'unknown_sku',
      hint = 'Use a sku from the price list, credit_prices';
  end if;
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if v_quantity is null or v_quantity <= 0 or v_quantity > 1000000000
    or scale(trim_scale(v_quantity)) > v_price.quantity_scale then
    raise exception 'Cannot charge a quantity of % of "%"', left(quantity::text, 40), price_credits.sku
      using errcode = 'PT422', detail = 'invalid_quantity',
        hint = format('A quantity of this sku is above 0, at most 1000000000, and has at most %s decimals',
          v_price.quantity_scale);
  end if;
  unit := v_price.unit;
  unit_price := v_price.price;
  credit_unit := v_price.credit_unit;
  amount := round(v_price.price * v_quantity, 4);
end $$;
revoke all on function private.price_credits(text, numeric) from public, anon, authenticated, service_role;

-- Prices a list of 1 to 100 items [{sku, quantity}]. Returns the items with unit, unit_price and amount, the sum, and what
-- all of them are priced in. A quantity may be 0 here: an answer may use nothing of something.
-- Raises: PT422 invalid_charge, unknown_sku, invalid_quantity, unit_mismatch.
create function private.price_items(items jsonb, out priced jsonb, out amount numeric, out credit_unit text)
language plpgsql stable set search_path = ''
as $$
declare
  v_item jsonb;
  v_quantity numeric;
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
    v_quantity := trim_scale(round((v_item ->> 'quantity')::numeric, 4));
    v_price := private.price_credits(v_item ->> 'sku', case v_quantity when 0 then 1 else v_quantity end);
    if v_quantity = 0 then
      v_price.amount := 0;
    end if;
    if v_price.credit_unit <> credit_unit then
      perform private.refuse_unit(credit_unit, v_price.credit_unit);
    end if;
    credit_unit := v_price.credit_unit;
    priced := priced || jsonb_build_object('sku', v_item -> 'sku', 'unit', v_price.unit,
      'quantity', v_quantity, 'unit_price', v_price.unit_price, 'amount', v_price.amount);
    amount := amount + v_price.amount;
  end loop;
end $$;
revoke all on function private.price_items(jsonb) from public, anon, authenticated, service_role;

-- Works out a charge for items at their prices. Returns the part of an entry that says what is charged for, its unit, and
-- amount, which is 0 or more here. The caller checks whether an entry can have it.
-- Raises: PT422 invalid_charge, unknown_sku, invalid_quantity, unit_mismatch.
create function private.price_charge(items jsonb)
returns public.credit_entry
language plpgsql stable set search_path = ''
as $$
declare
  v_entry public.credit_entry;
  v_priced record := private.price_items(price_charge.items);
begin
  v_entry.amount := v_priced.amount;
  v_entry.unit := v_priced.credit_unit;
  if jsonb_array_length(v_priced.priced) = 1 then
    v_entry.sku := v_priced.priced -> 0 ->> 'sku';
    v_entry.quantity := (v_priced.priced -> 0 ->> 'quantity')::numeric;
    v_entry.unit_price := (v_priced.priced -> 0 ->> 'unit_price')::numeric;
  else
    v_entry.items := v_priced.priced;
  end if;
  return v_entry;
end $$;
revoke all on function private.price_charge(jsonb) from public, anon, authenticated, service_role;

-- Works out whether items [{sku, amount}] can be paid on an account with limited grants, as a charge would pay for them: one
-- after another. available is what can be spent on anything. Returns what can be spent on some of them or, if that does not
-- pay for all, what can be spent of their sum.
create function private.payable_credits(
  account public.credit_accounts, items jsonb, available numeric, at timestamptz, out payable numeric, out affordable boolean
)
language plpgsql stable set search_path = ''
as $$
declare
  v_item record;
  v_part numeric;
  v_room numeric;
  v_uncovered numeric := 0;
  v_total numeric := 0;
  v_free numeric[];
  v_skus jsonb[];
  v_patterns text[];
  v_counted boolean[];
begin
  -- As jsonb, because there are no arrays of lists of different lengths.
  select coalesce(array_agg(f.free), array[]::numeric[]), array_agg(to_jsonb(f.skus)), array_agg(f.skus is null),
    available - coalesce(sum(f.free) filter (where f.skus is null), 0)
  into v_free, v_skus, v_counted, v_room
  from private.free_grants_at(account, at) as f
  where f.free > 0;
  payable := available;
  for v_item in
    select i.value ->> 'sku' as sku, (i.value ->> 'amount')::numeric as amount
    from jsonb_array_elements(items) with ordinality as i
    where (i.value ->> 'amount')::numeric > 0
    order by i.ordinality
  loop
    v_total := v_total + v_item.amount;
    v_patterns := private.sku_patterns(v_item.sku);
    for v_place in 1..cardinality(v_free) loop
      continue when v_skus[v_place] is not null and not v_skus[v_place] ?| v_patterns;
      if not v_counted[v_place] then
        v_counted[v_place] := true;
        payable := payable + v_free[v_place];
      end if;
      v_part := least(v_item.amount, v_free[v_place]);
      v_item.amount := v_item.amount - v_part;
      v_free[v_place] := v_free[v_place] - v_part;
    end loop;
    v_uncovered := v_uncovered + v_item.amount;
  end loop;
  affordable := v_uncovered <= greatest(0, v_room);
  if not affordable then
    payable := v_total - v_uncovered + v_room;
  end if;
end $$;
revoke all on function private.payable_credits(public.credit_accounts, jsonb, numeric, timestamptz)
  from public, anon, authenticated, service_role;

create type public.credit_quote as (
  items jsonb,
  total numeric,
  available numeric,
  member_available numeric,
  affordable boolean,
  unit text
);
comment on type public.credit_quote is
  'What a list of items costs, [{sku, unit, quantity, unit_price, amount}], and whether it can be paid; unit is what the prices are in; available is what can be spent on some of the items or, if that does not pay for all of them, what can be spent of the total; member_available is null unless the member of a team has a limit';

-- Prices items for a user, or for a member of a team on the team's account, and says whether they could be charged now.
-- Changes nothing. user_id may be null for a team.
-- Definer: not even the service may call the private functions that it needs. For the service only.
-- Raises: PT404 account_not_found; PT422 invalid_charge, unknown_sku, invalid_quantity, unit_mismatch.
create function public.quote_credits(items jsonb, user_id uuid default null, team_id uuid default null)
returns public.credit_quote
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_due record;
  v_priced record;
  v_payable record;
  v_quote public.credit_quote;
begin
  -- The account in the prices' unit, or the one in credits: an owner that never had anything in that unit has none.
  v_priced := private.price_items(items);
  if quote_credits.team_id is null then
    select a.* into v_account from public.credit_accounts as a
    where a.user_id = quote_credits.user_id and a.unit in (v_priced.credit_unit, 'credits')
    order by a.unit = v_priced.credit_unit desc limit 1;
  elsif quote_credits.user_id is null or exists (
    select 1 from public.team_members as m
    where m.team_id = quote_credits.team_id and m.user_id = quote_credits.user_id) then
    select a.* into v_account from public.credit_accounts as a
    where a.team_id = quote_credits.team_id and a.unit in (v_priced.credit_unit, 'credits')
    order by a.unit = v_priced.credit_unit desc limit 1;
  end if;
  if v_account.id is null then
    perform private.refuse_credit_account(user_id, team_id);
  end if;
  v_quote.items := v_priced.priced;
  v_quote.total := v_priced.amount;
  v_quote.unit := v_priced.credit_unit;
  v_quote.available := 0;
  v_quote.affordable := v_quote.total = 0;
  if v_account.unit = v_quote.unit then
    v_due := private.due_credits(v_account, statement_timestamp());
    v_quote.available := v_account.balance + v_due.balance - v_account.held - v_due.held + v_account.overdraft_limit
      - v_due.scoped;
    v_quote.affordable := v_quote.total <= v_quote.available;
    if v_due.scoped > 0 then
      v_payable := private.payable_credits(v_account, v_quote.items, v_quote.available, statement_timestamp());
      v_quote.available := v_payable.payable;
      v_quote.affordable := v_payable.affordable;
    end if;
  end if;
  select m.available into v_quote.member_available from public.team_member_balances as m
  where m.team_id = quote_credits.team_id and m.user_id = quote_credits.user_id and m.unit = v_quote.unit;
  v_quote.affordable := v_quote.affordable and coalesce(v_quote.total <= v_quote.member_available, true);
  return v_quote;
end $$;
revoke all on function public.quote_credits(jsonb, uuid, uuid) from public, anon, authenticated;
grant execute on function public.quote_credits(jsonb, uuid, uuid) to service_role;
