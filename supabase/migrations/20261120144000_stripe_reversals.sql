-- Stripe reversals: refunds and disputes take the credits of a payment back.

-- Taking back -----------------------------------------------------------------------------------------

-- Returns how many credits of a payment the refunds and disputes applied so far take back in all. Money that is
-- refunded twice counts once. A part of the payment takes back the same part of the credits, rounded where it begins
-- and where it ends, so that the parts add up.
create function private.stripe_credits_asked_back(payment public.stripe_payments)
returns numeric
language plpgsql volatile set search_path = ''
as $$
declare
  v_intents text[] := payment.id || array(
    select i.id from private.stripe_payment_intents as i where i.invoice_id = payment.id);
  v_refunded numeric;
  v_disputed numeric;
begin
  select coalesce(sum(
    round(payment.credits * upper(s.part) / c.charged, 4) - round(payment.credits * lower(s.part) / c.charged, 4)), 0)
  into v_refunded
  from (
    select range_agg(int8range(r.refunded_from, r.refunded_to)) as parts,
      greatest(max(r.charged), payment.amount) as charged
    from private.stripe_refunds as r
    where r.payment_intent_id = any (v_intents) and r.applied
    group by r.charge_id
  ) as c
  cross join lateral unnest(c.parts) as s (part);
  select coalesce(sum(
    round(payment.credits * d.amount / greatest(d.amount, payment.amount, 1), 4)), 0) into v_disputed
  from private.stripe_disputes as d
  where d.payment_intent_id = any (v_intents) and d.opened_applied and not d.won_applied;
  return least(payment.credits, v_refunded + v_disputed);
end $$;
revoke all on function private.stripe_credits_asked_back(public.stripe_payments)
  from public, anon, authenticated, service_role;

-- Takes back the credits of a payment, in each unit, that refunds and disputes ask for and that are not taken yet; reason
-- becomes the description of the entries. Returns how many, and how many of these had already lapsed: {unit: {taken, lapsed}}.
create function private.take_back_stripe_credits(payment_id text, reason text)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
  v_taken numeric;
  v_back record;
  v_took jsonb := jsonb '{}';
begin
  for v_payment in
    select p.* from public.stripe_payments as p where p.id = payment_id order by p.unit
  loop
    v_taken := private.stripe_credits_asked_back(v_payment) - v_payment.taken_back;
    continue when v_taken <= 0;
    v_back := private.take_back_credits(v_payment.account_id, v_payment.grant_ids, v_taken, reason, v_payment.lapsed);
    update public.stripe_payments as p
    set taken_back = p.taken_back + v_taken, lapsed = p.lapsed + v_back.lapsed,
      taken_from = private.merge_allocations(p.taken_from, coalesce((
        select t.allocations from public.credit_transactions as t
        where t.account_id = p.account_id and t.entry_no = v_back.entry_no), '[]'))
    where p.id = payment_id and p.unit = v_payment.unit;
    v_took := v_took || jsonb_build_object(v_payment.unit, jsonb_build_object('taken', v_taken, 'lapsed', v_back.lapsed));
  end loop;
  return v_took;
end $$;
revoke all on function private.take_back_stripe_credits(text, text) from public, anon, authenticated, service_role;

-- Returns the credits of a payment in one unit that a won dispute had taken back, in a new grant that lasts as long as the
-- payment's own grants and at least webhooks.late_payment_validity; what was taken from limited grants, in a new one for the
-- same skus, after all that was taken from others. Lapsed credits do not come back. If other refunds or
-- disputes still ask for a part of what the dispute took, lapsed credits count towards that part first.
create function private.return_stripe_credits(payment public.stripe_payments, dispute private.stripe_disputes)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_taken numeric := coalesce((dispute.took -> payment.unit ->> 'taken')::numeric, 0);
  v_lapsed_before numeric := coalesce((dispute.took -> payment.unit ->> 'lapsed')::numeric, 0);
  v_account public.credit_accounts;
  v_asked numeric;
  v_lapsed numeric;
  v_expires_at timestamptz;
  v_part record;
  v_grant public.credit_grant;
begin
  v_asked := payment.taken_back - private.stripe_credits_asked_back(payment);
  if v_asked <= 0 then
    return;
  end if;
  v_lapsed := greatest(0, payment.lapsed + v_asked - payment.taken_back,
    least(v_asked, payment.lapsed, v_lapsed_before - greatest(0, v_taken - v_asked)));
  update public.stripe_payments as p
  set taken_back = p.taken_back - v_asked, lapsed = p.lapsed - v_lapsed
  where p.id = payment.id and p.unit = payment.unit;
  if v_asked = v_lapsed then
    return;
  end if;
  select a.* into v_account from public.credit_accounts as a where a.id = payment.account_id;
  select nullif(max(coalesce(g.expires_at, 'infinity')), 'infinity') into v_expires_at
  from private.credit_grants as g where g.id = any (payment.grant_ids);
  for v_part in
    select g.skus, sum(r.part) as amount, jsonb_agg(private.credit_allocation(r.grant_id, r.part)) as returned,
      -- Of the payment's own grants: what paid for the rest was spent first for other reasons.
      coalesce(min(g.priority) filter (where g.id = any (payment.grant_ids)), 50) as priority
    from private.refund_portions(payment.taken_from, 0, v_asked - v_lapsed) as r
    left join private.credit_grants as g on g.id = r.grant_id
    where r.part > 0
    group by g.skus
    order by g.skus nulls first
  loop
    v_grant := public.grant_credits(user_id => v_account.user_id, team_id => v_account.team_id, unit => v_account.unit,
      amount => v_part.amount, category => 'paid', source => 'stripe', skus => v_part.skus, priority => v_part.priority,
      -- Without a colon: see is_stripe_purchase.
      external_reference => concat('stripe:', dispute.id, '/' || nullif(v_account.unit, 'credits'),
        '/' || left(encode(sha256(convert_to(v_part.skus::text, 'UTF8')), 'hex'), 16)),
      description => format('Dispute %s won', dispute.id),
      expires_at => greatest(v_expires_at,
        case when v_expires_at is not null then private.stripe_late_end() end));
    -- It becomes one of the payment's grants, on which a later refund draws first.
    update public.stripe_payments as p
    set grant_ids = p.grant_ids || v_grant.id, taken_from = private.merge_allocations(p.taken_from, v_part.returned)
    where p.id = payment.id and p.unit = payment.unit;
  end loop;
end $$;
revoke all on function private.return_stripe_credits(public.stripe_payments, private.stripe_disputes)
  from public, anon, authenticated, service_role;

-- Returns whether a payment has granted just these parts, which may be for other skus than those of its price.
create function private.is_stripe_purchase(payment_id text, parts private.stripe_part[])
returns boolean
language sql stable set search_path = ''
as $$
  select not exists (
    select from (select x.unit, x.skus, x.priority, x.credits from unnest(parts) as x
      union all
      select p.unit, g.skus, g.priority, -g.amount from public.stripe_payments as p
      join private.credit_grants as g on g.id = any (p.grant_ids)
      -- The reference of what a won dispute has returned has two parts only.
      where p.id = payment_id and g.external_reference like 'stripe:%:%') as y
    group by y.unit, y.skus, y.priority having sum(y.credits) <> 0)
$$;
revoke all on function private.is_stripe_purchase(text, private.stripe_part[]) from public, anon, authenticated, service_role;

-- Takes back what was granted for a payment intent whose invoice, as it turns out, has granted the same purchase, and
-- makes its refunds and disputes wait for settle_stripe_payment() again. The caller holds the locks of both.
create function private.undo_stripe_payment(payment_intent_id text, invoice_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
begin
  for v_payment in
    select p.* from public.stripe_payments as p where p.id = payment_intent_id order by p.unit
  loop
    if v_payment.credits > v_payment.taken_back then
      perform private.take_back_credits(v_payment.account_id, v_payment.grant_ids, v_payment.credits - v_payment.taken_back,
        format('Payment %s is that of invoice %s', payment_intent_id, invoice_id), v_payment.lapsed);
    end if;
    -- A dispute that is applied again needs its reference, which only one grant can have.
    update private.credit_grants as g set external_reference = format('undone:%s', g.external_reference)
    where g.id = any (v_payment.grant_ids);
  end loop;
  delete from public.stripe_payments as p where p.id = payment_intent_id;
  update private.stripe_refunds as r set applied = false
  where r.payment_intent_id = undo_stripe_payment.payment_intent_id;
  update private.stripe_disputes as d set opened_applied = false, won_applied = false, took = '{}'
  where d.payment_intent_id = undo_stripe_payment.payment_intent_id;
end $$;
revoke all on function private.undo_stripe_payment(text, text) from public, anon, authenticated, service_role;

-- Events --------------------------------------------------------------------------------------------

-- Notes that a refund or a dispute names a payment intent. The caller holds the lock of the payment intent.
create function private.note_stripe_reversal(payment_intent_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into private.stripe_payment_intents as i (id, reversed) values (payment_intent_id, true)
  on conflict on constraint stripe_payment_intents_pkey do update set reversed = true where not i.reversed;
end $$;
revoke all on function private.note_stripe_reversal(text) from public, anon, authenticated, service_role;

-- charge.refunded: takes credits back for the part that this event refunds, between the total refunded before it
-- (previous_attributes) and the total refunded after it.
create function private.on_stripe_refund(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_charge jsonb := private.stripe_object(event);
  v_intent text := private.stripe_id(v_charge -> 'payment_intent');
  v_to bigint := private.stripe_amount(v_charge, 'amount_refunded');
  v_from bigint := 0;
begin
  if v_intent is null or v_to = 0 then
    return null;
  end if;
  if event.payload #> '{data,previous_attributes}' ? 'amount_refunded' then
    v_from := private.stripe_amount(event.payload #> '{data,previous_attributes}', 'amount_refunded');
  end if;
  if v_from >= v_to then
    return null;
  end if;
  perform private.lock_stripe_payment(v_intent);
  perform private.note_stripe_reversal(v_intent);
  insert into private.stripe_refunds (charge_id, refunded_from, refunded_to, payment_intent_id, charged)
  values (v_charge ->> 'id', v_from, v_to, v_intent, private.stripe_amount(v_charge, 'amount')) on conflict do nothing;
  perform private.settle_stripe_payment(v_intent);
  return jsonb_build_object('payment_intent', v_intent, 'refunded', v_to - v_from);
end $$;
revoke all on function private.on_stripe_refund(public.webhook_events) from public, anon, authenticated, service_role;

-- charge.dispute.created and .funds_withdrawn take credits back; .closed with status won and .funds_reinstated return
-- them. An inquiry (status warning_...) takes no money, and so no credits.
create function private.on_stripe_dispute(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_dispute jsonb := private.stripe_object(event);
  v_intent text := private.stripe_id(v_dispute -> 'payment_intent');
  v_opened boolean := event.type = 'charge.dispute.funds_withdrawn'
    or event.type = 'charge.dispute.created' and v_dispute ->> 'status' not like 'warning%';
  v_won boolean := event.type = 'charge.dispute.funds_reinstated'
    or event.type = 'charge.dispute.closed' and v_dispute ->> 'status' = 'won';
begin
  if v_intent is null or (v_opened or v_won) is not true then
    return null;
  end if;
  perform private.lock_stripe_payment(v_intent);
  perform private.note_stripe_reversal(v_intent);
  insert into private.stripe_disputes as d (id, payment_intent_id, amount, opened, won)
  values (v_dispute ->> 'id', v_intent, private.stripe_amount(v_dispute, 'amount'), v_opened, v_won)
  on conflict on constraint stripe_disputes_pkey do update
  set opened = d.opened or excluded.opened, won = d.won or excluded.won;
  perform private.settle_stripe_payment(v_intent);
  return jsonb_build_object('payment_intent', v_intent, 'dispute', v_dispute ->> 'id', 'won', v_won);
end $$;
revoke all on function private.on_stripe_dispute(public.webhook_events) from public, anon, authenticated, service_role;

insert into private.webhook_handlers (provider, type, handler) values
  ('stripe', 'charge.refunded', 'private.on_stripe_refund'),
  ('stripe', 'charge.dispute.created', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.funds_withdrawn', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.closed', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.funds_reinstated', 'private.on_stripe_dispute');
