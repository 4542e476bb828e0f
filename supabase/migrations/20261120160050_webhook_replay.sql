-- The inbox later: applying events again, and clearing what is no longer needed. New functions only.

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
  'What came of a replay: how many were applied again, by outcome; how many could not be, as their payload is no longer kept; errors [{id, event_id, error}]; next_after is for the next call, null when there is no more';

-- Applies events again: one, or those of a range of time of receipt, of a provider or type, in the order of their
-- numbers, from the first after the number after, at most batch (1 to 500). Effects are safe to apply again: what was
-- done is not done a second time, what failed or was ignored is done if it can be now.
-- Definer: not even the service writes the inbox by itself. For the service only.
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
    raise exception 'A replay is of one event, by provider and event_id, or of a range of time'
      using errcode = 'PT422', detail = 'invalid_replay', hint = 'A batch has 1 to 500 events';
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
    -- What it did the first time stays what it says; only what had not been done is news.
    if v_before.outcome = 'processed' or v_before.outcome = v_event.outcome and v_event.error is null then
      update public.webhook_events as e
      set attempts = v_before.attempts, outcome = v_before.outcome, result = v_before.result, error = v_before.error,
        processed_at = v_before.processed_at
      where e.id = v_id;
    end if;
  end loop;
  if cardinality(v_ids) < batch or replay_webhook_events.event_id is not null then
    v_replay.next_after := null;
  end if;
  if replay_webhook_events.event_id is not null and v_ids = '{}' then
    raise exception 'There is no event "%" of "%"', event_id, provider
      using errcode = 'PT404', detail = 'webhook_event_not_found';
  end if;
  if replay_webhook_events.event_id is not null and v_replay.payload_gone = 1 then
    raise exception 'The payload of event "%" is no longer kept', event_id
      using errcode = 'PT409', detail = 'webhook_payload_gone',
        hint = case v_before.outcome when 'processed' then 'It has had its effect: there is nothing to replay'
          else 'Have the sender deliver it again, which brings the payload, and replay it then' end;
  end if;
  return v_replay;
end $$;
revoke all on function public.replay_webhook_events(text, text, text, timestamptz, timestamptz, bigint, integer)
  from public, anon, authenticated;
grant execute on function public.replay_webhook_events(text, text, text, timestamptz, timestamptz, bigint, integer)
  to service_role;

-- Retention -----------------------------------------------------------------------------------------

create view private.expired_webhook_payloads as
  select e.id, e.received_at from public.webhook_events as e
  where e.payload is not null
    and e.received_at <= now() - private.setting('webhooks.payload_retention') * interval '1 second';
revoke all on private.expired_webhook_payloads from public, anon, authenticated, service_role;

-- Counts of days that were over so long ago.
create view private.expired_webhook_refusals as
  select r.provider, r.reason, r.day from public.webhook_refusals as r
  where r.day
    < ((now() - private.setting('webhooks.payload_retention') * interval '1 second') at time zone 'UTC')::date;
revoke all on private.expired_webhook_refusals from public, anon, authenticated, service_role;

-- Clears what is older than webhooks.payload_retention, the oldest first, and returns how many rows it has changed: the
-- payloads of events that may be about money, whose ids are kept for good, the rows of others, and old counts of
-- refusals. For the cleanup: call it until it returns less than batch.
-- Definer: not even the service writes the inbox by itself. For the service only.
-- Raises: PT422 invalid_batch.
create function public.prune_webhook_payloads(batch integer default 1000)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_ids bigint[];
  v_refusals integer;
begin
  if batch is null or batch not between 1 and 10000 then
    raise exception 'A batch has 1 to 10000 events' using errcode = 'PT422', detail = 'invalid_batch';
  end if;
  -- Locked as they are found: who waits for none cannot deadlock.
  select coalesce(array_agg(x.id), '{}') into v_ids from (
    select e.id from private.expired_webhook_payloads as e
    order by e.received_at
    limit batch
    for update skip locked
  ) as x;
  delete from public.webhook_events as e where e.id = any (v_ids) and e.provider in ('auth', 'database');
  update public.webhook_events as e set payload = null where e.id = any (v_ids);
  delete from public.webhook_refusals as r where (r.provider, r.reason, r.day) in (
    select x.provider, x.reason, x.day from private.expired_webhook_refusals as x
    limit batch - cardinality(v_ids)
    for update skip locked);
  get diagnostics v_refusals = row_count;
  return cardinality(v_ids) + v_refusals;
end $$;
revoke all on function public.prune_webhook_payloads(integer) from public, anon, authenticated;
grant execute on function public.prune_webhook_payloads(integer) to service_role;
