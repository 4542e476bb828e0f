-- Sign-up: one trigger makes every row that a new account has. An error in it would refuse the sign-up,
-- so it does nothing that can fail for a reason the user could not mend.

-- Definer: the insert into auth.users comes from the role of the Auth server, which has no rights here.
create function public.handle_new_user()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The metadata is written by the user: nothing but a name is taken from it.
  insert into public.profiles (id, display_name)
  values (new.id, nullif(btrim(left(btrim(new.raw_user_meta_data ->> 'display_name'), 200)), ''))
  on conflict do nothing;
  insert into public.user_profiles (user_id) values (new.id) on conflict do nothing;
  insert into public.user_preferences (user_id) values (new.id) on conflict do nothing;
  insert into public.user_settings (user_id) values (new.id) on conflict do nothing;
  insert into public.user_security_settings (user_id) values (new.id) on conflict do nothing;
  insert into public.user_chat_analytics (user_id) values (new.id) on conflict do nothing;
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
select u.id, nullif(btrim(left(btrim(u.raw_user_meta_data ->> 'display_name'), 200)), '')
from auth.users as u
on conflict do nothing;
insert into public.user_profiles (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_preferences (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_settings (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_security_settings (user_id) select u.id from auth.users as u on conflict do nothing;
insert into public.user_chat_analytics (user_id) select u.id from auth.users as u on conflict do nothing;

-- Without sign-up credits: what they are owed is the product's to say.
select private.open_credit_account(u.id, 0) from auth.users as u;
