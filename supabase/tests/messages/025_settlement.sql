-- What a service has begun and held credits for is settled exactly once, whatever has become of the message meanwhile.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'boss', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('settling ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('boss'), 'owner'), (pg_temp.id('team'), tests.user_id('owner'), 'member');
select grant_credits(team_id => pg_temp.id('team'), amount => 100);
insert into projects (id, user_id, team_id, title) values (pg_temp.id('project'), tests.user_id('boss'), pg_temp.id('team'), 'P');
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('owner'));

create function pg_temp.parent(project boolean, is_project boolean) returns uuid language sql immutable as $$
  select case when project = is_project then pg_temp.id(case when project then 'project' else 'conversation' end) end
$$;
create function pg_temp.draft(name text, project boolean default false) returns uuid language sql as $$
  select (s.messages -> 0 ->> 'id')::uuid from public.save_messages(tests.user_id('owner'), jsonb_build_array(jsonb_build_object(
    'id', pg_temp.id(name), 'role', 'assistant', 'content', 'So', 'status', 'streaming')), pg_temp.parent(project, true), pg_temp.parent(project, false)::text) s
$$;
create function pg_temp.hold(name text, amount numeric, team boolean default false, expires_in int default null) returns uuid language sql as $$
  select h.id from public.hold_credits(tests.user_id('owner'), amount, null, expires_in, 'Hold ' || name, name, case when team then pg_temp.id('team') end) h
$$;
create function pg_temp.hold_id(name text) returns uuid language sql stable as $$
  select id from public.credit_holds where description = 'Hold ' || name
$$;
create function pg_temp.settle(name text, amount numeric, more jsonb default '{}') returns jsonb language sql stable as $$
  select jsonb_build_object('hold_id', pg_temp.hold_id(name), 'amount', amount) || more
$$;
create function pg_temp.finish(name text, amount numeric, project boolean default false, status text default 'complete', more jsonb default '{}')
returns text language sql as $$
  select concat_ws(' ', s.messages -> 0 ->> 'status', s.messages -> 0 ->> 'content', jsonb_array_length(s.messages),
    coalesce(trim_scale((s.entry ->> 'amount')::numeric)::text, 'nothing'))
  from public.finish_draft(tests.user_id('owner'), pg_temp.id(name)::text, status, '"All of it"', null, null, pg_temp.parent(project, true),
    pg_temp.parent(project, false)::text, pg_temp.settle(name, amount, more)) s
$$;
create function pg_temp.credits(team boolean default false) returns text language sql as $$
  select format('%s %s', trim_scale(a.balance), trim_scale(a.held)) from public.credit_accounts as a
  where case when team then a.team_id = pg_temp.id('team') else a.user_id = tests.user_id('owner') end
$$;
create function pg_temp.abort(name text, project boolean default false) returns text language sql as $$
  select s.messages -> 0 ->> 'status' from public.finish_draft(tests.user_id('owner'), pg_temp.id(name)::text, 'aborted',
    project_id => pg_temp.parent(project, true), conversation_id => pg_temp.parent(project, false)::text, actor => 'user') s
$$;

-- ended by the user -----------------------------------------------------------------------------------
select pg_temp.draft('stopped'), pg_temp.hold('stopped', 10);
select is(pg_temp.abort('stopped'), 'aborted', 'a user asks for the end');
select is(pg_temp.credits(), '100 10', 'which does not free the hold');
select is(tests.refusal($$ select public.update_draft(tests.user_id('owner'), pg_temp.id('stopped')::text, '"x"', null, pg_temp.id('conversation')::text) $$),
  'PT409 message_finished', 'the service is told');
select is(pg_temp.finish('stopped', 4, status => 'aborted'), 'aborted All of it 1 -4', 'and settles what it has written');
select is(pg_temp.credits(), '96 0', 'once');
select is(pg_temp.finish('stopped', 4, status => 'aborted'), 'aborted All of it 1 -4', 'a repeat is a repeat');
select is(pg_temp.finish('stopped', 6), 'aborted All of it 1 -4', 'whatever it asks for');
select is((select hold_id from messages where id = pg_temp.id('stopped')), pg_temp.hold_id('stopped'), 'the message names its hold');

select pg_temp.draft('too late'), pg_temp.hold('too late', 10);
select is(pg_temp.abort('too late'), 'aborted', 'a user who stops a finished answer');
select is(pg_temp.finish('too late', 5), 'complete All of it 1 -5', 'has it, and pays for it');

select pg_temp.draft('taken'), pg_temp.hold('taken', 10);
select public.finish_draft(tests.user_id('owner'), pg_temp.id('taken')::text, 'complete', '"Mine"', conversation_id => pg_temp.id('conversation')::text, actor => 'user');
select is(pg_temp.finish('taken', 2), 'complete Mine 1 -2', 'a user who finishes a draft keeps that text, and pays');
select is(pg_temp.finish('taken', 2, status => 'aborted'), 'complete Mine 1 -2', 'once');

-- deleted ------------------------------------------------------------------------------------------------
select pg_temp.draft('deleted'), pg_temp.hold('deleted', 10);
delete from messages where id = pg_temp.id('deleted');
select is(pg_temp.finish('deleted', 3), '0 -3', 'a deleted draft is paid for');
select is(pg_temp.finish('deleted', 3), '0 -3', 'once');
select is(tests.refusal($$ select pg_temp.finish('stranger', 1, more => jsonb_build_object('hold_id', pg_temp.hold_id('deleted'))) $$),
  'PT409 hold_already_captured', 'its hold pays for no other');
select is(tests.refusal($$ select public.finish_draft(tests.user_id('stranger'), pg_temp.id('deleted')::text, 'complete', null, null, null, null,
    pg_temp.id('conversation')::text, pg_temp.settle('deleted', 1)) $$), 'PT404 hold_not_found', 'nor for another user');
create function pg_temp.post(name text, amount numeric, key text default null, parent text default 'conversation') returns text language sql as $$
  select concat_ws(' ', jsonb_array_length(s.messages), trim_scale((s.entry ->> 'amount')::numeric), s.replayed)
  from public.save_messages(tests.user_id('owner'), jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('id', case when key is null then pg_temp.id(name) end,
    'role', 'assistant', 'content', 'x'))), null, pg_temp.id(parent)::text, settle => pg_temp.settle(name, amount), idempotency_key => key) s
$$;
select pg_temp.hold('posted', 10);
select is(pg_temp.post('posted', 1), '1 -1 f', 'an answer that is saved at once');
delete from messages where id = pg_temp.id('posted');
select is(pg_temp.post('posted', 1), '0 -1 f', 'does not come back when it was deleted');
select pg_temp.hold('nowhere', 10);
select is(pg_temp.post('nowhere', 1, parent => 'gone'), '0 -1 f', 'nor is it saved where there is nothing');
select is(pg_temp.post('nowhere', 1, parent => 'gone'), '0 -1 f', 'and paid for once');
select pg_temp.hold('keyed', 10);
select is(pg_temp.post('keyed', 1, 'k', 'gone'), '0 -1 f', 'with a key');
select is(pg_temp.post('keyed', 1, 'k', 'gone'), '0 -1 t', 'too');
select is(tests.refusal($$ select pg_temp.post('keyed', 2, 'k', 'gone') $$), 'PT422 idempotency_key_reused', 'which is of this request');
select is(pg_temp.credits(), '83 0', 'that is all');

-- ids of the app -----------------------------------------------------------------------------------------
select public.start_conversation(tests.user_id('owner'), '{"role": "user", "content": "x"}', conversation_id => 'app-conversation');
create function pg_temp.finish_by_name(conversation text, name text) returns text language sql as $$
  select concat_ws(' ', jsonb_array_length(s.messages), trim_scale((s.entry ->> 'amount')::numeric))
  from public.finish_draft(tests.user_id('owner'), name, conversation_id => conversation, settle => pg_temp.settle('named', 1)) s
$$;
select public.save_messages(tests.user_id('owner'), '[{"id": "app-draft", "role": "assistant", "content": "", "status": "streaming"}]',
  conversation_id => 'app-conversation');
select pg_temp.hold('named', 1);
select is(pg_temp.finish_by_name('app-conversation', 'app-draft'), '1 -1', 'a draft and a conversation with ids of the app');
delete from messages where client_id = 'app-draft';
select is(pg_temp.finish_by_name('app-conversation', 'app-draft'), '0 -1', 'are known by them when the draft is gone');
delete from conversations where client_id = 'app-conversation';
select is(pg_temp.finish_by_name('app-conversation', 'app-draft'), '0 -1', 'and when the conversation is');
select public.grant_credits(tests.user_id('owner'), 1);

-- nothing ------------------------------------------------------------------------------------------------
select pg_temp.draft('cached'), pg_temp.hold('cached', 10);
select is(pg_temp.finish('cached', 0), 'complete All of it 1 nothing', 'an answer that costs nothing');
select is(pg_temp.finish('cached', 0), 'complete All of it 1 nothing', 'is finished once');
select is((select status from credit_holds where id = pg_temp.hold_id('cached')), 'released', 'and its hold is released');
select pg_temp.hold('cached and gone', 10);
select is(pg_temp.finish('cached and gone', 0), '0 nothing', 'a deleted one, too');
select is(pg_temp.finish('cached and gone', 5), '0 nothing', 'once');

-- expired ------------------------------------------------------------------------------------------------
select pg_temp.draft('slow'), pg_temp.hold('slow', 20, expires_in => 60);
select pg_temp.draft('slower'), pg_temp.hold('slower', 60, expires_in => 60);
select pg_temp.draft('slowest'), pg_temp.hold('slowest', 1, expires_in => 60);
select pg_temp.hold('other', 1, expires_in => 60);
select tests.pass_time(tests.account_of('owner'), '1 hour');
select is(tests.refusal($$ select pg_temp.finish('slow', 21) $$), 'PT422 capture_exceeds_hold', 'a hold that has expired is no larger');
select is(pg_temp.finish('slow', 20.00001), 'complete All of it 1 -20', 'and pays');
select is(pg_temp.finish('slow', 20), 'complete All of it 1 -20', 'once');
select results_eq($$ select kind, amount, requested_amount from credit_transactions where account_id = tests.account_of('owner') order by entry_no desc limit 1 $$,
  $$ values ('capture', -20::numeric, 20.00001) $$, 'as a capture');
select is((select status from credit_holds where id = pg_temp.hold_id('slow')), 'captured', 'the hold is captured');
select is((public.deduct_credits(tests.user_id('owner'), amount => 13)).balance_after, 50::numeric, 'what it held may be spent');
select is(pg_temp.finish('slower', 60), 'complete All of it 1 -50', 'then it pays what there is');
select is((select requested_amount from credit_transactions where account_id = tests.account_of('owner') order by entry_no desc limit 1), 60::numeric,
  'and the entry says what was asked');
select is(pg_temp.finish('slowest', 1), 'complete All of it 1 nothing', 'or nothing');
select grant_credits(tests.user_id('owner'), 10);
select is(pg_temp.finish('slowest', 1), 'complete All of it 1 nothing', 'for good');
select is(tests.refusal($$ select public.capture_credit_hold(pg_temp.hold_id('other')) $$), 'PT409 hold_expired', 'without a message it is not captured');
select is(tests.refusal($$ select pg_temp.finish('other', 1, more => jsonb_build_object('hold_id', pg_temp.hold_id('slowest'))) $$), 'PT409 hold_expired',
  'a hold pays for one message');
select set_credit_overdraft(3, tests.user_id('owner'));
select pg_temp.draft('overdrawn'), pg_temp.hold('overdrawn', 13, expires_in => 60);
select tests.pass_time(tests.account_of('owner'), '1 hour');
select is((public.deduct_credits(tests.user_id('owner'), amount => 10)).balance_after, 0::numeric, 'when all is spent');
select is(pg_temp.finish('overdrawn', 13), 'complete All of it 1 -3', 'the overdraft pays');
select is(pg_temp.credits(), '-3 0', 'as far as it goes');

-- a team ---------------------------------------------------------------------------------------------------
select pg_temp.draft('left', true), pg_temp.hold('left', 10, true);
select pg_temp.draft('late', true), pg_temp.hold('late', 10, true, 60);
select pg_temp.draft('hidden', true), pg_temp.hold('hidden', 10, true);
select pg_temp.draft('over', true), pg_temp.hold('over', 1, true);
select pg_temp.draft('own', true);
select grant_credits(tests.user_id('owner'), 10);
select pg_temp.hold('own', 5);
delete from team_members where user_id = tests.user_id('owner');
select is(pg_temp.finish('left', 4, true), 'complete All of it 1 -4', 'a member who has left: the team that pays has the text');
select is(pg_temp.credits(true), '96 21', 'and pays');
select is(pg_temp.finish('own', 5, true), '0 -5', 'what the user pays is not written where they may not write');
select is((select status from messages where id = pg_temp.id('own')), 'streaming', 'it stays as it is');
update projects set status = 'deleted' where id = pg_temp.id('project');
select is(pg_temp.finish('hidden', 6, true), 'complete All of it 1 -6', 'a deleted project is written to: it may be restored');
select is(pg_temp.finish('over', 3, true, more => '{"allow_overage": true}'), 'complete All of it 1 -3', 'more than was held, where it is allowed');
delete from projects where id = pg_temp.id('project');
select tests.pass_time((select id from credit_accounts where team_id = pg_temp.id('team')), '1 hour');
select is(pg_temp.finish('late', 5, true), '0 -5', 'when the project is gone and the hold has expired, the team pays');
select is(pg_temp.credits(true), '82 0', 'all of it');
insert into team_members (team_id, user_id, role) values (pg_temp.id('team'), tests.user_id('owner'), 'member');
create temp table last as select pg_temp.hold('orphan', 1) as own, pg_temp.hold('ghost', 10, true) as of_team;
delete from auth.users where id = tests.user_id('owner');
select is(tests.refusal(format($$ select pg_temp.finish('orphan', 1, more => '{"hold_id": "%s"}') $$, own)), 'PT404 hold_not_found',
  'a deleted user''s holds are gone with the account') from last;
select is(pg_temp.finish('ghost', 2), '0 -2', 'but what a team holds for a deleted user is paid');

-- in the end ----------------------------------------------------------------------------------------
select is_empty($$ select * from credit_reconciliation() $$, 'the books agree');

select * from finish();
rollback;
