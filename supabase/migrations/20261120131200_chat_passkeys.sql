-- Passkeys: a data key can be wrapped under a key that only a passkey computes (the PRF extension of WebAuthn).
-- docs/passkeys.md describes it. The wraps are in chat_keys, and are revoked like those of devices.

-- Says what is wrong with what a wrap of a passkey has beside other wraps: {device_id, credential_id, salt, name}. Null if
-- nothing is.
create function private.chat_passkey_fault(value jsonb)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_kind text := value ->> 'kind';
begin
  return case
    when v_kind <> 'passkey' then format('A wrap of the kind %s must not have credential_id and name', v_kind)
    when value ?| array['iterations', 'memory_kib', 'passes']
      then 'A wrap of the kind passkey must not have iterations, memory_kib and passes'
    when jsonb_typeof(value -> 'credential_id') is distinct from 'string'
      or value ->> 'credential_id' !~ '^[A-Za-z0-9_-]+$' or octet_length(value ->> 'credential_id') > 1366
      then 'credential_id must be 1 to 1024 bytes long, in base64url without padding'
    when jsonb_typeof(value -> 'salt') is distinct from 'string'
      or octet_length(private.decode_base64(value ->> 'salt')) is distinct from 32
      then 'salt of a passkey must be 32 bytes long, in base64 with padding'
    when octet_length(value ->> 'name') > 1024
      or private.json_strings(value ->> 'name', array['ciphertext', 'mac', 'nonce', 'v']) is null
      then 'name must be the text of a JSON object with the members v, nonce, ciphertext and mac, of at most 1024 bytes'
    end;
end $$;
revoke all on function private.chat_passkey_fault(jsonb) from public, anon, authenticated, service_role;

create type public.chat_passkey_use as (
  device_id uuid,
  last_used_at timestamptz,
  replayed boolean
);
comment on type public.chat_passkey_use is 'When a passkey last unlocked the keys';

-- Notes that a passkey has unlocked the keys, at most once a minute.
-- Definer: no role may write keys. For the service only, which answers for user_id.
-- Raises: PT404 device_not_found, user_not_found.
create function public.use_chat_passkey(user_id uuid, device_id uuid)
returns public.chat_passkey_use
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_use public.chat_passkey_use;
begin
  perform private.lock_chat_owner(user_id);
  select w.device_id, w.last_used_at, w.last_used_at > now() - interval '1 minute' into v_use
  from public.chat_key_wraps as w
  where w.user_id = use_chat_passkey.user_id and w.device_id = use_chat_passkey.device_id and w.kind = 'passkey';
  if not found then
    raise exception 'There is no passkey "%"', device_id using errcode = 'PT404', detail = 'device_not_found',
      hint = 'Read the keys again: the passkey may have been revoked';
  end if;
  if v_use.replayed is not true then
    update public.chat_key_wraps as w set last_used_at = now()
    where w.user_id = use_chat_passkey.user_id and w.device_id = use_chat_passkey.device_id;
    v_use.last_used_at := now();
    v_use.replayed := false;
  end if;
  return v_use;
end $$;
revoke all on function public.use_chat_passkey(uuid, uuid) from public, anon, authenticated;
grant execute on function public.use_chat_passkey(uuid, uuid) to service_role;
