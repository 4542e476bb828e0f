/**
 * A user who is locked out, because somebody has changed the password and the recovery key: the wraps from before are kept.
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import {
  PASSWORD,
  signUp,
  stack,
  test,
  type TestUser,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import { ReplacedKeys } from "../../chats/replaced_keys.ts";
import { ChatsError, CryptoError, MemoryStore } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { Capture } from "../support/capture.ts";
import { device } from "../support/devices.ts";
import { type Lie, LyingServer } from "../support/lying_server.ts";

const OLD = "a password for the chats";
const THIEF = "a password of somebody else";
const NEW = "a new password for the chats";

/** A user whose password and recovery key somebody with the keys has replaced. */
async function lockedOut() {
  const user = await signUp();
  const phone = device(user);
  const recoveryKey = await phone.keys.setUp(OLD);
  const chat = await phone.save(phone.create(), "Hello");
  const thief = device(user);
  await thief.keys.unlock({ password: OLD });
  await thief.keys.changePassword(THIEF);
  await thief.keys.newRecoveryKey();
  return { user, recoveryKey, chat, thief };
}

/** Signs in again, as the user does who is locked out. */
async function signInAgain(user: TestUser): Promise<TestUser> {
  const { data, error } = await user.client.auth.signInWithPassword({
    email: user.email,
    password: PASSWORD,
  });
  if (error) throw error;
  return { ...user, token: data.session.access_token };
}

function replacedKeys(user: TestUser, fetch = globalThis.fetch, store = new MemoryStore()) {
  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
    global: { fetch },
  });
  return new ReplacedKeys(supabase, user.id, { store, attempts: 1 });
}

test("replaced keys: the old password brings the keys back after a new sign-in", async () => {
  const { user, recoveryKey, chat, thief } = await lockedOut();
  const locked = device(user);
  await rejection(locked.keys.unlock({ password: OLD }), CryptoError, "decryption_failed");
  await rejection(locked.keys.recover(recoveryKey, NEW), CryptoError, "decryption_failed");

  const kept = await replacedKeys(user).list();
  assert.deepEqual(kept.map(({ kind, is_current }) => [kind, is_current]), [
    ["recovery", true],
    ["password", true],
  ]);
  const id = kept.find(({ kind }) => kind === "password")!.id;
  const signedIn = await signInAgain(user);
  const keys = replacedKeys(signedIn);
  await rejection(keys.bringBack(id, { password: THIEF }, NEW), CryptoError, "decryption_failed");
  await rejection(keys.bringBack(id, { password: OLD }, "short"), ChatsError, "password_too_short");
  await keys.bringBack(id, { password: OLD }, NEW);
  const back = device(signedIn);
  await back.keys.unlock({ password: NEW });
  assert.equal((await back.open(chat.id)).content, "Hello");

  // The user shuts out whoever has the key.
  await back.keys.rotate(NEW);
  await rejection(device(user).keys.unlock({ password: THIEF }), CryptoError, "decryption_failed");
  await rejection(thief.keys.changePassword(THIEF), ChatsError, "keys_locked");
  const [last] = await keys.list();
  assert.equal(last?.is_current, false);
});

test("replaced keys: the old recovery key brings the keys back too, until they are rotated", async () => {
  const { user, recoveryKey, chat, thief } = await lockedOut();
  const signedIn = await signInAgain(user);
  const keys = replacedKeys(signedIn);
  const { id } = (await keys.list()).find(({ kind }) => kind === "recovery")!;
  await rejection(keys.bringBack(id, { password: OLD }, NEW), ChatsError, "false_answer");
  await keys.bringBack(id, { recoveryKey }, NEW);
  const back = device(signedIn);
  await back.keys.unlock({ password: NEW });
  assert.equal((await back.open(chat.id)).content, "Hello");
  await thief.keys.refresh().catch(() => {});
  await back.keys.rotate(NEW);
  await rejection(keys.bringBack(id, { recoveryKey }, NEW), ChatsError, "keys_rotated");
});

test("replaced keys: a stolen session gets none, and none changes the keys without the proof", async () => {
  const { user, recoveryKey } = await lockedOut();
  const stolen = replacedKeys(user);
  const kept = await stolen.list();
  for (const { id, kind } of kept) {
    const former = kind === "password" ? { password: OLD } : { recoveryKey };
    await rejection(stolen.bringBack(id, former, NEW), ChatsError, "reauthentication_needed");
  }
  // Not even a session that is new, but older than the replacement.
  const signedIn = await signInAgain(user);
  const phone = device(signedIn);
  await phone.keys.unlock({ password: THIEF });
  await phone.keys.changePassword(NEW);
  const keys = replacedKeys(signedIn);
  const [last, ...others] = await keys.list();
  const again = () => keys.bringBack(last!.id, { password: THIEF }, NEW);
  await rejection(again(), ChatsError, "reauthentication_needed");

  const capture = new Capture();
  await replacedKeys(signedIn, capture.fetch)
    .bringBack(others.at(-1)!.id, { password: OLD }, NEW);
  const sent = JSON.parse(
    capture.requests.findLast(({ method }) => method === "PUT")!.texts.at(-1)!,
  );
  assert.equal(atob(sent.proof).length, 32);
  await withDatabase((sql) =>
    sql`update private.replaced_chat_key_wraps set replaced_at = now() - interval '31 days'
      where user_id = ${user.id}`
  );
  assert.deepEqual(await keys.list(), []);
  const late = keys.bringBack(others.at(-1)!.id, { password: OLD }, NEW);
  await rejection(late, ChatsError, "replaced_key_not_found");
});

test("replaced keys: a server that lies does not learn the password, and puts no key of its own in place", async () => {
  const { user, chat } = await lockedOut();
  const signedIn = await signInAgain(user);
  const server = new LyingServer();
  const store = new MemoryStore();
  const used = device(signedIn, { store, password_cost: { memory_kib: 32_768, passes: 2 } });
  await used.keys.unlock({ password: THIEF });
  await used.keys.changePassword(THIEF);
  const { id } = (await replacedKeys(signedIn).list()).at(-1)!;
  const lied = async (change: Record<string, unknown>, keys: ReplacedKeys) => {
    const lie: Lie = (answer, { path }) =>
      path.startsWith("chats/keys/replaced") ? { ...answer, ...change } : undefined;
    const ended = await server.telling(lie, () => keys.bringBack(id, { password: OLD }, NEW));
    return (ended as { code?: string } | undefined)?.code;
  };
  const keys = replacedKeys(signedIn, server.fetch);
  assert.equal(await lied({ id: crypto.randomUUID() }, keys), "false_answer");
  assert.equal(await lied({ key_id: crypto.randomUUID() }, keys), "keys_rotated");
  const salt = btoa("strongroom sign-in\n" + user.email);
  assert.equal(await lied({ salt }, keys), "key_parameters_refused");
  assert.equal(await lied({ passes: 1 }, keys), "key_parameters_refused");
  assert.equal(await lied({ wrap: "{}" }, keys), "malformed_wrap");
  // The device has seen a costlier derivation.
  assert.equal(await lied({}, replacedKeys(signedIn, server.fetch, store)), "password_weakened");
  assert.equal((await used.open(chat.id)).content, "Hello");
  for (
    const [change, expected] of [
      [{ kind: "device" }, "false_answer"],
      [{ id: "1" }, "unexpected_answer"],
      [{ is_current: "yes" }, "unexpected_answer"],
      [{ kept_until: "soon" }, "unexpected_answer"],
    ] as const
  ) {
    const lie: Lie = ({ keys: kept }) => ({
      keys: kept.map((one: Record<string, unknown>) => ({ ...one, ...change })),
    });
    const error = await server.telling(lie, () => keys.list());
    assert.equal((error as { code?: string }).code, expected, JSON.stringify(change));
  }
});
