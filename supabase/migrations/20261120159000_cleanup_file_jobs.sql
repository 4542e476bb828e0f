-- The cleanup jobs of files, like those of cleanup_jobs.

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('expired_uploads', '5-59/10 * * * *', 1000, 'Gives up expired reservations and queues what arrived too late'),
  ('storage_removals', '*/10 * * * *', 1000, 'Removes the objects whose removal is queued'),
  ('orphaned_objects', '51 2 * * *', 1000, 'Queues objects of our buckets that no row refers to'),
  ('storage_reconciliation', '44 3 * * *', 200, 'Compares the counters of what users have stored with the objects and reports what does not agree'),
  ('multipart_uploads', '38 3 * * *', 1000, 'Deletes multipart uploads that were never completed');

-- expired_uploads -----------------------------------------------------------------------------------

-- Upload URLs whose rows are gone, once nothing can arrive by them any more.
create view private.expired_spent_uploads as
  select s.ctid, s.bucket_id, s.name, s.expires_at from private.spent_uploads as s
  where s.expires_at <= now() - private.retention('files.upload_grace');
revoke all on private.expired_spent_uploads from public, anon, authenticated, service_role;

create function private.cleanup_expired_uploads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_spent private.spent_uploads;
begin
  if dry_run then
    v_result.rows := (select count(*) from private.expired_uploads) + (select count(*) from private.expired_spent_uploads);
    return v_result;
  end if;
  v_result.rows := private.give_up_uploads(job.batch_size);
  for v_spent in
    delete from private.spent_uploads as s
    where s.ctid = any (array(
      select e.ctid from private.expired_spent_uploads as e
      order by e.expires_at
      limit job.batch_size - v_result.rows
      for update skip locked))
    returning s.*
  loop
    v_result.rows := v_result.rows + 1;
    perform private.queue_removal(v_spent.user_id, v_spent.bucket_id, v_spent.name);
  end loop;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_expired_uploads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- storage_removals ----------------------------------------------------------------------------------

-- Only says whether more is due: the edge function removes what next_storage_removals() hands out, and takes it off the
-- list.
create function private.cleanup_storage_removals(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
-- Every job is passed its row, which this one does not need. @plpgsql_check_options: extra_warnings = false
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
    from (select r.* from private.due_storage_removals as r order by r.due_at limit 10000) as d
    join storage.objects as o on o.bucket_id = d.bucket_id and o.name = d.name
    where d.is_garbage;
    return v_result;
  end if;
  -- In this order an index finds one; without it, all pending uploads are read first.
  v_result.more := exists (select from (select from private.due_storage_removals as r order by r.due_at limit 1) as d);
  return v_result;
end $$;
revoke all on function private.cleanup_storage_removals(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- orphaned_objects ----------------------------------------------------------------------------------

-- Objects in a user's folder that nobody needs: those of a user who is gone, and those without a row in a bucket where
-- rows say what is needed (kept_by). In the other buckets (avatars, recordings ...) a user's objects stay as long as the
-- user does. Objects that an open upload brings, or that a URL may still bring, are not looked at.
create view private.orphaned_objects as
  select o.id, o.bucket_id, o.name, o.version, coalesce((o.metadata ->> 'size')::bigint, 0) as bytes
  from storage.objects as o
  join private.bucket_rules as b on b.bucket_id = o.bucket_id
  cross join lateral (select private.object_owner(o.name) as user_id) as f
  -- A subquery: otherwise the function would be called for each object.
  where greatest(o.created_at, o.updated_at) <= now() - (select private.retention('files.orphan_retention'))
    and f.user_id is not null
    and not exists (
      select 1 from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)
    and not exists (
      select 1 from private.spent_uploads as s where s.bucket_id = o.bucket_id and s.name = o.name)
    and not exists (
      select 1 from public.file_uploads as u
      where u.user_id = f.user_id and u.status = 'pending' and u.bucket_name = o.bucket_id
        and o.name in (u.file_path, u.upload_path))
    and (b.kept_by is not null or not exists (select 1 from auth.users as u where u.id = f.user_id))
    and not private.is_referenced(o.bucket_id, o.name, 'orphaned');
revoke all on private.orphaned_objects from public, anon, authenticated, service_role;

-- A pass over all objects in the order of their names, batch_size at a time. What it queues is checked once more before
-- it is removed. A dry run looks at the next 10,000 objects of the pass: a look at all of them would take minutes.
create function private.cleanup_orphaned_objects(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_bucket text := coalesce(job.next_after ->> 'bucket_id', '');
  v_name text := coalesce(job.next_after ->> 'name', '');
  v_portion integer := case when dry_run then 10000 else job.batch_size end;
  -- Their ids, so that no plan of what follows looks at other objects.
  v_ids uuid[] := array(
    select o.id from storage.objects as o where (o.bucket_id, o.name) > (v_bucket, v_name)
    order by o.bucket_id, o.name limit v_portion);
  v_last record;
begin
  if dry_run then
    select count(*), coalesce(sum(o.bytes), 0) into v_result.rows, v_result.bytes
    from private.orphaned_objects as o where o.id = any (v_ids);
    return v_result;
  end if;
  v_result.more := cardinality(v_ids) = v_portion;
  with queued as (
    insert into private.storage_removals (bucket_id, name, version)
    select o.bucket_id, o.name, o.version from private.orphaned_objects as o where o.id = any (v_ids)
    on conflict do nothing
    returning bucket_id, name
  )
  select count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0) into v_result.rows, v_result.bytes
  from queued as q join storage.objects as o on o.bucket_id = q.bucket_id and o.name = q.name;
  if v_result.more then
    select o.bucket_id, o.name into v_last from storage.objects as o where o.id = v_ids[v_portion];
    v_result.next_after := jsonb_build_object('bucket_id', v_last.bucket_id, 'name', v_last.name);
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_orphaned_objects(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- storage_reconciliation ----------------------------------------------------------------------------

-- A pass over all users in the order of their ids. rows counts the users that were looked at; the report says what was
-- found, or that this database does not allow the triggers that count.
create function private.cleanup_storage_reconciliation(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_after uuid := coalesce(job.next_after ->> 'user_id', '00000000-0000-0000-0000-000000000000')::uuid;
  v_start timestamptz := clock_timestamp();
  v_id uuid;
begin
  if not private.counts_objects() then
    v_result.report := (select jsonb_agg(to_jsonb(r)) from public.storage_reconciliation() as r);
    return v_result;
  end if;
  if dry_run then
    select count(*) into v_result.rows from (select from auth.users as u where u.id > v_after limit 100000) as u;
    return v_result;
  end if;
  for v_id in
    select u.id from auth.users as u where u.id > v_after order by u.id limit job.batch_size
  loop
    v_result.report := coalesce(v_result.report, '[]')
      || coalesce((select jsonb_agg(to_jsonb(r)) from private.reconcile_storage(array[v_id]) as r), '[]');
    v_result.rows := v_result.rows + 1;
    v_result.next_after := jsonb_build_object('user_id', v_id);
    -- A batch in which users have very many objects ends here.
    exit when clock_timestamp() > v_start + interval '2 seconds';
  end loop;
  v_result.more := exists (
    select 1 from auth.users as u where u.id > coalesce(v_id, v_after));
  if not v_result.more then
    v_result.next_after := null;
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_storage_reconciliation(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- multipart_uploads ---------------------------------------------------------------------------------

-- Not every version of Storage has the table.
create function private.cleanup_multipart_uploads(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
begin
  return private.delete_due(job, dry_run, 'storage.s3_multipart_uploads', 'created_at < $1',
    'created_at', now() - private.retention('files.multipart_retention'));
end $$;
revoke all on function private.cleanup_multipart_uploads(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- As CodingIT-1 documents it. Definer: the service role may not delete from the tables of Storage.
create function public.cleanup_old_multipart_uploads()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.clean_up_at_once('multipart_uploads');
end $$;
comment on function public.cleanup_old_multipart_uploads() is 'Deletes multipart uploads that were begun 7 days ago and never completed';
revoke all on function public.cleanup_old_multipart_uploads() from public, anon, authenticated;
grant execute on function public.cleanup_old_multipart_uploads() to service_role;
