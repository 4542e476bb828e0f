-- What only Chuk Chat has: themes, customization preferences, and the view that counts chats and files of projects.
-- Another product deletes this file.

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

select private.limit_table('public.theme_settings', rows => 1, bytes => 1048576);

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

select private.limit_table('public.customization_preferences', rows => 1);

-- project_stats -------------------------------------------------------------------------------------

create view public.project_stats with (security_invoker = true) as
  select p.id, p.user_id, p.title as name, p.is_archived,
    -- Sub-queries in the list are evaluated after the limit of a query: only what is shown is counted.
    (select count(*) from public.project_chats as c where c.project_id = p.id) as chat_count,
    (select count(*) from public.project_files as f where f.project_id = p.id) as file_count,
    (select coalesce(sum(f.file_size), 0)::bigint from public.project_files as f where f.project_id = p.id)
      as total_file_size,
    p.created_at, p.updated_at
  from public.projects as p;
comment on view public.project_stats is 'The projects that the caller may read, with the numbers of their chats and files';
revoke all on public.project_stats from public, anon, authenticated, service_role;
grant select on public.project_stats to authenticated, service_role;
