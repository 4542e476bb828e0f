-- What every domain stands on: the schema that PostgREST does not expose, the settings, and the
-- trigger function that keeps updated_at.

create schema private;
comment on schema private is
  'Helpers, internals and trigger functions. Not exposed: clients reach what is in public.';

-- Policies call helpers in here, and policies run as the caller.
grant usage on schema private to authenticated, service_role;

-- A function is nobody's until a migration grants it. (Per schema, this form does nothing.)
alter default privileges revoke execute on functions from public;

-- settings ------------------------------------------------------------------------------------------

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

-- The value of one setting; an unknown name is a fault in the caller and raises P0002.
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

create trigger settings_updated_at before update on private.settings
  for each row execute function public.handle_updated_at();
