-- Credit statements: what happened on an account, and whether its books balance.

-- Returns the number of the last entry of an account at or before a time; 0 when there is none.
create function private.last_entry_no(account public.credit_accounts, at timestamptz)
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
  v_low bigint := 0;
  v_high bigint := account.version;
  v_middle bigint;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    if (select t.created_at from private.credit_transactions as t
        where t.account_id = account.id and t.entry_no = v_middle) <= at then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end $$;
revoke all on function private.last_entry_no(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- credit_balance_at ---------------------------------------------------------------------------------

-- Returns the balance that an account had at a time, or will have if nothing else happens until then. A user may ask
-- for their own account and those of their teams, the service for any.
-- Definer: a member may see the balance of the team, but not all its entries. Called by its namesake in public.
create function private.credit_balance_at(account_id uuid, at timestamptz)
returns numeric
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_entry_no bigint;
begin
  if at is null or not isfinite(at) then
    raise exception 'The argument at must be a finite time' using errcode = 'PT422', detail = 'invalid_time';
  end if;
  select a.* into v_account from public.credit_accounts as a
  where a.id = credit_balance_at.account_id
    and (private.is_service() or a.user_id = (select auth.uid())
      or a.team_id = any (array(select private.my_team_ids())));
  if not found then
    raise exception 'There is no credit account with this id' using errcode = 'PT404', detail = 'account_not_found';
  end if;
  v_entry_no := private.last_entry_no(v_account, at);
  if v_entry_no = v_account.version then
    return v_account.balance + (private.due_credits(v_account, at)).balance;
  end if;
  return coalesce((select t.balance_after from private.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no = v_entry_no), 0);
end $$;
revoke all on function private.credit_balance_at(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function private.credit_balance_at(uuid, timestamptz) to authenticated, service_role;

-- Returns the balance of an account at a time, in the past or in the future.
-- Raises: PT404 account_not_found, also for an account that is not the caller's; PT422 invalid_time.
create function public.credit_balance_at(account_id uuid, at timestamptz)
returns numeric
language sql stable set search_path = ''
as $$
  select private.credit_balance_at(account_id, at)
$$;
revoke all on function public.credit_balance_at(uuid, timestamptz) from public, anon, authenticated;
grant execute on function public.credit_balance_at(uuid, timestamptz) to authenticated, service_role;

-- credit_statement ----------------------------------------------------------------------------------

create table private.credit_months (
  account_id uuid not null references public.credit_accounts (id) on delete cascade,
  month date not null,
  last_entry_no bigint not null,
  granted numeric not null,
  charged numeric not null,
  refunded numeric not null,
  expired numeric not null,
  voided numeric not null,
  transferred numeric not null,
  primary key (account_id, month)
);
comment on table private.credit_months is
  'The sums of an account''s entries in a month, as far as a statement has added them up';
comment on column private.credit_months.last_entry_no is 'The last entry that is in the sums';
revoke all on private.credit_months from public, anon, authenticated, service_role;

-- Returns the sums of the entries of a month, which are those from number first to last. Adds only the entries that
-- earlier calls have not: what is in the books does not change. The caller holds the lock of the account.
create function private.credit_month(account_id uuid, month date, first bigint, last bigint)
returns private.credit_months
language plpgsql volatile set search_path = ''
as $$
declare
  v_sums private.credit_months;
begin
  select m.* into v_sums from private.credit_months as m
  where m.account_id = credit_month.account_id and m.month = credit_month.month;
  if v_sums.last_entry_no >= last then
    return v_sums;
  end if;
  if first > last then
    return row(account_id, month, last, 0, 0, 0, 0, 0, 0)::private.credit_months;
  end if;
  insert into private.credit_months as m
    (account_id, month, last_entry_no, granted, charged, refunded, expired, voided, transferred)
  select credit_month.account_id, credit_month.month, credit_month.last,
    coalesce(sum(t.amount) filter (where t.kind = 'grant'), 0),
    coalesce(sum(t.amount) filter (where t.kind in ('deduct', 'capture')), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'refund'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'expire'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'void'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'transfer'), 0)
  from private.credit_transactions as t
  where t.account_id = credit_month.account_id
    and t.entry_no between coalesce(v_sums.last_entry_no + 1, first) and last
  on conflict on constraint credit_months_pkey do update
  set last_entry_no = excluded.last_entry_no, granted = m.granted + excluded.granted,
    charged = m.charged + excluded.charged, refunded = m.refunded + excluded.refunded,
    expired = m.expired + excluded.expired, voided = m.voided + excluded.voided,
    transferred = m.transferred + excluded.transferred
  returning m.* into v_sums;
  return v_sums;
end $$;
revoke all on function private.credit_month(uuid, date, bigint, bigint) from public, anon, authenticated, service_role;

create type public.credit_statement as (
  account_id uuid,
  month text,
  opening_balance numeric,
  closing_balance numeric,
  granted numeric,
  charged numeric,
  refunded numeric,
  expired numeric,
  voided numeric,
  transferred numeric,
  entry_count bigint,
  entries jsonb,
  next_after bigint,
  unit text
);
comment on type public.credit_statement is
  'A month (UTC) of an account: the opening balance, the signed sums of its entries by kind, the closing balance, and a page of entries; pass next_after as after to get the next page, it is null on the last';

-- Returns the statement of a month, given by its first day, for the account of a user or a team in a unit. Entries are in the
-- order of their numbers, in pages of page_size (1 to 1000); a page begins with the first entry after number after.
-- Settles the account first, so that a month that is over does not change any more. actor, user or service, is who
-- makes the request: a user has to be an owner or admin of the team.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id.
-- Raises: PT403 not_team_admin; PT404 account_not_found; PT422 invalid_statement, unknown_unit.
create function public.credit_statement(
  month date,
  user_id uuid default null,
  team_id uuid default null,
  after bigint default 0,
  page_size integer default 1000,
  actor text default 'service',
  unit text default 'credits'
)
returns public.credit_statement
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_result public.credit_statement;
  v_sums private.credit_months;
  v_start timestamptz;
  v_first bigint;
  v_last bigint;
begin
  if month is null or not isfinite(month) or month <> date_trunc('month', month::timestamp)
    or month not between date '2000-01-01' and date '9999-12-01'
    or page_size is null or page_size not between 1 and 1000 or after is null
    or actor is null or actor not in ('user', 'service') or actor = 'user' and credit_statement.user_id is null then
    raise exception 'A statement needs a month, given by its first day, and a page_size of 1 to 1000'
      using errcode = 'PT422', detail = 'invalid_statement';
  end if;
  v_account := private.lock_credit_account(credit_statement.user_id, credit_statement.team_id, null,
    credit_statement.unit);
  if actor = 'user' then
    perform private.require_account_admin(v_account, credit_statement.user_id);
  end if;

  v_start := month::timestamp at time zone 'UTC';
  -- Until just before the next month begins: an entry at its first moment belongs to the next month.
  v_first := private.last_entry_no(v_account, v_start - interval '1 microsecond') + 1;
  v_last := private.last_entry_no(v_account,
    (month + interval '1 month') at time zone 'UTC' - interval '1 microsecond');

  v_result.account_id := v_account.id;
  v_result.unit := v_account.unit;
  v_result.month := to_char(month, 'YYYY-MM');
  v_result.opening_balance := coalesce((select t.balance_after from private.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no = v_first - 1), 0);
  v_result.closing_balance := coalesce((select t.balance_after from private.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no = v_last), 0);
  v_sums := private.credit_month(v_account.id, month, v_first, v_last);
  v_result.granted := v_sums.granted;
  v_result.charged := v_sums.charged;
  v_result.refunded := v_sums.refunded;
  v_result.expired := v_sums.expired;
  v_result.voided := v_sums.voided;
  v_result.transferred := v_sums.transferred;
  v_result.entry_count := v_last - v_first + 1;

  select coalesce(jsonb_agg(to_jsonb(p) order by p.entry_no), '[]'), max(p.entry_no)
  into v_result.entries, v_result.next_after
  from (
    select t.entry_no, t.kind, t.amount, t.balance_after, t.sku, t.quantity, t.unit_price, t.items, t.description,
      t.actor, t.actor_id, t.refund_of, t.counterpart, t.created_at
    from public.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no between v_first and v_last and t.entry_no > after
    order by t.entry_no
    limit page_size
  ) as p;
  if v_result.next_after >= v_last then
    v_result.next_after := null;
  end if;
  return v_result;
end $$;
revoke all on function public.credit_statement(date, uuid, uuid, bigint, integer, text, text)
  from public, anon, authenticated;
grant execute on function public.credit_statement(date, uuid, uuid, bigint, integer, text, text) to service_role;
