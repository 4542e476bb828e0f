-- Credits: what a user or a team has, and every change of it. The balance is changed by the functions
-- below and by nothing else, under the lock of its row, together with the entry that says why.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('credits.signup_amount', 100, 'credits', 0, 1000000000, 'Granted to a new account; 0 grants nothing');

-- credit_prices -------------------------------------------------------------------------------------

create table public.credit_prices (
  sku text not null,
  effective_from timestamptz not null default now(),
  unit text not null,
  price numeric(15, 4) not null,
  quantity_scale smallint not null default 0,
  created_at timestamptz not null default now(),
  primary key (sku, effective_from),
  constraint credit_prices_sku_check check (sku ~ '^[a-z0-9][a-z0-9._:/-]{0,99}$'),
  constraint credit_prices_unit_check check (char_length(unit) between 1 and 50),
  constraint credit_prices_price_check check (price > 0 and price <= 1000000000),
  constraint credit_prices_quantity_scale_check check (quantity_scale between 0 and 4)
);
comment on table public.credit_prices is
  'The price list. The row in force is the newest whose effective_from has passed; a new price is a new row.';
comment on column public.credit_prices.sku is 'What is sold: chat.message, image.generate';
comment on column public.credit_prices.unit is 'What one of it is: message, image, 1000 tokens';
comment on column public.credit_prices.price is 'Credits for one unit';
comment on column public.credit_prices.quantity_scale is
  'Decimals that a quantity may have: 0 sells whole units only';

alter table public.credit_prices enable row level security;
revoke all on public.credit_prices from public, anon, authenticated, service_role;
grant select on public.credit_prices to authenticated;
grant select, insert, update, delete on public.credit_prices to service_role;

-- True for everyone: a price list is meant to be read before buying.
create policy "signed-in users read the price list" on public.credit_prices
  for select to authenticated using (true);

-- credit_accounts -----------------------------------------------------------------------------------

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  team_id uuid references public.teams (id) on delete cascade,
  balance numeric(15, 4) not null default 0,
  held numeric(15, 4) not null default 0,
  overdraft_limit numeric(15, 4) not null default 0,
  version bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint credit_accounts_user_id_key unique (user_id),
  constraint credit_accounts_team_id_key unique (team_id),
  constraint credit_accounts_one_owner_check check (num_nonnulls(user_id, team_id) = 1),
  constraint credit_accounts_held_check check (held >= 0),
  constraint credit_accounts_overdraft_limit_check check (overdraft_limit >= 0),
  constraint credit_accounts_covered_check check (balance - held >= -overdraft_limit)
);
comment on table public.credit_accounts is
  'The current balance of a user or a team: the truth for credits. Written by functions only.';
comment on column public.credit_accounts.held is 'The part of balance that is set aside and cannot be spent';
comment on column public.credit_accounts.overdraft_limit is 'How far below zero the account may go';
comment on column public.credit_accounts.version is 'Number of entries so far: the entry_no of the newest';

alter table public.credit_accounts enable row level security;
revoke all on public.credit_accounts from public, anon, authenticated, service_role;
grant select on public.credit_accounts to authenticated, service_role;

create policy "users read their own credit account" on public.credit_accounts
  for select to authenticated using (user_id = (select auth.uid()));

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
  description text,
  actor text not null,
  actor_id uuid,
  idempotency_key text,
  request_hash text,
  created_at timestamptz not null,
  primary key (account_id, entry_no),
  constraint credit_transactions_entry_no_check check (entry_no > 0),
  constraint credit_transactions_kind_check check (
    case kind when 'grant' then amount > 0 when 'deduct' then amount < 0 else false end),
  constraint credit_transactions_price_check check (num_nulls(sku, quantity, unit_price) in (0, 3)),
  constraint credit_transactions_description_check check (char_length(description) between 1 and 500),
  constraint credit_transactions_actor_check check (actor in ('user', 'service', 'system')),
  constraint credit_transactions_idempotency_key_check check (
    char_length(idempotency_key) between 1 and 255
    and num_nulls(idempotency_key, request_hash) in (0, 2))
);
comment on table public.credit_transactions is
  'Append-only: every change of every balance, numbered per account without a gap.';
comment on column public.credit_transactions.entry_no is 'Place in the account''s statement: 1, 2, 3 ...';
comment on column public.credit_transactions.amount is 'Signed: positive adds to the balance';
comment on column public.credit_transactions.unit_price is 'Price of one unit when it was charged';
comment on column public.credit_transactions.actor is
  'Who asked: the user, the service with a secret key, or the system itself';
comment on column public.credit_transactions.actor_id is 'The user who acted, or for whom the service did';
comment on column public.credit_transactions.request_hash is
  'SHA-256 of what was asked with the idempotency key, to tell a repeat from another request';

-- The same key of one user is one entry, whichever account it is in. What the service does for the user has keys
-- of its own: else a user could use them up before it.
create unique index credit_transactions_idempotency_key on public.credit_transactions
  (coalesce(actor_id, account_id), actor, idempotency_key) where idempotency_key is not null;

alter table public.credit_transactions enable row level security;
revoke all on public.credit_transactions from public, anon, authenticated, service_role;
grant select on public.credit_transactions to authenticated, service_role;

create policy "users read the entries of their own account" on public.credit_transactions
  for select to authenticated using (account_id in (
    select a.id from public.credit_accounts as a where a.user_id = (select auth.uid())));

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

-- user_credits --------------------------------------------------------------------------------------

create view public.user_credits with (security_invoker = true) as
  select a.user_id, a.balance, a.held, a.balance - a.held + a.overdraft_limit as available, a.updated_at
  from public.credit_accounts as a
  where a.user_id is not null;
comment on view public.user_credits is 'The caller''s own credits; available is what can be spent now';
revoke all on public.user_credits from public, anon, authenticated, service_role;
grant select on public.user_credits to authenticated, service_role;

create function public.credits(profiles)
returns numeric
language sql stable set search_path = ''
as $$
  select coalesce((select c.balance from public.user_credits as c where c.user_id = $1.id), 0)
$$;
comment on function public.credits(profiles) is 'Computed field: the user''s balance. select(''*, credits'')';
revoke all on function public.credits(profiles) from public, anon, authenticated, service_role;
grant execute on function public.credits(profiles) to authenticated, service_role;

-- Posting -------------------------------------------------------------------------------------------

-- Posts one entry: changes the balance and writes the line that says so. entry_no, balance_after and
-- created_at are set here. The caller has checked the amount and holds the lock of the account.
create function private.post_credit_entry(entry public.credit_transactions)
returns public.credit_transactions
language plpgsql volatile set search_path = ''
as $$
begin
  update public.credit_accounts as a
  set balance = a.balance + entry.amount,
    version = a.version + 1,
    -- Not now(), which is when the transaction began to wait for the lock: entries are dated in the
    -- order of their numbers, also when the clock steps back.
    updated_at = greatest(clock_timestamp(), a.updated_at)
  where a.id = entry.account_id
  returning a.version, a.balance, a.updated_at
  into entry.entry_no, entry.balance_after, entry.created_at;

  insert into public.credit_transactions values (entry.*);
  return entry;
end $$;
revoke all on function private.post_credit_entry(public.credit_transactions)
  from public, anon, authenticated, service_role;

-- Opens the account of a user, with sign-up credits if any are given. Does nothing for a user who has one.
create function private.open_credit_account(user_id uuid, signup_amount numeric)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry public.credit_transactions;
begin
  insert into public.credit_accounts as a (user_id) values (open_credit_account.user_id)
  on conflict on constraint credit_accounts_user_id_key do nothing
  returning a.id into v_entry.account_id;

  v_entry.amount := signup_amount;
  if v_entry.account_id is not null and v_entry.amount > 0 then
    v_entry.kind := 'grant';
    v_entry.description := 'Sign-up credits';
    v_entry.actor := 'system';
    perform private.post_credit_entry(v_entry);
  end if;
end $$;
revoke all on function private.open_credit_account(uuid, numeric) from public, anon, authenticated, service_role;

-- deduct_credits ------------------------------------------------------------------------------------

create type public.credit_entry as (
  account_id uuid,
  entry_no bigint,
  kind text,
  amount numeric,
  balance_after numeric,
  sku text,
  quantity numeric,
  unit_price numeric,
  description text,
  created_at timestamptz,
  replayed boolean
);
comment on type public.credit_entry is
  'An entry as a caller sees it; replayed says that it was posted by an earlier request with the same key';

create function private.to_credit_entry(entry public.credit_transactions, replayed boolean)
returns public.credit_entry
language sql immutable set search_path = ''
as $$
  select row(entry.account_id, entry.entry_no, entry.kind, entry.amount, entry.balance_after,
    entry.sku, entry.quantity, entry.unit_price, entry.description, entry.created_at,
    replayed)::public.credit_entry
$$;
revoke all on function private.to_credit_entry(public.credit_transactions, boolean)
  from public, anon, authenticated, service_role;

-- What a charge costs: quantity times the price in force now, rounded half up to four decimals.
create function private.price_credits(sku text, quantity numeric, out unit_price numeric, out amount numeric)
language plpgsql stable set search_path = ''
as $$
declare
  v_price public.credit_prices;
begin
  select p.* into v_price from public.credit_prices as p
  where p.sku = price_credits.sku and p.effective_from <= statement_timestamp()
  order by p.effective_from desc
  limit 1;
  if not found then
    raise exception 'No price for "%"', sku using errcode = 'PT422', detail = 'unknown_sku',
      hint = 'The price list is in credit_prices';
  end if;
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if quantity is null or quantity <= 0 or quantity > 1000000000
    or scale(trim_scale(quantity)) > v_price.quantity_scale then
    raise exception 'Cannot charge a quantity of % of "%"', quantity, price_credits.sku
      using errcode = 'PT422', detail = 'invalid_quantity',
        hint = format('A quantity is above 0, at most 1000000000, and here has at most %s decimals',
          v_price.quantity_scale);
  end if;
  unit_price := v_price.price;
  amount := round(v_price.price * quantity, 4);
end $$;
revoke all on function private.price_credits(text, numeric) from public, anon, authenticated, service_role;

-- Charges the account of a user: either quantity of sku at its price, or amount. Posts one entry and
-- returns it. The same idempotency_key of the same user and actor with the same request returns the first
-- entry again, with replayed = true. actor is user or service: who asked.
-- Definer: not even the service may write the tables of credits. For the service only, which answers
-- for user_id and for who may name an amount.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits {available, required};
-- PT404 account_not_found; PT422 invalid_charge, unknown_sku, invalid_quantity, invalid_amount,
-- idempotency_key_reused.
create function public.deduct_credits(
  user_id uuid,
  sku text default null,
  quantity numeric default null,
  amount numeric default null,
  description text default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_entry public.credit_transactions;
  v_hash text;
  v_amount numeric;
  v_available numeric;
begin
  if num_nulls(deduct_credits.sku, deduct_credits.amount) <> 1
    or (deduct_credits.amount is not null and deduct_credits.quantity is not null)
    or char_length(deduct_credits.description) not between 1 and 500
    or deduct_credits.actor is null or deduct_credits.actor not in ('user', 'service') then
    raise exception 'A charge names either sku and quantity or an amount; its description has 1 to 500 characters, its actor is user or service'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  if char_length(deduct_credits.idempotency_key) not between 1 and 255 then
    raise exception 'An idempotency key has 1 to 255 characters'
      using errcode = 'PT400', detail = 'invalid_idempotency_key';
  end if;

  select a.* into v_account from public.credit_accounts as a
  where a.user_id = deduct_credits.user_id
  for no key update;
  if not found then
    raise exception 'User "%" has no credit account', deduct_credits.user_id
      using errcode = 'PT404', detail = 'account_not_found';
  end if;

  if deduct_credits.idempotency_key is not null then
    v_hash := encode(sha256(convert_to(jsonb_build_array('deduct', v_account.id, deduct_credits.sku,
      trim_scale(deduct_credits.quantity), trim_scale(deduct_credits.amount),
      deduct_credits.description)::text, 'UTF8')), 'hex');
    -- Looked for under the lock: a second request with the key waits for the first and then finds it.
    select t.* into v_entry from public.credit_transactions as t
    where coalesce(t.actor_id, t.account_id) = deduct_credits.user_id
      and t.actor = deduct_credits.actor
      and t.idempotency_key = deduct_credits.idempotency_key;
    if found then
      if v_entry.request_hash <> v_hash then
        raise exception 'This idempotency key was used for another request'
          using errcode = 'PT422', detail = 'idempotency_key_reused',
            hint = 'Use a new key for a new request';
      end if;
      return private.to_credit_entry(v_entry, true);
    end if;
  end if;

  v_amount := deduct_credits.amount;
  if deduct_credits.sku is not null then
    select p.unit_price, p.amount into v_entry.unit_price, v_amount
    from private.price_credits(deduct_credits.sku, deduct_credits.quantity) as p;
  end if;
  -- The upper end also catches NaN, which PostgreSQL orders above every number.
  if v_amount < 0.0001 or v_amount > 1000000000 or scale(trim_scale(v_amount)) > 4 then
    raise exception 'Cannot charge % credits', v_amount
      using errcode = 'PT422', detail = 'invalid_amount',
        hint = 'A charge is 0.0001 to 1000000000 credits, in steps of 0.0001';
  end if;

  v_available := v_account.balance - v_account.held + v_account.overdraft_limit;
  if v_available < v_amount then
    raise exception 'Cannot charge % credits: % are available', trim_scale(v_amount), trim_scale(v_available)
      using errcode = 'PT402',
        detail = format('insufficient_credits %s',
          jsonb_build_object('available', v_available, 'required', v_amount)),
        hint = 'Buy credits, or charge less';
  end if;

  v_entry.account_id := v_account.id;
  v_entry.kind := 'deduct';
  v_entry.amount := -v_amount;
  v_entry.sku := deduct_credits.sku;
  v_entry.quantity := deduct_credits.quantity;
  v_entry.description := deduct_credits.description;
  v_entry.actor := deduct_credits.actor;
  v_entry.actor_id := deduct_credits.user_id;
  v_entry.idempotency_key := deduct_credits.idempotency_key;
  v_entry.request_hash := v_hash;
  return private.to_credit_entry(private.post_credit_entry(v_entry), false);
end $$;
revoke all on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text)
  from public, anon, authenticated;
grant execute on function public.deduct_credits(uuid, text, numeric, numeric, text, text, text)
  to service_role;
