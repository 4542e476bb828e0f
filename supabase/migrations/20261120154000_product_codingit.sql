-- What only CodingIT-1 has: users' integrations and choice of team, workflows of teams, threads, tasks,
-- workspace files, fragments, analytics and code embeddings. Another product deletes this file.

-- user_integrations ------------------------------------------------------------------------------

create table public.user_integrations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  service_name text not null,
  is_connected boolean not null default false,
  connection_data jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_integrations_service_name_check check (
    service_name in ('github', 'google_drive', 'gmail', 'google_calendar', 'artifacts')),
  constraint user_integrations_unique unique (user_id, service_name)
);
comment on table public.user_integrations is 'Connections to external services, one per user and service';

alter table public.user_integrations enable row level security;
revoke all on public.user_integrations from public, anon, authenticated, service_role;
grant select on public.user_integrations to authenticated;
grant insert (id, user_id, service_name, is_connected, connection_data, updated_at)
  on public.user_integrations to authenticated;
grant update (user_id, service_name, is_connected, connection_data, updated_at)
  on public.user_integrations to authenticated;
grant delete on public.user_integrations to authenticated;
grant select, insert, update, delete on public.user_integrations to service_role;

create policy "users read their own integrations" on public.user_integrations
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own integrations" on public.user_integrations
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own integrations" on public.user_integrations
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own integrations" on public.user_integrations
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_user_integrations_updated_at before update on public.user_integrations
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.user_integrations', rows => 10, bytes => 1048576);

-- users_teams ------------------------------------------------------------------------------------

create table public.users_teams (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  team_id uuid not null references public.teams (id) on delete cascade,
  is_default boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint users_teams_unique unique (user_id, team_id)
);
comment on table public.users_teams is
  'A user''s list of teams, one of them the default. It grants no access: rights come from team_members';

create index idx_users_teams_team_id on public.users_teams (team_id);
create unique index users_teams_one_default on public.users_teams (user_id) where is_default;

alter table public.users_teams enable row level security;
revoke all on public.users_teams from public, anon, authenticated, service_role;
grant select on public.users_teams to authenticated;
grant insert (id, user_id, team_id, is_default, updated_at)
  on public.users_teams to authenticated;
grant update (is_default, updated_at)
  on public.users_teams to authenticated;
grant delete on public.users_teams to authenticated;
grant select, insert, update, delete on public.users_teams to service_role;

create policy "users read their own team choices" on public.users_teams
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users list teams they belong to" on public.users_teams
  for insert to authenticated
  with check (user_id = (select auth.uid()) and team_id = any (array(select private.my_team_ids())));
create policy "users update their list of teams" on public.users_teams
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create policy "users delete their own team choices" on public.users_teams
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_users_teams_updated_at before update on public.users_teams
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.users_teams', rows => 1000);

-- workflows --------------------------------------------------------------------------------------

create table public.workflows (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  name text not null,
  description text,
  schema jsonb not null,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workflows_name_check check (name <> ''),
  constraint workflows_version_check check (version >= 1)
);
comment on table public.workflows is 'Workflows of teams';

create index idx_workflows_team_id on public.workflows (team_id);

alter table public.workflows enable row level security;
revoke all on public.workflows from public, anon, authenticated, service_role;
grant select on public.workflows to authenticated;
grant insert (id, team_id, name, description, schema, is_active, version, updated_at)
  on public.workflows to authenticated;
grant update (name, description, schema, is_active, version, updated_at)
  on public.workflows to authenticated;
grant delete on public.workflows to authenticated;
grant select, insert, update, delete on public.workflows to service_role;

create policy "members read the workflows of their teams" on public.workflows
  for select to authenticated
  using (team_id = any (array(select private.my_team_ids())));
create policy "members create workflows" on public.workflows
  for insert to authenticated
  with check (team_id = any (array(select private.my_team_ids())));
create policy "members update workflows" on public.workflows
  for update to authenticated
  using (team_id = any (array(select private.my_team_ids())))
  with check (team_id = any (array(select private.my_team_ids())));
create policy "owners and admins delete workflows" on public.workflows
  for delete to authenticated
  using (team_id = any (array(select private.my_administered_team_ids())));

create trigger update_workflows_updated_at before update on public.workflows
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.workflows', rows => 10000, bytes => 67108864, owner => 'team_id');

-- conversation_threads ---------------------------------------------------------------------------

create table public.conversation_threads (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  created_by uuid not null references auth.users (id) on delete cascade,
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversation_threads_name_check check (name <> '')
);
comment on table public.conversation_threads is
  'Threads of CodingIT-1 users. Its documents name no table for their messages, so there is none';

create index idx_conversation_threads_created_by on public.conversation_threads (created_by, updated_at desc);

alter table public.conversation_threads enable row level security;
revoke all on public.conversation_threads from public, anon, authenticated, service_role;
grant select on public.conversation_threads to authenticated;
grant insert (id, name, created_by, is_archived, updated_at)
  on public.conversation_threads to authenticated;
grant update (name, is_archived, updated_at)
  on public.conversation_threads to authenticated;
grant delete on public.conversation_threads to authenticated;
grant select, insert, update, delete on public.conversation_threads to service_role;

create policy "users read their own threads" on public.conversation_threads
  for select to authenticated
  using (created_by = (select auth.uid()));
create policy "users create their own threads" on public.conversation_threads
  for insert to authenticated
  with check (created_by = (select auth.uid()));
create policy "users update their own threads" on public.conversation_threads
  for update to authenticated
  using (created_by = (select auth.uid()))
  with check (created_by = (select auth.uid()));
create policy "users delete their own threads" on public.conversation_threads
  for delete to authenticated
  using (created_by = (select auth.uid()));

create trigger update_conversation_threads_updated_at before update on public.conversation_threads
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.conversation_threads', rows => 100000, bytes => 67108864, owner => 'created_by');

create type public.task_status_enum as enum ('pending', 'processing', 'completed', 'error');

-- tasks ------------------------------------------------------------------------------------------

create table public.tasks (
  id bigint generated always as identity primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  status public.task_status_enum not null default 'pending',
  progress integer not null default 0,
  prompt text not null,
  repo_url text,
  selected_agent text default 'claude',
  selected_model text,
  sandbox_url text,
  branch_name text,
  logs jsonb default '[]'::jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tasks_progress_check check (progress between 0 and 100),
  constraint tasks_prompt_check check (char_length(prompt) >= 1)
);
comment on table public.tasks is 'Tasks that users give to an AI agent';

create index idx_tasks_user_id on public.tasks (user_id, created_at desc);
create index idx_tasks_status on public.tasks (status);
create index idx_tasks_created_at on public.tasks (created_at desc);

alter publication supabase_realtime add table public.tasks;

alter table public.tasks enable row level security;
revoke all on public.tasks from public, anon, authenticated, service_role;
-- The identity column uses its sequence without a grant.
revoke all on sequence public.tasks_id_seq from public, anon, authenticated, service_role;
grant select on public.tasks to authenticated;
grant insert (user_id, status, progress, prompt, repo_url, selected_agent, selected_model,
  sandbox_url, branch_name, logs, updated_at)
  on public.tasks to authenticated;
grant update (status, progress, prompt, repo_url, selected_agent, selected_model, sandbox_url,
  branch_name, logs, updated_at)
  on public.tasks to authenticated;
grant delete on public.tasks to authenticated;
grant select, insert, update, delete on public.tasks to service_role;

create policy "users read their own tasks" on public.tasks
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own tasks" on public.tasks
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own tasks" on public.tasks
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own tasks" on public.tasks
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_tasks_updated_at before update on public.tasks
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.tasks', rows => 100000, bytes => 268435456);

create index tasks_finished on public.tasks (updated_at) where status in ('completed', 'error');

-- workspace_files --------------------------------------------------------------------------------

create table public.workspace_files (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  project_id uuid references public.projects (id) on delete cascade,
  path text not null,
  name text not null,
  content text not null default '',
  is_directory boolean default false,
  parent_path text,
  mime_type text,
  size_bytes bigint default 0,
  metadata jsonb default '{}'::jsonb,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  constraint workspace_files_path_check check (char_length(path) >= 1),
  constraint workspace_files_name_check check (char_length(name) >= 1),
  constraint workspace_files_size_check check (size_bytes >= 0),
  constraint workspace_files_unique_path unique (user_id, path)
);
comment on table public.workspace_files is 'Files and directories of users'' IDE workspaces';

create index idx_workspace_files_user_id on public.workspace_files (user_id, created_at desc);
create index idx_workspace_files_project_id on public.workspace_files (project_id);
create index idx_workspace_files_path on public.workspace_files (user_id, path);
create index idx_workspace_files_parent_path on public.workspace_files (user_id, parent_path);
create index idx_workspace_files_created_at on public.workspace_files (created_at desc);

alter table public.workspace_files enable row level security;
revoke all on public.workspace_files from public, anon, authenticated, service_role;
grant select on public.workspace_files to authenticated;
grant insert (id, user_id, project_id, path, name, content, is_directory, parent_path, mime_type,
  size_bytes, metadata, updated_at)
  on public.workspace_files to authenticated;
grant update (user_id, project_id, path, name, content, is_directory, parent_path, mime_type, size_bytes,
  metadata, updated_at)
  on public.workspace_files to authenticated;
grant delete on public.workspace_files to authenticated;
grant select, insert, update, delete on public.workspace_files to service_role;

create policy "users read their own workspace files" on public.workspace_files
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own workspace files" on public.workspace_files
  for insert to authenticated
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users update their own workspace files" on public.workspace_files
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users delete their own workspace files" on public.workspace_files
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_workspace_files_updated_at before update on public.workspace_files
  for each row execute function public.update_updated_at_column();

select private.limit_table('public.workspace_files', rows => 100000, bytes => 1073741824);

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

create index idx_fragments_user_id on public.fragments (user_id, created_at desc);
create index idx_fragments_project_id on public.fragments (project_id);
create index idx_fragments_template on public.fragments (template);
create index idx_fragments_public on public.fragments (created_at desc) where is_public;

alter table public.fragments enable row level security;
revoke all on public.fragments from public, anon, authenticated, service_role;
grant select on public.fragments to authenticated;
-- As for projects.
grant select (id, title, description, template, code, file_path, additional_dependencies, has_additional_dependencies,
  install_dependencies_command, port, is_public, created_at, updated_at)
  on public.fragments to anon;
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
    or project_id = any (array(select private.my_team_project_ids())));
-- The same for every visitor: anyone may read a public fragment.
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

select private.limit_table('public.fragments', rows => 50000, bytes => 268435456);

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
comment on table public.fragment_executions is 'Executions of fragments';

create index idx_fragment_executions_fragment_id on public.fragment_executions (fragment_id);
create index idx_fragment_executions_user_id on public.fragment_executions (user_id, started_at desc);

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

select private.limit_table('public.fragment_executions', rows => 100000, bytes => 268435456);

-- user_chat_analytics ----------------------------------------------------------------------------

create table public.user_chat_analytics (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  total_sessions integer not null default 0,
  total_messages integer not null default 0,
  total_tokens integer not null default 0,
  total_cost numeric not null default 0,
  model_usage jsonb not null default '{}'::jsonb,
  template_usage jsonb not null default '{}'::jsonb,
  last_activity timestamptz,
  most_active_hour integer,
  most_active_day integer,
  favorite_models text[],
  favorite_templates text[],
  s3_objects_count integer not null default 0,
  estimated_storage_size_bytes bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_chat_analytics_user_id_key unique (user_id),
  constraint user_chat_analytics_total_sessions_check check (total_sessions >= 0),
  constraint user_chat_analytics_total_messages_check check (total_messages >= 0),
  constraint user_chat_analytics_total_tokens_check check (total_tokens >= 0),
  constraint user_chat_analytics_total_cost_check check (total_cost >= 0),
  constraint user_chat_analytics_most_active_hour_check check (most_active_hour between 0 and 23),
  constraint user_chat_analytics_most_active_day_check check (most_active_day between 0 and 6)
);
comment on table public.user_chat_analytics is 'Totals of the chats of each CodingIT-1 user';

alter table public.user_chat_analytics enable row level security;
revoke all on public.user_chat_analytics from public, anon, authenticated, service_role;
grant select on public.user_chat_analytics to authenticated;
grant select, insert, update, delete on public.user_chat_analytics to service_role;

create policy "users read their own analytics" on public.user_chat_analytics
  for select to authenticated using (user_id = (select auth.uid()));

create trigger update_user_chat_analytics_updated_at before update on public.user_chat_analytics
  for each row execute function public.update_updated_at_column();

-- Not part of sign_up, so that this file can be deleted. An error in it refuses the sign-up.
-- Definer: it runs as the Auth server's role, which has no rights here.
create function private.open_chat_analytics()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if private.is_importing() then
    return new;
  end if;
  insert into public.user_chat_analytics (user_id) values (new.id) on conflict do nothing;
  return new;
end $$;
comment on function private.open_chat_analytics() is 'Trigger function: creates the row of a new account';
revoke all on function private.open_chat_analytics() from public, anon, authenticated, service_role;

create trigger open_chat_analytics after insert on auth.users
  for each row execute function private.open_chat_analytics();

-- For the users that a product brings along: their accounts exist before this trigger does.
insert into public.user_chat_analytics (user_id) select u.id from auth.users as u;

do $migration$
begin
  if not exists (select from pg_available_extensions where name = 'vector') then
    raise notice 'The extension vector is not available: the table code_embeddings is not created';
    return;
  end if;
  -- Everybody may execute the functions of the extension, whichever role of the platform owns them.
  alter default privileges grant execute on functions to public;
  create extension if not exists vector with schema extensions;
  alter default privileges revoke execute on functions from public;

  execute $sql$
    create table public.code_embeddings (
      id bigint generated by default as identity primary key,
      user_id uuid not null references auth.users (id) on delete cascade,
      content text not null,
      embedding extensions.vector(1536),
      constraint code_embeddings_content_check check (content <> '')
    );
    comment on table public.code_embeddings is 'Embeddings of code for similarity search';

    create index idx_code_embeddings_user_id on public.code_embeddings (user_id);
    -- Built on an empty table, the lists of this index are poor: reindex it when the table has data.
    create index idx_code_embeddings_embedding on public.code_embeddings
      using ivfflat (embedding extensions.vector_cosine_ops);

    alter table public.code_embeddings enable row level security;
    revoke all on public.code_embeddings from public, anon, authenticated, service_role;
    revoke all on sequence public.code_embeddings_id_seq from public, anon, authenticated, service_role;
    grant select, delete on public.code_embeddings to authenticated;
    grant insert (id, user_id, content, embedding) on public.code_embeddings to authenticated;
    grant update (content, embedding) on public.code_embeddings to authenticated;
    grant select, insert, update, delete on public.code_embeddings to service_role;

    create policy "users read their own embeddings" on public.code_embeddings
      for select to authenticated using (user_id = (select auth.uid()));
    create policy "users create their own embeddings" on public.code_embeddings
      for insert to authenticated with check (user_id = (select auth.uid()));
    create policy "users update their own embeddings" on public.code_embeddings
      for update to authenticated
      using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
    create policy "users delete their own embeddings" on public.code_embeddings
      for delete to authenticated using (user_id = (select auth.uid()));

    select private.limit_table('public.code_embeddings', rows => 50000, bytes => 1073741824);
  $sql$;
end $migration$;
