-- Which encrypted chats belong to which project.

-- project_chats ----------------------------------------------------------------------------------

create table public.project_chats (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  user_id uuid not null,
  chat_id uuid not null,
  added_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint unique_project_chat unique (project_id, chat_id),
  constraint project_chats_chat_id_fkey foreign key (user_id, chat_id)
    references public.encrypted_chats (user_id, id) on delete cascade
);
comment on table public.project_chats is 'Which chats belong to which project (many to many)';
comment on column public.project_chats.user_id is 'The owner of the project, which a trigger sets: the chat has to be theirs';

create index idx_project_chats_project_id on public.project_chats (project_id);
create index idx_project_chats_chat_id on public.project_chats (chat_id);

alter table public.project_chats enable row level security;
revoke all on public.project_chats from public, anon, authenticated, service_role;
grant select on public.project_chats to authenticated;
grant insert (id, project_id, chat_id, added_at)
  on public.project_chats to authenticated;
grant delete on public.project_chats to authenticated;
grant select, insert, update, delete on public.project_chats to service_role;
create index project_chats_user_chat on public.project_chats (user_id, chat_id);

insert into private.account_rows (name, place, statement) values
  ('project_chats', 20, 'delete from public.project_chats where ctid = any (array(
    select ctid from public.project_chats where user_id = $1 limit $2))');

create policy "a deleted account has no access" on public.project_chats
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read the chats of their own projects" on public.project_chats
  for select to authenticated
  using (user_id = (select auth.uid()));
create policy "users link their own chats to their own projects" on public.project_chats
  for insert to authenticated
  with check (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))
  and exists (
    select 1 from public.encrypted_chats as c
    where c.id = chat_id and c.user_id = (select auth.uid())));
create policy "users unlink the chats of their own projects" on public.project_chats
  for delete to authenticated using (user_id = (select auth.uid()));

select private.limit_table('public.project_chats', rows => 100000);

create trigger take_project_owner before insert or update on public.project_chats
  for each row execute function private.take_project_owner();
