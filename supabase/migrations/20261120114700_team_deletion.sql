-- Leaving a team, and deleting one. Its projects stay with the users who created them; its credits lapse.

-- team_deletions -------------------------------------------------------------------------------------

create table private.team_deletions (
  team_id uuid primary key,
  name text not null,
  stripe_customer_id text,
  subscription_ids text[] not null,
  balance numeric(15, 4) not null,
  balances jsonb not null default '{}',
  deleted_by uuid references auth.users (id) on delete set null,
  deleted_at timestamptz not null default now()
);
comment on table private.team_deletions is
  'Teams that were deleted, and what was lost with them: the ledger of a team is deleted with it';
comment on column private.team_deletions.subscription_ids is
  'Subscriptions in Stripe that had not ended. An operator cancels them: nobody else can';
comment on column private.team_deletions.balance is 'The credits that lapsed; negative when the team owed some';
comment on column private.team_deletions.balances is 'What lapsed in other units: {unit: balance}';
comment on column private.team_deletions.deleted_by is
  'The owner who deleted it; null when its last member''s account was deleted, or when the service deleted it';
revoke all on private.team_deletions from public, anon, authenticated, service_role;

create index team_deletions_deleted_by on private.team_deletions (deleted_by);

-- Returns the subscriptions of a team that have not ended.
create function private.running_subscriptions(team public.teams)
returns text[]
language plpgsql stable set search_path = ''
as $$
declare
  v_ids text[] := array[]::text[];
begin
  if team.subscription_status <> 'canceled' and team.stripe_subscription_id is not null then
    v_ids := array[team.stripe_subscription_id];
  end if;
  v_ids := private.add_stripe_subscriptions(v_ids, team.id);
  return v_ids;
end $$;
revoke all on function private.running_subscriptions(public.teams) from public, anon, authenticated, service_role;

-- A trigger, because the service deletes teams directly, and the deletion of an account deletes a team without members.
-- Definer: it also runs as the Auth server's role, which has no rights here.
create function private.record_team_deletion()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into private.team_deletions (team_id, name, stripe_customer_id, subscription_ids, balance, balances)
  select old.id, old.name, old.stripe_customer_id, private.running_subscriptions(old),
    coalesce(max(a.balance) filter (where a.unit = 'credits'), 0),
    coalesce(jsonb_object_agg(a.unit, a.balance) filter (where a.unit <> 'credits'), '{}')
  from public.credit_accounts as a where a.team_id = old.id;
  return old;
end $$;
comment on function private.record_team_deletion() is
  'Trigger function: records a team that is deleted, and the credits that lapse';
revoke all on function private.record_team_deletion() from public, anon, authenticated, service_role;

create trigger record_team_deletion before delete on public.teams
  for each row execute function private.record_team_deletion();

-- Leaving --------------------------------------------------------------------------------------------

-- Ends the user's membership of a team, and returns it. Their own projects and other rows stay theirs.
-- Definer: for the service only, which has verified user_id; the triggers of team_members need the private functions.
-- Raises: PT404 team_not_found; PT409 last_owner.
create function public.leave_team(user_id uuid, team_id uuid)
returns public.team_members
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_member public.team_members := private.lock_team(user_id, team_id);
begin
  delete from public.team_members as m where m.id = v_member.id;
  return v_member;
end $$;
revoke all on function public.leave_team(uuid, uuid) from public, anon, authenticated;
grant execute on function public.leave_team(uuid, uuid) to service_role;

-- Deleting -------------------------------------------------------------------------------------------

-- Deletes a team of which the user is an owner, with its members, invitations, credits and everything else that belongs
-- to it alone. Its projects stay with the users who created them, without a team; with delete_projects they are
-- deleted too, and these users can restore them. Refused while the team has a subscription that has not ended, or open
-- holds. actor, user or service, is who makes the request. Returns the team, the credits that lapsed, and the number of
-- projects that left it.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 not_team_owner; PT404 team_not_found; PT409 team_has_subscription,
-- team_has_holds; PT422 idempotency_key_reused.
create function public.delete_team(
  user_id uuid,
  team_id uuid,
  delete_projects boolean default false,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.team_change
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('delete_team', team_id, delete_projects);
  v_first jsonb;
  v_member public.team_members;
  v_team public.teams;
  v_account_id uuid;
  v_account public.credit_accounts;
  v_holds integer := 0;
  v_subscriptions text[];
  v_result public.team_change := row(null, 0, 0, false);
begin
  -- Before the team is locked: a repeat no longer finds it.
  v_first := private.first_response(delete_team.user_id, delete_team.actor, idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.team_change, v_first || '{"replayed": true}');
  end if;
  v_member := private.lock_team(user_id, team_id);
  if v_member.role <> 'owner' then
    raise exception 'Only the owners of a team can delete it' using errcode = 'PT403', detail = 'not_team_owner',
      hint = 'Ask an owner of the team';
  end if;
  select t.* into v_team from public.teams as t where t.id = v_member.team_id for update;
  v_subscriptions := private.running_subscriptions(v_team);
  if v_subscriptions <> '{}' then
    raise exception 'The team has a subscription that has not ended'
      using errcode = 'PT409',
        detail = format('team_has_subscription %s', jsonb_build_object('subscription_ids', v_subscriptions)),
        hint = 'Cancel the subscription first, with immediate effect';
  end if;
  for v_account_id in
    select a.id from public.credit_accounts as a where a.team_id = v_team.id order by a.unit
  loop
    v_account := private.lock_credit_account(null, null, v_account_id);
    v_holds := v_holds + v_account.open_holds;
    if v_account.unit = 'credits' then
      v_result.credits := v_account.balance;
    end if;
  end loop;
  if v_holds > 0 then
    raise exception 'The team has open holds: work that it pays for has not ended'
      using errcode = 'PT409', detail = format('team_has_holds {"open_holds": %s}', v_holds),
        hint = 'Wait until they have been captured or released, or have expired';
  end if;
  v_result.team := to_jsonb(v_team);
  v_result.projects := private.release_team_projects(v_team.id, delete_projects is true);
  delete from public.teams as t where t.id = v_team.id;
  update private.team_deletions as d set deleted_by = delete_team.user_id where d.team_id = v_team.id;
  perform private.keep_response(delete_team.user_id, delete_team.actor, idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.delete_team(uuid, uuid, boolean, text, text) from public, anon, authenticated;
grant execute on function public.delete_team(uuid, uuid, boolean, text, text) to service_role;
