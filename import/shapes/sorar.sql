-- Sorar AI as its diagram describes it, with names that it abbreviates.

create table user_profiles (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  name text,
  gender text,
  age integer,
  main_goals text[],
  challenges text[],
  anxiety_freq text,
  confidence text,
  comm_style text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_settings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  theme text,
  notifications boolean,
  language text,
  timezone text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_progress (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  metric_type text,
  metric_value numeric,
  metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table user_goals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  title text,
  description text,
  category text,
  target_date date,
  status text,
  progress_percentage integer,
  metadata jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  completed_at timestamptz
);
create table journal_entries (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  title text,
  content text,
  mood text,
  tags text[],
  is_private boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table chat_sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  scenario_id text,
  status text,
  score numeric,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table chat_messages (
  id uuid primary key default gen_random_uuid(),
  session_id uuid references chat_sessions (id),
  sender text,
  content text,
  audio_url text,
  feedback jsonb,
  created_at timestamptz default now()
);
create table waitlist (
  id uuid primary key default gen_random_uuid(),
  email text,
  created_at timestamptz default now()
);
create table site_visits (
  id uuid primary key default gen_random_uuid(),
  user_agent text,
  referrer text,
  path text,
  "timestamp" timestamptz default now()
);

insert into user_profiles
select id_of('profile ' || n), id, 'Sorar ' || n, 'other', n % 100, array['calm, really', 'say "no"'], null, 'often', 'low',
  'direct', time_of(n), time_of(n + 9)
from numbered;
insert into user_settings
select id_of('settings ' || n), id, 'dark', case when n % 3 > 0 then n % 3 = 1 end, 'de', 'Europe/Berlin', time_of(n), time_of(n + 9)
from numbered;
insert into user_progress
select id_of(format('progress %s %s', n, m)), id, 'metric ' || m, n + 0.50, null, time_of(n), time_of(n + m)
from numbered cross join generate_series(1, 2) as m;
-- A goal that is completed without a time, one at 100 % that is still active, and others.
insert into user_goals
select id_of('goal ' || n), id, 'Goal', null, 'social', '2025-02-28', (array['active', 'completed', 'active', 'paused'])[1 + n % 4],
  (array[100, 100, 30, 0])[1 + n % 4], '{}', time_of(n), time_of(n + 9), case when n % 8 = 1 then time_of(n + 5) end
from numbered;
insert into journal_entries
select id_of('entry ' || n), id, null, E'Dear diary,\r\ntoday: \\N', 'fine', array['a', null, ''], true, time_of(n), time_of(n + 9)
from numbered;
insert into chat_sessions
select id_of('session ' || n), id, 'interview', 'completed', 0.75, time_of(n), time_of(n + 9) from numbered;
insert into chat_messages
select id_of(format('chat message %s %s', n, m)), id_of('session ' || n), case m when 1 then 'user' else 'ai' end, 'Hello ' || m,
  null, case when m = 2 then '{"score": 1.50}'::jsonb end, time_of(n + m)
from numbered cross join generate_series(1, 3) as m;
insert into waitlist select id_of('waiting ' || n), format('w%s@example.com', n), time_of(n) from numbered;
insert into site_visits select id_of('visit ' || n), 'Browser', null, '/' || n, time_of(n) from numbered;
