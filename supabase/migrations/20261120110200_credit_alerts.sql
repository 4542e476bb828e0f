-- Credit alerts: one row when what an account can spend falls below its threshold, and no other until it has been topped
-- up above it.

alter table public.credit_accounts
  add column alert_threshold numeric(15, 4),
  add column alert_armed boolean not null default false,
  add constraint credit_accounts_alert_threshold_check check (alert_threshold > 0 and alert_threshold <= 1000000000);
comment on column public.credit_accounts.alert_threshold is 'Below this many available credits an alert is written; null is never';
comment on column public.credit_accounts.alert_armed is 'Whether falling below the threshold will be a crossing: since the last top-up there was none';

-- credit_alerts -------------------------------------------------------------------------------------

create table public.credit_alerts (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  threshold numeric(15, 4) not null,
  available numeric(15, 4) not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.credit_alerts is 'Each time an account fell below its threshold. Written by its trigger only.';
comment on column public.credit_alerts.available is 'What could still be spent then';

create index credit_alerts_account_id on public.credit_alerts (account_id, created_at);

alter table public.credit_alerts enable row level security;
revoke all on public.credit_alerts from public, anon, authenticated, service_role;
grant select on public.credit_alerts to authenticated, service_role;

create policy "owners read the alerts of their accounts" on public.credit_alerts
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

alter publication supabase_realtime add table public.credit_alerts;

-- Raising -------------------------------------------------------------------------------------------

-- In a trigger, because whatever lowers an account counts: charges, holds, ends of grants, a smaller overdraft. It runs
-- under the lock of the account, so that of many charges at once one is the crossing.
create function private.raise_credit_alert()
returns trigger
language plpgsql volatile set search_path = ''
as $$
declare
  v_available numeric := new.balance - new.held + new.overdraft_limit;
begin
  if new.alert_armed and v_available < new.alert_threshold then
    insert into public.credit_alerts (account_id, threshold, available)
    values (new.id, new.alert_threshold, v_available);
    new.alert_armed := false;
  end if;
  return new;
end $$;
comment on function private.raise_credit_alert() is 'Trigger function: writes an alert when an account crosses its threshold';
revoke all on function private.raise_credit_alert() from public, anon, authenticated, service_role;

create trigger raise_credit_alert before update on public.credit_accounts
  for each row when (new.alert_armed) execute function private.raise_credit_alert();

create type public.credit_settings as (
  account_id uuid,
  overdraft_limit numeric,
  alert_threshold numeric,
  available numeric,
  replayed boolean
);
comment on type public.credit_settings is
  'How an account is set up, and what can be spent so; replayed says that it is the work of an earlier request';

create function private.to_credit_settings(account public.credit_accounts)
returns public.credit_settings
language plpgsql immutable set search_path = ''
as $$
begin
  return row(account.id, account.overdraft_limit, account.alert_threshold,
    account.balance - account.held + account.overdraft_limit, false)::public.credit_settings;
end $$;
revoke all on function private.to_credit_settings(public.credit_accounts) from public, anon, authenticated, service_role;

-- Sets the threshold of a user's account, or of a team's, which a user sets as an owner or admin of it; null turns alerts
-- off. An account that is below it already raises an alert after its next top-up only. actor is user or service.
-- Definer: not even the service may write the tables of credits. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 not_team_admin; PT404 account_not_found; PT422 invalid_alert,
-- idempotency_key_reused.
create function public.set_credit_alert(
  threshold numeric,
  user_id uuid default null,
  team_id uuid default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.credit_settings
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(set_credit_alert.user_id, set_credit_alert.team_id);
  v_request jsonb := jsonb_build_array('alert', set_credit_alert.team_id, trim_scale(set_credit_alert.threshold));
  v_account public.credit_accounts;
  v_first jsonb;
begin
  if set_credit_alert.threshold < 0.0001 or set_credit_alert.threshold > 1000000000
    or scale(trim_scale(set_credit_alert.threshold)) > 4
    or set_credit_alert.actor is null or set_credit_alert.actor not in ('user', 'service')
    or set_credit_alert.actor = 'user' and set_credit_alert.user_id is null then
    raise exception 'A threshold is 0.0001 to 1000000000 credits, in steps of 0.0001, or null'
      using errcode = 'PT422', detail = 'invalid_alert';
  end if;
  v_account := private.lock_credit_account(set_credit_alert.user_id, set_credit_alert.team_id);
  if set_credit_alert.actor = 'user' then
    perform private.require_account_admin(v_account, set_credit_alert.user_id);
  end if;
  v_first := private.first_response(v_owner, set_credit_alert.actor, set_credit_alert.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_settings, v_first || '{"replayed": true}');
  end if;
  update public.credit_accounts as a
  set alert_threshold = set_credit_alert.threshold,
    alert_armed = coalesce(a.balance - a.held + a.overdraft_limit >= set_credit_alert.threshold, false)
  where a.id = v_account.id
  returning a.* into v_account;
  perform private.keep_response(v_owner, set_credit_alert.actor, set_credit_alert.idempotency_key, v_request,
    to_jsonb(private.to_credit_settings(v_account)));
  return private.to_credit_settings(v_account);
end $$;
revoke all on function public.set_credit_alert(numeric, uuid, uuid, text, text) from public, anon, authenticated;
grant execute on function public.set_credit_alert(numeric, uuid, uuid, text, text) to service_role;

-- Makes sure that a user may act for a whole account: their own, or that of a team as its owner or admin.
-- Raises: PT403 not_team_admin.
create function private.require_account_admin(account public.credit_accounts, user_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if account.team_id is not null and not exists (
    select 1 from public.team_members as m
    where m.team_id = account.team_id and m.user_id = require_account_admin.user_id and m.role in ('owner', 'admin')) then
    raise exception 'This is for owners and admins of the team' using errcode = 'PT403', detail = 'not_team_admin';
  end if;
end $$;
revoke all on function private.require_account_admin(public.credit_accounts, uuid)
  from public, anon, authenticated, service_role;
