-- Stripe, what events of payments do: Checkout sessions, payments of invoices, refunds and disputes. Those of invoices are with
-- subscriptions.

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
