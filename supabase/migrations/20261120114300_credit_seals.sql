-- Credit seals: whoever owns the database can change the books, but not without a trace. A job seals the entries of each
-- account after they were posted, so that no charge pays for it: the seal of an entry is the SHA-256 of the seal before it
-- and of the entry. A head that was kept elsewhere then shows whether anything up to it has been changed since.

create table private.credit_seals (
  account_id uuid not null,
  entry_no bigint not null,
  seal bytea not null,
  sealed_at timestamptz not null default now(),
  primary key (account_id, entry_no)
);
comment on table private.credit_seals is
  'The seal of each entry that the job credit_seals has reached. Written once; private.delete_credit_history deletes them with the account';

alter table private.credit_seals enable row level security;
revoke all on private.credit_seals from public, anon, authenticated, service_role;
grant select on private.credit_seals to authenticated, service_role;
create policy "owners read the seals of their accounts" on private.credit_seals
  for select to authenticated using (account_id = any (array(select private.my_credit_account_ids())));

create view public.credit_ledger_heads with (security_invoker = true) as
  select a.id as account_id, a.user_id, a.team_id, h.entry_no, h.seal, h.sealed_at, a.unit
  from public.credit_accounts as a
  cross join lateral (
    select s.entry_no, encode(s.seal, 'hex') as seal, s.sealed_at from private.credit_seals as s
    where s.account_id = a.id order by s.entry_no desc limit 1) as h;
comment on view public.credit_ledger_heads is
  'The newest seal of each account. Keep it elsewhere: verify_credit_ledger says whether the entries up to it are still what they were';
comment on column public.credit_ledger_heads.entry_no is 'The last entry that is sealed';
comment on column public.credit_ledger_heads.seal is 'SHA-256 in hexadecimal digits';
revoke all on public.credit_ledger_heads from public, anon, authenticated, service_role;
grant select on public.credit_ledger_heads to authenticated, service_role;

-- Sealing -------------------------------------------------------------------------------------------

-- Returns the seal that comes before an account's first entry: it says what the entries count, so that nobody turns images
-- into credits unseen.
create function private.first_seal(account_id uuid)
returns bytea
language plpgsql stable set search_path = ''
as $$
begin
  return sha256(convert_to(concat_ws(' ', account_id, (
    select a.unit from public.credit_accounts as a where a.id = first_seal.account_id)), 'UTF8'));
end $$;
revoke all on function private.first_seal(uuid) from public, anon, authenticated, service_role;

-- Returns the seal of an entry: SHA-256 of the seal before it and of the entry, a line for each column that is not null, so
-- that a column that is added later changes no seal. A text has its length before it, so that nothing in it can pass for
-- another line. Times are seconds since 1970, whatever the session's time zone. Instead of actor_id there is its hash,
-- which stays when the id of a deleted user is removed.
-- Lines and not JSON, which takes three times as long; the job seals every entry there is.
create function private.next_seal(previous bytea, entry private.credit_transactions)
returns bytea
language plpgsql immutable set search_path = ''
as $$
begin
  return sha256(previous || convert_to(concat(
    'account_id ' || entry.account_id || E'\n',
    'entry_no ' || entry.entry_no || E'\n',
    'created_at ' || extract(epoch from entry.created_at) || E'\n',
    'grant_id ' || entry.grant_id || E'\n',
    'actor_hash ' || case when entry.actor_id is null then encode(entry.actor_hash, 'hex')
      else concat(encode(sha256(convert_to(entry.actor_id::text, 'UTF8')), 'hex'), encode(entry.actor_hash, 'hex')) end || E'\n',
    'id ' || entry.id || E'\n',
    'hold_id ' || entry.hold_id || E'\n',
    'refund_of ' || entry.refund_of || E'\n',
    'kind ' || char_length(entry.kind) || ' ' || entry.kind || E'\n',
    'actor ' || char_length(entry.actor) || ' ' || entry.actor || E'\n',
    'amount ' || entry.amount || E'\n',
    'balance_after ' || entry.balance_after || E'\n',
    'sku ' || char_length(entry.sku) || ' ' || entry.sku || E'\n',
    'quantity ' || entry.quantity || E'\n',
    'unit_price ' || entry.unit_price || E'\n',
    -- The text of jsonb has no line breaks.
    'items ' || entry.items::text || E'\n',
    'allocations ' || entry.allocations::text || E'\n',
    'hold ' || entry.hold::text || E'\n',
    'description ' || char_length(entry.description) || ' ' || entry.description || E'\n',
    'request_hash ' || encode(entry.request_hash, 'hex') || E'\n',
    'requested_amount ' || entry.requested_amount || E'\n',
    'counterpart ' || entry.counterpart::text || E'\n'), 'UTF8'));
end $$;
revoke all on function private.next_seal(bytea, private.credit_transactions)
  from public, anon, authenticated, service_role;

-- Returns the seal of an entry, or the one before the first entry for 0; null if it is not sealed.
create function private.seal_at(account_id uuid, entry_no bigint)
returns bytea
language plpgsql stable set search_path = ''
as $$
begin
  if entry_no = 0 then
    return private.first_seal(account_id);
  end if;
  return (select s.seal from private.credit_seals as s
    where s.account_id = seal_at.account_id and s.entry_no = seal_at.entry_no);
end $$;
revoke all on function private.seal_at(uuid, bigint) from public, anon, authenticated, service_role;

-- Returns the seals that at most so many entries of an account after number after must have, as they are now.
create function private.seal_chain(account_id uuid, after bigint, most integer)
returns table (entry_no bigint, seal bytea)
language plpgsql stable set search_path = ''
as $$
declare
  v_entry private.credit_transactions;
begin
  seal := private.seal_at(seal_chain.account_id, after);
  for v_entry in
    select t.* from private.credit_transactions as t
    where t.account_id = seal_chain.account_id and t.entry_no > after order by t.entry_no limit most
  loop
    entry_no := v_entry.entry_no;
    seal := private.next_seal(seal, v_entry);
    return next;
  end loop;
end $$;
revoke all on function private.seal_chain(uuid, bigint, integer) from public, anon, authenticated, service_role;

-- Seals at most so many of the entries of an account that are not sealed yet, and returns how many there were. The entries
-- that are visible are the first ones without a gap, because whoever posts one has the lock of the account. Two that seal
-- at the same time come to the same seals.
create function private.seal_entries(account_id uuid, after bigint, most integer)
returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_sealed bigint;
begin
  insert into private.credit_seals (account_id, entry_no, seal)
  select seal_entries.account_id, c.entry_no, c.seal from private.seal_chain(seal_entries.account_id, after, most) as c
  on conflict on constraint credit_seals_pkey do nothing;
  get diagnostics v_sealed = row_count;
  return v_sealed;
end $$;
revoke all on function private.seal_entries(uuid, bigint, integer) from public, anon, authenticated, service_role;

-- Verifying -----------------------------------------------------------------------------------------

create type public.credit_ledger_check as (
  account_id uuid,
  entry_no bigint,
  problem text,
  sealed_to bigint,
  seal text,
  next_after bigint
);
comment on type public.credit_ledger_check is
  'What was found: entry_no and problem of the first entry that is not what was sealed, both null if there is none; sealed_to and seal are the head; next_after is for the next call, null when everything was checked';

-- Verifies the sealed entries of an account, page_size (1 to 100000) of them after number after, against their seals. problem
-- is changed, inserted or removed; an entry behind a changed one is not judged. With the head that was kept elsewhere
-- (entry_no and seal), head_differs tells that the books and their seals were both changed since. Entries that are not
-- sealed yet are not looked at.
-- Definer: it reads tables that not even the service may read. For the service only.
-- Raises: PT404 account_not_found; PT422 invalid_verification.
create function public.verify_credit_ledger(
  account_id uuid,
  after bigint default 0,
  page_size integer default 10000,
  entry_no bigint default null,
  seal text default null
)
returns public.credit_ledger_check
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_result public.credit_ledger_check;
  v_version bigint;
begin
  if after is null or after < 0 or page_size is null or page_size not between 1 and 100000
    or num_nulls(verify_credit_ledger.entry_no, verify_credit_ledger.seal) = 1
    or verify_credit_ledger.seal !~ '^[0-9a-f]{64}$' or verify_credit_ledger.entry_no < 1 then
    raise exception 'The request for a verification is invalid' using errcode = 'PT422', detail = 'invalid_verification',
      hint = 'after must be 0 or greater and page_size 1 to 100000; give entry_no and seal (64 hexadecimal digits) together';
  end if;
  -- No entry has a number near the largest one of its type, which the sums below must not exceed.
  after := least(after, 1000000000000000000);
  select a.version into v_version from public.credit_accounts as a where a.id = verify_credit_ledger.account_id;
  if not found then
    raise exception 'There is no credit account "%"', verify_credit_ledger.account_id using errcode = 'PT404', detail = 'account_not_found';
  end if;
  v_result.account_id := verify_credit_ledger.account_id;
  select s.entry_no, encode(s.seal, 'hex') into v_result.sealed_to, v_result.seal from private.credit_seals as s
  where s.account_id = verify_credit_ledger.account_id order by s.entry_no desc limit 1;
  v_result.sealed_to := coalesce(v_result.sealed_to, 0);

  select p.entry_no, p.problem into v_result.entry_no, v_result.problem
  from (
    select coalesce(t.entry_no, s.entry_no) as entry_no,
      case when t.entry_no is null then 'removed' when s.entry_no is null then 'inserted' else 'changed' end as problem
    from (
      select x.entry_no, x.seal
      from private.seal_chain(verify_credit_ledger.account_id, after, page_size) as x
      where x.entry_no <= least(after + page_size, v_result.sealed_to)
    ) as t
    full join (
      select x.entry_no, x.seal from private.credit_seals as x
      where x.account_id = verify_credit_ledger.account_id and x.entry_no > after and x.entry_no <= after + page_size
    ) as s on s.entry_no = t.entry_no
    where t.seal is distinct from s.seal
    union all
    -- Numbers that no posting gives.
    select x.entry_no, 'inserted' from private.credit_transactions as x
    where x.account_id = verify_credit_ledger.account_id
      and (x.entry_no < 1 or x.entry_no > greatest(v_version, v_result.sealed_to))
    union all
    select verify_credit_ledger.entry_no, 'head_differs'
    where encode(private.seal_at(verify_credit_ledger.account_id, verify_credit_ledger.entry_no), 'hex')
      is distinct from verify_credit_ledger.seal
    order by 1
    limit 1
  ) as p;
  if after + page_size < v_result.sealed_to then
    v_result.next_after := after + page_size;
  end if;
  return v_result;
end $$;
revoke all on function public.verify_credit_ledger(uuid, bigint, integer, bigint, text) from public, anon, authenticated;
grant execute on function public.verify_credit_ledger(uuid, bigint, integer, bigint, text) to service_role;
