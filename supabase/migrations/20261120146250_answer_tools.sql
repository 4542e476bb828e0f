-- Tools: what a client's tools have returned, what the server's have, and what its user has approved.

-- Returns a digest of a call: which tool is to be run, and with which input. Users can edit their messages, so that the part
-- of a message does not prove what they were asked.
create function private.call_digest(part jsonb)
returns text
language sql stable set search_path = ''
as $$
  select encode(sha256(convert_to(jsonb_build_array(part -> 'type', part -> 'toolCallId', part -> 'input')::text, 'UTF8')), 'hex')
$$;
revoke all on function private.call_digest(jsonb) from public, anon, authenticated, service_role;

-- Returns all values in JSON with their paths, the numbers as JavaScript reads them: a client that sends an input back has
-- rounded 12345678901234567890.
create function private.rounded_values(value jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  with recursive v as (
    select array[]::text[] as path, rounded_values.value
    union all
    select v.path || c.key, c.value
    from v cross join lateral (
      select o.key, o.value from jsonb_each(case jsonb_typeof(v.value) when 'object' then v.value else '{}' end) as o
      union all
      select a.ordinality::text, a.value
      from jsonb_array_elements(case jsonb_typeof(v.value) when 'array' then v.value else '[]' end) with ordinality as a) as c)
  select jsonb_agg(jsonb_build_array(v.path, jsonb_typeof(v.value), case
    when jsonb_typeof(v.value) in ('object', 'array') then null
    when jsonb_typeof(v.value) = 'number' and abs(v.value::numeric) between 1e-300 and 1e300
      then to_jsonb((v.value #>> '{}')::float8)
    else v.value end) order by v.path)
  from v
$$;
revoke all on function private.rounded_values(jsonb) from public, anon, authenticated, service_role;

-- Returns the part of a call with its output, {state, output, errorText}. Without one, a call that was to be run has failed:
-- it must not be run later, because it may have been run already.
create function private.with_output(part jsonb, output jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  select case
    when output is not null then part || output
    when part ->> 'state' is distinct from 'approval-responded' then part
    when part #>> '{approval,approved}' = 'false' then part || '{"state": "output-denied"}'
    else part || '{"state": "output-error", "errorText": "The answer ended before the tool returned"}' end
$$;
revoke all on function private.with_output(jsonb, jsonb) from public, anon, authenticated, service_role;

-- Returns the parts of earlier steps with what the server's tools have returned in this answer: its pieces of the type
-- output, those that are stored under lower numbers than before, and more.
create function private.add_server_outputs(parts jsonb, answer_id uuid, more jsonb, before integer)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  if jsonb_typeof(parts) is distinct from 'array' then
    return coalesce(nullif(parts, 'null'), '[]');
  end if;
  return (
    select coalesce(jsonb_agg(private.with_output(p.value, o.output) order by p.ordinality), '[]')
    from jsonb_array_elements(parts) with ordinality as p
    left join (
      select (i.value ->> 'part')::integer as part, (array_agg(i.value -> 'output'))[1] as output
      from (
        select x.pieces from public.answer_parts as x
        where x.answer_id = add_server_outputs.answer_id and x.number < before
        union all
        select coalesce(more, '[]')) as s
      cross join jsonb_array_elements(s.pieces) as i
      where i.value ->> 'type' = 'output'
      group by 1) as o on o.part = p.ordinality - 1);
end $$;
revoke all on function private.add_server_outputs(jsonb, uuid, jsonb, integer) from public, anon, authenticated, service_role;

-- Returns the parts of a message with what its user says to the calls that wait for approval: posted are the parts that the
-- client sent. The state of a call that was approved or denied is approval-responded; the function runs only these. Each
-- approval counts once, from the user who was asked, for the call that was shown. The caller has locked the message.
-- Raises: PT409 approval_not_pending {approval_id}; PT422 approval_changed {approval_id}, invalid_approval.
create function private.take_approvals(message public.messages, posted jsonb, user_id uuid)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_parts jsonb := private.add_server_outputs(message.content, null, null, 0);
  v_response jsonb;
  v_id text;
  v_place integer;
  v_part jsonb;
  v_digest text;
begin
  for v_response in
    select x.value from jsonb_array_elements(case jsonb_typeof(posted) when 'array' then posted else '[]' end) as x
    where x.value ->> 'state' = 'approval-responded'
  loop
    v_id := v_response #>> '{approval,id}';
    select p.ordinality - 1, p.value into v_place, v_part
    from jsonb_array_elements(v_parts) with ordinality as p
    where p.value ->> 'state' = 'approval-requested' and p.value #>> '{approval,id}' = v_id
      and p.value -> 'toolCallId' = v_response -> 'toolCallId'
    limit 1;
    select a.approvals ->> v_id into v_digest from public.answers as a
    where a.id = private.json_uuid(to_jsonb(split_part(v_id, '/', 1))) and a.user_id = take_approvals.user_id
      and a.message_id = message.id
    for no key update;
    if v_part is null or v_digest is null then
      raise exception 'No call with this approval is waiting for you'
        using errcode = 'PT409', detail = format('approval_not_pending %s', jsonb_build_object('approval_id', left(v_id, 100))),
          hint = 'Load the conversation again: the call may have been approved or denied already';
    end if;
    if v_digest <> private.call_digest(v_part) or v_response -> 'input' is distinct from v_part -> 'input'
      and private.rounded_values(v_response -> 'input') is distinct from private.rounded_values(v_part -> 'input')
    then
      raise exception 'The call is not the one that the user was asked to approve'
        using errcode = 'PT422', detail = format('approval_changed %s', jsonb_build_object('approval_id', left(v_id, 100))),
          hint = 'Send the input of the call as the server sent it';
    end if;
    if jsonb_typeof(v_response #> '{approval,approved}') is distinct from 'boolean' then
      raise exception 'approval.approved must be true or false' using errcode = 'PT422', detail = 'invalid_approval',
        hint = 'Send true to approve the call, or false to deny it';
    end if;
    update public.answers as a set approvals = a.approvals - v_id
    where a.id = private.json_uuid(to_jsonb(split_part(v_id, '/', 1)));
    v_parts := jsonb_set(v_parts, array[v_place::text], v_part || jsonb_build_object('state', 'approval-responded',
      'approval', jsonb_strip_nulls(jsonb_build_object('id', v_id, 'approved', v_response #> '{approval,approved}',
        'reason', left(v_response #>> '{approval,reason}', 1000)))));
  end loop;
  return v_parts;
end $$;
revoke all on function private.take_approvals(public.messages, jsonb, uuid) from public, anon, authenticated, service_role;

-- Puts what a client's tools have returned into the parts of an answer, and returns the parts. Of posted, only the outputs
-- of calls count that have none yet. changed: whether the parts have changed already.
-- Raises: PT409 nothing_to_answer, if nothing changes; PT422 tool_output_missing {tool_call_ids}, if a call still has no
-- output, or waits for approval.
create function private.add_tool_outputs(parts jsonb, posted jsonb, changed boolean default false)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
  v_parts jsonb;
  v_missing jsonb;
begin
  select jsonb_agg(case when o.value is null then p.value
      else p.value || jsonb_strip_nulls(jsonb_build_object('state', o.value -> 'state', 'errorText', o.value -> 'errorText'))
        || case when o.value ->> 'state' = 'output-available'
          then jsonb_build_object('output', coalesce(o.value -> 'output', 'null')) else '{}' end end order by p.ordinality),
    jsonb_agg(p.value -> 'toolCallId' order by p.ordinality)
      filter (where o.value is null and p.value ->> 'state' in ('input-available', 'approval-requested'))
  into v_parts, v_missing
  from jsonb_array_elements(parts) with ordinality as p
  left join lateral (
    select x.value from jsonb_array_elements(case jsonb_typeof(posted) when 'array' then posted else '[]' end) as x
    where p.value ->> 'state' = 'input-available' and x.value ->> 'toolCallId' = p.value ->> 'toolCallId'
      and x.value ->> 'state' in ('output-available', 'output-error', 'output-denied')
    limit 1) as o on true;
  if v_missing is not null then
    raise exception 'A tool call has no output or approval yet'
      using errcode = 'PT422', detail = format('tool_output_missing %s', jsonb_build_object('tool_call_ids', v_missing)),
        hint = 'Send the message again with the outputs or approvals of all its tool calls';
  end if;
  if not changed and v_parts is not distinct from parts then
    raise exception 'The answer has no tool call that waits for its output'
      using errcode = 'PT409', detail = 'nothing_to_answer', hint = 'Send a user message, or regenerate the answer';
  end if;
  return v_parts;
end $$;
revoke all on function private.add_tool_outputs(jsonb, jsonb, boolean) from public, anon, authenticated, service_role;

-- Returns the parts of an answer that goes on: with the approvals and the outputs that the client sent.
-- Raises: what take_approvals and add_tool_outputs raise.
create function private.continue_parts(message public.messages, posted jsonb, user_id uuid)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_parts jsonb := private.take_approvals(message, posted, user_id);
begin
  return private.add_tool_outputs(v_parts, posted, jsonb_path_exists(v_parts, '$[*] ? (@.state == "approval-responded")'));
end $$;
revoke all on function private.continue_parts(public.messages, jsonb, uuid) from public, anon, authenticated, service_role;
