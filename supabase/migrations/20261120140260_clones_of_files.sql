-- A clone of a project names the files that there are: what is reserved is not uploaded yet, or was never looked at.

-- clone_project, with the records of complete uploads only.
-- Definer: it reads what a member of the team may read. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 files_of_another; PT404 project_not_found; PT409 project_deleted; PT422
-- invalid_title, idempotency_key_reused.
create or replace function public.clone_project(
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
      from public.file_uploads as u
      where u.project_id = v_project.id and u.user_id = clone_project.user_id and u.status = 'complete'
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
