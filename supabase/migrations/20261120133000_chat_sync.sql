-- Reading encrypted chats: one chat in pages, the keys, and the changes since a cursor.

create type public.chat_page as (
  id uuid,
  version bigint,
  data_version bigint,
  next_segment integer,
  is_starred boolean,
  title text,
  custom_name text,
  image_paths text[],
  bytes bigint,
  created_at timestamptz,
  updated_at timestamptz,
  encrypted_title text,
  encrypted_data text,
  head text,
  segments jsonb,
  has_more boolean
);
comment on type public.chat_page is
  'A chat with its segments from a number on, [{number, encrypted_data}]; has_more when more segments follow';

-- The work of public.get_chat.
-- Definer: clients have no rights in settings. It acts for the caller alone.
create function private.get_chat(chat_id uuid, from_segment integer, known_data_version bigint)
returns public.chat_page
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_page public.chat_page;
  v_limit bigint := private.setting('chats.max_page_bytes');
begin
  if (from_segment >= 0) is not true then
    raise exception 'from_segment must be a whole number, 0 or greater' using errcode = 'PT422', detail = 'invalid_segment_number';
  end if;
  select c.id, c.version, c.data_version, c.next_segment, c.is_starred, c.title, c.custom_name, c.image_paths, c.bytes,
    c.created_at, c.updated_at, c.encrypted_title,
    case when c.data_version is distinct from known_data_version then c.encrypted_data end, c.head,
    null::jsonb, null::boolean
  into v_page from public.encrypted_chats as c
  where c.user_id = (select private.my_account()) and c.id = get_chat.chat_id;
  if not found then
    raise exception 'There is no chat "%"', chat_id using errcode = 'PT404', detail = 'chat_not_found';
  end if;
  -- As many as fit: the size of the earlier ones is known without reading their text.
  select coalesce(jsonb_agg(jsonb_build_object('number', s.number, 'encrypted_data', s.encrypted_data)
      order by s.number), '[]')
  into v_page.segments
  from (
    select g.number, g.encrypted_data,
      sum(octet_length(g.encrypted_data)) over (order by g.number) - octet_length(g.encrypted_data) as bytes_before
    from (
      select f.number, f.encrypted_data from public.chat_segments as f
      where f.user_id = (select auth.uid()) and f.chat_id = get_chat.chat_id and f.number >= from_segment
      order by f.number
      limit 10000
    ) as g
  ) as s
  where s.bytes_before < v_limit;
  v_page.has_more := exists (select 1 from public.chat_segments as s
    where s.user_id = (select auth.uid()) and s.chat_id = get_chat.chat_id
      and s.number > (v_page.segments -> -1 ->> 'number')::integer);
  return v_page;
end $$;
revoke all on function private.get_chat(uuid, integer, bigint) from public, anon, authenticated, service_role;
grant execute on function private.get_chat(uuid, integer, bigint) to authenticated;

-- Returns one chat of the caller as it is at one moment: all of it, or the segments from from_segment on for a device
-- that has the earlier ones. Segments are in order, as many as fit into chats.max_page_bytes, but at least one; the
-- device reads on from the number after the last. encrypted_data is left out when the caller has it: its data_version
-- is known_data_version.
-- Raises: PT404 chat_not_found; PT422 invalid_segment_number.
create function public.get_chat(chat_id uuid, from_segment integer default 0, known_data_version bigint default null)
returns public.chat_page
language sql stable set search_path = ''
as $$
  select * from private.get_chat(chat_id, from_segment, known_data_version)
$$;
revoke all on function public.get_chat(uuid, integer, bigint) from public, anon, authenticated, service_role;
grant execute on function public.get_chat(uuid, integer, bigint) to authenticated;

-- Keys ------------------------------------------------------------------------------------------------

create type public.chat_keyring as (
  version integer,
  key_id uuid,
  epoch integer,
  keys jsonb,
  legacy_envelopes bigint,
  proof_number integer
);
comment on type public.chat_keyring is
  'The caller''s keys: [{id, epoch, created_at, envelopes, wraps: [{kind, device_id, wrapped_by, salt, iterations, memory_kib, passes, wrap, created_at}]}], newest first. envelopes is the number of envelopes of that epoch, legacy_envelopes that of format 1. proof_number is that of the proof which the next change needs';

-- The work of public.get_chat_keys.
-- Definer: clients have no rights in chat_owners. It acts for the caller alone.
create function private.get_chat_keys()
returns public.chat_keyring
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := private.my_account();
  v_ring public.chat_keyring;
begin
  select coalesce(max(o.key_version), 0) into v_ring.version from private.chat_owners as o where o.user_id = v_user_id;
  select k.id, k.epoch, nullif(k.proof_number, 0) into v_ring.key_id, v_ring.epoch, v_ring.proof_number
  from public.chat_keys as k where k.user_id = v_user_id order by k.epoch desc limit 1;
  with envelopes as (
    select e.key_id, count(*) as number
    from (
      select c.key_id from public.encrypted_chats as c where c.user_id = v_user_id
      union all
      select c.title_key_id from public.encrypted_chats as c
      where c.user_id = v_user_id and c.encrypted_title is not null
      union all
      select s.key_id from public.chat_segments as s where s.user_id = v_user_id
    ) as e
    group by e.key_id
  )
  select coalesce((
    select jsonb_agg(jsonb_build_object('id', k.id, 'epoch', k.epoch, 'created_at', k.created_at,
      'envelopes', coalesce((select e.number from envelopes as e where e.key_id = k.id), 0),
      'wraps', coalesce((
        select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', w.kind, 'device_id', w.device_id,
          'wrapped_by', w.wrapped_by, 'salt', w.salt, 'iterations', w.iterations, 'memory_kib', w.memory_kib, 'passes', w.passes,
          'credential_id', w.credential_id, 'name', w.name, 'wrap', w.wrap, 'created_at', w.created_at,
          'last_used_at', w.last_used_at)) order by w.kind, w.created_at, w.device_id)
        from public.chat_key_wraps as w where w.user_id = v_user_id and w.key_id = k.id), '[]'))
      order by k.epoch desc)
    from public.chat_keys as k where k.user_id = v_user_id), '[]'),
    coalesce((select e.number from envelopes as e where e.key_id is null), 0)
  into v_ring.keys, v_ring.legacy_envelopes;
  return v_ring;
end $$;
revoke all on function private.get_chat_keys() from public, anon, authenticated, service_role;
grant execute on function private.get_chat_keys() to authenticated;

-- Returns the caller's keys, and how many envelopes each epoch has, which shows how far a rotation has come.
create function public.get_chat_keys()
returns public.chat_keyring
language sql stable set search_path = ''
as $$
  select * from private.get_chat_keys()
$$;
revoke all on function public.get_chat_keys() from public, anon, authenticated, service_role;
grant execute on function public.get_chat_keys() to authenticated;

-- Sync ------------------------------------------------------------------------------------------------

create type public.chat_changes as (
  changes jsonb,
  cursor text,
  has_more boolean,
  key_version integer,
  history jsonb
);
comment on type public.chat_changes is
  'The changes of the caller''s chats since a cursor, in the order of their commits, and the cursor to go on from. history is the head of the account at the same moment, {counter, sealed, unproven_deletions}, null when there is none';

-- The work of public.sync_chats.
-- Definer: clients have no rights in chat_owners and chat_tombstones. It acts for the caller alone.
create function private.sync_chats(after_cursor text, page_size integer, with_titles boolean, with_data boolean)
returns public.chat_changes
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := private.my_account();
  v_max_bytes bigint := private.setting('chats.max_page_bytes');
  v_owner private.chat_owners;
  v_after bigint;
  v_complete_at bigint;
  v_result public.chat_changes;
begin
  if (page_size between 1 and 1000) is not true then
    raise exception 'limit must be a number from 1 to 1000' using errcode = 'PT422', detail = 'invalid_limit';
  end if;
  if after_cursor !~ '^[0-9]{1,18}(-[0-9]{1,18})?$' then
    raise exception 'The cursor is malformed' using errcode = 'PT422', detail = 'invalid_cursor',
      hint = 'Send the cursor from the last response, or no cursor to start from the beginning';
  end if;
  select o.* into v_owner from private.chat_owners as o where o.user_id = v_user_id;
  v_owner.sync_sequence := coalesce(v_owner.sync_sequence, 0);
  -- A device that starts has no chats, so it needs no earlier deletions: its state is complete as of now. Its cursor
  -- says so (after-complete_at); otherwise it could become too old before the device has read all pages.
  v_after := coalesce(split_part(after_cursor, '-', 1)::bigint, 0);
  v_complete_at := case when after_cursor is null then v_owner.sync_sequence
    else coalesce(nullif(split_part(after_cursor, '-', 2), '')::bigint, v_after) end;
  -- A cursor can also be from the future, if the database was restored to an earlier time.
  if greatest(v_after, v_complete_at) not between coalesce(v_owner.pruned_through, 0) and v_owner.sync_sequence then
    raise exception 'The cursor is too old: some later deletions are no longer remembered'
      using errcode = 'PT410', detail = 'cursor_too_old',
      hint = 'Start again without a cursor, and remove the local copies of chats that are not returned';
  end if;

  with changed as (
    select c.sync_sequence, c.id as chat_id, case when with_data then octet_length(c.encrypted_data) else 0 end
      + case when with_titles then coalesce(octet_length(c.encrypted_title), 0) else 0 end as bytes
    from public.encrypted_chats as c
    where c.user_id = v_user_id and c.sync_sequence > v_after
    order by c.sync_sequence
    limit page_size + 1
  ), deleted as (
    select t.sync_sequence, t.chat_id, 0 as bytes
    from private.chat_tombstones as t
    where t.user_id = v_user_id and t.sync_sequence > greatest(v_after, v_complete_at)
    order by t.sync_sequence
    limit page_size + 1
  ), numbered as (
    select a.*, row_number() over w as row_number, sum(a.bytes) over w - a.bytes as bytes_before
    from (select *, false as is_deleted from changed union all select *, true from deleted) as a
    window w as (order by a.sync_sequence)
  ), page as (
    select n.* from numbered as n
    where n.row_number <= page_size and n.bytes_before < v_max_bytes
  )
  select coalesce(jsonb_agg(case when p.is_deleted then jsonb_build_object('id', p.chat_id, 'deleted', true)
      else jsonb_build_object('id', c.id, 'deleted', false, 'version', c.version, 'data_version', c.data_version,
          'next_segment', c.next_segment, 'is_starred', c.is_starred, 'title', c.title, 'custom_name', c.custom_name,
          'image_paths', to_jsonb(c.image_paths), 'key_id', c.key_id, 'bytes', c.bytes, 'created_at', c.created_at,
          'updated_at', c.updated_at)
        || case when with_titles then jsonb_build_object('encrypted_title', c.encrypted_title, 'head', c.head) else '{}' end
        || case when with_data then jsonb_build_object('encrypted_data', c.encrypted_data) else '{}' end
      end order by p.sync_sequence), '[]'),
    coalesce(max(p.sync_sequence), v_after), (select count(*) from numbered) > count(*)
  into v_result.changes, v_after, v_result.has_more
  from page as p
  left join public.encrypted_chats as c on c.user_id = v_user_id and c.id = p.chat_id and not p.is_deleted;
  v_result.cursor := case when v_result.has_more and v_after < v_complete_at then v_after || '-' || v_complete_at
    else greatest(v_after, v_complete_at)::text end;
  v_result.key_version := coalesce(v_owner.key_version, 0);
  v_result.history := private.chat_history(v_owner);
  return v_result;
end $$;
revoke all on function private.sync_chats(text, integer, boolean, boolean) from public, anon, authenticated, service_role;
grant execute on function private.sync_chats(text, integer, boolean, boolean) to authenticated;

-- Returns the changes of the caller's chats since a cursor, or everything without one: the newest state of each saved
-- chat, and {id, deleted: true} for each deleted one. They are in the order of their commits: a device that has read
-- the last page (has_more is false) has everything that was committed before. cursor is that of the last answer; limit
-- is 1 to 1000 changes. with_titles adds encrypted_title and head, and with_data encrypted_data: a page then has as much as
-- chats.max_page_bytes allows, but at least one chat. get_chat reads the segments, from the first one that the device
-- lacks.
-- Raises: PT410 cursor_too_old; PT422 invalid_cursor, invalid_limit.
create function public.sync_chats(
  cursor text default null,
  "limit" integer default 100,
  with_titles boolean default false,
  with_data boolean default false
)
returns public.chat_changes
language sql stable set search_path = ''
as $$
  select * from private.sync_chats(sync_chats.cursor, sync_chats."limit", coalesce(with_titles, false),
    coalesce(with_data, false))
$$;
revoke all on function public.sync_chats(text, integer, boolean, boolean) from public, anon, authenticated, service_role;
grant execute on function public.sync_chats(text, integer, boolean, boolean) to authenticated;
