-- Refused uploads: a file that is not as declared stays for a while, with the reason, so that its user can see why.

-- Refuses a pending upload whose object the caller has found to differ from its declaration. refusal says how: rule,
-- expected and actual. The record and the object stay for files.refusal_retention; then the cleanup removes both. Refusing
-- it again changes nothing.
-- Definer: it does not depend on the grants on file_uploads. For the service only, which answers for user_id.
-- Raises: PT404 upload_not_found; PT409 upload_already_complete, upload_expired; PT422 invalid_refusal.
create function public.refuse_upload(user_id uuid, upload_id uuid, refusal jsonb)
returns public.upload_reservation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_upload public.file_uploads := private.lock_upload(user_id, upload_id);
begin
  if (jsonb_typeof(refusal) = 'object' and refusal ? 'rule' and pg_column_size(refusal) <= 4096) is not true then
    raise exception 'refusal must be a JSON object of at most 4 KiB with a member rule'
      using errcode = 'PT422', detail = 'invalid_refusal';
  end if;
  if v_upload.status = 'complete' then
    raise exception 'Upload "%" is already complete', upload_id
      using errcode = 'PT409', detail = 'upload_already_complete';
  end if;
  if v_upload.status = 'pending' then
    update public.file_uploads as u
    set status = 'refused', refusal = refuse_upload.refusal, expires_at = now() + private.retention('files.refusal_retention')
    where u.id = v_upload.id
    returning u.* into v_upload;
  end if;
  return private.upload_reservation(v_upload);
end $$;
revoke all on function public.refuse_upload(uuid, uuid, jsonb) from public, anon, authenticated;
grant execute on function public.refuse_upload(uuid, uuid, jsonb) to service_role;
