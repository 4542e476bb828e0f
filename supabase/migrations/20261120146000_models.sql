-- Models that answer, and the providers that run them. The operator edits both tables.

-- model_providers -----------------------------------------------------------------------------------

create table public.model_providers (
  name text primary key,
  base_url text,
  secret_name text not null,
  output_limit_name text not null default 'max_tokens',
  stream_options boolean not null default true,
  created_at timestamptz not null default now(),
  constraint model_providers_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint model_providers_base_url_check check (base_url ~ '^https?://[^\s?#]+[^\s?#/]$'),
  -- The function sends the value of this variable to base_url: the name of another secret must not fit.
  constraint model_providers_secret_name_check check (secret_name ~ '^[A-Z][A-Z0-9_]{0,60}_API_KEY$'),
  constraint model_providers_output_limit_name_check check (output_limit_name in ('max_tokens', 'max_completion_tokens'))
);
comment on table public.model_providers is
  'Endpoints that speak the protocol of OpenAI''s chat completions. Only the service reads and writes them';
comment on column public.model_providers.base_url is
  'What comes before /chat/completions, without a slash at the end. Null: the variable NAME_BASE_URL of the functions has it';
comment on column public.model_providers.secret_name is 'The variable of the functions that has the key: OPENAI_API_KEY';
comment on column public.model_providers.output_limit_name is
  'What the provider calls the most tokens of an answer; the reasoning models of OpenAI know only max_completion_tokens';

comment on column public.model_providers.stream_options is
  'Whether requests have stream_options.include_usage. Mistral refuses them, and reports usage without';

alter table public.model_providers enable row level security;
revoke all on public.model_providers from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.model_providers to service_role;

create policy "the service edits the providers" on public.model_providers
  for all to service_role using (true) with check (true);

-- models --------------------------------------------------------------------------------------------

create table public.models (
  name text not null,
  valid_from timestamptz not null default now(),
  provider text not null references public.model_providers (name),
  endpoint_model text not null,
  context_tokens integer not null,
  output_tokens integer not null,
  input_price numeric(15, 4) not null,
  cached_input_price numeric(15, 4),
  output_price numeric(15, 4) not null,
  reasoning_price numeric(15, 4),
  capabilities text[] not null default '{}',
  enabled boolean not null default true,
  tiers text[],
  fallback text,
  requests_per_minute integer,
  rank smallint not null default 100,
  created_at timestamptz not null default now(),
  primary key (name, valid_from),
  constraint models_name_check check (name ~ '^[a-z0-9][a-z0-9._:/-]{0,99}$'),
  constraint models_endpoint_model_check check (char_length(endpoint_model) between 1 and 200),
  constraint models_tokens_check check (output_tokens between 1 and context_tokens and context_tokens <= 100000000),
  constraint models_prices_check check (
    input_price between 0 and 1000000 and cached_input_price between 0 and 1000000
    and output_price between 0 and 1000000 and reasoning_price between 0 and 1000000),
  constraint models_capabilities_check check (capabilities <@ array['tools', 'images', 'files', 'reasoning', 'structured_output']),
  constraint models_tiers_check check (tiers <@ array['free', 'pro', 'enterprise']),
  constraint models_fallback_check check (fallback <> name),
  constraint models_requests_per_minute_check check (requests_per_minute > 0)
);
comment on table public.models is
  'The models that answer. The row in force is the newest of its name whose valid_from has passed; a new price is a new row';
comment on column public.models.endpoint_model is 'The model''s name at its provider';
comment on column public.models.context_tokens is 'The most tokens of input and output together';
comment on column public.models.output_tokens is 'The most tokens of an answer';
comment on column public.models.input_price is 'Credits for a million input tokens';
comment on column public.models.cached_input_price is
  'Credits for a million input tokens that the provider had in its cache; null: input_price';
comment on column public.models.output_price is 'Credits for a million output tokens';
comment on column public.models.reasoning_price is
  'Credits for a million of the output tokens that are reasoning; null: output_price';
comment on column public.models.capabilities is 'tools, images, files (PDF), reasoning, structured_output: what a request may ask for';
comment on column public.models.tiers is 'The tiers that may use it; null: everybody';
comment on column public.models.fallback is 'The model that answers in its place when the provider cannot; at the price of this one';
comment on column public.models.requests_per_minute is 'The most answers a minute that one user may begin; null: no limit of its own';
comment on column public.models.rank is 'A request that names no model gets the model with the lowest rank that the user may use';

create index models_provider on public.models (provider);

alter table public.models enable row level security;
revoke all on public.models from public, anon, authenticated, service_role;
grant select on public.models to authenticated;
grant select, insert, update, delete on public.models to service_role;

-- True for everyone: prices are meant to be read before a model is used.
create policy "signed-in users read the models" on public.models
  for select to authenticated using (true);

-- Finding -------------------------------------------------------------------------------------------

-- Returns the tier by which a user may use models: that of the team which pays or, without one, the highest of the user's
-- teams.
create function private.model_tier(user_id uuid, team_id uuid)
returns text
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce((
      select t.tier from public.teams as t
      where t.id = model_tier.team_id or model_tier.team_id is null and t.id in (
        select m.team_id from public.team_members as m where m.user_id = model_tier.user_id)
      order by array_position(array['enterprise', 'pro', 'free'], t.tier)
      limit 1), 'free'));
end $$;
revoke all on function private.model_tier(uuid, uuid) from public, anon, authenticated, service_role;

-- Returns the row in force of a model that somebody of a tier may use; of the one with the lowest rank when name is null. It
-- must have the capabilities in needs.
-- Raises: PT403 model_not_allowed {tiers}; PT422 unknown_model, model_cannot {missing}.
create function private.find_model(name text, tier text, needs text[])
returns public.models
language plpgsql stable set search_path = ''
as $$
declare
  v_model public.models;
begin
  if find_model.name is null then
    select x.* into v_model from (
      select distinct on (m.name) m.* from public.models as m
      where m.valid_from <= statement_timestamp()
      order by m.name, m.valid_from desc) as x
    where x.enabled and (x.tiers is null or tier = any (x.tiers))
    order by x.rank, x.name
    limit 1;
  else
    select m.* into v_model from public.models as m
    where m.name = find_model.name and m.valid_from <= statement_timestamp()
    order by m.valid_from desc
    limit 1;
  end if;
  if v_model.enabled is not true then
    raise exception '%', case when find_model.name is null then 'There is no model that the user may use'
        else format('There is no model "%s"', left(find_model.name, 100)) end
      using errcode = 'PT422', detail = 'unknown_model', hint = 'Use the name of an enabled model in the table models';
  end if;
  if v_model.tiers is not null and tier <> all (v_model.tiers) then
    raise exception 'The model "%" is not available in your tier', v_model.name
      using errcode = 'PT403', detail = format('model_not_allowed %s', jsonb_build_object('tiers', v_model.tiers)),
        hint = 'Use another model, or upgrade the team';
  end if;
  if not (needs <@ v_model.capabilities) then
    raise exception 'The model "%" cannot do what the request asks for', v_model.name
      using errcode = 'PT422', hint = 'Use a model that has the capabilities that missing lists',
        detail = format('model_cannot %s', jsonb_build_object('missing', array(
          select n.name from unnest(needs) as n (name) where n.name <> all (v_model.capabilities))));
  end if;
  return v_model;
end $$;
revoke all on function private.find_model(text, text, text[]) from public, anon, authenticated, service_role;

-- Returns what the function needs to call a model. The fallback, if it is enabled, comes as a second endpoint.
create function private.model_endpoints(model public.models)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object('model', x.name, 'endpoint_model', x.endpoint_model, 'provider', p.name,
      'base_url', p.base_url, 'secret_name', p.secret_name, 'output_limit_name', p.output_limit_name,
      'stream_options', p.stream_options, 'capabilities', x.capabilities) order by x.name <> model.name)
    from (
      select distinct on (m.name) m.* from public.models as m
      where m.name in (model.name, model.fallback) and m.valid_from <= statement_timestamp()
      order by m.name, m.valid_from desc) as x
    join public.model_providers as p on p.name = x.provider
    where x.enabled and (x.name = model.name or x.context_tokens >= model.context_tokens));
end $$;
revoke all on function private.model_endpoints(public.models) from public, anon, authenticated, service_role;

-- Returns what tokens cost, rounded half up to four decimals. prices is {input, cached_input, output, reasoning}, in credits
-- for a million tokens. cached_input_tokens are among the input, reasoning_tokens among the output.
create function private.price_tokens(
  prices jsonb, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, reasoning_tokens bigint
)
returns numeric
language plpgsql immutable set search_path = ''
as $$
begin
  return (
    select round((
      (input_tokens - least(cached_input_tokens, input_tokens)) * (prices ->> 'input')::numeric
      + least(cached_input_tokens, input_tokens) * (prices ->> 'cached_input')::numeric
      + (output_tokens - least(reasoning_tokens, output_tokens)) * (prices ->> 'output')::numeric
      + least(reasoning_tokens, output_tokens) * (prices ->> 'reasoning')::numeric) / 1000000, 4));
end $$;
revoke all on function private.price_tokens(jsonb, bigint, bigint, bigint, bigint)
  from public, anon, authenticated, service_role;
