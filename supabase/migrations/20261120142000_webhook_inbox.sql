-- The inbox of webhooks: every event is stored once, applied once, and can be replayed.

-- Whether a name can be a sender's: stripe, auth, database, or standard: and the name of a source. Which of them may send
-- is said by functions/webhooks/senders.ts, which verifies each.
create function private.is_webhook_provider(provider text)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return provider ~ '^[a-z]{1,50}(:[a-z0-9][a-z0-9_-]{0,49})?$';
end $$;
revoke all on function private.is_webhook_provider(text) from public, anon, authenticated, service_role;

-- webhook_events ------------------------------------------------------------------------------------

create table public.webhook_events (
  id bigint generated always as identity primary key,
  provider text not null,
  event_id text not null,
  type text not null,
  event_created_at timestamptz,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  payload jsonb,
  attempts integer not null default 0,
  outcome text not null,
  result jsonb,
  error text,
  constraint webhook_events_event_key unique (provider, event_id),
  -- One constraint for all columns: PostgreSQL plans each of them at every write.
  constraint webhook_events_check check (
    private.is_webhook_provider(provider)
    and char_length(event_id) between 1 and 255
    and char_length(type) between 1 and 255
    and attempts >= 0
    and case when error is null then outcome in ('processed', 'ignored') else outcome in ('failed', 'dead') end)
);
comment on table public.webhook_events is
  'Every event that another service has reported, once, and what came of it. Written by functions only.';
comment on column public.webhook_events.provider is 'The sender: stripe, auth, database, or standard:SOURCE';
comment on column public.webhook_events.event_id is 'The sender''s id, which is the same however often the event is delivered';
comment on column public.webhook_events.event_created_at is 'When it happened, according to the sender';
comment on column public.webhook_events.received_at is
  'When it was first delivered, or when a delivery brought back a payload that was no longer kept';
comment on column public.webhook_events.payload is
  'The event as it was delivered; the latest delivery if its effect failed. Null once webhooks.payload_retention is over';
comment on column public.webhook_events.attempts is 'How many times the effect was tried';
comment on column public.webhook_events.outcome is
  'processed; ignored: it has no effect here; failed: the sender sends it again; dead: its attempts are used up';
comment on column public.webhook_events.result is 'What the effect did, or {"ignored": why it did nothing}';
comment on column public.webhook_events.error is 'The error with which the effect last failed';

create index webhook_events_received_at on public.webhook_events (received_at) where payload is not null;
create index webhook_events_type on public.webhook_events (provider, type, id);
create index webhook_events_subscription on public.webhook_events ((result ->> 'subscription')) where result ? 'subscription';
create index webhook_events_open on public.webhook_events (id) where outcome in ('failed', 'dead');

-- Returns what may name users in an event.
create function private.names_in_event(payload jsonb, result jsonb, error text)
returns bigint[]
language plpgsql immutable set search_path = ''
as $$
begin
  return private.names_in(concat_ws(' ', payload::text, result::text, error));
end $$;
revoke all on function private.names_in_event(jsonb, jsonb, text) from public, anon, authenticated, service_role;
create index webhook_events_names on public.webhook_events using gin (private.names_in_event(payload, result, error));

-- The payloads of events that name a deleted user, and the names in what became of them. What arrives later belongs to
-- nobody, or to a new account with the same e-mail address.
insert into private.account_rows (name, place, statement) values
  ('webhook_events', 70, 'update public.webhook_events as e
    set payload = null, result = private.without_names(e.result::text, d)::jsonb, error = private.without_names(e.error, d)
    from private.deleted_accounts as d
    where d.user_id = $1 and e.id = any (array(
      select x.id from public.webhook_events as x
      where private.names_in_event(x.payload, x.result, x.error) && private.names_of($1)
        and x.received_at <= (select a.deleted_at from private.deleted_accounts as a where a.user_id = $1) limit $2))');

alter table public.webhook_events enable row level security;
revoke all on public.webhook_events from public, anon, authenticated, service_role;
grant select on public.webhook_events to service_role;

-- The service bypasses policies. This one states that nobody else reads the table.
create policy "the service reads the inbox" on public.webhook_events
  for select to service_role using (true);

-- webhook_refusals ----------------------------------------------------------------------------------

create table public.webhook_refusals (
  provider text not null,
  reason text not null,
  day date not null default (now() at time zone 'UTC')::date,
  deliveries bigint not null default 1,
  primary key (provider, reason, day),
  constraint webhook_refusals_provider_check check (private.is_webhook_provider(provider)),
  constraint webhook_refusals_reason_check check (reason ~ '^[a-z_]{1,50}$')
);
comment on table public.webhook_refusals is
  'How many deliveries were refused per day (UTC): nothing else of them is kept. Written by functions only.';
comment on column public.webhook_refusals.provider is 'As in webhook_events; standard without a source is one that is not configured';
comment on column public.webhook_refusals.reason is 'The code of the response';

alter table public.webhook_refusals enable row level security;
revoke all on public.webhook_refusals from public, anon, authenticated, service_role;
grant select on public.webhook_refusals to service_role;

-- The service bypasses policies. This one states that nobody else reads the table.
create policy "the service reads how many were refused" on public.webhook_refusals
  for select to service_role using (true);

-- Counts a refused delivery.
-- Definer: not even the service may write the inbox directly. For the service only, which passes a code of its own as the
-- reason: nothing that a refused sender sends is stored.
-- Raises: PT422 invalid_webhook_event.
create function public.count_webhook_refusal(provider text, reason text)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if provider is null or reason is null
    or not private.is_webhook_provider(provider) or reason !~ '^[a-z_]{1,50}$' then
    raise exception '%', case
        when provider is null or not private.is_webhook_provider(provider) then 'provider must be a name such as stripe or standard:acme'
        else 'reason must be 1 to 50 lower-case letters or underscores' end
      using errcode = 'PT422', detail = 'invalid_webhook_event';
  end if;
  insert into public.webhook_refusals as r (provider, reason)
  values (count_webhook_refusal.provider, count_webhook_refusal.reason)
  on conflict on constraint webhook_refusals_pkey do update set deliveries = r.deliveries + 1;
end $$;
revoke all on function public.count_webhook_refusal(text, text) from public, anon, authenticated;
grant execute on function public.count_webhook_refusal(text, text) to service_role;

-- Effects -------------------------------------------------------------------------------------------

create table private.webhook_handlers (
  provider text not null,
  type text not null,
  handler text not null,
  primary key (provider, type),
  constraint webhook_handlers_handler_check check (handler ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$')
);
comment on table private.webhook_handlers is
  'Which function handles which events: handler(public.webhook_events) returns jsonb, what it did, or null or {"ignored": reason} when the event does not concern it';
comment on column private.webhook_handlers.type is 'Type of the events, or * for all types that have no handler of their own';
-- Text, not regprocedure: pg_upgrade refuses tables with columns of that type.
comment on column private.webhook_handlers.handler is 'schema.function';
revoke all on private.webhook_handlers from public, anon, authenticated, service_role;

-- Returns the name of the function that handles an event, or null.
create function private.webhook_handler(provider text, type text)
returns text
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select h.handler from private.webhook_handlers as h
    where h.provider = webhook_handler.provider and h.type in (webhook_handler.type, '*')
    order by h.type = '*'
    limit 1);
end $$;
revoke all on function private.webhook_handler(text, text) from public, anon, authenticated, service_role;

-- Writes private.handle_webhook_event, which calls the handler of an event and returns what it did, or null when there is
-- none. It is written anew whenever webhook_handlers changes, because a call of a function whose name is in a table is
-- planned every time.
create function private.write_webhook_dispatch()
returns trigger
language plpgsql volatile set search_path = ''
as $$
declare
  v_branches text := (
    select string_agg(format('  if event.provider = %L%s then return %s(event); end if;', h.provider, h.types, h.handler),
      E'\n' order by h.types is null, h.provider, h.handler)
    from (
      select x.provider, x.handler, ' and event.type in (' || string_agg(quote_literal(x.type), ', ' order by x.type) || ')' as types
      from private.webhook_handlers as x where x.type <> '*' group by x.provider, x.handler
      union all
      select x.provider, x.handler, null from private.webhook_handlers as x where x.type = '*'
    ) as h);
begin
  execute format($function$
create or replace function private.handle_webhook_event(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as %L$function$, format(E'\nbegin\n%s\n  return null;\nend ', v_branches));
  revoke all on function private.handle_webhook_event(public.webhook_events)
    from public, anon, authenticated, service_role;
  return null;
end $$;
comment on function private.write_webhook_dispatch() is
  'Trigger function: writes private.handle_webhook_event from the rows of private.webhook_handlers';
revoke all on function private.write_webhook_dispatch() from public, anon, authenticated, service_role;

create trigger write_webhook_dispatch after insert or update or delete or truncate on private.webhook_handlers
  for each statement execute function private.write_webhook_dispatch();
-- Inserts no row: the trigger writes the function for a database that has no handlers, too.
insert into private.webhook_handlers (provider, type, handler) select 'none', 'none', 'private.none' where false;

-- Returns the current row of the table row_of that has the record's primary key, and its version; nulls when there is none.
create function private.read_recorded_row(row_of text, record jsonb, out current_row jsonb, out version text)
language plpgsql volatile set search_path = ''
as $$
declare
  v_table regclass := to_regclass(row_of);
  v_key text;
begin
  select string_agg(format('t.%1$I = r.%1$I', a.attname), ' and ' order by a.attnum) into v_key
  from pg_catalog.pg_index as i
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
  where i.indrelid = v_table and i.indisprimary;
  if v_key is null then
    raise exception 'Table % does not exist or has no primary key', row_of
      using errcode = 'PT422', detail = 'invalid_webhook_event';
  end if;
  execute format('select to_jsonb(t), concat(t.xmin, t.ctid) from %s as t, jsonb_populate_record(null::%s, $1) as r where %s',
    v_table, v_table, v_key)
  into current_row, version using record;
end $$;
revoke all on function private.read_recorded_row(text, jsonb) from public, anon, authenticated, service_role;

-- Applies the effect of a Database Webhook. It is not signed, so only what the database confirms is believed: its record
-- becomes the row as it is now. Returns null when no effect is defined for it, when the row does not exist, or when a row
-- reported as deleted still does.
create function private.handle_database_webhook(event public.webhook_events)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted boolean := event.payload ->> 'type' = 'DELETE';
  v_row jsonb;
begin
  -- Only tables with a handler are read, whatever is sent.
  if private.webhook_handler(event.provider, event.type) is null then
    return null;
  end if;
  v_row := (private.read_recorded_row(format('%I.%I', event.payload ->> 'schema', event.payload ->> 'table'),
    case when v_deleted then event.payload -> 'old_record' else event.payload -> 'record' end)).current_row;
  if v_deleted <> (v_row is null) then
    return null;
  end if;
  if not v_deleted then
    event.payload := event.payload || jsonb_build_object('record', v_row);
  end if;
  return private.handle_webhook_event(event);
end $$;
revoke all on function private.handle_database_webhook(public.webhook_events)
  from public, anon, authenticated, service_role;

-- Applies the effect of an event and returns the event with what came of it, for the caller to store. If the effect fails,
-- its changes are undone, and the event has the error. A passing failure (a deadlock, a database at its limit) is raised
-- instead: the caller repeats the call as if it had not been made. The caller holds the lock of the event.
create function private.apply_webhook_event(event public.webhook_events)
returns public.webhook_events
language plpgsql volatile set search_path = ''
as $$
declare
  v_state text;
  v_message text;
  v_detail text;
begin
  begin
    event.result := case event.provider when 'database' then private.handle_database_webhook(event)
      else private.handle_webhook_event(event) end;
    event.error := null;
    event.outcome := case when event.result is null or event.result ? 'ignored' then 'ignored' else 'processed' end;
    event.processed_at := clock_timestamp();
  exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail;
    -- Transaction rollback, insufficient resources, not available, intervention, system error, connection, internal.
    if left(v_state, 2) in ('40', '53', '55', '57', '58', '08', 'XX') then
      raise;
    end if;
    event.result := null;
    event.error := left(format('%s: %s', case when v_state ~ '^PT' then split_part(v_detail, ' ', 1) else v_state end,
      v_message), 2000);
    event.outcome := case
      when event.attempts + 1 >= private.setting('webhooks.max_attempts') then 'dead' else 'failed' end;
    event.processed_at := null;
  end;
  event.attempts := event.attempts + 1;
  return event;
end $$;
revoke all on function private.apply_webhook_event(public.webhook_events) from public, anon, authenticated, service_role;

-- Writes what an attempt or a delivery has changed of an event in the inbox. The caller holds the lock of the event.
create function private.update_webhook_event(event public.webhook_events)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.webhook_events as e
  set payload = event.payload, event_created_at = event.event_created_at, received_at = event.received_at,
    attempts = event.attempts, outcome = event.outcome, result = event.result, error = event.error,
    processed_at = event.processed_at
  where e.id = event.id;
end $$;
revoke all on function private.update_webhook_event(public.webhook_events) from public, anon, authenticated, service_role;

-- Receiving -----------------------------------------------------------------------------------------

create type public.webhook_receipt as (
  id bigint,
  provider text,
  event_id text,
  type text,
  outcome text,
  attempts integer,
  result jsonb,
  error text,
  replayed boolean
);
comment on type public.webhook_receipt is
  'What came of a delivery; replayed is true when an earlier delivery did the work';

-- Stores an event and applies its effect, once. The same event again, later or at the same time, returns what the first
-- delivery did. An event whose effect failed is tried again with the payload of the new delivery, until
-- webhooks.max_attempts is reached; after that the latest payload is kept for a replay.
-- event_created is when it happened, or null. outcome says what came of it; a failed event is for the sender to repeat.
-- Definer: not even the service may write the inbox directly. For the service only, which has verified the sender.
-- Raises: PT422 invalid_webhook_event.
create function public.receive_webhook_event(
  provider text,
  event_id text,
  type text,
  payload jsonb,
  event_created timestamptz default null
)
returns public.webhook_receipt
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event public.webhook_events;
  v_replayed boolean;
  v_newer boolean;
begin
  if (private.is_webhook_provider(provider) and char_length(event_id) between 1 and 255
    and char_length(type) between 1 and 255 and jsonb_typeof(payload) = 'object'
    and isfinite(coalesce(event_created, now()))) is not true then
    raise exception '%', case
        when provider is null or not private.is_webhook_provider(provider) then 'provider must be a name such as stripe or standard:acme'
        when event_id is null or char_length(event_id) not between 1 and 255 then 'event_id must be 1 to 255 characters long'
        when type is null or char_length(type) not between 1 and 255 then 'type must be 1 to 255 characters long'
        when payload is null or jsonb_typeof(payload) <> 'object' then 'payload must be a JSON object'
        else 'event_created must be a time, not infinity' end
      using errcode = 'PT422', detail = 'invalid_webhook_event';
  end if;
  -- Most repeats are of events that are done: to say so takes no lock and writes nothing.
  select e.* into v_event from public.webhook_events as e
  where e.provider = receive_webhook_event.provider and e.event_id = receive_webhook_event.event_id
    and (e.outcome = 'processed' or e.outcome = 'ignored' and e.payload is not null
      or e.outcome = 'dead' and e.payload = receive_webhook_event.payload);
  v_replayed := found;
  if not v_replayed then
    -- Of two deliveries at the same time, the second waits here for the first. The row cannot be the lock: it is written
    -- once, when the outcome is known.
    perform pg_advisory_xact_lock(hashtextextended('webhook:' || provider || ':' || event_id, 0));
    select e.* into v_event from public.webhook_events as e
    where e.provider = receive_webhook_event.provider and e.event_id = receive_webhook_event.event_id
    for update;
    if not found then
      v_event := private.apply_webhook_event(row(nextval('public.webhook_events_id_seq'), provider, event_id, type,
        event_created, now(), null, payload, 0, 'failed', null, null)::public.webhook_events);
      insert into public.webhook_events overriding system value values (v_event.*);
    else
      v_replayed := v_event.outcome <> 'failed';
      -- An event that had its effect stays as it was. Of the others the latest delivery counts: the sender may have
      -- corrected it, or sent it again so that it can be replayed.
      v_newer := v_event.type = receive_webhook_event.type
        and (v_event.outcome in ('failed', 'dead') or v_event.outcome = 'ignored' and v_event.payload is null)
        and v_event.payload is distinct from receive_webhook_event.payload;
      if v_newer then
        v_event.received_at := case when v_event.payload is null then now() else v_event.received_at end;
        v_event.payload := receive_webhook_event.payload;
        v_event.event_created_at := event_created;
      end if;
      if not v_replayed then
        v_event := private.apply_webhook_event(v_event);
      end if;
      if v_newer or not v_replayed then
        perform private.update_webhook_event(v_event);
      end if;
    end if;
  end if;
  return row(v_event.id, v_event.provider, v_event.event_id, v_event.type, v_event.outcome, v_event.attempts,
    v_event.result, v_event.error, v_replayed)::public.webhook_receipt;
end $$;
revoke all on function public.receive_webhook_event(text, text, text, jsonb, timestamptz)
  from public, anon, authenticated;
grant execute on function public.receive_webhook_event(text, text, text, jsonb, timestamptz) to service_role;

-- Replaying -----------------------------------------------------------------------------------------

create type public.webhook_replay as (
  replayed integer,
  processed integer,
  ignored integer,
  failed integer,
  payload_gone integer,
  errors jsonb,
  next_after bigint
);
comment on type public.webhook_replay is
  'What came of a replay: how many events were applied again, by outcome; how many could not be because their payload is no longer kept; errors [{id, event_id, error}]; next_after is for the next call, null when there is no more';

-- Applies events again: one event, or those received in a range of time, of one provider or type if given, in the order of
-- their ids. A call applies at most batch (1 to 500) events whose id is greater than after. That is safe: an effect that
-- was applied is not applied a second time, and one that failed or was ignored is applied if it can be now.
-- Definer: not even the service may write the inbox directly. For the service only.
-- Raises: PT404 webhook_event_not_found; PT409 webhook_payload_gone, for one event; PT422 invalid_replay.
create function public.replay_webhook_events(
  event_id text default null,
  provider text default null,
  type text default null,
  received_from timestamptz default null,
  received_before timestamptz default null,
  after bigint default 0,
  batch integer default 100
)
returns public.webhook_replay
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event public.webhook_events;
  v_before public.webhook_events;
  v_id bigint;
  v_ids bigint[];
  v_replay public.webhook_replay;
begin
  if num_nonnulls(event_id, coalesce(received_from, received_before)) <> 1
    or event_id is not null and (provider is null or type is not null)
    or not isfinite(coalesce(received_from, now())) or not isfinite(coalesce(received_before, now()))
    or after is null or batch is null or batch not between 1 and 500 then
    raise exception '%', case
        when num_nonnulls(event_id, coalesce(received_from, received_before)) <> 1
          then 'Give either event_id or a range of time with received_from, received_before or both'
        when event_id is not null and provider is null then 'With event_id, provider is required'
        when event_id is not null and type is not null then 'With event_id, type must be left out'
        when after is null then 'after must be a number'
        when batch is null or batch not between 1 and 500 then 'batch must be a number from 1 to 500'
        else 'received_from and received_before must be times, not infinity' end
      using errcode = 'PT422', detail = 'invalid_replay';
  end if;
  v_replay := row(0, 0, 0, 0, 0, '[]', null)::public.webhook_replay;
  if replay_webhook_events.event_id is not null then
    v_ids := array(
      select e.id from public.webhook_events as e
      where e.provider = replay_webhook_events.provider and e.event_id = replay_webhook_events.event_id);
  else
    v_ids := array(
      select e.id from public.webhook_events as e
      where e.id > replay_webhook_events.after
        and (replay_webhook_events.provider is null or e.provider = replay_webhook_events.provider)
        and (replay_webhook_events.type is null or e.type = replay_webhook_events.type)
        and (received_from is null or e.received_at >= received_from)
        and (received_before is null or e.received_at < received_before)
      order by e.id
      limit batch);
  end if;
  foreach v_id in array v_ids
  loop
    v_replay.next_after := v_id;
    select e.* into v_before from public.webhook_events as e where e.id = v_id for update;
    if v_before.payload is null then
      v_replay.payload_gone := v_replay.payload_gone + 1;
      continue;
    end if;
    v_event := private.apply_webhook_event(v_before);
    v_replay.replayed := v_replay.replayed + 1;
    case
      when v_event.outcome = 'processed' then v_replay.processed := v_replay.processed + 1;
      when v_event.outcome = 'ignored' then v_replay.ignored := v_replay.ignored + 1;
      else
        v_replay.failed := v_replay.failed + 1;
        v_replay.errors := v_replay.errors || jsonb_build_object('id', v_event.id, 'event_id', v_event.event_id,
          'error', v_event.error);
    end case;
    -- An event that was done keeps the record of its first time; only a new outcome is recorded.
    if v_before.outcome <> 'processed' and (v_before.outcome <> v_event.outcome or v_event.error is not null) then
      perform private.update_webhook_event(v_event);
    end if;
  end loop;
  if cardinality(v_ids) < batch or replay_webhook_events.event_id is not null then
    v_replay.next_after := null;
  end if;
  if replay_webhook_events.event_id is not null and v_ids = '{}' then
    raise exception 'There is no event "%" from the provider "%"', event_id, provider
      using errcode = 'PT404', detail = 'webhook_event_not_found';
  end if;
  if replay_webhook_events.event_id is not null and v_replay.payload_gone = 1 then
    raise exception 'The payload of event "%" has been cleared', event_id
      using errcode = 'PT409', detail = 'webhook_payload_gone',
        hint = case v_before.outcome when 'processed' then 'The effect of the event was applied, so there is nothing to replay'
          else 'Let the sender deliver the event again, then replay it' end;
  end if;
  return v_replay;
end $$;
revoke all on function public.replay_webhook_events(text, text, text, timestamptz, timestamptz, bigint, integer)
  from public, anon, authenticated;
grant execute on function public.replay_webhook_events(text, text, text, timestamptz, timestamptz, bigint, integer)
  to service_role;

-- Health --------------------------------------------------------------------------------------------

-- Returns the events whose effect has failed and was not applied since, by provider, type and error: how many the sender
-- will send again (failed), how many it will not (dead), since when, and one of the errors. A healthy inbox has no dead
-- ones.
create function public.webhook_health()
returns table (
  provider text, type text, code text, failed bigint, dead bigint, oldest_received_at timestamptz,
  newest_received_at timestamptz, example_event_id text, example_error text
)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select e.provider, e.type, split_part(e.error, ':', 1),
      count(*) filter (where e.outcome = 'failed'), count(*) filter (where e.outcome = 'dead'),
      min(e.received_at), max(e.received_at),
      (array_agg(e.event_id order by e.id desc))[1], (array_agg(e.error order by e.id desc))[1]
    from public.webhook_events as e
    where e.outcome in ('failed', 'dead')
    group by 1, 2, 3
    order by 5 desc, 4 desc, 1, 2, 3;
end $$;
revoke all on function public.webhook_health() from public, anon, authenticated;
grant execute on function public.webhook_health() to service_role;

-- Database Webhooks -----------------------------------------------------------------------------------

-- Stores a Database Webhook {type, schema, table, record, old_record} as an event of type schema.table.OPERATION, where
-- OPERATION is INSERT, UPDATE or DELETE. It has no id: the same message is a repeat for as long as the row is the same. If
-- the type has a handler, the row is read again: the handler gets the row as it is now, and an event is ignored when its
-- row does not exist, or when a row reported as deleted still does.
-- Definer: not even the service may write the inbox directly. For the service only, which has checked the shared secret.
-- Raises: PT422 invalid_webhook_event.
create function public.receive_database_webhook(payload jsonb)
returns public.webhook_receipt
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_operation text := payload ->> 'type';
  v_type text := format('%s.%s.%s', payload ->> 'schema', payload ->> 'table', v_operation);
  v_record jsonb := case v_operation when 'DELETE' then payload -> 'old_record' else payload -> 'record' end;
  v_version text;
begin
  if (v_operation in ('INSERT', 'UPDATE', 'DELETE') and jsonb_typeof(payload -> 'schema') = 'string'
    and jsonb_typeof(payload -> 'table') = 'string' and jsonb_typeof(v_record) = 'object'
    and char_length(v_type) <= 255) is not true then
    raise exception '%', case
        when (v_operation in ('INSERT', 'UPDATE', 'DELETE')) is not true then 'type must be INSERT, UPDATE or DELETE'
        when (jsonb_typeof(payload -> 'schema') = 'string') is not true then 'schema must be a string'
        when (jsonb_typeof(payload -> 'table') = 'string') is not true then 'table must be a string'
        when char_length(v_type) > 255 then 'schema, table and type together must be at most 253 characters long'
        when v_operation = 'DELETE' then 'old_record must be a JSON object'
        else 'record must be a JSON object' end
      using errcode = 'PT422', detail = 'invalid_webhook_event';
  end if;
  -- Only tables with a handler are read, whatever is sent.
  if private.webhook_handler('database', v_type) is not null then
    v_version := (private.read_recorded_row(format('%I.%I', payload ->> 'schema', payload ->> 'table'), v_record)).version;
  end if;
  return public.receive_webhook_event('database',
    encode(sha256(convert_to(jsonb_build_array(payload, v_version)::text, 'UTF8')), 'hex'), v_type, payload);
end $$;
revoke all on function public.receive_database_webhook(jsonb) from public, anon, authenticated;
grant execute on function public.receive_database_webhook(jsonb) to service_role;
