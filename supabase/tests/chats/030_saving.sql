-- Saving chats: by version, by segments, directly; and what the others of one's own are told.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('saving ' || name)::uuid $$;
insert into chat_keys (user_id, id, epoch) select tests.user_id(u), pg_temp.id('key'), 1 from unnest(array['owner', 'stranger']) as u;
insert into private.chat_owners (user_id, key_version, key_id)
select tests.user_id(u), 1, pg_temp.id('key') from unnest(array['owner', 'stranger']) as u;
create function pg_temp.envelope(bytes integer default 16) returns text language sql as $$
  select tests.envelope(pg_temp.id('key'), bytes)
$$;
create function pg_temp.save(expected bigint, data text default null, title text default null, star boolean default null,
  key text default null, chat text default 'chat', actor text default 'owner')
returns saved_chat language sql as $$
  select save_chat(tests.user_id(actor), pg_temp.id(chat), expected, data, title, star, idempotency_key => key)
$$;
create function pg_temp.append(expected bigint, number integer, data text default pg_temp.envelope(), key text default null)
returns saved_chat language sql as $$
  select append_chat_segment(tests.user_id('owner'), pg_temp.id('chat'), expected, number, data, key)
$$;
create function pg_temp.bytes_differ() returns setof record language sql as $$
  select o.user_id, o.bytes, sum(c.real) from private.chat_owners as o join (
    select c.user_id, c.bytes, octet_length(c.encrypted_data) + coalesce(octet_length(c.encrypted_title), 0)
      + coalesce(octet_length(c.title), 0) + coalesce((select sum(octet_length(s.encrypted_data)) from chat_segments as s
      where s.user_id = c.user_id and s.chat_id = c.id), 0) as real
    from encrypted_chats as c) as c on c.user_id = o.user_id
  group by o.user_id, o.bytes having o.bytes <> sum(c.bytes) or sum(c.bytes) <> sum(c.real)
$$;

-- a new chat --------------------------------------------------------------------------------------------------
select tests.authenticate_as_service();
select is(tests.refusal('select pg_temp.save(1, pg_temp.envelope())'), 'PT404 chat_not_found', 'a chat that there is not has no version');
select is(tests.refusal('select pg_temp.save(0)'), 'PT422 data_missing', 'a new chat has content');
select is(tests.refusal('select pg_temp.save(null, pg_temp.envelope())'), 'PT422 invalid_version', 'no version');
select is(tests.refusal('select pg_temp.save(-1, pg_temp.envelope())'), 'PT422 invalid_version', 'less than none');
select is(tests.refusal('select pg_temp.append(0, 0)'), 'PT404 chat_not_found', 'a segment has a chat');

create temp table sent as select pg_temp.envelope() as data, pg_temp.envelope() as title;
grant select on sent to public;
select results_eq($$ select s.version, s.data_version, s.next_segment, s.is_starred, s.replayed from sent, pg_temp.save(0, data, title, true, 'a') as s $$,
  $$ values (1::bigint, 1::bigint, 0, true, false) $$, 'version 0 makes a chat');
select results_eq($$ select s.version, s.replayed from sent, pg_temp.save(0, data, title, true, 'a') as s $$,
  $$ values (1::bigint, true) $$, 'the same request again is the first one');
select is(tests.refusal($$ select pg_temp.save(0, pg_temp.envelope(), null, null, 'a') $$), 'PT422 idempotency_key_reused',
  'its key is for no other');
select results_eq($$ select s.version, s.conflict ->> 'encrypted_data' = data, s.conflict ->> 'encrypted_title' = title
    from sent, pg_temp.save(0, pg_temp.envelope()) as s $$,
  $$ values (1::bigint, true, true) $$, 'made a second time it is a conflict, which says what is there');

-- the next version -----------------------------------------------------------------------------------------------
select results_eq($$ select version, data_version, is_starred, conflict is null from pg_temp.save(1, pg_temp.envelope()) $$,
  $$ values (2::bigint, 2::bigint, true, true) $$, 'at the version that is expected it is saved, and the star stays');
select results_eq($$ select s.conflict ->> 'version', s.conflict ->> 'encrypted_data' = c.encrypted_data
    from encrypted_chats as c, pg_temp.save(1, pg_temp.envelope()) as s $$,
  $$ values ('2', true) $$, 'at another it is a conflict');
select results_eq($$ select s.conflict ->> 'version', s.conflict ? 'encrypted_data', s.conflict ->> 'encrypted_title' = c.encrypted_title
    from encrypted_chats as c, pg_temp.save(1, null, null, false) as s $$,
  $$ values ('2', false, true) $$, 'which has no content when none was to be saved');
select is((select version from encrypted_chats), 2::bigint, 'and nothing was changed');
select results_eq($$ select version, data_version, is_starred from pg_temp.save(2, null, null, false) $$,
  $$ values (3::bigint, 2::bigint, false) $$, 'a star is a version, and no content');
select results_eq($$ select version, data_version from pg_temp.save(3, null, pg_temp.envelope()) $$,
  $$ values (4::bigint, 2::bigint) $$, 'so is a title');

-- segments -------------------------------------------------------------------------------------------------------
select results_eq($$ select version, data_version, next_segment from pg_temp.append(4, 0, pg_temp.envelope(160)) $$,
  $$ values (5::bigint, 2::bigint, 1) $$, 'a segment is a version');
select results_eq($$ select s.conflict ->> 'version', s.conflict ->> 'next_segment', s.conflict ? 'encrypted_data' from pg_temp.append(4, 0) as s $$,
  $$ values ('5', '1', false) $$, 'from another version it is a conflict');
select is(tests.refusal($$ select pg_temp.append(5, 0) $$), 'PT422 invalid_segment_number', 'its number is the next');
select is(tests.refusal($$ select pg_temp.append(5, 2) $$), 'PT422 invalid_segment_number', 'not the one after');
select is(tests.refusal($$ select pg_temp.append(5, null) $$), 'PT422 invalid_segment_number', 'nor none');
create temp table segment as select pg_temp.envelope() as data;
grant select on segment to public;
select results_eq($$ select s.version, s.next_segment, s.replayed from segment, pg_temp.append(5, 1, data, 's') as s $$,
  $$ values (6::bigint, 2, false) $$, 'a second');
select results_eq($$ select s.version, s.next_segment, s.replayed from segment, pg_temp.append(5, 1, data, 's') as s $$,
  $$ values (6::bigint, 2, true) $$, 'sent twice is there once');
select tests.clear_authentication();
select is_empty($$ select * from pg_temp.bytes_differ() as (a uuid, b bigint, c numeric) $$, 'bytes are what there is');

-- read by the owner ----------------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select version, next_segment, encrypted_data is not null, jsonb_path_query_array(segments, '$[*].number'), has_more
    from get_chat(pg_temp.id('chat')) $$,
  $$ values (6::bigint, 2, true, '[0, 1]'::jsonb, false) $$, 'a chat is its content and its segments');
select results_eq($$ select encrypted_data, jsonb_path_query_array(segments, '$[*].number') from get_chat(pg_temp.id('chat'), 1, 2) $$,
  $$ values (null::text, '[1]'::jsonb) $$, 'or what a device lacks');
select results_eq($$ select encrypted_data is null, segments from get_chat(pg_temp.id('chat'), 2, 1) $$,
  $$ values (false, '[]'::jsonb) $$, 'content of another version is not left out');
select is(tests.refusal($$ select get_chat(pg_temp.id('chat'), -1) $$), 'PT422 invalid_segment_number', 'from no number');
select is(tests.refusal($$ select get_chat(pg_temp.id('other')) $$), 'PT404 chat_not_found', 'of no chat');
select tests.clear_authentication();
update private.settings set value = 1024 where name = 'chats.max_page_bytes';
select append_chat_segment(tests.user_id('owner'), pg_temp.id('chat'), 6, 2, pg_temp.envelope(1600));
select tests.authenticate_as('owner');
select results_eq($$ select jsonb_path_query_array(segments, '$[*].number'), has_more from get_chat(pg_temp.id('chat')) $$,
  $$ values ('[0, 1, 2]'::jsonb, false) $$, 'a page ends with the segment that fills it');
select tests.clear_authentication();
select append_chat_segment(tests.user_id('owner'), pg_temp.id('chat'), 7, 3, pg_temp.envelope());
select tests.authenticate_as('owner');
select results_eq($$ select jsonb_path_query_array(segments, '$[*].number'), has_more from get_chat(pg_temp.id('chat'), 1) $$,
  $$ values ('[1, 2]'::jsonb, true) $$, 'the next is on the next page');

-- written directly -------------------------------------------------------------------------------------------------
select is(tests.refusal($$ update encrypted_chats set encrypted_data = pg_temp.envelope() $$), 'PT409 chat_has_segments',
  'who does not know segments does not lose them');
select lives_ok($$ update encrypted_chats set title = 'Clear', is_starred = true, updated_at = '2020-01-01' $$,
  'the rest is as it was');
select results_eq($$ select version, data_version, title, next_segment, updated_at = now() from encrypted_chats $$,
  $$ values (9::bigint, 2::bigint, 'Clear', 4, true) $$, 'and is a version');
select is(tests.refusal($$ update encrypted_chats set version = 99 $$), '42501', 'which nobody writes');
select is_empty($$ update encrypted_chats set title = 'Late' where version = 8 returning 1 $$,
  'who filters by the version it read overwrites nothing');
select tests.clear_authentication();

-- as a whole again -----------------------------------------------------------------------------------------------
select tests.authenticate_as_service();
select results_eq($$ select version, data_version, next_segment from pg_temp.save(9, pg_temp.envelope(320)) $$,
  $$ values (10::bigint, 10::bigint, 4) $$, 'saved as a whole it keeps its next number');
select is_empty($$ select 1 from chat_segments $$, 'and its segments are in it');
select tests.clear_authentication();
select is_empty($$ select * from pg_temp.bytes_differ() as (a uuid, b bigint, c numeric) $$, 'bytes are what there is');
select tests.authenticate_as('owner');
select lives_ok($$ update encrypted_chats set encrypted_data = pg_temp.envelope() $$, 'now it may be written directly too');
select results_eq($$ insert into encrypted_chats (user_id, encrypted_data) values ((select auth.uid()), pg_temp.envelope())
    returning version, next_segment, bytes = octet_length(encrypted_data), key_id $$,
  $$ values (1::bigint, 0, true, pg_temp.id('key')) $$, 'and be made directly');
select is(tests.refusal(format($$ insert into encrypted_chats (id, user_id, encrypted_data) values (%L, (select auth.uid()), pg_temp.envelope()) $$,
  pg_temp.id('chat'))), '23505', 'once');

-- stranger -----------------------------------------------------------------------------------------------------------
select tests.authenticate_as('stranger');
select is_empty('select 1 from encrypted_chats union all select 1 from chat_segments', 'a stranger sees no rows');
select is(tests.refusal(format('select get_chat(%L)', id)), 'PT404 chat_not_found', 'nor whether a chat exists')
from unnest(array[pg_temp.id('chat'), gen_random_uuid()]) as id;
select tests.authenticate_as_service();
select results_eq(format('select tests.refusal(%L)', replace(statement, '{chat}', chat)), $$ values ('PT404 chat_not_found') $$,
  format('%s: %s chat', what, case chat when 'chat' then 'another''s' else 'no' end))
from (values
  ('saved by a stranger', $$ select pg_temp.save(10, pg_temp.envelope(), null, null, null, '{chat}', 'stranger') $$),
  ('renamed', $$ select pg_temp.save(10, null, pg_temp.envelope(), null, null, '{chat}', 'stranger') $$),
  ('added to', $$ select append_chat_segment(tests.user_id('stranger'), pg_temp.id('{chat}'), 10, 4, pg_temp.envelope()) $$),
  ('deleted', $$ select delete_chat(tests.user_id('stranger'), pg_temp.id('{chat}')) $$)
) as c (what, statement) cross join unnest(array['chat', 'no chat']) as chat;
select results_eq($$ select version, conflict is null from pg_temp.save(0, pg_temp.envelope(), null, null, null, 'chat', 'stranger') $$,
  $$ values (1::bigint, true) $$, 'a stranger has the same id for a chat of their own');
select is((select count(*) from encrypted_chats where id = pg_temp.id('chat')), 2::bigint, 'beside the owner''s');

-- deleted --------------------------------------------------------------------------------------------------------------
select is((delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 10)).conflict ->> 'version', '11',
  'deleted from another version is a conflict');
select is((delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 11)).replayed, false, 'from the one that is there it is deleted');
select is((delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 11)).replayed, true, 'a second time was the first');
select is(tests.refusal(statement), 'PT410 chat_deleted', what)
from (values
  ('saved by a device that does not know', 'select pg_temp.save(11, pg_temp.envelope())'),
  ('made anew', 'select pg_temp.save(0, pg_temp.envelope())'),
  ('added to', 'select pg_temp.append(11, 4)'),
  ('inserted', $$ insert into encrypted_chats (id, user_id, encrypted_data)
    values (pg_temp.id('chat'), tests.user_id('owner'), pg_temp.envelope()) $$)
) as c (what, statement);
select is(tests.refusal($$ select save_chat(tests.user_id('owner'), pg_temp.id('chat'), 11, pg_temp.envelope(), restore => true) $$),
  'PT422 invalid_version', 'what is restored has no version');
create temp table used as select encrypted_data from encrypted_chats where user_id = tests.user_id('stranger') limit 0;
insert into used select pg_temp.envelope();
select pg_temp.save(0, encrypted_data, chat => 'used') from used;
select is(tests.refusal($$ select save_chat(tests.user_id('owner'), pg_temp.id('chat'), 0, (select encrypted_data from used),
    restore => true) $$), 'PT409 nonce_reused', 'nor is it restored with a nonce that was used');
select results_eq($$ select version, data_version, next_segment, replayed
    from save_chat(tests.user_id('owner'), pg_temp.id('chat'), 0, pg_temp.envelope(), restore => true) $$,
  $$ values (12::bigint, 12::bigint, 0, false) $$, 'restored, its versions go on');
select is((save_chat(tests.user_id('owner'), pg_temp.id('chat'), 0, pg_temp.envelope(), restore => true)).conflict ->> 'version', '12',
  'what is there is not restored');
select is((pg_temp.save(12, pg_temp.envelope())).version, 13::bigint, 'and can be saved as before');
select is((delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 13)).replayed, false, 'and deleted again');
select tests.authenticate_as('stranger');
select is(tests.refusal($$ insert into encrypted_chats (id, user_id, encrypted_data)
    values (pg_temp.id('chat'), tests.user_id('owner'), pg_temp.envelope()) $$), '42501',
  'a stranger is not told that it was deleted');
select isnt_empty($$ select 1 from encrypted_chats where id = pg_temp.id('chat') $$, 'and keeps their own');
select tests.clear_authentication();
select is_empty($$ select * from pg_temp.bytes_differ() as (a uuid, b bigint, c numeric) $$, 'bytes are what is left');
select lives_ok($$ delete from auth.users where id = tests.user_id('owner') $$, 'an account goes with its chats');
select is_empty($$ select 1 from private.chat_tombstones where user_id = tests.user_id('owner')
  union all select 1 from private.chat_nonces where user_id = tests.user_id('owner')
  union all select 1 from private.chat_owners where user_id = tests.user_id('owner')
  union all select 1 from chat_keys where user_id = tests.user_id('owner') $$, 'and all that was kept of them');

select * from finish();
rollback;
