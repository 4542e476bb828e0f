-- Hooks of Auth: who may sign up.

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
