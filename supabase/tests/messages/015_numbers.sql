-- Numbers that clients choose: a member cannot use up the numbers of a project.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'member']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('numbers ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title)
select pg_temp.id(name), tests.user_id('owner'), pg_temp.id('team'), 'P' from unnest(array['empty', 'full', 'thin']) as name;
update private.settings set value = 10 where name = 'messages.batch_size';
select save_messages(tests.user_id('owner'), (select jsonb_agg('{"role": "user", "content": 1}'::jsonb) from generate_series(1, 10)),
  pg_temp.id('full')) from generate_series(1, 5);

-- Inserts a message under a number as a client does. Returns the SQLSTATE and code of the refusal.
create function pg_temp.refusal(project text, number integer) returns text language sql as $$
  select tests.refusal(format('insert into messages (project_id, role, content, sequence_number) values (%L, %L, %L, %s)',
    pg_temp.id(project), 'user', '1', number))
$$;
-- Inserts a message under the highest number that the project takes, which it returns.
create function pg_temp.jump(project text) returns integer language plpgsql as $$
declare
  v_newest integer := (select coalesce(max(sequence_number), -1) from messages where project_id = pg_temp.id(project));
begin
  for v_ahead in reverse 13..1 loop
    if pg_temp.refusal(project, v_newest + v_ahead) = 'no refusal' then
      return v_newest + v_ahead;
    end if;
  end loop;
end $$;

select tests.authenticate_as('member');
select is(pg_temp.refusal('empty', 11), 'PT422 invalid_sequence_number', 'the first number leaves out at most as many as a batch has');
select is(pg_temp.jump('empty'), 10, 'just so many');
select is(pg_temp.jump('empty'), 11, 'and no more until as many are used');
select is(pg_temp.jump('full'), 60, 'where all are used, a number is at most a batch ahead');
select is(pg_temp.jump('full'), 61, 'once, and not again and again');
select is(pg_temp.refusal('full', 55), 'no refusal', 'a number between is free');
select is(pg_temp.refusal('full', 55), '23505', 'once');
select is(pg_temp.refusal('full', 62), 'no refusal', 'the next is always free');
select is((save_message_and_update_project(pg_temp.id('full'), 'user', '"again"', sequence_number_param => 55)).content, '"again"',
  'the number of a message of one''s own replaces it');
select is(tests.refusal($$ select save_message_and_update_project(pg_temp.id('full'), 'user', '1', sequence_number_param => 90) $$),
  'PT422 invalid_sequence_number', 'the documented function refuses as the table does');
select tests.clear_authentication();
select is(tests.refusal(format('select save_messages(%L, (select jsonb_agg(jsonb_build_object(%L, %L, %L, 1, %L, 62 + 9 * n))
  from generate_series(1, 10) as n), %L)', tests.user_id('member'), 'role', 'user', 'content', 'sequence_number', pg_temp.id('full'))),
  'PT422 invalid_sequence_number', 'a batch does not jump further than one message');

-- 100 messages, each as far ahead as it can be.
select tests.authenticate_as('member');
create temp table jumps as select pg_temp.jump('thin') as number from generate_series(1, 100);
select cmp_ok(max(number), '<=', 310, 'a member who always jumps uses at most three numbers for a message') from jumps;
select tests.authenticate_as('owner');
select is((save_message_and_update_project(pg_temp.id('thin'), 'user', '1')).sequence_number, (select max(number) + 1 from jumps),
  'and the owner still saves the next one');

-- A setting limits the messages of a project, by their numbers.
select tests.clear_authentication();
update private.settings set value = 63 where name = 'messages.per_project';
select tests.authenticate_as('owner');
select is(pg_temp.refusal('full', 63), 'PT422 too_many_messages', 'a full project takes no other message');
select is(pg_temp.refusal('full', 56), 'no refusal', 'but for a number that is free');

select * from finish();
rollback;
