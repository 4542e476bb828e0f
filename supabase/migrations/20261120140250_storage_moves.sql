-- What clients may move from one name or bucket to another. A move brings no bytes, so that no quota is asked; but it must
-- not make room where an upload URL leads, nor take what does not count to where it would have.

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

alter policy "users replace objects in their own folder" on storage.objects
  with check ((storage.foldername(name))[1] = (select auth.uid())::text
    and bucket_id in ('chat-images', 'user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings')
    and private.may_move(id, bucket_id, name));
