-- Reading one object costs the same, however many files others have in public projects, or name the same path.

begin;
select plan(5);
select tests.create_user(name) from unnest(array['owner', 'stranger', 'reader']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('shared ' || name)::uuid $$;
insert into projects (id, user_id, title, is_public) values
  (pg_temp.id('public'), tests.user_id('owner'), 'P', true), (pg_temp.id('trap'), tests.user_id('stranger'), 'T', true);
insert into storage.objects (bucket_id, name)
select b, tests.user_id('owner') || '/' || n from unnest(array['chat_attachments', 'project-files']) as b, unnest(array['shared', 'other']) as n;
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
values (tests.user_id('owner'), pg_temp.id('public'), 'f', tests.user_id('owner') || '/shared', 'chat_attachments');
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (pg_temp.id('public'), 'f', tests.user_id('owner') || '/shared', 'pdf', 1);

-- The pages that the reader's look at an object takes, the second time. Its condition is that of Storage.
create function pg_temp.pages(bucket text, name text) returns integer language plpgsql as $$
declare
  v_plan json;
begin
  perform tests.authenticate_as('reader');
  for i in 1..2 loop
    execute format('explain (analyze, buffers, format json) select * from storage.objects where bucket_id = %L and name = %L',
      bucket, name) into v_plan;
  end loop;
  perform tests.clear_authentication();
  return (v_plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::integer;
end $$;
create function pg_temp.all_pages() returns integer[] language sql as $$
  select array_agg(pg_temp.pages(b, tests.user_id('owner') || '/' || n) order by b, n)
  from unnest(array['chat_attachments', 'project-files']) as b, unnest(array['shared', 'other']) as n
$$;
create temp table before as select pg_temp.all_pages() as pages;
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
select tests.user_id('owner'), pg_temp.id('public'), 'f', tests.user_id('owner') || '/f' || n, 'chat_attachments' from generate_series(1, 3000) as n
union all
select tests.user_id('stranger'), pg_temp.id('trap'), 'f', tests.user_id('owner') || '/' || case n % 2 when 0 then 'shared' else 'other' end, 'chat_attachments'
from generate_series(1, 3000) as n;
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select pg_temp.id('public'), 'f', tests.user_id('owner') || '/f' || n, 'pdf', 1 from generate_series(1, 3000) as n
union all
select pg_temp.id('trap'), 'f', tests.user_id('owner') || '/' || case n % 2 when 0 then 'shared' else 'other' end, 'pdf', 1
from generate_series(1, 3000) as n;
analyze file_uploads;
analyze project_files;
select cmp_ok(a.pages, '<=', b.pages + 30, format('object %s', a.n))
from before, lateral unnest(before.pages, pg_temp.all_pages()) with ordinality as x (old, new, n)
cross join lateral (select x.new as pages, x.n) as a cross join lateral (select x.old as pages) as b;

select tests.authenticate_as('reader');
select results_eq($$ select bucket_id || ' ' || split_part(name, '/', 2) from storage.objects order by bucket_id collate "C" $$,
  $$ values ('chat_attachments shared'), ('project-files shared') $$, 'what is shared is seen, and nothing else');
select tests.clear_authentication();

select * from finish();
rollback;
