-- Approvals of new devices: what is sent in turn, each once; limits; and who may read them.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;

create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('approvals ' || name)::uuid $$;
create function pg_temp.share(name text) returns text language sql immutable as $$
  select encode(sha256(name::bytea), 'base64')
$$;
create function pg_temp.sealed(bytes integer default 16) returns text language sql immutable as $$
  select jsonb_build_object('v', '1', 'nonce', 'n', 'ciphertext', repeat('c', bytes), 'mac', 'm')::text
$$;
create function pg_temp.begin_one(name text, share text default pg_temp.share('new')) returns chat_approval language sql as $$
  select begin_chat_approval(tests.user_id('owner'), pg_temp.id(name), share)
$$;
create function pg_temp.change(
  name text, reply text default null, hello text default null, answer text default null, closed text default null,
  who text default 'owner'
) returns chat_approval language sql as $$
  select change_chat_approval(tests.user_id(who), pg_temp.id(name), reply, hello, answer, closed)
$$;

select tests.authenticate_as_service();

-- the first message ---------------------------------------------------------------------------------------
select results_eq($$ select share, replayed, expires_at - created_at from pg_temp.begin_one('one') $$,
  $$ values (pg_temp.share('new'), false, interval '10 minutes') $$, 'a new device waits for ten minutes');
select is((pg_temp.begin_one('one')).replayed, true, 'the same request again changes nothing');
select is(tests.refusal($$ select pg_temp.begin_one('one', pg_temp.share('other')) $$), 'PT409 approval_id_used',
  'the share cannot be replaced');
select is(tests.refusal(format('select pg_temp.begin_one(%L, %L)', 'two', share)), 'PT422 invalid_approval', what)
from (values ('a short share', encode('x', 'base64')), ('a share that is no base64', repeat('*', 44)), ('no share', null)) as c (what, share);
select is(tests.refusal($$ select begin_chat_approval(tests.user_id('owner'), null, pg_temp.share('new')) $$), 'PT422 invalid_approval',
  'an approval needs an id');
select is(tests.refusal($$ select begin_chat_approval(pg_temp.id('nobody'), pg_temp.id('one'), pg_temp.share('new')) $$),
  'PT404 user_not_found', 'and an account');

-- the others, in turn -------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.change('one', hello => pg_temp.sealed()) $$), 'PT409 approval_out_of_turn',
  'the new device says nothing before the other');
select is(tests.refusal($$ select pg_temp.change('one', answer => pg_temp.sealed()) $$), 'PT409 approval_out_of_turn', 'nor is there an answer');
select is((pg_temp.change('one', reply => pg_temp.share('old'))).reply, pg_temp.share('old'), 'the other device replies');
select is((pg_temp.change('one', reply => pg_temp.share('old'))).replayed, true, 'also when it asks twice');
select is(tests.refusal($$ select pg_temp.change('one', reply => pg_temp.share('thief')) $$), 'PT409 approval_out_of_turn',
  'a second reply would be a second guess');
select is(tests.refusal($$ select pg_temp.change('one', answer => pg_temp.sealed()) $$), 'PT409 approval_out_of_turn',
  'there is no answer to who has not shown the code');
select is((pg_temp.change('one', hello => pg_temp.sealed())).hello, pg_temp.sealed(), 'the new device shows the code');
select is(tests.refusal($$ select pg_temp.change('one', hello => pg_temp.sealed(17)) $$), 'PT409 approval_out_of_turn', 'once');
select is((pg_temp.change('one', answer => pg_temp.sealed())).answer, pg_temp.sealed(), 'the other one responds');
select is(tests.refusal($$ select pg_temp.change('one', answer => pg_temp.sealed(17)) $$), 'PT409 approval_out_of_turn', 'once');
select results_eq($$ select reply, hello, answer, closed from pg_temp.change('one', closed => 'done') $$,
  $$ values (null::text, null::text, null::text, 'done') $$, 'when it is done, what was sent goes');
select is((pg_temp.change('one', closed => 'done')).replayed, true, 'it is done once');
select is(tests.refusal($$ select pg_temp.change('one', closed => 'refused') $$), 'PT409 approval_closed', 'and not refused then');
select is(tests.refusal($$ select pg_temp.change('one', reply => pg_temp.share('old')) $$), 'PT409 approval_closed', 'nor used again');

-- malformed -----------------------------------------------------------------------------------------------
select lives_ok($$ select pg_temp.begin_one('two') $$, 'another new device');
select is(tests.refusal(statement), 'PT422 invalid_approval', what)
from (values
  ('nothing', $$ select pg_temp.change('two') $$),
  ('two at once', $$ select pg_temp.change('two', reply => pg_temp.share('old'), hello => pg_temp.sealed()) $$),
  ('an end that is none', $$ select pg_temp.change('two', closed => 'lost') $$),
  ('a reply that is no share', $$ select pg_temp.change('two', reply => 'x') $$),
  ('a message without its members', $$ select pg_temp.change('two', hello => '{}') $$),
  ('a message that is no JSON', $$ select pg_temp.change('two', hello => 'x') $$),
  ('a long name', $$ select pg_temp.change('two', hello => pg_temp.sealed(2048)) $$),
  ('a long answer', $$ select pg_temp.change('two', answer => pg_temp.sealed(32768)) $$)
) as c (what, statement);
select is(tests.refusal($$ select pg_temp.change('three', reply => pg_temp.share('old')) $$), 'PT404 approval_not_found', 'an unknown one');

-- stranger ------------------------------------------------------------------------------------------------
select is(tests.refusal($$ select pg_temp.change('two', reply => pg_temp.share('old'), who => 'stranger') $$),
  'PT404 approval_not_found', 'nobody replies for another user');
select is(tests.refusal($$ select pg_temp.change('two', closed => 'refused', who => 'stranger') $$),
  'PT404 approval_not_found', 'or refuses');
select lives_ok($$ select begin_chat_approval(tests.user_id('stranger'), pg_temp.id('two'), pg_temp.share('new')) $$,
  'an id of another user is free');
select tests.authenticate_as('stranger');
select results_eq('select user_id, id from list_chat_approvals()', $$ values (tests.user_id('stranger'), pg_temp.id('two')) $$,
  'a stranger lists only their own');
select is_empty($$ select 1 from chat_approvals where user_id = tests.user_id('owner') $$, 'and reads no others');
select tests.authenticate_as('owner');
select results_eq('select id, closed from list_chat_approvals()',
  $$ values (pg_temp.id('one'), 'done'), (pg_temp.id('two'), null) $$, 'the owner lists open and closed ones');
select throws_ok($$ update chat_approvals set reply = 'x' $$, '42501', null, 'but changes none directly');
select throws_ok($$ insert into chat_approvals (user_id, id, share, expires_at) values (tests.user_id('owner'), pg_temp.id('x'), 'x', now()) $$,
  '42501', null, 'and adds none');
select throws_ok($$ select begin_chat_approval(tests.user_id('owner'), pg_temp.id('x'), pg_temp.share('new')) $$, '42501', null,
  'the functions are for the service');
select throws_ok($$ select pg_temp.change('two', closed => 'refused') $$, '42501', null, 'both of them');
select tests.authenticate_as_anon();
select throws_ok('select 1 from chat_approvals', '42501', null, 'without a user, nothing is read');
select throws_ok('select list_chat_approvals()', '42501', null, 'or listed');

-- limits and time -----------------------------------------------------------------------------------------
select tests.authenticate_as_service();
select lives_ok(format('select pg_temp.begin_one(%L)', name), 'three wait at the same time') from unnest(array['three', 'four']) as name;
select is(tests.refusal($$ select pg_temp.begin_one('five') $$), 'PT429 too_many_approvals', 'a fourth does not');
select is((pg_temp.begin_one('four')).replayed, true, 'one that is there does not meet the limit');
select lives_ok($$ select pg_temp.change('four', closed => 'refused') $$, 'until one is refused');
select lives_ok($$ select pg_temp.begin_one('five') $$, 'which makes room');
select tests.clear_authentication();
update chat_approvals set expires_at = now() where id = pg_temp.id('five');
select tests.authenticate_as_service();
select is(tests.refusal($$ select pg_temp.change('five', reply => pg_temp.share('old')) $$), 'PT410 approval_expired', 'after ten minutes it is over');
select tests.authenticate_as('owner');
select is_empty($$ select 1 from list_chat_approvals() where id = pg_temp.id('five') $$, 'and no longer listed');
select tests.authenticate_as_service();
select lives_ok($$ select pg_temp.begin_one('six') $$, 'an expired one makes room too');
select tests.clear_authentication();
update chat_approvals set expires_at = now();
update private.settings set value = 6 where name = 'chats.daily_approvals';
select is(tests.refusal($$ select pg_temp.begin_one('seven') $$), 'PT429 too_many_approvals', 'there are only so many in a day');
update chat_approvals set created_at = now() - interval '1 day' where id = pg_temp.id('one');
select lives_ok($$ select pg_temp.begin_one('seven') $$, 'older ones do not count');

-- an account that ends ------------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('owner');
select is_empty($$ select 1 from chat_approvals where user_id = tests.user_id('owner') $$, 'they go with their account');

select * from finish();
rollback;
