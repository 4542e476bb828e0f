-- Buckets: what each accepts, and who may do what with the objects in them.

-- bucket_rules --------------------------------------------------------------------------------------

create table private.bucket_rules (
  bucket_id text primary key,
  path text not null,
  max_file_size bigint not null,
  file_size_limit bigint,
  content_types text[],
  is_public boolean not null default false,
  is_opaque boolean not null default false,
  is_shared boolean not null default false,
  kept_by text,
  owner_quota bigint,
  upload_seconds integer not null default 7800,
  download_seconds integer not null default 86400,
  updated_at timestamptz not null default now(),
  constraint bucket_rules_path_check check (path ~ '^\{user_id\}/[^/]'),
  constraint bucket_rules_max_file_size_check check (max_file_size > 0),
  constraint bucket_rules_file_size_limit_check check (file_size_limit > 0),
  constraint bucket_rules_kept_by_check check (kept_by ~ '^[a-z_]+$'),
  constraint bucket_rules_owner_quota_check check (owner_quota > 0),
  constraint bucket_rules_upload_seconds_check check (upload_seconds between 7800 and 86400),
  constraint bucket_rules_download_seconds_check check (download_seconds between 3600 and 604800)
);
comment on table private.bucket_rules is
  'The buckets. A row creates its bucket in Storage, and the policies and functions apply to it. In a bucket without a row, users have no rights';
comment on column private.bucket_rules.path is
  'Where the server puts a file, made of {user_id}, {chat_id}, {id} and {extension}. Without {id}, each user has one file there, and a new one replaces it';
comment on column private.bucket_rules.max_file_size is
  'The largest file that can be reserved, in bytes as uploaded: 10 MiB become 14 when they are encrypted and written as base64 in JSON';
comment on column private.bucket_rules.file_size_limit is
  'The largest object that Storage accepts, in bytes, however it is uploaded; null for the limit of the whole project';
comment on column private.bucket_rules.content_types is
  'The types that Storage accepts, each exact or like image/*, and under all names in content_type_aliases; null for all';
comment on column private.bucket_rules.is_public is 'Whether everyone can download an object whose name they know';
comment on column private.bucket_rules.is_opaque is
  'Whether clients encrypt the files: their first bytes say nothing, and are not checked';
comment on column private.bucket_rules.is_shared is
  'Whether everyone who sees a project also sees the files that file_uploads lists in it';
comment on column private.bucket_rules.kept_by is
  'The function private.NAME(owner_id uuid, name text, cause private.removal_cause) that says whether a row other than one of file_uploads needs an object. Null when no row does: then objects stay as long as their user';
comment on column private.bucket_rules.owner_quota is
  'Bytes that one user may store in this bucket; null when only the quota for all buckets counts';
comment on column private.bucket_rules.upload_seconds is
  'How long a reservation is valid: longer than an upload URL (files.upload_url_validity)';
comment on column private.bucket_rules.download_seconds is 'How long a download URL may be valid at most';

revoke all on private.bucket_rules from public, anon, authenticated, service_role;
create trigger bucket_rules_updated_at before update on private.bucket_rules
  for each row execute function public.handle_updated_at();

-- Whether everyone may download a file with this name and content type. Not if a browser might run it as a page, a
-- script, a style sheet or a Flash film: it would do so in the name of the project, for everybody who opens the URL.
-- The ending may be in capitals, in the middle, or followed by something else that servers and browsers overlook. If
-- the value is not a content type, browsers guess; in a list of types, the last one counts.
create function private.may_be_public(name text, content_type text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(lower(substring(name from '[^/]*$')) !~ concat(
      '\.(x?html?|[pms]html?|xht|stm|mht|hta|htc|svgz?|xml|xslt?|xbl|xul|rdf|rss|atom|dtd|mathml|mml|wml|[cm]?js|css|swf)',
      '([^a-z0-9]|$)'), true)
    and coalesce(content_type ~* '^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\s*([;,].*)?$'
      and content_type !~* concat('html|svg|[/+](xml|xsl)|xml-|ecmascript|javascript|jscript|livescript|/css|shockwave',
        '|message/|multipart/|/hta|x-component|(unknown|application)/unknown'), true);
end $$;
revoke all on function private.may_be_public(text, text) from public, anon, authenticated, service_role;

create function private.make_bucket()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if new.is_public and exists (
    select 1 from storage.objects as o
    where o.bucket_id = new.bucket_id and not private.may_be_public(o.name, o.metadata ->> 'mimetype')) then
    raise exception 'The bucket "%" contains files that a browser would run, so it cannot be public', new.bucket_id
      using errcode = '55000', hint = 'Remove them, or put public files into another bucket';
  end if;
  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
  values (new.bucket_id, new.bucket_id, new.is_public, new.file_size_limit, private.storage_content_types(new.content_types))
  on conflict (id) do update set
    public = excluded.public, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;
  return null;
end $$;
comment on function private.make_bucket() is
  'Trigger function: makes the bucket in Storage, or changes it. Deleting a rule leaves the bucket, which only the Storage API can delete';
revoke all on function private.make_bucket() from public, anon, authenticated, service_role;
create trigger make_bucket after insert or update of bucket_id, is_public, file_size_limit, content_types
  on private.bucket_rules
  for each row execute function private.make_bucket();

insert into private.bucket_rules
  (bucket_id, path, max_file_size, file_size_limit, content_types, is_public, is_opaque, is_shared, kept_by)
values
  ('project-files', '{user_id}/{id}.enc', 14680064, 52428800, null, false, true, false, 'keeps_project_file'),
  ('chat_attachments', '{user_id}/{id}.{extension}', 10485760, 10485760,
    array['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic', 'image/avif', 'application/pdf', 'text/plain',
      'text/markdown', 'text/csv'], false, false, true, null),
  -- Some systems call a container video although it has only sound.
  ('voice_recordings', '{user_id}/{id}.{extension}', 52428800, 52428800,
    array['audio/mpeg', 'audio/mp4', 'audio/wav', 'audio/webm', 'audio/ogg', 'audio/aac', 'audio/flac', 'audio/3gpp', 'audio/amr',
      'audio/aiff', 'audio/x-caf', 'video/mp4', 'video/webm', 'video/3gpp'], false, false, false, null),
  ('user-avatars', '{user_id}/avatar.{extension}', 5242880, 5242880,
    array['image/png', 'image/jpeg', 'image/webp', 'image/gif'], true, false, false, null),
  ('avatars', '{user_id}/avatar.jpg', 5242880, 5242880,
    array['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic', 'image/avif'], true, false, false, null),
  ('app_storage', '{user_id}/{id}.{extension}', 52428800, null, null, true, false, false, null);

-- The ids of our buckets, for the policies on storage.objects, which evaluate them once per statement.
-- Definer: clients may not read the rules.
create function private.bucket_ids()
returns setof text
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query select r.bucket_id from private.bucket_rules as r;
end $$;
revoke all on function private.bucket_ids() from public, anon, authenticated, service_role;
grant execute on function private.bucket_ids() to authenticated, service_role;

-- The user in whose folder an object is, or null: the first part of its name is the user's id.
create function private.object_owner(name text)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return case when split_part(name, '/', 1) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then split_part(name, '/', 1)::uuid end;
end $$;
revoke all on function private.object_owner(text) from public, anon, authenticated, service_role;

-- Whether an object belongs to a project which the caller sees: one of their teams, or a public one. A row counts only
-- for an object in the folder of the row's user: otherwise a row in a project of one's own would open anyone's file. Both
-- indexes that it uses include the user, so that nobody can slow this down with rows that name the objects of others.
-- Definer: everyone can read the files of a public project, but not their rows.
create function private.is_shared_object(bucket_id text, name text)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_owner uuid := private.object_owner(name);
begin
  return exists (
      select 1 from public.project_files as f join public.projects as p on p.id = f.project_id
      where bucket_id = 'project-files' and f.storage_path = is_shared_object.name and f.user_id = v_owner
        and p.user_id = v_owner
        and (p.is_public and p.deleted_at is null or p.team_id in (select private.my_team_ids())))
    or exists (
      select 1 from public.file_uploads as u join public.projects as p on p.id = u.project_id
      where u.bucket_name = is_shared_object.bucket_id and u.file_path = is_shared_object.name and u.user_id = v_owner
        and (p.is_public and p.deleted_at is null or p.team_id in (select private.my_team_ids()))
        and exists (select 1 from private.bucket_rules as b where b.bucket_id = u.bucket_name and b.is_shared));
end $$;
revoke all on function private.is_shared_object(text, text) from public, anon, authenticated, service_role;
grant execute on function private.is_shared_object(text, text) to authenticated, service_role;

-- Whether a bucket accepts a content type: types are exact or like image/*, and null or an empty list accepts all.
create function private.takes_type(types text[], content_type text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
declare
  v_type text := lower(trim(split_part(content_type, ';', 1)));
begin
  return coalesce(cardinality(types), 0) = 0
    or coalesce(v_type = any (types) or split_part(v_type, '/', 1) || '/*' = any (types), false);
end $$;
revoke all on function private.takes_type(text[], text) from public, anon, authenticated, service_role;

-- Whether everyone may download a file with this name and type, or the bucket is not public.
create function private.takes_name_and_type(bucket_id text, name text, content_type text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return private.may_be_public(name, content_type)
    or not exists (select 1 from storage.buckets as b where b.id = takes_name_and_type.bucket_id and b.public);
end $$;
revoke all on function private.takes_name_and_type(text, text, text) from public, anon, authenticated, service_role;

-- Whether a bucket accepts a stored object, by its size and type. Storage checks uploads, but not copies and moves.
create function private.takes_object(bucket_id text, metadata jsonb)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select 1 from storage.buckets as b
    where b.id = takes_object.bucket_id
      and coalesce((metadata ->> 'size')::numeric <= b.file_size_limit, true)
      and private.takes_type(b.allowed_mime_types, metadata ->> 'mimetype'));
end $$;
revoke all on function private.takes_object(text, jsonb) from public, anon, authenticated, service_role;

-- Whether the caller may upload an object: the policy for uploads asks it, and checks the folder itself. The size is
-- the one that the client declared, to which Storage holds the upload; without one, the object counts as the largest
-- that the bucket accepts. The size is not known when an upload URL is signed, so a URL is signed only for a
-- reservation, and only while that is valid for longer than the URL.
-- Definer: the caller may not read what is counted. Stable: a policy runs it in the caller's query.
create function private.may_upload(bucket_id text, name text, metadata jsonb)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user uuid := auth.uid();
  v_rule private.bucket_rules;
  v_there bigint;
  v_size numeric;
  v_room record;
begin
  if coalesce(current_setting('storage.operation', true), '') like '%object.sign_upload_url' then
    return exists (
      select 1 from public.file_uploads as u
      where u.user_id = v_user and u.status = 'pending' and u.bucket_name = may_upload.bucket_id
        and u.upload_path = may_upload.name and u.expires_at > now() + private.retention('files.upload_url_validity'));
  end if;
  select r.* into v_rule from private.bucket_rules as r where r.bucket_id = may_upload.bucket_id;
  -- The tokens of a deleted account stay valid for a while.
  if not found or not exists (select 1 from auth.users as u where u.id = v_user) then
    return false;
  end if;
  -- Only a copy has a size: that of the stored object.
  if metadata ? 'size' and not private.takes_object(may_upload.bucket_id, metadata)
    or not private.takes_name_and_type(may_upload.bucket_id, may_upload.name, metadata ->> 'mimetype')
    or private.is_checked_place(v_user, may_upload.bucket_id, may_upload.name) then
    return false;
  end if;
  -- The object that it replaces makes room.
  select greatest(
    coalesce((
      select (o.metadata ->> 'size')::numeric::bigint from storage.objects as o
      where o.bucket_id = may_upload.bucket_id and o.name = may_upload.name
        and not exists (
          select 1 from private.storage_removals as r
          where r.bucket_id = o.bucket_id and r.name = o.name and r.version is not distinct from o.version)), 0),
    coalesce((
      select u.file_size from public.file_uploads as u
      where u.user_id = v_user and u.status = 'pending' and u.bucket_name = may_upload.bucket_id
        and u.upload_path = may_upload.name), 0))
  into v_there;
  v_size := coalesce((metadata ->> 'contentLength')::numeric, (metadata ->> 'size')::numeric, v_rule.max_file_size);
  select r.* into v_room from private.storage_room(v_user, may_upload.bucket_id, v_size::bigint) as r;
  return v_size <= least(v_room.in_all, v_room.in_bucket) + v_there;
end $$;
revoke all on function private.may_upload(text, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.may_upload(text, text, jsonb) to authenticated;

-- Whether an object of the caller may have this name in this bucket: the policy for changes asks it. The object may
-- stay where it is. It may be moved, unless an upload URL that may still be valid leads to it, or it is queued for
-- removal. To another bucket it may be moved only if that bucket accepts it.
-- Definer: the caller may not read what is checked. Stable: a policy runs it in the caller's query, and it has to see
-- the object as it is before the change.
create function private.may_move(id uuid, bucket_id text, name text)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_object storage.objects;
begin
  select o.* into v_object from storage.objects as o where o.id = may_move.id;
  if not found or (v_object.bucket_id, v_object.name) = (may_move.bucket_id, may_move.name) then
    return true;
  end if;
  if exists (
      select 1 from public.file_uploads as u
      where u.user_id = private.object_owner(v_object.name) and u.bucket_name = v_object.bucket_id
        and u.upload_path = v_object.name
        and (u.status = 'pending' or u.expires_at + private.retention('files.upload_grace') > now()))
    or exists (
      select 1 from private.spent_uploads as s where s.bucket_id = v_object.bucket_id and s.name = v_object.name)
    or exists (
      select 1 from private.storage_removals as r where r.bucket_id = v_object.bucket_id and r.name = v_object.name) then
    return false;
  end if;
  if not private.takes_name_and_type(may_move.bucket_id, may_move.name, v_object.metadata ->> 'mimetype')
    or private.is_checked_place(private.object_owner(may_move.name), may_move.bucket_id, may_move.name) then
    return false;
  end if;
  return v_object.bucket_id = may_move.bucket_id
    or private.takes_object(may_move.bucket_id, v_object.metadata)
    and coalesce((
      select (v_object.metadata ->> 'size')::bigint <= r.in_bucket
      from private.storage_room(private.object_owner(v_object.name), may_move.bucket_id) as r), true);
end $$;
revoke all on function private.may_move(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function private.may_move(uuid, text, text) to authenticated;

create policy "a deleted account has no access" on storage.objects
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users upload into their own folder" on storage.objects
  for insert to authenticated
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id = any (array(select private.bucket_ids()))
    and private.may_upload(bucket_id, name, metadata));
create policy "users read their own folder and files of projects they see" on storage.objects
  for select to authenticated
  -- The archives of exports are in a bucket that has no rule, because no client may write it.
  using (bucket_id = 'exports' and (storage.foldername(name))[1] = (select auth.uid())::text
    or bucket_id = any (array(select private.bucket_ids()))
    and ((storage.foldername(name))[1] = (select auth.uid())::text
      or private.is_shared_object(bucket_id, name)));
create policy "users replace objects in their own folder" on storage.objects
  for update to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id = any (array(select private.bucket_ids())))
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id = any (array(select private.bucket_ids()))
    and private.may_move(id, bucket_id, name));
create policy "users delete objects in their own folder" on storage.objects
  for delete to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id = any (array(select private.bucket_ids())));

create type public.bucket_terms as (
  bucket text,
  is_public boolean,
  max_file_size bigint,
  content_types text[],
  is_opaque boolean,
  download_seconds integer
);
comment on type public.bucket_terms is 'What a bucket accepts, and how long its download URLs may be valid';

-- What a bucket accepts: the smaller of the two size limits, and the types as Storage has them.
-- Definer: no role may read the rules. For the service only.
-- Raises: PT404 bucket_not_found.
create function public.get_bucket_terms(bucket text)
returns public.bucket_terms
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_terms public.bucket_terms;
begin
  select b.id, b.public, least(r.max_file_size, b.file_size_limit), private.plain_content_types(b.allowed_mime_types),
    r.is_opaque, r.download_seconds
  into v_terms
  from private.bucket_rules as r join storage.buckets as b on b.id = r.bucket_id
  where r.bucket_id = get_bucket_terms.bucket;
  if not found then
    raise exception 'There is no bucket "%"', bucket using errcode = 'PT404', detail = 'bucket_not_found';
  end if;
  return v_terms;
end $$;
revoke all on function public.get_bucket_terms(text) from public, anon, authenticated;
grant execute on function public.get_bucket_terms(text) to service_role;

-- CodingIT-1's helpers -------------------------------------------------------------------------------

-- CodingIT-1 documents them in the schema storage, to which nothing can be added.

create function public.get_level(file_path text)
returns integer
language sql immutable set search_path = ''
as $$
  select array_length(string_to_array(file_path, '/'), 1) - 1
$$;
comment on function public.get_level(text) is 'The number of folders above a file: 2 for a/b/c.txt';
revoke all on function public.get_level(text) from public, anon, authenticated, service_role;
grant execute on function public.get_level(text) to service_role;

create function public.get_bucket_size(bucket_name text)
returns bigint
language sql stable set search_path = ''
as $$
  select coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint
  from storage.objects as o where o.bucket_id = bucket_name
$$;
comment on function public.get_bucket_size(text) is 'The bytes of all objects in a bucket; 0 when it is empty';
revoke all on function public.get_bucket_size(text) from public, anon, authenticated, service_role;
grant execute on function public.get_bucket_size(text) to service_role;
