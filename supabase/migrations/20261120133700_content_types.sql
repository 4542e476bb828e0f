-- Content types: the one name under which each type of file is known here, whatever browsers, phones and recorders call it.

-- content_type_aliases ------------------------------------------------------------------------------

create table private.content_type_aliases (
  alias text primary key,
  content_type text not null,
  constraint content_type_aliases_alias_check check (alias ~ '^[a-z]+/[a-z0-9.+-]+(;|$)' and alias <> content_type),
  constraint content_type_aliases_content_type_check check (content_type ~ '^[a-z]+/[a-z0-9.+-]+$')
);
comment on table private.content_type_aliases is
  'Other names of content types. A bucket that accepts a type accepts its other names, too';
comment on column private.content_type_aliases.alias is
  'With parameters, it is what recorders and clients send: older versions of Storage compare the parameters, too';
create index content_type_aliases_content_type on private.content_type_aliases (content_type);
revoke all on private.content_type_aliases from public, anon, authenticated, service_role;

insert into private.content_type_aliases (alias, content_type)
select a.alias, t.content_type
from (values
  ('image/jpeg', array['image/jpg', 'image/pjpeg', 'image/jfif', 'image/x-jpeg']),
  ('image/png', array['image/x-png', 'image/apng', 'image/vnd.mozilla.apng']),
  ('image/gif', array['image/x-gif']),
  ('image/webp', array['image/x-webp']),
  ('image/heic', array['image/heif', 'image/heic-sequence', 'image/heif-sequence', 'image/x-heic', 'image/x-heif']),
  ('image/avif', array['image/avif-sequence']),
  ('image/bmp', array['image/x-bmp', 'image/x-ms-bmp', 'image/x-windows-bmp']),
  ('image/tiff', array['image/tif', 'image/x-tiff', 'image/x-tif']),
  ('image/x-icon', array['image/vnd.microsoft.icon', 'image/ico', 'image/icon']),
  ('image/svg+xml', array['image/svg']),
  ('application/pdf', array['application/x-pdf', 'application/acrobat', 'application/vnd.pdf', 'text/pdf', 'text/x-pdf']),
  ('text/plain', array['text/plain;charset=utf-8', 'text/plain; charset=utf-8', 'text/plain;charset=UTF-8', 'text/plain; charset=UTF-8']),
  ('text/markdown', array['text/x-markdown', 'text/md', 'text/x-md', 'text/x-web-markdown', 'application/markdown',
    'text/markdown;charset=utf-8', 'text/markdown; charset=utf-8', 'text/markdown;charset=UTF-8', 'text/markdown; charset=UTF-8']),
  ('text/csv', array['text/x-csv', 'application/csv', 'application/x-csv', 'text/comma-separated-values',
    'text/x-comma-separated-values', 'text/csv;charset=utf-8', 'text/csv; charset=utf-8', 'text/csv;charset=UTF-8',
    'text/csv; charset=UTF-8']),
  ('audio/mpeg', array['audio/mp3', 'audio/x-mp3', 'audio/mpeg3', 'audio/x-mpeg-3', 'audio/x-mpeg', 'audio/mpg', 'audio/x-mpg', 'audio/mpa']),
  ('audio/mp4', array['audio/m4a', 'audio/x-m4a', 'audio/m4b', 'audio/x-m4b', 'audio/x-mp4', 'audio/mp4a-latm',
    'audio/mp4;codecs=mp4a.40.2', 'audio/mp4; codecs=mp4a.40.2', 'audio/mp4;codecs="mp4a.40.2"', 'audio/mp4;codecs=opus',
    'audio/mp4; codecs=opus']),
  ('audio/aac', array['audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts', 'audio/vnd.dlna.adts']),
  ('audio/wav', array['audio/x-wav', 'audio/wave', 'audio/x-wave', 'audio/vnd.wave', 'audio/x-pn-wav']),
  ('audio/webm', array['audio/webm;codecs=opus', 'audio/webm; codecs=opus', 'audio/webm;codecs="opus"', 'audio/webm;codecs=pcm']),
  ('audio/ogg', array['audio/x-ogg', 'application/ogg', 'application/x-ogg', 'audio/opus', 'audio/vorbis', 'audio/ogg;codecs=opus',
    'audio/ogg; codecs=opus', 'audio/ogg;codecs=vorbis', 'audio/ogg; codecs=vorbis']),
  ('audio/flac', array['audio/x-flac']),
  ('audio/3gpp', array['audio/3gp', 'audio/x-3gpp', 'audio/3gpp2', 'audio/3gp2']),
  ('audio/amr', array['audio/x-amr', 'audio/amr-nb', 'audio/amr-wb', 'audio/amr-wb+']),
  ('audio/aiff', array['audio/x-aiff', 'audio/aif', 'audio/x-aif']),
  ('audio/x-caf', array['audio/caf']),
  ('audio/x-matroska', array['audio/matroska']),
  ('video/mp4', array['video/x-mp4', 'video/x-m4v', 'video/m4v', 'application/mp4', 'video/mp4;codecs=mp4a.40.2']),
  ('video/webm', array['video/webm;codecs=opus', 'video/webm; codecs=opus']),
  ('video/3gpp', array['video/3gp', 'video/x-3gpp', 'video/3gpp2', 'video/3gp2']),
  ('video/quicktime', array['video/mov', 'video/x-quicktime']),
  ('video/x-matroska', array['video/matroska']),
  ('video/x-msvideo', array['video/avi', 'video/vnd.avi', 'video/msvideo']),
  ('application/zip', array['application/x-zip', 'application/x-zip-compressed'])
) as t (content_type, aliases)
cross join unnest(t.aliases) as a (alias);

-- content_type_endings ------------------------------------------------------------------------------

create table private.content_type_endings (
  ending text primary key,
  content_type text not null,
  constraint content_type_endings_ending_check check (ending ~ '^[a-z0-9]{1,10}$')
);
comment on table private.content_type_endings is
  'The content type for each ending of a file name, for files whose sender does not know the type';
revoke all on private.content_type_endings from public, anon, authenticated, service_role;

insert into private.content_type_endings (ending, content_type) values
  ('jpg', 'image/jpeg'), ('jpeg', 'image/jpeg'), ('jfif', 'image/jpeg'), ('png', 'image/png'), ('apng', 'image/png'),
  ('gif', 'image/gif'), ('webp', 'image/webp'), ('heic', 'image/heic'), ('heif', 'image/heic'), ('hif', 'image/heic'),
  ('avif', 'image/avif'), ('pdf', 'application/pdf'), ('txt', 'text/plain'), ('text', 'text/plain'), ('log', 'text/plain'),
  ('md', 'text/markdown'), ('markdown', 'text/markdown'), ('csv', 'text/csv'), ('mp3', 'audio/mpeg'), ('m4a', 'audio/mp4'),
  ('aac', 'audio/aac'), ('wav', 'audio/wav'), ('weba', 'audio/webm'), ('webm', 'audio/webm'), ('ogg', 'audio/ogg'),
  ('oga', 'audio/ogg'), ('opus', 'audio/ogg'), ('flac', 'audio/flac'), ('3gp', 'audio/3gpp'), ('amr', 'audio/amr'),
  ('aif', 'audio/aiff'), ('aiff', 'audio/aiff'), ('caf', 'audio/x-caf');

-- Names ---------------------------------------------------------------------------------------------

-- Returns the one name of a content type: in lower case, without parameters. A browser that does not know the type of a
-- file leaves it empty or calls it application/octet-stream; then the ending of the file's name counts, unless the bucket
-- takes such files as they are (takes_any). Windows calls CSV files Excel sheets.
create function private.normal_content_type(content_type text, name text, takes_any boolean)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_type text := lower(regexp_replace(content_type, '^\s+|\s*(;.*)?$', '', 'g'));
  v_ending text;
begin
  if v_type in ('', 'application/octet-stream', 'binary/octet-stream', 'application/vnd.ms-excel') then
    if v_type <> 'application/vnd.ms-excel' then
      v_type := 'application/octet-stream';
    end if;
    select e.content_type into v_ending from private.content_type_endings as e
    where e.ending = lower(substring(name from '\.([A-Za-z0-9]{1,10})$'));
    return case
      when v_type = 'application/vnd.ms-excel' then case when v_ending = 'text/csv' then v_ending else v_type end
      when takes_any then v_type
      else coalesce(v_ending, v_type) end;
  end if;
  return coalesce((select a.content_type from private.content_type_aliases as a where a.alias = v_type), v_type);
end $$;
revoke all on function private.normal_content_type(text, text, boolean) from public, anon, authenticated, service_role;

-- Returns the list that Storage needs to accept these types under all their names; null for all types.
create function private.storage_content_types(content_types text[])
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
  return case when content_types is not null then content_types || array(
    select a.alias from private.content_type_aliases as a where a.content_type = any (content_types)
    union select 'application/vnd.ms-excel' where 'text/csv' = any (content_types)
    order by 1) end;
end $$;
revoke all on function private.storage_content_types(text[]) from public, anon, authenticated, service_role;

-- Returns the types of a list of Storage's, each under its one name.
create function private.plain_content_types(content_types text[])
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
  return case when content_types is not null then array(
    select t.name from unnest(content_types) with ordinality as t (name, place)
    where not exists (select 1 from private.content_type_aliases as a where a.alias = t.name)
      and t.name <> 'application/vnd.ms-excel'
    order by t.place) end;
end $$;
revoke all on function private.plain_content_types(text[]) from public, anon, authenticated, service_role;
