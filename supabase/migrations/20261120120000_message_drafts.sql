-- Messages that are not whole yet, how large they may be, and what paid for them. Old code goes on as before: what it
-- writes is complete.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('messages.content_size', 262144, 'bytes', 1, 10485760,
    'The largest content of a message; as large may its object_data, result_data and metadata each be'),
  ('messages.batch_size', 100, 'messages', 1, 1000, 'The most messages that one request saves'),
  ('messages.per_project', 1000000, 'messages', 1, 2147483647, 'A project numbers its messages from 0 to one below this'),
  ('messages.draft_limit', 600, 'seconds', 1, 86400, 'A draft that has not changed for so long is aborted');

alter table public.messages
  add column status text not null default 'complete',
  add column hold_id uuid references public.credit_holds (id) on delete set null,
  add constraint messages_hold_id_key unique (hold_id),
  add constraint messages_status_check check (status in ('streaming', 'complete', 'aborted'));
comment on column public.messages.status is
  'streaming while an answer is written, then complete, or aborted with what there was. Set by functions';
comment on column public.messages.hold_id is 'The credit hold that was captured for it, in the same transaction';

create index messages_drafts on public.messages (updated_at) where status = 'streaming';

alter publication supabase_realtime add table public.messages;

-- Sizes ---------------------------------------------------------------------------------------------

-- In a trigger, because clients write messages directly as well.
-- Definer: a client may not read the settings.
create function private.check_message_size()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_largest integer := private.setting('messages.content_size');
  v_size integer := greatest(octet_length(new.content::text), octet_length(new.object_data::text),
    octet_length(new.result_data::text), octet_length(new.metadata::text));
begin
  if v_size > v_largest then
    raise exception 'A message has at most % bytes of content, not %', v_largest, v_size
      using errcode = 'PT413',
        detail = format('content_too_large %s', jsonb_build_object('largest', v_largest, 'size', v_size)),
        hint = 'Put files into Storage, and their paths into the message';
  end if;
  return new;
end $$;
comment on function private.check_message_size() is 'Trigger function: refuses a message that is too large';
revoke all on function private.check_message_size() from public, anon, authenticated, service_role;

create trigger check_message_size before insert or update of content, object_data, result_data, metadata
  on public.messages for each row execute function private.check_message_size();

-- A project is as new as its newest message. Its row is also the lock that puts those who write into it one
-- behind the other, and is taken before the message's number: else one would wait for a number that the
-- other holds while it waits for the project.
-- Definer: a member of the team writes into a project that is not theirs to update.
create or replace function private.enter_project()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_lead numeric;
begin
  -- Once a transaction: of a batch, the first message takes the lock for all.
  update public.projects as p set updated_at = now() where p.id = new.project_id and p.updated_at <> now();
  if new.sequence_number >= private.setting('messages.per_project') then
    raise exception 'A project has no message number %', new.sequence_number
      using errcode = 'PT422', detail = format('too_many_messages %s',
        jsonb_build_object('most', private.setting('messages.per_project'))), hint = 'Go on in another project';
  end if;
  v_lead := private.setting('messages.sequence_lead');
  -- Who could take the last number there is would end the numbering for everyone.
  if new.sequence_number > v_lead + (select coalesce(max(m.sequence_number), 0) from public.messages as m
    where m.project_id = new.project_id) then
    raise exception 'Sequence number % is too far ahead', new.sequence_number
      using errcode = 'PT422', detail = 'invalid_sequence_number',
        hint = format('It may be ahead of the newest by %s', v_lead);
  end if;
  return new;
end $$;
revoke all on function private.enter_project() from public, anon, authenticated, service_role;
