-- What messages share with the conversation or project they belong to: its owner, and the time of the newest message.

-- Definer: the policies of the parent must not hide it.
create function private.take_message_owner()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if new.project_id is null then
    select c.user_id into new.user_id from public.conversations as c where c.id = new.conversation_id;
  else
    select p.user_id into new.user_id from public.projects as p where p.id = new.project_id;
  end if;
  return new;
end $$;
comment on function private.take_message_owner() is
  'Trigger function: copies the owner of the conversation or project into the message. The policy decides who may write it';
revoke all on function private.take_message_owner() from public, anon, authenticated, service_role;

-- Not for save_messages, which knows the owner.
create trigger take_message_owner before insert on public.messages
  for each row when (new.user_id is null) execute function private.take_message_owner();

-- Definer: whoever may change the owner need not have a right to the messages.
create function private.pass_on_messages()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_table_name = 'projects' then
    update public.messages as m set user_id = new.user_id where m.project_id = new.id;
  else
    update public.messages as m set user_id = new.user_id where m.conversation_id = new.id;
  end if;
  return null;
end $$;
comment on function private.pass_on_messages() is
  'Trigger function: gives the messages of a project or conversation to its new owner';
revoke all on function private.pass_on_messages() from public, anon, authenticated, service_role;

create trigger pass_on_messages after update of user_id on public.projects
  for each row when (old.user_id <> new.user_id) execute function private.pass_on_messages();
create trigger pass_on_messages after update of user_id on public.conversations
  for each row when (old.user_id <> new.user_id) execute function private.pass_on_messages();

create function public.update_conversation_timestamp()
returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  update public.conversations as c set updated_at = now()
  where c.id = new.conversation_id and c.updated_at <> now();
  return null;
end $$;
comment on function public.update_conversation_timestamp() is
  'Trigger function: sets updated_at of the conversation to the time of its new message';
revoke all on function public.update_conversation_timestamp() from public, anon, authenticated, service_role;

-- An imported conversation keeps its time.
create trigger on_message_created after insert on public.messages
  for each row when (new.conversation_id is not null
    and current_setting('strongroom.importing', true) is distinct from 'on')
  execute function public.update_conversation_timestamp();

-- Deleted accounts ----------------------------------------------------------------------------------

insert into private.account_rows (name, place, statement) values
  ('messages', 10, 'delete from public.messages where ctid = any (array(
    select ctid from public.messages where user_id = $1 limit $2))');
