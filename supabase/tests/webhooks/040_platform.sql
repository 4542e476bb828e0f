-- Database Webhooks are believed as far as the row says the same; the Auth hook refuses blocked domains.

begin;
select no_plan();
select tests.create_user('owner');

create table public.orders (shop text, no integer, paid boolean not null, primary key (shop, no));
create table private.probe (id serial primary key, event public.webhook_events);
create function private.keep_probe(event public.webhook_events) returns jsonb language plpgsql set search_path = '' as $$
begin
  insert into private.probe (event) values (event);
  return '{}';
end $$;
insert into private.webhook_handlers
select 'database', 'public.orders.' || o, 'private.keep_probe' from unnest(array['INSERT', 'UPDATE', 'DELETE']) as o;
insert into orders values ('Ada''s', 1, false);

create function pg_temp.webhook(type text, record jsonb, old_record jsonb default null, tbl text default 'orders')
returns text language sql as $$
  select concat_ws(' ', r.outcome, case when r.replayed then 'replayed' end, r.error)
  from public.receive_database_webhook(jsonb_build_object('type', webhook.type, 'schema', 'public', 'table', tbl,
    'record', webhook.record, 'old_record', webhook.old_record)) as r
$$;
create function pg_temp.seen() returns jsonb language sql as $$
  select (event).payload -> 'record' from private.probe order by id desc limit 1
$$;

-- the row is read again ------------------------------------------------------------------------------
select is(pg_temp.webhook('INSERT', '{"shop": "Ada''s", "no": 1, "paid": true}'), 'processed', 'a row that is there');
select is(pg_temp.seen(), '{"shop": "Ada''s", "no": 1, "paid": false}', 'is what it is, not what is said of it');
select is(pg_temp.webhook('INSERT', '{"shop": "Ada''s", "no": 1, "paid": true}'), 'processed replayed', 'the same message is a repeat');
update orders set paid = true;
select is(pg_temp.webhook('INSERT', '{"shop": "Ada''s", "no": 1, "paid": true}'), 'processed', 'while the row is the same');
select is(pg_temp.seen() -> 'paid', 'true', 'which is read again');
select is(pg_temp.webhook('UPDATE', '{"shop": "Eve''s", "no": 1, "paid": true}'), 'ignored', 'a row that is not there');
select is(pg_temp.webhook('DELETE', null, '{"shop": "Ada''s", "no": 1, "paid": true}'), 'ignored', 'a deleted one that is');
delete from orders;
select is(pg_temp.webhook('DELETE', null, '{"shop": "Ada''s", "no": 1, "paid": true}'), 'processed', 'and one that is not');
select is((select count(*) from private.probe), 3::bigint, 'what is not believed has no effect');
select is(pg_temp.webhook('INSERT', '{"shop": "x", "no": 1}', tbl => 'profiles'), 'ignored', 'a table without an effect is stored');
insert into private.webhook_handlers values ('database', 'public.nothing.INSERT', 'private.keep_probe');
select is(tests.refusal($$ select pg_temp.webhook('INSERT', '{"no": 1}', tbl => 'nothing') $$), 'PT422 invalid_webhook_event', 'a table that is not there');
select is(tests.refusal($$ select pg_temp.webhook('INSERT', '{"shop": "x", "no": "y"}') $$), '22P02', 'a key of another type');
select is(tests.refusal(format('select public.receive_database_webhook(%L)', v)), 'PT422 invalid_webhook_event', v)
from unnest(array['{}', '[]', '1', '{"type": "TRUNCATE", "schema": "public", "table": "orders", "record": {}}',
  '{"type": "INSERT", "schema": 1, "table": "orders", "record": {}}', '{"type": "INSERT", "schema": "public", "record": {}}',
  '{"type": "INSERT", "schema": "public", "table": "orders"}', '{"type": "DELETE", "schema": "public", "table": "orders", "record": {}}']) as v;
select is(tests.refusal($$ select public.receive_database_webhook(null) $$), 'PT422 invalid_webhook_event', 'nothing');
select is((public.receive_database_webhook('{"type": "INSERT", "schema": "a\"; drop table orders; --", "table": "b", "record": {}}')).outcome,
  'ignored', 'a name is only a name');

-- auth_hook: before a user is created ---------------------------------------------------------------
create function pg_temp.sign_up(email text) returns jsonb language sql as $$
  select (public.receive_webhook_event('auth', gen_random_uuid()::text, 'before-user-created',
    jsonb_build_object('user', jsonb_build_object('email', sign_up.email)))).result
$$;
insert into blocked_email_domains (domain) values ('throwaway.example'), ('xn--bcher-kva.example');
select is(pg_temp.sign_up('ada@example.com'), '{}', 'who may sign up');
select is(pg_temp.sign_up('ada@throwaway.example'), '{"error": {"http_code": 403, "message": "Addresses of this domain cannot sign up"}}', 'who may not');
select is(pg_temp.sign_up('ada@example.com@a.b.THROWAWAY.example') ? 'error', true, 'nor from a subdomain, in any case');
select is(pg_temp.sign_up(e) , '{}', coalesce(e, 'no address')) from unnest(array['ada@notthrowaway.example', 'ada@example', '', null]) as e;
select throws_ok(format('insert into blocked_email_domains (domain) values (%L)', d), '23514', null, d)
from unnest(array['Throwaway.example', '', '.example', 'a b', 'ada@x.example']) as d;

select * from finish();
rollback;
