-- Writes to Storage: triggers on storage.objects count what is written and removed, and refuse what no client may write,
-- whichever way it comes. Storage asks the policies before an upload, as the client; it writes the row after that, as
-- itself, when the bytes are there: with the size that they have, and even if it found nothing at the path before.

-- Rules ---------------------------------------------------------------------------------------------

-- Whether clients must not write an object here: it would be in the place of what was checked. That is the file of a
-- completed upload and, while a verified upload replaces another file, both of its paths.
create function private.is_checked_place(user_id uuid, bucket_id text, name text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = is_checked_place.bucket_id and u.file_path = is_checked_place.name
        and u.user_id = is_checked_place.user_id and u.upload_path is not null
        and (u.status = 'complete' or u.status = 'pending' and u.verified_at is not null))
    or exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = is_checked_place.bucket_id and u.upload_path = is_checked_place.name
        and u.user_id = is_checked_place.user_id and u.status = 'pending' and u.verified_at is not null);
end $$;
revoke all on function private.is_checked_place(uuid, text, text) from public, anon, authenticated, service_role;

-- Whether an object is the verified file of an upload on its way to the place of another. Only the service writes without
-- an owner: verify_upload has taken the old one's. Nobody can have changed the file, so its size and type say enough.
create function private.is_replacement(user_id uuid, object storage.objects)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return object.owner_id is null and exists (
    select 1 from public.file_uploads as u
    where u.user_id = is_replacement.user_id and u.status = 'pending' and u.verified_at is not null
      and u.bucket_name = object.bucket_id and u.file_path = object.name and u.upload_path <> u.file_path
      and u.file_size = (object.metadata ->> 'size')::bigint
      and u.mime_type = coalesce(
        private.taken_content_type(object.bucket_id, object.metadata ->> 'mimetype', u.file_name), u.mime_type));
end $$;
revoke all on function private.is_replacement(uuid, storage.objects) from public, anon, authenticated, service_role;

-- Whether an object was written by a client, or with an upload URL, which has no owner if the service signed it. What the
-- service writes over an object of a client still has that owner, and is taken for the client's.
create function private.is_of_client(user_id uuid, object storage.objects)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return object.owner_id is not null
    or exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = object.bucket_id and u.upload_path = object.name and u.user_id = is_of_client.user_id
        and u.status <> 'complete')
    or exists (
      select 1 from private.spent_uploads as s where s.bucket_id = object.bucket_id and s.name = object.name);
end $$;
revoke all on function private.is_of_client(uuid, storage.objects) from public, anon, authenticated, service_role;

-- The bytes by which an object makes a user's usage larger: none if it is queued for removal in this version, and for a
-- pending upload only those beyond the reserved ones.
create function private.counted_bytes(user_id uuid, object storage.objects)
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
  v_size bigint := coalesce((object.metadata ->> 'size')::bigint, 0);
begin
  if object.name is null or private.object_owner(object.name) is distinct from counted_bytes.user_id then
    return 0;
  end if;
  return coalesce(
    (select greatest(v_size - u.file_size, 0) from public.file_uploads as u
      where u.bucket_name = object.bucket_id and u.upload_path = object.name and u.user_id = counted_bytes.user_id
        and u.status = 'pending'
      limit 1),
    (select 0 from private.storage_removals as r
      where r.bucket_id = object.bucket_id and r.name = object.name and r.version is not distinct from object.version),
    v_size);
end $$;
revoke all on function private.counted_bytes(uuid, storage.objects) from public, anon, authenticated, service_role;

-- Checks an object in one of our buckets that was written: before is null for a new one. It is counted already, and the
-- caller holds the lock of the account: what is read here cannot change before the object is visible.
-- Raises: 42501, which Storage tells clients as a violation of its policies.
create function private.check_written(user_id uuid, before storage.objects, object storage.objects)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_is_public boolean;
  v_room record;
  v_bytes bigint;
  v_before bigint;
begin
  select b.public into v_is_public
  from private.bucket_rules as r join storage.buckets as b on b.id = r.bucket_id
  where r.bucket_id = object.bucket_id;
  if not found then
    return;
  end if;
  if v_is_public and not private.may_be_public(object.name, object.metadata ->> 'mimetype') then
    raise exception 'The public bucket "%" does not accept "%" of type %', object.bucket_id, object.name,
      coalesce(object.metadata ->> 'mimetype', 'null')
      using errcode = '42501', hint = 'A browser would run this file. Use a bucket that is not public';
  end if;
  if user_id is null then
    return;
  end if;
  if private.is_checked_place(user_id, object.bucket_id, object.name) then
    if private.is_replacement(user_id, object) then
      return;
    end if;
    raise exception 'The file at "%" was checked, so nothing else can be written there', object.name
      using errcode = '42501', hint = 'Reserve another upload, or delete the file with its record first';
  end if;
  if not private.is_of_client(user_id, object) then
    return;
  end if;
  if not exists (select 1 from private.storage_accounts as a where a.user_id = check_written.user_id) then
    raise exception 'There is no user "%"', user_id using errcode = '42501';
  end if;
  select r.* into v_room from private.storage_room(user_id, object.bucket_id, 0) as r;
  if v_room.in_all >= 0 and coalesce(v_room.in_bucket >= 0, true) then
    return;
  end if;
  v_bytes := private.counted_bytes(user_id, object);
  v_before := private.counted_bytes(user_id, before);
  if v_room.in_all < 0 and v_bytes > v_before
    or v_room.in_bucket < 0 and v_bytes > (case when before.bucket_id = object.bucket_id then v_before else 0 end) then
    raise exception 'Object "%" exceeds the quota of its user by % bytes', object.name,
      -least(v_room.in_all, v_room.in_bucket)
      using errcode = '42501', hint = 'Delete files first, or ask for a larger quota';
  end if;
end $$;
revoke all on function private.check_written(uuid, storage.objects, storage.objects)
  from public, anon, authenticated, service_role;

-- Triggers ------------------------------------------------------------------------------------------

-- The definers below run for whatever role Storage writes as, which has no rights here. Storage's transactions lock an
-- object, then the account, then counters, and nothing after that: whoever holds an account waits for no object.

create function private.count_new_objects()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_count record;
  v_object storage.objects;
  v_none storage.objects;
begin
  -- Once for each user and bucket, in order: one row is updated once, however many objects come at once.
  for v_count in
    select private.object_owner(f.folder) as user_id, f.bucket_id, f.objects, f.bytes
    from (
      select split_part(o.name, '/', 1) as folder, o.bucket_id, count(*) as objects,
        coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint as bytes
      from new_objects as o
      group by 1, 2
    ) as f
    where private.object_owner(f.folder) is not null
    order by 1, 2
  loop
    if (private.lock_storage_account(v_count.user_id)).user_id is not null then
      perform private.count_objects(v_count.user_id, v_count.bucket_id, v_count.objects, v_count.bytes);
    end if;
  end loop;
  for v_object in select o.* from new_objects as o loop
    perform private.check_written(private.object_owner(v_object.name), v_none, v_object);
  end loop;
  return null;
end $$;
comment on function private.count_new_objects() is
  'Trigger function: counts new objects, and checks them. Definer: no role may read or write the counters';
revoke all on function private.count_new_objects() from public, anon, authenticated, service_role;

create function private.count_changed_object()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_count record;
begin
  for v_count in
    select c.user_id, c.bucket_id, sum(c.objects) as objects, sum(c.bytes)::bigint as bytes
    from (values
      (private.object_owner(old.name), old.bucket_id, -1, -coalesce((old.metadata ->> 'size')::bigint, 0)),
      (private.object_owner(new.name), new.bucket_id, 1, coalesce((new.metadata ->> 'size')::bigint, 0))
    ) as c (user_id, bucket_id, objects, bytes)
    where c.user_id is not null
    group by 1, 2
    order by 1, 2
  loop
    if (private.lock_storage_account(v_count.user_id)).user_id is not null
      and (v_count.objects <> 0 or v_count.bytes <> 0) then
      perform private.count_objects(v_count.user_id, v_count.bucket_id, v_count.objects, v_count.bytes);
    end if;
  end loop;
  perform private.check_written(private.object_owner(new.name), old, new);
  return null;
end $$;
comment on function private.count_changed_object() is
  'Trigger function: counts an object that was overwritten or moved, and checks it. Definer: no role may read or write the counters';
revoke all on function private.count_changed_object() from public, anon, authenticated, service_role;

create function private.count_deleted_objects()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  with gone as (
    select private.object_owner(f.folder) as user_id, f.bucket_id, f.objects, f.bytes
    from (
      select split_part(o.name, '/', 1) as folder, o.bucket_id, count(*) as objects,
        coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint as bytes
      from old_objects as o
      group by 1, 2
    ) as f
  ), locked as materialized (
    -- In order, so that two removals cannot deadlock.
    select c.user_id, c.bucket_id, g.objects, g.bytes
    from gone as g join private.storage_counters as c on c.user_id = g.user_id and c.bucket_id = g.bucket_id
    order by c.user_id, c.bucket_id
    for no key update of c
  )
  update private.storage_counters as c set objects = c.objects - l.objects, bytes = c.bytes - l.bytes
  from locked as l where c.user_id = l.user_id and c.bucket_id = l.bucket_id;
  return null;
end $$;
comment on function private.count_deleted_objects() is
  'Trigger function: takes deleted objects off the counters. Definer: no role may write them';
revoke all on function private.count_deleted_objects() from public, anon, authenticated, service_role;

-- Puts the triggers on storage.objects, and counts all objects. Returns whether they are there now.
-- On a platform that does not allow them it returns false: run it again when it does.
create function private.watch_objects()
returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  create or replace trigger count_new_objects after insert on storage.objects
    referencing new table as new_objects
    for each statement execute function private.count_new_objects();
  -- Not when Storage only notes that an object was read, or something about it.
  create or replace trigger count_changed_object after update on storage.objects
    for each row when (
      (old.bucket_id, old.name, old.version, old.metadata ->> 'size', old.metadata ->> 'mimetype') is distinct from
      (new.bucket_id, new.name, new.version, new.metadata ->> 'size', new.metadata ->> 'mimetype'))
    execute function private.count_changed_object();
  create or replace trigger count_deleted_objects after delete on storage.objects
    referencing old table as old_objects
    for each statement execute function private.count_deleted_objects();
  -- Nobody writes objects now until this transaction ends.
  insert into private.storage_accounts (user_id)
  select distinct u.id
  from storage.objects as o join auth.users as u on u.id = private.object_owner(o.name)
  on conflict do nothing;
  delete from private.storage_counters where true;
  insert into private.storage_counters (user_id, bucket_id, objects, bytes)
  select a.user_id, o.bucket_id, count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0)
  from storage.objects as o join private.storage_accounts as a on a.user_id = private.object_owner(o.name)
  group by 1, 2;
  return true;
exception
  when insufficient_privilege then
    raise warning 'Cannot create triggers on storage.objects: %', sqlerrm
      using hint = 'Usage is added up instead, and quotas are only checked before an upload. See docs/files.md';
    return false;
end $$;
comment on function private.watch_objects() is
  'Puts the triggers on storage.objects and counts all objects. Run it again once the platform allows them';
revoke all on function private.watch_objects() from public, anon, authenticated, service_role;

select private.watch_objects();
