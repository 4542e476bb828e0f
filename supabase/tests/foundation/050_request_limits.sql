-- Requests a minute, as PostgREST counts them, and rows of visitors.

begin;
select no_plan();
select tests.create_user('owner');
select tests.create_user('other');

select is(
  (select s.setconfig from pg_db_role_setting as s where s.setrole = 'authenticator'::regrole and s.setdatabase = 0
    and 'pgrst.db_pre_request=private.count_request' = any (s.setconfig)) is not null, true,
  'PostgREST is told to count requests');

-- Makes n requests as PostgREST does, with these headers.
create function pg_temp.request(headers jsonb default '{}', n integer default 1) returns void language plpgsql as $$
begin
  perform set_config('request.headers', headers::text, true);
  for i in 1..n loop
    perform private.count_request();
  end loop;
end $$;
grant execute on function pg_temp.request(jsonb, integer) to anon, authenticated, service_role;
update private.settings set value = 3 where name in ('requests.per_user', 'requests.per_address');

select tests.authenticate_as('owner');
select lives_ok($$ select pg_temp.request(n => 3) $$, 'a user may make as many requests as the setting says');
select throws_ok($$ select pg_temp.request() $$, 'PGRST', null, 'one more is refused');
select tests.authenticate_as('other');
select lives_ok($$ select pg_temp.request(n => 3) $$, 'another user has requests of their own');
select tests.authenticate_as_service();
select lives_ok($$ select pg_temp.request(n => 10) $$, 'the service is not counted');
select throws_ok(
  format('select pg_temp.request(jsonb_build_object(''x-counted-user'', %L))', tests.user_id('owner')), 'PGRST', null,
  'unless it says that it acts for a user');
select tests.authenticate_as('other');
select throws_ok(
  format('select pg_temp.request(jsonb_build_object(''x-counted-user'', %L))', gen_random_uuid()), 'PGRST', null,
  'and a user cannot count for another');

select tests.authenticate_as_anon();
select lives_ok($$ select pg_temp.request('{"x-forwarded-for": "192.0.2.1, 198.51.100.7"}', 3) $$,
  'a visitor is counted by address');
select throws_ok($$ select pg_temp.request('{"x-forwarded-for": "192.0.2.1"}') $$, 'PGRST', null, 'and refused');
select lives_ok($$ select pg_temp.request('{"x-forwarded-for": "192.0.2.2"}') $$, 'but not from another');
select lives_ok($$ select pg_temp.request('{"cf-connecting-ip": "2001:db8::1", "x-forwarded-for": "192.0.2.1"}', 3) $$,
  'the address that Cloudflare saw comes first');
select throws_ok($$ select pg_temp.request('{"cf-connecting-ip": "2001:db8::ffff"}') $$, 'PGRST', null,
  'all addresses of an IPv6 network count together');
select lives_ok($$ select pg_temp.request('{"x-forwarded-for": "nonsense"}') $$, 'an address that is none is no error');
select lives_ok($$ select pg_temp.request() $$, 'nor is none');

select tests.clear_authentication();
update private.settings set value = 0 where name in ('requests.per_user', 'requests.per_address');
select tests.authenticate_as('owner');
select lives_ok($$ select pg_temp.request(n => 10) $$, '0 switches the limit off');

select throws_ok($$ select * from private.request_counts $$, '42501', null, 'a user does not read the counts');

-- What the answer says -------------------------------------------------------------------------------

select tests.clear_authentication();
create function pg_temp.refusal(out message jsonb, out detail jsonb) language plpgsql as $$
declare
  v_message text;
  v_detail text;
begin
  perform private.refuse_requests('user', 600);
exception when sqlstate 'PGRST' then
  get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
  message := v_message;
  detail := v_detail;
end $$;
select is(message ->> 'code', 'PT429', 'the code is that of other errors with this status') from pg_temp.refusal();
select matches(message ->> 'details',
  '^too_many_requests \{"limit": 600, "policy": "user", "window": 60, "retry_after": [1-9]\d?\}$',
  'DETAIL has the code and what is allowed') from pg_temp.refusal();
select matches(detail #>> '{headers,Retry-After}', '^[1-9]\d?$', 'Retry-After is in seconds') from pg_temp.refusal();
select is(detail #>> '{headers,RateLimit-Policy}', '"user";q=600;w=60', 'RateLimit-Policy says what is allowed')
from pg_temp.refusal();
select is(detail #>> '{headers,RateLimit}', format('"user";r=0;t=%s', detail #>> '{headers,Retry-After}'),
  'RateLimit says when there is more') from pg_temp.refusal();
select is(detail -> 'status', '429', 'the status is 429') from pg_temp.refusal();

-- product_sorar: visitors ----------------------------------------------------------------------------

update private.settings set value = 3 where name in ('site_visits.per_minute', 'waitlist.per_minute');
select tests.authenticate_as_anon();
select lives_ok($$ insert into site_visits (path) values ('/'), ('/'), ('/') $$, 'visitors are recorded');
select throws_ok($$ insert into site_visits (path) values ('/') $$, 'PGRST', null, 'to so many in a minute');
select throws_ok($$ insert into waitlist (email) select n || '@example.com' from generate_series(1, 4) as n $$, 'PGRST',
  null, 'rows count, not requests');
select tests.clear_authentication();
update private.settings set value = 3 where name = 'site_visits.per_address';
update private.settings set value = 100 where name = 'site_visits.per_minute';
select tests.authenticate_as_anon();
select set_config('request.headers', '{"cf-connecting-ip": "192.0.2.1"}', true);
select throws_ok($$ insert into site_visits (path) select '/' from generate_series(1, 4) as n $$, 'PGRST', null,
  'one address does not use up the minute of all');
select lives_ok($$ insert into site_visits (path) values ('/'), ('/'), ('/') $$, 'it has its share');
select throws_ok($$ insert into site_visits (path) values ('/') $$, 'PGRST', null, 'and no more');
select set_config('request.headers', '{"x-forwarded-for": "192.0.2.2, 192.0.2.9"}', true);
select lives_ok($$ insert into site_visits (path) values ('/') $$, 'visitors from another address have theirs');
select set_config('request.headers', '', true);
select tests.authenticate_as_service();
select lives_ok($$ insert into site_visits (path) values ('/') $$, 'the service is not counted there either');

-- cleanup: counts and rows of visitors ---------------------------------------------------------------

select tests.clear_authentication();
insert into private.request_counts values (date_trunc('minute', now()) - interval '1 minute', gen_random_uuid(), 1, 5);
select is(tests.clean_up('request_counts'), 1::bigint, 'the cleanup deletes counts of past minutes');
select isnt_empty($$ select * from private.request_counts $$, 'and keeps those of this minute');
delete from waitlist;
delete from site_visits;
insert into site_visits (path, timestamp) values ('/old', now() - interval '397 days'), ('/new', now());
insert into waitlist (email, created_at) values ('old@example.com', now() - interval '3 years'),
  ('twice@example.com', now() - interval '2 days'), ('Twice@Example.com', now()), ('new@example.com', now());
select is(tests.clean_up('visitor_rows'), 3::bigint, 'it deletes old rows of visitors, and addresses that are there twice');
select results_eq($$ select path from site_visits $$, array['/new'], 'and keeps other visits');
select bag_eq($$ select email, created_at < now() from waitlist $$,
  $$ values ('twice@example.com', true), ('new@example.com', false) $$, 'and the first of the same address');

select * from finish();
rollback;
