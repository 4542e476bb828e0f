-- Uploads: a client reserves a place, sends the bytes to Storage with a signed URL, and completes the upload, which
-- checks what has arrived.

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
  stored_type text,
  refusal jsonb,
  version text,
  replayed boolean
);
comment on type public.upload_reservation is
  'An upload: where its bytes go (upload_path), where the file is when it is complete (path), until when it is reserved, and the type and version of the object that has arrived';

create function private.upload_reservation(upload public.file_uploads, replayed boolean default false)
returns public.upload_reservation
language plpgsql stable set search_path = ''
as $$
begin
  return row(upload.id, upload.bucket_name, upload.file_path, coalesce(upload.upload_path, upload.file_path),
    upload.file_name, upload.file_size, upload.mime_type, upload.project_id, upload.chat_id, upload.status,
    upload.expires_at,
    coalesce((select r.is_opaque from private.bucket_rules as r where r.bucket_id = upload.bucket_name), true),
    (select private.taken_content_type(o.bucket_id, o.metadata ->> 'mimetype', upload.file_name) from storage.objects as o
      where o.bucket_id = upload.bucket_name and o.name = coalesce(upload.upload_path, upload.file_path)),
    upload.refusal,
    (select o.version from storage.objects as o
      where o.bucket_id = upload.bucket_name and o.name = coalesce(upload.upload_path, upload.file_path)),
    replayed)::public.upload_reservation;
end $$;
revoke all on function private.upload_reservation(public.file_uploads, boolean)
  from public, anon, authenticated, service_role;

-- Checks -------------------------------------------------------------------------------------------

-- The extension of an object's name: that of its content type; otherwise that of the file's name, if it has one of 1 to
-- 10 letters and digits, which in a public bucket must be harmless; otherwise bin.
create function private.file_extension(content_type text, name text, is_public boolean)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(
    '{"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "application/pdf": "pdf",
      "text/plain": "txt", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/wav": "wav", "audio/webm": "webm",
      "audio/ogg": "ogg"}'::jsonb ->> content_type,
    case when not is_public or private.may_be_public(name, null) then
      lower(substring(name from '\.([A-Za-z0-9]{1,10})$')) end,
    'bin');
end $$;
revoke all on function private.file_extension(text, text, boolean) from public, anon, authenticated, service_role;

-- The one name of a file's content type in a bucket.
create function private.taken_content_type(bucket_id text, content_type text, name text)
returns text
language plpgsql stable set search_path = ''
as $$
begin
  return private.normal_content_type(content_type, name, (
    select private.takes_type(b.allowed_mime_types, 'application/octet-stream') from storage.buckets as b
    where b.id = taken_content_type.bucket_id));
end $$;
revoke all on function private.taken_content_type(text, text, text) from public, anon, authenticated, service_role;

-- Makes sure that a bucket accepts a file.
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
    raise exception '%', case
        when name is null or char_length(name) not between 1 and 1024 then 'name must be 1 to 1024 characters long'
        when name ~ '^\s*$' then 'name must not be blank'
        when name in ('.', '..') then 'name must not be "." or ".."'
        else 'name must not contain slashes, backslashes or control characters' end
      using errcode = 'PT422', detail = 'invalid_name';
  end if;
  if size is null or size < 1 then
    raise exception 'size must be 1 byte or more' using errcode = 'PT422', detail = 'invalid_size';
  end if;
  if content_type is null or char_length(content_type) > 255
    or content_type !~ '^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$' then
    raise exception 'content_type must be a media type such as image/png, at most 255 characters long'
      using errcode = 'PT422', detail = 'invalid_content_type', hint = 'Send the type that the browser says, or an empty string if it says none';
  end if;
  select b.* into v_bucket from storage.buckets as b where b.id = rule.bucket_id;
  if not private.takes_type(v_bucket.allowed_mime_types, content_type)
    or v_bucket.public and not private.may_be_public(null, content_type) then
    raise exception 'The bucket "%" does not accept files of type %', rule.bucket_id, content_type
      using errcode = 'PT422', detail = 'content_type_not_allowed '
        || jsonb_build_object('allowed', private.plain_content_types(v_bucket.allowed_mime_types))::text,
      hint = case when v_bucket.allowed_mime_types is null then 'Use a bucket that is not public'
        else 'Send a file of one of the allowed types, or use another bucket' end;
  end if;
  v_largest := least(rule.max_file_size, v_bucket.file_size_limit);
  if size > v_largest then
    raise exception 'The bucket "%" accepts files of at most % bytes', rule.bucket_id, v_largest
      using errcode = 'PT413', detail = 'file_too_large ' || jsonb_build_object('maximum', v_largest)::text,
      hint = 'Send a smaller file, or use another bucket';
  end if;
end $$;
revoke all on function private.check_file(private.bucket_rules, text, bigint, text)
  from public, anon, authenticated, service_role;

-- Makes sure that a user may attach a file to a project, which has to be their own, and locks the project so that
-- nobody deletes it meanwhile. A bucket whose files are in folders of chats needs a chat.
-- Raises: PT403 project_read_only, not_project_owner; PT404 project_not_found; PT409 project_deleted,
-- project_cloning; PT422 chat_required.
create function private.lock_upload_target(rule private.bucket_rules, user_id uuid, project_id uuid, chat_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_project public.projects;
begin
  if rule.path like '%{chat_id}%' and chat_id is null then
    raise exception 'A file in the bucket "%" must belong to a chat', rule.bucket_id
      using errcode = 'PT422', detail = 'chat_required', hint = 'Set chat_id to the id of the chat';
  end if;
  if project_id is not null then
    select p.* into v_project from public.projects as p
    where p.id = lock_upload_target.project_id and private.writes_project(p, lock_upload_target.user_id)
    for key share;
    if not found then
      perform private.refuse_project(project_id);
    end if;
    if v_project.user_id <> lock_upload_target.user_id then
      raise exception 'Only the owner of project "%" can attach files to it', project_id
        using errcode = 'PT403', detail = 'not_project_owner';
    end if;
    perform private.refuse_unavailable_project(v_project);
  end if;
end $$;
revoke all on function private.lock_upload_target(private.bucket_rules, uuid, uuid, uuid)
  from public, anon, authenticated, service_role;

-- reserve_upload ------------------------------------------------------------------------------------

-- Whether the file of an upload is at its file_path, with its size. If it replaces another file, the object there must
-- have been written since the upload was verified.
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

-- Completes a pending upload. When its file replaces another, the other's record is deleted.
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
  where u.status <> 'complete' and u.expires_at <= now();
revoke all on private.expired_uploads from public, anon, authenticated, service_role;

-- Gives up at most batch reservations and refused uploads that have expired, of one user or of all. A reservation whose
-- file has already replaced another is completed instead: the function that replaced it was interrupted. Returns how
-- many there were.
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

-- Makes sure that a user may have an upload URL for so many more bytes, or keep one whose bytes already count.
-- Raises: PT413 storage_quota_exceeded; PT429 too_many_uploads {retry_after}.
create function private.check_room(user_id uuid, bucket text, size bigint, is_counted boolean default false)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_most integer := private.setting('files.open_uploads');
  v_open integer;
  v_room bigint;
begin
  select count(*) + case when is_counted then 0 else 1 end into v_open
  from (
    select from public.file_uploads as u where u.user_id = check_room.user_id and u.status = 'pending'
    union all
    select from private.spent_uploads as s
    where s.user_id = check_room.user_id and s.expires_at > now()
      and not exists (select 1 from storage.objects as o where o.bucket_id = s.bucket_id and o.name = s.name)
    limit v_most + 1
  ) as open_urls;
  if v_open > v_most then
    raise exception 'At most % uploads can be open at the same time', v_most
      using errcode = 'PT429', detail = 'too_many_uploads ' || jsonb_build_object('retry_after', (
          select greatest(1, ceil(extract(epoch from min(x.expires_at) - now()))::integer)
          from (
            select u.expires_at from public.file_uploads as u where u.user_id = check_room.user_id and u.status = 'pending'
            union all
            select s.expires_at from private.spent_uploads as s where s.user_id = check_room.user_id and s.expires_at > now()
          ) as x))::text,
        hint = 'Complete the open uploads, or wait until they expire';
  end if;
  select least(r.in_all, r.in_bucket) + case when is_counted then size else 0 end into v_room
  from private.storage_room(user_id, bucket, case when is_counted then 0 else size end) as r;
  if size > v_room then
    raise exception 'Cannot store % bytes: % bytes are available', size, greatest(v_room, 0)
      using errcode = 'PT413', detail = 'storage_quota_exceeded '
        || jsonb_build_object('available', greatest(v_room, 0), 'required', size)::text,
        hint = 'Delete files first, or ask for a larger quota';
  end if;
end $$;
revoke all on function private.check_room(uuid, text, bigint, boolean) from public, anon, authenticated, service_role;

-- Reserves an upload: checks the bucket's rules and the user's right to the project, sets the bytes aside, chooses a
-- path and records the upload as pending. name has 1 to 1024 characters; size is in bytes; content_type is recorded
-- under its one name. The reservations of one user run one after the other, so exactly those that fit succeed, however
-- many arrive at once. actor is user or service. With the key of an earlier reservation it returns that one and renews
-- it.
-- Definer: no role may read the rules or lock storage_accounts. For the service only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only, not_project_owner; PT404 bucket_not_found,
-- project_not_found, chat_not_found, user_not_found; PT409 project_deleted, project_cloning, upload_already_complete,
-- upload_expired; PT413 file_too_large, storage_quota_exceeded; PT422 invalid_name, invalid_size, invalid_content_type,
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
  v_extension text;
  v_path text;
begin
  if (private.lock_storage_account(reserve_upload.user_id)).user_id is null then
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
      raise exception 'Upload "%" %', v_first ->> 'id',
        case v_upload.status when 'complete' then 'is already complete' when 'refused' then 'was refused' else 'has expired' end
        using errcode = 'PT409', detail = case v_upload.status when 'complete' then 'upload_already_complete'
          else 'upload_expired' end, hint = 'Reserve another upload, with a new idempotency key';
    end if;
    -- The new URL can bring as many bytes again as the first one has.
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
  content_type := private.taken_content_type(bucket, content_type, name);
  perform private.check_file(v_rule, name, size, content_type);
  perform private.lock_upload_target(v_rule, user_id, project_id, chat_id);

  perform private.check_room(user_id, bucket, size);

  v_extension := private.file_extension(content_type, name,
    (select b.public from storage.buckets as b where b.id = bucket));
  v_path := replace(replace(replace(replace(v_rule.path, '{user_id}', user_id::text),
    '{chat_id}', coalesce(chat_id::text, '')), '{id}', v_id::text), '{extension}', v_extension);
  insert into public.file_uploads as u (id, user_id, project_id, chat_id, file_name, file_path, upload_path, file_size,
    mime_type, bucket_name, is_public, status, expires_at)
  select v_id, reserve_upload.user_id, reserve_upload.project_id, reserve_upload.chat_id, reserve_upload.name, v_path,
    -- A file that replaces another is uploaded beside it: the old one stays until the new one is complete.
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

-- Locks and returns an upload of a user: a complete one, or a pending one that has not expired.
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
    and exists (select 1 from auth.users as a where a.id = u.user_id)
  for update;
  if not found then
    raise exception 'There is no upload "%"', upload_id using errcode = 'PT404', detail = 'upload_not_found';
  end if;
  if v_upload.status = 'pending' and v_upload.expires_at <= now() then
    raise exception 'Upload "%" has expired', upload_id
      using errcode = 'PT409', detail = 'upload_expired', hint = 'Reserve another upload';
  end if;
  return v_upload;
end $$;
revoke all on function private.lock_upload(uuid, uuid) from public, anon, authenticated, service_role;

-- Makes sure that the object at an upload's upload_path still has the version that was checked. The caller holds the lock
-- of the user's account, as does whoever writes the object. Without a version, the caller answers for what is there.
-- Raises: PT409 upload_changed.
create function private.keep_version(upload public.file_uploads, version text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if version is not null and not exists (
    select 1 from storage.objects as o
    where o.bucket_id = upload.bucket_name and o.name = upload.upload_path and o.version = keep_version.version) then
    raise exception 'The file of upload "%" has changed since it was checked', upload.id
      using errcode = 'PT409', detail = 'upload_changed', hint = 'Complete the upload again';
  end if;
end $$;
revoke all on function private.keep_version(public.file_uploads, text) from public, anon, authenticated, service_role;

-- Returns an upload of a user, pending or complete, so that the caller can check what was stored. version is that of the
-- object: pass it on with the result of the check.
-- Definer: no role may read the rules. For the service only, which answers for user_id.
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

-- Records that an upload was found to be as declared, in this version, before its file replaces another. From then on,
-- nobody can write to its upload_path, and only the service can write to its path: a file of the size and type that
-- were found. If the function is interrupted after the replacement, a later call completes the upload. Until then
-- nothing at that path is removed; a removal that has begun ends first. The path belongs to this upload alone for
-- files.lease. After that, another upload to the same path completes this one, if its file was written, or takes its
-- turn.
-- Definer: no role may read the rules. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_expired, upload_changed; PT503 try_again.
create function public.verify_upload(user_id uuid, upload_id uuid, version text default null)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_upload public.file_uploads;
  v_other public.file_uploads;
begin
  -- The calls for one user run one after the other. As in reserve_upload, this lock comes before that of an upload.
  perform private.lock_storage_account(verify_upload.user_id);
  v_upload := private.lock_upload(user_id, upload_id);
  if v_upload.status <> 'pending' then
    return private.upload_reservation(v_upload);
  end if;
  perform private.keep_version(v_upload, verify_upload.version);
  if exists (
    select 1 from private.storage_removals as r
    where r.bucket_id = v_upload.bucket_name and r.name = v_upload.file_path and r.due_at > now() and r.last_error is null) then
    raise exception 'The old file at "%" is being removed', v_upload.file_path
      using errcode = 'PT503', detail = 'try_again', hint = 'Try again in a moment';
  end if;
  for v_other in
    select u.* from public.file_uploads as u
    where u.user_id = v_upload.user_id and u.status = 'pending' and u.bucket_name = v_upload.bucket_name
      and u.file_path = v_upload.file_path and u.id <> v_upload.id and u.verified_at is not null
    order by u.id
    for update
  loop
    if v_other.verified_at > now() - private.retention('files.lease') then
      raise exception 'Another upload is replacing the file at "%"', v_upload.file_path
        using errcode = 'PT503', detail = 'try_again', hint = 'Try again in a moment';
    end if;
    if private.is_in_place(v_other) then
      perform private.finish_upload(v_other);
    else
      update public.file_uploads as u set verified_at = null where u.id = v_other.id;
    end if;
  end loop;
  -- Storage keeps the owner of an object that the service overwrites. Without one, only the service leaves it without.
  -- Skipped if somebody writes it now, who may wait for the lock of the account.
  update storage.objects as o set owner = null, owner_id = null
  where o.id in (
    select x.id from storage.objects as x
    where x.bucket_id = v_upload.bucket_name and x.name = v_upload.file_path and x.owner_id is not null
    for no key update skip locked);
  if exists (
    select 1 from storage.objects as o
    where o.bucket_id = v_upload.bucket_name and o.name = v_upload.file_path and o.owner_id is not null) then
    raise exception 'Another upload is writing the file at "%"', v_upload.file_path
      using errcode = 'PT503', detail = 'try_again', hint = 'Try again in a moment';
  end if;
  update public.file_uploads as u
  set verified_at = now(),
    -- A repeated call may have written the file the first time.
    replaced_version = case when u.verified_at is null then
      (select o.version from storage.objects as o where o.bucket_id = u.bucket_name and o.name = u.file_path)
      else u.replaced_version end
  where u.id = v_upload.id
  returning u.* into v_upload;
  return private.upload_reservation(v_upload);
end $$;
revoke all on function public.verify_upload(uuid, uuid, text) from public, anon, authenticated;
grant execute on function public.verify_upload(uuid, uuid, text) to service_role;

-- Completes an upload whose object the caller has checked, in this version, and put at its path. From then on its real size
-- counts, and no client can write to its path. Completing it again returns the same.
-- Definer: no role may read the rules. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_expired, upload_missing, upload_changed.
create function public.complete_upload(user_id uuid, upload_id uuid, version text default null)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_upload public.file_uploads;
begin
  -- Whoever writes the object has this lock too, and then looks whether the upload is complete.
  perform private.lock_storage_account(complete_upload.user_id);
  v_upload := private.lock_upload(user_id, upload_id);
  if v_upload.status = 'complete' then
    return private.upload_reservation(v_upload, true);
  end if;
  if v_upload.status = 'refused' then
    raise exception 'Upload "%" was refused', upload_id
      using errcode = 'PT409', detail = 'upload_expired', hint = 'Reserve another upload';
  end if;
  -- It may have been removed since it was checked.
  if not private.is_in_place(v_upload) then
    raise exception 'Nothing has been uploaded for upload "%" yet', upload_id
      using errcode = 'PT409', detail = 'upload_missing', hint = 'Upload the file first';
  end if;
  perform private.keep_version(v_upload, complete_upload.version);
  return private.upload_reservation(private.finish_upload(v_upload));
end $$;
revoke all on function public.complete_upload(uuid, uuid, text) from public, anon, authenticated;
grant execute on function public.complete_upload(uuid, uuid, text) to service_role;

-- Gives up a pending upload: its bytes are free again, and a stored object is queued for removal. Returns whether the
-- upload was still pending.
-- Definer: it does not depend on the grants on file_uploads. For the service only, which answers for user_id.
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

-- Deletes 1 to 1000 files of a user, by their paths in a bucket: it deletes the records that name them, and queues the
-- objects for removal. Returns the paths that were the user's, each with whether an object is queued; others are left
-- out.
-- Definer: no role may write the queue. For the service only, which answers for user_id.
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
    raise exception 'paths must be a list of 1 to 1000 paths' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  perform public.get_bucket_terms(bucket);
  -- In order, so that two calls with the same paths cannot deadlock.
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
