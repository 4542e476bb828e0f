-- Auth hooks: who may sign up.

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
  'Email domains that cannot sign up, including their subdomains. The operator edits it';
comment on column public.blocked_email_domains.domain is
  'In lower case; a domain in another script as punycode: xn--...';

alter table public.blocked_email_domains enable row level security;
revoke all on public.blocked_email_domains from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.blocked_email_domains to service_role;

-- The service bypasses policies. This one only states that the table is for the service alone.
create policy "the service edits blocked domains" on public.blocked_email_domains
  for all to service_role using (true) with check (true);

-- before-user-created: returns the answer of the hook to Auth, {} when the user may sign up, else the error that they
-- see.
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
