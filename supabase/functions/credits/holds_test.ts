import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

const service = serviceClient();

/** Holds credits of a new user and returns both. */
async function held(amount: number) {
  const user = await signUp();
  const { status, body: hold } = await invoke(service, "credits/holds", {
    body: { user_id: user.id, amount },
  });
  assert.equal(status, 201);
  return { user, hold };
}

test("POST /credits/holds sets credits aside, and a capture charges part of them", async () => {
  const user = await signUp();
  const { status, body: hold } = await invoke(service, "credits/holds", {
    body: { user_id: user.id, amount: 40.5, expires_in: 60, description: "An answer" },
  });
  assert.equal(status, 201);
  assert.equal(hold.status, "held");
  assert.equal(hold.amount, 40.5);
  assert.equal(Date.parse(hold.expires_at) - Date.parse(hold.created_at), 60_000);
  assert.equal((await invoke(user.client, "credits")).body.available, 59.5);

  const capture = await invoke(service, `credits/holds/${hold.id}/capture`, {
    body: { amount: 10.25 },
  });
  assert.equal(capture.status, 200);
  assert.equal(capture.body.kind, "capture");
  assert.equal(capture.body.amount, -10.25);
  assert.equal(capture.body.description, "An answer");
  const { balance, held, available } = (await invoke(user.client, "credits")).body;
  assert.deepEqual({ balance, held, available }, { balance: 89.75, held: 0, available: 89.75 });
});

test("POST /credits/holds/:id/capture charges items at their price, or the whole hold with an empty body", async () => {
  const { hold } = await held(50);
  const [tokens, image] = await Promise.all([createPrice(0.25, 3), createPrice(20)]);
  const { body } = await invoke(service, `credits/holds/${hold.id}/capture`, {
    body: { items: [{ sku: tokens, quantity: 1.234 }, { sku: image, quantity: 2 }] },
  });
  assert.equal(body.amount, -40.3085);
  assert.deepEqual(body.items, [
    { sku: tokens, unit: "one", quantity: 1.234, unit_price: 0.25, amount: 0.3085 },
    { sku: image, unit: "one", quantity: 2, unit_price: 20, amount: 40 },
  ]);
  const other = await held(7);
  const all = await invoke(service, `credits/holds/${other.hold.id}/capture`, { body: {} });
  assert.equal(all.body.amount, -7);
});

test("a hold is resolved once, and later requests say how", async () => {
  const { hold } = await held(5);
  const capture = (body = {}) => invoke(service, `credits/holds/${hold.id}/capture`, { body });
  const release = () => invoke(service, `credits/holds/${hold.id}/release`, { body: {} });
  assert.equal((await capture({ amount: 6 })).body.code, "capture_exceeds_hold");
  assert.equal((await capture({ amount: 6, allow_overage: true })).body.amount, -6);
  for (const answer of [await capture(), await release()]) {
    assert.equal(answer.status, 409);
    assert.equal(answer.body.code, "hold_already_captured");
  }
  const other = await held(5);
  const path = `credits/holds/${other.hold.id}`;
  assert.equal((await invoke(service, `${path}/release`, { body: {} })).body.status, "released");
  for (const action of ["capture", "release"]) {
    const { status, body } = await invoke(service, `${path}/${action}`, { body: {} });
    assert.equal(status, 409);
    assert.equal(body.code, "hold_released");
  }
  const none = await invoke(service, `credits/holds/${crypto.randomUUID()}/capture`, { body: {} });
  assert.equal(none.status, 404);
  assert.equal(none.body.code, "hold_not_found");
});

test("holds, captures and releases can be repeated with their Idempotency-Key", async () => {
  const user = await signUp();
  const repeat = async (path: string, body: Record<string, unknown>) => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await invoke(service, path, { body, headers });
    const second = await invoke(service, path, { body, headers });
    assert.equal(first.headers.get("idempotent-replayed"), null);
    assert.equal(second.headers.get("idempotent-replayed"), "true");
    assert.equal(second.status, first.status);
    assert.deepEqual(second.body, first.body);
    return first.body;
  };
  const hold = { user_id: user.id, amount: 10 };
  const one = await repeat("credits/holds", hold);
  const two = await repeat("credits/holds", hold);
  await repeat(`credits/holds/${one.id}/capture`, { amount: 4 });
  await repeat(`credits/holds/${two.id}/release`, {});
  const { balance, held } = (await invoke(user.client, "credits")).body;
  assert.deepEqual({ balance, held }, { balance: 96, held: 0 });
});
