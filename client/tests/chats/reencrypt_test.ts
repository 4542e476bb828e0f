import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import { invoke, signUp, test } from "../../../supabase/functions/_testing/testing.ts";
import { reencrypt } from "../../chats/reencrypt.ts";
import { Requests } from "../../chats/requests.ts";
import { ChatConflict, ChatsError, CryptoError } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { device, newUser } from "../support/devices.ts";

test("Chats: chats of Chuk Chat are read with its password and upgraded", async () => {
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

test("Chats: after a rotation, reencrypt encrypts all chats again, some at a time", async () => {
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

/** Encrypts as Chuk Chat does. */
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
    v: "1",
    nonce: base64(iv),
    ciphertext: base64(sealed.subarray(0, -16)),
    mac: base64(sealed.subarray(-16)),
  });
}

Deno.test("reencrypt: deleted chats are left out, conflicts are tried again, and locked keys end it", async () => {
  const ids = ["a", "b"].map((digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`);
  const supabase = createClient("http://127.0.0.1", "key", {
    accessToken: () => Promise.resolve("token"),
    global: {
      fetch: (input) => {
        const chats = new Request(input).url.includes("encrypted_chats");
        return Promise.resolve(Response.json(chats ? ids.map((id) => ({ id })) : []));
      },
    },
  });
  const run = async (...errors: Error[]) => {
    const { done, failed } = await reencrypt(
      new Requests(supabase),
      crypto.randomUUID(),
      {},
      (id) => {
        const error = id === ids[0] ? errors.shift() : undefined;
        return error ? Promise.reject(error) : Promise.resolve();
      },
    );
    return [done, failed.map(({ id, error }) => [id, (error as ChatsError).code])];
  };
  const refused = (code: string) => new ChatsError(code, "refused", { fields: { version: 2 } });
  const conflict = new ChatConflict(ids[0]!, undefined, refused("version_conflict"));
  const [first, second] = ids;
  assert.deepEqual(await run(), [ids, []]);
  assert.deepEqual(await run(refused("chat_not_found")), [[second], []]);
  assert.deepEqual(await run(refused("chat_deleted")), [[second], []]);
  assert.deepEqual(await run(conflict, conflict), [ids, []]);
  assert.deepEqual(await run(conflict, conflict, conflict), [[second], [[
    first,
    "version_conflict",
  ]]]);
  assert.deepEqual(await run(refused("head_false")), [[second], [[first, "head_false"]]]);
  for (const code of ["keys_locked", "unreachable"]) {
    await assert.rejects(run(refused(code)), { code });
  }
});
