-- What only Sorar AI has: goals, progress, the journal, statistics, the waitlist and site visits. It needs
-- chat_sessions. Another product deletes this file.

-- user_goals -------------------------------------------------------------------------------------

create table public.user_goals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  title text not null,
  description text,
  category text,
  target_date date,
  status text not null default 'active',
  progress_percentage integer not null default 0,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  completed_at timestamptz,
  constraint user_goals_status_check check (
    status in ('active', 'completed', 'paused', 'cancelled')),
  constraint user_goals_progress_percentage_check check (progress_percentage between 0 and 100)
);
comment on table public.user_goals is 'Goals of Sorar AI users';

create index idx_user_goals_user_id on public.user_goals (user_id, created_at desc);
create index idx_user_goals_status on public.user_goals (status);

alter table public.user_goals enable row level security;
revoke all on public.user_goals from public, anon, authenticated, service_role;
grant select on public.user_goals to authenticated;
grant insert (id, user_id, title, description, category, target_date, status, progress_percentage,
  metadata, updated_at, completed_at)
  on public.user_goals to authenticated;
grant update (title, description, category, target_date, status, progress_percentage, metadata,
  updated_at, completed_at)
  on public.user_goals to authenticated;
grant delete on public.user_goals to authenticated;
grant select, insert, update, delete on public.user_goals to service_role;

create policy "users read their own goals" on public.user_goals
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own goals" on public.user_goals
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own goals" on public.user_goals
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own goals" on public.user_goals
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_goals_updated_at before update on public.user_goals
  for each row execute function public.handle_updated_at();

select private.limit_table('public.user_goals', rows => 10000, bytes => 67108864);

alter publication supabase_realtime add table public.user_goals;

-- Keeps status, progress_percentage and completed_at in agreement. A client completes a goal by setting its status or,
-- while the goal is active or paused, by setting the progress to 100 or a time of completion. A goal that is not
-- completed has no time of completion.
create function private.complete_user_goal()
returns trigger
language plpgsql volatile set search_path = ''
as $$
declare
  v_was_completed boolean := tg_op = 'UPDATE' and old.status = 'completed';
begin
  if not v_was_completed and new.status in ('active', 'paused')
    and (new.progress_percentage = 100 and (tg_op = 'INSERT' or old.progress_percentage < 100)
      or new.completed_at is not null and (tg_op = 'INSERT' or old.completed_at is null)) then
    new.status := 'completed';
  end if;
  if new.status = 'completed' then
    new.progress_percentage := 100;
    new.completed_at := coalesce(new.completed_at, case when v_was_completed then old.completed_at end, now());
  else
    new.completed_at := null;
  end if;
  return new;
end $$;
revoke all on function private.complete_user_goal() from public, anon, authenticated, service_role;

create trigger complete_user_goal before insert or update on public.user_goals
  for each row execute function private.complete_user_goal();

-- user_progress ----------------------------------------------------------------------------------

create table public.user_progress (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  metric_type text not null,
  metric_value numeric not null default 0,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_progress_user_id_metric_type_key unique (user_id, metric_type)
);
comment on table public.user_progress is 'Progress of Sorar AI users, one value per user and metric';

create index idx_user_progress_user_id on public.user_progress (user_id);
create index idx_user_progress_metric_type on public.user_progress (metric_type);

alter table public.user_progress enable row level security;
revoke all on public.user_progress from public, anon, authenticated, service_role;
grant select on public.user_progress to authenticated;
grant insert (id, user_id, metric_type, metric_value, metadata, updated_at)
  on public.user_progress to authenticated;
grant update (user_id, metric_type, metric_value, metadata, updated_at)
  on public.user_progress to authenticated;
grant delete on public.user_progress to authenticated;
grant select, insert, update, delete on public.user_progress to service_role;

create policy "users read their own progress" on public.user_progress
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own progress" on public.user_progress
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own progress" on public.user_progress
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own progress" on public.user_progress
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_progress_updated_at before update on public.user_progress
  for each row execute function public.handle_updated_at();

select private.limit_table('public.user_progress', rows => 1000, bytes => 1048576);

alter publication supabase_realtime add table public.user_progress;

-- journal_entries --------------------------------------------------------------------------------

create table public.journal_entries (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  title text,
  content text not null,
  mood text,
  tags text[] default '{}',
  is_private boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.journal_entries is 'Journals of Sorar AI users';

create index idx_journal_entries_user_id on public.journal_entries (user_id, created_at desc);
create index idx_journal_entries_created_at on public.journal_entries (created_at desc);

alter table public.journal_entries enable row level security;
revoke all on public.journal_entries from public, anon, authenticated, service_role;
grant select on public.journal_entries to authenticated;
grant insert (id, user_id, title, content, mood, tags, is_private, updated_at)
  on public.journal_entries to authenticated;
grant update (title, content, mood, tags, is_private, updated_at)
  on public.journal_entries to authenticated;
grant delete on public.journal_entries to authenticated;
grant select, insert, update, delete on public.journal_entries to service_role;

create policy "users read their own journal" on public.journal_entries
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own journal" on public.journal_entries
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own journal" on public.journal_entries
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own journal" on public.journal_entries
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_journal_entries_updated_at before update on public.journal_entries
  for each row execute function public.handle_updated_at();

select private.limit_table('public.journal_entries', rows => 50000, bytes => 268435456);

-- user_statistics -----------------------------------------------------------------------------------

create view public.user_statistics with (security_invoker = true) as
  select p.id as user_id, s.total_chat_sessions,
    (select count(*) from public.chat_messages as m where m.user_id = p.id) as total_messages, g.completed_goals, g.active_goals,
    (select count(*) from public.journal_entries as j where j.user_id = p.id) as journal_entries_count,
    s.last_chat_session
  from public.profiles as p
  cross join lateral (
    select count(*) as total_chat_sessions, max(cs.created_at) as last_chat_session
    from public.chat_sessions as cs where cs.user_id = p.id) as s
  cross join lateral (
    select count(*) filter (where ug.status = 'completed') as completed_goals,
      count(*) filter (where ug.status = 'active') as active_goals
    from public.user_goals as ug where ug.user_id = p.id) as g;
comment on view public.user_statistics is 'Totals per profile that the caller may read; zeros for a new user';
revoke all on public.user_statistics from public, anon, authenticated, service_role;
grant select on public.user_statistics to authenticated, service_role;

-- get_user_full_profile -----------------------------------------------------------------------------

-- Returns what the start screen of Sorar AI shows. Row level security applies: of another user, the profile and
-- settings are null and the lists are empty.
create function public.get_user_full_profile(user_uuid uuid)
returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'profile', (select to_jsonb(p) from public.user_profiles as p where p.user_id = user_uuid),
    'settings', (select to_jsonb(s) from public.user_settings as s where s.user_id = user_uuid),
    'progress', coalesce(
      (select jsonb_agg(to_jsonb(u) order by u.metric_type)
        from public.user_progress as u where u.user_id = user_uuid), '[]'),
    'active_goals', coalesce(
      (select jsonb_agg(to_jsonb(g) order by g.created_at)
        from public.user_goals as g where g.user_id = user_uuid and g.status = 'active'), '[]'))
$$;
comment on function public.get_user_full_profile(uuid) is 'profile, settings, progress and active_goals of a user';
revoke all on function public.get_user_full_profile(uuid) from public, anon, authenticated, service_role;
grant execute on function public.get_user_full_profile(uuid) to authenticated, service_role;

-- waitlist ---------------------------------------------------------------------------------------

create table public.waitlist (
  id uuid primary key default gen_random_uuid(),
  email text not null,
  created_at timestamptz not null default now(),
  constraint waitlist_email_check check (
    char_length(email) between 3 and 320 and email ~ '^[^@]+@[^@]+$')
);
comment on table public.waitlist is
  'E-mail addresses left before launch. Not unique: a conflict would tell a stranger who is on the list';

create index waitlist_created_at on public.waitlist (created_at);

alter table public.waitlist enable row level security;
revoke all on public.waitlist from public, anon, authenticated, service_role;
grant insert (email) on public.waitlist to anon, authenticated;
grant select, insert, update, delete on public.waitlist to service_role;

create policy "anyone leaves an address" on public.waitlist
  for insert to anon, authenticated with check (char_length(email) between 3 and 320);

create index waitlist_email on public.waitlist (lower(email), created_at);

insert into private.account_rows (name, place, statement) values
  ('waitlist', 72, 'delete from public.waitlist where ctid = any (array(
    select w.ctid from public.waitlist as w join private.deleted_accounts as d on d.email = lower(w.email)
    where d.user_id = $1 and w.created_at <= d.deleted_at limit $2))');

create trigger limit_visitors after insert on public.waitlist
  referencing new table as added
  for each statement execute function private.limit_visitors();

-- site_visits ------------------------------------------------------------------------------------

create table public.site_visits (
  id uuid primary key default gen_random_uuid(),
  user_agent text,
  referrer text,
  path text not null,
  timestamp timestamptz not null default now(),
  constraint site_visits_user_agent_check check (char_length(user_agent) <= 1024),
  constraint site_visits_referrer_check check (char_length(referrer) <= 2048),
  constraint site_visits_path_check check (char_length(path) between 1 and 2048)
);
comment on table public.site_visits is 'Visits of the public site';

alter table public.site_visits enable row level security;
revoke all on public.site_visits from public, anon, authenticated, service_role;
grant insert (user_agent, referrer, path, timestamp) on public.site_visits to anon, authenticated;
grant select, insert, update, delete on public.site_visits to service_role;

create policy "anyone is counted" on public.site_visits
  for insert to anon, authenticated
  with check (char_length(path) between 1 and 2048
    and coalesce(char_length(user_agent), 0) <= 1024 and coalesce(char_length(referrer), 0) <= 2048
    -- A visitor's clock may be wrong, but not by more than a day.
    and timestamp between now() - interval '1 day' and now() + interval '1 day');

create index site_visits_timestamp on public.site_visits (timestamp);

create trigger limit_visitors after insert on public.site_visits
  referencing new table as added
  for each statement execute function private.limit_visitors();
