/**
 * Epochs that were closed: no device accepts what their keys have encrypted or proven, whatever the server and somebody who
 * has such a key do together.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import {
  type DataKey,
  encrypt,
  foldContent,
  makeHead,
  openHistory,
  sealHistory,
} from "../../crypto/mod.ts";
import { type Chat, type Chats, ChatsError, MemoryStore } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { device, type NewUser, newUser } from "../support/devices.ts";
import { type Json, type Lie, LyingServer } from "../support/lying_server.ts";

const code = (error: unknown) => (error as { code?: string })?.code;

/** A user who has rotated the keys, encrypted everything again, and closed the old epoch. */
async function closed() {
  const made = await newUser();
  const { user, password, phone, key } = made;
  const server = new LyingServer();
  const store = new MemoryStore();
  const laptop = device(user, { fetch: server.fetch, attempts: 1, store });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "before", { title: "A title" });
  const backup = await phone.backup(chat.id);
  await laptop.sync();
  await laptop.open(chat.id);
  const old = phone.keys.current;
  await phone.keys.rotate(password);
  await rejection(phone.closeEpochs(), ChatsError, "epoch_in_use");
  assert.deepEqual((await phone.reencrypt()).done, [chat.id]);
  await phone.closeEpochs();
  return { ...made, server, store, laptop, old, backup, chat: await phone.open(chat.id) };
}

/** Answers to `GET /chats/:id` with a content under another key, and a head that fits. */
async function forgery({ user }: NewUser, chat: Chat, key: DataKey): Promise<Lie> {
  const place = { user_id: user.id, chat_id: chat.id };
  const encrypted_data = await encrypt("forged", { ...place, key, part: "data" });
  const encrypted_title = await encrypt("forged", { ...place, key, part: "title" });
  const version = chat.version + 1;
  const state = { version, data_version: version, next_segment: 0, is_starred: false };
  const fold = await foldContent(encrypted_data);
  const head = await makeHead(place, { ...state, encrypted_title }, fold, key);
  const forged = { ...state, encrypted_title, encrypted_data, head, segments: [], has_more: false };
  return (answer: Json, { method, path }) =>
    method === "GET" && path.startsWith(`chats/${chat.id}`) ? { ...answer, ...forged } : undefined;
}

test("closed epochs: content with an old key is refused by a device that was used, and by a new one", async () => {
  const made = await closed();
  const { user, password, server, laptop, chat, old } = made;
  const lie = await forgery(made, chat, old);
  await laptop.keys.unlock({ password });
  // The laptop has not heard of it yet.
  assert.equal((await laptop.sync()).verified, true);
  const fresh = device(user, { fetch: server.fetch, attempts: 1 });
  await fresh.keys.unlock({ password });
  for (const chats of [laptop, fresh]) {
    const error = await server.telling(lie, () => chats.open(chat.id));
    assert.equal(code(error), "epoch_closed");
    assert.deepEqual(await chats.open(chat.id), chat);
  }
  // A program that starts again remembers it before it syncs.
  const again = device(user, { fetch: server.fetch, attempts: 1, store: laptop.store });
  await again.keys.unlock({ password });
  assert.equal(code(await server.telling(lie, () => again.open(chat.id))), "epoch_closed");
  // The user may look at it all the same, for example after a restored backup.
  const shown = await server.telling(
    lie,
    () =>
      again.open(chat.id, { unproven: true }).then(({ verified, content }) => {
        assert.deepEqual([verified, content], [false, "forged"]);
      }),
  );
  assert.equal(shown, undefined);
});

test("closed epochs: a head with an old key proves nothing, and a title with one is not shown", async () => {
  const made = await closed();
  const { password, server, laptop, chat, old, user } = made;
  await laptop.keys.unlock({ password });
  await laptop.sync();
  const place = { user_id: user.id, chat_id: chat.id };
  const [head, encrypted_title] = [
    async (answer: Json) => {
      const fold = await foldContent(answer.encrypted_data);
      return await makeHead(place, { ...answer, version: answer.version + 1 }, fold, old);
    },
    await encrypt("forged", { ...place, key: old, part: "title" }),
  ];
  let answered: Json;
  server.lie = (answer, { path }) =>
    void (path.startsWith(`chats/${chat.id}`) && (answered = answer));
  const whole = device(user, { fetch: server.fetch });
  await whole.keys.unlock({ password });
  await whole.open(chat.id);
  server.lie = undefined;
  const version = answered.version + 1;
  const proven = { ...answered, version, head: await head(answered) };
  const lie: Lie = (answer, { path }) =>
    path.startsWith(`chats/${chat.id}`)
      ? { ...answer, version: proven.version, head: proven.head }
      : undefined;
  assert.equal(code(await server.telling(lie, () => laptop.open(chat.id))), "epoch_closed");

  const stored = (await laptop.store.get(chat.id))!;
  const state = { ...stored, version, encrypted_title };
  const fold = await foldContent(answered.encrypted_data);
  const forged = { ...state, head: await makeHead(place, state, fold, old) };
  await laptop.store.apply({ put: [forged] });
  const [summary] = await laptop.list();
  assert.deepEqual([summary?.title, code(summary?.title_error)], [null, "epoch_closed"]);
  const rename = () => laptop.rename(summary!, "another title");
  const inRow: Lie = (_, { path }) => path.startsWith("encrypted_chats") ? [forged] : undefined;
  assert.equal(code(await server.telling(inRow, rename)), "epoch_closed");
  // An honest server has no such version.
  await rejection(rename(), ChatsError, "version_conflict");
});

test("closed epochs: the next head of the account keeps them closed, and none opens them again", async () => {
  const { user, password, server, laptop, old, phone } = await closed();
  await laptop.keys.unlock({ password });
  await laptop.sync();
  await laptop.save(laptop.create(), "after");
  await phone.sync();
  const newest = phone.keys.current;
  const counted = async (chats: Chats) => {
    const { counter, sealed } = (await chats.store.state()).history!;
    return { counter, content: await openHistory(sealed, user.id, counter, newest) };
  };
  const { counter, content } = await counted(laptop);
  assert.equal(content.min_epoch, newest.key_id);
  for (const min_epoch of [1, old.key_id] as const) {
    const sealed = await sealHistory({ ...content, min_epoch }, user.id, counter + 1, newest);
    const history = { counter: counter + 1, sealed, unproven_deletions: 0 };
    const lie: Lie = (answer, { path }) =>
      path === "rpc/sync_chats" ? { ...answer, history } : undefined;
    const error = await server.telling(lie, () => laptop.sync());
    assert.equal(code(error), "history_rolled_back");
    // Not even when the user accepts what the server has.
    await server.telling(lie, () => laptop.sync({ startOver: true }));
    assert.equal((await laptop.store.state()).min_epoch, newest.key_id);
    await laptop.sync({ startOver: true });
    assert.equal((await counted(laptop)).content.min_epoch, newest.key_id);
  }
  // After another rotation, the closed epoch stays closed, and the one before the current one is open.
  await phone.sync({ startOver: true });
  await phone.keys.rotate(password);
  await phone.sync();
  const { sealed } = (await phone.store.state()).history!;
  const latest = await openHistory(
    sealed,
    user.id,
    (await phone.store.state()).history!.counter,
    phone.keys.current,
  );
  assert.equal(latest.min_epoch, newest.key_id);
});

test("closed epochs: a device that was away returns, and keeps what only it has; a backup can be restored", async () => {
  const { user, password, phone, laptop, store, key, chat, backup } = await closed();
  // Away since before the rotation: the chain of keys leads from the new one to the one that it remembers.
  const away = device(user, { store });
  await rejection(away.keys.unlock({ device: key }), ChatsError, "device_not_found");
  await away.keys.unlock({ password });
  assert.equal((await away.sync()).verified, true);
  assert.equal((await away.open(chat.id)).content, "before");
  await phone.delete(await phone.open(chat.id));
  await store.apply({ put: [{ ...backup.chat, deleted: true }], remove: [chat.id] });
  const { encrypted_data, segments, ...content } = backup.content;
  await store.apply({ contents: [{ ...content, encrypted_data, segments }] });
  assert.equal((await away.openKept(chat.id))?.content, "before");
  const restored = await phone.restore(backup);
  assert.deepEqual([restored.content, restored.title], ["before", "A title"]);
  assert.equal((await phone.open(chat.id)).verified, true);
  assert.equal(laptop.keys.locked, false);
});

test("closed epochs: an account without chats can close them, and one to which an older app has written", async () => {
  const { user, password, phone } = await newUser();
  await phone.keys.rotate(password);
  await phone.closeEpochs();
  assert.equal((await phone.store.state()).min_epoch, phone.keys.current.key_id);
  const { data: sent } = await user.client.from("encrypted_chats").select("id");
  assert.deepEqual(sent, []);
  const id = crypto.randomUUID();
  const place = { user_id: user.id, chat_id: id, part: "data" as const };
  const encrypted_data = await encrypt("by an older app", { ...place, key: phone.keys.current });
  await user.client.from("encrypted_chats").insert({ id, user_id: user.id, encrypted_data });
  await phone.save(phone.create(), "proven");
  assert.equal((await phone.sync()).verified, true);
  await user.client.from("encrypted_chats").delete().eq("id", id);
  await phone.closeEpochs();
});

test("closed epochs: a device closes them after what it has begun before", async () => {
  const { user, password, phone } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  await laptop.keys.unlock({ password });
  const chat = await laptop.save(laptop.create(), "A");
  await laptop.keys.rotate(password);
  await laptop.reencrypt();
  const opened = await laptop.open(chat.id);
  for (const run of [() => laptop.append(opened, "B"), () => laptop.sync()]) {
    let sent = 0;
    let during = 0;
    let closing: Promise<void> | undefined;
    server.swallow = async () => {
      if (++sent > 1) return;
      closing = laptop.closeEpochs();
      await phone.sync();
      during = sent;
    };
    await run();
    await closing;
    assert.equal(during, 1);
    assert.equal((await laptop.store.state()).min_epoch, laptop.keys.current.key_id);
  }
});

test("closed epochs: none is closed while something is not proven", async () => {
  const { user, password, phone } = await newUser();
  const chats = [await phone.save(phone.create(), "A"), await phone.save(phone.create(), "B")];
  await phone.keys.rotate(password);
  assert.equal((await phone.reencrypt()).done.length, chats.length);
  // An older app deletes a chat, or the server says so.
  await user.client.from("encrypted_chats").delete().eq("id", chats[0]!.id).throwOnError();
  await rejection(phone.closeEpochs(), ChatsError, "history_unproven");
  assert.equal((await phone.store.state()).min_epoch ?? 1, 1);
  await phone.sync({ startOver: true });
  await phone.closeEpochs();
  assert.equal((await phone.store.state()).min_epoch, phone.keys.current.key_id);
});

test("closed epochs: a chat that was overlooked, because the server hid it, is shown when the user accepts it, and proves nothing", async () => {
  const { user, password, phone } = await newUser();
  const server = new LyingServer();
  const chat = await phone.save(phone.create(), "before");
  await phone.keys.rotate(password);
  // The head has the new key, and the content has the old one.
  await phone.rename(chat, "A title");
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  await laptop.keys.unlock({ password });
  const hidden: Lie = (answer, { path }) =>
    path === "chats/keys"
      ? { ...answer, keys: answer.keys.map((key: Json) => ({ ...key, envelopes: 0 })) }
      : undefined;
  assert.equal(await server.telling(hidden, () => laptop.closeEpochs()), undefined);
  await rejection(laptop.open(chat.id), ChatsError, "epoch_closed");
  const shown = await laptop.open(chat.id, { unproven: true });
  assert.deepEqual([shown.content, shown.verified], ["before", false]);
  assert.equal((await laptop.save(shown, shown.content)).verified, true);
  assert.deepEqual((await laptop.open(chat.id)).content, "before");
});
