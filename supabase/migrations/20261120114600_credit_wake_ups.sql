-- Wake-ups of credits: the topic of a user or team hears of its account and its alerts.

-- Definer: whoever changes an account may not write to Realtime.
create function private.wake_credits()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- An event of its own: an app that knows only credits would show anything else as if it were credits.
  perform private.wake(coalesce('team:' || new.team_id, 'user:' || new.user_id),
    case new.unit when 'credits' then 'credits' else 'units' end, jsonb_strip_nulls(jsonb_build_object(
      'unit', nullif(new.unit, 'credits'), 'version', new.version, 'balance', trim_scale(new.balance),
      'available', trim_scale(private.free_credits(new)))));
  return null;
end $$;
comment on function private.wake_credits() is 'Trigger function: tells the topic of the account how many credits there are';
revoke all on function private.wake_credits() from public, anon, authenticated, service_role;

-- Not for charges and holds, each of which would pay for it: docs/realtime.md has the trigger for those who want it.
create trigger wake_credits after update on public.credit_accounts
  for each row
  when (new.balance - new.held + new.overdraft_limit > old.balance - old.held + old.overdraft_limit)
  execute function private.wake_credits();

-- Definer: as wake_credits.
create function private.wake_alert()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.wake(coalesce('team:' || a.team_id, 'user:' || a.user_id), 'alerts',
    jsonb_strip_nulls(jsonb_build_object('unit', nullif(a.unit, 'credits'))))
  from public.credit_accounts as a where a.id = new.account_id;
  return null;
end $$;
comment on function private.wake_alert() is 'Trigger function: tells the topic of an account that it runs low';
revoke all on function private.wake_alert() from public, anon, authenticated, service_role;

create trigger wake_alert after insert on public.credit_alerts
  for each row execute function private.wake_alert();
