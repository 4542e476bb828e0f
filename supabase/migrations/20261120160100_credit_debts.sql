-- Credit debts: taking credits back for a payment that was refunded or disputed. What was spent of them already is taken
-- from the account's other credits, and what these do not cover is a debt: an overdraft that no limit allowed, which the
-- next credits pay before anything else. Nothing can be spent on it. Old code sees a balance below zero, as with an
-- overdraft.

alter table public.credit_accounts
  add column debt numeric(15, 4) not null default 0,
  add constraint credit_accounts_debt_check check (debt >= 0);
comment on column public.credit_accounts.debt is
  'How far beyond overdraft_limit the account may be: what was taken back and not covered. Shrinks as it is paid';

alter table public.credit_accounts
  drop constraint credit_accounts_covered_check,
  drop constraint credit_accounts_overdraft_check;
alter table public.credit_accounts
  add constraint credit_accounts_covered_check check (balance - held >= -overdraft_limit - debt),
  add constraint credit_accounts_overdraft_check check (
    overdraft_used >= 0 and overdraft_held >= 0 and overdraft_used + overdraft_held <= overdraft_limit + debt);

-- Pays an overdraft with what grants have free, as soon as there is something: whoever is overdrawn has nothing free.
create or replace function private.repay_credit_overdraft(account_id uuid, at timestamptz)
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

create table private.credit_reversals (
  account_id uuid not null,
  entry_no bigint not null,
  primary key (account_id, entry_no),
  constraint credit_reversals_entry_fkey foreign key (account_id, entry_no)
    references public.credit_transactions (account_id, entry_no) on delete cascade
);
comment on table private.credit_reversals is
  'Which entries of kind void took credits back for a payment, and did not end a grant';
revoke all on private.credit_reversals from public, anon, authenticated, service_role;

-- Takes back amount of what some grants of an account gave: what is free of them; what has ended of them unused, which
-- counts as given back already (lapsed); and the rest from the account's other credits, in the order of spending, and
-- beyond them as a debt. Posts one entry, if anything is taken. lapsed_before is what earlier calls for the same grants
-- have counted as given back.
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
  v_entry public.credit_transactions;
  v_grant record;
  v_part numeric;
  v_left numeric;
  v_drawn record;
begin
  select greatest(0, coalesce(sum(-p.amount), 0) - lapsed_before) into lapsed
  from public.credit_transactions as t
  cross join jsonb_to_recordset(t.allocations) as p (grant_id uuid, amount numeric)
  where t.account_id = v_account.id and t.kind in ('expire', 'void') and p.grant_id = any (grant_ids)
    and not exists (
      select 1 from private.credit_reversals as r where r.account_id = t.account_id and r.entry_no = t.entry_no);
  lapsed := least(lapsed, take_back_credits.amount);
  v_left := take_back_credits.amount - lapsed;
  if v_left = 0 then
    return;
  end if;

  v_entry.amount := -v_left;
  v_entry.allocations := '[]';
  for v_grant in
    select g.id, g.remaining - g.held as free from public.credit_grants as g
    where g.id = any (grant_ids) and g.spendable
    order by g.expires_at, g.created_at, g.id
  loop
    v_part := least(v_grant.free, v_left);
    continue when v_part = 0;
    v_left := v_left - v_part;
    update public.credit_grants as g set remaining = g.remaining - v_part where g.id = v_grant.id;
    v_entry.allocations := v_entry.allocations || private.credit_allocation(v_grant.id, -v_part);
  end loop;
  if v_left > 0 then
    v_drawn := private.draw_credits(v_account.id, v_left, false);
    v_left := v_drawn.uncovered;
    v_entry.allocations := v_entry.allocations || v_drawn.allocations;
  end if;
  if v_left > 0 then
    v_entry.allocations := v_entry.allocations || private.credit_allocation(null, -v_left);
    update public.credit_accounts as a
    set debt = greatest(a.debt, a.overdraft_used + a.overdraft_held + v_left - a.overdraft_limit)
    where a.id = v_account.id;
  end if;
  v_entry.account_id := v_account.id;
  v_entry.kind := 'void';
  v_entry.description := take_back_credits.description;
  v_entry.actor := 'service';
  v_entry := private.post_credit_entry(v_entry, overdraft_used => v_left);
  entry_no := v_entry.entry_no;
  insert into private.credit_reversals values (v_entry.account_id, v_entry.entry_no);
end $$;
revoke all on function private.take_back_credits(uuid, uuid[], numeric, text, numeric)
  from public, anon, authenticated, service_role;
