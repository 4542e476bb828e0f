-- Conversations: Wbot's chats, and the threads of CodingIT-1. Their messages are in ..._messages.sql.

-- conversations ----------------------------------------------------------------------------------

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  title text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.conversations is 'Wbot''s wellness chats';

create index idx_conversations_user_id on public.conversations (user_id);
create index idx_conversations_updated_at on public.conversations (updated_at desc);

alter table public.conversations enable row level security;
revoke all on public.conversations from public, anon, authenticated, service_role;
grant select on public.conversations to authenticated;
grant insert (id, user_id, title, updated_at)
  on public.conversations to authenticated;
grant update (title, updated_at)
  on public.conversations to authenticated;
grant delete on public.conversations to authenticated;
grant select, insert, update, delete on public.conversations to service_role;

create policy "users read their own conversations" on public.conversations
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own conversations" on public.conversations
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own conversations" on public.conversations
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own conversations" on public.conversations
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger conversations_updated_at before update on public.conversations
  for each row execute function public.handle_updated_at();

-- conversation_threads ---------------------------------------------------------------------------

create table public.conversation_threads (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  created_by uuid not null references auth.users (id) on delete cascade,
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversation_threads_name_check check (name <> '')
);
comment on table public.conversation_threads is 'Threads created by a CodingIT-1 user. The seed names no message table for them, so there is none';

create index idx_conversation_threads_created_by on public.conversation_threads (created_by);

alter table public.conversation_threads enable row level security;
revoke all on public.conversation_threads from public, anon, authenticated, service_role;
grant select on public.conversation_threads to authenticated;
grant insert (id, name, created_by, is_archived, updated_at)
  on public.conversation_threads to authenticated;
grant update (name, is_archived, updated_at)
  on public.conversation_threads to authenticated;
grant delete on public.conversation_threads to authenticated;
grant select, insert, update, delete on public.conversation_threads to service_role;

create policy "users read their own threads" on public.conversation_threads
  for select to authenticated
  using (created_by = (select auth.uid()));
create policy "users create their own threads" on public.conversation_threads
  for insert to authenticated
  with check (created_by = (select auth.uid()));
create policy "users update their own threads" on public.conversation_threads
  for update to authenticated
  using (created_by = (select auth.uid()))
  with check (created_by = (select auth.uid()));
create policy "users delete their own threads" on public.conversation_threads
  for delete to authenticated
  using (created_by = (select auth.uid()));

create trigger update_conversation_threads_updated_at before update on public.conversation_threads
  for each row execute function public.update_updated_at_column();
