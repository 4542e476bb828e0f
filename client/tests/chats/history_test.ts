/**
 * The history of an account with an honest server: other clients, older chats, rotations, devices that write at once. And
 * what only a server can do that has an older database or an old key.
 */

import assert from "node:assert/strict";

import { test, type TestUser, withDatabase } from "../../../supabase/functions/_testing/testing.ts";
import { sealHistory } from "../../crypto/mod.ts";
import { ChatsError, MemoryStore } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { Capture } from "../support/capture.ts";
import { device, newUser } from "../support/devices.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";

test("history: a change by a client that writes no heads is shown when the user asks for it, and the next change proves it", async () => {
  const { user, phone, laptop } = await newUser();
  const chat = await phone.append(await phone.save(phone.create(), "A", { title: "A" }), "0");
  await laptop.sync();
  await laptop.open(chat.id);
  const starred = { is_starred: true };
  await user.client.from("encrypted_chats").update(starred).eq("id", chat.id).throwOnError();

  const result = await laptop.sync();
  assert.deepEqual([result.changed, result.verified], [[chat.id], true]);
  const [summary] = await laptop.list();
  assert.deepEqual([summary?.title, summary?.is_starred, summary?.verified], ["A", true, false]);
  await rejection(laptop.open(chat.id), ChatsError, "chat_unproven");
  await rejection(laptop.rename(summary!, "B"), ChatsError, "chat_unproven");
  const shown = await laptop.open(chat.id, { unproven: true });
  assert.deepEqual([shown.verified, shown.is_starred, shown.segments], [false, true, ["0"]]);
  const proven = await laptop.append(shown, "1");
  assert.equal(proven.verified, true);
  await phone.sync();
  assert.deepEqual(await phone.open(chat.id), proven);
  // The user has accepted one version, and not those after it.
  const again = { is_starred: false };
  await user.client.from("encrypted_chats").update(again).eq("id", chat.id).throwOnError();
  await rejection(laptop.open(chat.id), ChatsError, "chat_unproven");
});

test("history: a deletion by a client that writes no heads is accepted by the user, for all devices", async () => {
  const { user, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "gone");
  const other = await phone.save(phone.create(), "stays");
  for (const chats of [phone, laptop]) await chats.sync();
  await laptop.open(chat.id);
  await user.client.from("encrypted_chats").delete().eq("id", chat.id).throwOnError();

  for (const chats of [phone, laptop]) {
    const { unproven, kept, removed, verified } = await chats.sync();
    assert.deepEqual([unproven, kept, removed, verified], [[chat.id], [chat.id], [], false]);
  }
  assert.equal((await laptop.openKept(chat.id))?.content, "gone");
  // Other chats can be changed meanwhile.
  await phone.append(await phone.open(other.id), "!");
  assert.deepEqual((await laptop.sync()).unproven, [chat.id]);

  const accepted = await laptop.sync({ startOver: true });
  assert.deepEqual([accepted.removed, accepted.verified], [[chat.id], true]);
  const { removed, verified } = await phone.sync();
  assert.deepEqual([removed, verified], [[chat.id], true]);
});

test("history: chats from before there were heads open as they are, and the next change gives them one", async () => {
  const { user, phone, key } = await newUser();
  const store = new MemoryStore();
  const laptop = device(user, { store });
  await laptop.keys.unlock({ device: key });
  const chats = [];
  for (const title of "abcd") chats.push(await phone.save(phone.create(), title, { title }));
  const [a, b, c, d] = chats;
  assert.ok(a && b && c && d);
  await phone.append(d, "0");
  await laptop.sync();
  await laptop.open(a.id);
  await forgetHeads(user, store);

  const old = device(user, { store });
  await old.keys.unlock({ device: key });
  const first = await old.sync();
  assert.deepEqual([first.verified, first.started_over, first.unproven], [false, false, []]);
  assert.deepEqual((await old.list()).map(({ verified }) => verified), [
    false,
    false,
    false,
    false,
  ]);
  const open = await old.open(a.id);
  assert.deepEqual([open.content, open.verified], ["a", false]);

  assert.equal((await old.append(open, "1")).verified, true);
  const renamed = await old.rename((await old.list()).find(({ id }) => id === d.id)!, "D");
  assert.equal(renamed.verified, true);
  const other = await old.open(b.id);
  assert.deepEqual(await old.openKept(b.id), other);
  await old.save(other, "b again");
  await old.delete(c);
  assert.equal((await old.sync()).verified, true);

  const fresh = device(user);
  await fresh.keys.unlock({ device: key });
  assert.equal((await fresh.sync()).verified, true);
  const shown = await fresh.open(d.id);
  assert.deepEqual([shown.title, shown.segments, shown.verified], ["D", ["0"], true]);
});

test("history: a store from before there were heads reads everything once, and says nothing", async () => {
  const { user, phone, key } = await newUser();
  const store = new MemoryStore();
  const before = device(user, { store });
  await before.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "A");
  await before.sync();
  await before.open(chat.id);
  // What an older version of this client has stored.
  const put = (await store.list()).map(({ head: _, ...old }) => old);
  await store.apply({ put, state: { history: null, writer: null } });

  const laptop = device(user, { store });
  await laptop.keys.unlock({ device: key });
  const result = await laptop.sync();
  assert.deepEqual([result.verified, result.rolled_back, result.removed], [true, [], []]);
  await phone.append(chat, "0");
  assert.equal((await laptop.sync()).verified, true);
  assert.deepEqual((await laptop.open(chat.id)).segments, ["0"]);
});

test("history: two devices that change chats at once need one more request, and no other change needs any", async () => {
  const { user, key, phone } = await newUser();
  const capture = new Capture();
  const laptop = device(user, { fetch: capture.fetch });
  await laptop.keys.unlock({ device: key });
  let chat = await laptop.save(laptop.create(), "A");
  const count = async (run: () => Promise<unknown>) => {
    const before = capture.requests.length;
    await run();
    return capture.requests.length - before;
  };
  assert.equal(await count(async () => chat = await laptop.append(chat, "0")), 1);
  assert.equal(await count(async () => chat = await laptop.star(chat, true)), 1);
  assert.equal(await count(async () => chat = await laptop.save(chat, "B")), 1);
  await phone.save(phone.create(), "other");
  assert.equal(await count(async () => chat = await laptop.append(chat, "1")), 2);
  const others = [1, 2, 3, 4, 5].map(() => laptop.create());
  assert.equal(await count(() => Promise.all(others.map((chat) => laptop.save(chat, "")))), 5);
  assert.equal(await count(() => laptop.delete(chat)), 1);
  assert.equal(await count(() => laptop.sync()), 1);
  assert.equal((await phone.sync()).verified, true);
});

test("history: two branches of an account that do not know of each other are noticed", async () => {
  const { user, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "A");
  await laptop.sync();
  const branch = await snapshot(user);
  await laptop.save(laptop.create(), "only in the first branch");
  await branch();
  // The server shows the phone the second one, and then the laptop as well.
  await phone.append(chat, "0");
  await rejection(laptop.sync(), ChatsError, "history_forked");
  await phone.append(await phone.open(chat.id), "1");
  await rejection(laptop.sync(), ChatsError, "history_forked");
  await rejection(laptop.save(laptop.create(), ""), ChatsError, "history_forked");
  assert.equal((await laptop.list()).length, 2);
});

test("history: after a rotation, whoever has the old key makes no head of the account", async () => {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "A");
  await laptop.sync();
  const old = phone.keys.current;
  const { device: renewed } = await phone.keys.rotate(password);
  assert.equal(renewed, undefined);
  await laptop.keys.unlock({ password });
  assert.equal((await laptop.sync()).verified, true);

  const content = { chats: 0, min_epoch: 1 as const, sum: new Uint8Array(32), writers: {} };
  const forged = async (counter: number) => ({
    counter,
    sealed: await sealHistory(content, user.id, counter, old),
    unproven_deletions: 0,
  });
  const history = await forged(99);
  const lie = (answer: Json, { path }: { path: string }) =>
    path === "rpc/sync_chats" ? { ...answer, changes: [], history } : undefined;
  const error = await server.telling(lie, () => laptop.sync());
  assert.equal((error as ChatsError).code, "history_rolled_back");
  // A new device cannot know that there was a newer one. It says so, and does not write after it.
  const fresh = device(user, { fetch: server.fetch, attempts: 1 });
  await fresh.keys.unlock({ password });
  for (let time = 0; time < 2; time++) {
    const result = await server.telling(lie, () => fresh.sync());
    assert.equal((result as { verified: boolean }).verified, false);
  }
  server.status = 409;
  const conflict = (_: Json, { method }: { method: string }) =>
    method === "PUT" ? { code: "history_conflict", detail: "Conflict", history } : undefined;
  const refused = await server.telling(conflict, () => fresh.save(fresh.create(), ""));
  assert.equal((refused as ChatsError).code, "history_unproven");
  assert.equal((await fresh.sync()).verified, true);
  assert.equal((await fresh.open(chat.id)).verified, true);
});

test("history: the user accepts a restored backup from before chats were encrypted again", async () => {
  const { user, password, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "A");
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  assert.equal((await laptop.sync()).verified, true);
  const backup = await snapshot(user);
  await phone.reencrypt();
  await laptop.sync();
  await backup();
  await assert.rejects(laptop.sync());
  assert.equal((await laptop.sync({ startOver: true })).verified, true);
  assert.equal((await laptop.open(chat.id)).content, "A");
});

test("history: while the keys are locked, deleted chats stay until they are unlocked", async () => {
  const { user, phone, key } = await newUser();
  const store = new MemoryStore();
  const laptop = device(user, { store });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "A");
  await laptop.sync();
  await phone.delete(chat);
  const locked = device(user, { store });
  const { kept, verified, keys_changed } = await locked.sync();
  assert.deepEqual([kept, verified, keys_changed], [[chat.id], false, false]);
  assert.deepEqual((await store.list()).map(({ id, deleted }) => [id, deleted]), [[chat.id, true]]);
  // It has no title: nothing of it is missing.
  const [summary] = await locked.list();
  assert.deepEqual([summary?.title_error, summary?.verified], [undefined, false]);
  await locked.keys.unlock({ device: key });
  const result = await locked.sync();
  assert.deepEqual([result.removed, result.verified], [[chat.id], true]);
});

test("history: while a device lacks the new key, deleted chats stay until the keys are unlocked again", async () => {
  const { password, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "A");
  await laptop.sync();
  await laptop.open(chat.id);
  await phone.keys.rotate(password);
  await phone.delete(chat);
  const { unproven, removed, verified } = await laptop.sync();
  assert.deepEqual([unproven, removed, verified], [[chat.id], [], false]);
  assert.equal((await laptop.openKept(chat.id))?.content, "A");
  await laptop.keys.unlock({ password });
  assert.deepEqual((await laptop.sync()).removed, [chat.id]);
});

/** Makes an account and a store as they were before there were heads. */
async function forgetHeads(user: TestUser, store: MemoryStore): Promise<void> {
  await withDatabase((sql) =>
    sql.begin(async (sql) => {
      await sql`alter table encrypted_chats disable trigger user`;
      await sql`update encrypted_chats set head = null where user_id = ${user.id}`;
      await sql`alter table encrypted_chats enable trigger user`;
      await sql`update private.chat_owners set history = null, history_counter = 0 where user_id = ${user.id}`;
    })
  );
  const put = (await store.list()).map(({ head: _, ...old }) => old);
  await store.apply({ put, state: { history: null, writer: null } });
}

/** Remembers the chats of a user in the database. Returns what brings them back, as from a backup. */
async function snapshot(user: TestUser): Promise<() => Promise<void>> {
  const { chats, owner } = await withDatabase(async (sql) => ({
    chats:
      await sql`select to_jsonb(c) as row from encrypted_chats as c where user_id = ${user.id}`,
    owner: await sql`select history, history_counter, sync_sequence from private.chat_owners
      where user_id = ${user.id}`,
  }));
  return () =>
    withDatabase((sql) =>
      sql.begin(async (sql) => {
        await sql`alter table encrypted_chats disable trigger user`;
        await sql`delete from encrypted_chats where user_id = ${user.id}`;
        for (const { row } of chats) {
          await sql`insert into encrypted_chats
            select (jsonb_populate_record(null::encrypted_chats, ${sql.json(row)})).*`;
        }
        await sql`alter table encrypted_chats enable trigger user`;
        const { history, history_counter, sync_sequence } = owner[0]!; // the user has chats
        await sql`update private.chat_owners set history = ${history}, sync_sequence = ${sync_sequence},
          history_counter = ${history_counter} where user_id = ${user.id}`;
      })
    );
}
