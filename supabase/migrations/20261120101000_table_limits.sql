-- How many rows and bytes each user may have in the tables that clients write. One template creates the triggers of all
-- tables; the limits are rows in private.settings: journal_entries.rows, journal_entries.bytes.

-- table_usage ---------------------------------------------------------------------------------------

create table private.table_usage (
  owner_id uuid not null,
  table_name text not null,
  slot smallint not null default 0,
  rows bigint not null,
  bytes bigint not null,
  primary key (owner_id, table_name, slot)
  -- Room in each page for the new version that every change makes.
) with (fillfactor = 50);
comment on table private.table_usage is
  'How many rows, and bytes in them, each user or team has in each table that has a limit';
comment on column private.table_usage.owner_id is 'The user, or the team for tables of teams';
comment on column private.table_usage.slot is
  '0, except for messages: writers of different projects and conversations do not wait for one row';
comment on column private.table_usage.bytes is 'The length of the rows as text';
revoke all on private.table_usage from public, anon, authenticated, service_role;

-- Deletes the counts of a deleted user or team. Not a foreign key: the owner can be either.
create function private.forget_table_usage()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from private.table_usage as u where u.owner_id = old.id;
  return null;
end $$;
comment on function private.forget_table_usage() is
  'Trigger function. Definer: it also runs as the Auth server''s role, which has no rights here';
revoke all on function private.forget_table_usage() from public, anon, authenticated, service_role;

create trigger forget_table_usage after delete on auth.users
  for each row execute function private.forget_table_usage();

-- Refuses a change after which an owner would have that many rows and bytes in a table. Null is not compared. SQL of an
-- operator, who has no role of the API, is not refused.
-- Raises: PT429 too_many_rows {table, limit, rows}; PT413 too_many_bytes {table, limit, bytes}.
create function private.check_table_limits(table_name text, rows numeric, bytes numeric)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_most_rows numeric;
  v_most_bytes numeric;
begin
  if current_setting('role', true) not in ('anon', 'authenticated', 'service_role') then
    return;
  end if;
  select (select s.value from private.settings as s where s.name = check_table_limits.table_name || '.rows'),
    (select s.value from private.settings as s where s.name = check_table_limits.table_name || '.bytes')
  into v_most_rows, v_most_bytes;
  if rows > v_most_rows then
    raise exception 'With this change, there would be % rows in "%": at most % are allowed', rows, table_name, v_most_rows
      using errcode = 'PT429', detail = 'too_many_rows ' || jsonb_build_object(
        'table', table_name, 'limit', v_most_rows, 'rows', rows)::text,
      hint = 'Delete rows to make room';
  end if;
  if bytes > v_most_bytes then
    raise exception 'With this change, the rows in "%" would take up % bytes: at most % are allowed',
      table_name, bytes, v_most_bytes
      using errcode = 'PT413', detail = 'too_many_bytes ' || jsonb_build_object(
        'table', table_name, 'limit', v_most_bytes, 'bytes', bytes)::text,
      hint = 'Delete rows or shorten them to make room';
  end if;
end $$;
revoke all on function private.check_table_limits(text, numeric, numeric) from public, anon, authenticated, service_role;

-- Adds to what an owner has in a table, or takes away from it with negative numbers. The row of the counter stays locked
-- until the transaction ends, so that requests at the same time cannot exceed the limit together. SQL of an operator is
-- counted too.
-- Raises: what check_table_limits raises.
create function private.use_table(owner_id uuid, table_name text, rows bigint, bytes bigint)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_rows bigint;
  v_bytes bigint;
begin
  update private.table_usage as u
  set rows = greatest(u.rows + use_table.rows, 0), bytes = greatest(u.bytes + use_table.bytes, 0)
  where u.owner_id = use_table.owner_id and u.table_name = use_table.table_name and u.slot = 0
  returning u.rows, u.bytes into v_rows, v_bytes;
  if rows <= 0 and bytes <= 0 then
    -- Without a row, the account is being deleted, and its counts were deleted before.
    return;
  end if;
  if not found then
    insert into private.table_usage as u (owner_id, table_name, rows, bytes)
    values (owner_id, table_name, greatest(rows, 0), greatest(bytes, 0))
    on conflict on constraint table_usage_pkey do update
    set rows = greatest(u.rows + use_table.rows, 0), bytes = greatest(u.bytes + use_table.bytes, 0)
    returning u.rows, u.bytes into v_rows, v_bytes;
  end if;
  perform private.check_table_limits(table_name, case when rows > 0 then v_rows end, case when bytes > 0 then v_bytes end);
end $$;
revoke all on function private.use_table(uuid, text, bigint, bigint) from public, anon, authenticated, service_role;

-- Triggers ------------------------------------------------------------------------------------------

-- The trigger functions, one for each column that says whose a row is: count_rows_of_user_id and so on. A table's
-- columns must be part of the text, because PL/pgSQL keeps a plan for each trigger and none for dynamic SQL. Times are
-- counted in UTC, so that they are as long in every session. Owners are counted in order, so that two requests that
-- write for several owners never deadlock.
-- Definer: clients write the tables, and must not write the counts.
do $migration$
declare
  v_owner text;
begin
  foreach v_owner in array array['user_id', 'team_id', 'created_by', 'id'] loop
    execute format($sql$
      create function private.%1$I()
      returns trigger
      language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
      as $$
      begin
        if tg_op = 'INSERT' then
          perform private.use_table(x.owner_id, tg_table_name, x.rows, x.bytes)
          from (
            select t.%2$I as owner_id, count(*) as rows, sum(octet_length(t::text)) as bytes
            from added as t group by 1 order by 1) as x;
        elsif tg_op = 'DELETE' then
          perform private.use_table(x.owner_id, tg_table_name, -x.rows, -x.bytes)
          from (
            select t.%2$I as owner_id, count(*) as rows, sum(octet_length(t::text)) as bytes
            from removed as t group by 1 order by 1) as x;
        else
          perform private.use_table(x.owner_id, tg_table_name, x.rows::bigint, x.bytes::bigint)
          from (
            select c.owner_id, sum(c.rows) as rows, sum(c.bytes) as bytes
            from (
              select t.%2$I as owner_id, 1 as rows, octet_length(t::text) as bytes from added as t
              union all
              select t.%2$I, -1, -octet_length(t::text) from removed as t) as c
            group by 1 having sum(c.rows) <> 0 or sum(c.bytes) <> 0 order by 1) as x;
        end if;
        return null;
      end $$;
      comment on function private.%1$I() is 'Trigger function: counts the rows and bytes of each owner, and refuses too many';
      revoke all on function private.%1$I() from public, anon, authenticated, service_role
    $sql$, 'count_rows_of_' || v_owner, v_owner);
  end loop;
end $migration$;

-- Counts one changed row, for tables of which other writes change a column all the time: a trigger for a statement could
-- not leave that column out.
-- Definer: as above.
create function private.count_changed_row()
returns trigger
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
  perform private.use_table(new.user_id, tg_table_name, 0, octet_length(new::text) - octet_length(old::text));
  return null;
end $$;
comment on function private.count_changed_row() is 'Trigger function: counts the bytes of a changed row, and refuses too many';
revoke all on function private.count_changed_row() from public, anon, authenticated, service_role;

-- Counts a row of which only the state has changed. It refuses nothing, so that a user who has no room left can still
-- archive and delete: the state takes up a few bytes more or fewer.
-- Definer: as above.
create function private.count_changed_state()
returns trigger
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
  update private.table_usage as u
  set bytes = greatest(u.bytes + octet_length(new::text) - octet_length(old::text), 0)
  where u.owner_id = new.user_id and u.table_name = tg_table_name and u.slot = 0;
  return null;
end $$;
comment on function private.count_changed_state() is 'Trigger function: counts the bytes of a row whose state has changed';
revoke all on function private.count_changed_state() from public, anon, authenticated, service_role;

-- Gives a table its limits: settings with these values, TABLE.rows and TABLE.bytes, and the triggers that count. owner is
-- the column that says whose a row is. changes lists the columns that can make a row longer, for a table that is
-- updated all the time; other tables count every update. states lists the other columns of such a table whose length
-- can change. Without bytes, updates are not counted.
create function private.limit_table(
  target regclass,
  rows bigint,
  bytes bigint default null,
  owner text default 'user_id',
  changes text default null,
  states text default null
)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_changed text := (
    select format('(row(%s) is distinct from row(%s))', string_agg('new.' || c, ', '), string_agg('old.' || c, ', '))
    from regexp_split_to_table(changes, ', ') as c);
  v_name text := (select c.relname from pg_catalog.pg_class as c where c.oid = target);
  v_whose text := case when owner = 'team_id' or v_name = 'teams' then 'team' else 'user' end;
  v_count text := format('execute function private.%I()', 'count_rows_of_' || owner);
begin
  insert into private.settings (name, value, unit, minimum, maximum, description)
  values (v_name || '.rows', rows, 'rows', 0, 9007199254740991, format('The most rows of one %s in %s', v_whose, v_name));
  execute format('create trigger count_added_rows after insert on %s referencing new table as added
    for each statement %s', target, v_count);
  execute format('create trigger count_removed_rows after delete on %s referencing old table as removed
    for each statement %s', target, v_count);
  if bytes is null then
    return;
  end if;
  insert into private.settings (name, value, unit, minimum, maximum, description)
  values (v_name || '.bytes', bytes, 'bytes', 0, 9007199254740991,
    format('The most that the rows of one %s in %s may take up', v_whose, v_name));
  if changes is null then
    execute format('create trigger count_changed_rows after update on %s
      referencing old table as removed new table as added for each statement %s', target, v_count);
  else
    execute format('create trigger count_changed_rows after update of %s on %s
      for each row when %s execute function private.count_changed_row()', changes, target, v_changed);
  end if;
  if states is not null then
    execute format('create trigger count_changed_states after update of %s on %s
      for each row when (not %s) execute function private.count_changed_state()', states, target, v_changed);
  end if;
end $$;
revoke all on function private.limit_table(regclass, bigint, bigint, text, text, text)
  from public, anon, authenticated, service_role;
