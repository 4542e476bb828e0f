-- Wraps that were replaced: kept for a while, listed for their user, and read only after a new sign-in.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('replaced ' || name)::uuid $$;
create function pg_temp.wrap(name text) returns text language sql immutable as $$
  select jsonb_build_object('v', '2', 'nonce', encode(substr(sha256(name::bytea), 1, 12), 'base64'),
    'ciphertext', encode(sha256(name::bytea), 'base64'), 'mac', encode(substr(sha256(name::bytea), 1, 16), 'base64'))::text
$$;
create function pg_temp.password(name text) returns jsonb language sql as $$
  select jsonb_build_object('kind', 'password', 'wrap', pg_temp.wrap(name), 'memory_kib', 19456, 'passes', 2,
    'salt', encode(sha256(name::bytea), 'base64'))
$$;
create function pg_temp.other(kind text, name text) returns jsonb language sql as $$
  select jsonb_build_object('kind', kind, 'wrap', pg_temp.wrap(name))
$$;
create function pg_temp.device(name text) returns jsonb language sql as $$
  select pg_temp.other('device', name) || jsonb_build_object('device_id', pg_temp.id('device'))
$$;
create function pg_temp.set_keys(version integer, variadic wraps jsonb[]) returns integer language sql as $$
  select (set_chat_keys(tests.user_id('owner'), version, pg_temp.id('one'), to_jsonb(wraps))).version
$$;
-- What is kept, in the order in which it was replaced.
create function pg_temp.kept() returns text[] language sql as $$
  select coalesce(array_agg(r.kind || ' ' || (r.wrap::jsonb ->> 'nonce') order by r.replaced_at, r.kind), '{}')
  from private.replaced_chat_key_wraps as r where r.user_id = tests.user_id('owner')
$$;
create function pg_temp.named(kind text, name text) returns text language sql as $$
  select kind || ' ' || (pg_temp.wrap(name)::jsonb ->> 'nonce')
$$;
create function pg_temp.session(name text, user_name text, began timestamptz) returns void language sql as $$
  insert into auth.sessions (id, user_id, created_at) values (pg_temp.id(name), tests.user_id(user_name), began)
$$;
create function pg_temp.read(session text, user_name text default 'owner') returns text language sql as $$
  select tests.refusal(format('select read_replaced_chat_key(%L, %L, %L)', tests.user_id(user_name), pg_temp.id(session),
    (select r.id from private.replaced_chat_key_wraps as r
      where r.user_id = tests.user_id('owner') order by r.replaced_at limit 1)))
$$;

-- what is kept -------------------------------------------------------------------------------------------
select is(pg_temp.set_keys(0, pg_temp.password('first'), pg_temp.other('recovery', 'first')), 1, 'the first keys');
select is(pg_temp.kept(), array[]::text[], 'replace nothing');
select is(pg_temp.set_keys(1, pg_temp.device('d1')), 2, 'another device');
select is(pg_temp.set_keys(2, pg_temp.device('d2')), 3, 'and its next key');
select is(pg_temp.kept(), array[]::text[], 'leave nothing: a device may be in the wrong hands');
select is(pg_temp.set_keys(3, pg_temp.password('second')), 4, 'a new password');
select is(pg_temp.kept(), array[pg_temp.named('password', 'first')], 'leaves the wrap under the one before');
select results_eq($$ select r.salt, r.memory_kib, r.passes, r.wrap, r.key_id from private.replaced_chat_key_wraps as r
    where r.user_id = tests.user_id('owner') $$,
  $$ values (encode(sha256('first'), 'base64'), 19456, 2, pg_temp.wrap('first'), pg_temp.id('one')) $$, 'with all of it');
select is(pg_temp.set_keys(4, pg_temp.other('recovery', 'second')), 5, 'a new recovery key');
select is(pg_temp.kept(), array[pg_temp.named('password', 'first'), pg_temp.named('recovery', 'first')],
  'leaves the wrap under the one before');
select is((revoke_chat_device(tests.user_id('owner'), pg_temp.id('device'))).version, 6, 'a revoked device');
select is(cardinality(pg_temp.kept()), 2, 'leaves nothing');
update private.settings set value = 2 where name = 'chats.max_replaced_keys';
select is(pg_temp.set_keys(6, pg_temp.password('third')), 7, 'a third password');
select is(pg_temp.set_keys(7, pg_temp.password('fourth')), 8, 'and a fourth');
select is(pg_temp.kept(), array[pg_temp.named('password', 'first'), pg_temp.named('recovery', 'first'),
  pg_temp.named('password', 'second')], 'push out none of the first ones');
select is((rotate_chat_keys(tests.user_id('owner'), 8, pg_temp.id('two'), jsonb_build_array(pg_temp.password('fifth'),
    pg_temp.other('recovery', 'fifth'), pg_temp.other('epoch', 'link')))).version, 9, 'a rotation');
select is(pg_temp.kept(), array[pg_temp.named('password', 'first'), pg_temp.named('recovery', 'first'),
  pg_temp.named('password', 'second'), pg_temp.named('recovery', 'second')], 'leaves the wraps of the epoch before');

-- the list -----------------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select results_eq($$ select kind, is_current, kept_until - replaced_at from get_replaced_chat_keys() $$,
  $$ values ('recovery', false, interval '30 days'), ('password', false, interval '30 days'),
    ('recovery', false, interval '30 days'), ('password', false, interval '30 days') $$,
  'its user sees kinds and times, the last replacement first');
select throws_ok('select * from private.replaced_chat_key_wraps', '42501', null, 'but not the wraps');
select throws_ok($$ select read_replaced_chat_key(tests.user_id('owner'), pg_temp.id('new'), pg_temp.id('x')) $$, '42501', null,
  'and cannot read them past the service');
select tests.authenticate_as('stranger');
select is_empty('select * from get_replaced_chat_keys()', 'a stranger sees none');
select tests.authenticate_as_anon();
select throws_ok('select * from get_replaced_chat_keys()', '42501', null, 'nor does somebody who is not signed in');

-- reading one --------------------------------------------------------------------------------------------
select tests.clear_authentication();
update private.replaced_chat_key_wraps set replaced_at = now() - interval '10 minutes' where user_id = tests.user_id('owner')
  and wrap = pg_temp.wrap('first') and kind = 'password';
select pg_temp.session('before', 'owner', now() - interval '11 minutes');
select pg_temp.session('same', 'owner', now() - interval '10 minutes');
select pg_temp.session('new', 'owner', now() - interval '1 minute');
select pg_temp.session('stranger', 'stranger', now());
select is(pg_temp.read('new'), 'no refusal', 'a session that began after the replacement gets the wrap');
select is((read_replaced_chat_key(tests.user_id('owner'), pg_temp.id('new'), r.id)).wrap, pg_temp.wrap('first'), 'as it was')
from private.replaced_chat_key_wraps as r where r.user_id = tests.user_id('owner') order by r.replaced_at limit 1;
select is(pg_temp.read('before'), 'PT403 reauthentication_needed', 'one that began before it does not');
select is(pg_temp.read('same'), 'PT403 reauthentication_needed', 'nor one that began at the same instant');
select is(pg_temp.read('stranger'), 'PT403 reauthentication_needed', 'nor that of another user');
select is(pg_temp.read('none'), 'PT403 reauthentication_needed', 'nor one that does not exist');
select is(pg_temp.read('stranger', 'stranger'), 'PT404 replaced_key_not_found', 'another user has no such wrap');
select is(tests.refusal(format('select read_replaced_chat_key(%L, null, %L)', tests.user_id('owner'), pg_temp.id('x'))),
  'PT403 reauthentication_needed', 'a token without a session does not do');
update private.replaced_chat_key_wraps set replaced_at = now() - interval '1 hour' where user_id = tests.user_id('owner')
  and wrap = pg_temp.wrap('first') and kind = 'password';
update auth.sessions set created_at = now() - interval '15 minutes' where id = pg_temp.id('new');
select is(pg_temp.read('new'), 'PT403 reauthentication_needed', 'after 15 minutes, the user must sign in again');
update auth.sessions set created_at = now() - interval '15 minutes' + interval '1 second' where id = pg_temp.id('new');
select is(pg_temp.read('new'), 'no refusal', 'and not before');

-- for 30 days --------------------------------------------------------------------------------------------
update private.replaced_chat_key_wraps set replaced_at = now() - interval '30 days' where user_id = tests.user_id('owner')
  and wrap = pg_temp.wrap('first');
update private.replaced_chat_key_wraps set replaced_at = now() - interval '30 days' + interval '1 second'
where user_id = tests.user_id('owner') and wrap = pg_temp.wrap('second');
select is(pg_temp.read('new'), 'PT404 replaced_key_not_found', 'what was kept for 30 days is gone, even before the cleanup');

-- cleanup: what was kept long enough ---------------------------------------------------------------------
select is(tests.clean_up('replaced_chat_keys'), 2::bigint, 'the cleanup then deletes it');
select is(array_length(pg_temp.kept(), 1), 2, 'and nothing else');
select is(tests.clean_up('replaced_chat_keys'), 0::bigint, 'once');

-- with their user --------------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('owner');
select is(pg_temp.kept(), array[]::text[], 'they go with their user');

select * from finish();
rollback;
