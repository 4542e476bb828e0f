import assert from "node:assert/strict";

import {
  anonymousClient,
  serviceClient,
  stack,
  test,
} from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

test("a signed download URL from supabase-js opens its object and no other", async () => {
  const bucket = serviceClient().storage.from(await createBucket());
  for (const name of ["a/one file.txt", "a/two.txt"]) {
    assert.equal((await bucket.upload(name, new TextEncoder().encode(name))).error, null);
  }
  const { data, error } = await bucket.createSignedUrl("a/one file.txt", 60);
  assert.equal(error, null);
  assert.ok(data?.signedUrl.startsWith(`${stack.url}/storage/v1/object/sign/`));
  assert.equal(await (await fetch(data.signedUrl)).text(), "a/one file.txt");
  const other = await fetch(data.signedUrl.replace("one%20file", "two").replace("one file", "two"));
  assert.ok(!other.ok);
  await other.body?.cancel();

  const many = await bucket.createSignedUrls(["a/one file.txt", "a/two.txt", "../x", "none"], 60);
  const missing = many.data?.pop();
  assert.equal(many.data?.pop()?.signedUrl ?? null, null, "no way out of the bucket");
  assert.deepEqual([missing?.path, missing?.signedUrl ?? null], ["none", null]);
  assert.match(missing?.error ?? "", /does not exist/);
  for (const item of many.data ?? []) {
    assert.equal(await (await fetch(item.signedUrl ?? "")).text(), item.path);
  }
  assert.equal(many.data?.length, 2);
});

test("a signed upload URL from supabase-js accepts the object without a key", async () => {
  const name = await createBucket();
  const bucket = serviceClient().storage.from(name);
  const { data, error } = await bucket.createSignedUploadUrl("up/load.txt");
  assert.equal(error, null);
  assert.ok(data?.signedUrl.startsWith(`${stack.url}/storage/v1/object/upload/sign/${name}/`));
  const upload = await anonymousClient().storage.from(name)
    .uploadToSignedUrl(data.path, data.token, new TextEncoder().encode("signed"));
  assert.equal(upload.error, null);
  assert.equal(await (await bucket.download("up/load.txt")).data?.text(), "signed");
});

test("@supabase/lite alone still cannot sign a list, and calls the field signedUrl", async () => {
  const name = await createBucket();
  const bucket = serviceClient().storage.from(name);
  await bucket.upload("x.txt", new TextEncoder().encode("x"));
  await withRawLite(async (lite) => {
    const sign = (path: string, body: unknown) =>
      lite.fetch(
        new Request(`${stack.url}/storage/v1/object/sign/${path}`, {
          method: "POST",
          headers: { apikey: stack.secretKey, "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      );
    const one = await sign(`${name}/x.txt`, { expiresIn: 60 });
    assert.deepEqual(Object.keys(await one.json()), ["signedUrl"]);
    const many = await sign(name, { expiresIn: 60, paths: ["x.txt"] });
    assert.equal((await many.json()).statusCode, "404");
  });
});
