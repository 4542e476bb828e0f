-- Credit accounts: what a user or a team has, what each member may spend of it, and the alerts when it runs low.

-- credit_accounts -----------------------------------------------------------------------------------

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  balance numeric(15, 4) not null default 0,
  held numeric(15, 4) not null default 0,
  overdraft_limit numeric(15, 4) not null default 0,
  overdraft_used numeric(15, 4) not null default 0,
  overdraft_held numeric(15, 4) not null default 0,
  debt numeric(15, 4) not null default 0,
  alert_threshold numeric(15, 4),
  alert_armed boolean not null default false,
  next_due_at timestamptz,
  version bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint credit_accounts_user_id_key unique (user_id),
  constraint credit_accounts_team_id_key unique (team_id),
  constraint credit_accounts_one_owner_check check (num_nonnulls(user_id, team_id) = 1),
  constraint credit_accounts_held_check check (held >= 0),
  constraint credit_accounts_overdraft_limit_check check (overdraft_limit >= 0),
  constraint credit_accounts_overdraft_check check (
    overdraft_used >= 0 and overdraft_held >= 0 and overdraft_used + overdraft_held <= overdraft_limit + debt),
  constraint credit_accounts_debt_check check (debt >= 0),
  constraint credit_accounts_covered_check check (balance - held >= -overdraft_limit - debt),
  constraint credit_accounts_alert_threshold_check check (alert_threshold > 0 and alert_threshold <= 1000000000)
-- Room on each page for the next version of its rows: else no update of a full page is heap-only.
) with (fillfactor = 75);
comment on table public.credit_accounts is
  'The current balance of a user or a team: the truth for credits. Written by functions only.';
comment on column public.credit_accounts.held is 'The part of balance that is set aside and cannot be spent';
comment on column public.credit_accounts.overdraft_limit is 'How far below zero the account may go';
comment on column public.credit_accounts.overdraft_used is
  'What was spent and no grant covered: balance is what the grants have left, less this';
comment on column public.credit_accounts.overdraft_held is 'The part of held that no grant covers';
comment on column public.credit_accounts.debt is
  'How far beyond overdraft_limit the account may be: what was taken back and not covered. Shrinks as it is paid';
comment on column public.credit_accounts.alert_threshold is 'Below this many available credits an alert is written; null is never';
comment on column public.credit_accounts.alert_armed is 'Whether falling below the threshold will be a crossing: since the last top-up there was none';
comment on column public.credit_accounts.next_due_at is
  'When the next grant begins or ends or the next hold expires; the account is settled before anything else is done then';
comment on column public.credit_accounts.version is 'Number of entries so far: the entry_no of the newest';

alter table public.credit_accounts enable row level security;
revoke all on public.credit_accounts from public, anon, authenticated, service_role;
grant select on public.credit_accounts to authenticated, service_role;
create index credit_accounts_next_due_at on public.credit_accounts (next_due_at) where next_due_at is not null;

-- Who reads what ------------------------------------------------------------------------------------

-- The accounts all of which the caller may read: their own, and those of teams that they are an owner or admin of.
-- Definer: the policies of credit_accounts would ask themselves otherwise. PL/pgSQL keeps its plan for the session.
create function private.my_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.user_id = (select auth.uid())
      or a.team_id = any (array(select private.my_team_ids(array['owner', 'admin'])));
end $$;
revoke all on function private.my_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_credit_account_ids() to authenticated, service_role;

-- The accounts of all the caller's teams, of which a plain member may read the balance and what they did themselves.
-- Definer: as above.
create function private.my_team_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.team_id = any (array(select private.my_team_ids()));
end $$;
revoke all on function private.my_team_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_team_credit_account_ids() to authenticated, service_role;
create policy "users read their own credit account and those of their teams" on public.credit_accounts
  for select to authenticated
  using (user_id = (select auth.uid()) or team_id = any (array(select private.my_team_ids())));

-- Accounts ------------------------------------------------------------------------------------------

-- Definer: who makes a team may not write the tables of credits.
create function private.open_team_credit_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.credit_accounts (team_id) values (new.id)
  on conflict on constraint credit_accounts_team_id_key do nothing;
  return null;
end $$;
comment on function private.open_team_credit_account() is 'Trigger function: a team has an account from the start';
revoke all on function private.open_team_credit_account() from public, anon, authenticated, service_role;

create trigger open_team_credit_account after insert on public.teams
  for each row execute function private.open_team_credit_account();

-- credit_member_limits ------------------------------------------------------------------------------

create table public.credit_member_limits (
  team_id uuid not null,
  user_id uuid not null,
  credit_limit numeric(15, 4),
  period text not null default 'month',
  spent numeric(15, 4) not null default 0,
  period_start timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (team_id, user_id),
  constraint credit_member_limits_member_fkey foreign key (team_id, user_id)
    references public.team_members (team_id, user_id) on delete cascade,
  constraint credit_member_limits_credit_limit_check check (credit_limit between 0 and 1000000000),
  constraint credit_member_limits_period_check check (period in ('day', 'week', 'month')),
  constraint credit_member_limits_spent_check check (spent >= 0)
);
comment on table public.credit_member_limits is
  'What each member may spend from the account of the team. One row per member, made when they join';
comment on column public.credit_member_limits.credit_limit is 'Credits per period; null is no limit';
comment on column public.credit_member_limits.period is 'day, week (from Monday) or month, in UTC';
comment on column public.credit_member_limits.spent is
  'Charged and held in the period of period_start, less what came back; team_member_credits has it for now';

create index idx_credit_member_limits_user_id on public.credit_member_limits (user_id);

alter table public.credit_member_limits enable row level security;
revoke all on public.credit_member_limits from public, anon, authenticated, service_role;
grant select on public.credit_member_limits to authenticated, service_role;
grant update (credit_limit, period) on public.credit_member_limits to authenticated, service_role;

create policy "members read their own limit, owners and admins all" on public.credit_member_limits
  for select to authenticated
  using (user_id = (select auth.uid()) and team_id = any (array(select private.my_team_ids()))
    or team_id = any (array(select private.my_team_ids(array['owner', 'admin']))));
create policy "owners and admins set the limits of members" on public.credit_member_limits
  for update to authenticated
  using (team_id = any (array(select private.my_team_ids(array['owner', 'admin']))))
  with check (team_id = any (array(select private.my_team_ids(array['owner', 'admin']))));

create trigger update_credit_member_limits_updated_at before update on public.credit_member_limits
  for each row execute function public.handle_updated_at();

-- Definer: who adds a member may not write the tables of credits.
create function private.open_credit_member_limit()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.credit_member_limits (team_id, user_id) values (new.team_id, new.user_id) on conflict do nothing;
  return null;
end $$;
comment on function private.open_credit_member_limit() is 'Trigger function: a member has a row from the start';
revoke all on function private.open_credit_member_limit() from public, anon, authenticated, service_role;

create trigger open_credit_member_limit after insert on public.team_members
  for each row execute function private.open_credit_member_limit();

-- Spending ------------------------------------------------------------------------------------------

-- When the period began that the given time is in, in UTC.
create function private.credit_period_start(period text, at timestamptz)
returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  return date_trunc(period, at, 'UTC');
end $$;
revoke all on function private.credit_period_start(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function private.credit_period_start(text, timestamptz) to authenticated, service_role;

-- Takes amount from what a member may still spend. Does nothing for the account of a user, or without a member. The
-- caller holds the lock of the account.
-- Raises: PT402 member_limit_exceeded {available, required}.
create function private.spend_allowance(account public.credit_accounts, user_id uuid, amount numeric, at timestamptz)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_limit public.credit_member_limits;
  v_start timestamptz;
begin
  if account.team_id is null or spend_allowance.user_id is null then
    return;
  end if;
  select l.* into v_limit from public.credit_member_limits as l
  where l.team_id = account.team_id and l.user_id = spend_allowance.user_id
  for no key update;
  -- Every member has a row: who has none has left while they waited for the account.
  if not found then
    raise exception 'User "%" is no longer in the team', user_id
      using errcode = 'PT402',
        detail = format('member_limit_exceeded %s', jsonb_build_object('available', 0, 'required', amount));
  end if;
  v_start := private.credit_period_start(v_limit.period, at);
  if v_limit.period_start < v_start then
    v_limit.spent := 0;
  end if;
  if v_limit.credit_limit - v_limit.spent < amount then
    raise exception 'The member may spend % credits this %, not %',
      trim_scale(greatest(0, v_limit.credit_limit - v_limit.spent)), v_limit.period, trim_scale(amount)
      using errcode = 'PT402',
        detail = format('member_limit_exceeded %s', jsonb_build_object(
          'available', greatest(0, v_limit.credit_limit - v_limit.spent), 'required', amount)),
        hint = 'An owner or admin of the team can raise the limit';
  end if;
  update public.credit_member_limits as l
  set spent = v_limit.spent + amount, period_start = greatest(v_start, v_limit.period_start)
  where l.team_id = v_limit.team_id and l.user_id = v_limit.user_id;
end $$;
revoke all on function private.spend_allowance(public.credit_accounts, uuid, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- Gives a member back what they spent at a time in the period that is counted; what was spent before it is no longer.
create function private.restore_allowance(
  team_id uuid, user_id uuid, amount numeric, spent_at timestamptz
)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if team_id is null or user_id is null or amount = 0 then
    return;
  end if;
  update public.credit_member_limits as l
  set spent = greatest(0, l.spent - restore_allowance.amount)
  where l.team_id = restore_allowance.team_id and l.user_id = restore_allowance.user_id
    and restore_allowance.spent_at >= l.period_start;
end $$;
revoke all on function private.restore_allowance(uuid, uuid, numeric, timestamptz)
  from public, anon, authenticated, service_role;

-- Locks the account of a user, or of a team that the user belongs to, or with the given id, settles it, and returns
-- it. A team's account without a user is for the service's own doings.
-- Raises: PT404 account_not_found.
create function private.lock_credit_account(
  user_id uuid, team_id uuid default null, account_id uuid default null
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
begin
  if lock_credit_account.account_id is not null then
    select a.* into v_account from public.credit_accounts as a
    where a.id = lock_credit_account.account_id
    for no key update;
  elsif lock_credit_account.team_id is null then
    select a.* into v_account from public.credit_accounts as a
    where a.user_id = lock_credit_account.user_id
    for no key update;
  elsif lock_credit_account.user_id is null or exists (
    select 1 from public.team_members as m
    where m.team_id = lock_credit_account.team_id and m.user_id = lock_credit_account.user_id) then
    select a.* into v_account from public.credit_accounts as a
    where a.team_id = lock_credit_account.team_id
    for no key update;
  end if;
  if v_account.id is null then
    perform private.refuse_credit_account(user_id, team_id);
  end if;
  if v_account.next_due_at <= greatest(clock_timestamp(), v_account.updated_at) then
    v_account := private.settle_credit_account(v_account.id, greatest(clock_timestamp(), v_account.updated_at));
  end if;
  return v_account;
end $$;
revoke all on function private.lock_credit_account(uuid, uuid, uuid) from public, anon, authenticated, service_role;

create function private.refuse_credit_account(user_id uuid, team_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception '%', case
      when team_id is null then format('User "%s" has no credit account', user_id)
      when user_id is null then format('Team "%s" has no credit account', team_id)
      else format('User "%s" is in no team "%s"', user_id, team_id) end
    using errcode = 'PT404', detail = 'account_not_found';
end $$;
revoke all on function private.refuse_credit_account(uuid, uuid) from public, anon, authenticated, service_role;

-- Makes sure that an account can be charged amount.
-- Raises: PT402 insufficient_credits {available, required}.
create function private.require_credits(account public.credit_accounts, amount numeric)
returns void
language plpgsql immutable set search_path = ''
as $$
declare
  v_available numeric := account.balance - account.held + account.overdraft_limit;
begin
  if v_available < amount then
    raise exception 'Cannot charge % credits: % are available', trim_scale(amount), trim_scale(v_available)
      using errcode = 'PT402',
        detail = format('insufficient_credits %s', jsonb_build_object('available', v_available, 'required', amount)),
        hint = 'Buy credits, or charge less';
  end if;
end $$;
revoke all on function private.require_credits(public.credit_accounts, numeric)
  from public, anon, authenticated, service_role;

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

-- set_credit_overdraft ------------------------------------------------------------------------------

-- Sets how far below zero the account of a user or a team may go: 0 to 1000000000.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 account_not_found; PT409 overdraft_in_use {used}; PT422
-- invalid_overdraft, idempotency_key_reused.
create function public.set_credit_overdraft(
  overdraft_limit numeric,
  user_id uuid default null,
  team_id uuid default null,
  idempotency_key text default null
)
returns public.credit_settings
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(set_credit_overdraft.user_id, set_credit_overdraft.team_id);
  v_request jsonb := jsonb_build_array('overdraft', v_owner, trim_scale(set_credit_overdraft.overdraft_limit));
  v_account public.credit_accounts;
  v_first jsonb;
begin
  if num_nulls(set_credit_overdraft.user_id, set_credit_overdraft.team_id) <> 1
    or set_credit_overdraft.overdraft_limit is null
    or set_credit_overdraft.overdraft_limit not between 0 and 1000000000
    or scale(trim_scale(set_credit_overdraft.overdraft_limit)) > 4 then
    raise exception 'An overdraft is 0 to 1000000000 credits, in steps of 0.0001, of either a user or a team'
      using errcode = 'PT422', detail = 'invalid_overdraft';
  end if;
  v_account := private.lock_credit_account(set_credit_overdraft.user_id, set_credit_overdraft.team_id);
  v_first := private.first_response(v_owner, 'service', set_credit_overdraft.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_settings, v_first || '{"replayed": true}');
  end if;
  if set_credit_overdraft.overdraft_limit < v_account.overdraft_used + v_account.overdraft_held then
    raise exception '% credits of the overdraft are in use',
      trim_scale(v_account.overdraft_used + v_account.overdraft_held)
      using errcode = 'PT409', detail = format('overdraft_in_use %s',
        jsonb_build_object('used', v_account.overdraft_used + v_account.overdraft_held)),
        hint = 'Grant credits first, or set a limit that is not below what is used';
  end if;
  update public.credit_accounts as a
  set overdraft_limit = set_credit_overdraft.overdraft_limit, updated_at = greatest(clock_timestamp(), a.updated_at)
  where a.id = v_account.id
  returning a.* into v_account;
  perform private.keep_response(v_owner, 'service', set_credit_overdraft.idempotency_key, v_request,
    to_jsonb(private.to_credit_settings(v_account)));
  return private.to_credit_settings(v_account);
end $$;
revoke all on function public.set_credit_overdraft(numeric, uuid, uuid, text) from public, anon, authenticated;
grant execute on function public.set_credit_overdraft(numeric, uuid, uuid, text) to service_role;
