-- API keys: who may create and use them, what is refused, and what is recorded.

begin;
select plan(29);

select tests.create_user('ada');
select tests.create_user('bob');

create function pg_temp.new_key(who text, permissions jsonb default '["credits:read"]', name text default 'Job',
  expires_at timestamptz default null) returns jsonb
language sql as $$
  select public.create_api_key(tests.user_id(who), name, encode(sha256(gen_random_uuid()::text::bytea), 'hex'), 'srk_abcdefgh',
    permissions, expires_at);
$$;
create function pg_temp.hash_of(id uuid) returns text language sql as $$
  select key_hash from public.api_keys where api_keys.id = hash_of.id;
$$;
create function pg_temp.use(id uuid, permission text default 'credits:read') returns public.api_key_use
language sql as $$ select public.use_api_key(pg_temp.hash_of(id), permission) $$;

-- Creating --------------------------------------------------------------------------------------------

select ok(not has_function_privilege('authenticated', 'public.create_api_key(uuid,text,text,text,jsonb,timestamptz)', 'execute'),
  'clients cannot create a key without the function');
select ok(not has_function_privilege('authenticated', 'public.use_api_key(text,text)', 'execute'), 'nor try one');
create temp table made as select (pg_temp.new_key('ada') ->> 'id')::uuid as id;
grant select on made to authenticated;
select is((select k.user_id from api_keys as k join made using (id)), tests.user_id('ada'), 'a key belongs to its user');
select is(pg_temp.new_key('ada') ? 'key_hash', false, 'the hash is not returned');
select throws_ok($$ select pg_temp.new_key('ada', name => '') $$, 'PT422', null, 'a key without a name is refused');
select throws_ok($$ select pg_temp.new_key('ada', name => repeat('x', 201)) $$, 'PT422', null, 'a long name too');
select throws_ok($$ select pg_temp.new_key('ada', '[]') $$, 'PT422', null, 'no permissions');
select throws_ok($$ select pg_temp.new_key('ada', '{"credits:read": true}') $$, 'PT422', null, 'an object of permissions');
select throws_ok($$ select pg_temp.new_key('ada', '["credits:read", "root"]') $$, 'PT422', 'There is no permission "root"',
  'an unknown permission is named');
select throws_ok($$ select pg_temp.new_key('ada', '[null]') $$, 'PT422', null, 'null is no permission');
select throws_ok($$ select pg_temp.new_key('ada', expires_at => now()) $$, 'PT422', null, 'a key that has ended already');
select throws_ok($$ select public.create_api_key(gen_random_uuid(), 'Job', repeat('a', 64), 'srk_abcd', '["credits:read"]') $$,
  'PT404', null, 'a user who does not exist');
update private.settings set value = 3 where name = 'api_keys.per_user';
select pg_temp.new_key('ada');
select throws_ok($$ select pg_temp.new_key('ada') $$, 'PT409', 'You already have 3 API keys', 'the limit per user');
select lives_ok($$ select pg_temp.new_key('bob') $$, 'is not that of others');

-- Using -----------------------------------------------------------------------------------------------

select is(pg_temp.use((select id from made)), row(tests.user_id('ada'), null)::public.api_key_use, 'a key that may');
select is((select last_used_at from api_keys where id = (select id from made)), date_trunc('minute', now()),
  'its use is noted to the minute');
select is(public.use_api_key(repeat('0', 64), 'credits:read'), row(null, 'invalid_api_key')::public.api_key_use, 'a guess');
select is(pg_temp.use((select id from made), 'files:write'), row(null, 'permission_missing')::public.api_key_use,
  'a permission that it does not have');
update api_keys set permissions = '{"credits:read": true}' where id = (select id from made);
select is(pg_temp.use((select id from made)), row(null, 'permission_missing')::public.api_key_use,
  'permissions that are no array allow nothing');
update api_keys set permissions = '["credits:read"]', is_active = false where id = (select id from made);
select is(pg_temp.use((select id from made)), row(null, 'invalid_api_key')::public.api_key_use, 'disabled');
update api_keys set is_active = true, expires_at = clock_timestamp() where id = (select id from made);
select is(pg_temp.use((select id from made)), row(null, 'invalid_api_key')::public.api_key_use, 'at the instant of its end');
update api_keys set expires_at = null where id = (select id from made);
select is((pg_temp.use((select id from made))).user_id, tests.user_id('ada'), 'enabled again');

-- What is recorded ------------------------------------------------------------------------------------

select results_eq(
  $$ select event, detail from api_key_events where key_id = (select id from made) order by id $$,
  $$ values ('created', '{}'::jsonb),
    ('refused', '{"code": "permission_missing", "permission": "files:write"}'),
    ('changed', '{"permissions": {"credits:read": true}}'),
    ('disabled', '{"permissions": ["credits:read"]}'),
    ('enabled', format('{"expires_at": %s}', (select detail -> 'expires_at' from api_key_events
      where key_id = (select id from made) and event = 'enabled'))::jsonb),
    ('changed', '{"expires_at": null}') $$,
  'every change, and the first refusal of a minute');
select tests.authenticate_as('ada');
select isnt_empty($$ select from api_key_events where key_id = (select id from made) $$, 'its user reads it');
select lives_ok($$ update api_keys set name = name || n from generate_series(1, 20) as n $$, 'a user changes all keys at once');
select throws_ok(
  $$ do $do$ begin for n in 1..20 loop update public.api_keys set name = name || n; end loop; end $do$ $$, 'PGRST', null,
  'but not again and again: each change is kept');
delete from api_keys where id = (select id from made);
select is((select event from api_key_events where key_id = (select id from made) order by id desc limit 1), 'deleted',
  'also that the key was deleted');
select tests.authenticate_as('bob');
select is_empty($$ select from api_key_events where key_id = (select id from made) $$, 'others do not');
select tests.clear_authentication();
delete from auth.users where id = tests.user_id('ada');
select is_empty($$ select from api_key_events where key_id = (select id from made) $$,
  'an account goes with its keys and what happened to them');

select * from finish();
rollback;
