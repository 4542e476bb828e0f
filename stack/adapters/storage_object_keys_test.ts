import assert from "node:assert/strict";

import { serviceClient, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

test("Storage refuses keys with anything but ASCII letters, digits and some others", async () => {
  const bucket = serviceClient().storage.from(await createBucket());
  const file = new Blob(["x"]);
  assert.equal((await bucket.upload("a", file)).error, null);
  for (
    const name of ["ü", "日本", "👋", "~", "[", "]", "{", "}", "<", ">", "|", "^", "`", '"']
  ) {
    const key = `a b/${name}.txt`;
    for (
      const { error } of [
        await bucket.upload(key, file),
        await bucket.update(key, file),
        await bucket.createSignedUploadUrl(key),
        await bucket.copy("a", key),
        await bucket.move("a", key),
      ]
    ) {
      const { status, message } = error as { status?: number; message?: string };
      assert.deepEqual([status, message], [400, `Invalid key: ${key}`]);
    }
  }
  const good = "A-z_0/!.*'() &$@=;:+,.txt";
  assert.equal((await bucket.upload(good, file)).error, null);
  assert.equal((await bucket.createSignedUploadUrl(`${good}2`)).error, null);
  assert.equal((await bucket.move("a", `${good}3`)).error, null);
});

test("@supabase/lite alone still takes such a key", async () => {
  const name = await createBucket();
  const { error } = await withRawLite((lite) =>
    lite.client(stack.secretKey).storage.from(name).upload("ü", new Uint8Array([1]))
  );
  assert.equal(error, null);
});
