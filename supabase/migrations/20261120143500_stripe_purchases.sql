-- Stripe purchases without an invoice: Checkout sessions, and the payment intents of apps that show no Checkout.

-- Returns what the metadata of a session or payment intent says was bought: price_id, and quantity (1 by default). One
-- without price_id counts under its own id, if that is in stripe_prices: so an operator can say what it bought.
-- Raises: PT422 stripe_lines_missing.
create function private.stripe_metadata_line(object jsonb, name text)
returns private.stripe_line
language plpgsql stable set search_path = ''
as $$
declare
  v_price text := object #>> '{metadata,price_id}';
  v_quantity text := coalesce(object #>> '{metadata,quantity}', '1');
begin
  if v_price is null then
    select s.id into v_price from public.stripe_prices as s where s.id = object ->> 'id';
  end if;
  if v_price is null or v_quantity !~ '^[1-9][0-9]{0,5}$' then
    raise exception '% "%" does not say what was bought', name, object ->> 'id'
      using errcode = 'PT422', detail = 'stripe_lines_missing',
        hint = 'Set price_id and quantity in the metadata, or let Checkout create an invoice. To grant this payment, insert its id into stripe_prices, then replay the event';
  end if;
  return row(v_price, v_price, v_quantity, null, null)::private.stripe_line;
end $$;
revoke all on function private.stripe_metadata_line(jsonb, text) from public, anon, authenticated, service_role;

-- Returns what an event has come to that has granted {unit: amount}: {credits}, units for what is not credits, and a reason
-- if it was nothing.
create function private.stripe_grant_outcome(granted jsonb)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object('credits', coalesce(granted -> 'credits', '0'),
    'units', nullif(granted - 'credits', '{}'),
    'reason', case when granted = '{}' then 'price_without_credits' end));
end $$;
revoke all on function private.stripe_grant_outcome(jsonb) from public, anon, authenticated, service_role;

-- checkout.session.completed, checkout.session.async_payment_succeeded: links the customer, and a subscription if one
-- was bought, with the buyer, and grants what was paid for. A purchase with an invoice is granted by the invoice,
-- which lists what was bought. Without an invoice, line_items of the session says that or, if the event has none, its
-- metadata: price_id, and quantity (1 by default).
create function private.on_stripe_checkout(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_session jsonb := private.stripe_object(event);
  -- As stripe_id() reads them: its calls would cost as much as a look-up.
  v_customer text := coalesce(v_session #>> '{customer,id}', v_session ->> 'customer', v_session ->> 'customer_account');
  v_intent text := coalesce(v_session #>> '{payment_intent,id}', v_session ->> 'payment_intent');
  v_invoice text := coalesce(v_session #>> '{invoice,id}', v_session ->> 'invoice');
  v_owner private.stripe_owner;
  v_reason text;
  v_lines private.stripe_line[];
  v_granted jsonb;
begin
  v_owner := private.stripe_owner(v_customer, v_session -> 'metadata', v_session ->> 'client_reference_id');
  if v_owner.ignored is not null then
    return jsonb_build_object('ignored', v_owner.ignored);
  end if;
  -- The subscription belongs to the buyer that the session names, whoever the customer belongs to.
  if v_session ->> 'subscription' is not null and v_customer is not null and v_owner.named_by <> 'customer' then
    perform private.lock_stripe_subscription(private.stripe_id(v_session -> 'subscription'), v_customer, v_owner.user_id,
      v_owner.team_id, 'session');
  end if;
  if v_session ->> 'mode' = 'payment' and v_session ->> 'payment_status' is null then
    raise exception 'Session "%" does not say whether it was paid', v_session ->> 'id'
      using errcode = 'PT422', detail = 'stripe_event_unreadable';
  end if;
  v_reason := case
    when v_session ->> 'mode' = 'setup' then 'setup'
    when v_session ->> 'mode' = 'payment' and v_session ->> 'payment_status' not in ('paid', 'no_payment_required') then 'not_paid'
    when v_session ->> 'mode' is distinct from 'payment' or v_invoice is not null
      or v_session #> '{invoice_creation,enabled}' = 'true' then 'invoice_grants' end;
  if v_invoice is not null and v_intent is not null then
    perform private.link_stripe_payment(v_intent, v_invoice);
  end if;
  if v_reason is not null then
    return jsonb_build_object('credits', 0, 'reason', v_reason);
  end if;
  if v_session ? 'line_items' then
    select array_agg(row(l ->> 'id', coalesce(private.stripe_id(l -> 'price'), l ->> 'id'), coalesce(l ->> 'quantity', '1'), null,
      null)::private.stripe_line) into v_lines
    from jsonb_array_elements(private.stripe_lines(v_session -> 'line_items', format('Session "%s"', v_session ->> 'id'),
      format('checkout/sessions/%s/line_items', v_session ->> 'id'))) as l;
  end if;
  if v_lines is null then
    -- The metadata of the payment intent may have said it.
    if v_session #>> '{metadata,price_id}' is null then
      v_granted := private.stripe_payment_grants(private.stripe_payment_of(v_intent));
      if v_granted is not null then
        return private.stripe_grant_outcome(v_granted);
      end if;
    end if;
    v_lines := array[private.stripe_metadata_line(v_session, 'Session')];
  end if;
  return private.stripe_grant_outcome(private.grant_stripe_payment(coalesce(v_intent, v_session ->> 'id'), v_owner.user_id,
    v_owner.team_id, private.stripe_amount(v_session, 'amount_total'), v_session ->> 'currency', v_lines));
end $$;
revoke all on function private.on_stripe_checkout(public.webhook_events) from public, anon, authenticated, service_role;

-- payment_intent.succeeded: grants what its metadata says was bought (price_id, and quantity, 1 by default). An intent that
-- paid an invoice is granted by the invoice, and one without price_id by its Checkout session, which both report it too.
-- Raises: PT422 stripe_lines_missing, for one that names a user or team, but neither a price nor a session.
create function private.on_stripe_payment_intent(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_intent jsonb := private.stripe_object(event);
  v_id text := v_intent ->> 'id';
  -- Stripe names here what an intent pays for: an invoice (in_), a Checkout session (cs_), or what the app has set.
  v_order text := v_intent #>> '{payment_details,order_reference}';
  v_owner private.stripe_owner;
  v_described boolean;
  v_granted jsonb;
begin
  if v_order ~ '^in_\w{8,}$' then
    perform private.link_stripe_payment(v_id, v_order);
    return jsonb_build_object('credits', 0, 'reason', 'invoice_grants');
  end if;
  v_described := v_intent #>> '{metadata,price_id}' is not null
    or exists (select 1 from public.stripe_prices as s where s.id = v_id);
  if not v_described and (v_order like 'cs\_%' or (private.stripe_named(v_intent -> 'metadata', null)).named_by is null) then
    return jsonb_build_object('ignored', case when v_order like 'cs\_%' then 'session_grants' else 'not_described' end);
  end if;
  perform private.lock_stripe_payment(v_id);
  if exists (select 1 from private.stripe_payment_intents as i where i.id = v_id and i.invoice_id is not null) then
    return jsonb_build_object('credits', 0, 'reason', 'invoice_grants');
  end if;
  -- Its session may have said it.
  if not v_described then
    v_granted := private.stripe_payment_grants(v_id);
    if v_granted is not null then
      return private.stripe_grant_outcome(v_granted);
    end if;
  end if;
  v_owner := private.stripe_owner(coalesce(private.stripe_id(v_intent -> 'customer'), v_intent ->> 'customer_account'),
    v_intent -> 'metadata', null);
  if v_owner.ignored is not null then
    return jsonb_build_object('ignored', v_owner.ignored);
  end if;
  return private.stripe_grant_outcome(private.grant_stripe_payment(v_id, v_owner.user_id, v_owner.team_id,
    private.stripe_amount(v_intent, 'amount_received'), v_intent ->> 'currency',
    array[private.stripe_metadata_line(v_intent, 'Payment intent')]));
end $$;
revoke all on function private.on_stripe_payment_intent(public.webhook_events)
  from public, anon, authenticated, service_role;

-- customer.deleted: the team can no longer pay as this customer. Stripe cancels its subscriptions, and reports each.
create function private.on_stripe_customer_deleted(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_customer text := private.stripe_object(event) ->> 'id';
begin
  perform pg_advisory_xact_lock(hashtextextended('stripe customer:' || v_customer, 0));
  update public.stripe_customers as c set deleted_at = event.event_created_at
  where c.id = v_customer and c.deleted_at is null;
  update public.teams as t set stripe_customer_id = null where t.stripe_customer_id = v_customer;
  return case when exists (select 1 from public.stripe_customers as c where c.id = v_customer)
    then jsonb_build_object('customer', v_customer) end;
end $$;
revoke all on function private.on_stripe_customer_deleted(public.webhook_events)
  from public, anon, authenticated, service_role;

insert into private.webhook_handlers (provider, type, handler) values
  ('stripe', 'checkout.session.completed', 'private.on_stripe_checkout'),
  ('stripe', 'checkout.session.async_payment_succeeded', 'private.on_stripe_checkout'),
  ('stripe', 'payment_intent.succeeded', 'private.on_stripe_payment_intent'),
  ('stripe', 'customer.deleted', 'private.on_stripe_customer_deleted');
