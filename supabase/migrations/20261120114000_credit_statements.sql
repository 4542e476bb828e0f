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
    if (select t.created_at from public.credit_transactions as t
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
    raise exception 'The argument at needs a finite time' using errcode = 'PT422', detail = 'invalid_time';
  end if;
  select a.* into v_account from public.credit_accounts as a
  where a.id = credit_balance_at.account_id
    and ((select auth.uid()) is null or a.user_id = (select auth.uid())
      or a.team_id = any (array(select private.my_team_ids())));
  if not found then
    raise exception 'There is no such account' using errcode = 'PT404', detail = 'account_not_found';
  end if;
  v_entry_no := private.last_entry_no(v_account, at);
  if v_entry_no = v_account.version then
    return v_account.balance + (private.due_credits(v_account, at)).balance;
  end if;
  return coalesce((select t.balance_after from public.credit_transactions as t
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
  entry_count bigint,
  entries jsonb,
  next_after bigint
);
comment on type public.credit_statement is
  'A month (UTC) of an account: the opening balance, the signed sums of its entries by kind, the closing balance, and a page of entries; pass next_after as after to get the next page, it is null on the last';

-- Returns the statement of a month, given by its first day, for the account of a user or a team. Entries are in the
-- order of their numbers, in pages of page_size (1 to 1000); a page begins with the first entry after number after.
-- Settles the account first, so that a month that is over does not change any more. actor, user or service, is who
-- makes the request: a user has to be an owner or admin of the team.
-- Definer: not even the service may write the tables of credits. For the service only, which has verified user_id.
-- Raises: PT403 not_team_admin; PT404 account_not_found; PT422 invalid_statement.
create function public.credit_statement(
  month date,
  user_id uuid default null,
  team_id uuid default null,
  after bigint default 0,
  page_size integer default 1000,
  actor text default 'service'
)
returns public.credit_statement
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_result public.credit_statement;
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
  v_account := private.lock_credit_account(credit_statement.user_id, credit_statement.team_id);
  if actor = 'user' then
    perform private.require_account_admin(v_account, credit_statement.user_id);
  end if;

  v_start := month::timestamp at time zone 'UTC';
  -- Until just before the next month begins: an entry at its first moment belongs to the next month.
  v_first := private.last_entry_no(v_account, v_start - interval '1 microsecond') + 1;
  v_last := private.last_entry_no(v_account,
    (month + interval '1 month') at time zone 'UTC' - interval '1 microsecond');

  v_result.account_id := v_account.id;
  v_result.month := to_char(month, 'YYYY-MM');
  v_result.opening_balance := coalesce((select t.balance_after from public.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no = v_first - 1), 0);
  v_result.closing_balance := coalesce((select t.balance_after from public.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no = v_last), 0);
  select coalesce(sum(t.amount) filter (where t.kind = 'grant'), 0),
    coalesce(sum(t.amount) filter (where t.kind in ('deduct', 'capture')), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'refund'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'expire'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'void'), 0),
    count(*)
  into v_result.granted, v_result.charged, v_result.refunded, v_result.expired, v_result.voided, v_result.entry_count
  from public.credit_transactions as t
  where t.account_id = v_account.id and t.entry_no between v_first and v_last;

  select coalesce(jsonb_agg(to_jsonb(p) order by p.entry_no), '[]'), max(p.entry_no)
  into v_result.entries, v_result.next_after
  from (
    select t.entry_no, t.kind, t.amount, t.balance_after, t.sku, t.quantity, t.unit_price, t.items, t.description,
      t.actor, t.actor_id, t.refund_of, t.created_at
    from public.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no between greatest(v_first, after + 1) and v_last
    order by t.entry_no
    limit page_size
  ) as p;
  if v_result.next_after >= v_last then
    v_result.next_after := null;
  end if;
  return v_result;
end $$;
revoke all on function public.credit_statement(date, uuid, uuid, bigint, integer, text)
  from public, anon, authenticated;
grant execute on function public.credit_statement(date, uuid, uuid, bigint, integer, text) to service_role;

-- credit_reconciliation -----------------------------------------------------------------------------

-- Returns what does not balance in the books of some accounts: see credit_reconciliation.
create function private.reconcile_credit_accounts(account_ids uuid[])
returns table (account_id uuid, problem text, subject text, expected numeric, actual numeric)
language plpgsql stable set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with accounts as (
      select a.* from public.credit_accounts as a where a.id = any (account_ids)
    ), entries as (
      select t.*, lag(t.balance_after, 1, 0) over w as balance_before, lag(t.created_at) over w as created_before,
        lag(t.entry_no, 1, 0) over w as entry_before,
        (select coalesce(sum(p.amount), 0) from jsonb_to_recordset(t.allocations) as p (amount numeric)) as allocated
      from public.credit_transactions as t
      where t.account_id = any (account_ids)
      window w as (partition by t.account_id order by t.entry_no)
    ), totals as (
      select e.account_id, sum(e.amount) as amount, count(*) as entries, max(e.entry_no) as last from entries as e group by 1
    ), allocated as (
      select t.account_id, p.grant_id, sum(p.amount) as amount
      from public.credit_transactions as t
      cross join jsonb_to_recordset(t.allocations) as p (grant_id uuid, amount numeric)
      where t.account_id = any (account_ids)
      group by 1, 2
    ), grants as (
      select g.account_id, sum(g.remaining) as remaining, sum(g.held) as held, sum(g.remaining - g.held) as free
      from public.credit_grants as g
      where g.account_id = any (account_ids) and g.status <> 'pending'
      group by 1
    ), holds as (
      select h.account_id, sum(h.amount) as amount, sum(private.held_overdraft(h)) as overdraft,
        min(h.expires_at) as expires_at
      from public.credit_holds as h
      where h.account_id = any (account_ids) and h.status = 'held'
      group by 1
    ), held as (
      select p.grant_id, sum(p.amount) as amount
      from public.credit_holds as h cross join jsonb_to_recordset(h.allocations) as p (grant_id uuid, amount numeric)
      where h.account_id = any (account_ids) and h.status = 'held'
      group by 1
    )
    select a.id, 'numbering', 'number of entries', a.version, coalesce(t.entries, 0)
    from accounts as a left join totals as t on t.account_id = a.id
    where a.version <> coalesce(t.entries, 0) or a.version <> coalesce(t.last, 0)
    union all
    select e.account_id, 'numbering', format('entry %s', e.entry_no), e.entry_before + 1, e.entry_no
    from entries as e where e.entry_no <> e.entry_before + 1
    union all
    select e.account_id, 'dates', format('entry %s', e.entry_no), extract(epoch from e.created_before),
      extract(epoch from e.created_at)
    from entries as e where e.created_at < e.created_before
    union all
    select e.account_id, 'entries', format('balance after entry %s', e.entry_no), e.balance_before + e.amount, e.balance_after
    from entries as e where e.balance_after <> e.balance_before + e.amount
    union all
    select e.account_id, 'entries', format('allocations of entry %s', e.entry_no), e.amount, e.allocated
    from entries as e where e.allocated <> e.amount
    union all
    select a.id, 'balance', 'sum of the entries', coalesce(t.amount, 0), a.balance
    from accounts as a left join totals as t on t.account_id = a.id
    where a.balance <> coalesce(t.amount, 0)
    union all
    select a.id, 'balance', 'grants less overdraft', coalesce(g.remaining, 0) - a.overdraft_used, a.balance
    from accounts as a left join grants as g on g.account_id = a.id
    where a.balance <> coalesce(g.remaining, 0) - a.overdraft_used
    union all
    select a.id, 'overdraft', 'allocations to the overdraft', -coalesce(l.amount, 0), a.overdraft_used
    from accounts as a left join allocated as l on l.account_id = a.id and l.grant_id is null
    where a.overdraft_used <> -coalesce(l.amount, 0)
    union all
    select a.id, 'overdraft', 'free credits while overdrawn', 0, g.free
    from accounts as a join grants as g on g.account_id = a.id
    where a.overdraft_used > 0 and g.free > 0
    union all
    select g.account_id, 'grants', format('remaining of grant %s', g.id), coalesce(l.amount, 0), g.remaining
    from public.credit_grants as g left join allocated as l on l.grant_id = g.id
    where g.account_id = any (account_ids)
      and case g.status when 'pending' then g.remaining <> g.amount or l.amount is not null
        else g.remaining <> coalesce(l.amount, 0) end
    union all
    select l.account_id, 'grants', format('grant %s', l.grant_id), null, l.amount
    from allocated as l
    where l.grant_id is not null and not exists (
      select 1 from public.credit_grants as g where g.id = l.grant_id and g.account_id = l.account_id)
    union all
    select g.account_id, 'grants', format('held of grant %s', g.id), coalesce(h.amount, 0), g.held
    from public.credit_grants as g left join held as h on h.grant_id = g.id
    where g.account_id = any (account_ids) and g.held <> coalesce(h.amount, 0)
    union all
    select a.id, 'holds', 'held', coalesce(h.amount, 0), a.held
    from accounts as a left join holds as h on h.account_id = a.id
    where a.held <> coalesce(h.amount, 0)
    union all
    select a.id, 'holds', 'held of the overdraft', coalesce(h.overdraft, 0), a.overdraft_held
    from accounts as a left join holds as h on h.account_id = a.id
    where a.overdraft_held <> coalesce(h.overdraft, 0)
    union all
    select h.account_id, 'holds', format('capture of hold %s', h.id), -h.captured, t.amount
    from public.credit_holds as h
    left join public.credit_transactions as t
      on t.account_id = h.account_id and t.entry_no = h.entry_no and t.kind = 'capture'
    where h.account_id = any (account_ids) and h.status = 'captured'
      and t.amount is distinct from -h.captured
    union all
    select t.account_id, 'holds', format('captures of entry %s', t.entry_no), 1, count(h.id)
    from public.credit_transactions as t
    left join public.credit_holds as h on h.account_id = t.account_id and h.entry_no = t.entry_no
    where t.account_id = any (account_ids) and t.kind = 'capture'
    group by t.account_id, t.entry_no having count(h.id) <> 1
    union all
    select coalesce(r.account_id, t.account_id), 'refunds',
      format('refunds of entry %s', coalesce(r.entry_no, t.refund_of)), coalesce(r.refunded, 0), coalesce(t.amount, 0)
    from (select x.* from private.credit_refunds as x where x.account_id = any (account_ids)) as r
    full join (
      select x.account_id, x.refund_of, sum(x.amount) as amount from public.credit_transactions as x
      where x.account_id = any (account_ids) and x.refund_of is not null group by 1, 2
    ) as t on t.account_id = r.account_id and t.refund_of = r.entry_no
    where r.refunded is distinct from t.amount
    union all
    select r.account_id, 'refunds', format('charge of entry %s', r.entry_no), -t.amount, r.charged
    from private.credit_refunds as r
    join public.credit_transactions as t on t.account_id = r.account_id and t.entry_no = r.entry_no
    where r.account_id = any (account_ids)
      and (r.charged <> -t.amount or t.kind not in ('deduct', 'capture'))
    union all
    select r.account_id, 'refunds', format('charge of entry %s is less than its refunds', r.entry_no), r.charged, r.refunded
    from private.credit_refunds as r
    where r.account_id = any (account_ids) and r.refunded > r.charged
    union all
    select a.id, 'due', 'next_due_at', extract(epoch from d.at), extract(epoch from a.next_due_at)
    from accounts as a
    cross join lateral (
      select least(
        (select h.expires_at from holds as h where h.account_id = a.id),
        (select min(case g.status when 'pending' then g.effective_at else g.expires_at end) from public.credit_grants as g
          where g.account_id = a.id and g.status in ('pending', 'active'))) as at
    ) as d
    where d.at < coalesce(a.next_due_at, 'infinity');
end $$;
revoke all on function private.reconcile_credit_accounts(uuid[]) from public, anon, authenticated, service_role;

-- Returns what does not balance in the books of all accounts, or of one: a row for each problem with the balance,
-- entries, grants, holds or numbering of an account. A healthy database has none. For all accounts it reads every
-- entry; the cleanup job of this name does so in parts.
-- Definer: it reads tables that not even the service may read.
create function public.credit_reconciliation(only_account_id uuid default null)
returns table (account_id uuid, problem text, subject text, expected numeric, actual numeric)
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select r.* from private.reconcile_credit_accounts(
      case when only_account_id is null then array(select a.id from public.credit_accounts as a)
        else array[only_account_id] end) as r;
end $$;
revoke all on function public.credit_reconciliation(uuid) from public, anon, authenticated;
grant execute on function public.credit_reconciliation(uuid) to service_role;
