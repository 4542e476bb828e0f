import assert from "node:assert/strict";
import { decodeJwt, SignJWT } from "jose";

import { anonymousClient, invoke, signUp, stack, test } from "../../functions/_testing/testing.ts";
import {
  complete,
  PNG,
  reserve,
  send,
  stored,
  upload,
  usage,
} from "../../functions/files/files_testing.ts";

/** The same token, but expired. */
async function expired(token: string): Promise<string> {
  return await new SignJWT(decodeJwt(token)).setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setExpirationTime(Math.floor(Date.now() / 1000) - 1)
    .sign(new TextEncoder().encode(stack.jwtSecret));
}

test("an expired upload URL accepts nothing", async () => {
  const user = await signUp();
  const reserved = await reserve(user);
  const token = await expired(reserved.body.token);
  const { error } = await send({ ...reserved, body: { ...reserved.body, token } }, PNG);
  assert.equal((error as { status?: number } | null)?.status, 400);
  assert.deepEqual(await stored(user), []);
  assert.equal((await complete(user, reserved)).body.code, "upload_missing");
  assert.deepEqual(await usage(user), { used: 0, reserved: PNG.length });
});

test("a download URL that has expired or is for another object returns nothing", async () => {
  const user = await signUp();
  const [one, two] = [await upload(user), await upload(user)];
  const { body } = await invoke(user.client, "files/downloads", {
    body: { bucket: "chat_attachments", paths: [one.body.path] },
  });
  const url = new URL(body.urls[0].url);
  const late = new URL(url);
  late.searchParams.set("token", await expired(url.searchParams.get("token") ?? ""));
  const other = new URL(String(url).replace(one.body.path, two.body.path));
  for (const refused of [late, other]) {
    const response = await fetch(refused);
    assert.ok(response.status >= 400 && response.status < 500, String(response.status));
    assert.ok(!(await response.text()).includes("PNG"));
  }
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, PNG.length);
});

test("an upload token that was used cannot restore its file after it is deleted", async () => {
  const user = await signUp();
  const reserved = await reserve(user);
  await send(reserved, PNG);
  const { body } = await complete(user, reserved);
  await invoke(user.client, "files", {
    method: "DELETE",
    body: { bucket: body.bucket, paths: [body.path] },
  });
  // Storage accepts the upload again. The object belongs to nobody, and counts until cleanup finds it.
  await anonymousClient().storage.from(body.bucket)
    .uploadToSignedUrl(body.path, reserved.body.token, new Blob([PNG], { type: "image/png" }));
  assert.equal((await complete(user, reserved)).body.code, "upload_not_found");
  assert.deepEqual(await usage(user), { used: PNG.length, reserved: 0 });
});
