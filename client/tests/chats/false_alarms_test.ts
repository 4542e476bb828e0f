/**
 * Honest devices and an honest server, in the moments in which one device knows less than another: no device takes this for
 * a lie.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import { ChatConflict, MemoryStore } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { device, newUser } from "../support/devices.ts";
import { LyingServer } from "../support/lying_server.ts";

const HISTORY = "chats/history";

test("false alarms: after a rotation, a device makes its change although another is faster to renew the history", async () => {
  const { user, password, key } = await newUser();
  let connected = true;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { method, url } = new Request(input, init);
    if (connected || method !== "PUT" || !url.endsWith(HISTORY)) {
      return await globalThis.fetch(input, init);
    }
    throw new TypeError("The phone is offline");
  };
  const server = new LyingServer();
  const phone = device(user, { fetch, attempts: 1 });
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  for (const chats of [phone, laptop]) await chats.keys.unlock({ device: key });
  await phone.save(phone.create(), "from before the rotation");
  await laptop.sync();
  // The phone is cut off right after it has rotated the keys: the history is still under the old one.
  connected = false;
  await phone.keys.rotate(password);
  connected = true;
  await laptop.keys.unlock({ password });

  let overtaken = 0;
  server.swallow = async ({ method }, path) => {
    if (method !== "PUT" || path !== HISTORY || overtaken++ > 0) return;
    await phone.save(phone.create(), "by the phone, which is back");
  };
  const chat = await laptop.save(laptop.create(), "by the laptop");
  assert.ok(overtaken > 0);
  assert.equal(chat.verified, true);
  for (const chats of [phone, laptop]) {
    assert.equal((await chats.sync()).verified, true);
    assert.equal((await chats.list()).length, 3);
  }
});

test("false alarms: a change is made although another device rotates the keys twice meanwhile", async () => {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch });
  await laptop.keys.unlock({ device: key });
  let rotations = 0;
  // Before the server has the change.
  server.swallow = async ({ method }, path) => {
    if (method !== "PUT" || path === HISTORY || path === "chats/keys" || rotations > 1) return;
    rotations++;
    await phone.keys.rotate(password);
    await laptop.keys.unlock({ password });
  };
  const chat = await laptop.save(laptop.create(), "Hello");
  assert.equal(rotations, 2);
  await phone.sync();
  assert.equal((await phone.open(chat.id)).content, "Hello");
});

test("false alarms: a change of a copy from before an epoch was closed is a conflict", async () => {
  const { password, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "Hello", { title: "A title" });
  const held = await laptop.open(chat.id);
  await phone.keys.rotate(password);
  await phone.reencrypt();
  await phone.closeEpochs();
  await laptop.keys.unlock({ password });
  assert.equal((await laptop.sync()).verified, true);
  for (
    const change of [
      () => laptop.append(held, ", world"),
      () => laptop.rename(held, "Another title"),
      () => laptop.save(held, "Goodbye"),
    ]
  ) {
    const conflict = await rejection(change(), ChatConflict, "version_conflict");
    assert.deepEqual(conflict.chat, await laptop.open(chat.id));
  }
});

test("false alarms: a device that learns of a closed epoch from a conflict lists what others have encrypted again", async () => {
  const { user, password, phone, key } = await newUser();
  const laptop = device(user, { store: new MemoryStore() });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "Hello", { title: "A title" });
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  await laptop.sync();
  await phone.reencrypt();
  await phone.closeEpochs();

  const made = await laptop.save(laptop.create(), "", { title: "Another" });
  assert.equal((await laptop.store.state()).min_epoch, phone.keys.current.key_id);
  const listed = (await laptop.list()).map((
    { id, title, title_error, verified },
  ) => [id, title, title_error, verified]);
  assert.deepEqual(
    new Set(listed.map((row) => row.join())),
    new Set([
      [made.id, "Another", undefined, true].join(),
      [chat.id, "A title", undefined, true].join(),
    ]),
  );
});

test("false alarms: what another device has written before a rotation is no lie, though the keys change during a sync", async () => {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  await laptop.keys.unlock({ device: key });
  await phone.save(phone.create(), "A");
  await laptop.sync();
  let rotated = false;
  // After the server has answered, and before the laptop has read it.
  server.lie = async (_, { path }) => {
    if (rotated || path !== "rpc/sync_chats") return;
    rotated = true;
    await phone.save(phone.create(), "B");
    await phone.keys.rotate(password);
    await laptop.keys.unlock({ password });
  };
  await laptop.sync();
  assert.ok(rotated);
  assert.equal((await laptop.sync()).verified, true);
  assert.equal((await laptop.list()).length, 2);
});

test("false alarms: after a rotation, a chat that an older key has proven is listed anew, and backed up", async () => {
  const { password, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "A");
  await laptop.sync();
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  assert.equal((await laptop.sync()).verified, true);
  // As if the server had refused the cursor, which was too old.
  await laptop.store.apply({ state: { cursor: null } });
  assert.equal((await laptop.sync()).verified, true);
  assert.equal((await laptop.backup(chat.id)).chat.version, chat.version);
});

test("false alarms: a chat opens that another device encrypts again meanwhile, before it closes the epoch", async () => {
  const { user, password, phone } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  const chat = await phone.save(phone.create(), "A");
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  let closed = false;
  // After the server has answered, and before the laptop has read it.
  server.lie = async (_, { method, path }) => {
    if (closed || method !== "GET" || !path.startsWith(`chats/${chat.id}`)) return;
    closed = true;
    await phone.reencrypt();
    await phone.closeEpochs();
  };
  const { content, verified } = await laptop.open(chat.id);
  assert.deepEqual([content, verified, closed], ["A", true, true]);
});

test("false alarms: a device that changes a version which an older app has replaced is told of a conflict", async () => {
  const { user, phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "A");
  const starred = { is_starred: true };
  await user.client.from("encrypted_chats").update(starred).eq("id", chat.id).throwOnError();
  // The laptop knows the version only from its user, so it asks the server for the rest.
  for (const change of [laptop.rename(chat, "A title"), laptop.delete(chat)]) {
    assert.equal((await rejection(change, ChatConflict, "version_conflict")).version, 2);
  }
});
