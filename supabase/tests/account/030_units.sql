-- Exports and kept ledgers of a user who has accounts in several units.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'other']) as name;
insert into credit_units (unit) values ('images'), ('minutes');
select grant_credits(tests.user_id('owner'), 10, unit => unit, external_reference => 'paid ' || unit) from credit_units;
select count(deduct_credits(tests.user_id('owner'), amount => 0.5, unit => u.unit)) from credit_units as u, generate_series(1, 5);
select deduct_credits(tests.user_id('other'), amount => 1);
create function pg_temp.entries() returns table (account_id uuid, entry_no bigint) language sql stable as $$
  select t.account_id, t.entry_no from private.credit_transactions as t
  where t.account_id in (select a.id from credit_accounts as a where a.user_id = tests.user_id('owner'))
$$;

-- an export in portions of every size ----------------------------------------------------------------------------
create function pg_temp.export(most integer) returns table (account_id uuid, entry_no bigint) language plpgsql as $$
declare
  v_portion record;
  v_cursor jsonb := '{}';
begin
  loop
    v_portion := private.read_export(tests.user_id('owner'), v_cursor, most, 1000000);
    return query
      select (x -> 'row' ->> 'account_id')::uuid, (x -> 'row' ->> 'entry_no')::bigint
      from (select line::jsonb as x from string_to_table(v_portion.content, E'\n') as line where line <> '') as l
      where x ->> 'table' = 'private.credit_transactions';
    v_cursor := v_portion.next;
    exit when v_cursor is null;
  end loop;
end $$;
select bag_eq(format('select * from pg_temp.export(%s)', most), 'select * from pg_temp.entries()',
  format('portions of %s rows have each entry of each account once', most))
from unnest(array[1, 2, 3, 5, 7, 1000]) as most;
select matches(private.export_query(t, true, 10), 'private.credit_account_ids\(\$1, \(\$2 ->> 0\)::uuid\)',
  'a portion does not look again at the accounts before it')
from private.account_tables as t where t.name = 'private.credit_transactions';

-- the kept ledgers of one that is deleted ------------------------------------------------------------------------
update private.settings set value = 1 where name = 'accounts.keep_ledger';
create function pg_temp.keep(portion integer) returns bigint language plpgsql as $$
declare
  v_cursor jsonb := '{"step": "ledger"}';
begin
  delete from private.kept_ledgers;
  loop
    v_cursor := private.keep_ledgers(tests.user_id('owner'), v_cursor, portion);
    exit when (v_cursor ->> 'done')::boolean;
  end loop;
  return (select count(distinct k.ledger_id) from private.kept_ledgers as k);
end $$;
select is(pg_temp.keep(most), 3::bigint, format('portions of %s keep a ledger for each unit', most)) from unnest(array[1, 3, 6, 7, 1000]) as most;
select results_eq($$ select entry ->> 'unit', count(*), sum((entry ->> 'amount')::numeric) from private.kept_ledgers group by 1 order by 1 $$,
  $$ values ('credits', 7::bigint, 107.5), ('images', 6, 7.5), ('minutes', 6, 7.5) $$, 'which says what it counts');
select is_empty($$ select 1 from private.kept_ledgers where entry::text like '%' || tests.user_id('owner') || '%' $$, 'and not whose it was');

select * from finish();
rollback;
