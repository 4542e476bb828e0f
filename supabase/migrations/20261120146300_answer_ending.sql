-- Writing and ending an answer: its parts are stored as they come; at the end, they become its message, and what was used is
-- charged, in one transaction. The same happens to an answer whose function was killed.

create type public.ended_answer as (
  answer jsonb,
  message jsonb,
  entry jsonb
);
comment on type public.ended_answer is
  'An answer, its message (null if there is none) and the entry that charged for it (null if nothing was charged)';

-- Joining -------------------------------------------------------------------------------------------

-- Returns the JSON that a text is; null if it is none, or none that can be stored. A model may write anything: 1e999999 is
-- no number of PostgreSQL, 1e400 is none of JavaScript, 1e-100000 has 100,000 digits, and what is nested more than 128 levels
-- deep, not all code can write. The function decides in the same way (parseInput).
create function private.parse_json(value text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
  v_json jsonb;
begin
  v_json := value::jsonb;
  return case when not jsonb_path_exists(v_json, 'strict $.**{128} ? (@.type() == "array" || @.type() == "object")')
    and not jsonb_path_exists(v_json, 'strict $.** ? (@.type() == "number" && @ != 0 && (@.abs() >= 1e100 || @.abs() < 1e-100))')
    then v_json end;
exception when data_exception or program_limit_exceeded or statement_too_complex then
  return null;
end $$;
revoke all on function private.parse_json(text) from public, anon, authenticated, service_role;

-- Joins the pieces of an answer, those that are stored under lower numbers than before, and more, to the parts of a message
-- of the AI SDK. A tool call whose input is incomplete becomes one that failed, and so does one of the server that has not
-- returned. Outputs for parts of earlier steps are left to add_server_outputs.
create function private.join_pieces(answer_id uuid, more jsonb, before integer)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(case x.type
        when 'step-start' then jsonb_build_object('type', x.type)
        when 'text' then jsonb_build_object('type', x.type, 'text', x.text, 'state', 'done')
        when 'reasoning' then jsonb_build_object('type', x.type, 'text', x.text, 'state', 'done')
          || case when x.metadata is not null then jsonb_build_object('providerMetadata', x.metadata) else '{}' end
        when 'tool' then jsonb_build_object('type', 'tool-' || x.tool_name, 'toolCallId', x.tool_call_id)
          || case when x.server then jsonb_build_object('providerExecuted', true) else '{}' end
          || case when x.metadata is not null then jsonb_build_object('callProviderMetadata', x.metadata) else '{}' end
          || case when private.parse_json(x.text) is not null
            then jsonb_build_object('input', private.parse_json(x.text)) || case
              when x.output is not null then x.output
              when x.approval is not null then jsonb_build_object('state', 'approval-requested', 'approval', x.approval)
              when x.server then '{"state": "output-error", "errorText": "The answer ended before the tool returned"}'
              else '{"state": "input-available"}' end
            else jsonb_build_object('state', 'output-error', 'rawInput', x.text,
              'errorText', 'The answer ended before the call was complete') end
        else x.data end order by x.part), '[]')
    from (
      select (i.value ->> 'part')::integer as part,
        min(i.value ->> 'type') filter (where i.value ->> 'type' not in ('output', 'approval')) as type,
        coalesce(string_agg(i.value ->> 'text', '' order by s.number, i.ordinality), '') as text,
        max(i.value ->> 'tool_call_id') as tool_call_id, max(i.value ->> 'tool_name') as tool_name,
        coalesce(bool_or(i.value -> 'server' = 'true'), false) as server,
        (array_agg(i.value -> 'provider_metadata' order by s.number desc, i.ordinality desc)
          filter (where i.value ? 'provider_metadata'))[1] as metadata,
        (array_agg(i.value -> 'output') filter (where i.value ->> 'type' = 'output'))[1] as output,
        (array_agg(i.value -> 'approval') filter (where i.value ->> 'type' = 'approval'))[1] as approval,
        (array_agg(i.value -> 'data') filter (where i.value ? 'data'))[1] as data
      from (
        select p.number, p.pieces from public.answer_parts as p
        where p.answer_id = join_pieces.answer_id and p.number < before
        union all
        select 2147483647, coalesce(more, '[]')) as s
      cross join jsonb_array_elements(s.pieces) with ordinality as i
      group by 1) as x
    where x.type is not null);
end $$;
revoke all on function private.join_pieces(uuid, jsonb, integer) from public, anon, authenticated, service_role;

-- Charging ------------------------------------------------------------------------------------------

-- Charges for an answer from its hold, and returns the entry; null if nothing is charged. If it costs more than was held, and
-- the account cannot pay that, what was held is charged. A hold that somebody has released meanwhile, or that has gone with
-- its account, charges nothing.
create function private.charge_answer(answer public.answers, amount numeric, name text)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_entry public.credit_entry;
  v_description text := format('Answer of %s: %s input tokens, %s output tokens%s', answer.model, answer.input_tokens,
    answer.output_tokens, case answer.usage_source when 'counted' then ', counted by the server' else '' end);
begin
  if answer.hold_id is null then
    return null;
  end if;
  begin
    begin
      v_entry := public.capture_credit_hold(answer.hold_id, amount, allow_overage => true, description => v_description,
        message_id => name);
    exception when sqlstate 'PT402' then
      v_entry := public.capture_credit_hold(answer.hold_id, least(amount, answer.held), description => v_description,
        message_id => name);
    end;
  exception when sqlstate 'PT404' or sqlstate 'PT409' then
    return null;
  end;
  return case when v_entry.entry_no is not null then to_jsonb(v_entry) - 'replayed' end;
end $$;
revoke all on function private.charge_answer(public.answers, numeric, text) from public, anon, authenticated, service_role;

-- Describing ----------------------------------------------------------------------------------------

-- What the message says about its answer: the AI SDK hands it to apps as metadata.
create function private.answer_metadata(answer public.answers)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return (
    select jsonb_strip_nulls(jsonb_build_object('id', answer.id, 'model', answer.model, 'state', answer.state,
      'credits', answer.credits, 'finish_reason', answer.finish_reason, 'error', answer.error,
      'usage', jsonb_build_object('input_tokens', answer.input_tokens, 'cached_input_tokens', answer.cached_input_tokens,
        'output_tokens', answer.output_tokens, 'reasoning_tokens', answer.reasoning_tokens, 'source', answer.usage_source))));
end $$;
revoke all on function private.answer_metadata(public.answers) from public, anon, authenticated, service_role;

-- An answer as callers see it.
create function private.answer_json(answer public.answers)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return to_jsonb(answer) - 'approvals' || jsonb_build_object('metadata', private.answer_metadata(answer));
end $$;
revoke all on function private.answer_json(public.answers) from public, anon, authenticated, service_role;

-- Returns an answer with its message and its entry.
create function private.to_ended_answer(answer public.answers)
returns public.ended_answer
language plpgsql stable set search_path = ''
as $$
begin
  return row(private.answer_json(answer),
    (select to_jsonb(m) from public.messages as m where m.id = answer.message_id),
    (select to_jsonb(private.to_credit_entry(t, a.unit)) - 'replayed'
      from private.credit_transactions as t join public.credit_accounts as a on a.id = t.account_id
      where t.hold_id = answer.hold_id))::public.ended_answer;
end $$;
revoke all on function private.to_ended_answer(public.answers) from public, anon, authenticated, service_role;

-- Ending --------------------------------------------------------------------------------------------

-- Locks an answer together with its conversation or project, which is always locked first. Returns null if there is none.
create function private.lock_answer(answer_id uuid)
returns public.answers
language plpgsql volatile set search_path = ''
as $$
declare
  v_answer public.answers;
begin
  select a.* into v_answer from public.answers as a where a.id = lock_answer.answer_id;
  perform 1 from public.conversations as c where c.id = v_answer.conversation_id for no key update;
  perform 1 from public.projects as p where p.id = v_answer.project_id for no key update;
  select a.* into v_answer from public.answers as a where a.id = lock_answer.answer_id for no key update;
  return v_answer;
end $$;
revoke all on function private.lock_answer(uuid) from public, anon, authenticated, service_role;

-- Ends a running answer, which the caller has locked: answer has its new state, usage, finish_reason and error. What is stored,
-- and more pieces, become the message; the hold is charged; the parts go. An answer that has said nothing and failed costs
-- nothing, and its draft is deleted.
create function private.end_answer(answer public.answers, more jsonb default null, before integer default 2147483647)
returns public.answers
language plpgsql volatile set search_path = ''
as $$
declare
  v_parts jsonb := private.join_pieces(answer.id, more, before);
  v_said boolean := answer.output_tokens > 0 or exists (
    select from jsonb_array_elements(v_parts) as p where p.value ->> 'type' <> 'step-start');
  v_message public.messages;
  -- An entry has at most 1,000,000,000 credits.
  v_cost numeric := least(1000000000, private.price_tokens(answer.prices, answer.input_tokens, answer.cached_input_tokens,
    answer.output_tokens, answer.reasoning_tokens));
begin
  if not v_said and answer.state <> 'complete' then
    v_cost := 0;
    answer.input_tokens := 0;
    answer.cached_input_tokens := 0;
    v_parts := '[]';
  end if;
  select m.* into v_message from public.messages as m where m.id = answer.message_id for no key update;
  answer.credits := coalesce(-(private.charge_answer(answer, v_cost,
    coalesce(v_message.client_id, v_message.id::text, answer.id::text)) ->> 'amount')::numeric, 0);
  answer.ended_at := clock_timestamp();
  if v_message.id is not null then
    if v_parts = '[]' and answer.first_part = 0 and answer.state <> 'complete' then
      delete from public.messages as m where m.id = v_message.id;
    else
      -- The owner may have reached the limit of messages since the answer began, or have filled this one: it must still be
      -- saved, because an answer that cannot end is not paid for.
      perform set_config('strongroom.ending_answer', 'on', true);
      update public.messages as m
      set content = case when answer.first_part = 0 then v_parts
          else private.add_server_outputs(m.content, answer.id, more, before) || v_parts end,
        status = case when answer.state = 'complete' or v_parts = '[]' then 'complete' else 'aborted' end,
        metadata = m.metadata || jsonb_build_object('answer', private.answer_metadata(answer)),
        hold_id = coalesce(m.hold_id, answer.hold_id)
      where m.id = v_message.id;
      perform set_config('strongroom.ending_answer', '', true);
      update public.projects as p set updated_at = now() where p.id = v_message.project_id and p.updated_at <> now();
      update public.conversations as c set updated_at = now()
      where c.id = v_message.conversation_id and c.updated_at <> now();
    end if;
  end if;
  answer.approvals := (
    select jsonb_object_agg(p.value #>> '{approval,id}', private.call_digest(p.value))
    from jsonb_array_elements(v_parts) as p where p.value ->> 'state' = 'approval-requested');
  delete from public.answer_parts as p where p.answer_id = answer.id;
  update public.answers as a
  set state = answer.state, attempts = answer.attempts, credits = answer.credits, input_tokens = answer.input_tokens,
    cached_input_tokens = answer.cached_input_tokens, output_tokens = answer.output_tokens,
    reasoning_tokens = answer.reasoning_tokens, usage_source = answer.usage_source, finish_reason = answer.finish_reason,
    error = answer.error, approvals = answer.approvals, ended_at = answer.ended_at
  where a.id = answer.id
  returning a.* into answer;
  return answer;
end $$;

revoke all on function private.end_answer(public.answers, jsonb, integer) from public, anon, authenticated, service_role;

-- Abandoned answers ---------------------------------------------------------------------------------

-- Whether a running answer has given no sign of life for answers.silence.
create function private.is_abandoned(answer public.answers)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return answer.state = 'running' and clock_timestamp() - private.retention('answers.silence') > coalesce(
    (select p.written_at from public.answer_parts as p where p.answer_id = answer.id order by p.number desc limit 1),
    answer.created_at);
end $$;
revoke all on function private.is_abandoned(public.answers) from public, anon, authenticated, service_role;

-- Ends a running answer, which the caller has locked, for what is stored. Returns it as it is then.
create function private.abandon_answer(answer public.answers)
returns public.answers
language plpgsql volatile set search_path = ''
as $$
begin
  select p.input_tokens, p.output_tokens into answer.input_tokens, answer.output_tokens
  from public.answer_parts as p where p.answer_id = answer.id order by p.number desc limit 1;
  answer.input_tokens := coalesce(answer.input_tokens, 0);
  answer.output_tokens := coalesce(answer.output_tokens, 0);
  answer.usage_source := 'counted';
  answer.state := 'abandoned';
  return private.end_answer(answer);
end $$;
revoke all on function private.abandon_answer(public.answers) from public, anon, authenticated, service_role;

-- Ends an answer whose function was killed. Returns the answer as it is then.
create function private.settle_answer(answer_id uuid)
returns public.answers
language plpgsql volatile set search_path = ''
as $$
declare
  v_answer public.answers := private.lock_answer(answer_id);
begin
  return case when private.is_abandoned(v_answer) then private.abandon_answer(v_answer) else v_answer end;
end $$;
revoke all on function private.settle_answer(uuid) from public, anon, authenticated, service_role;

-- Ends running answers of a user whose account is being deleted: in the projects of teams, what is written stays, and the
-- team pays for it. Returns how many it has ended.
create function private.end_answers_of(user_id uuid, portion integer)
returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_id uuid;
  v_answer public.answers;
  v_ended integer := 0;
begin
  for v_id in
    select a.id from public.answers as a
    where a.user_id = end_answers_of.user_id and a.state = 'running' and a.project_id is not null
    order by a.id limit portion
  loop
    v_answer := private.lock_answer(v_id);
    if v_answer.state = 'running' then
      perform private.abandon_answer(v_answer);
    end if;
    v_ended := v_ended + 1;
  end loop;
  return v_ended;
end $$;
revoke all on function private.end_answers_of(uuid, integer) from public, anon, authenticated, service_role;

insert into private.account_rows (name, place, statement) values
  ('running_answers', 5, 'select from generate_series(1, private.end_answers_of($1, $2))');

-- Writing -------------------------------------------------------------------------------------------

create type public.answer_progress as (
  answer_id uuid,
  state text,
  stop_requested boolean
);
comment on type public.answer_progress is 'The state of an answer, and whether to stop it';

-- Stores what running answers have said since the last call. parts is a list of at most 1,000 {answer_id, number, pieces,
-- input_tokens, output_tokens}, each of another answer: pieces [{part, type, text ...}] under the answer's next number. An
-- empty list of pieces is a sign of life. The same number again changes nothing. input_tokens and output_tokens are what the
-- server has counted so far. Returns a row for each answer: how it is, and whether to stop it, because its user has asked for
-- that, or its conversation or project has been deleted; state is null if there is none any more. An answer that another
-- transaction is changing, such as one that ends it, has no row: nothing was stored of it, and the others do not wait for it.
-- Definer: not even the service may write the tables of answers. For the service only.
-- Raises: PT422 invalid_pieces, and then stores nothing.
create function public.append_answer_parts(parts jsonb)
returns setof public.answer_progress
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if (jsonb_typeof(parts) = 'array') is not true or jsonb_array_length(parts) > 1000 or exists (
    select from jsonb_array_elements(parts) as p
    where (jsonb_typeof(p.value) = 'object' and jsonb_typeof(p.value -> 'pieces') = 'array'
      and private.json_uuid(p.value -> 'answer_id') is not null
      and (p.value ->> 'number')::integer >= 0 and (p.value ->> 'input_tokens')::bigint >= 0
      and (p.value ->> 'output_tokens')::bigint >= 0) is not true) then
    raise exception 'parts must be a list of at most 1,000, each with a list of pieces, and the numbers must be 0 or more'
      using errcode = 'PT422', detail = 'invalid_pieces';
  end if;
  return query
  with given as materialized (
    select p.* from jsonb_to_recordset(parts) as p (
      answer_id uuid, number integer, pieces jsonb, input_tokens bigint, output_tokens bigint)
  ), running as materialized (
    -- Keeps an answer from ending before its part is there.
    select a.id, a.user_id, a.ephemeral, a.state, a.stop_requested, a.conversation_id, a.project_id from public.answers as a
    where a.id = any (array(select g.answer_id from given as g))
    for share skip locked
  ), written as (
    insert into public.answer_parts (answer_id, number, user_id, pieces, input_tokens, output_tokens)
    select g.answer_id, g.number, r.user_id, case when r.ephemeral then '[]' else g.pieces end, g.input_tokens, g.output_tokens
    from given as g join running as r on r.id = g.answer_id
    where r.state = 'running'
    on conflict do nothing
  )
  -- Without its conversation or project, which somebody has deleted, nobody reads the rest.
  select g.answer_id, r.state,
    r.stop_requested or not r.ephemeral and r.conversation_id is null and r.project_id is null
  from given as g left join running as r on r.id = g.answer_id
  where r.id is not null or not exists (select from public.answers as a where a.id = g.answer_id);
end $$;
revoke all on function public.append_answer_parts(jsonb) from public, anon, authenticated;
grant execute on function public.append_answer_parts(jsonb) to service_role;

-- Ends a running answer: what was stored under lower numbers than number, and the last pieces, become its message; usage
-- is charged at the prices of the beginning; the rest of the hold is released. state is complete, stopped or failed. usage is {input_tokens,
-- cached_input_tokens, output_tokens, reasoning_tokens, source}; source is provider or counted. Returns the answer as it is
-- then; null if there is none any more. A repeat, or a call that comes after another has ended the answer, changes nothing.
-- Definer: as append_answer_parts.
-- Raises: PT422 invalid_ending.
create function public.finish_answer(
  answer_id uuid,
  state text,
  usage jsonb,
  pieces jsonb default '[]',
  number integer default 2147483647,
  finish_reason text default null,
  error text default null,
  attempts integer default 1
)
returns public.ended_answer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_answer public.answers;
  v_usage record;
begin
  select coalesce(u.input_tokens, 0) as input_tokens, coalesce(u.cached_input_tokens, 0) as cached_input_tokens,
    coalesce(u.output_tokens, 0) as output_tokens, coalesce(u.reasoning_tokens, 0) as reasoning_tokens, u.source
  into v_usage
  from jsonb_to_record(usage) as u (
    input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, reasoning_tokens bigint, source text);
  if (finish_answer.state in ('complete', 'stopped', 'failed') and jsonb_typeof(pieces) = 'array'
    and v_usage.source in ('provider', 'counted')
    and least(v_usage.input_tokens, v_usage.cached_input_tokens, v_usage.output_tokens, v_usage.reasoning_tokens) >= 0
    and greatest(v_usage.input_tokens, v_usage.output_tokens) <= 1000000000) is not true then
    raise exception 'The state, the usage or the pieces of the answer are invalid' using errcode = 'PT422', detail = 'invalid_ending';
  end if;
  v_answer := private.lock_answer(answer_id);
  if v_answer.id is null then
    return null;
  end if;
  if v_answer.state = 'running' then
    v_answer.state := finish_answer.state;
    v_answer.attempts := finish_answer.attempts;
    v_answer.input_tokens := v_usage.input_tokens;
    v_answer.cached_input_tokens := v_usage.cached_input_tokens;
    v_answer.output_tokens := v_usage.output_tokens;
    v_answer.reasoning_tokens := v_usage.reasoning_tokens;
    v_answer.usage_source := v_usage.source;
    v_answer.finish_reason := left(finish_answer.finish_reason, 50);
    v_answer.error := left(finish_answer.error, 50);
    v_answer := private.end_answer(v_answer, pieces, number);
  end if;
  return private.to_ended_answer(v_answer);
end $$;
revoke all on function public.finish_answer(uuid, text, jsonb, jsonb, integer, text, text, integer) from public, anon, authenticated;
grant execute on function public.finish_answer(uuid, text, jsonb, jsonb, integer, text, text, integer) to service_role;
