-- Every bucket's rules and policies on storage.objects.

begin;
-- Every role may call the helpers below; this too is rolled back.
alter default privileges grant execute on functions to public;
select no_plan();
select tests.create_user(name) from unnest(array['owner', 'stranger', 'member']) as name;

select results_eq(
  $$ select id, public, file_size_limit, array_to_string(private.plain_content_types(allowed_mime_types), ' ') from storage.buckets
    where id in ('user-avatars', 'project-files', 'app_storage', 'avatars',
      'chat_attachments', 'voice_recordings') order by id collate "C" $$,
  $$ values ('app_storage', true, null::bigint, null::text),
    ('avatars', true, 5242880, 'image/jpeg image/png image/webp image/gif image/heic image/avif'),
    ('chat_attachments', false, 10485760, 'image/jpeg image/png image/webp image/gif image/heic image/avif application/pdf text/plain text/markdown text/csv'),
    ('project-files', false, 52428800, null),
    ('user-avatars', true, 5242880, 'image/png image/jpeg image/webp image/gif'),
    ('voice_recordings', false, 52428800, 'audio/mpeg audio/mp4 audio/wav audio/webm audio/ogg audio/aac audio/flac '
      || 'audio/3gpp audio/amr audio/aiff audio/x-caf video/mp4 video/webm video/3gpp') $$,
  'the buckets have their rules');

insert into storage.objects (bucket_id, name)
select b.id, tests.user_id('owner') || '/file' from storage.buckets b;
insert into storage.buckets (id, name) values ('other', 'other');

create function pg_temp.attempt(actor text, statement text, bucket text) returns text language sql as $$
  select tests.attempt(actor, replace(replace(statement, '{bucket}', quote_literal(bucket)),
    '{owner}', tests.user_id('owner')::text))
$$;

select is(pg_temp.attempt(c.actor, c.statement, b.id), c.expected, format('%s: %s', b.id, c.what))
from (values
  ('owner', $$ insert into storage.objects (bucket_id, name) values ({bucket}, '{owner}/new') $$, '1', 'own folder, insert'),
  ('owner', $$ insert into storage.objects (bucket_id, name) values ({bucket}, '{owner}/a/b/new') $$, '1', 'below it, insert'),
  ('owner', $$ select 1 from storage.objects where bucket_id = {bucket} $$, '1', 'own folder, select'),
  ('owner', $$ update storage.objects set metadata = '{}' where bucket_id = {bucket} $$, '1', 'own folder, update'),
  ('owner', $$ update storage.objects set name = 'elsewhere/x' where bucket_id = {bucket} $$, '42501', 'out of the folder, update'),
  ('owner', $$ update storage.objects set bucket_id = 'other' where bucket_id = {bucket} $$, '42501', 'into another bucket, update'),
  ('owner', $$ insert into storage.objects (bucket_id, name) values ({bucket}, 'new') $$, '42501', 'no folder, insert'),
  ('owner', $$ insert into storage.objects (bucket_id, name) values ({bucket}, 'x/{owner}/new') $$, '42501', 'the id further down, insert'),
  ('stranger', $$ insert into storage.objects (bucket_id, name) values ({bucket}, '{owner}/new') $$, '42501', 'another''s folder, insert'),
  ('stranger', $$ select 1 from storage.objects where bucket_id = {bucket} $$, '0', 'another''s folder, select'),
  ('stranger', $$ update storage.objects set metadata = '{}' where bucket_id = {bucket} $$, '0', 'another''s folder, update'),
  ('anon', $$ insert into storage.objects (bucket_id, name) values ({bucket}, '{owner}/new') $$, '42501', 'anon, insert'),
  ('anon', $$ select 1 from storage.objects where bucket_id = {bucket} $$, '0', 'anon, select'),
  ('anon', $$ update storage.objects set metadata = '{}' where bucket_id = {bucket} $$, '0', 'anon, update'),
  ('owner', $$ delete from storage.objects where bucket_id = {bucket} $$, '42501', 'SQL, delete'),
  ('owner', $$ select set_config('storage.allow_delete_query', 'true', true);
    delete from storage.objects where bucket_id = {bucket} $$, '1', 'own folder, delete by the service'),
  ('stranger', $$ select set_config('storage.allow_delete_query', 'true', true);
    delete from storage.objects where bucket_id = {bucket} $$, '0', 'another''s folder, delete by the service'),
  ('anon', $$ select set_config('storage.allow_delete_query', 'true', true);
    delete from storage.objects where bucket_id = {bucket} $$, '0', 'anon, delete by the service')
) as c (actor, statement, expected, what)
cross join storage.buckets b
-- The bucket exports, which no client may write, is tried in account.
where b.id not in ('other', 'exports');

select is(pg_temp.attempt('owner',
  $$ insert into storage.objects (bucket_id, name) values ('other', '{owner}/new') $$, 'other'),
  '42501', 'no bucket but ours');

-- files of projects -----------------------------------------------------------------------------------
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('files ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values (pg_temp.id('team'), tests.user_id('member'), 'owner');
insert into projects (id, user_id, team_id, title, is_public) values
  (pg_temp.id('team'), tests.user_id('owner'), pg_temp.id('team'), 'T', false),
  (pg_temp.id('public'), tests.user_id('owner'), null, 'P', true),
  (pg_temp.id('trap'), tests.user_id('stranger'), null, 'Trap', true);
insert into storage.objects (bucket_id, name)
select b.id, tests.user_id('owner') || f.name
from (values ('project-files'), ('chat_attachments'), ('voice_recordings')) as b (id)
cross join (values ('/team.enc'), ('/public.enc'), ('/none.enc')) as f (name);
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
select p.id, 'f', tests.user_id('owner') || '/' || p.name || '.enc', 'pdf', 1
from (values (pg_temp.id('team'), 'team'), (pg_temp.id('public'), 'public')) as p (id, name);
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
select tests.user_id('owner'), p.id, 'f', tests.user_id('owner') || '/' || p.name || '.enc', b.id
from (values (pg_temp.id('team'), 'team'), (pg_temp.id('public'), 'public')) as p (id, name)
cross join (values ('chat_attachments'), ('voice_recordings')) as b (id);
-- A row of one's own that points at somebody else's object.
insert into project_files (project_id, file_name, storage_path, file_type, file_size)
values (pg_temp.id('trap'), 'f', tests.user_id('owner') || '/none.enc', 'pdf', 1);
insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
values (tests.user_id('stranger'), pg_temp.id('trap'), 'f', tests.user_id('owner') || '/none.enc', 'chat_attachments');

create function pg_temp.seen(actor text) returns text[] language plpgsql as $$
declare
  v_seen text[];
begin
  perform tests.authenticate_as(actor);
  select array_agg(bucket_id || ' ' || split_part(name, '/', 2)
    order by replace(bucket_id, '_', ' '), name) into v_seen from storage.objects;
  perform tests.clear_authentication();
  return v_seen;
end $$;
select is(pg_temp.seen('member'), array['chat_attachments public.enc', 'chat_attachments team.enc',
  'project-files public.enc', 'project-files team.enc'], 'a member sees the files of the team''s and of public projects');
select is(pg_temp.seen('stranger'), array['chat_attachments public.enc', 'project-files public.enc'],
  'a stranger those of public projects, and none by a row that points at them');
update projects set deleted_at = now() where id = pg_temp.id('public');
select is(pg_temp.seen('stranger'), null, 'and none once the project is deleted');

-- helpers ---------------------------------------------------------------------------------------------
select is(public.get_level('a/b/c.txt'), 2, 'get_level counts the folders above');
select is(public.get_level('c.txt'), 0, 'of which there can be none');
update storage.objects set metadata = '{"size": 7}' where bucket_id = 'avatars';
select is(public.get_bucket_size('avatars'), 7::bigint, 'get_bucket_size adds up');
select is(public.get_bucket_size('other'), 0::bigint, 'an empty bucket is 0');
select lives_ok($$ select public.cleanup_old_multipart_uploads() $$,
  'multipart uploads are cleaned up, or there is no table of them');

select * from finish();
rollback;
