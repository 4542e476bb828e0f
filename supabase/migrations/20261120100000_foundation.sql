-- The foundation of all domains: the private schema, helpers for triggers and JSON, idempotency keys, and the table of
-- settings, whose rows are in limits_and_retention and sign_up.

create schema private;
comment on schema private is
  'Helpers, internals and trigger functions. The API exposes only public';

-- Policies call helpers in this schema, and PostgREST calls count_request(): both run as the caller.
grant usage on schema private to anon, authenticated, service_role;

-- Nobody may execute a function until a migration grants it. (With "in schema", this statement has no effect.)
alter default privileges revoke execute on functions from public;

-- Callers -------------------------------------------------------------------------------------------

-- Returns whether the caller is the service or an operator, to whom row level security does not apply. It is for
-- definer functions, in which current_user and row_security_active() tell of the function's owner. The role of the
-- request decides, because a session token can lack sub.
create function private.is_service()
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select 1 from pg_catalog.pg_roles as r
    where r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
      and (r.rolbypassrls or r.rolsuper));
end $$;
revoke all on function private.is_service() from public, anon, authenticated, service_role;

-- Returns whether this transaction moves in what a product already has: its rows keep their times and their numbers,
-- and its users bring along what a sign-up would create. Triggers that every message fires look at the setting
-- themselves, which costs less than a call. A role of the API cannot set it, and would gain nothing: the rules for the
-- content of a row hold all the same.
create function private.is_importing()
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return coalesce(current_setting('strongroom.importing', true) = 'on', false);
end $$;
revoke all on function private.is_importing() from public, anon, authenticated, service_role;

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

-- The same function under the name that CodingIT-1 documents.
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

-- Replaces CHECK constraints on tables that every charge updates: PostgreSQL reads and plans all checks of a table
-- again whenever it updates a row. A trigger on the columns that a charge leaves alone costs the charge nothing.
create function private.refuse_row()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'New row for table "%" violates the rule "%"', tg_table_name, tg_name
    using errcode = '23514', schema = tg_table_schema, table = tg_table_name, constraint = tg_name;
end $$;
comment on function private.refuse_row() is
  'Trigger function: refuses the row. The condition of the trigger is the rule';
revoke all on function private.refuse_row() from public, anon, authenticated, service_role;

-- JSON ----------------------------------------------------------------------------------------------

-- Returns a JSON number as an integer from 0 to most, or null when it is not one: the caller raises the error.
create function private.json_integer(value jsonb, most bigint default 2147483647)
returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  return case when jsonb_typeof(value) = 'number' and (value #>> '{}')::numeric between 0 and most
    and (value #>> '{}')::numeric % 1 = 0 then (value #>> '{}')::numeric::bigint end;
end $$;
revoke all on function private.json_integer(jsonb, bigint) from public, anon, authenticated, service_role;

-- Returns a JSON string as a UUID, or null when it is not one: the caller raises the error.
create function private.json_uuid(value jsonb)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return case when jsonb_typeof(value) = 'string'
    and value #>> '{}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (value #>> '{}')::uuid end;
end $$;
revoke all on function private.json_uuid(jsonb) from public, anon, authenticated, service_role;

-- Reads the text of an envelope or a wrap: a JSON object with exactly the given members, all of them strings; the array
-- is sorted by name. Returns the object, or null when the text is anything else.
create function private.json_strings(value text, members text[])
returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
  v_json jsonb;
begin
  -- A valid object has no nested values: text with many brackets is refused before it is parsed.
  if octet_length(value) - octet_length(replace(replace(value, '[', ''), '{', '')) > 100 then
    return null;
  end if;
  v_json := value::jsonb;
  -- json_object_keys reports a duplicate member; jsonb keeps only the last one.
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
comment on table private.idempotency_keys is
  'The first response to each request that carried an idempotency key; charges and holds keep theirs in their own rows';
comment on column private.idempotency_keys.owner_id is
  'The user who made the request or for whom the service made it; a team when there is no user';
comment on column private.idempotency_keys.actor is
  'user or service. The service has keys of its own, so that a user cannot use one before it does';
comment on column private.idempotency_keys.request_hash is
  'SHA-256 of the request, to tell a repeat from a different request';

revoke all on private.idempotency_keys from public, anon, authenticated, service_role;

create index idempotency_keys_created_at on private.idempotency_keys (created_at);

-- Deletes the keys of a deleted user or team. Not a foreign key: the owner can be either, and every charge would pay
-- for the check.
create function private.forget_idempotency_keys()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from private.idempotency_keys as k where k.owner_id = old.id;
  return null;
end $$;
comment on function private.forget_idempotency_keys() is
  'Trigger function. Definer: it also runs as the Auth server''s role, which has no rights here';
revoke all on function private.forget_idempotency_keys() from public, anon, authenticated, service_role;

create trigger on_auth_user_deleted after delete on auth.users
  for each row execute function private.forget_idempotency_keys();

-- Returns the id of an idempotency key: charges and holds are found by it.
create function private.idempotency_id(owner_id uuid, actor text, key text)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return left(encode(sha256(convert_to(concat_ws(' ', owner_id, actor, key), 'UTF8')), 'hex'), 32)::uuid;
end $$;
revoke all on function private.idempotency_id(uuid, text, text) from public, anon, authenticated, service_role;

-- Raises: PT422 idempotency_key_reused.
create function private.refuse_reused_key()
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'This idempotency key has already been used for a different request'
    using errcode = 'PT422', detail = 'idempotency_key_reused', hint = 'Use a new idempotency key for each new request';
end $$;
revoke all on function private.refuse_reused_key() from public, anon, authenticated, service_role;

-- In PL/pgSQL, like all helpers that a charge calls: PostgreSQL parses a function in SQL again in every transaction.
create function private.hash_request(request jsonb)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return encode(sha256(convert_to(request::text, 'UTF8')), 'hex');
end $$;
revoke all on function private.hash_request(jsonb) from public, anon, authenticated, service_role;

-- Returns the first answer to this request, or null when it is new or has no key. Call it while holding the lock of
-- what the request changes: a second request with the same key waits for the first and then finds its answer.
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
    raise exception 'An idempotency key must be 1 to 255 characters long'
      using errcode = 'PT400', detail = 'invalid_idempotency_key', hint = 'Use a UUID';
  end if;
  select k.* into v_first from private.idempotency_keys as k
  where k.owner_id = first_response.owner_id and k.actor = first_response.actor and k.key = first_response.key;
  if found and v_first.request_hash <> private.hash_request(request) then
    perform private.refuse_reused_key();
  end if;
  return v_first.response;
end $$;
revoke all on function private.first_response(uuid, text, text, jsonb) from public, anon, authenticated, service_role;

-- Keeps the answer to a request for its repeats. Does nothing without a key.
-- Raises: PT422 idempotency_key_reused, when a request under another lock has used the key in the meantime.
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
    perform private.refuse_reused_key();
  end if;
end $$;
revoke all on function private.keep_response(uuid, text, text, jsonb, jsonb)
  from public, anon, authenticated, service_role;

-- Settings -----------------------------------------------------------------------------------------

create table private.settings (
  name text primary key,
  value numeric not null,
  unit text not null,
  minimum numeric not null,
  maximum numeric not null,
  description text not null,
  updated_at timestamptz not null default now(),
  constraint settings_name_check check (name ~ '^[a-z_]+\.[a-z_]+$'),
  constraint settings_value_check check (value between minimum and maximum)
);
comment on table private.settings is
  'Limits and amounts that an operator may change: update private.settings set value = ... where name = ...';
comment on column private.settings.name is 'domain.name, as in credits.signup_amount';
comment on column private.settings.unit is 'What value counts: credits, bytes, seconds, rows';

revoke all on private.settings from public, anon, authenticated, service_role;

-- Returns the value of a setting. An unknown name is a bug in the caller and raises P0002.
create function private.setting(name text)
returns numeric
language plpgsql stable set search_path = ''
as $$
declare
  v_value numeric;
begin
  select s.value into strict v_value from private.settings as s where s.name = setting.name;
  return v_value;
end $$;
revoke all on function private.setting(text) from public, anon, authenticated, service_role;

-- A setting in seconds as an interval, for what is kept or valid for that long.
create function private.retention(name text)
returns interval
language plpgsql stable set search_path = ''
as $$
begin
  return private.setting(name) * interval '1 second';
end $$;
revoke all on function private.retention(text) from public, anon, authenticated, service_role;

create trigger settings_updated_at before update on private.settings
  for each row execute function public.handle_updated_at();
