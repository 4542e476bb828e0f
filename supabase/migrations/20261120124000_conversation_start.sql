-- Starting a conversation with its first message, in one transaction.

-- Returns the text of a message, whose content may be a string, an object with text, value or content, or a list of
-- such parts.
create function private.message_text(content jsonb)
returns text
language sql immutable set search_path = ''
as $$
  select case jsonb_typeof(content)
    when 'string' then content #>> '{}'
    when 'object' then coalesce(content ->> 'text', content ->> 'value', content ->> 'content', '')
    when 'array' then coalesce((
      select string_agg(case jsonb_typeof(p.value) when 'string' then p.value #>> '{}'
        else coalesce(p.value ->> 'text', p.value ->> 'value', p.value ->> 'content', '') end, ' ' order by p.ordinality)
      from jsonb_array_elements(content) with ordinality as p
      where jsonb_typeof(p.value) in ('string', 'object')), '')
    else '' end
$$;
revoke all on function private.message_text(jsonb) from public, anon, authenticated, service_role;

-- Returns a title made from the content of a message: its first line, cut between words to at most 60 characters.
create function private.derive_title(content jsonb)
returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_line text := btrim(regexp_replace(
    coalesce(substring(private.message_text(content) from '[^\s][^\n\r]*'), ''), '\s+', ' ', 'g'));
begin
  if v_line = '' then
    return 'New Chat';
  end if;
  if char_length(v_line) <= 60 then
    return v_line;
  end if;
  -- 59 characters and the ellipsis. A single word that is longer is cut inside.
  return coalesce(nullif(regexp_replace(left(v_line, 60), '\s+\S*$', ''), left(v_line, 60)), left(v_line, 59)) || '…';
end $$;
revoke all on function private.derive_title(jsonb) from public, anon, authenticated, service_role;

create type public.started_conversation as (
  conversation jsonb,
  messages jsonb,
  replayed boolean
);
comment on type public.started_conversation is 'A conversation, and its first message in a list';

-- Starts a conversation for a user with its first message {id, role, content, metadata ...}, in one transaction. title
-- has 1 to 200 characters; null takes the first line of the message. The caller may choose the ids of both, UUIDs or
-- client_ids: the same two ids again are a repeat. actor, user or service, is who makes the request.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT404 user_not_found; PT409 conversation_id_used, message_id_used; PT410
-- conversation_deleted, message_deleted; PT413 content_too_large; PT422 invalid_title, invalid_conversation_id,
-- invalid_message, invalid_role, content_missing, invalid_message_id, invalid_sequence_number, invalid_status,
-- idempotency_key_reused.
create function public.start_conversation(
  user_id uuid,
  message jsonb,
  title text default null,
  conversation_id text default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.started_conversation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('conversation', message, title, conversation_id);
  v_first jsonb;
  v_id uuid := private.json_uuid(to_jsonb(conversation_id));
  v_client_id text := case when v_id is null then conversation_id end;
  v_conversation public.conversations;
  v_saved public.saved_messages;
begin
  if char_length(start_conversation.title) not between 1 and 200 or start_conversation.title ~ '^\s*$' then
    raise exception 'A title must be 1 to 200 characters long and must not be blank'
      using errcode = 'PT422', detail = 'invalid_title';
  end if;
  if not private.is_client_id(v_client_id) then
    raise exception 'The id of a conversation must be a UUID, or 1 to 64 letters, digits, _ and -'
      using errcode = 'PT422', detail = 'invalid_conversation_id';
  end if;
  -- The profile is the lock for new conversations of the user: a repeat waits for the first request and finds its
  -- answer.
  perform 1 from public.profiles as p where p.id = start_conversation.user_id for no key update;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  v_first := private.first_response(start_conversation.user_id, start_conversation.actor, idempotency_key, v_request);
  if v_first is not null then
    select c.* into v_conversation from public.conversations as c
    where c.id = (v_first ->> 'conversation_id')::uuid and c.user_id = start_conversation.user_id;
    if not found then
      raise exception 'Conversation "%", which this request started, has been deleted', v_first ->> 'conversation_id'
        using errcode = 'PT410', detail = 'conversation_deleted', hint = 'Use a new idempotency key to start another';
    end if;
    v_saved := private.to_saved_messages(array[(v_first ->> 'message_id')::uuid], true, null, v_conversation.id);
    return row(to_jsonb(v_conversation), v_saved.messages, true)::public.started_conversation;
  end if;

  insert into public.conversations as c (id, user_id, title, client_id)
  values (coalesce(v_id, gen_random_uuid()), start_conversation.user_id,
    coalesce(start_conversation.title, private.derive_title(message -> 'content')), v_client_id)
  on conflict do nothing
  returning c.* into v_conversation;
  if not found then
    -- Either a repeat of this request, or the id belongs to another conversation.
    select c.* into v_conversation from public.conversations as c
    where c.user_id = start_conversation.user_id and (c.id = v_id or c.client_id = v_client_id)
      and exists (select 1 from public.messages as m
        where m.id = private.find_message(message ->> 'id', null, c.id) and m.conversation_id = c.id);
    if not found then
      raise exception 'Another conversation already has the id "%"', conversation_id
        using errcode = 'PT409', detail = 'conversation_id_used', hint = 'Use a new id for a new conversation';
    end if;
  end if;
  v_saved := public.save_messages(start_conversation.user_id, jsonb_build_array(message),
    conversation_id => v_conversation.id::text, actor => start_conversation.actor);
  perform private.keep_response(start_conversation.user_id, start_conversation.actor, idempotency_key, v_request,
    jsonb_build_object('conversation_id', v_conversation.id, 'message_id', v_saved.messages -> 0 -> 'id'));
  return (select row(to_jsonb(c), v_saved.messages, false)::public.started_conversation
    from public.conversations as c where c.id = v_conversation.id);
end $$;
revoke all on function public.start_conversation(uuid, jsonb, text, text, text, text)
  from public, anon, authenticated;
grant execute on function public.start_conversation(uuid, jsonb, text, text, text, text) to service_role;
