-- What is checked of an envelope without its key: on every way to save one, each fault by its own code.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('chats ' || name)::uuid $$;
insert into chat_keys (user_id, id, epoch) values (tests.user_id('owner'), pg_temp.id('old key'), 1),
  (tests.user_id('owner'), pg_temp.id('key'), 2), (tests.user_id('stranger'), pg_temp.id('strange key'), 1);
insert into private.chat_owners (user_id, key_version, key_id) values (tests.user_id('owner'), 2, pg_temp.id('key'));

-- An envelope that would be taken, with some of its members replaced, or taken away by null.
create function pg_temp.changed(changes jsonb) returns text language sql as $$
  select (select jsonb_object_agg(m.key, m.value) from jsonb_each(
    tests.envelope(pg_temp.id('key'))::jsonb || changes) as m where m.value <> 'null')::text
$$;

create temp table bad (what text, envelope text, code text);
insert into bad
select what, pg_temp.changed(changes), code
from (values
  ('no v', '{"v": null}'::jsonb, 'PT422 envelope_malformed'),
  ('no key_id', '{"key_id": null}', 'PT422 envelope_malformed'),
  ('no nonce', '{"nonce": null}', 'PT422 envelope_malformed'),
  ('no ciphertext', '{"ciphertext": null}', 'PT422 envelope_malformed'),
  ('no mac', '{"mac": null}', 'PT422 envelope_malformed'),
  ('a member too many', '{"tag": "AA=="}', 'PT422 envelope_malformed'),
  ('a number for v', '{"v": 2}', 'PT422 envelope_malformed'),
  ('a list for nonce', '{"nonce": ["AAAAAAAAAAAAAAAA"]}', 'PT422 envelope_malformed'),
  ('an object for ciphertext', '{"ciphertext": {}}', 'PT422 envelope_malformed'),
  ('true for mac', '{"mac": true}', 'PT422 envelope_malformed'),
  ('an empty ciphertext', '{"ciphertext": ""}', 'PT422 envelope_malformed'),
  ('1 with a key_id', '{"v": "1"}', 'PT422 envelope_malformed'),
  ('1.0 with a key_id', '{"v": "1.0"}', 'PT422 envelope_malformed'),
  ('version 3', '{"v": "3"}', 'PT422 envelope_version_unknown'),
  ('version 2.0', '{"v": "2.0"}', 'PT422 envelope_version_unknown'),
  ('no version', '{"v": ""}', 'PT422 envelope_version_unknown'),
  ('a key_id that is no UUID', '{"key_id": "1"}', 'PT422 envelope_key_unknown'),
  ('a key_id in upper case', jsonb_build_object('key_id', upper(pg_temp.id('key')::text)), 'PT422 envelope_key_unknown'),
  ('a nonce of 11 bytes', '{"nonce": "AAAAAAAAAAAAAAA="}', 'PT422 envelope_nonce_invalid'),
  ('a nonce of 13 bytes', '{"nonce": "AAAAAAAAAAAAAAAAAA=="}', 'PT422 envelope_nonce_invalid'),
  ('an empty nonce', '{"nonce": ""}', 'PT422 envelope_nonce_invalid'),
  ('a mac of 15 bytes', '{"mac": "AAAAAAAAAAAAAAAAAAAA"}', 'PT422 envelope_mac_invalid'),
  ('a mac of 17 bytes', '{"mac": "AAAAAAAAAAAAAAAAAAAAAAA="}', 'PT422 envelope_mac_invalid'),
  ('an empty mac', '{"mac": ""}', 'PT422 envelope_mac_invalid'),
  ('a nonce in base64url', '{"nonce": "AAAA_-AAAAAAAAAA"}', 'PT422 envelope_base64_invalid'),
  ('a mac without padding', '{"mac": "AAAAAAAAAAAAAAAAAAAAAA"}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext with a line break', '{"ciphertext": "AAAA\nAAAA"}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext with spaces', '{"ciphertext": " AAAA"}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext of five characters', '{"ciphertext": "AAAAA"}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext with bits left over', '{"ciphertext": "AB=="}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext that is hexadecimal', '{"ciphertext": "\\x00ff"}', 'PT422 envelope_base64_invalid'),
  ('a ciphertext of other letters', '{"ciphertext": "ÄÖÜß"}', 'PT422 envelope_base64_invalid'),
  ('padding in the midst', '{"ciphertext": "AA==AAAA"}', 'PT422 envelope_base64_invalid')
) as c (what, changes, code);
insert into bad values
  ('nothing', '', 'PT422 envelope_malformed'),
  ('no JSON', 'hello', 'PT422 envelope_malformed'),
  ('JSON cut off', left(tests.envelope(pg_temp.id('key')), -1), 'PT422 envelope_malformed'),
  ('a list', '[]', 'PT422 envelope_malformed'),
  ('a text', '"x"', 'PT422 envelope_malformed'),
  ('null', 'null', 'PT422 envelope_malformed'),
  ('an object in a text', to_json(tests.envelope(pg_temp.id('key')))::text, 'PT422 envelope_malformed'),
  ('an empty object', '{}', 'PT422 envelope_malformed'),
  ('a member twice', replace(tests.envelope(pg_temp.id('key')), '"v":', '"v": "2", "v":'), 'PT422 envelope_malformed'),
  ('an escaped NUL', replace(pg_temp.changed('{"mac": "x"}'), '"x"', '"\u0000"'), 'PT422 envelope_malformed'),
  ('nested without end', repeat('[', 100000), 'PT422 envelope_malformed'),
  ('format 1, with keys there', tests.envelope(), 'PT409 key_epoch_old'),
  ('the key of the epoch before', tests.envelope(pg_temp.id('old key')), 'PT409 key_epoch_old'),
  ('another''s key', tests.envelope(pg_temp.id('strange key')), 'PT422 envelope_key_unknown'),
  ('a key that there is not', tests.envelope(pg_temp.id('no key')), 'PT422 envelope_key_unknown'),
  ('8 MiB and one byte', rpad(tests.envelope(pg_temp.id('key')), 8388609), 'PT413 envelope_too_large');

create temp table good (envelope text);
insert into good values (tests.envelope(pg_temp.id('key')));
insert into encrypted_chats (id, user_id, encrypted_data, encrypted_title)
select pg_temp.id('chat'), tests.user_id('owner'), g.envelope, tests.envelope(pg_temp.id('key')) from good as g;
create temp table before as select c.*, c.xmin as row_xmin from encrypted_chats as c;
create temp table nonces_before as select * from private.chat_nonces;
grant select on all tables in schema pg_temp to public;

insert into bad select 'a nonce that was used', pg_temp.changed(
  jsonb_build_object('nonce', (select envelope::jsonb -> 'nonce' from good))), 'PT409 nonce_reused';

-- Every way to save one. {envelope} is replaced.
create temp table ways (what text, actor text, statement text, formats text);
insert into ways values
  ('PUT, new', 'service', $$ select save_chat({owner}, {new}, 0, {envelope}) $$),
  ('PUT, title', 'service', $$ select save_chat({owner}, {new}, 0, tests.envelope({key}), {envelope}) $$),
  ('PUT', 'service', $$ select save_chat({owner}, {chat}, 1, {envelope}) $$),
  ('PATCH, title', 'service', $$ select save_chat({owner}, {chat}, 1, null, {envelope}) $$),
  ('segment', 'service', $$ select append_chat_segment({owner}, {chat}, 1, 0, {envelope}) $$),
  ('insert', 'owner', $$ insert into encrypted_chats (user_id, encrypted_data) values ({owner}, {envelope}) $$),
  ('insert, title', 'owner', $$ insert into encrypted_chats (user_id, encrypted_data, encrypted_title)
    values ({owner}, tests.envelope({key}), {envelope}) $$),
  ('update', 'owner', $$ update encrypted_chats set encrypted_data = {envelope} where id = {chat} $$),
  ('update, title', 'owner', $$ update encrypted_chats set encrypted_title = {envelope} where id = {chat} $$),
  ('upsert', 'service', $$ insert into encrypted_chats (id, user_id, encrypted_data) values ({chat}, {owner}, {envelope})
    on conflict (user_id, id) do update set encrypted_data = excluded.encrypted_data $$);

create function pg_temp.refusal(actor text, statement text, envelope text) returns text language plpgsql as $$
declare
  v_refusal text;
begin
  perform set_config('chats.envelope', envelope, true);
  if actor = 'service' then
    perform tests.authenticate_as_service();
  else
    perform tests.authenticate_as(actor);
  end if;
  v_refusal := tests.refusal(replace(replace(replace(replace(replace(statement,
    '{envelope}', 'current_setting(''chats.envelope'')'),
    '{owner}', quote_literal(tests.user_id('owner')) || '::uuid'),
    '{chat}', quote_literal(pg_temp.id('chat')) || '::uuid'),
    '{key}', quote_literal(pg_temp.id('key')) || '::uuid'),
    '{new}', quote_literal(gen_random_uuid()) || '::uuid'));
  perform tests.clear_authentication();
  return v_refusal;
end $$;

select cmp_ok((select count(*) from bad), '>=', 45::bigint, 'there are many kinds of bad envelopes');
select is(pg_temp.refusal(w.actor, w.statement, b.envelope),
  case
    -- Segments are of format 2 alone.
    when w.what = 'segment' and b.what in ('format 1, with keys there', '1 with a key_id', '1.0 with a key_id')
      then 'PT422 envelope_version_unknown'
    -- The table's own check comes first, as the row that is to be inserted is looked at later.
    when w.what = 'upsert' and b.what = 'nothing' then '23514 Failing'
    else b.code
  end,
  format('%s: %s', w.what, b.what))
from bad as b cross join ways as w;

select results_eq($$ select c.*, c.xmin from encrypted_chats as c $$, $$ select * from before $$,
  'nothing of them was saved');
select set_eq($$ select * from private.chat_nonces $$, $$ select * from nonces_before $$, 'and no nonce was taken');
select is_empty($$ select 1 from chat_segments $$, 'and no segment');
select is((select sync_sequence from private.chat_owners where user_id = tests.user_id('owner')), 1::bigint,
  'and nothing was numbered');

-- What is taken -----------------------------------------------------------------------------------------
select is(pg_temp.refusal(w.actor, w.statement, rpad(tests.envelope(pg_temp.id('key')), 8388608)), 'no refusal',
  w.what || ': 8 MiB are saved')
from ways as w where w.what in ('PUT', 'segment', 'insert', 'PATCH, title') limit 1;

-- Members in any order, with space.
select tests.authenticate_as('stranger');
select lives_ok($$ insert into encrypted_chats (user_id, encrypted_data)
  values ((select auth.uid()), E'{ "mac": "AAAAAAAAAAAAAAAAAAAAAA==",\n "ciphertext": "", "nonce": "AAAAAAAAAAAAAAAA", "v": "1" }') $$,
  'format 1 is taken of who has no keys, an empty text too');
select lives_ok($$ insert into encrypted_chats (user_id, encrypted_data)
  values ((select auth.uid()), replace(tests.envelope(), '"1"', '"1.0"')) $$, 'and it may call itself 1.0');
select is(tests.refusal($$ insert into encrypted_chats (user_id, encrypted_data)
  values ((select auth.uid()), '{"v": "1.0", "nonce": "AAAAAAAAAAAAAAAA", "ciphertext": "AA==", "mac": "AAAAAAAAAAAAAAAAAAAAAA=="}') $$),
  'PT409 nonce_reused', 'its nonces are used once too');
select lives_ok($$ update encrypted_chats set encrypted_data = encrypted_data, is_starred = true $$,
  'an envelope that does not change is not a new one');
select is(tests.refusal(format($$ insert into encrypted_chats (id, user_id, encrypted_data) values (%L, %L, tests.envelope()) $$,
  pg_temp.id('chat'), tests.user_id('owner'))), '42501', 'another''s chat is refused without a look at it');
select tests.clear_authentication();

-- Two users use one nonce: their keys differ.
select lives_ok(format($$ insert into encrypted_chats (user_id, encrypted_data) values (%L, %L) $$, tests.user_id('owner'),
  jsonb_set(tests.envelope(pg_temp.id('key'))::jsonb, '{nonce}', '"AAAAAAAAAAAAAAAA"')),
  'another user''s nonce is not in the way');

-- Size of all ------------------------------------------------------------------------------------------
update private.settings set value = (select bytes from private.chat_owners where user_id = tests.user_id('owner')) + 1000
where name = 'chats.max_bytes';
select is(pg_temp.refusal(w.actor, w.statement, tests.envelope(pg_temp.id('key'), 1600)), 'PT413 chat_quota_exceeded',
  w.what || ': beyond what all may take up')
from ways as w where w.what in ('PUT, new', 'insert', 'insert, title');
select is((select bytes from private.chat_owners where user_id = tests.user_id('owner')),
  (select sum(c.bytes)::bigint from encrypted_chats as c where c.user_id = tests.user_id('owner')),
  'what was refused is not counted');
update private.settings set value = 0 where name = 'chats.max_bytes';
select tests.authenticate_as('owner');
select lives_ok($$ update encrypted_chats set is_starred = not is_starred $$, 'who is over it may change what gets no larger');
select lives_ok($$ delete from encrypted_chats $$, 'and delete');
select tests.clear_authentication();
select is((select bytes from private.chat_owners where user_id = tests.user_id('owner')), 0::bigint,
  'then nothing is taken up');

select is(tests.refusal(format($$ insert into encrypted_chats (user_id, encrypted_data, title) values (%L, %L, repeat('x', 65537)) $$,
  tests.user_id('owner'), tests.envelope(pg_temp.id('key')))), 'PT413 chat_text_too_large', 'what is in clear has its limit');
select is(tests.refusal(format($$ insert into encrypted_chats (user_id, encrypted_data, image_paths)
    values (%L, %L, array_fill(repeat('x', 66), array[1000])) $$,
  tests.user_id('owner'), tests.envelope(pg_temp.id('key')))), 'PT413 chat_text_too_large', 'all of it together');
select is(tests.refusal($$ update encrypted_chats set id = gen_random_uuid() $$), 'PT422 chat_id_changed',
  'a chat keeps its id, even for the owner of the database');

select * from finish();
rollback;
