-- Every table, every action, every role. The cast:
--
--   owner      whose rows they are; a plain member of the team
--   stranger   signed in, in no team
--   member, admin, boss   of the team that the owner's project belongs to, as member, admin and owner
--   anon, service         without a user; with the secret key
--
-- A cell has four letters, for select, insert, update and delete of the owner's row (an insert is of a row just like
-- it): 1 it is done, 0 it is refused quietly and nothing moves, x it is refused with 42501.

begin;
select no_plan();

select tests.create_user(name)
from unnest(array['owner', 'stranger', 'member', 'admin', 'boss', 'guest']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$
  select md5('strongroom test row ' || name)::uuid
$$;

insert into teams (id, name) values (pg_temp.id('team'), 'Team');
insert into team_members (team_id, user_id, role)
select pg_temp.id('team'), tests.user_id(m.name), m.role
from (values ('boss', 'owner'), ('admin', 'admin'), ('member', 'member'), ('owner', 'member')) as m (name, role);
insert into projects (id, user_id, team_id, title)
values (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'Project');
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('owner'));
insert into model_providers (name, secret_name) values ('tried', 'TRIED_API_KEY');
insert into answers (id, user_id, model, prices, input_tokens) values (pg_temp.id('answer'), tests.user_id('owner'), 'm', '{}', 1);
insert into encrypted_chats (id, user_id, encrypted_data)
values (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope());
insert into chat_keys (user_id, id, epoch) values (tests.user_id('owner'), pg_temp.id('key'), 1);
insert into chat_key_wraps (user_id, key_id, kind, wrap) values (tests.user_id('owner'), pg_temp.id('key'), 'recovery', 'x');
insert into chat_segments (user_id, chat_id, number, encrypted_data, key_id)
values (tests.user_id('owner'), pg_temp.id('chat'), 0, 'x', pg_temp.id('key'));
insert into chat_sessions (id, user_id) values (pg_temp.id('session'), tests.user_id('owner'));
insert into credit_units (unit) values ('images');
insert into fragments (id, user_id, title, template, code, file_path)
values (pg_temp.id('fragment'), tests.user_id('owner'), 'F', 't', 'c', 'f');

select private.seal_entries(tests.account_of('owner'), 0, 100);

create temp table matrix (
  tbl text, owner text, stranger text, member text, admin text, boss text, anon text, service text,
  columns text, row_values text, change text, row_where text
);

-- Rows of one user, which nobody else sees: named by their user_id.
insert into matrix
select tbl, '1111', '0x00', '0x00', '0x00', '0x00', 'xxxx', '1111', columns, row_values, change, row_where
from (values
  ('user_profiles', 'user_id', '{owner}', 'full_name = ''x''', 'user_id = {owner}'),
  ('user_preferences', 'user_id', '{owner}', 'theme = ''dark''', 'user_id = {owner}'),
  ('user_settings', 'user_id', '{owner}', 'language = ''de''', 'user_id = {owner}'),
  ('user_security_settings', 'user_id', '{owner}', 'login_notifications = false', 'user_id = {owner}'),
  ('user_integrations', 'user_id, service_name', '{owner}, ''github''', 'is_connected = true', 'user_id = {owner}'),
  ('theme_settings', 'user_id', '{owner}', 'grain_enabled = true', 'user_id = {owner}'),
  ('customization_preferences', 'user_id', '{owner}', 'show_tps = true', 'user_id = {owner}'),
  ('users_teams', 'user_id, team_id', '{owner}, {team}', 'is_default = true', 'user_id = {owner}'),
  ('conversations', 'id, user_id', '{new}, {owner}', 'title = ''x''', 'user_id = {owner}'),
  ('conversation_threads', 'name, created_by', '''t'', {owner}', 'name = ''x''', 'created_by = {owner}'),
  ('encrypted_chats', 'user_id, encrypted_data', '{owner}, tests.envelope()', 'is_starred = true', 'user_id = {owner}'),
  ('chat_sessions', 'user_id, scenario_id, status', '{owner}, ''s'', ''active''', 'title = ''x''', 'user_id = {owner}'),
  ('chat_messages', 'session_id, sender, content', '{session}, ''user'', ''x''', 'content = ''y''', 'session_id = {session}'),
  ('chat_message_cache', 'session_id, message_id, role, content', '{session}, ''m'', ''user'', ''x''', 'content = ''y''', 'session_id = {session}'),
  ('tasks', 'user_id, prompt', '{owner}, ''x''', 'progress = 50', 'user_id = {owner}'),
  ('workspace_files', 'user_id, project_id, path, name', '{owner}, {project}, ''a'', ''a''', 'content = ''x''', 'user_id = {owner}'),
  ('fragment_executions', 'fragment_id, user_id, template', '{fragment}, {owner}, ''t''', 'status = ''running''', 'user_id = {owner}'),
  ('user_goals', 'user_id, title', '{owner}, ''x''', 'progress_percentage = 50', 'user_id = {owner}'),
  ('user_progress', 'user_id, metric_type', '{owner}, ''m''', 'metric_value = 5', 'user_id = {owner}'),
  ('journal_entries', 'user_id, content', '{owner}, ''x''', 'mood = ''calm''', 'user_id = {owner}')
) as own (tbl, columns, row_values, change, row_where);

-- The others.          owner   stranger member  admin   boss    anon    service
insert into matrix values
  ('profiles',           '111x', '0x0x', '0x0x', '0x0x', '0x0x', 'xxxx', '1111',
    'id', '{owner}', 'display_name = ''x''', 'id = {owner}'),
  ('api_keys',           '1x11', '0x00', '0x00', '0x00', '0x00', 'xxxx', '1111',
    'user_id, name, key_hash, key_prefix', '{owner}, ''k'', ''h'', ''p''', 'name = ''x''', 'user_id = {owner}'),
  ('api_key_events',     '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, key_id, key_prefix, event', '{owner}, {new}, ''p'', ''created''', 'event = ''deleted''', 'user_id = {owner}'),
  ('teams',              '1x0x', '0x0x', '1x0x', '1x1x', '1x1x', 'xxxx', '1111',
    'id, name', '{new}, ''T''', 'name = ''x''', 'id = {team}'),
  ('team_members',       '1x00', '0x00', '1x00', '1x11', '1x11', 'xxxx', '1111',
    'team_id, user_id, role', '{team}, {guest}, ''member''', 'role = ''admin''', 'user_id = {guest}'),
  ('team_invitations',   '0xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'team_id, team_name, email, role, invited_by, expires_at', '{team}, ''Team'', ''a@example.com'', ''member'', {boss}, now()',
    'role = ''owner''', 'team_id = {team}'),
  ('team_usage_limits',  '1xxx', '0xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1111',
    'team_id, usage_type', '{team}, ''api_calls''', 'limit_value = 9', 'team_id = {team}'),
  ('billing_info',       '0x0x', '0x0x', '0x0x', '111x', '111x', 'xxxx', '1111',
    'team_id, company_name, company_email, address, city, state, postal_code',
    '{team}, ''C'', ''a@example.com'', ''a'', ''c'', ''s'', ''p''', 'city = ''x''', 'team_id = {team}'),
  ('subscription_events', '0xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1111',
    'team_id, event_type', '{team}, ''e''', 'event_type = ''x''', 'team_id = {team}'),
  ('workflows',          '1110', '0x00', '1110', '1111', '1111', 'xxxx', '1111',
    'team_id, name, schema', '{team}, ''w'', ''{}''', 'name = ''x''', 'team_id = {team}'),
  ('projects',           '1111', '0x00', '1x00', '1x10', '1x11', '0xxx', '1111',
    'user_id, team_id, title', '{owner}, {team}, ''P''', 'title = ''x''', 'id = {project}'),
  ('project_files',      '1111', '0x00', '1x00', '1x00', '1x00', 'xxxx', '1111',
    'project_id, file_name, storage_path, file_type, file_size',
    '{project}, ''f'', ''p'', ''pdf'', 1', 'file_name = ''x''', 'project_id = {project}'),
  ('file_uploads',       '1111', '0x00', '1x00', '1x00', '1x00', 'xxxx', '1111',
    'user_id, project_id, file_name, file_path, bucket_name',
    '{owner}, {project}, ''f'', ''p'', ''b''', 'file_name = ''x''', 'user_id = {owner}'),
  ('messages',           '1111', '0x00', '1100', '1100', '1100', 'xxxx', '1111',
    'project_id, role, content, sequence_number', '{project}, ''user'', ''"x"'', 0',
    'content = ''"y"''', 'project_id = {project}'),
  ('messages',           '1111', '0x00', '0x00', '0x00', '0x00', 'xxxx', '1111',
    'conversation_id, role, content', '{conversation}, ''user'', ''"x"''',
    'content = ''"y"''', 'conversation_id = {conversation}'),
  ('project_chats',      '11x1', '0xx0', '0xx0', '0xx0', '0xx0', 'xxxx', '1111',
    'project_id, chat_id', '{project}, {chat}', 'added_at = now()', 'project_id = {project}'),
  ('fragments',          '1111', '0x00', '1x00', '1x00', '1x00', '0xxx', '1111',
    'user_id, project_id, title, template, code, file_path',
    '{owner}, {project}, ''Shared'', ''t'', ''c'', ''f''', 'title = ''x''', 'title = ''Shared'''),
  ('user_chat_analytics', '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1111',
    'user_id', '{owner}', 'total_messages = 9', 'user_id = {owner}'),
  ('chat_keys',          '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, id, epoch', '{owner}, {new}, 2', 'epoch = 9', 'user_id = {owner}'),
  ('chat_key_wraps',     '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, key_id, kind, wrap', '{owner}, {key}, ''epoch'', ''x''', 'wrap = ''y''', 'user_id = {owner}'),
  ('chat_approvals',     '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, id, share, expires_at', '{owner}, {new}, ''x'', now()', 'closed = ''done''', 'user_id = {owner}'),
  ('chat_segments',      '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, chat_id, number, encrypted_data, key_id', '{owner}, {chat}, 1, ''x'', {key}', 'number = 9',
    'user_id = {owner}'),
  ('waitlist',           'x1xx', 'x1xx', 'x1xx', 'x1xx', 'x1xx', 'x1xx', '1111',
    'email', '''waiting@example.com''', 'email = ''b@example.com''', 'email = ''waiting@example.com'''),
  ('site_visits',        'x1xx', 'x1xx', 'x1xx', 'x1xx', 'x1xx', 'x1xx', '1111',
    'path', '''/tried''', 'path = ''/x''', 'path = ''/tried'''),
  ('credit_prices',      '1xxx', '1xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1111',
    'sku, unit, price', '''tried'', ''one'', 1', 'price = 2', 'sku = ''tried'''),
  ('models',             '1xxx', '1xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1111',
    'name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price',
    '''tried'', ''tried'', ''m'', 9, 9, 1, 1', 'rank = 2', 'name = ''tried'''),
  ('model_providers',    'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1111',
    'name, secret_name', '''tried_two'', ''TRIED_API_KEY''', 'base_url = null', 'name = ''tried_two'''),
  ('answers',            '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id, conversation_id, model, prices, input_tokens', '{owner}, {conversation}, ''m'', ''{}'', 1',
    'stop_requested = true', 'user_id = {owner}'),
  ('answer_parts',       '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'answer_id, number, user_id, pieces, input_tokens, output_tokens', '{answer}, 1, {owner}, ''[]'', 1, 1',
    'number = 9', 'user_id = {owner}'),
  ('replaced_messages',  '1xx1', '0xx0', '1xx0', '1xx0', '1xx0', 'xxxx', '1xx1',
    'message_id, user_id, project_id, role, content, metadata, status, created_at',
    '{new}, {owner}, {project}, ''user'', ''"x"'', ''{}'', ''complete'', now()', 'status = ''x''', 'project_id = {project}'),
  ('replaced_messages',  '1xx1', '0xx0', '0xx0', '0xx0', '0xx0', 'xxxx', '1xx1',
    'message_id, user_id, conversation_id, role, content, metadata, status, created_at',
    '{new}, {owner}, {conversation}, ''user'', ''"x"'', ''{}'', ''complete'', now()', 'status = ''x''',
    'conversation_id = {conversation}'),
  ('webhook_events',     'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1xxx',
    'provider, event_id, type, outcome', '''stripe'', ''evt_tried'', ''t'', ''ignored''', 'attempts = 9',
    'event_id = ''evt_tried'''),
  ('webhook_refusals',   'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1xxx',
    'provider, reason', '''stripe'', ''tried''', 'deliveries = 9', 'reason = ''tried'''),
  ('stripe_prices',      'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1111',
    'id, credits', '''price_tried'', 1', 'credits = 9', 'id = ''price_tried'''),
  ('stripe_customers',   'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1111',
    'id, user_id', '''cus_tried'', {owner}', 'user_id = {guest}', 'id = ''cus_tried'''),
  ('stripe_subscriptions', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1xxx',
    'id, customer_id, user_id', '''sub_tried'', ''cus_tried'', {owner}', 'status = ''active''', 'id = ''sub_tried'''),
  ('stripe_payments',    'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1xxx',
    'id, account_id, amount, credits, grant_ids', '''in_tried'', {account}, 1, 1, ''{}''', 'amount = 9',
    'id = ''in_tried'''),
  ('blocked_email_domains', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', 'xxxx', '1111',
    'domain', '''tried.example''', 'reason = ''x''', 'domain = ''tried.example'''),
  ('credit_member_limits', '1x0x', '0x0x', '0x0x', '1x1x', '1x1x', 'xxxx', '1x1x',
    'team_id, user_id', '{team}, {owner}', 'credit_limit = 9', 'user_id = {owner}'),
  ('credit_unit_limits', '1x0x', '0x0x', '0x0x', '111x', '111x', 'xxxx', '111x',
    'team_id, user_id, unit', '{team}, {owner}, ''images''', 'credit_limit = 9', 'user_id = {owner}'),
  ('credit_units',       '1xxx', '1xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '111x',
    'unit', '''tried''', 'description = ''x''', 'unit = ''tried'''),
  ('credit_grants',      '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'account_id, category, amount, remaining, status, effective_at, source, created_at',
    '{account}, ''paid'', 1, 1, ''active'', now(), ''s'', now()', 'remaining = 9', 'account_id = {account}'),
  ('credit_grants',      '0xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'account_id, category, amount, remaining, status, effective_at, source, created_at',
    '{team_account}, ''paid'', 1, 1, ''active'', now(), ''s'', now()', 'remaining = 9', 'account_id = {team_account}'),
  ('credit_holds',       '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'account_id, amount, allocations, expires_at, created_at',
    '{account}, 1, ''[]'', now() + interval ''1 day'', now()', 'amount = 9', 'account_id = {account}'),
  ('credit_holds',       '1xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'account_id, amount, allocations, actor_id, expires_at, created_at',
    '{team_account}, 1, ''[]'', {owner}, now() + interval ''1 day'', now()', 'amount = 9',
    'account_id = {team_account}'),
  ('credit_alerts',      '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'account_id, threshold, available', '{account}, 1, 0', 'available = 9', 'account_id = {account}'),
  ('credit_alerts',      '0xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'account_id, threshold, available', '{team_account}, 1, 0', 'available = 9', 'account_id = {team_account}'),
  ('credit_accounts',    '1xxx', '0xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'team_id', '{team}', 'balance = 9', 'team_id = {team}'),
  ('credit_transactions', '1xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    'account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at',
    '{team_account}, 99, ''grant'', 1, 1, ''service'', {owner}, now()', 'amount = 9', 'account_id = {team_account}'),
  ('credit_accounts',    '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'user_id', '{owner}', 'balance = 9', 'user_id = {owner}'),
  ('credit_transactions', '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    'account_id, entry_no, kind, amount, balance_after, actor, created_at',
    '{account}, 99, ''grant'', 1, 1, ''system'', now()', 'amount = 9', 'account_id = {account}');

-- Views, which have no more than select; the team's project is its members' to see.
insert into matrix values
  ('user_credits',       '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}'),
  ('team_credits',       '1xxx', '0xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    null, null, null, 'team_id = {team}'),
  ('team_member_credits', '1xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}'),
  ('credit_balances',    '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}'),
  ('credit_balances',    '1xxx', '0xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    null, null, null, 'team_id = {team}'),
  ('team_member_balances', '1xxx', '0xxx', '0xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner} and unit = ''credits'''),
  ('project_stats',      '1xxx', '0xxx', '1xxx', '1xxx', '1xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}'),
  ('chat_sessions_with_counts', '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}'),
  ('credit_ledger_heads', '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    null, null, null, 'account_id = {account}'),
  ('user_statistics',    '1xxx', '0xxx', '0xxx', '0xxx', '0xxx', 'xxxx', '1xxx',
    null, null, null, 'user_id = {owner}');

insert into matrix
select 'code_embeddings', '1111', '0x00', '0x00', '0x00', '0x00', 'xxxx', '1111',
  'user_id, content', '{owner}, ''x''', 'content = ''y''', 'user_id = {owner}'
where to_regclass('public.code_embeddings') is not null;

-- Statements ----------------------------------------------------------------------------------------

create function pg_temp.fill(template text) returns text language sql as $$
  select replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(template,
    '{boss}', quote_literal(tests.user_id('boss'))),
    '{owner}', quote_literal(tests.user_id('owner'))),
    '{guest}', quote_literal(tests.user_id('guest'))),
    '{account}', quote_literal(tests.account_of('owner'))),
    '{team_account}', (select quote_literal(a.id) from public.credit_accounts as a where a.team_id = pg_temp.id('team'))),
    '{team}', quote_literal(pg_temp.id('team'))),
    '{project}', quote_literal(pg_temp.id('project'))),
    '{conversation}', quote_literal(pg_temp.id('conversation'))),
    '{chat}', quote_literal(pg_temp.id('chat'))),
    '{key}', quote_literal(pg_temp.id('key'))),
    '{session}', quote_literal(pg_temp.id('session'))),
    '{answer}', quote_literal(pg_temp.id('answer'))),
    '{fragment}', quote_literal(pg_temp.id('fragment'))),
    '{new}', quote_literal(gen_random_uuid()))
$$;

-- Where the rows are: the views of the ledger show tables of the same names in private.
create function pg_temp.source(tbl text) returns text language sql as $$
  select coalesce(to_regclass(format('private.%I', tbl)), to_regclass(format('public.%I', tbl)))::text
$$;

-- The tables that have none yet get the owner's row; a project's stays the one.
do $$
declare
  m record;
  v_there bigint;
begin
  for m in select * from matrix where columns is not null loop
    execute format('select count(*) from %I where %s', m.tbl, pg_temp.fill(m.row_where)) into v_there;
    if v_there = 0 then
      execute format('insert into %s (%s) values (%s)', pg_temp.source(m.tbl), m.columns, pg_temp.fill(m.row_values));
    end if;
  end loop;
end $$;

-- What makes room for a row just like the owner's: nothing may hang from these two.
create function pg_temp.make_room(m matrix) returns text language sql as $$
  select case when m.tbl = any (array['teams', 'projects', 'credit_accounts']) then null
    else format('delete from %s where %s', pg_temp.source(m.tbl), pg_temp.fill(m.row_where)) end
$$;

create function pg_temp.statement(m matrix, action text) returns text language sql as $$
  select pg_temp.fill(case action
    when 'select' then format('select 1 from %I where %s', m.tbl, m.row_where)
    when 'insert' then format('insert into %I (%s) values (%s)', m.tbl, m.columns, m.row_values)
    when 'update' then format('update %I set %s where %s', m.tbl, m.change, m.row_where)
    when 'delete' then format('delete from %I where %s', m.tbl, m.row_where)
  end)
$$;

-- The matrix covers what there is.
select bag_eq(
  $$ select distinct tbl from matrix $$,
  $$ select c.relname::text from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') $$,
  'every table and view is in the matrix');

-- A column is one role; anon, which has no grant on most, is told so by the statement failing.
select is(
  tests.attempt(actor.name, pg_temp.statement(m, a.action),
    case when a.action = 'insert' and m.columns is not null then pg_temp.make_room(m) end,
    m.tbl, case when a.action in ('update', 'delete') then pg_temp.fill(m.row_where) end),
  case substr(actor.cell, a.place, 1) when 'x' then '42501' else substr(actor.cell, a.place, 1) end,
  format('%s: %s by %s', m.tbl, a.action, actor.name))
from matrix as m
cross join lateral (values ('owner', m.owner), ('stranger', m.stranger), ('member', m.member),
  ('admin', m.admin), ('boss', m.boss), ('anon', m.anon), ('service', m.service)) as actor (name, cell)
cross join (values ('select', 1), ('insert', 2), ('update', 3), ('delete', 4)) as a (action, place)
where m.columns is not null or a.action = 'select';

-- TRUNCATE, REFERENCES and TRIGGER are nobody's: row level security does not see the first.
select is_empty(
  $$ select table_name, grantee, privilege_type from information_schema.table_privileges
    where table_schema = 'public' and grantee in ('PUBLIC', 'anon', 'authenticated', 'service_role')
      and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE') $$,
  'nobody may truncate a table, refer to it or hang a trigger on it');
select is_empty(
  $$ select p.table_name, p.grantee, p.privilege_type from information_schema.table_privileges p
    join information_schema.views v using (table_schema, table_name)
    where p.table_schema = 'public' and p.grantee <> 'postgres' and p.grantee <> 'stack_api'
      and (p.privilege_type <> 'SELECT' or p.grantee in ('PUBLIC', 'anon')) $$,
  'a view is read by signed-in users and the service, and no more');

-- The end of an account ---------------------------------------------------------------------------------

-- Every uuid column of every table that has the user's id in it, found in the catalog.
create function pg_temp.traces() returns setof text language plpgsql as $$
declare
  c record;
  v_rows bigint;
begin
  for c in
    select a.attrelid::regclass as tbl, a.attname from pg_attribute a
    join pg_class r on r.oid = a.attrelid and r.relkind = 'r'
    where r.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'auth'::regnamespace)
      and a.atttypid = 'uuid'::regtype and not a.attisdropped
  loop
    execute format('select count(*) from %s where %I = %L', c.tbl, c.attname, tests.user_id('owner')) into v_rows;
    if v_rows > 0 then
      return next c.tbl || '.' || c.attname;
    end if;
  end loop;
end $$;
select cmp_ok((select count(*) from pg_temp.traces()), '>', 15::bigint, 'the owner is in many tables');
delete from auth.users where id = tests.user_id('owner');
-- A service may still capture what a team holds for them.
select bag_eq($$ select * from pg_temp.traces() $$,
  array['private.credit_holds.actor_id', 'private.former_members.user_id', 'private.deleted_accounts.user_id'],
  'deleting the user leaves no trace of them but a running hold of their team');
delete from private.credit_holds where actor_id = tests.user_id('owner');
select ok(private.purge_account(tests.user_id('owner'), 10000), 'the rest is cleared');
select is_empty('select * from pg_temp.traces()', 'when it has ended, nothing is left');
select is_empty(
  $$ select 1 from messages where project_id = pg_temp.id('project') or conversation_id = pg_temp.id('conversation')
    union all select 1 from chat_messages where session_id = pg_temp.id('session')
    union all select 1 from project_files where project_id = pg_temp.id('project') $$,
  'nor of what belonged to what was theirs');

select * from finish();
rollback;
