-- Editing messages: who may change which, and replacing a saved message by its id.

-- Rights --------------------------------------------------------------------------------------------

-- Returns whether a user who may write into the parent of a message may also change the message: the owner of the
-- project and the author may, and with message_editing = 'members' everybody who may write.
create function private.edits_message(message public.messages, user_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return message.project_id is null or message.author_id is not distinct from edits_message.user_id or exists (
    select 1 from public.projects as p
    where p.id = message.project_id
      and (p.user_id = edits_message.user_id or p.message_editing = 'members'));
end $$;
revoke all on function private.edits_message(public.messages, uuid) from public, anon, authenticated, service_role;

-- Refuses to change a message that is not the user's to change. details are added to the fields of the error.
-- Raises: PT403 not_message_author; PT409 system_message.
create function private.refuse_edit(message public.messages, user_id uuid, actor text, details jsonb default '{}')
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if message.role = 'system' and actor is distinct from 'service' then
    raise exception 'Message "%" has the role system: only the service can change it', message.id
      using errcode = 'PT409', detail = trim(format('system_message %s', nullif(details, '{}')));
  end if;
  if not private.edits_message(message, user_id) then
    raise exception 'Only the author of message "%" and the owner of the project can change it', message.id
      using errcode = 'PT403', detail = trim(format('not_message_author %s', nullif(details, '{}'))),
        hint = 'To let all members of the team change messages, the owner of the project sets message_editing to members';
  end if;
end $$;
revoke all on function private.refuse_edit(public.messages, uuid, text, jsonb)
  from public, anon, authenticated, service_role;

-- Locks a message of the given project or conversation, which the user may change, and returns it. message_id is its id
-- or its client_id.
-- Raises: PT403 project_read_only, not_message_author; PT404 project_not_found, conversation_not_found,
-- message_not_found; PT409 project_deleted, system_message.
create function private.lock_message(user_id uuid, message_id text, project_id uuid, conversation_id uuid, actor text)
returns public.messages
language plpgsql volatile set search_path = ''
as $$
declare
  v_message public.messages;
  v_id uuid;
begin
  perform private.lock_message_parent(user_id, project_id, conversation_id);
  v_id := private.find_message(message_id, project_id, conversation_id);
  select m.* into v_message from public.messages as m
  where m.id = v_id and m.project_id is not distinct from lock_message.project_id
    and m.conversation_id is not distinct from lock_message.conversation_id
  for no key update;
  if not found then
    raise exception 'The project or conversation has no message "%"', message_id
      using errcode = 'PT404', detail = 'message_not_found';
  end if;
  perform private.refuse_edit(v_message, user_id, actor);
  return v_message;
end $$;
revoke all on function private.lock_message(uuid, text, uuid, uuid, text) from public, anon, authenticated, service_role;

-- Replacing -----------------------------------------------------------------------------------------

-- Replaces a message of the user's own: content, object_data, result_data and metadata become those of message, which is
-- {id, role, content, object_data, result_data, metadata}; what it leaves out becomes null, or {} for metadata. Everything
-- else stays, also who wrote the message and what paid for it; id and role must be those of the saved message if they are
-- given. With if_match, the message must still have that updated_at, unless it is already as requested. message_id and
-- conversation_id are ids or client_ids. actor, user or service, is who makes the request. Returns the row.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT403 project_read_only, not_message_author; PT404 project_not_found, conversation_not_found,
-- message_not_found; PT409 project_deleted, system_message; PT412 message_changed {updated_at}; PT413 content_too_large;
-- PT422 invalid_message, invalid_role, content_missing, invalid_message_id.
create function public.replace_message(
  user_id uuid,
  message_id text,
  message jsonb,
  project_id uuid default null,
  conversation_id text default null,
  if_match text default null,
  actor text default 'service'
)
returns public.messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_conversation_id uuid := private.find_conversation(user_id, conversation_id);
  v_there public.messages;
  v_new public.messages;
  v_updated_at text;
begin
  if num_nulls(project_id, v_conversation_id) <> 1 or actor is null or actor not in ('user', 'service')
    or jsonb_typeof(message) is distinct from 'object' or message ?| array['sequence_number', 'status'] then
    raise exception '%', case
        when num_nulls(project_id, v_conversation_id) <> 1 then 'Give either project_id or conversation_id, not both'
        when actor is null or actor not in ('user', 'service') then 'actor must be user or service'
        when jsonb_typeof(message) is distinct from 'object' then 'A message must be a JSON object'
        else 'The sequence_number and the status of a message cannot be replaced' end
      using errcode = 'PT422', detail = 'invalid_message';
  end if;
  v_there := private.lock_message(user_id, message_id, project_id, v_conversation_id, actor);
  v_new := private.read_message(message
    || jsonb_build_object('role', coalesce(nullif(message -> 'role', 'null'), to_jsonb(v_there.role))), null, actor);
  if v_new.role <> v_there.role then
    raise exception 'The role of message "%" is %, and cannot change', message_id, v_there.role
      using errcode = 'PT422', detail = 'invalid_role', hint = 'Leave role out';
  end if;
  if v_new.id <> v_there.id or v_new.client_id is distinct from v_there.client_id and v_new.client_id is not null then
    raise exception 'The id in the request is not that of message "%"', message_id
      using errcode = 'PT422', detail = 'invalid_message_id', hint = 'Leave id out';
  end if;
  if (v_there.content, v_there.object_data, v_there.result_data, v_there.metadata)
    is not distinct from (v_new.content, v_new.object_data, v_new.result_data, coalesce(v_new.metadata, '{}')) then
    return v_there;
  end if;
  v_updated_at := to_jsonb(v_there.updated_at) #>> '{}';
  if if_match <> v_updated_at then
    raise exception 'Message "%" has changed since the version that the request names', message_id
      using errcode = 'PT412',
        detail = format('message_changed %s', jsonb_build_object('updated_at', v_updated_at)),
        hint = 'Read the message again, and apply your change to its current version';
  end if;
  update public.messages as m
  set content = v_new.content, object_data = v_new.object_data, result_data = v_new.result_data,
    metadata = coalesce(v_new.metadata, '{}')
  where m.id = v_there.id
  returning m.* into v_there;
  update public.projects as p set updated_at = now() where p.id = v_there.project_id and p.updated_at <> now();
  update public.conversations as c set updated_at = now() where c.id = v_there.conversation_id and c.updated_at <> now();
  return v_there;
end $$;
revoke all on function public.replace_message(uuid, text, jsonb, uuid, text, text, text) from public, anon, authenticated;
grant execute on function public.replace_message(uuid, text, jsonb, uuid, text, text, text) to service_role;
