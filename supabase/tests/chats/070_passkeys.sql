-- Wraps under passkeys: their form, how they are listed, used and revoked, and what a rotation does.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('passkeys ' || name)::uuid $$;
create function pg_temp.bytes(name text, length integer default 32) returns text language sql immutable as $$
  select encode(substr(sha256(name::bytea), 1, length), 'base64')
$$;
create function pg_temp.wrap(kind text, name text, more jsonb default '{}') returns jsonb language sql immutable as $$
  select jsonb_build_object('kind', kind, 'wrap', jsonb_build_object('v', '2', 'nonce', pg_temp.bytes(name, 12),
    'ciphertext', pg_temp.bytes(name), 'mac', pg_temp.bytes(name, 16))::text) || more
$$;
create function pg_temp.passkey(name text, more jsonb default '{}') returns jsonb language sql immutable as $$
  select pg_temp.wrap('passkey', name, jsonb_build_object('device_id', pg_temp.id(name), 'credential_id', 'id-of_' || name,
    'salt', pg_temp.bytes('salt ' || name)) || '{"name": "{\"v\":\"1\",\"nonce\":\"n\",\"ciphertext\":\"c\",\"mac\":\"m\"}"}' || more)
$$;
create function pg_temp.password() returns jsonb language sql immutable as $$
  select pg_temp.wrap('password', 'password', jsonb_build_object('salt', pg_temp.bytes('salt'), 'memory_kib', 19456, 'passes', 2))
$$;
create function pg_temp.put(version integer, variadic wraps jsonb[]) returns integer language sql as $$
  select (set_chat_keys(tests.user_id('owner'), version, pg_temp.id('key'), to_jsonb(wraps))).version
$$;

select tests.authenticate_as_service();
select is(pg_temp.put(0, pg_temp.password(), pg_temp.wrap('recovery', 'recovery')), 1, 'the first keys');
select is(pg_temp.put(1, pg_temp.passkey('mac'), pg_temp.passkey('stick')), 2, 'two passkeys');
select is(pg_temp.put(2, pg_temp.passkey('mac')), 3, 'one is renewed');

-- malformed -----------------------------------------------------------------------------------------------
select is(tests.refusal(format('select pg_temp.put(3, %L::jsonb)', wrap)), 'PT422 invalid_wrap', what)
from (values
  ('a passkey without a device_id', pg_temp.passkey('x') - 'device_id'),
  ('without a credential', pg_temp.passkey('x') - 'credential_id'),
  ('without a salt', pg_temp.passkey('x') - 'salt'),
  ('without a name', pg_temp.passkey('x') #- '{name}'),
  ('with a credential that is no base64url', pg_temp.passkey('x', '{"credential_id": "a+b"}')),
  ('with a long credential', pg_temp.passkey('x', jsonb_build_object('credential_id', repeat('a', 1367)))),
  ('with a credential that is no text', pg_temp.passkey('x', '{"credential_id": 1}')),
  ('with a short salt', pg_temp.passkey('x', jsonb_build_object('salt', pg_temp.bytes('salt', 31)))),
  ('with a name that is not encrypted', pg_temp.passkey('x', '{"name": "MacBook"}')),
  ('with a long name', pg_temp.passkey('x', jsonb_set('{}', '{name}',
    to_jsonb(jsonb_build_object('v', '1', 'nonce', 'n', 'ciphertext', repeat('c', 1024), 'mac', 'm')::text)))),
  ('with the cost of a password', pg_temp.passkey('x', '{"memory_kib": 19456, "passes": 2}')),
  ('a device with a credential', pg_temp.wrap('device', 'x', jsonb_build_object('device_id', pg_temp.id('x'), 'credential_id', 'a'))),
  ('a recovery key with a name', pg_temp.wrap('recovery', 'x', '{"name": "x"}'))
) as c (what, wrap);
select is(tests.refusal($$ select pg_temp.put(3, pg_temp.passkey('x'), pg_temp.passkey('x')) $$), 'PT422 invalid_wraps', 'one twice');

-- listed and used -----------------------------------------------------------------------------------------
create function pg_temp.listed() returns table (name text, credential_id text, used boolean) language sql as $$
  select case w ->> 'device_id' when pg_temp.id('mac')::text then 'mac' else 'stick' end, w ->> 'credential_id', w ? 'last_used_at'
  from get_chat_keys(), jsonb_array_elements(keys) as k, jsonb_array_elements(k -> 'wraps') as w
  where w ->> 'kind' = 'passkey' and w ? 'salt' and w #> '{name}' is not null
$$;
select is((use_chat_passkey(tests.user_id('owner'), pg_temp.id('mac'))).replayed, false, 'a use is noted');
select is((use_chat_passkey(tests.user_id('owner'), pg_temp.id('mac'))).replayed, true, 'once in a minute');
select tests.clear_authentication();
update chat_key_wraps set last_used_at = now() - interval '1 minute' where last_used_at is not null;
select tests.authenticate_as_service();
select results_eq($$ select replayed, last_used_at from use_chat_passkey(tests.user_id('owner'), pg_temp.id('mac')) $$,
  $$ values (false, now()) $$, 'then again');
select is(tests.refusal(format('select use_chat_passkey(tests.user_id(%L), %L)', who, pg_temp.id(passkey))), 'PT404 device_not_found', what)
from (values ('stranger', 'mac', 'not that of another user'), ('owner', 'other', 'nor one that is not there')) as c (who, passkey, what);
select tests.authenticate_as('owner');
select bag_eq('select * from pg_temp.listed()', $$ values ('mac', 'id-of_mac', true), ('stick', 'id-of_stick', false) $$,
  'the owner sees both, and when they were used');
select throws_ok(format('select use_chat_passkey(tests.user_id(%L), %L)', 'owner', pg_temp.id('mac')), '42501', null,
  'only the service notes a use');

-- limited, revoked, rotated -------------------------------------------------------------------------------
select tests.clear_authentication();
update private.settings set value = 2 where name = 'chats.max_devices';
select is(tests.refusal($$ select pg_temp.put(3, pg_temp.passkey('third')) $$), 'PT409 too_many_devices', 'passkeys count as devices');
select tests.authenticate_as_service();
select is((revoke_chat_device(tests.user_id('owner'), pg_temp.id('stick'))).version, 4, 'one is revoked like a device');
select is((rotate_chat_keys(tests.user_id('owner'), 4, pg_temp.id('next'), to_jsonb(array[pg_temp.password(),
  pg_temp.wrap('recovery', 'new recovery'), pg_temp.wrap('epoch', 'old key')]))).epoch, 2, 'a rotation');
select is_empty($$ select 1 from chat_key_wraps where kind = 'passkey' and user_id = tests.user_id('owner') $$,
  'ends the passkeys that it does not renew');
select is((set_chat_keys(tests.user_id('owner'), 5, pg_temp.id('next'), to_jsonb(array[pg_temp.passkey('mac')]))).version, 6,
  'one is renewed with the new key');

select * from finish();
rollback;
