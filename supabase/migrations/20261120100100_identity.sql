-- Who a user is: one profile per account, readable and writable by its owner alone.
-- Rows are made by the sign-up trigger (..._sign_up.sql).

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  display_name text,
  preferences jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.profiles is 'One row per account';
comment on column public.profiles.id is 'The account: auth.users.id';
comment on column public.profiles.preferences is 'The client''s own; the server reads nothing from it';

alter table public.profiles enable row level security;

-- Clients upsert, which writes the key too and often updated_at: the policies and the trigger decide
-- what becomes of these.
revoke all on public.profiles from public, anon, authenticated, service_role;
grant select on public.profiles to authenticated;
grant insert (id, display_name, preferences, updated_at) on public.profiles to authenticated;
grant update (id, display_name, preferences, updated_at) on public.profiles to authenticated;
grant select, insert, update, delete on public.profiles to service_role;

create policy "users read their own profile" on public.profiles
  for select to authenticated using (id = (select auth.uid()));
create policy "users create their own profile" on public.profiles
  for insert to authenticated with check (id = (select auth.uid()));
create policy "users update their own profile" on public.profiles
  for update to authenticated using (id = (select auth.uid())) with check (id = (select auth.uid()));

create trigger profiles_updated_at before update on public.profiles
  for each row execute function public.handle_updated_at();
