-- What a user's encrypted chats have in common: the counter that puts their changes in the order of commit, the bytes
-- that they take up, and which keys are in force.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('chats.max_envelope_bytes', 8388608, 'bytes', 1024, 67108864, 'The largest envelope: a chat, its title or a segment'),
  ('chats.max_text_bytes', 65536, 'bytes', 1024, 1048576,
    'What a chat carries in clear: title, custom_name and image_paths together'),
  ('chats.max_bytes', 1073741824, 'bytes', 0, 1099511627776, 'What all chats of a user may take up'),
  ('chats.max_page_bytes', 8388608, 'bytes', 1024, 67108864,
    'Ciphertext in one page of a chat or of a sync; one item is always answered'),
  ('chats.min_iterations', 600000, 'iterations', 1000, 10000000, 'Of PBKDF2-SHA256 in a new password wrap'),
  ('chats.max_devices', 50, 'devices', 1, 1000, 'Devices of a user with a key of their own'),
  ('chats.tombstone_retention', 7776000, 'seconds', 0, 3153600000,
    'How long a deleted chat is remembered (90 days): a device that was away longer starts over');

-- chat_owners ---------------------------------------------------------------------------------------

create table private.chat_owners (
  user_id uuid primary key references auth.users (id) on delete cascade,
  sync_sequence bigint not null default 0,
  pruned_through bigint not null default 0,
  bytes bigint not null default 0,
  key_version integer not null default 0,
  key_id uuid,
  constraint chat_owners_pruned_through_check check (pruned_through between 0 and sync_sequence),
  constraint chat_owners_bytes_check check (bytes >= 0),
  constraint chat_owners_key_check check ((key_id is null) = (key_version = 0))
);
comment on table private.chat_owners is
  'One row for each user with chats. Whoever changes one of them holds its lock: changes are numbered in the order of commit';
comment on column private.chat_owners.sync_sequence is 'Number of the last change';
comment on column private.chat_owners.pruned_through is
  'Up to this change deletions are not all known any more: a cursor from before it is too old';
comment on column private.chat_owners.key_version is 'How often the keys have changed: compared and set. 0: there are none';
comment on column private.chat_owners.key_id is 'The epoch in force';
revoke all on private.chat_owners from public, anon, authenticated, service_role;

-- Locks what a user's chats have in common, before anything else of theirs: whoever locked a chat first would wait for
-- who holds this, and the other for the chat. And before it the user, whose row each new one refers to: whoever deletes
-- the account has that first.
-- Raises: PT404 user_not_found.
create function private.lock_chat_owner(user_id uuid)
returns private.chat_owners
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner private.chat_owners;
begin
  perform from auth.users as u where u.id = lock_chat_owner.user_id for key share;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  loop
    select o.* into v_owner from private.chat_owners as o
    where o.user_id = lock_chat_owner.user_id
    for no key update;
    exit when found;
    insert into private.chat_owners (user_id) values (lock_chat_owner.user_id) on conflict do nothing;
  end loop;
  return v_owner;
end $$;
revoke all on function private.lock_chat_owner(uuid) from public, anon, authenticated, service_role;

-- Numbers a change of a user's chats, which made them larger by some bytes, or smaller by a negative number. Its lock
-- is held until the end of the transaction: who gets the next number commits later.
-- Raises: PT413 chat_quota_exceeded {used, available, required}.
create function private.number_chat_change(user_id uuid, added_bytes bigint)
returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner private.chat_owners;
  v_limit bigint;
begin
  update private.chat_owners as o set sync_sequence = o.sync_sequence + 1, bytes = o.bytes + added_bytes
  where o.user_id = number_chat_change.user_id
  returning o.* into v_owner;
  if added_bytes > 0 then
    v_limit := private.setting('chats.max_bytes');
    if v_owner.bytes > v_limit then
      raise exception 'These chats would take up % bytes: % are allowed', v_owner.bytes, v_limit
        using errcode = 'PT413', detail = 'chat_quota_exceeded ' || jsonb_build_object(
          'used', v_owner.bytes - added_bytes, 'available', greatest(v_limit - v_owner.bytes + added_bytes, 0),
          'required', added_bytes)::text,
        hint = 'Delete chats, or make them smaller';
    end if;
  end if;
  return v_owner.sync_sequence;
end $$;
revoke all on function private.number_chat_change(uuid, bigint) from public, anon, authenticated, service_role;
