-- Files of chats: their bucket, uploads to a chat, and what becomes of images when a chat goes.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'leaver']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('chat files ' || name)::uuid $$;
create function pg_temp.path(file text, actor text default 'owner') returns text language sql immutable as $$
  select tests.user_id(actor) || '/' || file
$$;
create function pg_temp.store(bucket text, file text, actor text default 'owner') returns void language sql as $$
  insert into storage.objects (bucket_id, name, version, metadata)
  values (bucket, pg_temp.path(file, actor), gen_random_uuid()::text, '{"size": 10}')
  on conflict (bucket_id, name) do update set version = excluded.version
$$;
-- What is queued, as bucket and file.
create function pg_temp.queued() returns text language sql as $$
  select coalesce(string_agg(bucket_id || ' ' || substr(name, 38), ', ' order by bucket_id collate "C", name collate "C"), '')
  from private.storage_removals
$$;
create function pg_temp.handed(batch integer default 1000) returns text language sql as $$
  select coalesce(string_agg(bucket_id || ' ' || substr(name, 38), ', ' order by bucket_id collate "C", name collate "C"), '')
  from next_storage_removals(batch)
$$;
create function pg_temp.as_user(actor text, statement text) returns void language plpgsql as $$
begin
  perform tests.authenticate_as(actor);
  execute statement;
  perform tests.clear_authentication();
end $$;

-- the bucket ------------------------------------------------------------------------------------------
select results_eq($$ select b.public, b.file_size_limit, b.allowed_mime_types, r.path, r.max_file_size, r.is_opaque, r.is_shared
    from storage.buckets as b join private.bucket_rules as r on r.bucket_id = b.id where b.id = 'chat-images' $$,
  $$ values (false, 52428800::bigint, null::text[], '{user_id}/{chat_id}/{id}', 14680064::bigint, true, false) $$,
  'the rules of the data model, and what 10 MiB are when they are encrypted');

-- an upload -------------------------------------------------------------------------------------------
insert into encrypted_chats (id, user_id, encrypted_data) values
  (pg_temp.id('uploads'), tests.user_id('owner'), tests.envelope()),
  (pg_temp.id('theirs'), tests.user_id('stranger'), tests.envelope());
create function pg_temp.reserve(bucket text, chat text) returns upload_reservation language sql as $$
  select reserve_upload(tests.user_id('owner'), bucket, 'a picture.png', 1, 'image/png',
    chat_id => case when chat <> '' then pg_temp.id(chat) end)
$$;
select is(regexp_replace(r.upload_path, '[0-9a-f-]{36}$', 'ID'), pg_temp.path(pg_temp.id('uploads') || '/ID'),
  'an image is in the folder of its chat')
from pg_temp.reserve('chat-images', 'uploads') as r;
select is((pg_temp.reserve('chat_attachments', 'uploads')).chat_id, pg_temp.id('uploads'), 'other files can belong to a chat');
select is(tests.refusal(format('select pg_temp.reserve(%L, %L)', c.bucket, c.chat)), c.expected, c.what)
from (values
  ('chat-images', '', 'PT422 chat_required', 'an image of no chat'),
  ('chat-images', 'theirs', 'PT404 chat_not_found', 'another''s chat'),
  ('chat_attachments', 'theirs', 'PT404 chat_not_found', 'nor for another bucket'),
  ('chat-images', 'none', 'PT404 chat_not_found', 'no chat')
) as c (bucket, chat, expected, what);
select is(tests.attempt('owner', format('insert into file_uploads (user_id, chat_id, file_name, file_path, bucket_name)
  values (%L, %L, %L, %L, %L)', tests.user_id('owner'), pg_temp.id('uploads'), 'f', 'f', 'chat-images')), '42501',
  'a client names no chat in a record');
delete from encrypted_chats;
select is((select count(*) from file_uploads), 0::bigint, 'a chat takes along its uploads');
truncate private.storage_removals, private.spent_uploads;

-- a chat ----------------------------------------------------------------------------------------------
insert into encrypted_chats (id, user_id, encrypted_data, image_paths)
select pg_temp.id(c.name), tests.user_id('owner'), tests.envelope(), c.paths
from (values
  ('chat', array[pg_temp.path('elsewhere'), pg_temp.path('shared'), pg_temp.path('theirs', 'stranger'), pg_temp.path('none')]),
  ('other', array[pg_temp.path('shared'), pg_temp.path(pg_temp.id('chat') || '/held')]),
  ('empty', null)
) as c (name, paths);
select pg_temp.store('chat-images', f) from unnest(array['elsewhere', 'shared', 'loose', pg_temp.id('chat') || '/in',
  pg_temp.id('chat') || '/held', pg_temp.id('chat') || 'x/near']) as f;
select pg_temp.store('chat-images', 'theirs', 'stranger');
select pg_temp.as_user('owner', format('delete from encrypted_chats where id in (%L, %L)', pg_temp.id('chat'), pg_temp.id('empty')));
select is(pg_temp.queued(), 'chat-images ' || pg_temp.id('chat') || '/in, chat-images elsewhere',
  'a chat takes along its folder and its images, but those of another chat or of another user');
select is(pg_temp.handed(), 'chat-images ' || pg_temp.id('chat') || '/in, chat-images elsewhere', 'which are handed out');
truncate private.storage_removals;
select delete_files(tests.user_id('owner'), 'chat-images', array[pg_temp.path('shared')]);
select is(pg_temp.handed(), 'chat-images shared', 'one that its owner asks to be removed is, though a chat lists it');
truncate private.storage_removals;
insert into encrypted_chats (id, user_id, encrypted_data) values (pg_temp.id('third'), tests.user_id('owner'), tests.envelope());
create temp table r as
  select * from reserve_upload(tests.user_id('owner'), 'chat-images', 'i', 10, 'image/png', chat_id => pg_temp.id('third'));
select pg_temp.store('chat-images', substr(r.path, 38)) from r;
delete from encrypted_chats where id = pg_temp.id('third');
select is((select count(*) from file_uploads) || ' ' || (select count(*) from private.spent_uploads s join r on s.name = r.path)
  || ' ' || (select count(*) from private.storage_removals q join r on q.name = r.path), '0 1 1',
  'a chat takes along an upload under way');
truncate private.storage_removals, private.spent_uploads;

-- an account ------------------------------------------------------------------------------------------
insert into encrypted_chats (id, user_id, encrypted_data, image_paths)
values (pg_temp.id('left'), tests.user_id('leaver'), tests.envelope(), array[pg_temp.path('x', 'leaver')]);
select pg_temp.store('chat-images', f, 'leaver') from unnest(array['x', pg_temp.id('left') || '/y']) as f;
delete from auth.users where id = tests.user_id('leaver');
select is(pg_temp.handed(), 'chat-images ' || pg_temp.id('left') || '/y, chat-images x', 'an account takes along its images');

select * from finish();
rollback;
