-- Public intake: what visitors of a site leave. Anyone writes, the service alone reads.

-- waitlist ---------------------------------------------------------------------------------------

create table public.waitlist (
  id uuid primary key default gen_random_uuid(),
  email text not null,
  created_at timestamptz not null default now(),
  constraint waitlist_email_check check (
    char_length(email) between 3 and 320 and email ~ '^[^@]+@[^@]+$')
);
comment on table public.waitlist is
  'Addresses left before launch. Not unique: a conflict would tell a stranger who is on the list';

alter table public.waitlist enable row level security;
revoke all on public.waitlist from public, anon, authenticated, service_role;
grant insert (email) on public.waitlist to anon, authenticated;
grant select, insert, update, delete on public.waitlist to service_role;

create policy "anyone leaves an address" on public.waitlist
  for insert to anon, authenticated with check (char_length(email) between 3 and 320);

-- site_visits ------------------------------------------------------------------------------------

create table public.site_visits (
  id uuid primary key default gen_random_uuid(),
  user_agent text,
  referrer text,
  path text not null,
  timestamp timestamptz not null default now(),
  constraint site_visits_user_agent_check check (char_length(user_agent) <= 1024),
  constraint site_visits_referrer_check check (char_length(referrer) <= 2048),
  constraint site_visits_path_check check (char_length(path) between 1 and 2048)
);
comment on table public.site_visits is 'Visits of the public site';

alter table public.site_visits enable row level security;
revoke all on public.site_visits from public, anon, authenticated, service_role;
grant insert (user_agent, referrer, path) on public.site_visits to anon, authenticated;
grant select, insert, update, delete on public.site_visits to service_role;

create policy "anyone is counted" on public.site_visits
  for insert to anon, authenticated
  with check (char_length(path) between 1 and 2048
    and coalesce(char_length(user_agent), 0) <= 1024 and coalesce(char_length(referrer), 0) <= 2048);
