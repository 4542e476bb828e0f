-- Drafts: messages that are written in steps, then completed and paid for, or aborted.

-- Refuses to change a message that is no longer a draft.
-- Raises: PT409 message_finished.
create function private.refuse_finished_message(message_id text, status text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'Message "%" is already %', message_id, status
    using errcode = 'PT409', detail = 'message_finished',
      hint = 'Only drafts (messages with the status streaming) can be updated, finished or aborted';
end $$;
revoke all on function private.refuse_finished_message(text, text) from public, anon, authenticated, service_role;

-- Replaces the content of a draft and returns the row. It does not lock the project or the conversation, so that
-- frequent updates of several drafts do not wait for each other. message_id and conversation_id are ids or client_ids.
-- actor, user or service, is who makes the request.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT403 project_read_only, not_message_author; PT404 project_not_found, conversation_not_found,
-- message_not_found; PT409 project_deleted, message_finished, system_message; PT413 content_too_large; PT422
-- content_missing.
create function public.update_draft(
  user_id uuid,
  message_id text,
  content jsonb,
  project_id uuid default null,
  conversation_id text default null,
  actor text default 'service'
)
returns public.messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_conversation_id uuid := private.find_conversation(user_id, conversation_id);
  v_id uuid := private.find_message(message_id, project_id, v_conversation_id);
  v_message public.messages;
begin
  if coalesce(jsonb_typeof(update_draft.content), 'null') = 'null' then
    raise exception 'The content of a message must be neither missing nor null' using errcode = 'PT422', detail = 'content_missing';
  end if;
  update public.messages as m set content = update_draft.content
  where m.id = v_id and m.status = 'streaming' and (m.role <> 'system' or actor = 'service') and case
    when update_draft.project_id is null then m.conversation_id = v_conversation_id and exists (
      select 1 from public.conversations as c where c.id = m.conversation_id and c.user_id = update_draft.user_id)
    else m.project_id = update_draft.project_id and exists (
      select 1 from public.projects as p
      where p.id = m.project_id and p.status <> 'deleted' and private.writes_project(p, update_draft.user_id)
        and (m.author_id = update_draft.user_id or p.user_id = update_draft.user_id or p.message_editing = 'members')) end
  returning m.* into v_message;
  if not found then
    v_message := private.lock_message(user_id, message_id, project_id, v_conversation_id, actor);
    perform private.refuse_finished_message(message_id, v_message.status);
  end if;
  return v_message;
end $$;
revoke all on function public.update_draft(uuid, text, jsonb, uuid, text, text) from public, anon, authenticated;
grant execute on function public.update_draft(uuid, text, jsonb, uuid, text, text) to service_role;

-- Finishes a draft: status is complete or aborted, and content, object_data and result_data replace what the draft has
-- where they are not null. message_id and conversation_id are ids or client_ids. settle pays for it as in
-- save_messages, exactly once, whatever has become of the draft: one that was aborted meanwhile is finished all the
-- same; one that is complete stays as it is; and if there is none any more, or the user may not change it any more,
-- messages is empty. Returns the message and the entry; a repeat returns them as they are.
-- Definer: as save_messages. For the service only, which has verified user_id.
-- Raises: PT404 hold_not_found; PT409 message_settled; without settle, PT403 project_read_only, not_message_author;
-- PT404 project_not_found, conversation_not_found, message_not_found; PT409 project_deleted, message_finished,
-- system_message; PT413 content_too_large; PT422 invalid_status, invalid_batch, invalid_settlement; and what
-- capture_credit_hold raises.
create function public.finish_draft(
  user_id uuid,
  message_id text,
  status text default 'complete',
  content jsonb default null,
  object_data jsonb default null,
  result_data jsonb default null,
  project_id uuid default null,
  conversation_id text default null,
  settle jsonb default null,
  actor text default 'service'
)
returns public.saved_messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_conversation_id uuid := private.find_conversation(user_id, conversation_id, settle);
  v_message public.messages;
begin
  if finish_draft.status is null or finish_draft.status not in ('complete', 'aborted') then
    raise exception 'status must be complete or aborted'
      using errcode = 'PT422', detail = 'invalid_status';
  end if;
  if settle is not null and actor is distinct from 'service' then
    raise exception 'Only the service can settle a message' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  if settle is null then
    v_message := private.lock_message(user_id, message_id, project_id, v_conversation_id, actor);
  else
    if private.lock_paid_parent(user_id, project_id, v_conversation_id, settle) then
      select m.* into v_message from public.messages as m
      where m.id = private.find_message(message_id, finish_draft.project_id, v_conversation_id)
        and m.project_id is not distinct from finish_draft.project_id
        and m.conversation_id is not distinct from v_conversation_id
      for no key update;
    end if;
    -- A message without an author is that of a deleted user: what is paid for is still saved.
    if v_message.id is null or v_message.author_id is not null and not private.edits_message(v_message, user_id) then
      return private.settle_without_message(user_id, message_id, settle);
    end if;
  end if;
  -- Whoever aborted it asked for its end. The service, which was writing it, says how it ends, and what that costs.
  if v_message.status = 'streaming'
    or v_message.status = 'aborted' and settle is not null and v_message.hold_id is null then
    update public.messages as m
    set status = finish_draft.status,
      content = coalesce(nullif(finish_draft.content, 'null'), m.content),
      object_data = coalesce(nullif(finish_draft.object_data, 'null'), m.object_data),
      result_data = coalesce(nullif(finish_draft.result_data, 'null'), m.result_data)
    where m.id = v_message.id
    returning m.* into v_message;
    update public.projects as p set updated_at = now() where p.id = v_message.project_id and p.updated_at <> now();
    update public.conversations as c set updated_at = now() where c.id = v_message.conversation_id and c.updated_at <> now();
  elsif settle is null and (v_message.status <> finish_draft.status
    or v_message.content is distinct from coalesce(nullif(finish_draft.content, 'null'), v_message.content)) then
    perform private.refuse_finished_message(message_id, v_message.status);
  end if;
  if settle is not null then
    perform private.settle_message(v_message, user_id, settle);
  end if;
  return private.to_saved_messages(array[v_message.id], false, project_id, v_conversation_id);
end $$;
revoke all on function public.finish_draft(uuid, text, text, jsonb, jsonb, jsonb, uuid, text, jsonb, text)
  from public, anon, authenticated;
grant execute on function public.finish_draft(uuid, text, text, jsonb, jsonb, jsonb, uuid, text, jsonb, text)
  to service_role;
