/**
 * Somebody who has a user's access token, but no key.
 */

import assert from "node:assert/strict";

import {
  invoke,
  signUp,
  test,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import { wrap, wraps } from "../../../supabase/functions/chats/chats_testing.ts";
import { random } from "../../../supabase/functions/_testing/envelope.ts";
import { ChatsError, CryptoError } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { Capture } from "../support/capture.ts";
import { device, newUser } from "../support/devices.ts";
import type { Json } from "../support/lying_server.ts";

const PASSWORD = "a password for the chats";

test("stolen session: without the data key, nobody replaces the wraps or rotates the keys", async () => {
  const user = await signUp();
  const capture = new Capture();
  const phone = device(user, { fetch: capture.fetch });
  await phone.keys.setUp(PASSWORD);
  const chat = await phone.save(phone.create(), "Hello");
  await phone.keys.newRecoveryKey();
  const sent = JSON.parse(
    capture.requests.findLast(({ method }) => method === "PUT")!.texts.at(-1)!,
  );
  assert.equal(atob(sent.proof).length, 32);

  const { body: keys } = await invoke(user.client, "chats/keys");
  const junk = { expected_version: keys.version, key_id: keys.key_id, wraps: wraps() };
  const link = { kind: "epoch", wrap: wrap() };
  const rotation = { ...junk, key_id: crypto.randomUUID(), wraps: wraps(link) };
  for (
    const [name, proof, code] of [
      ["no proof", {}, "key_proof_wrong"],
      ["another proof", { proof: random(32), next_proof_hash: random(32) }, "key_proof_wrong"],
      [
        "a proof that was used",
        { proof: sent.proof, next_proof_hash: random(32) },
        "key_proof_wrong",
      ],
      ["half a proof", { proof: random(16), next_proof_hash: random(32) }, "invalid_key_proof"],
    ] as const
  ) {
    const put = await invoke(user.client, "chats/keys", {
      method: "PUT",
      body: { ...junk, ...proof },
    });
    const rotated = await invoke(user.client, "chats/keys/rotate", {
      body: { ...rotation, ...proof },
    });
    assert.deepEqual([put.body.code, rotated.body.code], [code, code], name);
  }
  const laptop = device(user);
  await laptop.keys.unlock({ password: PASSWORD });
  assert.equal((await laptop.open(chat.id)).content, "Hello");
  await laptop.keys.rotate(PASSWORD);
  await laptop.keys.changePassword("another password");
  await device(user).keys.unlock({ password: "another password" });
});

test("stolen session: keys without a proof get one when the password is next entered", async () => {
  const user = await signUp();
  const phone = device(user);
  await phone.keys.setUp(PASSWORD);
  await withDatabase((sql) =>
    sql`update chat_keys set proof_hash = null, proof_number = 0 where user_id = ${user.id}`
  );
  await phone.keys.unlock({ password: PASSWORD });
  const { body } = await invoke(user.client, "chats/keys");
  assert.equal(body.proof_number, 1);
});

/** Two devices with two chats, and what somebody with the access token reads and sends. */
async function stolen() {
  const { user, password, phone, laptop } = await newUser();
  const [a, b] = [await phone.save(phone.create(), "A"), await phone.save(phone.create(), "B")];
  const backup = await phone.backup(a.id);
  for (const chats of [phone, laptop]) await chats.sync();
  const read = async (): Promise<Json> =>
    (await user.client.rpc("sync_chats", { with_titles: true })).data;
  /** A head of the account that nobody can open, after so many others. */
  const falseHistory = ({ history: { counter, sealed } }: Json, later: number) => ({
    ...{ expected: counter, counter: counter + later },
    sealed: JSON.stringify({ ...JSON.parse(sealed), ciphertext: random(200), mac: random(16) }),
  });
  return { user, password, phone, laptop, a, b, backup, read, falseHistory };
}

test("stolen session: a false head of the account stops all devices, until the user accepts what the server has", async () => {
  const { user, password, phone, laptop, b, read, falseHistory } = await stolen();
  const page = await read();
  const put = async (history: Json) =>
    await invoke(user.client, "chats/history", {
      method: "PUT",
      body: { history, expected_sequence: Number(page.cursor) },
    });
  // Otherwise there would soon be no counter after it.
  assert.equal((await put(falseHistory(page, 1_000_001))).body.code, "invalid_history");
  assert.equal((await put(falseHistory(page, 1_000_000))).status, 200);

  for (const chats of [phone, laptop]) {
    await rejection(chats.sync(), CryptoError, "decryption_failed");
    await rejection(chats.append(await chats.open(b.id), "C"), CryptoError, "decryption_failed");
    assert.equal((await chats.list()).length, 2);
  }
  assert.equal((await phone.sync({ startOver: true })).verified, true);
  assert.equal((await laptop.sync({ startOver: true })).verified, true);
  await phone.append(await phone.open(b.id), "C");
  assert.equal((await laptop.sync()).verified, true);
  assert.deepEqual((await laptop.open(b.id)).segments, ["C"]);
  const tablet = device(user);
  await tablet.keys.unlock({ password });
  assert.equal((await tablet.sync()).verified, true);
  assert.equal(await tablet.code(), await laptop.code());
});

test("stolen session: a chat with a false head is deleted, and a backup brings it back", async () => {
  const { user, phone, laptop, a, b, backup, read, falseHistory } = await stolen();
  const page = await read();
  const { version, head } = page.changes.find(({ id }: Json) => id === a.id);
  const { status } = await invoke(user.client, `chats/${a.id}`, {
    method: "PATCH",
    body: {
      ...{ expected_version: version, is_starred: true, history: falseHistory(page, 1) },
      head: JSON.stringify({ ...JSON.parse(head), version: String(version + 1), mac: random(32) }),
    },
  });
  assert.equal(status, 200);
  for (const chats of [phone, laptop]) await rejection(chats.sync(), ChatsError, "head_false");
  assert.equal((await phone.openKept(a.id))?.content, "A");
  assert.equal((await phone.sync({ startOver: true })).verified, true);
  // What is false is accepted as being there, and is not shown.
  const [listed] = (await phone.list()).filter(({ id }) => id === a.id);
  const { code } = listed?.title_error as ChatsError;
  assert.deepEqual([code, listed?.verified], ["head_false", false]);
  for (const options of [{}, { unproven: true }]) {
    await rejection(phone.open(a.id, options), ChatsError, "head_false");
  }
  await rejection(phone.star(listed!, true), ChatsError, "head_false");
  await phone.delete(listed!);
  assert.equal((await phone.restore(backup)).content, "A");
  for (const chats of [phone, laptop]) {
    assert.equal((await chats.sync({ startOver: chats === laptop })).verified, true);
    assert.deepEqual([(await chats.open(a.id)).content, (await chats.open(b.id)).content], [
      "A",
      "B",
    ]);
  }
});

test("stolen session: it revokes devices, which then need the password", async () => {
  const { user, password, laptop, key } = await newUser();
  const chat = await laptop.save(laptop.create(), "A");
  const { device_id } = key;
  const path = `chats/keys/devices/${device_id}`;
  assert.equal((await invoke(user.client, path, { method: "DELETE" })).status, 200);
  const again = device(user);
  await rejection(again.keys.unlock({ device: key }), ChatsError, "device_not_found");
  // Those that are open go on.
  assert.equal((await laptop.open(chat.id)).content, "A");
  await laptop.append(chat, "B");
  await again.keys.unlock({ password });
  await again.keys.rememberDevice(key);
  await device(user).keys.unlock({ device: key });
});
