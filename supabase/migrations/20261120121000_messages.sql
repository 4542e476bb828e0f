-- Messages of projects and conversations: who reads and writes them, their sequence numbers and their size.

create type public.message_role_enum as enum ('user', 'assistant', 'system');

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
  status text not null default 'complete',
  hold_id uuid references public.credit_holds (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint messages_hold_id_key unique (hold_id),
  constraint messages_status_check check (status in ('streaming', 'complete', 'aborted')),
  constraint messages_sequence_number_check check (sequence_number >= 0),
  constraint messages_project_sequence_key unique (project_id, sequence_number),
  constraint messages_one_parent_check check (num_nonnulls(conversation_id, project_id) = 1),
  constraint messages_project_sequence_check check (project_id is null or sequence_number is not null)
);
comment on table public.messages is
  'Messages of conversations (Wbot) and of projects (CodingIT-1); each has exactly one parent';
comment on column public.messages.status is
  'streaming for a draft, then complete, or aborted with the content it had. Only functions set it';
comment on column public.messages.hold_id is
  'The credit hold that was captured to pay for the message, in the transaction that saved or completed it';

create index idx_messages_conversation_id on public.messages (conversation_id);
create index idx_messages_conversation_created on public.messages (conversation_id, created_at);
create index messages_drafts on public.messages (updated_at) where status = 'streaming';

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

-- A caller who may read the parent, by the policies of the parent, may read the message. A scalar sub-query looks the
-- parent up by its key; for exists, the planner reads all projects into a hash first.
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

-- Parents -------------------------------------------------------------------------------------------

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
  'Trigger function: sets updated_at of the conversation to the time of its new message';
revoke all on function public.update_conversation_timestamp() from public, anon, authenticated, service_role;

create trigger on_message_created after insert on public.messages
  for each row when (new.conversation_id is not null)
  execute function public.update_conversation_timestamp();

alter publication supabase_realtime add table public.messages;

-- Sizes ---------------------------------------------------------------------------------------------

-- A trigger, because clients also write messages directly.
-- Definer: a client may not read the settings.
-- Raises: PT413 content_too_large {largest, size}.
create function private.check_message_size()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_largest integer := private.setting('messages.content_size');
  v_size integer := greatest(octet_length(new.content::text), octet_length(new.object_data::text),
    octet_length(new.result_data::text), octet_length(new.metadata::text));
begin
  if v_size > v_largest then
    raise exception 'The content of a message has % bytes: at most % are allowed', v_size, v_largest
      using errcode = 'PT413',
        detail = format('content_too_large %s', jsonb_build_object('largest', v_largest, 'size', v_size)),
        hint = 'Upload files to Storage and put their paths into the message';
  end if;
  return new;
end $$;
comment on function private.check_message_size() is 'Trigger function: refuses a message that is too large';
revoke all on function private.check_message_size() from public, anon, authenticated, service_role;

create trigger check_message_size before insert or update of content, object_data, result_data, metadata
  on public.messages for each row execute function private.check_message_size();

-- Sets updated_at of the project to the time of its new message, and checks the sequence number. Updating the row also
-- locks the project before the unique key locks the number. In the other order two writers could deadlock: one waiting
-- for a number while the other, which has it, waits for the project.
-- Definer: a member of the team may write into a project that they may not update.
-- Raises: PT422 too_many_messages {most}, invalid_sequence_number.
create function private.enter_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_lead numeric;
begin
  -- Once per transaction: the first message of a batch takes the lock for all.
  update public.projects as p set updated_at = now() where p.id = new.project_id and p.updated_at <> now();
  if new.sequence_number >= private.setting('messages.per_project') then
    raise exception 'Sequence number % is too high for a project', new.sequence_number
      using errcode = 'PT422', detail = format('too_many_messages %s',
        jsonb_build_object('most', private.setting('messages.per_project'))), hint = 'Continue in another project';
  end if;
  v_lead := private.setting('messages.sequence_lead');
  -- Without this limit, one message with the highest number would keep everybody from adding more.
  if new.sequence_number > v_lead + (select coalesce(max(m.sequence_number), 0) from public.messages as m
    where m.project_id = new.project_id) then
    raise exception 'Sequence number % is too far ahead', new.sequence_number
      using errcode = 'PT422', detail = 'invalid_sequence_number',
        hint = format('Use a number at most %s higher than the newest in the project, or leave it out', v_lead);
  end if;
  return new;
end $$;
revoke all on function private.enter_project() from public, anon, authenticated, service_role;

create trigger enter_project before insert on public.messages
  for each row when (new.project_id is not null) execute function private.enter_project();
