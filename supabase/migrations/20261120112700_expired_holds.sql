-- Holds whose capture charges nothing, or that expired before the message that they were to pay for was settled.

-- Returns what an earlier capture with this key returned, as a repeated request gets it.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused.
create function private.repeat_credit_capture(owner_id uuid, key text, request jsonb)
returns public.credit_entry
language plpgsql stable set search_path = ''
as $$
declare
  v_first jsonb := private.first_response(owner_id, 'service', key, request);
begin
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_entry, v_first || '{"replayed": true}');
  end if;
  return private.repeat_credit_entry(owner_id, 'service', key, sha256(convert_to(request::text, 'UTF8')));
end $$;
revoke all on function private.repeat_credit_capture(uuid, text, jsonb) from public, anon, authenticated, service_role;

-- Returns what a capture returns that has charged nothing: an entry without a number.
create function private.uncharged_entry(account public.credit_accounts, actor_id uuid)
returns public.credit_entry
language plpgsql immutable set search_path = ''
as $$
begin
  return row(account.id, null, 'capture', 0, account.balance, null, null, null, null, null, uncharged_entry.actor_id, null,
    account.updated_at, account.unit, false)::public.credit_entry;
end $$;
revoke all on function private.uncharged_entry(public.credit_accounts, uuid) from public, anon, authenticated, service_role;

-- Releases a hold whose capture charges nothing, and returns what the capture returns. The caller holds the lock of the
-- account.
-- Raises: PT409 hold_already_captured, hold_released, hold_expired.
create function private.release_uncharged_hold(
  account public.credit_accounts, hold_id uuid, message_id text, idempotency_key text, request jsonb
)
returns public.credit_entry
language plpgsql volatile set search_path = ''
as $$
declare
  v_hold private.credit_holds := private.require_open_hold(account, hold_id);
  v_entry public.credit_entry;
begin
  account := private.end_credit_hold(account, v_hold, 'released', greatest(clock_timestamp(), account.updated_at));
  update private.ended_credit_holds as h set message_id = release_uncharged_hold.message_id
  where h.id = v_hold.id and release_uncharged_hold.message_id is not null;
  account := private.save_credit_account(private.take_credit_head(account));
  v_entry := private.uncharged_entry(account, v_hold.actor_id);
  perform private.keep_response(coalesce(account.user_id, account.team_id), 'service', idempotency_key, request,
    to_jsonb(v_entry));
  return v_entry;
end $$;
revoke all on function private.release_uncharged_hold(public.credit_accounts, uuid, text, text, jsonb)
  from public, anon, authenticated, service_role;

-- Charges a hold that has expired, for the message that it was to pay for: amount, or all that was held when it is null, as
-- far as credits are available. entry has what a capture knows of the charge. A member's limit counts it, but does not
-- refuse it: it allowed the hold. Returns the entry, whose entry_no is null when nothing was available. The caller holds
-- the lock of the account.
-- Raises: PT409 hold_already_captured, hold_released, hold_expired, when another message has used the hold; PT422
-- capture_exceeds_hold {held}.
create function private.charge_expired_hold(
  account public.credit_accounts, hold_id uuid, entry private.credit_transactions, amount numeric, allow_overage boolean,
  message_id text
)
returns public.credit_entry
language plpgsql volatile set search_path = ''
as $$
declare
  v_open private.credit_holds;
  v_hold private.ended_credit_holds;
  v_asked numeric;
  v_amount numeric;
  v_drawn record;
  v_overdraft numeric;
begin
  select h.* into v_open from private.credit_holds as h where h.id = charge_expired_hold.hold_id;
  if found then
    -- More has come due than one call settles: this hold, too.
    account := private.end_credit_hold(account, v_open, 'expired', greatest(clock_timestamp(), account.updated_at));
  end if;
  select h.* into v_hold from private.ended_credit_holds as h
  where h.id = charge_expired_hold.hold_id and h.status = 'expired' and h.message_id is null;
  if not found then
    perform private.require_open_hold(account, charge_expired_hold.hold_id);
  end if;
  v_asked := coalesce(charge_expired_hold.amount, v_hold.amount);
  if v_asked > v_hold.amount and allow_overage is not true then
    perform private.refuse_overage(v_asked, v_hold.amount);
  end if;

  account := private.put_back_credit_head(account);
  entry.amount := -v_asked;
  v_drawn := private.draw_items(account, private.charged_items(entry), v_asked, false,
    greatest(clock_timestamp(), account.updated_at), partly => true);
  v_overdraft := least(v_drawn.uncovered,
    greatest(0, account.overdraft_limit - account.overdraft_used - account.overdraft_held));
  v_amount := v_asked - v_drawn.uncovered + v_overdraft;
  if v_amount = 0 then
    update private.ended_credit_holds as h set message_id = charge_expired_hold.message_id where h.id = v_hold.id;
    account := private.save_credit_account(private.take_credit_head(account));
    return private.uncharged_entry(account, v_hold.actor_id);
  end if;
  delete from private.ended_credit_holds as h where h.id = v_hold.id;
  if v_overdraft > 0 then
    v_drawn.allocations := v_drawn.allocations || private.credit_allocation(null, -v_overdraft);
    account.overdraft_used := account.overdraft_used + v_overdraft;
  end if;
  entry := private.allocate_credit_entry(entry, v_drawn.allocations);
  entry.kind := 'capture';
  entry.amount := -v_amount;
  entry.requested_amount := coalesce(entry.requested_amount, nullif(v_asked, v_amount));
  entry.hold_id := v_hold.id;
  entry.hold := jsonb_build_object('amount', v_hold.amount,
    'allocations', private.hold_portions(v_hold.grant_id, v_hold.amount, v_hold.allocations), 'items', v_hold.items,
    'description', v_hold.description, 'expires_at', v_hold.expires_at, 'created_at', v_hold.created_at,
    'request_hash', encode(v_hold.request_hash, 'hex'), 'message_id', message_id);
  entry.description := v_hold.description;
  entry.actor := 'service';
  entry.actor_id := v_hold.actor_id;
  account.balance := account.balance - v_amount;
  perform private.spend_allowance(account, v_hold.actor_id, v_amount, clock_timestamp(), true);
  return private.to_credit_entry(private.post_credit_entry(entry, private.take_credit_head(account)), account.unit);
end $$;
revoke all on function private.charge_expired_hold(public.credit_accounts, uuid, private.credit_transactions, numeric,
  boolean, text) from public, anon, authenticated, service_role;
