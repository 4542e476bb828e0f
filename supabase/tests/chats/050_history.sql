-- Heads of chats and of accounts: what is accepted, and that both are replaced together with the chat.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('history ' || name)::uuid $$;
insert into chat_keys (user_id, id, epoch) select tests.user_id('owner'), pg_temp.id(e.name), e.epoch
from (values ('old', 1), ('key', 2)) as e (name, epoch);
insert into private.chat_owners (user_id, key_version, key_id) values (tests.user_id('owner'), 2, pg_temp.id('key'));
create function pg_temp.envelope() returns text language sql as $$ select tests.envelope(pg_temp.id('key')) $$;
create function pg_temp.head(version bigint, changes jsonb default '{}') returns text language sql as $$
  select (jsonb_build_object('v', '1', 'version', version::text, 'key_id', pg_temp.id('key'),
    'fold', encode(sha256('fold'), 'base64'), 'mac', encode(sha256('mac'), 'base64')) || changes)::text
$$;
create function pg_temp.sealed(key text default 'key', changes jsonb default '{}') returns text language sql as $$
  select (tests.envelope(pg_temp.id(key))::jsonb || '{"v": "1"}' || changes)::text
$$;
create function pg_temp.history(expected bigint, counter bigint default null, sealed text default null)
returns jsonb language sql as $$
  select jsonb_build_object('expected', expected, 'counter', coalesce(history.counter, expected + 1),
    'sealed', coalesce(history.sealed, pg_temp.sealed()))
$$;
create function pg_temp.save(expected bigint, head text, history jsonb, chat text default 'chat', data text default pg_temp.envelope(),
  star boolean default null, restore boolean default false, key text default null)
returns saved_chat language sql as $$
  select save_chat(tests.user_id('owner'), pg_temp.id(chat), expected, data, null, star, restore, key, head, history)
$$;
create function pg_temp.append(expected bigint, number integer, head text, history jsonb) returns saved_chat language sql as $$
  select append_chat_segment(tests.user_id('owner'), pg_temp.id('chat'), expected, number, pg_temp.envelope(), null, head, history)
$$;
create view pg_temp.kept as select c.version, c.head::jsonb ->> 'version' as head_version, o.history_counter, o.unproven_deletions
  from private.chat_owners as o left join encrypted_chats as c on c.user_id = o.user_id and c.id = pg_temp.id('chat')
  where o.user_id = tests.user_id('owner');

-- what is accepted ---------------------------------------------------------------------------------------------
select results_eq('select (pg_temp.save(0, pg_temp.head(1), pg_temp.history(0), key => ''first'')).version', array[1::bigint], 'a chat and its heads are saved');
select results_eq('table pg_temp.kept', $$ values (1::bigint, '1', 1::bigint, 0::bigint) $$, 'both heads are there');
select lives_ok('select pg_temp.append(1, 0, pg_temp.head(2), pg_temp.history(1))', 'a segment comes with heads');
select lives_ok('select pg_temp.save(2, pg_temp.head(3), pg_temp.history(2), data => null, star => true)', 'so does a star');
select lives_ok('select pg_temp.save(3, pg_temp.head(4), pg_temp.history(3, 9))', 'the counter may skip numbers');
select results_eq('table pg_temp.kept', $$ values (4::bigint, '4', 9::bigint, 0::bigint) $$, 'they are replaced each time');

-- what is refused ----------------------------------------------------------------------------------------------
select is(tests.refusal(format('select pg_temp.save(4, %s, %s)', r.head, r.history)), r.refusal, r.why) from (values
  ('pg_temp.head(5)', 'null', 'PT422 invalid_head', 'a head without history'),
  ('null', 'pg_temp.history(9)', 'PT422 invalid_head', 'history without a head'),
  ('pg_temp.head(4)', 'pg_temp.history(9)', 'PT422 invalid_head', 'the head of another version'),
  ('pg_temp.head(6)', 'pg_temp.history(9)', 'PT422 invalid_head', 'the head of a later version'),
  ($$'{}'$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'an empty head'),
  ($$'head'$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a head that is no JSON'),
  ($$pg_temp.head(5, '{"v": "2"}')$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a head of another format'),
  ($$pg_temp.head(5, '{"more": "x"}')$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a head with another member'),
  ($$pg_temp.head(5, '{"key_id": "key"}')$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a head without a key'),
  ($$pg_temp.head(5, '{"fold": "AAAA"}')$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a short fold'),
  ($$pg_temp.head(5, '{"mac": "AAAA"}')$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a short mac'),
  ($$pg_temp.head(5) || repeat(' ', 500)$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'a head that is too long'),
  ('pg_temp.head(5)', '''[]''', 'PT422 invalid_history', 'history that is no object'),
  ('pg_temp.head(5)', 'pg_temp.history(9, 9)', 'PT422 invalid_history', 'the same counter'),
  ('pg_temp.head(5)', 'pg_temp.history(9) - ''expected''', 'PT422 invalid_history', 'no expected counter'),
  ('pg_temp.head(5)', 'pg_temp.history(9) - ''sealed''', 'PT422 invalid_history', 'nothing sealed'),
  ('pg_temp.head(5)', 'pg_temp.history(9, 1000010)', 'PT422 invalid_history', 'a counter that skips too many numbers'),
  ('pg_temp.head(5)', 'pg_temp.history(9, 9007199254740992)', 'PT422 invalid_history', 'a counter that is too great'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed(changes => jsonb_build_object('key_id', upper(pg_temp.id('key')::text))))$$,
    'PT422 invalid_history', 'an id in upper case, which clients do not read'),
  ($$pg_temp.head(5, jsonb_build_object('key_id', upper(pg_temp.id('key')::text)))$$, 'pg_temp.history(9)', 'PT422 invalid_head', 'nor that of a head'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed(changes => '{"v": "2"}'))$$, 'PT422 invalid_history', 'another format'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed(changes => '{"nonce": "AAAA"}'))$$, 'PT422 invalid_history', 'a short nonce'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed(changes => '{"mac": "AAAA"}'))$$, 'PT422 invalid_history', 'a short mac'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed(changes => '{"ciphertext": "?"}'))$$, 'PT422 invalid_history', 'no base64'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed() || repeat(' ', 8192))$$, 'PT422 invalid_history', 'too much'),
  ('pg_temp.head(5)', 'pg_temp.history(8)', 'PT409 history_conflict', 'an older counter'),
  ('pg_temp.head(5)', 'pg_temp.history(10)', 'PT409 history_conflict', 'a counter that there is not'),
  ('pg_temp.head(5)', $$pg_temp.history(9, sealed => pg_temp.sealed('old'))$$, 'PT409 key_epoch_old', 'an old key')
) as r (head, history, refusal, why);
select results_eq('table pg_temp.kept', $$ values (4::bigint, '4', 9::bigint, 0::bigint) $$, 'nothing of it was saved');
create function pg_temp.conflict() returns jsonb language plpgsql as $$
declare
  v_detail text;
begin
  perform pg_temp.save(4, pg_temp.head(5), pg_temp.history(8));
  return null;
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return substr(v_detail, 18)::jsonb -> 'history';
end $$;
select is(pg_temp.conflict(), (select jsonb_build_object('counter', history_counter, 'sealed', history, 'unproven_deletions', 0)
  from private.chat_owners where user_id = tests.user_id('owner')), 'a conflict has the present head');
select is((pg_temp.save(3, pg_temp.head(4), pg_temp.history(8))).conflict ->> 'version', '4', 'a conflict of versions comes first');

-- repeated -----------------------------------------------------------------------------------------------------
create temp table repeated as select pg_temp.envelope() as data, pg_temp.head(5) as head, pg_temp.history(9) as history;
select is((select (pg_temp.save(4, head, history, data => data, key => 'again')).replayed from repeated), false, 'a change with a key');
select is((select (pg_temp.save(4, head, history, data => data, key => 'again')).replayed from repeated), true, 'is made once, whatever the counter is now');
select is(tests.refusal($$ select pg_temp.save(4, head, pg_temp.history(9), data => data, key => 'again') from repeated $$),
  'PT422 idempotency_key_reused', 'another history is another request');

-- clients that write no heads --------------------------------------------------------------------------------------
select lives_ok('select pg_temp.save(5, null, null)', 'a change without heads');
select results_eq('table pg_temp.kept', $$ values (6::bigint, '5', 10::bigint, 0::bigint) $$, 'leaves both as they are');
select tests.authenticate_as('owner');
select lives_ok($$ update encrypted_chats set is_starred = false where id = pg_temp.id('chat') $$, 'so does a direct one');
select throws_ok($$ update encrypted_chats set head = null where id = pg_temp.id('chat') $$, '42501', null, 'which cannot change the head');
select throws_ok($$ insert into encrypted_chats (id, user_id, encrypted_data, head)
  values (pg_temp.id('direct'), tests.user_id('owner'), pg_temp.envelope(), 'head') $$, '42501', null, 'nor bring one');
select is((select head::jsonb ->> 'version' from encrypted_chats where id = pg_temp.id('chat')), '5', 'the head names the version before');
select is((select count(*)::integer from jsonb_array_elements((sync_chats(with_titles => true)).changes) as c
  where c ->> 'head' is not null), 1, 'a sync with titles has heads');
select is((sync_chats()).changes -> 0 ? 'head', false, 'one without has none');
select is((sync_chats()).history ->> 'counter', '10', 'and each has the head of the account');
select is((get_chat(pg_temp.id('chat'))).head::jsonb ->> 'version', '5', 'a chat comes with its head');
select tests.authenticate_as('stranger');
select is((sync_chats()).history, null, 'an account without chats has no head');
select is_empty('select head from encrypted_chats', 'a stranger sees no head');

-- deletions ------------------------------------------------------------------------------------------------------
select tests.clear_authentication();
select lives_ok($$ select pg_temp.save(0, pg_temp.head(1), pg_temp.history(10), chat => n) from unnest(array['a']) as n $$, 'another chat');
select pg_temp.save(0, null, null, chat => 'headless');
select is(tests.refusal($$ select delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 7, pg_temp.history(10)) $$),
  'PT409 history_conflict', 'a deletion with an old counter');
select lives_ok($$ select delete_chat(tests.user_id('owner'), pg_temp.id('headless'), 1) $$, 'a chat without a head is deleted');
select is((select unproven_deletions from pg_temp.kept), 0::bigint, 'nobody has to prove that');
select lives_ok($$ select delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 7, pg_temp.history(11)) $$, 'a proven deletion');
select results_eq('table pg_temp.kept', $$ values (null::bigint, null::text, 12::bigint, 0::bigint) $$, 'is not counted');
select is((delete_chat(tests.user_id('owner'), pg_temp.id('chat'), 7, pg_temp.history(12))).replayed, true, 'a second one changes nothing');
select is((select history_counter from pg_temp.kept), 12::bigint, 'not even the head of the account');
select tests.authenticate_as('owner');
select lives_ok($$ delete from encrypted_chats where id = pg_temp.id('a') $$, 'a direct deletion');
select is((sync_chats()).history ->> 'unproven_deletions', '1', 'is counted');
select tests.clear_authentication();
select is(tests.refusal($$ select pg_temp.save(0, pg_temp.head(1), pg_temp.history(12), restore => true) $$), 'PT422 invalid_head',
  'a restored chat has no head yet');
select is((pg_temp.save(0, null, null, restore => true)).version, 8::bigint, 'its versions continue');
select lives_ok($$ select pg_temp.save(8, pg_temp.head(9), pg_temp.history(12), data => null, star => true) $$, 'and the next change brings one');

-- the head of the account alone -------------------------------------------------------------------------------------
create function pg_temp.set(history jsonb, behind integer default 0) returns chat_history_change language sql as $$
  select set_chat_history(tests.user_id('owner'), history,
    (select sync_sequence - behind from private.chat_owners where user_id = tests.user_id('owner')))
$$;
select is(tests.refusal('select pg_temp.set(null)'), 'PT422 invalid_history', 'no history');
select is(tests.refusal('select pg_temp.set(pg_temp.history(13), null)'), 'PT422 invalid_history', 'no sequence');
select is(tests.refusal('select pg_temp.set(pg_temp.history(13), 1)'), 'PT409 history_conflict', 'chats have changed since');
select is(tests.refusal('select pg_temp.set(pg_temp.history(12))'), 'PT409 history_conflict', 'the head has changed since');
select is(tests.refusal($$ select pg_temp.set(pg_temp.history(13, sealed => pg_temp.sealed('old'))) $$), 'PT409 key_epoch_old', 'an old key');
select is(tests.refusal($$ select set_chat_history(gen_random_uuid(), pg_temp.history(0), 0) $$), 'PT404 user_not_found', 'no user');
create temp table accepted as select pg_temp.history(13, 20) as history;
select results_eq('select c.counter, c.replayed from accepted, pg_temp.set(history) as c', 'values (20::bigint, false)', 'the head is replaced');
select is((select unproven_deletions from pg_temp.kept), 0::bigint, 'the user has accepted the deletions');
select results_eq('select c.counter, c.replayed from accepted, pg_temp.set(history, 1) as c', 'values (20::bigint, true)', 'once');
select results_eq('select (pg_temp.set(pg_temp.history(20, 1000020))).counter', 'values (1000020::bigint)', 'a million numbers may be skipped');
update private.chat_owners set history_counter = 3000000000 where user_id = tests.user_id('owner');
select results_eq('select (pg_temp.set(pg_temp.history(3000000000))).counter', 'values (3000000001::bigint)', 'and they do not end');
select tests.authenticate_as('owner');
select throws_ok($$ select set_chat_history(tests.user_id('owner'), '{}', 0) $$, '42501', null, 'only the service may do so');

select * from finish();
rollback;
