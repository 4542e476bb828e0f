-- How many messages, and bytes in them, each user may have: in their own projects, whoever wrote them, and in their
-- conversations. To count every message would make saving one slower by a quarter, so one in 16, chosen at random,
-- counts as 16. What is deleted is counted in full. The count is an estimate that is right on average, and nobody can
-- choose what is counted: of 2,000,000 messages it is off by less than 1 %. A user whose count has reached a limit is
-- noted, and each message looks for that note. The transaction that reaches the limit still commits: if it failed, a
-- client could repeat it until none of its messages were counted.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('messages.rows', 2000000, 'rows', 0, 9007199254740991, 'The most messages in the projects and conversations of one user'),
  ('messages.bytes', 10737418240, 'bytes', 0, 9007199254740991,
    'The most that the messages in the projects and conversations of one user may take up');

create table private.full_message_owners (
  owner_id uuid primary key references auth.users (id) on delete cascade,
  -- Compared with now(), so that a transaction does not see its own note.
  since timestamptz not null default now()
);
comment on table private.full_message_owners is 'Users whose messages have reached a limit. Nearly always empty';
revoke all on private.full_message_owners from public, anon, authenticated, service_role;

-- Counting ------------------------------------------------------------------------------------------

-- Adds messages of a project or a conversation to what their owner has, or takes them away with negative numbers. Notes
-- whether that has reached a limit. Each owner has 16 counters: writers of different projects and conversations, who may
-- be other members of a team, wait for each other only when these happen to have the same one. What an owner leaves behind
-- whose account has been deleted is not counted.
create function private.use_messages(owner_id uuid, parent_id uuid, rows bigint, bytes bigint)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not exists (select 1 from auth.users as a where a.id = use_messages.owner_id) then
    return;
  end if;
  -- May fall below 0: what is deleted is counted in full, and what was added may not have been.
  insert into private.table_usage as u (owner_id, table_name, slot, rows, bytes)
  values (owner_id, 'messages', get_byte(uuid_send(parent_id), 15) & 15, rows, bytes)
  on conflict on constraint table_usage_pkey do update
  set rows = u.rows + excluded.rows, bytes = u.bytes + excluded.bytes;
  perform 1 from private.table_usage as u
  where u.owner_id = use_messages.owner_id and u.table_name = 'messages'
  having sum(u.rows) >= (select s.value from private.settings as s where s.name = 'messages.rows')
    or sum(u.bytes) >= (select s.value from private.settings as s where s.name = 'messages.bytes');
  if found then
    insert into private.full_message_owners (owner_id) values (owner_id) on conflict do nothing;
  else
    delete from private.full_message_owners as o where o.owner_id = use_messages.owner_id;
  end if;
end $$;
revoke all on function private.use_messages(uuid, uuid, bigint, bigint) from public, anon, authenticated, service_role;

-- Counts a new or changed message of the sample for 16.
-- Definer: clients write messages, and must not write the counts.
create function private.count_message()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    perform private.use_messages(old.user_id, coalesce(old.project_id, old.conversation_id), -16,
      -16 * octet_length(concat(old.content, old.object_data, old.result_data, old.metadata))::bigint);
  end if;
  perform private.use_messages(new.user_id, coalesce(new.project_id, new.conversation_id), 16,
    16 * octet_length(concat(new.content, new.object_data, new.result_data, new.metadata))::bigint);
  return null;
end $$;
comment on function private.count_message() is 'Trigger function: counts a message of the sample for its owner';
revoke all on function private.count_message() from public, anon, authenticated, service_role;

-- In WHEN, the choice costs next to nothing: for the other 15, no function is called.
create trigger count_added_rows after insert on public.messages
  for each row when (random() < 0.0625) execute function private.count_message();
create trigger count_changed_rows
  after update of user_id, project_id, conversation_id, content, object_data, result_data, metadata on public.messages
  for each row when (random() < 0.0625) execute function private.count_message();

-- Takes deleted messages away, those too that go with their project or conversation. With an account, its counts go: to
-- measure its messages would only take time.
-- Definer: as above.
create function private.count_removed_messages()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.use_messages(x.user_id, x.parent_id, -x.rows, -x.bytes)
  from (
    select m.user_id, coalesce(m.project_id, m.conversation_id) as parent_id, count(*) as rows,
      sum(octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))) as bytes
    from removed as m
    where exists (select 1 from auth.users as u where u.id = m.user_id)
    group by 1, 2 order by 1, 2) as x;
  return null;
end $$;
comment on function private.count_removed_messages() is
  'Trigger function: takes deleted messages away from what their owners have';
revoke all on function private.count_removed_messages() from public, anon, authenticated, service_role;

create trigger count_removed_rows after delete on public.messages
  referencing old table as removed for each statement execute function private.count_removed_messages();

-- Refusing ------------------------------------------------------------------------------------------

-- Refuses a new message, or a longer one, of an owner who has reached a limit. before is the row before the change, null
-- for a new message. A caller who may not write there is not told: the policy refuses the row afterwards.
-- Raises: what check_table_limits raises.
create function private.refuse_full_owner(message public.messages, before public.messages)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  -- The trigger that copies the owner into a new message runs later.
  v_owner_id uuid := coalesce(message.user_id,
    (select p.user_id from public.projects as p where p.id = message.project_id),
    (select c.user_id from public.conversations as c where c.id = message.conversation_id));
  v_bytes integer := octet_length(concat(message.content, message.object_data, message.result_data, message.metadata))
    - octet_length(concat(before.content, before.object_data, before.result_data, before.metadata));
begin
  if message.project_id is null and (private.is_service() or v_owner_id = (select auth.uid()))
    or message.project_id is not null and private.caller_writes_project(message.project_id) then
    perform private.check_table_limits('messages', case when before.id is null then x.rows + 1 end,
      case when v_bytes > 0 then x.bytes + v_bytes end)
    from (
      select sum(u.rows) as rows, sum(u.bytes) as bytes from private.full_message_owners as o
      join private.table_usage as u on u.owner_id = o.owner_id and u.table_name = 'messages'
      where o.owner_id = v_owner_id and o.since < now()) as x;
  end if;
end $$;
revoke all on function private.refuse_full_owner(public.messages, public.messages)
  from public, anon, authenticated, service_role;
