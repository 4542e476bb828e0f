-- Credit accounts: the credits of users and teams, who reads them, how a change begins (the account is locked) and
-- ends, and the alerts of accounts that run low.

-- The views over the tables of the ledger have this trigger, so that a caller that writes to one is told that it may not,
-- and not that the view cannot be updated.
create function private.refuse_write()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception '%.% cannot be written: only functions write credits', tg_table_schema, tg_table_name
    using errcode = '42501';
end $$;
comment on function private.refuse_write() is 'Trigger function: refuses the statement';
revoke all on function private.refuse_write() from public, anon, authenticated, service_role;

-- credit_accounts -----------------------------------------------------------------------------------

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  -- No foreign key, because every charge would pay for its check: open_unit_accounts looks the unit up.
  unit text not null default 'credits',
  created_at timestamptz not null default now(),
  overdraft_limit numeric(15, 4) not null default 0,
  overdraft_used numeric(15, 4) not null default 0,
  overdraft_held numeric(15, 4) not null default 0,
  debt numeric(15, 4) not null default 0,
  alert_threshold numeric(15, 4),
  alert_armed boolean not null default false,
  next_due_at timestamptz,
  open_holds integer not null default 0,
  live_grants integer not null default 0,
  scoped_grants integer not null default 0,
  pending numeric(15, 4) not null default 0,
  head_grant_id uuid,
  -- What a charge changes comes last: PostgreSQL logs an update from the first byte that changed to the last one.
  updated_at timestamptz not null default now(),
  version bigint not null default 0,
  head_free numeric(15, 4) not null default 0,
  balance numeric(15, 4) not null default 0,
  held numeric(15, 4) not null default 0,
  head_held numeric(15, 4) not null default 0,
  constraint credit_accounts_user_id_key unique (user_id, unit),
  constraint credit_accounts_team_id_key unique (team_id, unit),
  -- One short check: PostgreSQL reads and plans it anew whenever it writes a row.
  constraint credit_accounts_covered_check check (balance - held >= -overdraft_limit - debt and held >= 0)
-- Leaves room on each page for new versions of its rows: on a full page, no update is heap-only.
) with (fillfactor = 75);
comment on table public.credit_accounts is
  'The credits of a user or a team, and what they have in other units: a row for each. Only functions write it.';
comment on column public.credit_accounts.unit is
  'What it counts. An owner has an account in credits from the start; others open when something first goes there';
comment on column public.credit_accounts.held is 'The part of balance that is set aside and cannot be spent';
comment on column public.credit_accounts.overdraft_limit is 'How far below zero the account may go';
comment on column public.credit_accounts.overdraft_used is
  'Credits spent that no grant covered: balance is what the grants have left, less this';
comment on column public.credit_accounts.overdraft_held is 'The part of held that no grant covers';
comment on column public.credit_accounts.debt is
  'How far beyond overdraft_limit the account may be, because credits were taken back that it had spent. Shrinks as it is repaid';
comment on column public.credit_accounts.head_grant_id is
  'The head of the spending order: the grant that the next charge draws on. Its remaining and held are kept here';
comment on column public.credit_accounts.head_free is 'What is left of the head and not held';
comment on column public.credit_accounts.head_held is 'What holds have set aside of the head';
comment on column public.credit_accounts.open_holds is 'Number of holds that are neither captured nor released nor expired';
comment on column public.credit_accounts.live_grants is 'Number of grants that are pending or active';
comment on column public.credit_accounts.scoped_grants is
  'Number of those that pay for some skus only: while one of them has free credits, the account has no head';
comment on column public.credit_accounts.pending is 'Credits of grants that have not begun; not part of balance';
comment on column public.credit_accounts.alert_threshold is
  'An alert is written when fewer credits than this are available; null means never';
comment on column public.credit_accounts.alert_armed is
  'Whether the next fall below the threshold writes an alert: true again after a top-up that reaches it';
comment on column public.credit_accounts.next_due_at is
  'When the next grant begins or ends or the next hold expires; from then on the account is settled before anything else';
comment on column public.credit_accounts.version is 'Number of entries so far: the entry_no of the newest';

-- What a charge does not change is checked where it changes. (A charge takes from head_free only what is there.)
create trigger credit_accounts_terms
  before insert or update of user_id, team_id, alert_threshold on public.credit_accounts
  for each row when ((
    num_nonnulls(new.user_id, new.team_id) = 1
    and new.alert_threshold > 0 and new.alert_threshold <= 1000000000) is false)
  execute function private.refuse_row();
create trigger credit_accounts_unit
  before update of unit on public.credit_accounts
  for each row when (new.unit <> old.unit)
  execute function private.refuse_row();
create trigger credit_accounts_amounts
  before insert or update of overdraft_limit, overdraft_used, overdraft_held, debt, pending on public.credit_accounts
  for each row when ((
    new.overdraft_used + new.overdraft_held <= new.overdraft_limit + new.debt
    and least(new.overdraft_limit, new.overdraft_used, new.overdraft_held, new.debt, new.pending, new.head_free,
      new.head_held) >= 0) is false)
  execute function private.refuse_row();

alter table public.credit_accounts enable row level security;
revoke all on public.credit_accounts from public, anon, authenticated, service_role;
grant select on public.credit_accounts to authenticated, service_role;
create index credit_accounts_next_due_at on public.credit_accounts (next_due_at) where next_due_at is not null;

-- Who reads what ------------------------------------------------------------------------------------

-- Returns the accounts that the caller may read in full: their own, and those of the teams that they own or administer.
-- Definer: a policy that calls it would otherwise evaluate the policy of credit_accounts too. PL/pgSQL keeps the plan
-- of its query for the session.
create function private.my_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.user_id = (select auth.uid())
      or a.team_id = any (array(select private.my_administered_team_ids()));
end $$;
revoke all on function private.my_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_credit_account_ids() to authenticated, service_role;

-- Returns the accounts of the teams in which the caller is a plain member, who may read the balance and the member's
-- own entries and holds.
-- Definer: for the same reason as my_credit_account_ids.
create function private.my_member_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.team_id = any (array(select private.my_team_ids()))
      and a.team_id <> all (array(select private.my_administered_team_ids()));
end $$;
revoke all on function private.my_member_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_member_credit_account_ids() to authenticated, service_role;

create policy "users read their own credit account and those of their teams" on public.credit_accounts
  for select to authenticated
  using (user_id = (select auth.uid()) or team_id = any (array(select private.my_team_ids())));

-- A team has an account -----------------------------------------------------------------------------

-- Definer: a caller that creates a team may not write the tables of credits.
create function private.open_team_credit_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.credit_accounts (team_id) values (new.id)
  on conflict on constraint credit_accounts_team_id_key do nothing;
  return null;
end $$;
comment on function private.open_team_credit_account() is 'Trigger function: opens the account of a new team';
revoke all on function private.open_team_credit_account() from public, anon, authenticated, service_role;

create trigger open_team_credit_account after insert on public.teams
  for each row execute function private.open_team_credit_account();

-- credit_alerts -------------------------------------------------------------------------------------

create table public.credit_alerts (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  unit text not null default 'credits',
  threshold numeric(15, 4) not null,
  available numeric(15, 4) not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.credit_alerts is
  'One row for each time that an account fell below its alert threshold. Only functions write it.';
comment on column public.credit_alerts.available is 'Credits that could still be spent at that time';

create index credit_alerts_account_id on public.credit_alerts (account_id, created_at);

alter table public.credit_alerts enable row level security;
revoke all on public.credit_alerts from public, anon, authenticated, service_role;
grant select on public.credit_alerts to authenticated, service_role;

create policy "owners read the alerts of their accounts" on public.credit_alerts
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

alter publication supabase_realtime add table public.credit_alerts;

-- Other units ---------------------------------------------------------------------------------------

-- Opens the accounts of some users and teams in a unit, if they have none; an owner is known by the account in credits.
-- Opening more than one, it goes by their owners, so that no two wait for each other.
-- Raises: PT422 unknown_unit.
create function private.open_unit_accounts(user_ids uuid[], team_ids uuid[], unit text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform private.require_credit_unit(unit);
  insert into public.credit_accounts (user_id, team_id, unit)
  select a.user_id, a.team_id, open_unit_accounts.unit from public.credit_accounts as a
  where a.unit = 'credits' and (a.user_id = any (user_ids) or a.team_id = any (team_ids))
  order by a.user_id, a.team_id
  on conflict do nothing;
end $$;
revoke all on function private.open_unit_accounts(uuid[], uuid[], text) from public, anon, authenticated, service_role;

-- Opens the account of a user, or of a team that the user belongs to, in another unit than credits, locks it, and returns
-- it.
-- Raises: PT404 account_not_found; PT422 unknown_unit.
create function private.open_unit_account(user_id uuid, team_id uuid, account_id uuid, unit text)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
begin
  if unit is distinct from 'credits' and open_unit_account.account_id is null and (
    open_unit_account.team_id is null or open_unit_account.user_id is null or exists (
      select 1 from public.team_members as m
      where m.team_id = open_unit_account.team_id and m.user_id = open_unit_account.user_id)) then
    perform private.open_unit_accounts(case when open_unit_account.team_id is null then array[open_unit_account.user_id] end,
      array[open_unit_account.team_id], unit);
    select a.* into v_account from public.credit_accounts as a
    where a.unit = open_unit_account.unit and (a.team_id = open_unit_account.team_id
      or open_unit_account.team_id is null and a.user_id = open_unit_account.user_id)
    for no key update;
  end if;
  if v_account.id is null then
    perform private.refuse_credit_account(open_unit_account.user_id, open_unit_account.team_id);
  end if;
  return v_account;
end $$;
revoke all on function private.open_unit_account(uuid, uuid, uuid, text)
  from public, anon, authenticated, service_role;

-- Returns the accounts of a user, in all units; with first, that one and those with greater ids: whoever reads their rows
-- in the order of accounts then goes on there, and does not look at the others again.
create function private.credit_account_ids(user_id uuid, first uuid default null)
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
  return array(select a.id from public.credit_accounts as a
    where a.user_id = credit_account_ids.user_id and (first is null or a.id >= first) order by a.id);
end $$;
revoke all on function private.credit_account_ids(uuid, uuid) from public, anon, authenticated, service_role;

-- Changing an account -------------------------------------------------------------------------------

-- A function that changes an account locks its row, works on a copy of it, and writes the copy: with an entry
-- (post_credit_entry) or without one (save_credit_account).

-- Locks an account, settles it and returns it: the account of a user, of a team that the user belongs to, or the one
-- with account_id. team_id without user_id is for the service when it acts for no user. An account in another unit than
-- credits is opened. Without save, what it has settled may be in the returned account only, which the caller writes.
-- Raises: PT404 account_not_found; PT422 unknown_unit.
create function private.lock_credit_account(
  user_id uuid, team_id uuid default null, account_id uuid default null, unit text default 'credits',
  save boolean default true
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
    where a.user_id = lock_credit_account.user_id and a.unit = lock_credit_account.unit
    for no key update;
  elsif lock_credit_account.user_id is null or exists (
    select 1 from public.team_members as m
    where m.team_id = lock_credit_account.team_id and m.user_id = lock_credit_account.user_id) then
    select a.* into v_account from public.credit_accounts as a
    where a.team_id = lock_credit_account.team_id and a.unit = lock_credit_account.unit
    for no key update;
  end if;
  if v_account.id is null then
    v_account := private.open_unit_account(user_id, team_id, account_id, unit);
  end if;
  if v_account.next_due_at <= greatest(clock_timestamp(), v_account.updated_at) then
    v_account := private.settle_credit_account(v_account, greatest(clock_timestamp(), v_account.updated_at), save);
  end if;
  return v_account;
end $$;
revoke all on function private.lock_credit_account(uuid, uuid, uuid, text, boolean)
  from public, anon, authenticated, service_role;

-- Returns the free credits of an account's grants that pay for some skus only.
create function private.scoped_credits(account public.credit_accounts)
returns numeric
language plpgsql stable set search_path = ''
as $$
begin
  if account.scoped_grants = 0 then
    return 0;
  end if;
  return coalesce((select sum(g.remaining - g.held) from private.credit_grants as g
    where g.account_id = account.id and g.spendable and g.skus is not null), 0);
end $$;
revoke all on function private.scoped_credits(public.credit_accounts) from public, anon, authenticated, service_role;

-- Returns the credits that can be spent on anything, as far as what has come due is posted.
create function private.free_credits(account public.credit_accounts)
returns numeric
language plpgsql stable set search_path = ''
as $$
begin
  return account.balance - account.held + account.overdraft_limit - private.scoped_credits(account);
end $$;
revoke all on function private.free_credits(public.credit_accounts) from public, anon, authenticated, service_role;

-- Returns the credits that can be spent on anything. What has come due and is not posted yet does not count: grants that
-- have ended are left out, and what expired holds have set aside is still held.
create function private.available_credits(account public.credit_accounts)
returns numeric
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := greatest(clock_timestamp(), account.updated_at);
  v_ended numeric := 0;
begin
  if account.next_due_at <= v_now then
    v_ended := coalesce((
      select sum(g.remaining - g.held) from private.credit_grants as g
      where g.account_id = account.id and g.status = 'active' and g.expires_at <= v_now and g.skus is null), 0);
  end if;
  return private.free_credits(account) - v_ended;
end $$;
revoke all on function private.available_credits(public.credit_accounts) from public, anon, authenticated, service_role;

-- Writes an alert if an account has crossed its threshold, and returns the account. Everything that lowers an account
-- counts: charges, holds, the end of a grant, a smaller overdraft. Under the lock of the account, only one of many
-- concurrent charges writes the alert.
create function private.raise_credit_alert(account public.credit_accounts)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
begin
  if account.alert_armed and private.free_credits(account) < account.alert_threshold then
    insert into public.credit_alerts (account_id, unit, threshold, available)
    values (account.id, account.unit, account.alert_threshold, private.free_credits(account));
    account.alert_armed := false;
  end if;
  return account;
end $$;
revoke all on function private.raise_credit_alert(public.credit_accounts) from public, anon, authenticated, service_role;

-- Writes the changed copy of an account, raises its alert, and returns it.
create function private.save_credit_account(account public.credit_accounts)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
begin
  account := private.raise_credit_alert(account);
  update public.credit_accounts as a
  set balance = account.balance, held = account.held, overdraft_limit = account.overdraft_limit,
    overdraft_used = account.overdraft_used, overdraft_held = account.overdraft_held, debt = account.debt,
    head_grant_id = account.head_grant_id, head_free = account.head_free, head_held = account.head_held,
    open_holds = account.open_holds, live_grants = account.live_grants, scoped_grants = account.scoped_grants,
    pending = account.pending,
    alert_armed = account.alert_armed, next_due_at = account.next_due_at, version = account.version, updated_at = account.updated_at
  where a.id = account.id;
  return account;
end $$;
revoke all on function private.save_credit_account(public.credit_accounts)
  from public, anon, authenticated, service_role;
