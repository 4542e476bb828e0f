-- The keys of encrypted chats. The server has only wraps of them, which it cannot open: a key is wrapped under a
-- password, under a recovery key and under keys that devices and passkeys keep; that of an older epoch under the next one.
-- docs/encryption.md describes wraps.

create table public.chat_keys (
  user_id uuid not null references auth.users (id) on delete cascade,
  id uuid not null,
  epoch integer not null,
  created_at timestamptz not null default now(),
  proof_number integer not null default 0,
  proof_hash bytea,
  primary key (user_id, id),
  constraint chat_keys_proof_check check ((proof_hash is null) = (proof_number = 0) and octet_length(proof_hash) = 32),
  constraint chat_keys_user_epoch_key unique (user_id, epoch),
  constraint chat_keys_epoch_check check (epoch >= 1)
);
comment on table public.chat_keys is 'The epochs of the data key that encrypts a user''s chats; the last one is current';
comment on column public.chat_keys.id is 'The key_id of envelopes; chosen by the client, unique among the keys of its user';

comment on column public.chat_keys.proof_number is 'The number of the proof that the next change needs; 0 when it needs none';
comment on column public.chat_keys.proof_hash is 'SHA-256 of that proof, which the client derives from the data key';

alter table public.chat_keys enable row level security;
revoke all on public.chat_keys from public, anon, authenticated, service_role;
grant select on public.chat_keys to authenticated, service_role;
create policy "users read their own chat keys" on public.chat_keys
  for select to authenticated using (user_id = (select auth.uid()));

create table public.chat_key_wraps (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  key_id uuid not null,
  kind text not null,
  device_id uuid,
  wrapped_by uuid,
  salt text,
  iterations integer,
  memory_kib integer,
  passes integer,
  credential_id text,
  name text,
  wrap text not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  constraint chat_key_wraps_key_id_fkey foreign key (user_id, key_id)
    references public.chat_keys (user_id, id) on delete cascade,
  constraint chat_key_wraps_unique unique nulls not distinct (user_id, key_id, kind, device_id),
  constraint chat_key_wraps_kind_check check (kind in ('password', 'recovery', 'device', 'passkey', 'epoch')),
  constraint chat_key_wraps_device_check check ((kind in ('device', 'passkey')) = (device_id is not null)),
  constraint chat_key_wraps_epoch_check check ((kind = 'epoch') = (wrapped_by is not null)),
  constraint chat_key_wraps_password_check check (
    (kind in ('password', 'passkey')) = (salt is not null) and (memory_kib is null) = (passes is null)
    and num_nonnulls(iterations, memory_kib) = (kind = 'password')::integer),
  constraint chat_key_wraps_passkey_check check (
    num_nonnulls(credential_id, name) = (kind = 'passkey')::integer * 2 and (last_used_at is null or kind = 'passkey'))
);
comment on table public.chat_key_wraps is 'Encrypted data keys of chats; the database has no key that opens them';
comment on column public.chat_key_wraps.kind is
  'What the data key is encrypted under: a password, the recovery key, the key of a device, a passkey, or the data key of the next epoch';
comment on column public.chat_key_wraps.wrapped_by is 'The next epoch, for the kind epoch';
comment on column public.chat_key_wraps.device_id is 'Names the device or the passkey; chosen by the client';
comment on column public.chat_key_wraps.salt is 'The salt in base64, for the kinds password and passkey';
comment on column public.chat_key_wraps.iterations is 'Rounds of PBKDF2-SHA256, for a password that was derived with it';
comment on column public.chat_key_wraps.memory_kib is 'Kibibytes of memory of Argon2id, for a password that was derived with it';
comment on column public.chat_key_wraps.passes is 'Passes of Argon2id over the memory';
comment on column public.chat_key_wraps.credential_id is 'The id of the passkey in its authenticator, in base64url';
comment on column public.chat_key_wraps.name is 'The name of the passkey, encrypted under the data key';
comment on column public.chat_key_wraps.last_used_at is 'When the passkey last unlocked the keys, as far as clients say';

alter table public.chat_key_wraps enable row level security;
revoke all on public.chat_key_wraps from public, anon, authenticated, service_role;
grant select on public.chat_key_wraps to authenticated, service_role;
create policy "users read their own chat key wraps" on public.chat_key_wraps
  for select to authenticated using (user_id = (select auth.uid()));

-- Decodes base64 as in RFC 4648, section 4; null when it is anything else. PostgreSQL's own function accepts more.
create function private.decode_base64(value text)
returns bytea
language plpgsql immutable set search_path = ''
as $$
declare
  v_bytes bytea;
begin
  v_bytes := decode(value, 'base64');
  return case when translate(encode(v_bytes, 'base64'), E'\n', '') = value then v_bytes end;
exception when data_exception then
  return null;
end $$;
revoke all on function private.decode_base64(text) from public, anon, authenticated, service_role;

-- Checks and returns a wrap as a client sends it: {kind, device_id, salt, iterations, memory_kib, passes, credential_id,
-- name, wrap}. A password has either iterations (PBKDF2) or memory_kib and passes (Argon2id). index is its place in the
-- list from 0, which an error names.
-- Raises: PT422 invalid_wrap {index}.
create function private.read_chat_key_wrap(value jsonb, index integer)
returns public.chat_key_wraps
language plpgsql stable set search_path = ''
as $$
declare
  v_members constant text[] := array['kind', 'device_id', 'salt', 'iterations', 'memory_kib', 'passes', 'credential_id',
    'name', 'wrap'];
  v_wrap public.chat_key_wraps;
  v_json jsonb;
  v_says text;
begin
  v_wrap.kind := value ->> 'kind';
  v_wrap.wrap := value ->> 'wrap';
  v_json := private.json_strings(v_wrap.wrap, array['ciphertext', 'mac', 'nonce', 'v']);
  if jsonb_typeof(value) is distinct from 'object'
    or value - v_members <> '{}'
    or (v_wrap.kind in ('password', 'recovery', 'device', 'passkey', 'epoch')) is not true then
    v_says := case
      when jsonb_typeof(value) is distinct from 'object' then 'A wrap must be a JSON object'
      when value - v_members <> '{}'
        then 'A wrap can only have the members ' || array_to_string(v_members, ', ')
      else 'kind must be password, recovery, device, passkey or epoch' end;
  elsif octet_length(v_wrap.wrap) > 1024 or v_json is null or v_json ->> 'v' <> '2'
    or octet_length(private.decode_base64(v_json ->> 'nonce')) is distinct from 12
    or octet_length(private.decode_base64(v_json ->> 'ciphertext')) is distinct from 32
    or octet_length(private.decode_base64(v_json ->> 'mac')) is distinct from 16 then
    v_says := case
      when octet_length(v_wrap.wrap) > 1024 then 'wrap must be at most 1024 bytes long'
      when v_json is null
        then 'wrap must be the text of a JSON object with exactly the members v, nonce, ciphertext and mac, all strings'
      when v_json ->> 'v' <> '2' then 'The member v of wrap must be "2"'
      else 'nonce, ciphertext and mac of wrap must be 12, 32 and 16 bytes long, in base64 with padding' end;
  elsif (v_wrap.kind in ('device', 'passkey')) <> (value ? 'device_id')
    or value ? 'device_id' and private.json_uuid(value -> 'device_id') is null then
    v_says := format(case when v_wrap.kind in ('device', 'passkey')
      then 'A wrap of the kind %s must have a device_id, which must be a UUID'
      else 'A wrap of the kind %s must not have a device_id' end, v_wrap.kind);
  elsif v_wrap.kind = 'passkey' or value ?| array['credential_id', 'name'] then
    v_says := private.chat_passkey_fault(value);
  elsif (v_wrap.kind = 'password') <> (value ? 'salt') or (value ? 'memory_kib') <> (value ? 'passes')
    or (v_wrap.kind = 'password')::integer <> (value ? 'iterations')::integer + (value ? 'memory_kib')::integer then
    v_says := case v_wrap.kind
      when 'password' then 'A wrap of the kind password must have salt, and either iterations or memory_kib and passes'
      else format('A wrap of the kind %s must not have salt, iterations, memory_kib and passes', v_wrap.kind) end;
  elsif v_wrap.kind = 'password' and (jsonb_typeof(value -> 'salt') <> 'string'
    or coalesce(octet_length(private.decode_base64(value ->> 'salt')), 0) not between 16 and 64) then
    v_says := 'salt must be 16 to 64 bytes long, in base64 with padding';
  elsif value ? 'iterations' and coalesce(private.json_integer(value -> 'iterations'), 0)
      not between private.setting('chats.min_iterations') and 2000000 then
    v_says := format('iterations must be a whole number from %s to 2000000', private.setting('chats.min_iterations'));
  elsif value ? 'memory_kib' and not (
    coalesce(private.json_integer(value -> 'memory_kib'), 0) between 19456 and 262144
    and coalesce(private.json_integer(value -> 'passes'), 0) between 2 and 10
    and private.json_integer(value -> 'memory_kib') * private.json_integer(value -> 'passes') <= 262144) then
    v_says := 'memory_kib must be 19456 to 262144, passes 2 to 10, and their product at most 262144';
  end if;
  if v_says is not null then
    raise exception '%', v_says using errcode = 'PT422', detail = 'invalid_wrap ' || jsonb_build_object('index', index)::text;
  end if;
  v_wrap.device_id := private.json_uuid(value -> 'device_id');
  v_wrap.salt := value ->> 'salt';
  v_wrap.iterations := private.json_integer(value -> 'iterations');
  v_wrap.memory_kib := private.json_integer(value -> 'memory_kib');
  v_wrap.passes := private.json_integer(value -> 'passes');
  v_wrap.credential_id := value ->> 'credential_id';
  v_wrap.name := value ->> 'name';
  return v_wrap;
end $$;
revoke all on function private.read_chat_key_wrap(jsonb, integer) from public, anon, authenticated, service_role;

create type public.chat_key_change as (
  version integer,
  key_id uuid,
  epoch integer,
  replayed boolean
);
comment on type public.chat_key_change is 'The version of a user''s chat keys after a change, and the current epoch';

-- Stores 1 to 10 wraps of a key. They replace those of the same kind and device; others stay. Password and recovery wraps
-- that are replaced are kept for a while. required are the kinds that must be among them. previous is the older epoch that
-- a wrap of the kind epoch opens; null when there is none.
-- Raises: PT409 too_many_devices; PT422 invalid_wraps, invalid_wrap {index}, wrap_missing {kind}.
create function private.put_chat_key_wraps(user_id uuid, key_id uuid, wraps jsonb, required text[], previous uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_wraps public.chat_key_wraps[];
  v_wrap public.chat_key_wraps;
  v_kind text;
begin
  if jsonb_typeof(wraps) is distinct from 'array' or jsonb_array_length(wraps) not between 1 and 10 then
    raise exception 'wraps must be a list of 1 to 10 wraps' using errcode = 'PT422', detail = 'invalid_wraps';
  end if;
  v_wraps := array(select private.read_chat_key_wrap(w.value, w.ordinality::integer - 1)
    from jsonb_array_elements(wraps) with ordinality as w);
  foreach v_kind in array required loop
    if not exists (select 1 from unnest(v_wraps) as w where w.kind = v_kind) then
      raise exception 'wraps must contain a wrap of the kind %', v_kind
        using errcode = 'PT422', detail = 'wrap_missing ' || jsonb_build_object('kind', v_kind)::text;
    end if;
  end loop;
  if exists (select 1 from unnest(v_wraps) as w group by w.kind, w.device_id having count(*) > 1) then
    raise exception 'wraps must contain at most one wrap of each kind; of the kinds device and passkey, at most one for each device_id'
      using errcode = 'PT422', detail = 'invalid_wraps';
  end if;
  if exists (select 1 from unnest(v_wraps) as w where w.kind = 'epoch' and previous is null) then
    raise exception 'A wrap of the kind epoch is allowed only in a rotation'
      using errcode = 'PT422', detail = 'invalid_wraps', hint = 'Rotate the keys with POST /chats/keys/rotate';
  end if;

  perform private.keep_chat_key_wraps(user_id, key_id, array(select w.kind from unnest(v_wraps) as w));
  foreach v_wrap in array v_wraps loop
    insert into public.chat_key_wraps as w (user_id, key_id, kind, device_id, wrapped_by, salt, iterations, memory_kib, passes,
      credential_id, name, wrap)
    values (put_chat_key_wraps.user_id,
      case v_wrap.kind when 'epoch' then previous else put_chat_key_wraps.key_id end, v_wrap.kind, v_wrap.device_id,
      case v_wrap.kind when 'epoch' then put_chat_key_wraps.key_id end, v_wrap.salt, v_wrap.iterations,
      v_wrap.memory_kib, v_wrap.passes, v_wrap.credential_id, v_wrap.name, v_wrap.wrap)
    on conflict on constraint chat_key_wraps_unique do update
      set salt = excluded.salt, iterations = excluded.iterations, memory_kib = excluded.memory_kib,
        passes = excluded.passes, credential_id = excluded.credential_id, name = excluded.name, wrap = excluded.wrap,
        created_at = now();
  end loop;
  if (select count(*) from public.chat_key_wraps as w where w.user_id = put_chat_key_wraps.user_id
      and w.key_id = put_chat_key_wraps.key_id and w.kind in ('device', 'passkey')) > private.setting('chats.max_devices') then
    raise exception 'At most % devices and passkeys can have a key', private.setting('chats.max_devices')
      using errcode = 'PT409', detail = 'too_many_devices', hint = 'Revoke one that is no longer used';
  end if;
end $$;
revoke all on function private.put_chat_key_wraps(uuid, uuid, jsonb, text[], uuid)
  from public, anon, authenticated, service_role;

-- Begins a change of a user's keys. Returns the answer to the first request with this idempotency key, or null when
-- this is the first one. Then the keys are at expected_version.
-- Raises: PT409 version_conflict {version}; PT422 invalid_key_id, idempotency_key_reused.
create function private.begin_chat_key_change(
  owner private.chat_owners, expected_version integer, key_id uuid, idempotency_key text, request jsonb
)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_first jsonb := private.first_response(owner.user_id, 'user', idempotency_key, request);
begin
  if v_first is not null then
    return v_first;
  end if;
  if begin_chat_key_change.key_id is null then
    raise exception 'key_id must be a UUID' using errcode = 'PT422', detail = 'invalid_key_id';
  end if;
  if expected_version is distinct from owner.key_version then
    raise exception 'Another request has changed the keys: they are at version %', owner.key_version
      using errcode = 'PT409', detail = 'version_conflict ' || jsonb_build_object('version', owner.key_version)::text,
      hint = 'Read the keys again, unlock the chats with them, and repeat the change';
  end if;
  return null;
end $$;
revoke all on function private.begin_chat_key_change(private.chat_owners, integer, uuid, text, jsonb)
  from public, anon, authenticated, service_role;

-- Reads base64 of 32 bytes; null is null.
-- Raises: PT422 invalid_key_proof.
create function private.read_chat_key_proof(value text)
returns bytea
language plpgsql immutable set search_path = ''
as $$
declare
  v_bytes bytea := private.decode_base64(value);
begin
  if value is not null and octet_length(v_bytes) is distinct from 32 then
    raise exception 'proof and next_proof_hash must be 32 bytes long, in base64 with padding'
      using errcode = 'PT422', detail = 'invalid_key_proof';
  end if;
  return v_bytes;
end $$;
revoke all on function private.read_chat_key_proof(text) from public, anon, authenticated, service_role;

-- Checks that whoever changes a user's keys has the data key: proof is what the current key's proof_hash was made from.
-- So a stolen session cannot replace the wraps and lock the user out. A proof is used once, so the next hash comes with
-- it. Keys without a hash need no proof.
-- Raises: PT403 key_proof_wrong; PT422 invalid_key_proof.
create function private.check_chat_key_proof(owner private.chat_owners, proof text, next_proof_hash text)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_hash bytea;
  v_proof bytea := private.read_chat_key_proof(proof);
  v_next bytea := private.read_chat_key_proof(next_proof_hash);
begin
  select k.proof_hash into v_hash from public.chat_keys as k where k.user_id = owner.user_id and k.id = owner.key_id;
  if v_hash is null then
    return;
  end if;
  if sha256(v_proof) is distinct from v_hash then
    raise exception 'proof does not show that you have the current key'
      using errcode = 'PT403', detail = 'key_proof_wrong', hint = 'Unlock the keys, and derive the proof from the data key';
  end if;
  if v_next is null then
    raise exception 'next_proof_hash is missing' using errcode = 'PT422', detail = 'invalid_key_proof',
      hint = 'Send the SHA-256 of the proof for the change after this one';
  end if;
end $$;
revoke all on function private.check_chat_key_proof(private.chat_owners, text, text)
  from public, anon, authenticated, service_role;

-- Ends a change of a user's keys: counts their version, sets the current epoch, stores the hash of the next proof and
-- keeps the response for retries.
create function private.end_chat_key_change(
  user_id uuid, key_id uuid, next_proof_hash text, idempotency_key text, request jsonb
)
returns public.chat_key_change
language plpgsql volatile set search_path = ''
as $$
declare
  v_result public.chat_key_change;
begin
  update private.chat_owners as o set key_version = o.key_version + 1, key_id = end_chat_key_change.key_id
  where o.user_id = end_chat_key_change.user_id
  returning o.key_version into v_result.version;
  v_result.key_id := key_id;
  update public.chat_keys as k
  set proof_hash = private.read_chat_key_proof(next_proof_hash), proof_number = k.proof_number + 1
  where k.user_id = end_chat_key_change.user_id and k.id = end_chat_key_change.key_id and next_proof_hash is not null;
  select k.epoch into v_result.epoch from public.chat_keys as k
  where k.user_id = end_chat_key_change.user_id and k.id = end_chat_key_change.key_id;
  v_result.replayed := false;
  perform private.keep_response(user_id, 'user', idempotency_key, request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function private.end_chat_key_change(uuid, uuid, text, text, jsonb)
  from public, anon, authenticated, service_role;

-- Stores wraps of the current epoch: for a new password, a new recovery key or another device. expected_version is the
-- version of the keys that the client has read. With 0 this makes the first epoch, which needs wraps of the kinds
-- password and recovery. proof is that of the current key, and next_proof_hash is for the change after this one: see
-- private.check_chat_key_proof. Returns the new version.
-- Definer: no role may write keys. For the service only, which answers for user_id.
-- Raises: PT403 key_proof_wrong; PT409 version_conflict {version}, key_epoch_old {key_id}, too_many_devices; PT422
-- invalid_key_id, invalid_key_proof, invalid_wraps, invalid_wrap {index}, wrap_missing {kind}, idempotency_key_reused.
create function public.set_chat_keys(
  user_id uuid,
  expected_version integer,
  key_id uuid,
  wraps jsonb,
  idempotency_key text default null,
  proof text default null,
  next_proof_hash text default null
)
returns public.chat_key_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('keys', expected_version, key_id, wraps);
  v_owner private.chat_owners := private.lock_chat_owner(user_id);
  v_first jsonb := private.begin_chat_key_change(v_owner, expected_version, key_id, idempotency_key, v_request);
  v_result public.chat_key_change;
begin
  if v_first is not null then
    v_result := jsonb_populate_record(null::public.chat_key_change, v_first || '{"replayed": true}');
    return v_result;
  end if;
  perform private.check_chat_key_proof(v_owner, proof, next_proof_hash);
  if v_owner.key_id is null then
    insert into public.chat_keys (user_id, id, epoch) values (set_chat_keys.user_id, set_chat_keys.key_id, 1);
  elsif v_owner.key_id <> set_chat_keys.key_id then
    raise exception 'Key "%" is not the current key', key_id
      using errcode = 'PT409', detail = 'key_epoch_old ' || jsonb_build_object('key_id', v_owner.key_id)::text,
      hint = 'Read the keys again, and wrap the current key';
  end if;
  perform private.put_chat_key_wraps(user_id, key_id, wraps,
    case when v_owner.key_id is null then array['password', 'recovery'] else '{}' end, null);
  return private.end_chat_key_change(user_id, key_id, next_proof_hash, idempotency_key, v_request);
end $$;
revoke all on function public.set_chat_keys(uuid, integer, uuid, jsonb, text, text, text) from public, anon, authenticated;
grant execute on function public.set_chat_keys(uuid, integer, uuid, jsonb, text, text, text) to service_role;

-- Starts a new epoch: from then on, envelopes of older epochs are refused. It needs the new key wrapped under the
-- password and under a new recovery key, and the key of the epoch before wrapped under the new key. Other wraps of
-- older epochs are deleted: a lost device that had one opens nothing that is written from then on. next_proof_hash is
-- that of the first proof of the new key.
-- Definer: no role may write keys. For the service only, which answers for user_id.
-- Raises: as set_chat_keys, and PT404 keys_not_found; PT409 key_id_used.
create function public.rotate_chat_keys(
  user_id uuid,
  expected_version integer,
  key_id uuid,
  wraps jsonb,
  idempotency_key text default null,
  proof text default null,
  next_proof_hash text default null
)
returns public.chat_key_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('rotate', expected_version, key_id, wraps);
  v_owner private.chat_owners := private.lock_chat_owner(user_id);
  v_first jsonb := private.begin_chat_key_change(v_owner, expected_version, key_id, idempotency_key, v_request);
  v_result public.chat_key_change;
begin
  if v_first is not null then
    v_result := jsonb_populate_record(null::public.chat_key_change, v_first || '{"replayed": true}');
    return v_result;
  end if;
  if v_owner.key_id is null then
    raise exception 'The account has no keys yet' using errcode = 'PT404', detail = 'keys_not_found',
      hint = 'Set up the first keys with PUT /chats/keys';
  end if;
  perform private.check_chat_key_proof(v_owner, proof, next_proof_hash);
  insert into public.chat_keys (user_id, id, epoch)
  select rotate_chat_keys.user_id, rotate_chat_keys.key_id, k.epoch + 1
  from public.chat_keys as k where k.user_id = rotate_chat_keys.user_id and k.id = v_owner.key_id
  on conflict on constraint chat_keys_pkey do nothing;
  if not found then
    raise exception 'The account already has a key with the id "%"', key_id using errcode = 'PT409', detail = 'key_id_used',
      hint = 'Use a new UUID as key_id';
  end if;
  perform private.put_chat_key_wraps(user_id, key_id, wraps, array['password', 'recovery', 'epoch'], v_owner.key_id);
  perform private.keep_chat_key_wraps(user_id, v_owner.key_id, array['password', 'recovery']);
  delete from public.chat_key_wraps as w
  where w.user_id = rotate_chat_keys.user_id and w.key_id = v_owner.key_id and w.kind <> 'epoch';
  return private.end_chat_key_change(user_id, key_id, next_proof_hash, idempotency_key, v_request);
end $$;
revoke all on function public.rotate_chat_keys(uuid, integer, uuid, jsonb, text, text, text) from public, anon, authenticated;
grant execute on function public.rotate_chat_keys(uuid, integer, uuid, jsonb, text, text, text) to service_role;

-- Deletes the wraps of a device or a passkey, which can then no longer open the chats with the key that it keeps. It may have kept
-- the data key: rotate the keys when a device was lost. A second call raises device_not_found.
-- Definer: no role may write keys. For the service only, which answers for user_id.
-- Raises: PT404 device_not_found.
create function public.revoke_chat_device(user_id uuid, device_id uuid)
returns public.chat_key_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner private.chat_owners := private.lock_chat_owner(user_id);
begin
  delete from public.chat_key_wraps as w
  where w.user_id = revoke_chat_device.user_id and w.device_id = revoke_chat_device.device_id;
  if not found then
    raise exception 'There is no device "%"', device_id using errcode = 'PT404', detail = 'device_not_found';
  end if;
  return private.end_chat_key_change(user_id, v_owner.key_id, null, null, null);
end $$;
revoke all on function public.revoke_chat_device(uuid, uuid) from public, anon, authenticated;
grant execute on function public.revoke_chat_device(uuid, uuid) to service_role;
