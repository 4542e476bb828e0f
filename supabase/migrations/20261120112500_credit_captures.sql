-- How a hold is resolved: captured or released. What is not charged as usual is in expired_holds.

-- Locks and settles the account of a hold, and returns it.
-- Raises: PT404 hold_not_found.
create function private.lock_hold_account(hold_id uuid)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account_id uuid;
begin
  select h.account_id into v_account_id from private.credit_holds as h where h.id = hold_id;
  if not found then
    select h.account_id into v_account_id from public.credit_holds as h where h.id = hold_id;
  end if;
  if v_account_id is null then
    raise exception 'There is no hold "%"', hold_id using errcode = 'PT404', detail = 'hold_not_found';
  end if;
  return private.lock_credit_account(null, null, v_account_id);
end $$;
revoke all on function private.lock_hold_account(uuid) from public, anon, authenticated, service_role;

-- Returns a hold that is still open at the present time, posted or not. The caller holds the lock of its account.
-- Raises: PT409 hold_already_captured, hold_released, hold_expired.
create function private.require_open_hold(account public.credit_accounts, hold_id uuid)
returns private.credit_holds
language plpgsql stable set search_path = ''
as $$
declare
  v_hold private.credit_holds;
  v_status text := 'expired';
begin
  select h.* into v_hold from private.credit_holds as h where h.id = hold_id;
  if found and v_hold.expires_at > greatest(clock_timestamp(), account.updated_at) then
    return v_hold;
  end if;
  if not found then
    select h.status into v_status from public.credit_holds as h where h.id = hold_id;
  end if;
  raise exception 'Hold "%" is already %', hold_id, v_status
    using errcode = 'PT409',
      hint = case v_status when 'expired' then 'Create another hold' else 'A hold can be captured or released only once' end,
      detail = case v_status when 'captured' then 'hold_already_captured'
        when 'released' then 'hold_released' else 'hold_expired' end;
end $$;
revoke all on function private.require_open_hold(public.credit_accounts, uuid)
  from public, anon, authenticated, service_role;

-- Refuses a charge of more than was held.
-- Raises: PT422 capture_exceeds_hold {held}.
create function private.refuse_overage(amount numeric, held numeric)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'Cannot capture %: % are held', trim_scale(amount), trim_scale(held)
    using errcode = 'PT422', detail = format('capture_exceeds_hold %s', jsonb_build_object('held', held)),
      hint = 'Capture less, or set allow_overage';
end $$;
revoke all on function private.refuse_overage(numeric, numeric) from public, anon, authenticated, service_role;

-- Splits what a hold has set aside, portions [{grant_id, amount}], for a capture of items [{sku, amount}], one after another:
-- each takes from the portions of grants that pay for it, in spending order: so a capture of what was held takes what the hold
-- took. Without items, amount takes from all of them: it pays for what the hold was made for. Returns what is taken, as allocations; the rest; and what is missing, as items.
create function private.split_held_credits(
  portions jsonb, items jsonb, amount numeric, out taken jsonb, out rest jsonb, out missing jsonb
)
language plpgsql stable set search_path = ''
as $$
declare
  v_item record;
  v_ids uuid[];
  v_left numeric[];
  v_taken numeric[];
  v_skus jsonb[];
  v_patterns text[];
  v_part numeric;
begin
  taken := '[]';
  rest := '[]';
  missing := '[]';
  select coalesce(array_agg(p.grant_id), array[]::uuid[]), array_agg(p.amount), array_agg(0::numeric),
    array_agg(to_jsonb(p.skus))
  into v_ids, v_left, v_taken, v_skus
  from (
    select x.grant_id, x.amount, g.skus from jsonb_to_recordset(portions) as x (grant_id uuid, amount numeric)
    join private.credit_grants as g on g.id = x.grant_id
    order by g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id
  ) as p;
  for v_item in
    select i.sku, i.amount from jsonb_to_recordset(
      coalesce(items, jsonb_build_array(jsonb_build_object('amount', split_held_credits.amount))))
      as i (sku text, amount numeric)
  loop
    v_patterns := private.sku_patterns(v_item.sku);
    for v_place in 1..cardinality(v_ids) loop
      v_part := least(v_item.amount, v_left[v_place]);
      continue when v_part = 0
        or items is not null and not coalesce(v_skus[v_place] ?| v_patterns, v_skus[v_place] is null);
      v_item.amount := v_item.amount - v_part;
      v_left[v_place] := v_left[v_place] - v_part;
      v_taken[v_place] := v_taken[v_place] + v_part;
    end loop;
    if v_item.amount > 0 then
      missing := missing || jsonb_build_object('sku', v_item.sku, 'amount', v_item.amount);
    end if;
  end loop;
  for v_place in 1..cardinality(v_ids) loop
    if v_taken[v_place] > 0 then
      taken := taken || private.credit_allocation(v_ids[v_place], -v_taken[v_place]);
    end if;
    if v_left[v_place] > 0 then
      rest := rest || private.credit_allocation(v_ids[v_place], v_left[v_place]);
    end if;
  end loop;
end $$;
revoke all on function private.split_held_credits(jsonb, jsonb, numeric) from public, anon, authenticated, service_role;

-- Charges a hold: an amount, rounded half up to four decimals, what items cost now, or all of it when neither is given.
-- The rest becomes free again. More than was held is charged only with allow_overage, and only if it is available; and so is
-- what the held credits do not pay for, because their grants are limited to other skus. An
-- amount of 0 charges nothing and releases the hold. Returns the entry, whose entry_no is null if nothing is charged.
-- message_id is the message that the hold pays for. Then it is charged even if it has expired: as far as credits are
-- available.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 hold_not_found; PT409 hold_already_captured, hold_released, hold_expired; PT422 capture_exceeds_hold {held},
-- invalid_charge, unknown_sku, invalid_quantity, invalid_amount, unit_mismatch, idempotency_key_reused.
create function public.capture_credit_hold(
  hold_id uuid,
  amount numeric default null,
  items jsonb default null,
  allow_overage boolean default false,
  description text default null,
  idempotency_key text default null,
  message_id text default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid;
  v_request jsonb;
  v_account public.credit_accounts;
  v_hold private.credit_holds;
  v_entry private.credit_transactions;
  v_result public.credit_entry;
  v_amount numeric := amount;
  v_left numeric;
  v_set_aside numeric;
  v_items jsonb;
  v_split record;
  v_allocations jsonb;
  v_drawn record;
begin
  if char_length(capture_credit_hold.description) not between 1 and 500
    or capture_credit_hold.amount is not null and capture_credit_hold.items is not null then
    raise exception 'A capture takes either an amount or items, not both, and its description must be 1 to 500 characters long'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  -- The common case here: a call of a function costs more than what it does.
  select h.* into v_hold from private.credit_holds as h where h.id = capture_credit_hold.hold_id;
  select a.* into v_account from public.credit_accounts as a where a.id = v_hold.account_id for no key update;
  if v_account.id is null or v_account.next_due_at <= greatest(clock_timestamp(), v_account.updated_at) then
    v_account := private.lock_hold_account(hold_id);
  end if;
  if idempotency_key is not null then
    v_owner := coalesce(v_account.user_id, v_account.team_id);
    v_entry.id := left(encode(sha256(convert_to(
      concat_ws(' ', v_owner, 'service', idempotency_key), 'UTF8')), 'hex'), 32)::uuid;
    v_request := jsonb_build_array('capture', hold_id, trim_scale(amount), items, allow_overage, description);
    v_entry.request_hash := sha256(convert_to(v_request::text, 'UTF8'));
    if char_length(idempotency_key) not between 1 and 255
      or exists (select from private.credit_transactions as t where t.id = v_entry.id)
      or exists (select from private.idempotency_keys as k
        where k.owner_id = v_owner and k.actor = 'service' and k.key = capture_credit_hold.idempotency_key) then
      return private.repeat_credit_capture(v_owner, idempotency_key, v_request);
    end if;
  end if;

  if capture_credit_hold.items is not null then
    v_result := private.price_charge(capture_credit_hold.items);
    if v_result.unit <> v_account.unit then
      perform private.refuse_unit(v_result.unit, v_account.unit);
    end if;
    v_amount := v_result.amount;
    v_entry.sku := v_result.sku;
    v_entry.quantity := v_result.quantity;
    v_entry.unit_price := v_result.unit_price;
    v_entry.items := v_result.items;
  end if;
  if (v_amount between 0.0001 and 1000000000 and trunc(v_amount, 4) = v_amount) is false then
    v_amount := case when round(v_amount, 4) = 0 then 0 else private.round_credit_amount(v_amount) end;
    v_entry.requested_amount := nullif(capture_credit_hold.amount, v_amount);
  end if;

  if v_hold.id is null or v_hold.expires_at <= greatest(clock_timestamp(), v_account.updated_at) then
    if message_id is not null then
      return private.charge_expired_hold(v_account, hold_id, v_entry, v_amount, allow_overage, message_id);
    end if;
    perform private.require_open_hold(v_account, hold_id);
  end if;
  if v_amount = 0 then
    return private.release_uncharged_hold(v_account, hold_id, message_id, idempotency_key, v_request);
  end if;
  delete from private.credit_holds as h where h.id = v_hold.id;
  -- Another request has resolved it while this one waited for the account.
  if not found then
    perform private.require_open_hold(v_account, hold_id);
  end if;
  if v_amount is null then
    v_amount := v_hold.amount;
  elsif v_amount > v_hold.amount then
    if allow_overage is not true then
      perform private.refuse_overage(v_amount, v_hold.amount);
    end if;
    -- For items, draw_items checks what each of them needs.
    if capture_credit_hold.items is null then
      perform private.require_credits(v_account, v_amount - v_hold.amount);
    end if;
    -- A member who has left has no limit any more; the team pays for what they began.
    perform private.spend_allowance(v_account, v_hold.actor_id, v_amount - v_hold.amount, clock_timestamp(),
      not exists (select from public.team_members as m
        where m.team_id = v_account.team_id and m.user_id = v_hold.actor_id));
  end if;

  v_account.held := v_account.held - v_hold.amount;
  v_account.open_holds := v_account.open_holds - 1;
  v_account.balance := v_account.balance - v_amount;
  if v_hold.grant_id = v_account.head_grant_id and v_amount <= v_hold.amount
    and v_account.overdraft_used = 0 and v_account.debt = 0 then
    v_entry.grant_id := v_hold.grant_id;
    v_account.head_held := v_account.head_held - v_hold.amount;
    v_account.head_free := v_account.head_free + v_hold.amount - v_amount;
  else
    v_account := private.put_back_credit_head(v_account);
    v_set_aside := private.held_overdraft(v_hold);
    v_account.overdraft_held := v_account.overdraft_held - v_set_aside;
    v_entry.amount := -v_amount;
    v_items := private.charged_items(v_entry);
    v_split := private.split_held_credits(private.hold_portions(v_hold.grant_id, v_hold.amount, v_hold.allocations), v_items,
      v_amount);
    v_allocations := v_split.taken;
    update private.credit_grants as g set held = g.held + t.amount, remaining = g.remaining + t.amount
    from jsonb_to_recordset(v_allocations) as t (grant_id uuid, amount numeric)
    where g.id = t.grant_id;
    -- What no grant covered when it was held, what exceeds the hold, and what its grants do not pay for draws on what the
    -- grants have now.
    select sum(m.amount) into v_left from jsonb_to_recordset(v_split.missing) as m (amount numeric);
    if v_left > 0 then
      v_drawn := private.draw_items(v_account, case when v_items is not null then v_split.missing end, v_left, false,
        greatest(clock_timestamp(), v_account.updated_at), v_set_aside);
      v_allocations := v_allocations || v_drawn.allocations;
      if v_drawn.uncovered > 0 then
        v_allocations := v_allocations || private.credit_allocation(null, -v_drawn.uncovered);
        v_account.overdraft_used := v_account.overdraft_used + v_drawn.uncovered;
      end if;
    end if;
    v_entry := private.allocate_credit_entry(v_entry, v_allocations);
  end if;

  v_entry.kind := 'capture';
  v_entry.amount := -v_amount;
  v_entry.hold_id := v_hold.id;
  v_entry.hold := jsonb_build_object('amount', v_hold.amount, 'allocations', coalesce(v_hold.allocations,
      jsonb_build_array(jsonb_build_object('grant_id', v_hold.grant_id, 'amount', v_hold.amount))), 'items', v_hold.items,
    'description', v_hold.description, 'expires_at', v_hold.expires_at, 'created_at', v_hold.created_at,
    'request_hash', encode(v_hold.request_hash, 'hex'));
  if message_id is not null then
    v_entry.hold := v_entry.hold || jsonb_build_object('message_id', message_id);
  end if;
  v_entry.description := coalesce(capture_credit_hold.description, v_hold.description);
  v_entry.actor := 'service';
  v_entry.actor_id := v_hold.actor_id;
  v_entry := private.post_credit_entry(v_entry, v_account);
  if v_account.team_id is not null then
    perform private.restore_allowance(v_account, v_hold.actor_id, greatest(0, v_hold.amount - v_amount),
      v_hold.created_at);
  end if;
  if v_account.head_grant_id is null then
    v_account := private.free_held_credits(private.after_credit_entry(v_account, v_entry), v_split.rest, v_entry.created_at);
    perform private.save_credit_account(private.take_credit_head(v_account));
  end if;
  return row(v_entry.account_id, v_entry.entry_no, v_entry.kind, v_entry.amount, v_entry.balance_after, v_entry.sku,
    v_entry.quantity, v_entry.unit_price, v_entry.items, v_entry.description, v_entry.actor_id, null,
    v_entry.created_at, v_account.unit, false)::public.credit_entry;
end $$;
revoke all on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text, text)
  from public, anon, authenticated;
grant execute on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text, text) to service_role;

-- Releases a hold: all its credits become free again. Returns the hold.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 hold_not_found; PT409 hold_already_captured, hold_released,
-- hold_expired; PT422 idempotency_key_reused.
create function public.release_credit_hold(hold_id uuid, idempotency_key text default null)
returns public.credit_hold
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('release', hold_id);
  v_owner uuid;
  v_account public.credit_accounts;
  v_hold private.credit_holds;
  v_first jsonb;
  v_result public.credit_hold;
begin
  v_account := private.lock_hold_account(hold_id);
  v_owner := coalesce(v_account.user_id, v_account.team_id);
  v_first := private.first_credit_response(v_owner, 'service', idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_hold, v_first || '{"replayed": true}');
  end if;
  v_hold := private.require_open_hold(v_account, hold_id);
  v_account := private.end_credit_hold(v_account, v_hold, 'released', greatest(clock_timestamp(), v_account.updated_at));
  v_account := private.save_credit_account(private.take_credit_head(v_account));
  v_result := row(v_hold.id, v_account.id, v_hold.amount, null, 'released', v_hold.items, v_hold.description,
    v_hold.actor_id, v_hold.expires_at, v_account.updated_at, null, v_hold.created_at, v_account.unit,
    false)::public.credit_hold;
  perform private.keep_response(v_owner, 'service', idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.release_credit_hold(uuid, text) from public, anon, authenticated;
grant execute on function public.release_credit_hold(uuid, text) to service_role;
