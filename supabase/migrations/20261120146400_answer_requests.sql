-- What the function answers calls: to begin an answer, to follow one, and to stop one.

create type public.begun_answer as (
  answer jsonb,
  message jsonb,
  history jsonb,
  system text,
  endpoints jsonb,
  limits jsonb,
  replayed boolean
);
comment on type public.begun_answer is
  'An answer and its draft, what to tell the model, where the model is, and the limits that the function must keep. replayed: an earlier request began it, and only answer and message are there';

-- Beginning -----------------------------------------------------------------------------------------

-- Refuses an answer while another of the same user is being written in the same conversation or project. One that was
-- abandoned is settled. The caller has locked the parent.
-- Raises: PT409 answer_running {answer_id, retry_after}.
create function private.refuse_second_answer(user_id uuid, project_id uuid, conversation_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_answer public.answers;
begin
  for v_answer in
    select a.* from public.answers as a
    where a.user_id = refuse_second_answer.user_id and a.state = 'running'
      and (a.conversation_id = refuse_second_answer.conversation_id or a.project_id = refuse_second_answer.project_id)
  loop
    v_answer := private.settle_answer(v_answer.id);
    if v_answer.state = 'running' then
      raise exception 'An answer is still being written here'
        using errcode = 'PT409', hint = 'Wait until it ends, or stop it with POST /answers/ID/stop',
          detail = format('answer_running %s', jsonb_build_object('answer_id', v_answer.id, 'retry_after', 1));
    end if;
  end loop;
end $$;
revoke all on function private.refuse_second_answer(uuid, uuid, uuid) from public, anon, authenticated, service_role;

-- Finds or saves the message of the user that is to be answered, and takes what comes after it out of the conversation or
-- project. A message that is there with another content is an edit: the old one, and all after it, is replaced. Without a
-- message, it is the last one of the user. The caller has locked the parent.
-- Raises: PT403 not_message_author; PT409 message_id_used, nothing_to_answer, system_message; PT422 message_missing; and
-- what save_messages raises.
create function private.take_question(
  user_id uuid, message jsonb, project_id uuid, conversation_id uuid, regenerate boolean
)
returns public.messages
language plpgsql volatile set search_path = ''
as $$
declare
  v_question public.messages;
  v_saved public.saved_messages;
begin
  if message is null then
    if not regenerate then
      raise exception 'The request has no message' using errcode = 'PT422', detail = 'message_missing',
        hint = 'Send a user message, or set trigger to regenerate-message';
    end if;
    if project_id is null then
      select m.* into v_question from public.messages as m
      where m.conversation_id = take_question.conversation_id and m.role = 'user'
      order by m.created_at desc, m.id desc
      limit 1;
    else
      select m.* into v_question from public.messages as m
      where m.project_id = take_question.project_id and m.role = 'user'
      order by m.sequence_number desc
      limit 1;
    end if;
    if v_question.id is null then
      raise exception 'There is no user message to answer' using errcode = 'PT409', detail = 'nothing_to_answer',
        hint = 'Send a user message';
    end if;
  else
    select m.* into v_question from public.messages as m
    where m.id = private.find_message(message ->> 'id', take_question.project_id, take_question.conversation_id)
      and (m.conversation_id = take_question.conversation_id or m.project_id = take_question.project_id)
    for no key update;
    if found and v_question.role <> 'user' then
      raise exception 'Another message already has the id "%"', message ->> 'id'
        using errcode = 'PT409', detail = 'message_id_used', hint = 'Use a new id for a new message';
    end if;
    if not found or v_question.content <> message -> 'content' then
      if found then
        perform private.replace_from(v_question, user_id, true);
      end if;
      v_saved := public.save_messages(user_id, jsonb_build_array(message), project_id, conversation_id::text, actor => 'user');
      select m.* into v_question from public.messages as m where m.id = (v_saved.messages -> 0 ->> 'id')::uuid;
      return v_question;
    end if;
  end if;
  perform private.replace_from(v_question, user_id, false);
  return v_question;
end $$;
revoke all on function private.take_question(uuid, jsonb, uuid, uuid, boolean)
  from public, anon, authenticated, service_role;

-- Returns the answer that an earlier request has begun to the same message; null if there is none, if it failed, or if its
-- message is no longer there.
create function private.earlier_answer(user_id uuid, message jsonb, project_id uuid, conversation_id uuid)
returns public.answers
language plpgsql stable set search_path = ''
as $$
declare
  v_answer public.answers;
begin
  select a.* into v_answer from public.messages as q
  join public.answers as a on a.question_id = q.id and a.user_id = earlier_answer.user_id
  join public.messages as m on m.id = a.message_id
  where q.id = private.find_message(message ->> 'id', earlier_answer.project_id, earlier_answer.conversation_id)
    and q.content = message -> 'content' and a.state <> 'failed'
  order by a.created_at desc
  limit 1;
  return v_answer;
end $$;
revoke all on function private.earlier_answer(uuid, jsonb, uuid, uuid) from public, anon, authenticated, service_role;

-- Begins an answer for a user: saves message {id, role, content, metadata}, holds the most that the answer may cost, and opens
-- its draft, all or none. Gives either conversation_id, an id or client_id, or project_id; with start, a conversation that
-- is not there yet is started. A message of the role assistant has the outputs of tools: the answer with its id goes on.
-- regenerate answers the message, or without one the last of the user, once more. The same message again returns the
-- answer that it has, as does the same idempotency_key. model is a name in models; null: the user's default. needs are
-- capabilities that the request asks for. extra_tokens is what else is sent to the model, such as the tools, and the text of
-- the files of message.
-- parameters is what else the model is told: it is not stored, but a repeat must have the same. server_tools: whether the
-- model is offered tools that the server runs; then the prompt is held once for each of the steps that answers.steps allows.
-- An answer in a project of a team is paid by the team.
-- Definer: as save_messages. For the service only, which has verified user_id.
-- Raises: PT400 invalid_idempotency_key; PT402 insufficient_credits, member_limit_exceeded; PT403 project_read_only,
-- not_message_author, model_not_allowed; PT404 user_not_found, project_not_found, conversation_not_found,
-- message_not_found, account_not_found; PT409 answer_running, nothing_to_answer, approval_not_pending, message_id_used, conversation_id_used,
-- project_deleted, project_cloning, system_message, too_many_holds; PT410 answer_deleted; PT413 content_too_large; PT422
-- unknown_model, model_cannot, invalid_output_limit, context_exceeded, message_missing, tool_output_missing, approval_changed, invalid_approval,
-- idempotency_key_reused, and what save_messages raises for a message; PT429 too_many_answers.
create function public.begin_answer(
  user_id uuid,
  message jsonb default null,
  model text default null,
  conversation_id text default null,
  project_id uuid default null,
  start boolean default false,
  regenerate boolean default false,
  max_output_tokens integer default null,
  needs text[] default '{}',
  extra_tokens integer default 0,
  parameters jsonb default null,
  idempotency_key text default null,
  server_tools boolean default false
)
returns public.begun_answer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('answer', message, model, conversation_id, project_id, start, regenerate,
    max_output_tokens, parameters);
  v_first jsonb;
  v_conversation_id uuid;
  v_team_id uuid;
  v_system text;
  v_model public.models;
  v_output bigint;
  v_steps integer := case when server_tools then private.setting('answers.steps') else 1 end;
  v_question public.messages;
  v_draft public.messages;
  v_answer public.answers;
  v_history record;
  v_room bigint;
  v_file_tokens bigint;
begin
  -- The profile is the lock for the limits of the user, and keeps repeats of this request apart.
  perform 1 from public.profiles as p where p.id = begin_answer.user_id for no key update;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  v_first := private.first_response(begin_answer.user_id, 'user', idempotency_key, v_request);
  if v_first is not null then
    select a.* into v_answer from public.answers as a
    where a.id = (v_first ->> 0)::uuid and a.user_id = begin_answer.user_id;
    if not found then
      raise exception 'The answer that this idempotency key began has been deleted'
        using errcode = 'PT410', detail = 'answer_deleted', hint = 'Use a new idempotency key to begin another';
    end if;
    return private.to_replayed_answer(v_answer);
  end if;

  if begin_answer.project_id is not null then
    perform private.lock_message_parent(begin_answer.user_id, begin_answer.project_id, null);
    select p.team_id, p.system_prompt into v_team_id, v_system from public.projects as p where p.id = begin_answer.project_id;
  elsif start then
    select c.id into v_conversation_id from public.conversations as c
    where c.user_id = begin_answer.user_id
      and (c.id = private.json_uuid(to_jsonb(begin_answer.conversation_id)) or c.client_id = begin_answer.conversation_id);
  else
    v_conversation_id := private.find_conversation(begin_answer.user_id, coalesce(begin_answer.conversation_id, ''));
  end if;
  v_model := private.find_model(model, private.model_tier(user_id, v_team_id), needs);
  v_output := private.output_limit(v_model, max_output_tokens);

  if begin_answer.project_id is null and v_conversation_id is null then
    if message is null or message ->> 'role' is distinct from 'user' then
      raise exception '%', format('There is no conversation%s', ' "' || left(conversation_id, 100) || '"')
        using errcode = 'PT404', detail = 'conversation_not_found',
        hint = 'To start a new conversation, send a user message';
    end if;
    v_question := jsonb_populate_record(null::public.messages, (public.start_conversation(begin_answer.user_id, message,
      conversation_id => begin_answer.conversation_id, actor => 'user')).messages -> 0);
    v_conversation_id := v_question.conversation_id;
  end if;
  if begin_answer.project_id is null then
    perform private.lock_message_parent(begin_answer.user_id, null, v_conversation_id);
    select c.system_prompt into v_system from public.conversations as c where c.id = v_conversation_id;
  end if;
  if v_question.id is null and not regenerate and message ->> 'role' = 'user' and message ? 'id' then
    v_answer := private.earlier_answer(begin_answer.user_id, message, begin_answer.project_id, v_conversation_id);
    if v_answer.id is not null then
      return private.to_replayed_answer(private.settle_answer(v_answer.id));
    end if;
  end if;
  perform private.refuse_second_answer(begin_answer.user_id, begin_answer.project_id, v_conversation_id);

  if message ->> 'role' = 'assistant' then
    v_draft := private.lock_message(begin_answer.user_id, message ->> 'id', begin_answer.project_id, v_conversation_id, 'user');
    if v_draft.role <> 'assistant' or jsonb_typeof(v_draft.content) <> 'array' then
      raise exception 'Message "%" is not an answer that can be continued', message ->> 'id'
        using errcode = 'PT409', detail = 'nothing_to_answer', hint = 'Send a user message';
    end if;
    perform private.replace_from(v_draft, begin_answer.user_id, false);
    update public.messages as m
    set content = private.continue_parts(v_draft, message -> 'content', begin_answer.user_id), status = 'streaming'
    where m.id = v_draft.id
    returning m.* into v_draft;
    v_answer.first_part := jsonb_array_length(v_draft.content);
  else
    if v_question.id is null then
      v_question := private.take_question(begin_answer.user_id, message, begin_answer.project_id, v_conversation_id, regenerate);
    end if;
    v_draft := jsonb_populate_record(null::public.messages, (public.save_messages(begin_answer.user_id,
      '[{"role": "assistant", "content": [], "status": "streaming"}]', begin_answer.project_id, v_conversation_id::text))
      .messages -> 0);
  end if;

  v_room := v_model.context_tokens - v_output - extra_tokens
    - case when v_system is null then 0 else private.estimate_tokens(to_jsonb(v_system)) end;
  v_history := private.answer_history(begin_answer.project_id, v_conversation_id, v_draft.id, v_room);
  if v_history.tokens > v_room then
    raise exception 'The message is too long for the model "%"', v_model.name
      using errcode = 'PT422', hint = 'Shorten the message or the system prompt, ask for a shorter answer, or use another model',
        detail = format('context_exceeded %s', jsonb_build_object('tokens', v_history.tokens, 'most', greatest(0, v_room)));
  end if;
  -- The function reads the files of earlier messages as far as they fit. Those of a new message are in extra_tokens.
  v_file_tokens := least(v_room - v_history.tokens, private.estimate_file_text(begin_answer.user_id,
    case when message ->> 'role' = 'user' then v_history.messages - -1 else v_history.messages end));
  v_answer.user_id := begin_answer.user_id;
  v_answer.conversation_id := v_conversation_id;
  v_answer.project_id := begin_answer.project_id;
  v_answer.question_id := v_question.id;
  v_answer.message_id := v_draft.id;
  v_answer.input_tokens := v_model.context_tokens - v_output - v_room + v_history.tokens + v_file_tokens;
  v_answer := private.open_answer(v_answer, v_model, v_output, v_team_id, v_steps);
  perform private.keep_response(begin_answer.user_id, 'user', idempotency_key, v_request, jsonb_build_array(v_answer.id));
  return row(private.answer_json(v_answer), to_jsonb(v_draft), v_history.messages, v_system, private.model_endpoints(v_model),
    private.answer_limits(v_model, v_output, v_draft.content) || jsonb_build_object('steps', v_steps, 'file_tokens', v_file_tokens), false)::public.begun_answer;
end $$;
revoke all on function public.begin_answer(
  uuid, jsonb, text, text, uuid, boolean, boolean, integer, text[], integer, jsonb, text, boolean)
  from public, anon, authenticated;
grant execute on function public.begin_answer(
  uuid, jsonb, text, text, uuid, boolean, boolean, integer, text[], integer, jsonb, text, boolean)
  to service_role;

-- Returns an answer to the repeat of the request that began it.
create function private.to_replayed_answer(answer public.answers)
returns public.begun_answer
language plpgsql stable set search_path = ''
as $$
begin
  return row(private.answer_json(answer), (select to_jsonb(m) from public.messages as m where m.id = answer.message_id),
    null, null, null, null, true)::public.begun_answer;
end $$;
revoke all on function private.to_replayed_answer(public.answers) from public, anon, authenticated, service_role;

-- Begins an ephemeral answer: of what is said, nothing is stored. input_tokens is what the messages are taken for. The other
-- arguments, and what is returned, are those of begin_answer.
-- Definer: as begin_answer.
-- Raises: PT402 insufficient_credits; PT403 model_not_allowed; PT404 user_not_found, account_not_found; PT409
-- too_many_holds; PT422 unknown_model, model_cannot, invalid_output_limit, context_exceeded; PT429 too_many_answers.
create function public.begin_ephemeral_answer(
  user_id uuid,
  input_tokens bigint,
  model text default null,
  max_output_tokens integer default null,
  needs text[] default '{}'
)
returns public.begun_answer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_model public.models;
  v_output bigint;
  v_answer public.answers;
begin
  perform 1 from public.profiles as p where p.id = begin_ephemeral_answer.user_id for no key update;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  v_model := private.find_model(model, private.model_tier(user_id, null), needs);
  v_output := private.output_limit(v_model, max_output_tokens);
  if (begin_ephemeral_answer.input_tokens between 0 and v_model.context_tokens - v_output) is not true then
    raise exception 'The messages are too long for the model "%"', v_model.name
      using errcode = 'PT422', hint = 'Leave out older messages, ask for a shorter answer, or use another model',
        detail = format('context_exceeded %s', jsonb_build_object('tokens', begin_ephemeral_answer.input_tokens,
          'most', v_model.context_tokens - v_output));
  end if;
  v_answer.user_id := begin_ephemeral_answer.user_id;
  v_answer.input_tokens := begin_ephemeral_answer.input_tokens;
  v_answer.ephemeral := true;
  v_answer := private.open_answer(v_answer, v_model, v_output, null);
  return row(private.answer_json(v_answer), null, null, null, private.model_endpoints(v_model),
    private.answer_limits(v_model, v_output, null), false)::public.begun_answer;
end $$;
revoke all on function public.begin_ephemeral_answer(uuid, bigint, text, integer, text[]) from public, anon, authenticated;
grant execute on function public.begin_ephemeral_answer(uuid, bigint, text, integer, text[]) to service_role;

-- Following -----------------------------------------------------------------------------------------

-- Returns the answer with an id, or the newest of the user in the conversation or project with that id or client_id; null if
-- there is none.
create function private.find_answer(user_id uuid, id text)
returns public.answers
language plpgsql stable set search_path = ''
as $$
declare
  v_id uuid := private.json_uuid(to_jsonb(find_answer.id));
  v_conversation_id uuid;
  v_answer public.answers;
begin
  select a.* into v_answer from public.answers as a where a.id = v_id and a.user_id = find_answer.user_id;
  if not found then
    select c.id into v_conversation_id from public.conversations as c
    where c.user_id = find_answer.user_id and (c.id = v_id or c.client_id = find_answer.id);
    select a.* into v_answer from public.answers as a
    where a.conversation_id = v_conversation_id and a.user_id = find_answer.user_id
    order by a.created_at desc limit 1;
    if not found then
      select a.* into v_answer from public.answers as a
      where a.project_id = v_id and a.user_id = find_answer.user_id
      order by a.created_at desc limit 1;
    end if;
  end if;
  return v_answer;
end $$;
revoke all on function private.find_answer(uuid, text) from public, anon, authenticated, service_role;

-- Returns the content of the message of an answer as it was when the answer ended. If the message went on, that is without the
-- steps of later answers, and without what was said later about the calls of this one.
create function private.content_of_answer(answer public.answers, content jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_end integer;
begin
  select min(a.first_part) into v_end from public.answers as a
  where a.message_id = answer.message_id and a.created_at > answer.created_at;
  if v_end is null or jsonb_typeof(content) <> 'array' then
    return content;
  end if;
  return (
    select coalesce(jsonb_agg(case
        when p.ordinality <= answer.first_part or not p.value ? 'input' then p.value
        when p.value ? 'approval' then p.value - '{output,errorText}'::text[] || jsonb_build_object('state', 'approval-requested',
          'approval', jsonb_build_object('id', p.value #> '{approval,id}'))
        when p.value -> 'providerExecuted' = 'true' then p.value
        else p.value - '{output,errorText}'::text[] || '{"state": "input-available"}' end order by p.ordinality), '[]')
    from jsonb_array_elements(content) with ordinality as p
    where p.ordinality <= v_end);
end $$;
revoke all on function private.content_of_answer(public.answers, jsonb) from public, anon, authenticated, service_role;

create type public.answer_reading as (
  answer jsonb,
  parts jsonb,
  message jsonb
);
comment on type public.answer_reading is
  'An answer, what was stored of it since the last reading ([{number, pieces}]), and its message: when the answer has ended, and at the first reading';

-- Reads an answer of a user: id is its own, or that of its conversation or project, of which the newest is read. after is the
-- number of the last part that the caller has; -1 for none. An answer that was abandoned is settled. answer is null if
-- there is none.
-- Definer: as begin_answer.
create function public.read_answer(user_id uuid, id text, after integer default -1)
returns public.answer_reading
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_answer public.answers := private.find_answer(user_id, id);
  v_reading public.answer_reading;
begin
  if v_answer.id is null then
    return null;
  end if;
  if private.is_abandoned(v_answer) then
    v_answer := private.settle_answer(v_answer.id);
  end if;
  v_reading.answer := private.answer_json(v_answer);
  select coalesce(jsonb_agg(jsonb_build_object('number', p.number, 'pieces', p.pieces) order by p.number), '[]')
  into v_reading.parts
  from public.answer_parts as p where p.answer_id = v_answer.id and p.number > read_answer.after;
  if v_answer.state <> 'running' or after < 0 then
    select to_jsonb(m) || jsonb_build_object('content', private.content_of_answer(v_answer, m.content)) into v_reading.message
    from public.messages as m where m.id = v_answer.message_id;
  end if;
  return v_reading;
end $$;
revoke all on function public.read_answer(uuid, text, integer) from public, anon, authenticated;
grant execute on function public.read_answer(uuid, text, integer) to service_role;

-- Stopping ------------------------------------------------------------------------------------------

-- Asks the function that writes an answer of a user to end it. id is as for read_answer. An answer that was abandoned is
-- settled at once. Returns the answer as it is; one that has ended stays as it is.
-- Definer: as begin_answer.
-- Raises: PT404 answer_not_found.
create function public.stop_answer(user_id uuid, id text)
returns public.ended_answer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_answer public.answers := private.find_answer(user_id, id);
begin
  if v_answer.id is null then
    raise exception 'There is no answer "%"', left(id, 100) using errcode = 'PT404', detail = 'answer_not_found';
  end if;
  v_answer := private.settle_answer(v_answer.id);
  if v_answer.state = 'running' and not v_answer.stop_requested then
    update public.answers as a set stop_requested = true where a.id = v_answer.id returning a.* into v_answer;
  end if;
  return private.to_ended_answer(v_answer);
end $$;
revoke all on function public.stop_answer(uuid, text) from public, anon, authenticated;
grant execute on function public.stop_answer(uuid, text) to service_role;
