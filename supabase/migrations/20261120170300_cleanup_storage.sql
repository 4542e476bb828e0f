-- Cleanups of Storage: objects that nothing refers to are found and queued here; what is queued is removed by the function,
-- through the Storage API, between two batches.

insert into private.cleanup_jobs (name, description, schedule, batch_size, retention) values
  ('storage_removals', 'Objects whose removal is queued', '*/10 * * * *', 1000, null),
  ('orphaned_objects', 'Queues objects of our buckets that no row refers to, and that have not changed for that long', '51 2 * * *',
    1000, '7 days');

alter table private.cleanup_jobs add constraint cleanup_jobs_storage_batch_check
  -- What the Storage API takes.
  check (name <> 'storage_removals' or batch_size <= 1000);

-- storage_removals ----------------------------------------------------------------------------------

-- Only says whether more is due: the function removes what next_storage_removals() hands out, and takes it off the list.
create function private.cleanup_storage_removals(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
-- Every job takes itself, this one needs nothing of it. @plpgsql_check_options: extra_warnings = false
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
    from private.due_storage_removals as d
    join storage.objects as o on o.bucket_id = d.bucket_id and o.name = d.name
    where d.is_garbage;
    return v_result;
  end if;
  v_result.more := exists (select 1 from private.due_storage_removals);
  return v_result;
end $$;
revoke all on function private.cleanup_storage_removals(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- orphaned_objects ----------------------------------------------------------------------------------

-- Objects below a user's folder that nobody needs: of a user who is gone, or in a bucket whose objects have a record each
-- that has none. Of the other buckets (avatars, recordings ...) no table says what is needed: there a user's objects stay
-- as long as the user. An object of Chuk Chat is needed as long as the chat that it is below is there, or another
-- of the user's chats names it. What an upload under way brings, or a URL that may still be good, is not looked at.
create view private.orphaned_objects as
  select o.bucket_id, o.name, o.version, coalesce((o.metadata ->> 'size')::bigint, 0) as bytes
  from storage.objects as o
  join private.bucket_rules as b on b.bucket_id = o.bucket_id
  cross join lateral (
    select private.object_owner(o.name) as user_id,
      case when split_part(o.name, '/', 2) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then split_part(o.name, '/', 2)::uuid end as chat_id
  ) as f
  -- A subquery, as the function would be called for each object.
  where greatest(o.created_at, o.updated_at) <= now() - (select private.cleanup_retention('orphaned_objects'))
    and f.user_id is not null
    and not exists (
      select 1 from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)
    and not exists (
      select 1 from private.spent_uploads as s where s.bucket_id = o.bucket_id and s.name = o.name)
    and not exists (
      select 1 from public.file_uploads as u
      where u.user_id = f.user_id and u.status = 'pending' and u.bucket_name = o.bucket_id
        and o.name in (u.file_path, u.upload_path))
    and (not exists (select 1 from auth.users as u where u.id = f.user_id)
      or o.bucket_id = 'project-files'
      or o.bucket_id = 'chat-images'
        and not exists (select 1 from public.encrypted_chats as c where c.user_id = f.user_id and c.id = f.chat_id))
    and not private.is_referenced(o.bucket_id, o.name, with_images => true);
revoke all on private.orphaned_objects from public, anon, authenticated, service_role;

-- A pass over all objects in the order of their names, so many at a time. What it queues is looked at once more before it
-- is removed.
create function private.cleanup_orphaned_objects(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_bucket text := coalesce(job.next_after ->> 'bucket_id', '');
  v_name text := coalesce(job.next_after ->> 'name', '');
  v_last record;
begin
  if dry_run then
    select count(*), coalesce(sum(o.bytes), 0) into v_result.rows, v_result.bytes
    from private.orphaned_objects as o where (o.bucket_id, o.name) > (v_bucket, v_name);
    return v_result;
  end if;
  select o.bucket_id, o.name into v_last
  from storage.objects as o
  where (o.bucket_id, o.name) > (v_bucket, v_name)
  order by o.bucket_id, o.name
  offset job.batch_size - 1 limit 1;
  v_result.more := found;
  with queued as (
    insert into private.storage_removals (bucket_id, name, version)
    select o.bucket_id, o.name, o.version from private.orphaned_objects as o
    where (o.bucket_id, o.name) > (v_bucket, v_name)
      and (not v_result.more or (o.bucket_id, o.name) <= (v_last.bucket_id, v_last.name))
    on conflict do nothing
    returning bucket_id, name
  )
  select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
  from queued as q join storage.objects as o on o.bucket_id = q.bucket_id and o.name = q.name;
  if v_result.more then
    v_result.next_after := jsonb_build_object('bucket_id', v_last.bucket_id, 'name', v_last.name);
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_orphaned_objects(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;
