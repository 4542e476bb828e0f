import assert from "node:assert/strict";

import { ChatConflict, Chats, ChatsError, CryptoError } from "../../mod.ts";
import { signUp, test, withDatabase } from "../../../supabase/functions/_testing/testing.ts";
import { rejection } from "../support/assertions.ts";
import { Capture } from "../support/capture.ts";
import { device, newUser } from "../support/devices.ts";

test("Chats: a chat is saved, appended to, read on another device, compacted, renamed and deleted", async () => {
  const { phone, laptop } = await newUser();
  let chat = await phone.save(phone.create(), "Hello", { title: "Greetings", star: true });
  chat = await phone.append(chat, ", world");
  assert.deepEqual([chat.version, chat.content, chat.segments], [2, "Hello", [", world"]]);

  const { changed } = await laptop.sync();
  assert.deepEqual(changed, [chat.id]);
  const [summary] = await laptop.list();
  assert.deepEqual([summary?.title, summary?.is_starred], ["Greetings", true]);
  assert.equal(await laptop.openKept(chat.id), undefined);
  assert.deepEqual(await laptop.open(chat.id), chat);
  assert.deepEqual(await laptop.openKept(chat.id), chat);

  const whole = await laptop.compact(chat);
  assert.deepEqual([whole.content, whole.segments], ["Hello, world", []]);
  const conflict = await rejection(phone.append(chat, "!"), ChatConflict, "version_conflict");
  assert.deepEqual([conflict.chat, conflict.version], [whole, 3]);
  const renamed = await phone.star(await phone.rename(whole, "Farewells"), false);
  await rejection(laptop.delete(whole), ChatConflict);
  await phone.delete(renamed);
  assert.deepEqual((await laptop.sync()).removed, [chat.id]);
  assert.deepEqual([await laptop.list(), await phone.list()], [[], []]);
  await rejection(laptop.save(whole, "too late"), ChatsError, "chat_deleted");
  await rejection(laptop.open(chat.id), ChatsError, "chat_not_found");
});

test("Chats: a deleted chat is restored from a backup to the same id, and other devices receive it", async () => {
  const { phone, laptop } = await newUser();
  let chat = await phone.save(phone.create(), "Hello", { title: "Greetings", star: true });
  chat = await phone.append(chat, ", world");
  await laptop.sync();
  // A backup is stored as text.
  const backup = JSON.parse(JSON.stringify(await phone.backup(chat.id)));
  assert.ok(!JSON.stringify(backup).includes("Hello"));
  const conflict = await rejection(phone.restore(backup), ChatConflict, "version_conflict");
  assert.equal(conflict.version, 2);

  await phone.delete(chat);
  // What was kept may have been changed.
  const changed = { ...backup, chat: { ...backup.chat, head: "{}" } };
  await rejection(phone.restore(changed), ChatsError, "head_false");
  const restored = await phone.restore(backup);
  assert.deepEqual(
    [restored.id, restored.version, restored.title, restored.is_starred, restored.content],
    // Version 3 is what was restored, and version 4 gives it its head.
    [chat.id, 4, "Greetings", true, "Hello, world"],
  );
  // A device that has not heard of the deletion, and one that has.
  assert.deepEqual((await laptop.sync()).changed, [chat.id]);
  assert.deepEqual(await laptop.open(chat.id), await phone.open(chat.id));
  await phone.delete(restored);
  await laptop.sync();
  assert.equal((await laptop.restore(backup)).verified, true);
  assert.deepEqual((await laptop.list()).map(({ id }) => id), [chat.id]);
  assert.deepEqual((await phone.sync()).changed, [chat.id]);
  assert.equal((await phone.open(chat.id)).content, "Hello, world");
});

test("Chats: a device that has heard of a deletion lists the chat again as soon as another has restored it", async () => {
  const { phone, laptop } = await newUser();
  const chat = await phone.save(phone.create(), "Hello");
  await phone.sync();
  await laptop.sync();
  const backup = await phone.backup(chat.id);
  await laptop.delete(await laptop.open(chat.id));
  assert.deepEqual((await phone.sync()).removed, [chat.id]);
  await laptop.restore(backup);
  for (const device of [phone, laptop]) {
    const { verified } = await device.sync();
    assert.deepEqual([verified, (await device.list()).map(({ id }) => id)], [true, [chat.id]]);
  }
  await phone.append(await phone.open(chat.id), ", world");
  assert.equal((await phone.list())[0]?.verified, true);
});

test("Chats: a backup from before a rotation is restored under the new key", async () => {
  const { phone, password } = await newUser();
  const chat = await phone.save(phone.create(), "Hello");
  const backup = await phone.backup(chat.id);
  await phone.keys.rotate(password);
  await phone.delete(chat);
  const { id } = await phone.restore(backup);
  assert.equal((await phone.open(id)).content, "Hello");
  assert.deepEqual((await phone.keys.progress()).left, 0);
});

test("Chats: a chat opens from the store only while the store has all of it", async () => {
  const { phone, laptop } = await newUser();
  let chat = await phone.save(phone.create(), "Hello");
  const opensAfter = async (change: Promise<typeof chat>) => {
    chat = await change;
    await laptop.sync();
    assert.equal(await laptop.openKept(chat.id), undefined);
    assert.deepEqual(await laptop.open(chat.id), chat);
    assert.deepEqual(await laptop.openKept(chat.id), chat);
  };
  await opensAfter(phone.append(chat, ", world"));
  await opensAfter(phone.append(chat, "!"));
  await opensAfter(phone.save(chat, "Farewell"));
});

test("Chats: open fetches only what the store does not have", async () => {
  const { user, key, phone } = await newUser();
  const capture = new Capture();
  const laptop = device(user, { fetch: capture.fetch });
  await laptop.keys.unlock({ device: key });
  let chat = await phone.append(await phone.save(phone.create(), "first"), "second");
  await laptop.sync();
  const queries = async () => {
    const before = capture.requests.length;
    assert.deepEqual(await laptop.open(chat.id), chat);
    return capture.requests.slice(before).map(({ url }) => new URL(url).search);
  };
  assert.deepEqual(await queries(), [""]);
  chat = await phone.append(chat, "third");
  assert.deepEqual(await queries(), ["?from_segment=1&known_data_version=1"]);
  chat = await laptop.append(chat, "fourth");
  assert.deepEqual(await queries(), ["?from_segment=3&known_data_version=1"]);
  chat = await phone.append(await phone.compact(chat), "fifth");
  assert.deepEqual(await queries(), ["?from_segment=3&known_data_version=1"]);
  assert.deepEqual([chat.content, chat.segments], ["firstsecondthirdfourth", ["fifth"]]);
});

test("Chats: a lost answer causes no conflict, and a change without any answer can be repeated", async () => {
  const { user, key, phone } = await newUser();
  let lose = 1;
  const onTrain = device(user, {
    attempts: 3,
    pause_ms: 1,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const { url, method } = new Request(input, init);
      if (method === "GET" || !url.includes("/functions/") || lose-- <= 0) return response;
      await response.body?.cancel();
      throw new TypeError("The answer was lost");
    },
  });
  await onTrain.keys.unlock({ device: key });
  const chat = await onTrain.save(onTrain.create(), "Hello");
  assert.equal(chat.version, 1);
  lose = 3;
  const error = await rejection(onTrain.append(chat, " there"), ChatsError, "unreachable");
  const appended = await error.repeat?.() as typeof chat;
  assert.deepEqual([appended.version, appended.segments], [2, [" there"]]);
  assert.deepEqual(await phone.open(chat.id), appended);

  // If another device was faster meanwhile, it is a conflict.
  lose = 3;
  await phone.append(appended, "!");
  const unknown = await rejection(onTrain.rename(appended, "Hi"), ChatsError, "unreachable");
  const conflict = await rejection(unknown.repeat?.() ?? Promise.resolve(), ChatConflict);
  assert.deepEqual(conflict.chat?.segments, [" there", "!"]);
  lose = 1;
  await onTrain.delete({ id: chat.id, version: 3 });
});

test("Chats: segments that the server leaves out are noticed", async () => {
  const { user, phone, laptop } = await newUser();
  let chat = await phone.save(phone.create(), "Hello");
  for (const text of ["one", "two", "three"]) chat = await phone.append(chat, text);
  for (const number of [1, 2]) {
    await withDatabase((sql) =>
      sql`delete from chat_segments
        where user_id = ${user.id} and chat_id = ${chat.id} and number = ${number}`
    );
    await rejection(laptop.open(chat.id), ChatsError, "segments_missing");
  }
});

test("Chats: content that does not decrypt is not stored, but fetched again", async () => {
  const { user, key, phone } = await newUser();
  const chat = await phone.save(phone.create(), "Hello");
  let broken = 1;
  const laptop = device(user, {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const { url } = new Request(input, init);
      if (!url.includes(`/chats/${chat.id}`) || broken-- <= 0) return response;
      const page = await response.json();
      const { mac, ...envelope } = JSON.parse(page.encrypted_data);
      const flipped = (mac[0] === "A" ? "B" : "A") + mac.slice(1);
      return Response.json({
        ...page,
        encrypted_data: JSON.stringify({ ...envelope, mac: flipped }),
      });
    },
  });
  await laptop.keys.unlock({ device: key });
  await laptop.sync();
  await rejection(laptop.open(chat.id), CryptoError, "decryption_failed");
  assert.deepEqual(await laptop.open(chat.id), chat);
});

test("Chats: a refusal has its code, status and fields", async () => {
  const { user, phone } = await newUser();
  const large = "x".repeat(6_500_000);
  const error = await rejection(
    phone.save(phone.create(), large),
    ChatsError,
    "envelope_too_large",
  );
  assert.deepEqual([error.status, error.fields.part], [413, "data"]);
  assert.equal(typeof error.fields.request_id, "string");
  const stranger = await signUp();
  const asStranger = new Chats(stranger.client, user.id);
  await rejection(asStranger.open(crypto.randomUUID()), ChatsError, "chat_not_found");
  const nowhere = device(user, { attempts: 1, fetch: () => Promise.reject(new TypeError("No")) });
  await rejection(nowhere.sync(), ChatsError, "unreachable");
  await rejection(nowhere.keys.unlock({ password: "any" }), ChatsError, "unreachable");
});
