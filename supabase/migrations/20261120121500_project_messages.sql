-- Messages of projects, as projects count, copy and delete them.

create function private.count_project_messages(project_id uuid)
returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return (select count(*) from public.messages as m where m.project_id = count_project_messages.project_id);
end $$;
revoke all on function private.count_project_messages(uuid) from public, anon, authenticated, service_role;

-- Copies the messages of a project, without drafts, into its clone. Returns how many.
create function private.copy_project_messages(project_id uuid, clone_id uuid)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_copied integer;
begin
  insert into public.messages
    (project_id, role, content, object_data, result_data, metadata, sequence_number, status, created_at)
  select clone_id, m.role, m.content, m.object_data, m.result_data, m.metadata, m.sequence_number, m.status, m.created_at
  from public.messages as m
  where m.project_id = copy_project_messages.project_id and m.status <> 'streaming'
  order by m.sequence_number;
  get diagnostics v_copied = row_count;
  return v_copied;
end $$;
revoke all on function private.copy_project_messages(uuid, uuid) from public, anon, authenticated, service_role;

-- Deletes messages of a project, at most as many as given. Returns how many.
create function private.delete_project_messages(project_id uuid, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted integer;
begin
  delete from public.messages as m
  where m.id in (
    select x.id from public.messages as x where x.project_id = delete_project_messages.project_id limit most);
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
revoke all on function private.delete_project_messages(uuid, integer) from public, anon, authenticated, service_role;
