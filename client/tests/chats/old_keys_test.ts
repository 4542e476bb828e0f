/**
 * A server that lies, together with somebody who has an old key or an old password.
 */

import assert from "node:assert/strict";

import { invoke, signUp, test } from "../../../supabase/functions/_testing/testing.ts";
import {
  type DataKey,
  derivePasswordKey,
  deriveRecoveryKey,
  encrypt,
  epochKey,
  foldContent,
  generateDataKey,
  generateRecoveryKey,
  makeHead,
  wrap,
} from "../../crypto/mod.ts";
import { type Chat, MemoryStore } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { type Json, type Lie, LyingServer } from "../support/lying_server.ts";

const PASSWORD = "a password for the chats";

const code = (error: unknown) => (error as { code?: string }).code;

/** A wrap under the password, as somebody makes it who knows the password. */
async function forgedWrap(key: DataKey, key_id: string, user_id: string, { salt }: Json) {
  const under = await derivePasswordKey(PASSWORD, { salt, memory_kib: 19_456, passes: 2 });
  return await wrap({ ...key, key_id }, { under, user_id });
}

function passwordWrap({ keys: [current] }: Json): Json {
  return current.wraps.find(({ kind }: Json) => kind === "password");
}

/** Answers with another data key under the id of the current one. */
function withWrap(answer: Json, wrapped: string, parameters: Json = {}): Json {
  const wraps = [{ ...passwordWrap(answer), ...parameters, wrap: wrapped }];
  return { ...answer, keys: [{ ...answer.keys[0], wraps }, ...answer.keys.slice(1)] };
}

test("old keys: another key under the id of the current one is refused", async () => {
  const user = await signUp();
  const server = new LyingServer();
  const phone = device(user, { fetch: server.fetch });
  await phone.keys.setUp(PASSWORD);
  const { body } = await invoke(user.client, "chats/keys");
  const wrapped = await forgedWrap(
    await generateDataKey(),
    body.key_id,
    user.id,
    passwordWrap(body),
  );
  const lie = (answer: Json) => withWrap(answer, wrapped);
  const fresh = device(user, { fetch: server.fetch });
  for (const chats of [fresh, phone]) {
    const error = await server.telling(lie, () => chats.keys.unlock({ password: PASSWORD }));
    assert.equal(code(error), "decryption_failed");
  }
});

test("old keys: a device recognises the newest key that it has seen, also one with a random id", async () => {
  const user = await signUp();
  const key_id = crypto.randomUUID();
  const key = { ...await generateDataKey(), key_id };
  const parameters = { salt: btoa("a salt of 23 characters"), memory_kib: 19_456, passes: 2 };
  const under = await derivePasswordKey(PASSWORD, parameters);
  const recovery = await deriveRecoveryKey(generateRecoveryKey());
  const user_id = user.id;
  const wraps = [
    { kind: "password", ...parameters, wrap: await wrap(key, { under, user_id }) },
    { kind: "recovery", wrap: await wrap(key, { under: recovery, user_id }) },
  ];
  await invoke(user.client, "chats/keys", {
    method: "PUT",
    body: { expected_version: 0, key_id, wraps },
  });
  const [store, server] = [new MemoryStore(), new LyingServer()];
  const phone = device(user, { store, fetch: server.fetch });
  await phone.keys.unlock({ password: PASSWORD });
  const chat = await phone.save(phone.create(), "under the key with a random id");
  const wrapped = await forgedWrap(await generateDataKey(), key_id, user_id, parameters);
  const error = await server.telling(
    (answer) => withWrap(answer, wrapped, parameters),
    () => phone.keys.unlock({ password: PASSWORD }),
  );
  assert.equal(code(error), "keys_rolled_back");

  // Rotated, the chats have an id that is bound to the key, and still open.
  await phone.keys.rotate(PASSWORD);
  assert.match(phone.keys.current.key_id, /^.{14}8/);
  assert.deepEqual((await phone.reencrypt()).done, [chat.id]);
  assert.equal((await phone.open(chat.id)).content, chat.content);
});

test("old keys: an old key opens no newer one, whatever the server repeats", async () => {
  const user = await signUp();
  const phone = device(user);
  await phone.keys.setUp(PASSWORD);
  const key = await phone.keys.rememberDevice();
  const { body: before } = await invoke(user.client, "chats/keys");
  const stolen = phone.keys.current;
  const { device: renewed } = await phone.keys.rotate(PASSWORD);
  assert.ok(renewed);
  const newest = phone.keys.current.key_id;

  // The thief's own key under the new id, wrapped by the stolen key.
  const server = new LyingServer();
  const own = { ...await generateDataKey(), key_id: newest };
  const link = await wrap(own, { under: epochKey(stolen), user_id: user.id });
  const entry = (answer: Json) => ({
    ...{ id: newest, epoch: 1, envelopes: 0 },
    wraps: [{ ...answer.keys[1].wraps[0], wrapped_by: stolen.key_id, wrap: link }],
  });
  const repeated = (answer: Json) => ({
    ...answer,
    epoch: 3,
    keys: [
      { ...answer.keys[0], epoch: 3 },
      { ...answer.keys[1], epoch: 2 },
      entry(answer),
    ],
  });
  const fresh = () => device(user, { fetch: server.fetch });
  const error = await server.telling(repeated, () => fresh().keys.unlock({ device: renewed }));
  assert.equal(code(error), "false_answer");

  // The keys of before the rotation, for a device that remembers nothing but its key.
  const replayed = await server.telling(
    () => before,
    () => fresh().keys.unlock({ device: renewed }),
  );
  assert.equal(code(replayed), "device_not_found");
  assert.notEqual(key.device_id, renewed.device_id);
});

test("old keys: after a rotation, nobody writes into chats under the key from before it", async () => {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1, store: new MemoryStore() });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "true", { title: "true" });
  await laptop.sync();
  const late = device(user, { fetch: server.fetch, attempts: 1 });
  await late.keys.unlock({ device: key });
  await late.sync();
  const away = device(user, { fetch: server.fetch, attempts: 1 });
  await away.keys.unlock({ device: key });
  await away.sync();
  await away.open(chat.id);
  const old = phone.keys.current;
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  await laptop.sync();

  // The epoch is not closed, and the chat still has the content and the head from before the rotation.
  const place = { user_id: user.id, chat_id: chat.id };
  const envelope = (part: "title" | "data") => encrypt("FORGED", { ...place, part, key: old });
  const [encrypted_title, encrypted_data] = [await envelope("title"), await envelope("data")];
  const version = chat.version + 1;
  const state = { version, data_version: version, next_segment: 0, is_starred: false };
  const fold = await foldContent(encrypted_data);
  const head = await makeHead(place, { ...state, encrypted_title }, fold, old);
  const forged = { ...state, encrypted_title, head };
  const inChat: Lie = (answer, { method, path }) =>
    method === "GET" && path.startsWith(`chats/${chat.id}`)
      ? { ...answer, ...forged, encrypted_data, segments: [] }
      : undefined;
  const inSync: Lie = (answer, { path }) =>
    path === "rpc/sync_chats"
      ? { ...answer, changes: [{ ...chat, ...forged, deleted: false }] }
      : undefined;
  for (
    const [lie, run] of [
      [inChat, () => laptop.open(chat.id)],
      [inChat, () => laptop.backup(chat.id)],
      [inSync, () => laptop.sync()],
    ] as const
  ) {
    assert.equal(code(await server.telling(lie, run)), "head_false");
    assert.deepEqual((await laptop.list()).map(({ title }) => title), ["true"]);
  }
  // If the user wants to see it all the same, it is not shown as proven.
  const accepted = await server.telling(inChat, () => laptop.open(chat.id, { unproven: true }));
  const { content, verified } = accepted as Chat;
  assert.deepEqual([content, verified], ["FORGED", false]);
  // A device that knows only the version from its user asks the server for the rest.
  const other = device(user, { fetch: server.fetch, attempts: 1 });
  await other.keys.unlock({ password });
  await other.sync();
  await other.store.apply({ remove: [chat.id] });
  const inRow: Lie = (answer, { path }) =>
    path.startsWith("encrypted_chats") ? [{ ...answer[0], ...forged }] : undefined;
  const rename = () => other.rename({ ...chat, version }, "another title");
  assert.equal(code(await server.telling(inRow, rename)), "head_false");

  // A device that has not synced since the rotation, and a new one, show nothing as verified before that has ended well.
  const fresh = device(user, { fetch: server.fetch, attempts: 1 });
  for (const chats of [late, fresh]) {
    await chats.keys.unlock({ password });
    assert.equal(code(await server.telling(inSync, () => chats.sync())), "history_false");
    const shown = (await chats.list()).map(({ title, verified }) => [title, verified]);
    assert.deepEqual(shown, [["FORGED", false]]);
  }
  // Nor do those that sync because of what they open, whatever they have of the chat.
  for (const opener of [away, device(user, { fetch: server.fetch, attempts: 1 })]) {
    await opener.keys.unlock({ password });
    assert.equal(code(await server.telling(inChat, () => opener.open(chat.id))), "head_false");
  }
  const saver = device(user, { fetch: server.fetch, attempts: 1 });
  await saver.keys.unlock({ password });
  assert.equal(code(await server.telling(inChat, () => saver.backup(chat.id))), "head_false");
  // Nor one that syncs while the server waits with its answer.
  for (const way of ["open", "backup"] as const) {
    const busy = device(user, { fetch: server.fetch, attempts: 1 });
    await busy.keys.unlock({ password });
    const meanwhile: Lie = async (answer, request) => {
      const forgery = inChat(answer, request);
      if (forgery) await busy.sync();
      return forgery;
    };
    assert.equal(code(await server.telling(meanwhile, () => busy[way](chat.id))), "head_false");
  }

  const shown = await laptop.open(chat.id);
  assert.deepEqual([shown.content, shown.verified], ["true", true]);
});
