import assert from "node:assert/strict";

import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  soak,
  test,
  type TestUser,
  until,
  withDatabase,
  withSettings,
} from "../_testing/testing.ts";
import { envelope } from "../_testing/envelope.ts";
import { clean, cleanAll, download } from "./account_testing.ts";

const start = (user: TestUser) => invoke(user.client, "account/export", { method: "POST" });
const state = (user: TestUser) => invoke(user.client, "account/export");
const remove = (user: TestUser) => invoke(user.client, "account/export", { method: "DELETE" });

/** Gives a user messages, files and encrypted chats. */
async function fill(user: TestUser, messages: number, files: number, chats: number): Promise<void> {
  // A nonce is used once.
  const sealed = Array.from({ length: chats }, () => envelope());
  await withDatabase(async (sql) => {
    const [conversation] =
      await sql`insert into conversations (user_id) values (${user.id}) returning id`;
    await sql`insert into messages (conversation_id, role, content, created_at)
      select ${conversation?.id}, 'user', to_jsonb('message ' || n), now() - n * interval '1 second'
      from generate_series(1, ${messages}) as n`;
    await sql`insert into encrypted_chats (id, user_id, encrypted_data)
      select gen_random_uuid(), ${user.id}, e from unnest(${sealed}::text[]) as e`;
  });
  for (let n = 0; n < files; n++) {
    const { error } = await serviceClient().storage.from("voice_recordings")
      .upload(`${user.id}/a/${n}.wav`, new Blob([`file ${n}`], { type: "audio/wav" }));
    if (error) throw error;
  }
}

/** What the catalog says that a user has: the ids of the rows of each table with a column that names the user. */
function ownRows(user: TestUser): Promise<Map<string, number>> {
  return withDatabase(async (sql) => {
    const tables = await sql`select t.name, t.whose from private.account_tables as t
      join private.tables_of_users as u on u.name = t.name where t.left_out is null`;
    const counts = new Map<string, number>();
    for (const { name, whose } of tables) {
      const [row] = await sql.unsafe(
        `select count(*)::integer as rows from ${name} as t where ${whose}`.replaceAll(
          "$1",
          `'${user.id}'`,
        ),
      );
      if (row?.rows > 0) counts.set(name, row?.rows);
    }
    return counts;
  });
}

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
    for (let n = 0; n < 6; n++) {
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
