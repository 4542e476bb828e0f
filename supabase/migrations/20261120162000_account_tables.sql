-- What is a user's: every table that has rows of users or their ids, and whether these rows are part of an export. A test
-- compares this list with the catalog and fails when a table is missing from it, or outlives its user.

create table private.account_tables (
  name text primary key,
  whose text not null,
  sort text[] not null,
  hidden text[] not null default '{}',
  shown text[],
  left_out text,
  constraint account_tables_name_check check (name ~ '^[a-z_]+\.[a-z_0-9]+$')
);
comment on table private.account_tables is 'The tables with rows of users, and what an export contains of them';
comment on column private.account_tables.whose is 'The condition that a row t belongs to the user $1';
comment on column private.account_tables.sort is
  'Columns that together are unique and do not change. Where a user can have many rows, an index has them in this order';
comment on column private.account_tables.hidden is 'Columns that are not exported: secrets, and what is computed from others';
comment on column private.account_tables.shown is 'The only columns that are exported, if not all';
comment on column private.account_tables.left_out is 'Why the rows are not exported; null if they are';
revoke all on private.account_tables from public, anon, authenticated, service_role;

-- Adds tables that exist: a domain that was taken out has none.
create function private.add_account_tables(
  names text[], whose text, sort text[], hidden text[] default '{}', shown text[] default null, left_out text default null
)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into private.account_tables (name, whose, sort, hidden, shown, left_out)
  select n.name, add_account_tables.whose, add_account_tables.sort, add_account_tables.hidden, add_account_tables.shown,
    add_account_tables.left_out
  from unnest(names) as n (name) where to_regclass(n.name) is not null;
end $$;
revoke all on function private.add_account_tables(text[], text, text[], text[], text[], text)
  from public, anon, authenticated, service_role;

-- The account itself. Only what says something to its user: the rest are secrets of Auth.
select private.add_account_tables('{auth.users}', 't.id = $1', '{id}', shown => array[
  'id', 'email', 'phone', 'created_at', 'email_confirmed_at', 'last_sign_in_at', 'raw_user_meta_data']);
select private.add_account_tables('{auth.identities}', 't.user_id = $1', '{id}', shown => array[
  'id', 'provider', 'provider_id', 'identity_data', 'email', 'created_at', 'last_sign_in_at']);
select private.add_account_tables('{auth.sessions}', 't.user_id = $1', '{id}', shown => array[
  'id', 'created_at', 'refreshed_at', 'user_agent', 'ip']);
select private.add_account_tables('{public.profiles}', 't.id = $1', '{id}');
select private.add_account_tables(array[
  'public.user_profiles', 'public.user_preferences', 'public.user_settings', 'public.theme_settings',
  'public.user_goals', 'public.user_progress', 'public.journal_entries', 'public.user_chat_analytics', 'public.team_members',
  'public.users_teams', 'public.fragments', 'public.project_chats', 'public.projects', 'public.conversations',
  'public.chat_sessions', 'public.chat_key_wraps', 'public.chat_keys', 'public.stripe_customers',
  'public.stripe_subscriptions', 'public.api_key_events', 'public.code_embeddings'], 't.user_id = $1', '{id}');
select private.add_account_tables('{public.user_security_settings}', 't.user_id = $1', '{id}', hidden => '{backup_codes}');
select private.add_account_tables('{public.user_integrations}', 't.user_id = $1', '{id}', hidden => '{connection_data}');
select private.add_account_tables('{public.api_keys}', 't.user_id = $1', '{id}', hidden => '{key_hash}');
select private.add_account_tables('{public.customization_preferences}', 't.user_id = $1', '{user_id}');
select private.add_account_tables('{public.credit_member_limits}', 't.user_id = $1', '{team_id}');
select private.add_account_tables('{public.credit_unit_limits}', 't.user_id = $1', '{team_id,unit}');
select private.add_account_tables('{public.conversation_threads}', 't.created_by = $1', '{id}');
select private.add_account_tables('{public.team_invitations}', 't.invitee_id = $1 or t.invited_by = $1', '{id}');

-- Tables in which a user can have very many rows.
select private.add_account_tables(array['public.messages', 'public.chat_messages', 'public.tasks', 'public.workspace_files',
  'public.file_uploads', 'public.project_files', 'public.answers'], 't.user_id = $1', '{created_at,id}');
select private.add_account_tables('{public.replaced_messages}', 't.user_id = $1', '{replaced_at,id}');
select private.add_account_tables('{public.chat_message_cache}', 't.user_id = $1', '{created_at,id}', hidden => '{content_vector}');
select private.add_account_tables('{public.fragment_executions}', 't.user_id = $1', '{started_at,id}');
select private.add_account_tables('{public.encrypted_chats}', 't.user_id = $1', '{id}');
select private.add_account_tables('{public.chat_segments}', 't.user_id = $1', '{chat_id,number}');

-- Credits, and what was paid for them.
select private.add_account_tables('{public.credit_accounts}', 't.user_id = $1', '{id}');
select private.add_account_tables(array['private.credit_transactions', 'private.credit_refunds'],
  't.account_id = any (private.credit_account_ids($1))', '{account_id,entry_no}',
  hidden => '{request_hash}');
select private.add_account_tables(array['private.credit_grants', 'private.ended_credit_holds', 'public.credit_alerts'],
  't.account_id = any (private.credit_account_ids($1))', '{account_id,created_at,id}',
  hidden => '{request_hash}');
select private.add_account_tables('{private.credit_holds}',
  't.account_id = any (private.credit_account_ids($1))', '{account_id,expires_at,id}',
  hidden => '{request_hash}');
select private.add_account_tables('{public.stripe_payments}',
  't.account_id = any (private.credit_account_ids($1))', '{account_id,id}');

select private.add_account_tables('{private.replaced_chat_key_wraps}', 't.user_id = $1', '{id}',
  shown => '{id,key_id,kind,created_at,replaced_at}');

-- Left out, and why.
select private.add_account_tables('{private.credit_months}',
  't.account_id = any (private.credit_account_ids($1))', '{account_id,month}',
  left_out => 'Sums of credit_transactions');
select private.add_account_tables('{private.credit_seals}',
  't.account_id = any (private.credit_account_ids($1))', '{account_id,entry_no}',
  left_out => 'Checksums of credit_transactions');
select private.add_account_tables('{public.answer_parts}', 't.user_id = $1', '{answer_id,number}',
  left_out => 'What is being written at this moment; messages have it afterwards');
select private.add_account_tables('{private.table_usage}', 't.owner_id = $1', '{table_name,slot}',
  left_out => 'Counts of the rows in other tables');
select private.add_account_tables('{private.idempotency_keys}', 't.owner_id = $1', '{actor,key}',
  left_out => 'Copies of responses, which are deleted after some days');
select private.add_account_tables('{private.request_counts}', 't.subject = $1', '{window_start,backend}',
  left_out => 'Counts of requests in this minute');
select private.add_account_tables(array['private.chat_owners', 'private.storage_accounts'], 't.user_id = $1', '{user_id}',
  left_out => 'How the server keeps count');
select private.add_account_tables('{private.full_message_owners}', 't.owner_id = $1', '{owner_id}',
  left_out => 'How the server keeps count');
select private.add_account_tables('{private.storage_counters}', 't.user_id = $1', '{bucket_id}',
  left_out => 'Counts of the files');
select private.add_account_tables('{private.chat_tombstones}', 't.user_id = $1', '{chat_id}',
  left_out => 'Tells devices which chats were deleted, and has nothing of their contents');
select private.add_account_tables('{public.chat_approvals}', 't.user_id = $1', '{id}',
  left_out => 'Messages between devices, which are deleted after a day');
select private.add_account_tables('{private.chat_nonces}', 't.user_id = $1', '{key_id,nonce}',
  left_out => 'Random numbers that must not be used twice');
select private.add_account_tables('{private.project_clones}', 't.user_id = $1', '{id}',
  left_out => 'How far the server has come with its work');
select private.add_account_tables('{private.project_purges}',
  't.project_id in (select p.id from public.projects as p where p.user_id = $1)', '{project_id}',
  left_out => 'How far the server has come with its work');
select private.add_account_tables('{private.spent_uploads}', 't.user_id = $1', '{bucket_id,name}',
  left_out => 'Upload URLs that have been used');
select private.add_account_tables('{private.storage_removals}', 't.name like $1 || ''/%''', '{bucket_id,name}',
  left_out => 'Files that have been deleted');
select private.add_account_tables('{private.deleted_accounts}', 't.user_id = $1', '{user_id}',
  left_out => 'Has only accounts that no longer exist');
select private.add_account_tables('{private.former_members}', 't.user_id = $1', '{account_id}',
  left_out => 'Teams that the user has left');
select private.add_account_tables('{private.team_deletions}', 't.deleted_by = $1', '{team_id}',
  left_out => 'Belonged to a team');

-- Whether a user has a row of a table that the test has to compare with the list: tables with the id of a user in a column
-- that says so, with a reference to such a table, or with the trigger that takes the place of one.
create view private.tables_of_users as
  with recursive found (relation) as (
    select c.oid from pg_catalog.pg_class as c
    where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and (
        exists (
          select from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.atttypid = 'uuid'::regtype
            and a.attname ~ '^((.*_)?(user|owner|author|actor|invitee|inviter|member)_id|[a-z]+ed_by|subject|account_id)$')
        or exists (
          select from pg_catalog.pg_constraint as f
          where f.conrelid = c.oid and f.contype = 'f' and f.confrelid = 'auth.users'::regclass)
        or exists (
          select from pg_catalog.pg_trigger as t join pg_catalog.pg_proc as p on p.oid = t.tgfoid
          where t.tgrelid = c.oid and p.proname = 'require_account'))
    union
    select f.conrelid from found as x
    join pg_catalog.pg_constraint as f on f.confrelid = x.relation and f.contype = 'f'
  )
  select n.nspname || '.' || c.relname as name, c.oid as relation
  from found as x join pg_catalog.pg_class as c on c.oid = x.relation
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace;
comment on view private.tables_of_users is 'The tables that the catalog says have rows or ids of users';
revoke all on private.tables_of_users from public, anon, authenticated, service_role;
