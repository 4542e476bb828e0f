-- CodingIT-1's workspace: the AI work items of a user, and the tree of files in the IDE.

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
comment on table public.tasks is 'AI work items of a user';

create index idx_tasks_user_id on public.tasks (user_id);
create index idx_tasks_status on public.tasks (status);
create index idx_tasks_created_at on public.tasks (created_at desc);

alter table public.tasks enable row level security;
revoke all on public.tasks from public, anon, authenticated, service_role;
-- An identity column draws from its sequence by itself; nobody else has to.
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
comment on table public.workspace_files is 'The file tree of a user''s IDE workspace';

create index idx_workspace_files_user_id on public.workspace_files (user_id);
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
