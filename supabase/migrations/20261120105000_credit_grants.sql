-- Credit grants: how an account gets credits, how grants begin and end, and how credits are taken back.

-- Beginning and ending ------------------------------------------------------------------------------

-- Activates a grant: posts its entry and pays an overdraft with it. Returns the account. A grant that lifts the account to
-- its alert threshold arms the alert again. Credits that a hold or a refund gives back do not, or every other request
-- near the threshold would write an alert. The caller has put back the head of the account.
create function private.activate_credit_grant(
  account public.credit_accounts,
  credit_grant private.credit_grants,
  at timestamptz,
  actor text,
  actor_id uuid default null
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry private.credit_transactions;
begin
  if credit_grant.status = 'pending' then
    update private.credit_grants as g set status = 'active' where g.id = credit_grant.id;
    account.pending := account.pending - credit_grant.amount;
  end if;
  v_entry.kind := 'grant';
  v_entry.description := credit_grant.description;
  v_entry.actor := activate_credit_grant.actor;
  v_entry.actor_id := activate_credit_grant.actor_id;
  v_entry.created_at := at;
  account := private.post_grant_entry(account, v_entry, credit_grant.id, credit_grant.amount);
  if account.overdraft_used > 0 or account.debt > 0 then
    account := private.repay_credit_overdraft(account, account.updated_at);
  end if;
  if private.free_credits(account) >= account.alert_threshold then
    account.alert_armed := true;
  end if;
  return account;
end $$;
revoke all on function private.activate_credit_grant(public.credit_accounts, private.credit_grants, timestamptz, text,
  uuid) from public, anon, authenticated, service_role;

-- Ends a grant and returns the account: its free credits lapse at once, held ones when a hold gives them back. status is
-- expired or voided; voided needs voided_by and void_reason. The caller holds the lock of the account, has put back its
-- head, and has read the grant since.
create function private.end_credit_grant(
  account public.credit_accounts,
  credit_grant private.credit_grants,
  status text,
  at timestamptz,
  voided_by text default null,
  void_reason text default null
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_free numeric := credit_grant.remaining - credit_grant.held;
begin
  -- A grant that has not begun has added nothing to the account.
  if credit_grant.status = 'pending' then
    v_free := 0;
    account.pending := account.pending - credit_grant.amount;
  end if;
  update private.credit_grants as g
  set status = end_credit_grant.status, remaining = g.held,
    voided_at = case end_credit_grant.status when 'voided' then end_credit_grant.at end,
    voided_by = end_credit_grant.voided_by, void_reason = end_credit_grant.void_reason
  where g.id = credit_grant.id
  returning g.* into credit_grant;
  account.live_grants := account.live_grants - 1;
  account.scoped_grants := account.scoped_grants - (credit_grant.skus is not null)::integer;
  return private.lapse_credits(account, credit_grant, v_free, end_credit_grant.at);
end $$;
revoke all on function private.end_credit_grant(public.credit_accounts, private.credit_grants, text, timestamptz, text,
  text) from public, anon, authenticated, service_role;

-- Opens the account of a user and grants signup_amount credits, if that is above 0. Does nothing if the user has one.
create function private.open_credit_account(user_id uuid, signup_amount numeric)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_grant private.credit_grants;
begin
  insert into public.credit_accounts as a (user_id) values (open_credit_account.user_id)
  on conflict on constraint credit_accounts_user_id_key do nothing
  returning a.* into v_account;

  if v_account.id is not null and signup_amount > 0 then
    insert into private.credit_grants as g
      (account_id, category, amount, remaining, status, effective_at, source, description, created_at)
    values (v_account.id, 'promotional', signup_amount, signup_amount, 'active', now(), 'signup',
      'Sign-up credits', now())
    returning g.* into v_grant;
    v_account.live_grants := 1;
    perform private.activate_credit_grant(private.take_credit_head(v_account), v_grant, null, 'system');
  end if;
end $$;
revoke all on function private.open_credit_account(uuid, numeric) from public, anon, authenticated, service_role;

-- signup_grants -------------------------------------------------------------------------------------

create table private.signup_grants (
  name text primary key,
  amount numeric(15, 4) not null,
  unit text not null default 'credits' references public.credit_units (unit),
  skus text[],
  priority smallint not null default 50,
  valid_for integer,
  constraint signup_grants_name_check check (char_length(name) between 1 and 50),
  constraint signup_grants_amount_check check (amount between 0.0001 and 1000000000),
  constraint signup_grants_skus_check check (skus is null or private.is_grant_scope(skus) is true),
  constraint signup_grants_priority_check check (priority between 0 and 100),
  constraint signup_grants_valid_for_check check (valid_for >= 60)
);
comment on table private.signup_grants is
  'What a new account gets besides credits.signup_amount: a promotional grant for each row. The operator edits it';
comment on column private.signup_grants.unit is 'What it grants: credits, unless it names another of credit_units';
comment on column private.signup_grants.skus is
  'What it pays for: skus, and beginnings of skus with an asterisk after them; null: for everything';
comment on column private.signup_grants.priority is '0 to 100, lower is spent first';
comment on column private.signup_grants.valid_for is 'Seconds from the sign-up until it ends; null: it does not end';

create index signup_grants_unit on private.signup_grants (unit);
revoke all on private.signup_grants from public, anon, authenticated, service_role;

-- Grants a new account what signup_grants lists. The account in credits must be open.
create function private.grant_signup_credits(user_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform public.grant_credits(user_id => grant_signup_credits.user_id, amount => s.amount, unit => s.unit, skus => s.skus,
    priority => s.priority, category => 'promotional', source => 'signup', description => 'Sign-up credits',
    expires_at => clock_timestamp() + s.valid_for * interval '1 second')
  -- The accounts of one owner are locked in the order of their units.
  from (select x.* from private.signup_grants as x order by x.unit, x.name) as s;
end $$;
revoke all on function private.grant_signup_credits(uuid) from public, anon, authenticated, service_role;

-- grant_credits -------------------------------------------------------------------------------------

create type public.credit_grant as (
  id uuid,
  account_id uuid,
  category text,
  amount numeric,
  remaining numeric,
  held numeric,
  priority smallint,
  status text,
  effective_at timestamptz,
  expires_at timestamptz,
  source text,
  external_reference text,
  cost_basis numeric,
  currency text,
  description text,
  voided_at timestamptz,
  voided_by text,
  void_reason text,
  created_at timestamptz,
  unit text,
  skus text[],
  replayed boolean
);
comment on type public.credit_grant is
  'A grant as callers see it; replayed is true when an earlier request did what this one asks for';

create function private.to_credit_grant(credit_grant private.credit_grants, unit text, replayed boolean default false)
returns public.credit_grant
language plpgsql immutable set search_path = ''
as $$
begin
  return row(credit_grant.id, credit_grant.account_id, credit_grant.category, credit_grant.amount,
    credit_grant.remaining, credit_grant.held, credit_grant.priority, credit_grant.status, credit_grant.effective_at,
    credit_grant.expires_at, credit_grant.source, credit_grant.external_reference, credit_grant.cost_basis,
    credit_grant.currency, credit_grant.description, credit_grant.voided_at, credit_grant.voided_by,
    credit_grant.void_reason, credit_grant.created_at, unit, credit_grant.skus, replayed)::public.credit_grant;
end $$;
revoke all on function private.to_credit_grant(private.credit_grants, text, boolean)
  from public, anon, authenticated, service_role;

-- Returns the grant with an external reference, if it has the account, amount and category of the request.
-- Raises: PT409 external_reference_used.
create function private.repeat_credit_grant(
  account public.credit_accounts, external_reference text, amount numeric, category text
)
returns public.credit_grant
language plpgsql stable set search_path = ''
as $$
declare
  v_grant private.credit_grants;
begin
  select g.* into v_grant from private.credit_grants as g
  where g.external_reference = repeat_credit_grant.external_reference;
  if (v_grant.account_id, v_grant.amount, v_grant.category)
    is distinct from (account.id, repeat_credit_grant.amount, repeat_credit_grant.category) then
    raise exception 'Another grant has the external reference "%"', external_reference
      using errcode = 'PT409', detail = 'external_reference_used',
        hint = 'Use a different reference for each payment';
  end if;
  -- Of the head, the account's row has what is left.
  select coalesce(a.head_free + a.head_held, v_grant.remaining), coalesce(a.head_held, v_grant.held)
  into v_grant.remaining, v_grant.held
  from (values (v_grant.id)) as g (id)
  left join public.credit_accounts as a on a.id = v_grant.account_id and a.head_grant_id = g.id;
  return private.to_credit_grant(v_grant, account.unit, true);
end $$;
revoke all on function private.repeat_credit_grant(public.credit_accounts, text, numeric, text)
  from public, anon, authenticated, service_role;

-- Checks that an account may get another grant, which skus limit unless they are null.
-- Raises: PT409 too_many_grants {most}.
create function private.require_room_for_grant(account public.credit_accounts, skus text[])
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_most integer;
begin
  -- What a charge looks at stays bounded.
  v_most := case when skus is not null and account.scoped_grants >= 100 then private.setting('credits.scoped_grants') end;
  if account.scoped_grants >= v_most then
    raise exception 'The account has % limited grants that are pending or active, and can have no more', account.scoped_grants
      using errcode = 'PT409', detail = format('too_many_grants %s', jsonb_build_object('most', v_most)),
        hint = 'Void grants that are no longer needed, or raise the setting credits.scoped_grants';
  end if;
  -- The setting is at least this.
  if account.live_grants < 100 then
    return;
  end if;
  v_most := private.setting('credits.live_grants');
  if account.live_grants >= v_most then
    raise exception 'The account has % grants that are pending or active, and can have no more', account.live_grants
      using errcode = 'PT409', detail = format('too_many_grants %s', jsonb_build_object('most', v_most)),
        hint = 'Void grants that are no longer needed, or raise the setting credits.live_grants';
  end if;
end $$;
revoke all on function private.require_room_for_grant(public.credit_accounts, text[])
  from public, anon, authenticated, service_role;

-- Grants credits to the account of a user or a team. They can be spent from effective_at (now, unless it is later)
-- until just before expires_at (null: they never expire). amount is rounded half up to four decimals, cost_basis to
-- six. The same request with the same idempotency_key returns the first grant again, with replayed = true, and so does
-- a request with the same external_reference, account, category and amount. unit is what is granted: credits, unless
-- it names another one. With skus, the grant pays only for these: 1 to 100 skus, or beginnings of skus with an asterisk
-- after them (image.*).
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 account_not_found; PT409 external_reference_used, too_many_grants
-- {most}; PT422 invalid_grant, invalid_amount, unknown_unit, balance_too_large {largest}, idempotency_key_reused.
create function public.grant_credits(
  user_id uuid default null,
  amount numeric default null,
  category text default 'paid',
  priority integer default 50,
  effective_at timestamptz default null,
  expires_at timestamptz default null,
  source text default 'service',
  external_reference text default null,
  cost_basis numeric default null,
  currency text default null,
  description text default null,
  idempotency_key text default null,
  team_id uuid default null,
  unit text default 'credits',
  skus text[] default null
)
returns public.credit_grant
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner uuid := coalesce(grant_credits.user_id, grant_credits.team_id);
  v_request jsonb := jsonb_build_array('grant', v_owner, trim_scale(grant_credits.amount), grant_credits.category,
    grant_credits.priority, grant_credits.effective_at, grant_credits.expires_at, grant_credits.source,
    grant_credits.external_reference, trim_scale(grant_credits.cost_basis), grant_credits.currency,
    grant_credits.description, grant_credits.unit, grant_credits.skus);
  v_account public.credit_accounts;
  v_grant private.credit_grants;
  v_first jsonb;
  v_now timestamptz;
  v_largest numeric;
  v_result public.credit_grant;
begin
  if num_nulls(grant_credits.user_id, grant_credits.team_id) <> 1 then
    raise exception 'A grant needs either user_id or team_id, not both' using errcode = 'PT422', detail = 'invalid_grant';
  end if;
  grant_credits.amount := private.round_credit_amount(grant_credits.amount);
  grant_credits.cost_basis := round(grant_credits.cost_basis, 6);
  v_account := private.lock_credit_account(grant_credits.user_id, grant_credits.team_id, unit => grant_credits.unit);
  v_first := private.first_credit_response(v_owner, 'service', grant_credits.idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_grant, v_first || '{"replayed": true}');
  end if;
  -- Before the terms are checked: a payment that is reported again may name an end that has passed since.
  if exists (select 1 from private.credit_grants as g where g.external_reference = grant_credits.external_reference) then
    v_result := private.repeat_credit_grant(v_account, grant_credits.external_reference, grant_credits.amount,
      grant_credits.category);
    perform private.keep_response(v_owner, 'service', grant_credits.idempotency_key, v_request, to_jsonb(v_result));
    return v_result;
  end if;

  -- Later than every earlier grant, even where the clock is coarse: the older grant is spent first.
  v_now := greatest(clock_timestamp(), v_account.updated_at + interval '1 microsecond');
  if grant_credits.category is null or grant_credits.category not in ('paid', 'promotional')
    or grant_credits.priority is null or grant_credits.priority not between 0 and 100
    or not isfinite(coalesce(grant_credits.effective_at, v_now))
    or not isfinite(coalesce(grant_credits.expires_at, v_now))
    or grant_credits.expires_at <= greatest(v_now, grant_credits.effective_at)
    or grant_credits.source is null or char_length(grant_credits.source) not between 1 and 50
    or char_length(grant_credits.external_reference) not between 1 and 255
    or num_nulls(grant_credits.cost_basis, grant_credits.currency) = 1
    or grant_credits.cost_basis < 0 or grant_credits.cost_basis > 1000000000
    or grant_credits.currency !~ '^[a-z]{3}$'
    or char_length(grant_credits.description) not between 1 and 500
    or grant_credits.skus is not null and private.is_grant_scope(grant_credits.skus) is not true then
    raise exception 'The terms of the grant are invalid' using errcode = 'PT422', detail = 'invalid_grant',
      hint = 'category must be paid or promotional; priority 0 to 100; expires_at in the future and after effective_at; '
        'source must have 1 to 50 characters, external_reference 1 to 255, description 1 to 500; cost_basis and '
        'currency (as in usd) must be given together; skus must be 1 to 100 skus, or beginnings of skus such as image.*';
  end if;

  v_largest := private.setting('credits.largest_balance');
  if v_account.balance + v_account.pending + grant_credits.amount > v_largest then
    raise exception 'The account would have more than % %', v_largest, v_account.unit
      using errcode = 'PT422', detail = format('balance_too_large %s', jsonb_build_object('largest', v_largest)),
        hint = 'Grant less, or raise the setting credits.largest_balance';
  end if;
  perform private.require_room_for_grant(v_account, grant_credits.skus);

  insert into private.credit_grants as g
    (account_id, category, amount, remaining, priority, status, effective_at, expires_at, source, external_reference,
      cost_basis, currency, description, created_at, skus)
  values (v_account.id, grant_credits.category, grant_credits.amount, grant_credits.amount, grant_credits.priority,
    case when grant_credits.effective_at > v_now then 'pending' else 'active' end,
    greatest(v_now, grant_credits.effective_at), grant_credits.expires_at, grant_credits.source,
    grant_credits.external_reference, grant_credits.cost_basis, grant_credits.currency, grant_credits.description, v_now,
    grant_credits.skus)
  on conflict on constraint credit_grants_external_reference_key do nothing
  returning g.* into v_grant;

  -- Another account has got a grant with this reference in the meantime.
  if v_grant.id is null then
    return private.repeat_credit_grant(v_account, grant_credits.external_reference, grant_credits.amount,
      grant_credits.category);
  end if;

  v_account.live_grants := v_account.live_grants + 1;
  v_account.scoped_grants := v_account.scoped_grants + (v_grant.skus is not null)::integer;
  v_account.next_due_at := least(v_account.next_due_at,
    case v_grant.status when 'pending' then v_grant.effective_at else v_grant.expires_at end);
  if v_grant.status = 'active' then
    v_account := private.activate_credit_grant(private.put_back_credit_head(v_account), v_grant, v_now, 'service',
      grant_credits.user_id);
    v_account := private.take_credit_head(v_account);
  else
    v_account.pending := v_account.pending + v_grant.amount;
  end if;
  perform private.save_credit_account(v_account);
  -- Read again: it may have paid an overdraft.
  select g.* into v_grant from private.credit_grants as g where g.id = v_grant.id;
  v_result := private.to_credit_grant(v_grant, v_account.unit);
  perform private.keep_response(v_owner, 'service', grant_credits.idempotency_key, v_request, to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.grant_credits(uuid, numeric, text, integer, timestamptz, timestamptz, text, text, numeric,
  text, text, text, uuid, text, text[]) from public, anon, authenticated;
grant execute on function public.grant_credits(uuid, numeric, text, integer, timestamptz, timestamptz, text, text,
  numeric, text, text, text, uuid, text, text[]) to service_role;

-- Voids a grant and returns it: its free credits end now, held ones when a hold gives them back, and what has been
-- spent stays spent. Keeps who voided it (voided_by, 1 to 200 characters) and why (reason, 1 to 500).
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT404 grant_not_found; PT409 grant_already_voided, grant_expired; PT422
-- invalid_void, idempotency_key_reused.
create function public.void_credit_grant(
  grant_id uuid,
  voided_by text,
  reason text,
  idempotency_key text default null
)
returns public.credit_grant
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('void', grant_id, voided_by, reason);
  v_account public.credit_accounts;
  v_grant private.credit_grants;
  v_first jsonb;
  v_result public.credit_grant;
begin
  if voided_by is null or char_length(voided_by) not between 1 and 200
    or reason is null or char_length(reason) not between 1 and 500 then
    raise exception 'To void a grant, voided_by needs 1 to 200 characters and reason 1 to 500'
      using errcode = 'PT422', detail = 'invalid_void';
  end if;
  select g.* into v_grant from private.credit_grants as g where g.id = grant_id;
  if not found then
    raise exception 'There is no grant "%"', grant_id using errcode = 'PT404', detail = 'grant_not_found';
  end if;
  v_account := private.lock_credit_account(null, null, v_grant.account_id);
  v_first := private.first_credit_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request);
  if v_first is not null then
    return jsonb_populate_record(null::public.credit_grant, v_first || '{"replayed": true}');
  end if;

  v_account := private.put_back_credit_head(v_account);
  -- Read again, under the lock.
  select g.* into v_grant from private.credit_grants as g where g.id = grant_id;
  if v_grant.status in ('voided', 'expired') then
    raise exception 'Cannot void grant "%": it is %', grant_id, v_grant.status
      using errcode = 'PT409',
        detail = case v_grant.status when 'voided' then 'grant_already_voided' else 'grant_expired' end;
  end if;
  v_account := private.end_credit_grant(v_account, v_grant, 'voided', greatest(clock_timestamp(), v_account.updated_at),
    voided_by, reason);
  perform private.save_credit_account(private.take_credit_head(v_account));
  select g.* into v_grant from private.credit_grants as g where g.id = grant_id;
  v_result := private.to_credit_grant(v_grant, v_account.unit);
  perform private.keep_response(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request,
    to_jsonb(v_result));
  return v_result;
end $$;
revoke all on function public.void_credit_grant(uuid, text, text, text) from public, anon, authenticated;
grant execute on function public.void_credit_grant(uuid, text, text, text) to service_role;

-- Taking back ---------------------------------------------------------------------------------------

-- Takes back amount of the credits that some grants gave to an account. Credits of these grants that ended unused
-- count as taken back already (lapsed). The rest is taken from what the grants have free, then from the account's
-- other grants that pay for everything, in spending order, and what they do not cover becomes a debt. Posts one entry if anything is taken, and
-- returns its number. lapsed_before is what earlier calls for the same grants have counted as lapsed.
create function private.take_back_credits(
  account_id uuid,
  grant_ids uuid[],
  amount numeric,
  description text,
  lapsed_before numeric,
  out entry_no bigint,
  out lapsed numeric
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts := private.lock_credit_account(null, null, account_id);
  v_entry private.credit_transactions;
  v_allocations jsonb := jsonb '[]';
  v_grant record;
  v_part numeric;
  v_left numeric;
  v_drawn record;
begin
  select greatest(0, coalesce(sum(g.lapsed), 0) - lapsed_before) into lapsed
  from private.credit_grants as g where g.id = any (grant_ids);
  lapsed := least(lapsed, take_back_credits.amount);
  v_left := take_back_credits.amount - lapsed;
  if v_left = 0 then
    return;
  end if;

  v_account := private.put_back_credit_head(v_account);
  v_entry.amount := -v_left;
  for v_grant in
    select g.id, g.remaining - g.held as free from private.credit_grants as g
    where g.id = any (grant_ids) and g.spendable
    -- Limited credits first: the others are worth more to whoever has them.
    order by g.skus is null, g.expires_at, g.created_at, g.id
  loop
    v_part := least(v_grant.free, v_left);
    continue when v_part = 0;
    v_left := v_left - v_part;
    update private.credit_grants as g set remaining = g.remaining - v_part where g.id = v_grant.id;
    v_allocations := v_allocations || private.credit_allocation(v_grant.id, -v_part);
  end loop;
  if v_left > 0 then
    v_drawn := private.draw_credits(v_account, v_left, false, greatest(clock_timestamp(), v_account.updated_at));
    v_left := v_drawn.uncovered;
    v_allocations := v_allocations || v_drawn.allocations;
  end if;
  if v_left > 0 then
    v_allocations := v_allocations || private.credit_allocation(null, -v_left);
    v_account.debt := greatest(v_account.debt,
      v_account.overdraft_used + v_account.overdraft_held + v_left - v_account.overdraft_limit);
    v_account.overdraft_used := v_account.overdraft_used + v_left;
  end if;
  v_entry := private.allocate_credit_entry(v_entry, v_allocations);
  v_entry.kind := 'void';
  v_entry.description := take_back_credits.description;
  v_entry.actor := 'service';
  v_account.balance := v_account.balance + v_entry.amount;
  v_entry := private.post_credit_entry(v_entry, private.take_credit_head(v_account));
  entry_no := v_entry.entry_no;
end $$;
revoke all on function private.take_back_credits(uuid, uuid[], numeric, text, numeric)
  from public, anon, authenticated, service_role;
