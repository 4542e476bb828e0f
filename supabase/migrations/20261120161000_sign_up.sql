-- Sign-up: one trigger makes every row that a new account has. An error in it would refuse the sign-up, so it does
-- nothing that can fail for a reason the user could not mend.

-- The name in the metadata of a user, who writes what they like there: text, without space around it, of at most 200
-- characters, or none.
create function private.display_name(metadata jsonb)
returns text
language sql immutable set search_path = ''
as $$
  select case when jsonb_typeof(metadata -> 'display_name') = 'string' then
    nullif(regexp_replace(left(regexp_replace(metadata ->> 'display_name', '^\s+', ''), 200), '\s+$', ''), '')
  end
$$;
revoke all on function private.display_name(jsonb) from public, anon, authenticated, service_role;

-- Definer: the insert into auth.users comes from the role of the Auth server, which has no rights here.
create function public.handle_new_user()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The metadata is written by the user: nothing but a name is taken from it.
  insert into public.profiles (id, display_name)
  values (new.id, private.display_name(new.raw_user_meta_data))
  on conflict do nothing;
  insert into public.user_profiles (user_id) values (new.id) on conflict do nothing;
  insert into public.user_preferences (user_id) values (new.id) on conflict do nothing;
  insert into public.user_settings (user_id) values (new.id) on conflict do nothing;
  insert into public.user_security_settings (user_id) values (new.id) on conflict do nothing;
  perform private.open_credit_account(new.id, coalesce(
    (select s.value from private.settings as s where s.name = 'credits.signup_amount'), 0));
  return new;
end $$;
comment on function public.handle_new_user() is 'Trigger function: makes the rows of a new account';
revoke all on function public.handle_new_user() from public, anon, authenticated, service_role;

create trigger on_auth_user_created after insert on auth.users
  for each row execute function public.handle_new_user();

-- Accounts that were there before: a product that moves here brings its users along.
insert into public.profiles (id, display_name)
select u.id, private.display_name(u.raw_user_meta_data)
from auth.users as u
on conflict do nothing;
insert into public.user_profiles (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_preferences (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_settings (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_security_settings (user_id) select u.id from auth.users as u on conflict do nothing;

-- Without sign-up credits: what they are owed is the product's to say.
select private.open_credit_account(u.id, 0) from auth.users as u;
