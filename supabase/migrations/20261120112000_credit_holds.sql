-- Credit holds: credits are set aside before the work is done, and charged when its cost is known. A hold keeps the
-- very credits that it set aside: they can be captured even if their grant ends first.
--
-- The row of a hold goes when the hold is resolved: a capture keeps what it was in its entry, and a hold that is released
-- or expires moves to ended_credit_holds.

-- credit_holds --------------------------------------------------------------------------------------

create table private.credit_holds (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  grant_id uuid,
  actor_id uuid,
  amount numeric(15, 4) not null,
  allocations jsonb,
  items jsonb,
  description text,
  request_hash bytea,
  constraint credit_holds_rules_check check (
    amount > 0 and expires_at > created_at and isfinite(expires_at) and num_nonnulls(grant_id, allocations) = 1)
);
comment on table private.credit_holds is
  'Credits set aside until they are captured or released, or expire. Only functions write it; public.credit_holds shows it';
comment on column private.credit_holds.id is 'The idempotency_id of the request, if it had a key';
comment on column private.credit_holds.grant_id is 'The grant from which all of amount is set aside';
comment on column private.credit_holds.allocations is
  'What is set aside from each grant, if it is not from one: [{grant_id, amount}]; the rest of amount is from the overdraft';

create index credit_holds_account_id on private.credit_holds (account_id, expires_at);

create table private.ended_credit_holds (
  id uuid primary key,
  account_id uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  grant_id uuid,
  actor_id uuid,
  amount numeric(15, 4) not null,
  allocations jsonb,
  items jsonb,
  description text,
  request_hash bytea,
  status text not null,
  resolved_at timestamptz not null,
  message_id text,
  constraint ended_credit_holds_status_check check (status in ('released', 'expired'))
);
comment on table private.ended_credit_holds is
  'Holds that were released or have expired: what they set aside is free again. public.credit_holds shows it';
comment on column private.ended_credit_holds.message_id is
  'The message that the hold was to pay for, and for which nothing was charged';

create index ended_credit_holds_account_id on private.ended_credit_holds (account_id, created_at);

alter table private.credit_holds enable row level security;
alter table private.ended_credit_holds enable row level security;
revoke all on private.credit_holds, private.ended_credit_holds from public, anon, authenticated, service_role;
grant select on private.credit_holds, private.ended_credit_holds to authenticated, service_role;

create policy "owners read the holds on their accounts, members their own" on private.credit_holds
  for select to authenticated
  using (account_id = any (array(
      select private.my_credit_account_ids() union all select private.my_member_credit_account_ids()))
    and (actor_id = (select auth.uid()) or account_id <> all (array(select private.my_member_credit_account_ids()))));
create policy "owners read the ended holds on their accounts, members their own" on private.ended_credit_holds
  for select to authenticated
  using (account_id = any (array(
      select private.my_credit_account_ids() union all select private.my_member_credit_account_ids()))
    and (actor_id = (select auth.uid()) or account_id <> all (array(select private.my_member_credit_account_ids()))));

-- Returns what each grant gave to a hold: [{grant_id, amount}].
create function private.hold_portions(grant_id uuid, amount numeric, allocations jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(allocations, jsonb_build_array(jsonb_build_object('grant_id', grant_id, 'amount', amount)))
$$;
revoke all on function private.hold_portions(uuid, numeric, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.hold_portions(uuid, numeric, jsonb) to authenticated, service_role;

create view public.credit_holds with (security_invoker = true) as
  select x.*, a.unit
  from (
    select h.id, h.account_id, h.amount, null::numeric(15, 4) as captured, 'held' as status,
      private.hold_portions(h.grant_id, h.amount, h.allocations) as allocations, h.items, h.description, h.actor_id,
      h.expires_at, null::timestamptz as resolved_at, null::bigint as entry_no, h.created_at
    from private.credit_holds as h
    union all
    select h.id, h.account_id, h.amount, null, h.status, private.hold_portions(h.grant_id, h.amount, h.allocations), h.items,
      h.description, h.actor_id, h.expires_at, h.resolved_at, null, h.created_at
    from private.ended_credit_holds as h
    union all
    select t.hold_id, t.account_id, (t.hold ->> 'amount')::numeric(15, 4), -t.amount, 'captured', t.hold -> 'allocations',
      t.hold -> 'items', t.hold ->> 'description', t.actor_id, (t.hold ->> 'expires_at')::timestamptz, t.created_at,
      t.entry_no, (t.hold ->> 'created_at')::timestamptz
    from private.credit_transactions as t
    where t.hold_id is not null
  ) as x
  left join public.credit_accounts as a on a.id = x.account_id;
comment on view public.credit_holds is
  'Credits set aside until they are captured or released, or expire.';
comment on column public.credit_holds.unit is 'What the account counts, and so amount and captured';
comment on column public.credit_holds.captured is 'What was charged; more than amount only with allow_overage';
comment on column public.credit_holds.status is 'held, captured, released or expired';
comment on column public.credit_holds.allocations is
  'What is set aside from each grant: [{grant_id, amount}]; the rest of amount is from the overdraft';
comment on column public.credit_holds.items is
  'The items that amount is the price of, [{sku, quantity}]; null when the request named an amount';
comment on column public.credit_holds.actor_id is 'The user for whom it is held';
comment on column public.credit_holds.entry_no is 'The entry of the capture';
revoke all on public.credit_holds from public, anon, authenticated, service_role;
grant select on public.credit_holds to authenticated, service_role;
create trigger credit_holds_read_only instead of insert or update or delete on public.credit_holds
  for each row execute function private.refuse_write();

-- Resolving -----------------------------------------------------------------------------------------

-- Gives portions of a hold, [{grant_id, amount}], back to their grants; those of a grant that has ended lapse. Then
-- pays an overdraft. Returns the account. The caller has subtracted the hold from the account, and has put back its
-- head.
create function private.free_held_credits(account public.credit_accounts, portions jsonb, at timestamptz)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_portion record;
  v_grant private.credit_grants;
begin
  for v_portion in
    -- The portions of a hold for several items are not in spending order, but what has lapsed is posted in it.
    select p.grant_id, p.amount from jsonb_to_recordset(portions) as p (grant_id uuid, amount numeric)
    join private.credit_grants as g on g.id = p.grant_id
    order by g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id
  loop
    update private.credit_grants as g
    set held = g.held - v_portion.amount,
      remaining = g.remaining - case when g.status in ('expired', 'voided') then v_portion.amount else 0 end
    where g.id = v_portion.grant_id
    returning g.* into v_grant;
    if v_grant.status in ('expired', 'voided') then
      account := private.lapse_credits(account, v_grant, v_portion.amount, at);
    end if;
  end loop;
  return private.repay_credit_overdraft(account, at);
end $$;
revoke all on function private.free_held_credits(public.credit_accounts, jsonb, timestamptz)
  from public, anon, authenticated, service_role;

-- Returns the part of a hold that is from the overdraft.
create function private.held_overdraft(credit_hold private.credit_holds)
returns numeric
language plpgsql immutable set search_path = ''
as $$
begin
  if credit_hold.grant_id is not null then
    return 0;
  end if;
  return credit_hold.amount - coalesce(
    (select sum(p.amount) from jsonb_to_recordset(credit_hold.allocations) as p (amount numeric)), 0);
end $$;
revoke all on function private.held_overdraft(private.credit_holds) from public, anon, authenticated, service_role;

-- Takes a hold off an account without a charge, and returns the account. status is released or expired. The caller holds
-- the lock of the account.
create function private.end_credit_hold(
  account public.credit_accounts, credit_hold private.credit_holds, status text, at timestamptz
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
begin
  with ended as (
    delete from private.credit_holds as h where h.id = credit_hold.id returning h.*
  )
  insert into private.ended_credit_holds
  select e.*, end_credit_hold.status, end_credit_hold.at from ended as e;
  account.held := account.held - credit_hold.amount;
  account.open_holds := account.open_holds - 1;
  account.updated_at := greatest(at, account.updated_at);
  perform private.restore_allowance(account, credit_hold.actor_id, credit_hold.amount, credit_hold.created_at);
  if credit_hold.grant_id = account.head_grant_id and account.overdraft_used = 0 and account.debt = 0 then
    account.head_held := account.head_held - credit_hold.amount;
    account.head_free := account.head_free + credit_hold.amount;
    return account;
  end if;
  account.overdraft_held := account.overdraft_held - private.held_overdraft(credit_hold);
  return private.free_held_credits(private.put_back_credit_head(account),
    private.hold_portions(credit_hold.grant_id, credit_hold.amount, credit_hold.allocations), at);
end $$;
revoke all on function private.end_credit_hold(public.credit_accounts, private.credit_holds, text, timestamptz)
  from public, anon, authenticated, service_role;

-- hold_credits --------------------------------------------------------------------------------------

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
  unit text,
  replayed boolean
);
comment on type public.credit_hold is
  'A hold as callers see it; replayed is true when an earlier request did what this one asks for';

-- Returns the hold that a request has created whose key this one has, too, as it was then.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused, when that was another request.
create function private.repeat_credit_hold(hold_id uuid, owner_id uuid, key text, request_hash bytea)
returns public.credit_hold
language plpgsql stable set search_path = ''
as $$
declare
  v_hold public.credit_holds;
  v_hash bytea;
begin
  select h.* into v_hold from public.credit_holds as h where h.id = repeat_credit_hold.hold_id;
  v_hash := coalesce(
    (select h.request_hash from private.credit_holds as h where h.id = repeat_credit_hold.hold_id),
    (select h.request_hash from private.ended_credit_holds as h where h.id = repeat_credit_hold.hold_id),
    (select decode(t.hold ->> 'request_hash', 'hex') from private.credit_transactions as t
      where t.hold_id = repeat_credit_hold.hold_id));
  if v_hash is distinct from repeat_credit_hold.request_hash then
    perform private.repeat_credit_entry(owner_id, 'service', key, null);
    perform private.refuse_reused_key();
  end if;
  return row(v_hold.id, v_hold.account_id, v_hold.amount, null, 'held', v_hold.items, v_hold.description, v_hold.actor_id,
    v_hold.expires_at, null, null, v_hold.created_at, v_hold.unit, true)::public.credit_hold;
end $$;
revoke all on function private.repeat_credit_hold(uuid, uuid, text, bytea)
  from public, anon, authenticated, service_role;

-- Checks that an account may get another hold.
-- Raises: PT409 too_many_holds {most}.
create function private.require_room_for_hold(account public.credit_accounts)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_most integer;
begin
  -- The setting is at least this.
  if account.open_holds < 100 then
    return;
  end if;
  v_most := private.setting('credits.open_holds');
  if account.open_holds >= v_most then
    raise exception 'The account has % open holds, and can have no more', account.open_holds
      using errcode = 'PT409', detail = format('too_many_holds %s', jsonb_build_object('most', v_most)),
        hint = 'Capture or release holds, or raise the setting credits.open_holds';
  end if;
end $$;
revoke all on function private.require_room_for_hold(public.credit_accounts)
  from public, anon, authenticated, service_role;

-- Sets credits aside that the head of the account may not cover, for a hold that has all but what this finds out, and
-- returns the hold. charged are its items, [{sku, amount}], unless it is of an amount.
-- Raises: PT402 insufficient_credits, member_limit_exceeded; PT404 account_not_found; PT409 too_many_holds.
create function private.hold_grants(
  credit_hold private.credit_holds, team_id uuid, duration interval, unit text, charged jsonb
)
returns private.credit_holds
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts := private.lock_credit_account(credit_hold.actor_id, hold_grants.team_id, null, unit);
  v_drawn record;
begin
  perform private.require_room_for_hold(v_account);
  perform private.require_credits(v_account, credit_hold.amount, charged);
  credit_hold.account_id := v_account.id;
  credit_hold.created_at := greatest(clock_timestamp(), v_account.updated_at);
  if v_account.team_id is not null then
    perform private.spend_allowance(v_account, credit_hold.actor_id, credit_hold.amount, credit_hold.created_at);
  end if;
  if credit_hold.amount <= v_account.head_free then
    credit_hold.grant_id := v_account.head_grant_id;
    v_account.head_free := v_account.head_free - credit_hold.amount;
    v_account.head_held := v_account.head_held + credit_hold.amount;
  else
    v_account := private.put_back_credit_head(v_account);
    v_drawn := private.draw_items(v_account, charged, credit_hold.amount, true, credit_hold.created_at);
    v_account.overdraft_held := v_account.overdraft_held + v_drawn.uncovered;
    if v_drawn.uncovered = 0 and jsonb_array_length(v_drawn.allocations) = 1 then
      credit_hold.grant_id := (v_drawn.allocations -> 0 ->> 'grant_id')::uuid;
    else
      credit_hold.allocations := v_drawn.allocations;
    end if;
    v_account := private.take_credit_head(v_account);
  end if;
  v_account.held := v_account.held + credit_hold.amount;
  v_account.open_holds := v_account.open_holds + 1;
  v_account.next_due_at := least(v_account.next_due_at, credit_hold.created_at + duration);
  v_account.updated_at := credit_hold.created_at;
  perform private.save_credit_account(v_account);
  return credit_hold;
end $$;
revoke all on function private.hold_grants(private.credit_holds, uuid, interval, text, jsonb)
  from public, anon, authenticated, service_role;

-- Holds credits of a user, or of a team on behalf of its member: an amount, which is rounded half up to four decimals, or
-- what items [{sku, quantity}] cost now.
-- For expires_in seconds (credits.hold_duration when null, at most credits.longest_hold) nothing else can spend them.
-- user_id may be null for a team. The account in the unit of the prices pays; for an amount, the one in unit, which is
-- credits when it is null. Returns the hold.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 account_not_found; PT409 too_many_holds {most}; PT422 invalid_charge, invalid_hold {longest}, unknown_sku,
-- invalid_quantity, invalid_amount, unknown_unit, unit_mismatch, idempotency_key_reused.
create function public.hold_credits(
  user_id uuid default null,
  amount numeric default null,
  items jsonb default null,
  expires_in integer default null,
  description text default null,
  idempotency_key text default null,
  team_id uuid default null,
  unit text default null
)
returns public.credit_hold
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(hold_credits.user_id, hold_credits.team_id);
  v_hold private.credit_holds;
  v_amount numeric := hold_credits.amount;
  v_unit text := coalesce(hold_credits.unit, 'credits');
  v_priced public.credit_entry;
  v_longest integer;
  v_duration interval;
begin
  select s.value into v_longest from private.settings as s where s.name = 'credits.longest_hold';
  if hold_credits.expires_in not between 1 and v_longest
    or char_length(hold_credits.description) not between 1 and 500 then
    raise exception 'A hold must last 1 to % seconds, and its description must be 1 to 500 characters long', v_longest
      using errcode = 'PT422', detail = format('invalid_hold %s', jsonb_build_object('longest', v_longest));
  end if;
  if hold_credits.expires_in is null then
    v_duration := least(v_longest, private.setting('credits.hold_duration')) * interval '1 second';
  else
    v_duration := hold_credits.expires_in * interval '1 second';
  end if;

  if hold_credits.idempotency_key is null then
    v_hold.id := gen_random_uuid();
  else
    -- The id of the key, as private.idempotency_id returns it: a call of a function costs more than what it does.
    v_hold.id := left(encode(sha256(convert_to(
      concat_ws(' ', v_owner, 'service', hold_credits.idempotency_key), 'UTF8')), 'hex'), 32)::uuid;
    v_hold.request_hash := sha256(convert_to(jsonb_build_array('hold', hold_credits.team_id,
      trim_scale(hold_credits.amount), hold_credits.items, hold_credits.expires_in, hold_credits.description,
      hold_credits.unit)::text, 'UTF8'));
    if char_length(hold_credits.idempotency_key) between 1 and 255 then
      -- The response is the hold itself.
      insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
      select v_owner, 'service', hold_credits.idempotency_key, '', 'null'
      where v_owner is not null
        and not exists (select from private.credit_transactions as t where t.id = v_hold.id)
      on conflict do nothing;
    end if;
    if not found and v_owner is not null then
      perform private.lock_credit_account(hold_credits.user_id, hold_credits.team_id, null, coalesce((
        select h.unit from public.credit_holds as h where h.id = v_hold.id), 'credits'));
      return private.repeat_credit_hold(v_hold.id, v_owner, hold_credits.idempotency_key, v_hold.request_hash);
    end if;
  end if;

  if hold_credits.items is not null or v_amount is null then
    if num_nonnulls(hold_credits.amount, hold_credits.items) <> 1 then
      raise exception 'A hold needs either items or an amount' using errcode = 'PT422', detail = 'invalid_charge';
    end if;
    v_priced := private.price_charge(hold_credits.items);
    v_amount := v_priced.amount;
    v_unit := v_priced.unit;
    if v_unit <> hold_credits.unit then
      perform private.refuse_unit(v_unit, hold_credits.unit);
    end if;
  end if;
  if (v_amount between 0.0001 and 1000000000 and trunc(v_amount, 4) = v_amount) is not true then
    v_amount := private.round_credit_amount(v_amount);
  end if;
  v_hold.amount := v_amount;
  v_hold.actor_id := hold_credits.user_id;
  if hold_credits.team_id is null then
    update public.credit_accounts as a
    set held = a.held + v_hold.amount, head_free = a.head_free - v_hold.amount, head_held = a.head_held + v_hold.amount,
      open_holds = a.open_holds + 1, updated_at = greatest(clock_timestamp(), a.updated_at),
      next_due_at = least(a.next_due_at, greatest(clock_timestamp(), a.updated_at) + v_duration)
    -- The setting credits.open_holds is at least 100.
    where a.user_id = hold_credits.user_id and a.unit = v_unit and a.head_free >= v_hold.amount and a.open_holds < 100
      and a.balance - v_hold.amount >= a.held - a.overdraft_limit
      and (a.next_due_at is null or a.next_due_at > greatest(clock_timestamp(), a.updated_at))
      and (not a.alert_armed or a.balance - v_hold.amount >= a.alert_threshold + a.held - a.overdraft_limit)
    returning a.id, a.head_grant_id, a.updated_at into v_hold.account_id, v_hold.grant_id, v_hold.created_at;
  end if;
  if v_hold.account_id is null then
    v_hold := private.hold_grants(v_hold, hold_credits.team_id, v_duration, v_unit, case when v_priced.amount is not null
      then coalesce(v_priced.items, jsonb_build_array(jsonb_build_object('sku', v_priced.sku, 'amount', v_priced.amount))) end);
  end if;
  v_hold.expires_at := v_hold.created_at + v_duration;
  insert into private.credit_holds
    (id, account_id, created_at, expires_at, grant_id, actor_id, amount, allocations, items, description, request_hash)
  values (v_hold.id, v_hold.account_id, v_hold.created_at, v_hold.expires_at, v_hold.grant_id, v_hold.actor_id,
    v_hold.amount, v_hold.allocations, hold_credits.items, hold_credits.description, v_hold.request_hash);
  return row(v_hold.id, v_hold.account_id, v_hold.amount, null, 'held', hold_credits.items, hold_credits.description,
    v_hold.actor_id, v_hold.expires_at, null, null, v_hold.created_at, v_unit, false)::public.credit_hold;
end $$;
revoke all on function public.hold_credits(uuid, numeric, jsonb, integer, text, text, uuid, text)
  from public, anon, authenticated;
grant execute on function public.hold_credits(uuid, numeric, jsonb, integer, text, text, uuid, text) to service_role;
