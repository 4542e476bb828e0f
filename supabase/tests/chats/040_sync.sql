-- Sync: what has changed since a cursor, deletions included, and when a cursor is too old.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('sync ' || name)::uuid $$;
create function pg_temp.save(name text, expected bigint default 0) returns bigint language sql as $$
  select (save_chat(tests.user_id('owner'), pg_temp.id(name), expected, tests.envelope(), tests.envelope())).version
$$;
-- The names of the chats of a page, those that are deleted with a minus, and what follows.
create temp table names (name text, id uuid);
insert into pg_temp.names select n, pg_temp.id(n) from unnest(array['a', 'b', 'c', 'd', 'e']) as n;
grant select on pg_temp.names to public;
create function pg_temp.page(cursor text default null, size integer default 100) returns text language sql as $$
  select coalesce((select string_agg(case when (c.value ->> 'deleted')::boolean then '-' else '' end || n.name, ' ' order by c.ordinality)
    from jsonb_array_elements(s.changes) with ordinality as c join pg_temp.names as n on n.id = (c.value ->> 'id')::uuid), 'nothing')
    || ' at ' || s.cursor || case when s.has_more then ', more' else '' end
  from sync_chats(cursor, size) as s
$$;

select tests.authenticate_as('owner');
select is(pg_temp.page(), 'nothing at 0', 'who has no chats gets nothing');
select is(pg_temp.page('0'), 'nothing at 0', 'from there on too');
select tests.clear_authentication();
select pg_temp.save(n) from unnest(array['a', 'b', 'c']) as n;

select tests.authenticate_as('owner');
select is(pg_temp.page(), 'a b c at 3', 'all, in the order of commit');
select is(pg_temp.page('3'), 'nothing at 3', 'then nothing');
select is(pg_temp.page('1'), 'b c at 3', 'or what is new since');
select is(pg_temp.page(null, 2), 'a b at 2-3, more', 'in pages');
select is(pg_temp.page('2-3', 2), 'c at 3', 'to the last');
select tests.clear_authentication();

select pg_temp.save('a', 1);
select delete_chat(tests.user_id('owner'), pg_temp.id('b'));
select tests.authenticate_as('owner');
select is(pg_temp.page('3'), 'a -b at 5', 'changes and deletions in one order');
select is(pg_temp.page('3', 1), 'a at 4, more', 'one by one');
select is(pg_temp.page('4', 1), '-b at 5', 'too');
select is(pg_temp.page(), 'c a at 5', 'whoever starts hears of no deletions');
select is(pg_temp.page(null, 1), 'c at 3-5, more', 'in pages neither');
select is(pg_temp.page('3-5', 1), 'a at 5', 'to the last, which is as of when it started');
select tests.clear_authentication();
select delete_chat(tests.user_id('owner'), pg_temp.id('c'));
select tests.authenticate_as('owner');
select is(pg_temp.page('3-5'), 'a -c at 6', 'but of what was deleted since');

-- what it says of a chat --------------------------------------------------------------------------------------
select set_eq($$ select jsonb_object_keys(changes -> 0) from sync_chats() $$,
  array['id', 'deleted', 'version', 'data_version', 'next_segment', 'is_starred', 'title', 'custom_name', 'image_paths',
    'key_id', 'bytes', 'created_at', 'updated_at'], 'no ciphertext unless asked for');
select ok((select changes -> 0 ? 'encrypted_title' and not changes -> 0 ? 'encrypted_data' from sync_chats(with_titles => true)),
  'titles');
select ok((select changes -> 0 ? 'encrypted_data' and not changes -> 0 ? 'encrypted_title' from sync_chats(with_data => true)),
  'content');
select is((select changes from sync_chats('5')), jsonb_build_array(jsonb_build_object('id', pg_temp.id('c'), 'deleted', true)),
  'of a deleted one no more than that it is');
select is((select key_version from sync_chats()), 0, 'and whether keys have changed');

select is(tests.refusal(statement), code, what)
from (values
  ('no number', $$ select sync_chats('x') $$, 'PT422 invalid_cursor'),
  ('an empty cursor', $$ select sync_chats('') $$, 'PT422 invalid_cursor'),
  ('a negative one', $$ select sync_chats('-1') $$, 'PT422 invalid_cursor'),
  ('one too long', $$ select sync_chats('9999999999999999999') $$, 'PT422 invalid_cursor'),
  ('SQL', $$ select sync_chats('1; select 1') $$, 'PT422 invalid_cursor'),
  ('limit 0', $$ select sync_chats(null, 0) $$, 'PT422 invalid_limit'),
  ('limit 1001', $$ select sync_chats(null, 1001) $$, 'PT422 invalid_limit'),
  ('no limit', $$ select sync_chats(null, null) $$, 'PT422 invalid_limit'),
  ('a cursor from the future', $$ select sync_chats('7') $$, 'PT410 cursor_too_old'),
  ('its other half', $$ select sync_chats('1-7') $$, 'PT410 cursor_too_old')
) as c (what, statement, code);

-- cleanup: retention --------------------------------------------------------------------------------
select tests.clear_authentication();
select is(tests.clean_up('chat_tombstones'), 0::bigint, 'deletions are remembered');
update private.chat_tombstones set deleted_at = now() - interval '90 days' where chat_id = pg_temp.id('b');
update private.chat_tombstones set deleted_at = now() - interval '90 days' + interval '1 millisecond' where chat_id = pg_temp.id('c');
select is(tests.clean_up('chat_tombstones'), 1::bigint, 'for 90 days, to the instant');
select tests.authenticate_as('owner');
select is(tests.refusal($$ select sync_chats('4') $$), 'PT410 cursor_too_old', 'a device that has not heard of it starts over');
select is(pg_temp.page('5'), '-c at 6', 'one that has goes on');
select is(pg_temp.page(null, 1), 'a at 6', 'whoever starts');
select tests.clear_authentication();
select pg_temp.save('d');
select pg_temp.save('e');
select tests.authenticate_as('owner');
select is(pg_temp.page(null, 1), 'a at 4-8, more', 'and is not yet there');
select is(pg_temp.page('4-8', 1), 'd at 7-8, more', 'is not too old, though its first half is');
select is(pg_temp.page('7-8', 1), 'e at 8', 'to the last');
select tests.clear_authentication();
update private.chat_tombstones set deleted_at = now() - interval '1 year';
select is(tests.clean_up('chat_tombstones', 1), 1::bigint, 'one at a time');
select is(tests.clean_up('chat_tombstones', 1), 0::bigint, 'until none is left');
select is(pg_temp.save('b'), 1::bigint, 'an id that is forgotten is free');

-- others ------------------------------------------------------------------------------------------------------------
select tests.authenticate_as('stranger');
select is(pg_temp.page(), 'nothing at 0', 'a stranger gets nothing');
select is(tests.refusal($$ select sync_chats('5') $$), 'PT410 cursor_too_old', 'with another''s cursor neither');
select tests.authenticate_as_anon();
select is(tests.refusal('select sync_chats()'), '42501', 'nor anon');

select * from finish();
rollback;
