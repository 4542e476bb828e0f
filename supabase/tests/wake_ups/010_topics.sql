-- Wake-ups: who may listen to which topic, and that only the database sends.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select plan(21);
select tests.create_user(name) from unnest(array['boss', 'member', 'former', 'stranger']) as name;

create function pg_temp.team() returns uuid language sql immutable as $$ select md5('team')::uuid $$;
insert into teams (id, name) values (pg_temp.team(), 'Team');
insert into team_members (team_id, user_id, role) values
  (pg_temp.team(), tests.user_id('boss'), 'owner'),
  (pg_temp.team(), tests.user_id('member'), 'member'),
  (pg_temp.team(), tests.user_id('former'), 'member');
delete from team_members where user_id = tests.user_id('former');

-- Asks as Realtime does when a client joins: can the user read a message that has just been written to the topic?
create function pg_temp.listens(name text, to_topic text, extension text default 'broadcast') returns boolean
language plpgsql as $$
declare
  v_heard boolean;
begin
  delete from realtime.messages;
  insert into realtime.messages (topic, extension, private) values (to_topic, extension, true);
  perform set_config('realtime.topic', to_topic, true);
  if name = 'anon' then
    perform tests.authenticate_as_anon();
  else
    perform tests.authenticate_as(name);
  end if;
  select exists (select from realtime.messages) into v_heard;
  perform tests.clear_authentication();
  return v_heard;
end $$;

-- users -----------------------------------------------------------------------------------------------
select ok(pg_temp.listens('boss', 'user:' || tests.user_id('boss')), 'a user listens to the own topic');
select ok(not pg_temp.listens('stranger', 'user:' || tests.user_id('boss')), 'and not to that of another');
select ok(not pg_temp.listens('member', 'user:' || tests.user_id('boss')), 'nor does a member of the same team');
select ok(not pg_temp.listens('anon', 'user:' || tests.user_id('boss')), 'nor a visitor');
select ok(not pg_temp.listens('boss', 'user:'), 'a topic without an id is nobody''s');
select ok(not pg_temp.listens('boss', tests.user_id('boss')::text), 'nor is an id alone a topic');
select ok(not pg_temp.listens('boss', 'user:' || tests.user_id('boss'), 'presence'), 'nobody sees who else is there');

-- teams -----------------------------------------------------------------------------------------------
select ok(pg_temp.listens('boss', 'team:' || pg_temp.team()), 'an owner listens to the topic of the team');
select ok(pg_temp.listens('member', 'team:' || pg_temp.team()), 'and so does a member');
select ok(not pg_temp.listens('former', 'team:' || pg_temp.team()), 'a former member no longer does');
select ok(not pg_temp.listens('stranger', 'team:' || pg_temp.team()), 'and a stranger does not');
select ok(not pg_temp.listens('anon', 'team:' || pg_temp.team()), 'nor does a visitor');

-- sending ---------------------------------------------------------------------------------------------
select set_config('realtime.topic', 'user:' || tests.user_id('boss'), true);
select is(tests.attempt('boss', format($$ insert into realtime.messages (topic, extension, private)
  values ('user:%s', 'broadcast', true) $$, tests.user_id('boss'))), '42501', 'nobody sends to the own topic');
select is(tests.attempt('boss', $$ select private.wake('user:x', 'credits', '{}') $$), '42501', 'nobody wakes others');

-- projects: their topics -------------------------------------------------------------------------
insert into projects (id, user_id, team_id, title, is_public)
values (md5('p')::uuid, tests.user_id('boss'), pg_temp.team(), 'Public', true);
select ok(pg_temp.listens('boss', 'project:' || md5('p')::uuid), 'an owner listens to the topic of the project');
select ok(pg_temp.listens('member', 'project:' || md5('p')::uuid), 'and so does a member of its team');
select ok(not pg_temp.listens('former', 'project:' || md5('p')::uuid), 'a former member does not');
select ok(not pg_temp.listens('stranger', 'project:' || md5('p')::uuid), 'nor a stranger, though the project is public');
select ok(not pg_temp.listens('anon', 'project:' || md5('p')::uuid), 'nor a visitor');

-- deleted accounts ------------------------------------------------------------------------------------
delete from auth.users where id = tests.user_id('member');
select ok(not pg_temp.listens('member', 'user:' || tests.user_id('member')), 'a deleted account hears nothing');
select ok(not pg_temp.listens('member', 'team:' || pg_temp.team()), 'nor does it of its team');

select * from finish();
rollback;
