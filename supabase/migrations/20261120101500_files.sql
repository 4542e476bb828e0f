-- Storage: the buckets of the four products, and who may do what with the objects in them. A user's objects
-- are below a folder of the user's id. Rows of storage.objects are deleted by the Storage API only.

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

create policy "users upload into their own folder" on storage.objects
  for insert to authenticated
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings'));
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
      'chat_attachments', 'voice_recordings'));
create policy "users delete objects in their own folder" on storage.objects
  for delete to authenticated
  using ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings'));

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

-- Definer: the tables of Storage are not the service role's to delete from.
create function public.cleanup_old_multipart_uploads()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Not every Storage has the table.
  if to_regclass('storage.s3_multipart_uploads') is not null then
    execute 'delete from storage.s3_multipart_uploads where created_at < now() - interval ''7 days''';
  end if;
end $$;
comment on function public.cleanup_old_multipart_uploads() is 'Removes multipart uploads left for 7 days';
revoke all on function public.cleanup_old_multipart_uploads() from public, anon, authenticated;
grant execute on function public.cleanup_old_multipart_uploads() to service_role;
