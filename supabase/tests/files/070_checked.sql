-- What the server has checked stays as it is: Storage writes nothing in its place, however the write came about.

begin;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger']) as name;
create function pg_temp.path(file text, actor text default 'owner') returns text language sql immutable as $$
  select tests.user_id(actor) || '/' || file
$$;
-- Writes a row as Storage does: as itself, with a new version. An object that is overwritten without an owner keeps its own.
create function pg_temp.written(bucket text, name text, size bigint default 100, owner text default 'owner', type text default 'image/png')
returns text language sql as $$
  select format($s$ insert into storage.objects (bucket_id, name, owner_id, version, metadata)
    values (%L, %L, %L, gen_random_uuid()::text, %L)
    on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata,
      owner_id = coalesce(excluded.owner_id, objects.owner_id) $s$,
    bucket, name, case when owner is not null then tests.user_id(owner) end, jsonb_build_object('size', size, 'mimetype', type))
$$;
create function pg_temp.write(bucket text, name text, size bigint default 100, owner text default 'owner', type text default 'image/png')
returns void language plpgsql as $$ begin execute pg_temp.written(bucket, name, size, owner, type); end $$;
create function pg_temp.attempt(bucket text, name text, size bigint default 100, owner text default 'owner', type text default 'image/png')
returns text language sql as $$ select tests.attempt('service', pg_temp.written(bucket, name, size, owner, type)) $$;
create function pg_temp.move(from_name text, bucket text, to_name text) returns text language sql as $$
  select tests.attempt('service', format('update storage.objects set bucket_id = %L, name = %L, version = %L where name = %L',
    bucket, to_name, gen_random_uuid(), from_name))
$$;
create function pg_temp.version(bucket text, object text) returns text language sql as $$
  select version from storage.objects where bucket_id = bucket and name = object
$$;

-- a completed file --------------------------------------------------------------------------------------
create temp table r as select * from reserve_upload(tests.user_id('owner'), 'chat_attachments', 'a', 100, 'image/png');
select is(pg_temp.attempt(r.bucket, r.path, 100, o), '1', 'an upload may come twice before it is complete') from r, unnest(array['owner', null]) as o;
select pg_temp.write(r.bucket, r.path) from r;
select is((get_upload(tests.user_id('owner'), r.id)).version, pg_temp.version(r.bucket, r.path), 'what is checked has a version') from r;
select is(tests.refusal(format('select complete_upload(%L, %L, %L)', tests.user_id('owner'), r.id, 'another')), 'PT409 upload_changed',
  'another version is not completed') from r;
select is((complete_upload(tests.user_id('owner'), r.id, pg_temp.version(r.bucket, r.path))).status, 'complete', 'this one is') from r;
select is(pg_temp.attempt(r.bucket, r.path, s, o), '42501', format('it is not overwritten: %s bytes, owner %s', s, coalesce(o, 'none')))
from r, unnest(array[100, 50]) as s, unnest(array['owner', 'stranger', null]) as o;
select pg_temp.write('chat_attachments', pg_temp.path('other'));
select pg_temp.write('app_storage', pg_temp.path('elsewhere'));
select set_config('storage.allow_delete_query', 'true', true);
delete from storage.objects using r where objects.name = r.path;
select is(pg_temp.attempt(r.bucket, r.path, 100, o), '42501', format('nor written again once it is removed: owner %s', coalesce(o, 'none')))
from r, unnest(array['owner', null]) as o;
select is(pg_temp.move(pg_temp.path(f), r.bucket, r.path), '42501', 'nor is another moved there') from r, unnest(array['other', 'elsewhere']) as f;
select is(pg_temp.attempt('app_storage', r.path), '1', 'another bucket is another place') from r;
delete from file_uploads where id = (select id from r);
select is(pg_temp.attempt(r.bucket, r.path), '1', 'without its record, it is a place like any other') from r;
insert into file_uploads (user_id, file_name, file_path, bucket_name) values (tests.user_id('owner'), 'f', pg_temp.path('other'), 'chat_attachments');
select is(pg_temp.attempt('chat_attachments', pg_temp.path('other')), '1', 'a record of the client''s own protects nothing');
insert into file_uploads (user_id, file_name, file_path, upload_path, bucket_name)
values (tests.user_id('stranger'), 'f', pg_temp.path('other'), 'x', 'chat_attachments');
select is(pg_temp.attempt('chat_attachments', pg_temp.path('other')), '1', 'nor does a record of another user''s');

-- a refused file counts, and what its URL brings is held to the quota
truncate r;
insert into r select * from reserve_upload(tests.user_id('owner'), 'chat_attachments', 'a', 100, 'image/png');
select pg_temp.write(r.bucket, r.path, 90, null) from r;
select refuse_upload(tests.user_id('owner'), r.id, '{"rule": "size"}') from r;
select set_storage_quota(tests.user_id('owner'), used) from get_storage_usage(tests.user_id('owner')) where bucket is null;
select is(pg_temp.attempt(r.bucket, r.path, s, null), case s when 90 then '1' else '42501' end, 'a refused file is written again with ' || s)
from r, unnest(array[90, 91]) as s;
select set_storage_quota(tests.user_id('owner'), null);

-- a file that replaces another ----------------------------------------------------------------------------
select pg_temp.write('avatars', pg_temp.path('avatar.jpg'), 70);
truncate r;
insert into r select * from reserve_upload(tests.user_id('owner'), 'avatars', 'a', 100, 'image/png');
select pg_temp.write(r.bucket, r.upload_path) from r;
select is(pg_temp.attempt(r.bucket, r.path), '1', 'a client may write an avatar itself, before the server has') from r;
select is(tests.refusal(format('select verify_upload(%L, %L, %L)', tests.user_id('owner'), r.id, 'another')), 'PT409 upload_changed',
  'what has changed is not verified') from r;
select verify_upload(tests.user_id('owner'), r.id, pg_temp.version(r.bucket, r.upload_path)) from r;
select is(pg_temp.attempt(r.bucket, r.upload_path, 100, o), '42501', 'what was verified is not overwritten: owner ' || coalesce(o, 'none'))
from r, unnest(array['owner', null]) as o;
select is(pg_temp.attempt(r.bucket, r.path, 100, 'owner'), '42501', 'nor can a client write in the place that it is to take') from r;
select is(pg_temp.attempt(r.bucket, r.path, c.size, null, c.type), c.expected, 'the service writes there ' || c.what)
from r, (values (100, 'image/png', '1', 'what was verified'), (99, 'image/png', '42501', 'nothing of another size'),
  (100, 'text/plain', '42501', 'nothing of another type')) as c (size, type, expected, what);
select pg_temp.write(r.bucket, r.path, 100, null) from r;
select is(pg_temp.attempt(r.bucket, r.path, 100, 'owner'), '42501', 'nor can a client after that') from r;
select is((complete_upload(tests.user_id('owner'), r.id)).status, 'complete', 'then it is complete') from r;
select is(pg_temp.attempt(r.bucket, r.path, 100, o), '42501', 'and stays: owner ' || coalesce(o, 'none')) from r, unnest(array['owner', null]) as o;
-- The quota is full: both files count until the old one is gone, and the new one may take its place.
select set_storage_quota(tests.user_id('owner'), used + 300) from get_storage_usage(tests.user_id('owner')) where bucket is null;
truncate r;
insert into r select * from reserve_upload(tests.user_id('owner'), 'avatars', 'a', 300, 'image/png');
select pg_temp.write(r.bucket, r.upload_path, 300) from r;
select verify_upload(tests.user_id('owner'), r.id, pg_temp.version(r.bucket, r.upload_path)) from r;
select is(pg_temp.attempt(r.bucket, r.path, 300, null), '1', 'one that fills the quota takes its place') from r;
select set_storage_quota(tests.user_id('owner'), null);

-- its record ----------------------------------------------------------------------------------------------
select is(tests.attempt('owner', format('update file_uploads set %s where bucket_name = %L and status = %L', c, 'avatars', 'complete')), '42501', c)
from unnest(array['file_path = ''x''', 'bucket_name = ''app_storage''', 'mime_type = ''text/html''', 'file_size = 1']) as c;
select is(tests.attempt('owner', $$ update file_uploads set file_name = 'x', metadata = '{"a": 1}' where bucket_name = 'avatars' and status = 'complete' $$),
  '1', 'what it is called is its user''s');

-- public buckets ------------------------------------------------------------------------------------------
select is(private.may_be_public(n, null), false, 'not public: ' || n) from unnest(array['a.html', 'x/a.HTML', 'a.htm', 'a.xhtml', 'a.xht',
  'a.shtml', 'a.mhtml', 'a.mht', 'a.phtml', 'a.svg', 'a.svgz', 'a.xml', 'a.xsl', 'a.xslt', 'a.js', 'a.mjs', 'a.cjs', 'a.css', 'a.swf',
  'a.hta', 'a.htc', 'a.rdf', 'a.png.html', 'a.html.png', 'a.html.', 'a.html..', 'a.svg ', 'a.js;.png', E'a.html\t', 'a.html%00.png', '.html']) as n;
select is(private.may_be_public(n, null), true, 'public: ' || n) from unnest(array['a.png', 'html', 'a', '', 'a.htmlx', 'a.json', 'a.jsonl',
  'a.docx', 'a.pdf', 'a.html/b.png', 'a.cssx', 'axml', 'a.jpeg']) as n;
select is(private.may_be_public(null, t), false, 'not public: ' || t) from unnest(array['text/html', 'TEXT/Html', 'text/html; charset=utf-8',
  'text/html;', 'application/xhtml+xml', 'image/svg+xml', 'image/svg', 'text/xml', 'application/xml', 'application/atom+xml', 'text/xsl', 'application/xslt+xml',
  'application/xml-dtd', 'text/javascript', 'application/javascript', 'application/x-javascript', 'application/ecmascript', 'text/jscript',
  'text/livescript', 'text/css', 'application/x-shockwave-flash', 'multipart/x-mixed-replace', 'message/rfc822', 'text/x-component', 'application/hta',
  'image/png,text/html', 'image/png;a=b, text/html', 'unknown/unknown', 'application/unknown', '*/*', '', 'html', 'text', ' text/plain', 'a/b c']) as t;
select is(private.may_be_public(null, t), true, 'public: ' || t) from unnest(array['image/png', 'text/plain', 'text/plain;charset=UTF-8', 'text/csv',
  'application/pdf', 'application/octet-stream', 'application/json', 'video/webm;codecs="vp8, opus"', 'audio/mpeg',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'application/zip', 'font/woff2']) as t;
select is(pg_temp.attempt(c.bucket, pg_temp.path(c.name), 1, c.owner, c.type), c.expected, format('%s in %s of type %s', c.name, c.bucket, c.type))
from (values ('app_storage', 'p.html', 'text/plain', 'owner', '42501'), ('app_storage', 'p', 'text/html', 'owner', '42501'),
  ('app_storage', 'p', 'text/html', null, '42501'), ('avatars', 'p.svg', 'image/png', 'owner', '42501'),
  ('project-files', 'p.html', 'text/html', 'owner', '1'), ('app_storage', 'p', 'text/plain', 'owner', '1')
) as c (bucket, name, type, owner, expected);
select pg_temp.write('project-files', pg_temp.path('page'), 1, 'owner', 'text/html');
select is(pg_temp.move(pg_temp.path('page'), 'app_storage', pg_temp.path('page')), '42501', 'nothing is moved into a public one');
select throws_ok($$ update private.bucket_rules set is_public = true where bucket_id = 'project-files' $$, '55000', null,
  'nor does a bucket with such files become public');
update storage.buckets set public = true where id = 'project-files';
select is(pg_temp.attempt('project-files', pg_temp.path('p'), 1, 'owner', 'text/html'), '42501', 'a bucket that was made public takes no more of them');
insert into storage.buckets (id, name, public) values ('site', 'site', true);
select is(pg_temp.attempt('site', 'index.html', 1, null, 'text/html'), '1', 'a bucket that is not ours takes what it likes');
select is(tests.refusal(format('select reserve_upload(%L, %L, %L, 1, %L)', tests.user_id('owner'), 'app_storage', 'a', 'text/html')),
  'PT422 content_type_not_allowed', 'none is reserved');
select is(r.upload_path ~ c.ending, true, c.bucket || ': ' || c.ending)
from (values ('app_storage', '\.bin$'), ('voice_recordings', '\.wav$')) as c (bucket, ending)
cross join lateral reserve_upload(tests.user_id('owner'), c.bucket, 'a.html', 1, case c.bucket when 'app_storage' then 'application/pdf2' else 'audio/wav' end) as r;

select * from finish();
rollback;
