-- Wbot as its document describes it. User n has two conversations with three messages each.

create table profiles (
  id uuid primary key references auth.users (id),
  display_name text,
  preferences jsonb default '{}',
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references profiles (id),
  title text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references conversations (id),
  role text,
  content text,
  metadata jsonb default '{}',
  created_at timestamptz default now()
);

insert into profiles
select id, 'Wellness ' || n, case when n % 5 <> 0 then jsonb_build_object('theme', 'dark', 'number', n) end,
  time_of(n), time_of(n + 50)
from numbered;

insert into conversations
select id_of(format('conversation %s %s', n, c)), id, case when c = 1 then 'Morning' end, time_of(n + c), time_of(n + c * 7)
from numbered cross join generate_series(1, 2) as c;

insert into messages
select id_of(format('message %s %s %s', n, c, m)), id_of(format('conversation %s %s', n, c)),
  case m when 1 then 'system' when 2 then 'user' else 'assistant' end,
  case n % 4 when 0 then '' when 1 then E'tab\there, "quotes", back\\slash\nnew line' else 'Grüße 日本 🙂 ' || n end,
  jsonb_build_object('tokens_used', n, 'model', 'm'), time_of(n + c + m)
from numbered cross join generate_series(1, 2) as c cross join generate_series(1, 3) as m;
