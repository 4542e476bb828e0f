-- The settings of a credit account: its alert threshold and its overdraft.

-- credit_settings -----------------------------------------------------------------------------------

create type public.credit_settings as (
  account_id uuid,
  overdraft_limit numeric,
  alert_threshold numeric,
  available numeric,
  unit text,
  replayed boolean
);
comment on type public.credit_settings is
  'The settings of an account, and what can be spent with them; replayed is true when an earlier request did what this one asks for';

create function private.to_credit_settings(account public.credit_accounts)
returns public.credit_settings
language plpgsql stable set search_path = ''
as $$
begin
  return row(account.id, account.overdraft_limit, account.alert_threshold,
    private.free_credits(account), account.unit, false)::public.credit_settings;
end $$;
revoke all on function private.to_credit_settings(public.credit_accounts) from public, anon, authenticated, service_role;

-- set_credit_alert ----------------------------------------------------------------------------------

-- Checks that a user may manage an account: their own, or that of a team as its owner or admin.
-- Raises: PT403 not_team_admin.
create function private.require_account_admin(account public.credit_accounts, user_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if account.team_id is not null and not private.administers_team(user_id, account.team_id) then
    raise exception 'Only owners and admins of the team can do this' using errcode = 'PT403', detail = 'not_team_admin';
  end if;
end $$;
revoke all on function private.require_account_admin(public.credit_accounts, uuid)
  from public, anon, authenticated, service_role;

-- Sets the alert threshold of the account of a user or a team in a unit, rounded half up to four decimals; null turns alerts
-- off.
-- An account that is already below the threshold raises an alert only after its next top-up. actor, user or service, is
-- who makes the request: a user has to be an owner or admin of the team.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 not_team_admin; PT404 account_not_found; PT422 invalid_alert, unknown_unit,
-- idempotency_key_reused.
create function public.set_credit_alert(
  threshold numeric,
  user_id uuid default null,
  team_id uuid default null,
  idempotency_key text default null,
  actor text default 'service',
  unit text default 'credits'
)
returns public.credit_settings
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(set_credit_alert.user_id, set_credit_alert.team_id);
  v_request jsonb := jsonb_build_array('alert', set_credit_alert.team_id, trim_scale(set_credit_alert.threshold),
    set_credit_alert.unit);
  v_account public.credit_accounts;
  v_first jsonb;
begin
  set_credit_alert.threshold := round(set_credit_alert.threshold, 4);
  if set_credit_alert.threshold < 0.0001 or set_credit_alert.threshold > 1000000000
    or set_credit_alert.actor is null or set_credit_alert.actor not in ('user', 'service')
    or set_credit_alert.actor = 'user' and set_credit_alert.user_id is null then
    raise exception 'A threshold must be null, or 0.0001 to 1000000000 credits; actor must be service, or user together with a user_id'
      using errcode = 'PT422', detail = 'invalid_alert';
  end if;
  v_account := private.lock_credit_account(set_credit_alert.user_id, set_credit_alert.team_id, null, set_credit_alert.unit);
  if set_credit_alert.actor = 'user' then
    perform private.require_account_admin(v_account, set_credit_alert.user_id);
  end if;
  v_first := private.first_credit_response(v_owner, set_credit_alert.actor, set_credit_alert.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_settings, v_first || '{"replayed": true}');
  end if;
  update public.credit_accounts as a
  set alert_threshold = set_credit_alert.threshold,
    alert_armed = coalesce(private.free_credits(v_account) >= set_credit_alert.threshold, false)
  where a.id = v_account.id
  returning a.* into v_account;
  perform private.keep_response(v_owner, set_credit_alert.actor, set_credit_alert.idempotency_key, v_request,
    to_jsonb(private.to_credit_settings(v_account)));
  return private.to_credit_settings(v_account);
end $$;
revoke all on function public.set_credit_alert(numeric, uuid, uuid, text, text, text) from public, anon, authenticated;
grant execute on function public.set_credit_alert(numeric, uuid, uuid, text, text, text) to service_role;

-- set_credit_overdraft ------------------------------------------------------------------------------

-- Sets how far below zero the account of a user or a team in a unit may go: 0 to 1000000000, rounded half up to four
-- decimals. Returns its settings.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 account_not_found; PT409 overdraft_in_use {used}; PT422
-- invalid_overdraft, unknown_unit, idempotency_key_reused.
create function public.set_credit_overdraft(
  overdraft_limit numeric,
  user_id uuid default null,
  team_id uuid default null,
  idempotency_key text default null,
  unit text default 'credits'
)
returns public.credit_settings
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(set_credit_overdraft.user_id, set_credit_overdraft.team_id);
  v_request jsonb := jsonb_build_array('overdraft', v_owner, trim_scale(set_credit_overdraft.overdraft_limit),
    set_credit_overdraft.unit);
  v_account public.credit_accounts;
  v_first jsonb;
begin
  set_credit_overdraft.overdraft_limit := round(set_credit_overdraft.overdraft_limit, 4);
  if num_nulls(set_credit_overdraft.user_id, set_credit_overdraft.team_id) <> 1
    or set_credit_overdraft.overdraft_limit is null
    or set_credit_overdraft.overdraft_limit not between 0 and 1000000000 then
    raise exception 'An overdraft limit must be 0 to 1000000000 credits; give either user_id or team_id, not both'
      using errcode = 'PT422', detail = 'invalid_overdraft';
  end if;
  v_account := private.lock_credit_account(set_credit_overdraft.user_id, set_credit_overdraft.team_id, null,
    set_credit_overdraft.unit);
  v_first := private.first_credit_response(v_owner, 'service', set_credit_overdraft.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_settings, v_first || '{"replayed": true}');
  end if;
  if set_credit_overdraft.overdraft_limit < v_account.overdraft_used + v_account.overdraft_held then
    raise exception 'The overdraft limit cannot be less than the % % that are in use',
      trim_scale(v_account.overdraft_used + v_account.overdraft_held), v_account.unit
      using errcode = 'PT409', detail = format('overdraft_in_use %s',
        jsonb_build_object('used', v_account.overdraft_used + v_account.overdraft_held)),
        hint = 'Grant credits first, or set a limit that covers the overdraft in use';
  end if;
  v_account.overdraft_limit := set_credit_overdraft.overdraft_limit;
  v_account.updated_at := greatest(clock_timestamp(), v_account.updated_at);
  v_account := private.save_credit_account(v_account);
  perform private.keep_response(v_owner, 'service', set_credit_overdraft.idempotency_key, v_request,
    to_jsonb(private.to_credit_settings(v_account)));
  return private.to_credit_settings(v_account);
end $$;
revoke all on function public.set_credit_overdraft(numeric, uuid, uuid, text, text) from public, anon, authenticated;
grant execute on function public.set_credit_overdraft(numeric, uuid, uuid, text, text) to service_role;
