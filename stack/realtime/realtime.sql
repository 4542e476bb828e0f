-- Realtime: what the service owns in a hosted project's database, and what the service here needs.

create role supabase_realtime_admin nologin noinherit;
create schema realtime authorization supabase_realtime_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
-- On the platform, an extension lets postgres add policies to the table. The guard refuses everything else.
grant supabase_realtime_admin to postgres with inherit true, set false;

set role supabase_realtime_admin;

create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
) partition by range (inserted_at);
create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to postgres, anon, authenticated, service_role;
create table realtime.messages_default partition of realtime.messages default;

create function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;

-- A message that cannot be saved must not fail the transaction that sends it.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql as $$
declare
  v_id uuid := gen_random_uuid();
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (v_id, case when payload ? 'id' then payload else payload || jsonb_build_object('id', v_id) end,
    event, topic, private, 'broadcast');
exception when others then
  raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
end $$;

create function realtime.broadcast_changes(topic_name text, event_name text, operation text, table_name text,
  table_schema text, new record, old record, level text default 'ROW')
returns void
language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'Unexpected operation type: %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object('old_record', old, 'record', new, 'operation', operation, 'table', table_name,
      'schema', table_schema),
    event_name, topic_name);
exception when others then
  raise exception 'Failed to process the row: %', sqlerrm;
end $$;

reset role;

create publication supabase_realtime_messages_publication for table realtime.messages;

-- The service here -----------------------------------------------------------------------------------

-- Makes the partitions of the next days, and drops those that are older than three days.
create function _stack.realtime_partitions() returns void
language plpgsql set search_path = '' as $$
declare
  v_name text;
begin
  for v_name in
    select c.relname from pg_class as c
    where c.relnamespace = 'realtime'::regnamespace and c.relname ~ '^messages_\d{4}_\d\d_\d\d$'
      and c.relname < 'messages_' || to_char(current_date - 3, 'YYYY_MM_DD')
  loop
    execute format('drop table realtime.%I', v_name);
  end loop;
  for i in 0..3 loop
    v_name := 'messages_' || to_char(current_date + i, 'YYYY_MM_DD');
    continue when to_regclass('realtime.' || v_name) is not null
      -- A message that nobody made a partition for.
      or exists (select from realtime.messages_default as m
        where m.inserted_at >= current_date + i and m.inserted_at < current_date + i + 1);
    execute format('create table realtime.%I partition of realtime.messages for values from (%L) to (%L)',
      v_name, current_date + i, current_date + i + 1);
    execute format('alter table realtime.%I owner to supabase_realtime_admin', v_name);
  end loop;
end $$;
select _stack.realtime_partitions();

-- Returns what the policies on realtime.messages permit on a private channel. What it writes is undone.
create function _stack.realtime_rights(topic text, role text, claims jsonb, headers jsonb,
  out broadcast_read boolean, out presence_read boolean, out broadcast_write boolean, out presence_write boolean)
language plpgsql set search_path = public, extensions as $$
declare
  v_ids uuid[];
begin
  with probes as (
    insert into realtime.messages (topic, extension, private)
    values (realtime_rights.topic, 'broadcast', true), (realtime_rights.topic, 'presence', true)
    returning id)
  select array_agg(p.id) into v_ids from probes as p;
  perform set_config('realtime.topic', topic, true), set_config('request.jwt.claims', claims::text, true),
    set_config('request.headers', headers::text, true), set_config('role', role, true);
  select coalesce(bool_or(m.extension = 'broadcast'), false), coalesce(bool_or(m.extension = 'presence'), false)
  into broadcast_read, presence_read
  from realtime.messages as m where m.id = any (v_ids);
  begin
    insert into realtime.messages (topic, extension, private) values (realtime_rights.topic, 'broadcast', true);
    broadcast_write := true;
  exception when insufficient_privilege then
    broadcast_write := false;
  end;
  begin
    insert into realtime.messages (topic, extension, private) values (realtime_rights.topic, 'presence', true);
    presence_write := true;
  exception when insufficient_privilege then
    presence_write := false;
  end;
  raise exception using errcode = 'UNDO0';
exception when sqlstate 'UNDO0' then
  null;
end $$;

-- The value of a column as JSON, as the platform sends it.
create function _stack.realtime_record(entity regclass, names text[], vals text[]) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_fields text;
  v_record jsonb;
begin
  select string_agg(format('(%L, to_jsonb($1[%s]::%s))', n.name, n.position, format_type(a.atttypid, a.atttypmod)), ', ')
  into v_fields
  from unnest(names) with ordinality as n (name, position)
  join pg_attribute as a on a.attrelid = entity and a.attname = n.name and not a.attisdropped;
  if v_fields is null then
    return '{}';
  end if;
  execute format('select jsonb_object_agg(v.name, v.value) from (values %s) as v (name, value)', v_fields)
  into v_record using vals;
  return v_record;
end $$;

-- Returns whether a value passes a filter. Null is no.
create function _stack.realtime_passes(type text, value text, op text, operand text, negate boolean) returns boolean
language plpgsql stable set search_path = '' as $$
declare
  v_passes boolean;
begin
  if op = 'is' then
    if operand not in ('null', 'true', 'false', 'unknown') then
      raise exception 'invalid value for is filter: must be null, true, false, or unknown';
    end if;
    execute format('select %L::%s is %s', value, type, operand) into v_passes;
  elsif op = 'in' then
    execute format('select %L::%s = any (%L::%s[])', value, type, operand, type) into v_passes;
  else
    execute format('select %L::%s %s %L::%s', value, type,
      case op when 'eq' then '=' when 'neq' then '<>' when 'lt' then '<' when 'lte' then '<=' when 'gt' then '>'
        when 'gte' then '>=' when 'like' then 'like' when 'ilike' then 'ilike' when 'match' then '~'
        when 'imatch' then '~*' when 'isdistinct' then 'is distinct from' end, operand, type) into v_passes;
  end if;
  return v_passes <> negate;
end $$;

-- Returns whether a row passes all filters. A column that the row does not have lets none pass.
create function _stack.realtime_matches(entity regclass, names text[], vals text[], filters jsonb) returns boolean
language plpgsql stable set search_path = '' as $$
declare
  v_filter record;
begin
  for v_filter in
    select array_position(names, f ->> 'column') as position, f ->> 'op' as op, f ->> 'value' as operand,
      (f ->> 'negate')::boolean as negate, format_type(a.atttypid, a.atttypmod) as type
    from jsonb_array_elements(filters) as f
    left join pg_attribute as a on a.attrelid = entity and a.attname = f ->> 'column'
  loop
    if v_filter.position is null or not coalesce(_stack.realtime_passes(
      v_filter.type, vals[v_filter.position], v_filter.op, v_filter.operand, v_filter.negate), false) then
      return false;
    end if;
  end loop;
  return true;
exception
  -- A filter that fails with this value must not end the subscriptions of others.
  when others then
    return false;
end $$;

-- The subscriptions of a connection are in a temporary table of its session, and end with it.
create function _stack.realtime_prepare() returns void
language plpgsql set search_path = '' as $$
begin
  create temporary table subscription (
    id integer not null,
    entity regclass not null,
    event text not null,
    role text not null,
    claims jsonb not null,
    filters jsonb not null,
    columns text[]
  );
  create index on pg_temp.subscription (entity);
  create index on pg_temp.subscription (id);
end $$;

-- Subscribes to the tables of the publication supabase_realtime that are named. Returns how many there are.
create function _stack.realtime_subscribe(id integer, event text, schema_name text, table_name text, filters jsonb,
  columns text[], role text, claims jsonb)
returns integer
language plpgsql set search_path = '' as $$
declare
  v_entity regclass;
  v_count integer := 0;
  v_column text;
begin
  for v_entity in
    select format('%I.%I', p.schemaname, p.tablename)::regclass
    from pg_publication_tables as p
    where p.pubname = 'supabase_realtime' and schema_name in ('*', p.schemaname) and table_name in ('*', p.tablename)
  loop
    for v_column in
      select f ->> 'column' from jsonb_array_elements(filters) as f union select unnest(columns)
    loop
      if not exists (select from pg_attribute as a
        where a.attrelid = v_entity and a.attname = v_column and a.attnum > 0 and not a.attisdropped
          and has_column_privilege(role, v_entity, a.attnum, 'select')) then
        raise exception 'invalid column for filter %', v_column;
      end if;
    end loop;
    -- A value that does not fit the column fails here, and not with each change.
    -- Texts are tried with one: whether a pattern is valid shows only when it is used.
    perform _stack.realtime_passes(format_type(a.atttypid, a.atttypmod),
      case when a.atttypid in ('text'::regtype, 'varchar'::regtype) then '' end, f ->> 'op', f ->> 'value', false)
    from jsonb_array_elements(filters) as f
    join pg_attribute as a on a.attrelid = v_entity and a.attname = f ->> 'column';
    insert into pg_temp.subscription values (id, v_entity, event, role, claims, filters, columns);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- Returns who hears of a change to a row, and what. `names` and `vals` are of the new row, except for DELETE; the others
-- of the old one, or of its key. Row level security is asked as each subscriber, after the change.
create function _stack.realtime_change(schema_name text, table_name text, action text, names text[], vals text[],
  old_names text[], old_vals text[])
returns table (ids integer[], record jsonb, old_record jsonb, columns jsonb, error text)
language plpgsql set search_path = public, extensions as $$
declare
  v_entity regclass := to_regclass(format('%I.%I', schema_name, table_name));
  v_secured boolean;
  v_keys text[];
  v_query text;
  v_group record;
  v_subscriber record;
  v_visible boolean;
  v_selectable text[];
  v_ids integer[];
  v_failed integer[];
  v_record jsonb;
  v_old_record jsonb;
begin
  if not exists (select from pg_temp.subscription as s where s.entity = v_entity and s.event in ('*', action)) then
    return;
  end if;
  select c.relrowsecurity into v_secured from pg_class as c where c.oid = v_entity;
  select coalesce(array_agg(a.attname::text order by a.attnum), '{}') into v_keys
  from pg_constraint as k join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
  where k.conrelid = v_entity and k.contype = 'p';
  v_record := _stack.realtime_record(v_entity, names, vals);
  -- Without the whole old row there is its key, of which an update tells only if it has changed.
  v_old_record := case when action = 'UPDATE' and old_names = '{}'
    then (select jsonb_object_agg(r.key, r.value) from jsonb_each(v_record) as r where r.key = any (v_keys))
    else _stack.realtime_record(v_entity, old_names, old_vals) end;
  select format('select exists (select from %s where %s)', v_entity,
    string_agg(format('%I = %L::%s', a.attname, vals[array_position(names, a.attname::text)],
      format_type(a.atttypid, a.atttypmod)), ' and '))
  into v_query
  from pg_attribute as a where a.attrelid = v_entity and a.attname = any (v_keys);

  for v_group in
    select s.role, s.columns, array_agg(s.id) as ids from pg_temp.subscription as s
    where s.entity = v_entity and s.event in ('*', action)
    group by s.role, s.columns
  loop
    select coalesce(array_agg(a.attname::text order by a.attnum), '{}') into v_selectable
    from pg_attribute as a
    where a.attrelid = v_entity and a.attnum > 0 and not a.attisdropped
      and has_column_privilege(v_group.role, v_entity, a.attnum, 'select');
    if action <> 'DELETE' and (v_keys = '{}' or not v_keys <@ v_selectable) then
      return query select v_group.ids, null::jsonb, null::jsonb, null::jsonb,
        case v_keys when '{}' then 'Error 400: Bad Request, no primary key' else 'Error 401: Unauthorized' end;
      continue;
    end if;
    v_ids := '{}';
    v_failed := '{}';
    for v_subscriber in
      select s.claims, array_agg(s.id) as ids from pg_temp.subscription as s
      where s.id = any (v_group.ids) and s.entity = v_entity and s.event in ('*', action) and (s.filters = '[]'
        or case action when 'DELETE' then _stack.realtime_matches(v_entity, old_names, old_vals, s.filters)
          else _stack.realtime_matches(v_entity, names, vals, s.filters) end)
      group by s.claims
    loop
      v_visible := true;
      if v_secured and action <> 'DELETE' then
        begin
          perform set_config('request.jwt.claims', v_subscriber.claims::text, true),
            set_config('role', v_group.role, true);
          execute v_query into v_visible;
        exception when others then
          v_visible := false;
          v_failed := v_failed || v_subscriber.ids;
        end;
        perform set_config('role', 'none', true);
      end if;
      if v_visible then
        v_ids := v_ids || v_subscriber.ids;
      end if;
    end loop;
    v_selectable := array(select c from unnest(v_selectable) as c
      where v_group.columns is null or c = any (v_group.columns) or c = any (v_keys));
    if v_ids <> '{}' then
      return query select v_ids,
        (select coalesce(jsonb_object_agg(r.key, r.value), '{}') from jsonb_each(v_record) as r
          where r.key = any (v_selectable)),
        -- Nobody can tell who could see the old row: with row level security it is only its primary key.
        (select coalesce(jsonb_object_agg(r.key, r.value), '{}') from jsonb_each(v_old_record) as r
          where r.key = any (v_selectable) and (not v_secured or r.key = any (v_keys))),
        (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', t.typname) order by a.attnum), '[]')
          from pg_attribute as a join pg_type as t on t.oid = a.atttypid
          where a.attrelid = v_entity and a.attname = any (v_selectable)),
        null::text;
    end if;
    if v_failed <> '{}' then
      return query select v_failed, null::jsonb, null::jsonb, null::jsonb,
        'Error 500: Internal Server Error, RLS policy evaluation failed';
    end if;
  end loop;
end $$;
