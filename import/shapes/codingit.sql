-- CodingIT-1 as its document describes it: a team for every five users, projects with messages, tasks and files.

create type subscription_status_enum as enum ('active', 'canceled', 'past_due', 'unpaid', 'incomplete');
create type project_status_enum as enum ('active', 'archived', 'deleted');
create type message_role_enum as enum ('user', 'assistant');
create type task_status_enum as enum ('pending', 'processing', 'completed', 'error');

create table teams (
  id uuid primary key default gen_random_uuid(),
  name text,
  tier text,
  email text,
  stripe_customer_id text unique,
  stripe_subscription_id text unique,
  subscription_status subscription_status_enum,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table team_members (
  id uuid primary key default gen_random_uuid(),
  team_id uuid references teams (id),
  user_id uuid references auth.users (id),
  role text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table users_teams (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  team_id uuid references teams (id),
  is_default boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_profiles (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  full_name text,
  avatar_url text,
  onboarding_completed boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_security_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  two_factor_enabled boolean,
  backup_codes text[],
  login_notifications boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table projects (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  team_id uuid references teams (id),
  title text,
  description text,
  template_id text,
  status project_status_enum,
  is_public boolean,
  metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  deleted_at timestamptz
);
create table messages (
  id uuid primary key default gen_random_uuid(),
  project_id uuid references projects (id),
  role message_role_enum,
  content jsonb,
  object_data jsonb,
  result_data jsonb,
  sequence_number integer,
  created_at timestamptz default now()
);
create table fragments (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  project_id uuid references projects (id),
  title text,
  template text,
  code text,
  file_path text,
  additional_dependencies text[],
  port integer,
  is_public boolean,
  metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table fragment_executions (
  id uuid primary key default gen_random_uuid(),
  fragment_id uuid references fragments (id),
  user_id uuid references auth.users (id),
  template text,
  status text,
  cell_results jsonb,
  execution_time_ms integer,
  started_at timestamptz default now(),
  completed_at timestamptz,
  metadata jsonb
);
create table file_uploads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  project_id uuid references projects (id),
  file_name text,
  file_path text,
  file_size bigint,
  mime_type text,
  bucket_name text,
  is_public boolean,
  metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table chat_sessions (
  id uuid primary key default gen_random_uuid(),
  session_id text unique,
  user_id uuid references auth.users (id),
  team_id uuid references teams (id),
  title text,
  status text,
  message_count integer,
  total_tokens integer,
  estimated_cost numeric,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_activity timestamptz
);
create table chat_message_cache (
  id uuid primary key default gen_random_uuid(),
  session_id uuid references chat_sessions (id),
  message_id text,
  role text,
  content text,
  token_count integer,
  created_at timestamptz default now(),
  content_vector tsvector
);
create table tasks (
  id bigint generated always as identity primary key,
  user_id uuid not null references auth.users (id),
  status task_status_enum not null default 'pending',
  progress integer not null default 0 check (progress >= 0 and progress <= 100),
  prompt text not null check (char_length(prompt) >= 1),
  repo_url text,
  selected_agent text default 'claude',
  logs jsonb default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table workspace_files (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id),
  project_id uuid references projects (id),
  path text not null,
  name text not null,
  content text not null default '',
  is_directory boolean default false,
  parent_path text,
  mime_type text,
  size_bytes bigint default 0,
  metadata jsonb default '{}',
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (user_id, path)
);

insert into teams
select id_of('team ' || n), 'Team ' || n, 'pro', format('team%s@example.com', n), 'cus_' || n, 'sub_' || n, 'active', time_of(n),
  time_of(n + 90), false, time_of(n), time_of(n + 9)
from numbered where n % 5 = 1;
insert into team_members
select id_of('member ' || n), id_of('team ' || (n - (n - 1) % 5)), id, case n % 5 when 1 then 'owner' else 'member' end, time_of(n),
  time_of(n + 9)
from numbered;
insert into users_teams
select id_of('default team ' || n), id, id_of('team ' || (n - (n - 1) % 5)), true, time_of(n), time_of(n + 9) from numbered;
insert into user_profiles
select id_of('profile ' || n), id, 'Coder ' || n, null, n % 2 = 0, time_of(n), time_of(n + 9) from numbered;
insert into user_security_settings
select id_of('security ' || n), id, false, array['abc', 'd"e'], true, time_of(n), time_of(n + 9) from numbered;
-- One of four is deleted, some of them without a time.
insert into projects
select id_of('project ' || n), id, case when n % 2 = 0 then id_of('team ' || (n - (n - 1) % 5)) end, 'Project ' || n, null, 'nextjs',
  case n % 4 when 0 then 'deleted' when 1 then 'archived' else 'active' end::project_status_enum, n % 3 = 0, '{"a": 1.0}',
  time_of(n), time_of(n + 9), case when n % 8 = 0 then time_of(n + 8) end
from numbered;
-- The numbers leave out many, more than a client may.
insert into messages
select id_of(format('message %s %s', n, m)), id_of('project ' || n), case m % 2 when 0 then 'user' else 'assistant' end::message_role_enum,
  jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Message ' || m)), case when m = 1 then '{"code": "x\\u00e9"}'::jsonb end,
  null, m * 250, time_of(n + m)
from numbered cross join generate_series(0, 3) as m;
insert into fragments
select id_of('fragment ' || n), id, id_of('project ' || n), 'Fragment', 'nextjs', 'export {}', 'app.ts', array['left-pad'], 3000,
  false, null, time_of(n), time_of(n + 9)
from numbered;
insert into fragment_executions
select id_of('execution ' || n), id_of('fragment ' || n), id, 'nextjs', 'completed', '[]', 17, time_of(n), time_of(n + 1), null
from numbered;
insert into file_uploads
select id_of('upload ' || n), id, id_of('project ' || n), 'plan.txt', format('%s/plan%s.txt', id, n), 12, 'text/plain',
  'chat_attachments', false, null, time_of(n), time_of(n + 9)
from numbered;
insert into chat_sessions
select id_of('session ' || n), 's-' || n, id, null, 'Session', 'active', 1, 10, 0.0100, time_of(n), time_of(n + 9), time_of(n + 9)
from numbered;
insert into chat_message_cache
select id_of('cached ' || n), id_of('session ' || n), 'm1', 'user', 'Find me', 3, time_of(n), to_tsvector('english', 'Find me')
from numbered;
-- Numbers that no task of another test has.
select setval(pg_get_serial_sequence('tasks', 'id'), (1000000 + 1000000000 * random())::bigint);
insert into tasks (user_id, status, progress, prompt, repo_url, logs, created_at, updated_at)
select id, 'completed', 100, 'Fix it', null, '[{"id": "abc"}]', time_of(n), time_of(n + 9) from numbered;
insert into workspace_files
select id_of('file ' || n), id, id_of('project ' || n), 'src/a.ts', 'a.ts', 'export const a = 1;' || chr(10), false, 'src/', 'text/plain',
  20, '{}', time_of(n), time_of(n + 9)
from numbered;
