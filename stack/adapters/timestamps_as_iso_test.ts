import assert from "node:assert/strict";

import {
  createPrice,
  serviceClient,
  stack,
  test,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

test("times are ISO 8601, like PostgreSQL's to_json writes them", async () => {
  const sku = await createPrice(1);
  const { data } = await serviceClient().from("credit_prices").select("created_at").eq("sku", sku)
    .single();
  assert.match(data?.created_at ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/);
});

test("@supabase/lite alone still returns times as PostgreSQL's text", async () => {
  const sku = await createPrice(1);
  const data = await withRawLite(async (lite) =>
    (await lite.client(stack.secretKey).from("credit_prices").select("created_at").eq("sku", sku)
      .single()).data
  );
  assert.match(data?.created_at, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/);
});
