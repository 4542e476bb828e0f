-- Credit charges: what things cost, charging for them, and giving a charge back.

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
comment on column public.credit_prices.unit is 'What one of it is: message, image, 1000 tokens';
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

-- What a charge costs: quantity times the price in force now, rounded half up to four decimals.
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
    raise exception 'No price for "%"', sku using errcode = 'PT422', detail = 'unknown_sku',
      hint = 'The price list is in credit_prices';
  end if;
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if quantity is null or quantity <= 0 or quantity > 1000000000
    or scale(trim_scale(quantity)) > v_price.quantity_scale then
    raise exception 'Cannot charge a quantity of % of "%"', quantity, price_credits.sku
      using errcode = 'PT422', detail = 'invalid_quantity',
        hint = format('A quantity is above 0, at most 1000000000, and here has at most %s decimals',
          v_price.quantity_scale);
  end if;
  unit := v_price.unit;
  unit_price := v_price.price;
  amount := round(v_price.price * quantity, 4);
end $$;
revoke all on function private.price_credits(text, numeric) from public, anon, authenticated, service_role;

-- Prices a list of 1 to 100 items [{sku, quantity}]: the items with their unit, unit_price and amount, and the sum.
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
    raise exception 'A charge is for a list of 1 to 100 items' using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  for v_item in select value from jsonb_array_elements(items) loop
    if (jsonb_typeof(v_item) = 'object' and jsonb_typeof(v_item -> 'sku') = 'string'
        and jsonb_typeof(v_item -> 'quantity') = 'number' and v_item - 'sku' - 'quantity' = '{}') is not true then
      raise exception 'An item has a sku and a quantity' using errcode = 'PT422', detail = 'invalid_charge';
    end if;
    v_price := private.price_credits(v_item ->> 'sku', (v_item ->> 'quantity')::numeric);
    priced := priced || jsonb_build_object('sku', v_item -> 'sku', 'unit', v_price.unit,
      'quantity', v_item -> 'quantity', 'unit_price', v_price.unit_price, 'amount', v_price.amount);
    amount := amount + v_price.amount;
  end loop;
end $$;
revoke all on function private.price_items(jsonb) from public, anon, authenticated, service_role;

-- Works out what is asked for, either an amount or items at their price, into the amount of an entry (positive here)
-- and what the entry says about it.
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
    raise exception 'A charge names either what is charged for or an amount'
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
  'What a list of items costs, [{sku, unit, quantity, unit_price, amount}], and whether it can be paid; member_available is null unless a member of a team has a limit';

-- Prices items for a user, or for a member of a team on the team's account, and says whether they could be charged now.
-- Changes nothing. user_id may be null for a team.
-- Definer: nobody but it may price and see a team's account as a whole. For the service only.
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

-- deduct_credits ------------------------------------------------------------------------------------

-- Charges the account of a user, or with team_id the team's account on behalf of its member: quantity of sku at its
-- price, or items [{sku, quantity}] at theirs, or amount. Posts one entry and returns it. The same idempotency_key of
-- the same user and actor with the same request returns the first entry again, with replayed = true. actor is user or
-- service: who asked. user_id may be null for a team when the service asks.
-- Definer: not even the service may write the tables of credits. For the service only, which answers
-- for user_id and for who may name an amount.
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
    raise exception 'A charge names either sku and quantity or items or an amount; its description has 1 to 500 characters, its actor is user or service'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;

  v_account := private.lock_credit_account(deduct_credits.user_id, deduct_credits.team_id);
  if deduct_credits.idempotency_key is not null then
    v_request := jsonb_build_array('deduct', v_account.id, deduct_credits.sku, trim_scale(deduct_credits.quantity),
      trim_scale(deduct_credits.amount), deduct_credits.description);
    -- As keys that were used before there were items have it.
    if deduct_credits.items is not null then
      v_request := v_request || jsonb_build_array(deduct_credits.items);
    end if;
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

-- Refunds -------------------------------------------------------------------------------------------

create table private.credit_refunds (
  account_id uuid not null,
  entry_no bigint not null,
  charged numeric(15, 4) not null,
  refunded numeric(15, 4) not null,
  primary key (account_id, entry_no),
  constraint credit_refunds_entry_fkey foreign key (account_id, entry_no)
    references public.credit_transactions (account_id, entry_no) on delete cascade,
  constraint credit_refunds_refunded_check check (refunded > 0 and refunded <= charged)
);
comment on table private.credit_refunds is
  'How much of a charge has been refunded: its constraint is why that is never more than was charged';
revoke all on private.credit_refunds from public, anon, authenticated, service_role;

-- What a refund of amount gives back to whom: the allocations of a charge from the last to the first, without what
-- earlier refunds have given back.
create function private.refund_portions(allocations jsonb, refunded numeric, amount numeric)
returns table (grant_id uuid, part numeric)
language sql immutable set search_path = ''
as $$
  select p.grant_id, least(p.upto, refunded + refund_portions.amount) - greatest(p.upto - p.charged, refunded)
  from (
    select (a.value ->> 'grant_id')::uuid as grant_id, a.ordinality, -(a.value ->> 'amount')::numeric as charged,
      sum(-(a.value ->> 'amount')::numeric) over (order by a.ordinality desc) as upto
    from jsonb_array_elements(allocations) with ordinality as a
  ) as p
  where p.upto > refunded and p.upto - p.charged < refunded + refund_portions.amount
  order by p.ordinality desc
$$;
revoke all on function private.refund_portions(jsonb, numeric, numeric) from public, anon, authenticated, service_role;

-- Gives back amount of one charge, or all that is left of it: never more in all than was charged. It goes back to the
-- grants that the charge drew on, the last first. What came from a grant that has ended meanwhile comes back as a new
-- grant of the same category, priority and cost, which lasts for credits.refund_validity. What came from an overdraft
-- pays the overdraft; if that is paid, it comes back as a paid grant without an end. Returns the entry of the refund.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 account_not_found, entry_not_found; PT409 entry_not_refundable; PT422
-- refund_exceeds_charge {refundable}, invalid_amount, invalid_refund, idempotency_key_reused.
create function public.refund_credits(
  account_id uuid,
  entry_no bigint,
  amount numeric default null,
  description text default null,
  idempotency_key text default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('refund', account_id, entry_no, trim_scale(amount), description);
  v_account public.credit_accounts;
  v_charge public.credit_transactions;
  v_entry public.credit_transactions;
  v_result public.credit_entry;
  v_first jsonb;
  v_refunded numeric;
  v_amount numeric;
  v_portion record;
  v_repaid numeric := 0;
  v_part numeric;
  v_grant public.credit_grants;
  v_now timestamptz;
begin
  if char_length(refund_credits.description) not between 1 and 500 then
    raise exception 'A description has 1 to 500 characters' using errcode = 'PT422', detail = 'invalid_refund';
  end if;
  if refund_credits.amount is not null then
    perform private.check_credit_amount(refund_credits.amount);
  end if;
  if refund_credits.account_id is null then
    raise exception 'A refund names the account and the entry' using errcode = 'PT422', detail = 'invalid_refund';
  end if;
  v_account := private.lock_credit_account(null, null, refund_credits.account_id);
  v_first := private.first_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_entry, v_first || '{"replayed": true}');
  end if;

  select t.* into v_charge from public.credit_transactions as t
  where t.account_id = v_account.id and t.entry_no = refund_credits.entry_no;
  if not found then
    raise exception 'The account has no entry %', entry_no using errcode = 'PT404', detail = 'entry_not_found';
  end if;
  if v_charge.kind not in ('deduct', 'capture') then
    raise exception 'Entry % is no charge: it is a %', entry_no, v_charge.kind
      using errcode = 'PT409', detail = 'entry_not_refundable';
  end if;
  select coalesce(max(r.refunded), 0) into v_refunded from private.credit_refunds as r
  where r.account_id = v_account.id and r.entry_no = v_charge.entry_no;
  v_amount := coalesce(refund_credits.amount, -v_charge.amount - v_refunded);
  if v_amount > -v_charge.amount - v_refunded or v_amount = 0 then
    raise exception 'Cannot refund %: % of entry % are left', trim_scale(v_amount),
      trim_scale(-v_charge.amount - v_refunded), entry_no
      using errcode = 'PT422',
        detail = format('refund_exceeds_charge %s', jsonb_build_object('refundable', -v_charge.amount - v_refunded));
  end if;
  insert into private.credit_refunds as r (account_id, entry_no, charged, refunded)
  values (v_account.id, v_charge.entry_no, -v_charge.amount, v_amount)
  on conflict on constraint credit_refunds_pkey do update set refunded = r.refunded + excluded.refunded;

  v_now := greatest(clock_timestamp(), v_account.updated_at);
  v_entry.allocations := '[]';
  for v_portion in select p.grant_id, p.part as amount from private.refund_portions(v_charge.allocations, v_refunded, v_amount) as p loop
    v_grant := null;
    if v_portion.grant_id is not null then
      update public.credit_grants as g set remaining = g.remaining + v_portion.amount
      where g.id = v_portion.grant_id and g.status = 'active';
      if found then
        v_entry.allocations := v_entry.allocations || private.credit_allocation(v_portion.grant_id, v_portion.amount);
        continue;
      end if;
      select g.* into v_grant from public.credit_grants as g where g.id = v_portion.grant_id;
      v_grant.expires_at := v_now + private.setting('credits.refund_validity') * interval '1 second';
    else
      v_part := least(v_portion.amount, v_account.overdraft_used - v_repaid);
      if v_part > 0 then
        v_repaid := v_repaid + v_part;
        v_portion.amount := v_portion.amount - v_part;
        v_entry.allocations := v_entry.allocations || private.credit_allocation(null, v_part);
      end if;
      continue when v_portion.amount = 0;
      v_grant.category := 'paid';
      v_grant.priority := 50;
    end if;
    insert into public.credit_grants as g
      (account_id, category, amount, remaining, priority, status, effective_at, expires_at, source, cost_basis, currency,
        description, created_at)
    values (v_account.id, v_grant.category, v_portion.amount, v_portion.amount, v_grant.priority, 'active', v_now,
      v_grant.expires_at, 'refund', v_grant.cost_basis, v_grant.currency, v_grant.description, v_now)
    returning g.* into v_grant;
    update public.credit_accounts as a set next_due_at = least(a.next_due_at, v_grant.expires_at)
    where a.id = v_account.id;
    v_entry.allocations := v_entry.allocations || private.credit_allocation(v_grant.id, v_portion.amount);
  end loop;

  v_entry.account_id := v_account.id;
  v_entry.kind := 'refund';
  v_entry.amount := v_amount;
  v_entry.refund_of := v_charge.entry_no;
  v_entry.description := refund_credits.description;
  v_entry.actor := 'service';
  v_entry.actor_id := v_charge.actor_id;
  v_entry.created_at := v_now;
  v_result := private.to_credit_entry(private.post_credit_entry(v_entry, overdraft_used => -v_repaid));
  perform private.restore_allowance(v_account.team_id, v_charge.actor_id, v_amount, v_charge.created_at);
  perform private.repay_credit_overdraft(v_account.id, v_now);
  perform private.keep_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request,
    to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.refund_credits(uuid, bigint, numeric, text, text) from public, anon, authenticated;
grant execute on function public.refund_credits(uuid, bigint, numeric, text, text) to service_role;
