-- Sign-up: a trigger creates the rows that every account has. An error in it refuses the sign-up, so it does nothing
-- that can fail on what a user sends.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('credits.signup_amount', 100, 'credits', 0, 1000000000, 'Credits granted to a new account; 0 grants none');

-- Returns the display name in the metadata of a user, trimmed and cut to 200 characters, or null. A user can write
-- anything into the metadata.
create function private.display_name(metadata jsonb)
returns text
language sql immutable set search_path = ''
as $$
  select case when jsonb_typeof(metadata -> 'display_name') = 'string' then
    nullif(regexp_replace(left(regexp_replace(metadata ->> 'display_name', '^\s+', ''), 200), '\s+$', ''), '')
  end
$$;
revoke all on function private.display_name(jsonb) from public, anon, authenticated, service_role;

-- Definer: it runs as the Auth server's role, which has no rights here.
create function public.handle_new_user()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- An imported user brings these rows along, and has the credits of the old account.
  if private.is_importing() then
    return new;
  end if;
  -- The user writes the metadata: only the name is taken from it.
  insert into public.profiles (id, display_name)
  values (new.id, private.display_name(new.raw_user_meta_data))
  on conflict do nothing;
  insert into public.user_profiles (user_id) values (new.id) on conflict do nothing;
  insert into public.user_preferences (user_id) values (new.id) on conflict do nothing;
  insert into public.user_settings (user_id) values (new.id) on conflict do nothing;
  insert into public.user_security_settings (user_id) values (new.id) on conflict do nothing;
  perform private.open_credit_account(new.id, coalesce(
    (select s.value from private.settings as s where s.name = 'credits.signup_amount'), 0));
  perform private.grant_signup_credits(new.id);
  return new;
end $$;
comment on function public.handle_new_user() is 'Trigger function: creates the rows of a new account';
revoke all on function public.handle_new_user() from public, anon, authenticated, service_role;

create trigger on_auth_user_created after insert on auth.users
  for each row execute function public.handle_new_user();

-- For the users that a product brings along: their accounts exist before this trigger does.
insert into public.profiles (id, display_name)
select u.id, private.display_name(u.raw_user_meta_data)
from auth.users as u
on conflict do nothing;
insert into public.user_profiles (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_preferences (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_settings (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_security_settings (user_id) select u.id from auth.users as u on conflict do nothing;

-- Without sign-up credits: the product decides how many credits they have.
select private.open_credit_account(u.id, 0) from auth.users as u;
