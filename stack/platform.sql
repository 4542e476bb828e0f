-- What a hosted Supabase project has before the first migration of its owner: roles, schemas,
-- default privileges, extensions, and what the Auth and Storage services own. It runs once, as the
-- superuser supabase_admin, on an empty database. Nothing here is part of the product.
--
-- As on the hosted platform, `postgres` is not a superuser: a migration that only a superuser could run
-- fails on the first start instead of the first deploy.

-- Roles -------------------------------------------------------------------------------------------

create role postgres login createdb createrole replication bypassrls password 'postgres';
create role anon nologin inherit;
create role authenticated nologin inherit;
create role service_role nologin inherit bypassrls;
create role authenticator login noinherit password '{{services password}}';
create role supabase_auth_admin login noinherit createrole password '{{services password}}';
create role supabase_storage_admin login noinherit createrole password '{{services password}}';

grant anon, authenticated, service_role to authenticator with inherit false, set true;
grant anon, authenticated, service_role to supabase_storage_admin with inherit false, set true;
grant supabase_storage_admin to authenticator with inherit false, set true;
grant anon, authenticated, service_role to postgres with admin option;

-- PostgREST reads its configuration from the settings of its role, and postgres may set them there.
grant authenticator to postgres with admin option;
grant set on parameter pgrst.db_pre_request to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role postgres set search_path = "$user", public, extensions;

-- REST, Auth and Storage share one connection here instead of three on the platform, so this role has
-- exactly their rights. It may access the tables in public only as the role of the request.
create role stack_api login noinherit password '{{services password}}';
alter role stack_api set statement_timeout = '8s';
alter role stack_api set lock_timeout = '8s';
grant anon, authenticated, service_role to stack_api with inherit false, set true;
grant supabase_auth_admin, supabase_storage_admin to stack_api with inherit true, set false;

-- On the platform, an extension lets postgres add and drop triggers and policies on the tables of Auth
-- and Storage. Here postgres owns these tables, and a guard below refuses everything else.
grant supabase_auth_admin, supabase_storage_admin to postgres with inherit true, set false;

-- Database and schema public ----------------------------------------------------------------------

alter database postgres owner to postgres;
grant all on schema public to postgres;
grant usage on schema public to anon, authenticated, service_role;

alter default privileges for role postgres in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;

-- REST reads information_schema, which only shows a role the tables on which it has some right.
alter default privileges for role postgres in schema public grant references on tables to stack_api;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

-- Extensions --------------------------------------------------------------------------------------

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema extensions
  grant all on functions to postgres, anon, authenticated, service_role;
create extension "uuid-ossp" schema extensions;
create extension pgcrypto schema extensions;

-- Auth --------------------------------------------------------------------------------------------

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;
alter role supabase_auth_admin set search_path = auth;

set role supabase_auth_admin;
-- {{auth tables}}

create function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;
create function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
$$;

grant select, insert, update, delete, references, trigger on all tables in schema auth to postgres;
reset role;

-- Storage -----------------------------------------------------------------------------------------

create schema storage authorization supabase_storage_admin;
grant usage on schema storage to postgres, anon, authenticated, service_role;
alter role supabase_storage_admin set search_path = storage;

set role supabase_storage_admin;
-- {{storage tables}}

grant all on storage.buckets, storage.objects to postgres, anon, authenticated, service_role;

-- The platform's index for listing a folder.
create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");

-- The service here has no resumable uploads, but the cleanup deletes those of the real one.
create table storage.s3_multipart_uploads (
  id text primary key,
  in_progress_size bigint not null default 0,
  upload_signature text not null,
  bucket_id text not null references storage.buckets (id),
  key text collate "C" not null,
  version text not null,
  owner_id text,
  created_at timestamptz not null default now(),
  user_metadata jsonb,
  metadata jsonb
);
create table storage.s3_multipart_uploads_parts (
  id uuid primary key default gen_random_uuid(),
  upload_id text not null references storage.s3_multipart_uploads (id) on delete cascade,
  size bigint not null default 0,
  part_number integer not null,
  bucket_id text not null references storage.buckets (id),
  key text collate "C" not null,
  etag text not null,
  owner_id text,
  version text not null,
  created_at timestamptz not null default now()
);
alter table storage.s3_multipart_uploads enable row level security;
alter table storage.s3_multipart_uploads_parts enable row level security;
grant all on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to postgres, service_role;
grant select on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to anon, authenticated;

-- Rows of Storage stand for bytes elsewhere, so only the service may delete them. The real service uses
-- the setting. The service here is recognized by its connection, on which it sets its operation when it
-- acts as a client. A function that is called through REST on the same connection has neither.
create function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true'
    and not (session_user = 'stack_api'
      and (current_user = 'stack_api'
        or coalesce(current_setting('storage.operation', true), '') <> '')) then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using errcode = '42501';
  end if;
  return null;
end $$;
create trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();
create trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();

create function storage.update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end $$;
create trigger update_objects_updated_at before update on storage.objects
  for each row execute function storage.update_updated_at_column();
reset role;

create schema _stack;

-- {{realtime}}

-- Nothing of the product in auth, storage and realtime ----------------------------------------------

-- postgres may add triggers on auth.users and policies on the tables of Storage and Realtime. The platform refuses
-- anything else in these schemas (42501), so it is refused here too.
create function _stack.guard_platform_schemas() returns event_trigger
language plpgsql set search_path = '' as $$
declare
  v_command record;
begin
  if session_user <> 'postgres' then
    return;
  end if;
  for v_command in
    select c.schema_name, c.object_type from pg_catalog.pg_event_trigger_ddl_commands() as c
    where tg_event = 'ddl_command_end'
    union all
    -- Only objects that are named in the command, not those that are dropped along with them.
    select d.schema_name, d.object_type from pg_catalog.pg_event_trigger_dropped_objects() as d
    where tg_event = 'sql_drop' and d.original
  loop
    if v_command.schema_name in ('auth', 'storage', 'realtime')
      and v_command.object_type not in ('trigger', 'policy') then
      raise exception 'permission denied for schema %', v_command.schema_name
        using errcode = '42501',
          hint = 'On a Supabase project nothing but triggers on auth.users and policies on storage and realtime tables can be added to these schemas';
    end if;
  end loop;
end $$;
create event trigger guard_platform_schemas on ddl_command_end
  execute function _stack.guard_platform_schemas();
create event trigger guard_platform_schemas_drop on sql_drop
  execute function _stack.guard_platform_schemas();

-- REST learns of changes to the schema -------------------------------------------------------------

create function _stack.notify_rest() returns event_trigger
language plpgsql set search_path = '' as $$
begin
  notify pgrst, 'reload schema';
end $$;
create event trigger pgrst_ddl_watch on ddl_command_end execute function _stack.notify_rest();
create event trigger pgrst_drop_watch on sql_drop execute function _stack.notify_rest();

-- The hash of this file when it ran, to detect a data folder that another version created.
create table _stack.platform (sha256 text primary key);
