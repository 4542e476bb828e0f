-- How many messages, and bytes in them, each user may have: in their own projects, whoever wrote them, and in their
-- conversations. The functions of table_limits cannot count them, because a message does not say whose it is.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('messages.rows', 2000000, 'rows', 0, 9007199254740991, 'The most messages in the projects and conversations of one user'),
  ('messages.bytes', 10737418240, 'bytes', 0, 9007199254740991,
    'The most that the messages in the projects and conversations of one user may take up');

-- Returns the slot in which the messages of a project or a conversation are counted. Its writers hold its lock anyway, so
-- that they wait for the counter only when two of 16 slots happen to be the same.
create function private.message_slot(parent_id uuid)
returns integer
language plpgsql immutable set search_path = ''
as $$
begin
  return get_byte(uuid_send(parent_id), 15) & 15;
end $$;
revoke all on function private.message_slot(uuid) from public, anon, authenticated, service_role;

-- Adds messages of one project or conversation to what its owner has, or takes them away.
-- Raises: PT429 too_many_rows {table, limit, rows}; PT413 too_many_bytes {table, limit, bytes}.
create function private.use_messages(project_id uuid, conversation_id uuid, rows bigint, bytes bigint)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner uuid;
begin
  if project_id is not null then
    select p.user_id into v_owner from public.projects as p where p.id = use_messages.project_id;
  else
    select c.user_id into v_owner from public.conversations as c where c.id = use_messages.conversation_id;
  end if;
  -- Without an owner, the messages are deleted with their parent, which took them away before.
  if v_owner is not null then
    perform private.use_table(v_owner, 'messages', rows, bytes, private.message_slot(coalesce(project_id, conversation_id)));
  end if;
end $$;
revoke all on function private.use_messages(uuid, uuid, bigint, bigint) from public, anon, authenticated, service_role;

-- Definer: clients write messages, and must not write the counts.
create function private.count_messages()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_change record;
  v_rows integer := 0;
  v_bytes bigint := 0;
  v_project_id uuid;
  v_conversation_id uuid;
begin
  if tg_op = 'INSERT' then
    -- Not grouped: nearly all statements insert one message, or messages of one parent, and save the time.
    for v_change in
      select m.project_id, m.conversation_id,
        octet_length(concat(m.content, m.object_data, m.result_data, m.metadata)) as bytes
      from added as m
    loop
      if v_rows > 0
        and (v_change.project_id, v_change.conversation_id) is distinct from (v_project_id, v_conversation_id) then
        perform private.use_messages(v_project_id, v_conversation_id, v_rows, v_bytes);
        v_rows := 0;
        v_bytes := 0;
      end if;
      v_rows := v_rows + 1;
      v_bytes := v_bytes + v_change.bytes;
      v_project_id := v_change.project_id;
      v_conversation_id := v_change.conversation_id;
    end loop;
    if v_rows > 0 then
      perform private.use_messages(v_project_id, v_conversation_id, v_rows, v_bytes);
    end if;
  elsif tg_op = 'DELETE' then
    for v_change in
      select m.project_id, m.conversation_id, count(*) as rows,
        sum(octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))) as bytes
      from removed as m group by 1, 2 order by 1, 2
    loop
      perform private.use_messages(v_change.project_id, v_change.conversation_id, -v_change.rows, -v_change.bytes);
    end loop;
  else
    for v_change in
      select c.project_id, c.conversation_id, sum(c.bytes) as bytes
      from (
        select m.project_id, m.conversation_id,
          octet_length(concat(m.content, m.object_data, m.result_data, m.metadata)) as bytes
        from added as m
        union all
        select m.project_id, m.conversation_id,
          -octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))
        from removed as m) as c
      group by 1, 2 having sum(c.bytes) <> 0 order by 1, 2
    loop
      perform private.use_messages(v_change.project_id, v_change.conversation_id, 0, v_change.bytes);
    end loop;
  end if;
  return null;
end $$;
comment on function private.count_messages() is 'Trigger function: counts the messages of each owner, and refuses too many';
revoke all on function private.count_messages() from public, anon, authenticated, service_role;

create trigger count_added_rows after insert on public.messages
  referencing new table as added for each statement execute function private.count_messages();
create trigger count_removed_rows after delete on public.messages
  referencing old table as removed for each statement execute function private.count_messages();
create trigger count_changed_rows after update on public.messages
  referencing old table as removed new table as added for each statement execute function private.count_messages();

-- Takes away the messages of a project or a conversation that is about to be deleted: when they go themselves, nothing
-- says any more whose they were. With the account, its counts go too.
-- Definer: as above.
create function private.uncount_messages()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_rows bigint;
  v_bytes bigint;
begin
  if not exists (select 1 from auth.users as u where u.id = old.user_id) then
    return old;
  end if;
  if tg_table_name = 'projects' then
    select count(*), sum(octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))) into v_rows, v_bytes
    from public.messages as m
    where m.project_id = old.id;
  else
    select count(*), sum(octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))) into v_rows, v_bytes
    from public.messages as m
    where m.conversation_id = old.id;
  end if;
  if v_rows > 0 then
    perform private.use_table(old.user_id, 'messages', -v_rows, -v_bytes, private.message_slot(old.id));
  end if;
  return old;
end $$;
comment on function private.uncount_messages() is
  'Trigger function: takes the messages of a project or a conversation away from what its owner has';
revoke all on function private.uncount_messages() from public, anon, authenticated, service_role;

create trigger uncount_messages before delete on public.projects
  for each row execute function private.uncount_messages();
create trigger uncount_messages before delete on public.conversations
  for each row execute function private.uncount_messages();
