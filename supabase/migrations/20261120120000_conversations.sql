-- Conversations: only the user who started one reads and changes it.

-- conversations ----------------------------------------------------------------------------------

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  title text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
  -- As for projects: every message sets updated_at.
) with (fillfactor = 85);
comment on table public.conversations is 'Conversations of Wbot';

create index idx_conversations_user_id on public.conversations (user_id);
create index idx_conversations_updated_at on public.conversations using brin (updated_at);

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

select private.limit_table('public.conversations', rows => 100000, bytes => 67108864,
  changes => 'title');
