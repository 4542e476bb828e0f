-- Beginning an answer: the question is saved, the most that the answer may cost is held, and a draft is opened for it, in one
-- transaction.

-- Counting ------------------------------------------------------------------------------------------

-- Returns how many tokens the content of a message is taken for before a provider has counted them: one for each three
-- bytes of its JSON, 1,500 for each file, and 8 for the message. English has about four bytes to a token, so that this is
-- rather too many than too few.
create function private.estimate_tokens(content jsonb)
returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  return 8 + case jsonb_typeof(content)
    when 'array' then coalesce((
      select sum(case p.value ->> 'type' when 'file' then 1500 else ceil(octet_length(p.value::text) / 3.0) end)
      from jsonb_array_elements(content) as p), 0)
    else ceil(octet_length(content::text) / 3.0) end::bigint;
end $$;
revoke all on function private.estimate_tokens(jsonb) from public, anon, authenticated, service_role;

-- Returns a part of a URL without its escapes; null if they are no text.
create function private.unescape_url(value text)
returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return (
    select convert_from(string_agg(coalesce(decode(m[1], 'hex'), convert_to(m[2], 'UTF8')), ''), 'UTF8')
    from regexp_matches(value, '%([0-9A-Fa-f]{2})|(%|[^%]+)', 'g') as m);
exception when data_exception then
  return null;
end $$;
revoke all on function private.unescape_url(text) from public, anon, authenticated, service_role;

-- Returns how many tokens the text of the files in messages [{role, content}] has, besides the 1,500 that each file is taken for:
-- one for each three bytes. Counts what is in data URLs and in the folder of the user in Storage, up to the size at which
-- files are still read, and each once, because it is given once.
create function private.estimate_file_text(user_id uuid, messages jsonb)
returns bigint
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(sum(greatest(0, ceil(x.size / 3.0) - 1500)), 0)
    from (
      select distinct f.url, s.size
      from jsonb_array_elements(messages) as m
      cross join lateral jsonb_array_elements(
        case jsonb_typeof(m.value -> 'content') when 'array' then m.value -> 'content' else '[]' end) as p
      cross join lateral (select p.value ->> 'url' as url, coalesce(substring(p.value ->> 'url' from '^storage://(.*)$'),
        substring(p.value ->> 'url' from '^https?://[^/]+/storage/v1/object/(?:(?:sign|public|authenticated)/)?([^?#]+)')) as place) as f
      cross join lateral (select case when f.url like 'data:%' then octet_length(f.url)::numeric else (
        select (o.metadata ->> 'size')::numeric from storage.objects as o
        where o.bucket_id = private.unescape_url(split_part(f.place, '/', 1))
          and o.name = private.unescape_url(substr(f.place, strpos(f.place, '/') + 1))
          and split_part(o.name, '/', 1) = estimate_file_text.user_id::text) end as size) as s
      where m.value ->> 'role' = 'user' and p.value ->> 'type' = 'file'
        and lower(btrim(split_part(p.value ->> 'mediaType', ';', 1))) ~ '^(text(/.*)?|application/(json|xml|yaml))$'
        and s.size <= case when f.url like 'data:%' then 4 else 1 end * 262144) as x);
end $$;
revoke all on function private.estimate_file_text(uuid, jsonb) from public, anon, authenticated, service_role;

-- Limits and price ----------------------------------------------------------------------------------

-- Refuses another answer of a user who has as many as allowed: at the same time, in the last 60 seconds, or in the last 60
-- seconds of one model. The caller has locked the profile of the user, so that no other request is counting.
-- Raises: PT429 too_many_answers {limit, most, retry_after}.
create function private.limit_answers(user_id uuid, model public.models)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_limit text := 'at_once';
  v_most bigint := private.setting('answers.at_once');
  v_free_at timestamptz;
begin
  if (select count(*) from public.answers as a
      where a.user_id = limit_answers.user_id and a.state = 'running') < v_most then
    v_limit := 'per_minute';
    v_most := private.setting('answers.per_minute');
    v_free_at := private.answer_free_at(limit_answers.user_id, null, v_most);
    if v_free_at is null and model.requests_per_minute is not null then
      v_limit := 'model';
      v_most := model.requests_per_minute;
      v_free_at := private.answer_free_at(limit_answers.user_id, model.name, v_most);
    end if;
    if v_free_at is null then
      return;
    end if;
  end if;
  raise exception '%', case v_limit
      when 'at_once' then format('The user has %s running answers, and can have no more', v_most)
      when 'model' then format('The user can begin %s answers of this model in 60 seconds', v_most)
      else format('The user can begin %s answers in 60 seconds', v_most) end
    using errcode = 'PT429', hint = case v_limit
        when 'at_once' then 'Wait until one of them ends, or stop it' else 'Wait for the time in retry_after' end,
      detail = format('too_many_answers %s', jsonb_build_object('limit', v_limit, 'most', v_most, 'retry_after',
        greatest(1, ceil(extract(epoch from coalesce(v_free_at - clock_timestamp(), interval '5 seconds'))))));
end $$;

-- Returns when a user may begin another answer, of one model or of any; null for now.
create function private.answer_free_at(user_id uuid, model text, most bigint)
returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  -- A value, which an index finds; with a function that moves with the clock, all answers of the user would be read.
  v_since timestamptz := clock_timestamp() - interval '60 seconds';
begin
  return (
    select a.created_at + interval '60 seconds' from public.answers as a
    where a.user_id = answer_free_at.user_id and a.created_at > v_since
      and (answer_free_at.model is null or a.model = answer_free_at.model)
    order by a.created_at desc
    offset most - 1 limit 1);
end $$;
revoke all on function private.limit_answers(uuid, public.models) from public, anon, authenticated, service_role;
revoke all on function private.answer_free_at(uuid, text, bigint) from public, anon, authenticated, service_role;

-- Returns how many tokens an answer may have: what the request wants, but not more than the model and the setting allow.
-- Raises: PT422 invalid_output_limit.
create function private.output_limit(model public.models, wanted integer)
returns integer
language plpgsql stable set search_path = ''
as $$
declare
  v_most integer := least(model.output_tokens, private.setting('answers.longest'));
begin
  if wanted < 1 then
    raise exception 'max_output_tokens must be at least 1' using errcode = 'PT422', detail = 'invalid_output_limit';
  end if;
  return least(v_most, wanted);
end $$;
revoke all on function private.output_limit(public.models, integer) from public, anon, authenticated, service_role;

-- Records an answer that is about to run, and holds the most that it may cost: output_tokens at the higher of the prices
-- of output, and the prompt once for each of the steps. The caller has locked the profile. Returns the answer.
-- Raises: PT402 insufficient_credits, member_limit_exceeded; PT404 account_not_found; PT409 too_many_holds; and what
-- limit_answers raises.
create function private.open_answer(
  answer public.answers, model public.models, output_tokens bigint, team_id uuid, steps integer default 1
)
returns public.answers
language plpgsql volatile set search_path = ''
as $$
begin
  perform private.limit_answers(answer.user_id, model);
  answer.id := gen_random_uuid();
  answer.model := model.name;
  answer.prices := jsonb_build_object('input', model.input_price,
    'cached_input', coalesce(model.cached_input_price, model.input_price), 'output', model.output_price,
    'reasoning', coalesce(model.reasoning_price, model.output_price));
  answer.held := private.price_tokens(answer.prices, answer.input_tokens * steps, 0, open_answer.output_tokens,
    case when model.reasoning_price > model.output_price then open_answer.output_tokens else 0 end);
  if answer.held > 0 then
    -- Longer than any answer takes, with time to settle it if its function is killed.
    answer.hold_id := (public.hold_credits(answer.user_id, amount => answer.held,
      expires_in => least(private.setting('credits.longest_hold'),
        private.setting('answers.total_time') + private.setting('answers.silence') + 3600)::integer,
      description => format('Answer of %s', model.name), team_id => open_answer.team_id)).id;
  end if;
  insert into public.answers as a
    (id, user_id, conversation_id, project_id, question_id, message_id, first_part, model, prices, ephemeral, hold_id, held,
      input_tokens, created_at)
  values (answer.id, answer.user_id, answer.conversation_id, answer.project_id, answer.question_id, answer.message_id,
    coalesce(answer.first_part, 0), answer.model, answer.prices, coalesce(answer.ephemeral, false), answer.hold_id,
    answer.held, answer.input_tokens, clock_timestamp())
  returning a.* into answer;
  return answer;
end $$;
revoke all on function private.open_answer(public.answers, public.models, bigint, uuid, integer)
  from public, anon, authenticated, service_role;

-- What the function has to keep to.
create function private.answer_limits(model public.models, output_tokens bigint, present jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_build_object('context_tokens', model.context_tokens, 'output_tokens', output_tokens,
      'total_time', private.setting('answers.total_time'), 'idle_time', private.setting('answers.idle_time'),
      -- The rest is for the spaces that PostgreSQL writes between the members of JSON, and for what is added at the end.
      'bytes', greatest(1024, private.setting('messages.content_size') * 0.6 - coalesce(octet_length(present::text), 0))));
end $$;
revoke all on function private.answer_limits(public.models, bigint, jsonb) from public, anon, authenticated, service_role;

-- History -------------------------------------------------------------------------------------------

-- Whether a message comes after another of the same conversation or project.
create function private.comes_after(message public.messages, other public.messages)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return case when message.project_id is null then (message.created_at, message.id) > (other.created_at, other.id)
    else message.sequence_number > other.sequence_number end;
end $$;
revoke all on function private.comes_after(public.messages, public.messages) from public, anon, authenticated, service_role;

-- Returns the newest messages of a conversation or project that fit into a number of tokens, whole and in order, as
-- [{id, role, content}], and the tokens they are taken for. The question, which is the newest, is always among them. The
-- first is never an answer, because a model must know what was asked. Drafts, and system messages of a project, are left
-- out: at most 1,000 messages are read, and 20 MiB of files in data URLs, because the function has 256 MB for all answers.
create function private.answer_history(
  project_id uuid, conversation_id uuid, draft_id uuid, most bigint, out messages jsonb, out tokens bigint
)
language plpgsql stable set search_path = ''
as $$
declare
  -- A cursor reads no more of a long conversation than fits.
  v_cursor refcursor;
  v_message public.messages;
  v_list jsonb[] := array[]::jsonb[];
  v_tokens bigint;
  v_bytes bigint := 0;
begin
  tokens := 0;
  if project_id is null then
    open v_cursor for
      select m.* from public.messages as m where m.conversation_id = answer_history.conversation_id
      order by m.created_at desc, m.id desc;
  else
    open v_cursor for
      select m.* from public.messages as m where m.project_id = answer_history.project_id
      order by m.sequence_number desc;
  end if;
  for v_round in 1..1000 loop
    fetch v_cursor into v_message;
    exit when not found;
    continue when v_message.status = 'streaming' and v_message.id is distinct from draft_id
      or v_message.content in ('[]', '""');
    v_tokens := private.estimate_tokens(v_message.content);
    v_bytes := v_bytes + (
      select coalesce(sum(octet_length(p.value ->> 'url')), 0)
      from jsonb_array_elements(case jsonb_typeof(v_message.content) when 'array' then v_message.content else '[]' end) as p
      where p.value ->> 'type' = 'file');
    exit when v_list <> array[]::jsonb[] and (tokens + v_tokens > most or v_bytes > 20 * 1024 * 1024);
    tokens := tokens + v_tokens;
    v_list := jsonb_build_object('id', v_message.id, 'role', v_message.role, 'content', v_message.content) || v_list;
  end loop;
  close v_cursor;
  while v_list[1] ->> 'role' = 'assistant' and cardinality(v_list) > 1 loop
    tokens := tokens - private.estimate_tokens(v_list[1] -> 'content');
    v_list := v_list[2:];
  end loop;
  messages := to_jsonb(v_list);
end $$;
revoke all on function private.answer_history(uuid, uuid, uuid, bigint) from public, anon, authenticated, service_role;

-- Replacing -----------------------------------------------------------------------------------------

-- Moves a message, and all that come after it, out of its conversation or project. With inclusive = false, only those that
-- come after it.
-- Raises: PT403 not_message_author; PT409 system_message.
create function private.replace_from(message public.messages, user_id uuid, inclusive boolean)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_row public.messages;
  v_parent uuid;
begin
  if not inclusive then
    v_parent := message.id;
  elsif message.project_id is null then
    select m.id into v_parent from public.messages as m
    where m.conversation_id = message.conversation_id and m.created_at <= message.created_at
      and (m.created_at, m.id) < (message.created_at, message.id)
    order by m.created_at desc, m.id desc
    limit 1;
  else
    select m.id into v_parent from public.messages as m
    where m.project_id = message.project_id and m.sequence_number < message.sequence_number
    order by m.sequence_number desc
    limit 1;
  end if;
  for v_row in
    select m.* from public.messages as m
    where (m.conversation_id = message.conversation_id and m.created_at >= message.created_at
        or m.project_id = message.project_id and m.sequence_number >= message.sequence_number)
      and (private.comes_after(m, message) or inclusive and m.id = message.id)
    order by m.sequence_number nulls last, m.created_at, m.id
    for update
  loop
    perform private.refuse_edit(v_row, user_id, 'user');
    insert into public.replaced_messages
      (message_id, parent_id, user_id, conversation_id, project_id, role, content, object_data, result_data, metadata,
        sequence_number, status, client_id, created_at)
    values (v_row.id, v_parent, v_row.user_id, v_row.conversation_id, v_row.project_id, v_row.role, v_row.content,
      v_row.object_data, v_row.result_data, v_row.metadata, v_row.sequence_number, v_row.status, v_row.client_id,
      v_row.created_at);
    delete from public.messages as m where m.id = v_row.id;
    v_parent := v_row.id;
  end loop;
end $$;
revoke all on function private.replace_from(public.messages, uuid, boolean) from public, anon, authenticated, service_role;
