-- Chuk Chat's end-to-end encrypted chats: opaque to the database, which has no key and reads nothing of them.

-- encrypted_chats --------------------------------------------------------------------------------

create table public.encrypted_chats (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  encrypted_data text not null,
  encrypted_title text,
  title text,
  custom_name text,
  is_starred boolean not null default false,
  image_paths text[] default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint encrypted_chats_encrypted_data_check check (encrypted_data <> '')
);
comment on table public.encrypted_chats is 'End-to-end encrypted chats';
comment on column public.encrypted_chats.encrypted_data is 'Ciphertext: an envelope made by the client';
comment on column public.encrypted_chats.image_paths is 'Object names in the bucket chat-images';

create index idx_encrypted_chats_user_id on public.encrypted_chats (user_id);
create index idx_encrypted_chats_user_updated on public.encrypted_chats (user_id, updated_at);
create index idx_encrypted_chats_starred on public.encrypted_chats (user_id) where is_starred;

alter table public.encrypted_chats enable row level security;
revoke all on public.encrypted_chats from public, anon, authenticated, service_role;
grant select on public.encrypted_chats to authenticated;
grant insert (id, user_id, encrypted_data, encrypted_title, title, custom_name, is_starred,
  image_paths, updated_at)
  on public.encrypted_chats to authenticated;
grant update (encrypted_data, encrypted_title, title, custom_name, is_starred, image_paths,
  updated_at)
  on public.encrypted_chats to authenticated;
grant delete on public.encrypted_chats to authenticated;
grant select, insert, update, delete on public.encrypted_chats to service_role;

create policy "users read their own chats" on public.encrypted_chats
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own chats" on public.encrypted_chats
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own chats" on public.encrypted_chats
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own chats" on public.encrypted_chats
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_encrypted_chats_updated_at before update on public.encrypted_chats
  for each row execute function public.handle_updated_at();

-- project_chats ----------------------------------------------------------------------------------

create table public.project_chats (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  chat_id uuid not null references public.encrypted_chats (id) on delete cascade,
  added_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint unique_project_chat unique (project_id, chat_id)
);
comment on table public.project_chats is 'Which chats belong to which project (many to many)';

create index idx_project_chats_project_id on public.project_chats (project_id);
create index idx_project_chats_chat_id on public.project_chats (chat_id);

alter table public.project_chats enable row level security;
revoke all on public.project_chats from public, anon, authenticated, service_role;
grant select on public.project_chats to authenticated;
grant insert (id, project_id, chat_id, added_at)
  on public.project_chats to authenticated;
grant delete on public.project_chats to authenticated;
grant select, insert, update, delete on public.project_chats to service_role;

create policy "users read the chats of their own projects" on public.project_chats
  for select to authenticated
  using (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())));
create policy "users link their own chats to their own projects" on public.project_chats
  for insert to authenticated
  with check (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))
  and exists (
    select 1 from public.encrypted_chats as c
    where c.id = chat_id and c.user_id = (select auth.uid())));
create policy "users unlink the chats of their own projects" on public.project_chats
  for delete to authenticated
  using (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())));

-- project_stats -------------------------------------------------------------------------------------

create view public.project_stats with (security_invoker = true) as
  select p.id, p.user_id, p.title as name, p.is_archived,
    (select count(*) from public.project_chats as c where c.project_id = p.id) as chat_count,
    f.file_count, f.total_file_size, p.created_at, p.updated_at
  from public.projects as p
  cross join lateral (
    select count(*) as file_count, coalesce(sum(pf.file_size), 0)::bigint as total_file_size
    from public.project_files as pf where pf.project_id = p.id) as f;
comment on view public.project_stats is 'Each project that the caller sees, with its chats and files counted';
revoke all on public.project_stats from public, anon, authenticated, service_role;
grant select on public.project_stats to authenticated, service_role;
