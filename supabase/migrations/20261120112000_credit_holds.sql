-- Credit holds: credits are set aside before the work is done, and charged when its cost is known. A hold keeps the
-- very credits that it set aside: they can be captured even if their grant ends first.

-- credit_holds --------------------------------------------------------------------------------------

create table public.credit_holds (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  amount numeric(15, 4) not null,
  captured numeric(15, 4),
  status text not null default 'held',
  allocations jsonb not null,
  items jsonb,
  description text,
  actor_id uuid,
  expires_at timestamptz not null,
  resolved_at timestamptz,
  entry_no bigint,
  created_at timestamptz not null,
  constraint credit_holds_entry_fkey foreign key (account_id, entry_no)
    references public.credit_transactions (account_id, entry_no) on delete cascade,
  constraint credit_holds_entry_key unique (account_id, entry_no),
  constraint credit_holds_amount_check check (amount > 0),
  constraint credit_holds_status_check check (status in ('held', 'captured', 'released', 'expired')),
  constraint credit_holds_expires_at_check check (expires_at > created_at and isfinite(expires_at)),
  constraint credit_holds_captured_check check (
    (status = 'captured') = (captured is not null) and (status = 'captured') = (entry_no is not null)
    and captured > 0),
  constraint credit_holds_resolved_check check ((status = 'held') = (resolved_at is null)),
  constraint credit_holds_description_check check (char_length(description) between 1 and 500)
);
comment on table public.credit_holds is
  'Credits set aside until they are captured or released, or expire. Only functions write it.';
comment on column public.credit_holds.captured is 'What was charged; more than amount only with allow_overage';
comment on column public.credit_holds.allocations is
  'What is set aside from each grant: [{grant_id, amount}]; the rest of amount is from the overdraft';
comment on column public.credit_holds.items is
  'The items that amount is the price of, [{sku, quantity}]; null when the request named an amount';
comment on column public.credit_holds.actor_id is 'The user for whom it is held';
comment on column public.credit_holds.entry_no is 'The entry of the capture';

create index credit_holds_account_id on public.credit_holds (account_id, created_at);
create index credit_holds_open on public.credit_holds (account_id, expires_at) where status = 'held';

alter table public.credit_holds enable row level security;
revoke all on public.credit_holds from public, anon, authenticated, service_role;
grant select on public.credit_holds to authenticated, service_role;

create policy "owners read the holds on their accounts, members their own" on public.credit_holds
  for select to authenticated
  using (account_id = any (array(select private.my_credit_account_ids()))
    or actor_id = (select auth.uid()) and account_id = any (array(select private.my_team_credit_account_ids())));

-- Resolving -----------------------------------------------------------------------------------------

-- Gives portions of a hold, [{grant_id, amount}], back to their grants; those of a grant that has ended lapse. Then
-- pays an overdraft. The caller has subtracted the hold from the account and holds the lock of the account.
create function private.free_held_credits(account_id uuid, portions jsonb, at timestamptz)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_portion record;
  v_grant public.credit_grants;
begin
  for v_portion in
    select p.grant_id, p.amount from jsonb_to_recordset(portions) as p (grant_id uuid, amount numeric)
  loop
    update public.credit_grants as g
    set held = g.held - v_portion.amount,
      remaining = g.remaining - case when g.status in ('expired', 'voided') then v_portion.amount else 0 end
    where g.id = v_portion.grant_id
    returning g.* into v_grant;
    if v_grant.status in ('expired', 'voided') then
      perform private.lapse_credits(v_grant, v_portion.amount, at);
    end if;
  end loop;
  perform private.repay_credit_overdraft(account_id, at);
end $$;
revoke all on function private.free_held_credits(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;

-- Returns the part of a hold that is from the overdraft.
create function private.held_overdraft(credit_hold public.credit_holds)
returns numeric
language plpgsql immutable set search_path = ''
as $$
begin
  return credit_hold.amount - coalesce(
    (select sum(p.amount) from jsonb_to_recordset(credit_hold.allocations) as p (amount numeric)), 0);
end $$;
revoke all on function private.held_overdraft(public.credit_holds) from public, anon, authenticated, service_role;

-- Ends a hold without a charge and returns it. status is released or expired. The caller holds the lock of the account.
create function private.end_credit_hold(credit_hold public.credit_holds, status text, at timestamptz)
returns public.credit_holds
language plpgsql volatile set search_path = ''
as $$
declare
  v_team_id uuid;
begin
  update public.credit_holds as h set status = end_credit_hold.status, resolved_at = at
  where h.id = credit_hold.id
  returning h.* into credit_hold;
  update public.credit_accounts as a
  set held = a.held - credit_hold.amount,
    overdraft_held = a.overdraft_held - private.held_overdraft(credit_hold),
    updated_at = greatest(at, a.updated_at)
  where a.id = credit_hold.account_id
  returning a.team_id into v_team_id;
  perform private.restore_allowance(v_team_id, credit_hold.actor_id, credit_hold.amount, credit_hold.created_at);
  perform private.free_held_credits(credit_hold.account_id, credit_hold.allocations, at);
  return credit_hold;
end $$;
revoke all on function private.end_credit_hold(public.credit_holds, text, timestamptz)
  from public, anon, authenticated, service_role;

-- hold_credits, capture_credit_hold, release_credit_hold --------------------------------------------

create type public.credit_hold as (
  id uuid,
  account_id uuid,
  amount numeric,
  captured numeric,
  status text,
  items jsonb,
  description text,
  actor_id uuid,
  expires_at timestamptz,
  resolved_at timestamptz,
  entry_no bigint,
  created_at timestamptz,
  replayed boolean
);
comment on type public.credit_hold is
  'A hold as callers see it; replayed is true when an earlier request did what this one asks for';

create function private.to_credit_hold(credit_hold public.credit_holds)
returns public.credit_hold
language plpgsql immutable set search_path = ''
as $$
begin
  return row(credit_hold.id, credit_hold.account_id, credit_hold.amount, credit_hold.captured, credit_hold.status,
    credit_hold.items, credit_hold.description, credit_hold.actor_id, credit_hold.expires_at, credit_hold.resolved_at,
    credit_hold.entry_no, credit_hold.created_at, false)::public.credit_hold;
end $$;
revoke all on function private.to_credit_hold(public.credit_holds) from public, anon, authenticated, service_role;

-- Holds credits of a user, or of a team on behalf of its member: an amount, or what items [{sku, quantity}] cost now.
-- For expires_in seconds (credits.hold_duration when null, at most credits.longest_hold) nothing else can spend them.
-- user_id may be null for a team. Returns the hold.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 account_not_found; PT422 invalid_charge, invalid_hold {longest}, unknown_sku, invalid_quantity,
-- invalid_amount, idempotency_key_reused.
create function public.hold_credits(
  user_id uuid default null,
  amount numeric default null,
  items jsonb default null,
  expires_in integer default null,
  description text default null,
  idempotency_key text default null,
  team_id uuid default null
)
returns public.credit_hold
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(hold_credits.user_id, hold_credits.team_id);
  v_request jsonb := jsonb_build_array('hold', hold_credits.team_id, trim_scale(hold_credits.amount), hold_credits.items,
    hold_credits.expires_in, hold_credits.description);
  v_account public.credit_accounts;
  v_hold public.credit_holds;
  v_priced public.credit_transactions;
  v_drawn record;
  v_first jsonb;
  v_longest integer;
begin
  v_longest := private.setting('credits.longest_hold');
  if hold_credits.expires_in not between 1 and v_longest
    or char_length(hold_credits.description) not between 1 and 500 then
    raise exception 'A hold lasts 1 to % seconds, and its description has 1 to 500 characters', v_longest
      using errcode = 'PT422', detail = format('invalid_hold %s', jsonb_build_object('longest', v_longest));
  end if;
  v_account := private.lock_credit_account(hold_credits.user_id, hold_credits.team_id);
  v_first := private.first_response(v_owner, 'service', hold_credits.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_hold, v_first || '{"replayed": true}');
  end if;

  v_priced := private.price_charge(hold_credits.amount, hold_credits.items);
  perform private.require_credits(v_account, v_priced.amount);
  v_hold.created_at := greatest(clock_timestamp(), v_account.updated_at);
  if v_account.team_id is not null then
    perform private.spend_allowance(v_account, hold_credits.user_id, v_priced.amount, v_hold.created_at);
  end if;
  v_drawn := private.draw_credits(v_account.id, v_priced.amount, true);
  v_hold.expires_at := v_hold.created_at
    + coalesce(hold_credits.expires_in, least(v_longest, private.setting('credits.hold_duration'))) * interval '1 second';

  insert into public.credit_holds as h
    (account_id, amount, allocations, items, description, actor_id, expires_at, created_at)
  values (v_account.id, v_priced.amount, v_drawn.allocations, hold_credits.items, hold_credits.description,
    hold_credits.user_id, v_hold.expires_at, v_hold.created_at)
  returning h.* into v_hold;
  update public.credit_accounts as a
  set held = a.held + v_hold.amount, overdraft_held = a.overdraft_held + v_drawn.uncovered,
    next_due_at = least(a.next_due_at, v_hold.expires_at), updated_at = v_hold.created_at
  where a.id = v_account.id;
  if hold_credits.idempotency_key is not null then
    perform private.keep_response(v_owner, 'service', hold_credits.idempotency_key, v_request,
      to_jsonb(private.to_credit_hold(v_hold)));
  end if;
  return private.to_credit_hold(v_hold);
end $$;
revoke all on function public.hold_credits(uuid, numeric, jsonb, integer, text, text, uuid)
  from public, anon, authenticated;
grant execute on function public.hold_credits(uuid, numeric, jsonb, integer, text, text, uuid) to service_role;

-- Locks and settles the account of a hold, and returns it.
-- Raises: PT404 hold_not_found.
create function private.lock_hold_account(hold_id uuid)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account_id uuid;
begin
  select h.account_id into v_account_id from public.credit_holds as h where h.id = hold_id;
  if not found then
    raise exception 'There is no hold "%"', hold_id using errcode = 'PT404', detail = 'hold_not_found';
  end if;
  return private.lock_credit_account(null, null, v_account_id);
end $$;
revoke all on function private.lock_hold_account(uuid) from public, anon, authenticated, service_role;

-- Returns a hold that is still open. The caller holds the lock of its account.
-- Raises: PT409 hold_already_captured, hold_released, hold_expired.
create function private.require_open_hold(hold_id uuid)
returns public.credit_holds
language plpgsql stable set search_path = ''
as $$
declare
  v_hold public.credit_holds;
begin
  select h.* into v_hold from public.credit_holds as h where h.id = hold_id;
  if v_hold.status <> 'held' then
    raise exception 'Hold "%" is already %', hold_id, v_hold.status
      using errcode = 'PT409', hint = 'A hold can be captured or released only once',
        detail = case v_hold.status when 'captured' then 'hold_already_captured'
          when 'released' then 'hold_released' else 'hold_expired' end;
  end if;
  return v_hold;
end $$;
revoke all on function private.require_open_hold(uuid) from public, anon, authenticated, service_role;

-- Charges a hold: an amount, what items cost now, or all of it when neither is given. The rest becomes free again. More
-- than was held is charged only with allow_overage, and only if it is available. Returns the entry.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 hold_not_found; PT409 hold_already_captured, hold_released, hold_expired; PT422 capture_exceeds_hold {held},
-- invalid_charge, unknown_sku, invalid_quantity, invalid_amount, idempotency_key_reused.
create function public.capture_credit_hold(
  hold_id uuid,
  amount numeric default null,
  items jsonb default null,
  allow_overage boolean default false,
  description text default null,
  idempotency_key text default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('capture', hold_id, trim_scale(amount), items, allow_overage, description);
  v_account public.credit_accounts;
  v_hold public.credit_holds;
  v_entry public.credit_transactions;
  v_result public.credit_entry;
  v_amount numeric;
  v_left numeric;
  v_part numeric;
  v_portion record;
  v_rest jsonb := jsonb '[]';
  v_drawn record;
  v_uncovered numeric := 0;
begin
  if char_length(capture_credit_hold.description) not between 1 and 500
    or capture_credit_hold.amount is not null and capture_credit_hold.items is not null then
    raise exception 'A capture takes either an amount or items, not both, and its description must be 1 to 500 characters long'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  v_account := private.lock_hold_account(hold_id);
  v_result := private.claim_entry_key(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request,
    v_account);
  if v_result.entry_no is not null then
    return v_result;
  end if;

  v_hold := private.require_open_hold(hold_id);
  v_entry := private.price_charge(
    case when capture_credit_hold.items is null then coalesce(capture_credit_hold.amount, v_hold.amount) end,
    capture_credit_hold.items);
  v_amount := v_entry.amount;
  if v_amount > v_hold.amount then
    if allow_overage is not true then
      raise exception 'Cannot capture % credits: % are held', trim_scale(v_amount), trim_scale(v_hold.amount)
        using errcode = 'PT422', detail = format('capture_exceeds_hold %s', jsonb_build_object('held', v_hold.amount)),
          hint = 'Capture less, or set allow_overage';
    end if;
    perform private.require_credits(v_account, v_amount - v_hold.amount);
    perform private.spend_allowance(v_account, v_hold.actor_id, v_amount - v_hold.amount, clock_timestamp());
  end if;

  v_left := v_amount;
  v_entry.allocations := '[]';
  for v_portion in
    select p.grant_id, p.amount from jsonb_to_recordset(v_hold.allocations) as p (grant_id uuid, amount numeric)
  loop
    v_part := least(v_portion.amount, v_left);
    v_left := v_left - v_part;
    if v_part > 0 then
      update public.credit_grants as g set held = g.held - v_part, remaining = g.remaining - v_part
      where g.id = v_portion.grant_id;
      v_entry.allocations := v_entry.allocations || private.credit_allocation(v_portion.grant_id, -v_part);
    end if;
    if v_part < v_portion.amount then
      v_rest := v_rest || private.credit_allocation(v_portion.grant_id, v_portion.amount - v_part);
    end if;
  end loop;
  -- What no grant covered when it was held, and what exceeds the hold, draws on what the grants have now.
  if v_left > 0 then
    v_drawn := private.draw_credits(v_account.id, v_left, false);
    v_uncovered := v_drawn.uncovered;
    v_entry.allocations := v_entry.allocations || v_drawn.allocations;
    if v_uncovered > 0 then
      v_entry.allocations := v_entry.allocations || private.credit_allocation(null, -v_uncovered);
    end if;
  end if;

  v_entry.account_id := v_account.id;
  v_entry.kind := 'capture';
  v_entry.amount := -v_amount;
  v_entry.description := coalesce(capture_credit_hold.description, v_hold.description);
  v_entry.actor := 'service';
  v_entry.actor_id := v_hold.actor_id;
  v_entry := private.post_credit_entry(v_entry, overdraft_used => v_uncovered, held => -v_hold.amount,
    overdraft_held => -private.held_overdraft(v_hold));
  update public.credit_holds as h
  set status = 'captured', captured = v_amount, entry_no = v_entry.entry_no, resolved_at = v_entry.created_at
  where h.id = v_hold.id;
  if v_account.team_id is not null then
    perform private.restore_allowance(v_account.team_id, v_hold.actor_id, greatest(0, v_hold.amount - v_amount),
      v_hold.created_at);
  end if;
  if v_rest <> '[]' then
    perform private.free_held_credits(v_account.id, v_rest, v_entry.created_at);
  end if;

  return private.to_credit_entry(v_entry);
end $$;
revoke all on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text)
  from public, anon, authenticated;
grant execute on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text) to service_role;

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
  v_account public.credit_accounts;
  v_hold public.credit_holds;
  v_first jsonb;
begin
  v_account := private.lock_hold_account(hold_id);
  v_first := private.first_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_hold, v_first || '{"replayed": true}');
  end if;
  v_hold := private.end_credit_hold(private.require_open_hold(hold_id), 'released',
    greatest(clock_timestamp(), v_account.updated_at));
  perform private.keep_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request,
    to_jsonb(private.to_credit_hold(v_hold)));
  return private.to_credit_hold(v_hold);
end $$;
revoke all on function public.release_credit_hold(uuid, text) from public, anon, authenticated;
grant execute on function public.release_credit_hold(uuid, text) to service_role;
