-- The verified history of encrypted chats: each chat has a head, and so has the account. Clients make both with the data
-- key. The server can only keep them, and replaces them together with what they are about: docs/verified-history.md.

-- The head of an account as clients read it; null when there is none.
create function private.chat_history(owner private.chat_owners)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return case when owner.history is not null then jsonb_build_object('counter', owner.history_counter,
    'sealed', owner.history, 'unproven_deletions', owner.unproven_deletions) end;
end $$;
revoke all on function private.chat_history(private.chat_owners) from public, anon, authenticated, service_role;

-- Checks the form of the head of a chat, and that it comes with a head of the account. version is the one that it must
-- name; null when the caller cannot know it, and must not send a head.
-- Raises: PT422 invalid_head.
create function private.check_chat_head(head text, history jsonb, version bigint)
returns void
language plpgsql immutable set search_path = ''
as $$
declare
  v_json jsonb;
begin
  if (head is null) <> (history is null) then
    raise exception 'head and history must be sent together' using errcode = 'PT422', detail = 'invalid_head';
  elsif head is null then
    return;
  elsif version is null then
    raise exception 'A chat that is restored cannot have a head yet' using errcode = 'PT422', detail = 'invalid_head',
      hint = 'Restore it without head and history, and send them with its next change';
  end if;
  if octet_length(head) <= 512 then
    v_json := private.json_strings(head, array['fold', 'key_id', 'mac', 'v', 'version']);
  end if;
  if v_json is null or v_json ->> 'v' <> '1' or private.json_uuid(v_json -> 'key_id')::text is distinct from v_json ->> 'key_id'
    or octet_length(private.decode_base64(v_json ->> 'fold')) is distinct from 32
    or octet_length(private.decode_base64(v_json ->> 'mac')) is distinct from 32 then
    raise exception 'head must be the text of a JSON object with exactly the members v, version, key_id, fold and mac'
      using errcode = 'PT422', detail = 'invalid_head', hint = 'Make the head as docs/verified-history.md describes';
  elsif v_json ->> 'version' is distinct from version::text then
    raise exception 'head must be that of version % of the chat', version using errcode = 'PT422', detail = 'invalid_head';
  end if;
end $$;
revoke all on function private.check_chat_head(text, jsonb, bigint) from public, anon, authenticated, service_role;

-- Replaces the head of a user's account: history is {expected, counter, sealed}, and null leaves it as it is. expected is
-- the counter of the head that the client knows, 0 for none, and counter that of the new one, which is greater by at most
-- a million: so a stolen session cannot use all numbers up. proven_deletions is how many deletions in this transaction the
-- new head proves. The caller holds the lock of lock_chat_owner.
-- Raises: PT409 history_conflict {history}, key_epoch_old {key_id}; PT422 invalid_history.
create function private.put_chat_history(user_id uuid, history jsonb, proven_deletions bigint default 0)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  -- 2^53 - 1: up to there, clients count exactly.
  v_most constant bigint := 9007199254740991;
  v_owner private.chat_owners;
  v_json jsonb;
  v_expected bigint;
  v_counter bigint;
begin
  if history is null then
    return;
  end if;
  v_expected := private.json_integer(history -> 'expected', most => v_most);
  v_counter := private.json_integer(history -> 'counter', most => v_most);
  if octet_length(history ->> 'sealed') <= 8192 then
    v_json := private.json_strings(history ->> 'sealed', array['ciphertext', 'key_id', 'mac', 'nonce', 'v']);
  end if;
  if jsonb_typeof(history) <> 'object' or v_json is null or v_json ->> 'v' <> '1'
    or octet_length(private.decode_base64(v_json ->> 'nonce')) is distinct from 12
    or octet_length(private.decode_base64(v_json ->> 'mac')) is distinct from 16
    or private.decode_base64(v_json ->> 'ciphertext') is null
    or private.json_uuid(v_json -> 'key_id')::text is distinct from v_json ->> 'key_id'
    or (v_counter - v_expected between 1 and 1000000) is not true then
    raise exception 'history must be {expected, counter, sealed}, with a counter greater than expected, by at most 1000000'
      using errcode = 'PT422', detail = 'invalid_history', hint = 'Make the head of the account as docs/verified-history.md describes';
  end if;
  select o.* into v_owner from private.chat_owners as o where o.user_id = put_chat_history.user_id;
  if v_expected <> v_owner.history_counter then
    raise exception 'Another request has changed the history: it is at counter %', v_owner.history_counter
      using errcode = 'PT409',
      detail = 'history_conflict ' || jsonb_build_object('history', private.chat_history(v_owner))::text,
      hint = 'Make a new head of the account from the one in history, and repeat the change';
  elsif private.json_uuid(v_json -> 'key_id') is distinct from v_owner.key_id then
    raise exception 'The new head of the account was sealed with an old key'
      using errcode = 'PT409', detail = 'key_epoch_old ' || jsonb_build_object('key_id', v_owner.key_id)::text,
      hint = 'Read the keys again, and seal it with the current key';
  end if;
  update private.chat_owners as o
  set history = put_chat_history.history ->> 'sealed', history_counter = v_counter,
    unproven_deletions = o.unproven_deletions - proven_deletions
  where o.user_id = put_chat_history.user_id;
end $$;
revoke all on function private.put_chat_history(uuid, jsonb, bigint) from public, anon, authenticated, service_role;

create type public.chat_history_change as (counter bigint, replayed boolean);
comment on type public.chat_history_change is 'The counter of the head of an account after it was replaced';

-- Replaces the head of an account by one that a client has made from all chats: after a rotation, and when the user has
-- accepted what cannot be proven. history is as for private.put_chat_history; expected_sequence is the number of the last
-- change that the client has read (its cursor), because nothing may have changed since. A second call with the same
-- head returns replayed.
-- Definer: no role may write the history. For the service only, which answers for user_id.
-- Raises: PT404 user_not_found; PT409 history_conflict {history}, key_epoch_old {key_id}; PT422 invalid_history.
create function public.set_chat_history(user_id uuid, history jsonb, expected_sequence bigint)
returns public.chat_history_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner private.chat_owners := private.lock_chat_owner(user_id);
  v_result public.chat_history_change;
begin
  if history is null or expected_sequence is null then
    raise exception 'history and expected_sequence are required' using errcode = 'PT422', detail = 'invalid_history';
  end if;
  v_result.replayed := v_owner.history is not distinct from history ->> 'sealed';
  if not v_result.replayed then
    if expected_sequence <> v_owner.sync_sequence then
      raise exception 'Chats have changed since the change with the number %', expected_sequence
        using errcode = 'PT409',
        detail = 'history_conflict ' || jsonb_build_object('history', private.chat_history(v_owner))::text,
        hint = 'Sync, and make a new head of the account';
    end if;
    perform private.put_chat_history(user_id, history, v_owner.unproven_deletions);
  end if;
  select o.history_counter into v_result.counter from private.chat_owners as o where o.user_id = set_chat_history.user_id;
  return v_result;
end $$;
revoke all on function public.set_chat_history(uuid, jsonb, bigint) from public, anon, authenticated;
grant execute on function public.set_chat_history(uuid, jsonb, bigint) to service_role;
