-- Who acted on a team's account: the id of a user whose account is deleted is removed from the team's books. Their seals
-- stay right, because they have a hash of the id.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('accounts.keep_actors', 0, 'yes or no', 0, 1,
    'Whether the entries and holds of a team''s credit account keep the id of a member whose account was deleted; 1: yes');

-- The accounts of teams that users have left: only members act on them, and no index of the books says who did.
create table private.former_members (
  user_id uuid not null,
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  after bigint not null default 0,
  primary key (user_id, account_id)
);
comment on table private.former_members is
  'Users who have left a team. When a user is deleted, it says in which books the id is';
comment on column private.former_members.after is 'How far the books have been searched: the number of an entry';
revoke all on private.former_members from public, anon, authenticated, service_role;
create index former_members_account_id on private.former_members (account_id);

-- Definer: it also runs as the Auth server's role, which has no rights here.
create function private.remember_former_member()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_table_name = 'users' then
    -- Before the books are searched: what a foreign key deletes runs its triggers after all others.
    insert into private.former_members (user_id, account_id)
    select m.user_id, a.id from public.team_members as m join public.credit_accounts as a on a.team_id = m.team_id
    where m.user_id = old.id
    on conflict do nothing;
    return old;
  end if;
  insert into private.former_members (user_id, account_id)
  select u.id, a.id from auth.users as u, public.teams as t join public.credit_accounts as a on a.team_id = t.id
  where u.id = old.user_id and t.id = old.team_id
  on conflict do nothing;
  return null;
end $$;
comment on function private.remember_former_member() is 'Trigger function: remembers which teams a user has left';
revoke all on function private.remember_former_member() from public, anon, authenticated, service_role;

create trigger remember_former_member after delete on public.team_members
  for each row execute function private.remember_former_member();
create trigger remember_former_member before delete on auth.users
  for each row execute function private.remember_former_member();

-- Removes the id of a user from the next entries of a team's account. Returns how many entries it has looked at.
create function private.forget_actor_of_entries(former private.former_members, most integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_last bigint;
  v_looked integer;
begin
  select count(*), max(e.entry_no) into v_looked, v_last
  from (
    select t.entry_no from private.credit_transactions as t
    where t.account_id = former.account_id and t.entry_no > former.after
    order by t.entry_no limit most) as e;
  update private.credit_transactions as t
  set actor_id = null, actor_hash = private.actor_hash(t.actor_id)
  where t.account_id = former.account_id and t.entry_no > former.after and t.entry_no <= v_last
    and t.actor_id = former.user_id;
  update private.former_members as f set after = v_last
  where f.user_id = former.user_id and f.account_id = former.account_id and v_looked > 0;
  return v_looked;
end $$;
revoke all on function private.forget_actor_of_entries(private.former_members, integer)
  from public, anon, authenticated, service_role;

-- Removes the id of a deleted user from a portion of the books of their teams. Returns how many rows it has changed and
-- entries it has looked at: less than portion when nothing is left. While a hold runs, a service may capture it for the user,
-- and the entry has the id: so the rest waits until then.
create function private.forget_actor(user_id uuid, portion integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_former private.former_members;
  v_until timestamptz;
  v_rows integer;
  v_left integer := portion;
begin
  for v_former in
    select f.* from private.former_members as f where f.user_id = forget_actor.user_id order by f.account_id
  loop
    v_until := null;
    if private.setting('accounts.keep_actors') = 0 then
      -- A capture that has read the id of a hold has the lock of the account. It may wait for the row of the user, which the
      -- deletion has: so these books wait.
      perform from public.credit_accounts as a where a.id = v_former.account_id for no key update skip locked;
      if not found then
        update private.deleted_accounts as d set due_at = greatest(d.due_at, now()) + interval '1 minute'
        where d.user_id = forget_actor.user_id;
        continue;
      end if;
      select max(h.expires_at) into v_until from private.credit_holds as h
      where h.account_id = v_former.account_id and h.actor_id = forget_actor.user_id;
      update private.ended_credit_holds as h set actor_id = null
      where h.ctid = any (array(
        select x.ctid from private.ended_credit_holds as x
        where x.account_id = v_former.account_id and x.actor_id = forget_actor.user_id limit v_left));
      get diagnostics v_rows = row_count;
      v_left := v_left - v_rows;
      v_rows := private.forget_actor_of_entries(v_former, v_left);
      v_left := v_left - v_rows;
    end if;
    exit when v_left <= 0;
    if v_until is not null then
      -- An expired hold ends when the cleanup settles the account.
      update private.deleted_accounts as d set due_at = greatest(d.due_at, v_until, now()) + interval '10 minutes'
      where d.user_id = forget_actor.user_id;
      continue;
    end if;
    delete from private.former_members as f
    where f.user_id = forget_actor.user_id and f.account_id = v_former.account_id;
  end loop;
  return portion - v_left;
end $$;
revoke all on function private.forget_actor(uuid, integer) from public, anon, authenticated, service_role;

insert into private.account_rows (name, place, statement) values
  ('credit_actors', 80, 'select from generate_series(1, private.forget_actor($1, $2))');
