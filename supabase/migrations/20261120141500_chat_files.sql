-- Files of chats: their bucket, the reference from file_uploads to the chat, and what becomes of the objects when a
-- chat goes. Chats and files work without this file.

insert into private.bucket_rules (bucket_id, path, max_file_size, file_size_limit, is_opaque, kept_by) values
  ('chat-images', '{user_id}/{chat_id}/{id}', 14680064, 52428800, true, 'keeps_chat_image');

-- file_uploads.chat_id ------------------------------------------------------------------------------

alter table public.file_uploads add constraint file_uploads_chat_id_fkey
  foreign key (user_id, chat_id) references public.encrypted_chats (user_id, id) on delete cascade;

-- Raises: PT404 chat_not_found.
create function private.lock_upload_chat()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  perform from public.encrypted_chats as c where c.user_id = new.user_id and c.id = new.chat_id for key share;
  if not found then
    raise exception 'There is no chat "%"', new.chat_id using errcode = 'PT404', detail = 'chat_not_found';
  end if;
  return new;
end $$;
comment on function private.lock_upload_chat() is
  'Trigger function: makes sure that a file belongs to a chat of its user. The foreign key alone would refuse without a code';
revoke all on function private.lock_upload_chat() from public, anon, authenticated, service_role;
create trigger lock_upload_chat before insert on public.file_uploads
  for each row when (new.chat_id is not null) execute function private.lock_upload_chat();

-- Images --------------------------------------------------------------------------------------------

-- Chats without images are not in it.
create index encrypted_chats_image_paths on public.encrypted_chats using gin (image_paths) where image_paths <> '{}';

-- Whether a chat of the user needs an image: a chat that lists it, unless the user asked for the removal; and as far as
-- orphans are concerned, the chat in whose folder it is.
create function private.keeps_chat_image(owner_id uuid, name text, cause private.removal_cause)
returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_folder text := split_part(name, '/', 2);
begin
  if cause = 'asked' then
    return false;
  end if;
  return exists (
      select 1 from public.encrypted_chats as c
      where c.image_paths @> array[keeps_chat_image.name] and c.image_paths <> '{}' and c.user_id = owner_id)
    or cause = 'orphaned' and exists (
      select 1 from public.encrypted_chats as c
      where c.user_id = owner_id
        and c.id = case when v_folder ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then v_folder::uuid end);
end $$;
revoke all on function private.keeps_chat_image(uuid, text, private.removal_cause)
  from public, anon, authenticated, service_role;

create function private.queue_chat_images()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_folder text := old.user_id || '/' || old.id;
  v_name text;
begin
  if not exists (select 1 from auth.users as u where u.id = old.user_id) then
    return null;
  end if;
  for v_name in
    select o.name from storage.objects as o
    where o.bucket_id = 'chat-images' and o.name operator(pg_catalog.~>=~) (v_folder || '/')
      and o.name operator(pg_catalog.~<~) (v_folder || '0')
    union
    select p.name from unnest(old.image_paths) as p (name)
  loop
    perform private.queue_removal(old.user_id, 'chat-images', v_name);
  end loop;
  return null;
end $$;
comment on function private.queue_chat_images() is
  'Trigger function: queues the objects in the folder of a deleted chat, and its images. Definer: no role may write the queue';
revoke all on function private.queue_chat_images() from public, anon, authenticated, service_role;
create trigger queue_chat_images after delete on public.encrypted_chats
  for each row execute function private.queue_chat_images();
