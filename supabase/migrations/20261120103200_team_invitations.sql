-- Creating a team, and joining one: nobody becomes a member or an owner of a team without accepting an invitation.

-- team_invitations -------------------------------------------------------------------------------

create table public.team_invitations (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  team_name text not null,
  invitee_id uuid references auth.users (id) on delete cascade,
  email text,
  role text not null,
  invited_by uuid not null,
  status text not null default 'pending',
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  answered_at timestamptz,
  constraint team_invitations_one_invitee_check check (num_nonnulls(invitee_id, email) = 1),
  constraint team_invitations_email_check check (
    email ~ '^[^@\s]+@[^@\s]+$' and email = lower(email) and char_length(email) <= 254),
  constraint team_invitations_role_check check (role in ('owner', 'admin', 'member')),
  constraint team_invitations_status_check check (status in ('pending', 'accepted', 'declined', 'revoked')),
  constraint team_invitations_answered_at_check check ((answered_at is null) = (status = 'pending')),
  -- An invitation ends with the membership of the user who made it.
  constraint team_invitations_invited_by_fkey foreign key (team_id, invited_by)
    references public.team_members (team_id, user_id) on delete cascade
);
comment on table public.team_invitations is
  'Invitations to join a team, or to have another role in it. Only functions write it';
comment on column public.team_invitations.team_name is
  'The name of the team when the invitation was made: the invited user cannot read the team yet';
comment on column public.team_invitations.invitee_id is 'The invited user, unless an address was invited';
comment on column public.team_invitations.email is
  'The invited address, in lower case: the user who has confirmed it can accept';
comment on column public.team_invitations.invited_by is 'The owner or admin who made the invitation';
comment on column public.team_invitations.status is
  'pending until it is accepted, declined or revoked. A pending invitation can be accepted before expires_at';

create unique index team_invitations_pending_user on public.team_invitations (team_id, invitee_id)
  where status = 'pending';
create unique index team_invitations_pending_email on public.team_invitations (team_id, email)
  where status = 'pending';
create index team_invitations_team_id on public.team_invitations (team_id, created_at desc);
create index team_invitations_inviter on public.team_invitations (team_id, invited_by);
create index team_invitations_invitee_id on public.team_invitations (invitee_id);
create index team_invitations_email on public.team_invitations (email);
create index team_invitations_invited_by on public.team_invitations (invited_by, created_at);
create index team_invitations_ended on public.team_invitations ((coalesce(answered_at, expires_at)));

-- Invitations to the e-mail address of a deleted user. What is newer belongs to a new account with the same address.
insert into private.account_rows (name, place, statement) values
  ('team_invitations', 71, 'delete from public.team_invitations where ctid = any (array(
    select i.ctid from public.team_invitations as i join private.deleted_accounts as d on d.email = i.email
    where d.user_id = $1 and i.created_at <= d.deleted_at limit $2))');

alter table public.team_invitations enable row level security;
revoke all on public.team_invitations from public, anon, authenticated, service_role;
grant select on public.team_invitations to authenticated, service_role;

-- Returns the address of a user if they have confirmed it, in lower case.
create function private.confirmed_email(user_id uuid)
returns text
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select lower(u.email) from auth.users as u
    where u.id = confirmed_email.user_id and u.email_confirmed_at is not null);
end $$;
revoke all on function private.confirmed_email(uuid) from public, anon, authenticated, service_role;

-- Returns the confirmed address of the caller.
-- Definer: clients may not read auth.users.
create function private.my_confirmed_email()
returns text
language plpgsql stable security definer set search_path = ''
as $$
begin
  return private.confirmed_email((select auth.uid()));
end $$;
revoke all on function private.my_confirmed_email() from public, anon, authenticated, service_role;
grant execute on function private.my_confirmed_email() to authenticated, service_role;

create policy "invited users, owners and admins read invitations" on public.team_invitations
  for select to authenticated
  using (invitee_id = (select auth.uid())
    or email = (select private.my_confirmed_email())
    or team_id = any (array(select private.my_administered_team_ids())));

create type public.team_invitation as (
  id uuid,
  team_id uuid,
  team_name text,
  invitee_id uuid,
  email text,
  role text,
  invited_by uuid,
  status text,
  created_at timestamptz,
  expires_at timestamptz,
  answered_at timestamptz,
  replayed boolean
);
comment on type public.team_invitation is
  'An invitation as it is now. replayed says that the result is that of an earlier request with the same idempotency key';

create type public.team_change as (
  team jsonb,
  credits numeric,
  projects integer,
  replayed boolean
);
comment on type public.team_change is
  'A team as it is now, or as it was before it was deleted: then credits is the balance that lapsed, and projects the number of projects that left the team';

-- Creating a team ------------------------------------------------------------------------------------

-- Makes the requests of a user that count rows of that user take turns.
create function private.lock_team_requests(user_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('teams:' || user_id, 0));
end $$;
revoke all on function private.lock_team_requests(uuid) from public, anon, authenticated, service_role;

-- Creates a team and makes the user its owner. name has 1 to 200 characters; email is the address for its invoices.
-- actor, user or service, is who makes the request.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT404 user_not_found; PT422 invalid_team, idempotency_key_reused; PT429
-- too_many_teams.
create function public.create_team(
  user_id uuid,
  name text,
  email text default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.team_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('create_team', name, email);
  v_first jsonb;
  v_limit integer := private.setting('teams.owned');
  v_team public.teams;
  v_result public.team_change;
begin
  if create_team.name is null or char_length(create_team.name) > 200 or create_team.name !~ '\S'
    or create_team.email !~ '^[^@\s]+@[^@\s]+$' or char_length(create_team.email) > 254 then
    raise exception 'A team needs a name of 1 to 200 characters, and its email must be an address'
      using errcode = 'PT422', detail = 'invalid_team';
  end if;
  perform private.lock_team_requests(create_team.user_id);
  v_first := private.first_response(create_team.user_id, create_team.actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.team_change, v_first || '{"replayed": true}');
  end if;
  if not exists (select 1 from auth.users as u where u.id = create_team.user_id) then
    raise exception 'There is no user "%"', create_team.user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  if (select count(*) from private.team_owners as o where o.user_id = create_team.user_id) >= v_limit then
    raise exception 'A user may own at most % teams', v_limit
      using errcode = 'PT429', detail = format('too_many_teams {"limit": %s}', v_limit),
        hint = 'Leave or delete a team first';
  end if;
  insert into public.teams as t (name, email) values (create_team.name, create_team.email) returning t.* into v_team;
  insert into public.team_members (team_id, user_id, role) values (v_team.id, create_team.user_id, 'owner');
  v_result := row(to_jsonb(v_team), 0, 0, false);
  perform private.keep_response(create_team.user_id, create_team.actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.create_team(uuid, text, text, text, text) from public, anon, authenticated;
grant execute on function public.create_team(uuid, text, text, text, text) to service_role;

-- Inviting ---------------------------------------------------------------------------------------------

-- Locks a team that the user belongs to, and returns the user's membership.
-- Raises: PT404 team_not_found.
create function private.lock_team(user_id uuid, team_id uuid)
returns public.team_members
language plpgsql volatile set search_path = ''
as $$
declare
  v_member public.team_members;
begin
  if exists (
    select 1 from public.team_members as m where m.team_id = lock_team.team_id and m.user_id = lock_team.user_id) then
    perform 1 from public.teams as t where t.id = lock_team.team_id for no key update;
    -- The user may have left while this request waited.
    select m.* into v_member from public.team_members as m
    where m.team_id = lock_team.team_id and m.user_id = lock_team.user_id;
  end if;
  if v_member.id is null then
    raise exception 'There is no team "%"', team_id using errcode = 'PT404', detail = 'team_not_found';
  end if;
  return v_member;
end $$;
revoke all on function private.lock_team(uuid, uuid) from public, anon, authenticated, service_role;

-- Refuses a member who may not invite with a role, or revoke such an invitation: owners may give every role, admins all
-- but owner.
-- Raises: PT403 not_team_admin, not_team_owner.
create function private.refuse_inviter(member public.team_members, role text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if not private.administers_team(member.user_id, member.team_id) then
    raise exception 'Only the owners and admins of a team can invite others'
      using errcode = 'PT403', detail = 'not_team_admin', hint = 'Ask an owner or admin of the team';
  end if;
  if refuse_inviter.role = 'owner' and not private.owns_team(member.user_id, member.team_id) then
    raise exception 'Only the owners of a team can invite another owner'
      using errcode = 'PT403', detail = 'not_team_owner', hint = 'Ask an owner of the team, or invite with another role';
  end if;
end $$;
revoke all on function private.refuse_inviter(public.team_members, text) from public, anon, authenticated, service_role;

-- Invites a user (invitee_id) or an address (email) to a team of the user, or a member of the team to another role. A
-- pending invitation of the same user or address is replaced, with a new id. The answer does not depend on whether the
-- address has an account. actor, user or service, is who makes the request.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 not_team_admin, not_team_owner; PT404 team_not_found, user_not_found;
-- PT409 already_member; PT422 invalid_invitation, idempotency_key_reused; PT429 too_many_invitations.
create function public.invite_to_team(
  user_id uuid,
  team_id uuid,
  role text,
  invitee_id uuid default null,
  email text default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.team_invitation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('invite', team_id, role, invitee_id, email);
  v_email text := lower(btrim(email));
  v_first jsonb;
  v_member public.team_members;
  v_limit integer;
  v_invitation public.team_invitations;
  v_result public.team_invitation;
begin
  if num_nonnulls(invite_to_team.invitee_id, v_email) <> 1 or v_email !~ '^[^@\s]+@[^@\s]+$'
    or char_length(v_email) > 254 or (invite_to_team.role in ('owner', 'admin', 'member')) is not true then
    raise exception 'An invitation needs a role (owner, admin or member), and either invitee_id or email'
      using errcode = 'PT422', detail = 'invalid_invitation';
  end if;
  v_member := private.lock_team(user_id, team_id);
  perform private.refuse_inviter(v_member, role);
  perform private.lock_team_requests(user_id);
  v_first := private.first_response(invite_to_team.user_id, invite_to_team.actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.team_invitation, v_first || '{"replayed": true}');
  end if;
  if invitee_id is not null and not exists (select 1 from auth.users as u where u.id = invite_to_team.invitee_id) then
    raise exception 'There is no user "%"', invitee_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  if exists (
    select 1 from public.team_members as m
    where m.team_id = v_member.team_id and m.user_id = invite_to_team.invitee_id and m.role = invite_to_team.role) then
    raise exception 'The user already has this role in the team' using errcode = 'PT409', detail = 'already_member';
  end if;

  -- Expired ones too: only one invitation of each user or address is pending.
  update public.team_invitations as i set status = 'revoked', answered_at = now()
  where i.team_id = v_member.team_id and i.status = 'pending'
    and (i.invitee_id = invite_to_team.invitee_id or i.email = v_email);
  v_limit := private.setting('teams.pending_invitations');
  if (select count(*) from public.team_invitations as i
    where i.team_id = v_member.team_id and i.status = 'pending' and i.expires_at > now()) >= v_limit then
    raise exception 'A team may have at most % pending invitations', v_limit
      using errcode = 'PT429', detail = format('too_many_invitations {"limit": %s}', v_limit),
        hint = 'Revoke an invitation, or wait until one is answered';
  end if;
  v_limit := private.setting('teams.daily_invitations');
  if (select count(*) from public.team_invitations as i
    where i.invited_by = v_member.user_id and i.created_at > now() - interval '1 day') >= v_limit then
    raise exception 'A user may make at most % invitations in 24 hours', v_limit
      using errcode = 'PT429', detail = format('too_many_invitations {"limit": %s}', v_limit), hint = 'Try again tomorrow';
  end if;
  insert into public.team_invitations as i (team_id, team_name, invitee_id, email, role, invited_by, expires_at)
  select t.id, t.name, invite_to_team.invitee_id, v_email, invite_to_team.role, v_member.user_id,
    now() + private.retention('teams.invitation_validity')
  from public.teams as t where t.id = v_member.team_id
  returning i.* into v_invitation;
  v_result := private.show_invitation(v_invitation);
  perform private.keep_response(
    invite_to_team.user_id, invite_to_team.actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.invite_to_team(uuid, uuid, text, uuid, text, text, text) from public, anon, authenticated;
grant execute on function public.invite_to_team(uuid, uuid, text, uuid, text, text, text) to service_role;

create function private.show_invitation(invitation public.team_invitations)
returns public.team_invitation
language plpgsql stable set search_path = ''
as $$
begin
  return jsonb_populate_record(null::public.team_invitation, to_jsonb(invitation) || '{"replayed": false}');
end $$;
revoke all on function private.show_invitation(public.team_invitations) from public, anon, authenticated, service_role;

-- Revokes an invitation. Revoking it again changes nothing.
-- Definer: as invite_to_team. For the service only, which has verified user_id.
-- Raises: PT403 not_team_admin, not_team_owner; PT404 invitation_not_found; PT409 invitation_answered.
create function public.revoke_team_invitation(user_id uuid, invitation_id uuid)
returns public.team_invitation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_invitation public.team_invitations;
begin
  select i.* into v_invitation from public.team_invitations as i
  where i.id = invitation_id and exists (
    select 1 from public.team_members as m
    where m.team_id = i.team_id and m.user_id = revoke_team_invitation.user_id);
  if not found then
    perform private.refuse_invitation(invitation_id);
  end if;
  perform private.refuse_inviter(private.lock_team(user_id, v_invitation.team_id), v_invitation.role);
  update public.team_invitations as i set status = 'revoked', answered_at = now()
  where i.id = invitation_id and i.status = 'pending';
  select i.* into v_invitation from public.team_invitations as i where i.id = invitation_id;
  if v_invitation.status <> 'revoked' then
    perform private.refuse_answered_invitation(v_invitation);
  end if;
  return private.show_invitation(v_invitation);
end $$;
revoke all on function public.revoke_team_invitation(uuid, uuid) from public, anon, authenticated;
grant execute on function public.revoke_team_invitation(uuid, uuid) to service_role;

-- Raises: PT404 invitation_not_found.
create function private.refuse_invitation(invitation_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'There is no invitation "%" for you', invitation_id
    using errcode = 'PT404', detail = 'invitation_not_found',
      hint = 'Sign in with the account or the confirmed address that was invited';
end $$;
revoke all on function private.refuse_invitation(uuid) from public, anon, authenticated, service_role;

-- Raises: PT409 invitation_answered.
create function private.refuse_answered_invitation(invitation public.team_invitations)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'The invitation was %', invitation.status
    using errcode = 'PT409', detail = format('invitation_answered {"invitation_status": "%s"}', invitation.status),
      hint = 'Ask an owner or admin of the team for a new invitation';
end $$;
revoke all on function private.refuse_answered_invitation(public.team_invitations)
  from public, anon, authenticated, service_role;

-- Answering --------------------------------------------------------------------------------------------

-- Locks the team of an invitation and the invitation, which must be for the user or for their confirmed address.
-- Raises: PT404 invitation_not_found.
create function private.lock_invitation(user_id uuid, invitation_id uuid)
returns public.team_invitations
language plpgsql volatile set search_path = ''
as $$
declare
  v_invitation public.team_invitations;
begin
  select i.* into v_invitation from public.team_invitations as i
  where i.id = invitation_id
    and (i.invitee_id = lock_invitation.user_id or i.email = private.confirmed_email(lock_invitation.user_id));
  if found then
    perform 1 from public.teams as t where t.id = v_invitation.team_id for no key update;
    select i.* into v_invitation from public.team_invitations as i where i.id = invitation_id for update;
  end if;
  if not found then
    perform private.refuse_invitation(invitation_id);
  end if;
  return v_invitation;
end $$;
revoke all on function private.lock_invitation(uuid, uuid) from public, anon, authenticated, service_role;

-- Accepts an invitation: the user joins the team, or gets the role if it is higher than the one they have. Accepting it
-- again changes nothing as long as the user belongs to the team.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT404 invitation_not_found; PT409 invitation_answered; PT410 invitation_expired, invitation_void; PT429
-- too_many_members.
create function public.accept_team_invitation(user_id uuid, invitation_id uuid)
returns public.team_invitation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_roles constant text[] := array['member', 'admin', 'owner'];
  v_invitation public.team_invitations := private.lock_invitation(user_id, invitation_id);
  v_limit integer := private.setting('teams.members');
  v_is_member boolean := exists (
    select 1 from public.team_members as m
    where m.team_id = v_invitation.team_id and m.user_id = accept_team_invitation.user_id);
begin
  if v_invitation.status = 'accepted' and v_is_member then
    return private.show_invitation(v_invitation);
  end if;
  if v_invitation.status <> 'pending' then
    perform private.refuse_answered_invitation(v_invitation);
  end if;
  if v_invitation.expires_at <= now() then
    raise exception 'The invitation has expired' using errcode = 'PT410', detail = 'invitation_expired',
      hint = 'Ask an owner or admin of the team for a new invitation';
  end if;
  -- The user who made it may have been given a lower role since.
  if not private.administers_team(v_invitation.invited_by, v_invitation.team_id)
    or v_invitation.role = 'owner' and not private.owns_team(v_invitation.invited_by, v_invitation.team_id) then
    raise exception 'The user who made the invitation may no longer invite with this role'
      using errcode = 'PT410', detail = 'invitation_void', hint = 'Ask an owner of the team for a new invitation';
  end if;
  if not v_is_member and (
    select count(*) from public.team_members as m where m.team_id = v_invitation.team_id) >= v_limit then
    raise exception 'The team has % members, which is the most it may have', v_limit
      using errcode = 'PT429', detail = format('too_many_members {"limit": %s}', v_limit),
        hint = 'Ask an owner or admin of the team to remove a member';
  end if;
  insert into public.team_members as m (team_id, user_id, role)
  values (v_invitation.team_id, accept_team_invitation.user_id, v_invitation.role)
  on conflict on constraint team_members_unique do update set role = excluded.role
  where array_position(v_roles, excluded.role) > array_position(v_roles, m.role);
  update public.team_invitations as i set status = 'accepted', answered_at = now()
  where i.id = v_invitation.id
  returning i.* into v_invitation;
  return private.show_invitation(v_invitation);
end $$;
revoke all on function public.accept_team_invitation(uuid, uuid) from public, anon, authenticated;
grant execute on function public.accept_team_invitation(uuid, uuid) to service_role;

-- Declines an invitation, also one that has expired. Declining it again changes nothing.
-- Definer: as accept_team_invitation. For the service only, which has verified user_id.
-- Raises: PT404 invitation_not_found; PT409 invitation_answered.
create function public.decline_team_invitation(user_id uuid, invitation_id uuid)
returns public.team_invitation
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_invitation public.team_invitations := private.lock_invitation(user_id, invitation_id);
begin
  if v_invitation.status = 'pending' then
    update public.team_invitations as i set status = 'declined', answered_at = now()
    where i.id = v_invitation.id
    returning i.* into v_invitation;
  elsif v_invitation.status <> 'declined' then
    perform private.refuse_answered_invitation(v_invitation);
  end if;
  return private.show_invitation(v_invitation);
end $$;
revoke all on function public.decline_team_invitation(uuid, uuid) from public, anon, authenticated;
grant execute on function public.decline_team_invitation(uuid, uuid) to service_role;
