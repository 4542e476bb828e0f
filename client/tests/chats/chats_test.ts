import assert from "node:assert/strict";

import {
  invoke,
  signUp,
  test,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import { Capture } from "../support/capture.ts";
import { rejection } from "../support/assertions.ts";
import { device, newUser } from "../support/devices.ts";
import { ChatConflict, Chats, ChatsError, CryptoError } from "../../mod.ts";

test("Chats: a chat is saved, added to, read on another device, made one, renamed and deleted", async () => {
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

test("Chats: opening fetches what the store lacks, and no more", async () => {
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

test("Chats: a sync asks for what has changed since the last one, page by page", async () => {
  const { user, key, phone } = await newUser();
  const capture = new Capture();
  const laptop = device(user, { fetch: capture.fetch, page_size: 2 });
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
  const titles = (await laptop.list()).map(({ title, is_starred }) => `${title} ${is_starred}`);
  assert.deepEqual(titles.sort(), ["a true", "b true", "c true", "d false", "e false"]);
});

test("Chats: a lost answer is no conflict, and what had none at all is repeated", async () => {
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

  // Meanwhile another device was faster: then it is one.
  lose = 3;
  await phone.append(appended, "!");
  const unknown = await rejection(onTrain.rename(appended, "Hi"), ChatsError, "unreachable");
  const conflict = await rejection(unknown.repeat?.() ?? Promise.resolve(), ChatConflict);
  assert.deepEqual(conflict.chat?.segments, [" there", "!"]);
  lose = 1;
  await onTrain.delete({ id: chat.id, version: 3 });
});

test("Chats: a sync whose answer was overtaken by a change does not undo it", async () => {
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
  await laptop.sync();
  const longer = await phone.append(chat, " there");
  slow = 1;
  const synced = laptop.sync();
  await asked.promise;
  const opened = await laptop.open(chat.id);
  await laptop.delete(await laptop.save(laptop.create(), "short-lived"));
  const last = await laptop.append(opened, "!");
  goOn.resolve();
  await synced;
  assert.equal(longer.version, 2);
  assert.deepEqual((await laptop.list()).map(({ version }) => version), [last.version]);
  assert.deepEqual(await laptop.openKept(chat.id), last);
});

test("Chats: a device that was away too long starts over and drops what is gone", async () => {
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
    await sql`select public.prune_chat_tombstones()`;
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

test("Chats: a deletion leaves a chat with unsaved changes in the store", async () => {
  const { phone, laptop } = await newUser();
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
});

test("Chats: a server that has an older version than the device is found out", async () => {
  const { user, phone, laptop } = await newUser();
  let chat = await phone.append(await phone.save(phone.create(), "Hello"), " there");
  await laptop.sync();
  assert.deepEqual(await laptop.open(chat.id), chat);
  await withDatabase(async (sql) => {
    // As from a backup: by triggers it would be a change.
    await sql.begin(async (sql) => {
      await sql`alter table encrypted_chats disable trigger user`;
      await sql`delete from chat_segments where chat_id = ${chat.id}`;
      await sql`update encrypted_chats set version = 1, next_segment = 0, sync_sequence = 1
        where id = ${chat.id}`;
      await sql`update private.chat_owners set sync_sequence = 1 where user_id = ${user.id}`;
      await sql`alter table encrypted_chats enable trigger user`;
    });
  });
  await rejection(laptop.open(chat.id), ChatsError, "chat_rolled_back");
  const result = await laptop.sync();
  assert.deepEqual([result.started_over, result.rolled_back], [true, [chat.id]]);
  chat = await laptop.open(chat.id);
  assert.deepEqual([chat.version, chat.segments], [1, []]);
  assert.equal((await laptop.append(chat, " again")).version, 2);
});

test("Chats: a server that leaves segments out is found out", async () => {
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

test("Chats: what does not open is not kept, but fetched again", async () => {
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

test("Chats: chats of Chuk Chat are read with its password, and upgraded", async () => {
  const user = await signUp();
  const [password, salt] = ["Chuk's password", "c2FsdCBvZiBDaHVrIENoYXQ="];
  const id = crypto.randomUUID();
  const { error } = await user.client.from("encrypted_chats").insert({
    id,
    user_id: user.id,
    encrypted_data: await v1Envelope("what was said", password, salt),
    encrypted_title: await v1Envelope("what it was called", password, salt),
  });
  assert.equal(error, null);
  const chats = device(user);
  await chats.keys.setUp("another password");
  await rejection(chats.open(id), CryptoError, "key_missing");
  await chats.keys.readV1(password, salt);
  const chat = await chats.open(id);
  assert.deepEqual([chat.title, chat.content], ["what it was called", "what was said"]);
  assert.deepEqual(await chats.keys.progress(), { epoch: 1, done: 0, left: 2 });
  assert.deepEqual((await chats.reencrypt()).done, [id]);
  chats.keys.forgetV1();
  const { title, content } = await chats.open(id);
  assert.deepEqual([title, content], [chat.title, chat.content]);
  assert.deepEqual(await chats.reencrypt(), { done: [], failed: [], after: null });
  const { body } = await invoke(user.client, "chats/keys");
  assert.equal(body.legacy_envelopes, 0);
});

test("Chats: after a rotation all is encrypted anew, some chats at a time", async () => {
  const { key, phone, laptop, password } = await newUser();
  await laptop.keys.revokeDevice(key.device_id);
  assert.equal((await laptop.sync()).keys_changed, false);
  const made = [];
  for (const title of ["a", "b", "c"]) {
    made.push(await phone.save(phone.create(), title, { title }));
  }
  await laptop.sync();
  await phone.keys.rotate(password);
  assert.equal((await laptop.sync()).keys_changed, true);
  await rejection(laptop.save(laptop.create(), "new"), ChatsError, "keys_locked");
  const first = await phone.reencrypt({ limit: 2 });
  assert.deepEqual([first.done.length, first.failed, first.after !== null], [2, [], true]);
  const second = await phone.reencrypt({ limit: 2, ...(first.after && { after: first.after }) });
  assert.deepEqual([second.done.length, second.after], [1, null]);
  assert.deepEqual(await phone.keys.progress(), { epoch: 2, done: 6, left: 0 });
  await laptop.keys.unlock({ password });
  for (const { id, title } of made) assert.equal((await laptop.open(id)).content, title);
  assert.equal((await laptop.sync()).keys_changed, false);
});

test("Chats: a refusal has its code, status and members", async () => {
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

/** What Chuk Chat writes. */
async function v1Envelope(content: string, password: string, salt: string): Promise<string> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const bytes = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64 = (data: Uint8Array) => btoa(String.fromCharCode(...data));
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", encode(password), "PBKDF2", false, ["deriveKey"]);
  const key = await subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: 600_000 },
    base,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt"],
  );
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = new Uint8Array(
    await subtle.encrypt({ name: "AES-GCM", iv }, key, encode(content)),
  );
  return JSON.stringify({
    v: "1.0",
    nonce: base64(iv),
    ciphertext: base64(sealed.subarray(0, -16)),
    mac: base64(sealed.subarray(-16)),
  });
}
