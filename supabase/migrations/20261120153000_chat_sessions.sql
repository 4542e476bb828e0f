-- Chat sessions, which CodingIT-1 and Sorar AI share, and their messages. Sorar AI keeps messages in chat_messages,
-- CodingIT-1 in chat_message_cache; the view counts both.

-- chat_sessions ----------------------------------------------------------------------------------

create table public.chat_sessions (
  id uuid primary key default gen_random_uuid(),
  session_id text not null default gen_random_uuid()::text,
  user_id uuid not null,
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
  -- Of each user: otherwise, one user could take the ids of another, or find out which are taken.
  constraint chat_sessions_session_id_key unique (user_id, session_id),
  constraint chat_sessions_status_check check (
    status in ('active', 'archived', 'deleted', 'completed')),
  constraint chat_sessions_message_count_check check (message_count >= 0),
  constraint chat_sessions_total_tokens_check check (total_tokens >= 0),
  constraint chat_sessions_estimated_cost_check check (estimated_cost >= 0)
);
comment on table public.chat_sessions is 'Chat sessions of CodingIT-1 and coaching sessions of Sorar AI';

create index idx_chat_sessions_user_id on public.chat_sessions (user_id, last_activity desc);
create index idx_chat_sessions_team_id on public.chat_sessions (team_id);
create index idx_chat_sessions_status on public.chat_sessions (status);

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

create policy "a deleted account has no access" on public.chat_sessions
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
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

create trigger require_account after insert or update of user_id on public.chat_sessions
  for each row execute function private.require_account();

insert into private.account_rows (name, place, statement) values
  ('chat_sessions', 40, 'delete from public.chat_sessions where ctid = any (array(
    select ctid from public.chat_sessions where user_id = $1 limit $2))');

create trigger keep_team before update on public.chat_sessions
  for each row when (new.team_id is distinct from old.team_id) execute function private.keep_team();

create trigger update_chat_sessions_updated_at before update on public.chat_sessions
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.chat_sessions', rows => 100000, bytes => 67108864);

alter publication supabase_realtime add table public.chat_sessions;

-- Invoker: a caller that may not read the session gets null, and the row is refused.
create function private.take_session_owner()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  select s.user_id into new.user_id from public.chat_sessions as s where s.id = new.session_id;
  return new;
end $$;
comment on function private.take_session_owner() is 'Trigger function: copies the owner of the session into the row';
revoke all on function private.take_session_owner() from public, anon, authenticated, service_role;

-- chat_messages ----------------------------------------------------------------------------------

create table public.chat_messages (
  id uuid primary key default gen_random_uuid(),
  session_id uuid not null references public.chat_sessions (id) on delete cascade,
  -- As in project_files.
  user_id uuid not null default auth.uid(),
  sender text not null,
  content text,
  audio_url text,
  feedback jsonb,
  created_at timestamptz not null default clock_timestamp(),
  constraint chat_messages_sender_check check (sender in ('user', 'ai'))
);
comment on table public.chat_messages is 'Messages of coaching sessions of Sorar AI';
comment on column public.chat_messages.user_id is 'The owner of the session, set by a trigger';

create index idx_chat_messages_session_created on public.chat_messages (session_id, created_at);
create index chat_messages_user_created on public.chat_messages (user_id, created_at desc);

alter table public.chat_messages enable row level security;
revoke all on public.chat_messages from public, anon, authenticated, service_role;
grant select on public.chat_messages to authenticated;
grant insert (id, session_id, sender, content, audio_url, feedback)
  on public.chat_messages to authenticated;
grant update (sender, content, audio_url, feedback)
  on public.chat_messages to authenticated;
grant delete on public.chat_messages to authenticated;
grant select, insert, update, delete on public.chat_messages to service_role;

create policy "a deleted account has no access" on public.chat_messages
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read messages of their own sessions" on public.chat_messages
  for select to authenticated
  using (user_id = (select auth.uid()));
create policy "users write messages into their own sessions" on public.chat_messages
  for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy "users update messages of their own sessions" on public.chat_messages
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create policy "users delete messages of their own sessions" on public.chat_messages
  for delete to authenticated
  using (user_id = (select auth.uid()));

create trigger take_session_owner before insert or update of session_id, user_id on public.chat_messages
  for each row execute function private.take_session_owner();

select private.limit_table('public.chat_messages', rows => 1000000, bytes => 1073741824);

insert into private.account_rows (name, place, statement) values
  ('chat_messages', 20, 'delete from public.chat_messages where ctid = any (array(
    select ctid from public.chat_messages where user_id = $1 limit $2))');

alter publication supabase_realtime add table public.chat_messages;

-- chat_message_cache -----------------------------------------------------------------------------

create table public.chat_message_cache (
  id uuid primary key default gen_random_uuid(),
  session_id uuid not null references public.chat_sessions (id) on delete cascade,
  -- As in project_files.
  user_id uuid not null default auth.uid(),
  message_id text not null,
  role text not null,
  content text not null,
  content_hash text,
  model text,
  template text,
  token_count integer,
  execution_time_ms integer,
  created_at timestamptz not null default clock_timestamp(),
  content_vector tsvector generated always as (to_tsvector('english', content)) stored,
  constraint chat_message_cache_role_check check (role in ('user', 'assistant', 'system')),
  constraint chat_message_cache_token_count_check check (token_count >= 0),
  constraint chat_message_cache_execution_time_ms_check check (execution_time_ms >= 0)
);
comment on table public.chat_message_cache is 'Searchable copy of the messages of CodingIT-1''s sessions';
comment on column public.chat_message_cache.user_id is 'The owner of the session, set by a trigger';

create index idx_chat_message_cache_content_vector on public.chat_message_cache using gin (content_vector);
create index idx_chat_message_cache_session_id on public.chat_message_cache (session_id, created_at);
create index chat_message_cache_user_created on public.chat_message_cache (user_id, created_at desc);

alter table public.chat_message_cache enable row level security;
revoke all on public.chat_message_cache from public, anon, authenticated, service_role;
grant select on public.chat_message_cache to authenticated;
grant insert (id, session_id, message_id, role, content, content_hash, model, template,
  token_count, execution_time_ms)
  on public.chat_message_cache to authenticated;
grant update (message_id, role, content, content_hash, model, template, token_count,
  execution_time_ms)
  on public.chat_message_cache to authenticated;
grant delete on public.chat_message_cache to authenticated;
grant select, insert, update, delete on public.chat_message_cache to service_role;

create policy "a deleted account has no access" on public.chat_message_cache
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read cached messages of their own sessions" on public.chat_message_cache
  for select to authenticated
  using (user_id = (select auth.uid()));
create policy "users write cached messages into their own sessions" on public.chat_message_cache
  for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy "users update cached messages of their own sessions" on public.chat_message_cache
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create policy "users delete cached messages of their own sessions" on public.chat_message_cache
  for delete to authenticated
  using (user_id = (select auth.uid()));

create trigger take_session_owner before insert or update of session_id, user_id on public.chat_message_cache
  for each row execute function private.take_session_owner();

select private.limit_table('public.chat_message_cache', rows => 1000000, bytes => 1073741824);

insert into private.account_rows (name, place, statement) values
  ('chat_message_cache', 20, 'delete from public.chat_message_cache where ctid = any (array(
    select ctid from public.chat_message_cache where user_id = $1 limit $2))');

-- chat_sessions_with_counts -------------------------------------------------------------------------

create view public.chat_sessions_with_counts with (security_invoker = true) as
  select s.id, s.session_id, s.user_id, s.team_id, s.scenario_id, s.title, s.status, s.score, s.model,
    s.template, s.metadata, s.created_at, s.updated_at, s.last_activity,
    -- As in project_stats, only the sessions that a query shows are counted.
    (select count(*) from public.chat_messages as m where m.session_id = s.id)
      + (select count(*) from public.chat_message_cache as c where c.session_id = s.id) as message_count,
    greatest((select max(m.created_at) from public.chat_messages as m where m.session_id = s.id),
      (select max(c.created_at) from public.chat_message_cache as c where c.session_id = s.id)) as last_message_at
  from public.chat_sessions as s;
comment on view public.chat_sessions_with_counts is 'The caller''s sessions with the numbers of their messages';
revoke all on public.chat_sessions_with_counts from public, anon, authenticated, service_role;
grant select on public.chat_sessions_with_counts to authenticated, service_role;
