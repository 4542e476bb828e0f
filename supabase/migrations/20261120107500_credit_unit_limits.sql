-- Limits of members in other units than credits: those in credits are in credit_member_limits, so that an app that knows only
-- credits sets no other limit along with them.

create table public.credit_unit_limits (
  team_id uuid not null,
  user_id uuid not null,
  unit text not null references public.credit_units (unit),
  credit_limit numeric(15, 4),
  period text not null default 'month',
  spent numeric(15, 4) not null default 0,
  period_start timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (team_id, user_id, unit),
  constraint credit_unit_limits_member_fkey foreign key (team_id, user_id)
    references public.team_members (team_id, user_id) on delete cascade,
  constraint credit_unit_limits_unit_check check (unit <> 'credits'),
  constraint credit_unit_limits_credit_limit_check check (credit_limit between 0 and 1000000000),
  constraint credit_unit_limits_period_check check (period in ('day', 'week', 'month')),
  constraint credit_unit_limits_spent_check check (spent >= 0)
);
comment on table public.credit_unit_limits is
  'What each member may spend from the accounts of the team in other units than credits. A row begins when the limit is set, or when the member first spends';
comment on column public.credit_unit_limits.credit_limit is 'Amount of the unit per period; null means no limit';
comment on column public.credit_unit_limits.period is 'day, week (from Monday) or month, in UTC';
comment on column public.credit_unit_limits.spent is
  'Charged and held in the period that began at period_start, less what was given back; team_member_balances shows the present period';

create index idx_credit_unit_limits_user_id on public.credit_unit_limits (user_id);
create index credit_unit_limits_unit on public.credit_unit_limits (unit);

alter table public.credit_unit_limits enable row level security;
revoke all on public.credit_unit_limits from public, anon, authenticated, service_role;
grant select on public.credit_unit_limits to authenticated, service_role;
-- An upsert writes the columns of the key again.
grant insert (team_id, user_id, unit, credit_limit, period), update (team_id, user_id, unit, credit_limit, period)
  on public.credit_unit_limits to authenticated, service_role;

create policy "members read their own unit limits, owners and admins all" on public.credit_unit_limits
  for select to authenticated
  using (user_id = (select auth.uid()) and team_id = any (array(select private.my_team_ids()))
    or team_id = any (array(select private.my_administered_team_ids())));
create policy "owners and admins set first unit limits of members" on public.credit_unit_limits
  for insert to authenticated
  with check (team_id = any (array(select private.my_administered_team_ids())));
create policy "owners and admins change unit limits of members" on public.credit_unit_limits
  for update to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())))
  with check (team_id = any (array(select private.my_administered_team_ids())));

create trigger update_credit_unit_limits_updated_at before update on public.credit_unit_limits
  for each row execute function public.handle_updated_at();

-- A limit stays with its member and unit: what they have spent is counted in it.
create trigger credit_unit_limits_key before update of team_id, user_id, unit on public.credit_unit_limits
  for each row when ((new.team_id, new.user_id, new.unit) is distinct from (old.team_id, old.user_id, old.unit))
  execute function private.refuse_row();
