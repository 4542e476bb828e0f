-- What becomes of objects whose last reference goes: queued for removal by triggers, in the transaction of whatever
-- change it was, and removed through the Storage API.

-- storage_removals ----------------------------------------------------------------------------------

create table private.storage_removals (
  bucket_id text not null,
  name text not null,
  version text,
  asked boolean not null default false,
  queued_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  attempts integer not null default 0,
  last_error text,
  primary key (bucket_id, name)
);
comment on table private.storage_removals is
  'Objects that nothing refers to any more. Their rows are not deleted by SQL: the Storage API removes them, then they leave this list';
comment on column private.storage_removals.version is
  'The object''s version when it was queued: one that was written since is another';
comment on column private.storage_removals.asked is
  'Whether its owner asked for its removal: that a chat lists it as an image does not hold it then';
comment on column private.storage_removals.due_at is
  'When it may be handed out: later while somebody is removing it, and after each failure';
revoke all on private.storage_removals from public, anon, authenticated, service_role;
create index storage_removals_due_at on private.storage_removals (due_at);

create index storage_removals_name on private.storage_removals (name text_pattern_ops);

-- Whether a row refers to an object. Only rows of the user whose folder it is in: else anyone could keep it from removal.
-- with_images: whether the lists of images in chats count.
create function private.is_referenced(bucket_id text, name text, with_images boolean)
returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_owner uuid := private.object_owner(name);
begin
  return exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = is_referenced.bucket_id and u.file_path = is_referenced.name and u.status = 'complete'
        and u.user_id = v_owner)
    or is_referenced.bucket_id = 'project-files' and exists (
      select 1 from public.project_files as f where f.storage_path = is_referenced.name and f.user_id = v_owner)
    or with_images and is_referenced.bucket_id = 'chat-images' and exists (
      select 1 from public.encrypted_chats as c
      where c.image_paths @> array[is_referenced.name] and c.image_paths <> '{}' and c.user_id = v_owner);
end $$;
revoke all on function private.is_referenced(text, text, boolean) from public, anon, authenticated, service_role;

-- Queueing ------------------------------------------------------------------------------------------

-- Queues an object of a user that is there and that nothing refers to. Anything else is nothing to remove, so that each
-- entry is one that can be worked off.
create function private.queue_removal(owner_id uuid, bucket_id text, name text, asked boolean default false)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into private.storage_removals as q (bucket_id, name, version, asked)
  select o.bucket_id, o.name, o.version, queue_removal.asked
  from storage.objects as o join private.bucket_rules as r on r.bucket_id = o.bucket_id
  where o.bucket_id = queue_removal.bucket_id and o.name = queue_removal.name
    and private.object_owner(o.name) = queue_removal.owner_id
    and not private.is_referenced(o.bucket_id, o.name, with_images => not queue_removal.asked)
  on conflict on constraint storage_removals_pkey do update
    set version = excluded.version, asked = q.asked or excluded.asked;
end $$;
revoke all on function private.queue_removal(uuid, text, text, boolean) from public, anon, authenticated, service_role;

create table private.spent_uploads (
  bucket_id text not null,
  name text not null,
  user_id uuid not null,
  expires_at timestamptz not null,
  primary key (bucket_id, name)
);
comment on table private.spent_uploads is
  'Upload URLs that may still be good though their row is gone: what they bring is found when they are not any more';
revoke all on private.spent_uploads from public, anon, authenticated, service_role;
create index spent_uploads_user_id on private.spent_uploads (user_id);
create index spent_uploads_expires_at on private.spent_uploads (expires_at);

-- An upload that began while its URL was good ends no later than this after.
create function private.upload_grace()
returns interval
language plpgsql immutable set search_path = ''
as $$
begin
  return interval '1 hour';
end $$;
revoke all on function private.upload_grace() from public, anon, authenticated, service_role;

-- Keeps in mind an upload URL whose row goes, or that is done with.
create function private.keep_spent_upload(upload public.file_uploads)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if upload.upload_path is not null and upload.expires_at + private.upload_grace() > now() then
    insert into private.spent_uploads (bucket_id, name, user_id, expires_at)
    values (upload.bucket_name, upload.upload_path, upload.user_id, upload.expires_at)
    on conflict do nothing;
  end if;
end $$;
revoke all on function private.keep_spent_upload(public.file_uploads) from public, anon, authenticated, service_role;

create function private.queue_upload()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- While it is pending, only what came by its URL is its own: at file_path is what it was to replace.
  perform private.queue_removal(old.user_id, old.bucket_name,
    case when old.status = 'complete' then old.file_path else old.upload_path end);
  if tg_op = 'DELETE' then
    perform private.keep_spent_upload(old);
  end if;
  return null;
end $$;
comment on function private.queue_upload() is
  'Trigger function: queues the object of a record that goes or names another. Definer: the list is nobody''s to write';
revoke all on function private.queue_upload() from public, anon, authenticated, service_role;
create trigger queue_upload_deleted after delete on public.file_uploads
  for each row execute function private.queue_upload();
create trigger queue_upload_moved after update on public.file_uploads
  for each row when (old.status = 'complete'
    and (old.bucket_name, old.file_path) is distinct from (new.bucket_name, new.file_path))
  execute function private.queue_upload();

create function private.queue_project_file()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The record of its upload is of the same file, unless it was uploaded to another project, or to none.
  if not exists (
    select 1 from public.project_files as f where f.storage_path = old.storage_path and f.user_id = old.user_id) then
    delete from public.file_uploads as u
    where u.bucket_name = 'project-files' and u.file_path = old.storage_path and u.user_id = old.user_id
      and u.project_id = old.project_id and u.status = 'complete' and u.upload_path is not null;
  end if;
  perform private.queue_removal(old.user_id, 'project-files', old.storage_path);
  return null;
end $$;
comment on function private.queue_project_file() is
  'Trigger function: queues the object of a project''s file that goes or names another. Definer: the list is nobody''s to write';
revoke all on function private.queue_project_file() from public, anon, authenticated, service_role;
create trigger queue_project_file_deleted after delete on public.project_files
  for each row execute function private.queue_project_file();
create trigger queue_project_file_moved after update on public.project_files
  for each row when (old.storage_path <> new.storage_path) execute function private.queue_project_file();

create function private.queue_chat_images()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_folder text := old.user_id || '/' || old.id;
  v_name text;
begin
  for v_name in
    select o.name from storage.objects as o
    where o.bucket_id = 'chat-images' and o.name operator(pg_catalog.~>=~) (v_folder || '/')
      and o.name operator(pg_catalog.~<~) (v_folder || '0')
    union
    select p.name from unnest(old.image_paths) as p (name)
  loop
    perform private.queue_removal(old.user_id, 'chat-images', v_name);
  end loop;
  return null;
end $$;
comment on function private.queue_chat_images() is
  'Trigger function: queues what is in the folder of a deleted chat, and its images. Definer: the list is nobody''s to write';
revoke all on function private.queue_chat_images() from public, anon, authenticated, service_role;
create trigger queue_chat_images after delete on public.encrypted_chats
  for each row execute function private.queue_chat_images();

create function private.queue_account_objects()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.storage_removals as q (bucket_id, name, version)
  select o.bucket_id, o.name, o.version
  from storage.objects as o join private.bucket_rules as r on r.bucket_id = o.bucket_id
  where o.name operator(pg_catalog.~>=~) (old.id || '/') and o.name operator(pg_catalog.~<~) (old.id || '0')
  on conflict do nothing;
  return null;
end $$;
comment on function private.queue_account_objects() is
  'Trigger function: queues all that a deleted account has stored. Definer: it runs for the Auth server''s role too, which has no rights here';
revoke all on function private.queue_account_objects() from public, anon, authenticated, service_role;
create trigger on_auth_user_deleted_queue_objects after delete on auth.users
  for each row execute function private.queue_account_objects();

-- Working the list off ------------------------------------------------------------------------------

-- The queue as it is due now: what an upload under way is to replace waits for it. is_garbage: the object is there, as it
-- was queued or of an account that is gone, and nothing has come to refer to it; another entry has nothing to remove.
create view private.due_storage_removals as
  select r.bucket_id, r.name, r.due_at,
    not private.is_referenced(r.bucket_id, r.name, with_images => not r.asked)
      and exists (
        select 1 from storage.objects as o
        where o.bucket_id = r.bucket_id and o.name = r.name
          and (o.version is not distinct from r.version
            or not exists (select 1 from auth.users as u where u.id = private.object_owner(r.name)))) as is_garbage
  from private.storage_removals as r
  where r.due_at <= now()
    and not exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = r.bucket_id and u.file_path = r.name and u.status = 'pending'
        and u.user_id = private.object_owner(r.name));
revoke all on private.due_storage_removals from public, anon, authenticated, service_role;

-- Objects whose removal is queued, those due longest first: what the caller removes through the Storage API and then
-- reports with storage_objects_removed or storage_removals_failed. Whoever does not report within five minutes, the
-- longest that a function lives and twice that, leaves them to the next. What is not there any more, has come to be
-- referred to, or was written anew by its user since, leaves the list.
-- Definer: the list is nobody's to read. For the service only.
-- Raises: PT422 invalid_batch.
create function public.next_storage_removals(batch integer default 1000)
returns table (bucket_id text, name text)
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due record;
  v_handed integer := 0;
  v_seen integer;
begin
  if batch is null or batch not between 1 and 1000 then
    raise exception 'A batch has 1 to 1000 objects' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  loop
    v_seen := 0;
    for v_due in
      -- Of the view, the entries alone are locked: what else it looks at is in subqueries.
      select d.bucket_id, d.name, d.is_garbage from private.due_storage_removals as d
      order by d.due_at
      limit batch - v_handed
      for update skip locked
    loop
      v_seen := v_seen + 1;
      if v_due.is_garbage then
        v_handed := v_handed + 1;
        update private.storage_removals as r
        set attempts = r.attempts + 1, due_at = now() + interval '5 minutes'
        where r.bucket_id = v_due.bucket_id and r.name = v_due.name;
        bucket_id := v_due.bucket_id;
        name := v_due.name;
        return next;
      else
        delete from private.storage_removals as r where r.bucket_id = v_due.bucket_id and r.name = v_due.name;
      end if;
    end loop;
    exit when v_seen = 0 or v_handed = batch;
  end loop;
end $$;
revoke all on function public.next_storage_removals(integer) from public, anon, authenticated;
grant execute on function public.next_storage_removals(integer) to service_role;

-- Takes objects that the Storage API has removed, or does not have, off the list. Returns how many were on it.
-- Definer: the list is nobody's to write. For the service only.
create function public.storage_objects_removed(bucket_id text, names text[])
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_removed integer;
begin
  delete from private.storage_removals as r
  where r.bucket_id = storage_objects_removed.bucket_id and r.name = any (names);
  get diagnostics v_removed = row_count;
  return v_removed;
end $$;
revoke all on function public.storage_objects_removed(text, text[]) from public, anon, authenticated;
grant execute on function public.storage_objects_removed(text, text[]) to service_role;

-- Keeps objects that the Storage API could not remove on the list, with the reason, to be tried again: after a minute, and
-- each time after twice as long, up to an hour. Returns how many were on it.
-- Definer: the list is nobody's to write. For the service only.
create function public.storage_removals_failed(bucket_id text, names text[], error text)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_failed integer;
begin
  update private.storage_removals as r
  set last_error = left(error, 1000),
    due_at = now() + least(interval '1 hour', interval '1 minute' * 2 ^ least(r.attempts - 1, 10))
  where r.bucket_id = storage_removals_failed.bucket_id and r.name = any (names);
  get diagnostics v_failed = row_count;
  return v_failed;
end $$;
revoke all on function public.storage_removals_failed(text, text[], text) from public, anon, authenticated;
grant execute on function public.storage_removals_failed(text, text[], text) to service_role;
