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
import { Capture } from "../support/capture.ts";
import { device } from "../support/devices.ts";

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
