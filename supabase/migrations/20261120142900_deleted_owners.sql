-- The owners of customers in Stripe whose accounts were deleted: events about them may still arrive.

create table private.deleted_owners (
  id text primary key,
  deleted_at timestamptz not null default now()
);
comment on table private.deleted_owners is
  'SHA-256 of the ids of the users and teams whose accounts were deleted, and of their customers in Stripe: events about them may still arrive, and belong to nobody';
revoke all on private.deleted_owners from public, anon, authenticated, service_role;

-- Returns under what a deleted owner is remembered: not the id, because nothing that names a deleted user is kept.
create function private.deleted_owner(id text)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return encode(sha256(convert_to(id, 'UTF8')), 'hex');
end $$;
revoke all on function private.deleted_owner(text) from public, anon, authenticated, service_role;

-- Definer: it also runs as the Auth server's role, which has no rights here.
create function private.remember_deleted_owner()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.deleted_owners (id)
  select private.deleted_owner(x.id)
  from (
    select old.id::text as id
    union select c.id from public.stripe_customers as c where c.user_id = old.id
    union select c.id from public.stripe_customers as c where c.team_id = old.id
    union select t.stripe_customer_id from public.teams as t where t.id = old.id and t.stripe_customer_id is not null
  ) as x
  on conflict do nothing;
  return old;
end $$;
comment on function private.remember_deleted_owner() is
  'Trigger function: keeps the SHA-256 of the ids of a deleted user or team in private.deleted_owners';
revoke all on function private.remember_deleted_owner() from public, anon, authenticated, service_role;

create trigger remember_deleted_owner before delete on auth.users
  for each row execute function private.remember_deleted_owner();
create trigger remember_deleted_owner before delete on public.teams
  for each row execute function private.remember_deleted_owner();
