import assert from "node:assert/strict";

import { serviceClient, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

test("supabase-js reads an object's size and type", async () => {
  const bucket = serviceClient().storage.from(await createBucket());
  await bucket.upload("a.pdf", new Blob(["12345"], { type: "application/pdf" }));
  const { data, error } = await bucket.info("a.pdf");
  assert.equal(error, null);
  assert.deepEqual([data?.size, data?.contentType, data?.name], [5, "application/pdf", "a.pdf"]);
  const missing = await bucket.info("b.pdf");
  assert.equal(missing.data, null);
  assert.match(missing.error?.message ?? "", /not found/i);
});

test("@supabase/lite alone still returns neither size nor type", async () => {
  const name = await createBucket();
  await serviceClient().storage.from(name).upload("a.txt", new Blob(["x"]));
  const info = await withRawLite(async (lite) =>
    (await lite.client(stack.secretKey).storage.from(name).info("a.txt")).data
  );
  assert.equal(info?.size, undefined);
});
