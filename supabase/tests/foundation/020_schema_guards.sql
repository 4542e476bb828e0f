-- What must hold for every table and function, whoever adds one.

begin;
select plan(19);

select is_empty(
  $$ select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p') and not c.relrowsecurity $$,
  'row level security is on for every table that PostgREST exposes');

select set_eq(
  $$ select table_name::text, grantee::text, privilege_type::text from information_schema.table_privileges
    where table_schema = 'private' and grantee in ('PUBLIC', 'anon', 'authenticated', 'service_role') $$,
  $$ select t.name as table_name, r.name as grantee, 'SELECT'
    from unnest(array['credit_grants', 'credit_holds', 'credit_seals', 'credit_transactions', 'ended_credit_holds']) as t (name)
    cross join unnest(array['authenticated', 'service_role']) as r (name) $$,
  'nobody has a right on a table in private, but to read those of the ledger, through their views in public');

select is_empty(
  $$ select c.oid::regclass from pg_class c
    where c.relnamespace = 'private'::regnamespace and c.relkind = 'r' and not c.relrowsecurity
      and (has_table_privilege('authenticated', c.oid, 'select') or has_table_privilege('service_role', c.oid, 'select')) $$,
  'and these have row level security');

select is_empty(
  $$ select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
      and not coalesce(c.reloptions, '{}') @> array['security_invoker=true'] $$,
  'every view reads as its caller');

select is_empty(
  $$ select p.oid::regprocedure from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and p.prolang <> 13 and not coalesce(p.proconfig, '{}') @> array['search_path=""'] $$,
  'every function has an empty search_path');

-- PostgreSQL looks up the names in a body when the function runs: here a product that has deleted a domain learns what
-- still needs it.
create temp view bodies as
  select p.oid::regprocedure as function, regexp_replace(p.prosrc, '--[^\n]*', '', 'g') as body from pg_proc p
  where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.prolang <> 13;

select is_empty(
  $$ select b.function, n.name from bodies b
    cross join lateral regexp_matches(b.body, '\m(public|private)\.([a-z_0-9]+)', 'g') as n (name)
    where not exists (select 1 from pg_class c where c.relnamespace = n.name[1]::regnamespace and c.relname = n.name[2])
      and not exists (select 1 from pg_proc p where p.pronamespace = n.name[1]::regnamespace and p.proname = n.name[2])
      and not exists (select 1 from pg_type t where t.typnamespace = n.name[1]::regnamespace and t.typname = n.name[2]) $$,
  'every function names only tables, types and functions that exist');

select is_empty(
  $$ select b.function, n.name from bodies b
    cross join lateral regexp_matches(b.body, '\m(?:setting|retention)\(''([^'']+)''', 'g') as n (name)
    where not exists (select 1 from private.settings s where s.name = n.name[1]) $$,
  'every function asks only for settings that exist');

select set_eq(
  $$ select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.prosecdef $$,
  array[
    'cleanup_expired_sessions()',
    'account_export_parts(uuid,integer,integer)',
    'cancel_account_deletion(uuid)',
    'fail_export_portion(uuid,uuid,text)',
    'get_account_deletion(uuid)',
    'get_account_export(uuid)',
    'next_export_portion(integer)',
    'remove_account_export(uuid)',
    'request_account_deletion(uuid,uuid)',
    'save_export_portion(uuid,uuid,bigint,text,text[])',
    'start_account_export(uuid)',
    'cleanup_health()',
    'cleanup_runs(text,bigint,integer)',
    'due_cleanup_jobs(text[])',
    'end_cleanup_run(text,uuid,bigint,bigint,text)',
    'preview_cleanup(text)',
    'private.keep_purged_project()',
    'run_cleanup_batch(text,uuid,bigint,bigint,timestamp with time zone)',
    'cleanup_old_multipart_uploads()',
    'append_chat_segment(uuid,uuid,bigint,integer,text,text,text,jsonb)',
    'begin_chat_approval(uuid,uuid,text)',
    'change_chat_approval(uuid,uuid,text,text,text,text)',
    'delete_chat(uuid,uuid,bigint,jsonb)',
    'private.bury_chat()',
    'private.check_chat_envelopes()',
    'private.get_chat(uuid,integer,bigint)',
    'private.get_chat_keys()',
    'private.get_replaced_chat_keys()',
    'read_replaced_chat_key(uuid,uuid,uuid)',
    'private.lock_own_chats()',
    'private.number_chat()',
    'private.sync_chats(text,integer,boolean,boolean)',
    'revoke_chat_device(uuid,uuid)',
    'rotate_chat_keys(uuid,integer,uuid,jsonb,text,text,text)',
    'save_chat(uuid,uuid,bigint,text,text,boolean,boolean,text,text,jsonb)',
    'set_chat_history(uuid,jsonb,bigint)',
    'set_chat_keys(uuid,integer,uuid,jsonb,text,text,text)',
    'use_chat_passkey(uuid,uuid)',
    'count_webhook_refusal(text,text)',
    'receive_database_webhook(jsonb)',
    'receive_webhook_event(text,text,text,jsonb,timestamp with time zone)',
    'replay_webhook_events(text,text,text,timestamp with time zone,timestamp with time zone,bigint,integer)',
    'clone_project(uuid,uuid,text,boolean,boolean,text,text)',
    'delete_project(uuid,uuid,boolean,text,text)',
    'get_project_clone(uuid,uuid)',
    'finish_draft(uuid,text,text,jsonb,jsonb,jsonb,uuid,text,jsonb,text)',
    'append_answer_parts(jsonb)',
    'begin_answer(uuid,jsonb,text,text,uuid,boolean,boolean,integer,text[],integer,jsonb,text,boolean)',
    'begin_ephemeral_answer(uuid,bigint,text,integer,text[])',
    'finish_answer(uuid,text,jsonb,jsonb,integer,text,text,integer)',
    'read_answer(uuid,text,integer)',
    'stop_answer(uuid,text)',
    'complete_upload(uuid,uuid,text)',
    'delete_files(uuid,text,text[])',
    'get_bucket_terms(text)',
    'get_storage_usage(uuid)',
    'get_upload(uuid,uuid)',
    'next_storage_removals(integer)',
    'private.count_changed_object()',
    'private.count_deleted_objects()',
    'private.count_new_objects()',
    'recount_storage(uuid)',
    'storage_reconciliation(uuid)',
    'private.may_move(uuid,text,text)',
    'private.may_upload(text,text,jsonb)',
    'private.close_projects()',
    'private.prepare_deletion()',
    'private.purge_deleted_account()',
    'private.require_account()',
    'private.queue_chat_images()',
    'private.queue_project_file()',
    'private.queue_upload()',
    'release_upload(uuid,uuid)',
    'reserve_upload(uuid,text,text,bigint,text,uuid,uuid,text,text)',
    'set_storage_quota(uuid,bigint)',
    'storage_removals_failed(text,text[],text)',
    'verify_upload(uuid,uuid,text)',
    'private.check_message()',
    'private.pass_on_messages()',
    'private.take_message_owner()',
    'private.search_messages(text,timestamp with time zone,integer)',
    'private.check_client_id()',
    'replace_message(uuid,text,jsonb,uuid,text,text,text)',
    'restore_project(uuid,uuid)',
    'refuse_upload(uuid,uuid,jsonb)',
    'get_file_names(text,text[])',
    'save_messages(uuid,jsonb,uuid,text,boolean,jsonb,text,text)',
    'start_conversation(uuid,jsonb,text,text,text,text)',
    'storage_objects_removed(text,text[])',
    'update_draft(uuid,text,jsonb,uuid,text,text)',
    'capture_credit_hold(uuid,numeric,jsonb,boolean,text,text,text)',
    'credit_reconciliation(uuid)',
    'credit_statement(date,uuid,uuid,bigint,integer,text,text)',
    'create_api_key(uuid,text,text,text,jsonb,timestamp with time zone)',
    'use_api_key(text,text)',
    'private.record_api_key_event()', 'private.limit_api_key_changes()',
    'deduct_credits(uuid,text,numeric,numeric,text,text,text,jsonb,uuid,text)',
    'grant_credits(uuid,numeric,text,integer,timestamp with time zone,timestamp with time zone,text,text,numeric,text,text,text,uuid,text,text[])',
    'handle_new_user()',
    'hold_credits(uuid,numeric,jsonb,integer,text,text,uuid,text)',
    'private.credit_balance_at(uuid,timestamp with time zone)',
    'private.due_credits(credit_accounts,timestamp with time zone)',
    'private.delete_credit_history()',
    'private.forget_idempotency_keys()',
    'private.forget_table_usage()',
    'private.count_rows_of_user_id()',
    'private.count_rows_of_team_id()',
    'private.count_rows_of_created_by()',
    'private.count_rows_of_id()',
    'private.count_changed_row()', 'private.count_changed_state()',
    'private.count_message()',
    'private.count_removed_messages()',
    'private.count_request()',
    'private.limit_visitors()',
    'accept_team_invitation(uuid,uuid)',
    'create_team(uuid,text,text,text,text)',
    'decline_team_invitation(uuid,uuid)',
    'delete_team(uuid,uuid,boolean,text,text)',
    'invite_to_team(uuid,uuid,text,uuid,text,text,text)',
    'leave_team(uuid,uuid)',
    'private.keep_team_owner()',
    'private.my_confirmed_email()',
    'private.record_team_deletion()',
    'revoke_team_invitation(uuid,uuid)',
    'private.my_credit_account_ids()',
    'private.my_member_credit_account_ids()',
    'private.my_administered_team_ids()',
    'private.my_owned_team_ids()',
    'private.my_account()',
    'private.my_team_ids()',
    'private.my_team_project_ids()',
    'private.my_cloning_project_ids()',
    'private.public_project_ids()',
    'private.open_chat_analytics()',
    'private.bucket_ids()',
    'private.open_credit_member_limit()',
    'private.open_team_credit_account()',
    'private.wake_alert()',
    'private.wake_chats()',
    'private.wake_credits()',
    'private.wake_files()',
    'private.wake_messages()',
    'private.remember_deleted_owner()',
    'private.remember_former_member()',
    'private.save_message_and_update_project(uuid,text,jsonb,jsonb,jsonb,integer)',
    'private.is_shared_object(text,text)',
    'quote_credits(jsonb,uuid,uuid)',
    'refund_credits(uuid,bigint,numeric,text,text)',
    'release_credit_hold(uuid,text)',
    'revoke_user_sessions(uuid)',
    'set_credit_alert(numeric,uuid,uuid,text,text,text)',
    'set_credit_overdraft(numeric,uuid,uuid,text,text)',
    'transfer_credits(numeric,uuid,uuid,uuid,uuid,text,text,text,uuid,text)',
    'verify_credit_ledger(uuid,bigint,integer,bigint,text)',
    'void_credit_grant(uuid,text,text,text)'
  ],
  'the definer functions are those we know');

select set_eq(
  $$ select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege('anon', p.oid, 'execute') $$,
  array['private.count_request()'],
  'anon may execute nothing but what PostgREST calls before each request');

select set_eq(
  $$ select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege('authenticated', p.oid, 'execute') $$,
  array[
    'credit_balance_at(uuid,timestamp with time zone)',
    'credits(profiles)',
    'get_chat(uuid,integer,bigint)',
    'get_chat_keys()',
    'list_chat_approvals()',
    'private.get_chat(uuid,integer,bigint)',
    'private.get_chat_keys()',
    'get_replaced_chat_keys()',
    'private.get_replaced_chat_keys()',
    'private.sync_chats(text,integer,boolean,boolean)',
    'sync_chats(text,integer,boolean,boolean)',
    'get_user_full_profile(uuid)',
    'name(projects)',
    'private.credit_balance_at(uuid,timestamp with time zone)',
    'private.credit_period_start(text,timestamp with time zone)',
    'private.jsonb_ilike(jsonb,text)',
    'private.jsonb_like(jsonb,text)',
    'private.hold_portions(uuid,numeric,jsonb)',
    'private.count_request()',
    'private.due_credits(credit_accounts,timestamp with time zone)',
    'private.cjk_pairs(text)',
    'private.cjk_runs(text,boolean)',
    'private.fold_text(text)',
    'private.my_confirmed_email()',
    'private.search_text(jsonb)',
    'private.search_vector(jsonb,uuid,uuid)',
    'private.may_move(uuid,text,text)',
    'private.may_upload(text,text,jsonb)',
    'private.my_credit_account_ids()',
    'private.my_member_credit_account_ids()',
    'private.my_administered_team_ids()',
    'private.my_owned_team_ids()',
    'private.my_account()',
    'private.my_team_ids()',
    'private.my_team_project_ids()',
    'private.my_cloning_project_ids()',
    'private.public_project_ids()',
    'private.bucket_ids()',
    'private.save_message_and_update_project(uuid,text,jsonb,jsonb,jsonb,integer)',
    'private.search_messages(text,timestamp with time zone,integer)',
    'private.is_shared_object(text,text)',
    'search_messages(text,timestamp with time zone,integer)',
    'save_message_and_update_project(uuid,text,jsonb,jsonb,jsonb,integer)'
  ],
  'a signed-in user may execute what we know');

select is_empty(
  $$ select p.oid::regprocedure, s.statement[1] from pg_proc as p
    cross join lateral regexp_matches(p.prosrc,
      '\m(?:update|delete\s+from)\s+(?:only\s+)?(?:public|private|auth|storage|cron)\.[a-z_]+[^;]*', 'gi') as s (statement)
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and s.statement[1] !~* '\mwhere\M' $$,
  'no function changes all rows of a table: on the platform, the connections of REST refuse that');

select is_empty(
  $$ select polrelid::regclass, polname from pg_policy
    where polrelid::regclass::text !~ '^(storage|cron)\.'
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
  $$ select a.tablename, a.policyname, b.policyname
    from pg_policies a join pg_policies b using (schemaname, tablename)
    where a.schemaname in ('public', 'storage') and a.policyname < b.policyname
      and a.permissive = 'PERMISSIVE' and b.permissive = 'PERMISSIVE'
      and a.roles && b.roles and (a.cmd = b.cmd or 'ALL' in (a.cmd, b.cmd)) $$,
  'no two permissive policies are for one role and action');

select is_empty(
  $$ select c.oid::regclass from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'updated_at' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and c.relname <> 'credit_accounts'
      and 1 <> (select count(*) from pg_trigger t
        where t.tgrelid = c.oid and t.tgfoid in (
          'public.handle_updated_at'::regproc, 'public.update_updated_at_column'::regproc)) $$,
  'every updated_at has one trigger; that of credit_accounts is dated by its entries');

select is_empty(
  $$ select p.oid::regprocedure from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege('service_role', p.oid, 'execute') and p.prorettype = 'trigger'::regtype $$,
  'a trigger function is nobody''s to call');

select is_empty(
  $$ select polrelid::regclass, polname from pg_policy
    where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
        ~ 'auth\.(uid|jwt|role)\(\)'
      and concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
        !~ 'SELECT auth\.(uid|jwt|role)\(\)' $$,
  'every policy asks who the caller is once per query, not once per row');

select is_empty(
  $$ select polrelid::regclass, polname from pg_policy where polcmd = 'w' and polwithcheck is null $$,
  'every policy for updates says what a row may become');

create function private.probe() returns int language sql set search_path = '' as 'select 1';
select ok(not has_function_privilege('authenticated', 'private.probe()', 'execute'),
  'a new function is nobody''s until it is granted');

select * from finish();
rollback;
