-- How many requests a minute a user may make, or an address without a user. PostgREST calls count_request() at the
-- beginning of each request, so that direct requests and those of functions are counted alike, in their own transaction.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('requests.per_user', 600, 'requests', 0, 1000000000,
    'The most requests of a user that change something, per minute; 0 switches this limit off'),
  ('requests.per_address', 600, 'requests', 0, 1000000000,
    'The most requests of an address without a user that change something, per minute; 0 switches this limit off');

-- One row per connection, so that requests of one user at the same time never wait for each other: a connection has one
-- transaction at a time. Unlogged: after a crash, every count begins again at zero.
create unlogged table private.request_counts (
  window_start timestamptz not null,
  subject uuid not null,
  backend integer not null,
  requests integer not null,
  primary key (window_start, subject, backend)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table private.request_counts is 'Requests in each minute by user or address; the cleanup deletes those of past minutes';
comment on column private.request_counts.subject is 'A user, or what private.subject_of() makes of an address or a table';
comment on column private.request_counts.backend is 'The process of the database that counted them';
revoke all on private.request_counts from public, anon, authenticated, service_role;

-- Returns what something other than a user is counted under.
create function private.subject_of(kind text, name text)
returns uuid
language plpgsql immutable set search_path = ''
as $$
begin
  return md5(concat(kind, ' ', name))::uuid;
end $$;
revoke all on function private.subject_of(text, text) from public, anon, authenticated, service_role;

-- Counts requests of a subject in this minute, and returns whether there are now more than most. It does not see those
-- that others are about to commit: the limit can be exceeded by as many as run at the same time. The sum is looked at
-- once this connection alone has had a 64th of the limit: PostgREST usually has fewer connections than that.
create function private.exceeds_minute(subject uuid, requests integer, most numeric)
returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_window timestamptz := date_trunc('minute', now());
  v_own integer;
begin
  update private.request_counts as c set requests = c.requests + exceeds_minute.requests
  where c.window_start = v_window and c.subject = exceeds_minute.subject and c.backend = pg_backend_pid()
  returning c.requests into v_own;
  if not found then
    insert into private.request_counts (window_start, subject, backend, requests)
    values (v_window, subject, pg_backend_pid(), requests);
    v_own := requests;
  end if;
  return v_own > most / 64 and most < (
    select sum(c.requests) from private.request_counts as c
    where c.window_start = v_window and c.subject = exceeds_minute.subject);
end $$;
revoke all on function private.exceeds_minute(uuid, integer, numeric) from public, anon, authenticated, service_role;

-- Refuses a request with 429 and the headers that say when to come again. PostgREST takes them from this form of an
-- error only: https://docs.postgrest.org/en/stable/references/errors.html#raise-errors-with-http-headers
create function private.refuse_requests(policy text, most numeric)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_seconds integer := ceil(extract(epoch from date_trunc('minute', now()) + interval '1 minute' - now()))::integer;
begin
  raise sqlstate 'PGRST' using
    message = jsonb_build_object(
      'code', 'PT429',
      'message', format('There were more than %s requests in this minute', most),
      'details', 'too_many_requests ' || jsonb_build_object(
        'policy', policy, 'limit', most, 'window', 60, 'retry_after', v_seconds)::text,
      'hint', format('Send the request again after %s seconds', v_seconds))::text,
    detail = jsonb_build_object(
      'status', 429,
      'headers', jsonb_build_object(
        'Retry-After', v_seconds::text,
        'RateLimit-Policy', format('"%s";q=%s;w=60', policy, most),
        'RateLimit', format('"%s";r=0;t=%s', policy, v_seconds)))::text;
end $$;
revoke all on function private.refuse_requests(text, numeric) from public, anon, authenticated, service_role;

-- Returns the network of the address that a request came from, by the headers of the platform: Cloudflare replaces
-- cf-connecting-ip, and the first entry of x-forwarded-for is the client without it. Of an IPv6 address, only the first
-- 64 bits count: a client that has one of these addresses has all of them. Null when no header has an address.
create function private.network_of(headers json)
returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_address inet;
begin
  v_address := trim(coalesce(headers ->> 'cf-connecting-ip', split_part(headers ->> 'x-forwarded-for', ',', 1)))::inet;
  return case family(v_address) when 6 then network(set_masklen(v_address, 64))::text else host(v_address) end;
exception when invalid_text_representation then
  return null;
end $$;
revoke all on function private.network_of(json) from public, anon, authenticated, service_role;

-- Counts the request that is about to run. The service is not counted, unless a function acts for a user: it says so in
-- the header x-counted-user, which counts from the service alone. PostgREST runs reads in read-only transactions, in
-- which nothing can be counted.
-- Definer: no role may read or write the counts.
-- Raises: 429 too_many_requests {policy, limit, window, retry_after}.
create function private.count_request()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_role text := current_setting('role', true);
  v_headers json;
  v_subject uuid;
  v_policy text := 'user';
  v_most numeric;
begin
  if current_setting('transaction_read_only') = 'on' then
    return;
  end if;
  if v_role = 'authenticated' then
    v_subject := (select auth.uid());
  end if;
  if v_subject is null then
    v_headers := nullif(current_setting('request.headers', true), '')::json;
  end if;
  if v_role = 'service_role' then
    v_subject := (v_headers ->> 'x-counted-user')::uuid;
    if v_subject is null then
      return;
    end if;
  end if;
  if v_subject is null then
    v_policy := 'address';
    v_subject := private.subject_of('address', private.network_of(v_headers));
  end if;
  select s.value into v_most from private.settings as s where s.name = 'requests.per_' || v_policy;
  if v_most > 0 and private.exceeds_minute(v_subject, 1, v_most) then
    perform private.refuse_requests(v_policy, v_most);
  end if;
end $$;
revoke all on function private.count_request() from public, anon, authenticated, service_role;
-- PostgREST calls it as the role of the request.
grant execute on function private.count_request() to anon, authenticated, service_role;

-- Counts the rows that visitors add to a table that anyone may write, in each minute: those of one address, which cannot
-- use up the minute of all, and those of all visitors together. Without an address, only the latter. Rows that the service
-- adds are not counted.
-- Definer: as count_request.
-- Raises: 429 too_many_requests {policy, limit, window, retry_after}.
create function private.limit_visitors()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_added integer;
  v_network text;
  v_most numeric;
begin
  if current_setting('role', true) not in ('anon', 'authenticated') then
    return null;
  end if;
  select count(*) into v_added from added;
  v_network := private.network_of(nullif(current_setting('request.headers', true), '')::json);
  v_most := private.setting(tg_table_name || '.per_address');
  if v_network is not null
    and private.exceeds_minute(private.subject_of(tg_table_name, v_network), v_added, v_most) then
    perform private.refuse_requests(tg_table_name || '-address', v_most);
  end if;
  v_most := private.setting(tg_table_name || '.per_minute');
  if private.exceeds_minute(private.subject_of('table', tg_table_name), v_added, v_most) then
    perform private.refuse_requests(tg_table_name, v_most);
  end if;
  return null;
end $$;
comment on function private.limit_visitors() is 'Trigger function: refuses rows of visitors beyond so many in a minute';
revoke all on function private.limit_visitors() from public, anon, authenticated, service_role;

-- Tells PostgREST. A database whose owner may not change the role of PostgREST runs without this limit.
do $$
begin
  alter role authenticator set pgrst.db_pre_request = 'private.count_request';
  notify pgrst, 'reload config';
exception when insufficient_privilege or undefined_object then
  raise warning 'Requests are not counted: %', sqlerrm
    using hint = 'Set db-pre-request to private.count_request in the configuration of PostgREST';
end $$;
