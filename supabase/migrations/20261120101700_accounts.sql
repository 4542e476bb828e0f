-- Deleted accounts: what becomes of the rows of a user whom Auth deletes. A foreign key with on delete cascade would
-- delete all of them in that one transaction. Tables that can have very many rows of one user have none. Their rows are
-- hidden at once, and deleted in portions: the first with the account, which is all of most accounts, the others by the
-- cleanup job deleted_accounts.

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
  'Trigger function: refuses the row of a user who does not exist. Not a foreign key, whose rows would have to go with the account';
revoke all on function private.require_account() from public, anon, authenticated, service_role;

create table private.account_rows (
  name text primary key,
  place integer not null,
  statement text not null,
  constraint account_rows_place_check check (place between 1 and 99)
);
comment on table private.account_rows is
  'What is deleted in portions after an account was deleted. Each domain adds the rows of its tables';
comment on column private.account_rows.place is 'The lowest first: what refers to other rows goes before them';
comment on column private.account_rows.statement is
  'Deletes at most $2 rows of the user $1, or does another portion of the work; as many rows as it affects are done';
revoke all on private.account_rows from public, anon, authenticated, service_role;

create table private.deleted_accounts (
  user_id uuid primary key,
  deleted_at timestamptz not null default now()
);
comment on table private.deleted_accounts is 'Deleted accounts that still have rows, which nobody can see';
revoke all on private.deleted_accounts from public, anon, authenticated, service_role;

-- Deletes a portion of the rows of a deleted account. Returns whether nothing is left.
create function private.purge_account(user_id uuid, portion integer)
returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_left integer := portion;
  v_statement text;
  v_rows integer;
begin
  for v_statement in select r.statement from private.account_rows as r order by r.place, r.name loop
    execute v_statement using user_id, v_left;
    get diagnostics v_rows = row_count;
    v_left := v_left - v_rows;
    if v_left <= 0 then
      return false;
    end if;
  end loop;
  delete from private.deleted_accounts as d where d.user_id = purge_account.user_id;
  return true;
end $$;
revoke all on function private.purge_account(uuid, integer) from public, anon, authenticated, service_role;

-- Definer: it runs as the Auth server's role, which has no rights here.
create function private.purge_deleted_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.deleted_accounts (user_id) values (old.id);
  perform private.purge_account(old.id, private.setting('accounts.rows_at_once')::integer);
  return null;
end $$;
comment on function private.purge_deleted_account() is
  'Trigger function: deletes the first portion of the rows of a deleted account, and remembers it if that is not all';
revoke all on function private.purge_deleted_account() from public, anon, authenticated, service_role;

-- The last of these triggers, in the order of their names: the others hide what others could see.
create trigger on_auth_user_deleted_z_purge after delete on auth.users
  for each row execute function private.purge_deleted_account();
