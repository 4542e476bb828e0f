import assert from "node:assert/strict";

import {
  serviceClient,
  signUp,
  test,
  type TestUser,
  until,
  withDatabase,
  withSettings,
} from "../_testing/testing.ts";
import { clean, cleanAll, download } from "./account_testing.ts";
import { fill, start, state } from "./exports_testing.ts";

// An export that another test has left would come first.
await cleanAll("account_exports");

/** Makes the next portion of a user's export due: one that is being written keeps it waiting. */
const comeDue = (user: TestUser) =>
  withDatabase((sql) =>
    sql`update private.account_exports set due_at = now() where user_id = ${user.id}`
  );

test("an interrupted export is continued, and no row is missing or there twice", async () => {
  const user = await signUp();
  await fill(user, 500, 5, 1);
  const client = serviceClient();
  await withSettings({ "exports.part_size": 5000, "exports.files_at_once": 2 }, async () => {
    await start(user);
    // A fast machine has written all of it before the sixth interruption.
    for (let n = 0; n < 6 && (await state(user)).body.state !== "done"; n++) {
      // A run that ends before it says what it has written: nothing of it counts.
      const lost = await client.rpc("next_export_portion", { batch: 50 });
      await comeDue(user);
      const next = await client.rpc("next_export_portion", { batch: 50 });
      assert.equal(next.data?.content, lost.data?.content);
      const late = { export_id: lost.data!.export_id!, token: lost.data!.token! };
      assert.equal((await client.rpc("save_export_portion", late)).data, false);
      await comeDue(user);
      // A run that has too little time for all of it.
      await clean("account_exports", 1);
    }
    await cleanAll("account_exports");
  });
  const { lines, files } = await download(user);
  const ids = lines.filter(({ table }) => table === "public.messages").map(({ row }) => row.id);
  assert.equal(ids.length, 500);
  assert.equal(new Set(ids).size, 500);
  assert.equal(files.size, 5);
});

test("an export counts files that vanish, and has failed when Storage refuses again and again", async () => {
  const user = await signUp();
  await fill(user, 1, 3, 0);
  await start(user);
  const client = serviceClient();
  const { data: first } = await client.rpc("next_export_portion", { batch: 10 });
  const [vanished] = first!.files as { name: string }[];
  assert.equal(
    (await client.rpc("save_export_portion", {
      export_id: first!.export_id!,
      token: first!.token!,
      missing: [vanished!.name],
    })).data,
    true,
  );
  await cleanAll("account_exports");
  const { body } = await state(user);
  assert.deepEqual([body.state, body.files, body.files_missing], ["done", 2, 1]);

  const unlucky = await signUp();
  await withSettings({ "exports.attempts": 2 }, async () => {
    await start(unlucky);
    for (let n = 0; n < 2; n++) {
      await comeDue(unlucky);
      let mine;
      await until(async () => {
        mine = (await client.rpc("next_export_portion", { batch: 10 })).data;
        return mine?.folder?.startsWith(unlucky.id) ?? false;
      });
      const { export_id, token } = mine!;
      await client.rpc("fail_export_portion", { export_id, token, error: "Storage is down" });
    }
  });
  assert.equal((await state(unlucky)).body.state, "failed");
});

test("an export whose runs end without a word lets others go first, and fails in the end", async () => {
  const [stuck, other] = [await signUp(), await signUp()];
  const client = serviceClient();
  const next = async () => (await client.rpc("next_export_portion", { batch: 10 })).data?.folder;
  await withSettings({ "exports.attempts": 2 }, async () => {
    await start(stuck);
    await start(other);
    assert.ok((await next())?.startsWith(stuck.id));
    await cleanAll("account_exports");
    assert.equal((await state(other)).body.state, "done");
    assert.equal((await state(stuck)).body.state, "running");
    await comeDue(stuck);
    assert.ok((await next())?.startsWith(stuck.id));
    await comeDue(stuck);
    await cleanAll("account_exports");
  });
  assert.equal((await state(stuck)).body.state, "failed");
});

test("an export goes on without a file that Storage does not copy, and removes what came too late", async () => {
  const user = await signUp();
  const bucket = serviceClient().storage.from("voice_recordings");
  for (const name of ["a.wav", "a%3Fb.wav"]) {
    const { error } = await bucket.upload(
      `${user.id}/${name}`,
      new Blob(["x"], { type: "audio/wav" }),
    );
    assert.equal(error, null);
  }
  await start(user);
  await cleanAll("account_exports");
  const { body } = await state(user);
  assert.deepEqual([body.state, body.files, body.files_missing], ["done", 1, 1]);
});

test("what a run has written for a user who was deleted meanwhile is removed, even if the run then ends without a word", async () => {
  const client = serviceClient();
  for (const kind of ["files", "rows"]) {
    const user = await signUp();
    if (kind === "files") {
      const { error } = await client.storage.from("voice_recordings")
        .upload(`${user.id}/a.wav`, new Blob(["x"], { type: "audio/wav" }));
      assert.equal(error, null);
    }
    await start(user);
    const { data: portion } = await client.rpc("next_export_portion", { batch: 10 });
    assert.ok(portion);
    assert.ok(portion.folder?.startsWith(user.id));
    assert.equal(portion.kind, kind);
    await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
    await cleanAll("deleted_accounts");
    await cleanAll("storage_removals");
    const [file] = (portion.files ?? []) as { name: string }[];
    const { error } = await client.storage.from("exports")
      .upload(`${portion.folder}${file?.name ?? portion.name}`, new Blob(["late"]));
    assert.equal(error, null);
    const left = async () => (await client.storage.from("exports").list(user.id)).data?.length;
    assert.equal(await left(), 1);
    await withDatabase((sql) =>
      sql`update private.storage_removals set due_at = now() where name like ${`${user.id}/%`}`
    );
    await cleanAll("storage_removals");
    assert.equal(await left(), 0);
  }
});
