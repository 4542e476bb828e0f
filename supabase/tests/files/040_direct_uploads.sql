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

-- a deleted account has tokens for a while
delete from auth.users where id = tests.user_id('stranger');
select is(pg_temp.attempt('{stranger}/new', '{"contentLength": 1}', actor => 'stranger'), '42501', 'a deleted account uploads nothing');

select * from finish();
rollback;
