-- Teams: members and what each role may do, usage limits, and billing.

create type public.subscription_status_enum as enum (
  'active', 'canceled', 'past_due', 'unpaid', 'incomplete');

-- teams ------------------------------------------------------------------------------------------

create table public.teams (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  tier text not null default 'free',
  email text,
  stripe_customer_id text,
  stripe_subscription_id text,
  subscription_status public.subscription_status_enum not null default 'active',
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean not null default false,
  stripe_status text,
  subscription_quantity integer,
  cancel_at timestamptz,
  trial_end timestamptz,
  pause_collection text,
  pause_resumes_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint teams_name_check check (name <> ''),
  constraint teams_tier_check check (tier in ('free', 'pro', 'enterprise')),
  constraint teams_stripe_customer_id_key unique (stripe_customer_id),
  constraint teams_stripe_subscription_id_key unique (stripe_subscription_id)
);
comment on table public.teams is
  'Organisations and their subscriptions. The server creates a team together with its first member, an owner';
comment on column public.teams.cancel_at_period_end is 'Whether the subscription ends with the current period';
comment on column public.teams.stripe_status is
  'The status of the subscription in Stripe, which has more values than subscription_status';
comment on column public.teams.subscription_quantity is 'Units, such as seats, of the price that gives the tier';
comment on column public.teams.cancel_at is 'When the subscription will end, if its end is scheduled';
comment on column public.teams.trial_end is 'When the trial ends or ended; null without a trial';
comment on column public.teams.pause_collection is
  'While the collection of payments is paused, what happens to invoices: keep_as_draft, mark_uncollectible or void';
comment on column public.teams.pause_resumes_at is 'When the collection of payments resumes; null if no time was set';

alter table public.teams enable row level security;
revoke all on public.teams from public, anon, authenticated, service_role;
grant select on public.teams to authenticated;
grant update (name, email, updated_at)
  on public.teams to authenticated;
grant select, insert, update, delete on public.teams to service_role;

create trigger update_teams_updated_at before update on public.teams
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.teams', rows => 1, bytes => 1048576, owner => 'id');

-- team_members -----------------------------------------------------------------------------------

create table public.team_members (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint team_members_role_check check (role in ('owner', 'admin', 'member')),
  constraint team_members_unique unique (team_id, user_id)
);
comment on table public.team_members is 'Members of teams and their roles';

create index idx_team_members_user_id on public.team_members (user_id);

alter table public.team_members enable row level security;
revoke all on public.team_members from public, anon, authenticated, service_role;
grant select on public.team_members to authenticated;
grant update (role, updated_at)
  on public.team_members to authenticated;
grant delete on public.team_members to authenticated;
grant select, insert, update, delete on public.team_members to service_role;

create trigger update_team_members_updated_at before update on public.team_members
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.team_members', rows => 1000, owner => 'team_id');

-- Roles ---------------------------------------------------------------------------------------------

-- What a role may do in its team:
--                                                                              member  admin  owner
--   read the team, its members, usage limits, projects and credit balance        yes    yes    yes
--   write into its projects, edit its workflows, spend its credits               yes    yes    yes
--   leave the team                                                               yes    yes    unless it is the last
--   change the team, its billing details, credit alert and members' limits       no     yes    yes
--   read its subscription events and all its credit entries                      no     yes    yes
--   change, delete and restore its projects, delete its workflows                no     yes    yes
--   invite and remove members, revoke invitations, change roles                  no     yes    yes
--   invite owners, demote and remove them                                        no     no     yes
--   delete its projects for good, delete the team                                no     no     yes
-- The two views say which roles administer and own a team; nothing else lists roles. Policies and functions ask
-- the helpers: my_..._team_ids for the caller, ..._team for a user that the service names.

create view private.team_administrators as
  select m.team_id, m.user_id from public.team_members as m where m.role in ('owner', 'admin');
comment on view private.team_administrators is 'Who administers each team';
revoke all on private.team_administrators from public, anon, authenticated, service_role;

create view private.team_owners as
  select m.team_id, m.user_id from public.team_members as m where m.role = 'owner';
comment on view private.team_owners is 'Who owns each team';
revoke all on private.team_owners from public, anon, authenticated, service_role;

-- Returns the teams that the caller belongs to, in any role. A query evaluates the set once; a function that takes a
-- team would run for every row. PL/pgSQL keeps its plan for the session, where SQL would plan in every statement.
-- Definer: the policies of team_members call it, and would otherwise call themselves without end (42P17).
create function private.my_team_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select m.team_id from public.team_members as m where m.user_id = (select auth.uid());
end $$;
revoke all on function private.my_team_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_team_ids() to authenticated, service_role;

-- Returns the teams that the caller administers.
-- Definer: as my_team_ids.
create function private.my_administered_team_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.team_id from private.team_administrators as a where a.user_id = (select auth.uid());
end $$;
revoke all on function private.my_administered_team_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_administered_team_ids() to authenticated, service_role;

-- Returns the teams that the caller owns.
-- Definer: as my_team_ids.
create function private.my_owned_team_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select o.team_id from private.team_owners as o where o.user_id = (select auth.uid());
end $$;
revoke all on function private.my_owned_team_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_owned_team_ids() to authenticated, service_role;

-- Returns whether a user administers a team.
create function private.administers_team(user_id uuid, team_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select 1 from private.team_administrators as a
    where a.team_id = administers_team.team_id and a.user_id = administers_team.user_id);
end $$;
revoke all on function private.administers_team(uuid, uuid) from public, anon, authenticated, service_role;

-- Returns whether a user owns a team.
create function private.owns_team(user_id uuid, team_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select 1 from private.team_owners as o
    where o.team_id = owns_team.team_id and o.user_id = owns_team.user_id);
end $$;
revoke all on function private.owns_team(uuid, uuid) from public, anon, authenticated, service_role;

create policy "members read their teams" on public.teams
  for select to authenticated
  using (id = any (array(select private.my_team_ids())));
create policy "owners and admins update their teams" on public.teams
  for update to authenticated
  using (id = any (array(select private.my_administered_team_ids())))
  with check (id = any (array(select private.my_administered_team_ids())));
create policy "members read the members of their teams" on public.team_members
  for select to authenticated
  using (team_id = any (array(select private.my_team_ids())));
-- Nobody is made a member, or an owner, without their consent: see team_invitations.
create policy "owners lower and raise roles, admins all but those of owners" on public.team_members
  for update to authenticated
  using (team_id = any (array(select private.my_owned_team_ids()))
    or role <> 'owner' and team_id = any (array(select private.my_administered_team_ids())))
  with check (role <> 'owner' and team_id = any (array(select private.my_administered_team_ids())));
create policy "owners remove members, admins all but owners, members themselves" on public.team_members
  for delete to authenticated
  using (team_id = any (array(select private.my_owned_team_ids()))
    or role <> 'owner' and (team_id = any (array(select private.my_administered_team_ids()))
      or user_id = (select auth.uid())));

-- A team always has an owner: the last one can neither leave nor step down. When the account of the last owner is
-- deleted, the longest-serving admin becomes owner, or else the longest-serving member. A team without members is deleted.
-- Definer: it counts owners that the caller may not see.
-- Raises: PT409 last_owner.
create function private.keep_team_owner()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The lock makes two owners who leave at the same time take turns.
  perform 1 from public.teams as t where t.id = old.team_id for no key update;
  if not found or exists (
    select 1 from private.team_owners as o where o.team_id = old.team_id) then
    return null;
  end if;
  if exists (select 1 from auth.users as u where u.id = old.user_id) then
    raise exception 'A team must have at least one owner' using errcode = 'PT409', detail = 'last_owner',
      hint = 'Invite another member to be an owner first, or delete the team';
  end if;
  update public.team_members as m set role = 'owner'
  where m.id = (
    select x.id from public.team_members as x where x.team_id = old.team_id
    order by x.role = 'admin' desc, x.created_at, x.id limit 1);
  if not found then
    delete from public.teams as t where t.id = old.team_id;
  end if;
  return null;
end $$;
revoke all on function private.keep_team_owner() from public, anon, authenticated, service_role;

create trigger keep_team_owner after update or delete on public.team_members
  for each row when (old.role = 'owner') execute function private.keep_team_owner();

-- Lets only the owner of a row move it into a team, and only into one that they belong to; the owners and admins of its
-- team can edit the row but not move it. Not part of a policy, which would check every update: a user who has left a
-- team can still edit their own rows in it.
create function private.keep_team()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  -- Row level security does not apply to the service, nor to the deletion of a team. Both may move a row.
  if not row_security_active(tg_relid) then
    return new;
  end if;
  if old.user_id is distinct from (select auth.uid())
    or new.team_id is not null and new.team_id <> all (array(select private.my_team_ids())) then
    raise exception 'Only the owner of a row can change its team, and only to a team that they belong to'
      using errcode = '42501';
  end if;
  return new;
end $$;
revoke all on function private.keep_team() from public, anon, authenticated, service_role;

create trigger forget_idempotency_keys after delete on public.teams
  for each row execute function private.forget_idempotency_keys();

create trigger forget_table_usage after delete on public.teams
  for each row execute function private.forget_table_usage();

-- team_usage_limits ------------------------------------------------------------------------------

create table public.team_usage_limits (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  usage_type text not null,
  limit_value integer not null default 0,
  current_usage integer not null default 0,
  period_start timestamptz not null default now(),
  period_end timestamptz not null default now() + interval '1 month',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint team_usage_limits_usage_type_check check (
    usage_type in ('github_imports', 'storage_mb', 'execution_time_seconds', 'api_calls')),
  constraint team_usage_limits_limit_value_check check (limit_value >= 0),
  constraint team_usage_limits_current_usage_check check (current_usage >= 0),
  constraint team_usage_limits_unique unique (team_id, usage_type)
);
comment on table public.team_usage_limits is 'How much a team may use in a period';

alter table public.team_usage_limits enable row level security;
revoke all on public.team_usage_limits from public, anon, authenticated, service_role;
grant select on public.team_usage_limits to authenticated;
grant select, insert, update, delete on public.team_usage_limits to service_role;

create policy "members read the limits of their teams" on public.team_usage_limits
  for select to authenticated
  using (team_id = any (array(select private.my_team_ids())));

create trigger update_team_usage_limits_updated_at before update on public.team_usage_limits
  for each row execute function public.update_updated_at_column();

-- billing_info -----------------------------------------------------------------------------------

create table public.billing_info (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  company_name text not null,
  company_email text not null,
  tax_id text,
  address text not null,
  city text not null,
  state text not null,
  postal_code text not null,
  country text not null default 'US',
  payment_method text not null default 'card',
  billing_cycle text not null default 'monthly',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint billing_info_team_id_key unique (team_id),
  constraint billing_info_company_email_check check (company_email ~ '^[^@\s]+@[^@\s]+$'),
  constraint billing_info_payment_method_check check (
    payment_method in ('card', 'bank_transfer', 'invoice')),
  constraint billing_info_billing_cycle_check check (billing_cycle in ('monthly', 'annual'))
);
comment on table public.billing_info is 'Invoice address of a team';

alter table public.billing_info enable row level security;
revoke all on public.billing_info from public, anon, authenticated, service_role;
grant select on public.billing_info to authenticated;
grant insert (id, team_id, company_name, company_email, tax_id, address, city, state, postal_code,
  country, payment_method, billing_cycle, updated_at)
  on public.billing_info to authenticated;
grant update (team_id, company_name, company_email, tax_id, address, city, state, postal_code, country,
  payment_method, billing_cycle, updated_at)
  on public.billing_info to authenticated;
grant select, insert, update, delete on public.billing_info to service_role;

create policy "owners and admins read the billing details" on public.billing_info
  for select to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())));
create policy "owners and admins enter billing details" on public.billing_info
  for insert to authenticated
  with check (team_id = any (array(select private.my_administered_team_ids())));
create policy "owners and admins update the billing details" on public.billing_info
  for update to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())))
  with check (team_id = any (array(select private.my_administered_team_ids())));

create trigger update_billing_info_updated_at before update on public.billing_info
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.billing_info', rows => 1, bytes => 1048576, owner => 'team_id');

-- subscription_events ----------------------------------------------------------------------------

create table public.subscription_events (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  stripe_event_id text,
  event_type text not null,
  event_data jsonb not null default '{}'::jsonb,
  processed_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint subscription_events_stripe_event_id_key unique (stripe_event_id),
  constraint subscription_events_event_type_check check (event_type <> '')
);
comment on table public.subscription_events is 'Subscription events received for a team';

create index idx_subscription_events_team_id on public.subscription_events (team_id);

alter table public.subscription_events enable row level security;
revoke all on public.subscription_events from public, anon, authenticated, service_role;
grant select on public.subscription_events to authenticated;
grant select, insert, update, delete on public.subscription_events to service_role;

create policy "owners and admins read subscription events" on public.subscription_events
  for select to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())));
