import "fake-indexeddb/auto";
import assert from "node:assert/strict";

import { removeQueuedObjects } from "../../../supabase/functions/_storage/removals.ts";
import { stored, usage } from "../../../supabase/functions/files/files_testing.ts";
import { serviceClient, signUp, test } from "../../../supabase/functions/_testing/testing.ts";
import { Attachments } from "../../attachments/attachments.ts";
import { CryptoError } from "../../crypto/mod.ts";
import { StrongroomError } from "../../index.ts";
import { IndexedDbStore } from "../../stores/indexeddb.ts";
import { rejection } from "../support/assertions.ts";
import { device, newUser } from "../support/devices.ts";

/** Bytes that differ from chunk to chunk. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 12)) & 0xff);
}

/** A user with a chat, and its attachments on two devices. */
async function newChat() {
  const { user, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "Holidays");
  const of = (chats: typeof phone) => new Attachments(user.client, user.id, chats.keys);
  return { user, phone, chat, mine: of(phone), other: of(laptop) };
}

test("attachments: a file of several chunks is added, listed and opened on another device, and nobody else can read it", async () => {
  const { user, chat, mine, other } = await newChat();
  const content = bytes(9 * 1024 * 1024);
  const file = new File([content], "Grüße.bin", { type: "application/x-test" });
  const progress: number[] = [];
  const added = await mine.add(chat.id, file, { onProgress: ({ sent }) => progress.push(sent) });
  assert.equal(added.chunks.length, 3);
  const mib = 1024 * 1024;
  assert.deepEqual(progress, [0, 4 * mib, 8 * mib, 9 * mib]);
  const note = await mine.add(chat.id, new Blob(["a note"]), { name: "note.txt" });
  const empty = await mine.add(chat.id, new Blob([]));

  assert.deepEqual(await other.list(chat.id), [added, note, empty]);
  const opened = await other.open(chat.id, added);
  assert.equal(opened.type, "application/x-test");
  assert.deepEqual(new Uint8Array(await opened.arrayBuffer()), content);
  assert.equal(await (await other.open(chat.id, note)).text(), "a note");
  assert.equal((await other.open(chat.id, empty)).size, 0);

  for (const name of await stored(user)) {
    const { data } = await serviceClient().storage.from("chat-images")
      .download(name.replace("chat-images/", ""));
    assert.deepEqual(Object.keys(JSON.parse(await data!.text())).sort(), [
      ...["ciphertext", "key_id", "mac", "nonce", "v"],
    ]);
  }
});

test("attachments: they are removed alone, or with their chat", async () => {
  const { user, phone, chat, mine, other } = await newChat();
  const first = await mine.add(chat.id, new Blob(["first"]));
  const second = await mine.add(chat.id, new Blob(["second"]));
  await mine.remove(chat.id, first);
  assert.deepEqual(await other.list(chat.id), [second]);
  await rejection(other.open(chat.id, first), StrongroomError, "object_not_found");
  assert.equal((await stored(user)).length, 2);
  await phone.delete(chat);
  while ((await removeQueuedObjects(serviceClient())).rows > 0);
  assert.deepEqual(await stored(user), []);
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
});

test("attachments: one that cannot be added or is aborted leaves nothing behind", async () => {
  const { user, chat, mine } = await newChat();
  const name = "a".repeat(60_000);
  await rejection(mine.add(chat.id, new Blob(["a"]), { name }), StrongroomError, "invalid_name");
  const nowhere = mine.add(crypto.randomUUID(), new Blob(["a"]));
  await rejection(nowhere, StrongroomError, "chat_not_found");
  const abort = new AbortController();
  const aborted = mine.add(chat.id, new Blob([bytes(5 * 1024 * 1024)]), {
    signal: abort.signal,
    onProgress: ({ sent }) => sent > 0 && abort.abort(),
  });
  await rejection(aborted, StrongroomError, "aborted");
  while ((await removeQueuedObjects(serviceClient())).rows > 0);
  assert.deepEqual(await stored(user), []);
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
});

test("attachments: chunks that the server exchanges or cuts off are refused", async () => {
  const { chat, mine } = await newChat();
  const first = await mine.add(chat.id, new Blob(["first"]));
  const second = await mine.add(chat.id, new Blob(["other"]));
  const { chunks: [chunk] } = first;
  const swapped = { ...first, chunks: [{ ...chunk!, id: second.id }] };
  await rejection(mine.open(chat.id, swapped), CryptoError, "decryption_failed");
  const longer = { ...first, chunks: [{ ...chunk!, size: chunk!.size + 1 }] };
  await rejection(mine.open(chat.id, longer), CryptoError, "decryption_failed");
});

test("IndexedDbStore: two tabs share it, and after a reload the device key in it opens the chats", async () => {
  const { user, password } = await newUser();
  const tabs = await Promise.all([user, user].map(async ({ id }) => {
    const store = await IndexedDbStore.open(id);
    const chats = device(user, { store });
    await chats.keys.unlock({ password });
    return { store, chats };
  }));
  const [a, b] = [tabs[0]!, tabs[1]!];
  let chat = await a.chats.save(a.chats.create(), "Hello", { title: "Greetings" });
  await b.chats.sync();
  await a.store.setDeviceKey(await a.chats.keys.rememberDevice());
  for (const { chats } of [a, b, a, b]) chat = await chats.append(chat, "!");
  await Promise.all([a.chats.sync(), b.chats.sync(), a.chats.sync()]);
  for (const { store, chats } of tabs) {
    assert.deepEqual((await chats.openKept(chat.id))?.segments, ["!", "!", "!", "!"]);
    store.close();
  }

  const store = await IndexedDbStore.open(user.id);
  const key = await store.deviceKey();
  assert.equal(key!.key.extractable, false);
  const reloaded = device(user, { store });
  await reloaded.keys.unlock({ device: key! });
  assert.equal((await reloaded.openKept(chat.id))?.title, "Greetings");
  await store.setDeviceKey(undefined);
  assert.equal(await store.deviceKey(), undefined);
  store.close();
  await IndexedDbStore.delete(user.id);
});

test("attachments: another user sees none of them", async () => {
  const { chat, mine, phone } = await newChat();
  await mine.add(chat.id, new Blob(["a"]));
  const stranger = await signUp();
  const theirs = new Attachments(stranger.client, stranger.id, phone.keys);
  assert.deepEqual(await theirs.list(chat.id), []);
});
