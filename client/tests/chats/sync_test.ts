import assert from "node:assert/strict";

import { encrypt } from "../../crypto/mod.ts";
import { ChatsError, MemoryStore } from "../../mod.ts";
import { test, withDatabase } from "../../../supabase/functions/_testing/testing.ts";
import { rejection } from "../support/assertions.ts";
import { Capture } from "../support/capture.ts";
import { device, newUser } from "../support/devices.ts";

test("Chats: a sync fetches what has changed since the last one, page by page", async () => {
  const { user, key, phone } = await newUser();
  const capture = new Capture();
  const store = new MemoryStore();
  const looked: string[] = [];
  const get = store.get.bind(store);
  store.get = (id) => {
    looked.push(id);
    return get(id);
  };
  const laptop = device(user, { fetch: capture.fetch, page_size: 2, store });
  await laptop.keys.unlock({ device: key });
  const made = [];
  for (const title of "abcde") made.push(await phone.save(phone.create(), "", { title }));
  const sync = async () => {
    const before = capture.requests.length;
    const { changed } = await laptop.sync();
    const pages = capture.requests.slice(before).map(({ texts }) => JSON.parse(texts.at(-1)!));
    return [changed.length, pages.map(({ cursor }) => cursor !== undefined)];
  };
  assert.deepEqual(await sync(), [5, [false, true, true]]);
  assert.deepEqual(await sync(), [0, [true]]);
  for (const chat of made.slice(0, 3)) await phone.star(chat, true);
  assert.deepEqual(await sync(), [3, [true, true]]);
  const gone = await phone.save(phone.create(), "");
  assert.deepEqual(await sync(), [1, [true]]);
  await phone.delete(gone);
  await phone.delete(await phone.save(phone.create(), "never seen"));
  assert.deepEqual(await sync(), [0, [true]]);
  // What is deleted for good is not looked at again.
  looked.length = 0;
  assert.deepEqual(await sync(), [0, [true]]);
  assert.deepEqual(looked, []);
  const place = { user_id: user.id, chat_id: crypto.randomUUID(), part: "data" as const };
  const encrypted_data = await encrypt("by an older app", { ...place, key: phone.keys.current });
  const row = { id: place.chat_id, user_id: user.id, encrypted_data };
  await user.client.from("encrypted_chats").insert(row).throwOnError();
  assert.deepEqual(await sync(), [1, [true]]);
  const titles = (await laptop.list()).map(({ title, is_starred }) => `${title} ${is_starred}`);
  const all = ["a true", "b true", "c true", "d false", "e false", "null false"];
  assert.deepEqual(titles.sort(), all);
});

test("Chats: the first sync continues where it was interrupted", async () => {
  const { user, key, phone } = await newUser();
  let pages = 2;
  const laptop = device(user, {
    page_size: 1,
    attempts: 1,
    fetch: (input, init) =>
      new Request(input, init).url.includes("sync_chats") && pages-- <= 0
        ? Promise.reject(new TypeError("The network is down"))
        : fetch(input, init),
  });
  await laptop.keys.unlock({ device: key });
  for (const content of "abc") await phone.save(phone.create(), content);
  await rejection(laptop.sync(), ChatsError, "unreachable");
  assert.equal((await laptop.list()).length, 2);
  assert.notEqual((await laptop.store.state()).cursor, null);
  pages = Infinity;
  const { changed, verified } = await laptop.sync();
  assert.deepEqual([changed.length, verified], [1, true]);
});

test("Chats: a sync that starts over begins again after it was interrupted, and overlooks no deletion", async () => {
  const { user, key, phone } = await newUser();
  let pages = Infinity;
  const laptop = device(user, {
    page_size: 1,
    attempts: 1,
    fetch: (input, init) =>
      new Request(input, init).url.includes("sync_chats") && pages-- <= 0
        ? Promise.reject(new TypeError("The network is down"))
        : fetch(input, init),
  });
  await laptop.keys.unlock({ device: key });
  const [first, gone, last] = [
    await phone.save(phone.create(), "first"),
    await phone.save(phone.create(), "gone"),
    await phone.save(phone.create(), "last"),
  ];
  await laptop.sync();
  await phone.delete(gone);
  // Now they come after the deletion, of which the pages from the second one on say nothing.
  for (const chat of [first, last]) await phone.star(chat, true);
  pages = 1;
  await rejection(laptop.sync({ startOver: true }), ChatsError, "unreachable");
  pages = Infinity;
  const { removed, verified } = await laptop.sync();
  assert.deepEqual([removed, verified], [[gone.id], true]);
  assert.deepEqual((await laptop.list()).map(({ id }) => id).sort(), [first.id, last.id].sort());
});

test("Chats: a sync does not undo a change that was made while it ran", async () => {
  const { user, key, phone } = await newUser();
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const laptop = device(user, {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!new Request(input, init).url.includes("sync_chats") || slow-- <= 0) return response;
      const answer = new Response(await response.text(), response);
      asked.resolve();
      await goOn.promise;
      return answer;
    },
  });
  let slow = 0;
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "Hello");
  const gone = await phone.save(phone.create(), "Goodbye");
  await laptop.sync();
  const longer = await phone.append(chat, " there");
  const starred = await phone.star(gone, true);
  slow = 1;
  const synced = laptop.sync();
  await asked.promise;
  await laptop.delete(starred);
  const opened = await laptop.open(chat.id);
  await laptop.delete(await laptop.save(laptop.create(), "short-lived"));
  const last = await laptop.append(opened, "!");
  goOn.resolve();
  await synced;
  assert.equal(longer.version, 2);
  assert.deepEqual((await laptop.list()).map(({ version }) => version), [last.version]);
  assert.deepEqual(await laptop.openKept(chat.id), last);
});

test("Chats: a device that was away too long starts over and drops deleted chats", async () => {
  const { user, phone, laptop } = await newUser();
  const [kept, gone, unsaved] = await Promise.all(
    ["kept", "gone", "unsaved"].map((title) => phone.save(phone.create(), "", { title })),
  );
  assert.ok(kept && gone && unsaved);
  await laptop.sync();
  await laptop.markUnsaved(unsaved.id, true);
  await laptop.open(kept.id);
  await phone.delete(gone);
  await phone.delete(unsaved);
  await withDatabase(async (sql) => {
    await sql`update private.chat_tombstones set deleted_at = '2000-01-01' where user_id = ${user.id}`;
    await sql`select private.clean_up_at_once('chat_tombstones')`;
  });
  const result = await laptop.sync();
  assert.equal(result.started_over, true);
  assert.deepEqual([result.removed, result.kept, result.changed], [[gone.id], [unsaved.id], []]);
  const titles = (await laptop.list()).map(({ title, deleted }) => [title, deleted]);
  assert.deepEqual(titles.sort(), [["kept", false], ["unsaved", true]]);
  assert.deepEqual(await laptop.openKept(kept.id), kept);

  await laptop.markUnsaved(unsaved.id, false);
  assert.deepEqual((await laptop.list()).map(({ id }) => id), [kept.id]);
  assert.equal((await laptop.sync()).started_over, false);
});

test("Chats: a chat with unsaved changes stays in the store when it is deleted", async () => {
  const { user, password, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "Hello");
  await laptop.sync();
  await laptop.markUnsaved(chat.id, true);
  await phone.append(chat, "more");
  assert.deepEqual((await laptop.sync()).changed, [chat.id]);
  await phone.delete({ id: chat.id, version: 2 });
  const { kept, removed } = await laptop.sync();
  assert.deepEqual([kept, removed], [[chat.id], []]);
  const [summary] = await laptop.list();
  assert.deepEqual([summary?.deleted, summary?.unsaved], [true, true]);
  // After the app was closed, the store has a chat more than the server.
  const capture = new Capture();
  const reopened = device(user, { store: laptop.store, fetch: capture.fetch });
  await reopened.keys.unlock({ password });
  capture.requests.length = 0;
  const result = await reopened.sync();
  assert.deepEqual([result.verified, result.removed], [true, []]);
  assert.equal(capture.requests.length, 1);
});

test("Chats: a server with an older version than the device is noticed", async () => {
  const { user, phone, laptop } = await newUser();
  const first = await phone.save(phone.create(), "Hello");
  const [backup] = await withDatabase((sql) =>
    sql`select c.head, o.history, o.history_counter from encrypted_chats as c
      join private.chat_owners as o using (user_id) where c.id = ${first.id}`
  );
  let chat = await phone.append(first, " there");
  await laptop.sync();
  assert.deepEqual(await laptop.open(chat.id), chat);
  await withDatabase(async (sql) => {
    // As after a restored backup: with triggers, this would be a new change.
    await sql.begin(async (sql) => {
      await sql`alter table encrypted_chats disable trigger user`;
      await sql`delete from chat_segments where chat_id = ${chat.id}`;
      await sql`update encrypted_chats set version = 1, next_segment = 0, sync_sequence = 1,
        head = ${backup?.head} where id = ${chat.id}`;
      await sql`update private.chat_owners set sync_sequence = 1, history = ${backup?.history},
        history_counter = ${backup?.history_counter} where user_id = ${user.id}`;
      await sql`alter table encrypted_chats enable trigger user`;
    });
  });
  await rejection(laptop.open(chat.id), ChatsError, "chat_rolled_back");
  await rejection(laptop.sync(), ChatsError, "chat_rolled_back");
  assert.deepEqual(await laptop.openKept(chat.id), chat);
  // The user accepts it, on each device that has seen the other history.
  const result = await laptop.sync({ startOver: true });
  assert.deepEqual([result.started_over, result.rolled_back], [true, [chat.id]]);
  assert.equal(result.verified, true);
  chat = await laptop.open(chat.id);
  assert.deepEqual([chat.version, chat.segments], [1, []]);
  assert.equal((await laptop.append(chat, " again")).version, 2);
  await rejection(phone.sync(), ChatsError, "chat_rolled_back");
  assert.equal((await phone.sync({ startOver: true })).verified, true);
  assert.equal(await phone.code(), await laptop.code());
});
