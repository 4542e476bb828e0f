-- CodingIT-1's session helpers, which it documents in schema auth, where nothing can be added.

-- Definer: the tables of Auth are nobody's else.
create function public.cleanup_expired_sessions()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from auth.sessions as s where s.not_after < now();
  delete from auth.refresh_tokens as t where t.revoked and t.created_at < now() - interval '30 days';
end $$;
comment on function public.cleanup_expired_sessions() is
  'Removes sessions past their end and refresh tokens revoked, 30 days old';
revoke all on function public.cleanup_expired_sessions() from public, anon, authenticated;
grant execute on function public.cleanup_expired_sessions() to service_role;

-- Definer: as above.
create function public.revoke_user_sessions(user_uuid uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- user_id is text in Auth's table.
  update auth.refresh_tokens as t set revoked = true where t.user_id::text = user_uuid::text;
  delete from auth.sessions as s where s.user_id = user_uuid;
end $$;
comment on function public.revoke_user_sessions(uuid) is 'Signs a user out everywhere';
revoke all on function public.revoke_user_sessions(uuid) from public, anon, authenticated;
grant execute on function public.revoke_user_sessions(uuid) to service_role;
