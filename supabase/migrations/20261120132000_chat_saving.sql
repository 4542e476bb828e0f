-- Saving encrypted chats: a client saves a whole chat or appends a segment to it, and names the version that it
-- changes.

create type public.saved_chat as (
  id uuid,
  version bigint,
  data_version bigint,
  next_segment integer,
  is_starred boolean,
  key_id uuid,
  bytes bigint,
  created_at timestamptz,
  updated_at timestamptz,
  conflict jsonb,
  replayed boolean
);
comment on type public.saved_chat is
  'A chat after it was saved. With conflict, nothing was changed, because the chat is at another version than the caller named';

-- What the functions below return of a chat.
create function private.saved_chat(chat public.encrypted_chats)
returns public.saved_chat
language plpgsql immutable set search_path = ''
as $$
declare
  v_saved public.saved_chat;
begin
  v_saved := row(chat.id, chat.version, chat.data_version, chat.next_segment, chat.is_starred, chat.key_id, chat.bytes,
    chat.created_at, chat.updated_at, null, false);
  return v_saved;
end $$;
revoke all on function private.saved_chat(public.encrypted_chats) from public, anon, authenticated, service_role;

-- Locks and returns a chat. The caller has locked the chats of its user before.
-- Raises: PT404 chat_not_found; PT410 chat_deleted.
create function private.lock_chat(user_id uuid, chat_id uuid)
returns public.encrypted_chats
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat public.encrypted_chats;
begin
  select c.* into v_chat from public.encrypted_chats as c
  where c.user_id = lock_chat.user_id and c.id = lock_chat.chat_id
  for update;
  if not found then
    if exists (select 1 from private.chat_tombstones as t
      where t.user_id = lock_chat.user_id and t.chat_id = lock_chat.chat_id) then
      raise exception 'Chat "%" was deleted', chat_id using errcode = 'PT410', detail = 'chat_deleted',
        hint = 'To bring it back, send PUT /chats/:id with restore: true';
    end if;
    raise exception 'There is no chat "%"', chat_id using errcode = 'PT404', detail = 'chat_not_found';
  end if;
  return v_chat;
end $$;
revoke all on function private.lock_chat(uuid, uuid) from public, anon, authenticated, service_role;

-- Makes sure that an expected version is 0 or more.
-- Raises: PT422 invalid_version.
create function private.check_expected_version(expected_version bigint)
returns void
language plpgsql immutable set search_path = ''
as $$
begin
  if (expected_version >= 0) is not true then
    raise exception 'expected_version must be the version that you have read, or 0 for a new chat'
      using errcode = 'PT422', detail = 'invalid_version';
  end if;
end $$;
revoke all on function private.check_expected_version(bigint) from public, anon, authenticated, service_role;

-- Saves a chat for its user if it is at expected_version; 0 makes a new chat. encrypted_data is the whole chat, and
-- replaces its segments too. A null leaves the column as it is. When the chat is at another version, nothing is
-- changed, and conflict has its version, star and envelopes (encrypted_data only if the call was to save it). restore
-- brings back a chat that was deleted: its versions go on, so that no device takes it for an older state. Its content has
-- to be encrypted anew, as every nonce is used once. head is that of the chat after the change, and history replaces the
-- head of the account: both or neither, see private.put_chat_history.
-- Definer: no role may write segments. For the service only, which answers for user_id.
-- Raises: PT404 chat_not_found; PT409 key_epoch_old, nonce_reused, history_conflict; PT410 chat_deleted; PT413
-- envelope_too_large, chat_quota_exceeded; PT422 invalid_version, data_missing, envelope_..., invalid_head,
-- invalid_history, idempotency_key_reused.
create function public.save_chat(
  user_id uuid,
  chat_id uuid,
  expected_version bigint,
  encrypted_data text default null,
  encrypted_title text default null,
  is_starred boolean default null,
  restore boolean default false,
  idempotency_key text default null,
  head text default null,
  history jsonb default null
)
returns public.saved_chat
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb;
  v_first jsonb;
  v_chat public.encrypted_chats;
  v_saved public.saved_chat;
  v_deleted bigint;
begin
  perform private.check_expected_version(expected_version);
  perform private.check_chat_head(head, history, case when restore then null else expected_version + 1 end);
  if restore and expected_version <> 0 then
    raise exception 'A deleted chat has no version: to restore it, expected_version must be 0'
      using errcode = 'PT422', detail = 'invalid_version';
  end if;
  if expected_version = 0 and encrypted_data is null then
    raise exception 'A new chat must have encrypted_data' using errcode = 'PT422', detail = 'data_missing';
  end if;
  perform private.lock_chat_owner(user_id);
  if idempotency_key is not null then
    v_request := jsonb_build_array('save', chat_id, expected_version, encrypted_data, encrypted_title, is_starred,
      restore, head, history);
    v_first := private.first_response(user_id, 'user', idempotency_key, v_request);
    if v_first is not null then
      v_saved := jsonb_populate_record(null::public.saved_chat, v_first || '{"replayed": true}');
      return v_saved;
    end if;
  end if;

  if expected_version = 0 then
    if restore then
      delete from private.chat_tombstones as t
      where t.user_id = save_chat.user_id and t.chat_id = save_chat.chat_id
      returning t.version into v_deleted;
    end if;
    insert into public.encrypted_chats as c (id, user_id, encrypted_data, encrypted_title, is_starred, version, head)
    values (chat_id, save_chat.user_id, save_chat.encrypted_data, save_chat.encrypted_title,
      coalesce(save_chat.is_starred, false), coalesce(v_deleted, 0) + 1, save_chat.head)
    on conflict on constraint encrypted_chats_pkey do nothing
    returning c.* into v_chat;
  end if;
  if expected_version > 0 or not found then
    v_chat := private.lock_chat(user_id, chat_id);
    if v_chat.version <> expected_version then
      v_saved := private.saved_chat(v_chat);
      v_saved.conflict := jsonb_build_object('id', v_chat.id, 'version', v_chat.version, 'data_version',
        v_chat.data_version, 'next_segment', v_chat.next_segment, 'is_starred', v_chat.is_starred,
        'encrypted_title', v_chat.encrypted_title, 'updated_at', v_chat.updated_at)
        || case when encrypted_data is null then '{}' else jsonb_build_object('encrypted_data', v_chat.encrypted_data) end;
      return v_saved;
    end if;
    if encrypted_data is null then
      update public.encrypted_chats as c
      set encrypted_title = coalesce(save_chat.encrypted_title, c.encrypted_title),
        is_starred = coalesce(save_chat.is_starred, c.is_starred), head = coalesce(save_chat.head, c.head)
      where c.user_id = save_chat.user_id and c.id = chat_id
      returning c.* into v_chat;
    else
      delete from public.chat_segments as s where s.user_id = save_chat.user_id and s.chat_id = save_chat.chat_id;
      update public.encrypted_chats as c
      set encrypted_data = save_chat.encrypted_data, segment_bytes = 0,
        encrypted_title = coalesce(save_chat.encrypted_title, c.encrypted_title),
        is_starred = coalesce(save_chat.is_starred, c.is_starred), head = coalesce(save_chat.head, c.head)
      where c.user_id = save_chat.user_id and c.id = chat_id
      returning c.* into v_chat;
    end if;
  end if;
  perform private.put_chat_history(user_id, history);
  v_saved := private.saved_chat(v_chat);
  perform private.keep_response(user_id, 'user', idempotency_key, v_request, to_jsonb(v_saved));
  return v_saved;
end $$;
revoke all on function public.save_chat(uuid, uuid, bigint, text, text, boolean, boolean, text, text, jsonb) from public, anon, authenticated;
grant execute on function public.save_chat(uuid, uuid, bigint, text, text, boolean, boolean, text, text, jsonb) to service_role;

-- Appends a segment to a chat if it is at expected_version. number has to be the chat's next_segment, and is part of
-- what was encrypted. The cost depends on the segment alone, not on the length of the chat. When the chat is at another
-- version, nothing is changed, and conflict has its version and next_segment. head and history are as for save_chat.
-- Definer: no role may write segments. For the service only, which answers for user_id.
-- Raises: as save_chat, and PT422 invalid_segment_number {next_segment}.
create function public.append_chat_segment(
  user_id uuid,
  chat_id uuid,
  expected_version bigint,
  number integer,
  encrypted_data text,
  idempotency_key text default null,
  head text default null,
  history jsonb default null
)
returns public.saved_chat
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb;
  v_first jsonb;
  v_chat public.encrypted_chats;
  v_saved public.saved_chat;
  v_key_id uuid;
begin
  perform private.check_expected_version(expected_version);
  perform private.check_chat_head(head, history, expected_version + 1);
  perform private.lock_chat_owner(user_id);
  if idempotency_key is not null then
    v_request := jsonb_build_array('append', chat_id, expected_version, number, encrypted_data, head, history);
    v_first := private.first_response(user_id, 'user', idempotency_key, v_request);
    if v_first is not null then
      v_saved := jsonb_populate_record(null::public.saved_chat, v_first || '{"replayed": true}');
      return v_saved;
    end if;
  end if;

  v_chat := private.lock_chat(user_id, chat_id);
  if v_chat.version <> expected_version then
    v_saved := private.saved_chat(v_chat);
    v_saved.conflict := jsonb_build_object('id', v_chat.id, 'version', v_chat.version, 'data_version',
      v_chat.data_version, 'next_segment', v_chat.next_segment, 'updated_at', v_chat.updated_at);
    return v_saved;
  end if;
  if number is distinct from v_chat.next_segment then
    raise exception 'The next segment of this chat is number %', v_chat.next_segment
      using errcode = 'PT422', detail = 'invalid_segment_number '
        || jsonb_build_object('next_segment', v_chat.next_segment)::text,
      hint = 'Encrypt the segment again for that number';
  end if;
  v_key_id := private.take_envelope(user_id, 'segment', encrypted_data, '{2}');
  insert into public.chat_segments (user_id, chat_id, number, encrypted_data, key_id)
  values (append_chat_segment.user_id, append_chat_segment.chat_id, append_chat_segment.number,
    append_chat_segment.encrypted_data, v_key_id);
  update public.encrypted_chats as c
  set next_segment = c.next_segment + 1,
    segment_bytes = c.segment_bytes + octet_length(append_chat_segment.encrypted_data),
    head = coalesce(append_chat_segment.head, c.head)
  where c.user_id = append_chat_segment.user_id and c.id = chat_id
  returning c.* into v_chat;
  perform private.put_chat_history(user_id, history);
  v_saved := private.saved_chat(v_chat);
  perform private.keep_response(user_id, 'user', idempotency_key, v_request, to_jsonb(v_saved));
  return v_saved;
end $$;
revoke all on function public.append_chat_segment(uuid, uuid, bigint, integer, text, text, text, jsonb)
  from public, anon, authenticated;
grant execute on function public.append_chat_segment(uuid, uuid, bigint, integer, text, text, text, jsonb) to service_role;

-- Deletes a chat of its user. If expected_version is given and the chat is at another version, nothing is changed, and
-- conflict says where it is. A second call returns the id with replayed. history replaces the head of the account, and
-- so proves the deletion to other devices.
-- Definer: no role may read the tombstones. For the service only, which answers for user_id.
-- Raises: PT404 chat_not_found; PT409 history_conflict; PT422 invalid_version, invalid_history.
create function public.delete_chat(
  user_id uuid,
  chat_id uuid,
  expected_version bigint default null,
  history jsonb default null
)
returns public.saved_chat
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_chat public.encrypted_chats;
  v_saved public.saved_chat;
begin
  if expected_version is not null then
    perform private.check_expected_version(expected_version);
  end if;
  perform private.lock_chat_owner(user_id);
  if exists (select 1 from private.chat_tombstones as t
    where t.user_id = delete_chat.user_id and t.chat_id = delete_chat.chat_id) then
    v_saved.id := chat_id;
    v_saved.replayed := true;
    return v_saved;
  end if;
  v_chat := private.lock_chat(user_id, chat_id);
  v_saved := private.saved_chat(v_chat);
  if v_chat.version <> expected_version then
    v_saved.conflict := jsonb_build_object('id', v_chat.id, 'version', v_chat.version, 'data_version',
      v_chat.data_version, 'next_segment', v_chat.next_segment, 'updated_at', v_chat.updated_at);
    return v_saved;
  end if;
  delete from public.encrypted_chats as c where c.user_id = delete_chat.user_id and c.id = delete_chat.chat_id;
  perform private.put_chat_history(user_id, history, case when v_chat.head is null then 0 else 1 end);
  return v_saved;
end $$;
revoke all on function public.delete_chat(uuid, uuid, bigint, jsonb) from public, anon, authenticated;
grant execute on function public.delete_chat(uuid, uuid, bigint, jsonb) to service_role;
