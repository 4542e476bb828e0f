-- Events of the platform itself: Database Webhooks, whose row is read again before it is believed, and the Auth hook that
-- is asked before a user is created.

-- Database Webhooks -----------------------------------------------------------------------------------

-- Takes a Database Webhook in ({type, schema, table, record, old_record}) as an event of type schema.table.INSERT, UPDATE
-- or DELETE. It has no id: the same message is a repeat while the row is the same. Where there is an effect for it, the
-- row is read again: the event's record is what the row is now, and an event about a row that is not there, or about a
-- deleted one that is, is ignored.
-- Definer: not even the service writes the inbox by itself. For the service only, which has checked the shared secret.
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
    raise exception 'A Database Webhook has type, schema, table and a record' using errcode = 'PT422',
      detail = 'invalid_webhook_event';
  end if;
  -- Only tables that have an effect are looked at, whatever is sent.
  if private.webhook_handler('database', v_type) is not null then
    v_version := (private.read_recorded_row(format('%I.%I', payload ->> 'schema', payload ->> 'table'), v_record)).version;
  end if;
  return public.receive_webhook_event('database',
    encode(sha256(convert_to(jsonb_build_array(payload, v_version)::text, 'UTF8')), 'hex'), v_type, payload);
end $$;
revoke all on function public.receive_database_webhook(jsonb) from public, anon, authenticated;
grant execute on function public.receive_database_webhook(jsonb) to service_role;

-- The Auth hook before a user is created --------------------------------------------------------------

create table public.blocked_email_domains (
  domain text primary key,
  reason text,
  created_at timestamptz not null default now(),
  constraint blocked_email_domains_domain_check check (
    domain ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$' and char_length(domain) <= 253),
  constraint blocked_email_domains_reason_check check (char_length(reason) between 1 and 500)
);
comment on table public.blocked_email_domains is
  'Domains whose addresses, and those of their subdomains, cannot sign up. Edited by the operator';
comment on column public.blocked_email_domains.domain is 'In lower case; other scripts in punycode: xn--...';

alter table public.blocked_email_domains enable row level security;
revoke all on public.blocked_email_domains from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.blocked_email_domains to service_role;

-- The service is not held to policies; that this is for it alone is said so that none seems to be missing.
create policy "the service edits blocked domains" on public.blocked_email_domains
  for all to service_role using (true) with check (true);

-- before-user-created: what Auth is to answer, {} when the user may sign up, or the error that they see.
create function private.on_before_user_created(event public.webhook_events)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_labels text[] := string_to_array(lower(regexp_replace(event.payload #>> '{user,email}', '^.*@', '')), '.');
begin
  if exists (
    select 1 from generate_subscripts(v_labels, 1) as i
    join public.blocked_email_domains as b on b.domain = array_to_string(v_labels[i:], '.')) then
    return jsonb '{"error": {"http_code": 403, "message": "Addresses of this domain cannot sign up"}}';
  end if;
  return jsonb '{}';
end $$;
revoke all on function private.on_before_user_created(public.webhook_events)
  from public, anon, authenticated, service_role;

insert into private.webhook_handlers (provider, type, handler) values
  ('auth', 'before-user-created', 'private.on_before_user_created');
