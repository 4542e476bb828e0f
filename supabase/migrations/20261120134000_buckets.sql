-- Buckets: which there are, what each takes, who may do what with the objects in them, and how much a user may store.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('chat-images', 'chat-images', false, 52428800, null),
  ('user-avatars', 'user-avatars', true, 5242880,
    array['image/png', 'image/jpeg', 'image/webp', 'image/gif']),
  ('project-files', 'project-files', false, 52428800, null),
  ('app_storage', 'app_storage', true, null, null),
  ('avatars', 'avatars', true, 5242880, array['image/jpeg', 'image/png', 'image/webp', 'image/gif']),
  ('chat_attachments', 'chat_attachments', false, 10485760,
    array['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'application/pdf', 'text/plain']),
  ('voice_recordings', 'voice_recordings', false, 52428800,
    array['audio/mpeg', 'audio/mp4', 'audio/wav', 'audio/webm', 'audio/ogg'])
on conflict (id) do nothing;

-- bucket_rules --------------------------------------------------------------------------------------

create table private.bucket_rules (
  bucket_id text primary key,
  path text not null,
  max_file_size bigint not null,
  is_opaque boolean not null default false,
  owner_quota bigint,
  upload_seconds integer not null default 7800,
  download_seconds integer not null default 86400,
  updated_at timestamptz not null default now(),
  constraint bucket_rules_path_check check (path ~ '^\{user_id\}/[^/]'),
  constraint bucket_rules_max_file_size_check check (max_file_size > 0),
  constraint bucket_rules_owner_quota_check check (owner_quota > 0),
  constraint bucket_rules_upload_seconds_check check (upload_seconds between 7800 and 86400),
  constraint bucket_rules_download_seconds_check check (download_seconds between 3600 and 604800)
);
comment on table private.bucket_rules is
  'What each bucket takes: beside storage.buckets, whose size limit and types Storage itself enforces. Objects of other buckets are not ours';
comment on column private.bucket_rules.path is
  'Where the server puts a file, of {user_id}, {chat_id}, {id} and {extension}; without {id}, each user has one file there, and a new one replaces it';
comment on column private.bucket_rules.max_file_size is
  'Bytes as they are uploaded; of 10 MiB that are encrypted into base64 in JSON come 14';
comment on column private.bucket_rules.is_opaque is 'Encrypted by the client: there are no first bytes to look at';
comment on column private.bucket_rules.owner_quota is
  'Bytes that one user may have in this bucket; null when only the quota over all buckets counts';
comment on column private.bucket_rules.upload_seconds is
  'How long a reservation holds: longer than the 7200 s that Storage''s upload URLs are good for';
comment on column private.bucket_rules.download_seconds is 'The longest that a download URL may be good for';

revoke all on private.bucket_rules from public, anon, authenticated, service_role;
create trigger bucket_rules_updated_at before update on private.bucket_rules
  for each row execute function public.handle_updated_at();

insert into private.bucket_rules (bucket_id, path, max_file_size, is_opaque) values
  ('chat-images', '{user_id}/{chat_id}/{id}', 14680064, true),
  ('project-files', '{user_id}/{id}.enc', 14680064, true),
  ('user-avatars', '{user_id}/avatar.{extension}', 5242880, false),
  ('avatars', '{user_id}/avatar.jpg', 5242880, false),
  ('chat_attachments', '{user_id}/{id}.{extension}', 10485760, false),
  ('voice_recordings', '{user_id}/{id}.{extension}', 52428800, false),
  ('app_storage', '{user_id}/{id}.{extension}', 52428800, false);

-- storage_accounts ----------------------------------------------------------------------------------

create table private.storage_accounts (
  user_id uuid primary key references auth.users (id) on delete cascade,
  owner_quota bigint,
  constraint storage_accounts_owner_quota_check check (owner_quota >= 0)
);
comment on table private.storage_accounts is
  'A row per user who has reserved an upload: reservations of one user come one after the other by its lock';
comment on column private.storage_accounts.owner_quota is 'Bytes in all buckets together; null for the setting''s';
revoke all on private.storage_accounts from public, anon, authenticated, service_role;

-- Whose folder an object is in: the user whose id its name begins with, or null.
create function private.object_owner(name text)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return case when split_part(name, '/', 1) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then split_part(name, '/', 1)::uuid end;
end $$;
revoke all on function private.object_owner(text) from public, anon, authenticated, service_role;

-- The objects that a row of a team's or public project refers to. A row counts only for an object in the folder of
-- the user who made it: else a row in a project of one's own would open anyone's file. A set, which a query makes
-- once, as listing a bucket asks for every object in it.
-- Definer: the rows of a public project's files are not readable, the files are.
create function private.shared_objects()
returns table (bucket_id text, name text)
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select r.bucket_id, r.name
    from public.projects as p
    cross join lateral (
      select 'project-files', f.storage_path, p.user_id
      from public.project_files as f where f.project_id = p.id
      union all
      select u.bucket_name, u.file_path, u.user_id
      from public.file_uploads as u where u.project_id = p.id and u.bucket_name = 'chat_attachments'
    ) as r (bucket_id, name, user_id)
    where (p.team_id = any (array(select private.my_team_ids())) or (p.is_public and p.deleted_at is null))
      and split_part(r.name, '/', 1) = r.user_id::text;
end $$;
revoke all on function private.shared_objects() from public, anon, authenticated, service_role;
grant execute on function private.shared_objects() to authenticated, service_role;

-- What a user has in each of our buckets, and has reserved. Counted from the objects that are there: so it is right
-- whoever wrote or removed them, by whichever way, and whatever was interrupted. An object that waits for its removal, as it
-- was queued, is not counted; one that was uploaded on a reservation counts as reserved until it is complete, at what it was reserved
-- for or what it is, whichever is more.
create function private.storage_usage(user_id uuid)
returns table (bucket_id text, used bigint, reserved bigint)
language plpgsql stable set search_path = ''
as $$
declare
  v_folder text := storage_usage.user_id::text;
begin
  return query
    -- The operators are those of text_pattern_ops, by which Storage has an index on name.
    with stored as (
      select o.bucket_id, sum((o.metadata ->> 'size')::bigint) as size
      from storage.objects as o
      where o.name operator(pg_catalog.~>=~) (v_folder || '/') and o.name operator(pg_catalog.~<~) (v_folder || '0')
      group by o.bucket_id
    ), pending as (
      select u.bucket_name as bucket_id, u.upload_path as name, u.file_size
      from public.file_uploads as u
      where u.user_id = storage_usage.user_id and u.status = 'pending'
    ), reserved as (
      select p.bucket_id, sum(greatest(p.file_size, (o.metadata ->> 'size')::bigint)) as size
      from pending as p left join storage.objects as o on o.bucket_id = p.bucket_id and o.name = p.name
      group by p.bucket_id
    ), uncounted as (
      select o.bucket_id, sum((o.metadata ->> 'size')::bigint) as size
      from (
        select o.id from pending as p join storage.objects as o on o.bucket_id = p.bucket_id and o.name = p.name
        union
        -- As it was queued: what has been written there since is there to stay.
        select o.id
        from private.storage_removals as r
        join storage.objects as o
          on o.bucket_id = r.bucket_id and o.name = r.name and o.version is not distinct from r.version
        where r.name operator(pg_catalog.~>=~) (v_folder || '/') and r.name operator(pg_catalog.~<~) (v_folder || '0')
      ) as n join storage.objects as o on o.id = n.id
      group by o.bucket_id
    )
    select b.bucket_id, (coalesce(s.size, 0) - coalesce(n.size, 0))::bigint, coalesce(r.size, 0)::bigint
    from private.bucket_rules as b
    left join stored as s on s.bucket_id = b.bucket_id
    left join reserved as r on r.bucket_id = b.bucket_id
    left join uncounted as n on n.bucket_id = b.bucket_id;
end $$;
revoke all on function private.storage_usage(uuid) from public, anon, authenticated, service_role;

-- How many bytes more a user may store in a bucket: less than 0 when there is too much already.
create function private.storage_room(user_id uuid, bucket_id text)
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
  v_quota bigint;
  v_bucket_quota bigint;
  v_all bigint;
  v_bucket bigint;
begin
  select a.owner_quota into v_quota from private.storage_accounts as a where a.user_id = storage_room.user_id;
  v_quota := coalesce(v_quota, private.setting('files.owner_quota'));
  select r.owner_quota into v_bucket_quota from private.bucket_rules as r where r.bucket_id = storage_room.bucket_id;
  select sum(u.used + u.reserved), sum(u.used + u.reserved) filter (where u.bucket_id = storage_room.bucket_id)
  into v_all, v_bucket from private.storage_usage(storage_room.user_id) as u;
  return least(v_quota - v_all, v_bucket_quota - v_bucket);
end $$;
revoke all on function private.storage_room(uuid, text) from public, anon, authenticated, service_role;

-- Whether a type is one of those that a bucket takes: each exact or like image/*, all when there are none.
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

-- Whether what is stored would be taken by a bucket, by its size and type. Storage asks that of what is uploaded only, not
-- of what is copied or moved there.
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

-- Whether Storage may take an object of the caller's: what the policy for uploads asks, beside whose folder it is. It has
-- the size that the client declared, which Storage holds it to; without one, it counts as the largest that the bucket
-- takes. An upload URL is signed for what was reserved only, as its size is not known when it is signed, and only while
-- the reservation is young enough to hold for as long as the URL.
-- Definer: the caller may not read what it counts. Stable, as a policy runs it in the caller's query.
create function private.may_upload(bucket_id text, name text, metadata jsonb)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user uuid := auth.uid();
  v_rule private.bucket_rules;
  v_there bigint;
begin
  if coalesce(current_setting('storage.operation', true), '') like '%object.sign_upload_url' then
    return exists (
      select 1 from public.file_uploads as u
      where u.user_id = v_user and u.status = 'pending' and u.bucket_name = may_upload.bucket_id
        and u.upload_path = may_upload.name and u.expires_at > now() + interval '2 hours');
  end if;
  select r.* into v_rule from private.bucket_rules as r where r.bucket_id = may_upload.bucket_id;
  -- An account that was deleted has tokens for a while.
  if not found or not exists (select 1 from auth.users as u where u.id = v_user) then
    return false;
  end if;
  -- A copy has what was stored.
  if metadata ? 'size' and not private.takes_object(may_upload.bucket_id, metadata) then
    return false;
  end if;
  -- What it takes the place of makes room.
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
  return coalesce((metadata ->> 'contentLength')::numeric, (metadata ->> 'size')::numeric, v_rule.max_file_size)
    <= private.storage_room(v_user, may_upload.bucket_id) + v_there;
end $$;
revoke all on function private.may_upload(text, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.may_upload(text, text, jsonb) to authenticated;

-- Whether an object of the caller's may have this name in this bucket: what the policy for changes asks. It may stay where
-- it is; it may be moved, but for what came by an upload URL that may still be good, and what is to be removed; and to
-- another bucket only if that takes it.
-- Definer: the caller may not read what it looks at. Stable, as a policy runs it in the caller's query, and as it has to see
-- the object as it is before the change.
create function private.may_move(id uuid, bucket_id text, name text)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_object storage.objects;
  v_size bigint;
begin
  select o.* into v_object from storage.objects as o where o.id = may_move.id;
  if not found or (v_object.bucket_id, v_object.name) = (may_move.bucket_id, may_move.name) then
    return true;
  end if;
  if exists (
      select 1 from public.file_uploads as u
      where u.user_id = private.object_owner(v_object.name) and u.bucket_name = v_object.bucket_id
        and u.upload_path = v_object.name
        and (u.status = 'pending' or u.expires_at + private.upload_grace() > now()))
    or exists (
      select 1 from private.spent_uploads as s where s.bucket_id = v_object.bucket_id and s.name = v_object.name)
    or exists (
      select 1 from private.storage_removals as r where r.bucket_id = v_object.bucket_id and r.name = v_object.name) then
    return false;
  end if;
  if v_object.bucket_id = may_move.bucket_id then
    return true;
  end if;
  v_size := coalesce((v_object.metadata ->> 'size')::bigint, 0);
  return private.takes_object(may_move.bucket_id, v_object.metadata)
    and coalesce((
      select u.used + u.reserved + v_size <= r.owner_quota
      from private.bucket_rules as r
      join private.storage_usage(private.object_owner(v_object.name)) as u on u.bucket_id = r.bucket_id
      where r.bucket_id = may_move.bucket_id and r.owner_quota is not null), true);
end $$;
revoke all on function private.may_move(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function private.may_move(uuid, text, text) to authenticated;

create policy "users upload into their own folder" on storage.objects
  for insert to authenticated
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings')
    and private.may_upload(bucket_id, name, metadata));
create policy "users read their own folder and files of projects they see" on storage.objects
  for select to authenticated
  using (bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings')
    and ((storage.foldername(name))[1] = (select auth.uid())::text
      or (bucket_id, name) in (select o.bucket_id, o.name from private.shared_objects() as o)));
create policy "users replace objects in their own folder" on storage.objects
  for update to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings'))
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings')
    and private.may_move(id, bucket_id, name));
create policy "users delete objects in their own folder" on storage.objects
  for delete to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings'));

create type public.storage_usage as (
  bucket text,
  used bigint,
  reserved bigint,
  allowed bigint
);
comment on type public.storage_usage is
  'Bytes that a user has in a bucket, has reserved there and may have: in a bucket without a quota of its own, null';

-- What a user has stored, reserved and may store, by bucket, and first of all in all of them, as bucket null.
-- Definer: the rules are nobody's to read. For the service only, which answers for user_id.
create function public.get_storage_usage(user_id uuid)
returns setof public.storage_usage
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    with usage as materialized (select * from private.storage_usage(get_storage_usage.user_id))
    select null, sum(u.used)::bigint, sum(u.reserved)::bigint, coalesce(
      (select a.owner_quota from private.storage_accounts as a where a.user_id = get_storage_usage.user_id),
      private.setting('files.owner_quota')::bigint)
    from usage as u
    union all
    (select u.bucket_id, u.used, u.reserved, r.owner_quota
    from usage as u join private.bucket_rules as r on r.bucket_id = u.bucket_id
    order by u.bucket_id collate "C");
end $$;
revoke all on function public.get_storage_usage(uuid) from public, anon, authenticated;
grant execute on function public.get_storage_usage(uuid) to service_role;

-- Says what a user may store in all buckets together, as a plan has it; null for what everyone may. Less than there is
-- removes nothing: it stops uploads.
-- Definer: quotas are nobody's to write. For the service only.
-- Raises: PT404 user_not_found; PT422 invalid_quota.
create function public.set_storage_quota(user_id uuid, bytes bigint)
returns setof public.storage_usage
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if bytes < 0 then
    raise exception 'A quota is 0 bytes or more' using errcode = 'PT422', detail = 'invalid_quota';
  end if;
  if not exists (select 1 from auth.users as u where u.id = set_storage_quota.user_id) then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  insert into private.storage_accounts as a (user_id, owner_quota) values (set_storage_quota.user_id, bytes)
  on conflict on constraint storage_accounts_pkey do update set owner_quota = excluded.owner_quota;
  return query select * from public.get_storage_usage(set_storage_quota.user_id);
end $$;
revoke all on function public.set_storage_quota(uuid, bigint) from public, anon, authenticated;
grant execute on function public.set_storage_quota(uuid, bigint) to service_role;

create type public.bucket_terms as (
  bucket text,
  is_public boolean,
  max_file_size bigint,
  content_types text[],
  is_opaque boolean,
  download_seconds integer
);
comment on type public.bucket_terms is 'What a bucket takes, and how long its download URLs may be good for';

-- What a bucket takes.
-- Definer: the rules are nobody's to read. For the service only.
-- Raises: PT404 bucket_not_found.
create function public.get_bucket_terms(bucket text)
returns public.bucket_terms
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_terms public.bucket_terms;
begin
  select b.id, b.public, least(r.max_file_size, b.file_size_limit), b.allowed_mime_types, r.is_opaque, r.download_seconds
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

-- CodingIT-1's helpers, which it documents in schema storage, where nothing can be added.

create function public.get_level(file_path text)
returns integer
language sql immutable set search_path = ''
as $$
  select array_length(string_to_array(file_path, '/'), 1) - 1
$$;
comment on function public.get_level(text) is 'Folders above a file: a/b/c.txt is 2';
revoke all on function public.get_level(text) from public, anon, authenticated, service_role;
grant execute on function public.get_level(text) to service_role;

create function public.get_bucket_size(bucket_name text)
returns bigint
language sql stable set search_path = ''
as $$
  select coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint
  from storage.objects as o where o.bucket_id = bucket_name
$$;
comment on function public.get_bucket_size(text) is 'Bytes of all objects in a bucket, 0 when it is empty';
revoke all on function public.get_bucket_size(text) from public, anon, authenticated, service_role;
grant execute on function public.get_bucket_size(text) to service_role;
