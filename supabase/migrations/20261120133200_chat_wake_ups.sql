-- Wake-ups of encrypted chats: the topic of a user hears the number of the last change, up to which a device that
-- listens can sync.

-- Definer: whoever changes a chat may not write to Realtime.
create function private.wake_chats()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.wake('user:' || new.user_id, 'chats', jsonb_build_object('sequence', new.sync_sequence));
  return null;
end $$;
comment on function private.wake_chats() is 'Trigger function: tells the topic of the user that chats have changed, and the number of the last change';
revoke all on function private.wake_chats() from public, anon, authenticated, service_role;

create trigger wake_chats after update on private.chat_owners
  for each row when (new.sync_sequence <> old.sync_sequence) execute function private.wake_chats();
