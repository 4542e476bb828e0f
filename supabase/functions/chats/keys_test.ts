import assert from "node:assert/strict";

import { envelope } from "../_testing/envelope.ts";
import { type Answer, invoke, signUp, test, type TestUser } from "../_testing/testing.ts";
import { save, setKeys, wrap, wraps } from "./chats_testing.ts";

const put = (user: TestUser, body: Record<string, unknown>): Promise<Answer> =>
  invoke(user.client, "chats/keys", { method: "PUT", body });

test("of two devices that change the password at once, one succeeds and the other gets a conflict", async () => {
  const user = await signUp();
  const key_id = await setKeys(user);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => put(user, { expected_version: 1, key_id, wraps: wraps() })),
  );
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, ...Array(7).fill(409)]);
  const told = answers.find((answer) => answer.status === 409);
  assert.deepEqual([told?.body.code, told?.body.version], ["version_conflict", 2]);
  const { body } = await invoke(user.client, "chats/keys");
  assert.deepEqual([body.version, body.key_id, body.keys[0].wraps.length], [2, key_id, 2]);
});

test("after a rotation, envelopes of the old epoch are refused and the remaining ones counted", async () => {
  const user = await signUp();
  const old = await setKeys(user);
  const chats = Array.from({ length: 3 }, () => crypto.randomUUID());
  for (const id of chats) {
    await save(user, id, { expected_version: 0, encrypted_data: envelope(old) });
  }

  const key_id = crypto.randomUUID();
  const rotated = await invoke(user.client, "chats/keys/rotate", {
    body: { expected_version: 1, key_id, wraps: wraps({ kind: "epoch", wrap: wrap() }) },
  });
  assert.deepEqual(rotated.body, { version: 2, key_id, epoch: 2 });

  const [id = ""] = chats;
  const late = await save(user, id, { expected_version: 1, encrypted_data: envelope(old) });
  assert.deepEqual([late.status, late.body.code, late.body.key_id], [409, "key_epoch_old", key_id]);
  const saved = await save(user, id, { expected_version: 1, encrypted_data: envelope(key_id) });
  assert.equal(saved.status, 200);
  const { body } = await invoke(user.client, "chats/keys");
  const progress = body.keys.map((
    key: { id: string; envelopes: number },
  ) => [key.id, key.envelopes]);
  assert.deepEqual(progress, [[key_id, 1], [old, 2]]);
  const { data } = await user.client.rpc("sync_chats");
  assert.equal(data?.key_version, 2);
});

test("a device is added and revoked, and only by its own user", async () => {
  const user = await signUp();
  const key_id = await setKeys(user);
  const device_id = crypto.randomUUID();
  const device = { kind: "device", device_id, wrap: wrap() };
  assert.equal((await put(user, { expected_version: 1, key_id, wraps: [device] })).status, 200);

  const stranger = await signUp();
  const options = { method: "DELETE" as const };
  const refused = await invoke(stranger.client, `chats/keys/devices/${device_id}`, options);
  assert.deepEqual([refused.status, refused.body.code], [404, "device_not_found"]);
  const revoked = await invoke(user.client, `chats/keys/devices/${device_id}`, options);
  assert.deepEqual([revoked.status, revoked.body.version], [200, 3]);
  const { body } = await invoke(user.client, "chats/keys");
  const kinds = body.keys[0].wraps.map((entry: { kind: string }) => entry.kind);
  assert.deepEqual(kinds, ["password", "recovery"]);
  const { data } = await stranger.client.from("chat_key_wraps").select();
  assert.deepEqual(data, []);
});

test("bad keys get their codes, and no keys are set", async () => {
  const user = await signUp();
  const good = { expected_version: 0, key_id: crypto.randomUUID(), wraps: wraps() };
  for (
    const [body, code] of [
      [{ ...good, key_id: "mine" }, "invalid_request"],
      [{ ...good, expected_version: "0" }, "invalid_request"],
      [{ ...good, wraps: wrap() }, "invalid_request"],
      [{ ...good, wraps: [wrap()] }, "invalid_request"],
      [{ ...good, password: "correct horse" }, "invalid_request"],
      [{ ...good, wraps: [] }, "invalid_wraps"],
      [{ ...good, wraps: wraps({ kind: "recovery", wrap: wrap() }) }, "invalid_wraps"],
      [{ ...good, wraps: wraps().slice(1) }, "wrap_missing"],
      [{ ...good, wraps: [...wraps(), { kind: "device", wrap: wrap() }] }, "invalid_wrap"],
      [
        { ...good, wraps: wraps().map((entry) => ({ ...entry, wrap: envelope() })) },
        "invalid_wrap",
      ],
    ] as const
  ) {
    const answer = await put(user, body);
    assert.deepEqual([answer.status, answer.body.code], [422, code], JSON.stringify(body));
  }
  const { body } = await invoke(user.client, "chats/keys");
  assert.deepEqual(body, {
    version: 0,
    key_id: null,
    epoch: null,
    keys: [],
    legacy_envelopes: 0,
    proof_number: null,
  });
});

test("a body of keys is at most 256 KiB", async () => {
  const user = await signUp();
  for (const [method, path] of [["PUT", "chats/keys"], ["POST", "chats/keys/rotate"]] as const) {
    const keys = (bytes: number) =>
      invoke(user.client, path, {
        method,
        body: { expected_version: 0, key_id: crypto.randomUUID(), wraps: ["x".repeat(bytes)] },
      });
    assert.equal((await keys(255 * 1024)).body.code, "invalid_request");
    const refused = await keys(257 * 1024);
    assert.deepEqual([refused.status, refused.body.code], [413, "body_too_large"]);
  }
});
