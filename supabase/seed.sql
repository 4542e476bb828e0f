-- A small price list for local use. `supabase db push` does not run this file.
insert into public.credit_prices (sku, unit, price, quantity_scale) values
  ('chat.message', 'message', 1, 0),
  ('chat.tokens', '1000 tokens', 0.25, 3),
  ('image.generate', 'image', 40, 0);

-- What Stripe prices buy, for trying out webhooks (docs/webhooks.md). These ids do not exist at Stripe.
insert into public.stripe_prices (id, credits, rollover_cap, tier, description) values
  ('price_local_pack', 500, null, null, 'A pack of credits'),
  ('price_local_pro', 1000, 300, 'pro', 'A month of Pro');

-- Models for local use. The played model is part of the local stack: it needs no key. The other one needs OPENAI_API_KEY in
-- supabase/functions/.env (docs/answers.md).
insert into public.model_providers (name, base_url, secret_name, output_limit_name) values
  ('played', null, 'PLAYED_API_KEY', 'max_tokens'),
  ('openai', 'https://api.openai.com/v1', 'OPENAI_API_KEY', 'max_completion_tokens');

insert into public.models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, cached_input_price,
  output_price, reasoning_price, capabilities, fallback, rank) values
  ('played', 'played', 'played', 32000, 2000, 1000, 100, 4000, null,
    '{tools,images,files,reasoning,structured_output}', null, 1),
  ('played-no-usage', 'played', 'played-no-usage', 32000, 2000, 1000, 100, 4000, null, '{tools}', null, 50),
  ('played-busy', 'played', 'played-busy', 32000, 2000, 1000, 100, 4000, null, '{tools}', null, 50),
  ('played-fallback', 'played', 'played-broken', 32000, 2000, 1000, 100, 4000, null, '{tools}', 'played', 50),
  ('gpt-4o-mini', 'openai', 'gpt-4o-mini', 128000, 16384, 20, 10, 80, null, '{tools,images,files,structured_output}', null, 10);
