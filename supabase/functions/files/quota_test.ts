import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, soak, test, type TestUser } from "../_testing/testing.ts";
import { complete, PNG, reserve, send, upload, usage } from "./files_testing.ts";

async function setQuota(user: TestUser, bytes: number): Promise<void> {
  const { error } = await serviceClient().rpc("set_storage_quota", { user_id: user.id, bytes });
  if (error) throw error;
}

test("of 50 concurrent reservations against a nearly full quota, exactly those that fit succeed", async () => {
  for (let round = 0; round < Math.ceil(2 * soak); round++) {
    const user = await signUp();
    const fit = 1 + Math.floor(Math.random() * 20);
    const there = (await upload(user)).body.size;
    await setQuota(user, there + fit * 1000 + 999);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => reserve(user, { size: 1000 })),
    );
    const done = answers.filter(({ status }) => status === 201);
    assert.equal(done.length, fit);
    assert.equal(new Set(done.map(({ body }) => body.upload_path)).size, fit);
    for (const { status, body } of answers.filter(({ status }) => status !== 201)) {
      assert.deepEqual([status, body.code, body.required], [413, "storage_quota_exceeded", 1000]);
    }
    assert.deepEqual(await usage(user), { used: there, reserved: fit * 1000 });
    const rest = await reserve(user, { size: 999 });
    assert.equal(rest.status, 201);
    assert.equal((await reserve(user, { size: 1 })).body.available, 0);
  }
});

test("after concurrent reservations, completions and deletions, the usage matches what is stored", async () => {
  const user = await signUp();
  const paths: string[] = (await Promise.all(Array.from({ length: 10 }, () => upload(user))))
    .map(({ body }) => body.path);
  await setQuota(user, 20 * PNG.length);
  const pending = await Promise.all(Array.from({ length: 10 }, () => reserve(user)));
  await Promise.all(pending.map((reserved) => send(reserved, PNG)));
  assert.equal((await reserve(user, { size: 1 })).status, 413);
  const bucket = "chat_attachments";
  const remove = (paths: string[]) =>
    invoke(user.client, "files", { method: "DELETE", body: { bucket, paths } });
  await Promise.all([
    ...pending.slice(0, 5).flatMap((
      reserved,
    ) => [complete(user, reserved), complete(user, reserved)]),
    ...pending.slice(5).map((reserved) => remove([reserved.body.path])),
    ...paths.slice(5).map((path) => remove([path])),
    remove(paths.slice(5)),
  ]);
  assert.deepEqual(await usage(user), { used: 10 * PNG.length, reserved: 0 });
  const { data } = await user.client.from("file_uploads").select("file_path");
  assert.deepEqual(
    data?.map(({ file_path }) => file_path).sort(),
    [...paths.slice(0, 5), ...pending.slice(0, 5).map(({ body }) => body.path)].sort(),
  );
});

test("a direct upload is held to the quota", async () => {
  const user = await signUp();
  await setQuota(user, 1000);
  await reserve(user, { size: 600 });
  const own = user.client.storage.from("app_storage");
  const put = (name: string, bytes: number, options = {}) =>
    // Raw bytes: for a multipart upload, Storage tells the policy the size of the whole request.
    own.upload(`${user.id}/${name}`, new Uint8Array(bytes), options);
  assert.equal((await put("a", 200)).error, null);
  assert.match((await put("b", 401)).error?.message ?? "", /row-level security/);
  assert.deepEqual(await usage(user), { used: 200, reserved: 600 });
  const upsert = { upsert: true };
  assert.match((await put("a", 401, upsert)).error?.message ?? "", /row-level security/);
  assert.equal((await put("a", 150, upsert)).error, null);
  await own.remove([`${user.id}/a`]);
  assert.deepEqual(await usage(user), { used: 0, reserved: 600 });
});

test("an upload URL allows one file, even if a client tries to move or copy it", async () => {
  const user = await signUp();
  await setQuota(user, 2000);
  const headers = { "idempotency-key": crypto.randomUUID() };
  const declared = { bucket: "app_storage", size: 1, content_type: "application/octet-stream" };
  const reserved = await reserve(user, declared, { headers });
  const put = () => send(reserved, new Uint8Array(2000), declared.content_type);
  assert.equal((await put()).error, null);
  const own = user.client.storage.from("app_storage");
  const { upload_path } = reserved.body;
  const kept = `${user.id}/kept`;
  const violation = /row-level security/;
  const elsewhere = { destinationBucket: "project-files" };
  assert.match((await own.move(upload_path, kept)).error?.message ?? "", violation);
  assert.match((await own.move(upload_path, kept, elsewhere)).error?.message ?? "", violation);
  assert.match((await own.copy(upload_path, kept)).error?.message ?? "", violation);
  assert.match((await put()).error?.message ?? "", /already exists/);
  assert.deepEqual(await usage(user), { used: 0, reserved: 2000 });
  await setQuota(user, 1000);
  const again = await reserve(user, declared, { headers });
  assert.deepEqual([again.status, again.body.code], [413, "storage_quota_exceeded"]);
  assert.deepEqual([again.body.available, again.body.required], [1000, 2000]);
  assert.equal((await complete(user, reserved)).body.code, "upload_rejected");
  // Refused, it is kept for a day and counts.
  assert.deepEqual(await usage(user), { used: 2000, reserved: 0 });
  assert.equal((await reserve(user, declared)).body.code, "storage_quota_exceeded");
});

test("an upload to a path that is queued for removal counts", async () => {
  const user = await signUp();
  const paths: string[] = (await Promise.all([upload(user), upload(user), upload(user)]))
    .map(({ body }) => body.path);
  await setQuota(user, 1000);
  await user.client.from("file_uploads").delete().in("file_path", paths);
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
  // Raw bytes, as above.
  const file = new Uint8Array(900).fill(120);
  const options = { upsert: true, contentType: "text/plain" };
  const answers = [];
  for (const path of paths) {
    answers.push(
      await user.client.storage.from("chat_attachments").upload(path, file, options),
    );
  }
  assert.deepEqual(answers.map(({ error }) => error === null), [true, false, false]);
  assert.deepEqual(await usage(user), { used: 900, reserved: 0 });
});

test("a client can move a stored file only to where it could upload it", async () => {
  const user = await signUp();
  const own = user.client.storage.from("app_storage");
  const table = new Blob(["[1]"], { type: "application/json" });
  assert.equal((await own.upload(`${user.id}/a`, table)).error, null);
  assert.equal((await own.move(`${user.id}/a`, `${user.id}/b`)).error, null);
  for (const destinationBucket of ["avatars", "chat_attachments"]) {
    const options = { destinationBucket };
    const moved = await own.move(`${user.id}/b`, `${user.id}/c`, options);
    assert.match(moved.error?.message ?? "", /row-level security/);
    const copied = await own.copy(`${user.id}/b`, `${user.id}/c`, options);
    assert.match(copied.error?.message ?? "", /row-level security/);
  }
  assert.deepEqual(await usage(user), { used: 3, reserved: 0 });
});
