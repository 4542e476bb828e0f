-- Messages of projects and conversations: who reads and writes them, their numbers and their size.

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
comment on table public.messages is 'Wbot''s chat messages and CodingIT-1''s project messages; exactly one parent';
comment on column public.messages.status is
  'streaming while an answer is written, then complete, or aborted with what there was. Set by functions';
comment on column public.messages.hold_id is 'The credit hold that was captured for it, in the same transaction';

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

create index messages_drafts on public.messages (updated_at) where status = 'streaming';

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

alter publication supabase_realtime add table public.messages;

-- Sizes ---------------------------------------------------------------------------------------------

-- In a trigger, because clients write messages directly as well.
-- Definer: a client may not read the settings.
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
    raise exception 'A message has at most % bytes of content, not %', v_largest, v_size
      using errcode = 'PT413',
        detail = format('content_too_large %s', jsonb_build_object('largest', v_largest, 'size', v_size)),
        hint = 'Put files into Storage, and their paths into the message';
  end if;
  return new;
end $$;
comment on function private.check_message_size() is 'Trigger function: refuses a message that is too large';
revoke all on function private.check_message_size() from public, anon, authenticated, service_role;

create trigger check_message_size before insert or update of content, object_data, result_data, metadata
  on public.messages for each row execute function private.check_message_size();

-- A project is as new as its newest message. Its row is also the lock that puts those who write into it one
-- behind the other, and is taken before the message's number: else one would wait for a number that the
-- other holds while it waits for the project.
-- Definer: a member of the team writes into a project that is not theirs to update.
create function private.enter_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_lead numeric;
begin
  -- Once a transaction: of a batch, the first message takes the lock for all.
  update public.projects as p set updated_at = now() where p.id = new.project_id and p.updated_at <> now();
  if new.sequence_number >= private.setting('messages.per_project') then
    raise exception 'A project has no message number %', new.sequence_number
      using errcode = 'PT422', detail = format('too_many_messages %s',
        jsonb_build_object('most', private.setting('messages.per_project'))), hint = 'Go on in another project';
  end if;
  v_lead := private.setting('messages.sequence_lead');
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
