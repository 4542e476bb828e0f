-- Credit transfers: credits move from one account to another, and keep what they are.

create type public.credit_transfer as (
  from_account_id uuid,
  from_entry_no bigint,
  to_account_id uuid,
  to_entry_no bigint,
  amount numeric,
  balance_after numeric,
  description text,
  created_at timestamptz,
  unit text,
  replayed boolean
);
comment on type public.credit_transfer is
  'A transfer: its two entries, the amount that moved, and the balance that it left on the account it came from; replayed is true when an earlier request did what this one asks for';

-- Returns the accounts in a unit that a transfer moves from and to, and opens them if there are none. A user may move what
-- is their own to one of their teams, and what a team that they own or administer has to its members.
-- Raises: PT403 not_team_admin; PT404 account_not_found; PT422 invalid_transfer, unknown_unit.
create function private.transfer_accounts(
  from_user_id uuid, from_team_id uuid, to_user_id uuid, to_team_id uuid, actor text, user_id uuid, unit text,
  out from_id uuid, out to_id uuid
)
language plpgsql volatile set search_path = ''
as $$
begin
  if actor = 'user' then
    if from_team_id is null and (from_user_id <> user_id or to_team_id is null)
      or from_team_id is not null and to_user_id is null then
      raise exception 'You can move only your own credits to a team, and a team''s credits to its members'
        using errcode = 'PT422', detail = 'invalid_transfer';
    end if;
    -- Neither tells anybody who is not in the team whether it exists.
    if not exists (select 1 from public.team_members as m
      where m.team_id = coalesce(from_team_id, to_team_id) and m.user_id = transfer_accounts.user_id) then
      perform private.refuse_credit_account(transfer_accounts.user_id, coalesce(from_team_id, to_team_id));
    end if;
    if from_team_id is not null and not private.administers_team(user_id, from_team_id) then
      raise exception 'Only owners and admins of the team can do this' using errcode = 'PT403', detail = 'not_team_admin';
    end if;
    if from_team_id is not null and not exists (select 1 from public.team_members as m
      where m.team_id = from_team_id and m.user_id = to_user_id) then
      perform private.refuse_credit_account(to_user_id, from_team_id);
    end if;
  end if;
  for v_round in 1..2 loop
    select a.id into from_id from public.credit_accounts as a
    where a.unit = transfer_accounts.unit and (a.user_id = from_user_id or a.team_id = from_team_id);
    select a.id into to_id from public.credit_accounts as a
    where a.unit = transfer_accounts.unit and (a.user_id = to_user_id or a.team_id = to_team_id);
    exit when num_nulls(from_id, to_id) = 0 or unit = 'credits' or v_round = 2;
    -- Before either account is locked: whoever waits for an account that is being opened keeps nobody else waiting.
    perform private.open_unit_accounts(array_remove(array[from_user_id, to_user_id], null),
      array_remove(array[from_team_id, to_team_id], null), unit);
  end loop;
  if from_id is null then
    perform private.refuse_credit_account(from_user_id, from_team_id);
  end if;
  if to_id is null then
    perform private.refuse_credit_account(to_user_id, to_team_id);
  end if;
end $$;
revoke all on function private.transfer_accounts(uuid, uuid, uuid, uuid, text, uuid, text)
  from public, anon, authenticated, service_role;

-- Gives an account grants like those that another account's entry has drawn on: the same category, priority, beginning,
-- end, skus and cost. What it has by transfers on the same terms grows instead, spent or not, so that many transfers do not
-- become many grants. Returns the allocations of its entry, how many grants the account then has, and when something of it is
-- due. The caller has put back its head.
-- Raises: PT409 too_many_grants {most}.
create function private.receive_credit_grants(
  account public.credit_accounts, drawn jsonb, at timestamptz,
  out allocations jsonb, out live_grants integer, out scoped_grants integer, out next_due_at timestamptz
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_part record;
  v_id uuid;
  v_ids uuid[] := array[]::uuid[];
  v_parts numeric[] := array[]::numeric[];
begin
  for v_part in
    select g.*, -(d.value ->> 'amount')::numeric as part, d.ordinality as place
    from jsonb_array_elements(drawn) with ordinality as d
    join private.credit_grants as g on g.id = (d.value ->> 'grant_id')::uuid
    order by d.ordinality
  loop
    update private.credit_grants as g set amount = g.amount + v_part.part, remaining = g.remaining + v_part.part
    where g.id = (
      select x.id from private.credit_grants as x
      where x.account_id = account.id and x.status = 'active' and x.priority = v_part.priority
        and x.category = v_part.category and x.expires_at is not distinct from v_part.expires_at
        and x.effective_at = v_part.effective_at and x.source = 'transfer' and x.amount <= 99999999999 - v_part.part
        and (x.cost_basis, x.currency, x.description, x.skus) is not distinct from
          (v_part.cost_basis, v_part.currency, v_part.description, v_part.skus)
      order by x.created_at limit 1)
    returning g.id into v_id;
    if found then
      v_ids := v_ids || v_id;
      v_parts := v_parts || v_part.part;
      continue;
    end if;
    perform private.require_room_for_grant(account, v_part.skus);
    insert into private.credit_grants as g
      (account_id, category, amount, remaining, priority, status, effective_at, expires_at, source, cost_basis, currency,
        description, skus, created_at)
    values (account.id, v_part.category, v_part.part, v_part.part, v_part.priority, 'active', v_part.effective_at,
      v_part.expires_at, 'transfer', v_part.cost_basis, v_part.currency, v_part.description, v_part.skus,
      -- What was spent first there is spent first here.
      at + v_part.place * interval '1 microsecond')
    returning g.id into v_id;
    account.live_grants := account.live_grants + 1;
    account.scoped_grants := account.scoped_grants + (v_part.skus is not null)::integer;
    account.next_due_at := least(account.next_due_at, v_part.expires_at);
    v_ids := v_ids || v_id;
    v_parts := v_parts || v_part.part;
  end loop;
  -- At the end: to add to a list of jsonb reads all of it.
  select jsonb_agg(private.credit_allocation(t.id, t.part) order by t.place) into allocations
  from unnest(v_ids, v_parts) with ordinality as t (id, part, place);
  live_grants := account.live_grants;
  scoped_grants := account.scoped_grants;
  next_due_at := account.next_due_at;
end $$;
revoke all on function private.receive_credit_grants(public.credit_accounts, jsonb, timestamptz)
  from public, anon, authenticated, service_role;

-- Moves credits, or what unit names, from the account of a user or a team to another account in the same unit, in two
-- entries that name each other. amount is rounded
-- half up to four decimals. Only credits of grants move, not an overdraft, in spending order, and they keep their
-- category, priority, beginning, end, skus and cost. With the setting credits.transfer_promotional at 0, a user moves paid
-- credits only. The same request with the same idempotency_key returns the first transfer
-- again, with replayed = true. actor, user or service, is who makes the request: the user is user_id, and may move their
-- own credits to one of their teams, and those of a team that they own or administer to its members.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits {available, required}; PT403 not_team_admin; PT404
-- account_not_found; PT409 too_many_grants {most}; PT422 invalid_transfer, invalid_amount, unknown_unit, balance_too_large
-- {largest}, idempotency_key_reused.
create function public.transfer_credits(
  amount numeric,
  from_user_id uuid default null,
  from_team_id uuid default null,
  to_user_id uuid default null,
  to_team_id uuid default null,
  description text default null,
  idempotency_key text default null,
  actor text default 'service',
  user_id uuid default null,
  unit text default 'credits'
)
returns public.credit_transfer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(transfer_credits.user_id, from_user_id, from_team_id);
  v_request jsonb := jsonb_build_array('transfer', from_user_id, from_team_id, to_user_id, to_team_id,
    trim_scale(transfer_credits.amount), transfer_credits.description, transfer_credits.unit);
  v_ids record;
  v_from public.credit_accounts;
  v_to public.credit_accounts;
  v_other public.credit_accounts;
  v_given private.credit_transactions;
  v_taken private.credit_transactions;
  v_first jsonb;
  v_drawn record;
  v_received record;
  v_largest numeric;
  v_now timestamptz;
  v_result public.credit_transfer;
begin
  if num_nonnulls(from_user_id, from_team_id) <> 1 or num_nonnulls(to_user_id, to_team_id) <> 1
    or actor is null or actor not in ('user', 'service') or actor = 'user' and transfer_credits.user_id is null
    or char_length(transfer_credits.description) not between 1 and 500
    or coalesce(from_user_id, from_team_id) = coalesce(to_user_id, to_team_id) then
    raise exception 'The request for a transfer is invalid'
      using errcode = 'PT422', detail = 'invalid_transfer',
        hint = 'Name the user or team that the credits come from, and another one that they go to; a description must be 1 to 500 characters long; actor must be service, '
          'or user together with a user_id';
  end if;
  transfer_credits.amount := private.round_credit_amount(transfer_credits.amount);
  v_ids := private.transfer_accounts(from_user_id, from_team_id, to_user_id, to_team_id, actor, transfer_credits.user_id,
    transfer_credits.unit);
  -- In the order of their ids, so that no two transfers wait for each other.
  v_from := private.lock_credit_account(null, null, least(v_ids.from_id, v_ids.to_id));
  v_to := private.lock_credit_account(null, null, greatest(v_ids.from_id, v_ids.to_id));
  -- Again: the user may have left the team while this waited.
  perform private.transfer_accounts(from_user_id, from_team_id, to_user_id, to_team_id, actor, transfer_credits.user_id,
    transfer_credits.unit);
  if v_from.id <> v_ids.from_id then
    v_other := v_from;
    v_from := v_to;
    v_to := v_other;
  end if;
  v_first := private.first_credit_response(v_owner, actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_transfer, v_first || '{"replayed": true}');
  end if;
  v_largest := private.setting('credits.largest_balance');
  if v_to.balance + v_to.pending + transfer_credits.amount > v_largest then
    raise exception 'The receiving account would have more than % %', v_largest, v_to.unit
      using errcode = 'PT422', detail = format('balance_too_large %s', jsonb_build_object('largest', v_largest)),
        hint = 'Move less';
  end if;

  v_now := greatest(clock_timestamp(), v_from.updated_at, v_to.updated_at);
  v_from := private.put_back_credit_head(v_from);
  v_drawn := private.draw_credits(v_from, transfer_credits.amount, false, v_now,
    case when actor = 'user' and private.setting('credits.transfer_promotional') = 0 then 'paid' end, any_scope => true);
  if v_drawn.uncovered > 0 then
    raise exception 'Cannot move % %: the grants of the account have % left', trim_scale(transfer_credits.amount),
      v_from.unit, trim_scale(transfer_credits.amount - v_drawn.uncovered)
      using errcode = 'PT402',
        detail = format('insufficient_credits %s', jsonb_build_object(
          'available', transfer_credits.amount - v_drawn.uncovered, 'required', transfer_credits.amount)),
        hint = 'Move less: held credits and an overdraft cannot be moved, and promotional ones only if the settings allow it';
  end if;
  v_to := private.put_back_credit_head(v_to);
  v_received := private.receive_credit_grants(v_to, v_drawn.allocations, v_now);
  v_to.live_grants := v_received.live_grants;
  v_to.scoped_grants := v_received.scoped_grants;
  v_to.next_due_at := v_received.next_due_at;

  v_given.kind := 'transfer';
  v_given.description := transfer_credits.description;
  v_given.actor := transfer_credits.actor;
  v_given.actor_id := transfer_credits.user_id;
  v_given.created_at := v_now;
  v_taken := v_given;
  v_given.amount := -transfer_credits.amount;
  v_given.counterpart := jsonb_build_object('account_id', v_to.id, 'entry_no', v_to.version + 1);
  v_given := private.allocate_credit_entry(v_given, v_drawn.allocations);
  v_from.balance := v_from.balance - transfer_credits.amount;
  v_given := private.post_credit_entry(v_given, private.take_credit_head(v_from));

  v_taken.amount := transfer_credits.amount;
  v_taken.counterpart := jsonb_build_object('account_id', v_from.id, 'entry_no', v_given.entry_no);
  v_taken := private.allocate_credit_entry(v_taken, v_received.allocations);
  v_to.balance := v_to.balance + transfer_credits.amount;
  v_taken := private.post_credit_entry(v_taken, v_to);
  v_to := private.repay_credit_overdraft(private.after_credit_entry(v_to, v_taken), v_now);
  v_to.alert_armed := v_to.alert_armed
    or coalesce(private.free_credits(v_to) >= v_to.alert_threshold, false);
  perform private.save_credit_account(private.take_credit_head(v_to));

  v_result := row(v_given.account_id, v_given.entry_no, v_taken.account_id, v_taken.entry_no, transfer_credits.amount,
    v_given.balance_after, transfer_credits.description, v_given.created_at, v_from.unit, false);
  perform private.keep_response(v_owner, actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.transfer_credits(numeric, uuid, uuid, uuid, uuid, text, text, text, uuid, text)
  from public, anon, authenticated;
grant execute on function public.transfer_credits(numeric, uuid, uuid, uuid, uuid, text, text, text, uuid, text)
  to service_role;
