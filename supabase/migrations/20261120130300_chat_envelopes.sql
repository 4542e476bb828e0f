-- What can be checked of an encrypted chat without its key, on every way to write one, and the number that each change
-- gets: by triggers, so that who writes the table directly is held to it too. The formats: docs/encryption.md.

alter table public.encrypted_chats
  add column version bigint not null default 1,
  add column data_version bigint not null default 1,
  add column next_segment integer not null default 0,
  add column segment_bytes bigint not null default 0,
  add column bytes bigint not null default 0,
  add column sync_sequence bigint not null default 0,
  add column key_id uuid,
  add column title_key_id uuid,
  add constraint encrypted_chats_version_check check (version >= 1 and data_version between 1 and version),
  add constraint encrypted_chats_next_segment_check check (next_segment >= 0),
  add constraint encrypted_chats_bytes_check check (segment_bytes >= 0 and bytes >= segment_bytes);
comment on column public.encrypted_chats.version is 'How often the chat was saved; what a client expects when it saves';
comment on column public.encrypted_chats.data_version is 'The version in which encrypted_data was last replaced';
comment on column public.encrypted_chats.next_segment is 'Number of the next segment; never given twice';
comment on column public.encrypted_chats.bytes is 'What counts against the quota: the texts of the chat and its segments';
comment on column public.encrypted_chats.sync_sequence is 'Number of its last change among those of all chats of its user';
comment on column public.encrypted_chats.key_id is
  'The epoch of encrypted_data, null for format 1.0. No foreign key: checked when written, and keys go with their user only';

-- An upsert sets all columns that it has been given; a trigger sees to it that these two stay as they are.
grant update (id, user_id) on public.encrypted_chats to authenticated;

-- Deletions, for devices that have not heard of them yet.
create table private.chat_tombstones (
  user_id uuid not null references auth.users (id) on delete cascade,
  chat_id uuid not null,
  sync_sequence bigint not null,
  deleted_at timestamptz not null default now(),
  primary key (user_id, chat_id),
  constraint chat_tombstones_user_sync_key unique (user_id, sync_sequence)
);
comment on table private.chat_tombstones is 'Chats that were deleted, kept for chats.tombstone_retention seconds';
revoke all on private.chat_tombstones from public, anon, authenticated, service_role;
create index chat_tombstones_deleted_at on private.chat_tombstones (deleted_at);

-- AES-GCM is broken by a nonce that is used twice under one key, so they are all remembered as long as the key.
create table private.chat_nonces (
  user_id uuid not null references auth.users (id) on delete cascade,
  key_id uuid not null,
  nonce bytea not null,
  primary key (user_id, key_id, nonce),
  constraint chat_nonces_nonce_check check (octet_length(nonce) = 12)
);
comment on table private.chat_nonces is 'The nonces that a user''s chats have used under each key';
comment on column private.chat_nonces.key_id is 'The epoch; for format 1.0, which has none, the id of the user';
revoke all on private.chat_nonces from public, anon, authenticated, service_role;

-- Envelopes -----------------------------------------------------------------------------------------

-- Checks an envelope and remembers its nonce. Returns the epoch that it is encrypted in, null for format 1.0. part is
-- where it goes, which a refusal names. formats are those taken.
-- Raises: PT409 key_epoch_old {key_id}, nonce_reused; PT413 envelope_too_large {limit}; PT422 envelope_malformed,
-- envelope_version_unknown, envelope_base64_invalid {member}, envelope_nonce_invalid, envelope_mac_invalid,
-- envelope_key_unknown; each with {part}.
create function private.take_envelope(user_id uuid, part text, envelope text, formats text[] default '{1.0,2}')
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
    raise exception 'The % has % bytes: % are allowed', part, octet_length(envelope), v_limit
      using errcode = 'PT413', detail = 'envelope_too_large ' || (v_fields || jsonb_build_object('limit', v_limit))::text,
      hint = 'Add to the chat by segments, or start another';
  end if;
  v_json := coalesce(
    private.json_strings(envelope, array['ciphertext', 'key_id', 'mac', 'nonce', 'v']),
    private.json_strings(envelope, array['ciphertext', 'mac', 'nonce', 'v']));
  v_key_id := private.json_uuid(v_json -> 'key_id');
  select o.key_id into v_current from private.chat_owners as o where o.user_id = take_envelope.user_id;
  if v_json is null then
    v_code := 'envelope_malformed';
    v_says := 'It is not the text of an object of the strings v, key_id, nonce, ciphertext and mac';
  elsif v_json ->> 'v' <> all (formats) then
    v_code := 'envelope_version_unknown';
    v_says := format('Its format is not one of %s', array_to_string(formats, ', '));
  elsif (v_json ->> 'v' = '2') <> (v_json ? 'key_id') then
    v_code := 'envelope_malformed';
    v_says := 'key_id belongs to format 2, and to no other';
  elsif v_json ->> 'v' = '2' and v_key_id::text is distinct from v_json ->> 'key_id' then
    v_code := 'envelope_key_unknown';
    v_says := 'Its key_id is not a UUID in lower case';
  else
    select m into v_code from unnest(array['nonce', 'ciphertext', 'mac']) as m
    where private.decode_base64(v_json ->> m) is null limit 1;
    if found then
      v_fields := v_fields || jsonb_build_object('member', v_code);
      v_says := format('Its %s is not base64 with padding', v_code);
      v_code := 'envelope_base64_invalid';
    elsif octet_length(private.decode_base64(v_json ->> 'nonce')) <> 12 then
      v_code := 'envelope_nonce_invalid';
      v_says := 'Its nonce is not 12 bytes long';
    elsif octet_length(private.decode_base64(v_json ->> 'mac')) <> 16 then
      v_code := 'envelope_mac_invalid';
      v_says := 'Its mac is not 16 bytes long';
    elsif v_json ->> 'v' = '2' and v_json ->> 'ciphertext' = '' then
      v_code := 'envelope_malformed';
      v_says := 'Its ciphertext is empty, which not even an empty text is';
    elsif v_key_id is not null and not exists (select 1 from public.chat_keys as k
      where k.user_id = take_envelope.user_id and k.id = v_key_id) then
      v_code := 'envelope_key_unknown';
      v_says := 'Its key is none of this user''s';
    elsif v_key_id is distinct from v_current then
      v_state := 'PT409';
      v_code := 'key_epoch_old';
      v_fields := v_fields || jsonb_build_object('key_id', v_current);
      v_says := 'Its key is not the one in force';
    end if;
  end if;
  if v_code is not null then
    raise exception 'The % is not an envelope that can be saved: %', part, v_says
      using errcode = v_state, detail = v_code || ' ' || v_fields,
      hint = case v_code when 'key_epoch_old' then 'Read the keys, and encrypt it anew'
        else 'docs/encryption.md says what an envelope is' end;
  end if;

  insert into private.chat_nonces (user_id, key_id, nonce)
  values (take_envelope.user_id, coalesce(v_key_id, take_envelope.user_id), decode(v_json ->> 'nonce', 'base64'))
  on conflict do nothing;
  if not found then
    raise exception 'The % has a nonce that was used before', part
      using errcode = 'PT409', detail = 'nonce_reused ' || v_fields::text, hint = 'Encrypt it anew, with a random nonce';
  end if;
  return v_key_id;
end $$;
revoke all on function private.take_envelope(uuid, text, text, text[]) from public, anon, authenticated, service_role;

-- Triggers ------------------------------------------------------------------------------------------

-- Bytes that a chat has in clear.
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
  'Trigger function, before a statement locks any chat: two statements of one user would else wait for each other. Definer: clients have no rights in chat_owners';
revoke all on function private.lock_own_chats() from public, anon, authenticated, service_role;

create function private.check_chat_envelopes()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Nobody else's chat is looked at: a policy refuses this one. And a chat is somebody's, which its column says.
  if new.user_id is null or new.user_id <> auth.uid() then
    return new;
  end if;
  if tg_op = 'INSERT' then
    perform private.lock_chat_owner(new.user_id);
    -- An upsert, which comes by here before it becomes an update, or an insert that its key refuses.
    if exists (select 1 from public.encrypted_chats as c where c.user_id = new.user_id and c.id = new.id) then
      return new;
    end if;
    if exists (select 1 from private.chat_tombstones as t where t.user_id = new.user_id and t.chat_id = new.id) then
      raise exception 'Chat "%" was deleted', new.id using errcode = 'PT410', detail = 'chat_deleted',
        hint = 'Save it under a new id';
    end if;
  end if;
  if tg_op = 'INSERT' or new.encrypted_data is distinct from old.encrypted_data then
    -- Whoever does not know segments would save a chat without what is in them.
    if exists (select 1 from public.chat_segments as s where s.user_id = new.user_id and s.chat_id = new.id) then
      raise exception 'Chat "%" has segments, which this would lose', new.id
        using errcode = 'PT409', detail = 'chat_has_segments', hint = 'Save it with PUT /chats/:id';
    end if;
    new.key_id := private.take_envelope(new.user_id, 'data', new.encrypted_data);
    new.data_version := coalesce(old.version, 0) + 1;
  end if;
  if new.encrypted_title is distinct from old.encrypted_title then
    new.title_key_id := case when new.encrypted_title is not null
      then private.take_envelope(new.user_id, 'title', new.encrypted_title) end;
  end if;
  return new;
end $$;
comment on function private.check_chat_envelopes() is
  'Trigger function: checks the envelopes that are saved. Definer: clients have no rights in what they are checked against';
revoke all on function private.check_chat_envelopes() from public, anon, authenticated, service_role;

-- Its trigger comes after the one above, by its name. It reads no ciphertext, however large.
create function private.number_chat()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_text_bytes bigint := private.chat_text_bytes(new);
  v_limit bigint := private.setting('chats.max_text_bytes');
begin
  if new.user_id is null or new.user_id <> auth.uid() then
    return new;
  end if;
  if tg_op = 'INSERT' then
    if exists (select 1 from public.encrypted_chats as c where c.user_id = new.user_id and c.id = new.id) then
      return new;
    end if;
    new.version := 1;
    new.next_segment := 0;
    new.segment_bytes := 0;
  elsif (new.id, new.user_id) <> (old.id, old.user_id) then
    raise exception 'A chat keeps its id and its user' using errcode = 'PT422', detail = 'chat_id_changed',
      hint = 'They are part of what was encrypted';
  else
    new.version := old.version + 1;
  end if;
  if v_text_bytes > v_limit then
    raise exception 'title, custom_name and image_paths have % bytes: % are allowed', v_text_bytes, v_limit
      using errcode = 'PT413', detail = 'chat_text_too_large ' || jsonb_build_object('limit', v_limit)::text;
  end if;
  if (tg_op = 'INSERT' or new.image_paths is distinct from old.image_paths)
    and exists (select 1 from unnest(new.image_paths) as p (path) where octet_length(p.path) > 1024) then
    raise exception 'A path in image_paths has at most 1024 bytes, as the name of an object'
      using errcode = 'PT422', detail = 'invalid_image_path {"limit": 1024}';
  end if;
  new.bytes := octet_length(new.encrypted_data) + coalesce(octet_length(new.encrypted_title), 0) + v_text_bytes
    + new.segment_bytes;
  new.sync_sequence := private.number_chat_change(new.user_id, new.bytes - coalesce(old.bytes, 0));
  return new;
end $$;
comment on function private.number_chat() is
  'Trigger function: counts the versions and the bytes of a chat, and numbers the change. Definer: as above';
revoke all on function private.number_chat() from public, anon, authenticated, service_role;

create function private.bury_chat()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Not when the whole account goes, and its tombstones with it.
  if exists (select 1 from auth.users as u where u.id = old.user_id) then
    insert into private.chat_tombstones (user_id, chat_id, sync_sequence)
    values (old.user_id, old.id, private.number_chat_change(old.user_id, -old.bytes));
  end if;
  return null;
end $$;
comment on function private.bury_chat() is
  'Trigger function: numbers the deletion of a chat and keeps it for the devices. Definer: as above';
revoke all on function private.bury_chat() from public, anon, authenticated, service_role;

-- Segments ------------------------------------------------------------------------------------------

create table public.chat_segments (
  user_id uuid not null,
  chat_id uuid not null,
  number integer not null,
  encrypted_data text not null,
  key_id uuid not null,
  created_at timestamptz not null default now(),
  -- With key_id, which is counted to say how far a new epoch has come.
  primary key (user_id, chat_id, number) include (key_id),
  constraint chat_segments_chat_id_fkey foreign key (user_id, chat_id)
    references public.encrypted_chats (user_id, id) on delete cascade,
  constraint chat_segments_number_check check (number >= 0)
);
comment on table public.chat_segments is
  'What was added to a chat since it was last saved as a whole: the chat is encrypted_data and then its segments in order';

alter table public.chat_segments enable row level security;
revoke all on public.chat_segments from public, anon, authenticated, service_role;
grant select on public.chat_segments to authenticated, service_role;
create policy "users read the segments of their own chats" on public.chat_segments
  for select to authenticated using (user_id = (select auth.uid()));

-- Chats that there are ------------------------------------------------------------------------------

-- They get their numbers and what can be read of them. One that is no envelope stays, as its client wrote it; it is
-- checked when it is next saved.
do $$
declare
  v_chat record;
begin
  insert into private.chat_owners (user_id, sync_sequence, bytes)
  select c.user_id, count(*), sum(octet_length(c.encrypted_data) + coalesce(octet_length(c.encrypted_title), 0)
    + private.chat_text_bytes(c))
  from public.encrypted_chats as c group by c.user_id;

  -- updated_at stays: nobody has changed these chats.
  alter table public.encrypted_chats disable trigger update_encrypted_chats_updated_at;
  update public.encrypted_chats as c
  set sync_sequence = n.number, bytes = octet_length(c.encrypted_data) + coalesce(octet_length(c.encrypted_title), 0)
    + private.chat_text_bytes(c)
  from (select m.user_id, m.id, row_number() over (partition by m.user_id order by m.updated_at, m.id) as number
    from public.encrypted_chats as m) as n
  where n.user_id = c.user_id and n.id = c.id;
  alter table public.encrypted_chats enable trigger update_encrypted_chats_updated_at;

  for v_chat in select c.user_id, e.envelope from public.encrypted_chats as c
    cross join lateral (values (c.encrypted_data), (c.encrypted_title)) as e (envelope) where e.envelope is not null
  loop
    begin
      perform private.take_envelope(v_chat.user_id, 'data', v_chat.envelope);
    exception when sqlstate 'PT409' or sqlstate 'PT413' or sqlstate 'PT422' then
      raise notice 'A chat of user % is no envelope', v_chat.user_id;
    end;
  end loop;
end $$;

create unique index encrypted_chats_user_sync on public.encrypted_chats (user_id, sync_sequence);

create trigger lock_own_chats before insert or update or delete on public.encrypted_chats
  for each statement execute function private.lock_own_chats();
create trigger check_chat_envelopes before insert or update of encrypted_data, encrypted_title on public.encrypted_chats
  for each row execute function private.check_chat_envelopes();
create trigger number_chat before insert or update on public.encrypted_chats
  for each row execute function private.number_chat();
create trigger bury_chat after delete on public.encrypted_chats
  for each row execute function private.bury_chat();
