import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, soak, test, withDatabase } from "../_testing/testing.ts";
import { complete, GIF, PNG, reserve, send, upload, usage } from "./files_testing.ts";

test("an avatar is replaced only when the new one is complete", async () => {
  const user = await signUp();
  const avatar = { bucket: "avatars" };
  const first = await upload(user, PNG, avatar);
  const path = `${user.id}/avatar.jpg`;
  assert.equal(first.body.path, path);
  const bytes = async () => {
    const { data } = await user.client.storage.from("avatars").download(path);
    return new Uint8Array(await data!.arrayBuffer());
  };
  const second = { ...avatar, size: GIF.length, content_type: "image/gif" };
  const reserved = await reserve(user, second);
  await send(reserved, GIF, "image/gif");
  assert.deepEqual(await bytes(), PNG);
  assert.deepEqual(await usage(user), { used: PNG.length, reserved: GIF.length });

  const lying = await reserve(user, second);
  await send(lying, PNG.subarray(0, GIF.length), "image/gif");
  assert.equal((await complete(user, lying)).body.code, "upload_rejected");
  const refused = { bucket: avatar.bucket, paths: [lying.body.upload_path] };
  await invoke(user.client, "files", { method: "DELETE", body: refused });
  assert.deepEqual(await bytes(), PNG);

  assert.equal((await complete(user, reserved)).body.path, path);
  assert.deepEqual(await bytes(), GIF);
  assert.deepEqual(await usage(user), { used: GIF.length, reserved: 0 });
  const { data } = await user.client.from("file_uploads").select("id").eq("status", "complete");
  assert.deepEqual(data, [{ id: reserved.body.id }]);
});

test("an avatar that was not written before its upload expired does not replace the old one", async () => {
  const user = await signUp();
  const service = serviceClient();
  const old = await upload(user, PNG, { bucket: "avatars" });
  const bytes = new Uint8Array(PNG);
  bytes[bytes.length - 1] = 0;
  for (const isWritten of [false, true]) {
    const reserved = await reserve(user, { bucket: "avatars" });
    await send(reserved, bytes);
    const { id: upload_id, bucket, upload_path, path } = reserved.body;
    const verified = await service.rpc("verify_upload", { user_id: user.id, upload_id });
    assert.equal(verified.error, null);
    if (isWritten) {
      const { error } = await service.storage.from(bucket).setHeader("x-upsert", "true")
        .copy(upload_path, path);
      assert.equal(error, null);
    }
    await withDatabase(async (sql) => {
      await sql`update file_uploads set expires_at = now() where id = ${upload_id}`;
      await sql`select private.clean_up_at_once('expired_uploads')`;
    });
    const { data } = await service.storage.from(bucket).download(path);
    assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), isWritten ? bytes : PNG);
    const { data: records } = await user.client.from("file_uploads").select("id, status");
    const id = isWritten ? upload_id : old.body.id;
    assert.deepEqual(records, [{ id, status: "complete" }]);
  }
});

test("of two concurrent avatars, each is completed or waits for the other", async () => {
  const user = await signUp();
  for (let round = 0; round < Math.ceil(5 * soak); round++) {
    const files = [PNG, new Uint8Array([...PNG, 0, 0, 0])];
    const reserved = await Promise.all(
      files.map((bytes) => reserve(user, { bucket: "user-avatars", size: bytes.length })),
    );
    await Promise.all(reserved.map((one, at) => send(one, files[at]!)));
    const answers = await Promise.all(reserved.map((one) => complete(user, one)));
    assert.ok(answers.some(({ status }) => status === 200));
    for (const [at, { status, body }] of answers.entries()) {
      if (status === 200) continue;
      assert.deepEqual([status, body.code], [503, "try_again"]);
      assert.equal((await complete(user, reserved[at]!)).status, 200);
    }
    const { data } = await user.client.from("file_uploads").select("file_size");
    const { data: file } = await user.client.storage.from("user-avatars")
      .download(`${user.id}/avatar.png`);
    assert.deepEqual(data, [{ file_size: file?.size }]);
  }
});
