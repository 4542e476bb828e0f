-- What the policy for uploads says of clients that write to Storage themselves: the quota, and what may be signed.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;
select set_storage_quota(tests.user_id('owner'), 1000);
insert into storage.objects (bucket_id, name, metadata)
values ('app_storage', tests.user_id('owner') || '/there', '{"size": 400}');
create temp table r as select * from reserve_upload(tests.user_id('owner'), 'chat_attachments', 'a', 100, 'image/png');

-- Tests the policy as Storage does: a row with what was declared, and the operation by name.
create function pg_temp.attempt(name text, metadata jsonb, operation text default 'storage.object.upload',
  bucket text default 'app_storage', actor text default 'owner') returns text language sql as $$
  select tests.attempt(actor, format(
    $s$ insert into storage.objects (bucket_id, name, metadata) values (%L, %L, %L)
      on conflict (bucket_id, name) do update set metadata = excluded.metadata $s$,
    bucket, replace(replace(name, '{owner}', tests.user_id('owner')::text), '{stranger}', tests.user_id('stranger')::text),
    metadata), format('select set_config(%L, %L, true)', 'storage.operation', operation))
$$;
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 500}'), '1', 'what there is room for');
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 501}'), '42501', 'not a byte more');
select is(pg_temp.attempt('{owner}/new', '{"size": 501}'), '42501', 'nor by a copy, which has a size');
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 501}', 'storage.tus.upload.create'), '42501', 'nor bit by bit');
select is(pg_temp.attempt('{owner}/new', '{}'), '42501', 'without a size, it counts as the largest there is');
select is(pg_temp.attempt('{stranger}/new', '{}', actor => 'stranger'), '1', 'which who has room may upload');
select is(pg_temp.attempt('{owner}/there', '{"contentLength": 900}'), '1', 'what is replaced makes room');
select is(pg_temp.attempt('{owner}/there', '{"contentLength": 901}'), '42501', 'as much as it takes');
select is(pg_temp.attempt(r.path, '{"contentLength": 600}', bucket => 'chat_attachments'), '1', 'and so does what was reserved for it') from r;
select is(pg_temp.attempt('{stranger}/x', '{"contentLength": 1}'), '42501', 'in one''s own folder only');
select delete_files(tests.user_id('owner'), 'app_storage', array[tests.user_id('owner') || '/there']);
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 900}'), '1', 'what is to be removed makes room');
select is(pg_temp.attempt('{owner}/there', '{"contentLength": 901}'), '42501', 'once');

create temp table q as select * from private.storage_removals;
update storage.objects set version = 'anew', metadata = '{"size": 300}' where name = tests.user_id('owner') || '/there';
select is((select used from get_storage_usage(tests.user_id('owner')) where bucket = 'app_storage'), 300::bigint,
  'written anew since it was queued, it counts');
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 601}'), '42501', 'and makes no room');
select is(pg_temp.attempt('{owner}/there', '{"contentLength": 900}'), '1', 'but for what takes its own place');
update storage.objects set version = q.version, metadata = '{"size": 400}' from q where objects.name = q.name;

-- signing
select is(pg_temp.attempt('{owner}/new', '{"contentLength": 2}', o), '42501', 'no upload URL is signed for what was not reserved: ' || o)
from unnest(array['storage.object.sign_upload_url', 'object.sign_upload_url']) as o;
select is(pg_temp.attempt(r.path, '{"contentLength": 2}', 'storage.object.sign_upload_url', c.bucket, c.actor), c.expected, c.what)
from r cross join (values
  ('chat_attachments', 'owner', '1', 'only for what was'),
  ('app_storage', 'owner', '42501', 'in its bucket'),
  ('chat_attachments', 'stranger', '42501', 'for its user')
) as c (bucket, actor, expected, what);
update file_uploads set expires_at = now() + interval '2 hours';
select is(pg_temp.attempt(r.path, '{}', 'storage.object.sign_upload_url', 'chat_attachments'), '42501',
  'and while it holds for as long as the URL would') from r;
update file_uploads set expires_at = now() + interval '1 day', status = 'complete';
select is(pg_temp.attempt(r.path, '{}', 'storage.object.sign_upload_url', 'chat_attachments'), '42501', 'nor when it is complete') from r;

-- moving
update file_uploads set status = 'pending';
insert into storage.objects (bucket_id, name, version, metadata)
select r.bucket, r.path, 'a', '{"size": 100, "mimetype": "image/png"}'::jsonb from r
union all
select 'app_storage', tests.user_id('owner') || '/' || f, f, '{"size": 10, "mimetype": "application/json"}'::jsonb from unnest(array['table', 'queued']) as f;
create function pg_temp.move(name text, target text, from_bucket text default 'app_storage', to_bucket text default 'app_storage')
returns text language sql as $$
  select tests.attempt('owner', format(
    'update storage.objects set bucket_id = %L, name = %L, version = gen_random_uuid()::text where bucket_id = %L and name = %L',
    to_bucket, tests.user_id('owner') || '/' || target, from_bucket, replace(name, '{owner}', tests.user_id('owner')::text)),
    $s$ select set_config('storage.operation', 'storage.object.move', true) $s$)
$$;
select is(pg_temp.move('{owner}/table', 'elsewhere'), '1', 'an object is moved');
select is(pg_temp.move(r.path, 'kept', r.bucket, r.bucket), '42501', 'not from where an upload URL leads') from r;
update file_uploads set status = 'complete', expires_at = now() - interval '59 minutes';
select is(pg_temp.move(r.path, 'kept', r.bucket, r.bucket), '42501', 'complete or not, while one may be under way') from r;
select is(pg_temp.attempt(r.path, '{"contentLength": 100}', bucket => r.bucket), '42501', 'nor is it replaced where it is') from r;
update file_uploads set expires_at = now() - interval '1 hour';
select is(pg_temp.move(r.path, 'kept', r.bucket, r.bucket), '1', 'and after that it may be moved') from r;
insert into private.spent_uploads (bucket_id, name, user_id, expires_at) select r.bucket, r.path, tests.user_id('owner'), now() from r;
select is(pg_temp.move(r.path, 'kept', r.bucket, r.bucket), '42501', 'nor where one leads whose record is gone') from r;
truncate private.spent_uploads;
select delete_files(tests.user_id('owner'), 'app_storage', array[tests.user_id('owner') || '/queued']);
select is(pg_temp.move('{owner}/queued', 'kept'), '42501', 'nor what is to be removed, and does not count');
select is(pg_temp.move('{owner}/table', 'a.png', to_bucket => b), '42501', 'nor what is not of a type that is taken there: ' || b)
from unnest(array['avatars', 'chat_attachments']) as b;
select is(pg_temp.move(r.path, 'b.png', r.bucket, 'avatars'), '1', 'but what is') from r;
update storage.buckets set file_size_limit = 99 where id = 'avatars';
select is(pg_temp.move(r.path, 'b.png', r.bucket, 'avatars'), '42501', 'if it is not larger than that') from r;
select is(pg_temp.attempt('{owner}/c', '{"size": 100, "mimetype": "image/png"}', bucket => 'avatars'), '42501', 'a copy is held to the size too');
select is(pg_temp.attempt('{owner}/c', '{"size": 9, "mimetype": "text/html"}', bucket => 'avatars'), '42501', 'and to the types');
select is(pg_temp.attempt('{owner}/c', '{"size": 9, "mimetype": "image/png"}', bucket => 'avatars'), '1', 'as Storage holds an upload to them');
update storage.buckets set file_size_limit = 5242880 where id = 'avatars';
update private.bucket_rules set owner_quota = 99 where bucket_id = 'avatars';
select is(pg_temp.move(r.path, 'b.png', r.bucket, 'avatars'), '42501', 'and a move to the bucket''s own quota') from r;
update private.bucket_rules set owner_quota = 100 where bucket_id = 'avatars';
select set_storage_quota(tests.user_id('owner'), 1);
select is(pg_temp.move(r.path, 'b.png', r.bucket, 'avatars'), '1', 'though there is too much in all, it makes that no more') from r;

-- a deleted account has tokens for a while
delete from auth.users where id = tests.user_id('stranger');
select is(pg_temp.attempt('{stranger}/new', '{"contentLength": 1}', actor => 'stranger'), '42501', 'a deleted account uploads nothing');

select * from finish();
rollback;
