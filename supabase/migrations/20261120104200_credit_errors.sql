-- The errors that several functions of credits raise: no account, an impossible amount, not enough credits.

-- Refuses a user or a team that has no account, or a user who is not in the team.
-- Raises: PT404 account_not_found.
create function private.refuse_credit_account(user_id uuid, team_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception '%', case
      when team_id is null then format('User "%s" has no credit account', user_id)
      when user_id is null then format('Team "%s" has no credit account', team_id)
      else format('User "%s" is not a member of team "%s"', user_id, team_id) end
    using errcode = 'PT404', detail = 'account_not_found';
end $$;
revoke all on function private.refuse_credit_account(uuid, uuid) from public, anon, authenticated, service_role;

-- Returns the amount of an entry for an amount that a service asks for: rounded half up to four decimals, and then 0.0001
-- to 1000000000 credits.
-- Raises: PT422 invalid_amount.
create function private.round_credit_amount(amount numeric)
returns numeric
language plpgsql immutable set search_path = ''
as $$
declare
  v_amount numeric := round(amount, 4);
begin
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if v_amount is null or v_amount < 0.0001 or v_amount > 1000000000 then
    raise exception 'An amount of credits cannot be %', coalesce(left(amount::text, 40), 'null')
      using errcode = 'PT422', detail = 'invalid_amount',
        hint = 'Use 0.0001 to 1000000000 credits; an amount is rounded to four decimals';
  end if;
  return v_amount;
end $$;
revoke all on function private.round_credit_amount(numeric) from public, anon, authenticated, service_role;

-- Refuses what would cost more than is available.
-- Raises: PT402 insufficient_credits {available, required}.
create function private.refuse_credits(account public.credit_accounts, available numeric, required numeric)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'Cannot charge % %: % are available', trim_scale(required), account.unit, trim_scale(available)
    using errcode = 'PT402',
      detail = format('insufficient_credits %s', jsonb_build_object('available', available, 'required', required)),
      hint = format('Buy %s, or charge less', account.unit);
end $$;
revoke all on function private.refuse_credits(public.credit_accounts, numeric, numeric)
  from public, anon, authenticated, service_role;

-- Checks that an account can be charged amount. For items of an account with limited grants, draw_items does.
-- Raises: PT402 insufficient_credits {available, required}.
create function private.require_credits(account public.credit_accounts, amount numeric, items jsonb default null)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_available numeric;
begin
  if items is not null and account.scoped_grants > 0 then
    return;
  end if;
  v_available := private.available_credits(account);
  if v_available < amount then
    perform private.refuse_credits(account, v_available, amount);
  end if;
end $$;
revoke all on function private.require_credits(public.credit_accounts, numeric, jsonb)
  from public, anon, authenticated, service_role;
