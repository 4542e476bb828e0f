import assert from "node:assert/strict";

import { envelope } from "../_testing/envelope.ts";
import { invoke, signUp, test, until, withDatabase } from "../_testing/testing.ts";
import { save, setKeys } from "./chats_testing.ts";

test("direct writes, as Chuk Chat makes them, keep working and are counted and synced", async () => {
  const { client, id: user_id } = await signUp();
  const first = envelope();
  const made = await client.from("encrypted_chats")
    .insert({ user_id, encrypted_data: first, encrypted_title: envelope(), is_starred: false })
    .select().single();
  assert.equal(made.error, null);
  const id = made.data?.id ?? "";
  assert.deepEqual([made.data?.version, made.data?.encrypted_data], [1, first]);

  const second = envelope();
  const updated = await client.from("encrypted_chats")
    .update({ encrypted_data: second, updated_at: new Date().toISOString() }).eq("id", id)
    .select().single();
  assert.deepEqual([updated.data?.version, updated.data?.data_version], [2, 2]);

  const third = envelope();
  const row = { id, user_id, encrypted_data: third };
  const upserted = await client.from("encrypted_chats").upsert(row).select().single();
  assert.deepEqual([upserted.error, upserted.data?.version], [null, 3]);
  const fresh = { id: crypto.randomUUID(), user_id, encrypted_data: envelope() };
  const inserted = await client.from("encrypted_chats").upsert(fresh).select().single();
  assert.deepEqual([inserted.error, inserted.data?.version], [null, 1]);

  const list = await client.from("encrypted_chats").select("id, updated_at")
    .order("updated_at", { ascending: false });
  assert.equal(list.data?.length, 2);

  await client.from("encrypted_chats").delete().eq("id", fresh.id);
  const { data } = await client.rpc("sync_chats", { cursor: "1" });
  const changes = data?.changes as { id: string; deleted: boolean }[];
  assert.deepEqual(changes.map((change) => [change.id, change.deleted]), [[id, false], [
    fresh.id,
    true,
  ]]);
});

test("a direct write with a missing or too long value has its code", async () => {
  const { client, id: user_id } = await signUp();
  const nobodys = await client.from("encrypted_chats")
    .insert({ encrypted_data: envelope() } as { user_id: string; encrypted_data: string });
  // The policy is checked first, and the row is not the caller's.
  assert.equal(nobodys.error?.code, "42501");
  const empty = await client.from("encrypted_chats")
    .insert({ user_id } as { user_id: string; encrypted_data: string });
  assert.match(empty.error?.details ?? "", /^envelope_malformed /);
  const image_paths = ["x".repeat(1025)];
  const long = await client.from("encrypted_chats")
    .insert({ user_id, encrypted_data: envelope(), image_paths });
  assert.match(long.error?.details ?? "", /^invalid_image_path /);
});

test("a page of a sync has as many titles as fit, and the next page has the rest", async () => {
  const { client, id: user_id } = await signUp();
  const titles = Array.from({ length: 5 }, () => envelope(undefined, 3 * 1024 * 1024));
  for (const encrypted_title of titles) {
    await client.from("encrypted_chats")
      .insert({ user_id, encrypted_data: envelope(), encrypted_title });
  }
  const pages: number[] = [];
  let cursor: string | undefined;
  for (let more = true; more;) {
    const { data, error } = await client.rpc("sync_chats", {
      with_titles: true,
      ...(cursor && { cursor }),
    });
    assert.equal(error, null);
    pages.push((data?.changes as unknown[]).length);
    cursor = data?.cursor ?? "";
    more = data?.has_more ?? false;
  }
  // Each has 4 MiB in base64. A page includes every title that begins within 8 MiB.
  assert.deepEqual(pages, [2, 2, 1]);
});

test("an account that is deleted while its devices write leaves no rows, and nothing deadlocks", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  await withDatabase(async (sql) => {
    const writing = Array.from({ length: 6 }, async (_, n) => {
      for (let i = 0; i < 15; i++) {
        const id = crypto.randomUUID();
        const { status } = n % 2
          ? await save(user, id, { expected_version: 0, encrypted_data: envelope(key) })
          : await user.client.from("encrypted_chats")
            .insert({ id, user_id: user.id, encrypted_data: envelope(key) });
        assert.ok([201, 404].includes(status), String(status));
      }
    });
    await until(async () => {
      const [row] =
        await sql`select count(*)::int as chats from encrypted_chats where user_id = ${user.id}`;
      return row?.chats > 10;
    });
    await sql`delete from auth.users where id = ${user.id}`;
    await Promise.all(writing);
    const [left] = await sql`select count(*)::int as rows from (
      select 1 from encrypted_chats where user_id = ${user.id}
      union all select 1 from private.chat_owners where user_id = ${user.id}
      union all select 1 from private.chat_nonces where user_id = ${user.id}) as l`;
    assert.equal(left?.rows, 0);
  });
  const late = await invoke(user.client, `chats/${crypto.randomUUID()}`, { method: "DELETE" });
  assert.deepEqual([late.status, late.body.code], [404, "user_not_found"]);
});

test("an update with the version that was read does not overwrite a newer one", async () => {
  const { client, id: user_id } = await signUp();
  const { data } = await client.from("encrypted_chats")
    .insert({ user_id, encrypted_data: envelope() }).select("id").single();
  const update = () =>
    client.from("encrypted_chats").update({ encrypted_data: envelope() })
      .eq("id", data?.id ?? "").eq("version", 1).select("version");
  const answers = await Promise.all(Array.from({ length: 8 }, update));
  const changed = answers.filter((answer) => answer.data?.length === 1);
  assert.equal(changed.length, 1);
  assert.ok(answers.every((answer) => answer.error === null));
});

test("a direct write is checked as the function checks it", async () => {
  const user = await signUp();
  const { client, id: user_id } = user;
  const key = await setKeys(user);
  const bad = await client.from("encrypted_chats").insert({ user_id, encrypted_data: "hello" });
  assert.match(bad.error?.details ?? "", /^envelope_malformed /);
  const old = await client.from("encrypted_chats").insert({ user_id, encrypted_data: envelope() });
  assert.match(old.error?.details ?? "", /^key_epoch_old /);
  const id = crypto.randomUUID();
  await save(user, id, { expected_version: 0, encrypted_data: envelope(key) });
  await invoke(client, `chats/${id}`, { method: "DELETE" });
  const gone = await client.from("encrypted_chats")
    .insert({ id, user_id, encrypted_data: envelope(key) });
  assert.equal(gone.error?.details, "chat_deleted");
  const moved = await client.from("encrypted_chats")
    .insert({ user_id, encrypted_data: envelope(key) }).select("id").single();
  const other = await client.from("encrypted_chats")
    .update({ id: crypto.randomUUID() }).eq("id", moved.data?.id ?? "");
  assert.equal(other.error?.details, "chat_id_changed");
});

test("a direct write waits for the user's other changes before it locks the chat", async () => {
  const user = await signUp();
  const { client, id: user_id } = user;
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
  for (const id of [first, second]) {
    await save(user, id, { expected_version: 0, encrypted_data: envelope() });
  }
  await withDatabase((sql) =>
    sql.begin(async (transaction) => {
      const star = (id: string) =>
        transaction`select save_chat(${user_id}, ${id}, 1, is_starred => true)`;
      await star(first);
      const direct = client.from("encrypted_chats").update({ title: "Clear" }).eq("id", second)
        .select("version").then((answer) => answer);
      await until(async () => {
        const [row] =
          await transaction`select count(*)::int as waiting from pg_locks where not granted`;
        return row?.waiting > 0;
      });
      // If the direct write had locked the chat first, the two would deadlock here.
      await star(second);
      return { direct };
    })
  ).then(async ({ direct }) => {
    const { data, error } = await direct;
    assert.deepEqual([error, data], [null, [{ version: 3 }]]);
  });
});
