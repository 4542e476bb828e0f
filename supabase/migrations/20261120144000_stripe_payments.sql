-- Stripe payments: checkouts and invoices become grants; refunds and disputes take credits back.

-- Makes what is done for one payment, invoice or payment intent one after the other. A payment intent's lock is taken
-- before its invoice's.
create function private.lock_stripe_payment(id text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('stripe:' || id, 0));
end $$;
revoke all on function private.lock_stripe_payment(text) from public, anon, authenticated, service_role;

-- Taking back -----------------------------------------------------------------------------------------

-- Credits of a payment that the refunds and disputes applied so far ask back. What was refunded twice is counted once; a
-- part of the payment is that part of the credits, rounded where it begins and where it ends, so that parts add up.
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

-- Takes back what is asked back beyond what has been, for the given reason: taken, and the part of it that had lapsed.
create function private.take_back_stripe_credits(payment_id text, reason text, out taken numeric, out lapsed numeric)
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
begin
  select p.* into v_payment from public.stripe_payments as p where p.id = payment_id;
  taken := greatest(0, private.stripe_credits_asked_back(v_payment) - v_payment.taken_back);
  lapsed := 0;
  if taken > 0 then
    lapsed := (private.take_back_credits(v_payment.account_id, v_payment.grant_ids, taken, reason, v_payment.lapsed)).lapsed;
    update public.stripe_payments as p
    set taken_back = p.taken_back + take_back_stripe_credits.taken, lapsed = p.lapsed + take_back_stripe_credits.lapsed
    where p.id = payment_id;
  end if;
end $$;
revoke all on function private.take_back_stripe_credits(text, text) from public, anon, authenticated, service_role;

-- Gives back what is no longer asked back as a dispute was won: as a new grant that lasts as long as the payment's own,
-- and for webhooks.late_payment_validity at least. What had lapsed does not come back: of what the dispute took, others
-- still ask a part back, and theirs is what had lapsed before it is what was taken.
create function private.return_stripe_credits(payment_id text, dispute private.stripe_disputes)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
  v_account public.credit_accounts;
  v_asked numeric;
  v_lapsed numeric;
  v_expires_at timestamptz;
  v_grant public.credit_grant;
begin
  select p.* into v_payment from public.stripe_payments as p where p.id = payment_id;
  v_asked := v_payment.taken_back - private.stripe_credits_asked_back(v_payment);
  if v_asked <= 0 then
    return;
  end if;
  v_lapsed := greatest(0, v_payment.lapsed + v_asked - v_payment.taken_back,
    least(v_asked, v_payment.lapsed, dispute.lapsed - greatest(0, dispute.taken - v_asked)));
  update public.stripe_payments as p
  set taken_back = p.taken_back - v_asked, lapsed = p.lapsed - v_lapsed
  where p.id = payment_id;
  if v_asked = v_lapsed then
    return;
  end if;
  select a.* into v_account from public.credit_accounts as a where a.id = v_payment.account_id;
  select nullif(max(coalesce(g.expires_at, 'infinity')), 'infinity') into v_expires_at
  from public.credit_grants as g where g.id = any (v_payment.grant_ids);
  v_grant := public.grant_credits(user_id => v_account.user_id, team_id => v_account.team_id,
    amount => v_asked - v_lapsed, category => 'paid', source => 'stripe', external_reference => 'stripe:' || dispute.id,
    description => format('Dispute %s won', dispute.id),
    expires_at => greatest(v_expires_at,
      case when v_expires_at is not null then private.stripe_late_end() end));
  -- The payment's own too: when it ends unused, or is there still, a refund takes it first.
  update public.stripe_payments as p set grant_ids = p.grant_ids || v_grant.id where p.id = payment_id;
end $$;
revoke all on function private.return_stripe_credits(text, private.stripe_disputes)
  from public, anon, authenticated, service_role;

-- Until when credits of a period last at least that is heard of now.
create function private.stripe_late_end()
returns timestamptz
language plpgsql volatile set search_path = ''
as $$
begin
  -- A minute more than nothing, as a grant has to end in the future.
  return clock_timestamp() + greatest(60, private.setting('webhooks.late_payment_validity')) * interval '1 second';
end $$;
revoke all on function private.stripe_late_end() from public, anon, authenticated, service_role;

-- The payment that a payment intent paid: its invoice, unless it has none or a Checkout session has granted for it.
create function private.stripe_payment_of(payment_intent_id text)
returns text
language plpgsql volatile set search_path = ''
as $$
begin
  return coalesce(
    (select p.id from public.stripe_payments as p where p.id = payment_intent_id),
    (select i.invoice_id from private.stripe_payment_intents as i where i.id = payment_intent_id),
    payment_intent_id);
end $$;
revoke all on function private.stripe_payment_of(text) from public, anon, authenticated, service_role;

-- Applies the refunds and disputes of a payment intent that are not applied yet, each in an entry of its own, once the
-- payment that they are of is known. The caller holds the lock of the payment intent, or of the payment.
create function private.settle_stripe_payment(payment_intent_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment_id text := private.stripe_payment_of(payment_intent_id);
  v_refund private.stripe_refunds;
  v_dispute private.stripe_disputes;
begin
  perform private.lock_stripe_payment(v_payment_id);
  if not exists (select 1 from public.stripe_payments as p where p.id = v_payment_id) then
    return;
  end if;
  for v_refund in
    select r.* from private.stripe_refunds as r
    where r.payment_intent_id = settle_stripe_payment.payment_intent_id and not r.applied
    order by r.charge_id, r.refunded_from, r.refunded_to
  loop
    update private.stripe_refunds as r set applied = true
    where r.charge_id = v_refund.charge_id and r.refunded_from = v_refund.refunded_from
      and r.refunded_to = v_refund.refunded_to;
    perform private.take_back_stripe_credits(v_payment_id, format('Refund of payment %s', v_payment_id));
  end loop;
  for v_dispute in
    select d.* from private.stripe_disputes as d
    where d.payment_intent_id = settle_stripe_payment.payment_intent_id
      and (d.opened and not d.opened_applied or d.won and not d.won_applied)
    order by d.id
  loop
    -- Won before it was opened: that is taken and given back when both are known.
    continue when not v_dispute.opened;
    if not v_dispute.opened_applied then
      update private.stripe_disputes as d set opened_applied = true where d.id = v_dispute.id;
      select t.taken, t.lapsed into v_dispute.taken, v_dispute.lapsed
      from private.take_back_stripe_credits(v_payment_id, format('Dispute %s', v_dispute.id)) as t;
      update private.stripe_disputes as d set taken = v_dispute.taken, lapsed = v_dispute.lapsed where d.id = v_dispute.id;
    end if;
    if v_dispute.won then
      update private.stripe_disputes as d set won_applied = true where d.id = v_dispute.id;
      perform private.return_stripe_credits(v_payment_id, v_dispute);
    end if;
  end loop;
end $$;
revoke all on function private.settle_stripe_payment(text) from public, anon, authenticated, service_role;

-- Granting --------------------------------------------------------------------------------------------

-- What lines of a purchase buy, by the table of prices: [{part, credits, expires_at}], without what buys no credits. A
-- line is {id, price, quantity, period_start, period_end}; with a period it is a plan's. Of a plan's credits, those up to
-- the price's rollover_cap last for the next period too, the others until the end of their own.
create function private.price_stripe_lines(lines jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('part', p.part, 'credits', p.credits, 'expires_at', p.expires_at)
    order by p.part), '[]')
  from jsonb_to_recordset(lines) as l (
    id text, price text, quantity numeric, period_start timestamptz, period_end timestamptz)
  join public.stripe_prices as s on s.id = l.price
  cross join lateral (select round(s.credits * l.quantity, 4) as total,
    l.period_end is not null and s.rollover_cap is not null as ends) as t
  cross join lateral (select case when t.ends then least(s.rollover_cap, t.total) else 0 end as rollover) as r
  cross join lateral (values
    (l.id, t.total - r.rollover, case when t.ends then l.period_end end),
    (l.id || ':rollover', r.rollover,
      -- In UTC: how long the period is in months is not to hang on where the server is.
      (l.period_end at time zone 'UTC' + age(l.period_end at time zone 'UTC', l.period_start at time zone 'UTC'))
        at time zone 'UTC')
  ) as p (part, credits, expires_at)
  where p.credits > 0);
end $$;
revoke all on function private.price_stripe_lines(jsonb) from public, anon, authenticated, service_role;

-- Grants what a payment has bought, once, and applies what was heard of it before. Returns the credits; 0 when it buys
-- none. payment_intent_id is null when another event tells of it; subscription_id is given when the credits are for its
-- owner, whoever that turns out to be.
create function private.grant_stripe_payment(
  payment_id text,
  payment_intent_id text,
  user_id uuid,
  team_id uuid,
  amount bigint,
  currency text,
  lines jsonb,
  subscription_id text default null
)
returns numeric
language plpgsql volatile set search_path = ''
as $$
declare
  v_parts jsonb := private.price_stripe_lines(lines);
  v_part record;
  v_grant public.credit_grant;
  v_grant_ids uuid[] := array[]::uuid[];
  v_account_id uuid;
  v_credits numeric := 0;
  v_intent text;
  v_ids text[];
begin
  if payment_intent_id is not null then
    perform private.lock_stripe_payment(payment_intent_id);
  end if;
  if payment_id is distinct from payment_intent_id then
    perform private.lock_stripe_payment(payment_id);
  end if;
  -- By this event, or by the other of the session and the invoice of one purchase.
  v_ids := array[payment_id, private.stripe_payment_of(payment_intent_id)]
    || array(select i.id from private.stripe_payment_intents as i where i.invoice_id = payment_id);
  select p.credits into v_credits from public.stripe_payments as p where p.id = any (v_ids);
  if found then
    return v_credits;
  end if;
  v_credits := 0;
  for v_part in select * from jsonb_to_recordset(v_parts) as p (part text, credits numeric, expires_at timestamptz) loop
    v_grant := public.grant_credits(user_id => grant_stripe_payment.user_id, team_id => grant_stripe_payment.team_id,
      amount => v_part.credits, category => 'paid', source => 'stripe',
      external_reference => format('stripe:%s:%s', payment_id, v_part.part),
      description => format('Payment %s', payment_id),
      expires_at => case when v_part.expires_at is not null then greatest(v_part.expires_at, private.stripe_late_end()) end);
    v_grant_ids := v_grant_ids || v_grant.id;
    v_account_id := v_grant.account_id;
    v_credits := v_credits + v_part.credits;
  end loop;
  if v_credits = 0 then
    return 0;
  end if;
  insert into public.stripe_payments (id, account_id, amount, currency, credits, subscription_id, grant_ids)
  values (payment_id, v_account_id, grant_stripe_payment.amount, grant_stripe_payment.currency, v_credits,
    grant_stripe_payment.subscription_id, v_grant_ids);
  for v_intent in
    select payment_intent_id where payment_intent_id = payment_id
    union
    select i.id from private.stripe_payment_intents as i where i.invoice_id = payment_id
    order by 1
  loop
    perform private.settle_stripe_payment(v_intent);
  end loop;
  return v_credits;
end $$;
revoke all on function private.grant_stripe_payment(text, text, uuid, uuid, bigint, text, jsonb, text)
  from public, anon, authenticated, service_role;

-- Keeps which invoice a payment intent paid, and applies what was heard of either.
create function private.link_stripe_payment(payment_intent_id text, invoice_id text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform private.lock_stripe_payment(payment_intent_id);
  insert into private.stripe_payment_intents (id, invoice_id)
  values (payment_intent_id, link_stripe_payment.invoice_id) on conflict do nothing;
  perform private.settle_stripe_payment(payment_intent_id);
end $$;
revoke all on function private.link_stripe_payment(text, text) from public, anon, authenticated, service_role;

-- checkout.session.completed, checkout.session.async_payment_succeeded: links the customer and the subscription, if one
-- was bought, with who bought, and grants what was paid for. Not what has an invoice: that grants it, as it lists what was bought. What was bought without one is
-- line_items, when the event has them, or else metadata: price_id, and quantity unless it is 1.
create function private.on_stripe_checkout(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_session jsonb := private.stripe_object(event);
  v_owner record;
  v_items jsonb;
  v_lines jsonb;
  v_intent text := private.stripe_id(v_session -> 'payment_intent');
  v_credits numeric;
begin
  v_owner := private.stripe_owner(private.stripe_id(v_session -> 'customer'), v_session -> 'metadata',
    v_session ->> 'client_reference_id');
  -- Whoever the customer is: the subscription is for whom its session names.
  if v_owner.named_by <> 'customer' and private.stripe_id(v_session -> 'subscription') is not null
    and private.stripe_id(v_session -> 'customer') is not null then
    perform private.lock_stripe_subscription(private.stripe_id(v_session -> 'subscription'),
      private.stripe_id(v_session -> 'customer'), v_owner.user_id, v_owner.team_id, 'session');
  end if;
  if v_session ->> 'mode' = 'payment' and v_session ->> 'payment_status' is null then
    raise exception 'Session "%" does not say whether it was paid', v_session ->> 'id'
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  if v_session ->> 'mode' is distinct from 'payment'
    or v_session ->> 'payment_status' not in ('paid', 'no_payment_required')
    or private.stripe_id(v_session -> 'invoice') is not null
    or v_session #> '{invoice_creation,enabled}' = 'true' then
    return jsonb '{"credits": 0}';
  end if;
  v_items := private.stripe_lines(v_session -> 'line_items', format('Session "%s"', v_session ->> 'id'),
    format('checkout/sessions/%s/line_items', v_session ->> 'id'));
  if jsonb_array_length(v_items) > 0 then
    select jsonb_agg(jsonb_build_object('id', l ->> 'id', 'price', private.stripe_id(l -> 'price'),
      'quantity', coalesce(l -> 'quantity', '1'))) into v_lines
    from jsonb_array_elements(v_items) as l;
  elsif v_session #>> '{metadata,price_id}' is not null
    and coalesce(v_session #>> '{metadata,quantity}', '1') ~ '^[1-9][0-9]{0,5}$' then
    if not exists (select 1 from public.stripe_prices as p where p.id = v_session #>> '{metadata,price_id}') then
      raise exception 'Price "%" of session "%" is not in stripe_prices', v_session #>> '{metadata,price_id}',
        v_session ->> 'id' using errcode = 'PT422', detail = 'stripe_price_unknown', hint = 'Insert it, and replay the event';
    end if;
    v_lines := jsonb_build_array(jsonb_build_object('id', v_session #>> '{metadata,price_id}',
      'price', v_session #>> '{metadata,price_id}', 'quantity', coalesce(v_session #>> '{metadata,quantity}', '1')));
  else
    raise exception 'Session "%" does not say what was bought', v_session ->> 'id'
      using errcode = 'PT422', detail = 'stripe_lines_missing',
        hint = 'Make sessions with invoice_creation, or with price_id and quantity in their metadata';
  end if;
  v_credits := private.grant_stripe_payment(coalesce(v_intent, v_session ->> 'id'), v_intent, v_owner.user_id,
    v_owner.team_id, private.stripe_amount(v_session, 'amount_total'), v_session ->> 'currency', v_lines);
  return jsonb_build_object('credits', v_credits);
end $$;
revoke all on function private.on_stripe_checkout(public.webhook_events) from public, anon, authenticated, service_role;

-- invoice_payment.paid: which payment intent paid an invoice. Refunds and disputes name the one, credits the other.
create function private.on_stripe_invoice_payment(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment jsonb := private.stripe_object(event);
  v_intent text := private.stripe_id(v_payment #> '{payment,payment_intent}');
  v_invoice text := private.stripe_id(v_payment -> 'invoice');
begin
  if v_intent is null or v_invoice is null then
    return null;
  end if;
  perform private.link_stripe_payment(v_intent, v_invoice);
  return jsonb_build_object('payment_intent', v_intent, 'invoice', v_invoice);
end $$;
revoke all on function private.on_stripe_invoice_payment(public.webhook_events)
  from public, anon, authenticated, service_role;

-- charge.refunded: takes credits back for the part that this event is about, between what had been refunded before it
-- (previous_attributes) and what had been after it.
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
  insert into private.stripe_refunds (charge_id, refunded_from, refunded_to, payment_intent_id, charged)
  values (v_charge ->> 'id', v_from, v_to, v_intent, private.stripe_amount(v_charge, 'amount')) on conflict do nothing;
  perform private.settle_stripe_payment(v_intent);
  return jsonb_build_object('payment_intent', v_intent, 'refunded', v_to - v_from);
end $$;
revoke all on function private.on_stripe_refund(public.webhook_events) from public, anon, authenticated, service_role;

-- charge.dispute.created and .funds_withdrawn take credits back, .closed as won and .funds_reinstated give them back. An
-- inquiry (warning_...) has taken no money, and takes no credits.
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
  insert into private.stripe_disputes as d (id, payment_intent_id, amount, opened, won)
  values (v_dispute ->> 'id', v_intent, private.stripe_amount(v_dispute, 'amount'), v_opened, v_won)
  on conflict on constraint stripe_disputes_pkey do update
  set opened = d.opened or excluded.opened, won = d.won or excluded.won;
  perform private.settle_stripe_payment(v_intent);
  return jsonb_build_object('payment_intent', v_intent, 'dispute', v_dispute ->> 'id', 'won', v_won);
end $$;
revoke all on function private.on_stripe_dispute(public.webhook_events) from public, anon, authenticated, service_role;

insert into private.webhook_handlers (provider, type, handler) values
  ('stripe', 'checkout.session.completed', 'private.on_stripe_checkout'),
  ('stripe', 'checkout.session.async_payment_succeeded', 'private.on_stripe_checkout'),
  ('stripe', 'invoice_payment.paid', 'private.on_stripe_invoice_payment'),
  ('stripe', 'charge.refunded', 'private.on_stripe_refund'),
  ('stripe', 'charge.dispute.created', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.funds_withdrawn', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.closed', 'private.on_stripe_dispute'),
  ('stripe', 'charge.dispute.funds_reinstated', 'private.on_stripe_dispute');

-- Gives a payment to whom it turns out to be for: takes back what the other got, and grants the same anew, less what
-- refunds and disputes ask back. For what the other has spent of it they owe.
create function private.move_stripe_payment(payment_id text, user_id uuid, team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment public.stripe_payments;
  v_grant record;
  v_new public.credit_grant;
  v_ids uuid[] := array[]::uuid[];
begin
  perform private.lock_stripe_payment(payment_id);
  select p.* into v_payment from public.stripe_payments as p where p.id = payment_id;
  if v_payment.credits > v_payment.taken_back then
    perform private.take_back_credits(v_payment.account_id, v_payment.grant_ids, v_payment.credits - v_payment.taken_back,
      format('Payment %s was for another', payment_id), v_payment.lapsed);
  end if;
  for v_grant in
    select g.id, g.amount, g.expires_at, g.external_reference from public.credit_grants as g
    where g.id = any (v_payment.grant_ids) and g.external_reference like format('stripe:%s:%%', payment_id)
    order by g.created_at, g.id
  loop
    -- The reference is the new one's: a payment grants once.
    update public.credit_grants as g
    set external_reference = format('moved:%s:%s', v_grant.external_reference, v_payment.account_id)
    where g.id = v_grant.id;
    v_new := public.grant_credits(user_id => move_stripe_payment.user_id, team_id => move_stripe_payment.team_id,
      amount => v_grant.amount, category => 'paid', source => 'stripe', external_reference => v_grant.external_reference,
      description => format('Payment %s', payment_id),
      expires_at => case when v_grant.expires_at is not null
        then greatest(v_grant.expires_at, private.stripe_late_end()) end);
    v_ids := v_ids || v_new.id;
  end loop;
  update public.stripe_payments as p
  set account_id = v_new.account_id, grant_ids = v_ids, taken_back = 0, lapsed = 0
  where p.id = payment_id;
  perform private.take_back_stripe_credits(payment_id, format('Refund of payment %s', payment_id));
end $$;
revoke all on function private.move_stripe_payment(text, uuid, uuid) from public, anon, authenticated, service_role;
