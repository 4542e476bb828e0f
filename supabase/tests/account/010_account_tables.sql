-- The list of what is a user's: a new table with rows of users must be in it, and must not outlive them.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(15);
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

-- the catalog -----------------------------------------------------------------------------------------
select is_empty($$ select u.name from private.tables_of_users as u
  where u.name not in (select t.name from private.account_tables as t) $$,
  'every table with rows of users is exported, or left out for a reason');
select is_empty($$ select t.name, s.name from private.account_tables as t cross join lateral unnest(t.sort) as s (name)
  where not exists (select from pg_attribute as a where a.attrelid = t.name::regclass and a.attname = s.name) $$,
  'all are sorted by columns that they have');

create table public.diaries (id uuid primary key, user_id uuid references auth.users (id) on delete cascade);
select set_eq($$ select u.name::text from private.tables_of_users as u
  where u.name not in (select t.name from private.account_tables as t) $$, array['public.diaries'],
  'a new table that refers to users is missed');
create table public.diary_pages (diary_id uuid references public.diaries (id) on delete cascade, page integer);
select is((select count(*)::integer from private.tables_of_users as u where u.name = 'public.diary_pages'), 1,
  'and so is one that refers to that table');
drop table public.diary_pages, public.diaries;

-- Tables that a reference, the portions of accounts, or a trigger clears. The last four are about accounts that are gone.
select is_empty($$
  with recursive cleared (relation) as (
    select 'auth.users'::regclass::oid
    union
    select u.relation from private.tables_of_users as u
    where exists (select from private.account_rows as r where r.statement ~ ('\m' || u.name || '\M'))
      or u.name in ('private.table_usage', 'private.idempotency_keys', 'private.request_counts', 'private.credit_transactions',
        'private.credit_seals', 'private.credit_holds', 'private.ended_credit_holds', 'private.deleted_accounts', 'private.storage_removals',
        'private.spent_uploads', 'private.team_deletions', 'private.former_members')
    union
    select f.conrelid from cleared as c join pg_constraint as f on f.confrelid = c.relation
    where f.contype = 'f' and f.confdeltype = 'c')
  select u.name from private.tables_of_users as u where u.relation not in (select relation from cleared) $$,
  'every table with rows of users is cleared when the account is deleted');

-- the bucket ------------------------------------------------------------------------------------------
insert into storage.objects (bucket_id, name) values ('exports', tests.user_id('owner') || '/e/manifest.json');
-- Otherwise Storage itself refuses deletions.
set local storage.allow_delete_query = 'true';
select tests.authenticate_as('owner');
select is((select count(*)::integer from storage.objects where bucket_id = 'exports'), 1, 'the owner reads an archive');
select throws_ok($$ insert into storage.objects (bucket_id, name) values ('exports', auth.uid() || '/x') $$, '42501', null,
  'but writes none');
select is_empty($$ update storage.objects set name = auth.uid() || '/y' where bucket_id = 'exports' returning 1 $$,
  'and changes none');
select is_empty($$ delete from storage.objects where bucket_id = 'exports' returning 1 $$, 'and deletes none');
select tests.authenticate_as('stranger');
select is_empty($$ select from storage.objects where bucket_id = 'exports' $$, 'another user sees nothing of it');
select tests.authenticate_as_anon();
select is_empty($$ select from storage.objects where bucket_id = 'exports' $$, 'nor does a visitor');
select tests.clear_authentication();

-- functions -------------------------------------------------------------------------------------------
select is(tests.refusal($$ select public.get_account_export(tests.user_id('owner')) $$), 'PT404 export_not_found',
  'there is no export at first');
select is(tests.refusal($$ select public.next_export_portion(0) $$), 'PT422 invalid_batch', 'a portion has at least a row');
select is(tests.refusal($$ select public.request_account_deletion(tests.user_id('owner'), gen_random_uuid()) $$),
  'PT403 reauthentication_needed', 'a deletion needs a session of the user');
select is(tests.refusal($$ select public.cancel_account_deletion(tests.user_id('owner')) $$), 'PT404 deletion_not_found',
  'only a requested deletion can be cancelled');

select * from finish();
rollback;
