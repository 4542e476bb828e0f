-- Removals of objects: when the last reference to an object goes, a trigger queues it in the same transaction. The
-- cleanup removes it through the Storage API.

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
  'The queue of objects that nothing refers to. SQL cannot delete them: the Storage API removes them, and then they leave the queue';
comment on column private.storage_removals.version is
  'The object''s version when it was queued; an object with another version was written since';
comment on column private.storage_removals.asked is
  'Whether its owner asked for the removal: then a mention in a list does not keep it';
comment on column private.storage_removals.due_at is
  'When it may be handed out: later while it is being removed, and after each failure';
comment on column private.storage_removals.attempts is 'How often it was handed out';
revoke all on private.storage_removals from public, anon, authenticated, service_role;
create index storage_removals_due_at on private.storage_removals (due_at);
create index storage_removals_name on private.storage_removals (name text_pattern_ops);

-- References ----------------------------------------------------------------------------------------

create type private.removal_cause as enum ('asked', 'released', 'orphaned');
comment on type private.removal_cause is
  'Why an object may have to be removed: its owner asked for it; a row that referred to it was deleted; or the cleanup found it without a row';

-- Whether a row of project_files refers to an object.
create function private.keeps_project_file(owner_id uuid, name text, cause private.removal_cause)
returns boolean
language plpgsql stable set search_path = ''
as $$
-- Every kept_by is passed the cause, which this one does not need. @plpgsql_check_options: extra_warnings = false
begin
  return exists (
    select 1 from public.project_files as f where f.storage_path = keeps_project_file.name and f.user_id = owner_id);
end $$;
revoke all on function private.keeps_project_file(uuid, text, private.removal_cause)
  from public, anon, authenticated, service_role;

-- Whether a row refers to an object: of file_uploads, or one that the bucket's kept_by looks for. Only rows of the user
-- in whose folder the object is count: otherwise anyone could keep it from removal.
create function private.is_referenced(bucket_id text, name text, cause private.removal_cause)
returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_owner uuid := private.object_owner(name);
  v_kept_by text;
  v_kept boolean := false;
begin
  if exists (
    select 1 from public.file_uploads as u
    where u.bucket_name = is_referenced.bucket_id and u.file_path = is_referenced.name and u.status = 'complete'
      and u.user_id = v_owner) then
    return true;
  end if;
  select r.kept_by into v_kept_by from private.bucket_rules as r where r.bucket_id = is_referenced.bucket_id;
  if v_kept_by is not null then
    execute format('select private.%I($1, $2, $3)', v_kept_by) using v_owner, name, cause into v_kept;
  end if;
  return v_kept;
end $$;
revoke all on function private.is_referenced(text, text, private.removal_cause)
  from public, anon, authenticated, service_role;

-- Queueing ------------------------------------------------------------------------------------------

-- Queues an object in a user's folder, if it exists and nothing refers to it. asked: its owner asked for the removal.
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
    and not private.is_referenced(o.bucket_id, o.name,
      case when queue_removal.asked then 'asked' else 'released' end::private.removal_cause)
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
  'Upload URLs that may still be valid although their row is gone. When they have ended, the cleanup queues what they brought';
revoke all on private.spent_uploads from public, anon, authenticated, service_role;
create index spent_uploads_user_id on private.spent_uploads (user_id);
create index spent_uploads_expires_at on private.spent_uploads (expires_at);

-- Remembers the upload URL of an upload whose row goes, or that was completed, for as long as it may bring an object.
create function private.keep_spent_upload(upload public.file_uploads)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if upload.upload_path is not null and upload.expires_at + private.retention('files.upload_grace') > now() then
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
  -- A pending upload owns only the object at upload_path: at file_path is the one that it was to replace.
  -- The objects of a deleted account are queued below, without a look at each of its rows.
  if exists (select 1 from auth.users as u where u.id = old.user_id) then
    perform private.queue_removal(old.user_id, old.bucket_name,
      case when old.status = 'complete' then old.file_path else old.upload_path end);
  end if;
  if tg_op = 'DELETE' then
    perform private.keep_spent_upload(old);
  end if;
  return null;
end $$;
comment on function private.queue_upload() is
  'Trigger function: queues the object of a record that is deleted or now names another. Definer: no role may write the queue';
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
  if not exists (select 1 from auth.users as u where u.id = old.user_id) then
    return null;
  end if;
  -- The record of its upload goes too, unless that names another project, or none.
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
  'Trigger function: queues the object of a project file that is deleted or now names another. Definer: no role may write the queue';
revoke all on function private.queue_project_file() from public, anon, authenticated, service_role;
create trigger queue_project_file_deleted after delete on public.project_files
  for each row execute function private.queue_project_file();
create trigger queue_project_file_moved after update on public.project_files
  for each row when (old.storage_path <> new.storage_path) execute function private.queue_project_file();

-- All objects of a deleted account, once no row refers to them any more.
insert into private.account_rows (name, place, statement) values
  ('objects', 60, 'insert into private.storage_removals (bucket_id, name, version)
    select o.bucket_id, o.name, o.version
    from storage.objects as o join private.bucket_rules as r on r.bucket_id = o.bucket_id
    where o.name operator(pg_catalog.~>=~) ($1 || ''/'') and o.name operator(pg_catalog.~<~) ($1 || ''0'')
      and not exists (select 1 from private.storage_removals as q where q.bucket_id = o.bucket_id and q.name = o.name)
    limit $2
    on conflict do nothing');

-- Working through the queue -------------------------------------------------------------------------

-- The entries that are due now. An object that a pending upload is about to replace waits for that. is_garbage: the
-- object exists, in the version that was queued or for an account that is gone, and nothing refers to it. is_stored: it
-- exists in that version; then something refers to it again, or it is garbage.
create view private.due_storage_removals as
  select r.bucket_id, r.name, r.due_at,
    not private.is_referenced(r.bucket_id, r.name,
        case when r.asked then 'asked' else 'released' end::private.removal_cause)
      and exists (
        select 1 from storage.objects as o
        where o.bucket_id = r.bucket_id and o.name = r.name
          and (o.version is not distinct from r.version
            or not exists (select 1 from auth.users as u where u.id = private.object_owner(r.name)))) as is_garbage,
    exists (
      select 1 from storage.objects as o
      where o.bucket_id = r.bucket_id and o.name = r.name and o.version is not distinct from r.version) as is_stored
  from private.storage_removals as r
  where r.due_at <= now()
    and not exists (
      select 1 from public.file_uploads as u
      where u.bucket_name = r.bucket_id and u.file_path = r.name and u.status = 'pending'
        and u.user_id = private.object_owner(r.name));
revoke all on private.due_storage_removals from public, anon, authenticated, service_role;

-- Whether an object that is queued, and so does not count, may count again, because something refers to it again: whether
-- there is room for it. Null if somebody else has the account locked: this never waits, as its caller has locked entries
-- of the queue, for which the others may wait.
create function private.may_count_again(bucket_id text, name text)
returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner uuid := private.object_owner(name);
begin
  perform from private.storage_accounts as a where a.user_id = v_owner for no key update skip locked;
  if not found then
    return case when exists (select 1 from private.storage_accounts as a where a.user_id = v_owner) then null else true end;
  end if;
  return (
    select coalesce((o.metadata ->> 'size')::bigint, 0) <= least(r.in_all, r.in_bucket)
    from storage.objects as o
    cross join lateral private.storage_room(v_owner, o.bucket_id) as r
    where o.bucket_id = may_count_again.bucket_id and o.name = may_count_again.name);
end $$;
revoke all on function private.may_count_again(text, text) from public, anon, authenticated, service_role;

-- Hands out 1 to 1000 objects that are due, the longest due first. The caller removes them through the Storage API and
-- reports with storage_objects_removed or storage_removals_failed. Objects that are not reported within files.lease are
-- handed out again. Entries with nothing to remove leave the queue: the object is gone, was written again since, or is
-- referred to again. An object that is referred to again, and for which there is no room any more, is removed all the
-- same: otherwise a user could store twice as much by letting go of what is stored and taking it back.
-- Definer: no role may read the queue. For the service only.
-- Raises: PT422 invalid_batch.
create function public.next_storage_removals(batch integer default 1000)
returns table (bucket_id text, name text)
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due record;
  v_handed integer := 0;
  v_seen integer;
  v_fits boolean;
begin
  if batch is null or batch not between 1 and 1000 then
    raise exception 'batch must be a number from 1 to 1000' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  loop
    v_seen := 0;
    for v_due in
      -- This locks the entries alone: everything else that the view reads is in subqueries.
      select d.bucket_id, d.name, d.is_garbage, d.is_stored from private.due_storage_removals as d
      order by d.due_at
      limit batch - v_handed
      for update skip locked
    loop
      v_seen := v_seen + 1;
      v_fits := v_due.is_garbage or not v_due.is_stored or private.may_count_again(v_due.bucket_id, v_due.name);
      if v_fits is null then
        update private.storage_removals as r set due_at = now() + private.retention('files.first_retry')
        where r.bucket_id = v_due.bucket_id and r.name = v_due.name;
      elsif v_due.is_garbage or not v_fits then
        v_handed := v_handed + 1;
        update private.storage_removals as r
        set attempts = r.attempts + 1, due_at = now() + private.retention('files.lease')
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

-- Takes objects off the queue that the Storage API has removed or does not have. Returns how many were queued.
-- Definer: no role may write the queue. For the service only.
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

-- Records that the Storage API could not remove objects, and why. They are tried again after files.first_retry, and
-- after each further failure twice as late, up to files.longest_retry. Returns how many were queued.
-- Definer: no role may write the queue. For the service only.
create function public.storage_removals_failed(bucket_id text, names text[], error text)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_failed integer;
begin
  update private.storage_removals as r
  set last_error = left(error, 1000),
    due_at = now() + least(
      private.retention('files.longest_retry'), private.retention('files.first_retry') * 2 ^ least(r.attempts - 1, 20))
  where r.bucket_id = storage_removals_failed.bucket_id and r.name = any (names);
  get diagnostics v_failed = row_count;
  return v_failed;
end $$;
revoke all on function public.storage_removals_failed(text, text[], text) from public, anon, authenticated;
grant execute on function public.storage_removals_failed(text, text[], text) to service_role;
