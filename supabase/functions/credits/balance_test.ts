import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

test("GET /credits returns the caller's balance", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const { status, body } = await invoke(user.client, "credits");
  assert.equal(status, 200);
  assert.deepEqual(
    { ...body, updated_at: undefined, account_id: undefined },
    {
      user_id: user.id,
      account_id: undefined,
      balance: 100,
      held: 0,
      available: 100,
      overdraft_limit: 0,
      scoped: 0,
      updated_at: undefined,
    },
  );
  assert.ok(!Number.isNaN(Date.parse(body.updated_at)));
  assert.equal((await invoke(other.client, "credits")).body.user_id, other.id);
});

test("GET /credits returns the balance of the user that a service names", async () => {
  const user = await signUp();
  const { status, body } = await invoke(serviceClient(), `credits?user_id=${user.id}`);
  assert.equal(status, 200);
  assert.equal(body.user_id, user.id);
  assert.equal(body.available, 100);
});

test("GET /credits returns 404 to a service for a user without an account", async () => {
  const { status, body } = await invoke(
    serviceClient(),
    `credits?user_id=${crypto.randomUUID()}`,
  );
  assert.equal(status, 404);
  assert.equal(body.code, "account_not_found");
});

test("GET /credits refuses a service that names no user", async () => {
  for (const query of ["", "?user_id=", "?user_id=me", "?user_id=1&x=2"]) {
    const { status, body } = await invoke(serviceClient(), `credits${query}`);
    assert.equal(status, 422, query);
    assert.equal(body.code, "invalid_request", query);
  }
});

test("GET /credits refuses a user who names another", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const { status, body } = await invoke(user.client, `credits?user_id=${other.id}`);
  assert.equal(status, 422);
  assert.equal(body.code, "invalid_request");
});

test("GET /credits returns amounts with four decimals as numbers", async () => {
  const user = await signUp();
  const sku = await createPrice(0.0001);
  await invoke(user.client, "credits/deduct", { body: { sku, quantity: 1 } });
  const { body } = await invoke(user.client, "credits");
  assert.equal(body.balance, 99.9999);
});
