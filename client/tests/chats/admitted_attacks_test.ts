/**
 * Attacks of which `docs/encryption.md` says that they work: what they reach, what they do not, and what helps.
 */

import assert from "node:assert/strict";

import { random } from "../../../supabase/functions/_testing/envelope.ts";
import { invoke, signUp, test } from "../../../supabase/functions/_testing/testing.ts";
import { wraps } from "../../../supabase/functions/chats/chats_testing.ts";
import { ChatsError, CryptoError } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { device, newUser } from "../support/devices.ts";
import { code, deceived, inSync, recorded, showsTruth } from "../support/history_lies.ts";

test("admitted attacks: a new device takes an old state for the present one, and only the codes differ", async () => {
  const { server, fresh, phone, laptop, a } = await deceived();
  const [old] = await recorded(server, async () => await (await fresh()).sync());
  await phone.append(a, "A4 ");
  const chats = await fresh();
  const result = await server.telling(inSync(() => old), () => chats.sync());
  assert.equal((result as { verified: boolean }).verified, true);
  assert.notEqual(await chats.code(), await phone.code());
  // Devices that have seen more notice.
  await showsTruth(laptop, phone);
  await showsTruth(chats, phone);
  const again = inSync((now) => ({ ...now, changes: [], history: old.history }));
  for (const used of [laptop, chats]) {
    assert.equal(code(await server.telling(again, () => used.sync())), "history_rolled_back");
  }
});

test("admitted attacks: whoever had the password rotates the keys, and the old key opens what was encrypted before", async () => {
  const user = await signUp();
  const [password, theirs] = ["a password for the chats", "a password of somebody else"];
  const [phone, thief] = [device(user), device(user)];
  await phone.keys.setUp(password);
  const before = await phone.save(phone.create(), "before");
  await thief.keys.unlock({ password });
  await thief.keys.rotate(password);
  await thief.keys.changePassword(theirs);
  const after = await thief.save(thief.create(), "after");
  assert.equal((await phone.open(before.id)).content, "before");
  assert.equal((await phone.backup(before.id)).chat.id, before.id);
  await rejection(phone.open(after.id), ChatsError, "keys_locked");
  await rejection(phone.save(phone.create(), ""), ChatsError, "keys_locked");
});

test("admitted attacks: a stolen session deletes and overwrites chats, which is noticed, and backups bring them back", async () => {
  const { user, phone } = await newUser();
  const [a, b] = [await phone.save(phone.create(), "A"), await phone.save(phone.create(), "B")];
  const backups = [await phone.backup(a.id), await phone.backup(b.id)];
  await phone.sync();
  const table = () => user.client.from("encrypted_chats");
  await table().delete().eq("id", a.id).throwOnError();
  const envelope = JSON.parse(backups[1]!.content.encrypted_data);
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(12))));
  const encrypted_data = JSON.stringify({ ...envelope, nonce });
  await table().update({ encrypted_data }).eq("id", b.id).throwOnError();

  const { unproven, verified } = await phone.sync();
  assert.deepEqual([unproven, verified], [[a.id], false]);
  assert.equal((await phone.openKept(a.id))?.content, "A");
  const [overwritten] = (await phone.list()).filter(({ id }) => id === b.id);
  assert.equal(overwritten?.verified, false);
  await assert.rejects(phone.open(b.id));
  await phone.sync({ startOver: true });
  await phone.delete(overwritten!);
  for (const backup of backups) await phone.restore(backup);
  assert.equal((await phone.sync()).verified, true);
  assert.deepEqual([(await phone.open(a.id)).content, (await phone.open(b.id)).content], [
    "A",
    "B",
  ]);
});

test("admitted attacks: a stolen session makes the first keys of an account that has none", async () => {
  const user = await signUp();
  const key_id = crypto.randomUUID();
  const body = { expected_version: 0, key_id, wraps: wraps(), next_proof_hash: random(32) };
  assert.equal((await invoke(user.client, "chats/keys", { method: "PUT", body })).status, 200);
  const chats = device(user);
  const password = "a password for the chats";
  await rejection(chats.keys.setUp(password), ChatsError, "version_conflict");
  await rejection(chats.keys.unlock({ password }), CryptoError, "decryption_failed");
});
