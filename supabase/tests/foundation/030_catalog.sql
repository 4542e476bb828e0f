-- Every index, trigger, enum and realtime table there is: one that goes missing, or comes unasked, is named here.

begin;
select plan(7);

select bag_eq(
  $$ select tablename::text, string_agg(indexname, ' ' order by indexname collate "C") from pg_indexes
    where schemaname = 'public' and tablename <> 'code_embeddings' group by 1 $$,
  $$ values
    ('api_keys', 'api_keys_key_hash_key api_keys_pkey idx_api_keys_user_id'),
    ('billing_info', 'billing_info_pkey billing_info_team_id_key'),
    ('blocked_email_domains', 'blocked_email_domains_pkey'),
    ('chat_key_wraps', 'chat_key_wraps_pkey chat_key_wraps_unique'),
    ('chat_keys', 'chat_keys_pkey chat_keys_user_epoch_key'),
    ('chat_message_cache',
      'chat_message_cache_pkey idx_chat_message_cache_content_vector idx_chat_message_cache_created_at idx_chat_message_cache_session_id'),
    ('chat_messages', 'chat_messages_pkey idx_chat_messages_session_created'),
    ('chat_segments', 'chat_segments_pkey'),
    ('chat_sessions',
      'chat_sessions_pkey chat_sessions_session_id_key idx_chat_sessions_last_activity idx_chat_sessions_status idx_chat_sessions_team_id idx_chat_sessions_user_id'),
    ('conversation_threads', 'conversation_threads_pkey idx_conversation_threads_created_by'),
    ('conversations', 'conversations_pkey idx_conversations_updated_at idx_conversations_user_id'),
    ('credit_accounts',
      'credit_accounts_next_due_at credit_accounts_pkey credit_accounts_team_id_key credit_accounts_user_id_key'),
    ('credit_alerts', 'credit_alerts_account_id credit_alerts_pkey'),
    ('credit_grants',
      'credit_grants_account_id credit_grants_external_reference_key credit_grants_pending credit_grants_pkey credit_grants_spendable'),
    ('credit_holds', 'credit_holds_account_id credit_holds_entry_key credit_holds_open credit_holds_pkey'),
    ('credit_member_limits', 'credit_member_limits_pkey idx_credit_member_limits_user_id'),
    ('credit_prices', 'credit_prices_pkey'),
    ('credit_transactions', 'credit_transactions_pkey'),
    ('customization_preferences', 'customization_preferences_pkey'),
    ('encrypted_chats',
      'encrypted_chats_image_paths encrypted_chats_pkey encrypted_chats_user_sync idx_encrypted_chats_starred idx_encrypted_chats_user_id idx_encrypted_chats_user_updated'),
    ('file_uploads',
      'file_uploads_expiry file_uploads_object file_uploads_pending file_uploads_pkey file_uploads_user_chat idx_file_uploads_created_at idx_file_uploads_project_id idx_file_uploads_user_id'),
    ('fragment_executions',
      'fragment_executions_pkey idx_fragment_executions_fragment_id idx_fragment_executions_user_id'),
    ('fragments',
      'fragments_pkey idx_fragments_project_id idx_fragments_public idx_fragments_template idx_fragments_user_id'),
    ('journal_entries', 'idx_journal_entries_created_at idx_journal_entries_user_id journal_entries_pkey'),
    ('messages',
      'idx_messages_conversation_created idx_messages_conversation_id messages_drafts messages_hold_id_key messages_pkey messages_project_sequence_key messages_search'),
    ('profiles', 'profiles_pkey'),
    ('project_chats',
      'idx_project_chats_chat_id idx_project_chats_project_id project_chats_pkey project_chats_user_chat unique_project_chat'),
    ('project_files', 'idx_project_files_project_id project_files_object project_files_pkey'),
    ('projects',
      'idx_projects_archived idx_projects_created_at idx_projects_public idx_projects_status idx_projects_team_id idx_projects_updated_at idx_projects_user_id projects_deleted_at projects_pkey'),
    ('site_visits', 'site_visits_pkey'),
    ('stripe_customers', 'stripe_customers_pkey stripe_customers_team_id stripe_customers_user_id'),
    ('stripe_payments', 'stripe_payments_account_id stripe_payments_pkey stripe_payments_subscription_id'),
    ('stripe_prices', 'stripe_prices_pkey'),
    ('stripe_subscriptions',
      'stripe_subscriptions_pkey stripe_subscriptions_team_id stripe_subscriptions_user_id'),
    ('subscription_events',
      'idx_subscription_events_team_id subscription_events_pkey subscription_events_stripe_event_id_key'),
    ('tasks', 'idx_tasks_created_at idx_tasks_status idx_tasks_user_id tasks_finished tasks_pkey'),
    ('team_members', 'idx_team_members_user_id team_members_pkey team_members_unique'),
    ('team_usage_limits', 'team_usage_limits_pkey team_usage_limits_unique'),
    ('teams', 'teams_pkey teams_stripe_customer_id_key teams_stripe_subscription_id_key'),
    ('theme_settings', 'idx_theme_settings_user_id theme_settings_pkey'),
    ('user_chat_analytics', 'user_chat_analytics_pkey user_chat_analytics_user_id_key'),
    ('user_goals', 'idx_user_goals_status idx_user_goals_user_id user_goals_pkey'),
    ('user_integrations', 'user_integrations_pkey user_integrations_unique'),
    ('user_preferences', 'idx_user_preferences_user_id user_preferences_pkey'),
    ('user_profiles', 'idx_user_profiles_user_id user_profiles_pkey'),
    ('user_progress',
      'idx_user_progress_metric_type idx_user_progress_user_id user_progress_pkey user_progress_user_id_metric_type_key'),
    ('user_security_settings', 'user_security_settings_pkey user_security_settings_user_id_key'),
    ('user_settings', 'idx_user_settings_user_id user_settings_pkey'),
    ('users_teams', 'idx_users_teams_team_id users_teams_one_default users_teams_pkey users_teams_unique'),
    ('waitlist', 'waitlist_pkey'),
    ('webhook_events',
      'webhook_events_event_key webhook_events_open webhook_events_pkey webhook_events_received_at webhook_events_subscription webhook_events_type'),
    ('webhook_refusals', 'webhook_refusals_pkey'),
    ('workflows', 'idx_workflows_team_id workflows_pkey'),
    ('workspace_files',
      'idx_workspace_files_created_at idx_workspace_files_parent_path idx_workspace_files_path idx_workspace_files_project_id idx_workspace_files_user_id workspace_files_pkey workspace_files_unique_path') $$,
  'the indexes are those we know');

select is_empty(
  $$ select c.conrelid::regclass, c.conname from pg_constraint c
    where c.connamespace = 'public'::regnamespace and not c.convalidated $$,
  'every constraint holds for every row');

select bag_eq(
  $$ select c.relname::text, string_agg(t.tgname || ' ' || p.proname, ', ' order by t.tgname collate "C")
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal and c.relnamespace = 'public'::regnamespace group by 1 $$,
  $$ values
    ('api_keys', 'update_api_keys_updated_at update_updated_at_column'),
    ('billing_info', 'update_billing_info_updated_at update_updated_at_column'),
    ('chat_sessions', 'keep_team keep_team, update_chat_sessions_updated_at update_updated_at_column'),
    ('conversation_threads', 'update_conversation_threads_updated_at update_updated_at_column'),
    ('conversations', 'conversations_updated_at handle_updated_at'),
    ('credit_accounts', 'raise_credit_alert raise_credit_alert'),
    ('credit_grants', 'credit_grants_status refuse_row, credit_grants_terms refuse_row'),
    ('credit_member_limits', 'update_credit_member_limits_updated_at handle_updated_at'),
    ('credit_transactions',
      'credit_transactions_append_only refuse_change_of_history, credit_transactions_no_truncate refuse_change_of_history'),
    ('customization_preferences', 'update_customization_preferences_updated_at handle_updated_at'),
    ('encrypted_chats',
      'bury_chat bury_chat, check_chat_envelopes check_chat_envelopes, lock_own_chats lock_own_chats, number_chat number_chat, queue_chat_images queue_chat_images, update_encrypted_chats_updated_at handle_updated_at'),
    ('file_uploads',
      'keep_reservation keep_reservation, lock_upload_chat lock_upload_chat, queue_upload_deleted queue_upload, queue_upload_moved queue_upload, update_file_uploads_updated_at update_updated_at_column'),
    ('fragments', 'update_fragments_updated_at update_updated_at_column'),
    ('journal_entries', 'update_journal_entries_updated_at handle_updated_at'),
    ('messages',
      'check_message_size check_message_size, enter_project enter_project, on_message_created update_conversation_timestamp, update_messages_updated_at update_updated_at_column'),
    ('profiles', 'profiles_updated_at handle_updated_at'),
    ('project_chats', 'take_project_owner take_project_owner'),
    ('project_files',
      'queue_project_file_deleted queue_project_file, queue_project_file_moved queue_project_file, take_project_owner take_project_owner, update_project_files_updated_at handle_updated_at'),
    ('projects',
      'keep_purged_project keep_purged_project, keep_team keep_team, sync_project_archived sync_project_archived, update_projects_updated_at update_updated_at_column'),
    ('stripe_prices', 'stripe_prices_updated_at handle_updated_at'),
    ('tasks', 'update_tasks_updated_at update_updated_at_column'),
    ('team_members',
      'keep_team_owner keep_team_owner, open_credit_member_limit open_credit_member_limit, update_team_members_updated_at update_updated_at_column'),
    ('team_usage_limits', 'update_team_usage_limits_updated_at update_updated_at_column'),
    ('teams',
      'forget_idempotency_keys forget_idempotency_keys, open_team_credit_account open_team_credit_account, update_teams_updated_at update_updated_at_column'),
    ('theme_settings', 'update_theme_settings_updated_at handle_updated_at'),
    ('user_chat_analytics', 'update_user_chat_analytics_updated_at update_updated_at_column'),
    ('user_goals', 'complete_user_goal complete_user_goal, update_user_goals_updated_at handle_updated_at'),
    ('user_integrations', 'update_user_integrations_updated_at update_updated_at_column'),
    ('user_preferences', 'update_user_preferences_updated_at update_updated_at_column'),
    ('user_profiles', 'update_user_profiles_updated_at update_updated_at_column'),
    ('user_progress', 'update_user_progress_updated_at handle_updated_at'),
    ('user_security_settings', 'update_user_security_settings_updated_at update_updated_at_column'),
    ('user_settings', 'update_user_settings_updated_at handle_updated_at'),
    ('users_teams', 'update_users_teams_updated_at update_updated_at_column'),
    ('workflows', 'update_workflows_updated_at update_updated_at_column'),
    ('workspace_files', 'update_workspace_files_updated_at update_updated_at_column') $$,
  'the triggers are those we know');

select bag_eq(
  $$ select t.typname::text, string_agg(e.enumlabel, ' ' order by e.enumsortorder) from pg_enum e
    join pg_type t on t.oid = e.enumtypid where t.typnamespace = 'public'::regnamespace group by 1 $$,
  $$ values ('message_role_enum', 'user assistant system'),
    ('project_status_enum', 'active archived deleted'),
    ('subscription_status_enum', 'active canceled past_due unpaid incomplete'),
    ('task_status_enum', 'pending processing completed error') $$,
  'the enums have their values');

select bag_eq(
  $$ select tablename::text from pg_publication_tables where pubname = 'supabase_realtime' $$,
  array['chat_messages', 'chat_sessions', 'credit_alerts', 'messages', 'user_goals', 'user_profiles', 'user_progress'],
  'Realtime publishes seven tables');

select is(
  (select count(*) from pg_trigger where tgrelid = 'auth.users'::regclass and tgname = 'on_auth_user_created'),
  1::bigint, 'one trigger signs a user up');
select is(
  (select count(*) from pg_trigger where tgrelid = 'auth.users'::regclass and tgname = 'on_auth_user_deleted'),
  1::bigint, 'one takes along what no foreign key does');

select * from finish();
rollback;
