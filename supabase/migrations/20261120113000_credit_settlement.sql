-- Credit settlement: grants begin and end, and holds expire, as time passes. The next function that locks the account
-- posts the entries for this before it does anything else, or the cleanup does; they are dated when they came due.
-- Until then, the views show the account as if they had been posted.

-- Settling ------------------------------------------------------------------------------------------

-- The most that one call settles of an account: what a caller waits for stays bounded. The cleanup goes on with the rest.
create function private.settlement_portion()
returns integer
language sql immutable set search_path = ''
as $$ select 1000 $$;
revoke all on function private.settlement_portion() from public, anon, authenticated, service_role;

-- Expires the holds of an account that are due, when all of them are of its head, and returns the account, which the
-- caller writes: the most common thing that comes due, in the fewest statements. Returns null, and changes nothing, in any
-- other case.
create function private.expire_head_holds(account public.credit_accounts, at timestamptz)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_next_at timestamptz;
  v_ended record;
begin
  if account.head_grant_id is null or account.overdraft_used > 0 or account.debt > 0 or account.team_id is not null
    or account.open_holds = 0 or account.open_holds > private.settlement_portion() then
    return null;
  end if;
  v_next_at := least(
    (select min(g.expires_at) from private.credit_grants as g
      where g.account_id = account.id and g.status in ('pending', 'active')),
    (select min(g.effective_at) from private.credit_grants as g
      where g.account_id = account.id and g.status = 'pending'));
  if v_next_at <= at then
    return null;
  end if;
  if exists (select from private.credit_holds as h
    where h.account_id = account.id and h.expires_at <= expire_head_holds.at
      and h.grant_id is distinct from account.head_grant_id) then
    return null;
  end if;
  with ended as (
    delete from private.credit_holds as h
    where h.account_id = account.id and h.expires_at <= expire_head_holds.at
    returning h.*
  ), kept as (
    insert into private.ended_credit_holds select e.*, 'expired', e.expires_at from ended as e
    returning amount, expires_at
  )
  select count(*) as holds, coalesce(sum(k.amount), 0) as amount, max(k.expires_at) as expires_at into v_ended
  from kept as k;
  account.held := account.held - v_ended.amount;
  account.head_held := account.head_held - v_ended.amount;
  account.head_free := account.head_free + v_ended.amount;
  account.open_holds := account.open_holds - v_ended.holds;
  account.updated_at := greatest(account.updated_at, v_ended.expires_at);
  account.next_due_at := v_next_at;
  if account.open_holds > 0 then
    account.next_due_at := least(v_next_at,
      (select min(h.expires_at) from private.credit_holds as h where h.account_id = account.id));
  end if;
  return account;
end $$;
revoke all on function private.expire_head_holds(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Expires a portion of the holds of an account that are due, together, and returns the account. For an account on which
-- nothing but holds has come due, and whose overdraft is not in use: then their order does not matter.
create function private.expire_credit_holds(account public.credit_accounts, at timestamptz)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_ended record;
  v_portion record;
begin
  with due as (
    select h.id from private.credit_holds as h
    where h.account_id = account.id and h.expires_at <= expire_credit_holds.at
    order by h.expires_at
    limit private.settlement_portion()
  ), ended as (
    delete from private.credit_holds as h using due as d where h.id = d.id
    returning h.*
  ), kept as (
    insert into private.ended_credit_holds select e.*, 'expired', e.expires_at from ended as e
  )
  select count(*) as holds, sum(e.amount) as amount, max(e.expires_at) as expires_at,
    coalesce(sum(e.amount) filter (where e.grant_id = account.head_grant_id), 0) as of_head,
    coalesce(sum(private.held_overdraft(e)) filter (where e.grant_id is null), 0) as of_overdraft,
    jsonb_agg(jsonb_build_object('at', e.expires_at,
      'portions', private.hold_portions(e.grant_id, e.amount, e.allocations)) order by e.expires_at, e.id)
      filter (where (e.grant_id = account.head_grant_id) is not true) as others,
    array_agg(e.actor_id) filter (where e.actor_id is not null) as actor_ids,
    array_agg(e.amount) filter (where e.actor_id is not null) as amounts,
    array_agg(e.created_at) filter (where e.actor_id is not null) as created_at
  into v_ended
  from ended as e;
  account.held := account.held - v_ended.amount;
  account.overdraft_held := account.overdraft_held - v_ended.of_overdraft;
  account.open_holds := account.open_holds - v_ended.holds;
  account.head_held := account.head_held - v_ended.of_head;
  account.head_free := account.head_free + v_ended.of_head;
  if account.team_id is not null and account.unit = 'credits' then
    update public.credit_member_limits as l
    set spent = greatest(0, l.spent - e.amount)
    from (
      select m.user_id, sum(x.amount) as amount
      from unnest(v_ended.actor_ids, v_ended.amounts, v_ended.created_at) as x (user_id, amount, created_at)
      join public.credit_member_limits as m
        on m.team_id = account.team_id and m.user_id = x.user_id and x.created_at >= m.period_start
      group by m.user_id
    ) as e
    where l.team_id = account.team_id and l.user_id = e.user_id;
  elsif account.team_id is not null then
    update public.credit_unit_limits as l
    set spent = greatest(0, l.spent - e.amount)
    from (
      select m.user_id, sum(x.amount) as amount
      from unnest(v_ended.actor_ids, v_ended.amounts, v_ended.created_at) as x (user_id, amount, created_at)
      join public.credit_unit_limits as m on m.team_id = account.team_id and m.user_id = x.user_id
        and m.unit = account.unit and x.created_at >= m.period_start
      group by m.user_id
    ) as e
    where l.team_id = account.team_id and l.user_id = e.user_id and l.unit = account.unit;
  end if;
  if v_ended.others is null then
    account.updated_at := greatest(v_ended.expires_at, account.updated_at);
    return account;
  end if;

  account := private.put_back_credit_head(account);
  update private.credit_grants as g
  set held = g.held - o.amount,
    remaining = g.remaining - case when g.status in ('expired', 'voided') then o.amount else 0 end
  from (
    select p.grant_id, sum(p.amount) as amount
    from jsonb_to_recordset(v_ended.others) as e (portions jsonb)
    cross join jsonb_to_recordset(e.portions) as p (grant_id uuid, amount numeric)
    group by p.grant_id
  ) as o
  where g.id = o.grant_id;
  for v_portion in
    select g as credit_grant, e.at, p.amount
    from rows from (jsonb_to_recordset(v_ended.others) as (at timestamptz, portions jsonb)) with ordinality
      as e (at, portions, place)
    cross join jsonb_to_recordset(e.portions) as p (grant_id uuid, amount numeric)
    join private.credit_grants as g on g.id = p.grant_id and g.status in ('expired', 'voided')
    order by e.place, g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id
  loop
    account := private.lapse_credits(account, v_portion.credit_grant, v_portion.amount, v_portion.at);
  end loop;
  account.updated_at := greatest(v_ended.expires_at, account.updated_at);
  return account;
end $$;
revoke all on function private.expire_credit_holds(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Posts what has come due on an account up to a time, in order, and returns the account: all of it, or a portion when
-- there is more. A grant counts from effective_at until just before expires_at, a hold until just before expires_at. The
-- caller holds the lock of the account, and writes it if save is false.
create function private.settle_credit_account(
  account public.credit_accounts, at timestamptz, save boolean default true
)
returns public.credit_accounts
language plpgsql volatile set search_path = ''
as $$
declare
  v_due record;
  v_settled public.credit_accounts := private.expire_head_holds(account, at);
  v_grant private.credit_grants;
  v_hold private.credit_holds;
begin
  if v_settled.id is not null then
    if save then
      return private.save_credit_account(v_settled);
    end if;
    return v_settled;
  end if;
  if account.overdraft_used = 0 and account.debt = 0 and account.open_holds > 0
    and not exists (select from private.credit_grants as g
      where g.account_id = account.id and g.status in ('pending', 'active') and g.expires_at <= settle_credit_account.at)
    and not exists (select from private.credit_grants as g
      where g.account_id = account.id and g.status = 'pending' and g.effective_at <= settle_credit_account.at) then
    if exists (select from private.credit_holds as h
      where h.account_id = account.id and h.expires_at <= settle_credit_account.at) then
      account := private.expire_credit_holds(account, at);
    end if;
  else
    account := private.put_back_credit_head(account);
    for v_due in
      (select g.expires_at as at, 1 as rank, g.id from private.credit_grants as g
        where g.account_id = account.id and g.status in ('pending', 'active')
          and g.expires_at <= settle_credit_account.at
        order by g.expires_at limit private.settlement_portion())
      union all
      (select h.expires_at, 2, h.id from private.credit_holds as h
        where h.account_id = account.id and h.expires_at <= settle_credit_account.at
        order by h.expires_at limit private.settlement_portion())
      union all
      (select g.effective_at, 3, g.id from private.credit_grants as g
        where g.account_id = account.id and g.status = 'pending' and g.effective_at <= settle_credit_account.at
        order by g.effective_at limit private.settlement_portion())
      order by at, rank, id
      limit private.settlement_portion()
    loop
      case v_due.rank
        when 1 then
          select g.* into v_grant from private.credit_grants as g where g.id = v_due.id;
          account := private.end_credit_grant(account, v_grant, 'expired', v_due.at);
        when 2 then
          select h.* into v_hold from private.credit_holds as h where h.id = v_due.id;
          account := private.end_credit_hold(account, v_hold, 'expired', v_due.at);
        when 3 then
          select g.* into v_grant from private.credit_grants as g where g.id = v_due.id;
          account := private.activate_credit_grant(account, v_grant, v_due.at, 'system');
      end case;
    end loop;
  end if;

  account.next_due_at := least(
    (select min(h.expires_at) from private.credit_holds as h where h.account_id = account.id),
    (select min(g.expires_at) from private.credit_grants as g
      where g.account_id = account.id and g.status in ('pending', 'active')),
    (select min(g.effective_at) from private.credit_grants as g
      where g.account_id = account.id and g.status = 'pending'));
  return private.save_credit_account(private.take_credit_head(account));
end $$;
revoke all on function private.settle_credit_account(public.credit_accounts, timestamptz, boolean)
  from public, anon, authenticated, service_role;

-- Reading -------------------------------------------------------------------------------------------

-- Returns what becomes free of the grants of an account by what has come due at a time and is not posted yet, as
-- settle_credit_account would post it: amount, from a hold that expires or a grant that begins, and how much of it pays an
-- overdraft. What a hold gives back to a grant that has ended lapses.
create function private.due_arrivals(account public.credit_accounts, at timestamptz)
returns table (grant_id uuid, amount numeric, repaid numeric, ended boolean, expires_at timestamptz)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    with arrivals as (
      select h.expires_at as at, 2 as rank, h.id, g.id as grant_id, p.amount,
        g.priority, g.expires_at, g.category, g.effective_at, g.created_at,
        g.status in ('expired', 'voided') or coalesce(g.expires_at <= h.expires_at, false) as ended, g.skus
      from private.credit_holds as h
      cross join jsonb_to_recordset(private.hold_portions(h.grant_id, h.amount, h.allocations)) as p (grant_id uuid, amount numeric)
      join private.credit_grants as g on g.id = p.grant_id
      where h.account_id = account.id and h.expires_at <= due_arrivals.at
      union all
      select g.effective_at, 3, g.id, g.id, g.amount, g.priority, g.expires_at, g.category, g.effective_at, g.created_at,
        false, g.skus
      from private.credit_grants as g
      where g.account_id = account.id and g.status = 'pending' and g.effective_at <= due_arrivals.at
    )
    -- Credits that become free pay an overdraft first, unless their grant is limited to some skus, in the order in which
    -- they become free.
    select a.grant_id, a.amount, case when a.ended or a.skus is not null then 0 else least(a.amount,
        greatest(0, account.overdraft_used - (
          sum(a.amount) filter (where not a.ended and a.skus is null)
            over (order by a.at, a.rank, a.id, a.priority, a.expires_at, a.category desc, a.effective_at, a.created_at,
              a.grant_id) - a.amount))) end,
      a.ended, a.expires_at
    from arrivals as a;
end $$;
revoke all on function private.due_arrivals(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Returns what is free of each grant of an account at a time, in spending order, as if what has come due by then had been
-- posted.
create function private.free_grants_at(account public.credit_accounts, at timestamptz)
returns table (grant_id uuid, skus text[], free numeric)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select g.id, g.skus, coalesce(d.amount, 0) + case when g.id = account.head_grant_id then account.head_free
      when g.status = 'active' then g.remaining - g.held else 0 end
    from private.credit_grants as g
    left join (
      select x.grant_id, sum(x.amount - x.repaid) as amount from private.due_arrivals(account, free_grants_at.at) as x
      group by x.grant_id
    ) as d on d.grant_id = g.id
    where g.account_id = account.id
      and (g.status = 'active' or g.status = 'pending' and g.effective_at <= free_grants_at.at)
      and (g.expires_at is null or g.expires_at > free_grants_at.at)
    order by g.priority, g.expires_at, g.category desc, g.effective_at, g.created_at, g.id;
end $$;
revoke all on function private.free_grants_at(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Returns the free credits of an account's grants that pay for some skus only, at a time.
create function private.scoped_credits_at(account public.credit_accounts, at timestamptz)
returns numeric
language plpgsql stable set search_path = ''
as $$
begin
  if account.scoped_grants = 0 then
    return 0;
  elsif account.next_due_at is null or account.next_due_at > at then
    return private.scoped_credits(account);
  end if;
  return coalesce((select sum(f.free) from private.free_grants_at(account, at) as f where f.skus is not null), 0);
end $$;
revoke all on function private.scoped_credits_at(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;

-- Returns by how much balance and held of an account change through what has come due and is not posted yet: the sums
-- of what settle_credit_account would post. And what is then free of grants that pay for some skus only.
-- Definer: a member of a team may see its balance, but not the grants behind it. The views below call it for the
-- accounts that the caller may see.
create function private.due_credits(account public.credit_accounts, at timestamptz, out balance numeric, out held numeric, out scoped numeric)
language plpgsql stable security definer set search_path = ''
as $$
begin
  balance := 0;
  held := 0;
  scoped := private.scoped_credits_at(account, at);
  if account.next_due_at is null or account.next_due_at > at then
    return;
  end if;
  balance := coalesce((
      select sum(case when d.ended or d.expires_at <= due_credits.at then d.repaid - d.amount else 0 end)
      from private.due_arrivals(account, due_credits.at) as d), 0)
    + coalesce((select sum(g.amount) from private.credit_grants as g
        where g.account_id = account.id and g.status = 'pending' and g.effective_at <= due_credits.at), 0)
    - coalesce((select sum(case g.id when account.head_grant_id then account.head_free else g.remaining - g.held end)
        from private.credit_grants as g
        where g.account_id = account.id and g.status = 'active' and g.expires_at <= due_credits.at), 0);
  held := -coalesce((select sum(h.amount) from private.credit_holds as h
    where h.account_id = account.id and h.expires_at <= due_credits.at), 0);
end $$;
revoke all on function private.due_credits(public.credit_accounts, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function private.due_credits(public.credit_accounts, timestamptz) to authenticated, service_role;

create view public.credit_balances with (security_invoker = true) as
  select a.user_id, a.team_id, a.unit,
    (a.balance + d.balance)::numeric(15, 4) as balance,
    (a.held + d.held)::numeric(15, 4) as held,
    a.balance + d.balance - a.held - d.held + a.overdraft_limit - d.scoped as available,
    a.updated_at,
    a.id as account_id, a.overdraft_limit, d.scoped
  from public.credit_accounts as a
  cross join lateral private.due_credits(a, statement_timestamp()) as d;
comment on view public.credit_balances is
  'What the caller and their teams have, in every unit in which they have ever had something; available is what can be spent on anything now, scoped what grants have that pay for some skus only';
revoke all on public.credit_balances from public, anon, authenticated, service_role;
grant select on public.credit_balances to authenticated, service_role;

create view public.user_credits with (security_invoker = true) as
  select b.user_id, b.balance, b.held, b.available, b.updated_at, b.account_id, b.overdraft_limit, b.scoped
  from public.credit_balances as b
  where b.user_id is not null and b.unit = 'credits';
comment on view public.user_credits is 'The caller''s own credits; available is what can be spent on anything now, scoped what grants have that pay for some skus only';
revoke all on public.user_credits from public, anon, authenticated, service_role;
grant select on public.user_credits to authenticated, service_role;

create view public.team_credits with (security_invoker = true) as
  select b.team_id, b.balance, b.held, b.available, b.updated_at, b.account_id, b.overdraft_limit, b.scoped
  from public.credit_balances as b
  where b.team_id is not null and b.unit = 'credits';
comment on view public.team_credits is 'The credits of the caller''s teams; available is what can be spent on anything now, scoped what grants have that pay for some skus only';
revoke all on public.team_credits from public, anon, authenticated, service_role;
grant select on public.team_credits to authenticated, service_role;

create view public.team_member_balances with (security_invoker = true) as
  select l.team_id, l.user_id, l.unit, l.credit_limit, l.period, s.spent, l.credit_limit - s.spent as available
  from (
    select c.team_id, c.user_id, 'credits' as unit, c.credit_limit, c.period, c.spent, c.period_start
    from public.credit_member_limits as c
    union all
    select u.team_id, u.user_id, u.unit, u.credit_limit, u.period, u.spent, u.period_start
    from public.credit_unit_limits as u
  ) as l
  cross join lateral (
    select case when l.period_start < private.credit_period_start(l.period, statement_timestamp()) then 0
      else greatest(0, l.spent - coalesce((
        select sum(h.amount) from public.credit_accounts as a join private.credit_holds as h on h.account_id = a.id
        where a.team_id = l.team_id and a.unit = l.unit and h.actor_id = l.user_id
          and h.expires_at <= statement_timestamp() and h.created_at >= l.period_start), 0))
      end as spent
  ) as s;
comment on view public.team_member_balances is
  'What each member has spent from the accounts of their team in the present period, in every unit in which they have spent or have a limit; available is what they may still spend, null without a limit';
revoke all on public.team_member_balances from public, anon, authenticated, service_role;
grant select on public.team_member_balances to authenticated, service_role;

create view public.team_member_credits with (security_invoker = true) as
  select m.team_id, m.user_id, m.credit_limit, m.period, m.spent, m.available
  from public.team_member_balances as m
  where m.unit = 'credits';
comment on view public.team_member_credits is
  'What each member has spent from the account of their team in the present period; available is what they may still spend, null without a limit';
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
