-- Functions that assigned text to a variable of another type, which is converted by way of its text form on every call and
-- which supabase db lint (plpgsql_check) finds: restated with values of the right type. Nothing else of them changes.

-- A message out of what a caller sent: {id, role, content, object_data, result_data, metadata, sequence_number, status}.
-- index is its place in the batch, which a refusal names.
-- Raises: PT422 invalid_message, invalid_role, content_missing, invalid_message_id, invalid_sequence_number,
-- invalid_status, each with {index}.
create or replace function private.read_message(message jsonb, index integer, actor text)
returns public.messages
language plpgsql immutable set search_path = ''
as $$
declare
  v_message public.messages;
  v_code text;
  v_says text;
begin
  if jsonb_typeof(message) is distinct from 'object' or message - array['id', 'role', 'content', 'object_data',
      'result_data', 'metadata', 'sequence_number', 'status'] <> '{}'
    or coalesce(jsonb_typeof(message -> 'metadata'), 'object') not in ('object', 'null') then
    v_code := 'invalid_message';
    v_says := 'A message is an object of id, role, content, object_data, result_data, metadata (an object), sequence_number and status';
  elsif (message ->> 'role' in ('user', 'assistant') or message ->> 'role' = 'system' and actor = 'service') is not true then
    v_code := 'invalid_role';
    v_says := format('A message is not written as "%s"', message ->> 'role');
  elsif coalesce(jsonb_typeof(message -> 'content'), 'null') = 'null' then
    v_code := 'content_missing';
    v_says := 'A message has content';
  elsif message -> 'id' <> 'null' and private.json_uuid(message -> 'id') is null then
    v_code := 'invalid_message_id';
    v_says := 'The id of a message is a UUID';
  elsif message -> 'sequence_number' <> 'null' and private.json_integer(message -> 'sequence_number') is null then
    v_code := 'invalid_sequence_number';
    v_says := 'A sequence number is a whole number from 0';
  elsif coalesce(message ->> 'status', 'complete') not in ('complete', 'streaming') then
    v_code := 'invalid_status';
    v_says := 'A message is saved as complete or streaming';
  end if;
  if v_code is not null then
    raise exception '%', v_says
      using errcode = 'PT422', detail = format('%s %s', v_code, jsonb_build_object('index', index));
  end if;
  v_message.id := private.json_uuid(message -> 'id');
  v_message.role := (message ->> 'role')::public.message_role_enum;
  v_message.content := message -> 'content';
  v_message.object_data := nullif(message -> 'object_data', 'null');
  v_message.result_data := nullif(message -> 'result_data', 'null');
  v_message.metadata := nullif(message -> 'metadata', 'null');
  v_message.sequence_number := private.json_integer(message -> 'sequence_number');
  v_message.status := coalesce(message ->> 'status', 'complete');
  return v_message;
end $$;
revoke all on function private.read_message(jsonb, integer, text) from public, anon, authenticated, service_role;

-- Saves messages of a user, in order and all or none, into a project or a conversation: [{id, role, content, object_data,
-- result_data, metadata, sequence_number, status}]. In a project a message without a number takes the next; one with a
-- number that is taken replaces it, unless replace is false. A message whose id is there already is a repeat. With settle
-- {hold_id, amount or items, allow_overage} the one message is paid for by capturing the hold: both happen or neither.
-- actor is user or service; only the service settles, and writes as system.
-- Definer: a member of a team writes into a project that is not theirs, and nobody may write credits. For the service
-- only, which answers for user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 project_read_only; PT404 project_not_found, conversation_not_found,
-- hold_not_found; PT409 project_deleted, message_id_used, system_message, message_settled; PT412
-- sequence_number_taken; PT413 content_too_large; PT422 invalid_batch {most}, invalid_message, invalid_role,
-- content_missing, invalid_message_id, invalid_sequence_number, invalid_status, too_many_messages, invalid_settlement,
-- idempotency_key_reused; and what capture_credit_hold raises.
create or replace function public.save_messages(
  user_id uuid,
  messages jsonb,
  project_id uuid default null,
  conversation_id uuid default null,
  replace boolean default true,
  settle jsonb default null,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.saved_messages
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb;
  v_first jsonb;
  v_item record;
  v_message public.messages;
  v_rows public.messages[] := array[]::public.messages[];
  v_saved public.saved_messages;
  v_most integer := private.setting('messages.batch_size');
begin
  if save_messages.actor is null or save_messages.actor not in ('user', 'service')
    or num_nulls(save_messages.project_id, save_messages.conversation_id) <> 1 or replace is null then
    raise exception 'Messages are saved into either a project or a conversation'
      using errcode = 'PT422', detail = 'invalid_message';
  end if;
  if jsonb_typeof(save_messages.messages) is distinct from 'array'
    or jsonb_array_length(save_messages.messages) not between 1 and v_most
    or settle is not null and (save_messages.actor <> 'service' or jsonb_array_length(save_messages.messages) <> 1) then
    raise exception 'A request saves 1 to % messages; one, when it is settled by the service', v_most
      using errcode = 'PT422', detail = format('invalid_batch %s', jsonb_build_object('most', v_most));
  end if;
  perform private.lock_message_parent(save_messages.user_id, save_messages.project_id, save_messages.conversation_id);
  if idempotency_key is not null then
    v_request := jsonb_build_array('messages', save_messages.project_id, save_messages.conversation_id,
      save_messages.messages, replace, settle);
    v_first := private.first_response(save_messages.user_id, save_messages.actor, idempotency_key, v_request);
    if v_first is not null then
      return private.to_saved_messages(array(select jsonb_array_elements_text(v_first)::uuid), true);
    end if;
  end if;

  for v_item in
    select m.value, m.ordinality::integer - 1 as index
    from jsonb_array_elements(save_messages.messages) with ordinality as m order by m.ordinality
  loop
    v_message := private.read_message(v_item.value, v_item.index, save_messages.actor);
    v_message.project_id := save_messages.project_id;
    v_message.conversation_id := save_messages.conversation_id;
    v_message := private.save_message(v_message, replace, save_messages.actor, v_item.index);
    v_rows := v_rows || v_message;
  end loop;
  if settle is not null then
    v_saved.entry := private.settle_message(v_message, save_messages.user_id, settle);
    v_rows := array(select m from public.messages as m where m.id = v_message.id);
  end if;
  if idempotency_key is not null then
    -- The ids alone: a batch can be large.
    perform private.keep_response(save_messages.user_id, save_messages.actor, idempotency_key, v_request,
      to_jsonb(array(select r.id from unnest(v_rows) as r)));
  end if;
  v_saved.messages := to_jsonb(v_rows);
  v_saved.replayed := false;
  return v_saved;
end $$;
revoke all on function public.save_messages(uuid, jsonb, uuid, uuid, boolean, jsonb, text, text)
  from public, anon, authenticated;
grant execute on function public.save_messages(uuid, jsonb, uuid, uuid, boolean, jsonb, text, text) to service_role;

-- Charges a hold: an amount, or what items cost now, or all of it when neither is given. The rest is free again. More
-- than was held is charged only with allow_overage, and only if it is available. Returns the entry.
-- Definer: not even the service may write the tables of credits. For the service only.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded {available, required};
-- PT404 hold_not_found; PT409 hold_already_captured, hold_released, hold_expired; PT422 capture_exceeds_hold {held},
-- invalid_charge, unknown_sku, invalid_quantity, invalid_amount, idempotency_key_reused.
create or replace function public.capture_credit_hold(
  hold_id uuid,
  amount numeric default null,
  items jsonb default null,
  allow_overage boolean default false,
  description text default null,
  idempotency_key text default null
)
returns public.credit_entry
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('capture', hold_id, trim_scale(amount), items, allow_overage, description);
  v_account public.credit_accounts;
  v_hold public.credit_holds;
  v_entry public.credit_transactions;
  v_result public.credit_entry;
  v_amount numeric;
  v_left numeric;
  v_part numeric;
  v_portion record;
  v_rest jsonb := jsonb '[]';
  v_drawn record;
  v_uncovered numeric := 0;
begin
  if char_length(capture_credit_hold.description) not between 1 and 500
    or capture_credit_hold.amount is not null and capture_credit_hold.items is not null then
    raise exception 'A capture is of either an amount or items; its description has 1 to 500 characters'
      using errcode = 'PT422', detail = 'invalid_charge';
  end if;
  v_account := private.lock_hold_account(hold_id);
  v_result := private.claim_entry_key(coalesce(v_account.user_id, v_account.team_id), 'service', idempotency_key, v_request,
    v_account);
  if v_result.entry_no is not null then
    return v_result;
  end if;

  v_hold := private.require_open_hold(hold_id);
  v_entry := private.price_charge(
    case when capture_credit_hold.items is null then coalesce(capture_credit_hold.amount, v_hold.amount) end,
    capture_credit_hold.items);
  v_amount := v_entry.amount;
  if v_amount > v_hold.amount then
    if allow_overage is not true then
      raise exception 'Cannot capture %: % are held', trim_scale(v_amount), trim_scale(v_hold.amount)
        using errcode = 'PT422', detail = format('capture_exceeds_hold %s', jsonb_build_object('held', v_hold.amount)),
          hint = 'Capture less, or allow_overage';
    end if;
    perform private.require_credits(v_account, v_amount - v_hold.amount);
    perform private.spend_allowance(v_account, v_hold.actor_id, v_amount - v_hold.amount, clock_timestamp());
  end if;

  v_left := v_amount;
  v_entry.allocations := '[]';
  for v_portion in
    select p.grant_id, p.amount from jsonb_to_recordset(v_hold.allocations) as p (grant_id uuid, amount numeric)
  loop
    v_part := least(v_portion.amount, v_left);
    v_left := v_left - v_part;
    if v_part > 0 then
      update public.credit_grants as g set held = g.held - v_part, remaining = g.remaining - v_part
      where g.id = v_portion.grant_id;
      v_entry.allocations := v_entry.allocations || private.credit_allocation(v_portion.grant_id, -v_part);
    end if;
    if v_part < v_portion.amount then
      v_rest := v_rest || private.credit_allocation(v_portion.grant_id, v_portion.amount - v_part);
    end if;
  end loop;
  -- What no grant covered when it was held, and what is above the hold, draws on what is there now.
  if v_left > 0 then
    v_drawn := private.draw_credits(v_account.id, v_left, false);
    v_uncovered := v_drawn.uncovered;
    v_entry.allocations := v_entry.allocations || v_drawn.allocations;
    if v_uncovered > 0 then
      v_entry.allocations := v_entry.allocations || private.credit_allocation(null, -v_uncovered);
    end if;
  end if;

  v_entry.account_id := v_account.id;
  v_entry.kind := 'capture';
  v_entry.amount := -v_amount;
  v_entry.description := coalesce(capture_credit_hold.description, v_hold.description);
  v_entry.actor := 'service';
  v_entry.actor_id := v_hold.actor_id;
  v_entry := private.post_credit_entry(v_entry, overdraft_used => v_uncovered, held => -v_hold.amount,
    overdraft_held => -private.held_overdraft(v_hold));
  update public.credit_holds as h
  set status = 'captured', captured = v_amount, entry_no = v_entry.entry_no, resolved_at = v_entry.created_at
  where h.id = v_hold.id;
  if v_account.team_id is not null then
    perform private.restore_allowance(v_account.team_id, v_hold.actor_id, greatest(0, v_hold.amount - v_amount),
      v_hold.created_at);
  end if;
  if v_rest <> '[]' then
    perform private.free_held_credits(v_account.id, v_rest, v_entry.created_at);
  end if;

  return private.to_credit_entry(v_entry);
end $$;
revoke all on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text)
  from public, anon, authenticated;
grant execute on function public.capture_credit_hold(uuid, numeric, jsonb, boolean, text, text) to service_role;
