-- Chuk Chat as its documents describe it: users with credits, projects and encrypted chats with images.

create table profiles (
  id uuid primary key references auth.users (id),
  display_name text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_preferences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  selected_model_id text,
  system_prompt text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table theme_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  theme_mode text,
  accent_color text,
  grain_enabled boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table customization_preferences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null unique references auth.users (id),
  show_tps boolean,
  image_gen_default_size text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table projects (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  title text,
  description text,
  system_prompt text,
  is_archived boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table encrypted_chats (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  encrypted_data text,
  encrypted_title text,
  is_starred boolean,
  image_paths text[],
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table project_chats (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references projects (id),
  chat_id uuid not null references encrypted_chats (id),
  added_at timestamptz default now(),
  created_at timestamptz default now()
);
create table project_files (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references projects (id),
  file_name text,
  storage_path text,
  file_type text,
  file_size integer,
  uploaded_at timestamptz default now(),
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_credits (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  balance numeric,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table credit_transactions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  amount numeric,
  created_at timestamptz default now()
);

insert into profiles select id, 'Chuk ' || n, time_of(n), time_of(n + 9) from numbered;
insert into user_preferences
select id_of('preferences ' || n), id, 'model-' || n % 7, nullif(repeat('Be kind. ', n % 3), ''), time_of(n), time_of(n + 9)
from numbered;
insert into theme_settings
select id_of('theme ' || n), id, (array['light', 'dark', 'system'])[1 + n % 3], '#12ab34', n % 2 = 0, time_of(n), time_of(n + 9)
from numbered;
insert into customization_preferences
select id_of('customization ' || n), id, n % 2 = 0, 'square', time_of(n), time_of(n + 9) from numbered;
insert into projects
select id_of('project ' || n), id, 'Project ' || n, null, null, n % 3 = 0, time_of(n), time_of(n + 9) from numbered;

-- The form of an envelope of format 1, with a nonce of its own.
create function envelope(seed text) returns text language sql immutable as
$$ select json_build_object('v', '1.0', 'nonce', encode(substring(decode(md5(seed), 'hex') from 1 for 12), 'base64'),
  'ciphertext', encode(decode(md5(seed || ' text'), 'hex'), 'base64'),
  'mac', encode(decode(md5(seed || ' mac'), 'hex'), 'base64'))::text $$;

insert into encrypted_chats
select id_of(format('chat %s %s', n, c)), id, envelope(format('data %s %s', n, c)),
  case when c = 1 then envelope(format('title %s %s', n, c)) end, c = 1,
  case when c = 1 then array[format('%s/%s/1700000000_image.enc', id, id_of(format('chat %s %s', n, c)))] end,
  time_of(n + c), time_of(n + c + 9)
from numbered cross join generate_series(1, 2) as c;

insert into project_chats
select id_of('project chat ' || n), id_of('project ' || n), id_of(format('chat %s 1', n)), time_of(n), time_of(n)
from numbered;
insert into project_files
select id_of('project file ' || n), id_of('project ' || n), 'notes.txt', format('%s/%s.enc', id, id_of('file ' || n)),
  'text/plain', 10 + n, time_of(n), time_of(n), time_of(n + 9)
from numbered;
-- Some have nothing left, and some have fractions.
insert into user_credits
select id_of('credits ' || n), id, case n % 4 when 0 then 0 when 1 then n else n + 0.1234 end, time_of(n), time_of(n + 9)
from numbered;
insert into credit_transactions select id_of('transaction ' || n), id, n, time_of(n) from numbered;
