-- The parts of Auth and Storage that a product brings along, with users n = 1 to generate.users.

create schema auth;
create schema storage;

create table auth.users (
  instance_id uuid,
  id uuid primary key,
  aud text,
  role text,
  email text unique,
  encrypted_password text,
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token text,
  recovery_token text,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  phone text,
  phone_confirmed_at timestamptz,
  banned_until timestamptz,
  deleted_at timestamptz,
  is_sso_user boolean not null default false,
  is_anonymous boolean not null default false,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz
);

create table auth.identities (
  id uuid primary key default gen_random_uuid(),
  provider_id text not null,
  user_id uuid not null references auth.users (id),
  identity_data jsonb not null,
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz
);

create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text,
  name text,
  owner uuid,
  owner_id text,
  metadata jsonb,
  user_metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  unique (bucket_id, name)
);

-- A UUID that belongs to a text, such as that of the nth user.
create function id_of(name text) returns uuid language sql stable as 'select md5(current_database() || name)::uuid';

-- A time with microseconds in the past that belongs to a number.
create function time_of(n bigint) returns timestamptz language sql immutable as
$$ select '2024-03-01 00:00:00.000001+00'::timestamptz + n * interval '617.000123 seconds' $$;

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token,
  recovery_token, raw_app_meta_data, raw_user_meta_data, last_sign_in_at, created_at, updated_at)
select '00000000-0000-0000-0000-000000000000', id_of('user ' || n), 'authenticated', 'authenticated',
  format('user%s@%s.example', n, current_database()), '$2a$10$' || left(repeat(md5(n::text), 2), 53), time_of(n), '', '',
  '{"provider": "email", "providers": ["email"]}', jsonb_build_object('display_name', 'User ' || n),
  time_of(n + 100), time_of(n), time_of(n + 100)
from generate_series(1, current_setting('generate.users')::integer) as n;

insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
select id_of('identity ' || u.id), u.id, u.id, jsonb_build_object('sub', u.id, 'email', u.email), 'email',
  u.last_sign_in_at, u.created_at, u.updated_at
from auth.users as u;

-- The number of each user.
create view numbered as
  select n, id_of('user ' || n) as id from generate_series(1, current_setting('generate.users')::integer) as n;
