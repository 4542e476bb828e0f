-- Paying for messages: a hold that a service has made for an answer is settled exactly once, whatever has become of the
-- message meanwhile.

-- Returns the name of the message for which a hold was settled: its client_id or, without one, its id. Null when it was for
-- none.
create function private.settled_message(hold_id uuid)
returns text
language sql stable set search_path = ''
as $$
  select coalesce(
    (select t.hold ->> 'message_id' from private.credit_transactions as t
      where t.hold_id = settled_message.hold_id),
    (select h.message_id from private.ended_credit_holds as h where h.id = settled_message.hold_id))
$$;
revoke all on function private.settled_message(uuid) from public, anon, authenticated, service_role;

-- Locks the project or the conversation in which a message is to be saved that the hold of settle pays for, and says
-- whether it may be saved there. Unlike lock_message_parent, it takes a deleted project, which can be restored, and a
-- project of the team that pays, which the user may have left.
create function private.lock_paid_parent(user_id uuid, project_id uuid, conversation_id uuid, settle jsonb)
returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  if lock_paid_parent.conversation_id is not null then
    perform 1 from public.conversations as c
    where c.id = lock_paid_parent.conversation_id and c.user_id = lock_paid_parent.user_id
    for no key update;
  else
    perform 1 from public.projects as p
    where p.id = lock_paid_parent.project_id and (private.writes_project(p, lock_paid_parent.user_id)
      or p.team_id = (
        select a.team_id from public.credit_holds as h join public.credit_accounts as a on a.id = h.account_id
        where h.id = private.json_uuid(settle -> 'hold_id') and h.actor_id = lock_paid_parent.user_id))
    for no key update;
  end if;
  return found;
end $$;
revoke all on function private.lock_paid_parent(uuid, uuid, uuid, jsonb) from public, anon, authenticated, service_role;

-- Whether a message, which is named by its id or client_id, has been paid for by the hold of settle, and has been deleted
-- since.
create function private.is_paid_and_gone(message_id text, project_id uuid, conversation_id uuid, settle jsonb)
returns boolean
language sql stable set search_path = ''
as $$
  select private.settled_message(private.json_uuid(settle -> 'hold_id'))
      = coalesce(private.json_uuid(to_jsonb(message_id))::text, message_id)
    and not exists (select from public.messages as m
      where m.id = private.find_message(message_id, project_id, conversation_id))
$$;
revoke all on function private.is_paid_and_gone(text, uuid, uuid, jsonb) from public, anon, authenticated, service_role;

-- Settles a hold for a message, and returns the entry: settle is {hold_id, amount or items, allow_overage}. Returns null if
-- nothing is charged. The same hold for the same message, by the same name, again returns the same entry.
-- Raises: PT404 hold_not_found; PT422 invalid_settlement; and what capture_credit_hold raises.
create function private.settle_hold(message_id text, user_id uuid, settle jsonb)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_hold_id uuid := private.json_uuid(settle -> 'hold_id');
  v_entry public.credit_entry;
begin
  if jsonb_typeof(settle) is distinct from 'object' or settle - array['hold_id', 'amount', 'items', 'allow_overage'] <> '{}'
    or v_hold_id is null
    or coalesce(jsonb_typeof(settle -> 'amount'), 'null') not in ('number', 'null')
    or coalesce(jsonb_typeof(settle -> 'allow_overage'), 'null') not in ('boolean', 'null') then
    raise exception '%', case
        when jsonb_typeof(settle) is distinct from 'object' then 'settle must be a JSON object'
        when settle - array['hold_id', 'amount', 'items', 'allow_overage'] <> '{}'
          then 'settle can only have the members hold_id, amount, items and allow_overage'
        when v_hold_id is null then 'settle.hold_id must be the UUID of a hold'
        when coalesce(jsonb_typeof(settle -> 'amount'), 'null') not in ('number', 'null')
          then 'settle.amount must be a number'
        else 'settle.allow_overage must be true or false' end
      using errcode = 'PT422', detail = 'invalid_settlement';
  end if;
  perform 1 from public.credit_holds as h
  join public.credit_accounts as a on a.id = h.account_id
  where h.id = v_hold_id and (h.actor_id = settle_hold.user_id or a.user_id = settle_hold.user_id);
  if not found then
    raise exception 'The user has no hold "%"', v_hold_id using errcode = 'PT404', detail = 'hold_not_found';
  end if;
  -- Before the look at what has been settled: no lock of a message keeps its repeats apart once it is gone.
  perform private.lock_hold_account(v_hold_id);
  if private.settled_message(v_hold_id) = settle_hold.message_id then
    return (select to_jsonb(private.to_credit_entry(t, a.unit)) - 'replayed' from private.credit_transactions as t
      join public.credit_accounts as a on a.id = t.account_id
      where t.hold_id = v_hold_id);
  end if;
  v_entry := public.capture_credit_hold(v_hold_id, (settle ->> 'amount')::numeric, nullif(settle -> 'items', 'null'),
    (settle ->> 'allow_overage')::boolean, message_id => settle_hold.message_id);
  return case when v_entry.entry_no is not null then to_jsonb(v_entry) - 'replayed' end;
end $$;
revoke all on function private.settle_hold(text, uuid, jsonb) from public, anon, authenticated, service_role;

-- Pays for a message, which the caller has locked, with the hold of settle, and returns the entry, as settle_hold.
-- Raises: PT409 message_settled; and what settle_hold raises.
create function private.settle_message(message public.messages, user_id uuid, settle jsonb)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry jsonb;
begin
  if message.hold_id <> private.json_uuid(settle -> 'hold_id') then
    raise exception 'Another hold has already paid for message "%"', message.id
      using errcode = 'PT409', detail = 'message_settled';
  end if;
  if message.hold_id is not null then
    return (select to_jsonb(private.to_credit_entry(t, a.unit)) - 'replayed' from private.credit_transactions as t
      join public.credit_accounts as a on a.id = t.account_id
      where t.hold_id = message.hold_id);
  end if;
  v_entry := private.settle_hold(coalesce(message.client_id, message.id::text), user_id, settle);
  update public.messages as m set hold_id = private.json_uuid(settle -> 'hold_id')
  where m.id = message.id;
  return v_entry;
end $$;
revoke all on function private.settle_message(public.messages, uuid, jsonb)
  from public, anon, authenticated, service_role;

-- Settles the hold of a message that is not there any more, or that cannot be saved any more, and returns the entry
-- without the message, which is named by message_id. request is kept under idempotency_key, if there is one.
-- Raises: PT400 invalid_idempotency_key; PT422 idempotency_key_reused; and what settle_hold raises.
create function private.settle_without_message(
  user_id uuid, message_id text, settle jsonb, request jsonb default null, idempotency_key text default null
)
returns public.saved_messages
language plpgsql volatile set search_path = ''
as $$
declare
  v_first jsonb := private.first_response(user_id, 'service', idempotency_key, request);
  v_name text := coalesce(private.json_uuid(to_jsonb(message_id))::text, message_id, v_first ->> 0,
    gen_random_uuid()::text);
  v_entry jsonb := private.settle_hold(v_name, user_id, settle);
begin
  if v_first is null then
    perform private.keep_response(user_id, 'service', idempotency_key, request, jsonb_build_array(v_name));
  end if;
  return row(jsonb '[]', v_entry, v_first is not null)::public.saved_messages;
end $$;
revoke all on function private.settle_without_message(uuid, text, jsonb, jsonb, text)
  from public, anon, authenticated, service_role;
