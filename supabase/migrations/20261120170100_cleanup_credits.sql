-- Cleanups of credits: what time does to accounts that nobody touches, and whether the books agree. The rules are those of
-- the domain. The reconciliation is restated so that a part of the accounts reads their own entries only: as a function in
-- SQL with an optional argument it was planned once for all, and read every entry for each account.

insert into private.cleanup_jobs (name, description, schedule, batch_size) values
  ('credit_settlement', 'Grants that begin or end and holds that expire, on accounts that nobody touches; arms alerts again',
    '*/5 * * * *', 100),
  ('credit_reconciliation', 'Compares the books of all accounts, and reports what does not agree', '41 3 * * *', 200);

-- credit_settlement ---------------------------------------------------------------------------------

create function private.cleanup_credit_settlement(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_now timestamptz := clock_timestamp();
begin
  if dry_run then
    select count(*) into v_result.rows from public.credit_accounts as a where a.next_due_at <= v_now;
    return v_result;
  end if;
  v_result.rows := public.settle_due_credits(job.batch_size);
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_credit_settlement(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- credit_reconciliation -----------------------------------------------------------------------------

-- What does not agree in the books of some accounts: see credit_reconciliation.
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

-- What does not agree in the books of all accounts, or of one: an account's balance, entries, grants, holds or numbering.
-- No rows on a healthy database. Of all accounts it reads every entry: the job of this name does so in parts.
-- Definer: it reads tables that are not even the service's to read.
create or replace function public.credit_reconciliation(only_account_id uuid default null)
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

-- A pass over all accounts in the order of their ids. rows are accounts looked at: what is found is in the report.
create function private.cleanup_credit_reconciliation(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_after uuid := coalesce(job.next_after ->> 'account_id', '00000000-0000-0000-0000-000000000000')::uuid;
  v_ids uuid[];
begin
  if dry_run then
    select count(*) into v_result.rows from public.credit_accounts as a where a.id > v_after;
    return v_result;
  end if;
  v_ids := array(
    select a.id from public.credit_accounts as a where a.id > v_after order by a.id limit job.batch_size);
  v_result.rows := cardinality(v_ids);
  v_result.more := v_result.rows = job.batch_size;
  if v_result.more then
    v_result.next_after := jsonb_build_object('account_id', v_ids[v_result.rows]);
  end if;
  v_result.report := (
    select jsonb_agg(to_jsonb(p)) from (select r.* from private.reconcile_credit_accounts(v_ids) as r limit 20) as p);
  return v_result;
end $$;
revoke all on function private.cleanup_credit_reconciliation(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;
