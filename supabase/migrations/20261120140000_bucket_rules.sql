-- What each bucket takes, beyond what storage.buckets has a column for, and how much of it a user may use. New tables and
-- functions only; clients that write to Storage themselves are held to the quota from here on.

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

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('files.owner_quota', 1073741824, 'bytes', 0, 1099511627776,
    'What one user may have in all buckets together, unless set_storage_quota has said otherwise'),
  ('files.open_uploads', 60, 'uploads', 1, 100000,
    'Upload URLs of one user that may be good at once: each can bring as much as its bucket takes, whatever was declared');

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

-- file_uploads --------------------------------------------------------------------------------------

alter table public.file_uploads
  add column chat_id uuid,
  add column status text not null default 'complete',
  add column upload_path text,
  add column expires_at timestamptz,
  add column verified_at timestamptz,
  add column replaced_version text,
  add constraint file_uploads_status_check check (status in ('pending', 'complete')),
  add constraint file_uploads_pending_check check (status = 'complete'
    or (upload_path is not null and expires_at is not null and file_size is not null)),
  add constraint file_uploads_chat_id_fkey
    foreign key (user_id, chat_id) references public.encrypted_chats (user_id, id) on delete cascade;
comment on table public.file_uploads is
  'Files in buckets: those that a client uploaded itself, and those that it reserved with POST /files/uploads';
comment on column public.file_uploads.status is 'pending until the upload is complete; only the server writes it';
comment on column public.file_uploads.upload_path is
  'Where the upload URL brings the bytes: other than file_path where a file is replaced. Null when there was no such URL';
comment on column public.file_uploads.expires_at is
  'Until when the reservation holds; the upload URL is not good for longer';
comment on column public.file_uploads.verified_at is
  'When what was uploaded was found to be as declared, and was about to take the place of another file';
comment on column public.file_uploads.replaced_version is
  'The version of what was in that place when it was verified: what has another has been written since. Null when there was nothing';

create index file_uploads_user_chat on public.file_uploads (user_id, chat_id);
create index file_uploads_object on public.file_uploads (bucket_name, file_path);
create index file_uploads_pending on public.file_uploads (user_id) where status = 'pending';
create index file_uploads_expiry on public.file_uploads (expires_at) where status = 'pending';

-- What a reservation says is the server's: a client that could change it would be measured by what it wrote itself.
create function private.keep_reservation()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  raise exception 'Upload "%" is not complete', old.id
    using errcode = '42501', hint = 'Complete it first, or delete it and reserve another';
end $$;
comment on function private.keep_reservation() is 'Trigger function: refuses to change what was reserved';
revoke all on function private.keep_reservation() from public, anon, authenticated, service_role;

create trigger keep_reservation before update on public.file_uploads
  for each row
  when (old.status = 'pending' and new.status = 'pending'
    and (new.user_id, new.bucket_name, new.file_path, new.upload_path, new.file_size, new.mime_type, new.chat_id)
      is distinct from
      (old.user_id, old.bucket_name, old.file_path, old.upload_path, old.file_size, old.mime_type, old.chat_id))
  execute function private.keep_reservation();

-- project_files -------------------------------------------------------------------------------------

-- Whose project it is: when the row goes with its project, there is nothing left to ask for it.
alter table public.project_files add column user_id uuid;
update public.project_files as f set user_id = p.user_id from public.projects as p where p.id = f.project_id;
-- The default is what makes it one that a client leaves out; the trigger below sets it.
alter table public.project_files alter column user_id set not null, alter column user_id set default auth.uid();
comment on column public.project_files.user_id is 'Whose project it is, set by a trigger';
create index project_files_object on public.project_files (storage_path);

create trigger take_project_owner before insert or update of project_id, user_id on public.project_files
  for each row execute function private.take_project_owner();

-- usage ---------------------------------------------------------------------------------------------

create index storage_removals_name on private.storage_removals (name text_pattern_ops);

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

alter policy "users upload into their own folder" on storage.objects
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings')
    and private.may_upload(bucket_id, name, metadata));

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
