-- Deletions of accounts: one that fails waits, and the others go on.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['stuck', 'next']) as name;
insert into private.account_deletions (user_id, due_at) values
  (tests.user_id('stuck'), now() - interval '2 minutes'), (tests.user_id('next'), now() - interval '1 minute');
create function pg_temp.refuse() returns trigger language plpgsql as $$
begin
  raise exception 'stuck';
end $$;
create trigger refuse before delete on auth.users for each row
  when (old.email like 'stuck%') execute function pg_temp.refuse();
create temp table users as select tests.user_id(name) as id, name from unnest(array['stuck', 'next']) as name;

do $$
begin
  for n in 1..20 loop
    perform private.do_cleanup(j, false) from private.cleanup_jobs as j where j.name = 'account_deletions';
  end loop;
end $$;
select is_empty($$ select from auth.users where id = (select u.id from users as u where u.name = 'next') $$,
  'the account behind it is deleted');
select results_eq($$ select due_at > now() from private.account_deletions $$, array[true], 'and the one that failed waits');

drop trigger refuse on auth.users;
update private.account_deletions set due_at = now();
select tests.clean_up('account_deletions');
select is_empty($$ select from auth.users where id in (select u.id from users as u) $$, 'until it can be deleted');

select * from finish();
rollback;
