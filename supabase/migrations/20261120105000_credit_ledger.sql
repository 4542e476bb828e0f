-- The ledger: every change of every balance, posted with the entry that says why and with the grants that it used.

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
  -- No foreign key, whose index every charge would have to keep: private.credit_refunds has one.
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
  'Append-only: every change of every balance, numbered per account without a gap.';
comment on column public.credit_transactions.entry_no is 'Place in the account''s statement: 1, 2, 3 ...';
comment on column public.credit_transactions.kind is
  'grant, deduct, capture, refund, expire, void; repay moves credits from grants to an overdraft, in sum nothing';
comment on column public.credit_transactions.amount is 'Signed: positive adds to the balance';
comment on column public.credit_transactions.unit_price is 'Price of one unit when it was charged';
comment on column public.credit_transactions.items is
  'A charge for several things: [{sku, unit, quantity, unit_price, amount}]; one thing is in sku, quantity, unit_price';
comment on column public.credit_transactions.allocations is
  'What each grant gave or got, [{grant_id, amount}] in the order of spending; grant_id null is the overdraft';
comment on column public.credit_transactions.refund_of is 'The entry_no of the charge that a refund gives back';
comment on column public.credit_transactions.actor is
  'Who asked: the user, the service with a secret key, or the system itself';
comment on column public.credit_transactions.actor_id is 'The user who acted, or for whom the service did';

alter table public.credit_transactions enable row level security;
revoke all on public.credit_transactions from public, anon, authenticated, service_role;
grant select on public.credit_transactions to authenticated, service_role;
create policy "owners read the entries of their accounts, members their own" on public.credit_transactions
  for select to authenticated
  using (account_id = any (array(select private.my_credit_account_ids()))
    or actor_id = (select auth.uid()) and account_id = any (array(select private.my_team_credit_account_ids())));

-- Holds even for the owner of the table, whom no revoke binds.
create function private.refuse_change_of_history()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  -- Deleting an account takes its history along; by then the account's row is gone.
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
  'An entry as a caller sees it; replayed says that it was posted by an earlier request with the same key';

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

-- Claims an idempotency key for the entry that the account gets next, or returns the entry that the same request has
-- posted with it, replayed. Kept is where that is, not what it says: entries do not change. Without a key, or with a new
-- one, the result has no entry_no. The caller holds the lock of the account and posts its entry as the next.
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

-- Posts one entry: changes the balance and writes the line that says so. entry_no and balance_after are set here, and
-- created_at unless it is given (what was due is dated when it was due). The other arguments are changes that go with
-- it. The caller has checked the amount, changed the grants and holds the lock of the account.
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
    -- Not now(), which is when the transaction began to wait for the lock: entries are dated in the
    -- order of their numbers, also when the clock steps back.
    updated_at = greatest(coalesce(entry.created_at, clock_timestamp()), a.updated_at)
  where a.id = entry.account_id
  returning a.version, a.balance, a.updated_at
  into entry.entry_no, entry.balance_after, entry.created_at;

  insert into public.credit_transactions values (entry.*);
  return entry;
end $$;
revoke all on function private.post_credit_entry(public.credit_transactions, numeric, numeric, numeric)
  from public, anon, authenticated, service_role;

-- Makes sure that an amount can be one of an entry: what names it says what it is called.
-- Raises: PT422 invalid_amount.
create function private.check_credit_amount(amount numeric)
returns void
language plpgsql immutable set search_path = ''
as $$
begin
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if amount is null or amount < 0.0001 or amount > 1000000000 or scale(trim_scale(amount)) > 4 then
    raise exception '% is not an amount of credits', coalesce(amount::text, 'Nothing')
      using errcode = 'PT422', detail = 'invalid_amount',
        hint = 'An amount is 0.0001 to 1000000000 credits, in steps of 0.0001';
  end if;
end $$;
revoke all on function private.check_credit_amount(numeric) from public, anon, authenticated, service_role;

-- Spending order ------------------------------------------------------------------------------------

-- Draws on the grants of an account, in the order of spending: takes the credits, or sets them aside for a hold. The
-- caller holds the lock of the account.
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
    -- One at a time, the first that is left: for all at once they would all be read and sorted.
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

create function private.credit_allocation(grant_id uuid, amount numeric)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return jsonb_build_object('grant_id', grant_id, 'amount', amount);
end $$;
revoke all on function private.credit_allocation(uuid, numeric) from public, anon, authenticated, service_role;

-- Pays an overdraft with what grants have free, as soon as there is something: whoever is overdrawn has nothing free.
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
