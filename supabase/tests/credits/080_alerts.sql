-- Alerts: one for each crossing of the threshold, whatever lowered the account.

begin;
select no_plan();
select tests.create_user('owner');
select tests.create_user('boss');
insert into teams (id, name) values (md5('strongroom test team')::uuid, 'Team');
insert into team_members (team_id, user_id, role) values
  (md5('strongroom test team')::uuid, tests.user_id('boss'), 'owner'), (md5('strongroom test team')::uuid, tests.user_id('owner'), 'member');

create function pg_temp.alerts() returns text language sql as $$
  select count(*) || coalesce(' ' || (array_agg(trim_scale(available) order by created_at desc))[1], '') from public.credit_alerts
  where account_id = tests.account_of('owner')
$$;
create function pg_temp.spend(amount numeric) returns void language sql as $$
  select public.deduct_credits(tests.user_id('owner'), amount => spend.amount)
$$;
select results_eq($$ select alert_threshold, available, replayed from set_credit_alert(50, tests.user_id('owner'), idempotency_key => 'k') $$,
  $$ values (50::numeric, 100::numeric, false) $$, 'a threshold is set');
select is((set_credit_alert(50, tests.user_id('owner'), idempotency_key => 'k')).replayed, true, 'once');
select pg_temp.spend(50);
select is(pg_temp.alerts(), '0', 'at the threshold there is no alert');
select pg_temp.spend(0.0001);
select is(pg_temp.alerts(), '1 49.9999', 'below it there is one');
select pg_temp.spend(1);
select is(pg_temp.alerts(), '1 49.9999', 'and no other');
select grant_credits(tests.user_id('owner'), 0.5);
select pg_temp.spend(1);
select is(pg_temp.alerts(), '1 49.9999', 'not after a top-up that does not reach it');
select grant_credits(tests.user_id('owner'), 10, expires_at => now() + interval '1 day');
select hold_credits(tests.user_id('owner'), 10, expires_in => 60);
select is(pg_temp.alerts(), '2 48.4999', 'after one that does there is, also by a hold');
select tests.pass_time(tests.account_of('owner'), '1 hour');
select tests.settle_due_credits();
select hold_credits(tests.user_id('owner'), 10, expires_in => 60);
select is(pg_temp.alerts(), '2 48.4999', 'what a hold gives back is no top-up');
select grant_credits(tests.user_id('owner'), 8);
select is(pg_temp.alerts(), '2 48.4999', 'a top-up is no crossing');
select tests.pass_time(tests.account_of('owner'), '2 days');
select tests.settle_due_credits();
select is(pg_temp.alerts(), '2 48.4999', 'nor is the end of a hold');
select set_credit_alert(60, tests.user_id('owner'));
select grant_credits(tests.user_id('owner'), 10, expires_at => now() + interval '1 day');
select tests.pass_time(tests.account_of('owner'), '2 days');
select tests.settle_due_credits();
select is(pg_temp.alerts(), '3 56.4999', 'the end of a grant is one');
select set_credit_alert(90, tests.user_id('owner'));
select set_credit_overdraft(10, tests.user_id('owner'));
select pg_temp.spend(10);
select is(pg_temp.alerts(), '3 56.4999', 'a threshold above what there is waits for a top-up');
select set_credit_alert(null, tests.user_id('owner'));
select pg_temp.spend(40);
select is(pg_temp.alerts(), '3 56.4999', 'without a threshold there are none');

select is(tests.refusal(format('select set_credit_alert(%s)', t.arguments)), t.code, t.arguments)
from (values
  ($$ 0, tests.user_id('owner') $$, 'PT422 invalid_alert'), ($$ -1, tests.user_id('owner') $$, 'PT422 invalid_alert'),
  ($$ 'NaN', tests.user_id('owner') $$, 'PT422 invalid_alert'), ($$ 0.00004, tests.user_id('owner') $$, 'PT422 invalid_alert'),
  ($$ 1, actor => 'user' $$, 'PT422 invalid_alert'), ('1', 'PT404 account_not_found'),
  ($$ 1, tests.user_id('owner'), md5('strongroom test team')::uuid, actor => 'user' $$, 'PT403 not_team_admin'),
  ($$ 1, tests.user_id('owner'), md5('none')::uuid, actor => 'user' $$, 'PT404 account_not_found')
) as t (arguments, code);
select is((set_credit_alert(5, tests.user_id('boss'), md5('strongroom test team')::uuid, actor => 'user')).alert_threshold, 5::numeric,
  'an owner of the team sets its threshold');

select * from finish();
rollback;
