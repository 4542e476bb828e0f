-- A stand-in for pg_net: its http_post has the same signature, and records what would be sent.
create schema net;
create table net.calls (
  id bigint generated always as identity primary key,
  url text not null,
  body jsonb,
  params jsonb,
  headers jsonb,
  timeout_milliseconds integer,
  sent_at timestamptz not null default clock_timestamp()
);
create function net.http_post(
  url text,
  body jsonb default '{}',
  params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
)
returns bigint language sql security definer set search_path = '' as $$
  insert into net.calls (url, body, params, headers, timeout_milliseconds)
  values ($1, $2, $3, $4, $5) returning id
$$;
grant usage on schema net to postgres;
grant select, delete on net.calls to postgres;
