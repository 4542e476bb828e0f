-- Who a user is: profiles, preferences and settings, readable and writable by their owner alone. The rows
-- that every account has are made by the sign-up trigger (..._sign_up.sql).
--
-- Where an account has one row, clients upsert it by its user_id, which writes that column too: the
-- policies see to it that a row stays its owner's.

-- profiles ---------------------------------------------------------------------------------------

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
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

create policy "users read their own profile" on public.profiles
  for select to authenticated using (id = (select auth.uid()));
create policy "users create their own profile" on public.profiles
  for insert to authenticated with check (id = (select auth.uid()));
create policy "users update their own profile" on public.profiles
  for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));

create trigger profiles_updated_at before update on public.profiles
  for each row execute function public.handle_updated_at();

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

-- user_settings ----------------------------------------------------------------------------------

create table public.user_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  theme text not null default 'system',
  notifications_enabled boolean not null default true,
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

alter table public.user_settings enable row level security;
revoke all on public.user_settings from public, anon, authenticated, service_role;
grant select on public.user_settings to authenticated;
grant insert (id, user_id, theme, notifications_enabled, email_notifications, push_notifications,
  language, timezone, updated_at)
  on public.user_settings to authenticated;
grant update (user_id, theme, notifications_enabled, email_notifications, push_notifications,
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

-- The setting under the name that Sorar AI's diagram gives it.
create function public.notifications(user_settings)
returns boolean
language sql immutable set search_path = ''
as $$
  select $1.notifications_enabled
$$;
comment on function public.notifications(user_settings) is 'Computed field: notifications_enabled';
revoke all on function public.notifications(user_settings) from public, anon, authenticated, service_role;
grant execute on function public.notifications(user_settings) to authenticated, service_role;

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
comment on table public.user_security_settings is 'What the account page shows about security. Its owner edits it, so nothing may authorise by it';

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

-- user_integrations ------------------------------------------------------------------------------

create table public.user_integrations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  service_name text not null,
  is_connected boolean not null default false,
  connection_data jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_integrations_service_name_check check (
    service_name in ('github', 'google_drive', 'gmail', 'google_calendar', 'artifacts')),
  constraint user_integrations_unique unique (user_id, service_name)
);
comment on table public.user_integrations is 'One connection per user and outside service';

alter table public.user_integrations enable row level security;
revoke all on public.user_integrations from public, anon, authenticated, service_role;
grant select on public.user_integrations to authenticated;
grant insert (id, user_id, service_name, is_connected, connection_data, updated_at)
  on public.user_integrations to authenticated;
grant update (user_id, service_name, is_connected, connection_data, updated_at)
  on public.user_integrations to authenticated;
grant delete on public.user_integrations to authenticated;
grant select, insert, update, delete on public.user_integrations to service_role;

create policy "users read their own integrations" on public.user_integrations
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own integrations" on public.user_integrations
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own integrations" on public.user_integrations
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own integrations" on public.user_integrations
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_integrations_updated_at before update on public.user_integrations
  for each row execute function public.update_updated_at_column();

-- theme_settings ---------------------------------------------------------------------------------

create table public.theme_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  theme_mode text not null default 'system',
  accent_color text,
  background_color text,
  icon_foreground_color text,
  grain_enabled boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint idx_theme_settings_user_id unique (user_id),
  constraint theme_settings_theme_mode_check check (theme_mode in ('light', 'dark', 'system'))
);
comment on table public.theme_settings is 'Theme of Chuk Chat';

alter table public.theme_settings enable row level security;
revoke all on public.theme_settings from public, anon, authenticated, service_role;
grant select on public.theme_settings to authenticated;
grant insert (id, user_id, theme_mode, accent_color, background_color, icon_foreground_color,
  grain_enabled, updated_at)
  on public.theme_settings to authenticated;
grant update (user_id, theme_mode, accent_color, background_color, icon_foreground_color,
  grain_enabled, updated_at)
  on public.theme_settings to authenticated;
grant delete on public.theme_settings to authenticated;
grant select, insert, update, delete on public.theme_settings to service_role;

create policy "users read their own theme" on public.theme_settings
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own theme" on public.theme_settings
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own theme" on public.theme_settings
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own theme" on public.theme_settings
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_theme_settings_updated_at before update on public.theme_settings
  for each row execute function public.handle_updated_at();

-- customization_preferences ----------------------------------------------------------------------

create table public.customization_preferences (
  user_id uuid primary key references auth.users (id) on delete cascade,
  auto_send_voice_transcription boolean not null default false,
  show_reasoning_tokens boolean not null default true,
  show_model_info boolean not null default true,
  show_tps boolean not null default false,
  image_gen_enabled boolean not null default false,
  image_gen_default_size text not null default 'landscape_4_3',
  image_gen_custom_width integer not null default 1024,
  image_gen_custom_height integer not null default 768,
  image_gen_use_custom_size boolean not null default false,
  include_recent_images_in_history boolean not null default true,
  include_all_images_in_history boolean not null default false,
  include_reasoning_in_history boolean not null default false,
  tool_calling_enabled boolean not null default true,
  tool_discovery_mode boolean not null default true,
  show_tool_calls boolean not null default true,
  allow_markdown_tool_calls boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customization_preferences_image_gen_default_size_check check (
    image_gen_default_size in ('square_hd', 'square', 'portrait_4_3', 'portrait_16_9', 'landscape_4_3', 'landscape_16_9')),
  constraint customization_preferences_image_gen_custom_width_check check (image_gen_custom_width between 256 and 2048),
  constraint customization_preferences_image_gen_custom_height_check check (image_gen_custom_height between 256 and 2048)
);
comment on table public.customization_preferences is 'Which features Chuk Chat shows';

alter table public.customization_preferences enable row level security;
revoke all on public.customization_preferences from public, anon, authenticated, service_role;
grant select on public.customization_preferences to authenticated;
grant insert (user_id, auto_send_voice_transcription, show_reasoning_tokens, show_model_info,
  show_tps, image_gen_enabled, image_gen_default_size, image_gen_custom_width,
  image_gen_custom_height, image_gen_use_custom_size, include_recent_images_in_history,
  include_all_images_in_history, include_reasoning_in_history, tool_calling_enabled,
  tool_discovery_mode, show_tool_calls, allow_markdown_tool_calls, updated_at)
  on public.customization_preferences to authenticated;
grant update (user_id, auto_send_voice_transcription, show_reasoning_tokens, show_model_info,
  show_tps, image_gen_enabled, image_gen_default_size, image_gen_custom_width,
  image_gen_custom_height, image_gen_use_custom_size, include_recent_images_in_history,
  include_all_images_in_history, include_reasoning_in_history, tool_calling_enabled,
  tool_discovery_mode, show_tool_calls, allow_markdown_tool_calls, updated_at)
  on public.customization_preferences to authenticated;
grant delete on public.customization_preferences to authenticated;
grant select, insert, update, delete on public.customization_preferences to service_role;

create policy "users read their own customization" on public.customization_preferences
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own customization" on public.customization_preferences
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own customization" on public.customization_preferences
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own customization" on public.customization_preferences
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_customization_preferences_updated_at before update on public.customization_preferences
  for each row execute function public.handle_updated_at();

-- api_keys ---------------------------------------------------------------------------------------

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null,
  key_hash text not null,
  key_prefix text not null,
  permissions jsonb not null default '{}'::jsonb,
  last_used_at timestamptz,
  expires_at timestamptz,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint api_keys_name_check check (name <> ''),
  constraint api_keys_key_hash_key unique (key_hash),
  constraint api_keys_key_prefix_check check (key_prefix <> '')
);
comment on table public.api_keys is
  'Programmatic keys a user has issued. Made by the server, which alone sees the key: clients cannot insert';
comment on column public.api_keys.key_hash is 'SHA-256 of the key, never the key';

create index idx_api_keys_user_id on public.api_keys (user_id);

alter table public.api_keys enable row level security;
revoke all on public.api_keys from public, anon, authenticated, service_role;
grant select on public.api_keys to authenticated;
grant update (name, permissions, expires_at, is_active, updated_at)
  on public.api_keys to authenticated;
grant delete on public.api_keys to authenticated;
grant select, insert, update, delete on public.api_keys to service_role;

create policy "users read their own API keys" on public.api_keys
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users update their own API keys" on public.api_keys
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own API keys" on public.api_keys
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_api_keys_updated_at before update on public.api_keys
  for each row execute function public.update_updated_at_column();
