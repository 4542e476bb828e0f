-- Users: their profiles, preferences and settings, and signing them out.

-- profiles ---------------------------------------------------------------------------------------

create table public.profiles (
  id uuid primary key,
  display_name text,
  preferences jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.profiles is 'One row per account; parent of `conversations`';

alter table public.profiles enable row level security;
revoke all on public.profiles from public, anon, authenticated, service_role;
grant select on public.profiles to authenticated;
grant insert (id, display_name, preferences, updated_at)
  on public.profiles to authenticated;
grant update (id, display_name, preferences, updated_at)
  on public.profiles to authenticated;
grant select, insert, update, delete on public.profiles to service_role;

create policy "a deleted account has no access" on public.profiles
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own profile" on public.profiles
  for select to authenticated using (id = (select auth.uid()));
create policy "users create their own profile" on public.profiles
  for insert to authenticated with check (id = (select auth.uid()));
create policy "users update their own profile" on public.profiles
  for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));

create trigger profiles_updated_at before update on public.profiles
  for each row execute function public.handle_updated_at();
create trigger require_account after insert or update of id on public.profiles
  for each row execute function private.require_account();

-- Last, because conversations refer to it.
insert into private.account_rows (name, place, statement) values
  ('profiles', 99, 'delete from public.profiles where ctid = any (array(
    select ctid from public.profiles where id = $1 limit $2))');

select private.limit_table('public.profiles', rows => 1, bytes => 1048576, owner => 'id');

-- user_profiles ----------------------------------------------------------------------------------

create table public.user_profiles (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  full_name text,
  display_name text,
  first_name text,
  last_name text,
  work_description text,
  avatar_url text,
  onboarding_completed boolean not null default false,
  name text,
  gender text,
  age integer,
  main_goals text[] default '{}',
  challenges text[] default '{}',
  anxiety_frequency text,
  confidence_level text,
  tried_coaching_before text,
  communication_style text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint idx_user_profiles_user_id unique (user_id),
  constraint user_profiles_age_check check (age between 0 and 150)
);
comment on table public.user_profiles is 'Personal details of CodingIT-1 and the onboarding answers of Sorar AI';

alter table public.user_profiles enable row level security;
revoke all on public.user_profiles from public, anon, authenticated, service_role;
grant select on public.user_profiles to authenticated;
grant insert (id, user_id, full_name, display_name, first_name, last_name, work_description,
  avatar_url, onboarding_completed, name, gender, age, main_goals, challenges, anxiety_frequency,
  confidence_level, tried_coaching_before, communication_style, updated_at)
  on public.user_profiles to authenticated;
grant update (user_id, full_name, display_name, first_name, last_name, work_description,
  avatar_url, onboarding_completed, name, gender, age, main_goals, challenges, anxiety_frequency,
  confidence_level, tried_coaching_before, communication_style, updated_at)
  on public.user_profiles to authenticated;
grant delete on public.user_profiles to authenticated;
grant select, insert, update, delete on public.user_profiles to service_role;

create policy "users read their own personal details" on public.user_profiles
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own personal details" on public.user_profiles
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own personal details" on public.user_profiles
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own personal details" on public.user_profiles
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_profiles_updated_at before update on public.user_profiles
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.user_profiles', rows => 1, bytes => 1048576);

alter publication supabase_realtime add table public.user_profiles;

-- user_preferences -------------------------------------------------------------------------------

create table public.user_preferences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  selected_model_id text,
  system_prompt text,
  preferences jsonb not null default '{}'::jsonb,
  ai_assistance boolean not null default true,
  smart_suggestions boolean not null default false,
  theme text not null default 'system',
  font_family text not null default 'inter',
  email_notifications boolean not null default true,
  marketing_emails boolean not null default false,
  security_alerts boolean not null default true,
  analytics_enabled boolean not null default true,
  data_sharing_enabled boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint idx_user_preferences_user_id unique (user_id),
  constraint user_preferences_theme_check check (theme in ('light', 'dark', 'system')),
  constraint user_preferences_font_family_check check (
    font_family in ('inter', 'jetbrains-mono', 'cal-sans'))
);
comment on table public.user_preferences is 'Model choice and system prompt (Chuk Chat) and interface preferences (CodingIT-1)';

alter table public.user_preferences enable row level security;
revoke all on public.user_preferences from public, anon, authenticated, service_role;
grant select on public.user_preferences to authenticated;
grant insert (id, user_id, selected_model_id, system_prompt, preferences, ai_assistance,
  smart_suggestions, theme, font_family, email_notifications, marketing_emails, security_alerts,
  analytics_enabled, data_sharing_enabled, updated_at)
  on public.user_preferences to authenticated;
grant update (user_id, selected_model_id, system_prompt, preferences, ai_assistance,
  smart_suggestions, theme, font_family, email_notifications, marketing_emails, security_alerts,
  analytics_enabled, data_sharing_enabled, updated_at)
  on public.user_preferences to authenticated;
grant delete on public.user_preferences to authenticated;
grant select, insert, update, delete on public.user_preferences to service_role;

create policy "users read their own preferences" on public.user_preferences
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own preferences" on public.user_preferences
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own preferences" on public.user_preferences
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own preferences" on public.user_preferences
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_preferences_updated_at before update on public.user_preferences
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.user_preferences', rows => 1, bytes => 1048576);

-- user_settings ----------------------------------------------------------------------------------

create table public.user_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  theme text not null default 'system',
  notifications_enabled boolean not null default true,
  notifications boolean not null,
  email_notifications boolean not null default true,
  push_notifications boolean not null default true,
  language text not null default 'en',
  timezone text not null default 'UTC',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint idx_user_settings_user_id unique (user_id),
  constraint user_settings_theme_check check (theme in ('light', 'dark', 'system'))
);
comment on table public.user_settings is 'App settings of Sorar AI';
comment on column public.user_settings.notifications is
  'The same as notifications_enabled, under the name of the diagram: a trigger keeps both equal, and the one that changes wins';

alter table public.user_settings enable row level security;
revoke all on public.user_settings from public, anon, authenticated, service_role;
grant select on public.user_settings to authenticated;
grant insert (id, user_id, theme, notifications_enabled, notifications, email_notifications, push_notifications,
  language, timezone, updated_at)
  on public.user_settings to authenticated;
grant update (user_id, theme, notifications_enabled, notifications, email_notifications, push_notifications,
  language, timezone, updated_at)
  on public.user_settings to authenticated;
grant delete on public.user_settings to authenticated;
grant select, insert, update, delete on public.user_settings to service_role;

create policy "users read their own settings" on public.user_settings
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own settings" on public.user_settings
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own settings" on public.user_settings
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own settings" on public.user_settings
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_settings_updated_at before update on public.user_settings
  for each row execute function public.handle_updated_at();

select private.limit_table('public.user_settings', rows => 1, bytes => 1048576);

create function private.sync_notifications()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.notifications_enabled := coalesce(new.notifications, new.notifications_enabled);
  elsif new.notifications is distinct from old.notifications then
    new.notifications_enabled := new.notifications;
  end if;
  new.notifications := new.notifications_enabled;
  return new;
end $$;
comment on function private.sync_notifications() is
  'Trigger function: keeps notifications and notifications_enabled equal';
revoke all on function private.sync_notifications() from public, anon, authenticated, service_role;

create trigger sync_notifications before insert or update of notifications, notifications_enabled on public.user_settings
  for each row execute function private.sync_notifications();

-- user_security_settings -------------------------------------------------------------------------

create table public.user_security_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  two_factor_enabled boolean not null default false,
  backup_codes text[],
  last_password_change timestamptz,
  login_notifications boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_security_settings_user_id_key unique (user_id)
);
comment on table public.user_security_settings is 'Security settings on the account page. Users edit their own, so no authorisation may rely on them';

alter table public.user_security_settings enable row level security;
revoke all on public.user_security_settings from public, anon, authenticated, service_role;
grant select on public.user_security_settings to authenticated;
grant insert (id, user_id, two_factor_enabled, backup_codes, last_password_change,
  login_notifications, updated_at)
  on public.user_security_settings to authenticated;
grant update (user_id, two_factor_enabled, backup_codes, last_password_change, login_notifications,
  updated_at)
  on public.user_security_settings to authenticated;
grant delete on public.user_security_settings to authenticated;
grant select, insert, update, delete on public.user_security_settings to service_role;

create policy "users read their own security settings" on public.user_security_settings
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own security settings" on public.user_security_settings
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own security settings" on public.user_security_settings
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own security settings" on public.user_security_settings
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_security_settings_updated_at before update on public.user_security_settings
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.user_security_settings', rows => 1, bytes => 1048576);

-- Sessions ------------------------------------------------------------------------------------------

-- Ends all sessions of a user and revokes their refresh tokens. An access token stays valid until it expires.
-- Definer: the service has no rights in the schema auth. For the service only.
create function public.revoke_user_sessions(user_uuid uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- refresh_tokens.user_id is text.
  update auth.refresh_tokens as t set revoked = true where t.user_id::text = user_uuid::text;
  delete from auth.sessions as s where s.user_id = user_uuid;
end $$;
comment on function public.revoke_user_sessions(uuid) is 'Signs a user out everywhere';
revoke all on function public.revoke_user_sessions(uuid) from public, anon, authenticated;
grant execute on function public.revoke_user_sessions(uuid) to service_role;
