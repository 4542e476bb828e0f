-- Messages of projects: the function that CodingIT-1 documents, and how projects count, copy and delete messages.

-- Counting, copying and deleting --------------------------------------------------------------------

create function private.count_project_messages(project_id uuid)
returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return (select count(*) from public.messages as m where m.project_id = count_project_messages.project_id);
end $$;
revoke all on function private.count_project_messages(uuid) from public, anon, authenticated, service_role;

-- Returns the number of the newest message of a project; null when it has none.
create function private.newest_project_message(project_id uuid)
returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return (select max(m.sequence_number) from public.messages as m where m.project_id = newest_project_message.project_id);
end $$;
revoke all on function private.newest_project_message(uuid) from public, anon, authenticated, service_role;

-- Copies the next messages into a clone, without drafts: of at most as many as given, in the order of their numbers.
-- Returns the clone with how far it has come.
create function private.copy_project_messages(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_through integer;
  v_copied integer;
begin
  select max(x.sequence_number) into v_through
  from (
    select m.sequence_number from public.messages as m
    where m.project_id = clone.source_id and m.sequence_number > clone.after_number
      and m.sequence_number <= clone.last_number
    order by m.sequence_number limit most
  ) as x;
  if v_through is null then
    return clone;
  end if;
  insert into public.messages
    (project_id, role, content, object_data, result_data, metadata, sequence_number, status, author_id,
      client_id, created_at)
  select clone.id, m.role, m.content, m.object_data, m.result_data, m.metadata, m.sequence_number, m.status, null,
    m.client_id, m.created_at
  from public.messages as m
  where m.project_id = clone.source_id and m.sequence_number > clone.after_number and m.sequence_number <= v_through
    and m.status <> 'streaming'
  order by m.sequence_number;
  get diagnostics v_copied = row_count;
  clone.messages := clone.messages + v_copied;
  clone.after_number := v_through;
  return clone;
end $$;
revoke all on function private.copy_project_messages(private.project_clones, integer)
  from public, anon, authenticated, service_role;

-- Deletes messages of a project: at most as many as given, and for about a second, as a message can have 1 MiB. Returns
-- how many.
create function private.delete_project_messages(project_id uuid, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_end timestamptz := clock_timestamp() + interval '1 second';
  v_all integer := 0;
  v_deleted integer;
begin
  loop
    delete from public.messages as m
    where m.id = any (array(
      select x.id from public.messages as x
      where x.project_id = delete_project_messages.project_id
      limit least(most - v_all, 20)));
    get diagnostics v_deleted = row_count;
    v_all := v_all + v_deleted;
    exit when v_deleted = 0 or v_all = most or clock_timestamp() > v_end;
  end loop;
  return v_all;
end $$;
revoke all on function private.delete_project_messages(uuid, integer) from public, anon, authenticated, service_role;

-- save_message_and_update_project -------------------------------------------------------------------

-- Does the work of its namesake in public.
-- Definer: a member of the team may write into a project that they may not update, and replace a message by its
-- sequence number, which no grant allows.
create function private.save_message_and_update_project(
  project_id uuid, role text, content jsonb, object_data jsonb, result_data jsonb, sequence_number integer
)
returns public.messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_actor text := case when private.is_service() then 'service' else 'user' end;
  v_user_id uuid := (select auth.uid());
  v_message public.messages;
begin
  if v_actor = 'service' then
    -- The service acts for the owner of the project.
    select p.user_id into v_user_id from public.projects as p where p.id = save_message_and_update_project.project_id;
  end if;
  perform private.lock_message_parent(v_user_id, save_message_and_update_project.project_id, null);
  v_message := private.read_message(jsonb_build_object('role', role, 'content', content, 'object_data', object_data,
    'result_data', result_data, 'sequence_number', sequence_number), 0, v_actor);
  v_message.project_id := save_message_and_update_project.project_id;
  v_message.author_id := case v_actor when 'user' then v_user_id end;
  return private.save_message(v_message, true, v_actor, 0);
end $$;
revoke all on function private.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  from public, anon, authenticated, service_role;
grant execute on function private.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  to authenticated, service_role;

-- Saves a message into a project that the caller owns or whose team they belong to, as CodingIT-1 documents it: a
-- message whose number is taken replaces that message, and one without a number takes the next. Returns the saved row.
-- Raises: PT403 project_read_only, not_message_author; PT404 project_not_found; PT409 project_deleted, project_cloning,
-- system_message; PT413 content_too_large; PT422 invalid_role, content_missing, invalid_sequence_number,
-- too_many_messages.
create function public.save_message_and_update_project(
  project_id_param uuid, role_param text, content_param jsonb, object_data_param jsonb default null,
  result_data_param jsonb default null, sequence_number_param integer default null
)
returns public.messages
language sql volatile set search_path = ''
as $$
  select private.save_message_and_update_project(project_id_param, role_param, content_param,
    object_data_param, result_data_param, sequence_number_param)
$$;
revoke all on function public.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  to authenticated, service_role;
