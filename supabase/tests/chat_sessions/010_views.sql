-- The views and the function that Sorar AI reads.

begin;
select plan(12);
select tests.create_user(name) from unnest(array['owner', 'other']) as name;
select tests.authenticate_as('owner');

select results_eq($$ select total_chat_sessions, total_messages, completed_goals, active_goals, journal_entries_count,
  last_chat_session from user_statistics $$,
  $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, null::timestamptz) $$, 'a new user has zeros');
select is(get_user_full_profile(tests.user_id('owner')) - 'profile' - 'settings',
  '{"progress": [], "active_goals": []}', 'and no progress and no goals');
select is(get_user_full_profile(tests.user_id('owner')) -> 'settings' ->> 'language', 'en', 'but settings');
select is(get_user_full_profile(tests.user_id('other')),
  '{"profile": null, "settings": null, "progress": [], "active_goals": []}', 'and nothing of another user');

insert into chat_sessions (user_id, scenario_id, status) values
  (tests.user_id('owner'), 'first', 'active'), (tests.user_id('owner'), 'second', 'active'),
  (tests.user_id('owner'), 'third', 'active');
insert into chat_messages (session_id, sender, content)
select id, 'user', 'x' from chat_sessions cross join generate_series(1, 3) where scenario_id = 'first';
insert into chat_message_cache (session_id, message_id, role, content)
select id, 'm', 'user', 'searching the needle' from chat_sessions cross join generate_series(1, 2) where scenario_id = 'second';
insert into user_goals (user_id, title, status) values
  (tests.user_id('owner'), 'a', 'active'), (tests.user_id('owner'), 'b', 'completed'), (tests.user_id('owner'), 'c', 'completed');
insert into journal_entries (user_id, content) values (tests.user_id('owner'), 'x');

select results_eq($$ select total_chat_sessions, total_messages, completed_goals, active_goals, journal_entries_count,
  last_chat_session from user_statistics $$,
  $$ values (3::bigint, 3::bigint, 2::bigint, 1::bigint, 1::bigint, now()) $$, 'user_statistics counts each once');
select results_eq($$ select scenario_id, message_count, last_message_at = (
    select max(m.created_at) from (select session_id, created_at from chat_messages
      union all select session_id, created_at from chat_message_cache) as m where m.session_id = c.id)
    from chat_sessions_with_counts as c order by 1 $$,
  $$ values ('first', 3::bigint, true), ('second', 2::bigint, true), ('third', 0::bigint, null) $$,
  'chat_sessions_with_counts counts messages of either kind');
select is(jsonb_array_length(get_user_full_profile(tests.user_id('owner')) -> 'active_goals'), 1, 'active goals only');
select isnt_empty($$ select 1 from chat_message_cache where content_vector @@ to_tsquery('english', 'search & needles') $$,
  'cached messages are searchable');
select is((select s.notifications from user_settings s), true, 'notifications is what notifications_enabled is');
select throws_ok($$ insert into chat_messages (session_id, sender) select id, 'bot' from chat_sessions limit 1 $$,
  '23514', null, 'a sender is user or ai');
select throws_ok($$ insert into chat_sessions (user_id, status) values (tests.user_id('owner'), 'open') $$,
  '23514', null, 'a status is one of four');
delete from chat_sessions;
select is_empty($$ select 1 from chat_messages union all select 1 from chat_message_cache $$,
  'messages go with their session');

select * from finish();
rollback;
