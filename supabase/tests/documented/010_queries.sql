-- The SQL that the documents of CodingIT-1 and Sorar AI print, as a signed-in user.

begin;
select plan(14);
select tests.create_user(name) from unnest(array['owner', 'other']) as name;
insert into tasks (user_id, prompt) values (tests.user_id('other'), 'not yours');
select tests.authenticate_as('owner');

-- CodingIT-1 ------------------------------------------------------------------------------------------
select isnt_empty($$
  INSERT INTO public.tasks (user_id, status, progress, prompt, repo_url, selected_agent, selected_model, logs)
  VALUES (auth.uid(), 'pending', 0, 'Fix the authentication bug in the login component',
    'https://github.com/username/repo', 'claude', 'claude-3-5-sonnet',
    '[{"id": "abc123", "timestamp": "2025-01-15T10:30:00Z", "type": "info", "message": "Task created, preparing to start..."}]')
  RETURNING id, created_at $$, 'create a new task');
select results_eq($$
  UPDATE public.tasks
  SET progress = 50,
    logs = logs || '[{"id": "def456", "timestamp": "2025-01-15T11:00:00Z", "type": "info", "message": "Analyzing repository structure..."}]'::jsonb,
    updated_at = NOW()
  WHERE id = (select max(id) from public.tasks) AND user_id = auth.uid()
  returning progress, jsonb_array_length(logs) $$, $$ values (50, 2) $$, 'update task progress and add log');
select results_eq($$
  SELECT id, status, progress, prompt, repo_url, selected_agent, selected_model, sandbox_url, branch_name, logs,
    created_at, updated_at
  FROM public.tasks WHERE user_id = auth.uid() ORDER BY created_at DESC $$,
  $$ select id, status, progress, prompt, repo_url, selected_agent, selected_model, sandbox_url, branch_name, logs,
    created_at, updated_at from public.tasks $$, 'retrieve all tasks for a user');
select results_eq($$
  SELECT status, COUNT(*) as count FROM public.tasks WHERE user_id = auth.uid() GROUP BY status ORDER BY count DESC $$,
  $$ values ('pending'::task_status_enum, 1::bigint) $$, 'count tasks by status');

insert into workspace_files (user_id, path, name, content, is_directory, parent_path) values
  (auth.uid(), 'src/components/Button.tsx', 'Button.tsx', 'code', false, 'src/components/'),
  (auth.uid(), 'src/components/forms', 'forms', '', true, 'src/components/');
select results_eq($$
  SELECT name FROM public.workspace_files
  WHERE user_id = auth.uid()
    AND (parent_path = 'src/components/' OR (parent_path IS NULL AND path = 'src/components/'))
  ORDER BY is_directory DESC, name ASC $$, $$ values ('forms'), ('Button.tsx') $$,
  'get workspace files for a directory, directories first');
select results_eq($$
  SELECT content FROM public.workspace_files WHERE user_id = auth.uid() AND path = 'src/components/Button.tsx' $$,
  $$ values ('code') $$, 'get file content by path');

insert into projects (id, user_id, title) values (md5('documented')::uuid, auth.uid(), 'P');
select isnt_empty($$
  SELECT public.save_message_and_update_project(
    project_id_param := md5('documented')::uuid,
    role_param := 'user',
    content_param := '{"type": "text", "value": "How do I fix this authentication bug?"}'::jsonb,
    sequence_number_param := 5) $$, 'call save message function');
select results_eq($$
  SELECT m.role::text, p.title as project_title
  FROM public.messages m JOIN public.projects p ON m.project_id = p.id
  WHERE p.user_id = auth.uid()
    AND to_tsvector('english', m.content::text) @@ to_tsquery('english', 'authentication & bug')
  ORDER BY m.created_at DESC $$, $$ values ('user', 'P') $$, 'search messages by content');
select results_eq($$
  SELECT p.title, COALESCE(m.content, '{}'::jsonb) ->> 'type'
  FROM public.projects p
  LEFT JOIN (
    SELECT project_id, content, created_at FROM public.messages
    WHERE (project_id, created_at) IN (
      SELECT project_id, MAX(created_at) FROM public.messages GROUP BY project_id)
  ) m ON p.id = m.project_id
  WHERE p.user_id = auth.uid() AND p.status = 'active'
  ORDER BY p.updated_at DESC $$, $$ values ('P', 'text') $$, 'get project with latest message');

-- Sorar AI --------------------------------------------------------------------------------------------
insert into user_goals (user_id, title) values (auth.uid(), 'G');
insert into chat_sessions (user_id, scenario_id, status) values (auth.uid(), 's', 'active');
select is((select count(*) from get_user_full_profile(auth.uid())), 1::bigint, 'get_user_full_profile is one row');
select results_eq($$ SELECT active_goals FROM user_statistics WHERE user_id = auth.uid() $$,
  $$ values (1::bigint) $$, 'user_statistics');
select results_eq($$
  SELECT scenario_id, message_count FROM chat_sessions_with_counts WHERE user_id = auth.uid()
  ORDER BY created_at DESC LIMIT 10 $$, $$ values ('s', 0::bigint) $$, 'chat_sessions_with_counts');
select results_eq($$ SELECT title FROM user_goals WHERE user_id = auth.uid() AND status = 'active' $$,
  $$ values ('G') $$, 'active goals');
select is_empty($$ SELECT * FROM get_user_full_profile(tests.user_id('other')) as p (profile)
  where profile -> 'profile' <> 'null' $$, 'and nothing of another user');

select * from finish();
rollback;
