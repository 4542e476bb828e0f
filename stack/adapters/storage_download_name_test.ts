import assert from "node:assert/strict";

import { serviceClient, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

/** A signed URL. storage-js would encode the name twice. */
async function signed(name: string, download: string): Promise<string> {
  const bucket = serviceClient().storage.from(name);
  await bucket.upload("a.txt", new Blob(["x"]), { upsert: true });
  const { data } = await bucket.createSignedUrl("a.txt", 60);
  return `${data?.signedUrl}&download=${encodeURIComponent(download)}`;
}

test("a download has the name that its URL gives it", async () => {
  const name = await createBucket();
  const disposition = async (download: string) => {
    const response = await fetch(await signed(name, download));
    assert.equal(await response.text(), "x");
    return response.headers.get("content-disposition");
  };
  const encoded = "Gr%C3%BC%C3%9Fe%20%F0%9F%91%8B.txt";
  assert.equal(
    await disposition("Grüße 👋.txt"),
    `attachment; filename=${encoded}; filename*=UTF-8''${encoded};`,
  );
  assert.equal(await disposition(""), "attachment;");
});

test("@supabase/lite alone still sends no name", async () => {
  const url = await signed(await createBucket(), "b.txt");
  const header = await withRawLite(async (lite) => {
    const response = await lite.fetch(new Request(url));
    await response.body?.cancel();
    return response.headers.get("content-disposition");
  });
  assert.equal(header, null);
  assert.ok(url.startsWith(stack.url));
});
