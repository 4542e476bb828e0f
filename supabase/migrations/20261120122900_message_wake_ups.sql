-- Wake-ups of messages: the topic of a project, or of the user whose conversation it is, hears where messages have come,
-- changed or gone. A statement sends one for each project and conversation, however many messages it writes.

-- Definer: a client that writes messages may not write to Realtime.
create function private.wake_messages()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.wake(coalesce('project:' || m.project_id, 'user:' || m.user_id), 'messages',
    jsonb_strip_nulls(jsonb_build_object('project_id', m.project_id, 'conversation_id', m.conversation_id,
      'operation', lower(tg_op))))
  from (select distinct c.project_id, c.conversation_id, c.user_id from changed as c) as m;
  return null;
end $$;
comment on function private.wake_messages() is
  'Trigger function: tells the topics of projects and of the owners of conversations where messages have changed';
revoke all on function private.wake_messages() from public, anon, authenticated, service_role;

create trigger wake_messages_inserted after insert on public.messages
  referencing new table as changed for each statement execute function private.wake_messages();
create trigger wake_messages_updated after update on public.messages
  referencing new table as changed for each statement execute function private.wake_messages();
create trigger wake_messages_deleted after delete on public.messages
  referencing old table as changed for each statement execute function private.wake_messages();
