-- Cleanups of chats, files and webhooks: the rules are those of the domains, which say in views what is due and do a batch
-- of it themselves. Adds jobs and their functions only.

insert into private.cleanup_jobs (name, description, schedule, batch_size) values
  ('expired_uploads', 'Reservations that have expired, and what came by upload URLs too late: queued', '5-59/10 * * * *', 1000),
  ('chat_tombstones', 'Deletions of chats that devices need not hear of any more (chats.tombstone_retention)', '57 2 * * *', 500),
  ('webhook_payloads', 'Payloads of webhook events, and counts of refusals (webhooks.payload_retention)', '8 3 * * *', 1000);

-- expired_uploads -----------------------------------------------------------------------------------

create function private.cleanup_expired_uploads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_uploads) + (select count(*) from private.expired_spent_uploads);
    return v_result;
  end if;
  v_result.rows := public.expire_uploads(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_expired_uploads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- chat_tombstones -----------------------------------------------------------------------------------

create function private.cleanup_chat_tombstones(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*) into v_result.rows from private.expired_chat_tombstones;
    return v_result;
  end if;
  v_result.rows := public.prune_chat_tombstones(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_chat_tombstones(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- webhook_payloads ----------------------------------------------------------------------------------

create function private.cleanup_webhook_payloads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_webhook_payloads)
      + (select count(*) from private.expired_webhook_refusals);
    return v_result;
  end if;
  v_result.rows := public.prune_webhook_payloads(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_webhook_payloads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

select private.schedule_cleanups();
