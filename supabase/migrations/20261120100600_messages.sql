-- Messages: of a conversation (Wbot) or of a project (CodingIT-1), exactly one of the two. Who sees the
-- parent reads its messages; whose it is, or whose team's, writes them.

create type public.message_role_enum as enum ('user', 'assistant', 'system');

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('messages.sequence_lead', 10000, 'numbers', 1, 1000000,
    'How far ahead of a project''s newest message a client may number one');

-- messages ---------------------------------------------------------------------------------------

create table public.messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references public.conversations (id) on delete cascade,
  project_id uuid references public.projects (id) on delete cascade,
  role public.message_role_enum not null,
  content jsonb not null,
  object_data jsonb,
  result_data jsonb,
  metadata jsonb not null default '{}'::jsonb,
  sequence_number integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint messages_sequence_number_check check (sequence_number >= 0),
  constraint messages_project_sequence_key unique (project_id, sequence_number),
  constraint messages_one_parent_check check (num_nonnulls(conversation_id, project_id) = 1),
  constraint messages_project_sequence_check check (project_id is null or sequence_number is not null)
);
comment on table public.messages is 'Wbot''s chat messages and CodingIT-1''s project messages; exactly one parent';

create index idx_messages_conversation_id on public.messages (conversation_id);
create index idx_messages_conversation_created on public.messages (conversation_id, created_at);

alter table public.messages enable row level security;
revoke all on public.messages from public, anon, authenticated, service_role;
grant select on public.messages to authenticated;
grant insert (id, conversation_id, project_id, role, content, object_data, result_data, metadata,
  sequence_number, updated_at)
  on public.messages to authenticated;
grant update (role, content, object_data, result_data, metadata, updated_at)
  on public.messages to authenticated;
grant delete on public.messages to authenticated;
grant select, insert, update, delete on public.messages to service_role;

-- Who sees the parent, by its own policies, sees the message. A scalar sub-query looks the one parent up by its
-- key; the planner would answer an exists by reading every project there is into a hash first.
create policy "users read messages of conversations and projects they see" on public.messages
  for select to authenticated
  using (case when project_id is null
    then (select true from public.conversations as c where c.id = conversation_id)
    else (select true from public.projects as p where p.id = project_id) end);
create policy "users write into their conversations, their own and their teams' projects" on public.messages
  for insert to authenticated
  with check (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.deleted_at is null
        and (p.user_id = (select auth.uid()) or p.team_id = any (array(select private.my_team_ids()))))));
create policy "users update messages of their own conversations and projects" on public.messages
  for update to authenticated
  using (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.user_id = (select auth.uid()))))
  with check (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users delete messages of their own conversations and projects" on public.messages
  for delete to authenticated
  using (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.user_id = (select auth.uid())));

create trigger update_messages_updated_at before update on public.messages
  for each row execute function public.update_updated_at_column();

-- The parent follows --------------------------------------------------------------------------------

create function public.update_conversation_timestamp()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  update public.conversations as c set updated_at = now()
  where c.id = new.conversation_id and c.updated_at <> now();
  return null;
end $$;
comment on function public.update_conversation_timestamp() is
  'Trigger function: a conversation is as new as its newest message';
revoke all on function public.update_conversation_timestamp() from public, anon, authenticated, service_role;

create trigger on_message_created after insert on public.messages
  for each row when (new.conversation_id is not null)
  execute function public.update_conversation_timestamp();

-- A project is as new as its newest message. Its row is also the lock that puts those who write into it one
-- behind the other, and is taken before the message's number: else one would wait for a number that the
-- other holds while it waits for the project.
-- Definer: a member of the team writes into a project that is not theirs to update.
create function private.enter_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_lead numeric := private.setting('messages.sequence_lead');
begin
  update public.projects as p set updated_at = now() where p.id = new.project_id;
  -- Who could take the last number there is would end the numbering for everyone.
  if new.sequence_number > v_lead + (select coalesce(max(m.sequence_number), 0) from public.messages as m
    where m.project_id = new.project_id) then
    raise exception 'Sequence number % is too far ahead', new.sequence_number
      using errcode = 'PT422', detail = 'invalid_sequence_number',
        hint = format('It may be ahead of the newest by %s', v_lead);
  end if;
  return new;
end $$;
revoke all on function private.enter_project() from public, anon, authenticated, service_role;

create trigger enter_project before insert on public.messages
  for each row when (new.project_id is not null) execute function private.enter_project();

-- save_message_and_update_project -------------------------------------------------------------------

-- Definer: a member of the team writes into a project that is not theirs to update, and replaces a message
-- by its number, which no grant allows.
create function private.save_message_and_update_project(
  project_id uuid, role text, content jsonb, object_data jsonb, result_data jsonb, sequence_number integer
)
returns public.messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  -- Without claims the call is not PostgREST's: only the service may make it.
  v_service boolean := coalesce((select auth.role()), 'service_role') = 'service_role';
  v_project public.projects;
  v_message public.messages;
begin
  -- The lock numbers the messages of a project one after the other.
  select p.* into v_project from public.projects as p
  where p.id = save_message_and_update_project.project_id
    and (v_service or p.user_id = (select auth.uid()) or p.team_id = any (array(select private.my_team_ids())))
  for no key update;
  if not found then
    raise exception 'There is no project "%"', save_message_and_update_project.project_id
      using errcode = 'PT404', detail = 'project_not_found';
  end if;
  if v_project.deleted_at is not null or v_project.status = 'deleted' then
    raise exception 'Project "%" is deleted', v_project.id
      using errcode = 'PT409', detail = 'project_deleted', hint = 'Restore it first';
  end if;
  if save_message_and_update_project.role is null
    or save_message_and_update_project.role not in ('user', 'assistant', 'system')
    or save_message_and_update_project.role = 'system' and not v_service then
    raise exception 'A message is not written as "%"', save_message_and_update_project.role
      using errcode = 'PT422', detail = 'invalid_role', hint = 'A client writes as user or assistant';
  end if;
  if save_message_and_update_project.content is null then
    raise exception 'A message has content' using errcode = 'PT422', detail = 'content_missing';
  end if;
  if save_message_and_update_project.sequence_number < 0 then
    raise exception 'A sequence number is not negative'
      using errcode = 'PT422', detail = 'invalid_sequence_number';
  end if;

  insert into public.messages as m
    (project_id, role, content, object_data, result_data, sequence_number)
  values (v_project.id, save_message_and_update_project.role::public.message_role_enum,
    save_message_and_update_project.content, save_message_and_update_project.object_data,
    save_message_and_update_project.result_data,
    coalesce(save_message_and_update_project.sequence_number,
      (select coalesce(max(x.sequence_number) + 1, 0) from public.messages as x
        where x.project_id = v_project.id)))
  on conflict on constraint messages_project_sequence_key do update
  set role = excluded.role, content = excluded.content, object_data = excluded.object_data,
    result_data = excluded.result_data
  where (m.role <> 'system' or v_service)
    -- A number that was not asked for replaces nothing.
    and save_message_and_update_project.sequence_number is not null
  returning m.* into v_message;
  if not found then
    raise exception 'Message % of the project is the system''s',
      save_message_and_update_project.sequence_number
      using errcode = 'PT409', detail = 'system_message', hint = 'Take another sequence number';
  end if;
  update public.projects as p set updated_at = now() where p.id = v_project.id and p.updated_at <> now();
  return v_message;
end $$;
revoke all on function private.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  from public, anon, authenticated, service_role;
grant execute on function private.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  to authenticated, service_role;

-- Saves a message of a project that the caller owns or whose team they belong to, as CodingIT-1 documents it: a
-- number that is taken is replaced, no number takes the next. Returns the saved row.
-- Raises: PT404 project_not_found; PT409 project_deleted, system_message; PT422 invalid_role,
-- content_missing, invalid_sequence_number.
create function public.save_message_and_update_project(
  project_id_param uuid, role_param text, content_param jsonb, object_data_param jsonb default null,
  result_data_param jsonb default null, sequence_number_param integer default null
)
returns public.messages
language sql volatile set search_path = ''
as $$
  select private.save_message_and_update_project(project_id_param, role_param, content_param,
    object_data_param, result_data_param, sequence_number_param)
$$;
revoke all on function public.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.save_message_and_update_project(uuid, text, jsonb, jsonb, jsonb, integer)
  to authenticated, service_role;
