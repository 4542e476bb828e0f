-- Credit settlement: grants begin and end, and holds expire, as time passes. The next function that locks the account
-- posts the entries for this before it does anything else, or the cleanup does; they are dated when they came due.
-- Until then, the views show the account as if they had been posted.

-- Settling ------------------------------------------------------------------------------------------

-- Posts what has come due on an account up to a time, in order, and returns the account. A grant counts from
-- effective_at until just before expires_at, a hold until just before expires_at. The caller holds the lock of the
-- account.
create function private.settle_credit_account(account_id uuid, at timestamptz)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_due record;
  v_grant public.credit_grants;
  v_hold public.credit_holds;
  v_account public.credit_accounts;
begin
  for v_due in
    select g.expires_at as at, 1 as rank, g.id from public.credit_grants as g
    where g.account_id = settle_credit_account.account_id and g.status in ('pending', 'active')
      and g.expires_at <= settle_credit_account.at
    union all
    select h.expires_at, 2, h.id from public.credit_holds as h
    where h.account_id = settle_credit_account.account_id and h.status = 'held'
      and h.expires_at <= settle_credit_account.at
    union all
    select g.effective_at, 3, g.id from public.credit_grants as g
    where g.account_id = settle_credit_account.account_id and g.status = 'pending'
      and g.effective_at <= settle_credit_account.at
    order by at, rank, id
  loop
    case v_due.rank
      when 1 then
        select g.* into v_grant from public.credit_grants as g where g.id = v_due.id;
        perform private.end_credit_grant(v_grant, 'expired', v_due.at);
      when 2 then
        select h.* into v_hold from public.credit_holds as h where h.id = v_due.id;
        perform private.end_credit_hold(v_hold, 'expired', v_due.at);
      when 3 then
        select g.* into v_grant from public.credit_grants as g where g.id = v_due.id;
        perform private.activate_credit_grant(v_grant, v_due.at, 'system');
    end case;
  end loop;

  update public.credit_accounts as a
  set next_due_at = least(
    (select min(h.expires_at) from public.credit_holds as h where h.account_id = a.id and h.status = 'held'),
    (select min(case g.status when 'pending' then g.effective_at else g.expires_at end)
      from public.credit_grants as g where g.account_id = a.id and g.status in ('pending', 'active')))
  where a.id = settle_credit_account.account_id
  returning a.* into v_account;
  return v_account;
end $$;
revoke all on function private.settle_credit_account(uuid, timestamptz)
  from public, anon, authenticated, service_role;

-- Reading -------------------------------------------------------------------------------------------

-- Returns by how much balance and held of an account change through what has come due and is not posted yet: the sums
-- of what settle_credit_account would post.
-- Definer: a member of a team may see its balance, but not the grants behind it. The views below call it for the
-- accounts that the caller may see.
create function private.due_credits(account public.credit_accounts, at timestamptz, out balance numeric, out held numeric)
language plpgsql stable security definer set search_path = ''
as $$
begin
  balance := 0;
  held := 0;
  if account.next_due_at is null or account.next_due_at > at then
    return;
  end if;
  with due_holds as (
    select h.* from public.credit_holds as h
    where h.account_id = account.id and h.status = 'held' and h.expires_at <= due_credits.at
  ), due_grants as (
    select g.* from public.credit_grants as g
    where g.account_id = account.id and g.status = 'pending' and g.effective_at <= due_credits.at
  ), arrivals as (
    select h.expires_at as at, 2 as rank, h.id, g.id as grant_id, p.amount,
      g.priority, g.expires_at, g.created_at,
      g.status in ('expired', 'voided') or coalesce(g.expires_at <= h.expires_at, false) as ended
    from due_holds as h
    cross join jsonb_to_recordset(h.allocations) as p (grant_id uuid, amount numeric)
    join public.credit_grants as g on g.id = p.grant_id
    union all
    select g.effective_at, 3, g.id, g.id, g.amount, g.priority, g.expires_at, g.created_at, false from due_grants as g
  ), flows as (
    -- Credits that become free pay an overdraft first, in the order in which they become free.
    select a.*, case when a.ended then 0 else least(a.amount, greatest(0, account.overdraft_used - (
        sum(a.amount) filter (where not a.ended)
          over (order by a.at, a.rank, a.id, a.priority, a.expires_at, a.created_at, a.grant_id) - a.amount))) end as repaid
    from arrivals as a
  )
  select
    coalesce((select sum(g.amount) from due_grants as g), 0)
    - coalesce((select sum(f.amount - f.repaid) from flows as f where f.ended or f.expires_at <= due_credits.at), 0)
    - coalesce((select sum(g.remaining - g.held) from public.credit_grants as g
        where g.account_id = account.id and g.status = 'active' and g.expires_at <= due_credits.at), 0),
    -coalesce((select sum(h.amount) from due_holds as h), 0)
  into balance, held;
end $$;
revoke all on function private.due_credits(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function private.due_credits(public.credit_accounts, timestamptz) to authenticated, service_role;

create view public.user_credits with (security_invoker = true) as
  select a.user_id,
    (a.balance + d.balance)::numeric(15, 4) as balance,
    (a.held + d.held)::numeric(15, 4) as held,
    a.balance + d.balance - a.held - d.held + a.overdraft_limit as available,
    a.updated_at,
    a.id as account_id, a.overdraft_limit
  from public.credit_accounts as a
  cross join lateral private.due_credits(a, statement_timestamp()) as d
  where a.user_id is not null;
comment on view public.user_credits is 'The caller''s own credits; available is what can be spent now';
revoke all on public.user_credits from public, anon, authenticated, service_role;
grant select on public.user_credits to authenticated, service_role;

create view public.team_credits with (security_invoker = true) as
  select a.team_id,
    (a.balance + d.balance)::numeric(15, 4) as balance,
    (a.held + d.held)::numeric(15, 4) as held,
    a.balance + d.balance - a.held - d.held + a.overdraft_limit as available,
    a.updated_at,
    a.id as account_id, a.overdraft_limit
  from public.credit_accounts as a
  cross join lateral private.due_credits(a, statement_timestamp()) as d
  where a.team_id is not null;
comment on view public.team_credits is 'The credits of the caller''s teams; available is what can be spent now';
revoke all on public.team_credits from public, anon, authenticated, service_role;
grant select on public.team_credits to authenticated, service_role;

create view public.team_member_credits with (security_invoker = true) as
  select l.team_id, l.user_id, l.credit_limit, l.period, s.spent, l.credit_limit - s.spent as available
  from public.credit_member_limits as l
  cross join lateral (
    select case when l.period_start < private.credit_period_start(l.period, statement_timestamp()) then 0
      else greatest(0, l.spent - coalesce((
        select sum(h.amount) from public.credit_accounts as a join public.credit_holds as h on h.account_id = a.id
        where a.team_id = l.team_id and h.actor_id = l.user_id and h.status = 'held'
          and h.expires_at <= statement_timestamp() and h.created_at >= l.period_start), 0))
      end as spent
  ) as s;
comment on view public.team_member_credits is
  'What each member has spent from the account of their team in the present period, and may still spend: available, null without a limit';
revoke all on public.team_member_credits from public, anon, authenticated, service_role;
grant select on public.team_member_credits to authenticated, service_role;

create function public.credits(profiles)
returns numeric
language sql stable set search_path = ''
as $$
  select coalesce((select c.balance from public.user_credits as c where c.user_id = $1.id), 0)
$$;
comment on function public.credits(profiles) is 'Computed field: the user''s balance. select(''*, credits'')';
revoke all on function public.credits(profiles) from public, anon, authenticated, service_role;
grant execute on function public.credits(profiles) to authenticated, service_role;
