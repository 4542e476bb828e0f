-- The limit of a user's messages: that the estimate is close, whoever writes; that every way to write is refused once the
-- limit is reached, and only to that user; and that deleting makes room.

begin;
select no_plan();
-- The sample is the same in every run.
select setseed(0.5);

select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;
insert into teams (id, name) values (tests.user_id('team'), 'Team');
insert into team_members (team_id, user_id, role)
values (tests.user_id('team'), tests.user_id('owner'), 'owner'), (tests.user_id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title)
values (tests.user_id('project'), tests.user_id('owner'), tests.user_id('team'), 'P');
insert into conversations (id, user_id) values (tests.user_id('conversation'), tests.user_id('owner')),
  (tests.user_id('other conversation'), tests.user_id('owner')),
  (tests.user_id('stranger''s conversation'), tests.user_id('stranger'));

create type pg_temp.amount as (rows numeric, bytes numeric);
create function pg_temp.used(owner text default 'owner') returns pg_temp.amount language sql stable as $$
  select coalesce(sum(u.rows), 0), coalesce(sum(u.bytes), 0) from private.table_usage as u
  where u.owner_id = tests.user_id(owner) and u.table_name = 'messages'
$$;
create function pg_temp.there() returns pg_temp.amount language sql stable as $$
  select count(*), coalesce(sum(octet_length(concat(m.content, m.object_data, m.result_data, m.metadata))), 0)
  from public.messages as m
  where m.project_id in (select p.id from public.projects as p where p.user_id = tests.user_id('owner'))
    or m.conversation_id in (select c.id from public.conversations as c where c.user_id = tests.user_id('owner'))
$$;
-- Whether the count differs from what is there by less than a third.
create function pg_temp.is_close() returns boolean language sql stable as $$
  select abs((pg_temp.used()).rows - (pg_temp.there()).rows) < (pg_temp.there()).rows / 3
    and abs((pg_temp.used()).bytes - (pg_temp.there()).bytes) < (pg_temp.there()).bytes / 3
$$;
create function pg_temp.write(parent text, count integer, content text default 'a message') returns void language sql as $$
  insert into public.messages (project_id, conversation_id, role, content, sequence_number)
  select case parent when 'project' then tests.user_id(parent) end, case when parent <> 'project' then tests.user_id(parent) end,
    'user', to_jsonb(content), case parent when 'project' then n end
  from generate_series(1 + coalesce((select max(m.sequence_number) from public.messages as m
    where m.project_id = tests.user_id('project')), 0), count + coalesce((select max(m.sequence_number)
    from public.messages as m where m.project_id = tests.user_id('project')), 0)) as n
$$;
grant execute on function pg_temp.write(text, integer, text) to authenticated;

-- Counting ------------------------------------------------------------------------------------------

select tests.authenticate_as('owner');
select pg_temp.write('conversation', 600);
select pg_temp.write('other conversation', 400);
select tests.clear_authentication();
select ok(pg_temp.is_close(), 'what users write counts');
select tests.authenticate_as('member');
select pg_temp.write('project', 600, repeat('x', 50));
select tests.clear_authentication();
select ok(pg_temp.is_close(), 'what a member writes counts for the owner of the project');
select is(pg_temp.used('member'), row(0, 0)::pg_temp.amount, 'and not for the member');
select count(save_messages(tests.user_id('owner'), '[{"role": "user", "content": "one"}]', tests.user_id('project')))
from generate_series(1, 400);
select ok(pg_temp.is_close(), 'what functions save counts');
select tests.authenticate_as('owner');
update messages set content = to_jsonb(repeat('y', 100)) where conversation_id = tests.user_id('conversation');
select tests.clear_authentication();
select ok(pg_temp.is_close(), 'a longer message counts with its length');

-- Reaching the limit -----------------------------------------------------------------------------------

-- Sets a limit to what the owner has, and writes messages until that is noted, as by another transaction.
create function pg_temp.reach(setting text) returns void language plpgsql as $$
begin
  delete from private.full_message_owners;
  update private.settings
  set value = greatest(case setting when 'messages.rows' then (pg_temp.used()).rows else (pg_temp.used()).bytes end, 0)
  where name = setting;
  perform tests.authenticate_as('owner');
  perform pg_temp.write('conversation', 200);
  perform tests.clear_authentication();
  update private.full_message_owners set since = now() - interval '1 second';
end $$;

select lives_ok($$ select pg_temp.reach('messages.rows') $$, 'the transaction that reaches the limit commits');
select tests.authenticate_as('owner');
select throws_ok($$ select pg_temp.write('conversation', 1) $$, 'PT429', null, 'then a message is refused');
select lives_ok($$ update messages set content = content || '"x"' where conversation_id = tests.user_id('conversation') $$,
  'but not a longer one');
select tests.authenticate_as('member');
select throws_ok($$ select pg_temp.write('project', 1) $$, 'PT429', null, 'of a member too');
select tests.authenticate_as('stranger');
select throws_ok($$ select pg_temp.write('conversation', 1) $$, '42501', null, 'a stranger is not told');
select lives_ok($$ select pg_temp.write('stranger''s conversation', 1) $$, 'and has a limit of their own');
select tests.clear_authentication();
set local role service_role;
select throws_ok(
  $$ select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "one"}]', tests.user_id('project')) $$,
  'PT429', null, 'what a function saves is refused');
select throws_ok(
  $$ select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "1"}, {"role": "user", "content": "2"}]',
    conversation_id => tests.user_id('conversation')::text) $$, 'PT429', null, 'or several messages');
reset role;
select lives_ok($$ select pg_temp.write('conversation', 1) $$, 'an operator is not refused');
update private.settings set value = value + 100000 where name = 'messages.rows';
select tests.authenticate_as('owner');
select lives_ok($$ select pg_temp.write('conversation', 1) $$, 'a higher limit takes effect at once');
select tests.clear_authentication();

select pg_temp.reach('messages.bytes');
select tests.authenticate_as('owner');
select throws_ok($$ select pg_temp.write('conversation', 1) $$, 'PT413', null, 'too many bytes are refused');
select throws_ok(
  $$ update messages set content = content || '"longer"' where conversation_id = tests.user_id('conversation') $$,
  'PT413', null, 'also in a message that is there');
select lives_ok($$ update messages set content = '"x"' where conversation_id = tests.user_id('conversation') $$,
  'a shorter message is not refused');
select tests.clear_authentication();

-- Deleting -------------------------------------------------------------------------------------------

select pg_temp.reach('messages.bytes');
select tests.authenticate_as('owner');
delete from messages where conversation_id = tests.user_id('conversation');
select lives_ok($$ select pg_temp.write('conversation', 100) $$, 'deleting makes room');
select tests.clear_authentication();
select is_empty($$ select * from private.full_message_owners $$, 'and nothing is noted any more');
create temp table before as select (pg_temp.used()).*, (pg_temp.there()).rows as rows_there, (pg_temp.there()).bytes as bytes_there;
create function pg_temp.deleted_exactly() returns boolean language sql stable as $$
  select b.rows - (pg_temp.used()).rows = b.rows_there - (pg_temp.there()).rows
    and b.bytes - (pg_temp.used()).bytes = b.bytes_there - (pg_temp.there()).bytes from pg_temp.before as b
$$;
delete from messages where conversation_id = tests.user_id('conversation');
select ok(pg_temp.deleted_exactly(), 'what is deleted counts in full');
delete from conversations where id = tests.user_id('other conversation');
select ok(pg_temp.deleted_exactly(), 'also with its conversation');
delete from projects where id = tests.user_id('project');
select ok(pg_temp.deleted_exactly(), 'or with its project');
select is(pg_temp.there(), row(0, 0)::pg_temp.amount, 'that was all');

-- Accounts -------------------------------------------------------------------------------------------

select pg_temp.reach('messages.rows');
select isnt_empty($$ select * from private.full_message_owners $$, 'a user who has reached a limit is noted');
delete from auth.users where id = tests.user_id('owner');
select is_empty($$ select * from private.full_message_owners $$, 'not after the account is deleted');
select is_empty($$ select * from private.table_usage where owner_id = tests.user_id('owner') $$, 'nor are its counts');
select tests.authenticate_as('stranger');
select throws_ok($$ select * from private.full_message_owners $$, '42501', null, 'users do not read the notes');

select * from finish();
rollback;
