-- Uploads: a place is reserved, the bytes go to Storage by a signed URL, and what has arrived is checked and
-- completed.

create type public.upload_reservation as (
  id uuid,
  bucket text,
  path text,
  upload_path text,
  name text,
  size bigint,
  content_type text,
  project_id uuid,
  chat_id uuid,
  status text,
  expires_at timestamptz,
  is_opaque boolean,
  replayed boolean
);
comment on type public.upload_reservation is
  'An upload: where its bytes go (upload_path), where the file is once it is complete (path), and until when it is reserved';

create function private.upload_reservation(upload public.file_uploads, replayed boolean default false)
returns public.upload_reservation
language plpgsql stable set search_path = ''
as $$
begin
  return row(upload.id, upload.bucket_name, upload.file_path, coalesce(upload.upload_path, upload.file_path),
    upload.file_name, upload.file_size, upload.mime_type, upload.project_id, upload.chat_id, upload.status,
    upload.expires_at,
    coalesce((select r.is_opaque from private.bucket_rules as r where r.bucket_id = upload.bucket_name), true),
    replayed)::public.upload_reservation;
end $$;
revoke all on function private.upload_reservation(public.file_uploads, boolean)
  from public, anon, authenticated, service_role;

-- Checks -------------------------------------------------------------------------------------------

-- The ending of an object's name: that of its type, else the one that the file's name has, if it is harmless, or bin.
create function private.file_extension(content_type text, name text)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(
    '{"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "application/pdf": "pdf",
      "text/plain": "txt", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/wav": "wav", "audio/webm": "webm",
      "audio/ogg": "ogg"}'::jsonb ->> content_type,
    lower(substring(name from '\.([A-Za-z0-9]{1,10})$')),
    'bin');
end $$;
revoke all on function private.file_extension(text, text) from public, anon, authenticated, service_role;

-- Makes sure that a file is one that its bucket takes.
-- Raises: PT413 file_too_large; PT422 invalid_name, invalid_size, invalid_content_type, content_type_not_allowed.
create function private.check_file(rule private.bucket_rules, name text, size bigint, content_type text)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_bucket storage.buckets;
  v_largest bigint;
begin
  if name is null or char_length(name) not between 1 and 1024 or name ~ '^\s*$' or name ~ '[/\\[:cntrl:]]'
    or name in ('.', '..') then
    raise exception 'A file''s name has 1 to 1024 characters, and is not a path'
      using errcode = 'PT422', detail = 'invalid_name', hint = 'Leave out / \ and control characters';
  end if;
  if size is null or size < 1 then
    raise exception 'A file has at least 1 byte' using errcode = 'PT422', detail = 'invalid_size';
  end if;
  if content_type is null or char_length(content_type) > 255
    or content_type !~ '^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$' then
    raise exception 'A content type is like image/png, in lower case and without parameters'
      using errcode = 'PT422', detail = 'invalid_content_type';
  end if;
  select b.* into v_bucket from storage.buckets as b where b.id = rule.bucket_id;
  if not private.takes_type(v_bucket.allowed_mime_types, content_type) then
    raise exception 'The bucket "%" does not take %', rule.bucket_id, content_type
      using errcode = 'PT422', detail = 'content_type_not_allowed '
        || jsonb_build_object('allowed', v_bucket.allowed_mime_types)::text;
  end if;
  v_largest := least(rule.max_file_size, v_bucket.file_size_limit);
  if size > v_largest then
    raise exception 'A file in the bucket "%" has at most % bytes', rule.bucket_id, v_largest
      using errcode = 'PT413', detail = 'file_too_large ' || jsonb_build_object('maximum', v_largest)::text;
  end if;
end $$;
revoke all on function private.check_file(private.bucket_rules, text, bigint, text)
  from public, anon, authenticated, service_role;

-- Makes sure that a user may add a file to a project or a chat: to those of their own, as the policies for records say.
-- Locks it, so that it does not go meanwhile.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found, chat_not_found; PT409 project_deleted;
-- PT422 chat_required.
create function private.lock_upload_target(rule private.bucket_rules, user_id uuid, project_id uuid, chat_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_project public.projects;
begin
  if rule.path like '%{chat_id}%' and chat_id is null then
    raise exception 'A file in the bucket "%" belongs to a chat', rule.bucket_id
      using errcode = 'PT422', detail = 'chat_required', hint = 'Say which in chat_id';
  end if;
  if project_id is not null then
    select p.* into v_project from public.projects as p
    where p.id = lock_upload_target.project_id and private.writes_project(p, lock_upload_target.user_id)
    for key share;
    if not found then
      perform private.refuse_project(project_id);
    end if;
    if v_project.user_id <> lock_upload_target.user_id then
      raise exception 'This is for whose project "%" is', project_id
        using errcode = 'PT403', detail = 'not_project_owner';
    end if;
    if v_project.status = 'deleted' then
      raise exception 'Project "%" is deleted', project_id
        using errcode = 'PT409', detail = 'project_deleted', hint = 'Restore it first';
    end if;
  end if;
  if chat_id is not null then
    perform from public.encrypted_chats as c
    where c.user_id = lock_upload_target.user_id and c.id = lock_upload_target.chat_id
    for key share;
    if not found then
      raise exception 'There is no chat "%"', chat_id using errcode = 'PT404', detail = 'chat_not_found';
    end if;
  end if;
end $$;
revoke all on function private.lock_upload_target(private.bucket_rules, uuid, uuid, uuid)
  from public, anon, authenticated, service_role;

-- reserve_upload ------------------------------------------------------------------------------------

-- Whether the file of an upload is where it belongs, with the size that it has: one that replaces another, once that place
-- was written since it was verified.
create function private.is_in_place(upload public.file_uploads)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select 1 from storage.objects as o
    where o.bucket_id = upload.bucket_name and o.name = upload.file_path
      and (o.metadata ->> 'size')::numeric = upload.file_size
      and (upload.upload_path = upload.file_path or o.version is distinct from upload.replaced_version));
end $$;
revoke all on function private.is_in_place(public.file_uploads) from public, anon, authenticated, service_role;

-- Makes a pending upload complete: a file that replaces another takes its place, and the other's record goes.
create function private.finish_upload(upload public.file_uploads)
returns public.file_uploads
language plpgsql volatile set search_path = ''
as $$
begin
  update public.file_uploads as u set status = 'complete' where u.id = upload.id returning u.* into upload;
  if upload.upload_path <> upload.file_path then
    delete from private.storage_removals as r
    where r.bucket_id = upload.bucket_name and r.name = upload.file_path;
    delete from public.file_uploads as u
    where u.user_id = upload.user_id and u.bucket_name = upload.bucket_name and u.id <> upload.id
      and u.status = 'complete' and (u.file_path = upload.file_path or u.upload_path is not null);
    perform private.keep_spent_upload(upload);
    perform private.queue_removal(upload.user_id, upload.bucket_name, upload.upload_path);
  end if;
  return upload;
end $$;
revoke all on function private.finish_upload(public.file_uploads) from public, anon, authenticated, service_role;

create view private.expired_uploads as
  select u.id, u.user_id, u.expires_at from public.file_uploads as u
  where u.status = 'pending' and u.expires_at <= now();
revoke all on private.expired_uploads from public, anon, authenticated, service_role;

-- Gives up reservations that have expired: of one user, or of anyone. One that has taken the place of another file already,
-- when whoever did that was interrupted, is completed instead. Returns how many.
create function private.give_up_uploads(batch integer, owner_id uuid default null)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_id uuid;
  v_upload public.file_uploads;
  v_count integer := 0;
begin
  for v_id in
    select e.id from private.expired_uploads as e
    where give_up_uploads.owner_id is null or e.user_id = give_up_uploads.owner_id
    order by e.expires_at
    limit batch
    for update skip locked
  loop
    v_count := v_count + 1;
    select u.* into v_upload from public.file_uploads as u where u.id = v_id;
    if v_upload.verified_at is not null and private.is_in_place(v_upload) then
      perform private.finish_upload(v_upload);
    else
      delete from public.file_uploads as u where u.id = v_upload.id;
    end if;
  end loop;
  return v_count;
end $$;
revoke all on function private.give_up_uploads(integer, uuid) from public, anon, authenticated, service_role;

-- Makes sure that a user may have an upload URL for so many bytes more, or go on with one whose bytes are counted already.
-- Raises: PT413 storage_quota_exceeded; PT429 too_many_uploads.
create function private.check_room(user_id uuid, bucket text, size bigint, is_counted boolean default false)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_room bigint := private.storage_room(user_id, bucket) + case when is_counted then size else 0 end;
  v_open bigint;
begin
  select (select count(*) from public.file_uploads as u where u.user_id = check_room.user_id and u.status = 'pending')
    + (select count(*) from private.spent_uploads as s
      where s.user_id = check_room.user_id and s.expires_at > now()
        and not exists (select 1 from storage.objects as o where o.bucket_id = s.bucket_id and o.name = s.name))
    + case when is_counted then 0 else 1 end
  into v_open;
  if v_open > private.setting('files.open_uploads') then
    raise exception 'There are % uploads that have not been completed', private.setting('files.open_uploads')
      using errcode = 'PT429', detail = 'too_many_uploads', hint = 'Complete them, or wait until they expire';
  end if;
  if size > v_room then
    raise exception 'Cannot store % bytes: there is room for %', size, greatest(v_room, 0)
      using errcode = 'PT413', detail = 'storage_quota_exceeded '
        || jsonb_build_object('available', greatest(v_room, 0), 'required', size)::text,
        hint = 'Delete files, or ask for more room';
  end if;
end $$;
revoke all on function private.check_room(uuid, text, bigint, boolean) from public, anon, authenticated, service_role;

-- Reserves an upload: checks the bucket's rules and the user's right to the target, sets the bytes aside, chooses where
-- they go and records it as pending. The reservations of one user come one after the other: what fits is exact however
-- many come at once. actor is user or service.
-- With the key of an earlier one it returns that, and holds it for as long again.
-- Definer: reservations are nobody's to write. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only, not_project_owner; PT404 bucket_not_found,
-- project_not_found, chat_not_found, user_not_found; PT409 project_deleted, upload_already_complete, upload_expired; PT413
-- file_too_large, storage_quota_exceeded; PT422 invalid_name, invalid_size, invalid_content_type,
-- content_type_not_allowed, chat_required, idempotency_key_reused; PT429 too_many_uploads.
create function public.reserve_upload(
  user_id uuid,
  bucket text,
  name text,
  size bigint,
  content_type text,
  project_id uuid default null,
  chat_id uuid default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('upload', bucket, name, size, content_type, project_id, chat_id);
  v_first jsonb;
  v_rule private.bucket_rules;
  v_upload public.file_uploads;
  v_id uuid := gen_random_uuid();
  v_extension text := private.file_extension(content_type, name);
  v_path text;
begin
  insert into private.storage_accounts (user_id)
  select u.id from auth.users as u where u.id = reserve_upload.user_id
  on conflict do nothing;
  perform from private.storage_accounts as a where a.user_id = reserve_upload.user_id for update;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  perform private.give_up_uploads(1000, user_id);

  v_first := private.first_response(user_id, actor, idempotency_key, v_request);
  if v_first is not null then
    update public.file_uploads as u
    set expires_at = now() + make_interval(secs => r.upload_seconds)
    from private.bucket_rules as r
    where u.id = (v_first ->> 'id')::uuid and u.status = 'pending' and r.bucket_id = u.bucket_name
    returning u.* into v_upload;
    if not found then
      select u.* into v_upload from public.file_uploads as u where u.id = (v_first ->> 'id')::uuid;
      raise exception 'Upload "%" is %', v_first ->> 'id', coalesce(v_upload.status, 'not there any more')
        using errcode = 'PT409', detail = case v_upload.status when 'complete' then 'upload_already_complete'
          else 'upload_expired' end, hint = 'Use a new key for a new upload';
    end if;
    -- Its URL can bring as much again as it has.
    perform private.check_room(user_id, v_upload.bucket_name, greatest(v_upload.file_size,
      (select (o.metadata ->> 'size')::bigint from storage.objects as o
        where o.bucket_id = v_upload.bucket_name and o.name = v_upload.upload_path)), is_counted => true);
    return private.upload_reservation(v_upload, true);
  end if;

  select r.* into v_rule from private.bucket_rules as r join storage.buckets as b on b.id = r.bucket_id
  where r.bucket_id = bucket;
  if not found then
    raise exception 'There is no bucket "%"', bucket using errcode = 'PT404', detail = 'bucket_not_found';
  end if;
  perform private.check_file(v_rule, name, size, content_type);
  perform private.lock_upload_target(v_rule, user_id, project_id, chat_id);

  perform private.check_room(user_id, bucket, size);

  v_path := replace(replace(replace(replace(v_rule.path, '{user_id}', user_id::text),
    '{chat_id}', coalesce(chat_id::text, '')), '{id}', v_id::text), '{extension}', v_extension);
  insert into public.file_uploads as u (id, user_id, project_id, chat_id, file_name, file_path, upload_path, file_size,
    mime_type, bucket_name, is_public, status, expires_at)
  select v_id, reserve_upload.user_id, reserve_upload.project_id, reserve_upload.chat_id, reserve_upload.name, v_path,
    -- A file that replaces another is uploaded beside it: what is there stays until the new one is complete.
    case when v_rule.path like '%{id}%' then v_path
      else user_id || '/' || v_id || '.' || v_extension end,
    size, content_type, bucket, b.public, 'pending', now() + make_interval(secs => v_rule.upload_seconds)
  from storage.buckets as b where b.id = bucket
  returning u.* into v_upload;
  perform private.keep_response(user_id, actor, idempotency_key, v_request, jsonb_build_object('id', v_id));
  return private.upload_reservation(v_upload);
end $$;
revoke all on function public.reserve_upload(uuid, text, text, bigint, text, uuid, uuid, text, text)
  from public, anon, authenticated;
grant execute on function public.reserve_upload(uuid, text, text, bigint, text, uuid, uuid, text, text) to service_role;

-- Completion ----------------------------------------------------------------------------------------

-- Locks an upload of a user's: one that is complete, or pending still.
-- Raises: PT404 upload_not_found; PT409 upload_expired.
create function private.lock_upload(user_id uuid, upload_id uuid)
returns public.file_uploads
language plpgsql volatile set search_path = ''
as $$
declare
  v_upload public.file_uploads;
begin
  select u.* into v_upload from public.file_uploads as u
  where u.id = upload_id and u.user_id = lock_upload.user_id
  for update;
  if not found then
    raise exception 'There is no upload "%"', upload_id using errcode = 'PT404', detail = 'upload_not_found';
  end if;
  if v_upload.status = 'pending' and v_upload.expires_at <= now() then
    raise exception 'Upload "%" has expired', upload_id
      using errcode = 'PT409', detail = 'upload_expired', hint = 'Reserve another';
  end if;
  return v_upload;
end $$;
revoke all on function private.lock_upload(uuid, uuid) from public, anon, authenticated, service_role;

-- An upload of a user's, pending or complete, to look at what was stored.
-- Definer: as reserve_upload. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_expired.
create function public.get_upload(user_id uuid, upload_id uuid)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
begin
  return private.upload_reservation(private.lock_upload(user_id, upload_id));
end $$;
revoke all on function public.get_upload(uuid, uuid) from public, anon, authenticated;
grant execute on function public.get_upload(uuid, uuid) to service_role;

-- Notes that what was uploaded is as declared, before it takes the place of another file: if whoever puts it there is
-- interrupted, the upload is completed by the next who comes by. Until it is complete, nothing in that place is removed;
-- whoever is removing it already ends first. The place is this upload's alone for five minutes, the longest that a
-- function lives and more; then one that comes by completes it, if it was written, or takes its turn.
-- Definer: as reserve_upload. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_expired; PT503 try_again.
create function public.verify_upload(user_id uuid, upload_id uuid)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_upload public.file_uploads;
  v_other public.file_uploads;
begin
  -- Those of one user come one after the other, and before the lock of an upload, as in reserve_upload.
  perform from private.storage_accounts as a where a.user_id = verify_upload.user_id for update;
  v_upload := private.lock_upload(user_id, upload_id);
  if v_upload.status <> 'pending' then
    return private.upload_reservation(v_upload);
  end if;
  if exists (
    select 1 from private.storage_removals as r
    where r.bucket_id = v_upload.bucket_name and r.name = v_upload.file_path and r.due_at > now() and r.last_error is null) then
    raise exception 'What was at "%" is being removed', v_upload.file_path
      using errcode = 'PT503', detail = 'try_again', hint = 'Try again in a moment';
  end if;
  for v_other in
    select u.* from public.file_uploads as u
    where u.user_id = v_upload.user_id and u.status = 'pending' and u.bucket_name = v_upload.bucket_name
      and u.file_path = v_upload.file_path and u.id <> v_upload.id and u.verified_at is not null
    order by u.id
    for update
  loop
    if v_other.verified_at > now() - interval '5 minutes' then
      raise exception 'Another file is being put at "%"', v_upload.file_path
        using errcode = 'PT503', detail = 'try_again', hint = 'Try again in a moment';
    end if;
    if private.is_in_place(v_other) then
      perform private.finish_upload(v_other);
    else
      update public.file_uploads as u set verified_at = null where u.id = v_other.id;
    end if;
  end loop;
  update public.file_uploads as u
  set verified_at = now(),
    -- Whoever tries again may have written it the first time.
    replaced_version = case when u.verified_at is null then
      (select o.version from storage.objects as o where o.bucket_id = u.bucket_name and o.name = u.file_path)
      else u.replaced_version end
  where u.id = v_upload.id
  returning u.* into v_upload;
  return private.upload_reservation(v_upload);
end $$;
revoke all on function public.verify_upload(uuid, uuid) from public, anon, authenticated;
grant execute on function public.verify_upload(uuid, uuid) to service_role;

-- Completes an upload whose object the caller has looked at, and which is where it belongs: its bytes count from here on
-- as what they are. Completing again returns the same.
-- Definer: as reserve_upload. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_expired, upload_missing.
create function public.complete_upload(user_id uuid, upload_id uuid)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_upload public.file_uploads := private.lock_upload(user_id, upload_id);
begin
  if v_upload.status = 'complete' then
    return private.upload_reservation(v_upload, true);
  end if;
  -- It may have been removed since it was looked at.
  if not private.is_in_place(v_upload) then
    raise exception 'Nothing of upload "%" is stored', upload_id
      using errcode = 'PT409', detail = 'upload_missing', hint = 'Upload the file first';
  end if;
  return private.upload_reservation(private.finish_upload(v_upload));
end $$;
revoke all on function public.complete_upload(uuid, uuid) from public, anon, authenticated;
grant execute on function public.complete_upload(uuid, uuid) to service_role;

-- Gives a pending upload up: its bytes are not reserved any more, and what was stored is queued for removal. Returns
-- whether it was pending still.
-- Definer: as reserve_upload. For the service only, which answers for user_id.
create function public.release_upload(user_id uuid, upload_id uuid)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.file_uploads as u
  where u.id = upload_id and u.user_id = release_upload.user_id and u.status = 'pending';
  return found;
end $$;
revoke all on function public.release_upload(uuid, uuid) from public, anon, authenticated;
grant execute on function public.release_upload(uuid, uuid) to service_role;

-- delete_files --------------------------------------------------------------------------------------

-- Deletes files of a user's, by their paths in a bucket: the records that name them, and the objects, which are queued for
-- removal. Returns those that there were, and whether an object is to be removed; other paths are nobody's, or another's.
-- Definer: the list of removals is nobody's to write. For the service only, which answers for user_id.
-- Raises: PT404 bucket_not_found; PT422 invalid_batch.
create function public.delete_files(user_id uuid, bucket text, paths text[])
returns table (path text, stored boolean)
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_path text;
  v_records integer;
  v_rows integer;
begin
  if cardinality(paths) not between 1 and 1000 or paths is null then
    raise exception 'A batch has 1 to 1000 paths' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  perform public.get_bucket_terms(bucket);
  -- In order, so that two who delete the same do not wait for each other.
  for v_path in select distinct p.path from unnest(paths) as p (path) where p.path is not null order by 1 loop
    delete from public.file_uploads as u
    where u.bucket_name = bucket and u.file_path = v_path and u.user_id = delete_files.user_id;
    get diagnostics v_records = row_count;
    if bucket = 'project-files' then
      delete from public.project_files as f where f.storage_path = v_path and f.user_id = delete_files.user_id;
      get diagnostics v_rows = row_count;
      v_records := v_records + v_rows;
    end if;
    perform private.queue_removal(user_id, bucket, v_path, asked => true);
    path := v_path;
    stored := exists (
      select 1 from private.storage_removals as r where r.bucket_id = bucket and r.name = v_path)
      and private.object_owner(v_path) = delete_files.user_id;
    if v_records > 0 or stored then
      return next;
    end if;
  end loop;
end $$;
revoke all on function public.delete_files(uuid, text, text[]) from public, anon, authenticated;
grant execute on function public.delete_files(uuid, text, text[]) to service_role;
