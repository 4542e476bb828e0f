-- Approvals: a device that has the keys lets a new device of the same user in. The server only carries their messages,
-- which it cannot read: docs/device-approval.md describes them. A user_id alone begins an approval; nothing comes of it
-- unless a person brings the code from one screen to the other.

create table public.chat_approvals (
  user_id uuid not null references auth.users (id) on delete cascade,
  id uuid not null,
  share text not null,
  reply text,
  hello text,
  answer text,
  closed text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (user_id, id),
  constraint chat_approvals_order_check check ((hello is null or reply is not null) and (answer is null or hello is not null)),
  constraint chat_approvals_closed_check check (closed in ('refused', 'done'))
);
comment on table public.chat_approvals is 'Messages between a new device and one that lets it in. Each is sent once';
comment on column public.chat_approvals.id is 'Chosen by the new device';
comment on column public.chat_approvals.share is 'The first message of the new device: its share of a key exchange';
comment on column public.chat_approvals.reply is 'The share of the device that was given the code';
comment on column public.chat_approvals.hello is 'The name of the new device, encrypted; it shows that both have the same code';
comment on column public.chat_approvals.answer is 'The keys, encrypted for the new device';
comment on column public.chat_approvals.closed is 'refused: by either device; done: the new device has the keys. Null while it is open';

-- For the cleanup.
create index chat_approvals_created_at on public.chat_approvals (created_at);

alter table public.chat_approvals enable row level security;
revoke all on public.chat_approvals from public, anon, authenticated, service_role;
grant select on public.chat_approvals to authenticated, service_role;
create policy "users read their own chat approvals" on public.chat_approvals
  for select to authenticated using (user_id = (select auth.uid()));

create type public.chat_approval as (
  id uuid,
  share text,
  reply text,
  hello text,
  answer text,
  closed text,
  created_at timestamptz,
  expires_at timestamptz,
  replayed boolean
);
comment on type public.chat_approval is 'An approval after a change';

create function private.show_chat_approval(approval public.chat_approvals, replayed boolean)
returns public.chat_approval
language plpgsql stable set search_path = ''
as $$
begin
  return row(approval.id, approval.share, approval.reply, approval.hello, approval.answer, approval.closed,
    approval.created_at, approval.expires_at, replayed);
end $$;
revoke all on function private.show_chat_approval(public.chat_approvals, boolean)
  from public, anon, authenticated, service_role;

-- Checks a message of an approval: share and reply are base64 of 32 bytes; hello and answer are the text of a JSON object
-- with the members v, nonce, ciphertext and mac, of at most 2,048 and 32,768 bytes.
-- Raises: PT422 invalid_approval.
create function private.check_chat_approval(name text, message text)
returns void
language plpgsql immutable set search_path = ''
as $$
declare
  v_most constant integer := case name when 'hello' then 2048 else 32768 end;
begin
  if name in ('share', 'reply') then
    if octet_length(private.decode_base64(message)) is distinct from 32 then
      raise exception '% must be 32 bytes long, in base64 with padding', name using errcode = 'PT422', detail = 'invalid_approval';
    end if;
  elsif octet_length(message) > v_most
    or private.json_strings(message, array['ciphertext', 'mac', 'nonce', 'v']) is null then
    raise exception '% must be the text of a JSON object with the members v, nonce, ciphertext and mac, of at most % bytes',
      name, v_most using errcode = 'PT422', detail = 'invalid_approval';
  end if;
end $$;
revoke all on function private.check_chat_approval(text, text) from public, anon, authenticated, service_role;

-- Begins an approval for a new device, which chooses its id. Sending it again changes nothing.
-- Definer: no role may write approvals. For the service only, which answers for user_id.
-- Raises: PT404 user_not_found; PT409 approval_id_used; PT422 invalid_approval; PT429 too_many_approvals {limit}.
create function public.begin_chat_approval(user_id uuid, approval_id uuid, share text)
returns public.chat_approval
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_limit integer;
  v_approval public.chat_approvals;
begin
  if approval_id is null then
    raise exception 'id must be a UUID' using errcode = 'PT422', detail = 'invalid_approval';
  end if;
  perform private.check_chat_approval('share', share);
  -- Two requests at once must not both find room for one more.
  perform private.lock_chat_owner(user_id);
  select a.* into v_approval from public.chat_approvals as a
  where a.user_id = begin_chat_approval.user_id and a.id = approval_id;
  if found then
    if v_approval.share <> begin_chat_approval.share then
      raise exception 'There already is an approval with the id "%"', approval_id
        using errcode = 'PT409', detail = 'approval_id_used', hint = 'Use a new UUID as id';
    end if;
    return private.show_chat_approval(v_approval, true);
  end if;
  v_limit := private.setting('chats.open_approvals');
  if (select count(*) from public.chat_approvals as a
    where a.user_id = begin_chat_approval.user_id and a.closed is null and a.expires_at > now()) >= v_limit then
    raise exception 'At most % devices can wait for approval at the same time', v_limit
      using errcode = 'PT429', detail = format('too_many_approvals {"limit": %s}', v_limit),
        hint = 'Refuse one of them on the other device, or wait until it has expired';
  end if;
  v_limit := private.setting('chats.daily_approvals');
  if (select count(*) from public.chat_approvals as a
    where a.user_id = begin_chat_approval.user_id and a.created_at > now() - interval '1 day') >= v_limit then
    raise exception 'A user can begin at most % approvals in 24 hours', v_limit
      using errcode = 'PT429', detail = format('too_many_approvals {"limit": %s}', v_limit),
        hint = 'Unlock the chats with the password, or try again tomorrow';
  end if;
  insert into public.chat_approvals (user_id, id, share, expires_at)
  values (begin_chat_approval.user_id, approval_id, begin_chat_approval.share, now() + private.retention('chats.approval_validity'))
  returning * into v_approval;
  return private.show_chat_approval(v_approval, false);
end $$;
revoke all on function public.begin_chat_approval(uuid, uuid, text) from public, anon, authenticated;
grant execute on function public.begin_chat_approval(uuid, uuid, text) to service_role;

-- Adds the next message to an approval, or closes it. Exactly one of reply, hello, answer and closed is given. reply
-- comes from the device that was given the code, hello from the new device, then answer; closed is refused or done. Each
-- message is sent once: so whoever plays one of the devices has one guess at the code. Sending the same message again
-- changes nothing. What was closed stays closed, and its messages go.
-- Definer: as begin_chat_approval.
-- Raises: PT404 approval_not_found, user_not_found; PT409 approval_closed {closed}, approval_out_of_turn; PT410
-- approval_expired; PT422 invalid_approval.
create function public.change_chat_approval(
  user_id uuid,
  approval_id uuid,
  reply text default null,
  hello text default null,
  answer text default null,
  closed text default null
)
returns public.chat_approval
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_name constant text := case when reply is not null then 'reply' when hello is not null then 'hello'
    when answer is not null then 'answer' end;
  v_message constant text := coalesce(reply, hello, answer);
  v_approval public.chat_approvals;
  v_known text;
begin
  if num_nonnulls(reply, hello, answer, closed) <> 1 or closed not in ('refused', 'done') then
    raise exception 'Send exactly one of reply, hello, answer and closed, which is refused or done'
      using errcode = 'PT422', detail = 'invalid_approval';
  end if;
  if v_name is not null then
    perform private.check_chat_approval(v_name, v_message);
  end if;
  perform private.lock_chat_owner(user_id);
  select a.* into v_approval from public.chat_approvals as a
  where a.user_id = change_chat_approval.user_id and a.id = approval_id;
  if not found then
    raise exception 'There is no approval "%"', approval_id using errcode = 'PT404', detail = 'approval_not_found',
      hint = 'Begin again on the new device';
  end if;
  v_known := case v_name when 'reply' then v_approval.reply when 'hello' then v_approval.hello
    when 'answer' then v_approval.answer else v_approval.closed end;
  if v_known = coalesce(v_message, change_chat_approval.closed) then
    return private.show_chat_approval(v_approval, true);
  end if;
  if v_approval.closed is not null then
    raise exception 'The approval was closed: %', v_approval.closed
      using errcode = 'PT409', detail = format('approval_closed {"closed": "%s"}', v_approval.closed),
        hint = 'Begin again on the new device';
  end if;
  if v_approval.expires_at <= now() then
    raise exception 'The approval has expired' using errcode = 'PT410', detail = 'approval_expired',
      hint = 'Begin again on the new device';
  end if;
  if v_known is not null or v_name = 'hello' and v_approval.reply is null or v_name = 'answer' and v_approval.hello is null then
    raise exception '% cannot be sent now: each message is sent once, in the order reply, hello, answer', v_name
      using errcode = 'PT409', detail = 'approval_out_of_turn', hint = 'Begin again on the new device';
  end if;
  update public.chat_approvals as a
  set reply = coalesce(change_chat_approval.reply, case when v_name is not null then a.reply end),
    hello = coalesce(change_chat_approval.hello, case when v_name is not null then a.hello end),
    answer = coalesce(change_chat_approval.answer, case when v_name is not null then a.answer end),
    closed = change_chat_approval.closed
  where a.user_id = v_approval.user_id and a.id = v_approval.id
  returning a.* into v_approval;
  return private.show_chat_approval(v_approval, false);
end $$;
revoke all on function public.change_chat_approval(uuid, uuid, text, text, text, text) from public, anon, authenticated;
grant execute on function public.change_chat_approval(uuid, uuid, text, text, text, text) to service_role;

-- Returns the approvals of the caller that have not expired, newest first: open ones, and those that were closed.
create function public.list_chat_approvals()
returns setof public.chat_approvals
language sql stable set search_path = ''
as $$
  select a.* from public.chat_approvals as a
  where a.user_id = (select auth.uid()) and a.expires_at > now()
  order by a.created_at desc, a.id
  limit 100
$$;
revoke all on function public.list_chat_approvals() from public, anon, authenticated, service_role;
grant execute on function public.list_chat_approvals() to authenticated;
