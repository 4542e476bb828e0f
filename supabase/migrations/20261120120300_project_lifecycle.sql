-- What happens to a whole project: cloned, deleted, deleted for good with its files, restored.

-- storage_removals ----------------------------------------------------------------------------------

create table private.storage_removals (
  bucket_id text not null,
  name text not null,
  queued_at timestamptz not null default now(),
  primary key (bucket_id, name)
);
comment on table private.storage_removals is
  'Objects that nothing refers to any more. Their rows are not deleted by SQL: the Storage API removes them, then they leave this list';
revoke all on private.storage_removals from public, anon, authenticated, service_role;
create index storage_removals_queued_at on private.storage_removals (queued_at);

-- The objects of files' records: in the bucket of each, below the folder of the user who made it. A row that names anyone
-- else's object names nothing.
create function private.project_objects(project_ids uuid[])
returns table (bucket_id text, name text)
language sql stable set search_path = ''
as $$
  select 'project-files', f.storage_path
  from public.project_files as f join public.projects as p on p.id = f.project_id
  where f.project_id = any (project_ids) and split_part(f.storage_path, '/', 1) = p.user_id::text
  union
  select u.bucket_name, u.file_path from public.file_uploads as u
  where u.project_id = any (project_ids) and split_part(u.file_path, '/', 1) = u.user_id::text
$$;
revoke all on function private.project_objects(uuid[]) from public, anon, authenticated, service_role;

-- Objects whose removal is queued, the longest first, and that no record refers to (again): what the caller removes
-- through the Storage API and then reports with storage_objects_removed. Removing twice is harmless.
-- Definer: the list is nobody's to read. For the service only.
-- Raises: PT422 invalid_batch.
create function public.next_storage_removals(batch integer default 1000)
returns table (bucket_id text, name text)
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if batch is null or batch not between 1 and 1000 then
    raise exception 'A batch has 1 to 1000 objects' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  -- A clone, or an upload of the same name, has come to refer to it meanwhile.
  delete from private.storage_removals as r
  where exists (select 1 from public.project_files as f where r.bucket_id = 'project-files' and f.storage_path = r.name)
    or exists (select 1 from public.file_uploads as u where u.bucket_name = r.bucket_id and u.file_path = r.name);
  return query
    select r.bucket_id, r.name from private.storage_removals as r
    order by r.queued_at
    limit batch;
end $$;
revoke all on function public.next_storage_removals(integer) from public, anon, authenticated;
grant execute on function public.next_storage_removals(integer) to service_role;

-- Takes objects that the Storage API has removed, or does not have, off the list. Returns how many were on it.
-- Definer: the list is nobody's to write. For the service only.
create function public.storage_objects_removed(bucket_id text, names text[])
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_removed integer;
begin
  delete from private.storage_removals as r
  where r.bucket_id = storage_objects_removed.bucket_id and r.name = any (names);
  get diagnostics v_removed = row_count;
  return v_removed;
end $$;
revoke all on function public.storage_objects_removed(text, text[]) from public, anon, authenticated;
grant execute on function public.storage_objects_removed(text, text[]) to service_role;

-- Rights --------------------------------------------------------------------------------------------

-- Locks a project that a user may change as a whole: whose it is, and those of its team with one of the given roles.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found.
create function private.lock_project(user_id uuid, project_id uuid, roles text[])
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
  if v_project.user_id <> lock_project.user_id and not exists (
    select 1 from public.team_members as m
    where m.team_id = v_project.team_id and m.user_id = lock_project.user_id and m.role = any (roles)) then
    raise exception 'This is for whose project "%" is', project_id
      using errcode = 'PT403', detail = 'not_project_owner';
  end if;
  return v_project;
end $$;
revoke all on function private.lock_project(uuid, uuid, text[]) from public, anon, authenticated, service_role;

create type public.project_change as (
  project jsonb,
  messages integer,
  files integer,
  replayed boolean
);
comment on type public.project_change is
  'A project as it is now or was last, and how many messages and records of files were copied or deleted with it';

-- clone_project -------------------------------------------------------------------------------------

-- Copies a project that a user may read into one of their own, private and in no team: with its messages, with the
-- records of its files (which name the same objects), with both or with neither. Records are copied by whose project it
-- is only: to anyone else they would name files that they cannot open. Drafts are not copied. actor is user or service.
-- Definer: it reads what a member of the team may read. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 files_of_another; PT404 project_not_found; PT409 project_deleted; PT422
-- invalid_title, idempotency_key_reused.
create function public.clone_project(
  user_id uuid,
  project_id uuid,
  title text default null,
  with_messages boolean default true,
  with_files boolean default false,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.project_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('clone', project_id, title, with_messages, with_files);
  v_first jsonb;
  v_project public.projects;
  v_clone public.projects;
  v_result public.project_change;
begin
  if char_length(clone_project.title) not between 1 and 500 or clone_project.title ~ '^\s*$'
    or with_messages is null or with_files is null then
    raise exception 'A title has 1 to 500 characters' using errcode = 'PT422', detail = 'invalid_title';
  end if;
  -- The lock holds new messages off, so that the copy is of one moment, and puts repeats one behind the other.
  select p.* into v_project from public.projects as p
  where p.id = clone_project.project_id
    and (private.writes_project(p, clone_project.user_id) or p.is_public and p.deleted_at is null)
  for no key update;
  if not found then
    raise exception 'There is no project "%"', project_id using errcode = 'PT404', detail = 'project_not_found';
  end if;
  v_first := private.first_response(clone_project.user_id, clone_project.actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.project_change, v_first || '{"replayed": true}');
  end if;
  if v_project.status = 'deleted' then
    raise exception 'Project "%" is deleted', project_id
      using errcode = 'PT409', detail = 'project_deleted', hint = 'Restore it first';
  end if;
  if with_files and v_project.user_id <> clone_project.user_id then
    raise exception 'The files of project "%" are another user''s', project_id
      using errcode = 'PT403', detail = 'files_of_another', hint = 'Clone it without files';
  end if;

  insert into public.projects as p (user_id, title, description, template_id, metadata, system_prompt)
  values (clone_project.user_id, coalesce(clone_project.title, v_project.title), v_project.description,
    v_project.template_id, v_project.metadata, v_project.system_prompt)
  returning p.* into v_clone;
  v_result.messages := 0;
  v_result.files := 0;
  if with_messages then
    insert into public.messages
      (project_id, role, content, object_data, result_data, metadata, sequence_number, status, created_at)
    select v_clone.id, m.role, m.content, m.object_data, m.result_data, m.metadata, m.sequence_number, m.status, m.created_at
    from public.messages as m
    where m.project_id = v_project.id and m.status <> 'streaming'
    order by m.sequence_number;
    get diagnostics v_result.messages = row_count;
  end if;
  if with_files then
    with files as (
      insert into public.project_files
        (project_id, file_name, storage_path, file_type, file_size, markdown_summary, uploaded_at)
      select v_clone.id, f.file_name, f.storage_path, f.file_type, f.file_size, f.markdown_summary, f.uploaded_at
      from public.project_files as f where f.project_id = v_project.id
      returning 1
    ), uploads as (
      insert into public.file_uploads
        (user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name, is_public, metadata)
      select u.user_id, v_clone.id, u.file_name, u.file_path, u.file_size, u.mime_type, u.bucket_name, u.is_public, u.metadata
      from public.file_uploads as u where u.project_id = v_project.id and u.user_id = clone_project.user_id
      returning 1
    )
    select (select count(*) from files) + (select count(*) from uploads) into v_result.files;
  end if;
  select to_jsonb(p), false into v_result.project, v_result.replayed from public.projects as p where p.id = v_clone.id;
  perform private.keep_response(clone_project.user_id, clone_project.actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.clone_project(uuid, uuid, text, boolean, boolean, text, text)
  from public, anon, authenticated;
grant execute on function public.clone_project(uuid, uuid, text, boolean, boolean, text, text) to service_role;

-- delete_project, restore_project -------------------------------------------------------------------

-- Deletes a project: so that it can be restored, or with permanent for good, with its messages and the records of its
-- files, and queues their objects for removal unless another record names them. The owner, and owners of the team, do
-- either; its admins the first. Deleting what is deleted is a repeat. actor is user or service.
-- Definer: it queues objects, which nobody else may. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only, not_project_owner; PT404 project_not_found; PT422
-- idempotency_key_reused.
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
begin
  -- Before the project is looked for: a repeat does not find it any more.
  v_first := private.first_response(delete_project.user_id, delete_project.actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.project_change, v_first || '{"replayed": true}');
  end if;
  v_project := private.lock_project(user_id, project_id,
    case when permanent then array['owner'] else array['owner', 'admin'] end);
  v_result.messages := 0;
  v_result.files := 0;
  v_result.replayed := false;
  if permanent is true then
    select count(*) into v_result.messages from public.messages as m where m.project_id = v_project.id;
    select (select count(*) from public.project_files as f where f.project_id = v_project.id)
      + (select count(*) from public.file_uploads as u where u.project_id = v_project.id) into v_result.files;
    -- That nothing else refers to them is looked at when they are removed.
    insert into private.storage_removals (bucket_id, name)
    select o.bucket_id, o.name from private.project_objects(array[v_project.id]) as o
    on conflict do nothing;
    delete from public.projects as p where p.id = v_project.id;
  elsif v_project.status <> 'deleted' then
    update public.projects as p set status = 'deleted' where p.id = v_project.id returning p.* into v_project;
  end if;
  v_result.project := to_jsonb(v_project);
  perform private.keep_response(delete_project.user_id, delete_project.actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.delete_project(uuid, uuid, boolean, text, text) from public, anon, authenticated;
grant execute on function public.delete_project(uuid, uuid, boolean, text, text) to service_role;

-- Brings a deleted project back, as active. One that is not deleted stays as it is. By whose it is, and owners and admins
-- of the team.
-- Definer: as delete_project. For the service only, which answers for user_id.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found.
create function public.restore_project(user_id uuid, project_id uuid)
returns public.project_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_project public.projects;
begin
  v_project := private.lock_project(user_id, project_id, array['owner', 'admin']);
  if v_project.status = 'deleted' then
    update public.projects as p set status = 'active' where p.id = v_project.id returning p.* into v_project;
  end if;
  return row(to_jsonb(v_project), 0, 0, false)::public.project_change;
end $$;
revoke all on function public.restore_project(uuid, uuid) from public, anon, authenticated;
grant execute on function public.restore_project(uuid, uuid) to service_role;
