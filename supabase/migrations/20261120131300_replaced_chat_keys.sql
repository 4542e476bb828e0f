-- The wraps of chat keys that a new password, a new recovery key or a rotation has replaced. They are kept for some time:
-- a user whose password somebody else has changed opens the key with the one from before. Wraps of devices are not
-- kept, because a device is revoked when somebody else may have it. docs/decisions/chats.md says why it is done like this.

create table private.replaced_chat_key_wraps (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  key_id uuid not null,
  kind text not null,
  salt text,
  iterations integer,
  memory_kib integer,
  passes integer,
  wrap text not null,
  created_at timestamptz not null,
  replaced_at timestamptz not null default clock_timestamp(),
  constraint replaced_chat_key_wraps_key_id_fkey foreign key (user_id, key_id)
    references public.chat_keys (user_id, id) on delete cascade,
  constraint replaced_chat_key_wraps_kind_check check (kind in ('password', 'recovery'))
);
comment on table private.replaced_chat_key_wraps is
  'Wraps of chat keys that were replaced, kept for chats.replaced_key_retention';
comment on column private.replaced_chat_key_wraps.created_at is 'When the wrap was made';
revoke all on private.replaced_chat_key_wraps from public, anon, authenticated, service_role;
create index replaced_chat_key_wraps_user_id on private.replaced_chat_key_wraps (user_id, key_id);
create index replaced_chat_key_wraps_replaced_at on private.replaced_chat_key_wraps (replaced_at);

-- Keeps the wraps of a key that are about to be replaced, of these kinds. Of each kind, the first ones of the time of
-- retention are kept: whoever changes the password again and again does not push out the wrap of the user.
create function private.keep_chat_key_wraps(user_id uuid, key_id uuid, kinds text[])
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into private.replaced_chat_key_wraps (user_id, key_id, kind, salt, iterations, memory_kib, passes, wrap, created_at)
  select w.user_id, w.key_id, w.kind, w.salt, w.iterations, w.memory_kib, w.passes, w.wrap, w.created_at
  from public.chat_key_wraps as w
  where w.user_id = keep_chat_key_wraps.user_id and w.key_id = keep_chat_key_wraps.key_id
    and w.kind = any (kinds) and w.kind in ('password', 'recovery')
    and (select count(*) from private.replaced_chat_key_wraps as r
      where r.user_id = w.user_id and r.kind = w.kind) < private.setting('chats.max_replaced_keys');
end $$;
revoke all on function private.keep_chat_key_wraps(uuid, uuid, text[]) from public, anon, authenticated, service_role;

create type public.replaced_chat_key as (
  id uuid,
  kind text,
  key_id uuid,
  is_current boolean,
  created_at timestamptz,
  replaced_at timestamptz,
  kept_until timestamptz
);
comment on type public.replaced_chat_key is
  'A wrap of a chat key that was replaced. is_current: whether the key that it opens still encrypts';

-- The work of public.get_replaced_chat_keys.
-- Definer: clients have no rights in the table. It acts for the caller alone, and does not return the wraps themselves.
create function private.get_replaced_chat_keys()
returns setof public.replaced_chat_key
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := private.my_account();
begin
  return query
  select r.id, r.kind, r.key_id, exists (select from private.chat_owners as o where o.user_id = v_user_id and o.key_id = r.key_id),
    r.created_at, r.replaced_at, r.replaced_at + private.retention('chats.replaced_key_retention')
  from private.replaced_chat_key_wraps as r
  where r.user_id = v_user_id and r.replaced_at > now() - private.retention('chats.replaced_key_retention')
  order by r.replaced_at desc, r.id;
end $$;
revoke all on function private.get_replaced_chat_keys() from public, anon, authenticated, service_role;
grant execute on function private.get_replaced_chat_keys() to authenticated;

-- Returns the caller's replaced wraps, the last replacement first: their kinds and times, not the wraps themselves.
create function public.get_replaced_chat_keys()
returns setof public.replaced_chat_key
language sql stable set search_path = ''
as $$
  select * from private.get_replaced_chat_keys()
$$;
revoke all on function public.get_replaced_chat_keys() from public, anon, authenticated, service_role;
grant execute on function public.get_replaced_chat_keys() to authenticated;

create type public.replaced_chat_key_wrap as (
  id uuid,
  kind text,
  key_id uuid,
  salt text,
  iterations integer,
  memory_kib integer,
  passes integer,
  wrap text,
  created_at timestamptz
);
comment on type public.replaced_chat_key_wrap is 'A wrap of a chat key that was replaced, as it was stored';

-- Returns one wrap that was replaced, for a session of the user that began at most chats.recent_sign_in ago, and after
-- the wrap was replaced. So a stolen session does not get it, not even one from which the wrap was replaced: with an old
-- password it would open the key.
-- Definer: no role may read these wraps. For the service only, which answers for user_id and session_id.
-- Raises: PT403 reauthentication_needed {seconds}; PT404 replaced_key_not_found.
create function public.read_replaced_chat_key(user_id uuid, session_id uuid, id uuid)
returns public.replaced_chat_key_wrap
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_signed_in_at timestamptz;
  v_replaced_at timestamptz;
  v_wrap public.replaced_chat_key_wrap;
begin
  select s.created_at into v_signed_in_at from auth.sessions as s
  where s.id = read_replaced_chat_key.session_id and s.user_id = read_replaced_chat_key.user_id
    and s.created_at > now() - private.retention('chats.recent_sign_in');
  select r.replaced_at into v_replaced_at from private.replaced_chat_key_wraps as r
  where r.id = read_replaced_chat_key.id and r.user_id = read_replaced_chat_key.user_id
    and r.replaced_at > now() - private.retention('chats.replaced_key_retention');
  -- This also tells whether there is such a wrap, but so does the list.
  if v_signed_in_at is null or v_replaced_at >= v_signed_in_at then
    raise exception 'Reading a key that was replaced requires a sign-in that is recent, and later than the replacement'
      using errcode = 'PT403', detail = 'reauthentication_needed ' || jsonb_build_object(
        'seconds', private.setting('chats.recent_sign_in'))::text,
        hint = 'Sign in again, and send the request with the new session token';
  elsif v_replaced_at is null then
    raise exception 'There is no replaced key "%"', id using errcode = 'PT404', detail = 'replaced_key_not_found',
      hint = 'Read the list again: replaced keys are deleted after some time';
  end if;
  select r.id, r.kind, r.key_id, r.salt, r.iterations, r.memory_kib, r.passes, r.wrap, r.created_at into v_wrap
  from private.replaced_chat_key_wraps as r where r.id = read_replaced_chat_key.id;
  return v_wrap;
end $$;
revoke all on function public.read_replaced_chat_key(uuid, uuid, uuid) from public, anon, authenticated;
grant execute on function public.read_replaced_chat_key(uuid, uuid, uuid) to service_role;
