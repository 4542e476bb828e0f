-- A chat's id is its owner's: clients choose it, as they encrypt for it before it is first saved. Under a key of all
-- users' ids, who saves one that another user has would learn of it by the refusal. So the key is owner and id. Old
-- code still runs: what names a chat by its id alone finds the caller's, as the policies leave no other.

alter table public.project_chats drop constraint project_chats_chat_id_fkey;

alter table public.encrypted_chats drop constraint encrypted_chats_pkey;
alter table public.encrypted_chats add primary key (user_id, id);
comment on column public.encrypted_chats.id is 'Chosen by the client; unique among the chats of its user';

-- Whose project and whose chat it is: they are one person's.
alter table public.project_chats add column user_id uuid;
update public.project_chats as c set user_id = p.user_id from public.projects as p where p.id = c.project_id;
alter table public.project_chats alter column user_id set not null;
comment on column public.project_chats.user_id is 'Whose project it is, set by a trigger: the chat is one of theirs';
alter table public.project_chats add constraint project_chats_chat_id_fkey
  foreign key (user_id, chat_id) references public.encrypted_chats (user_id, id) on delete cascade;
create index project_chats_user_chat on public.project_chats (user_id, chat_id);

-- Invoker: who may not read the project gets no owner, and the row is refused by its policy.
create function private.take_project_owner()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  select p.user_id into new.user_id from public.projects as p where p.id = new.project_id;
  return new;
end $$;
comment on function private.take_project_owner() is 'Trigger function: sets whose project it is that a row is put into';
revoke all on function private.take_project_owner() from public, anon, authenticated, service_role;

create trigger take_project_owner before insert or update on public.project_chats
  for each row execute function private.take_project_owner();
