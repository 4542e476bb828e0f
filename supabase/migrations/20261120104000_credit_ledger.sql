-- The ledger: the accounts of users and teams, the grants that they spend, the entries that record every change of a
-- balance, and the steps of every change: lock the account, draw on its grants, post the entry.

-- credit_accounts -----------------------------------------------------------------------------------

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  balance numeric(15, 4) not null default 0,
  held numeric(15, 4) not null default 0,
  overdraft_limit numeric(15, 4) not null default 0,
  overdraft_used numeric(15, 4) not null default 0,
  overdraft_held numeric(15, 4) not null default 0,
  debt numeric(15, 4) not null default 0,
  alert_threshold numeric(15, 4),
  alert_armed boolean not null default false,
  next_due_at timestamptz,
  version bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint credit_accounts_user_id_key unique (user_id),
  constraint credit_accounts_team_id_key unique (team_id),
  constraint credit_accounts_one_owner_check check (num_nonnulls(user_id, team_id) = 1),
  constraint credit_accounts_held_check check (held >= 0),
  constraint credit_accounts_overdraft_limit_check check (overdraft_limit >= 0),
  constraint credit_accounts_overdraft_check check (
    overdraft_used >= 0 and overdraft_held >= 0 and overdraft_used + overdraft_held <= overdraft_limit + debt),
  constraint credit_accounts_debt_check check (debt >= 0),
  constraint credit_accounts_covered_check check (balance - held >= -overdraft_limit - debt),
  constraint credit_accounts_alert_threshold_check check (alert_threshold > 0 and alert_threshold <= 1000000000)
-- Leaves room on each page for new versions of its rows: on a full page, no update is heap-only.
) with (fillfactor = 75);
comment on table public.credit_accounts is
  'The credits of a user or a team. Only functions write it.';
comment on column public.credit_accounts.held is 'The part of balance that is set aside and cannot be spent';
comment on column public.credit_accounts.overdraft_limit is 'How far below zero the account may go';
comment on column public.credit_accounts.overdraft_used is
  'Credits spent that no grant covered: balance is what the grants have left, less this';
comment on column public.credit_accounts.overdraft_held is 'The part of held that no grant covers';
comment on column public.credit_accounts.debt is
  'How far beyond overdraft_limit the account may be, because credits were taken back that it had spent. Shrinks as it is repaid';
comment on column public.credit_accounts.alert_threshold is
  'An alert is written when fewer credits than this are available; null means never';
comment on column public.credit_accounts.alert_armed is
  'Whether the next fall below the threshold writes an alert: true again after a top-up that reaches it';
comment on column public.credit_accounts.next_due_at is
  'When the next grant begins or ends or the next hold expires; from then on the account is settled before anything else';
comment on column public.credit_accounts.version is 'Number of entries so far: the entry_no of the newest';

alter table public.credit_accounts enable row level security;
revoke all on public.credit_accounts from public, anon, authenticated, service_role;
grant select on public.credit_accounts to authenticated, service_role;
create index credit_accounts_next_due_at on public.credit_accounts (next_due_at) where next_due_at is not null;

-- Who reads what ------------------------------------------------------------------------------------

-- Returns the accounts that the caller may read in full: their own, and those of the teams that they own or administer.
-- Definer: a policy that calls it would otherwise evaluate the policy of credit_accounts too. PL/pgSQL keeps the plan
-- of its query for the session.
create function private.my_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.user_id = (select auth.uid())
      or a.team_id = any (array(select private.my_administered_team_ids()));
end $$;
revoke all on function private.my_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_credit_account_ids() to authenticated, service_role;

-- Returns the accounts of all teams of the caller. A plain member may read their balance and the member's own entries.
-- Definer: for the same reason as my_credit_account_ids.
create function private.my_team_credit_account_ids()
returns setof uuid
language plpgsql stable security definer set search_path = '' rows 10
as $$
begin
  return query
    select a.id from public.credit_accounts as a
    where a.team_id = any (array(select private.my_team_ids()));
end $$;
revoke all on function private.my_team_credit_account_ids() from public, anon, authenticated, service_role;
grant execute on function private.my_team_credit_account_ids() to authenticated, service_role;
create policy "users read their own credit account and those of their teams" on public.credit_accounts
  for select to authenticated
  using (user_id = (select auth.uid()) or team_id = any (array(select private.my_team_ids())));

-- A team has an account -----------------------------------------------------------------------------

-- Definer: a caller that creates a team may not write the tables of credits.
create function private.open_team_credit_account()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.credit_accounts (team_id) values (new.id)
  on conflict on constraint credit_accounts_team_id_key do nothing;
  return null;
end $$;
comment on function private.open_team_credit_account() is 'Trigger function: opens the account of a new team';
revoke all on function private.open_team_credit_account() from public, anon, authenticated, service_role;

create trigger open_team_credit_account after insert on public.teams
  for each row execute function private.open_team_credit_account();

-- credit_alerts -------------------------------------------------------------------------------------

create table public.credit_alerts (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  threshold numeric(15, 4) not null,
  available numeric(15, 4) not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.credit_alerts is
  'One row for each time that an account fell below its alert threshold. Only a trigger writes it.';
comment on column public.credit_alerts.available is 'Credits that could still be spent at that time';

create index credit_alerts_account_id on public.credit_alerts (account_id, created_at);

alter table public.credit_alerts enable row level security;
revoke all on public.credit_alerts from public, anon, authenticated, service_role;
grant select on public.credit_alerts to authenticated, service_role;

create policy "owners read the alerts of their accounts" on public.credit_alerts
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

alter publication supabase_realtime add table public.credit_alerts;

-- A trigger, because everything that lowers an account counts: charges, holds, the end of a grant, a smaller overdraft.
-- It runs under the lock of the account, so that only one of many concurrent charges writes the alert.
create function private.raise_credit_alert()
returns trigger
language plpgsql volatile set search_path = ''
as $$
declare
  v_available numeric := new.balance - new.held + new.overdraft_limit;
begin
  if new.alert_armed and v_available < new.alert_threshold then
    insert into public.credit_alerts (account_id, threshold, available)
    values (new.id, new.alert_threshold, v_available);
    new.alert_armed := false;
  end if;
  return new;
end $$;
comment on function private.raise_credit_alert() is
  'Trigger function: writes an alert when an account crosses its threshold';
revoke all on function private.raise_credit_alert() from public, anon, authenticated, service_role;

create trigger raise_credit_alert before update on public.credit_accounts
  for each row when (new.alert_armed) execute function private.raise_credit_alert();

-- credit_grants -------------------------------------------------------------------------------------

create table public.credit_grants (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  category text not null,
  amount numeric(15, 4) not null,
  remaining numeric(15, 4) not null,
  held numeric(15, 4) not null default 0,
  priority smallint not null default 50,
  status text not null,
  effective_at timestamptz not null,
  expires_at timestamptz,
  source text not null,
  external_reference text,
  cost_basis numeric(18, 6),
  currency text,
  description text,
  voided_at timestamptz,
  voided_by text,
  void_reason text,
  created_at timestamptz not null,
  spendable boolean not null generated always as (status = 'active' and remaining > held) stored,
  constraint credit_grants_external_reference_key unique (external_reference),
  constraint credit_grants_remaining_check check (held >= 0 and held <= remaining and remaining <= amount),
  constraint credit_grants_ended_check check (status in ('pending', 'active') or remaining = held)
-- Leaves room on each page for new versions of its rows: on a full page, no update is heap-only.
) with (fillfactor = 75);
comment on table public.credit_grants is
  'Credits that were bought or given away. Spent by priority, then by earliest expiry, then by age. Only functions write it.';
comment on column public.credit_grants.category is 'paid or promotional';
comment on column public.credit_grants.remaining is 'Credits that have neither been spent nor ended; includes held';
comment on column public.credit_grants.held is
  'The part of remaining that holds have set aside: it can be captured even after the grant has ended';
comment on column public.credit_grants.priority is '0 to 100, lower is spent first';
comment on column public.credit_grants.status is
  'pending before effective_at, then active until it expires or is voided';
comment on column public.credit_grants.source is 'Where it comes from: signup, stripe, refund ...';
comment on column public.credit_grants.external_reference is
  'Id of the payment: the same payment never grants twice';
comment on column public.credit_grants.cost_basis is
  'Price paid for one credit, in currency (ISO 4217 code in lower case, as Stripe writes it)';
comment on column public.credit_grants.spendable is
  'Whether a charge can draw on it: only such grants are in the index of the spending order';

create trigger credit_grants_terms
  before insert or update of category, amount, priority, effective_at, expires_at, source, external_reference, cost_basis,
    currency, description on public.credit_grants
  for each row when ((
    new.category in ('paid', 'promotional')
    and new.amount > 0 and new.amount <= 100000000000
    and new.priority between 0 and 100
    and new.expires_at > new.effective_at and isfinite(new.expires_at)
    and isfinite(new.effective_at)
    and char_length(new.source) between 1 and 50
    and char_length(new.external_reference) between 1 and 255
    and new.cost_basis >= 0 and num_nulls(new.cost_basis, new.currency) in (0, 2)
    and new.currency ~ '^[a-z]{3}$'
    and char_length(new.description) between 1 and 500) is false)
  execute function private.refuse_row();
create trigger credit_grants_status
  before insert or update of status, voided_at, voided_by, void_reason on public.credit_grants
  for each row when ((
    new.status in ('pending', 'active', 'expired', 'voided')
    and num_nulls(new.voided_at, new.voided_by, new.void_reason) = case new.status when 'voided' then 0 else 3 end
    and char_length(new.voided_by) between 1 and 200 and char_length(new.void_reason) between 1 and 500) is false)
  execute function private.refuse_row();

create index credit_grants_account_id on public.credit_grants (account_id, created_at);
create index credit_grants_pending on public.credit_grants (account_id, effective_at) where status = 'pending';
-- remaining is in no index, so that a charge changes no index (a heap-only update).
create index credit_grants_spendable on public.credit_grants (account_id, priority, expires_at, created_at, id)
  where spendable;

alter table public.credit_grants enable row level security;
revoke all on public.credit_grants from public, anon, authenticated, service_role;
grant select on public.credit_grants to authenticated, service_role;

create policy "owners read the grants of their accounts" on public.credit_grants
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

-- credit_transactions -------------------------------------------------------------------------------

create table public.credit_transactions (
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  entry_no bigint not null,
  kind text not null,
  amount numeric(15, 4) not null,
  balance_after numeric(15, 4) not null,
  sku text,
  quantity numeric(15, 4),
  unit_price numeric(15, 4),
  items jsonb,
  allocations jsonb not null default '[]',
  -- No foreign key, because every charge would have to maintain its index: private.credit_refunds has one.
  refund_of bigint,
  description text,
  actor text not null,
  actor_id uuid,
  created_at timestamptz not null,
  primary key (account_id, entry_no),
  constraint credit_transactions_entry_no_check check (entry_no > 0),
  constraint credit_transactions_kind_check check (
    case
      when kind in ('grant', 'refund') then amount > 0
      when kind in ('deduct', 'capture', 'expire', 'void') then amount < 0
      when kind = 'repay' then amount = 0
      else false
    end),
  constraint credit_transactions_refund_of_check check ((kind = 'refund') = (refund_of is not null)),
  constraint credit_transactions_price_check check (num_nulls(sku, quantity, unit_price) in (0, 3)),
  constraint credit_transactions_items_check check (num_nonnulls(items, sku) <= 1),
  constraint credit_transactions_description_check check (char_length(description) between 1 and 500),
  constraint credit_transactions_actor_check check (actor in ('user', 'service', 'system'))
);
comment on table public.credit_transactions is
  'Append-only: every change of every balance, numbered per account without gaps.';
comment on column public.credit_transactions.entry_no is 'Place in the account''s statement: 1, 2, 3 ...';
comment on column public.credit_transactions.kind is
  'grant, deduct, capture, refund, expire, void; repay moves credits from grants to the overdraft, and its amount is 0';
comment on column public.credit_transactions.amount is 'Signed: positive adds to the balance';
comment on column public.credit_transactions.unit_price is 'Price of one unit when it was charged';
comment on column public.credit_transactions.items is
  'The items of a charge for several: [{sku, unit, quantity, unit_price, amount}]; a single one is in sku, quantity, unit_price';
comment on column public.credit_transactions.allocations is
  'What each grant gave or received: [{grant_id, amount}] in spending order; a null grant_id stands for the overdraft';
comment on column public.credit_transactions.refund_of is 'The entry_no of the charge that a refund gives back';
comment on column public.credit_transactions.actor is
  'Who made the request: the user, the service with a secret key, or the system itself';
comment on column public.credit_transactions.actor_id is 'The user who acted, or for whom the service acted';

alter table public.credit_transactions enable row level security;
revoke all on public.credit_transactions from public, anon, authenticated, service_role;
grant select on public.credit_transactions to authenticated, service_role;
create policy "owners read the entries of their accounts, members their own" on public.credit_transactions
  for select to authenticated
  using (account_id = any (array(select private.my_credit_account_ids()))
    or actor_id = (select auth.uid()) and account_id = any (array(select private.my_team_credit_account_ids())));

-- A trigger, because a revoke does not bind the owner of the table.
create function private.refuse_change_of_history()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  -- Deleting an account deletes its history too; by then the account's row is gone.
  if tg_op = 'DELETE'
    and not exists (select 1 from public.credit_accounts as a where a.id = old.account_id) then
    return old;
  end if;
  raise exception 'Entries of credit_transactions are never changed or removed'
    using errcode = '42501', hint = 'Post another entry that corrects this one';
end $$;
revoke all on function private.refuse_change_of_history() from public, anon, authenticated, service_role;

create trigger credit_transactions_append_only before update or delete on public.credit_transactions
  for each row execute function private.refuse_change_of_history();
create trigger credit_transactions_no_truncate before truncate on public.credit_transactions
  for each statement execute function private.refuse_change_of_history();

-- Locking -------------------------------------------------------------------------------------------

-- Locks an account, settles it and returns it: the account of a user, of a team that the user belongs to, or the one
-- with account_id. team_id without user_id is for the service when it acts for no user.
-- Raises: PT404 account_not_found.
create function private.lock_credit_account(
  user_id uuid, team_id uuid default null, account_id uuid default null
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
begin
  if lock_credit_account.account_id is not null then
    select a.* into v_account from public.credit_accounts as a
    where a.id = lock_credit_account.account_id
    for no key update;
  elsif lock_credit_account.team_id is null then
    select a.* into v_account from public.credit_accounts as a
    where a.user_id = lock_credit_account.user_id
    for no key update;
  elsif lock_credit_account.user_id is null or exists (
    select 1 from public.team_members as m
    where m.team_id = lock_credit_account.team_id and m.user_id = lock_credit_account.user_id) then
    select a.* into v_account from public.credit_accounts as a
    where a.team_id = lock_credit_account.team_id
    for no key update;
  end if;
  if v_account.id is null then
    perform private.refuse_credit_account(user_id, team_id);
  end if;
  if v_account.next_due_at <= greatest(clock_timestamp(), v_account.updated_at) then
    v_account := private.settle_credit_account(v_account.id, greatest(clock_timestamp(), v_account.updated_at));
  end if;
  return v_account;
end $$;
revoke all on function private.lock_credit_account(uuid, uuid, uuid) from public, anon, authenticated, service_role;

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

-- Posting -------------------------------------------------------------------------------------------

create type public.credit_entry as (
  account_id uuid,
  entry_no bigint,
  kind text,
  amount numeric,
  balance_after numeric,
  sku text,
  quantity numeric,
  unit_price numeric,
  items jsonb,
  description text,
  actor_id uuid,
  refund_of bigint,
  created_at timestamptz,
  replayed boolean
);
comment on type public.credit_entry is
  'An entry as callers see it; replayed is true when an earlier request with the same idempotency key posted it';

create function private.to_credit_entry(entry public.credit_transactions)
returns public.credit_entry
language plpgsql immutable set search_path = ''
as $$
begin
  return row(entry.account_id, entry.entry_no, entry.kind, entry.amount, entry.balance_after, entry.sku, entry.quantity,
    entry.unit_price, entry.items, entry.description, entry.actor_id, entry.refund_of, entry.created_at,
    false)::public.credit_entry;
end $$;
revoke all on function private.to_credit_entry(public.credit_transactions)
  from public, anon, authenticated, service_role;

-- Claims an idempotency key for the next entry of the account. If the same request has claimed it before, returns the
-- entry posted then, with replayed = true; without a key or with a new one, the result has no entry_no. The key keeps
-- the number of the entry, not its content, because entries do not change. The caller holds the lock of the account
-- and posts its entry next.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused.
create function private.claim_entry_key(
  owner_id uuid, actor text, key text, request jsonb, account public.credit_accounts
)
returns public.credit_entry
language plpgsql volatile set search_path = ''
as $$
declare
  v_first jsonb;
  v_entry public.credit_transactions;
  v_result public.credit_entry;
begin
  if key is null then
    return null;
  end if;
  if char_length(key) between 1 and 255 then
    insert into private.idempotency_keys (owner_id, actor, key, request_hash, response)
    values (owner_id, actor, key, private.hash_request(request),
      jsonb_build_object('account_id', account.id, 'entry_no', account.version + 1))
    on conflict do nothing;
    if found then
      return null;
    end if;
  end if;
  v_first := private.first_response(owner_id, actor, key, request);
  select t.* into v_entry from public.credit_transactions as t
  where t.account_id = (v_first ->> 'account_id')::uuid and t.entry_no = (v_first ->> 'entry_no')::bigint;
  v_result := private.to_credit_entry(v_entry);
  v_result.replayed := true;
  return v_result;
end $$;
revoke all on function private.claim_entry_key(uuid, text, text, jsonb, public.credit_accounts)
  from public, anon, authenticated, service_role;

-- Posts one entry: changes the balance, inserts the entry and returns it. Sets entry_no and balance_after, and
-- created_at unless the caller has (an entry for something that came due has the date on which it came due). The other
-- arguments are added to the account's columns of the same names. The caller has checked the amount, has changed the
-- grants and holds the lock of the account.
create function private.post_credit_entry(
  entry public.credit_transactions,
  overdraft_used numeric default 0,
  held numeric default 0,
  overdraft_held numeric default 0
)
returns public.credit_transactions
language plpgsql volatile set search_path = ''
as $$
begin
  update public.credit_accounts as a
  set balance = a.balance + entry.amount,
    overdraft_used = a.overdraft_used + post_credit_entry.overdraft_used,
    held = a.held + post_credit_entry.held,
    overdraft_held = a.overdraft_held + post_credit_entry.overdraft_held,
    version = a.version + 1,
    -- Not now(), which is when the transaction began to wait for the lock: dates follow the order of the entry numbers,
    -- even when the clock steps back.
    updated_at = greatest(coalesce(entry.created_at, clock_timestamp()), a.updated_at)
  where a.id = entry.account_id
  returning a.version, a.balance, a.updated_at
  into entry.entry_no, entry.balance_after, entry.created_at;

  insert into public.credit_transactions values (entry.*);
  return entry;
end $$;
revoke all on function private.post_credit_entry(public.credit_transactions, numeric, numeric, numeric)
  from public, anon, authenticated, service_role;

-- Checks that an entry can have this amount: 0.0001 to 1000000000 credits, in steps of 0.0001.
-- Raises: PT422 invalid_amount.
create function private.check_credit_amount(amount numeric)
returns void
language plpgsql immutable set search_path = ''
as $$
begin
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if amount is null or amount < 0.0001 or amount > 1000000000 or scale(trim_scale(amount)) > 4 then
    raise exception 'An amount of credits cannot be %', coalesce(amount::text, 'null')
      using errcode = 'PT422', detail = 'invalid_amount',
        hint = 'Use 0.0001 to 1000000000 credits, in steps of 0.0001';
  end if;
end $$;
revoke all on function private.check_credit_amount(numeric) from public, anon, authenticated, service_role;

-- Spending order ------------------------------------------------------------------------------------

-- Draws on the grants of an account in spending order: takes credits or, with for_hold, sets them aside. Returns what
-- each grant gave, and the amount that no grant covered. The caller holds the lock of the account.
create function private.draw_credits(
  account_id uuid,
  amount numeric,
  for_hold boolean,
  out allocations jsonb,
  out uncovered numeric
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_grant record;
  v_part numeric;
begin
  allocations := '[]';
  uncovered := amount;
  while uncovered > 0 loop
    -- One grant at a time: a query for all would read and sort every grant of the account.
    select g.id, g.remaining - g.held as free into v_grant from public.credit_grants as g
    where g.account_id = draw_credits.account_id and g.spendable
    order by g.priority, g.expires_at, g.created_at, g.id
    limit 1;
    exit when not found;
    v_part := least(v_grant.free, uncovered);
    uncovered := uncovered - v_part;
    if for_hold then
      update public.credit_grants as g set held = g.held + v_part where g.id = v_grant.id;
    else
      update public.credit_grants as g set remaining = g.remaining - v_part where g.id = v_grant.id;
    end if;
    allocations := allocations || private.credit_allocation(v_grant.id, case when for_hold then v_part else -v_part end);
  end loop;
end $$;
revoke all on function private.draw_credits(uuid, numeric, boolean) from public, anon, authenticated, service_role;

-- Returns one element of an entry's allocations.
create function private.credit_allocation(grant_id uuid, amount numeric)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return jsonb_build_object('grant_id', grant_id, 'amount', amount);
end $$;
revoke all on function private.credit_allocation(uuid, numeric) from public, anon, authenticated, service_role;

-- Pays an overdraft with the free credits of the grants, in an entry of its own. Called whenever credits become free,
-- so that an overdrawn account never has free credits.
create function private.repay_credit_overdraft(account_id uuid, at timestamptz)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_used numeric;
  v_debt numeric;
  v_drawn record;
  v_entry public.credit_transactions;
begin
  select a.overdraft_used, a.debt into v_used, v_debt
  from public.credit_accounts as a where a.id = repay_credit_overdraft.account_id;
  if v_used > 0 then
    v_drawn := private.draw_credits(account_id, v_used, false);
    if v_drawn.uncovered < v_used then
      v_entry.account_id := repay_credit_overdraft.account_id;
      v_entry.kind := 'repay';
      v_entry.amount := 0;
      v_entry.allocations := v_drawn.allocations || private.credit_allocation(null, v_used - v_drawn.uncovered);
      v_entry.actor := 'system';
      v_entry.created_at := at;
      perform private.post_credit_entry(v_entry, overdraft_used => v_drawn.uncovered - v_used);
    end if;
  end if;
  if v_debt > 0 then
    update public.credit_accounts as a
    set debt = least(a.debt, greatest(0, a.overdraft_used + a.overdraft_held - a.overdraft_limit))
    where a.id = repay_credit_overdraft.account_id;
  end if;
end $$;
revoke all on function private.repay_credit_overdraft(uuid, timestamptz)
  from public, anon, authenticated, service_role;

-- Removes credits of an ended grant from the account: those that were free when it ended, or that a hold has given back
-- since. The grant's status says whether the entry is of kind expire or void.
create function private.lapse_credits(credit_grant public.credit_grants, amount numeric, at timestamptz)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry public.credit_transactions;
begin
  if amount = 0 then
    return;
  end if;
  v_entry.account_id := credit_grant.account_id;
  v_entry.kind := case credit_grant.status when 'voided' then 'void' else 'expire' end;
  v_entry.amount := -lapse_credits.amount;
  v_entry.allocations := jsonb_build_array(private.credit_allocation(credit_grant.id, -lapse_credits.amount));
  v_entry.description := credit_grant.void_reason;
  v_entry.actor := case credit_grant.status when 'voided' then 'service' else 'system' end;
  v_entry.created_at := at;
  perform private.post_credit_entry(v_entry);
end $$;
revoke all on function private.lapse_credits(public.credit_grants, numeric, timestamptz)
  from public, anon, authenticated, service_role;
