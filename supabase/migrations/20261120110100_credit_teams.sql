-- Credits of teams: every team has an account, from which its members spend up to a limit of their own. Adds to what old
-- code sees and changes none of it.

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

insert into public.credit_accounts (team_id) select t.id from public.teams as t
on conflict on constraint credit_accounts_team_id_key do nothing;

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

drop policy "users read their own credit account" on public.credit_accounts;
create policy "users read their own credit account and those of their teams" on public.credit_accounts
  for select to authenticated
  using (user_id = (select auth.uid()) or team_id = any (array(select private.my_team_ids())));

drop policy "users read the entries of their own account" on public.credit_transactions;
create policy "owners read the entries of their accounts, members their own" on public.credit_transactions
  for select to authenticated
  using (account_id = any (array(select private.my_credit_account_ids()))
    or actor_id = (select auth.uid()) and account_id = any (array(select private.my_team_credit_account_ids())));

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

insert into public.credit_member_limits (team_id, user_id) select m.team_id, m.user_id from public.team_members as m
on conflict do nothing;

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
