import assert from "node:assert/strict";

import {
  functionsUrl,
  serviceClient,
  stack,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

test("supabase-js uploads a Blob or File with its type and cache time", async () => {
  const name = await createBucket();
  const bucket = serviceClient().storage.from(name);
  const bytes = new Uint8Array(200_000).map((_, i) => i * 31);
  const { error } = await bucket.upload("a.png", new Blob([bytes], { type: "image/png" }), {
    cacheControl: "120",
  });
  assert.equal(error, null);
  const { data } = await bucket.download("a.png");
  assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), bytes);
  const [row] = await withDatabase((sql) =>
    sql`select metadata from storage.objects where bucket_id = ${name}`
  );
  assert.equal(row?.metadata.mimetype, "image/png");
  assert.equal(row?.metadata.size, bytes.length);
  assert.match(row?.metadata.cacheControl, /120/);

  const file = new File(["text"], "b.txt", { type: "text/plain" });
  assert.equal((await bucket.upload("b.txt", file)).error, null);
  assert.equal((await bucket.upload("b.txt", file)).error !== null, true, "no overwriting unasked");
  assert.equal((await bucket.update("b.txt", new Blob(["other"]))).error, null);
  assert.equal(await (await bucket.download("b.txt")).data?.text(), "other");
});

test("a Blob that is too large for its bucket is refused", async () => {
  const name = `test-${crypto.randomUUID()}`;
  await serviceClient().storage.createBucket(name, { public: false, fileSizeLimit: 10 });
  const bucket = serviceClient().storage.from(name);
  assert.equal((await bucket.upload("ten", new Blob(["x".repeat(10)]))).error, null);
  const { error } = await bucket.upload("eleven", new Blob(["x".repeat(11)]));
  assert.match(error?.message ?? "", /exceeded the maximum allowed size/);
});

test("a broken multipart body returns 400", async () => {
  const name = await createBucket();
  const response = await fetch(`${stack.url}/storage/v1/object/${name}/x`, {
    method: "POST",
    headers: { apikey: stack.secretKey, "content-type": "multipart/form-data" },
    body: "no boundary",
  });
  assert.equal(response.status, 400);
  await response.body?.cancel();
});

test("an upload that ends too soon returns 400 and does not affect others", async () => {
  const type = "multipart/form-data; boundary=b";
  const part = '--b\r\ncontent-disposition: form-data; name=""; filename="x"\r\n\r\nabc';
  const response = await fetch(`${stack.url}/storage/v1/object/x/y`, {
    method: "POST",
    headers: { "content-type": type },
    body: part,
  });
  assert.equal(response.status, 400);
  await response.body?.cancel();

  // A client that disconnects during the upload.
  const { hostname, port } = new URL(stack.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const head = `POST /storage/v1/object/x/y HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\n` +
    "content-length: 100000\r\n\r\n";
  await connection.write(new TextEncoder().encode(head + part));
  connection.close();
  assert.equal((await serviceClient().storage.listBuckets()).error, null);
});

test("a multipart body to anything but Storage passes unchanged", async () => {
  const form = new FormData();
  form.set("x", "y");
  const response = await fetch(`${functionsUrl}/credits`, { method: "POST", body: form });
  assert.equal(response.status, 405);
  await response.body?.cancel();
});

test("@supabase/lite alone still loses what storage-js sends", async () => {
  const name = await createBucket();
  const error = await withRawLite(async (lite) =>
    (await lite.client(stack.secretKey).storage.from(name).upload("a.txt", new Blob(["x"]))).error
  );
  assert.ok(error);
});
