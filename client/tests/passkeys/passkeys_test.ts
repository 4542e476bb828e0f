/**
 * Passkeys that unlock chats, and a server that lies about them.
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import {
  invoke,
  signUp,
  stack,
  test,
  type TestUser,
} from "../../../supabase/functions/_testing/testing.ts";
import { passkeyInput } from "../../crypto/passkey_key.ts";
import { Chats, ChatsError, CryptoError } from "../../mod.ts";
import { Passkeys } from "../../passkeys/passkeys.ts";
import { rejection } from "../support/assertions.ts";
import { Authenticator } from "../support/authenticator.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";

const PASSWORD = "a password for the chats";
const USER = { name: "ada@example.com" };

/** A device with its own store, behind a server that may lie. */
function newDevice(user: TestUser, credentials: Authenticator) {
  const server = new LyingServer();
  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
    global: { fetch: server.fetch },
  });
  const chats = new Chats(supabase, user.id);
  const options = { supabase, user_id: user.id, chats, rp: { name: "Chat" }, credentials };
  return { server, chats, passkeys: new Passkeys(options) };
}

/** A user with a passkey and a chat. */
async function withPasskey(authenticator = new Authenticator()) {
  const user = await signUp();
  const first = newDevice(user, authenticator);
  await first.chats.keys.setUp(PASSWORD);
  const chat = await first.chats.save(first.chats.create(), "Hello");
  const passkey = await first.passkeys.add("MacBook", USER);
  return { user, authenticator, first, chat, passkey };
}

/** A lie about the wraps of passkeys. */
const aboutWraps = (change: (wrap: Json) => Json) => (answer: Json, { method, path }: Json) => {
  if (method !== "GET" || path !== "chats/keys") return undefined;
  const wrapsOf = (key: Json) =>
    key.wraps.flatMap((wrap: Json) => wrap.kind === "passkey" ? change(wrap) : wrap);
  return { ...answer, keys: answer.keys.map((key: Json) => ({ ...key, wraps: wrapsOf(key) })) };
};

test("passkeys: one unlocks the chats on another device, is listed, and is revoked", async () => {
  const { user, authenticator, first, chat, passkey } = await withPasskey();
  assert.equal(authenticator.asked, 1);
  assert.deepEqual([passkey.name, passkey.last_used_at], ["MacBook", null]);
  const second = newDevice(user, authenticator);
  assert.equal((await second.passkeys.list())[0]!.name, null);
  await second.passkeys.unlock();
  assert.equal((await second.chats.open(chat.id)).content, "Hello");
  const [used, ...others] = await second.passkeys.list();
  assert.deepEqual([used!.name, others], ["MacBook", []]);
  assert.ok(Date.parse(used!.last_used_at!) >= Date.parse(used!.created_at));
  assert.deepEqual(await second.chats.keys.devices(), []);

  // A new password changes nothing for passkeys; a session that a passkey has unlocked can set one.
  await second.chats.keys.changePassword("another password");
  await newDevice(user, authenticator).passkeys.unlock();
  await first.chats.keys.revokeDevice(passkey.device_id);
  await rejection(
    newDevice(user, authenticator).passkeys.unlock(),
    ChatsError,
    "passkey_not_found",
  );
  assert.equal(authenticator.asked, 3);
});

test("passkeys: several unlock the chats, each of which may compute only when it is used", async () => {
  const { user, authenticator, first } = await withPasskey(new Authenticator("when used"));
  assert.equal(authenticator.asked, 2);
  const stick = new Authenticator();
  const device = newDevice(user, stick);
  await rejection(device.passkeys.unlock(), ChatsError, "passkey_cancelled");
  await device.chats.keys.unlock({ password: PASSWORD });
  await device.passkeys.add("Security key", USER);
  await rejection(first.passkeys.add("MacBook again", USER), ChatsError, "passkey_exists");
  for (const one of [authenticator, stick]) await newDevice(user, one).passkeys.unlock();
  const names = (await first.passkeys.list()).map(({ name }) => name);
  assert.deepEqual(names, ["Security key", "MacBook"]);
});

test("passkeys: a rotation ends them, and the user renews those that are at hand", async () => {
  const { user, authenticator, first, passkey, chat } = await withPasskey();
  const before = await first.passkeys.list();
  await first.chats.keys.rotate(PASSWORD);
  await rejection(
    newDevice(user, authenticator).passkeys.unlock(),
    ChatsError,
    "passkey_not_found",
  );
  const renewed = await first.passkeys.renew(before[0]!);
  assert.deepEqual([renewed.device_id, renewed.name], [passkey.device_id, "MacBook"]);
  assert.equal(authenticator.passkeys.size, 1);
  const second = newDevice(user, authenticator);
  await second.passkeys.unlock();
  assert.equal((await second.chats.open(chat.id)).content, "Hello");
});

test("passkeys: what a browser or an authenticator cannot do has a name", async () => {
  const user = await signUp();
  const authenticator = new Authenticator("never");
  const device = newDevice(user, authenticator);
  await rejection(device.passkeys.unlock(), ChatsError, "passkey_not_found");
  await rejection(device.passkeys.add("Too early", USER), ChatsError, "keys_locked");
  await device.chats.keys.setUp(PASSWORD);
  await rejection(device.passkeys.add("Old stick", USER), ChatsError, "passkey_without_keys");
  // Locked keys cost the user no confirmation, and a passkey that never computes costs one.
  assert.equal(authenticator.asked, 1);
  for (
    const [name, code] of [
      ["NotAllowedError", "passkey_cancelled"],
      ["AbortError", "passkey_cancelled"],
      ["SecurityError", "passkey_refused"],
      ["NotSupportedError", "passkey_without_keys"],
    ] as const
  ) {
    authenticator.throws = name;
    await rejection(device.passkeys.add("No", USER), ChatsError, code);
  }
  assert.deepEqual(await device.passkeys.list(), []);
  // Deno has no passkeys.
  const { supabase } = { supabase: user.client };
  const bare = new Passkeys({
    supabase,
    user_id: user.id,
    chats: device.chats,
    rp: { name: "Chat" },
  });
  assert.equal(await bare.supported(), false);
  await rejection(bare.add("No", USER), ChatsError, "passkey_unsupported");
});

test("passkeys: one that no longer computes opens nothing, and nothing is stored under its key", async () => {
  const { user, authenticator, first, passkey } = await withPasskey();
  authenticator.computes = "never";
  const second = newDevice(user, authenticator);
  await rejection(second.passkeys.unlock(), ChatsError, "passkey_without_keys");
  assert.equal(second.chats.keys.locked, true);
  await first.chats.keys.revokeDevice(passkey.device_id);
  await rejection(first.passkeys.renew(passkey), ChatsError, "passkey_without_keys");
  assert.deepEqual(await first.passkeys.list(), []);
});

test("passkeys: a server that swaps ids, salts or wraps is noticed", async () => {
  const { user, authenticator, first } = await withPasskey();
  await first.passkeys.add("Phone", USER).catch(() => {});
  const stick = new Authenticator();
  await newDevice(user, stick).passkeys.list();
  const other = newDevice(user, stick);
  await other.chats.keys.unlock({ password: PASSWORD });
  await other.passkeys.add("Security key", USER);
  const { body } = await invoke(user.client, "chats/keys");
  const wraps: Json[] = body.keys[0].wraps.filter(({ kind }: Json) => kind === "passkey");
  const [mine, theirs] = [
    wraps.find(({ credential_id }) => authenticator.passkeys.has(credential_id)),
    wraps.find(({ credential_id }) => stick.passkeys.has(credential_id)),
  ];
  const own = (change: Json) =>
    aboutWraps((wrap) => wrap.device_id === mine.device_id ? { ...wrap, ...change } : []);
  const strangers = await withPasskey(authenticator);
  const stranger = (await invoke(strangers.user.client, "chats/keys")).body.keys[0].wraps
    .find(({ kind }: Json) => kind === "passkey");
  for (
    const [what, lie, code] of [
      ["a salt of another passkey", own({ salt: theirs.salt }), "passkey_false"],
      ["a short salt", own({ salt: btoa("short") }), "passkey_false"],
      ["the wrap of another passkey", own({ wrap: theirs.wrap }), "passkey_false"],
      ["another id", own({ device_id: crypto.randomUUID() }), "passkey_false"],
      [
        "the credential of another passkey",
        own({ credential_id: theirs.credential_id }),
        "passkey_cancelled",
      ],
      [
        "the passkey of another account",
        own({ credential_id: stranger.credential_id }),
        "passkey_false",
      ],
      ["the wrap and salt of another account", own({ ...stranger }), "passkey_false"],
      [
        "two wraps of one credential",
        aboutWraps((wrap) => ({ ...wrap, credential_id: mine.credential_id })),
        "false_answer",
      ],
      ["no passkeys", aboutWraps(() => []), "passkey_not_found"],
    ] as const
  ) {
    const device = newDevice(user, authenticator);
    const error = await device.server.telling(lie, () => device.passkeys.unlock()) as ChatsError;
    assert.equal(error?.code, code, what);
    assert.equal(device.chats.keys.locked, true, what);
  }
  const device = newDevice(user, authenticator);
  authenticator.chosen = [...strangers.authenticator.passkeys.keys()].at(-1)!;
  await rejection(device.passkeys.unlock(), ChatsError, "passkey_false");
  authenticator.chosen = undefined;
  // A name that is not its own is not shown.
  await device.passkeys.unlock();
  const lie = own({ name: theirs.name });
  const listed = await device.server.telling(lie, () => device.passkeys.list()) as Json;
  assert.deepEqual(listed.map(({ name }: Json) => name), [null]);
  // One that was just stored is listed.
  const [passkey] = (await first.passkeys.list()).filter(({ credential_id }) =>
    credential_id === mine.credential_id
  );
  const hidden = aboutWraps((wrap) => wrap.device_id === mine.device_id ? [] : wrap);
  const error = await first.server.telling(hidden, () => first.passkeys.renew(passkey!));
  assert.equal((error as ChatsError).code, "false_answer");
});

test("passkeys: a server that repeats an old wrap is noticed", async () => {
  const { user, authenticator, first } = await withPasskey();
  const second = newDevice(user, authenticator);
  await second.passkeys.unlock();
  const old = (await invoke(user.client, "chats/keys")).body;
  const before = await first.passkeys.list();
  await first.chats.keys.rotate(PASSWORD);
  await first.passkeys.renew(before[0]!);
  const fresh = (await invoke(user.client, "chats/keys")).body;
  await second.chats.keys.unlock({ password: PASSWORD });
  second.chats.keys.lock();
  // All of it: this device remembers the newer key.
  const all = (_: Json, { path }: Json) => path === "chats/keys" ? old : undefined;
  const error = await second.server.telling(all, () => second.passkeys.unlock()) as ChatsError;
  assert.equal(error.code, "keys_rolled_back");
  // The wrap alone, in place of the new one.
  const oldWrap = old.keys[0].wraps.find(({ kind }: Json) => kind === "passkey");
  const third = newDevice(user, authenticator);
  const one = aboutWraps(() => ({ ...oldWrap, key_id: fresh.key_id }));
  const told = await third.server.telling(one, () => third.passkeys.unlock()) as ChatsError;
  assert.equal(told.code, "passkey_false");
});

test("passkeys: what a passkey is asked for differs by account, by salt and from other purposes", async () => {
  const [a, b] = [crypto.randomUUID(), crypto.randomUUID()];
  const [one, two] = [btoa("1".repeat(32)), btoa("2".repeat(32))];
  const inputs = await Promise.all(
    [[a, one], [a, two], [b, one]].map(([user_id, salt]) => passkeyInput(user_id!, salt!)),
  );
  assert.equal(new Set(inputs.map(String)).size, 3);
  assert.notDeepEqual(String(inputs[0]), String(new TextEncoder().encode(atob(one))));
  await rejection(passkeyInput(a, btoa("1".repeat(31))), CryptoError, "key_parameters_refused");
});
