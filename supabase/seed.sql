-- A small price list to try things with. Local only: `supabase db push` does not run it.
insert into public.credit_prices (sku, unit, price, quantity_scale) values
  ('chat.message', 'message', 1, 0),
  ('chat.tokens', '1000 tokens', 0.25, 3),
  ('image.generate', 'image', 40, 0);
