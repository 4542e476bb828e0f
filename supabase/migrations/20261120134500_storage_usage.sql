-- Usage of Storage: how much each user has stored, has reserved and may store, and whether the counters are right.

-- storage_accounts ----------------------------------------------------------------------------------

create table private.storage_accounts (
  user_id uuid primary key references auth.users (id) on delete cascade,
  owner_quota bigint,
  constraint storage_accounts_owner_quota_check check (owner_quota >= 0)
);
comment on table private.storage_accounts is
  'One row per user who has stored something or has reserved an upload. Its lock makes the reservations, uploads and completions of one user run one after the other';
comment on column private.storage_accounts.owner_quota is 'Bytes in all buckets together; null for files.owner_quota';
revoke all on private.storage_accounts from public, anon, authenticated, service_role;

-- Locks the account of a user, which it makes if necessary, and returns it; null if there is no such user. What is read
-- after this call includes everything that the earlier holders of the lock have written.
create function private.lock_storage_account(user_id uuid)
returns private.storage_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account private.storage_accounts;
begin
  select a.* into v_account from private.storage_accounts as a where a.user_id = lock_storage_account.user_id
  for no key update;
  if not found then
    insert into private.storage_accounts (user_id)
    select u.id from auth.users as u where u.id = lock_storage_account.user_id
    on conflict do nothing;
    select a.* into v_account from private.storage_accounts as a where a.user_id = lock_storage_account.user_id
    for no key update;
  end if;
  return v_account;
end $$;
revoke all on function private.lock_storage_account(uuid) from public, anon, authenticated, service_role;

-- storage_counters ----------------------------------------------------------------------------------

create table private.storage_counters (
  user_id uuid not null references private.storage_accounts (user_id) on delete cascade,
  bucket_id text not null,
  objects bigint not null,
  bytes bigint not null,
  primary key (user_id, bucket_id)
);
comment on table private.storage_counters is
  'The objects in the folder of a user in a bucket. Triggers on storage.objects keep the counters; storage_reconciliation() checks them, and recount_storage() corrects them';
comment on column private.storage_counters.bytes is
  'The real sizes, including objects of pending uploads and those that are queued for removal';
revoke all on private.storage_counters from public, anon, authenticated, service_role;

-- Adds to a counter. The caller holds the lock of the user's account.
create function private.count_objects(user_id uuid, bucket_id text, objects bigint, bytes bigint)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update private.storage_counters as c
  set objects = c.objects + count_objects.objects, bytes = c.bytes + count_objects.bytes
  where c.user_id = count_objects.user_id and c.bucket_id = count_objects.bucket_id;
  if not found then
    insert into private.storage_counters (user_id, bucket_id, objects, bytes)
    values (count_objects.user_id, count_objects.bucket_id, count_objects.objects, count_objects.bytes);
  end if;
end $$;
revoke all on function private.count_objects(uuid, text, bigint, bigint) from public, anon, authenticated, service_role;

-- Whether the triggers on storage.objects are there, so that the counters can be believed. Some self-hosted platforms do
-- not allow them: there, usage is added up from the objects, and a write is only checked by the policies.
create function private.counts_objects()
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select count(*) = 3 from pg_catalog.pg_trigger as t
    where t.tgrelid = 'storage.objects'::regclass and t.tgenabled in ('O', 'A')
      and t.tgname in ('count_new_objects', 'count_changed_object', 'count_deleted_objects'));
end $$;
revoke all on function private.counts_objects() from public, anon, authenticated, service_role;

-- The objects in a user's folder in each bucket, added up.
create function private.add_up_objects(user_id uuid)
returns table (bucket_id text, objects bigint, bytes bigint)
language plpgsql stable set search_path = ''
as $$
declare
  v_folder text := add_up_objects.user_id::text;
begin
  return query
    select o.bucket_id, count(*), coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint
    from storage.objects as o
    -- The operators of text_pattern_ops, which Storage's index on name has.
    where o.name operator(pg_catalog.~>=~) (v_folder || '/') and o.name operator(pg_catalog.~<~) (v_folder || '0')
    group by o.bucket_id;
end $$;
revoke all on function private.add_up_objects(uuid) from public, anon, authenticated, service_role;

-- Usage ---------------------------------------------------------------------------------------------

-- The most queued objects of one user that are looked at one by one. More count as used until the cleanup has removed
-- them: a user can be refused too much for a while, but never be allowed too much.
create function private.most_queued()
returns integer
language sql immutable set search_path = ''
as 'select 10000';
revoke all on function private.most_queued() from public, anon, authenticated, service_role;

-- The bytes that a user has stored and has reserved in each of our buckets. An object that is queued for removal does not
-- count, unless it was written again since. An object of a pending upload counts as reserved, with its real size or the
-- reserved one, whichever is larger. The cost follows the pending uploads and the queue, not what is stored.
create function private.storage_usage(user_id uuid)
returns table (bucket_id text, used bigint, reserved bigint)
language plpgsql stable set search_path = ''
as $$
declare
  v_folder text := storage_usage.user_id::text;
  v_counts boolean := private.counts_objects();
begin
  return query
    with stored as (
      select c.bucket_id, c.bytes as size from private.storage_counters as c
      where v_counts and c.user_id = storage_usage.user_id
      union all
      select a.bucket_id, a.bytes from private.add_up_objects(storage_usage.user_id) as a where not v_counts
    ), pending as (
      select u.bucket_name as bucket_id, u.upload_path as name, u.file_size
      from public.file_uploads as u
      where u.user_id = storage_usage.user_id and u.status = 'pending'
    ), reserved as (
      select p.bucket_id, sum(greatest(p.file_size, (o.metadata ->> 'size')::bigint)) as size
      from pending as p left join storage.objects as o on o.bucket_id = p.bucket_id and o.name = p.name
      group by p.bucket_id
    ), queued as (
      select r.bucket_id, r.name, r.version from private.storage_removals as r
      where r.name operator(pg_catalog.~>=~) (v_folder || '/') and r.name operator(pg_catalog.~<~) (v_folder || '0')
      limit private.most_queued()
    ), uncounted as (
      select n.bucket_id, sum(n.size) as size
      from (
        select o.id, o.bucket_id, (o.metadata ->> 'size')::bigint as size
        from pending as p join storage.objects as o on o.bucket_id = p.bucket_id and o.name = p.name
        union
        -- Only the version that was queued: one written since stays.
        select o.id, o.bucket_id, (o.metadata ->> 'size')::bigint
        from queued as r
        join storage.objects as o
          on o.bucket_id = r.bucket_id and o.name = r.name and o.version is not distinct from r.version
      ) as n
      group by n.bucket_id
    )
    select b.bucket_id, (coalesce(s.size, 0) - coalesce(n.size, 0))::bigint, coalesce(r.size, 0)::bigint
    from private.bucket_rules as b
    left join stored as s on s.bucket_id = b.bucket_id
    left join reserved as r on r.bucket_id = b.bucket_id
    left join uncounted as n on n.bucket_id = b.bucket_id;
end $$;
revoke all on function private.storage_usage(uuid) from public, anon, authenticated, service_role;

-- How many more bytes a user may store: in all buckets together, and in one; negative when they already store too much,
-- and null for a bucket without a quota. If both are at least needed, they may be lower than the truth, because what is
-- queued, or both stored and reserved, was then not looked at.
create function private.storage_room(
  user_id uuid, bucket_id text, needed bigint default null, out in_all bigint, out in_bucket bigint
)
language plpgsql stable set search_path = ''
as $$
declare
  v_quota bigint;
  v_bucket_quota bigint;
begin
  select a.owner_quota into v_quota from private.storage_accounts as a where a.user_id = storage_room.user_id;
  v_quota := coalesce(v_quota, private.setting('files.owner_quota'));
  select r.owner_quota into v_bucket_quota from private.bucket_rules as r where r.bucket_id = storage_room.bucket_id;
  if needed is not null and private.counts_objects() then
    select v_quota - coalesce(sum(x.bytes), 0),
      v_bucket_quota - coalesce(sum(x.bytes) filter (where x.bucket_id = storage_room.bucket_id), 0)
    into in_all, in_bucket
    from (
      select c.bucket_id, c.bytes from private.storage_counters as c
      -- Buckets without a rule are not counted.
      join private.bucket_rules as r on r.bucket_id = c.bucket_id
      where c.user_id = storage_room.user_id
      union all
      select u.bucket_name, u.file_size from public.file_uploads as u
      where u.user_id = storage_room.user_id and u.status = 'pending'
    ) as x;
    if in_all >= needed and coalesce(in_bucket >= needed, true) then
      return;
    end if;
  end if;
  select v_quota - coalesce(sum(u.used + u.reserved), 0),
    v_bucket_quota - coalesce(sum(u.used + u.reserved) filter (where u.bucket_id = storage_room.bucket_id), 0)
  into in_all, in_bucket from private.storage_usage(storage_room.user_id) as u;
end $$;
revoke all on function private.storage_room(uuid, text, bigint) from public, anon, authenticated, service_role;

create type public.storage_usage as (
  bucket text,
  used bigint,
  reserved bigint,
  allowed bigint
);
comment on type public.storage_usage is
  'Bytes that a user has stored and reserved in a bucket. allowed, the most that the user may store there, is null in a bucket without a quota';

-- What a user has stored, has reserved and may store: first in all buckets together, with bucket null, then in each.
-- Definer: no role may read the rules. For the service only, which answers for user_id.
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

-- Sets how many bytes a user may store in all buckets together, 0 or more; null for files.owner_quota. Returns the
-- user's usage. A quota below what is stored removes nothing, but stops uploads.
-- Definer: no role may write quotas. For the service only.
-- Raises: PT404 user_not_found; PT422 invalid_quota.
create function public.set_storage_quota(user_id uuid, bytes bigint)
returns setof public.storage_usage
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if bytes < 0 then
    raise exception 'bytes must be 0 or greater' using errcode = 'PT422', detail = 'invalid_quota',
      hint = 'Send null to restore the default quota';
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

-- Checking the counters -----------------------------------------------------------------------------

-- Returns where the counters of some users are wrong: see storage_reconciliation.
create function private.reconcile_storage(user_ids uuid[])
returns table (user_id uuid, bucket text, problem text, expected bigint, actual bigint)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select i.id, b.bucket_id, p.problem, p.expected, p.actual
    from unnest(user_ids) as i (id)
    cross join lateral (
      select bucket_id, a.objects, a.bytes, c.objects as counted_objects, c.bytes as counted_bytes
      from private.add_up_objects(i.id) as a
      full join (select x.* from private.storage_counters as x where x.user_id = i.id) as c using (bucket_id)
    ) as b
    cross join lateral (values
      ('objects', coalesce(b.objects, 0), coalesce(b.counted_objects, 0)),
      ('bytes', coalesce(b.bytes, 0), coalesce(b.counted_bytes, 0))
    ) as p (problem, expected, actual)
    where p.expected <> p.actual;
end $$;
revoke all on function private.reconcile_storage(uuid[]) from public, anon, authenticated, service_role;

-- Returns where the counters of usage differ from the objects, for all users or one: a row for each bucket, with the
-- problem objects or bytes. Correct it with recount_storage(). The problem triggers, without a user, means that the
-- database does not allow triggers on storage.objects: nothing is counted then, and a quota is only checked before an
-- upload. For all users it reads every object; the cleanup job of this name does so in parts.
-- Definer: no role may read the counters. For the service only.
create function public.storage_reconciliation(only_user_id uuid default null)
returns table (user_id uuid, bucket text, problem text, expected bigint, actual bigint)
language plpgsql stable security definer set search_path = ''
as $$
begin
  if not private.counts_objects() then
    return query select null::uuid, null::text, 'triggers'::text, 1::bigint, 0::bigint;
    return;
  end if;
  return query
    select r.* from private.reconcile_storage(
      case when only_user_id is null then array(select u.id from auth.users as u) else array[only_user_id] end) as r;
end $$;
revoke all on function public.storage_reconciliation(uuid) from public, anon, authenticated;
grant execute on function public.storage_reconciliation(uuid) to service_role;

-- Counts the objects in a user's folders anew. Returns what was wrong, like storage_reconciliation. Uploads of the user
-- wait meanwhile.
-- Definer: no role may write the counters. For the service only.
-- Raises: PT404 user_not_found.
create function public.recount_storage(user_id uuid)
returns table (bucket text, problem text, expected bigint, actual bigint)
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if (private.lock_storage_account(recount_storage.user_id)).user_id is null then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  -- Removals do not lock the account. This waits for those that have counted, and the others count after this.
  perform from private.storage_counters as c where c.user_id = recount_storage.user_id order by c.bucket_id for update;
  return query
    select r.bucket, r.problem, r.expected, r.actual
    from private.reconcile_storage(array[recount_storage.user_id]) as r;
  -- In place: a removal that waits for a row goes on from its new value.
  update private.storage_counters as c set objects = 0, bytes = 0 where c.user_id = recount_storage.user_id;
  insert into private.storage_counters as c (user_id, bucket_id, objects, bytes)
  select recount_storage.user_id, a.bucket_id, a.objects, a.bytes from private.add_up_objects(recount_storage.user_id) as a
  on conflict on constraint storage_counters_pkey do update set objects = excluded.objects, bytes = excluded.bytes;
end $$;
revoke all on function public.recount_storage(uuid) from public, anon, authenticated;
grant execute on function public.recount_storage(uuid) to service_role;
