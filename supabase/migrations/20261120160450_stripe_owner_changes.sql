-- Stripe, what turns out to be another's: a subscription whose session, or whose own metadata, is heard of after its events
-- were taken for the customer's. New functions only.

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

-- Gives a subscription to whom it turns out to be of, with its history, its state and what its invoices have granted, so
-- that it ends as if that had been known from the first. Lines of the history are made again from events whose payload is
-- kept. The caller holds the locks of the subscription and of the new owner, if that is a team.
create function private.move_stripe_subscription(subscription public.stripe_subscriptions, user_id uuid, team_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_payment_id text;
begin
  perform 1 from public.teams as t where t.id = subscription.team_id for update;
  if move_stripe_subscription.team_id is null then
    delete from public.subscription_events as e
    where e.team_id = subscription.team_id and e.event_data ->> 'subscription' = subscription.id;
  else
    update public.subscription_events as e set team_id = move_stripe_subscription.team_id
    where e.team_id = subscription.team_id and e.event_data ->> 'subscription' = subscription.id;
    insert into public.subscription_events (team_id, stripe_event_id, event_type, event_data, created_at)
    select move_stripe_subscription.team_id, e.event_id, e.type, private.subscription_event_data(e), e.event_created_at
    from public.webhook_events as e
    where e.result ? 'subscription' and e.result ->> 'subscription' = subscription.id and e.provider = 'stripe'
      and e.payload is not null
    on conflict on constraint subscription_events_stripe_event_id_key do nothing;
  end if;
  update public.teams as t
  set stripe_subscription_id = null, tier = 'free', subscription_status = 'active', current_period_start = null,
    current_period_end = null, cancel_at_period_end = false
  where t.id = subscription.team_id and t.stripe_subscription_id = subscription.id;
  perform private.set_team_subscription(subscription.team_id);
  perform private.set_team_subscription(move_stripe_subscription.team_id);
  for v_payment_id in
    select p.id from public.stripe_payments as p where p.subscription_id = subscription.id order by p.id
  loop
    perform private.move_stripe_payment(v_payment_id, move_stripe_subscription.user_id, move_stripe_subscription.team_id);
  end loop;
end $$;
revoke all on function private.move_stripe_subscription(public.stripe_subscriptions, uuid, uuid)
  from public, anon, authenticated, service_role;
