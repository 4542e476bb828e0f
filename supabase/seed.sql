-- A small price list for local use. `supabase db push` does not run this file.
insert into public.credit_prices (sku, unit, price, quantity_scale) values
  ('chat.message', 'message', 1, 0),
  ('chat.tokens', '1000 tokens', 0.25, 3),
  ('image.generate', 'image', 40, 0);

-- What Stripe prices buy, for trying out webhooks (docs/webhooks.md). These ids do not exist at Stripe.
insert into public.stripe_prices (id, credits, rollover_cap, tier, description) values
  ('price_local_pack', 500, null, null, 'A pack of credits'),
  ('price_local_pro', 1000, 300, 'pro', 'A month of Pro');
