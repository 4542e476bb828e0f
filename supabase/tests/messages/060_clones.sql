-- Clones of large projects: copied in portions, hidden until they are complete, and removed when they fail.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger', 'many']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('clones ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, is_public) values
  (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', false),
  (pg_temp.id('shared'), tests.user_id('owner'), null, 'Q', true);
-- With gaps that a client could not make, and a draft.
alter table messages disable trigger check_message;
insert into messages (project_id, role, content, sequence_number, status)
select pg_temp.id(name), 'user', to_jsonb(repeat('x', 10) || n), n * 7 + n / 10 * 1000, case n when 13 then 'streaming' else 'complete' end
from generate_series(0, 24) as n, unnest(array['project', 'shared']) as name;
alter table messages enable trigger check_message;
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('project'), 'f' || n, tests.user_id('owner') || '/f' || n, 'txt', 1 from generate_series(1, 5) as n;
update private.settings set value = 10 where name = 'projects.clone_portion';
-- The clones are of now, not of the earlier portions of this transaction.
create function pg_temp.clone(name text, project text, with_files boolean default false, key text default null)
returns public.project_clone language sql as $$
  select public.clone_project(tests.user_id(name), pg_temp.id(project), null, true, with_files, key, 'user')
$$;
create function pg_temp.state(name text, clone uuid) returns public.project_clone language sql as $$
  select public.get_project_clone(tests.user_id(name), clone)
$$;
create function pg_temp.numbers(project uuid) returns integer[] language sql as $$
  select array_agg(sequence_number order by sequence_number) from messages where project_id = project
$$;

-- in portions ------------------------------------------------------------------------------------------------
create temp table c as select * from pg_temp.clone('owner', 'project', true, 'k');
grant select on c to public;
select results_eq($$ select status, messages, total_messages, files, total_files, project, replayed from c $$,
  $$ values ('copying', 10, 25, 0, 5, null::jsonb, false) $$, 'the request copies a portion');
select is((pg_temp.clone('owner', 'project', true, 'k')).id, id, 'the same key, the same clone') from c;
select is((pg_temp.clone('owner', 'project', true, 'k')).replayed, true, 'which says that it is a repeat');
select is(s.messages, 10, 'and copies nothing') from c, pg_temp.state('owner', c.id) as s;
select is(tests.refusal(format('select pg_temp.state(%L, %L)', 'stranger', id)), 'PT404 clone_not_found', 'its state is its user''s') from c;

-- hidden -----------------------------------------------------------------------------------------------------
select tests.authenticate_as('owner');
select is_empty($$ select 1 from projects where id = (select id from c) $$, 'its user does not see it yet');
select is_empty($$ select 1 from messages where project_id = (select id from c) $$, 'nor its messages');
select is_empty($$ select 1 from project_files where project_id = (select id from c) $$, 'nor its files');
select is_empty($$ select 1 from search_messages('xxxxxxxxxx1') where project_id = (select id from c) $$, 'nor finds them');
select is_empty($$ update projects set title = 'x' where id = (select id from c) returning 1 $$, 'nor changes it');
select is_empty($$ delete from projects where id = (select id from c) returning 1 $$, 'nor deletes it');
select throws_ok($$ insert into messages (project_id, role, content, sequence_number) select id, 'user', '1', 71 from c $$, '42501',
  null, 'nor writes into it');
select throws_ok($$ update projects set status = 'cloning' where id = pg_temp.id('project') $$, '42501', null,
  'nobody hides a project like that');
select throws_ok($$ insert into projects (user_id, title, status) values (tests.user_id('owner'), 'P', 'cloning') $$, '42501', null,
  'or creates one');
select tests.clear_authentication();
select is(tests.refusal(format('select save_messages(%L, %L, %L)', tests.user_id('owner'), '[{"role": "user", "content": 1}]', id)),
  'PT409 project_cloning', 'saving says why') from c;
select is(tests.refusal(format('select restore_project(%L, %L)', tests.user_id('owner'), id)), 'PT409 project_cloning', 'and so does restoring') from c;
select is(tests.refusal(format('select delete_project(%L, %L)', tests.user_id('owner'), id)), 'PT409 project_cloning', 'and deleting') from c;
select is(tests.refusal(format('select clone_project(%L, %L)', tests.user_id('owner'), id)), 'PT409 project_cloning', 'and cloning') from c;

-- to the end ---------------------------------------------------------------------------------------------------
-- What comes later is not copied, and what goes away neither.
select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "late"}]', pg_temp.id('project'));
delete from messages where project_id = pg_temp.id('project') and sequence_number = 24 * 7 + 2000;
update project_files set created_at = now() + interval '1 second' where file_name = 'f5' and project_id = pg_temp.id('project');
select is(finished, 0, 'the next portion is copied') from private.continue_clones(10);
select results_eq($$ select status, messages from pg_temp.state('owner', (select id from c)) $$, $$ values ('copying', 20) $$, 'of this size');
select is(finished, 1, 'and the rest') from private.continue_clones(10);
select results_eq($$ select status, messages, total_messages, files, total_files, project ->> 'status', code
    from pg_temp.state('owner', (select id from c)) $$,
  $$ values ('complete', 23, 23, 4, 4, 'active', null) $$, 'then the clone is complete');
select is(pg_temp.numbers(id), (select array_agg(n * 7 + n / 10 * 1000 order by n) from generate_series(0, 23) as n where n <> 13),
  'it has each message once, under its number, without the draft') from c;
select tests.authenticate_as('owner');
select is(count(*), 1::bigint, 'its user sees it') from projects where id = (select id from c);
select is(count(*), 4::bigint, 'with its files') from project_files where project_id = (select id from c);
select tests.clear_authentication();
select is((pg_temp.clone('owner', 'project', true, 'k')).project ->> 'id', id::text, 'the same key brings it, complete') from c;
delete from projects where id = (select id from c);
select is(tests.refusal($$ select pg_temp.clone('owner', 'project', true, 'k') $$), 'PT410 clone_deleted', 'until it is deleted');

-- failures -------------------------------------------------------------------------------------------------------
create function pg_temp.fate(name text, project text, change text) returns text language plpgsql as $$
declare
  v_clone public.project_clone := pg_temp.clone(name, project);
begin
  execute replace(change, '{clone}', quote_literal(v_clone.id));
  perform private.continue_clones(5) from generate_series(1, 4);
  select s.* into v_clone from pg_temp.state(name, v_clone.id) as s;
  return concat_ws(' ', v_clone.status, v_clone.code, v_clone.messages, v_clone.finished_at is not null,
    (select count(*) from projects where id = v_clone.id), (select count(*) from messages where project_id = v_clone.id));
end $$;
select is(pg_temp.fate('member', 'project', $$ delete from team_members where user_id = tests.user_id('member') $$),
  'failed project_not_found 0 t 0 0', 'a member who leaves the team keeps nothing of the clone');
select is(pg_temp.fate('stranger', 'shared', $$ update projects set is_public = false where id = pg_temp.id('shared') $$),
  'failed project_not_found 0 t 0 0', 'nor does a stranger when the project becomes private');
select is(pg_temp.fate('owner', 'shared', $$ update projects set status = 'deleted' where id = pg_temp.id('shared') $$),
  'failed project_deleted 0 t 0 0', 'nor the owner when it is deleted');
select is(pg_temp.fate('owner', 'project', format($$ select delete_project(%L, {clone}, true) $$, tests.user_id('owner'))),
  'failed clone_deleted 0 t 0 0', 'a clone that is deleted permanently ends');
update projects set status = 'active' where id = pg_temp.id('shared');
select is(pg_temp.fate('owner', 'shared', $$ delete from projects where id = pg_temp.id('shared') $$),
  'failed project_not_found 0 t 0 0', 'and so does one whose source is gone');
-- Not an error that anybody expects.
create function pg_temp.break() returns trigger language plpgsql as $$ begin raise exception 'broken'; end $$;
select is(pg_temp.fate('owner', 'project', $$ create trigger break before insert on messages for each row execute function pg_temp.break() $$),
  'failed internal_error 0 t 0 0', 'one that breaks does not stop the others');
drop trigger break on messages;

-- limits -----------------------------------------------------------------------------------------------------------
update private.settings set value = 2 where name = 'projects.clones_at_once';
update private.settings set value = 4 where name = 'projects.clones_per_day';
insert into projects (id, user_id, title) values (pg_temp.id('small'), tests.user_id('many'), 'S');
update projects set is_public = true where id = pg_temp.id('project');
select pg_temp.clone('many', 'project'), pg_temp.clone('many', 'project');
select is(tests.refusal($$ select pg_temp.clone('many', 'project') $$), 'PT429 too_many_clones', 'a user has so many clones at once');
select private.continue_clones(1000);
select is((pg_temp.clone('many', 'small')).status, 'complete', 'when they are complete, others follow') from generate_series(1, 2);
select is(tests.refusal($$ select pg_temp.clone('many', 'small') $$), 'PT429 too_many_clones', 'so many in a day');
select is((pg_temp.clone('stranger', 'project')).status, 'copying', 'of others there may be others');
update private.project_clones set started_at = now() - interval '1 day' where user_id = tests.user_id('many');
select is((pg_temp.clone('many', 'small')).status, 'complete', 'and the next day more');

select * from finish();
rollback;
