import assert from "node:assert/strict";

import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  soak,
  test,
  withDatabase,
  withSettings,
} from "../_testing/testing.ts";
import { cleanAll, download } from "./account_testing.ts";
import { fill, ownRows, remove, start, state } from "./exports_testing.ts";

// An export that another test has left would come first.
await cleanAll("account_exports");

test("POST /account/export makes an archive of all rows, files and encrypted chats of the user", async () => {
  const [user, other] = [await signUp(), await signUp()];
  const size = Math.round(60 * soak);
  await fill(user, size * 10, size, size);
  await fill(other, 3, 2, 1);
  await withSettings({ "exports.part_size": 20_000, "exports.files_at_once": 9 }, async () => {
    const started = await start(user);
    assert.equal(started.status, 202);
    assert.equal(started.body.state, "queued");
    assert.equal(started.headers.get("location"), "/functions/v1/account/export");
    await cleanAll("account_exports");
  });
  const { status, body } = await state(user);
  assert.equal(status, 200);
  assert.deepEqual([body.state, body.progress, body.files], ["done", 1, size]);
  assert.ok(Date.parse(body.expires_at) > Date.now());

  const { lines, manifest, files, parts } = await download(user);
  assert.ok(parts.filter(({ kind }) => kind === "rows").length > 3);
  const counts = Map.groupBy(lines, ({ table }) => table);
  for (const [table, rows] of await ownRows(user)) {
    assert.equal(counts.get(table)?.length ?? 0, rows, table);
    assert.equal((manifest.tables as Record<string, number>)[table], rows, table);
  }
  assert.equal(new Set(counts.get("public.messages")?.map(({ row }) => row.id)).size, size * 10);
  const [chat] = counts.get("public.encrypted_chats") ?? [];
  const { data } = await user.client.from("encrypted_chats").select("encrypted_data").eq(
    "id",
    `${chat?.row.id}`,
  );
  assert.equal(chat?.row.encrypted_data, data?.[0]?.encrypted_data);
  assert.equal(counts.get("private.account_export_parts")?.length, size);
  assert.equal(files.size, size);
  for (let n = 0; n < size; n++) {
    assert.equal(files.get(`voice_recordings/${user.id}/a/${n}.wav`), `file ${n}`);
  }
  const text = JSON.stringify(lines);
  assert.ok(!text.includes(other.id) && text.includes(user.email));
  for (const secret of ["encrypted_password", "key_hash", "request_hash"]) {
    assert.ok(!text.includes(secret), secret);
  }
});

test("an export belongs to its user: nobody else sees it, and no client writes its bucket", async () => {
  const [user, other] = [await signUp(), await signUp()];
  await start(user);
  await cleanAll("account_exports");
  const { body } = await state(user);
  const [{ name }] = body.parts;
  assert.equal((await state(other)).status, 404);
  assert.equal((await state(other)).body.code, "export_not_found");
  assert.equal((await remove(other)).status, 404);
  assert.ok((await user.client.storage.from("exports").download(name)).data);
  for (const client of [other.client, anonymousClient()]) {
    const bucket = client.storage.from("exports");
    assert.ok((await bucket.download(name)).error);
    assert.ok((await bucket.createSignedUrl(name, 60)).error);
  }
  const own = user.client.storage.from("exports");
  assert.ok((await own.upload(`${user.id}/mine.txt`, new Blob(["x"]))).error);
  assert.ok((await own.update(name, new Blob(["x"]))).error);
  await own.remove([name]);
  await own.move(name, `${user.id}/elsewhere`);
  assert.ok((await own.download(name)).data);
  for (const client of [anonymousClient(), serviceClient()]) {
    for (const method of ["POST", "GET", "DELETE"] as const) {
      assert.equal((await invoke(client, "account/export", { method })).status, 401);
    }
  }
});

test("a user has one export at a time, and some a day; an archive expires", async () => {
  const user = await signUp();
  await withSettings({ "exports.per_day": 2 }, async () => {
    const both = await Promise.all([start(user), start(user)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [202, 409]);
    assert.equal((await start(user)).body.code, "export_in_progress");
    const cancelled = await remove(user);
    assert.deepEqual([cancelled.status, cancelled.body.state], [200, "cancelled"]);
    assert.equal((await start(user)).status, 202);
    await cleanAll("account_exports");
    const { status, body, headers } = await start(user);
    assert.deepEqual([status, body.code, body.limit], [429, "too_many_exports", 2]);
    assert.equal(headers.get("retry-after"), `${body.retry_after}`);
  });
  const [part] = (await state(user)).body.parts;
  await withDatabase((sql) =>
    sql`update private.account_exports set expires_at = now() where user_id = ${user.id} and state = 'done'`
  );
  const expired = await state(user);
  assert.deepEqual([expired.body.state, expired.body.parts], ["expired", []]);
  await cleanAll("account_exports");
  await cleanAll("storage_removals");
  assert.equal((await fetch(part.url)).ok, false);
  assert.deepEqual((await user.client.storage.from("exports").list(user.id)).data, []);
});

test("a cancelled export leaves nothing, even if a run was writing it", async () => {
  const user = await signUp();
  await fill(user, 100, 3, 1);
  await start(user);
  const client = serviceClient();
  const { data: files } = await client.rpc("next_export_portion", { batch: 10 });
  assert.equal(files?.kind, "files");
  await remove(user);
  const { export_id, token } = files!;
  const saved = await client.rpc("save_export_portion", { export_id: export_id!, token: token! });
  assert.equal(saved.data, false);
  await cleanAll("account_exports");
  assert.equal((await state(user)).body.state, "cancelled");
});
