-- The inbox: an event is applied once, a failure is kept and tried again, what is over is replayed or cleared.

begin;
select no_plan();

-- Effects of their own: count, fail as told, fail for the moment.
create table private.probe (id serial primary key, event_id text, payload jsonb);
create function private.count_probe(event public.webhook_events) returns jsonb language plpgsql set search_path = '' as $$
begin
  insert into private.probe (event_id, payload) values (event.event_id, event.payload);
  if event.payload ->> 'fail' = (select p.payload ->> 'fail' from private.probe as p where p.event_id = 'broken') then
    raise exception 'It is broken' using errcode = 'PT409', detail = 'broken {"x": 1}';
  end if;
  if event.payload ? 'divide' then
    perform 1 / 0;
  end if;
  if event.payload ? 'deadlock' then
    raise exception 'Others' using errcode = '40P01';
  end if;
  return jsonb_build_object('seen', event.event_id);
end $$;
insert into private.webhook_handlers values ('standard:acme', 'order.paid', 'private.count_probe');
insert into private.probe (event_id, payload) values ('broken', '{"fail": "yes"}');

create function pg_temp.receive(event_id text, payload jsonb default '{}', type text default 'order.paid')
returns public.webhook_receipt language sql as $$
  select public.receive_webhook_event('standard:acme', receive.event_id, receive.type, receive.payload, '2026-11-01')
$$;
create function pg_temp.applied(event_id text) returns bigint language sql as $$
  select count(*) from private.probe as p where p.event_id = applied.event_id
$$;

-- once -----------------------------------------------------------------------------------------------
select results_eq($$ select outcome, attempts, result, error, replayed from pg_temp.receive('a') $$,
  $$ values ('processed', 1, '{"seen": "a"}'::jsonb, null::text, false) $$, 'an event is applied');
select results_eq($$ select outcome, attempts, result, error, replayed from pg_temp.receive('a', '{"other": 1}') $$,
  $$ values ('processed', 1, '{"seen": "a"}'::jsonb, null::text, true) $$, 'a repeat says what the first did');
select is(pg_temp.applied('a'), 1::bigint, 'and does nothing');
select is((select payload from webhook_events where event_id = 'a'), '{}', 'what is kept is what came first');
select results_eq(
  $$ select outcome, result from public.receive_webhook_event('standard:other', 'a', 'order.paid', '{}') $$,
  $$ values ('ignored', null::jsonb) $$, 'the same id of another sender is another event; without an effect it is stored');
select is((pg_temp.receive('b', '{}', 'order.seen')).outcome, 'ignored', 'an unknown type is stored');
insert into private.webhook_handlers values ('standard:acme', '*', 'private.count_probe');
select is((pg_temp.receive('c', '{}', 'order.seen')).outcome, 'processed', '* is for all types that have no other effect');

-- failing --------------------------------------------------------------------------------------------
update private.settings set value = 3 where name = 'webhooks.max_attempts';
select results_eq($$ select outcome, attempts, error from pg_temp.receive('f', '{"fail": "yes"}') $$,
  $$ values ('failed', 1, 'broken: It is broken') $$, 'an effect that fails is kept with its error');
select is(pg_temp.applied('f'), 0::bigint, 'its changes are not');
select is((pg_temp.receive('f', '{"fail": "yes"}')).attempts, 2, 'a repeat tries again');
select results_eq($$ select outcome, attempts, replayed from pg_temp.receive('f', '{"fail": "yes"}') $$,
  $$ values ('dead', 3, false) $$, 'the last attempt makes it a dead letter');
select results_eq($$ select outcome, attempts, replayed from pg_temp.receive('f', '{"fail": "yes"}') $$,
  $$ values ('dead', 3, true) $$, 'which is not tried any more');
select is((pg_temp.receive('g', '{"divide": 1}')).error, '22012: division by zero', 'any error is kept');
select is(tests.refusal($$ select pg_temp.receive('h', '{"deadlock": 1}') $$), '40P01',
  'what fails for the moment is raised, and not counted');
select is_empty($$ select 1 from webhook_events where event_id = 'h' $$, 'nothing of it stays');
update private.webhook_handlers set handler = 'private.gone' where type = 'order.paid';
select matches((pg_temp.receive('i')).error, '^42883: ', 'an effect that is not there has failed');
update private.webhook_handlers set handler = 'private.count_probe' where type = 'order.paid';
select is((pg_temp.receive('i')).outcome, 'processed', 'and is applied when it is');
select throws_ok($$ insert into private.webhook_handlers values ('standard:acme', 'x', 'select 1; drop') $$, '23514', null,
  'a handler is the name of a function');
delete from private.webhook_handlers where type = '*';
select is((pg_temp.receive('j', '{}', 'order.seen')).outcome, 'ignored', 'an effect that is taken away is applied no more');
insert into private.webhook_handlers values ('standard:acme', '*', 'private.count_probe'), ('standard:acme', 'it''s', 'private.count_probe');
delete from webhook_events where event_id = 'j';
select is((pg_temp.receive('j', '{}', 'it''s')).outcome, 'processed', 'a type is only a text');
delete from webhook_events where event_id = 'j';

-- bad input ------------------------------------------------------------------------------------------
select is(tests.refusal(format('select public.receive_webhook_event(%s)', v)), 'PT422 invalid_webhook_event', v)
from unnest(array[
  $$null, 'e', 't', '{}'$$, $$'Pay pal', 'e', 't', '{}'$$, $$'standard:', 'e', 't', '{}'$$, $$'standard:A b', 'e', 't', '{}'$$,
  $$'stripe', null, 't', '{}'$$, $$'stripe', '', 't', '{}'$$, $$'stripe', repeat('e', 256), 't', '{}'$$,
  $$'stripe', 'e', null, '{}'$$, $$'stripe', 'e', '', '{}'$$, $$'stripe', 'e', 't', null$$, $$'stripe', 'e', 't', '[]'$$,
  $$'stripe', 'e', 't', '1'$$, $$'stripe', 'e', 't', '{}', 'infinity'$$]) as v;

-- The last line, whoever writes: what the functions check is checked by the table too.
select throws_ok(format('insert into webhook_events (provider, event_id, type, attempts, outcome, error) values (%s)', v), '23514', null, v)
from unnest(array[$$'Pay pal', 'e', 't', 1, 'processed', null$$, $$'stripe', '', 't', 1, 'processed', null$$,
  $$'stripe', 'e', repeat('t', 256), 1, 'processed', null$$, $$'stripe', 'e', 't', -1, 'processed', null$$,
  $$'stripe', 'e', 't', 1, 'done', null$$, $$'stripe', 'e', 't', 1, 'failed', null$$,
  $$'stripe', 'e', 't', 1, 'processed', 'x'$$]) as v;

-- refusals -------------------------------------------------------------------------------------------
select public.count_webhook_refusal('stripe', 'signature_invalid') from generate_series(1, 3);
select public.count_webhook_refusal('standard:acme', 'signature_expired');
select set_eq($$ select provider, reason, day, deliveries from webhook_refusals $$,
  $$ values ('stripe', 'signature_invalid', (now() at time zone 'UTC')::date, 3::bigint),
    ('standard:acme', 'signature_expired', (now() at time zone 'UTC')::date, 1) $$, 'refusals are counted by day');
select is(tests.refusal(format('select public.count_webhook_refusal(%s)', v)), 'PT422 invalid_webhook_event', v)
from unnest(array[$$null, 'x'$$, $$'stripe', null$$, $$'any one', 'x'$$, $$'stripe', 'Any text'$$]) as v;

-- replaying ------------------------------------------------------------------------------------------
create temp table before_replay as select * from webhook_events;
create function pg_temp.replay_all(type text default null) returns public.webhook_replay language sql as $$
  select public.replay_webhook_events(received_from => '2000-01-01', type => replay_all.type)
$$;
select results_eq($$ select replayed, processed, ignored, failed, payload_gone, next_after from pg_temp.replay_all() $$,
  $$ values (7, 4, 1, 2, 0, null::bigint) $$, 'all are applied again: one more has an effect now, two still fail');
select set_eq($$ select event_id, outcome, attempts from webhook_events $$,
  $$ values ('a', 'processed', 1), ('a', 'ignored', 1), ('b', 'processed', 2), ('c', 'processed', 1), ('f', 'dead', 4),
    ('g', 'failed', 2), ('i', 'processed', 2) $$, 'what was done says what it said, the others what is news');
update private.probe set payload = '{"fail": "no"}' where event_id = 'broken';
select results_eq($$ select replayed, processed, errors from public.replay_webhook_events('f', 'standard:acme') $$,
  $$ values (1, 1, '[]'::jsonb) $$, 'a dead letter is applied when what was broken is mended');
select is((select outcome from webhook_events where event_id = 'f'), 'processed', 'and is done');
create temp table before_second_replay as select * from webhook_events where event_id <> 'g';
select is((pg_temp.replay_all('order.paid')).replayed, 5, 'a type alone');
select set_eq($$ select * from webhook_events where event_id <> 'g' $$, $$ select * from before_second_replay $$,
  'replaying changes nothing of what was done');
select results_eq(
  $$ select r.replayed, r.next_after = (select e.id from webhook_events as e order by e.id offset 2 limit 1)
    from public.replay_webhook_events(received_from => '2000-01-01', batch => 3) as r $$,
  $$ values (3, true) $$, 'a batch says where the next begins');
select is((public.replay_webhook_events(received_from => '2000-01-01', after => (select max(id) from webhook_events))).replayed,
  0, 'after the last there is none');
select is((public.replay_webhook_events(received_before => '2000-01-01')).replayed, 0, 'a range without events');
select is(tests.refusal(format('select public.replay_webhook_events(%s)', v)), 'PT422 invalid_replay', v)
from unnest(array['', $$'a'$$, $$'a', 'stripe', received_from => now()$$, $$'a', 'stripe', 't'$$,
  $$type => 't'$$, $$received_from => '-infinity'$$, $$received_from => now(), batch => 0$$,
  $$received_from => now(), batch => 501$$, $$received_from => now(), after => null$$]) as v;
select is(tests.refusal($$ select public.replay_webhook_events('zz', 'stripe') $$), 'PT404 webhook_event_not_found', 'no such event');

-- cleanup: retention --------------------------------------------------------------------------------
select is(tests.clean_up('webhook_payloads'), 0::bigint, 'nothing is old');
select public.receive_webhook_event('auth', 'u', 'before-user-created', '{}');
update webhook_events set received_at = now() - interval '91 days' where event_id in ('a', 'f', 'u');
insert into webhook_refusals values ('stripe', 'old', current_date - 92, 7);
select is(tests.clean_up('webhook_payloads', 2), 2::bigint, 'a batch');
select is(tests.clean_up('webhook_payloads'), 3::bigint, 'the rest, and the old count');
select is(tests.clean_up('webhook_payloads'), 0::bigint, 'and no more');
select set_eq($$ select event_id from webhook_events where payload is null $$, array['a', 'f'],
  'payloads are gone, ids are not');
select is_empty($$ select 1 from webhook_events where provider = 'auth' $$, 'what was not about money is gone');
select is_empty($$ select 1 from webhook_refusals where reason = 'old' $$, 'and so is the count');
select is((pg_temp.receive('a')).replayed, true, 'a repeat is known for good');
select is(tests.refusal($$ select public.replay_webhook_events('f', 'standard:acme') $$), 'PT409 webhook_payload_gone',
  'without its payload an event is not replayed');
select results_eq($$ select replayed, payload_gone from pg_temp.replay_all() $$, $$ values (4, 3) $$, 'a range says how many');
update webhook_events set payload = null, outcome = 'failed', error = 'x', attempts = 1 where event_id = 'f';
select results_eq($$ select outcome from pg_temp.receive('f', '{"again": 1}') $$, $$ values ('processed') $$,
  'a delivery brings the payload of one that failed');
select is((select payload from webhook_events where event_id = 'f'), '{"again": 1}', 'and it is kept');
select pg_temp.receive('d', '{"fail": "no"}') from generate_series(1, 3);
update webhook_events set payload = null, received_at = now() - interval '91 days' where event_id = 'd';
select is(tests.refusal($$ select public.replay_webhook_events('d', 'standard:acme') $$), 'PT409 webhook_payload_gone', 'a dead letter without payload');
select results_eq($$ select outcome, attempts, replayed from pg_temp.receive('d', '{"mended": 1}') $$, $$ values ('dead', 3, true) $$,
  'is not tried when it is delivered again');
select is(tests.clean_up('webhook_payloads'), 0::bigint, 'but what was delivered is kept anew');
select is((public.replay_webhook_events('d', 'standard:acme')).processed, 1, 'and can be replayed, as the answer says');
update webhook_events set payload = null where event_id in ('d', 'b');
select pg_temp.receive('d', '{"again": 1}'), pg_temp.receive('b', '{"again": 1}', 'order.seen');
select is((select payload from webhook_events where event_id = 'd'), null, 'what was done needs no payload');

-- mended by its sender -------------------------------------------------------------------------------
select is((pg_temp.receive('m', '{"fail": "no"}')).outcome, 'failed', 'an event that fails');
select results_eq($$ select outcome, attempts from pg_temp.receive('m', '{"fail": "no", "x": 1}', 'order.other') $$, $$ values ('failed', 2) $$,
  'delivered as another type');
select results_eq($$ select type, payload from webhook_events where event_id = 'm' $$, $$ values ('order.paid', '{"fail": "no"}'::jsonb) $$, 'is what it was');
select is((pg_temp.receive('m', '{"mended": 1}')).outcome, 'processed', 'mended, it is applied as it is delivered');
select results_eq($$ select e.payload, p.payload from webhook_events as e join private.probe as p using (event_id) where e.event_id = 'm' $$,
  $$ values ('{"mended": 1}'::jsonb, '{"mended": 1}'::jsonb) $$, 'and kept so');
select is((pg_temp.receive('m', '{"later": 1}')).replayed, true, 'from then on it is a repeat');
select is((select payload from webhook_events where event_id = 'm'), '{"mended": 1}', 'which changes nothing');


select * from finish();
rollback;
