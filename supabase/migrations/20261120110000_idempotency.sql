-- Idempotency: what a request with an Idempotency-Key was answered, kept in the transaction of its effect. One table for
-- all domains, so that a key is one request whatever it changed. Keys of entries move here; while old code still runs,
-- a request of its finds its key used and is refused, never done twice.

create table private.idempotency_keys (
  owner_id uuid not null,
  actor text not null,
  key text not null,
  request_hash text not null,
  response jsonb not null,
  created_at timestamptz not null default now(),
  primary key (owner_id, actor, key),
  constraint idempotency_keys_actor_check check (actor in ('user', 'service')),
  constraint idempotency_keys_key_check check (char_length(key) between 1 and 255)
);
comment on table private.idempotency_keys is 'The first answer to each request that carried an idempotency key';
comment on column private.idempotency_keys.owner_id is
  'The user who acted or for whom the service did; a team when no user did';
comment on column private.idempotency_keys.actor is
  'user or service: what the service does has keys of its own, else a user could use them up before it';
comment on column private.idempotency_keys.request_hash is
  'SHA-256 of what was asked, to tell a repeat from another request';

revoke all on private.idempotency_keys from public, anon, authenticated, service_role;

-- Goes with its owner. Not a foreign key: the owner is a user or a team, and the insert is on the way of every charge.
create function private.forget_idempotency_keys()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from private.idempotency_keys as k where k.owner_id = old.id;
  return null;
end $$;
comment on function private.forget_idempotency_keys() is
  'Trigger function. Definer: it runs for the Auth server''s role too, which has no rights here';
revoke all on function private.forget_idempotency_keys() from public, anon, authenticated, service_role;

create trigger on_auth_user_deleted after delete on auth.users
  for each row execute function private.forget_idempotency_keys();
create trigger forget_idempotency_keys after delete on public.teams
  for each row execute function private.forget_idempotency_keys();

-- In PL/pgSQL, as all helpers on the way of a charge: a function in SQL is parsed anew in every transaction.
create function private.hash_request(request jsonb)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return encode(sha256(convert_to(request::text, 'UTF8')), 'hex');
end $$;
revoke all on function private.hash_request(jsonb) from public, anon, authenticated, service_role;

-- The answer that this request got before, or null. Asked under the lock of what the request changes: a second request
-- with the key waits for the first and then finds it.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused.
create function private.first_response(owner_id uuid, actor text, key text, request jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_first private.idempotency_keys;
begin
  if key is null then
    return null;
  end if;
  if char_length(key) not between 1 and 255 then
    raise exception 'An idempotency key has 1 to 255 characters'
      using errcode = 'PT400', detail = 'invalid_idempotency_key';
  end if;
  select k.* into v_first from private.idempotency_keys as k
  where k.owner_id = first_response.owner_id and k.actor = first_response.actor and k.key = first_response.key;
  if found and v_first.request_hash <> private.hash_request(request) then
    raise exception 'This idempotency key was used for another request'
      using errcode = 'PT422', detail = 'idempotency_key_reused', hint = 'Use a new key for a new request';
  end if;
  return v_first.response;
end $$;
revoke all on function private.first_response(uuid, text, text, jsonb) from public, anon, authenticated, service_role;

-- Keeps the answer of a request for its repeats. Does nothing without a key.
-- Raises: PT422 idempotency_key_reused, when the key has been used meanwhile for something with another lock.
create function private.keep_response(owner_id uuid, actor text, key text, request jsonb, response jsonb)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if key is null then
    return;
  end if;
  insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
  values (owner_id, actor, key, private.hash_request(request), response)
  on conflict do nothing;
  if not found then
    raise exception 'This idempotency key was used for another request'
      using errcode = 'PT422', detail = 'idempotency_key_reused', hint = 'Use a new key for a new request';
  end if;
end $$;
revoke all on function private.keep_response(uuid, text, text, jsonb, jsonb)
  from public, anon, authenticated, service_role;
