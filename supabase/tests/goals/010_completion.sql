-- A goal is completed by any of three columns, and then by all three.

begin;
select plan(15);
select tests.create_user('owner');
select tests.authenticate_as('owner');

create function pg_temp.goal(change text) returns text language plpgsql as $$
declare
  v_goal user_goals;
begin
  insert into user_goals (user_id, title) values (tests.user_id('owner'), 'x') returning * into v_goal;
  execute format('update user_goals set %s where id = %L returning *', change, v_goal.id) into v_goal;
  return concat_ws(' ', v_goal.status, v_goal.progress_percentage,
    case when v_goal.completed_at is null then 'open'
      when v_goal.completed_at = now() then 'now' else v_goal.completed_at::date::text end);
end $$;

select is(pg_temp.goal($$ status = 'completed' $$), 'completed 100 now', 'by its status');
select is(pg_temp.goal($$ progress_percentage = 100 $$), 'completed 100 now', 'by its progress');
select is(pg_temp.goal($$ completed_at = '2026-01-02' $$), 'completed 100 2026-01-02', 'by a time, which is kept');
select is(pg_temp.goal($$ status = 'completed', completed_at = '2026-01-02' $$), 'completed 100 2026-01-02',
  'by two of them');
select is(pg_temp.goal($$ status = 'paused', progress_percentage = 100 $$), 'completed 100 now', 'while it is paused');
select is(pg_temp.goal($$ status = 'cancelled', progress_percentage = 100 $$), 'cancelled 100 open',
  'not when it is cancelled');
select is(pg_temp.goal($$ status = 'cancelled', completed_at = now() $$), 'cancelled 0 open',
  'what is not completed has no time of completion');
select is(pg_temp.goal($$ progress_percentage = 99 $$), 'active 99 open', 'not by 99 %');

insert into user_goals (user_id, title, status) values (tests.user_id('owner'), 'born', 'completed');
select results_eq($$ select progress_percentage, completed_at from user_goals where title = 'born' $$,
  $$ values (100, now()) $$, 'a goal can be born completed');
update user_goals set completed_at = null where title = 'born';
select results_eq($$ select completed_at from user_goals where title = 'born' $$, $$ values (now()) $$,
  'while it is completed it keeps its time');
update user_goals set progress_percentage = 30 where title = 'born';
select results_eq($$ select progress_percentage from user_goals where title = 'born' $$, $$ values (100) $$,
  'and its progress');
update user_goals set status = 'active' where title = 'born';
select results_eq($$ select status, progress_percentage, completed_at from user_goals where title = 'born' $$,
  $$ values ('active', 100, null::timestamptz) $$, 'reopened, it has no time of completion');
update user_goals set title = 'born again' where title = 'born';
select results_eq($$ select status from user_goals where title = 'born again' $$, $$ values ('active') $$,
  'and is not completed again by what it was');
select throws_ok($$ update user_goals set progress_percentage = 101 $$, '23514', null, 'progress ends at 100');
select throws_ok($$ update user_goals set status = 'done' $$, '23514', null, 'a status is one of four');

select * from finish();
rollback;
