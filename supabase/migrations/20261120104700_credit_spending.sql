-- Spending: the order in which the grants of an account are drawn on, its head, and how an overdraft is repaid. And what a
-- repeated request gets.

-- Spending order ------------------------------------------------------------------------------------

-- Puts the head of an account back into its row, so that the grants say what they have, and returns the account. The
-- caller ends with take_credit_head.
create function private.put_back_credit_head(account public.credit_accounts)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
begin
  if account.head_grant_id is not null then
    update private.credit_grants as g
    set remaining = account.head_free + account.head_held, held = account.head_held
    where g.id = account.head_grant_id;
    account.head_grant_id := null;
    account.head_free := 0;
    account.head_held := 0;
  end if;
  return account;
end $$;
revoke all on function private.put_back_credit_head(public.credit_accounts)
  from public, anon, authenticated, service_role;

-- Takes the first grant in spending order as the head of an account, and returns the account, which the caller writes.
-- Leaves a head as it is. An account on which something is still due has none, nor one with free credits that pay for some
-- skus only: whatever is charged to it takes the long way.
create function private.take_credit_head(account public.credit_accounts)
returns public.credit_accounts
language plpgsql stable set search_path = ''
as $$
declare
  v_grant record;
begin
  if account.head_grant_id is not null or account.next_due_at <= greatest(clock_timestamp(), account.updated_at) then
    return account;
  end if;
  if account.scoped_grants > 0 and exists (select from private.credit_grants as g
    where g.account_id = account.id and g.spendable and g.skus is not null) then
    return account;
  end if;
  select g.id, g.remaining - g.held as free, g.held into v_grant from private.credit_grants as g
  where g.account_id = account.id and g.spendable
  order by g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id
  limit 1;
  if found then
    account.head_grant_id := v_grant.id;
    account.head_free := v_grant.free;
    account.head_held := v_grant.held;
  end if;
  return account;
end $$;
revoke all on function private.take_credit_head(public.credit_accounts)
  from public, anon, authenticated, service_role;

-- Draws on the grants of an account in spending order: takes credits or, with for_hold, sets them aside. Returns what
-- each grant gave, and the amount that no grant covered. A grant that has ended at this time gives nothing, whether or
-- not its end has been posted. Only grants that pay for sku are drawn on: without it, those that pay for everything; with
-- any_scope, all of them. With category, only grants of it are drawn on. The caller holds the lock of the account and has
-- put back its head.
create function private.draw_credits(
  account public.credit_accounts,
  amount numeric,
  for_hold boolean,
  at timestamptz,
  category text default null,
  sku text default null,
  any_scope boolean default false,
  out allocations jsonb,
  out uncovered numeric
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_grant record;
  v_part numeric;
  v_ids uuid[];
  v_parts numeric[];
  v_patterns text[] := private.sku_patterns(draw_credits.sku);
  v_limit integer := 4;
  v_read integer;
begin
  allocations := '[]';
  uncovered := amount;
  -- Few grants at a time, then more: with the limit, PostgreSQL reads them in the order of the index, and not all.
  loop
    v_ids := array[]::uuid[];
    v_parts := array[]::numeric[];
    v_read := 0;
    for v_grant in
      select g.id, g.remaining - g.held as free from private.credit_grants as g
      where g.account_id = account.id and g.spendable and (g.expires_at is null or g.expires_at > draw_credits.at)
        and (draw_credits.category is null or g.category = draw_credits.category)
        and (g.skus is null or any_scope or g.skus && v_patterns)
      order by g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id
      limit v_limit
    loop
      v_read := v_read + 1;
      exit when uncovered = 0;
      v_part := least(v_grant.free, uncovered);
      uncovered := uncovered - v_part;
      v_ids := v_ids || v_grant.id;
      v_parts := v_parts || v_part;
    end loop;
    update private.credit_grants as g
    set held = g.held + case when for_hold then d.part else 0 end,
      remaining = g.remaining - case when for_hold then 0 else d.part end
    from unnest(v_ids, v_parts) as d (id, part)
    where g.id = d.id;
    allocations := allocations || coalesce((
      select jsonb_agg(private.credit_allocation(d.id, case when for_hold then d.part else -d.part end) order by d.place)
      from unnest(v_ids, v_parts) with ordinality as d (id, part, place)), '[]');
    exit when uncovered = 0 or v_read < v_limit;
    v_limit := v_limit * 4;
  end loop;
end $$;
revoke all on function private.draw_credits(public.credit_accounts, numeric, boolean, timestamptz, text, text, boolean)
  from public, anon, authenticated, service_role;

-- Returns what an entry charges for as items [{sku, amount}]; null when it names only an amount.
create function private.charged_items(entry private.credit_transactions)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(entry.items,
    case when entry.sku is not null then jsonb_build_array(jsonb_build_object('sku', entry.sku, 'amount', -entry.amount)) end);
end $$;
revoke all on function private.charged_items(private.credit_transactions) from public, anon, authenticated, service_role;

-- Adds allocations to others: each grant has one, where it first comes.
create function private.merge_allocations(allocations jsonb, others jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_agg(private.credit_allocation(m.grant_id, m.amount) order by m.place), '[]')
  from (
    select (a.value ->> 'grant_id')::uuid as grant_id, sum((a.value ->> 'amount')::numeric) as amount, min(a.ordinality) as place
    from jsonb_array_elements(allocations || others) with ordinality as a
    group by 1
  ) as m
$$;
revoke all on function private.merge_allocations(jsonb, jsonb) from public, anon, authenticated, service_role;

-- As draw_credits, for items [{sku, amount}]: one after another, each from the grants that pay for it, as if each were
-- charged alone. Without items, draws amount. The overdraft must cover the rest, unless partly is true; set_aside is what a
-- hold has set aside of it already.
-- Raises: PT402 insufficient_credits {available, required}.
create function private.draw_items(
  account public.credit_accounts, items jsonb, amount numeric, for_hold boolean, at timestamptz,
  set_aside numeric default 0, partly boolean default false, out allocations jsonb, out uncovered numeric
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_drawn record;
  v_item record;
  v_room numeric := account.overdraft_limit - account.overdraft_used - account.overdraft_held - set_aside;
begin
  allocations := '[]';
  uncovered := 0;
  for v_item in
    select i.value ->> 'sku' as sku, (i.value ->> 'amount')::numeric as amount, i.ordinality as place
    from jsonb_array_elements(case when account.scoped_grants > 0 then items end) with ordinality as i
    where (i.value ->> 'amount')::numeric > 0
    union all
    select null, draw_items.amount, 0 where items is null or account.scoped_grants = 0
    order by 3
  loop
    v_drawn := private.draw_credits(account, v_item.amount, for_hold, at, sku => v_item.sku);
    allocations := case when allocations = '[]' then v_drawn.allocations
      else private.merge_allocations(allocations, v_drawn.allocations) end;
    uncovered := uncovered + v_drawn.uncovered;
  end loop;
  if not partly and uncovered - set_aside > greatest(0, v_room) then
    perform private.refuse_credits(account, amount - uncovered + v_room, amount - set_aside);
  end if;
end $$;
revoke all on function private.draw_items(public.credit_accounts, jsonb, numeric, boolean, timestamptz, numeric, boolean)
  from public, anon, authenticated, service_role;

-- Pays an overdraft with the free credits of the grants that pay for everything, in an entry of its own, and returns the
-- account. Called whenever credits become free, so that an overdrawn account never has free credits of that kind.
create function private.repay_credit_overdraft(account public.credit_accounts, at timestamptz)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_drawn record;
  v_entry private.credit_transactions;
begin
  if account.overdraft_used > 0 then
    v_drawn := private.draw_credits(account, account.overdraft_used, false, at);
    if v_drawn.uncovered < account.overdraft_used then
      v_entry.kind := 'repay';
      v_entry.amount := 0;
      v_entry.allocations := v_drawn.allocations
        || private.credit_allocation(null, account.overdraft_used - v_drawn.uncovered);
      v_entry.actor := 'system';
      v_entry.created_at := at;
      account.overdraft_used := v_drawn.uncovered;
      account := private.after_credit_entry(account, private.post_credit_entry(v_entry, account));
    end if;
  end if;
  account.debt := least(account.debt,
    greatest(0, account.overdraft_used + account.overdraft_held - account.overdraft_limit));
  return account;
end $$;
revoke all on function private.repay_credit_overdraft(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Removes credits of an ended grant from the account, and returns the account: those that were free when it ended, or
-- that a hold has given back since. The grant's status says whether the entry is of kind expire or void.
create function private.lapse_credits(
  account public.credit_accounts, credit_grant private.credit_grants, amount numeric, at timestamptz
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry private.credit_transactions;
begin
  if amount = 0 then
    return account;
  end if;
  v_entry.kind := case credit_grant.status when 'voided' then 'void' else 'expire' end;
  v_entry.description := credit_grant.void_reason;
  v_entry.actor := case credit_grant.status when 'voided' then 'service' else 'system' end;
  v_entry.created_at := at;
  update private.credit_grants as g set lapsed = g.lapsed + lapse_credits.amount where g.id = credit_grant.id;
  return private.post_grant_entry(account, v_entry, credit_grant.id, -lapse_credits.amount);
end $$;
revoke all on function private.lapse_credits(public.credit_accounts, private.credit_grants, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- Idempotency ---------------------------------------------------------------------------------------

-- Whether a key has been used: by an entry, or by another kind of request. (A hold keeps its key among those, too.)
create function private.is_used_key(owner_id uuid, actor text, key text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (select from private.credit_transactions as t
      where t.id = private.idempotency_id(is_used_key.owner_id, is_used_key.actor, is_used_key.key))
    or exists (select from private.idempotency_keys as k
      where k.owner_id = is_used_key.owner_id and k.actor = is_used_key.actor and k.key = is_used_key.key);
end $$;
revoke all on function private.is_used_key(uuid, text, text) from public, anon, authenticated, service_role;

-- Returns the entry that a request with this key has posted, as a repeated request gets it; null when the key is new.
-- request_hash is the hash of the present request.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused.
create function private.repeat_credit_entry(owner_id uuid, actor text, key text, request_hash bytea)
returns public.credit_entry
language plpgsql stable set search_path = ''
as $$
declare
  v_entry private.credit_transactions;
begin
  if char_length(key) not between 1 and 255 then
    raise exception 'An idempotency key must be 1 to 255 characters long'
      using errcode = 'PT400', detail = 'invalid_idempotency_key', hint = 'Use a UUID';
  end if;
  if not private.is_used_key(owner_id, actor, key) then
    return null;
  end if;
  select t.* into v_entry from private.credit_transactions as t
  where t.id = private.idempotency_id(repeat_credit_entry.owner_id, repeat_credit_entry.actor, key);
  if v_entry.request_hash is distinct from repeat_credit_entry.request_hash then
    perform private.refuse_reused_key();
  end if;
  return private.to_credit_entry(v_entry,
    (select a.unit from public.credit_accounts as a where a.id = v_entry.account_id), true);
end $$;
revoke all on function private.repeat_credit_entry(uuid, text, text, bytea)
  from public, anon, authenticated, service_role;

-- As first_response, for the requests about credits whose responses are kept: the key may have been used for a charge.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused.
create function private.first_credit_response(owner_id uuid, actor text, key text, request jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_first jsonb := private.first_response(owner_id, actor, key, request);
begin
  if key is not null and v_first is null and private.is_used_key(owner_id, actor, key) then
    perform private.refuse_reused_key();
  end if;
  return v_first;
end $$;
revoke all on function private.first_credit_response(uuid, text, text, jsonb)
  from public, anon, authenticated, service_role;
