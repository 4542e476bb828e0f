-- Messages of projects and conversations: who reads and writes them, their numbers and their size, and how they are saved:
-- in order, all or none, and paid for in the same transaction.

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
  hold_id uuid,
  -- No foreign key: every message would pay for its check and its index.
  author_id uuid default auth.uid(),
  client_id text,
  user_id uuid,
  created_at timestamptz not null default clock_timestamp(),
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
comment on column public.messages.author_id is
  'The user who wrote the message, or for whom a service saved it; null when a service wrote it directly, and in a clone';
comment on column public.messages.client_id is
  'The id that the app gave the message, if it is not a UUID (a UUID becomes the id); unique in the project or conversation';
comment on column public.messages.hold_id is
  'The credit hold that has paid for the message, or was released because there was nothing to pay';

comment on column public.messages.user_id is
  'The owner of the conversation or project, whoever wrote the message; a trigger sets it';

create index messages_user_created on public.messages (user_id, created_at desc);
create index idx_messages_conversation_id on public.messages (conversation_id);
create index idx_messages_conversation_created on public.messages (conversation_id, created_at);
-- One index for both kinds of parents: each further index costs every message.
create unique index messages_client_id_key on public.messages (coalesce(project_id, conversation_id), client_id)
  where client_id is not null;
-- What somebody wrote in the projects of others.
create index messages_others_author on public.messages (author_id) where author_id <> user_id;
create index messages_drafts on public.messages (updated_at) where status = 'streaming';

-- What a deleted user wrote in projects of others belongs to the project.
insert into private.account_rows (name, place, statement) values
  ('message_authors', 73, 'update public.messages set author_id = null where ctid = any (array(
    select ctid from public.messages where author_id = $1 and author_id <> user_id limit $2))');

alter table public.messages enable row level security;
revoke all on public.messages from public, anon, authenticated, service_role;
grant select on public.messages to authenticated;
grant insert (id, conversation_id, project_id, role, content, object_data, result_data, metadata,
  sequence_number, client_id, updated_at)
  on public.messages to authenticated;
grant update (role, content, object_data, result_data, metadata, updated_at)
  on public.messages to authenticated;
grant delete on public.messages to authenticated;
grant select, insert, update, delete on public.messages to service_role;

-- A caller who may read the parent may read the message. The policy says so in columns of the message, so that an index
-- finds all that a caller may read; a look-up of the parent would be made for every message of everybody.
create policy "a deleted account has no access" on public.messages
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "nobody sees what is still being cloned" on public.messages
  as restrictive for all to authenticated
  using (project_id is null or project_id <> all (array(select private.my_cloning_project_ids())));
create policy "users read messages of conversations and projects they see" on public.messages
  for select to authenticated
  using (user_id = (select auth.uid())
    or project_id = any (array(select private.my_team_project_ids()))
    or project_id = any (array(select private.public_project_ids())));
create policy "users write into their conversations, their own and their teams' projects" on public.messages
  for insert to authenticated
  with check (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.deleted_at is null
        and (p.user_id = (select auth.uid()) or p.team_id = any (array(select private.my_team_ids()))))));
create policy "users update messages of what is theirs, members of a team their own" on public.messages
  for update to authenticated
  using (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.deleted_at is null and (p.user_id = (select auth.uid())
        or (author_id = (select auth.uid()) or p.message_editing = 'members')
          and p.team_id = any (array(select private.my_team_ids()))))))
  with check (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and p.deleted_at is null and (p.user_id = (select auth.uid())
        or (author_id = (select auth.uid()) or p.message_editing = 'members')
          and p.team_id = any (array(select private.my_team_ids()))))));
create policy "users delete messages of what is theirs, members of a team their own" on public.messages
  for delete to authenticated
  using (role <> 'system' and (exists (
      select 1 from public.conversations as c
      where c.id = conversation_id and c.user_id = (select auth.uid()))
    or exists (
      select 1 from public.projects as p
      where p.id = project_id and (p.user_id = (select auth.uid())
        or p.deleted_at is null and (author_id = (select auth.uid()) or p.message_editing = 'members')
          and p.team_id = any (array(select private.my_team_ids()))))));

create trigger update_messages_updated_at before update on public.messages
  for each row execute function public.update_updated_at_column();

alter publication supabase_realtime add table public.messages;

-- Sizes and numbers -----------------------------------------------------------------------------------

-- Checks the size and the client_id of a message. In a project, it also sets updated_at of the project to the time of
-- its new message, and checks the sequence number. Updating the row locks the project before the unique key locks the
-- number. In the other order two writers could deadlock: one waiting for a number while the other, which has it, waits
-- for the project. A trigger, because clients also write messages directly; a single one, because every message pays
-- for it. A clone has the messages that its source has, whatever the limits are now. An imported message keeps its number,
-- and its project keeps its time.
-- Definer: a client may not read the settings, and a member of the team may write into a project that they may not
-- update.
-- Raises: PT413 content_too_large {largest, size}; PT422 invalid_message_id; and what refuse_full_owner and
-- check_sequence_number raise.
create function private.check_message()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_largest numeric;
  v_most numeric;
  v_full boolean;
  v_entered boolean;
  v_follows boolean;
  v_ending boolean;
  v_size integer := greatest(octet_length(new.content::text), octet_length(new.object_data::text),
    octet_length(new.result_data::text), octet_length(new.metadata::text));
begin
  -- All at once, because each statement costs more than what it reads: the limits, whether this transaction has entered
  -- the project before, as for the first message of a batch, and whether there is a message with the number before.
  select s.value, (select x.value from private.settings as x where x.name = 'messages.per_project'),
    exists (select 1 from private.full_message_owners as o where o.since < now()),
    (select p.updated_at = now() from public.projects as p where p.id = new.project_id),
    exists (select 1 from public.messages as m
      where m.project_id = new.project_id and m.sequence_number = new.sequence_number - 1)
  into strict v_largest, v_most, v_full, v_entered, v_follows
  from private.settings as s where s.name = 'messages.content_size';
  -- What an answer has said is saved in any case, because its user pays for it: they may have filled its message meanwhile.
  v_ending := current_setting('strongroom.ending_answer', true) is not distinct from 'on';
  if v_size > v_largest and not v_ending and not (tg_op = 'INSERT' and private.is_cloning(new.project_id)) then
    raise exception 'The largest field of the message is % bytes long: at most % bytes are allowed', v_size, v_largest
      using errcode = 'PT413',
        detail = format('content_too_large %s', jsonb_build_object('largest', v_largest, 'size', v_size)),
        hint = 'Upload large data to Storage, and put its path into the message';
  end if;
  if new.client_id is not null and not private.is_client_id(new.client_id) then
    raise exception 'A client_id must be 1 to 64 letters, digits, _ and -, and not a UUID'
      using errcode = 'PT422', detail = 'invalid_message_id', hint = 'Send a UUID as id instead';
  end if;
  -- Some user has reached the limit of messages: perhaps the owner of this one.
  if v_full and not v_ending then
    perform private.refuse_full_owner(new, old);
  end if;
  if tg_op = 'UPDATE' or new.project_id is null or current_setting('strongroom.importing', true) = 'on' then
    return new;
  end if;
  -- The policy refuses the row afterwards. Until then it must not wait for the project or learn its numbers. The
  -- service, which saves nearly all messages, is spared the call.
  if current_setting('role') <> 'service_role' and not private.caller_writes_project(new.project_id) then
    return new;
  end if;
  -- Once per transaction: the first message of a batch takes the lock for all.
  if not v_entered then
    update public.projects as p set updated_at = now() where p.id = new.project_id;
  end if;
  -- Nearly every number is one more than another, and needs no further look. Who waited for the lock has looked too early
  -- and looks again.
  if new.sequence_number >= v_most or new.sequence_number > 0 and not v_follows then
    perform private.check_sequence_number(new.project_id, new.sequence_number);
  end if;
  return new;
end $$;
comment on function private.check_message() is
  'Trigger function: refuses a message that is too large or whose number is too high, and enters it into its project';
revoke all on function private.check_message() from public, anon, authenticated, service_role;

create trigger check_message before insert or update of content, object_data, result_data, metadata, client_id
  on public.messages for each row execute function private.check_message();

-- Saving -------------------------------------------------------------------------------------------

-- Locks the project or the conversation that a user wants to write into. Exactly one of the two is given.
-- Raises: PT403 project_read_only; PT404 project_not_found, conversation_not_found; PT409 project_deleted,
-- project_cloning.
create function private.lock_message_parent(user_id uuid, project_id uuid, conversation_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_project public.projects;
begin
  if lock_message_parent.conversation_id is not null then
    perform 1 from public.conversations as c
    where c.id = lock_message_parent.conversation_id and c.user_id = lock_message_parent.user_id
      and exists (select 1 from auth.users as u where u.id = c.user_id)
    for no key update;
    if not found then
      raise exception 'There is no conversation "%"', conversation_id
        using errcode = 'PT404', detail = 'conversation_not_found';
    end if;
    return;
  end if;
  select p.* into v_project from public.projects as p
  where p.id = lock_message_parent.project_id and private.writes_project(p, lock_message_parent.user_id)
  for no key update;
  if not found then
    perform private.refuse_project(project_id);
  end if;
  perform private.refuse_unavailable_project(v_project);
end $$;
revoke all on function private.lock_message_parent(uuid, uuid, uuid) from public, anon, authenticated, service_role;

-- Saves one message into its parent, which the caller has locked, and returns the row. A message with the id and
-- content of a saved one is a repeat and returns that one. In a project, a message with the sequence number of another
-- replaces it; without replace it is refused. The message replaced keeps its author.
-- Raises: PT403 not_message_author; PT409 message_id_used, system_message; PT412 sequence_number_taken, each with
-- {index}; PT413 content_too_large; PT422 invalid_sequence_number, too_many_messages.
create function private.save_message(message public.messages, replace boolean, actor text, index integer)
returns public.messages
language plpgsql volatile set search_path = ''
as $$
declare
  v_there public.messages;
begin
  if message.id is not null or message.client_id is not null then
    v_there.id := coalesce(message.id,
      private.find_message(message.client_id, message.project_id, message.conversation_id));
    select m.* into v_there from public.messages as m where m.id = v_there.id;
    if found then
      if (v_there.project_id, v_there.conversation_id) is distinct from (message.project_id, message.conversation_id)
        or v_there.sequence_number is distinct from coalesce(message.sequence_number, v_there.sequence_number) then
        raise exception 'Another message already has the id "%"', coalesce(message.client_id, message.id::text)
          using errcode = 'PT409', detail = format('message_id_used %s', jsonb_build_object('index', index)),
            hint = 'Use a new id for a new message';
      end if;
      if (v_there.role, v_there.content, v_there.object_data, v_there.result_data)
          is not distinct from (message.role, message.content, message.object_data, message.result_data)
          and v_there.metadata = coalesce(message.metadata, v_there.metadata)
        -- A repeat of the request that reserved a draft, which may have changed since.
        or message.status = 'streaming' and v_there.role = message.role then
        return v_there;
      end if;
      if message.sequence_number is null then
        raise exception 'A different message has already been saved with the id "%"',
          coalesce(message.client_id, message.id::text)
          using errcode = 'PT409', detail = format('message_id_used %s', jsonb_build_object('index', index)),
            hint = 'Use a new id for a new message. To replace the saved message, send it with PUT';
      end if;
    end if;
  end if;

  if message.project_id is not null then
    v_there := null;
    if message.sequence_number is not null then
      select m.* into v_there from public.messages as m
      where m.project_id = message.project_id and m.sequence_number = message.sequence_number;
    end if;
    if v_there.id is not null then
      if not replace or message.id <> v_there.id
        or message.client_id is distinct from coalesce(v_there.client_id, '') and message.client_id is not null then
        raise exception 'The project already has a message with the sequence number %', message.sequence_number
          using errcode = 'PT412', detail = format('sequence_number_taken %s',
            jsonb_build_object('index', index, 'sequence_number', message.sequence_number)),
            hint = 'Leave sequence_number out to take the next number';
      end if;
      perform private.refuse_edit(v_there, message.author_id, actor, jsonb_build_object('index', index));
      update public.messages as m
      set role = message.role, content = message.content, object_data = message.object_data,
        result_data = message.result_data, metadata = coalesce(message.metadata, m.metadata), status = message.status
      where m.id = v_there.id
      returning m.* into v_there;
      update public.projects as p set updated_at = now() where p.id = message.project_id and p.updated_at <> now();
      return v_there;
    end if;
    if message.sequence_number is null then
      select coalesce(max(m.sequence_number) + 1, 0) into message.sequence_number
      from public.messages as m where m.project_id = message.project_id;
    end if;
  elsif message.sequence_number is not null then
    raise exception 'A message in a conversation cannot have a sequence number'
      using errcode = 'PT422', detail = format('invalid_sequence_number %s', jsonb_build_object('index', index)),
        hint = 'Leave sequence_number out';
  end if;

  insert into public.messages as m
    (id, project_id, conversation_id, role, content, object_data, result_data, metadata, sequence_number, status,
      author_id, client_id,
      -- Each message of a batch is a little later than the one before it: conversations are sorted by this.
      created_at)
  values (coalesce(message.id, gen_random_uuid()), message.project_id, message.conversation_id, message.role,
    message.content, message.object_data, message.result_data, coalesce(message.metadata, '{}'), message.sequence_number,
    message.status, message.author_id, message.client_id,
    clock_timestamp() + index * interval '1 microsecond')
  returning m.* into v_there;
  return v_there;
end $$;
revoke all on function private.save_message(public.messages, boolean, text, integer)
  from public, anon, authenticated, service_role;

-- save_messages -------------------------------------------------------------------------------------

create type public.saved_messages as (
  messages jsonb,
  entry jsonb,
  replayed boolean
);
comment on type public.saved_messages is
  'Messages as they are now, in the order of the request, and the entry that charged for them, if there is one';

-- Returns the messages of a project or conversation with the given ids, in this order, and the entry of the hold that
-- paid for them. A message that is gone may have left its id to a message of somebody else.
-- Raises: PT410 message_deleted {index}.
create function private.to_saved_messages(ids uuid[], replayed boolean, project_id uuid, conversation_id uuid)
returns public.saved_messages
language plpgsql stable set search_path = ''
as $$
declare
  v_saved public.saved_messages;
  v_hold_id uuid;
  v_gone bigint;
begin
  select jsonb_agg(to_jsonb(m) order by i.place), (array_agg(m.hold_id) filter (where m.hold_id is not null))[1],
    min(i.place) filter (where m.id is null)
  into v_saved.messages, v_hold_id, v_gone
  from unnest(ids) with ordinality as i (id, place)
  left join public.messages as m on m.id = i.id
    and (m.project_id = to_saved_messages.project_id or m.conversation_id = to_saved_messages.conversation_id);
  if v_gone is not null then
    raise exception 'Message "%", which this request saved, has been deleted', ids[v_gone]
      using errcode = 'PT410', detail = format('message_deleted %s', jsonb_build_object('index', v_gone - 1)),
        hint = 'Use a new idempotency key to save it again';
  end if;
  if v_hold_id is not null then
    select to_jsonb(private.to_credit_entry(t, a.unit)) - 'replayed' into v_saved.entry
    from private.credit_transactions as t join public.credit_accounts as a on a.id = t.account_id
    where t.hold_id = v_hold_id;
  end if;
  v_saved.replayed := to_saved_messages.replayed;
  return v_saved;
end $$;
revoke all on function private.to_saved_messages(uuid[], boolean, uuid, uuid)
  from public, anon, authenticated, service_role;

-- Does the work of public.save_messages for any request, and raises its errors.
create function private.save_messages_in_turn(
  user_id uuid, messages jsonb, project_id uuid, conversation_id uuid, replace boolean, settle jsonb,
  idempotency_key text, actor text
)
returns public.saved_messages
language plpgsql volatile set search_path = ''
as $$
declare
  v_request jsonb;
  v_first jsonb;
  v_item record;
  v_message public.messages;
  v_rows public.messages[] := array[]::public.messages[];
  v_saved public.saved_messages;
  v_most integer := private.setting('messages.batch_size');
begin
  if actor is null or actor not in ('user', 'service')
    or num_nulls(project_id, conversation_id) <> 1 or replace is null then
    raise exception '%', case
        when num_nulls(project_id, conversation_id) <> 1 then 'Give either project_id or conversation_id, not both'
        when replace is null then 'replace must be true or false'
        else 'actor must be user or service' end
      using errcode = 'PT422', detail = 'invalid_message';
  end if;
  if jsonb_typeof(messages) is distinct from 'array' or jsonb_array_length(messages) not between 1 and v_most
    or settle is not null and (actor <> 'service' or jsonb_array_length(messages) <> 1) then
    raise exception '%', case
        when jsonb_typeof(messages) is distinct from 'array' or jsonb_array_length(messages) not between 1 and v_most
          then format('messages must be a list of 1 to %s messages', v_most)
        when actor <> 'service' then 'Only the service can settle a message'
        else 'With settle, messages must contain exactly one message' end
      using errcode = 'PT422', detail = format('invalid_batch %s', jsonb_build_object('most', v_most));
  end if;
  v_request := jsonb_build_array('messages', project_id, conversation_id, messages, replace, settle);
  v_first := private.first_response(user_id, actor, idempotency_key, v_request);
  if settle is not null then
    if not private.lock_paid_parent(user_id, project_id, conversation_id, settle)
      or private.is_paid_and_gone(messages -> 0 ->> 'id', project_id, conversation_id, settle) then
      return private.settle_without_message(user_id, messages -> 0 ->> 'id', settle, v_request, idempotency_key);
    end if;
    v_first := private.first_response(user_id, actor, idempotency_key, v_request);
  -- A repeat may come after the project or conversation has gone, and then there is nothing to lock.
  elsif v_first is null or exists (select 1 from public.projects as p where p.id = save_messages_in_turn.project_id)
    or exists (select 1 from public.conversations as c where c.id = save_messages_in_turn.conversation_id) then
    perform private.lock_message_parent(user_id, project_id, conversation_id);
    v_first := private.first_response(user_id, actor, idempotency_key, v_request);
  end if;
  if v_first is not null then
    return private.to_saved_messages(array(select jsonb_array_elements_text(v_first)::uuid), true, project_id,
      conversation_id);
  end if;

  for v_item in
    select m.value, m.ordinality::integer - 1 as index
    from jsonb_array_elements(messages) with ordinality as m order by m.ordinality
  loop
    v_message := private.read_message(v_item.value, v_item.index, actor);
    v_message.project_id := save_messages_in_turn.project_id;
    v_message.conversation_id := save_messages_in_turn.conversation_id;
    v_message.author_id := save_messages_in_turn.user_id;
    v_message := private.save_message(v_message, replace, actor, v_item.index);
    v_rows := v_rows || v_message;
  end loop;
  if settle is not null then
    v_saved.entry := private.settle_message(v_message, user_id, settle);
    v_rows := array(select m from public.messages as m where m.id = v_message.id);
  end if;
  if idempotency_key is not null then
    -- Only the ids: a batch can be large.
    perform private.keep_response(user_id, actor, idempotency_key, v_request,
      to_jsonb(array(select r.id from unnest(v_rows) as r)));
  end if;
  v_saved.messages := to_jsonb(v_rows);
  v_saved.replayed := false;
  return v_saved;
end $$;
revoke all on function private.save_messages_in_turn(uuid, jsonb, uuid, uuid, boolean, jsonb, text, text)
  from public, anon, authenticated, service_role;

-- Saves messages for a user, in order and all or none, into either a project or a conversation, which is named by its
-- id or its client_id: [{id, role, content, object_data, result_data, metadata, sequence_number, status}]. An id that
-- is not a UUID becomes the client_id of its message. In a project, a message without sequence_number takes the next
-- number, and one whose number is taken replaces that message, unless replace is false. A message that has already been
-- saved under its id is a repeat. settle, {hold_id, amount or items, allow_overage}, pays for a single message by
-- capturing the hold: both happen or neither. If the message cannot be saved any more, because the user has deleted it
-- or where it belongs, or has lost the right to write there, settle still pays, and messages is empty. actor, user or
-- service, is who makes the request: only the service settles and writes as system.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only, not_message_author; PT404 project_not_found,
-- conversation_not_found, hold_not_found; PT409 project_deleted, project_cloning, message_id_used, system_message,
-- message_settled; PT410 message_deleted; PT412 sequence_number_taken; PT413 content_too_large; PT422 invalid_batch
-- {most}, invalid_message, invalid_role, content_missing, invalid_message_id, invalid_sequence_number, invalid_status,
-- too_many_messages, invalid_settlement, idempotency_key_reused; and what capture_credit_hold raises.
create function public.save_messages(
  user_id uuid,
  messages jsonb,
  project_id uuid default null,
  conversation_id text default null,
  replace boolean default true,
  settle jsonb default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.saved_messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message jsonb := save_messages.messages -> 0;
  v_conversation_id uuid;
  v_id uuid;
  v_client_id text;
  v_owner uuid;
  v_new boolean;
  v_saved public.saved_messages;
begin
  if conversation_id is not null then
    v_conversation_id := private.find_conversation(save_messages.user_id, save_messages.conversation_id, settle);
  end if;
  -- Nearly every request saves one new message, in a project under the next number. That takes as few statements and
  -- functions as possible: to start them is most of the cost. Any other request, and any that is to be refused, goes the
  -- long way.
  v_new := (project_id is null) <> (conversation_id is null) and replace is not null and settle is null
    and actor in ('user', 'service')
    and jsonb_typeof(save_messages.messages) = 'array' and jsonb_array_length(save_messages.messages) = 1
    and jsonb_typeof(v_message) = 'object'
    and v_message - array['id', 'role', 'content', 'object_data', 'result_data', 'metadata', 'status'] = '{}'
    and coalesce(v_message ->> 'status', 'complete') in ('complete', 'streaming')
    and v_message ->> 'role' in ('user', 'assistant') and v_message -> 'content' <> 'null'
    and (v_message -> 'metadata' is null or jsonb_typeof(v_message -> 'metadata') = 'object')
    and (idempotency_key is null or char_length(idempotency_key) between 1 and 255);
  -- A repeat must not change the project: look before, and again once the lock keeps other requests away.
  if v_new and v_message ? 'id' then
    v_id := private.json_uuid(v_message -> 'id');
    if v_id is not null then
      perform 1 from public.messages as m where m.id = v_id;
      v_new := not found;
    else
      v_client_id := v_message ->> 'id';
      v_new := jsonb_typeof(v_message -> 'id') = 'string' and private.is_client_id(v_client_id)
        and private.find_message(v_client_id, save_messages.project_id, v_conversation_id) is null;
    end if;
  end if;
  if v_new and idempotency_key is not null then
    perform 1 from private.idempotency_keys as k
    where k.owner_id = save_messages.user_id and k.actor = save_messages.actor and k.key = idempotency_key;
    v_new := not found;
  end if;
  if v_new then
    if project_id is null then
      select c.user_id into v_owner from public.conversations as c
      where c.id = v_conversation_id and c.user_id = save_messages.user_id
        and exists (select 1 from auth.users as u where u.id = c.user_id)
      for no key update;
    else
      update public.projects as p set updated_at = now()
      where p.id = save_messages.project_id and p.status in ('active', 'archived')
        and (p.user_id = save_messages.user_id or private.writes_project(p, save_messages.user_id))
      returning p.user_id into v_owner;
    end if;
    v_new := found;
  end if;
  if v_new and v_id is not null then
    perform 1 from public.messages as m where m.id = v_id;
    v_new := not found;
  end if;
  if v_new and v_client_id is not null then
    v_new := private.find_message(v_client_id, save_messages.project_id, v_conversation_id) is null;
  end if;
  if v_new and idempotency_key is not null then
    v_id := coalesce(v_id, gen_random_uuid());
    insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
    values (save_messages.user_id, save_messages.actor, idempotency_key,
      private.hash_request(jsonb_build_array('messages', save_messages.project_id, v_conversation_id,
        save_messages.messages, replace, null)),
      jsonb_build_array(v_id))
    on conflict do nothing;
    v_new := found;
  end if;
  if v_new then
    insert into public.messages as m
      (id, user_id, project_id, conversation_id, role, content, object_data, result_data, metadata, sequence_number,
        status, author_id, client_id, created_at)
    values (coalesce(v_id, gen_random_uuid()), v_owner, save_messages.project_id, v_conversation_id,
      (v_message ->> 'role')::public.message_role_enum, v_message -> 'content',
      nullif(v_message -> 'object_data', 'null'), nullif(v_message -> 'result_data', 'null'),
      coalesce(v_message -> 'metadata', '{}'),
      case when save_messages.project_id is not null then (
        select coalesce(max(x.sequence_number) + 1, 0) from public.messages as x
        where x.project_id = save_messages.project_id) end,
      coalesce(v_message ->> 'status', 'complete'), save_messages.user_id, v_client_id, clock_timestamp())
    returning jsonb_build_array(to_jsonb(m)) into v_saved.messages;
    v_saved.replayed := false;
    return v_saved;
  end if;
  return private.save_messages_in_turn(save_messages.user_id, save_messages.messages, save_messages.project_id,
    v_conversation_id, replace, settle, idempotency_key, save_messages.actor);
end $$;
revoke all on function public.save_messages(uuid, jsonb, uuid, text, boolean, jsonb, text, text)
  from public, anon, authenticated;
grant execute on function public.save_messages(uuid, jsonb, uuid, text, boolean, jsonb, text, text) to service_role;
