-- Credit refunds: giving a charge back, never more of it than was charged.

-- credit_refunds ------------------------------------------------------------------------------------

create table private.credit_refunds (
  account_id uuid not null,
  entry_no bigint not null,
  charged numeric(15, 4) not null,
  refunded numeric(15, 4) not null,
  primary key (account_id, entry_no),
  constraint credit_refunds_entry_fkey foreign key (account_id, entry_no)
    references private.credit_transactions (account_id, entry_no) on delete cascade,
  constraint credit_refunds_refunded_check check (refunded > 0 and refunded <= charged)
);
comment on table private.credit_refunds is
  'How much of each charge has been refunded: a constraint keeps that from exceeding the charge';
revoke all on private.credit_refunds from public, anon, authenticated, service_role;

-- Returns what a refund of amount gives back to each grant: the allocations of a charge from the last to the first,
-- without what earlier refunds have given back.
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

-- Refunds amount of a charge, rounded half up to four decimals, or all that is left of it when amount is null. All
-- refunds of a charge together never exceed it. Credits go back to the grants that the charge drew on, the last one
-- first. What came from a grant that has ended since comes back as a new grant of the same category, priority, skus and cost,
-- which lasts for credits.refund_validity. What came from the overdraft reduces the overdraft; if that is repaid
-- already, it comes back as a paid grant that never expires. Returns the entry of the refund.
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
  v_hash bytea := sha256(convert_to(jsonb_build_array('refund', account_id, entry_no, trim_scale(amount), description)::text,
    'UTF8'));
  v_owner uuid;
  v_account public.credit_accounts;
  v_charge private.credit_transactions;
  v_entry private.credit_transactions;
  v_result public.credit_entry;
  v_allocations jsonb := jsonb '[]';
  v_refunded numeric;
  v_amount numeric;
  v_portion record;
  v_part numeric;
  v_late numeric;
  v_grant private.credit_grants;
  v_now timestamptz;
begin
  if char_length(refund_credits.description) not between 1 and 500 then
    raise exception 'A description must be 1 to 500 characters long' using errcode = 'PT422', detail = 'invalid_refund';
  end if;
  if refund_credits.amount is not null then
    v_amount := private.round_credit_amount(refund_credits.amount);
    v_entry.requested_amount := nullif(refund_credits.amount, v_amount);
  end if;
  if refund_credits.account_id is null then
    raise exception 'A refund needs account_id and entry_no' using errcode = 'PT422', detail = 'invalid_refund';
  end if;
  v_account := private.lock_credit_account(null, null, refund_credits.account_id);
  v_owner := coalesce(v_account.user_id, v_account.team_id);
  if idempotency_key is not null then
    v_result := private.repeat_credit_entry(v_owner, 'service', idempotency_key, v_hash);
    if v_result.entry_no is not null then
      return v_result;
    end if;
    v_entry.id := private.idempotency_id(v_owner, 'service', idempotency_key);
    v_entry.request_hash := v_hash;
  end if;

  select t.* into v_charge from private.credit_transactions as t
  where t.account_id = v_account.id and t.entry_no = refund_credits.entry_no;
  if not found then
    raise exception 'The account has no entry %', entry_no using errcode = 'PT404', detail = 'entry_not_found';
  end if;
  if v_charge.kind not in ('deduct', 'capture') then
    raise exception 'Cannot refund entry %: it is of kind %', entry_no, v_charge.kind
      using errcode = 'PT409', detail = 'entry_not_refundable',
        hint = 'Only charges (entries of kind deduct or capture) can be refunded';
  end if;
  select coalesce(max(r.refunded), 0) into v_refunded from private.credit_refunds as r
  where r.account_id = v_account.id and r.entry_no = v_charge.entry_no;
  v_amount := coalesce(v_amount, -v_charge.amount - v_refunded);
  if v_amount > -v_charge.amount - v_refunded or v_amount = 0 then
    raise exception 'Cannot refund % %: entry % has % left to refund', trim_scale(v_amount), v_account.unit, entry_no,
      trim_scale(-v_charge.amount - v_refunded)
      using errcode = 'PT422',
        detail = format('refund_exceeds_charge %s', jsonb_build_object('refundable', -v_charge.amount - v_refunded));
  end if;
  insert into private.credit_refunds as r (account_id, entry_no, charged, refunded)
  values (v_account.id, v_charge.entry_no, -v_charge.amount, v_amount)
  on conflict on constraint credit_refunds_pkey do update set refunded = r.refunded + excluded.refunded;

  v_account := private.put_back_credit_head(v_account);
  v_now := greatest(clock_timestamp(), v_account.updated_at);
  for v_portion in
    select p.grant_id, p.part as amount
    from private.refund_portions(
      coalesce(v_charge.allocations, jsonb_build_array(private.credit_allocation(v_charge.grant_id, v_charge.amount))),
      v_refunded, v_amount) as p
  loop
    v_grant := null;
    if v_portion.grant_id is not null then
      update private.credit_grants as g set remaining = g.remaining + v_portion.amount
      where g.id = v_portion.grant_id and g.status = 'active' and (g.expires_at is null or g.expires_at > v_now);
      if found then
        v_allocations := v_allocations || private.credit_allocation(v_portion.grant_id, v_portion.amount);
        continue;
      end if;
      select g.* into v_grant from private.credit_grants as g where g.id = v_portion.grant_id;
      v_grant.expires_at := v_now + private.retention('credits.refund_validity');
    else
      v_part := least(v_portion.amount, v_account.overdraft_used);
      if v_part > 0 then
        v_account.overdraft_used := v_account.overdraft_used - v_part;
        v_portion.amount := v_portion.amount - v_part;
        v_allocations := v_allocations || private.credit_allocation(null, v_part);
      end if;
      continue when v_portion.amount = 0;
      v_grant.category := 'paid';
      v_grant.priority := 50;
    end if;
    insert into private.credit_grants as g
      (account_id, category, amount, remaining, priority, status, effective_at, expires_at, source, cost_basis, currency,
        description, created_at, skus)
    values (v_account.id, v_grant.category, v_portion.amount, v_portion.amount, v_grant.priority, 'active', v_now,
      v_grant.expires_at, 'refund', v_grant.cost_basis, v_grant.currency, v_grant.description, v_now,
      v_grant.skus)
    returning g.* into v_grant;
    v_account.live_grants := v_account.live_grants + 1;
    v_account.scoped_grants := v_account.scoped_grants + (v_grant.skus is not null)::integer;
    v_account.next_due_at := least(v_account.next_due_at, v_grant.expires_at);
    v_allocations := v_allocations || private.credit_allocation(v_grant.id, v_portion.amount);
  end loop;

  v_entry := private.allocate_credit_entry(v_entry, v_allocations);
  v_entry.kind := 'refund';
  v_entry.amount := v_amount;
  v_entry.refund_of := v_charge.entry_no;
  v_entry.description := refund_credits.description;
  v_entry.actor := 'service';
  v_entry.actor_id := v_charge.actor_id;
  v_entry.created_at := v_now;
  v_account.balance := v_account.balance + v_amount;
  v_entry := private.post_credit_entry(v_entry, v_account);
  v_account := private.after_credit_entry(v_account, v_entry);
  -- A member's limit has counted what a capture had held when it was held, and only the rest when it was charged.
  v_late := case when v_charge.hold is null or (v_charge.hold ->> 'expires_at')::timestamptz <= v_charge.created_at
    then -v_charge.amount else -v_charge.amount - (v_charge.hold ->> 'amount')::numeric end;
  v_part := greatest(0, least(v_amount, v_late - v_refunded));
  perform private.restore_allowance(v_account, v_charge.actor_id, v_part, v_charge.created_at);
  perform private.restore_allowance(v_account, v_charge.actor_id, v_amount - v_part,
    (v_charge.hold ->> 'created_at')::timestamptz);
  v_account := private.repay_credit_overdraft(v_account, v_now);
  perform private.save_credit_account(private.take_credit_head(v_account));
  return private.to_credit_entry(v_entry, v_account.unit);
end $$;
revoke all on function public.refund_credits(uuid, bigint, numeric, text, text) from public, anon, authenticated;
grant execute on function public.refund_credits(uuid, bigint, numeric, text, text) to service_role;
