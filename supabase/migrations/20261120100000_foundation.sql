-- What every domain stands on: the private schema, helpers for JSON and triggers, and idempotency keys.

create schema private;
comment on schema private is
  'Helpers, internals and trigger functions. Not exposed: clients reach what is in public.';

-- Policies call helpers in here, and policies run as the caller.
grant usage on schema private to authenticated, service_role;

-- A function is nobody's until a migration grants it. (Per schema, this form does nothing.)
alter default privileges revoke execute on functions from public;

-- updated_at ----------------------------------------------------------------------------------------

create function public.handle_updated_at()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end $$;
comment on function public.handle_updated_at() is
  'Trigger function: sets updated_at to the time of the transaction';
revoke all on function public.handle_updated_at() from public, anon, authenticated, service_role;

-- The same under the name that CodingIT-1 documents.
create function public.update_updated_at_column()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end $$;
comment on function public.update_updated_at_column() is
  'Trigger function: sets updated_at to the time of the transaction';
revoke all on function public.update_updated_at_column() from public, anon, authenticated, service_role;

-- What would be checks, were it not for their price: every update of a row reads and plans all checks of its table again,
-- and every charge updates a grant. What a charge does not change is looked at when it changes.
create function private.refuse_row()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'New row for table "%" violates the rules of "%"', tg_table_name, tg_name
    using errcode = '23514', schema = tg_table_schema, table = tg_table_name, constraint = tg_name;
end $$;
comment on function private.refuse_row() is 'Trigger function: refuses the row; when is said by the trigger';
revoke all on function private.refuse_row() from public, anon, authenticated, service_role;

-- JSON ----------------------------------------------------------------------------------------------

-- A number or an id out of JSON, or null when it is none: the caller says what is wrong.
create function private.json_integer(value jsonb)
returns integer
language plpgsql immutable set search_path = ''
as $$
begin
  return case when jsonb_typeof(value) = 'number' and (value #>> '{}')::numeric between 0 and 2147483647
    and (value #>> '{}')::numeric % 1 = 0 then (value #>> '{}')::numeric::integer end;
end $$;
revoke all on function private.json_integer(jsonb) from public, anon, authenticated, service_role;

create function private.json_uuid(value jsonb)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return case when jsonb_typeof(value) = 'string'
    and value #>> '{}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (value #>> '{}')::uuid end;
end $$;
revoke all on function private.json_uuid(jsonb) from public, anon, authenticated, service_role;

-- The members of an envelope or a wrap: the text of a JSON object that has these, all strings, and no others; or null.
create function private.json_strings(value text, members text[])
returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
  v_json jsonb;
begin
  -- What is nested is none, and is not parsed, however deep it goes.
  if octet_length(value) - octet_length(replace(replace(value, '[', ''), '{', '')) > 100 then
    return null;
  end if;
  v_json := value::jsonb;
  -- Of JSON rather than of jsonb, which has forgotten that a member was there twice.
  if jsonb_typeof(v_json) = 'object'
    and (select array_agg(m order by m) from json_object_keys(value::json) as m) = members
    and not exists (select 1 from jsonb_each(v_json) as m where jsonb_typeof(m.value) <> 'string') then
    return v_json;
  end if;
  return null;
exception when data_exception or program_limit_exceeded then
  return null;
end $$;
revoke all on function private.json_strings(text, text[]) from public, anon, authenticated, service_role;

-- Idempotency ---------------------------------------------------------------------------------------

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

create index idempotency_keys_created_at on private.idempotency_keys (created_at);

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
