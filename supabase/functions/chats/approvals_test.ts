import assert from "node:assert/strict";

import { random } from "../_testing/envelope.ts";
import { invoke, signUp, test, type TestUser } from "../_testing/testing.ts";
import { setKeys, wrap } from "./chats_testing.ts";

const sealed = () => JSON.stringify({ v: "1", nonce: "n", ciphertext: random(16), mac: "m" });

const patch = (user: TestUser, id: string, body: Record<string, unknown>) =>
  invoke(user.client, `chats/approvals/${id}`, { method: "PATCH", body });

test("the messages of an approval pass through, in turn and once, for their user alone", async () => {
  const [user, stranger] = [await signUp(), await signUp()];
  const id = crypto.randomUUID();
  const share = random(32);
  const begun = await invoke(user.client, "chats/approvals", { body: { id, share } });
  assert.deepEqual([begun.status, begun.body.share, begun.body.reply], [201, share, null]);
  const again = await invoke(user.client, "chats/approvals", { body: { id, share } });
  assert.deepEqual(again.body, begun.body);
  const other = await invoke(user.client, "chats/approvals", { body: { id, share: random(32) } });
  assert.deepEqual([other.status, other.body.code], [409, "approval_id_used"]);

  const messages = { reply: random(32), hello: sealed(), answer: sealed() };
  for (const [name, message] of Object.entries(messages)) {
    const early = await patch(stranger, id, { [name]: message });
    assert.deepEqual([early.status, early.body.code], [404, "approval_not_found"]);
    const sent = await patch(user, id, { [name]: message });
    assert.deepEqual([sent.status, sent.body[name]], [200, message]);
    const repeated = await patch(user, id, { [name]: message });
    assert.deepEqual(repeated.body, sent.body);
    const changed = await patch(user, id, { [name]: name === "reply" ? random(32) : sealed() });
    assert.deepEqual([changed.status, changed.body.code], [409, "approval_out_of_turn"]);
  }
  const { body } = await invoke(user.client, "chats/approvals");
  assert.deepEqual(body.approvals.map((one: { id: string }) => one.id), [id]);
  assert.equal(body.approvals[0].answer, messages.answer);
  assert.deepEqual((await invoke(stranger.client, "chats/approvals")).body, { approvals: [] });
  const closed = await patch(user, id, { closed: "done" });
  assert.deepEqual([closed.body.closed, closed.body.answer], ["done", null]);
  const late = await patch(user, id, { closed: "refused" });
  assert.deepEqual([late.status, late.body.code, late.body.closed], [
    409,
    "approval_closed",
    "done",
  ]);
});

test("what is no message of an approval is refused", async () => {
  const user = await signUp();
  const id = crypto.randomUUID();
  for (const body of [{ id, share: "x" }, { id, share: random(31) }]) {
    const { status, body: refused } = await invoke(user.client, "chats/approvals", { body });
    assert.deepEqual([status, refused.code], [422, "invalid_approval"]);
  }
  await invoke(user.client, "chats/approvals", { body: { id, share: random(32) } });
  for (
    const [body, code] of [
      [{}, "invalid_approval"],
      [{ reply: random(32), hello: sealed() }, "invalid_approval"],
      [{ closed: "lost" }, "invalid_request"],
      [{ other: "x" }, "invalid_request"],
      [{ hello: "x".repeat(60_000) }, "invalid_approval"],
    ] as const
  ) {
    const { status, body: refused } = await patch(user, id, body);
    assert.deepEqual([status, refused.code], [422, code], JSON.stringify(body).slice(0, 80));
  }
  const large = await patch(user, id, { hello: "x".repeat(70_000) });
  assert.deepEqual([large.status, large.body.code], [413, "body_too_large"]);
  const unknown = await patch(user, "x", { closed: "done" });
  assert.equal(unknown.status, 422);
});

test("a passkey's use is noted, and it is revoked like a device", async () => {
  const [user, stranger] = [await signUp(), await signUp()];
  const key_id = await setKeys(user);
  const device_id = crypto.randomUUID();
  const passkey = { kind: "passkey", device_id, credential_id: "abc", salt: random(32) };
  const put = await invoke(user.client, "chats/keys", {
    method: "PUT",
    body: { expected_version: 1, key_id, wraps: [{ ...passkey, name: sealed(), wrap: wrap() }] },
  });
  assert.equal(put.status, 200);
  const use = (who: TestUser) =>
    invoke(who.client, `chats/keys/passkeys/${device_id}/use`, { method: "PUT", body: {} });
  assert.equal((await use(stranger)).body.code, "device_not_found");
  const used = await use(user);
  assert.equal(used.status, 200);
  const { body } = await invoke(user.client, "chats/keys");
  const listed = body.keys[0].wraps.find((one: { kind: string }) => one.kind === "passkey");
  assert.deepEqual(
    [listed.credential_id, listed.salt, Date.parse(listed.last_used_at)],
    ["abc", passkey.salt, Date.parse(used.body.last_used_at)],
  );
  const options = { method: "DELETE" as const };
  assert.equal((await invoke(user.client, `chats/keys/devices/${device_id}`, options)).status, 200);
  assert.equal((await use(user)).body.code, "device_not_found");
});
