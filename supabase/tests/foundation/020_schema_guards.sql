-- What must hold for every table and function, whoever adds one.

begin;
select plan(9);

select is_empty(
  $$ select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p') and not c.relrowsecurity $$,
  'row level security is on for every table that PostgREST exposes');

select is_empty(
  $$ select table_name, grantee, privilege_type from information_schema.table_privileges
    where table_schema = 'private' and grantee in ('PUBLIC', 'anon', 'authenticated', 'service_role') $$,
  'nobody has a right on a table in private');

select is_empty(
  $$ select p.oid::regprocedure from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and p.prolang <> 13 and not coalesce(p.proconfig, '{}') @> array['search_path=""'] $$,
  'every function has an empty search_path');

select set_eq(
  $$ select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.prosecdef $$,
  array[
    'deduct_credits(uuid,text,numeric,numeric,text,text,text)',
    'handle_new_user()'
  ],
  'the definer functions are those we know');

select is_empty(
  $$ select p.oid::regprocedure from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege('anon', p.oid, 'execute') $$,
  'anon may execute nothing');

select set_eq(
  $$ select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege('authenticated', p.oid, 'execute') $$,
  array['credits(profiles)'],
  'a signed-in user may execute what we know');

select is_empty(
  $$ select polrelid::regclass, polname from pg_policy
    where polrelid::regclass::text not like 'storage.%'
      and polroles = '{0}' $$,
  'every policy names its role');

select is_empty(
  $$ select c.conrelid::regclass, c.conname from pg_constraint c
    where c.contype = 'f' and c.connamespace in ('public'::regnamespace, 'private'::regnamespace)
      and not exists (
        select 1 from pg_index i
        where i.indrelid = c.conrelid and i.indpred is null and i.indkey[0] = c.conkey[1]) $$,
  'every foreign key leads an index');

select is_empty(
  $$ select polrelid::regclass, polname from pg_policy
    where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
        ~ 'auth\.(uid|jwt|role)\(\)'
      and concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
        !~ 'SELECT auth\.(uid|jwt|role)\(\)' $$,
  'every policy asks who the caller is once per query, not once per row');

select * from finish();
rollback;
