-- Totals of a CodingIT-1 user's chats: read by the user, written by the service.

-- user_chat_analytics ----------------------------------------------------------------------------

create table public.user_chat_analytics (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  total_sessions integer not null default 0,
  total_messages integer not null default 0,
  total_tokens integer not null default 0,
  total_cost numeric not null default 0,
  model_usage jsonb not null default '{}'::jsonb,
  template_usage jsonb not null default '{}'::jsonb,
  last_activity timestamptz,
  most_active_hour integer,
  most_active_day integer,
  favorite_models text[],
  favorite_templates text[],
  s3_objects_count integer not null default 0,
  estimated_storage_size_bytes bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_chat_analytics_user_id_key unique (user_id),
  constraint user_chat_analytics_total_sessions_check check (total_sessions >= 0),
  constraint user_chat_analytics_total_messages_check check (total_messages >= 0),
  constraint user_chat_analytics_total_tokens_check check (total_tokens >= 0),
  constraint user_chat_analytics_total_cost_check check (total_cost >= 0),
  constraint user_chat_analytics_most_active_hour_check check (most_active_hour between 0 and 23),
  constraint user_chat_analytics_most_active_day_check check (most_active_day between 0 and 6)
);
comment on table public.user_chat_analytics is 'Totals of a CodingIT-1 user''s chats';

alter table public.user_chat_analytics enable row level security;
revoke all on public.user_chat_analytics from public, anon, authenticated, service_role;
grant select on public.user_chat_analytics to authenticated;
grant select, insert, update, delete on public.user_chat_analytics to service_role;

create policy "users read their own analytics" on public.user_chat_analytics
  for select to authenticated using (user_id = (select auth.uid()));

create trigger update_user_chat_analytics_updated_at before update on public.user_chat_analytics
  for each row execute function public.update_updated_at_column();
