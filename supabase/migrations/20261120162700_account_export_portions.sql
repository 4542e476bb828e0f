-- The portions of exports: what the cleanup writes next, and what becomes of it.

create type public.export_portion as (
  export_id uuid,
  token uuid,
  kind text,
  folder text,
  name text,
  content text,
  files jsonb
);
comment on type public.export_portion is
  'What to write into the bucket exports next. rows: content, compressed, as name; manifest: content as name; files: copies of bucket and path as name. All names are in folder. Without a kind, there is nothing to do';

-- Reads the next rows of a user: after the row at cursor, {"table", "after"}, until there are most_rows or most_bytes. A
-- line is {"table": "public.messages", "row": {...}}. counts has the rows of each table; next is null at the end.
create function private.read_export(
  user_id uuid, cursor jsonb, most_rows integer, most_bytes bigint, out content text, out counts jsonb, out next jsonb
)
language plpgsql stable set search_path = '' set timezone = 'UTC'
as $$
declare
  v_table private.account_tables;
  v_after jsonb := cursor -> 'after';
  v_key jsonb;
  v_value jsonb;
  v_found integer;
  v_rows integer := 0;
  v_bytes bigint := 0;
  v_lines text[] := array[]::text[];
begin
  counts := '{}';
  for v_table in
    select t.* from private.account_tables as t
    where t.left_out is null and t.name >= coalesce(cursor ->> 'table', '') collate "C"
    order by t.name collate "C"
  loop
    v_found := 0;
    -- A full portion ends before the next table, and at a table that may have more.
    for v_key, v_value in execute private.export_query(v_table, v_after is not null, most_rows - v_rows) using user_id, v_after loop
      v_lines := v_lines || jsonb_build_object('table', v_table.name, 'row', v_value)::text;
      v_found := v_found + 1;
      v_rows := v_rows + 1;
      v_bytes := v_bytes + octet_length(v_lines[v_rows]);
      v_after := v_key;
      exit when v_bytes >= most_bytes or v_rows >= most_rows;
    end loop;
    if v_found > 0 then
      counts := counts || jsonb_build_object(v_table.name, v_found);
    end if;
    if v_bytes >= most_bytes or v_rows >= most_rows then
      next := jsonb_build_object('table', v_table.name, 'after', v_after);
      exit;
    end if;
    v_after := null;
  end loop;
  content := array_to_string(v_lines || array[''], E'\n');
end $$;
revoke all on function private.read_export(uuid, jsonb, integer, bigint) from public, anon, authenticated, service_role;

-- The query for a user's rows of a table, by its key: $1 is the user, $2 the key of the row before.
create function private.export_query(target private.account_tables, goes_on boolean, most integer)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_columns text;
  v_keys text;
  v_after text;
begin
  select string_agg(format('t.%I', s.name), ', ' order by s.place),
    string_agg(format('t.%I::text', s.name), ', ' order by s.place),
    string_agg(format('($2 ->> %s)::%s', s.place - 1, format_type(a.atttypid, a.atttypmod)), ', ' order by s.place)
  into v_columns, v_keys, v_after
  from unnest(target.sort) with ordinality as s (name, place)
  join pg_catalog.pg_attribute as a on a.attrelid = target.name::regclass and a.attname = s.name;
  return format('select jsonb_build_array(%s) as key, %s as value from %s as t where (%s)%s order by %s limit %s',
    v_keys,
    case when target.shown is null then format('to_jsonb(t) - %L::text[]', target.hidden)
      else format('(select jsonb_object_agg(c.key, c.value) from jsonb_each(to_jsonb(t)) as c where c.key = any (%L::text[]))',
        target.shown) end,
    target.name::regclass,
    case when goes_on and target.sort[1] = 'account_id'
      then 't.account_id = any (private.credit_account_ids($1, ($2 ->> 0)::uuid))' else target.whose end,
    case when goes_on then format(' and (%s) > (%s)', v_columns, v_after) else '' end, v_columns, most);
end $$;
revoke all on function private.export_query(private.account_tables, boolean, integer)
  from public, anon, authenticated, service_role;

-- The manifest: what is in the archive, with the SHA-256 of each part, and what is not.
create function private.export_manifest(export private.account_exports)
returns text
language plpgsql stable set search_path = '' set timezone = 'UTC'
as $$
begin
  return jsonb_pretty(jsonb_build_object(
    'format', 1,
    'export_id', export.id,
    'user_id', export.user_id,
    'created_at', export.created_at,
    'tables', export.tables,
    'files', jsonb_build_object('count', export.files, 'missing', export.files_missing),
    'left_out', (
      select jsonb_object_agg(t.name, t.left_out) from private.account_tables as t where t.left_out is not null),
    'parts', coalesce((
      select jsonb_agg(jsonb_build_object('name', p.name, 'rows', p.rows, 'bytes', p.bytes, 'sha256', p.sha256) order by p.number)
      from private.account_export_parts as p where p.export_id = export.id and p.kind = 'rows'), '[]')));
end $$;
revoke all on function private.export_manifest(private.account_exports) from public, anon, authenticated, service_role;

-- Records a failure, which was counted when the portion was handed out. The export goes on after a minute, and later with
-- each failure; after exports.attempts of them in a row, it has failed.
create function private.fail_export(id uuid, error text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update private.account_exports as e
  set portion = null, error = left(fail_export.error, 1000),
    due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ least(e.attempts, 20)),
    state = case when e.attempts >= private.setting('exports.attempts') then 'failed' else e.state end,
    ended_at = case when e.attempts >= private.setting('exports.attempts') then now() end,
    sweep_at = case when e.attempts >= private.setting('exports.attempts') then now() end
  where e.id = fail_export.id;
end $$;
revoke all on function private.fail_export(uuid, text) from public, anon, authenticated, service_role;

-- Returns where the objects of a portion are to be written.
create function private.portion_paths(export private.account_exports)
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
  return array(
    select private.export_folder(export) || n.name
    from (
      select export.portion ->> 'name' as name where export.portion ->> 'kind' <> 'files'
      union all
      select f.value ->> 'name' from jsonb_array_elements(case when export.portion ->> 'kind' = 'files'
        then export.portion -> 'files' else '[]' end) as f) as n);
end $$;
revoke all on function private.portion_paths(private.account_exports) from public, anon, authenticated, service_role;

-- Remembers where a portion is to be written, before it is: if the user is deleted meanwhile and the run then ends without
-- a word, this is all that knows of its objects. They are removed after ten minutes, longer than a run may last, if their
-- user is gone.
create function private.expect_portion(export private.account_exports)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into private.storage_removals as q (bucket_id, name, due_at)
  select 'exports', p.path, now() + interval '10 minutes' from unnest(private.portion_paths(export)) as p (path)
  on conflict on constraint storage_removals_pkey do update set due_at = greatest(q.due_at, excluded.due_at);
end $$;
revoke all on function private.expect_portion(private.account_exports) from public, anon, authenticated, service_role;

-- Hands out the next portion of the export that has waited longest: at most batch rows. A portion that is not saved is
-- made anew, under another name, so that a run that has lost its job cannot disturb the one that has it. A run may end
-- without a word: the attempt counts from the start, and others come first for two minutes.
-- Definer: no role may read the tables that are exported. For the service only.
-- Raises: PT422 invalid_batch.
create function public.next_export_portion(batch integer)
returns public.export_portion
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_export private.account_exports;
  v_counts jsonb;
  v_next jsonb;
  v_result public.export_portion;
begin
  if batch is null or batch not between 1 and 10000 then
    raise exception 'batch must be a number from 1 to 10000' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  select e.* into v_export from private.account_exports as e
  where e.state in ('queued', 'running') and e.due_at <= now()
  order by e.due_at limit 1
  for no key update skip locked;
  if not found then
    return v_result;
  end if;
  if v_export.attempts >= private.setting('exports.attempts') then
    perform private.fail_export(v_export.id, 'The export was interrupted too often');
    return v_result;
  end if;
  -- The index of files finds the export by its state.
  update private.account_exports as e
  set state = 'running', attempts = e.attempts + 1, due_at = now() + interval '2 minutes'
  where e.id = v_export.id;
  v_result.export_id := v_export.id;
  v_result.token := gen_random_uuid();
  v_result.folder := private.export_folder(v_export);
  if v_export.cursor ->> 'phase' = 'files' then
    v_result.files := coalesce((
      select jsonb_agg(to_jsonb(o) || jsonb_build_object('name',
        -- The name without the user's folder, under that of the bucket.
        'files/' || o.bucket || substr(o.path, 37)))
      from private.export_objects(v_export.user_id, coalesce(v_export.cursor ->> 'name', ''),
        coalesce(v_export.cursor ->> 'bucket', ''), private.setting('exports.files_at_once')::integer) as o), '[]');
    if v_result.files <> '[]' then
      v_result.kind := 'files';
      v_export.cursor := jsonb_build_object('phase', 'files', 'name', v_result.files -> -1 ->> 'path',
        'bucket', v_result.files -> -1 ->> 'bucket');
    else
      v_result.files := null;
      v_export.cursor := '{"phase": "rows"}';
    end if;
  end if;
  if v_result.kind is null and v_export.cursor ->> 'phase' = 'rows' then
    begin
      select r.content, r.counts, r.next into v_result.content, v_counts, v_next from private.read_export(
        v_export.user_id, v_export.cursor, batch, private.setting('exports.part_size')::bigint) as r;
    exception when others then
      -- One export that cannot be read must not stop the others.
      perform private.fail_export(v_export.id, sqlerrm);
      return null;
    end;
    v_result.kind := 'rows';
    v_result.name := format('rows-%s-%s.ndjson.gz', lpad((v_export.parts + 1)::text, 6, '0'), left(v_result.token::text, 8));
    v_export.cursor := case when v_next is null then '{"phase": "manifest"}' else v_next || '{"phase": "rows"}' end;
  elsif v_result.kind is null then
    v_result.kind := 'manifest';
    v_result.content := private.export_manifest(v_export);
    v_result.name := 'manifest.json';
  end if;
  update private.account_exports as e
  set portion = jsonb_build_object('token', v_result.token, 'kind', v_result.kind, 'name', v_result.name,
    'files', v_result.files, 'counts', v_counts, 'cursor', v_export.cursor)
  where e.id = v_export.id
  returning e.* into v_export;
  perform private.expect_portion(v_export);
  return v_result;
end $$;
revoke all on function public.next_export_portion(integer) from public, anon, authenticated;
grant execute on function public.next_export_portion(integer) to service_role;

-- Records that a portion is in the archive: its size and SHA-256, or the names of files that no longer exist. Returns
-- false if it is not the one that was handed out last, or the export was cancelled: then what was written has to go.
-- Definer: no role may write the tables of exports. For the service only.
create function public.save_export_portion(
  export_id uuid, token uuid, bytes bigint default 0, sha256 text default null, missing text[] default '{}'
)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_export private.account_exports;
  v_portion jsonb;
  v_counts jsonb;
  v_rows integer;
begin
  select e.* into v_export from private.account_exports as e where e.id = save_export_portion.export_id
  for no key update;
  v_portion := v_export.portion;
  if v_export.state is distinct from 'running' or v_portion ->> 'token' is distinct from save_export_portion.token::text then
    return false;
  end if;
  delete from private.storage_removals as r
  where r.bucket_id = 'exports' and r.name = any (private.portion_paths(v_export)) and r.version is null;
  if v_portion ->> 'kind' = 'files' then
    insert into private.account_export_parts (export_id, number, kind, name, bytes, bucket, path, content_type, etag)
    select v_export.id, v_export.parts + row_number() over (order by f.place), 'file', f.value ->> 'name',
      (f.value ->> 'bytes')::bigint, f.value ->> 'bucket', f.value ->> 'path', f.value ->> 'content_type', f.value ->> 'etag'
    from jsonb_array_elements(v_portion -> 'files') with ordinality as f (value, place)
    where f.value ->> 'name' <> all (missing);
    get diagnostics v_rows = row_count;
    v_export.files := v_export.files + v_rows;
    v_export.files_missing := v_export.files_missing + jsonb_array_length(v_portion -> 'files') - v_rows;
    v_export.parts := v_export.parts + v_rows;
    v_export.bytes := v_export.bytes + coalesce((
      select sum((f.value ->> 'bytes')::bigint) from jsonb_array_elements(v_portion -> 'files') as f
      where f.value ->> 'name' <> all (missing)), 0);
  else
    v_counts := coalesce(nullif(v_portion -> 'counts', 'null'), '{}');
    select coalesce(sum(c.value::integer), 0) into v_rows from jsonb_each_text(v_counts) as c;
    insert into private.account_export_parts (export_id, number, kind, name, rows, bytes, sha256)
    values (v_export.id, v_export.parts + 1, v_portion ->> 'kind', v_portion ->> 'name', v_rows,
      save_export_portion.bytes, save_export_portion.sha256);
    v_export.rows := v_export.rows + v_rows;
    v_export.parts := v_export.parts + 1;
    v_export.bytes := v_export.bytes + save_export_portion.bytes;
    v_export.tables := v_export.tables || coalesce((
      select jsonb_object_agg(c.key, coalesce((v_export.tables ->> c.key)::bigint, 0) + c.value::bigint)
      from jsonb_each_text(v_counts) as c), '{}');
  end if;
  update private.account_exports as e
  set cursor = v_portion -> 'cursor', portion = null, attempts = 0, due_at = clock_timestamp(), tables = v_export.tables,
    rows = v_export.rows, bytes = v_export.bytes, files = v_export.files, files_missing = v_export.files_missing,
    parts = v_export.parts,
    state = case when v_portion ->> 'kind' = 'manifest' then 'done' else 'running' end,
    ended_at = case when v_portion ->> 'kind' = 'manifest' then now() end,
    expires_at = case when v_portion ->> 'kind' = 'manifest' then now() + private.retention('exports.validity') end
  where e.id = v_export.id;
  return true;
end $$;
revoke all on function public.save_export_portion(uuid, uuid, bigint, text, text[]) from public, anon, authenticated;
grant execute on function public.save_export_portion(uuid, uuid, bigint, text, text[]) to service_role;

-- Records that a portion could not be written: it is made anew later.
-- Definer: no role may write the tables of exports. For the service only.
create function public.fail_export_portion(export_id uuid, token uuid, error text)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform from private.account_exports as e
  where e.id = fail_export_portion.export_id and e.state = 'running'
    and e.portion ->> 'token' = fail_export_portion.token::text
  for no key update;
  if found then
    perform private.fail_export(fail_export_portion.export_id, fail_export_portion.error);
  end if;
end $$;
revoke all on function public.fail_export_portion(uuid, uuid, text) from public, anon, authenticated;
grant execute on function public.fail_export_portion(uuid, uuid, text) to service_role;

-- The cleanup job -------------------------------------------------------------------------------------

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('account_exports', '* * * * *', 5000, 'Makes the archives that users have asked for, and removes those that have expired');

-- Queues the objects of archives that have expired or were cancelled, and forgets old exports. A second time ten minutes
-- after the end, in case a run was about to write another part. Between the batches, the edge function writes the portions
-- that next_export_portion() hands out. rows counts archives that were removed, and portions.
create function private.cleanup_account_exports(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_export private.account_exports;
  v_queued integer;
begin
  if dry_run then
    select count(*) into v_result.rows from private.account_exports as e
    where e.state in ('queued', 'running') and e.due_at <= now() or e.sweep_at <= now()
      or e.state = 'done' and e.expires_at <= now();
    return v_result;
  end if;
  update private.account_exports as e set state = 'expired', sweep_at = now()
  where e.id = any (array(
    select x.id from private.account_exports as x where x.state = 'done' and x.expires_at <= now()
    limit job.batch_size for no key update skip locked));
  select e.* into v_export from private.account_exports as e where e.sweep_at <= now()
  order by e.sweep_at limit 1 for no key update skip locked;
  if found then
    v_queued := private.queue_export_removals(private.export_folder(v_export), job.batch_size);
    if v_queued < job.batch_size then
      v_result.rows := 1;
      delete from private.account_export_parts as p where p.export_id = v_export.id;
      update private.account_exports as e
      set sweep_at = case when now() < greatest(e.ended_at, e.expires_at) + interval '10 minutes'
        then greatest(e.ended_at, e.expires_at) + interval '10 minutes' end
      where e.id = v_export.id;
    end if;
  end if;
  delete from private.account_exports as e
  where e.id = any (array(
    select x.id from private.account_exports as x
    where x.ended_at <= now() - private.retention('exports.record_retention') and x.state <> 'done' and x.sweep_at is null
    limit job.batch_size for update skip locked));
  v_result.more := exists (
      select from private.account_exports as e where e.state in ('queued', 'running') and e.due_at <= clock_timestamp())
    or exists (select from private.account_exports as e where e.sweep_at <= now());
  return v_result;
end $$;
revoke all on function private.cleanup_account_exports(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;
