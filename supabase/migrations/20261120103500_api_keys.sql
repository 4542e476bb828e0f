-- API keys: secrets that a user gives to a program, so that it can call chosen functions in the user's name. The function
-- keys makes them, because only it sees the secret: the database has its SHA-256. What happens to a key is recorded.

-- Permissions -----------------------------------------------------------------------------------------

-- What a key may be allowed to do. A route names the permission that it requires.
create table private.api_key_permissions (
  name text primary key,
  description text not null
);
comment on table private.api_key_permissions is 'What an API key may be allowed to do';
revoke all on private.api_key_permissions from public, anon, authenticated, service_role;

insert into private.api_key_permissions (name, description) values
  ('credits:read', 'Read balances and statements, and quote prices'),
  ('credits:write', 'Charge credits at their prices'),
  ('messages:write', 'Create conversations, and save messages'),
  ('answers:write', 'Ask models, whose answers are paid with credits'),
  ('projects:write', 'Clone, delete and restore projects'),
  ('files:read', 'Read how much storage is used'),
  ('files:write', 'Upload and delete files');

-- api_keys --------------------------------------------------------------------------------------------

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null,
  key_hash text not null,
  key_prefix text not null,
  permissions jsonb not null default '{}'::jsonb,
  last_used_at timestamptz,
  expires_at timestamptz,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint api_keys_name_check check (name <> ''),
  constraint api_keys_name_length_check check (char_length(name) <= 200),
  constraint api_keys_key_hash_key unique (key_hash),
  constraint api_keys_key_prefix_check check (key_prefix <> ''),
  constraint api_keys_permissions_size_check check (pg_column_size(permissions) <= 8192)
);
comment on table public.api_keys is
  'API keys of users. Only the server creates them, because only it sees the key: clients cannot insert';
comment on column public.api_keys.key_hash is 'SHA-256 of the key in hexadecimal digits, never the key';
comment on column public.api_keys.key_prefix is 'The beginning of the key, by which its user recognizes it';
comment on column public.api_keys.permissions is
  'An array of names: credits:read, credits:write, messages:write, answers:write, projects:write, files:read, files:write. Anything else allows nothing';
comment on column public.api_keys.last_used_at is 'When the key was last accepted, to the minute';

create index idx_api_keys_user_id on public.api_keys (user_id);

alter table public.api_keys enable row level security;
revoke all on public.api_keys from public, anon, authenticated, service_role;
grant select on public.api_keys to authenticated;
grant update (name, permissions, expires_at, is_active, updated_at)
  on public.api_keys to authenticated;
grant delete on public.api_keys to authenticated;
grant select, insert, update, delete on public.api_keys to service_role;

create policy "users read their own API keys" on public.api_keys
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users update their own API keys" on public.api_keys
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own API keys" on public.api_keys
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_api_keys_updated_at before update of name, permissions, expires_at, is_active, updated_at
  on public.api_keys
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.api_keys', rows => 100, bytes => 1048576, changes => 'name, permissions',
  states => 'last_used_at, expires_at, is_active');

-- api_key_events --------------------------------------------------------------------------------------

create table public.api_key_events (
  id bigint primary key generated always as identity,
  user_id uuid not null references auth.users (id) on delete cascade,
  -- No reference: what happened to a key stays when the key is deleted.
  key_id uuid not null,
  key_prefix text not null,
  event text not null,
  detail jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default clock_timestamp(),
  constraint api_key_events_event_check
    check (event in ('created', 'changed', 'disabled', 'enabled', 'deleted', 'refused'))
);
comment on table public.api_key_events is
  'What happened to the API keys of users. Only triggers and functions write it; the cleanup deletes old rows';
comment on column public.api_key_events.detail is
  'changed: the columns that changed, with their new values. refused: {code, permission}';

create index api_key_events_user_id on public.api_key_events (user_id, created_at desc);
create index api_key_events_key_id on public.api_key_events (key_id, created_at desc);
create index api_key_events_created_at on public.api_key_events (created_at);

alter table public.api_key_events enable row level security;
revoke all on public.api_key_events from public, anon, authenticated, service_role;
grant select on public.api_key_events to authenticated, service_role;

create policy "users read what happened to their API keys" on public.api_key_events
  for select to authenticated using (user_id = (select auth.uid()));

-- Definer: nobody may write the events, and a user may change and delete keys directly.
create function private.record_api_key_event()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_key public.api_keys := case tg_op when 'DELETE' then old else new end;
  v_detail jsonb := '{}';
  v_event text := case tg_op when 'INSERT' then 'created' else 'deleted' end;
begin
  if tg_op = 'UPDATE' then
    v_event := case
      when old.is_active and not new.is_active then 'disabled'
      when new.is_active and not old.is_active then 'enabled'
      else 'changed'
    end;
    v_detail := (
      select coalesce(jsonb_object_agg(n.key, n.value), '{}')
      from jsonb_each(to_jsonb(new)) as n
      where n.key in ('name', 'permissions', 'expires_at') and n.value is distinct from to_jsonb(old) -> n.key);
    if v_event = 'changed' and v_detail = '{}' then
      return null;
    end if;
  end if;
  -- A deleted account takes its keys with it: then there is nobody left to record it for.
  if tg_op <> 'DELETE' or exists (select from auth.users as u where u.id = v_key.user_id) then
    insert into public.api_key_events (user_id, key_id, key_prefix, event, detail)
    values (v_key.user_id, v_key.id, v_key.key_prefix, v_event, v_detail);
  end if;
  return null;
end $$;
comment on function private.record_api_key_event() is 'Trigger function: records what happens to a key';
revoke all on function private.record_api_key_event() from public, anon, authenticated, service_role;

-- Each changed key leaves an event, and one request of a client can change all keys of its user. A refusal undoes the
-- events of the request.
-- Definer: clients may not read the settings or write the counts.
-- Raises: 429 too_many_requests {policy, limit, window, retry_after}.
create function private.limit_api_key_changes()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_most numeric := private.setting('api_keys.changes_per_minute');
begin
  if current_setting('role', true) = 'authenticated' and private.exceeds_minute(
    private.subject_of('api_keys', (select auth.uid())::text), (select count(*) from changed)::integer, v_most) then
    perform private.refuse_requests('api_keys', v_most);
  end if;
  return null;
end $$;
comment on function private.limit_api_key_changes() is
  'Trigger function: refuses direct changes of keys beyond so many in a minute';
revoke all on function private.limit_api_key_changes() from public, anon, authenticated, service_role;

create trigger limit_api_key_changes after update on public.api_keys
  referencing new table as changed
  for each statement execute function private.limit_api_key_changes();

create trigger record_api_key_event
  after insert or delete or update of name, permissions, expires_at, is_active on public.api_keys
  for each row execute function private.record_api_key_event();

-- Creating a key --------------------------------------------------------------------------------------

-- Creates an API key of a user, and returns it without its hash. key_hash is the SHA-256 of the key in hexadecimal digits,
-- key_prefix its first characters; the caller has made the key, and shows it to the user once.
-- Definer: clients may not insert keys. For the service only, which has verified user_id.
-- Raises: PT404 user_not_found; PT409 too_many_keys {limit}; PT422 invalid_key, unknown_permission {unknown}.
create function public.create_api_key(
  user_id uuid, name text, key_hash text, key_prefix text, permissions jsonb, expires_at timestamptz default null
)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_limit integer := private.setting('api_keys.per_user');
  v_unknown text;
  v_key public.api_keys;
begin
  if create_api_key.user_id is null
    or (char_length(create_api_key.name) between 1 and 200
      and create_api_key.key_hash ~ '^[0-9a-f]{64}$'
      and char_length(create_api_key.key_prefix) between 4 and 20
      and jsonb_typeof(create_api_key.permissions) = 'array'
      and jsonb_array_length(create_api_key.permissions) between 1 and 100) is not true
    or create_api_key.expires_at <= now() then
    raise exception 'A key needs a name of 1 to 200 characters and at least one permission, and expires_at must be in the future'
      using errcode = 'PT422', detail = 'invalid_key';
  end if;
  select p.value #>> '{}' into v_unknown
  from jsonb_array_elements(create_api_key.permissions) as p
  where jsonb_typeof(p.value) <> 'string'
    or not exists (select from private.api_key_permissions as k where k.name = p.value #>> '{}')
  limit 1;
  if found then
    raise exception 'There is no permission "%"', v_unknown
      using errcode = 'PT422', detail = 'unknown_permission ' || jsonb_build_object('unknown', v_unknown)::text,
        hint = 'Permissions: ' || (select string_agg(k.name, ', ' order by k.name) from private.api_key_permissions as k);
  end if;

  -- Keys of one user are counted one after the other.
  perform from public.profiles as p where p.id = create_api_key.user_id for no key update;
  if not found then
    raise exception 'There is no user "%"', create_api_key.user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  if (select count(*) from public.api_keys as k where k.user_id = create_api_key.user_id) >= v_limit then
    raise exception 'You already have % API keys', v_limit
      using errcode = 'PT409', detail = 'too_many_keys ' || jsonb_build_object('limit', v_limit)::text,
        hint = 'Delete keys that are no longer used';
  end if;
  insert into public.api_keys (user_id, name, key_hash, key_prefix, permissions, expires_at)
  values (create_api_key.user_id, create_api_key.name, create_api_key.key_hash, create_api_key.key_prefix,
    create_api_key.permissions, create_api_key.expires_at)
  returning * into v_key;
  return to_jsonb(v_key) - array['key_hash', 'user_id'];
end $$;
revoke all on function public.create_api_key(uuid, text, text, text, jsonb, timestamptz)
  from public, anon, authenticated;
grant execute on function public.create_api_key(uuid, text, text, text, jsonb, timestamptz) to service_role;

-- Using a key -----------------------------------------------------------------------------------------

create type public.api_key_use as (user_id uuid, refused text);
comment on type public.api_key_use is 'Whose key it is, or the code of the problem that refuses it';

-- Looks up the API key with a hash for a request that requires a permission. Returns its user, or why it is refused:
-- invalid_api_key for a key that does not exist, is disabled, has expired, or whose user is banned; permission_missing.
-- A refusal of a key that exists is recorded at most once a minute, and so is its use.
-- Definer: not even the service may write the events. For the service only, which has hashed the key.
create function public.use_api_key(key_hash text, permission text)
returns public.api_key_use
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_key public.api_keys;
  v_refused text;
begin
  select k.* into v_key from public.api_keys as k where k.key_hash = use_api_key.key_hash;
  if v_key.id is null then
    return row(null, 'invalid_api_key')::public.api_key_use;
  end if;
  -- As JSON, because Auth of the local stack has no such column.
  if not v_key.is_active or v_key.expires_at <= v_now or exists (
    select from auth.users as u
    where u.id = v_key.user_id and (to_jsonb(u) ->> 'banned_until')::timestamptz > v_now) then
    v_refused := 'invalid_api_key';
  elsif jsonb_typeof(v_key.permissions) <> 'array' or not v_key.permissions ? use_api_key.permission then
    v_refused := 'permission_missing';
  end if;
  if v_refused is null then
    update public.api_keys as k set last_used_at = date_trunc('minute', v_now)
    where k.id = v_key.id and k.last_used_at is distinct from date_trunc('minute', v_now);
    return row(v_key.user_id, null)::public.api_key_use;
  end if;
  insert into public.api_key_events (user_id, key_id, key_prefix, event, detail)
  select v_key.user_id, v_key.id, v_key.key_prefix, 'refused',
    jsonb_build_object('code', v_refused, 'permission', use_api_key.permission)
  where not exists (
    select from public.api_key_events as e
    where e.key_id = v_key.id and e.event = 'refused' and e.created_at > v_now - interval '1 minute');
  return row(null, v_refused)::public.api_key_use;
end $$;
revoke all on function public.use_api_key(text, text) from public, anon, authenticated;
grant execute on function public.use_api_key(text, text) to service_role;
