-- Conversations: only the user who started one reads and changes it.

-- client_id -------------------------------------------------------------------------------------------

-- Returns whether a text can be the client_id of a conversation or a message: 1 to 64 letters, digits, _ and -. A UUID
-- cannot, because it is an id.
create function private.is_client_id(value text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return value ~ '^[A-Za-z0-9_-]{1,64}$' and value !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
end $$;
revoke all on function private.is_client_id(text) from public, anon, authenticated, service_role;

-- conversations ----------------------------------------------------------------------------------

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  title text,
  client_id text,
  system_prompt text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
  -- As for projects: every message sets updated_at.
) with (fillfactor = 85);
comment on table public.conversations is 'Conversations of Wbot';
comment on column public.conversations.client_id is
  'The id that the app gave the conversation, if it is not a UUID (a UUID becomes the id); unique for each user';

comment on column public.conversations.system_prompt is 'What models are told before the messages of the conversation';

create index idx_conversations_user_id on public.conversations (user_id);
create unique index conversations_client_id_key on public.conversations (user_id, client_id) where client_id is not null;
create index idx_conversations_updated_at on public.conversations using brin (updated_at);

alter table public.conversations enable row level security;
revoke all on public.conversations from public, anon, authenticated, service_role;
grant select on public.conversations to authenticated;
grant insert (id, user_id, title, client_id, system_prompt, updated_at)
  on public.conversations to authenticated;
grant update (title, system_prompt, updated_at)
  on public.conversations to authenticated;
grant delete on public.conversations to authenticated;
grant select, insert, update, delete on public.conversations to service_role;

create policy "a deleted account has no access" on public.conversations
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own conversations" on public.conversations
  for select to authenticated using (user_id = (select auth.uid()));
create policy "users create their own conversations" on public.conversations
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users update their own conversations" on public.conversations
  for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "users delete their own conversations" on public.conversations
  for delete to authenticated using (user_id = (select auth.uid()));

create trigger conversations_updated_at before update on public.conversations
  for each row execute function public.handle_updated_at();
create trigger require_account after insert or update of user_id on public.conversations
  for each row execute function private.require_account();

insert into private.account_rows (name, place, statement) values
  ('conversations', 40, 'delete from public.conversations where ctid = any (array(
    select ctid from public.conversations where user_id = $1 limit $2))');

select private.limit_table('public.conversations', rows => 100000, bytes => 67108864,
  changes => 'title, system_prompt');

-- Not a CHECK: every message updates its conversation.
-- Definer: clients may not call the helper.
create function private.check_client_id()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not private.is_client_id(new.client_id) then
    raise exception 'A client_id must be 1 to 64 letters, digits, _ and -, and not a UUID'
      using errcode = 'PT422', detail = 'invalid_conversation_id', hint = 'Send a UUID as id instead';
  end if;
  return new;
end $$;
comment on function private.check_client_id() is 'Trigger function: refuses a malformed client_id of a conversation';
revoke all on function private.check_client_id() from public, anon, authenticated, service_role;

create trigger check_client_id before insert or update of client_id on public.conversations
  for each row when (new.client_id is not null) execute function private.check_client_id();

-- Finding -------------------------------------------------------------------------------------------

-- Returns the id of a conversation that a user names by its id or its client_id; null for null. Does not look up an id.
-- Raises: PT404 conversation_not_found, for a client_id that no conversation of the user has.
create function private.find_conversation(user_id uuid, conversation_id text, settle jsonb default null)
returns uuid
language plpgsql stable set search_path = ''
as $$
declare
  v_id uuid := private.json_uuid(to_jsonb(conversation_id));
begin
  if v_id is null and conversation_id is not null then
    select c.id into v_id from public.conversations as c
    where c.user_id = find_conversation.user_id and c.client_id = find_conversation.conversation_id;
    if not found then
      if settle is not null then
        return md5(concat_ws(' ', user_id, conversation_id))::uuid;
      end if;
      raise exception 'There is no conversation "%"', conversation_id
        using errcode = 'PT404', detail = 'conversation_not_found';
    end if;
  end if;
  return v_id;
end $$;
revoke all on function private.find_conversation(uuid, text, jsonb) from public, anon, authenticated, service_role;
