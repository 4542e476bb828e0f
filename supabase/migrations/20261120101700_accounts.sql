-- Deleted accounts: what becomes of the rows of a user whom Auth deletes. A foreign key with on delete cascade would
-- delete all of them in that one transaction. Tables that can have very many rows of one user have none. Their rows are
-- hidden at once, and deleted in portions: the first with the account, which is all of most accounts, the others by the
-- cleanup job deleted_accounts. It also clears what only names the user. So it does not matter who deletes the user: the
-- job account_deletions, the Auth API or the dashboard.

-- Returns the id of the caller, or null when their account has been deleted: a session token stays valid for a while.
-- Definer: clients may not read auth.users.
create function private.my_account()
returns uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  return (select u.id from auth.users as u where u.id = (select auth.uid()));
end $$;
revoke all on function private.my_account() from public, anon, authenticated, service_role;
grant execute on function private.my_account() to authenticated, service_role;

-- Takes the place of a foreign key to auth.users. The lock keeps the account until the row is committed.
-- Definer: clients may not read auth.users.
create function private.require_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid;
begin
  if tg_table_name = 'profiles' then
    v_user_id := new.id;
  else
    v_user_id := new.user_id;
  end if;
  perform from auth.users as u where u.id = v_user_id for key share;
  if not found then
    raise exception 'There is no user "%"', v_user_id
      using errcode = '23503', schema = tg_table_schema, table = tg_table_name, constraint = tg_name;
  end if;
  return null;
end $$;
comment on function private.require_account() is
  'Trigger function: refuses the row of a user who does not exist. Not a foreign key, which would delete the rows together with the account';
revoke all on function private.require_account() from public, anon, authenticated, service_role;

create table private.account_rows (
  name text primary key,
  place integer not null,
  statement text not null,
  constraint account_rows_place_check check (place between 1 and 99)
);
comment on table private.account_rows is
  'What to delete in portions after an account was deleted. Each domain adds rows for its tables';
comment on column private.account_rows.place is 'The lowest first: rows that refer to others are deleted before these';
comment on column private.account_rows.statement is
  'Deletes at most $2 rows of the user $1, or does another portion of the work; the rows that it affects count as done';
revoke all on private.account_rows from public, anon, authenticated, service_role;

create table private.deleted_accounts (
  user_id uuid primary key,
  email text,
  deleted_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  log_after uuid not null default '00000000-0000-0000-0000-000000000000'
);
comment on table private.deleted_accounts is 'Deleted accounts whose rows are not all deleted yet; nobody can see these rows';
comment on column private.deleted_accounts.email is 'What else names the user, in lower case';
comment on column private.deleted_accounts.due_at is 'When more of it can be cleared: later while something of it runs';
comment on column private.deleted_accounts.log_after is 'How far Auth''s log has been searched: the id of an entry';
revoke all on private.deleted_accounts from public, anon, authenticated, service_role;
create index deleted_accounts_due_at on private.deleted_accounts (due_at);

-- What names users ------------------------------------------------------------------------------------

-- Returns hashes of what can name a user in JSON, or null if there is nothing: ids anywhere, and strings that are an e-mail
-- address. All of it, because one address can be part of another. An index of them finds the rows that name a user.
create function private.names_in(value text)
returns bigint[]
language plpgsql immutable set search_path = ''
as $$
declare
  -- JSON within a string has its quotes escaped.
  v_text text := replace(lower(value), '\"', '"');
begin
  return (
    select array_agg(distinct hashtextextended(n.name, 0))
    from (
      select i.found[1] as name
      from regexp_matches(v_text, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'g') as i (found)
      union all
      -- Four times as fast as a regular expression for them. Addresses have at most 320 characters.
      select e.part from string_to_table(v_text, '"') as e (part) where strpos(e.part, '@') > 1 and char_length(e.part) <= 320) as n);
end $$;
revoke all on function private.names_in(text) from public, anon, authenticated, service_role;

-- Returns the hashes of what names a deleted user.
create function private.names_of(user_id uuid)
returns bigint[]
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select array_remove(array[hashtextextended(d.user_id::text, 0), hashtextextended(d.email, 0)], null)
    from private.deleted_accounts as d where d.user_id = names_of.user_id);
end $$;
revoke all on function private.names_of(uuid) from public, anon, authenticated, service_role;

-- Returns JSON, or another text, without what names a deleted user.
create function private.without_names(value text, account private.deleted_accounts)
returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_text text := regexp_replace(value, account.user_id::text, 'deleted', 'gi');
begin
  if account.email is null then
    return v_text;
  end if;
  return regexp_replace(v_text, '(?<=")' || regexp_replace(account.email, '([^[:alnum:]])', '\\\1', 'g') || '(?=\\?")',
    'deleted', 'gi');
end $$;
revoke all on function private.without_names(text, private.deleted_accounts) from public, anon, authenticated, service_role;

-- Deletes from a portion of Auth's log what names a deleted user. Returns how many entries it has looked at. They are looked
-- at one by one, because the platform owns the log: it can have no index of ours.
create function private.clear_auth_log(user_id uuid, portion integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_account private.deleted_accounts;
  v_last uuid;
  v_looked integer;
begin
  if to_regclass('auth.audit_log_entries') is null then
    return 0;
  end if;
  select d.* into v_account from private.deleted_accounts as d where d.user_id = clear_auth_log.user_id;
  select count(*), (array_agg(e.id order by e.id desc))[1] into v_looked, v_last
  from (
    select l.id from auth.audit_log_entries as l where l.id > v_account.log_after order by l.id limit portion) as e;
  if v_looked > 0 then
    delete from auth.audit_log_entries as e
    where e.id > v_account.log_after and e.id <= v_last
      and private.names_in(e.payload::text) && private.names_of(clear_auth_log.user_id);
    update private.deleted_accounts as d set log_after = v_last where d.user_id = clear_auth_log.user_id;
  end if;
  return v_looked;
end $$;
revoke all on function private.clear_auth_log(uuid, integer) from public, anon, authenticated, service_role;

-- A request of the user that is running has its count, and may wait for the row of the user, which the deletion has. Its count
-- is deleted after its minute, like all.
insert into private.account_rows (name, place, statement) values
  ('request_counts', 89, 'delete from private.request_counts as c where ctid = any (array(
    select ctid from private.request_counts where subject = $1 limit $2 for update skip locked))'),
  ('auth_log', 90, 'select from generate_series(1, private.clear_auth_log($1, $2))');

-- Clearing --------------------------------------------------------------------------------------------

-- Deletes a portion of what a deleted account has left. Returns whether nothing is left that can be deleted now.
create function private.purge_account(user_id uuid, portion integer)
returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_left integer := portion;
  v_statement text;
  v_rows integer;
begin
  update private.deleted_accounts as d set due_at = now() where d.user_id = purge_account.user_id;
  for v_statement in select r.statement from private.account_rows as r order by r.place, r.name loop
    execute v_statement using user_id, v_left;
    get diagnostics v_rows = row_count;
    v_left := v_left - v_rows;
    if v_left <= 0 then
      return false;
    end if;
  end loop;
  delete from private.deleted_accounts as d where d.user_id = purge_account.user_id and d.due_at <= now();
  return true;
end $$;
revoke all on function private.purge_account(uuid, integer) from public, anon, authenticated, service_role;

-- Definer: it runs as the Auth server's role, which has no rights here.
create function private.purge_deleted_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.deleted_accounts (user_id, email) values (old.id, nullif(lower(old.email), ''));
  perform private.purge_account(old.id, private.setting('accounts.rows_at_once')::integer);
  return null;
end $$;
comment on function private.purge_deleted_account() is
  'Trigger function: deletes the first portion of the rows of a deleted account, and remembers it if that is not all';
revoke all on function private.purge_deleted_account() from public, anon, authenticated, service_role;

-- The last of these triggers, in the order of their names: the others hide what others could see.
create trigger on_auth_user_deleted_z_purge after delete on auth.users
  for each row execute function private.purge_deleted_account();
