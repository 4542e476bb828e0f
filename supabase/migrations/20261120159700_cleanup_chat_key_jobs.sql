-- The cleanup job of chat keys that were replaced.

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('replaced_chat_keys', '2 4 * * *', 5000, 'Deletes wraps of chat keys that were replaced long enough ago');

create function private.cleanup_replaced_chat_keys(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'private.replaced_chat_key_wraps', 'replaced_at <= $1', 'replaced_at',
    now() - private.retention('chats.replaced_key_retention'));
end $$;
revoke all on function private.cleanup_replaced_chat_keys(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;
