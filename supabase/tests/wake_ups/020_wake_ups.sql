-- Wake-ups: what is sent, and that it says only what has changed.

begin;
select plan(11);
select tests.create_user(name) from unnest(array['boss', 'member']) as name;
create temp view sent as
  select row_number() over (order by m.inserted_at, m.id) as n, m.topic, m.event, m.private, m.payload - 'id' as payload
  from realtime.messages as m;

insert into teams (id, name) values (md5('team')::uuid, 'Team');
insert into team_members (team_id, user_id, role) values (md5('team')::uuid, tests.user_id('boss'), 'owner');
insert into credit_prices (sku, unit, price, effective_from) values ('test', 'one', 10, '2020-01-01');
delete from realtime.messages;

-- credits -----------------------------------------------------------------------------------------------
select grant_credits(user_id => tests.user_id('boss'), amount => 50, idempotency_key => 'a');
select results_eq(
  $$ select topic, event, private, payload - 'version' from sent $$,
  $$ values ('user:' || tests.user_id('boss'), 'credits', true,
    (select jsonb_build_object('balance', trim_scale(a.balance), 'available', trim_scale(a.balance))
     from credit_accounts as a where a.user_id = tests.user_id('boss'))) $$,
  'a grant tells the user how many credits there are');
delete from realtime.messages;
select deduct_credits(user_id => tests.user_id('boss'), sku => 'test', quantity => 1);
select is_empty($$ select * from sent $$, 'a charge tells nobody');
create trigger wake_credit_spending after update on public.credit_accounts
  for each row
  when (new.balance - new.held + new.overdraft_limit < old.balance - old.held + old.overdraft_limit
    or new.balance < old.balance)
  execute function private.wake_credits();
select deduct_credits(user_id => tests.user_id('boss'), sku => 'test', quantity => 1);
select results_eq(
  $$ select event, (payload ->> 'available')::numeric from sent $$,
  $$ select 'credits', a.balance from credit_accounts as a where a.user_id = tests.user_id('boss') $$,
  'with the trigger of docs/realtime.md, it tells what is left');
delete from realtime.messages;
select grant_credits(team_id => md5('team')::uuid, amount => 5, idempotency_key => 'b');
select results_eq($$ select topic, event from sent $$, $$ values ('team:' || md5('team')::uuid, 'credits') $$,
  'a grant to a team tells the team');
delete from realtime.messages;
update credit_accounts set alert_threshold = 1000000, alert_armed = true where user_id = tests.user_id('boss');
select deduct_credits(user_id => tests.user_id('boss'), sku => 'test', quantity => 1);
select set_eq($$ select topic, event, payload - 'version' - 'balance' - 'available' from sent $$,
  $$ select 'user:' || tests.user_id('boss') as topic, e, '{}'::jsonb from unnest(array['alerts', 'credits']) as e $$,
  'an alert tells that there is one');
delete from realtime.messages;

insert into credit_units (unit) values ('images');
select grant_credits(user_id => tests.user_id('boss'), amount => 5, unit => 'images');
select results_eq($$ select topic, event, payload - 'version' from sent $$,
  $$ values ('user:' || tests.user_id('boss'), 'units', '{"unit": "images", "balance": 5, "available": 5}'::jsonb) $$,
  'another unit is another event: an app that knows only credits does not take images for them');
delete from realtime.messages;
select set_credit_alert(5, tests.user_id('boss'), unit => 'images');
select deduct_credits(user_id => tests.user_id('boss'), amount => 1, unit => 'images');
select set_eq($$ select event, payload -> 'unit' from sent $$,
  $$ values ('alerts', '"images"'::jsonb), ('units', '"images"') $$, 'and an alert says of what');
delete from realtime.messages;

-- projects: one of the team ----------------------------------------------------------------------
insert into projects (id, user_id, team_id, title) values (md5('p')::uuid, tests.user_id('boss'), md5('team')::uuid, 'x');

-- conversations: their messages ------------------------------------------------------------------
insert into conversations (id, user_id, title) values (md5('c')::uuid, tests.user_id('boss'), 'x');
select save_messages(user_id => tests.user_id('boss'), conversation_id => md5('c')::uuid::text,
  messages => '[{"role": "user", "content": "secret"}, {"role": "assistant", "content": "secret"}]');
select set_eq($$ select topic, event, payload from sent $$,
  $$ values ('user:' || tests.user_id('boss'), 'messages',
    jsonb_build_object('conversation_id', md5('c')::uuid, 'operation', 'insert')) $$,
  'messages tell the owner of the conversation where they are');
delete from realtime.messages;
delete from messages where conversation_id = md5('c')::uuid;
select set_eq($$ select payload ->> 'operation' from sent $$, $$ values ('delete') $$, 'and that they have gone');
delete from realtime.messages;
-- messages: of the project ----------------------------------------------------------------------
select save_messages(user_id => tests.user_id('boss'), project_id => md5('p')::uuid,
  messages => '[{"role": "user", "content": "secret"}]');
select set_eq($$ select topic, payload from sent where event = 'messages' $$,
  $$ values ('project:' || md5('p')::uuid, jsonb_build_object('project_id', md5('p')::uuid, 'operation', 'insert')) $$,
  'messages of a project tell its topic');
delete from realtime.messages;

-- files: of the project --------------------------------------------------------------------------
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
values (tests.user_id('boss'), md5('p')::uuid, 'secret', 'secret', 'avatars');
select set_eq($$ select topic, payload from sent where event = 'files' $$,
  $$ select t, jsonb_build_object('bucket', 'avatars', 'project_id', md5('p')::uuid, 'operation', 'insert') as payload
    from unnest(array['user:' || tests.user_id('boss'), 'project:' || md5('p')::uuid]) as t $$,
  'a file tells its owner and its project');

select * from finish();
rollback;
