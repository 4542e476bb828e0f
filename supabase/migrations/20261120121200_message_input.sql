-- Messages as callers send them: which members a message can have, what is wrong with one, and which saved one
-- is meant.

-- Returns the id of a message that a caller names by its id or its client_id, in the given project or conversation; null
-- when no message has that client_id. Does not look up an id.
create function private.find_message(message_id text, project_id uuid, conversation_id uuid)
returns uuid
language plpgsql stable set search_path = ''
as $$
declare
  v_id uuid := private.json_uuid(to_jsonb(message_id));
begin
  if v_id is null then
    select m.id into v_id from public.messages as m
    where coalesce(m.project_id, m.conversation_id) = coalesce(find_message.project_id, find_message.conversation_id)
      and m.client_id = find_message.message_id;
  end if;
  return v_id;
end $$;
revoke all on function private.find_message(text, uuid, uuid) from public, anon, authenticated, service_role;

-- Reads a message from JSON: {id, role, content, object_data, result_data, metadata, sequence_number, status}. index is
-- its position in the batch, from 0, which an error names; null if it is not in a batch. Only the actor service writes as system.
-- Raises: PT422 invalid_message, invalid_role, content_missing, invalid_message_id, invalid_sequence_number,
-- invalid_status, each with {index}.
create function private.read_message(message jsonb, index integer, actor text)
returns public.messages
language plpgsql immutable set search_path = ''
as $$
declare
  v_message public.messages;
  v_code text;
  v_says text;
begin
  if jsonb_typeof(message) is distinct from 'object' or message - array['id', 'role', 'content', 'object_data',
      'result_data', 'metadata', 'sequence_number', 'status'] <> '{}'
    or coalesce(jsonb_typeof(message -> 'metadata'), 'object') not in ('object', 'null') then
    v_code := 'invalid_message';
    v_says := case
      when jsonb_typeof(message) is distinct from 'object' then 'A message must be a JSON object'
      when coalesce(jsonb_typeof(message -> 'metadata'), 'object') not in ('object', 'null')
        then 'The metadata of a message must be a JSON object'
      else 'A message can only have the members id, role, content, object_data, result_data, metadata, sequence_number '
        'and status' end;
  elsif (message ->> 'role' in ('user', 'assistant') or message ->> 'role' = 'system' and actor = 'service') is not true then
    v_code := 'invalid_role';
    v_says := format('The role of a message must be %s', case actor when 'service' then 'user, assistant or system'
      else 'user or assistant' end);
  elsif coalesce(jsonb_typeof(message -> 'content'), 'null') = 'null' then
    v_code := 'content_missing';
    v_says := 'The content of a message must be neither missing nor null';
  elsif message -> 'id' <> 'null' and (jsonb_typeof(message -> 'id') <> 'string'
      or private.json_uuid(message -> 'id') is null and not private.is_client_id(message ->> 'id')) then
    v_code := 'invalid_message_id';
    v_says := 'The id of a message must be a UUID, or 1 to 64 letters, digits, _ and -';
  elsif message -> 'sequence_number' <> 'null' and private.json_integer(message -> 'sequence_number') is null then
    v_code := 'invalid_sequence_number';
    v_says := 'A sequence number must be a whole number from 0 to 2147483647';
  elsif coalesce(message ->> 'status', 'complete') not in ('complete', 'streaming') then
    v_code := 'invalid_status';
    v_says := 'The status of a new message must be complete or streaming';
  end if;
  if v_code is not null then
    raise exception '%', v_says
      using errcode = 'PT422', detail = format('%s %s', v_code, jsonb_strip_nulls(jsonb_build_object('index', index)));
  end if;
  v_message.id := private.json_uuid(message -> 'id');
  v_message.client_id := case when v_message.id is null then message ->> 'id' end;
  v_message.role := (message ->> 'role')::public.message_role_enum;
  v_message.content := message -> 'content';
  v_message.object_data := nullif(message -> 'object_data', 'null');
  v_message.result_data := nullif(message -> 'result_data', 'null');
  v_message.metadata := nullif(message -> 'metadata', 'null');
  v_message.sequence_number := private.json_integer(message -> 'sequence_number');
  v_message.status := coalesce(message ->> 'status', 'complete');
  return v_message;
end $$;
revoke all on function private.read_message(jsonb, integer, text) from public, anon, authenticated, service_role;
