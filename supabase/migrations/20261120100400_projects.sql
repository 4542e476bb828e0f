-- Projects: containers of work (CodingIT-1) and chat workspaces (Chuk Chat), and the files that belong to
-- them. A team's members read its projects; public projects are read by everyone.

create type public.project_status_enum as enum ('active', 'archived', 'deleted');

-- projects ---------------------------------------------------------------------------------------

create table public.projects (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete set null,
  title text not null,
  description text,
  template_id text,
  status public.project_status_enum not null default 'active',
  is_public boolean not null default false,
  metadata jsonb not null default '{}'::jsonb,
  system_prompt text,
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint projects_title_check check (title <> '')
);
comment on table public.projects is 'Container of work (CodingIT-1) and chat workspace (Chuk)';

create index idx_projects_user_id on public.projects (user_id);
create index idx_projects_team_id on public.projects (team_id);
create index idx_projects_status on public.projects (status);
create index idx_projects_created_at on public.projects (created_at desc);
create index idx_projects_updated_at on public.projects (updated_at desc);
create index idx_projects_archived on public.projects (user_id, is_archived);
create index idx_projects_public on public.projects (id) where is_public;

alter table public.projects enable row level security;
revoke all on public.projects from public, anon, authenticated, service_role;
grant select on public.projects to authenticated;
grant select on public.projects to anon;
grant insert (id, user_id, team_id, title, description, template_id, status, is_public, metadata,
  system_prompt, is_archived, updated_at, deleted_at)
  on public.projects to authenticated;
grant update (team_id, title, description, template_id, status, is_public, metadata, system_prompt,
  is_archived, updated_at, deleted_at)
  on public.projects to authenticated;
grant delete on public.projects to authenticated;
grant select, insert, update, delete on public.projects to service_role;

create policy "users read their own, their teams' and public projects" on public.projects
  for select to authenticated
  using (user_id = (select auth.uid())
    or team_id = any (array(select private.my_team_ids()))
    or (is_public and deleted_at is null));
-- True for every visitor: that is what a public project is.
create policy "visitors read public projects" on public.projects
  for select to anon using (is_public and deleted_at is null);
create policy "users create their own projects" on public.projects
  for insert to authenticated
  with check (user_id = (select auth.uid())
    and (team_id is null or team_id = any (array(select private.my_team_ids()))));
create policy "owners, and owners and admins of the team, update projects" on public.projects
  for update to authenticated
  using (user_id = (select auth.uid())
    or team_id = any (array(select private.my_team_ids(array['owner', 'admin']))))
  with check (user_id = (select auth.uid())
    or team_id = any (array(select private.my_team_ids(array['owner', 'admin']))));
create policy "owners, and owners of the team, delete projects" on public.projects
  for delete to authenticated
  using (user_id = (select auth.uid())
    or team_id = any (array(select private.my_team_ids(array['owner']))));

create trigger update_projects_updated_at before update on public.projects
  for each row execute function public.update_updated_at_column();

-- Chuk Chat archives by the flag, CodingIT-1 by the status, and deletes by status, time or both: whichever a client
-- changed moves the others. A changed status wins, then the time; the flag never brings a deleted project back.
create function private.sync_project_archived()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.deleted_at is not null then
      new.status := 'deleted';
    elsif new.is_archived and new.status = 'active' then
      new.status := 'archived';
    end if;
  elsif new.status = old.status then
    if (new.deleted_at is null) <> (old.deleted_at is null) then
      new.status := case when new.deleted_at is null then 'active' else 'deleted' end;
    elsif new.is_archived <> old.is_archived and new.status <> 'deleted' then
      new.status := case when new.is_archived then 'archived' else 'active' end;
    end if;
  end if;
  new.is_archived := new.status = 'archived';
  new.deleted_at := case when new.status = 'deleted' then coalesce(new.deleted_at, now()) end;
  return new;
end $$;
revoke all on function private.sync_project_archived() from public, anon, authenticated, service_role;

create trigger sync_project_archived before insert or update on public.projects
  for each row execute function private.sync_project_archived();

create trigger keep_team before update on public.projects
  for each row when (new.team_id is distinct from old.team_id) execute function private.keep_team();

create function public.name(projects)
returns text
language sql immutable set search_path = ''
as $$
  select $1.title
$$;
comment on function public.name(projects) is 'Computed field: title, under the name that Chuk Chat reads';
revoke all on function public.name(projects) from public, anon, authenticated, service_role;
grant execute on function public.name(projects) to authenticated, service_role;

-- project_files ----------------------------------------------------------------------------------

create table public.project_files (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  file_name text not null,
  storage_path text not null,
  file_type text not null,
  file_size bigint not null,
  markdown_summary text,
  uploaded_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint project_files_file_name_check check (btrim(file_name) <> ''),
  constraint project_files_storage_path_check check (btrim(storage_path) <> ''),
  constraint project_files_file_size_check check (file_size between 1 and 10485760)
);
comment on table public.project_files is 'Metadata of the encrypted files attached to a Chuk project';

create index idx_project_files_project_id on public.project_files (project_id);

alter table public.project_files enable row level security;
revoke all on public.project_files from public, anon, authenticated, service_role;
grant select on public.project_files to authenticated;
grant insert (id, project_id, file_name, storage_path, file_type, file_size, markdown_summary,
  uploaded_at, updated_at)
  on public.project_files to authenticated;
grant update (file_name, storage_path, file_type, file_size, markdown_summary, uploaded_at,
  updated_at)
  on public.project_files to authenticated;
grant delete on public.project_files to authenticated;
grant select, insert, update, delete on public.project_files to service_role;

create policy "users read the files of their own and their teams' projects" on public.project_files
  for select to authenticated
  using (exists (
    select 1 from public.projects as p
    where p.id = project_id
      and (p.user_id = (select auth.uid()) or p.team_id = any (array(select private.my_team_ids())))));
create policy "users add files to their own projects" on public.project_files
  for insert to authenticated
  with check (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())));
create policy "users update files of their own projects" on public.project_files
  for update to authenticated
  using (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())))
  with check (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())));
create policy "users delete files of their own projects" on public.project_files
  for delete to authenticated
  using (exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid())));

create trigger update_project_files_updated_at before update on public.project_files
  for each row execute function public.handle_updated_at();

-- file_uploads -----------------------------------------------------------------------------------

create table public.file_uploads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  project_id uuid references public.projects (id) on delete cascade,
  file_name text not null,
  file_path text not null,
  file_size bigint,
  mime_type text,
  bucket_name text not null,
  is_public boolean not null default false,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint file_uploads_file_name_check check (file_name <> ''),
  constraint file_uploads_file_size_check check (file_size >= 0)
);
comment on table public.file_uploads is 'Files a CodingIT-1 user has uploaded to a bucket';

create index idx_file_uploads_user_id on public.file_uploads (user_id);
create index idx_file_uploads_project_id on public.file_uploads (project_id);
create index idx_file_uploads_created_at on public.file_uploads (created_at desc);

alter table public.file_uploads enable row level security;
revoke all on public.file_uploads from public, anon, authenticated, service_role;
grant select on public.file_uploads to authenticated;
grant insert (id, user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name,
  is_public, metadata, updated_at)
  on public.file_uploads to authenticated;
grant update (project_id, file_name, file_path, file_size, mime_type, bucket_name, is_public,
  metadata, updated_at)
  on public.file_uploads to authenticated;
grant delete on public.file_uploads to authenticated;
grant select, insert, update, delete on public.file_uploads to service_role;

create policy "users read their own uploads and those in their teams' projects" on public.file_uploads
  for select to authenticated
  using (user_id = (select auth.uid()) or exists (
    select 1 from public.projects as p
    where p.id = project_id and p.team_id = any (array(select private.my_team_ids()))));
create policy "users create their own uploads" on public.file_uploads
  for insert to authenticated
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users update their own uploads" on public.file_uploads
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users delete their own uploads" on public.file_uploads
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_file_uploads_updated_at before update on public.file_uploads
  for each row execute function public.update_updated_at_column();
