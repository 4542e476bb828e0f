import assert from "node:assert/strict";

import {
  createPrice,
  serviceClient,
  stack,
  test,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

test("numeric columns are JSON numbers", async () => {
  const sku = await createPrice(2.5);
  const { data } = await serviceClient().from("credit_prices").select("price").eq("sku", sku);
  assert.deepEqual(data, [{ price: 2.5 }]);
});

test("@supabase/lite alone still returns numeric columns as strings", async () => {
  const sku = await createPrice(2.5);
  const data = await withRawLite(async (lite) =>
    (await lite.client(stack.secretKey).from("credit_prices").select("price").eq("sku", sku)).data
  );
  assert.deepEqual(data, [{ price: "2.5000" }]);
});
