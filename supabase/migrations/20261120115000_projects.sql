-- Projects and the records of their files: who reads and changes them, and deleting and restoring a project.

create type public.project_status_enum as enum ('active', 'archived', 'deleted', 'cloning');
comment on type public.project_status_enum is
  'cloning: the project is a clone that is still being copied. Until it is complete, no client sees it';
create type public.message_editing_enum as enum ('author', 'members');

-- projects ---------------------------------------------------------------------------------------

create table public.projects (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  team_id uuid references public.teams (id) on delete set null,
  title text not null,
  description text,
  template_id text,
  status public.project_status_enum not null default 'active',
  is_public boolean not null default false,
  metadata jsonb not null default '{}'::jsonb,
  system_prompt text,
  is_archived boolean not null default false,
  message_editing public.message_editing_enum not null default 'author',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint projects_title_check check (title <> '')
  -- Room in each page for the new updated_at that every message gives its project.
) with (fillfactor = 85);
comment on table public.projects is 'Projects of CodingIT-1 and chat workspaces of Chuk Chat';
comment on column public.projects.message_editing is
  'Who may edit and delete a message besides the owner of the project: its author, or all members of the team';
comment on column public.projects.deleted_at is
  'When the project was deleted. A client may send it to delete or, with null, to restore; a trigger sets the time';

create index idx_projects_user_id on public.projects (user_id);
create index idx_projects_team_id on public.projects (team_id);
create index idx_projects_status on public.projects (status);
create index idx_projects_created_at on public.projects (created_at desc);
-- BRIN, because every message sets updated_at, and to update a column of a B-tree rewrites the entries of all indexes. A
-- user's own projects are found by user_id, then sorted.
create index idx_projects_updated_at on public.projects using brin (updated_at);
create index idx_projects_archived on public.projects (user_id, is_archived);
-- The newest first. With the other columns, the index alone is enough to list the ids of public projects.
create index idx_projects_public on public.projects (created_at desc) include (id, deleted_at) where is_public;
create index projects_cloning on public.projects (user_id) where status = 'cloning';
create index projects_deleted_at on public.projects (deleted_at) where status = 'deleted';

alter publication supabase_realtime add table public.projects;

alter table public.projects enable row level security;
revoke all on public.projects from public, anon, authenticated, service_role;
grant select on public.projects to authenticated;
-- What a public page shows. The rest says who owns the project and how it is set up.
grant select (id, title, description, template_id, status, is_public, created_at, updated_at)
  on public.projects to anon;
grant insert (id, user_id, team_id, title, description, template_id, status, is_public, metadata,
  system_prompt, is_archived, message_editing, updated_at, deleted_at)
  on public.projects to authenticated;
grant update (team_id, title, description, template_id, status, is_public, metadata, system_prompt,
  is_archived, message_editing, updated_at, deleted_at)
  on public.projects to authenticated;
grant delete on public.projects to authenticated;
grant select, insert, update, delete on public.projects to service_role;

create policy "a deleted account has no access" on public.projects
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own, their teams' and public projects" on public.projects
  for select to authenticated
  using (status <> 'cloning' and (user_id = (select auth.uid())
    or team_id = any (array(select private.my_team_ids()))
    or (is_public and deleted_at is null)));
-- The same for every visitor: anyone may read a public project.
create policy "visitors read public projects" on public.projects
  for select to anon using (is_public and deleted_at is null);
create policy "users create their own projects" on public.projects
  for insert to authenticated
  with check (status <> 'cloning' and user_id = (select auth.uid())
    and (team_id is null or team_id = any (array(select private.my_team_ids()))));
create policy "owners, and owners and admins of the team, update projects" on public.projects
  for update to authenticated
  using (status <> 'cloning' and (user_id = (select auth.uid())
    or team_id = any (array(select private.my_administered_team_ids()))))
  with check (status <> 'cloning' and (user_id = (select auth.uid())
    or team_id = any (array(select private.my_administered_team_ids()))));
create policy "owners, and owners of the team, delete projects" on public.projects
  for delete to authenticated
  using (status <> 'cloning' and (user_id = (select auth.uid())
    or team_id = any (array(select private.my_owned_team_ids()))));

create trigger update_projects_updated_at before update on public.projects
  for each row execute function public.update_updated_at_column();
create trigger require_account after insert or update of user_id on public.projects
  for each row execute function private.require_account();

insert into private.account_rows (name, place, statement) values
  ('projects', 40, 'delete from public.projects where ctid = any (array(
    select ctid from public.projects where user_id = $1 limit $2))');

select private.limit_table('public.projects', rows => 10000, bytes => 67108864,
  changes => 'title, description, template_id, metadata, system_prompt',
  states => 'team_id, status, is_archived, message_editing, deleted_at');

-- Keeps status, is_archived and deleted_at in agreement. Chuk Chat archives a project by is_archived, CodingIT-1 by
-- status, and clients delete by status, by deleted_at or by both. A changed status takes precedence, then deleted_at;
-- is_archived never restores a deleted project. The time of deletion is the server's: the cleanup would at once purge a
-- project that a client could mark as deleted long ago.
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
  new.deleted_at := case when new.status = 'deleted'
    then coalesce(case when row_security_active(tg_relid) then old.deleted_at else new.deleted_at end, now()) end;
  return new;
end $$;
revoke all on function private.sync_project_archived() from public, anon, authenticated, service_role;

create trigger sync_project_archived before insert or update of status, is_archived, deleted_at on public.projects
  for each row execute function private.sync_project_archived();

create trigger keep_team before update of team_id on public.projects
  for each row when (new.team_id is distinct from old.team_id) execute function private.keep_team();

-- Takes the projects of a team that is about to be deleted out of it, and returns how many there were. With deleting, it
-- deletes them, so that their owners can restore them.
create function private.release_team_projects(team_id uuid, deleting boolean)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_projects integer;
begin
  update public.projects as p
  set team_id = null, status = case when deleting then 'deleted' else p.status end
  where p.team_id = release_team_projects.team_id;
  get diagnostics v_projects = row_count;
  return v_projects;
end $$;
revoke all on function private.release_team_projects(uuid, boolean) from public, anon, authenticated, service_role;

create function public.name(projects)
returns text
language sql immutable set search_path = ''
as $$
  select $1.title
$$;
comment on function public.name(projects) is 'Computed field: title, under the name that Chuk Chat reads';
revoke all on function public.name(projects) from public, anon, authenticated, service_role;
grant execute on function public.name(projects) to authenticated, service_role;

-- The ids of the projects of the caller's teams, for the policies of tables whose rows belong to projects: a policy that
-- compares them with an array reads only these rows, and one that looks up the project of each row reads all rows.
-- Definer: it is the condition of policies, and does not need theirs.
create function private.my_team_project_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 100
as $$
begin
  return query
    select p.id from public.projects as p where p.team_id = any (array(select private.my_team_ids()));
end $$;
revoke all on function private.my_team_project_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_team_project_ids() to authenticated, service_role;

-- The ids of all public projects.
-- Definer: as my_team_project_ids.
create function private.public_project_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 100
as $$
begin
  return query
    select p.id from public.projects as p where p.is_public and p.deleted_at is null;
end $$;
revoke all on function private.public_project_ids() from public, anon, authenticated, service_role;
grant execute on function private.public_project_ids() to authenticated, service_role;

-- The ids of the caller's clones that are still being copied: what is in them is hidden.
-- Definer: as my_team_project_ids.
create function private.my_cloning_project_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select p.id from public.projects as p where p.user_id = (select auth.uid()) and p.status = 'cloning';
end $$;
revoke all on function private.my_cloning_project_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_cloning_project_ids() to authenticated, service_role;

-- project_files ----------------------------------------------------------------------------------

create table public.project_files (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  -- Stored, because a row that is deleted with its project can no longer look the owner up. A trigger below sets it;
  -- the default makes it optional in the generated types.
  user_id uuid not null default auth.uid(),
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
comment on table public.project_files is 'Records of the encrypted files that are attached to a project of Chuk Chat';
comment on column public.project_files.user_id is 'The owner of the project, set by a trigger';

-- With the id, in whose order a clone copies them.
create index idx_project_files_project_id on public.project_files (project_id, id);
create index project_files_object on public.project_files (storage_path, user_id);
create index project_files_user_created on public.project_files (user_id, created_at desc);

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

create policy "a deleted account has no access" on public.project_files
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "nobody sees what is still being cloned" on public.project_files
  as restrictive for all to authenticated
  using (project_id <> all (array(select private.my_cloning_project_ids())));
create policy "users read the files of their own and their teams' projects" on public.project_files
  for select to authenticated
  using (user_id = (select auth.uid()) or project_id = any (array(select private.my_team_project_ids())));
create policy "users add files to their own projects" on public.project_files
  for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy "users update files of their own projects" on public.project_files
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete files of their own projects" on public.project_files
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_project_files_updated_at before update on public.project_files
  for each row execute function public.handle_updated_at();

select private.limit_table('public.project_files', rows => 50000, bytes => 67108864);

insert into private.account_rows (name, place, statement) values
  ('project_files', 20, 'delete from public.project_files where ctid = any (array(
    select ctid from public.project_files where user_id = $1 limit $2))');

-- Invoker: a caller that may not read the project gets null, and the policy refuses the row.
create function private.take_project_owner()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  select p.user_id into new.user_id from public.projects as p where p.id = new.project_id;
  return new;
end $$;
comment on function private.take_project_owner() is 'Trigger function: copies the owner of the project into the row';
revoke all on function private.take_project_owner() from public, anon, authenticated, service_role;

create trigger take_project_owner before insert or update of project_id, user_id on public.project_files
  for each row execute function private.take_project_owner();

-- Rights --------------------------------------------------------------------------------------------

-- Returns whether a user may write messages into a project: its owner and the members of its team may.
create function private.writes_project(project public.projects, user_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return project.user_id = writes_project.user_id or exists (
    select 1 from public.team_members as m
    where m.team_id = project.team_id and m.user_id = writes_project.user_id);
end $$;
revoke all on function private.writes_project(public.projects, uuid) from public, anon, authenticated, service_role;

-- Returns whether the caller of a direct write may write into a project: the service may, and so may a user by the rule
-- above, as the policies state it. A trigger that locks a project or tells its state asks this first, because a policy
-- checks a new row only after the triggers that run before the insert.
create function private.caller_writes_project(project_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return private.is_service() or exists (
    select 1 from public.projects as p
    where p.id = caller_writes_project.project_id and p.deleted_at is null
      and private.writes_project(p, (select auth.uid())));
end $$;
revoke all on function private.caller_writes_project(uuid) from public, anon, authenticated, service_role;

-- Returns whether a project is a clone that is still being copied.
create function private.is_cloning(project_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return coalesce((select p.status = 'cloning' from public.projects as p where p.id = is_cloning.project_id), false);
end $$;
revoke all on function private.is_cloning(uuid) from public, anon, authenticated, service_role;

-- Refuses to work with a project that is deleted, or that is a clone which is still being copied.
-- Raises: PT409 project_deleted, project_cloning.
create function private.refuse_unavailable_project(project public.projects)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if project.status = 'deleted' then
    raise exception 'Project "%" has been deleted', project.id
      using errcode = 'PT409', detail = 'project_deleted', hint = 'Restore the project first';
  elsif project.status = 'cloning' then
    raise exception 'Project "%" is a clone that is still being copied', project.id
      using errcode = 'PT409', detail = 'project_cloning', hint = 'Wait until the clone is complete, or delete it permanently';
  end if;
end $$;
revoke all on function private.refuse_unavailable_project(public.projects) from public, anon, authenticated, service_role;

-- Refuses a user who may not write into a project: with project_read_only when the project is public, and otherwise as
-- if it did not exist.
-- Raises: PT403 project_read_only; PT404 project_not_found.
create function private.refuse_project(project_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if exists (select 1 from public.projects as p
    where p.id = refuse_project.project_id and p.is_public and p.deleted_at is null) then
    raise exception 'Only the owner of project "%" and the members of its team can change it', project_id
      using errcode = 'PT403', detail = 'project_read_only', hint = 'Clone the project and change the clone';
  end if;
  raise exception 'There is no project "%"', project_id using errcode = 'PT404', detail = 'project_not_found';
end $$;
revoke all on function private.refuse_project(uuid) from public, anon, authenticated, service_role;

-- Locks a project that a user wants to delete or restore, and returns it. The owner of the project may do that, and so
-- may the owners and admins of its team. With permanent, admins may not: the project is to be deleted for good.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found.
create function private.lock_project(user_id uuid, project_id uuid, permanent boolean)
returns public.projects
language plpgsql volatile set search_path = ''
as $$
declare
  v_project public.projects;
begin
  select p.* into v_project from public.projects as p
  where p.id = lock_project.project_id and private.writes_project(p, lock_project.user_id)
  for update;
  if not found then
    perform private.refuse_project(project_id);
  end if;
  if v_project.user_id = lock_project.user_id then
    return v_project;
  end if;
  if permanent and not private.owns_team(user_id, v_project.team_id) then
    raise exception 'Only the owner of project "%" and the owners of its team can delete it permanently', project_id
      using errcode = 'PT403', detail = 'not_project_owner';
  end if;
  if not private.administers_team(user_id, v_project.team_id) then
    raise exception 'Only the owner of project "%" and the owners and admins of its team can delete or restore it',
      project_id using errcode = 'PT403', detail = 'not_project_owner';
  end if;
  return v_project;
end $$;
revoke all on function private.lock_project(uuid, uuid, boolean) from public, anon, authenticated, service_role;

create type public.project_change as (
  project jsonb,
  messages integer,
  files integer,
  replayed boolean
);
comment on type public.project_change is
  'A project as it is now or was last, and how many messages and records of files were deleted with it';

-- Deletes a project, so that it can be restored; with permanent for good, together with its messages and the records of
-- its files. One with more than projects.rows_at_once of them, or whose messages take more than a second, is deleted by
-- the cleanup; until then it is a deleted project that cannot be restored. Triggers queue the objects that no other
-- record refers to for removal. The owner of the project and the owners of its team may do either; the admins of the
-- team may not delete it for good. Deleting a deleted project again changes nothing. A clone that is still being copied
-- can only be deleted for good, which ends the copying. actor, user or service, is who makes the request. Returns the
-- project, with the numbers of messages and records that were deleted. A repeat returns the project as it is now, or as
-- it was last if it was deleted for good.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only, not_project_owner; PT404 project_not_found; PT409
-- project_cloning; PT422 idempotency_key_reused.
create function public.delete_project(
  user_id uuid,
  project_id uuid,
  permanent boolean default false,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.project_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('delete', project_id, permanent);
  v_first jsonb;
  v_project public.projects;
  v_result public.project_change;
  v_is_last boolean := false;
  v_end timestamptz;
begin
  -- Before the project is locked: a repeat no longer finds it.
  v_first := private.first_response(delete_project.user_id, delete_project.actor, idempotency_key, v_request);
  if v_first is not null then
    v_result := jsonb_populate_record(null::public.project_change, v_first || '{"replayed": true}');
    if v_result.project is null then
      select to_jsonb(p) into v_result.project from public.projects as p
      where p.id = delete_project.project_id and private.writes_project(p, delete_project.user_id);
      if not found then
        perform private.refuse_project(project_id);
      end if;
    end if;
    return v_result;
  end if;
  v_project := private.lock_project(user_id, project_id, permanent is true);
  v_result.messages := 0;
  v_result.files := 0;
  v_result.replayed := false;
  if permanent is true then
    v_result.messages := private.count_project_messages(v_project.id);
    select count(*) into v_result.files from public.project_files as f where f.project_id = v_project.id;
    v_result.files := v_result.files + private.count_project_uploads(v_project.id);
    v_end := clock_timestamp() + interval '1 second';
    v_is_last := v_result.messages + v_result.files <= private.setting('projects.rows_at_once');
    if v_is_last then
      perform private.delete_project_messages(v_project.id, v_result.messages);
      v_is_last := clock_timestamp() < v_end;
    end if;
    if v_is_last then
      delete from public.projects as p where p.id = v_project.id;
    else
      insert into private.project_purges (project_id) values (v_project.id) on conflict do nothing;
      v_is_last := found;
      update public.projects as p set status = 'deleted' where p.id = v_project.id returning p.* into v_project;
    end if;
  elsif v_project.status <> 'deleted' then
    perform private.refuse_unavailable_project(v_project);
    update public.projects as p set status = 'deleted' where p.id = v_project.id returning p.* into v_project;
  end if;
  v_result.project := to_jsonb(v_project);
  -- The project can be large, and be deleted again and again: what a repeat can read is not kept.
  perform private.keep_response(delete_project.user_id, delete_project.actor, idempotency_key, v_request,
    to_jsonb(v_result) - case when v_is_last then '{}' else '{project}' end::text[]);
  return v_result;
end $$;
revoke all on function public.delete_project(uuid, uuid, boolean, text, text) from public, anon, authenticated;
grant execute on function public.delete_project(uuid, uuid, boolean, text, text) to service_role;

-- Restores a deleted project as active; one that is not deleted stays as it is. The owner of the project and the owners
-- and admins of its team may. Returns the project.
-- Definer: as delete_project. For the service only, which has verified user_id.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found; PT409 project_purged, project_cloning.
create function public.restore_project(user_id uuid, project_id uuid)
returns public.project_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_project public.projects;
begin
  v_project := private.lock_project(user_id, project_id, false);
  if v_project.status = 'deleted' then
    update public.projects as p set status = 'active' where p.id = v_project.id returning p.* into v_project;
  end if;
  perform private.refuse_unavailable_project(v_project);
  return row(to_jsonb(v_project), 0, 0, false)::public.project_change;
end $$;
revoke all on function public.restore_project(uuid, uuid) from public, anon, authenticated;
grant execute on function public.restore_project(uuid, uuid) to service_role;

-- Deletes records of files of a project, at most as many as given. Returns how many.
create function private.delete_project_files(project_id uuid, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted integer;
begin
  delete from public.project_files as f
  where f.id = any (array(
    select x.id from public.project_files as x where x.project_id = delete_project_files.project_id limit most));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
revoke all on function private.delete_project_files(uuid, integer) from public, anon, authenticated, service_role;

-- project_purges ------------------------------------------------------------------------------------

create table private.project_purges (
  project_id uuid primary key references public.projects (id) on delete cascade,
  begun_at timestamptz not null default now()
);
comment on table private.project_purges is
  'Deleted projects that the cleanup has begun to delete permanently, batch by batch: they cannot be restored';
revoke all on private.project_purges from public, anon, authenticated, service_role;

-- A trigger, because clients also restore projects directly. It runs after the update, because another trigger decides
-- the status.
-- Definer: clients may not read the table.
-- Raises: PT409 project_purged.
create function private.keep_purged_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if exists (select 1 from private.project_purges as x where x.project_id = new.id) then
    raise exception 'Project "%" can no longer be restored: it is being deleted permanently', new.id
      using errcode = 'PT409', detail = 'project_purged',
        hint = 'Restore a deleted project within the time that the setting projects.deleted_retention allows';
  end if;
  return null;
end $$;
comment on function private.keep_purged_project() is
  'Trigger function: refuses to restore a project that is partly deleted';
revoke all on function private.keep_purged_project() from public, anon, authenticated, service_role;

create trigger keep_purged_project after update of status, deleted_at on public.projects
  for each row when (old.status = 'deleted' and new.status <> 'deleted') execute function private.keep_purged_project();

-- Deleted accounts ----------------------------------------------------------------------------------

-- Definer: it runs as the Auth server's role, which has no rights here.
create function private.close_projects()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.project_purges (project_id)
  select p.id from public.projects as p where p.user_id = old.id
  on conflict do nothing;
  update public.projects as p set status = 'deleted', team_id = null, is_public = false where p.user_id = old.id;
  return null;
end $$;
comment on function private.close_projects() is
  'Trigger function: hides the projects of a deleted account from teams and the public, and refuses to write into them';
revoke all on function private.close_projects() from public, anon, authenticated, service_role;

create trigger on_auth_user_deleted_close_projects after delete on auth.users
  for each row execute function private.close_projects();
