-- Wake-ups of files: the topics of a file's owner and of its project hear that a file is there, or no longer.

-- Definer: a client that records a file may not write to Realtime.
create function private.wake_files()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.wake(t.topic, 'files', jsonb_strip_nulls(jsonb_build_object('bucket', f.bucket_name,
    'project_id', f.project_id, 'operation', lower(tg_op))))
  from (select distinct c.user_id, c.project_id, c.bucket_name from changed as c where c.status = 'complete') as f
  cross join lateral (values ('user:' || f.user_id), ('project:' || f.project_id)) as t (topic)
  where t.topic is not null;
  return null;
end $$;
comment on function private.wake_files() is
  'Trigger function: tells the topics of the owners and projects of files that these have changed';
revoke all on function private.wake_files() from public, anon, authenticated, service_role;

create trigger wake_files_inserted after insert on public.file_uploads
  referencing new table as changed for each statement execute function private.wake_files();
create trigger wake_files_updated after update on public.file_uploads
  referencing new table as changed for each statement execute function private.wake_files();
create trigger wake_files_deleted after delete on public.file_uploads
  referencing old table as changed for each statement execute function private.wake_files();
