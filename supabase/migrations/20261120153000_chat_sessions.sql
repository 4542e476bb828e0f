-- Chat sessions, which CodingIT-1 and Sorar AI share.

-- chat_sessions ----------------------------------------------------------------------------------

create table public.chat_sessions (
  id uuid primary key default gen_random_uuid(),
  session_id text not null default gen_random_uuid()::text,
  user_id uuid not null references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete set null,
  scenario_id text,
  title text,
  status text not null default 'active',
  score numeric,
  message_count integer not null default 0,
  model text,
  template text,
  s3_metadata_key text,
  s3_messages_key text,
  total_tokens integer not null default 0,
  estimated_cost numeric not null default 0,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_activity timestamptz not null default now(),
  constraint chat_sessions_session_id_key unique (session_id),
  constraint chat_sessions_status_check check (
    status in ('active', 'archived', 'deleted', 'completed')),
  constraint chat_sessions_message_count_check check (message_count >= 0),
  constraint chat_sessions_total_tokens_check check (total_tokens >= 0),
  constraint chat_sessions_estimated_cost_check check (estimated_cost >= 0)
);
comment on table public.chat_sessions is 'Chat sessions of CodingIT-1 and coaching sessions of Sorar AI';

create index idx_chat_sessions_user_id on public.chat_sessions (user_id);
create index idx_chat_sessions_team_id on public.chat_sessions (team_id);
create index idx_chat_sessions_status on public.chat_sessions (status);
create index idx_chat_sessions_last_activity on public.chat_sessions (last_activity desc);

alter table public.chat_sessions enable row level security;
revoke all on public.chat_sessions from public, anon, authenticated, service_role;
grant select on public.chat_sessions to authenticated;
grant insert (id, session_id, user_id, team_id, scenario_id, title, status, score, message_count,
  model, template, s3_metadata_key, s3_messages_key, total_tokens, estimated_cost, metadata,
  updated_at, last_activity)
  on public.chat_sessions to authenticated;
grant update (session_id, team_id, scenario_id, title, status, score, message_count, model,
  template, s3_metadata_key, s3_messages_key, total_tokens, estimated_cost, metadata, updated_at,
  last_activity)
  on public.chat_sessions to authenticated;
grant delete on public.chat_sessions to authenticated;
grant select, insert, update, delete on public.chat_sessions to service_role;

create policy "users read their own sessions" on public.chat_sessions
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own sessions" on public.chat_sessions
  for insert to authenticated
  with check (user_id = (select auth.uid())
    and (team_id is null or team_id = any (array(select private.my_team_ids()))));
create policy "users update their own sessions" on public.chat_sessions
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own sessions" on public.chat_sessions
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger keep_team before update on public.chat_sessions
  for each row when (new.team_id is distinct from old.team_id) execute function private.keep_team();

create trigger update_chat_sessions_updated_at before update on public.chat_sessions
  for each row execute function public.update_updated_at_column();

alter publication supabase_realtime add table public.chat_sessions;
