-- Encrypted chats, which only their user can read. The server stores ciphertext, checks its form and numbers each
-- change.

-- chat_owners ---------------------------------------------------------------------------------------

create table private.chat_owners (
  user_id uuid primary key references auth.users (id) on delete cascade,
  sync_sequence bigint not null default 0,
  pruned_through bigint not null default 0,
  bytes bigint not null default 0,
  key_version integer not null default 0,
  key_id uuid,
  history text,
  history_counter bigint not null default 0,
  unproven_deletions bigint not null default 0,
  constraint chat_owners_history_check check ((history is null) = (history_counter = 0) and octet_length(history) <= 8192),
  constraint chat_owners_unproven_check check (unproven_deletions >= 0),
  constraint chat_owners_pruned_through_check check (pruned_through between 0 and sync_sequence),
  constraint chat_owners_bytes_check check (bytes >= 0),
  constraint chat_owners_key_check check ((key_id is null) = (key_version = 0))
);
comment on table private.chat_owners is
  'One row per user with chats. Every change of a chat holds its lock, so changes are numbered in the order of their commits';
comment on column private.chat_owners.sync_sequence is 'The number of the last change';
comment on column private.chat_owners.pruned_through is
  'Deletions up to this change may have been forgotten: a cursor from before it is too old';
comment on column private.chat_owners.key_version is 'How often the keys have changed, which a client states when it changes them; 0 when there are none';
comment on column private.chat_owners.key_id is 'The current epoch';
comment on column private.chat_owners.history is
  'The head of the account, sealed by the client that made the last change: what the heads of all chats are';
comment on column private.chat_owners.history_counter is 'How often the head of the account was replaced; 0 when there is none';
comment on column private.chat_owners.unproven_deletions is
  'How many chats with a head were deleted by clients that write no heads, and still count in the head of the account';
revoke all on private.chat_owners from public, anon, authenticated, service_role;

-- Locks and returns what a user's chats have in common. This lock comes before that of any chat: in the other order,
-- two transactions would wait for each other. The lock of the user's own row comes first of all, because deleting an
-- account begins with it.
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

-- Numbers a change of a user's chats and returns the number. added_bytes is what it adds to their size, negative when
-- they become smaller. The row stays locked until the transaction ends, so the change with the next number commits
-- later.
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
      raise exception 'With this change, your chats would take up % bytes: at most % bytes are allowed', v_owner.bytes, v_limit
        using errcode = 'PT413', detail = 'chat_quota_exceeded ' || jsonb_build_object(
          'used', v_owner.bytes - added_bytes, 'available', greatest(v_limit - v_owner.bytes + added_bytes, 0),
          'required', added_bytes)::text,
        hint = 'Delete chats to make room';
    end if;
  end if;
  return v_owner.sync_sequence;
end $$;
revoke all on function private.number_chat_change(uuid, bigint) from public, anon, authenticated, service_role;

-- encrypted_chats --------------------------------------------------------------------------------

create table public.encrypted_chats (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  encrypted_data text not null,
  encrypted_title text,
  title text,
  custom_name text,
  is_starred boolean not null default false,
  image_paths text[] default '{}',
  version bigint not null default 1,
  data_version bigint not null default 1,
  next_segment integer not null default 0,
  segment_bytes bigint not null default 0,
  bytes bigint not null default 0,
  sync_sequence bigint not null default 0,
  key_id uuid,
  title_key_id uuid,
  head text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Clients choose the id, because they encrypt for it before the chat is first saved. It is unique per user only:
  -- otherwise a refusal would tell a user that another one has the id.
  primary key (user_id, id),
  constraint encrypted_chats_encrypted_data_check check (encrypted_data <> ''),
  constraint encrypted_chats_version_check check (version >= 1 and data_version between 1 and version),
  constraint encrypted_chats_next_segment_check check (next_segment >= 0),
  constraint encrypted_chats_head_check check (octet_length(head) <= 512),
  constraint encrypted_chats_bytes_check check (segment_bytes >= 0 and bytes >= segment_bytes)
);
comment on table public.encrypted_chats is 'End-to-end encrypted chats';
comment on column public.encrypted_chats.id is 'Chosen by the client; unique among the chats of its user';
comment on column public.encrypted_chats.encrypted_data is 'Ciphertext: an envelope made by the client';
comment on column public.encrypted_chats.image_paths is 'Names of the objects in Storage that are images of the chat';
comment on column public.encrypted_chats.version is 'How often the chat was saved; a client states it when it saves';
comment on column public.encrypted_chats.data_version is 'The version in which encrypted_data was last replaced';
comment on column public.encrypted_chats.next_segment is 'The number of the next segment; no number is used twice';
comment on column public.encrypted_chats.bytes is 'What counts against the quota: the texts of the chat, and its segments';
comment on column public.encrypted_chats.sync_sequence is 'The number of its last change, among the changes of all chats of its user';
comment on column public.encrypted_chats.key_id is
  'The epoch of encrypted_data; null for format 1. It needs no foreign key: it is checked when written, and keys stay as long as their user';

comment on column public.encrypted_chats.head is
  'Authenticates the state of the chat in the version that it names; older than the chat after a change by a client that writes no heads';

create index idx_encrypted_chats_user_id on public.encrypted_chats (user_id);
create index idx_encrypted_chats_user_updated on public.encrypted_chats (user_id, updated_at);
create index idx_encrypted_chats_starred on public.encrypted_chats (user_id) where is_starred;

alter table public.encrypted_chats enable row level security;
revoke all on public.encrypted_chats from public, anon, authenticated, service_role;
grant select on public.encrypted_chats to authenticated;
grant insert (id, user_id, encrypted_data, encrypted_title, title, custom_name, is_starred,
  image_paths, updated_at)
  on public.encrypted_chats to authenticated;
-- An upsert sets every column that it is given. A trigger makes sure that id and user_id do not change.
grant update (id, user_id, encrypted_data, encrypted_title, title, custom_name, is_starred, image_paths,
  updated_at)
  on public.encrypted_chats to authenticated;
grant delete on public.encrypted_chats to authenticated;
grant select, insert, update, delete on public.encrypted_chats to service_role;

create policy "a deleted account has no access" on public.encrypted_chats
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own chats" on public.encrypted_chats
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own chats" on public.encrypted_chats
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own chats" on public.encrypted_chats
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own chats" on public.encrypted_chats
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_encrypted_chats_updated_at before update on public.encrypted_chats
  for each row execute function public.handle_updated_at();
create trigger require_account after insert or update of user_id on public.encrypted_chats
  for each row execute function private.require_account();

insert into private.account_rows (name, place, statement) values
  ('encrypted_chats', 40, 'delete from public.encrypted_chats where ctid = any (array(
    select ctid from public.encrypted_chats where user_id = $1 limit $2))');

select private.limit_table('public.encrypted_chats', rows => 100000);

-- Deletions, for devices that do not know of them yet.
create table private.chat_tombstones (
  user_id uuid not null,
  chat_id uuid not null,
  sync_sequence bigint not null,
  version bigint not null,
  deleted_at timestamptz not null default now(),
  primary key (user_id, chat_id),
  constraint chat_tombstones_user_sync_key unique (user_id, sync_sequence)
);
comment on table private.chat_tombstones is 'Deleted chats, kept for chats.tombstone_retention';
comment on column private.chat_tombstones.version is 'The version that was deleted: a restored chat continues from there';
revoke all on private.chat_tombstones from public, anon, authenticated, service_role;
create index chat_tombstones_deleted_at on private.chat_tombstones (deleted_at);
insert into private.account_rows (name, place, statement) values
  ('chat_tombstones', 50, 'delete from private.chat_tombstones where ctid = any (array(
    select ctid from private.chat_tombstones where user_id = $1 limit $2))');

-- A nonce that is used twice under one key breaks AES-GCM, so all nonces are remembered as long as their key.
create table private.chat_nonces (
  user_id uuid not null,
  key_id uuid not null,
  nonce bytea not null,
  primary key (user_id, key_id, nonce),
  constraint chat_nonces_nonce_check check (octet_length(nonce) = 12)
);
comment on table private.chat_nonces is
  'The nonces that were used for the chats of a user, by key. Like those of the tombstones, its rows are written under the lock of lock_chat_owner, which only an account has';
comment on column private.chat_nonces.key_id is 'The epoch; for format 1, which has no epochs, the id of the user';
revoke all on private.chat_nonces from public, anon, authenticated, service_role;
insert into private.account_rows (name, place, statement) values
  ('chat_nonces', 50, 'delete from private.chat_nonces where ctid = any (array(
    select ctid from private.chat_nonces where user_id = $1 limit $2))');

-- Envelopes -----------------------------------------------------------------------------------------

-- Checks an envelope and remembers its nonce. part is the part of the chat that it is for, which an error names;
-- formats are the accepted ones. Returns the epoch whose key encrypted it, null for format 1.
-- Raises: PT409 key_epoch_old {key_id}, nonce_reused; PT413 envelope_too_large {limit}; PT422 envelope_malformed,
-- envelope_version_unknown, envelope_base64_invalid {member}, envelope_nonce_invalid, envelope_mac_invalid,
-- envelope_key_unknown; each with {part}.
create function private.take_envelope(user_id uuid, part text, envelope text, formats text[] default '{1,1.0,2}')
returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  v_limit integer := private.setting('chats.max_envelope_bytes');
  v_json jsonb;
  v_key_id uuid;
  v_current uuid;
  v_fields jsonb := jsonb_build_object('part', part);
  v_state text := 'PT422';
  v_code text;
  v_says text;
begin
  if octet_length(envelope) > v_limit then
    raise exception 'The encrypted % is % bytes long: at most % bytes are allowed', part, octet_length(envelope), v_limit
      using errcode = 'PT413', detail = 'envelope_too_large ' || (v_fields || jsonb_build_object('limit', v_limit))::text,
      hint = 'Append segments to the chat instead, or start another chat';
  end if;
  v_json := coalesce(
    private.json_strings(envelope, array['ciphertext', 'key_id', 'mac', 'nonce', 'v']),
    private.json_strings(envelope, array['ciphertext', 'mac', 'nonce', 'v']));
  v_key_id := private.json_uuid(v_json -> 'key_id');
  select o.key_id into v_current from private.chat_owners as o where o.user_id = take_envelope.user_id;
  if v_json is null then
    v_code := 'envelope_malformed';
    v_says := 'the envelope must be a JSON object with exactly the members v, key_id, nonce, ciphertext and mac, all strings';
  elsif v_json ->> 'v' <> all (formats) then
    v_code := 'envelope_version_unknown';
    v_says := format('the member v must be %s', array_to_string(formats, ' or '));
  elsif (v_json ->> 'v' = '2') <> (v_json ? 'key_id') then
    v_code := 'envelope_malformed';
    v_says := case v_json ->> 'v' when '2' then 'an envelope of format 2 must have a key_id'
      else 'an envelope of format 1 must not have a key_id' end;
  elsif v_json ->> 'v' = '2' and v_key_id::text is distinct from v_json ->> 'key_id' then
    v_code := 'envelope_key_unknown';
    v_says := 'key_id must be a UUID in lower case';
  else
    select m into v_code from unnest(array['nonce', 'ciphertext', 'mac']) as m
    where private.decode_base64(v_json ->> m) is null limit 1;
    if found then
      v_fields := v_fields || jsonb_build_object('member', v_code);
      v_says := format('%s must be base64 with padding', v_code);
      v_code := 'envelope_base64_invalid';
    elsif octet_length(private.decode_base64(v_json ->> 'nonce')) <> 12 then
      v_code := 'envelope_nonce_invalid';
      v_says := 'nonce must be 12 bytes long';
    elsif octet_length(private.decode_base64(v_json ->> 'mac')) <> 16 then
      v_code := 'envelope_mac_invalid';
      v_says := 'mac must be 16 bytes long';
    elsif v_json ->> 'v' = '2' and v_json ->> 'ciphertext' = '' then
      v_code := 'envelope_malformed';
      v_says := 'ciphertext must not be empty, not even for an empty text';
    elsif v_key_id is not null and not exists (select 1 from public.chat_keys as k
      where k.user_id = take_envelope.user_id and k.id = v_key_id) then
      v_code := 'envelope_key_unknown';
      v_says := 'the user has no key with this key_id';
    elsif v_key_id is distinct from v_current then
      v_state := 'PT409';
      v_code := 'key_epoch_old';
      v_fields := v_fields || jsonb_build_object('key_id', v_current);
      v_says := 'it was encrypted with an old key';
    end if;
  end if;
  if v_code is not null then
    raise exception 'Cannot save the encrypted %: %', part, v_says
      using errcode = v_state, detail = v_code || ' ' || v_fields,
      hint = case v_code when 'key_epoch_old' then 'Read the keys again, and encrypt the content with the current key'
        else 'Encrypt the content as docs/encryption.md describes' end;
  end if;

  insert into private.chat_nonces (user_id, key_id, nonce)
  values (take_envelope.user_id, coalesce(v_key_id, take_envelope.user_id), decode(v_json ->> 'nonce', 'base64'))
  on conflict do nothing;
  if not found then
    raise exception 'The nonce of the encrypted % has already been used', part
      using errcode = 'PT409', detail = 'nonce_reused ' || v_fields::text, hint = 'Encrypt the content again with a new random nonce';
  end if;
  return v_key_id;
end $$;
revoke all on function private.take_envelope(uuid, text, text, text[]) from public, anon, authenticated, service_role;

-- Triggers ------------------------------------------------------------------------------------------

-- The bytes that a chat has in clear text.
create function private.chat_text_bytes(chat public.encrypted_chats)
returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(octet_length(chat.title), 0) + coalesce(octet_length(chat.custom_name), 0)
    + coalesce(octet_length(array_to_string(chat.image_paths, '')), 0) + coalesce(cardinality(chat.image_paths), 0);
end $$;
revoke all on function private.chat_text_bytes(public.encrypted_chats) from public, anon, authenticated, service_role;

create function private.lock_own_chats()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if auth.uid() is not null then
    perform private.lock_chat_owner(auth.uid());
  end if;
  return null;
end $$;
comment on function private.lock_own_chats() is
  'Trigger function: takes the lock of the user''s chats before a statement locks any chat, so that two statements of one user cannot deadlock. Definer: clients have no rights in chat_owners';
revoke all on function private.lock_own_chats() from public, anon, authenticated, service_role;

create function private.check_chat_envelopes()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A policy refuses a chat of another user, and the column refuses null: neither is looked at here.
  if new.user_id is null or new.user_id is distinct from auth.uid() and not private.is_service() then
    return new;
  end if;
  if tg_op = 'INSERT' then
    perform private.lock_chat_owner(new.user_id);
    -- This is an upsert, which comes here before it becomes an update, or an insert that the primary key refuses.
    if exists (select 1 from public.encrypted_chats as c where c.user_id = new.user_id and c.id = new.id) then
      return new;
    end if;
    if exists (select 1 from private.chat_tombstones as t where t.user_id = new.user_id and t.chat_id = new.id) then
      raise exception 'Chat "%" was deleted', new.id using errcode = 'PT410', detail = 'chat_deleted',
        hint = 'To bring it back, send PUT /chats/:id with restore: true';
    end if;
  end if;
  if tg_op = 'INSERT' or new.encrypted_data is distinct from old.encrypted_data then
    -- A client that does not know segments would save the chat without their content.
    if exists (select 1 from public.chat_segments as s where s.user_id = new.user_id and s.chat_id = new.id) then
      raise exception 'Chat "%" has segments, which this update would lose', new.id
        using errcode = 'PT409', detail = 'chat_has_segments', hint = 'Save the chat with PUT /chats/:id';
    end if;
    new.key_id := private.take_envelope(new.user_id, 'data', new.encrypted_data);
    new.data_version := case tg_op when 'INSERT' then greatest(new.version, 1) else old.version + 1 end;
  end if;
  if new.encrypted_title is distinct from old.encrypted_title then
    new.title_key_id := case when new.encrypted_title is not null
      then private.take_envelope(new.user_id, 'title', new.encrypted_title) end;
  end if;
  return new;
end $$;
comment on function private.check_chat_envelopes() is
  'Trigger function: checks the envelopes that are saved. Definer: clients have no rights in the tables it checks them against';
revoke all on function private.check_chat_envelopes() from public, anon, authenticated, service_role;

-- Its trigger fires after the one above, because of its name. It does not read the ciphertext, however large that is.
create function private.number_chat()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_text_bytes bigint := private.chat_text_bytes(new);
  v_limit bigint := private.setting('chats.max_text_bytes');
begin
  if new.user_id is null or new.user_id is distinct from auth.uid() and not private.is_service() then
    return new;
  end if;
  if tg_op = 'INSERT' then
    if exists (select 1 from public.encrypted_chats as c where c.user_id = new.user_id and c.id = new.id) then
      return new;
    end if;
    -- Clients cannot set it: it is greater for a chat that is restored.
    new.version := greatest(new.version, 1);
    new.next_segment := 0;
    new.segment_bytes := 0;
  elsif (new.id, new.user_id) <> (old.id, old.user_id) then
    raise exception 'The id and the user of a chat cannot change' using errcode = 'PT422', detail = 'chat_id_changed',
      hint = 'Encrypt the content again, and save it as a new chat: envelopes are bound to the id and the user of their chat';
  else
    new.version := old.version + 1;
  end if;
  if v_text_bytes > v_limit then
    raise exception 'title, custom_name and image_paths together are % bytes long: at most % bytes are allowed', v_text_bytes, v_limit
      using errcode = 'PT413', detail = 'chat_text_too_large ' || jsonb_build_object('limit', v_limit)::text,
      hint = 'Move text into the encrypted data';
  end if;
  if (tg_op = 'INSERT' or new.image_paths is distinct from old.image_paths)
    and exists (select 1 from unnest(new.image_paths) as p (path) where octet_length(p.path) > 1024) then
    raise exception 'Each path in image_paths must be at most 1024 bytes long'
      using errcode = 'PT422', detail = 'invalid_image_path {"limit": 1024}';
  end if;
  new.bytes := octet_length(new.encrypted_data) + coalesce(octet_length(new.encrypted_title), 0) + v_text_bytes
    + new.segment_bytes;
  new.sync_sequence := private.number_chat_change(new.user_id, new.bytes - coalesce(old.bytes, 0));
  return new;
end $$;
comment on function private.number_chat() is
  'Trigger function: counts the version and the bytes of a chat, and numbers the change. Definer: clients have no rights in chat_owners';
revoke all on function private.number_chat() from public, anon, authenticated, service_role;

create function private.bury_chat()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- When the whole account is deleted, its tombstones go too.
  if exists (select 1 from auth.users as u where u.id = old.user_id) then
    insert into private.chat_tombstones (user_id, chat_id, sync_sequence, version)
    values (old.user_id, old.id, private.number_chat_change(old.user_id, -old.bytes), old.version);
    -- delete_chat takes it back if the client proves the deletion.
    if old.head is not null then
      update private.chat_owners as o set unproven_deletions = o.unproven_deletions + 1 where o.user_id = old.user_id;
    end if;
  end if;
  return null;
end $$;
comment on function private.bury_chat() is
  'Trigger function: numbers the deletion of a chat and remembers it. Definer: clients have no rights in chat_tombstones';
revoke all on function private.bury_chat() from public, anon, authenticated, service_role;

-- Segments ------------------------------------------------------------------------------------------

create table public.chat_segments (
  user_id uuid not null,
  chat_id uuid not null,
  number integer not null,
  encrypted_data text not null,
  key_id uuid not null,
  created_at timestamptz not null default now(),
  -- get_chat_keys counts segments by key_id, which it then reads from this index alone.
  primary key (user_id, chat_id, number) include (key_id),
  constraint chat_segments_chat_id_fkey foreign key (user_id, chat_id)
    references public.encrypted_chats (user_id, id) on delete cascade,
  constraint chat_segments_number_check check (number >= 0)
);
comment on table public.chat_segments is
  'What was appended to a chat since it was last saved as a whole. The chat consists of encrypted_data and then its segments in order';

alter table public.chat_segments enable row level security;
revoke all on public.chat_segments from public, anon, authenticated, service_role;
grant select on public.chat_segments to authenticated, service_role;
create policy "a deleted account has no access" on public.chat_segments
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read the segments of their own chats" on public.chat_segments
  for select to authenticated using (user_id = (select auth.uid()));

insert into private.account_rows (name, place, statement) values
  ('chat_segments', 20, 'delete from public.chat_segments where ctid = any (array(
    select ctid from public.chat_segments where user_id = $1 limit $2))');

create unique index encrypted_chats_user_sync on public.encrypted_chats (user_id, sync_sequence);

create trigger lock_own_chats before insert or update or delete on public.encrypted_chats
  for each statement execute function private.lock_own_chats();
create trigger check_chat_envelopes before insert or update of encrypted_data, encrypted_title on public.encrypted_chats
  for each row execute function private.check_chat_envelopes();
create trigger number_chat before insert or update on public.encrypted_chats
  for each row execute function private.number_chat();
create trigger bury_chat after delete on public.encrypted_chats
  for each row execute function private.bury_chat();
