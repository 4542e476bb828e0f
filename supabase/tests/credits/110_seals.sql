-- Seals: whoever owns the database can change the books, and it shows.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['ada', 'bob', 'carl', 'dora']) as name;
create function pg_temp.seal() returns bigint language sql as $$
  select sum(private.seal_entries(a.id, coalesce(
    (select max(s.entry_no) from private.credit_seals as s where s.account_id = a.id), 0), 1000))::bigint
  from public.credit_accounts as a
$$;
create function pg_temp.found(name text) returns text language sql as $$
  select concat_ws(' ', c.problem, c.entry_no) from public.verify_credit_ledger(tests.account_of(name)) as c
$$;
select public.deduct_credits(tests.user_id('ada'), amount => 0.5, description => 'Number ' || n, idempotency_key => n::text)
from generate_series(1, 20) as n;
select public.refund_credits(tests.account_of('ada'), 3);
select public.hold_credits(tests.user_id('ada'), 3, idempotency_key => 'h');
select public.capture_credit_hold(h.id, 2) from public.credit_holds as h where h.account_id = tests.account_of('ada');
select public.transfer_credits(5, from_user_id => tests.user_id('ada'), to_user_id => tests.user_id('bob'));

-- Its description reads like lines of another entry.
create temp table entry_of_lines as select * from public.deduct_credits(tests.user_id('ada'), amount => 0.25,
  description => E'Twenty-one\nactor 7 service\namount -0.0001\nbalance_after 1.0000');
insert into public.credit_prices (sku, unit, price, effective_from) values ('seal', 'one', 1, '2020-01-01');
select public.deduct_credits(tests.user_id('dora'), 'seal', 3);

-- sealing ------------------------------------------------------------------------------------------------------
select is((select sealed_to from public.verify_credit_ledger(tests.account_of('ada'))), 0::bigint, 'nothing is sealed at first');
select is(pg_temp.seal(), (select count(*) from private.credit_transactions), 'all entries are sealed');
select is(pg_temp.seal(), 0::bigint, 'once');
select is(pg_temp.found('ada'), '', 'they are what they were');
select results_eq($$ select sealed_to, seal from public.verify_credit_ledger(tests.account_of('ada')) $$,
  $$ select entry_no, seal from public.credit_ledger_heads where account_id = tests.account_of('ada') $$, 'the head is published');
create temp table kept as select * from public.credit_ledger_heads;
set local timezone = 'Asia/Kathmandu';
set local bytea_output = 'escape';
select is(pg_temp.found('ada'), '', 'whatever the session''s settings');
reset timezone;
reset bytea_output;
select public.deduct_credits(tests.user_id('ada'), amount => 1);
select is(pg_temp.found('ada'), '', 'what was posted since is not sealed yet');
select is(pg_temp.seal(), 1::bigint, 'until the next time');
select public.deduct_credits(tests.user_id('carl'), amount => 1) from generate_series(1, 3);
select is(private.seal_entries(tests.account_of('carl'), 1, 2), 2::bigint, 'a portion of them');
select is(private.seal_entries(tests.account_of('carl'), 1, 2), 0::bigint, 'which two at once seal once');
select is(private.seal_entries(tests.account_of('carl'), 3, 2), 1::bigint, 'and the rest');
select results_eq($$ select problem, sealed_to, next_after from public.verify_credit_ledger(tests.account_of('carl'), 2, 1) $$,
  $$ values (null, 4::bigint, 3::bigint) $$, 'a verification has pages');
select results_eq(format('select problem, sealed_to, next_after from public.verify_credit_ledger(tests.account_of(''carl''), %s)', after),
  $$ values (null, 4::bigint, null::bigint) $$, 'the last one ends: ' || after) from unnest(array[4, 5, 9223372036854775807]) as after;
insert into teams (id, name) values (md5('strongroom seals team')::uuid, 'Team');
select results_eq($$ select problem, sealed_to, seal, next_after from public.verify_credit_ledger((
    select id from credit_accounts where team_id = md5('strongroom seals team')::uuid)) $$,
  $$ values (null, 0::bigint, null, null::bigint) $$, 'an account without entries has nothing to verify');

-- with the head that was kept ------------------------------------------------------------------------------------
select is((public.verify_credit_ledger(k.account_id, entry_no => k.entry_no, seal => k.seal)).problem, null, 'the head that was kept fits')
from kept as k where account_id = tests.account_of('ada');
select is((public.verify_credit_ledger(k.account_id, entry_no => k.entry_no, seal => repeat('ab', 32))).problem, 'head_differs',
  'another one does not') from kept as k where account_id = tests.account_of('ada');
select is((public.verify_credit_ledger(k.account_id, entry_no => 999, seal => k.seal)).problem, 'head_differs',
  'nor one of an entry that is gone') from kept as k where account_id = tests.account_of('ada');

-- refusals -------------------------------------------------------------------------------------------------------
select is(tests.refusal($$ select public.verify_credit_ledger(gen_random_uuid()) $$), 'PT404 account_not_found', 'no account');
select is(tests.refusal($$ select public.verify_credit_ledger(null) $$), 'PT404 account_not_found', 'null');
select is(tests.refusal(format('select public.verify_credit_ledger(%L, %s)', tests.account_of('ada'), args)),
  'PT422 invalid_verification', args)
from unnest(array['-1', 'null', '0, 0', '0, 100001', '0, null', '0, 1, 1', '0, 1, 1, ''x''', '0, 1, null, repeat(''a'', 64)',
  '0, 1, 0, repeat(''a'', 64)']) as args;

-- who sees them --------------------------------------------------------------------------------------------------
select tests.authenticate_as('ada');
select results_eq('select account_id from credit_ledger_heads', $$ select id from credit_accounts $$, 'users see their own head');
select throws_ok($$ select public.verify_credit_ledger(gen_random_uuid()) $$, '42501', null, 'and verify nothing');
select tests.clear_authentication();

-- what the owner of the database does -------------------------------------------------------------------------------
-- Each statement is tried on the books of ada, judged, and undone.
alter table private.credit_transactions disable trigger user;
alter table private.credit_transactions drop constraint credit_transactions_entry_check;
alter table private.credit_refunds drop constraint credit_refunds_entry_fkey;
create function pg_temp.after(statement text, name text default 'ada') returns text language plpgsql as $$
declare
  v_found text;
begin
  begin
    execute replace(statement, '$books', format('account_id = %L', tests.account_of(name)));
    v_found := pg_temp.found(name);
    raise exception using errcode = 'PT000';
  exception when sqlstate 'PT000' then
    return v_found;
  end;
end $$;
select is(pg_temp.after('delete from private.credit_transactions where $books and entry_no = 7'), 'removed 7', 'an entry is removed');
select is(pg_temp.after('delete from private.credit_transactions where $books and entry_no >= 20'), 'removed 20', 'the last ones');
select is(pg_temp.after('delete from private.credit_transactions where $books and entry_no = 7;
  update private.credit_transactions set entry_no = entry_no + 1000 where $books and entry_no > 7;
  update private.credit_transactions set entry_no = entry_no - 1001 where $books and entry_no > 1000'), 'changed 7',
  'one is removed, and the others are numbered anew');
select is(pg_temp.after('update private.credit_transactions set entry_no = entry_no + 1000 where $books and entry_no > 7;
  update private.credit_transactions set entry_no = entry_no - 999 where $books and entry_no > 1000;
  insert into private.credit_transactions (account_id, entry_no, created_at, kind, actor, amount, balance_after)
  select account_id, 8, created_at, ''deduct'', ''service'', -1, balance_after from private.credit_transactions where $books and entry_no = 7'),
  'changed 8', 'one is inserted, and the others are numbered anew');
select is(pg_temp.after('insert into private.credit_transactions (account_id, entry_no, created_at, kind, actor, amount, balance_after)
  select account_id, number, created_at, ''grant'', ''service'', 1, balance_after from private.credit_transactions
  cross join unnest(array[0, -5, 9999]) as number where $books and entry_no = 7'), 'inserted -5', 'with a number that no posting gives');
select is(pg_temp.after('delete from private.credit_seals where $books and entry_no = 7'), 'inserted 7', 'a seal is removed');
select is(pg_temp.after('update private.credit_seals set seal = sha256(seal) where $books and entry_no = 7'), 'changed 7', 'or changed');
select is(pg_temp.after('update private.credit_transactions set request_hash = null,
    description = description || E''\nrequest_hash '' || encode(request_hash, ''hex'') where $books and entry_no = 7'),
  'changed 7', 'a description that looks like the next column');
select is(pg_temp.after('update private.credit_transactions set quantity = null, unit_price = null,
    sku = sku || E''\nquantity '' || quantity || E''\nunit_price '' || unit_price where $books and entry_no = 2', 'dora'),
  'changed 2', 'or a sku that does');
select is(pg_temp.after('update private.credit_transactions set kind = format(E''deduct\nactor 7 service\namount %s\nbalance_after %s\ndescription %s Twenty-one'',
    amount, balance_after, char_length(description)), amount = -0.0001, balance_after = 1, description = null where $books and entry_no = ' || e.entry_no),
  'changed ' || e.entry_no, 'or a kind that does') from entry_of_lines as e;

-- Any column of any entry.
create temp table plants as
select c.attname as name, n, format('update private.credit_transactions set %1$I = %2$s where $books and entry_no = %3$s',
    c.attname,
    case c.atttypid
      when 'uuid'::regtype then 'gen_random_uuid()'
      when 'text'::regtype then format('coalesce(%I, '''') || ''x''', c.attname)
      when 'jsonb'::regtype then format('coalesce(%I, ''[]'') || ''[1]''', c.attname)
      when 'bytea'::regtype then format('coalesce(%I, '''') || ''x''', c.attname)
      when 'timestamptz'::regtype then format('%I + interval ''1 microsecond''', c.attname)
      when 'bigint'::regtype then format('coalesce(%I, 0) + 100000', c.attname)
      else format('coalesce(%I, 0) + 0.0001', c.attname) end, n) as statement
from pg_attribute as c cross join generate_series(1, 25) as n
where c.attrelid = 'private.credit_transactions'::regclass and c.attnum > 0 and not c.attisdropped;
select is((select count(distinct name) from plants), (select count(*) from pg_attribute
  where attrelid = 'private.credit_transactions'::regclass and attnum > 0 and not attisdropped), 'every column is tried');
select is_empty($$ select name, n, pg_temp.after(statement) from plants
  where pg_temp.after(statement) is distinct from case when name in ('account_id', 'entry_no') then 'removed ' else 'changed ' end || n $$,
  'each is named with its entry');
alter table private.credit_transactions enable trigger user;

-- deletion -------------------------------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('carl');
select is_empty($$ select from private.credit_seals as s where not exists (
  select from private.credit_transactions as t where t.account_id = s.account_id and t.entry_no = s.entry_no) $$,
  'the seals go with the account');

select * from finish();
rollback;
