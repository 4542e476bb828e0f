import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

test("POST /credits/deduct charges a user the price of the sku", async () => {
  const user = await signUp();
  const sku = await createPrice(2.5);
  const { status, body, headers } = await invoke(user.client, "credits/deduct", {
    body: { sku, quantity: 3 },
  });
  assert.equal(status, 200);
  const { account_id, created_at, ...entry } = body;
  assert.deepEqual(entry, {
    entry_no: 2,
    kind: "deduct",
    amount: -7.5,
    balance_after: 92.5,
    sku,
    quantity: 3,
    unit_price: 2.5,
    items: null,
    description: null,
    actor_id: user.id,
    refund_of: null,
    unit: "credits",
  });
  assert.match(account_id, /^[0-9a-f-]{36}$/);
  assert.match(created_at, /^\d{4}-\d\d-\d\dT/);
  assert.equal(headers.get("idempotent-replayed"), null);
  assert.equal((await invoke(user.client, "credits")).body.balance, 92.5);
});

test("POST /credits/deduct accepts a fraction only if the sku allows it", async () => {
  const user = await signUp();
  const [whole, fraction] = await Promise.all([createPrice(1), createPrice(1, 2)]);
  const deduct = (sku: string, quantity: number) =>
    invoke(user.client, "credits/deduct", { body: { sku, quantity } });

  assert.equal((await deduct(fraction, 1.25)).body.amount, -1.25);
  for (const [sku, quantity] of [[whole, 1.5], [fraction, 1.255]] as const) {
    const { status, body } = await deduct(sku, quantity);
    assert.equal(status, 422);
    assert.equal(body.code, "invalid_quantity");
  }
});

test("POST /credits/deduct stores the price in force at the time", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  await invoke(user.client, "credits/deduct", { body: { sku, quantity: 1 } });
  const { error } = await serviceClient().from("credit_prices")
    .insert({ sku, unit: "one", price: 2 });
  assert.equal(error, null);
  await invoke(user.client, "credits/deduct", { body: { sku, quantity: 1 } });

  const { data } = await user.client.from("credit_transactions")
    .select("unit_price, amount").eq("sku", sku).order("entry_no");
  assert.deepEqual(data, [{ unit_price: 1, amount: -1 }, { unit_price: 2, amount: -2 }]);
});

test("POST /credits/deduct charges nothing if credits are insufficient, and returns the available credits", async () => {
  const user = await signUp();
  const sku = await createPrice(60);
  const deduct = () => invoke(user.client, "credits/deduct", { body: { sku, quantity: 1 } });
  assert.equal((await deduct()).status, 200);
  const { status, body, headers } = await deduct();
  assert.equal(status, 402);
  assert.match(headers.get("content-type") ?? "", /^application\/problem\+json/);
  assert.equal(body.code, "insufficient_credits");
  assert.equal(body.available, 40);
  assert.equal(body.required, 60);
  assert.equal(body.detail, "Cannot charge 60 credits: 40 are available");
  assert.equal((await invoke(user.client, "credits")).body.balance, 40);
});

test("POST /credits/deduct lets a service charge a user by the price list or an amount", async () => {
  const user = await signUp();
  const sku = await createPrice(3);
  const bySku = await invoke(serviceClient(), "credits/deduct", {
    body: { user_id: user.id, sku, quantity: 2, description: "Two answers" },
  });
  assert.equal(bySku.body.amount, -6);
  const byAmount = await invoke(serviceClient(), "credits/deduct", {
    body: { user_id: user.id, amount: 0.1234, description: "Tokens" },
  });
  assert.equal(byAmount.status, 200);
  assert.equal(byAmount.body.balance_after, 93.8766);

  const { data } = await user.client.from("credit_transactions")
    .select("entry_no, amount, description, actor, actor_id").order("entry_no");
  assert.deepEqual(data?.slice(1), [
    { entry_no: 2, amount: -6, description: "Two answers", actor: "service", actor_id: user.id },
    { entry_no: 3, amount: -0.1234, description: "Tokens", actor: "service", actor_id: user.id },
  ]);
});

test("POST /credits/deduct refuses a user who names an amount or another user", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const sku = await createPrice(1);
  const bodies = [
    { amount: 0.0001 },
    { sku, quantity: 1, amount: 0.0001 },
    { sku, quantity: 1, user_id: other.id },
    { sku, quantity: 1, description: "Mine" },
    { sku, quantity: 1, actor: "service" },
    { sku, quantity: 1, price: 0 },
  ];
  for (const body of bodies) {
    const answer = await invoke(user.client, "credits/deduct", { body });
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.body.code, "invalid_request");
  }
  for (const { client } of [user, other]) {
    assert.equal((await invoke(client, "credits")).body.balance, 100);
  }
});

test("POST /credits/deduct refuses a service that sends too few or too many members", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  const bodies = [
    { sku, quantity: 1 },
    { user_id: user.id },
    { user_id: user.id, sku },
    { user_id: user.id, quantity: 1 },
    { user_id: user.id, sku, quantity: 1, amount: 1 },
    { user_id: user.id, sku, amount: 1 },
    { user_id: "me", amount: 1 },
    { user_id: user.id, amount: 1, description: "" },
    { user_id: user.id, amount: 1, description: "x".repeat(501) },
    { user_id: user.id, amount: 0.00004 },
    { user_id: user.id, amount: 1_000_000_000.0001 },
  ];
  for (const body of bodies) {
    const answer = await invoke(serviceClient(), "credits/deduct", { body });
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.body.code, "invalid_request");
  }
  const unknown = await invoke(serviceClient(), "credits/deduct", {
    body: { user_id: crypto.randomUUID(), amount: 1 },
  });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.body.code, "account_not_found");
  const largest = await invoke(serviceClient(), "credits/deduct", {
    body: { user_id: user.id, amount: 1_000_000_000 },
  });
  assert.equal(largest.status, 402);
  assert.equal((await invoke(user.client, "credits")).body.balance, 100);
});
