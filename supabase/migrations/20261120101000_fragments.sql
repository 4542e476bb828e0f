-- Fragments: reusable, executable snippets of code, and their runs. Public ones are read by everyone.

-- fragments --------------------------------------------------------------------------------------

create table public.fragments (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  project_id uuid references public.projects (id) on delete cascade,
  title text not null,
  description text,
  template text not null,
  code text not null,
  file_path text not null,
  additional_dependencies text[],
  has_additional_dependencies boolean not null default false,
  install_dependencies_command text,
  port integer,
  is_public boolean not null default false,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint fragments_title_check check (title <> ''),
  constraint fragments_port_check check (port between 1 and 65535)
);
comment on table public.fragments is 'Reusable, executable code snippets';

create index idx_fragments_user_id on public.fragments (user_id);
create index idx_fragments_project_id on public.fragments (project_id);
create index idx_fragments_template on public.fragments (template);
create index idx_fragments_public on public.fragments (is_public) where is_public;

alter table public.fragments enable row level security;
revoke all on public.fragments from public, anon, authenticated, service_role;
grant select on public.fragments to authenticated;
grant select on public.fragments to anon;
grant insert (id, user_id, project_id, title, description, template, code, file_path,
  additional_dependencies, has_additional_dependencies, install_dependencies_command, port,
  is_public, metadata, updated_at)
  on public.fragments to authenticated;
grant update (project_id, title, description, template, code, file_path, additional_dependencies,
  has_additional_dependencies, install_dependencies_command, port, is_public, metadata, updated_at)
  on public.fragments to authenticated;
grant delete on public.fragments to authenticated;
grant select, insert, update, delete on public.fragments to service_role;

create policy "users read their own, public and their teams' fragments" on public.fragments
  for select to authenticated
  using (user_id = (select auth.uid())
    or is_public
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.team_id = any (array(select private.my_team_ids()))));
-- True for every visitor: that is what a public fragment is.
create policy "visitors read public fragments" on public.fragments
  for select to anon using (is_public);
create policy "users create their own fragments" on public.fragments
  for insert to authenticated
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users update their own fragments" on public.fragments
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users delete their own fragments" on public.fragments
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_fragments_updated_at before update on public.fragments
  for each row execute function public.update_updated_at_column();

-- fragment_executions ----------------------------------------------------------------------------

create table public.fragment_executions (
  id uuid primary key default gen_random_uuid(),
  fragment_id uuid not null references public.fragments (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  sandbox_id text,
  template text not null,
  status text not null default 'pending',
  execution_url text,
  stdout text,
  stderr text,
  runtime_error text,
  cell_results jsonb,
  execution_time_ms integer,
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  metadata jsonb not null default '{}'::jsonb,
  constraint fragment_executions_status_check check (
    status in ('pending', 'running', 'completed', 'failed', 'timeout')),
  constraint fragment_executions_execution_time_ms_check check (execution_time_ms >= 0)
);
comment on table public.fragment_executions is 'Runs of a fragment';

create index idx_fragment_executions_fragment_id on public.fragment_executions (fragment_id);
create index idx_fragment_executions_user_id on public.fragment_executions (user_id);

alter table public.fragment_executions enable row level security;
revoke all on public.fragment_executions from public, anon, authenticated, service_role;
grant select on public.fragment_executions to authenticated;
grant insert (id, fragment_id, user_id, sandbox_id, template, status, execution_url, stdout,
  stderr, runtime_error, cell_results, execution_time_ms, started_at, completed_at, metadata)
  on public.fragment_executions to authenticated;
grant update (sandbox_id, template, status, execution_url, stdout, stderr, runtime_error,
  cell_results, execution_time_ms, started_at, completed_at, metadata)
  on public.fragment_executions to authenticated;
grant delete on public.fragment_executions to authenticated;
grant select, insert, update, delete on public.fragment_executions to service_role;

create policy "users read their own executions" on public.fragment_executions
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users record executions of fragments they see" on public.fragment_executions
  for insert to authenticated
  with check (user_id = (select auth.uid())
    and exists (select 1 from public.fragments as f where f.id = fragment_id));
create policy "users update their own executions" on public.fragment_executions
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid())
    and exists (select 1 from public.fragments as f where f.id = fragment_id));
create policy "users delete their own executions" on public.fragment_executions
  for delete to authenticated using (user_id = (select auth.uid()));
