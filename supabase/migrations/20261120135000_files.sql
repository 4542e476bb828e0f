-- Files: the records of what users have uploaded to the buckets, or have reserved.

-- file_uploads -----------------------------------------------------------------------------------

create table public.file_uploads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  project_id uuid references public.projects (id) on delete cascade,
  chat_id uuid,
  file_name text not null,
  file_path text not null,
  file_size bigint,
  mime_type text,
  bucket_name text not null,
  is_public boolean not null default false,
  metadata jsonb not null default '{}'::jsonb,
  status text not null default 'complete',
  upload_path text,
  expires_at timestamptz,
  verified_at timestamptz,
  replaced_version text,
  refusal jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint file_uploads_status_check check (status in ('pending', 'complete', 'refused')),
  constraint file_uploads_refusal_check check ((status = 'refused') = (refusal is not null)),
  constraint file_uploads_pending_check check (status = 'complete'
    or (upload_path is not null and expires_at is not null and file_size is not null)),
  constraint file_uploads_file_name_check check (file_name <> ''),
  constraint file_uploads_file_size_check check (file_size >= 0)
);
comment on table public.file_uploads is
  'Files in buckets: those that a client uploaded and recorded itself, and those that it reserved with POST /files/uploads';
comment on column public.file_uploads.chat_id is 'The chat that the file belongs to; only the server writes it';
comment on column public.file_uploads.status is
  'pending until the upload is completed, or refused because its file is not as declared; only the server writes it';
comment on column public.file_uploads.refusal is
  'Why the file was refused: rule (size, content_type or content), expected and actual';
comment on column public.file_uploads.upload_path is
  'Where the upload URL puts the bytes: not file_path when the file replaces another. Null when there was no upload URL';
comment on column public.file_uploads.expires_at is
  'Until when the reservation is valid, or a refused file is kept; the upload URL ends earlier';
comment on column public.file_uploads.verified_at is
  'When the upload was found to be as declared and began to replace another file';
comment on column public.file_uploads.replaced_version is
  'The version that the object at file_path had then; an object with another version was written since. Null when there was none';

create index idx_file_uploads_user_id on public.file_uploads (user_id, created_at desc);
-- With the id, in whose order a clone copies them.
create index idx_file_uploads_project_id on public.file_uploads (project_id, id);

alter table public.file_uploads enable row level security;
revoke all on public.file_uploads from public, anon, authenticated, service_role;
grant select on public.file_uploads to authenticated;
grant insert (id, user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name,
  is_public, metadata, updated_at)
  on public.file_uploads to authenticated;
grant update (project_id, file_name, file_path, file_size, mime_type, bucket_name, is_public,
  metadata, updated_at)
  on public.file_uploads to authenticated;
grant delete on public.file_uploads to authenticated;
grant select, insert, update, delete on public.file_uploads to service_role;

create index file_uploads_user_chat on public.file_uploads (user_id, chat_id);
create index file_uploads_object on public.file_uploads (bucket_name, file_path, user_id);
create index file_uploads_pending on public.file_uploads (user_id) where status = 'pending';
create index file_uploads_upload_path on public.file_uploads (bucket_name, upload_path) where status <> 'complete';
create index file_uploads_expiry on public.file_uploads (expires_at) where status <> 'complete';

create policy "a deleted account has no access" on public.file_uploads
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own uploads and those in their teams' projects" on public.file_uploads
  for select to authenticated
  using (user_id = (select auth.uid()) or project_id = any (array(select private.my_team_project_ids())));
create policy "users create their own uploads" on public.file_uploads
  for insert to authenticated
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users update their own uploads" on public.file_uploads
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and (project_id is null or exists (
    select 1 from public.projects as p where p.id = project_id and p.user_id = (select auth.uid()))));
create policy "users delete their own uploads" on public.file_uploads
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger update_file_uploads_updated_at before update on public.file_uploads
  for each row execute function public.update_updated_at_column();
create trigger require_account after insert or update of user_id on public.file_uploads
  for each row execute function private.require_account();

insert into private.account_rows (name, place, statement) values
  ('file_uploads', 20, 'delete from public.file_uploads where ctid = any (array(
    select ctid from public.file_uploads where user_id = $1 limit $2))');

select private.limit_table('public.file_uploads', rows => 100000, bytes => 67108864);

-- Only the server writes what it has checked, or will: a client that could change it could upload something else than it
-- reserved, or say of an unchecked object that it was checked.
create function private.keep_upload()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if old.status = 'pending' then
    raise exception 'Upload "%" is not complete, so its record cannot be changed', old.id
      using errcode = '42501', hint = 'Complete the upload first, or delete the record and reserve another upload';
  end if;
  raise exception 'The server has checked file "%", so its path, bucket, size and type cannot be changed', old.id
    using errcode = '42501', hint = 'Reserve another upload, or delete the record and insert one of your own';
end $$;
comment on function private.keep_upload() is
  'Trigger function: refuses to change what the record of an upload says of its object';
revoke all on function private.keep_upload() from public, anon, authenticated, service_role;

create trigger keep_upload before update on public.file_uploads
  for each row
  when (old.upload_path is not null
    and (new.user_id, new.bucket_name, new.file_path, new.upload_path, new.file_size, new.mime_type, new.chat_id)
      is distinct from
      (old.user_id, old.bucket_name, old.file_path, old.upload_path, old.file_size, old.mime_type, old.chat_id))
  execute function private.keep_upload();

-- Uploads of projects -------------------------------------------------------------------------------

create function private.count_project_uploads(project_id uuid)
returns integer
language plpgsql stable set search_path = ''
as $$
begin
  return (select count(*) from public.file_uploads as u where u.project_id = count_project_uploads.project_id);
end $$;
revoke all on function private.count_project_uploads(uuid) from public, anon, authenticated, service_role;

-- Deletes records of uploads in a project, at most as many as given. Returns how many.
create function private.delete_project_uploads(project_id uuid, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted integer;
begin
  delete from public.file_uploads as u
  where u.id = any (array(
    select x.id from public.file_uploads as x where x.project_id = delete_project_uploads.project_id limit most));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
revoke all on function private.delete_project_uploads(uuid, integer) from public, anon, authenticated, service_role;

-- Copies the records of the next uploads into a clone, at most as many as given, in the order of their ids: those of the
-- user that are complete. Returns the clone with how far it has come.
create function private.copy_project_uploads(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_ids uuid[] := array(
    select u.id from public.file_uploads as u
    where u.project_id = clone.source_id and u.id > clone.after_id order by u.id limit most);
  v_copied integer;
begin
  insert into public.file_uploads
    (user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name, is_public, metadata)
  select u.user_id, clone.id, u.file_name, u.file_path, u.file_size, u.mime_type, u.bucket_name, u.is_public, u.metadata
  from public.file_uploads as u
  where u.id = any (v_ids) and u.user_id = clone.user_id and u.status = 'complete' and u.created_at <= clone.started_at;
  get diagnostics v_copied = row_count;
  clone.files := clone.files + v_copied;
  clone.after_id := coalesce(v_ids[cardinality(v_ids)], clone.after_id);
  return clone;
end $$;
revoke all on function private.copy_project_uploads(private.project_clones, integer)
  from public, anon, authenticated, service_role;
