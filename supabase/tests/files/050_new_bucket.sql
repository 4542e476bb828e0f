-- A new bucket is one row: Storage has it, the policies and the functions apply to it, and nothing else has to be said.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'member']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('bucket ' || name)::uuid $$;
create function pg_temp.attempt(actor text, statement text) returns text language sql as $$
  select tests.attempt(actor, replace(statement, '{owner}', tests.user_id('owner')::text))
$$;

insert into private.bucket_rules (bucket_id, path, max_file_size, file_size_limit, content_types, is_shared)
values ('new', '{user_id}/{id}.{extension}', 1000, 2000, array['image/png'], true);

-- Storage ---------------------------------------------------------------------------------------------
create function pg_temp.bucket() returns text language sql as $$
  select concat_ws(' ', b.name, b.public, b.file_size_limit, private.plain_content_types(b.allowed_mime_types)) from storage.buckets as b where b.id = 'new'
$$;
select is(pg_temp.bucket(), 'new f 2000 {image/png}', 'Storage has the bucket, with its limits');
update private.bucket_rules set is_public = true, file_size_limit = null, content_types = null where bucket_id = 'new';
select is(pg_temp.bucket(), 'new t', 'and follows the rules');
update storage.buckets set file_size_limit = 7 where id = 'new';
update private.bucket_rules set max_file_size = 900, owner_quota = 5000 where bucket_id = 'new';
select is(pg_temp.bucket(), 'new t 7', 'but for rules that it does not have');
update private.bucket_rules set is_public = false, file_size_limit = 2000, content_types = array['image/png'] where bucket_id = 'new';
select is_empty($$ select bucket_id from private.bucket_rules as r
  where not exists (select 1 from storage.buckets as b where b.id = r.bucket_id and b.public = r.is_public
    and b.file_size_limit is not distinct from r.file_size_limit
    and b.allowed_mime_types is not distinct from private.storage_content_types(r.content_types)) $$, 'all buckets are as their rules say');
select is_empty($$ select r.kept_by from private.bucket_rules as r where r.kept_by is not null
  and to_regprocedure(format('private.%I(uuid, text, private.removal_cause)', r.kept_by)) is null $$,
  'and what keeps their objects is there');
insert into storage.buckets (id, name, public) values ('adopted', 'adopted', true);
insert into private.bucket_rules (bucket_id, path, max_file_size) values ('adopted', '{user_id}/{id}', 1);
select is(public, false, 'a bucket that Storage had comes under the rules') from storage.buckets where id = 'adopted';

-- policies --------------------------------------------------------------------------------------------
select is(pg_temp.attempt(c.actor, c.statement), c.expected, c.what)
from (values
  ('owner', $$ insert into storage.objects (bucket_id, name, metadata) values ('new', '{owner}/f', '{"contentLength": 900}') $$, '1', 'its user uploads'),
  ('owner', $$ insert into storage.objects (bucket_id, name, metadata) values ('new', '{owner}/f', '{"contentLength": 5001}') $$, '42501', 'within its quota'),
  ('stranger', $$ insert into storage.objects (bucket_id, name) values ('new', '{owner}/f') $$, '42501', 'no stranger does'),
  ('anon', $$ insert into storage.objects (bucket_id, name) values ('new', '{owner}/f') $$, '42501', 'nor anon')
) as c (actor, statement, expected, what);
insert into storage.objects (bucket_id, name, version, metadata)
values ('new', tests.user_id('owner') || '/f', 'v', '{"size": 10, "mimetype": "image/png"}');
create function pg_temp.check_rights(owner text, moment text) returns setof text language sql as $$
  select is(pg_temp.attempt(c.actor, c.statement), c.expected, format('%s, %s: %s', moment, c.actor, c.statement))
  from (values
    ('owner', $s$ select 1 from storage.objects where bucket_id = 'new' $s$, owner),
    ('owner', $s$ update storage.objects set metadata = '{"size": 10}' where bucket_id = 'new' $s$, owner),
    ('owner', $s$ select set_config('storage.allow_delete_query', 'true', true); delete from storage.objects where bucket_id = 'new' $s$, owner),
    ('stranger', $s$ select 1 from storage.objects where bucket_id = 'new' $s$, '0'),
    ('stranger', $s$ update storage.objects set metadata = '{"size": 10}' where bucket_id = 'new' $s$, '0'),
    ('stranger', $s$ select set_config('storage.allow_delete_query', 'true', true); delete from storage.objects where bucket_id = 'new' $s$, '0'),
    ('anon', $s$ select 1 from storage.objects where bucket_id = 'new' $s$, '0')
  ) as c (actor, statement, expected)
$$;
select pg_temp.check_rights('1', 'with its rule');

-- functions -------------------------------------------------------------------------------------------
select is((get_bucket_terms('new')).max_file_size, 900::bigint, 'its terms are told');
select is((select used from get_storage_usage(tests.user_id('owner')) where bucket = 'new'), 10::bigint, 'its objects count');
select is(tests.refusal(format('select reserve_upload(%L, %L, %L, %L, %L)', tests.user_id('owner'), 'new', 'f', c.size, c.type)),
  c.expected, 'reserved: ' || c.what)
from (values
  (901, 'image/png', 'PT413 file_too_large', 'not more than it takes'),
  (900, 'image/gif', 'PT422 content_type_not_allowed', 'nor of another type'),
  (900, 'image/png', 'no refusal', 'but a file that it takes')
) as c (size, type, expected, what);
insert into projects (id, user_id, title, is_public) values (pg_temp.id('p'), tests.user_id('owner'), 'P', true);
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
values (tests.user_id('owner'), pg_temp.id('p'), 'f', tests.user_id('owner') || '/f', 'new');
select is(pg_temp.attempt('stranger', $$ select 1 from storage.objects where bucket_id = 'new' $$), '1', 'a public project shares its file');
update private.bucket_rules set is_shared = false where bucket_id = 'new';
select is(pg_temp.attempt('stranger', $$ select 1 from storage.objects where bucket_id = 'new' $$), '0', 'unless the rule says otherwise');
delete from file_uploads where file_path = tests.user_id('owner') || '/f';
select is((select count(*) from private.storage_removals where bucket_id = 'new'), 1::bigint, 'what is deleted is removed');

-- its end ---------------------------------------------------------------------------------------------
delete from private.bucket_rules where bucket_id = 'new';
select pg_temp.check_rights('0', 'without its rule');
select is(pg_temp.attempt('owner', $$ insert into storage.objects (bucket_id, name) values ('new', '{owner}/g') $$), '42501',
  'without its rule, nobody uploads');

select * from finish();
rollback;
