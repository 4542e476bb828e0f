-- The ledger: the grants that an account spends, the entries that record every change of its balance, and the steps of
-- every change: draw on the grants in spending order, post the entry.
--
-- The common charge writes two rows, because the account's row keeps the head of the spending order: the grant that comes
-- next, and what is free of it. What the head does not cover takes the long way: put the head back into its row, change
-- the grants, take the new head.

-- credit_grants -------------------------------------------------------------------------------------

-- Whether a list can limit a grant: 1 to 100 skus, or beginnings of skus with an asterisk after them.
create function private.is_grant_scope(skus text[])
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return array_ndims(skus) = 1 and cardinality(skus) between 1 and 100 and not exists (
    select from unnest(skus) as s (sku)
    where (char_length(s.sku) <= 100 and s.sku ~ '^[a-z0-9][a-z0-9._:/-]*[*]?$') is not true);
end $$;
revoke all on function private.is_grant_scope(text[]) from public, anon, authenticated, service_role;
-- The service edits stripe_prices, of which it is a check.
grant execute on function private.is_grant_scope(text[]) to service_role;

-- Returns what in the list of a grant lets it pay for a sku: the sku, and its beginnings with an asterisk after them; null for
-- null. Whoever looks at many grants calls this once: to compare two lists costs a tenth of calling pays_for.
create function private.sku_patterns(sku text)
returns text[]
language plpgsql immutable strict set search_path = ''
as $$
begin
  return array(select left(sku, i) || '*' from generate_series(1, char_length(sku)) as i) || sku;
end $$;
revoke all on function private.sku_patterns(text) from public, anon, authenticated, service_role;

-- Whether a grant that is limited to skus, or to none when that is null, pays for a sku; null stands for what has none.
create function private.pays_for(skus text[], sku text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return coalesce(skus && private.sku_patterns(sku), skus is null);
end $$;
revoke all on function private.pays_for(text[], text) from public, anon, authenticated, service_role;

create table private.credit_grants (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  category text not null,
  amount numeric(15, 4) not null,
  remaining numeric(15, 4) not null,
  held numeric(15, 4) not null default 0,
  lapsed numeric(15, 4) not null default 0,
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
  skus text[],
  spendable boolean not null generated always as (status = 'active' and remaining > held) stored,
  constraint credit_grants_external_reference_key unique (external_reference),
  constraint credit_grants_remaining_check check (held >= 0 and held <= remaining and remaining <= amount
    and (status in ('pending', 'active') or remaining = held))
-- Leaves room on each page for new versions of its rows: on a full page, no update is heap-only.
) with (fillfactor = 75);
comment on table private.credit_grants is
  'Credits that were bought or given away. Only functions write it; public.credit_grants shows it';
comment on column private.credit_grants.remaining is
  'Credits that have neither been spent nor ended; includes held. For the head, it is in the account''s row';
comment on column private.credit_grants.held is
  'The part of remaining that holds have set aside: it can be captured even after the grant has ended';
comment on column private.credit_grants.lapsed is 'Credits that ended unused, because the grant expired or was voided';
comment on column private.credit_grants.status is
  'pending before effective_at, then active until it expires or is voided';
comment on column private.credit_grants.spendable is
  'Whether a charge can draw on it: only such grants are in the index of the spending order';
comment on column private.credit_grants.skus is
  'What it pays for: skus, and beginnings of skus with an asterisk after them; null: for everything';

create trigger credit_grants_terms
  before insert or update of category, amount, priority, effective_at, expires_at, source, external_reference, cost_basis,
    currency, description on private.credit_grants
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
create trigger credit_grants_skus
  before insert or update of skus on private.credit_grants
  for each row when (new.skus is not null and private.is_grant_scope(new.skus) is not true)
  execute function private.refuse_row();
create trigger credit_grants_status
  before insert or update of status, voided_at, voided_by, void_reason on private.credit_grants
  for each row when ((
    new.status in ('pending', 'active', 'expired', 'voided')
    and num_nulls(new.voided_at, new.voided_by, new.void_reason) = case new.status when 'voided' then 0 else 3 end
    and char_length(new.voided_by) between 1 and 200 and char_length(new.void_reason) between 1 and 500) is false)
  execute function private.refuse_row();

create index credit_grants_account_id on private.credit_grants (account_id, created_at);
-- What comes due next: the beginning of a pending grant, the end of any that can end.
create index credit_grants_pending on private.credit_grants (account_id, effective_at) where status = 'pending';
create index credit_grants_ending on private.credit_grants (account_id, expires_at)
  where status in ('pending', 'active') and expires_at is not null;
-- The spending order. remaining is in no index, so that a charge changes no index (a heap-only update).
create index credit_grants_spendable
  on private.credit_grants (account_id, priority, expires_at, category desc, effective_at, created_at, id)
  where spendable;
create index credit_grants_scoped on private.credit_grants (account_id) where skus is not null and spendable;
-- What a transfer on the same terms adds to, also when all of it is spent.
create index credit_grants_transferred on private.credit_grants (account_id, effective_at)
  where source = 'transfer' and status = 'active';

alter table private.credit_grants enable row level security;
revoke all on private.credit_grants from public, anon, authenticated, service_role;
grant select on private.credit_grants to authenticated, service_role;

create policy "owners read the grants of their accounts" on private.credit_grants
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

create view public.credit_grants with (security_invoker = true) as
  select g.id, g.account_id, g.category, g.amount,
    (case when a.head_grant_id = g.id then a.head_free + a.head_held else g.remaining end)::numeric(15, 4) as remaining,
    (case when a.head_grant_id = g.id then a.head_held else g.held end)::numeric(15, 4) as held,
    g.priority, g.status, g.effective_at, g.expires_at, g.source, g.external_reference, g.cost_basis, g.currency,
    g.description, g.voided_at, g.voided_by, g.void_reason, g.created_at,
    g.status = 'active' and case when a.head_grant_id = g.id then a.head_free > 0 else g.spendable end as spendable,
    a.unit, g.skus
  from private.credit_grants as g
  left join public.credit_accounts as a on a.id = g.account_id;
comment on view public.credit_grants is
  'Credits that were bought or given away. Spent by priority, then by earliest end, then promotional before paid, then by effective date, then by age';
comment on column public.credit_grants.unit is 'What the account counts, and so amount, remaining and held';
comment on column public.credit_grants.category is 'paid or promotional';
comment on column public.credit_grants.skus is
  'What it pays for: skus, and beginnings of skus with an asterisk after them; null: for everything';
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
comment on column public.credit_grants.spendable is 'Whether a charge can draw on it';
revoke all on public.credit_grants from public, anon, authenticated, service_role;
grant select on public.credit_grants to authenticated, service_role;
create trigger credit_grants_read_only instead of insert or update or delete on public.credit_grants
  for each row execute function private.refuse_write();

-- credit_transactions -------------------------------------------------------------------------------

-- The rules of an entry. A function, because PostgreSQL reads and plans the expression of a check anew for every write, and
-- keeps the plan of a function.
create function private.is_credit_entry(
  kind text, amount numeric, sku text, quantity numeric, unit_price numeric, items jsonb, refund_of bigint, actor text,
  description text, counterpart jsonb
)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return case
      when kind in ('deduct', 'capture', 'expire', 'void') then amount < 0
      when kind in ('grant', 'refund') then amount > 0
      when kind = 'repay' then amount = 0
      when kind = 'transfer' then amount <> 0
      else false
    end
    and (kind = 'refund') = (refund_of is not null)
    and (kind = 'transfer') = (counterpart is not null)
    and num_nulls(sku, quantity, unit_price) in (0, 3)
    and num_nonnulls(items, sku) <= 1
    and actor in ('user', 'service', 'system')
    and coalesce(char_length(description) between 1 and 500, true);
end $$;
revoke all on function private.is_credit_entry(text, numeric, text, numeric, numeric, jsonb, bigint, text, text, jsonb)
  from public, anon, authenticated, service_role;

create table private.credit_transactions (
  -- No foreign key, because every charge would pay for its check: private.delete_credit_history takes its place.
  account_id uuid not null,
  entry_no bigint not null,
  created_at timestamptz not null,
  grant_id uuid,
  actor_id uuid,
  id uuid not null default gen_random_uuid(),
  hold_id uuid,
  -- No foreign key, because every charge would have to maintain its index: private.credit_refunds has one.
  refund_of bigint,
  kind text not null,
  actor text not null,
  amount numeric(15, 4) not null,
  balance_after numeric(15, 4) not null,
  sku text,
  quantity numeric(15, 4),
  unit_price numeric(15, 4),
  items jsonb,
  allocations jsonb,
  hold jsonb,
  description text,
  request_hash bytea,
  requested_amount numeric,
  counterpart jsonb,
  actor_hash bytea,
  primary key (account_id, entry_no),
  constraint credit_transactions_id_key unique (id),
  constraint credit_transactions_entry_check check (
    private.is_credit_entry(kind, amount, sku, quantity, unit_price, items, refund_of, actor, description, counterpart))
);
comment on table private.credit_transactions is
  'Append-only: every change of every balance, numbered per account without gaps. public.credit_transactions shows it';
comment on column private.credit_transactions.grant_id is 'The grant that gave or received all of amount; null when there are several';
comment on column private.credit_transactions.allocations is
  'What each grant gave or received, where there are several or the overdraft took part: [{grant_id, amount}]';
comment on column private.credit_transactions.id is
  'What private.idempotency_id makes of the idempotency key of the request, if it had one; otherwise random';
comment on column private.credit_transactions.request_hash is
  'SHA-256 of the request that had the key, to tell a repeated request from a different one';
comment on column private.credit_transactions.hold_id is 'The hold that a capture resolved';
comment on column private.credit_transactions.hold is
  'What that hold was: {amount, allocations, items, description, expires_at, created_at, request_hash}, and the message_id of the message that it paid for';
comment on column private.credit_transactions.counterpart is 'The other entry of a transfer: {account_id, entry_no}';
comment on column private.credit_transactions.requested_amount is
  'What the service asked for, without a sign, if amount differs from it';
comment on column private.credit_transactions.actor_hash is
  'SHA-256 of actor_id, which was removed when the account of that user was deleted: the seal has the hash';

create unique index credit_transactions_hold_id_key on private.credit_transactions (hold_id) where hold_id is not null;

alter table private.credit_transactions enable row level security;
revoke all on private.credit_transactions from public, anon, authenticated, service_role;
grant select on private.credit_transactions to authenticated, service_role;
-- Two conditions on account_id, not one for each kind of reader: PostgreSQL would take an "or" for rare, and read the whole
-- history of an account to find its newest entries.
create policy "owners read the entries of their accounts, members their own" on private.credit_transactions
  for select to authenticated
  using (account_id = any (array(
      select private.my_credit_account_ids() union all select private.my_member_credit_account_ids()))
    and (actor_id = (select auth.uid()) or account_id <> all (array(select private.my_member_credit_account_ids()))));

create view public.credit_transactions with (security_invoker = true) as
  select t.id, t.account_id, a.user_id, t.entry_no, t.kind, t.amount, t.balance_after, t.sku, t.quantity, t.unit_price, t.items,
    coalesce(t.allocations, jsonb_build_array(jsonb_build_object('grant_id', t.grant_id, 'amount', t.amount))) as allocations,
    t.refund_of, t.description, t.actor, t.actor_id, t.created_at, t.requested_amount,
    t.counterpart, a.unit
  from private.credit_transactions as t
  left join public.credit_accounts as a on a.id = t.account_id;
comment on view public.credit_transactions is
  'Append-only: every change of every balance, numbered per account without gaps.';
comment on column public.credit_transactions.id is 'Unique among the entries of all accounts';
comment on column public.credit_transactions.user_id is 'The owner of the account; null if a team owns it';
comment on column public.credit_transactions.entry_no is 'Place in the account''s statement: 1, 2, 3 ...';
comment on column public.credit_transactions.kind is
  'grant, deduct, capture, refund, expire, void, transfer; repay moves credits from grants to the overdraft, and its amount is 0';
comment on column public.credit_transactions.unit is 'What the account counts, and so all its amounts';
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
comment on column public.credit_transactions.counterpart is
  'The other entry of a transfer, on the account that it went to or came from: {account_id, entry_no}';
comment on column public.credit_transactions.requested_amount is
  'What the service asked for, where another amount was charged: it is rounded to four decimals, and less is charged for an expired hold if less is available';
revoke all on public.credit_transactions from public, anon, authenticated, service_role;
grant select on public.credit_transactions to authenticated, service_role;
create trigger credit_transactions_read_only instead of insert or update or delete on public.credit_transactions
  for each row execute function private.refuse_write();

-- Returns what stands for a user in the seal of an entry.
create function private.actor_hash(actor_id uuid)
returns bytea
language plpgsql immutable set search_path = ''
as $$
begin
  return sha256(convert_to(actor_id::text, 'UTF8'));
end $$;
revoke all on function private.actor_hash(uuid) from public, anon, authenticated, service_role;

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
  -- Of an entry of a team's account, the name of a deleted user can be removed. Its seal stays right.
  if tg_op = 'UPDATE' and old.actor_id is not null and new.actor_id is null
    and new.actor_hash = private.actor_hash(old.actor_id)
    and not exists (select 1 from auth.users as u where u.id = old.actor_id)
    and to_jsonb(new) - array['actor_id', 'actor_hash'] = to_jsonb(old) - array['actor_id', 'actor_hash'] then
    return new;
  end if;
  raise exception 'Entries of credit_transactions are never changed or removed'
    using errcode = '42501', hint = 'Post another entry that corrects this one';
end $$;
revoke all on function private.refuse_change_of_history() from public, anon, authenticated, service_role;

-- Deletes the entries, their seals and the holds of an account with it.
create function private.delete_credit_history()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from private.credit_transactions as t where t.account_id = old.id;
  delete from private.credit_seals as s where s.account_id = old.id;
  delete from private.credit_holds as h where h.account_id = old.id;
  delete from private.ended_credit_holds as h where h.account_id = old.id;
  return null;
end $$;
comment on function private.delete_credit_history() is
  'Trigger function. Definer: it also runs as the Auth server''s role, which has no rights here';
revoke all on function private.delete_credit_history() from public, anon, authenticated, service_role;

create trigger delete_credit_history after delete on public.credit_accounts
  for each row execute function private.delete_credit_history();

create trigger credit_transactions_append_only before update or delete on private.credit_transactions
  for each row execute function private.refuse_change_of_history();
create trigger credit_transactions_no_truncate before truncate on private.credit_transactions
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
  unit text,
  replayed boolean
);
comment on type public.credit_entry is
  'An entry as callers see it; unit is what its account counts; replayed is true when an earlier request with the same idempotency key posted it';

-- An entry of the table as callers see it; unit is that of its account.
create function private.to_credit_entry(entry private.credit_transactions, unit text, replayed boolean default false)
returns public.credit_entry
language plpgsql immutable set search_path = ''
as $$
begin
  return row(entry.account_id, entry.entry_no, entry.kind, entry.amount, entry.balance_after, entry.sku, entry.quantity,
    entry.unit_price, entry.items, entry.description, entry.actor_id, entry.refund_of, entry.created_at, unit,
    replayed)::public.credit_entry;
end $$;
revoke all on function private.to_credit_entry(private.credit_transactions, text, boolean)
  from public, anon, authenticated, service_role;

-- Posts one entry, and is the only function that writes entries. Returns it with its number, date and balance.
--
-- With account, the long way: writes the account's row, which the caller has locked and changed (the balance included),
-- and has changed the grants. Without, the common way, for a charge to the account of the user entry.actor_id in a unit:
-- charges the head of the account, if the head covers it, nothing is due, no alert is to be raised, and no other kind of request
-- has used the idempotency_key; otherwise returns null, and nothing has happened.
--
-- The entry gets the next number, and the present time unless the caller has set created_at (an entry for something that
-- came due has the date on which it came due). Returns null as well when the idempotency key of the entry was used
-- at the same time.
create function private.post_credit_entry(
  entry private.credit_transactions,
  account public.credit_accounts default null,
  idempotency_key text default null,
  unit text default null
)
returns private.credit_transactions
language plpgsql volatile set search_path = ''
as $$
begin
  -- Dates are not now(), which is when the transaction began to wait for the lock: they follow the order of the entry
  -- numbers, even when the clock steps back.
  if account.id is null then
    update public.credit_accounts as a
    set balance = a.balance + entry.amount, head_free = a.head_free + entry.amount, version = a.version + 1,
      updated_at = greatest(clock_timestamp(), a.updated_at)
    where a.user_id = entry.actor_id and a.unit = post_credit_entry.unit and a.head_free >= -entry.amount
      and a.balance + entry.amount >= a.held - a.overdraft_limit
      and (a.next_due_at is null or a.next_due_at > greatest(clock_timestamp(), a.updated_at))
      and (not a.alert_armed or a.balance + entry.amount >= a.alert_threshold + a.held - a.overdraft_limit)
      and not exists (select from private.idempotency_keys as k
        where k.owner_id = entry.actor_id and k.actor = entry.actor and k.key = post_credit_entry.idempotency_key)
    returning a.id, a.version, a.balance, a.updated_at, a.head_grant_id
    into entry.account_id, entry.entry_no, entry.balance_after, entry.created_at, entry.grant_id;
    if not found then
      return null;
    end if;
  else
    if account.alert_armed then
      account := private.raise_credit_alert(account);
    end if;
    update public.credit_accounts as a
    set balance = account.balance, held = account.held, overdraft_used = account.overdraft_used,
      overdraft_held = account.overdraft_held, debt = account.debt, head_grant_id = account.head_grant_id,
      head_free = account.head_free, head_held = account.head_held, open_holds = account.open_holds,
      live_grants = account.live_grants, scoped_grants = account.scoped_grants, pending = account.pending,
      alert_armed = account.alert_armed,
      next_due_at = account.next_due_at, version = account.version + 1,
      updated_at = greatest(coalesce(entry.created_at, clock_timestamp()), account.updated_at)
    where a.id = account.id
    returning a.id, a.version, a.balance, a.updated_at
    into entry.account_id, entry.entry_no, entry.balance_after, entry.created_at;
  end if;

  insert into private.credit_transactions
    (account_id, entry_no, created_at, grant_id, actor_id, id, hold_id, refund_of, kind, actor, amount,
      balance_after, sku, quantity, unit_price, items, allocations, hold, description, request_hash, requested_amount,
      counterpart)
  values (entry.account_id, entry.entry_no, entry.created_at, entry.grant_id, entry.actor_id,
    coalesce(entry.id, gen_random_uuid()), entry.hold_id, entry.refund_of, entry.kind, entry.actor, entry.amount,
    entry.balance_after, entry.sku, entry.quantity, entry.unit_price, entry.items, entry.allocations, entry.hold,
    entry.description, entry.request_hash, entry.requested_amount, entry.counterpart)
  on conflict on constraint credit_transactions_id_key do nothing;
  if found then
    return entry;
  end if;
  -- A request with the same key was first: this one waited for the account, or it is about another account.
  if account.id is not null then
    perform private.refuse_reused_key();
  end if;
  update public.credit_accounts as a
  set balance = a.balance - entry.amount, head_free = a.head_free - entry.amount, version = a.version - 1
  where a.id = entry.account_id;
  return null;
end $$;
revoke all on function private.post_credit_entry(private.credit_transactions, public.credit_accounts, text, text)
  from public, anon, authenticated, service_role;

-- Returns an account as it is after the entry was posted on it.
create function private.after_credit_entry(account public.credit_accounts, entry private.credit_transactions)
returns public.credit_accounts
language plpgsql stable set search_path = ''
as $$
begin
  account.version := entry.entry_no;
  account.updated_at := entry.created_at;
  if account.alert_armed then
    account.alert_armed := private.free_credits(account) >= account.alert_threshold;
  end if;
  return account;
end $$;
revoke all on function private.after_credit_entry(public.credit_accounts, private.credit_transactions)
  from public, anon, authenticated, service_role;

-- Posts an entry that gives amount to one grant, or takes it when amount is negative, and returns the account. The caller
-- has set the kind of the entry, and who acts.
create function private.post_grant_entry(
  account public.credit_accounts, entry private.credit_transactions, grant_id uuid, amount numeric
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
begin
  entry.grant_id := post_grant_entry.grant_id;
  entry.amount := post_grant_entry.amount;
  account.balance := account.balance + post_grant_entry.amount;
  return private.after_credit_entry(account, private.post_credit_entry(entry, account));
end $$;
revoke all on function private.post_grant_entry(public.credit_accounts, private.credit_transactions, uuid, numeric)
  from public, anon, authenticated, service_role;

-- Returns one element of an entry's allocations.
create function private.credit_allocation(grant_id uuid, amount numeric)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return jsonb_build_object('grant_id', grant_id, 'amount', amount);
end $$;
revoke all on function private.credit_allocation(uuid, numeric) from public, anon, authenticated, service_role;

-- Returns an entry with its allocations: in grant_id when there is one, and it is a grant.
create function private.allocate_credit_entry(entry private.credit_transactions, allocations jsonb)
returns private.credit_transactions
language plpgsql immutable set search_path = ''
as $$
begin
  if jsonb_array_length(allocate_credit_entry.allocations) = 1 then
    entry.grant_id := (allocate_credit_entry.allocations -> 0 ->> 'grant_id')::uuid;
  end if;
  if entry.grant_id is null then
    entry.allocations := allocate_credit_entry.allocations;
  end if;
  return entry;
end $$;
revoke all on function private.allocate_credit_entry(private.credit_transactions, jsonb)
  from public, anon, authenticated, service_role;
