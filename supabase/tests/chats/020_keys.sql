-- Keys: set by compare-and-set, rotated, revoked; and who may do what with them.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'prover']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('keys ' || name)::uuid $$;
-- The text of a wrap around 32 random bytes.
create function pg_temp.wrap() returns text language sql as $$
  select jsonb_build_object('v', '2', 'nonce', encode(substr(sha256(random()::text::bytea), 1, 12), 'base64'),
    'ciphertext', encode(sha256(random()::text::bytea), 'base64'),
    'mac', encode(substr(sha256(random()::text::bytea), 1, 16), 'base64'))::text
$$;
create function pg_temp.password() returns jsonb language sql as $$
  select jsonb_build_object('kind', 'password', 'wrap', pg_temp.wrap(), 'iterations', 600000,
    'salt', encode(sha256(random()::text::bytea), 'base64'))
$$;
create function pg_temp.argon2id() returns jsonb language sql as $$
  select pg_temp.password() - 'iterations' || '{"memory_kib": 19456, "passes": 2}'
$$;
create function pg_temp.other(kind text) returns jsonb language sql as $$
  select jsonb_build_object('kind', kind, 'wrap', pg_temp.wrap())
$$;
create function pg_temp.device(name text) returns jsonb language sql as $$
  select pg_temp.other('device') || jsonb_build_object('device_id', pg_temp.id(name))
$$;
create function pg_temp.list(variadic wraps jsonb[]) returns jsonb language sql as $$ select to_jsonb(wraps) $$;
create function pg_temp.set_keys(version integer, key text, wraps jsonb, idempotency_key text default null)
returns chat_key_change language sql as $$
  select set_chat_keys(tests.user_id('owner'), version, pg_temp.id(key), wraps, idempotency_key)
$$;
create function pg_temp.rotate(version integer, key text, wraps jsonb) returns chat_key_change language sql as $$
  select rotate_chat_keys(tests.user_id('owner'), version, pg_temp.id(key), wraps)
$$;
create function pg_temp.kinds(key text) returns text language sql as $$
  select string_agg(w.kind, ' ' order by w.kind) from chat_key_wraps as w
  where w.user_id = tests.user_id('owner') and w.key_id = pg_temp.id(key)
$$;

select tests.authenticate_as('owner');
select results_eq('select version, key_id, keys, legacy_envelopes from get_chat_keys()',
  $$ values (0, null::uuid, '[]'::jsonb, 0::bigint) $$, 'whoever has no keys is told so');
select tests.authenticate_as_service();

-- the first ---------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.rotate(0, 'one', pg_temp.list(pg_temp.password(), pg_temp.other('recovery'))) $$),
  'PT404 keys_not_found', 'there is nothing to rotate before the first keys');
select is(tests.refusal($$ select pg_temp.set_keys(0, 'one', pg_temp.list(pg_temp.password())) $$),
  'PT422 wrap_missing', 'the first keys need a recovery key');
select is(tests.refusal($$ select pg_temp.set_keys(0, 'one', pg_temp.list(pg_temp.other('recovery'))) $$),
  'PT422 wrap_missing', 'and a password');
select is(tests.refusal($$ select pg_temp.set_keys(1, 'one', pg_temp.list(pg_temp.password(), pg_temp.other('recovery'))) $$),
  'PT409 version_conflict', 'they are made from version 0');
select is(tests.refusal($$ select pg_temp.set_keys(0, 'one',
    pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch'))) $$),
  'PT422 invalid_wraps', 'no epoch was before the first');
select is((pg_temp.set_keys(0, 'one', pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.device('laptop')),
  'first')).version, 1, 'a password, a recovery key and a device are the first');
select is(tests.refusal($$ select pg_temp.set_keys(0, 'one', pg_temp.list(pg_temp.password(), pg_temp.other('recovery'))) $$),
  'PT409 version_conflict', 'two devices at once: the second is told');
select is(tests.refusal($$ select pg_temp.set_keys(0, 'one', pg_temp.list(pg_temp.password()), 'first') $$),
  'PT422 idempotency_key_reused', 'a key belongs to one request');

-- what is no wrap -----------------------------------------------------------------------------------------
select is(tests.refusal(format('select pg_temp.set_keys(1, %L, %L)', 'one', wraps)), code, what)
from (values
  ('no list', '{}'::jsonb, 'PT422 invalid_wraps'),
  ('nothing', 'null', 'PT422 invalid_wraps'),
  ('an empty list', '[]', 'PT422 invalid_wraps'),
  ('eleven', to_jsonb(array_fill(pg_temp.password(), array[11])), 'PT422 invalid_wraps'),
  ('two passwords', pg_temp.list(pg_temp.password(), pg_temp.password()), 'PT422 invalid_wraps'),
  ('one device twice', pg_temp.list(pg_temp.device('a'), pg_temp.device('a')), 'PT422 invalid_wraps'),
  ('a text', '["x"]', 'PT422 invalid_wrap'),
  ('another kind', pg_temp.list(pg_temp.other('fingerprint')), 'PT422 invalid_wrap'),
  ('no kind', pg_temp.list(pg_temp.password() - 'kind'), 'PT422 invalid_wrap'),
  ('a member too many', pg_temp.list(pg_temp.password() || '{"name": "x"}'), 'PT422 invalid_wrap'),
  ('no wrap', pg_temp.list(pg_temp.password() - 'wrap'), 'PT422 invalid_wrap'),
  ('an envelope for a wrap', pg_temp.list(pg_temp.password() || jsonb_build_object('wrap', tests.envelope())), 'PT422 invalid_wrap'),
  ('a wrap of 31 bytes', pg_temp.list(pg_temp.password() || jsonb_build_object('wrap', jsonb_set(pg_temp.wrap()::jsonb,
    '{ciphertext}', to_jsonb(encode(substr(sha256('x'), 1, 31), 'base64')))::text)), 'PT422 invalid_wrap'),
  ('no salt', pg_temp.list(pg_temp.password() - 'salt'), 'PT422 invalid_wrap'),
  ('a salt of 15 bytes', pg_temp.list(pg_temp.password() || '{"salt": "AAAAAAAAAAAAAAAAAAAA"}'), 'PT422 invalid_wrap'),
  ('a salt that is no base64', pg_temp.list(pg_temp.password() || '{"salt": "salt salt salt salt salt"}'), 'PT422 invalid_wrap'),
  ('a number for a salt', pg_temp.list(pg_temp.password() || '{"salt": 5}'), 'PT422 invalid_wrap'),
  ('too few iterations', pg_temp.list(pg_temp.password() || '{"iterations": 599999}'), 'PT422 invalid_wrap'),
  ('too many', pg_temp.list(pg_temp.password() || '{"iterations": 2000001}'), 'PT422 invalid_wrap'),
  ('two derivations', pg_temp.list(pg_temp.password() || '{"memory_kib": 19456, "passes": 2}'), 'PT422 invalid_wrap'),
  ('memory without passes', pg_temp.list(pg_temp.argon2id() - 'passes'), 'PT422 invalid_wrap'),
  ('too little memory', pg_temp.list(pg_temp.argon2id() || '{"memory_kib": 19455}'), 'PT422 invalid_wrap'),
  ('too few passes', pg_temp.list(pg_temp.argon2id() || '{"passes": 1}'), 'PT422 invalid_wrap'),
  ('too much work', pg_temp.list(pg_temp.argon2id() || '{"memory_kib": 131072, "passes": 3}'), 'PT422 invalid_wrap'),
  ('memory for a recovery key', pg_temp.list(pg_temp.other('recovery') || '{"memory_kib": 19456, "passes": 2}'), 'PT422 invalid_wrap'),
  ('half a one', pg_temp.list(pg_temp.password() || '{"iterations": 600000.5}'), 'PT422 invalid_wrap'),
  ('iterations in a text', pg_temp.list(pg_temp.password() || '{"iterations": "600000"}'), 'PT422 invalid_wrap'),
  ('a salt for a recovery key', pg_temp.list(pg_temp.other('recovery') || '{"salt": "AAAAAAAAAAAAAAAAAAAAAA=="}'), 'PT422 invalid_wrap'),
  ('a device without its id', pg_temp.list(pg_temp.other('device')), 'PT422 invalid_wrap'),
  ('a device_id that is no UUID', pg_temp.list(pg_temp.other('device') || '{"device_id": "laptop"}'), 'PT422 invalid_wrap'),
  ('a device_id for a password', pg_temp.list(pg_temp.password() || pg_temp.device('a') - 'kind' || '{"kind": "password"}'), 'PT422 invalid_wrap'),
  ('an epoch, when nothing is rotated', pg_temp.list(pg_temp.other('epoch')), 'PT422 invalid_wraps')
) as c (what, wraps, code);
select is(tests.refusal($$ select set_chat_keys(tests.user_id('owner'), 1, null, pg_temp.list(pg_temp.password())) $$),
  'PT422 invalid_key_id', 'no key_id');
select is(tests.refusal($$ select set_chat_keys(tests.user_id('nobody'), 0, pg_temp.id('one'), pg_temp.list(pg_temp.password())) $$),
  'PT404 user_not_found', 'a user that there is not');

-- a new password ------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.set_keys(1, 'two', pg_temp.list(pg_temp.password())) $$), 'PT409 key_epoch_old',
  'a key that is not in force is not wrapped');
create temp table kept as select kind, wrap from chat_key_wraps where kind <> 'password';
grant select on kept to public;
select is((pg_temp.set_keys(1, 'one', pg_temp.list(pg_temp.password() || '{"iterations": 700000}'))).version, 2,
  'a password changes one wrap');
select is((select iterations from chat_key_wraps where kind = 'password'), 700000, 'by the new one');
select set_eq('select * from kept', $$ select kind, wrap from chat_key_wraps where kind <> 'password' $$,
  'and leaves the others');
select is((pg_temp.set_keys(2, 'one', pg_temp.list(pg_temp.device('phone')))).version, 3, 'a device more');
select is(pg_temp.kinds('one'), 'device device password recovery', 'is one more');

select tests.clear_authentication();
update private.settings set value = 2 where name = 'chats.max_devices';
select is(tests.refusal($$ select pg_temp.set_keys(3, 'one', pg_temp.list(pg_temp.device('tablet'))) $$),
  'PT409 too_many_devices', 'up to a limit');
select tests.authenticate_as_service();
select lives_ok($$ select pg_temp.set_keys(3, 'one', pg_temp.list(pg_temp.device('phone'))) $$,
  'which a device that is there does not meet');

-- a device less -------------------------------------------------------------------------------------------
select is(tests.refusal(format('select revoke_chat_device(tests.user_id(%L), %L)', 'stranger', pg_temp.id('phone'))),
  'PT404 device_not_found', 'nobody revokes another''s device');
select is((revoke_chat_device(tests.user_id('owner'), pg_temp.id('phone'))).version, 5, 'a device is revoked');
select is(pg_temp.kinds('one'), 'device password recovery', 'and its wrap gone');
select is(tests.refusal(format('select revoke_chat_device(tests.user_id(%L), %L)', 'owner', pg_temp.id('phone'))),
  'PT404 device_not_found', 'there is no second time');

-- a new epoch ---------------------------------------------------------------------------------------------
select lives_ok($$ select save_chat(tests.user_id('owner'), pg_temp.id('chat'), 0, tests.envelope(pg_temp.id('one')),
  tests.envelope(pg_temp.id('one'))) $$, 'a chat of the first epoch');
select is(tests.refusal(format('select pg_temp.rotate(5, %L, %L)', 'two', wraps)), code, what)
from (values
  ('rotated without the key before', pg_temp.list(pg_temp.password(), pg_temp.other('recovery')), 'PT422 wrap_missing'),
  ('without a password', pg_temp.list(pg_temp.other('recovery'), pg_temp.other('epoch')), 'PT422 wrap_missing'),
  ('without a recovery key', pg_temp.list(pg_temp.password(), pg_temp.other('epoch')), 'PT422 wrap_missing')
) as c (what, wraps, code);
select is(tests.refusal($$ select pg_temp.rotate(4, 'two',
    pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch'))) $$),
  'PT409 version_conflict', 'rotated by who has not read the last version');
select is(tests.refusal($$ select pg_temp.rotate(5, 'one',
    pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch'))) $$),
  'PT409 key_id_used', 'to a key that was there');
select results_eq($$ select version, key_id, epoch from pg_temp.rotate(5, 'two',
    pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch'))) $$,
  $$ values (6, pg_temp.id('two'), 2) $$, 'a new epoch');
select is(pg_temp.kinds('one'), 'epoch', 'the old key is wrapped by the new one, and in no other way');
select is((select wrapped_by from chat_key_wraps where kind = 'epoch'), pg_temp.id('two'), 'by name');
select is(pg_temp.kinds('two'), 'password recovery', 'the new one by what opens it');
select is(tests.refusal($$ select save_chat(tests.user_id('owner'), pg_temp.id('chat'), 1, tests.envelope(pg_temp.id('one'))) $$),
  'PT409 key_epoch_old', 'the old key saves nothing more');
select is(tests.refusal($$ select pg_temp.set_keys(6, 'one', pg_temp.list(pg_temp.password())) $$), 'PT409 key_epoch_old',
  'nor is it wrapped anew');
select lives_ok($$ select save_chat(tests.user_id('owner'), pg_temp.id('chat'), 1, tests.envelope(pg_temp.id('two'))) $$,
  'the new one does');
select lives_ok($$ select append_chat_segment(tests.user_id('owner'), pg_temp.id('chat'), 2, 0, tests.envelope(pg_temp.id('two'))) $$,
  'segments too');

select tests.authenticate_as('owner');
select results_eq(
  $$ select (k ->> 'epoch')::integer, (k ->> 'envelopes')::integer, jsonb_array_length(k -> 'wraps')
    from get_chat_keys(), jsonb_array_elements(keys) as k $$,
  $$ values (2, 2, 2), (1, 1, 1) $$, 'how far it has come is counted: the title is of the first epoch still');
select is((select version from get_chat_keys()), 6, 'the version is known to the owner');

-- stranger --------------------------------------------------------------------------------------------------
select tests.authenticate_as('stranger');
select results_eq('select version, keys from get_chat_keys()', $$ values (0, '[]'::jsonb) $$, 'a stranger sees no keys');
select tests.authenticate_as_service();
select lives_ok($$ select set_chat_keys(tests.user_id('stranger'), 0, pg_temp.id('one'),
  pg_temp.list(pg_temp.password(), pg_temp.other('recovery'))) $$, 'and may take an id that another has');
select tests.authenticate_as_anon();
select is(tests.refusal('select get_chat_keys()'), '42501', 'anon sees none');

-- proofs --------------------------------------------------------------------------------------------------
create function pg_temp.secret(number integer) returns text language sql immutable as $$
  select encode(sha256(('secret ' || number)::bytea), 'base64')
$$;
create function pg_temp.hash(number integer) returns text language sql immutable as $$
  select encode(sha256(decode(pg_temp.secret(number), 'base64')), 'base64')
$$;
create function pg_temp.prove(version integer, proof text, next_hash text) returns text language sql as $$
  select tests.refusal(format('select set_chat_keys(tests.user_id(%L), %s, %L, %L, null, %L, %L)', 'prover', version,
    pg_temp.id('proven'), pg_temp.list(pg_temp.password(), pg_temp.other('recovery')), proof, next_hash))
$$;
select tests.authenticate_as_service();
select is(pg_temp.prove(0, null, 'short'), 'PT422 invalid_key_proof', 'a hash has 32 bytes');
select lives_ok($$ select set_chat_keys(tests.user_id('prover'), 0, pg_temp.id('proven'),
  pg_temp.list(pg_temp.password(), pg_temp.other('recovery')), null, null, pg_temp.hash(1)) $$, 'the first keys need no proof');
select is(pg_temp.prove(1, null, pg_temp.hash(2)), 'PT403 key_proof_wrong', 'later ones do');
select is(pg_temp.prove(1, pg_temp.secret(2), pg_temp.hash(2)), 'PT403 key_proof_wrong', 'and the right one');
select is(pg_temp.prove(1, pg_temp.secret(1), null), 'PT422 invalid_key_proof', 'with the hash of the next');
select lives_ok($$ select set_chat_keys(tests.user_id('prover'), 1, pg_temp.id('proven'), pg_temp.list(pg_temp.password()),
  null, pg_temp.secret(1), pg_temp.hash(2)) $$, 'the right one is taken');
select is(pg_temp.prove(2, pg_temp.secret(1), pg_temp.hash(2)), 'PT403 key_proof_wrong', 'once');
select is(tests.refusal($$ select rotate_chat_keys(tests.user_id('prover'), 2, pg_temp.id('proven later'),
  pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch')), null, null, pg_temp.hash(1)) $$),
  'PT403 key_proof_wrong', 'a rotation needs a proof');
select lives_ok($$ select rotate_chat_keys(tests.user_id('prover'), 2, pg_temp.id('proven later'),
  pg_temp.list(pg_temp.password(), pg_temp.other('recovery'), pg_temp.other('epoch')), null, pg_temp.secret(2),
  pg_temp.hash(3)) $$, 'of the key before');
select tests.authenticate_as('prover');
select is((select proof_number from get_chat_keys()), 1, 'the proofs of the new key begin anew');
select tests.authenticate_as_service();
select is((select array_agg(proof_hash is not null) from chat_keys where user_id = tests.user_id('prover')),
  array[true, true], 'each key has the hash of its own');

select * from finish();
rollback;
