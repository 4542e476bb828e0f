-- The names of files, for downloads: objects have keys of their own, in ASCII.

-- Returns the names of files of a bucket, by their paths: those with which their users recorded them.
-- Definer: whoever may download a shared file may not read its record. For the service only, which asks for files that it
-- has signed.
-- Raises: PT422 invalid_batch.
create function public.get_file_names(bucket text, paths text[])
returns table (path text, name text)
language plpgsql stable security definer set search_path = ''
as $$
begin
  if (cardinality(paths) between 1 and 1000) is not true then
    raise exception 'paths must be a list of 1 to 1000 paths' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  return query
    select distinct on (u.file_path) u.file_path, u.file_name
    from public.file_uploads as u
    -- Others may record anything about an object that is not theirs.
    where u.bucket_name = bucket and u.file_path = any (paths) and u.user_id = private.object_owner(u.file_path)
    order by u.file_path, u.status = 'complete' desc, u.created_at;
end $$;
revoke all on function public.get_file_names(text, text[]) from public, anon, authenticated;
grant execute on function public.get_file_names(text, text[]) to service_role;
