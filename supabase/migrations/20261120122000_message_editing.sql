-- Editing messages: who may change which.

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
        hint = 'The owner of the project can let all members of its team change messages: message_editing = members';
  end if;
end $$;
revoke all on function private.refuse_edit(public.messages, uuid, text, jsonb)
  from public, anon, authenticated, service_role;
