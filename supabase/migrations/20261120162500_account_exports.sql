-- Exports: an archive of all that is a user's, in the bucket exports, for a limited time. The cleanup job account_exports
-- makes it in portions: first it copies the files, then it writes the rows of all tables that account_tables lists, then a
-- manifest. After an interruption, the next run goes on at the last portion that was saved.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('exports.per_day', 2, 'exports', 1, 1000, 'The most exports that a user may start in 24 hours'),
  ('exports.validity', 604800, 'seconds', 3600, 7776000, 'How long an archive is kept after it was made (7 days)'),
  ('exports.url_validity', 3600, 'seconds', 60, 604800, 'How long the download URLs of an archive are valid (one hour)'),
  ('exports.record_retention', 2592000, 'seconds', 86400, 31536000,
    'How long it is remembered that there was an export (30 days)'),
  ('exports.part_size', 2097152, 'bytes', 1024, 8388608,
    'The size from which a part of an archive has enough rows, before it is compressed (2 MiB)'),
  ('exports.files_at_once', 20, 'files', 1, 100, 'How many files are copied between two batches'),
  ('exports.attempts', 10, 'attempts', 1, 100, 'After how many failures in a row an export is given up');

-- The bucket has no row in bucket_rules: nobody but the service writes it, and it counts towards no quota. The policy in
-- buckets lets users read their own folder in it.
insert into storage.buckets (id, name, public) values ('exports', 'exports', false) on conflict (id) do nothing;

-- account_exports -------------------------------------------------------------------------------------

create table private.account_exports (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  state text not null default 'queued',
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  expires_at timestamptz,
  cursor jsonb not null default '{"phase": "files"}',
  portion jsonb,
  tables jsonb not null default '{}',
  rows bigint not null default 0,
  bytes bigint not null default 0,
  files integer not null default 0,
  files_missing integer not null default 0,
  parts integer not null default 0,
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  sweep_at timestamptz,
  error text,
  constraint account_exports_state_check
    check (state in ('queued', 'running', 'done', 'failed', 'cancelled', 'expired')),
  constraint account_exports_ended_check check ((ended_at is null) = (state in ('queued', 'running')))
);
comment on table private.account_exports is 'The exports of users, and how far each has come';
comment on column private.account_exports.cursor is 'Where the next portion begins: phase is files, rows or manifest';
comment on column private.account_exports.portion is 'The portion that was handed out last and is not saved yet; token names it';
comment on column private.account_exports.tables is 'How many rows of each table are in the archive so far';
comment on column private.account_exports.bytes is 'The size of the parts and files in the archive so far';
comment on column private.account_exports.files_missing is 'Files that were deleted before they could be copied';
comment on column private.account_exports.sweep_at is
  'When its objects are removed, if it has ended without an archive or the archive has expired';
revoke all on private.account_exports from public, anon, authenticated, service_role;
create unique index account_exports_one on private.account_exports (user_id) where state in ('queued', 'running');
create index account_exports_user_id on private.account_exports (user_id, created_at desc);
create index account_exports_due_at on private.account_exports (due_at) where state in ('queued', 'running');
create index account_exports_sweep_at on private.account_exports (sweep_at);
create index account_exports_expires_at on private.account_exports (expires_at) where state = 'done';
create index account_exports_ended_at on private.account_exports (ended_at);

create table private.account_export_parts (
  export_id uuid not null references private.account_exports (id) on delete cascade,
  number integer not null,
  kind text not null,
  name text not null,
  rows integer,
  bytes bigint not null,
  sha256 text,
  bucket text,
  path text,
  content_type text,
  etag text,
  primary key (export_id, number),
  constraint account_export_parts_kind_check check (kind in ('file', 'rows', 'manifest'))
);
comment on table private.account_export_parts is 'The objects of an export: copies of files, parts with rows, and the manifest';
comment on column private.account_export_parts.sha256 is
  'Of the object as it is stored; null for a file, which Storage copies by itself';
comment on column private.account_export_parts.bucket is 'Where the file is, with path';
revoke all on private.account_export_parts from public, anon, authenticated, service_role;

select private.add_account_tables('{private.account_exports}', 't.user_id = $1', '{id}', left_out => 'Is about exports');
-- The index of the files in the archive.
select private.add_account_tables('{private.account_export_parts}', 't.kind = ''file'' and t.export_id = (
  select e.id from private.account_exports as e where e.user_id = $1 and e.state = ''running'')', '{number}',
  shown => array['name', 'bucket', 'path', 'bytes', 'content_type', 'etag']);

-- Queues the removal of at most so many objects in a folder of the bucket. An entry of one that was expected there, without
-- a version, becomes one of the object that is there.
create function private.queue_export_removals(folder text, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_queued integer;
begin
  insert into private.storage_removals as q (bucket_id, name, version)
  select o.bucket_id, o.name, o.version from storage.objects as o
  where o.bucket_id = 'exports' and o.name operator(pg_catalog.~>=~) folder
    -- The character after the slash.
    and o.name operator(pg_catalog.~<~) (left(folder, -1) || '0')
    and not exists (select 1 from private.storage_removals as r
      where r.bucket_id = o.bucket_id and r.name = o.name and r.version is not distinct from o.version)
  limit most
  on conflict on constraint storage_removals_pkey do update
    set version = excluded.version, due_at = least(q.due_at, excluded.due_at);
  get diagnostics v_queued = row_count;
  return v_queued;
end $$;
revoke all on function private.queue_export_removals(text, integer) from public, anon, authenticated, service_role;

-- After the rows that are deleted with an account, its archives.
insert into private.account_rows (name, place, statement) values
  ('exports', 61, 'select from generate_series(1, private.queue_export_removals($1 || ''/'', $2))');

-- For users -------------------------------------------------------------------------------------------

create type public.account_export as (
  id uuid,
  state text,
  created_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz,
  tables jsonb,
  rows bigint,
  files integer,
  files_missing integer,
  bytes bigint,
  parts integer,
  progress numeric,
  url_seconds integer
);
comment on type public.account_export is
  'How far an export has come. progress is an estimate from 0 to 1: the share of the files and rows that are in the archive';

-- Returns about how many rows and files a user has, as they are counted for limits and quotas.
create function private.account_size(user_id uuid)
returns numeric
language plpgsql stable set search_path = ''
as $$
begin
  return coalesce((select sum(u.rows) from private.table_usage as u where u.owner_id = account_size.user_id), 0)
    + coalesce((
      select sum(c.objects) * 2 from private.storage_counters as c
      where c.user_id = account_size.user_id and c.bucket_id <> 'exports'), 0);
end $$;
revoke all on function private.account_size(uuid) from public, anon, authenticated, service_role;

-- The files of a user after the one with this name in this bucket, in the order of an index that Storage has.
create function private.export_objects(user_id uuid, after_name text, after_bucket text, most integer)
returns table (bucket text, path text, bytes bigint, content_type text, etag text)
language plpgsql stable set search_path = ''
as $$
declare
  v_folder text := export_objects.user_id::text;
  v_from text := greatest(v_folder || '/' collate "C", after_name);
begin
  return query
    select o.bucket_id, o.name, coalesce((o.metadata ->> 'size')::bigint, 0), o.metadata ->> 'mimetype', o.metadata ->> 'eTag'
    from storage.objects as o
    where o.name operator(pg_catalog.~>=~) v_from and o.name operator(pg_catalog.~<~) (v_folder || '0')
      and o.bucket_id <> 'exports'
      and (o.name operator(pg_catalog.~>~) after_name or o.bucket_id > after_bucket collate "C")
    order by o.name using operator(pg_catalog.~<~), o.bucket_id collate "C"
    limit most;
end $$;
revoke all on function private.export_objects(uuid, text, text, integer) from public, anon, authenticated, service_role;

create function private.describe_export(export private.account_exports)
returns public.account_export
language plpgsql stable set search_path = ''
as $$
begin
  return row(export.id, export.state, export.created_at, export.ended_at, export.expires_at, export.tables, export.rows,
    export.files, export.files_missing, export.bytes, export.parts,
    case export.state when 'queued' then 0 when 'running' then least(0.99, round(
      (export.rows + export.files)::numeric / greatest(private.account_size(export.user_id), 1), 2)) else 1 end,
    private.setting('exports.url_validity')::integer)::public.account_export;
end $$;
revoke all on function private.describe_export(private.account_exports) from public, anon, authenticated, service_role;

-- Starts an export of a user. The archive of the user's last one is removed.
-- Definer: no role may write the tables of exports. For the service only, which has verified user_id.
-- Raises: PT404 user_not_found; PT409 export_in_progress; PT429 too_many_exports {limit, retry_after}.
create function public.start_account_export(user_id uuid)
returns public.account_export
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_limit integer := private.setting('exports.per_day');
  v_recent timestamptz[];
  v_export private.account_exports;
begin
  -- Exports of one user are counted one after the other.
  perform from auth.users as u where u.id = start_account_export.user_id for no key update;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  if exists (
    select from private.account_exports as e
    where e.user_id = start_account_export.user_id and e.state in ('queued', 'running')) then
    raise exception 'An export is already being made' using errcode = 'PT409', detail = 'export_in_progress',
      hint = 'Wait until it is done, or cancel it';
  end if;
  v_recent := array(
    select e.created_at from private.account_exports as e
    where e.user_id = start_account_export.user_id and e.created_at > now() - interval '1 day'
    order by e.created_at desc limit v_limit);
  if cardinality(v_recent) >= v_limit then
    raise exception 'You can start at most % exports in 24 hours', v_limit
      using errcode = 'PT429', detail = 'too_many_exports ' || jsonb_build_object('limit', v_limit, 'retry_after',
        ceil(extract(epoch from v_recent[v_limit] + interval '1 day' - now())))::text,
        hint = 'Download the existing archive, or try again after retry_after seconds';
  end if;
  update private.account_exports as e
  set state = 'expired', expires_at = now(), sweep_at = now()
  where e.user_id = start_account_export.user_id and e.state = 'done';
  insert into private.account_exports (user_id) values (start_account_export.user_id) returning * into v_export;
  return private.describe_export(v_export);
end $$;
revoke all on function public.start_account_export(uuid) from public, anon, authenticated;
grant execute on function public.start_account_export(uuid) to service_role;

-- Returns the user's newest export.
-- Raises: PT404 export_not_found.
create function private.newest_export(user_id uuid)
returns private.account_exports
language plpgsql stable set search_path = ''
as $$
declare
  v_export private.account_exports;
begin
  select e.* into v_export from private.account_exports as e
  where e.user_id = newest_export.user_id order by e.created_at desc limit 1;
  if not found then
    raise exception 'You have no export' using errcode = 'PT404', detail = 'export_not_found', hint = 'Start one with POST /account/export';
  end if;
  if v_export.expires_at <= now() then
    v_export.state := 'expired';
  end if;
  return v_export;
end $$;
revoke all on function private.newest_export(uuid) from public, anon, authenticated, service_role;

-- Returns how far the user's newest export has come.
-- Definer: no role may read the tables of exports. For the service only, which has verified user_id.
-- Raises: PT404 export_not_found.
create function public.get_account_export(user_id uuid)
returns public.account_export
language plpgsql stable security definer set search_path = ''
as $$
begin
  return private.describe_export(private.newest_export(user_id));
end $$;
revoke all on function public.get_account_export(uuid) from public, anon, authenticated;
grant execute on function public.get_account_export(uuid) to service_role;

-- Returns the objects of the user's newest export, if it is done: page_size (1 to 1000) of them after a number. name is
-- the object's name in the bucket exports.
-- Definer: no role may read the tables of exports. For the service only, which has verified user_id.
-- Raises: PT404 export_not_found; PT422 invalid_page.
create function public.account_export_parts(user_id uuid, after integer default 0, page_size integer default 100)
returns table (number integer, kind text, name text, rows integer, bytes bigint, sha256 text, bucket text, path text)
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_export private.account_exports;
begin
  if page_size is null or page_size not between 1 and 1000 then
    raise exception 'page_size must be a number from 1 to 1000' using errcode = 'PT422', detail = 'invalid_page';
  end if;
  v_export := private.newest_export(user_id);
  if v_export.state <> 'done' then
    return;
  end if;
  return query
    select p.number, p.kind, private.export_folder(v_export) || p.name, p.rows, p.bytes, p.sha256, p.bucket, p.path
    from private.account_export_parts as p
    where p.export_id = v_export.id and p.number > coalesce(account_export_parts.after, 0)
    order by p.number limit page_size;
end $$;
revoke all on function public.account_export_parts(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.account_export_parts(uuid, integer, integer) to service_role;

-- Cancels the user's newest export, or removes its archive.
-- Definer: no role may write the tables of exports. For the service only, which has verified user_id.
-- Raises: PT404 export_not_found.
create function public.remove_account_export(user_id uuid)
returns public.account_export
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_export private.account_exports;
begin
  v_export := private.newest_export(user_id);
  -- Again under its lock: it may just have been completed.
  update private.account_exports as e
  set state = case when e.state = 'done' then 'expired' else 'cancelled' end, portion = null, sweep_at = now(),
    ended_at = coalesce(e.ended_at, now()), expires_at = case when e.state = 'done' then now() end
  where e.id = v_export.id and e.state in ('queued', 'running', 'done')
  returning e.* into v_export;
  if not found then
    v_export := private.newest_export(user_id);
  end if;
  return private.describe_export(v_export);
end $$;
revoke all on function public.remove_account_export(uuid) from public, anon, authenticated;
grant execute on function public.remove_account_export(uuid) to service_role;

create function private.export_folder(export private.account_exports)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return concat(export.user_id, '/', export.id, '/');
end $$;
revoke all on function private.export_folder(private.account_exports) from public, anon, authenticated, service_role;
