-- Limits of tables: which table has one, that every way to write counts, that deleting makes room, and that nothing of
-- it outlives its owner. messages/070_limits.sql looks at messages.

begin;
select no_plan();

-- Every table --------------------------------------------------------------------------------------

-- Columns that a client may write and whose length nothing else bounds.
create temp view client_columns as
  select c.oid as table_id, c.relname::text as table_name, a.attnum, a.attname::text as column_name,
    t.typlen = -1 and t.typname <> 'numeric' as is_long,
    has_column_privilege('authenticated', c.oid, a.attnum, 'update') as is_updated
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type as t on t.oid = a.atttypid
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
      or has_column_privilege('authenticated', c.oid, a.attnum, 'update')
      or has_column_privilege('anon', c.oid, a.attnum, 'insert')
      or has_column_privilege('anon', c.oid, a.attnum, 'update'));

create temp view limit_triggers as
  select t.tgrelid as table_id, t.tgname::text as name, t.tgattr from pg_trigger as t where not t.tgisinternal;

select is_empty(
  $$ select distinct c.table_name from client_columns c
    where not (
        exists (select 1 from limit_triggers t where t.table_id = c.table_id and t.name = 'count_added_rows')
        and exists (select 1 from limit_triggers t where t.table_id = c.table_id and t.name = 'count_removed_rows')
        and exists (select 1 from private.settings s where s.name = c.table_name || '.rows')
        or exists (select 1 from limit_triggers t where t.table_id = c.table_id and t.name = 'limit_visitors'))
      -- One for each member, who is counted there, and for each unit, of which the operator has few.
      and c.table_name not in ('credit_member_limits', 'credit_unit_limits') $$,
  'every table that a client writes has a limit for rows: call private.limit_table() beneath it');

select is_empty(
  $$ select c.table_name, c.column_name from client_columns c
    where c.is_long
      and not exists (
        select 1 from limit_triggers t join private.settings s on s.name = c.table_name || '.bytes'
        where t.table_id = c.table_id and t.name = 'count_changed_rows'
          and (not c.is_updated or t.tgattr = '' or c.attnum = any (t.tgattr::int2[])))
      and (c.table_name, c.column_name) not in (
        -- A CHECK lists or bounds their values.
        values ('team_members', 'role'), ('credit_member_limits', 'period'), ('credit_unit_limits', 'period'),
          ('credit_unit_limits', 'unit'), ('waitlist', 'email'), ('site_visits', 'path'),
          ('site_visits', 'user_agent'), ('site_visits', 'referrer'), ('customization_preferences', 'image_gen_default_size'))
      -- chats.max_bytes
      and c.table_name <> 'encrypted_chats' $$,
  'every long column that a client writes counts: give limit_table() bytes, and the column if it has changes');

-- Rows that everybody has one of -------------------------------------------------------------------

select tests.create_user('owner');
select tests.create_user('other');
create function pg_temp.used(tbl text, owner text default 'owner') returns text language sql stable as $$
  select concat(sum(u.rows), ' rows, ', sum(u.bytes), ' bytes') from private.table_usage as u
  where u.owner_id = tests.user_id(owner) and u.table_name = tbl
$$;
-- What is there, as it is counted.
create function pg_temp.there(tbl text, owner_column text default 'user_id', owner text default 'owner')
returns text language plpgsql stable set timezone = 'UTC' as $$
declare
  v_there text;
begin
  execute format('select concat(count(*), '' rows, '', coalesce(sum(octet_length(t::text)), 0), '' bytes'')
    from public.%I as t where %I = $1', tbl, owner_column) into v_there using tests.user_id(owner);
  return v_there;
end $$;
-- Allows n more rows or bytes.
create function pg_temp.allow(setting text, n bigint) returns void language sql as $$
  update private.settings set value = n + coalesce((
    select sum(case split_part(setting, '.', 2) when 'rows' then u.rows else u.bytes end) from private.table_usage as u
    where u.owner_id = tests.user_id('owner') and u.table_name = split_part(setting, '.', 1)), 0) where name = setting
$$;

select is(pg_temp.used(t.name), pg_temp.there(t.name, t.owner_column), format('signing up counts in %s', t.name))
from (values ('profiles', 'id'), ('user_profiles', 'user_id'), ('user_preferences', 'user_id'), ('user_settings', 'user_id'),
  ('user_security_settings', 'user_id')) as t (name, owner_column);

select pg_temp.allow('user_settings.bytes', 1000);
select tests.authenticate_as('owner');
select throws_ok($$ update user_settings set language = repeat('x', 2000) $$, 'PT413', null,
  'a row that everybody has one of cannot grow without end');
set local timezone = 'Asia/Kolkata';
select lives_ok($$ update user_settings set language = repeat('x', 500) $$, 'but to its limit');
select tests.clear_authentication();
select is(pg_temp.used('user_settings'), pg_temp.there('user_settings'), 'in every time zone alike');

-- conversations: rows and bytes --------------------------------------------------------------------

select pg_temp.allow('conversations.rows', 3);
select tests.authenticate_as('owner');
insert into conversations (id, user_id, title)
select tests.user_id('conversation ' || n), tests.user_id('owner'), 'Title' from generate_series(1, 3) as n;
select throws_ok($$ insert into conversations (user_id) values (tests.user_id('owner')) $$, 'PT429', null,
  'one row too many is refused');
select throws_ok(
  $$ insert into conversations (user_id) select tests.user_id('owner') from generate_series(1, 5) $$, 'PT429',
  'With this change, there would be 8 rows in "conversations": at most 3 are allowed', 'many at once count as many');
delete from conversations where id = tests.user_id('conversation 3');
select lives_ok($$ insert into conversations (user_id) values (tests.user_id('owner')) $$, 'deleting makes room');
select tests.authenticate_as('other');
select lives_ok($$ insert into conversations (user_id) values (tests.user_id('other')) $$, 'others have a limit of their own');
select tests.clear_authentication();
select is(pg_temp.used('conversations'), pg_temp.there('conversations'), 'what is counted is what is there');
select lives_ok(
  $$ insert into conversations (user_id) select tests.user_id('owner') from generate_series(1, 5) $$,
  'an operator is not refused');
select is(pg_temp.used('conversations'), pg_temp.there('conversations'), 'but counted');

select pg_temp.allow('conversations.bytes', 100);
select tests.authenticate_as('owner');
select throws_ok(
  $$ update conversations set title = repeat('x', 200) where id = tests.user_id('conversation 1') $$, 'PT413', null,
  'a longer row is refused');
select lives_ok(
  $$ update conversations set title = repeat('x', 50) where id = tests.user_id('conversation 1') $$,
  'unless there is room');
select tests.clear_authentication();
select is(pg_temp.used('conversations'), pg_temp.there('conversations'), 'a longer row counts with its length');

-- projects: states ----------------------------------------------------------------------------------

select pg_temp.allow('projects.bytes', 100000);
select tests.authenticate_as('owner');
insert into projects (user_id, title) select tests.user_id('owner'), 'gone' from generate_series(1, 5);
insert into projects (user_id, title) values (tests.user_id('owner'), 'kept');
select tests.clear_authentication();
select pg_temp.allow('projects.bytes', -1);
select tests.authenticate_as('owner');
select lives_ok($$ update projects set status = 'deleted' where title = 'gone' $$,
  'a user without room can still delete projects');
select tests.clear_authentication();
select is(pg_temp.used('projects'), pg_temp.there('projects'), 'what deleting adds to a row is counted');
update projects set title = 'Kept', status = 'archived', message_editing = 'members' where title = 'kept';
select is(pg_temp.used('projects'), pg_temp.there('projects'), 'a state and a title that change together count once');
delete from projects where title = 'gone';
select is(pg_temp.used('projects'), pg_temp.there('projects'), 'so that deleting for good makes no more room than there was');
delete from projects where title = 'Kept';

-- projects: rows that are deleted with their parent --------------------------------------------------

insert into projects (id, user_id, title) values (tests.user_id('project'), tests.user_id('owner'), 'P');
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (tests.user_id('project'), 'f', 'f', 'text/plain', 1);
select matches(pg_temp.used('project_files'), '^1 rows', 'a file of a project counts for its owner');
delete from projects where id = tests.user_id('project');
select matches(pg_temp.used('project_files'), '^0 rows, 0 bytes$', 'and goes with it');

-- Accounts -------------------------------------------------------------------------------------------

delete from auth.users where id = tests.user_id('owner');
select is_empty($$ select * from private.table_usage where owner_id = tests.user_id('owner') $$,
  'nothing stays of a deleted account');
insert into teams (id, name) values (tests.user_id('team'), 'Team');
select isnt_empty($$ select * from private.table_usage where owner_id = tests.user_id('team') $$, 'a team has counts of its own');
delete from teams where id = tests.user_id('team');
select is_empty($$ select * from private.table_usage where owner_id = tests.user_id('team') $$, 'nor of a deleted team');

select tests.authenticate_as('other');
select throws_ok($$ select * from private.table_usage $$, '42501', null, 'a user does not read the counts');
select throws_ok($$ select private.use_table(tests.user_id('other'), 'conversations', -1, 0) $$, '42501', null,
  'nor changes them');

select * from finish();
rollback;
