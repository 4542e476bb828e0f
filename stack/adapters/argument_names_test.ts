import assert from "node:assert/strict";

import { signUp, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

test("an argument whose name is an SQL keyword can be passed", async () => {
  const { client } = await signUp();
  const { error } = await client.rpc("search_messages", { query: "x", limit: 5 });
  assert.equal(error, null);
});

test("@supabase/lite alone still cannot pass it", async () => {
  const { error } = await withRawLite(async (lite) =>
    await lite.client(stack.secretKey).rpc("search_messages", { query: "x", limit: 5 })
  );
  assert.equal(error?.code, "42601");
});
