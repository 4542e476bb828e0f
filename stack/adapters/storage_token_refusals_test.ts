import assert from "node:assert/strict";
import { SignJWT } from "jose";

import { serviceClient, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { readKeys } from "../keys.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

/** Invalid tokens: expired a second ago, and signed with another key. */
async function badTokens(bucket: string): Promise<string[]> {
  const { jwtSecret } = await readKeys(stack.dir);
  const sign = (secret: string, exp: number) =>
    new SignJWT({ sub: "x.txt", bucket, intent: "upload" }).setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(exp).sign(new TextEncoder().encode(secret));
  const now = Math.floor(Date.now() / 1000);
  return [await sign(jwtSecret, now - 1), await sign("x".repeat(32), now + 60)];
}

test("an expired or forged token of a signed URL returns 400", async () => {
  const name = await createBucket();
  const bucket = serviceClient().storage.from(name);
  for (const token of await badTokens(name)) {
    const { error } = await bucket.uploadToSignedUrl("x.txt", token, new Blob(["x"]));
    assert.equal((error as { status?: number } | null)?.status, 400);
    const download = await fetch(
      `${stack.url}/storage/v1/object/sign/${name}/x.txt?token=${token}`,
    );
    assert.equal(download.status, 400);
    await download.body?.cancel();
  }
  assert.equal((await bucket.info("x.txt")).data, null);
});

test("@supabase/lite alone still returns 500 for such a token", async () => {
  const name = await createBucket();
  const [token = ""] = await badTokens(name);
  const status = await withRawLite(async (lite) => {
    const url = `${stack.url}/storage/v1/object/sign/${name}/x.txt?token=${token}`;
    return (await lite.fetch(new Request(url))).status;
  });
  assert.equal(status, 500);
});
