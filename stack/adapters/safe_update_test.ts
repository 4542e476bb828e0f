import assert from "node:assert/strict";

import { serviceClient, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

const description = "x".repeat(10);

test("REST refuses to change or delete all rows of a table", async () => {
  const prices = serviceClient().from("stripe_prices");
  for (
    const { error, status } of [
      await prices.update({ description }),
      await prices.delete(),
      await prices.delete().select("id"),
    ]
  ) {
    assert.deepEqual([status, error?.code], [400, "21000"]);
    assert.match(error?.message ?? "", /^(UPDATE|DELETE) requires a WHERE clause$/);
  }
  const { error } = await prices.update({ description }).eq("id", "price_none");
  assert.equal(error, null);
});

test("@supabase/lite alone still changes all rows of a table", async () => {
  const { error } = await withRawLite(async (lite) =>
    await lite.client(stack.secretKey).from("blocked_email_domains").delete()
  );
  assert.equal(error, null);
});
