-- A small price list to try things with. Local only: `supabase db push` does not run it.
insert into public.credit_prices (sku, unit, price, quantity_scale) values
  ('chat.message', 'message', 1, 0),
  ('chat.tokens', '1000 tokens', 0.25, 3),
  ('image.generate', 'image', 40, 0);

-- What prices of Stripe buy, to try webhooks with (docs/webhooks.md); the ids are none that Stripe has.
insert into public.stripe_prices (id, credits, rollover_cap, tier, description) values
  ('price_local_pack', 500, null, null, 'A pack of credits'),
  ('price_local_pro', 1000, 300, 'pro', 'A month of Pro');
