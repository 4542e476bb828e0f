-- Uploads: reserved by the bucket's rules and the quota, completed, given up; and what is in use by then.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'member']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('uploads ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, is_public, status) values
  (pg_temp.id('own'), tests.user_id('owner'), pg_temp.id('team'), 'T', false, 'active'),
  (pg_temp.id('deleted'), tests.user_id('owner'), null, 'D', false, 'deleted'),
  (pg_temp.id('public'), tests.user_id('stranger'), null, 'P', true, 'active'),
  (pg_temp.id('private'), tests.user_id('stranger'), null, 'Q', false, 'active');

-- A reservation by the owner, with what differs from a small PNG.
create function pg_temp.reserve(
  bucket text default 'chat_attachments', size bigint default 100, content_type text default 'image/png',
  name text default 'a picture.png', project_id uuid default null, key text default null, actor text default 'owner'
) returns upload_reservation language sql as $$
  select reserve_upload(tests.user_id(actor), bucket, name, size, content_type, project_id, idempotency_key => key)
$$;
create function pg_temp.refusal(bucket text, size bigint, content_type text, name text) returns text language sql as $$
  select tests.refusal(format('select pg_temp.reserve(%L, %L, %L, %L)', bucket, size, content_type, name))
$$;
-- What Storage does when the bytes come.
create function pg_temp.store(bucket text, path text, size bigint, version text default gen_random_uuid()::text)
returns void language sql as $$
  insert into storage.objects (bucket_id, name, version, metadata)
  values (bucket, path, version, jsonb_build_object('size', size, 'mimetype', 'image/png'))
  on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata
$$;
create function pg_temp.usage(bucket text default null, actor text default 'owner') returns text language sql as $$
  select format('%s used, %s reserved', u.used, u.reserved) from get_storage_usage(tests.user_id(actor)) as u
  where u.bucket is not distinct from usage.bucket
$$;

-- rules -----------------------------------------------------------------------------------------------
select bag_eq($$ select bucket_id from private.bucket_rules $$, $$ select id from storage.buckets where id <> 'exports' $$,
  'every bucket that clients write has its rules');
select bag_eq($$ select bucket_id, path, max_file_size, is_opaque from private.bucket_rules where bucket_id <> 'chat-images' $$,
  $$ values ('project-files', '{user_id}/{id}.enc', 14680064::bigint, true),
    ('user-avatars', '{user_id}/avatar.{extension}', 5242880, false),
    ('avatars', '{user_id}/avatar.jpg', 5242880, false),
    ('chat_attachments', '{user_id}/{id}.{extension}', 10485760, false),
    ('voice_recordings', '{user_id}/{id}.{extension}', 52428800, false),
    ('app_storage', '{user_id}/{id}.{extension}', 52428800, false) $$,
  'those of the data model, and of Chuk Chat what 10 MiB are when they are encrypted');
select is(private.setting('files.owner_quota'), 1073741824::numeric, 'a user has 1 GiB');
select is(private.setting('files.open_uploads') * max(max_file_size), 3145728000::numeric,
  'and of the upload URLs, as many as could bring 3 GB if there were room') from private.bucket_rules;
select throws_ok($$ update private.bucket_rules set upload_seconds = 7200 $$, '23514', null,
  'a reservation holds longer than the URL is good for');

select is(regexp_replace(r.upload_path, '[0-9a-f-]{36}(?=(\.|$))', 'ID'), tests.user_id('owner') || '/' || c.path,
  format('%s: the path', c.bucket))
from (values
  ('project-files', 'application/octet-stream', 'ID.enc'),
  ('user-avatars', 'image/webp', 'ID.webp'),
  ('avatars', 'image/png', 'ID.png'),
  ('chat_attachments', 'application/pdf', 'ID.pdf'),
  ('voice_recordings', 'audio/mp4', 'ID.m4a'),
  ('app_storage', 'application/x-tar', 'ID.png')
) as c (bucket, content_type, path)
cross join lateral pg_temp.reserve(c.bucket, 1, c.content_type) as r;
select is((pg_temp.reserve('user-avatars', 1, 'image/png')).path, tests.user_id('owner') || '/avatar.png',
  'an avatar has its place, and is uploaded beside it');
select is((pg_temp.reserve('app_storage', 1, 'application/x-tar', 'a.tar gz')).path ~ '/[0-9a-f-]{36}\.bin$', true,
  'no ending that is not one');
delete from file_uploads;
delete from private.spent_uploads;

select is(pg_temp.refusal(c.bucket, c.size, c.content_type, c.name), c.expected, c.what)
from (values
  ('none', 1, 'image/png', 'a', 'PT404 bucket_not_found', 'a bucket that there is not'),
  (null, 1, 'image/png', 'a', 'PT404 bucket_not_found', 'no bucket'),
  ('chat_attachments', 0, 'image/png', 'a', 'PT422 invalid_size', 'an empty file'),
  ('chat_attachments', -1, 'image/png', 'a', 'PT422 invalid_size', 'less than nothing'),
  ('chat_attachments', null, 'image/png', 'a', 'PT422 invalid_size', 'no size'),
  ('chat_attachments', 10485761, 'image/png', 'a', 'PT413 file_too_large', 'more than the bucket takes'),
  ('project-files', 14680065, 'image/png', 'a', 'PT413 file_too_large', 'more than the rule allows where the bucket takes more'),
  ('chat_attachments', 10485760, 'image/png', 'a', 'no refusal', 'as much as it takes'),
  ('chat_attachments', 1, 'image/svg+xml', 'a', 'PT422 content_type_not_allowed', 'a type that it does not'),
  ('voice_recordings', 1, 'image/png', 'a', 'PT422 content_type_not_allowed', 'a type of another bucket'),
  ('chat_attachments', 1, 'image/', 'a', 'PT422 invalid_content_type', 'half a type'),
  ('chat_attachments', 1, E'image/png\nx', 'a', 'PT422 invalid_content_type', 'two lines'),
  ('chat_attachments', 1, '', 'a.exe', 'PT422 content_type_not_allowed', 'a type that nobody knows'),
  ('app_storage', 1, 'image', 'a', 'PT422 invalid_content_type', 'no type'),
  ('app_storage', 1, null, 'a', 'PT422 invalid_content_type', 'null for a type'),
  ('chat_attachments', 1, 'image/png', '', 'PT422 invalid_name', 'an empty name'),
  ('chat_attachments', 1, 'image/png', null, 'PT422 invalid_name', 'no name'),
  ('chat_attachments', 1, 'image/png', ' ', 'PT422 invalid_name', 'a name of nothing'),
  ('chat_attachments', 1, 'image/png', '..', 'PT422 invalid_name', 'a folder above'),
  ('chat_attachments', 1, 'image/png', '../../etc/passwd', 'PT422 invalid_name', 'a path'),
  ('chat_attachments', 1, 'image/png', 'a\b', 'PT422 invalid_name', 'a path of another system'),
  ('chat_attachments', 1, 'image/png', E'a\nb', 'PT422 invalid_name', 'a line break'),
  ('chat_attachments', 1, 'image/png', repeat('x', 1025), 'PT422 invalid_name', 'a name too long'),
  ('chat_attachments', 1, 'image/png', repeat('ü', 1024), 'no refusal', 'one as long as it may be'),
  ('chat_attachments', 1, 'image/png', 'Grüße 👋 ..%2f..%00 a.png', 'no refusal', 'one that only looks like a path')
) as c (bucket, size, content_type, name, expected, what);
delete from file_uploads where file_size = 10485760;
select is((pg_temp.reserve(c.bucket, 1, c.content_type, c.name)).content_type, c.expected, format('%s, %s, %s', c.bucket, c.content_type, c.name))
from (values
  ('chat_attachments', 'image/PNG', 'a', 'image/png'),
  ('chat_attachments', ' image/jpg ; x=y', 'a', 'image/jpeg'),
  ('chat_attachments', 'text/plain;charset=UTF-8', 'a', 'text/plain'),
  ('chat_attachments', 'application/x-pdf', 'a', 'application/pdf'),
  ('chat_attachments', '', 'notes.MD', 'text/markdown'),
  ('chat_attachments', 'application/octet-stream', 'IMG_1.HEIC', 'image/heic'),
  ('chat_attachments', 'application/vnd.ms-excel', 'a.csv', 'text/csv'),
  ('voice_recordings', 'audio/webm;codecs=opus', 'a', 'audio/webm'),
  ('voice_recordings', 'audio/x-m4a', 'a', 'audio/mp4'),
  ('app_storage', '', 'a.png', 'application/octet-stream'),
  ('app_storage', 'application/vnd.ms-excel', 'a.xls', 'application/vnd.ms-excel'),
  ('project-files', 'application/octet-stream', 'a.png', 'application/octet-stream')
) as c (bucket, content_type, name, expected);
delete from file_uploads where file_name not in ('Grüße 👋 ..%2f..%00 a.png', repeat('ü', 1024));
select is_empty($$ select a.alias from private.content_type_aliases as a join private.content_type_aliases as b on b.alias = a.content_type $$,
  'no other name leads to another name');
update storage.buckets set allowed_mime_types = array['image/*'] where id = 'avatars';
select is(pg_temp.refusal('avatars', 1, 'image/heic', 'a'), 'no refusal', 'a bucket may take a kind of types');
select is(pg_temp.refusal('avatars', 1, 'text/plain', 'a'), 'PT422 content_type_not_allowed', 'and no other');
select is(pg_temp.usage(), '0 used, 3 reserved', 'what is refused reserves nothing');
delete from file_uploads;

-- targets ---------------------------------------------------------------------------------------------
select is(tests.refusal(format('select pg_temp.reserve(project_id => %L, actor => %L)', pg_temp.id(c.project), c.actor)),
  c.expected, c.what)
from (values
  ('owner', 'own', 'no refusal', 'a project of one''s own'),
  ('member', 'own', 'PT403 not_project_owner', 'a project of one''s team'),
  ('stranger', 'own', 'PT404 project_not_found', 'another''s project'),
  ('owner', 'public', 'PT403 project_read_only', 'another''s public project'),
  ('owner', 'private', 'PT404 project_not_found', 'another''s private project'),
  ('owner', 'deleted', 'PT409 project_deleted', 'a deleted project')
) as c (actor, project, expected, what);
select is(tests.refusal(format('select reserve_upload(%L, %L, %L, 1, %L)', pg_temp.id('nobody'), 'avatars', 'a', 'image/png')),
  'PT404 user_not_found', 'nobody');

delete from file_uploads;

-- a file's life ---------------------------------------------------------------------------------------
create temp table r as select * from pg_temp.reserve(size => 100);
select is(u.file_path || ' ' || u.status || ' ' || u.file_size, r.path || ' pending 100', 'a reservation is a pending record')
from file_uploads u join r using (id);
select ok(expires_at > now() + interval '2 hours', 'which holds longer than its URL') from r;
select is(pg_temp.usage(), '0 used, 100 reserved', 'its bytes are set aside');
select is(tests.refusal(format('select complete_upload(%L, %L)', tests.user_id('owner'), r.id)), 'PT409 upload_missing',
  'nothing is complete without an object') from r;
select pg_temp.store(r.bucket, r.path, 99) from r;
select is(tests.refusal(format('select complete_upload(%L, %L)', tests.user_id('owner'), r.id)), 'PT409 upload_missing',
  'or with one of another size') from r;
select is(pg_temp.usage(), '0 used, 100 reserved', 'until then an object counts as reserved');
select pg_temp.store(r.bucket, r.path, 5000) from r;
select is(pg_temp.usage(), '0 used, 5000 reserved', 'as what it is, when that is more');
select pg_temp.store(r.bucket, r.path, 100) from r;
select is(tests.refusal(format('select %s(%L, %L)', f, tests.user_id('stranger'), r.id)), 'PT404 upload_not_found',
  f || ' of another''s upload') from r cross join unnest(array['complete_upload', 'get_upload', 'verify_upload']) as f;
select is(release_upload(tests.user_id('stranger'), r.id), false, 'nor is it another''s to give up') from r;
select is((complete_upload(tests.user_id('owner'), r.id)).status, 'complete', 'it is completed') from r;
select is((complete_upload(tests.user_id('owner'), r.id)).replayed, true, 'and again, which changes nothing') from r;
select is(release_upload(tests.user_id('owner'), r.id), false, 'and is not pending any more') from r;
select is(pg_temp.usage(), '100 used, 0 reserved', 'its bytes count');
select is(pg_temp.usage('chat_attachments'), '100 used, 0 reserved', 'in its bucket');
select is(pg_temp.usage('avatars'), '0 used, 0 reserved', 'and in no other');
select is(pg_temp.usage(actor => 'stranger'), '0 used, 0 reserved', 'nor for another user');
select results_eq(format('select path, stored from delete_files(%L, %L, array[%L, %L, null])', tests.user_id('owner'), r.bucket, r.path,
  tests.user_id('stranger') || '/x'), format('values (%L, true)', r.path), 'it is deleted, by its path') from r;
select is(pg_temp.usage(), '0 used, 0 reserved', 'and does not count any more, though it is to be removed yet');
select results_eq($$ select name from private.storage_removals $$, $$ select path from r $$, 'which is queued');
select is((select count(*) from private.spent_uploads s join r on s.name = r.path), 1::bigint,
  'its URL is kept in mind, which may be good for a while');
select is(tests.refusal(format('select delete_files(%L, %L, %L)', tests.user_id('owner'), 'avatars', p)), 'PT422 invalid_batch',
  'a batch has 1 to 1000 paths') from (values ('{}'), (null), (array_fill('x'::text, array[1001])::text)) as c (p);
select is(tests.refusal(format('select delete_files(%L, %L, array[%L])', tests.user_id('owner'), 'none', 'x')),
  'PT404 bucket_not_found', 'of a bucket that there is');

-- another's folder: a record of one's own that names it is deleted, the object is not
select pg_temp.store('chat_attachments', tests.user_id('stranger') || '/theirs', 7);
insert into file_uploads (user_id, file_name, file_path, bucket_name)
values (tests.user_id('owner'), 'f', tests.user_id('stranger') || '/theirs', 'chat_attachments');
select results_eq(format('select stored from delete_files(%L, %L, array[%L])', tests.user_id('owner'), 'chat_attachments',
  tests.user_id('stranger') || '/theirs'), 'values (false)', 'a record that names another''s object goes without it');
select is(pg_temp.usage(actor => 'stranger'), '7 used, 0 reserved', 'which stays');

-- a clone names what is complete
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
values (tests.user_id('owner'), pg_temp.id('own'), 'done', tests.user_id('owner') || '/done', 'chat_attachments');
select pg_temp.reserve(project_id => pg_temp.id('own'), name => 'pending');
create temp table clone as select * from clone_project(tests.user_id('owner'), pg_temp.id('own'), with_files => true);
select is(files, 1, 'a clone has the files that there are') from clone;
select results_eq(
  $$ select u.file_name, u.status from file_uploads as u, clone as c where u.project_id = (c.project ->> 'id')::uuid $$,
  $$ values ('done', 'complete') $$, 'and not what is yet to be uploaded');
delete from file_uploads;
delete from private.spent_uploads;

-- expiry ----------------------------------------------------------------------------------------------
truncate r;
insert into r select * from pg_temp.reserve(size => 100);
select pg_temp.store(r.bucket, r.path, 100) from r;
update file_uploads u set expires_at = now() from r where u.id = r.id;
select is(tests.refusal(format('select %s(%L, %L)', f, tests.user_id('owner'), r.id)), 'PT409 upload_expired',
  f || ' when the time is up, to the instant') from r cross join unnest(array['complete_upload', 'get_upload', 'verify_upload']) as f;
select is(private.give_up_uploads(1000), 1, 'what has expired is given up');
select is(private.give_up_uploads(1000), 0, 'once');
select is_empty($$ select 1 from file_uploads u join r using (id) $$, 'its record goes');
select is((select count(*) from private.storage_removals q join r on q.name = r.path), 1::bigint, 'its object is queued');
select is(pg_temp.usage(), '0 used, 0 reserved', 'and nothing of it counts');
select is(s.expires_at, now(), 'its URL is looked after') from private.spent_uploads s join r on s.name = r.path;
-- cleanup: bytes that come late ---------------------------------------------------------------------
delete from private.storage_removals q using r where q.name = r.path;
update private.spent_uploads s set expires_at = now() - interval '59 minutes' from r where s.name = r.path;
select is(tests.clean_up('expired_uploads'), 0::bigint, 'while an upload may be under way');
update private.spent_uploads s set expires_at = now() - interval '1 hour' from r where s.name = r.path;
select is(tests.clean_up('expired_uploads'), 1::bigint, 'and not after');
select is((select count(*) from private.storage_removals q join r on q.name = r.path), 1::bigint, 'what came late is queued');

-- expired, and not given up yet ---------------------------------------------------------------------
truncate r;
insert into r select * from pg_temp.reserve(size => 100);
update file_uploads u set expires_at = now() - interval '1 second' from r where u.id = r.id;
select is(pg_temp.usage(), '0 used, 100 reserved', 'one that has expired holds until somebody comes by');
select is((pg_temp.reserve(size => 3)).status, 'pending', 'as the next reservation does');
select is(pg_temp.usage(), '0 used, 3 reserved', 'and gives it up');
select is(release_upload(tests.user_id('owner'), u.id), true, 'one can be given up before') from file_uploads u where status = 'pending';
select is(pg_temp.usage(), '0 used, 0 reserved', 'and reserves nothing any more');

-- quota -----------------------------------------------------------------------------------------------
select is((select allowed from set_storage_quota(tests.user_id('owner'), 1000) where bucket is null), 1000::bigint,
  'a user''s quota is what a plan says');
select pg_temp.store('voice_recordings', tests.user_id('owner') || '/direct', 400);
select is(pg_temp.usage(), '400 used, 0 reserved', 'what a client uploaded itself counts');
insert into file_uploads (user_id, file_name, file_path, bucket_name, file_size)
select tests.user_id('owner'), 'f', tests.user_id('owner') || '/direct', 'voice_recordings', s
from unnest(array[400, 999999]) as s;
select is(pg_temp.usage(), '400 used, 0 reserved', 'once, whatever its records say');
select is(pg_temp.refusal('chat_attachments', 601, 'image/png', 'a'), 'PT413 storage_quota_exceeded', 'more than there is room for');
select is(pg_temp.refusal('chat_attachments', 600, 'image/png', 'a'), 'no refusal', 'exactly what there is room for');
select is(pg_temp.refusal('avatars', 1, 'image/png', 'a'), 'PT413 storage_quota_exceeded', 'then there is none, in any bucket');
delete from file_uploads where status = 'pending';
update private.bucket_rules set owner_quota = 50 where bucket_id = 'avatars';
select is(pg_temp.refusal('avatars', 51, 'image/png', 'a'), 'PT413 storage_quota_exceeded', 'a bucket may have a quota of its own');
select is(pg_temp.refusal('avatars', 50, 'image/png', 'a'), 'no refusal', 'which can be used up');
select is((select array_agg(allowed) from get_storage_usage(tests.user_id('owner')) where bucket is null or bucket = 'avatars'),
  array[1000, 50]::bigint[], 'usage says what is allowed');
select is((select allowed from set_storage_quota(tests.user_id('owner'), null) where bucket is null), 1073741824::bigint,
  'without one, it is what everyone may have');
select is(tests.refusal(format('select set_storage_quota(%L, -1)', tests.user_id('owner'))), 'PT422 invalid_quota', 'a quota is not negative');
select is(tests.refusal(format('select set_storage_quota(%L, 1)', pg_temp.id('nobody'))), 'PT404 user_not_found', 'and somebody''s');
delete from file_uploads where status = 'pending';

update private.settings set value = 2 where name = 'files.open_uploads';
delete from private.spent_uploads;
select is(pg_temp.refusal('chat_attachments', 1, 'image/png', 'a'), 'no refusal', 'a first upload');
select is(pg_temp.refusal('chat_attachments', 1, 'image/png', 'a'), 'no refusal', 'a second');
select is(pg_temp.refusal('chat_attachments', 1, 'image/png', 'a'), 'PT429 too_many_uploads', 'and then no more at once');
delete from file_uploads where status = 'pending';
select is(pg_temp.refusal('chat_attachments', 1, 'image/png', 'a'), 'PT429 too_many_uploads',
  'nor by giving them up while their URLs are good');
delete from private.spent_uploads;
update private.settings set value = 60 where name = 'files.open_uploads';

-- a key -----------------------------------------------------------------------------------------------
truncate r;
insert into r select * from pg_temp.reserve(key => 'k');
update file_uploads u set expires_at = now() + interval '1 minute' from r where u.id = r.id;
select is((a).id::text || (a).replayed || ((a).expires_at > now() + interval '2 hours'), r.id || 'truetrue',
  'the same key is the same upload, held anew') from r cross join pg_temp.reserve(key => 'k') as a;
select is(tests.refusal($$ select pg_temp.reserve(key => 'k', size => 7) $$), 'PT422 idempotency_key_reused', 'and no other');
select set_storage_quota(tests.user_id('owner'), used + 100) from get_storage_usage(tests.user_id('owner')) where bucket is null;
select is(tests.refusal($$ select pg_temp.reserve(key => 'k') $$), 'no refusal', 'while there is room for it');
select set_storage_quota(tests.user_id('owner'), null);
select pg_temp.store(r.bucket, r.path, 5000) from r;
select set_storage_quota(tests.user_id('owner'), used + 100) from get_storage_usage(tests.user_id('owner')) where bucket is null;
select is(tests.refusal($$ select pg_temp.reserve(key => 'k') $$), 'PT413 storage_quota_exceeded', 'and not when it has brought more');
select set_storage_quota(tests.user_id('owner'), null);
update private.settings set minimum = 0, value = 0 where name = 'files.open_uploads';
select is(tests.refusal($$ select pg_temp.reserve(key => 'k') $$), 'PT429 too_many_uploads', 'nor when there are too many');
update private.settings set minimum = 1, value = 60 where name = 'files.open_uploads';
select pg_temp.store(r.bucket, r.path, 100), complete_upload(tests.user_id('owner'), r.id) from r;
select is(tests.refusal($$ select pg_temp.reserve(key => 'k') $$), 'PT409 upload_already_complete', 'complete, it is not begun again');
delete from file_uploads u using r where u.id = r.id;
select is(tests.refusal($$ select pg_temp.reserve(key => 'k') $$), 'PT409 upload_expired', 'nor when it is gone');

-- replacing -------------------------------------------------------------------------------------------
delete from private.storage_removals;
truncate r;
insert into r select * from pg_temp.reserve('user-avatars', 100, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 100) from r;
select is(tests.refusal(format('select complete_upload(%L, %L)', tests.user_id('owner'), r.id)), 'PT409 upload_missing',
  'an avatar is complete when it is in its place') from r;
select pg_temp.store(r.bucket, r.path, 100) from r;
select is((complete_upload(tests.user_id('owner'), r.id)).path, r.path, 'where it is') from r;
select is(pg_temp.usage('user-avatars'), '100 used, 0 reserved', 'it counts once');
create temp table first as select * from r;
truncate r;
insert into r select * from pg_temp.reserve('user-avatars', 40, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 40) from r;
select is(pg_temp.usage('user-avatars'), '100 used, 40 reserved', 'a new one is beside it');
update file_uploads u set expires_at = now() from r where u.id = r.id;
select private.give_up_uploads(1000);
select bag_eq($$ select name from private.storage_removals $$, $$ select upload_path from first union all select upload_path from r $$,
  'given up, it takes nothing along but what it brought');
select is(pg_temp.usage('user-avatars'), '100 used, 0 reserved', 'the old one stays');
truncate r;
insert into r select * from pg_temp.reserve('user-avatars', 40, 'image/jpeg');
select pg_temp.store(r.bucket, p, 40) from r cross join unnest(array[r.upload_path, r.path]) as p;
select is((complete_upload(tests.user_id('owner'), r.id)).status, 'complete', 'complete, under another name') from r;
select is(pg_temp.usage('user-avatars'), '40 used, 0 reserved', 'it is the one that there is');
select ok(exists (select 1 from private.storage_removals q where q.name = first.path), 'and the old one goes') from first;

-- what is removed from an avatar's place
truncate first;
insert into first select * from r;
select pg_temp.store('avatars', tests.user_id('owner') || '/avatar.jpg', 10);
update private.bucket_rules set owner_quota = null where bucket_id = 'avatars';
select delete_files(tests.user_id('owner'), 'avatars', array[tests.user_id('owner') || '/avatar.jpg']);
create temp table handed as select * from next_storage_removals();
truncate r;
insert into r select * from pg_temp.reserve('avatars', 40, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 40) from r;
select is(tests.refusal(format('select verify_upload(%L, %L)', tests.user_id('owner'), r.id)), 'PT503 try_again',
  'a new one waits for the removal of the old one') from r;
update private.storage_removals set due_at = now();
select is((verify_upload(tests.user_id('owner'), r.id)).path, r.path, 'or until whoever did that is gone') from r;
select is_empty($$ select * from next_storage_removals() where name like '%/avatar.jpg' and bucket_id = 'avatars' $$,
  'and nobody removes it from then on');
select pg_temp.store(r.bucket, r.path, 40) from r;
select complete_upload(tests.user_id('owner'), r.id) from r;
select is_empty($$ select 1 from private.storage_removals where bucket_id = 'avatars' and name like '%/avatar.jpg' $$,
  'nor when the new one is there');

-- interrupted
truncate r;
insert into r select * from pg_temp.reserve('avatars', 30, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 30) from r;
select verify_upload(tests.user_id('owner'), r.id) from r;
update file_uploads u set expires_at = now() from r where u.id = r.id;
select private.give_up_uploads(1000);
select is_empty($$ select 1 from file_uploads u join r using (id) $$, 'interrupted before it took the place, it is given up');
select is(u.file_size, 40::bigint, 'and the old one stays') from file_uploads u where bucket_name = 'avatars';
truncate r;
insert into r select * from pg_temp.reserve('avatars', 30, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 30) from r;
select verify_upload(tests.user_id('owner'), r.id) from r;
select pg_temp.store(r.bucket, r.path, 30) from r;
update file_uploads u set expires_at = now() from r where u.id = r.id;
select private.give_up_uploads(1000);
select results_eq($$ select u.id, u.status from file_uploads u where bucket_name = 'avatars' $$, $$ select id, 'complete' from r $$,
  'interrupted after, it is completed');
select is(pg_temp.usage('avatars'), '30 used, 0 reserved', 'and counts');

-- by one of the same size
create temp table later as table r with no data;
create function pg_temp.verify() returns text language sql as $$
  select tests.refusal(format('select verify_upload(%L, %L)', tests.user_id('owner'), r.id)) from r
$$;
create function pg_temp.complete_or_not() returns text language sql as $$
  select tests.refusal(format('select complete_upload(%L, %L)', tests.user_id('owner'), r.id)) from r
$$;
create temp table old as select id from file_uploads where bucket_name = 'avatars';
truncate r;
insert into r select * from pg_temp.reserve('avatars', 30, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 30) from r;
select is(pg_temp.verify(), 'no refusal', 'a new one may be as large as the old one');
select is(pg_temp.complete_or_not(), 'PT409 upload_missing', 'and is not complete before it is written');
update file_uploads u set expires_at = now() from r where u.id = r.id;
select private.give_up_uploads(1000);
select results_eq($$ select id from file_uploads where bucket_name = 'avatars' $$, $$ table old $$,
  'interrupted before, it is given up, and the old one stays');
truncate r;
insert into r select * from pg_temp.reserve('avatars', 30, 'image/png');
select pg_temp.store(r.bucket, r.upload_path, 30) from r;
select pg_temp.verify();
select pg_temp.store(r.bucket, r.path, 30) from r;
select pg_temp.verify();
update file_uploads u set expires_at = now() from r where u.id = r.id;
select private.give_up_uploads(1000);
select results_eq($$ select id, status from file_uploads where bucket_name = 'avatars' $$, $$ select id, 'complete' from r $$,
  'interrupted after, when it was tried again, it is completed');

-- two at once
truncate r;
insert into r select * from pg_temp.reserve('avatars', 20, 'image/png');
insert into later select * from pg_temp.reserve('avatars', 50, 'image/png');
select pg_temp.store(bucket, upload_path, 20) from r;
select pg_temp.store(bucket, upload_path, 50) from later;
select is(pg_temp.verify(), 'no refusal', 'the first to come');
select is(tests.refusal(format('select verify_upload(%L, %L)', tests.user_id('owner'), id)), 'PT503 try_again',
  'has the place for itself') from later;
select is(pg_temp.verify(), 'no refusal', 'as often as it comes');
update file_uploads u set verified_at = now() - interval '5 minutes' from r where u.id = r.id;
select is(tests.refusal(format('select verify_upload(%L, %L)', tests.user_id('owner'), id)), 'no refusal',
  'for as long as whoever writes it may live') from later;
select pg_temp.store(bucket, path, 50) from later;
select is(pg_temp.verify(), 'PT503 try_again', 'then it waits for the other');
select complete_upload(tests.user_id('owner'), id) from later;
select is(pg_temp.verify(), 'no refusal', 'and has the place again');
select pg_temp.store(bucket, path, 20) from r;
update file_uploads u set verified_at = now() - interval '5 minutes' from r where u.id = r.id;
truncate later;
insert into later select * from pg_temp.reserve('avatars', 50, 'image/png');
select verify_upload(tests.user_id('owner'), id) from later;
select is(u.status, 'complete', 'one that was written, but not completed, is completed by the next') from file_uploads u join r using (id);
select is(u.replaced_version, o.version, 'which replaces it')
from file_uploads u join later using (id) join storage.objects o on o.bucket_id = later.bucket and o.name = later.path;
delete from file_uploads;
delete from private.spent_uploads;

-- clients ---------------------------------------------------------------------------------------------
truncate r;
insert into r select * from pg_temp.reserve(size => 100);
grant select on r to authenticated;
select is(tests.attempt(c.actor, c.statement), c.expected, c.what)
from (values
  ('owner', $$ update file_uploads set status = 'complete' $$, '42501', 'a client completes nothing itself'),
  ('owner', $$ insert into file_uploads (user_id, file_name, file_path, bucket_name, status)
    values (auth.uid(), 'f', 'p', 'b', 'pending') $$, '42501', 'reserves nothing itself'),
  ('owner', $$ update file_uploads set expires_at = now() + interval '9 years' $$, '42501', 'holds nothing longer'),
  ('owner', $$ update file_uploads set file_size = 1 where id = (select id from r) $$, '42501', 'declares nothing anew'),
  ('owner', $$ update file_uploads set mime_type = 'text/plain' where id = (select id from r) $$, '42501', 'of no other type'),
  ('owner', $$ update file_uploads set file_path = 'x' where id = (select id from r) $$, '42501', 'elsewhere'),
  ('owner', $$ update file_uploads set bucket_name = 'app_storage' where id = (select id from r) $$, '42501', 'in another bucket'),
  ('owner', $$ update file_uploads set file_name = 'x', metadata = '{"a": 1}' where id = (select id from r) $$, '1', 'what it is called is its own'),
  ('owner', $$ delete from file_uploads where id = (select id from r) $$, '1', 'and to give it up'),
  ('owner', $$ insert into file_uploads (user_id, file_name, file_path, bucket_name, file_size)
    values (auth.uid(), 'f', auth.uid() || '/f', 'chat_attachments', 5) $$, '1', 'as are records of what it uploads itself'),
  ('owner', $$ select * from private.bucket_rules $$, '42501', 'the rules are out of reach'),
  ('owner', $$ select reserve_upload(auth.uid(), 'avatars', 'a', 1, 'image/png') $$, '42501', 'and so are the functions'),
  ('service', $$ select 1 from private.storage_accounts $$, '42501', 'the service reads no quota either')
) as c (actor, statement, expected, what);

-- refused -----------------------------------------------------------------------------------------------
delete from file_uploads;
create temp table refused as select * from pg_temp.reserve() as r;
create function pg_temp.refuse(refusal jsonb default '{"rule": "size", "expected": 1, "actual": 2}') returns text language sql as $$
  select tests.refusal(format('select refuse_upload(%L, %L, %L)', tests.user_id('owner'), (select id from refused), refuse.refusal))
$$;
select is(pg_temp.refuse(r), 'PT422 invalid_refusal', coalesce(r::text, 'none')) from unnest(array[null, '[]', '{}', '1']::jsonb[]) as r;
select is(pg_temp.refuse(), 'no refusal', 'a file that is not as declared is refused');
select is(pg_temp.refuse('{"rule": "content"}'), 'no refusal', 'once');
select results_eq($$ select status, refusal ->> 'rule', expires_at between now() + interval '23 hours' and now() + interval '24 hours' from file_uploads $$,
  $$ values ('refused', 'size', true) $$, 'its record says why, for a day');
select is(tests.refusal(format('select complete_upload(%L, %L)', tests.user_id('owner'), (select id from refused))), 'PT409 upload_expired', 'it cannot be completed');
select throws_ok($$ update file_uploads set status = 'complete' $$, '23514', null, 'a refusal belongs to what was refused alone');

-- cleanup: what was refused ----------------------------------------------------------------------------
update file_uploads set expires_at = now();
select is(tests.clean_up('expired_uploads') > 0, true, 'and then it goes');
select is_empty($$ select 1 from file_uploads where status = 'refused' $$, 'for good');

-- the end ------------------------------------------------------------------------------------------------
select * from finish();
rollback;
