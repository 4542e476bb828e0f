-- Settings: an operator's, within bounds, and out of every client's reach.

begin;
select plan(10);

select is(private.setting('credits.signup_amount'), 100::numeric, 'a setting has a default');
select throws_ok($$ select private.setting('credits.no_such') $$, 'P0002', null,
  'an unknown setting is a fault, not null');
select throws_ok(
  $$ update private.settings set value = -1 where name = 'credits.signup_amount' $$, '23514', null,
  'a setting cannot go below its minimum');
select throws_ok(
  $$ update private.settings set value = 'NaN' where name = 'credits.signup_amount' $$, '23514', null,
  'a setting cannot be NaN');
select throws_ok(
  $$ insert into private.settings values ('Bad Name', 1, 'rows', 0, 9, 'x') $$, '23514', null,
  'a setting is named domain.name');

update private.settings set updated_at = '2020-01-01', value = 5 where name = 'credits.signup_amount';
select is(updated_at, now(), 'a change of a setting is dated, whatever it says itself')
from private.settings where name = 'credits.signup_amount';

select tests.authenticate_as_anon();
select throws_ok($$ select * from private.settings $$, '42501', null, 'anon reads no setting');
select tests.authenticate_as('stranger');
select throws_ok($$ select * from private.settings $$, '42501', null, 'a user reads no setting');
select tests.authenticate_as_service();
select throws_ok($$ select * from private.settings $$, '42501', null, 'the service reads no setting');
select throws_ok($$ select private.setting('credits.signup_amount') $$, '42501', null,
  'the service calls no helper');

select * from finish();
rollback;
