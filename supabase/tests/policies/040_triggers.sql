-- What a stranger learns from the triggers with the rights of the owner, which run before the policy refuses a row:
-- nothing. foundation/030_catalog lists these triggers.

begin;
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('triggers ' || name)::uuid $$;

-- Acts as a role whose token has no user's id.
create function pg_temp.authenticate_as_nobody() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "authenticated"}', true);
  perform set_config('role', 'authenticated', true);
end $$;

-- A trigger that says that a row would have been updated, that is, locked.
create function pg_temp.tell() returns trigger language plpgsql as $$
begin
  raise exception 'locked' using errcode = 'ZZ001';
end $$;

-- messages: a private project and its numbers ------------------------------------------------------------------
insert into projects (id, user_id, title, updated_at) values (pg_temp.id('project'), tests.user_id('owner'), 'P', '2020-01-01');
insert into messages (project_id, role, content, sequence_number)
select pg_temp.id('project'), 'user', '1', n from generate_series(0, 9) as n;
create function pg_temp.insert_message(number integer) returns text language sql as $$
  select tests.refusal(format('insert into messages (project_id, role, content, sequence_number) values (%L, %L, %L, %s)',
    pg_temp.id('project'), 'user', '1', number))
$$;
create trigger tell before update on projects for each row execute function pg_temp.tell();

select tests.authenticate_as('stranger');
select is(pg_temp.insert_message(number), '42501', format('a stranger who tries number %s learns nothing', number))
from unnest(array[5, 10, 11, 500, 2000000, 2147483647]) as number;
select pg_temp.authenticate_as_nobody();
select is(pg_temp.insert_message(500), '42501', 'nor does a token without a user');
select tests.clear_authentication();
drop trigger tell on projects;
select tests.authenticate_as('owner');
select is(pg_temp.insert_message(500), 'PT422 invalid_sequence_number', 'the owner is told');
select is(pg_temp.insert_message(10), 'no refusal', 'and writes');

-- chats: the lock, the deletions and the keys of another user -----------------------------------------------------
select tests.clear_authentication();
insert into encrypted_chats (id, user_id, encrypted_data) values
  (pg_temp.id('chat'), tests.user_id('owner'), tests.envelope()), (pg_temp.id('deleted'), tests.user_id('owner'), tests.envelope());
delete from encrypted_chats where id = pg_temp.id('deleted');
create trigger tell before update on private.chat_owners for each row execute function pg_temp.tell();
create function pg_temp.insert_chat(chat text, data text default tests.envelope()) returns text language sql as $$
  select tests.refusal(format('insert into encrypted_chats (id, user_id, encrypted_data) values (%L, %L, %L)',
    pg_temp.id(chat), tests.user_id('owner'), data))
$$;
select tests.authenticate_as('stranger');
select is(pg_temp.insert_chat(chat, data), '42501', format('a stranger learns nothing of a chat: %s', name))
from (values ('there', 'chat', tests.envelope()), ('deleted', 'deleted', tests.envelope()), ('new', 'new', tests.envelope()),
  ('with a wrong envelope', 'new', 'x')) as t (name, chat, data);
select pg_temp.authenticate_as_nobody();
select is(pg_temp.insert_chat(chat, data), '42501', format('nor does a token without a user: %s', name))
from (values ('there', 'chat', tests.envelope()), ('deleted', 'deleted', tests.envelope()), ('new', 'new', tests.envelope()),
  ('with a wrong envelope', 'new', 'x')) as t (name, chat, data);
select tests.authenticate_as('owner');
select is(pg_temp.insert_chat('deleted'), 'PT410 chat_deleted', 'the owner is told');

select * from finish();
rollback;
