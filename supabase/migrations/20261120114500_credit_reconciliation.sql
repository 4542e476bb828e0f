-- Credit reconciliation: whether the books of credits balance.

-- Returns what does not balance in the books of some accounts: see credit_reconciliation.
create function private.reconcile_credit_accounts(account_ids uuid[])
returns table (account_id uuid, problem text, subject text, expected numeric, actual numeric)
language plpgsql stable set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with accounts as materialized (
      select a.* from public.credit_accounts as a where a.id = any (account_ids)
    ), entries as materialized (
      select t.*, lag(t.balance_after, 1, 0) over w as balance_before, lag(t.created_at) over w as created_before,
        lag(t.entry_no, 1, 0) over w as entry_before,
        case when t.allocations is null and t.grant_id is not null then t.amount
          else (select coalesce(sum(p.amount), 0) from jsonb_to_recordset(t.allocations) as p (amount numeric)) end
          as allocated
      from private.credit_transactions as t
      where t.account_id = any (account_ids)
      window w as (partition by t.account_id order by t.entry_no)
    ), totals as (
      select e.account_id, sum(e.amount) as amount, count(*) as entries, max(e.entry_no) as last from entries as e group by 1
    ), allocated as (
      select p.account_id, p.grant_id, sum(p.amount) as amount
      from (
        select e.account_id, e.grant_id, e.amount from entries as e where e.allocations is null and e.grant_id is not null
        union all
        select e.account_id, p.grant_id, p.amount
        from entries as e cross join jsonb_to_recordset(e.allocations) as p (grant_id uuid, amount numeric)
      ) as p
      group by 1, 2
    ), all_grants as materialized (
      -- The account's row has what the head has.
      select g.id, g.account_id, g.status, g.amount, g.effective_at, g.expires_at, g.skus,
        case when a.id is null then g.remaining else a.head_free + a.head_held end as remaining,
        case when a.id is null then g.held else a.head_held end as held
      from private.credit_grants as g
      left join accounts as a on a.id = g.account_id and a.head_grant_id = g.id
      where g.account_id = any (account_ids)
    ), grants as (
      select g.account_id, sum(g.remaining) filter (where g.status <> 'pending') as remaining,
        sum(g.remaining - g.held) filter (where g.status <> 'pending' and g.skus is null) as free,
        sum(g.remaining - g.held) filter (where g.status = 'active' and g.skus is not null) as scoped,
        sum(g.amount) filter (where g.status = 'pending') as pending,
        count(*) filter (where g.status in ('pending', 'active')) as live,
        count(*) filter (where g.status in ('pending', 'active') and g.skus is not null) as live_scoped,
        min(case g.status when 'pending' then g.effective_at else g.expires_at end)
          filter (where g.status in ('pending', 'active')) as due_at
      from all_grants as g
      group by 1
    ), open_holds as materialized (
      select h.* from private.credit_holds as h where h.account_id = any (account_ids)
    ), holds as (
      select h.account_id, sum(h.amount) as amount, count(*) as open, sum(private.held_overdraft(h)) as overdraft,
        min(h.expires_at) as expires_at
      from open_holds as h
      group by 1
    ), held as (
      select p.grant_id, sum(p.amount) as amount
      from open_holds as h
      cross join jsonb_to_recordset(private.hold_portions(h.grant_id, h.amount, h.allocations))
        as p (grant_id uuid, amount numeric)
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
    from all_grants as g left join allocated as l on l.grant_id = g.id
    where case g.status when 'pending' then g.remaining <> g.amount or l.amount is not null
      else g.remaining <> coalesce(l.amount, 0) end
    union all
    select l.account_id, 'grants', format('grant %s', l.grant_id), null, l.amount
    from allocated as l
    where l.grant_id is not null and not exists (
      select 1 from all_grants as g where g.id = l.grant_id and g.account_id = l.account_id)
    union all
    select g.account_id, 'grants', format('held of grant %s', g.id), coalesce(h.amount, 0), g.held
    from all_grants as g left join held as h on h.grant_id = g.id
    where g.held <> coalesce(h.amount, 0)
    union all
    select a.id, 'holds', 'held', coalesce(h.amount, 0), a.held
    from accounts as a left join holds as h on h.account_id = a.id
    where a.held <> coalesce(h.amount, 0)
    union all
    select a.id, 'holds', 'held of the overdraft', coalesce(h.overdraft, 0), a.overdraft_held
    from accounts as a left join holds as h on h.account_id = a.id
    where a.overdraft_held <> coalesce(h.overdraft, 0)
    union all
    select e.account_id, 'holds', format('hold of entry %s', e.entry_no), (e.kind = 'capture')::integer,
      (e.hold_id is not null)::integer
    from entries as e
    where (e.kind = 'capture') <> (e.hold_id is not null) or (e.hold is null) <> (e.hold_id is null)
    union all
    select a.id, 'head', 'free and held without a head', 0, a.head_free + a.head_held
    from accounts as a where a.head_grant_id is null and (a.head_free <> 0 or a.head_held <> 0)
    union all
    select a.id, 'head', format('grant %s', a.head_grant_id), g.amount, a.head_free + a.head_held
    from accounts as a left join all_grants as g on g.id = a.head_grant_id
    where a.head_grant_id is not null
      and (g.status is distinct from 'active' or g.skus is not null or a.head_free + a.head_held > g.amount)
    union all
    select a.id, 'counters', 'open_holds', coalesce(h.open, 0), a.open_holds
    from accounts as a left join holds as h on h.account_id = a.id
    where a.open_holds <> coalesce(h.open, 0)
    union all
    select a.id, 'counters', 'live_grants', coalesce(g.live, 0), a.live_grants
    from accounts as a left join grants as g on g.account_id = a.id
    where a.live_grants <> coalesce(g.live, 0)
    union all
    select a.id, 'counters', 'scoped_grants', coalesce(g.live_scoped, 0), a.scoped_grants
    from accounts as a left join grants as g on g.account_id = a.id
    where a.scoped_grants <> coalesce(g.live_scoped, 0)
    union all
    select a.id, 'head', 'free credits that pay for some skus only, beside a head', 0, g.scoped
    from accounts as a join grants as g on g.account_id = a.id
    where a.head_grant_id is not null and g.scoped > 0
    union all
    -- What a capture of an amount pays for is in its hold.
    select e.account_id, 'scopes', format('entry %s and grant %s', e.entry_no, g.id), null, e.amount
    from all_grants as g
    join entries as e on e.account_id = g.account_id and e.kind in ('deduct', 'capture')
    where g.skus is not null
      and (e.grant_id = g.id or e.allocations @> jsonb_build_array(jsonb_build_object('grant_id', g.id)))
      and not exists (
        select from jsonb_to_recordset(coalesce(e.items, case when e.sku is null then nullif(e.hold -> 'items', 'null') end,
          jsonb_build_array(jsonb_build_object('sku', e.sku)))) as i (sku text)
        where private.pays_for(g.skus, i.sku))
    union all
    select a.id, 'counters', 'pending', coalesce(g.pending, 0), a.pending
    from accounts as a left join grants as g on g.account_id = a.id
    where a.pending <> coalesce(g.pending, 0)
    union all
    select coalesce(r.account_id, t.account_id), 'refunds',
      format('refunds of entry %s', coalesce(r.entry_no, t.refund_of)), coalesce(r.refunded, 0), coalesce(t.amount, 0)
    from (select x.* from private.credit_refunds as x where x.account_id = any (account_ids)) as r
    full join (
      select x.account_id, x.refund_of, sum(x.amount) as amount from entries as x
      where x.refund_of is not null group by 1, 2
    ) as t on t.account_id = r.account_id and t.refund_of = r.entry_no
    where r.refunded is distinct from t.amount
    union all
    select r.account_id, 'refunds', format('charge of entry %s', r.entry_no), -t.amount, r.charged
    from private.credit_refunds as r
    join entries as t on t.account_id = r.account_id and t.entry_no = r.entry_no
    where r.account_id = any (account_ids)
      and (r.charged <> -t.amount or t.kind not in ('deduct', 'capture'))
    union all
    select r.account_id, 'refunds', format('charge of entry %s is less than its refunds', r.entry_no), r.charged, r.refunded
    from private.credit_refunds as r
    where r.account_id = any (account_ids) and r.refunded > r.charged
    union all
    -- An account that was deleted took its entries along.
    select e.account_id, 'transfers', format('entry %s', e.entry_no), -e.amount, t.amount
    from entries as e
    join public.credit_accounts as c on c.id = (e.counterpart ->> 'account_id')::uuid
    left join private.credit_transactions as t
      on t.account_id = c.id and t.entry_no = (e.counterpart ->> 'entry_no')::bigint
      and t.counterpart = jsonb_build_object('account_id', e.account_id, 'entry_no', e.entry_no)
    where t.amount is distinct from -e.amount
    union all
    select e.account_id, 'transfers', format('unit of entry %s', e.entry_no), null, e.amount
    from entries as e
    join accounts as a on a.id = e.account_id
    join public.credit_accounts as c on c.id = (e.counterpart ->> 'account_id')::uuid
    where c.unit <> a.unit
    union all
    select a.id, 'due', 'next_due_at', extract(epoch from d.at), extract(epoch from a.next_due_at)
    from accounts as a
    left join holds as h on h.account_id = a.id
    left join grants as g on g.account_id = a.id
    cross join lateral (select least(h.expires_at, g.due_at) as at) as d
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
