import assert from "node:assert/strict";

import {
  callNewFunction,
  serviceClient,
  stack,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

const BAD_PRICE = { sku: "test.bad", unit: "one", price: -1 };

test("a check violation returns 400 with its SQLSTATE", async () => {
  const { status, error } = await serviceClient().from("credit_prices").insert(BAD_PRICE);
  assert.deepEqual([status, error?.code], [400, "23514"]);
  assert.match(error?.message ?? "", /credit_prices_price_check/);
});

test("a plain raise exception returns 400 with its message, detail and hint", async () => {
  const name = `test_${crypto.randomUUID().replaceAll("-", "_")}`;
  await withDatabase((sql) =>
    sql.unsafe(`create function public.${name}() returns int language plpgsql as $$
      begin raise exception 'Plain' using detail = 'D', hint = 'H'; end $$`)
  );
  try {
    const answer = await callNewFunction(name);
    assert.equal(answer.status, 400);
    assert.deepEqual({ ...answer.error }, {
      ...answer.error,
      code: "P0001",
      message: "Plain",
      details: "D",
      hint: "H",
    });
  } finally {
    await withDatabase((sql) => sql.unsafe(`drop function public.${name}()`));
  }
});

test("@supabase/lite alone still returns 500 for errors that it does not know", async () => {
  const { status, error } = await withRawLite(async (lite) =>
    await lite.client(stack.secretKey).from("credit_prices").insert(BAD_PRICE)
  );
  assert.deepEqual([status, error?.code], [500, "SUP"]);
});
