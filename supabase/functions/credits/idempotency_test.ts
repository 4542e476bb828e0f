import assert from "node:assert/strict";

import {
  type Answer,
  createPrice,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";

function deduct(user: TestUser, key: string, sku: string, quantity = 1): Promise<Answer> {
  return invoke(user.client, "credits/deduct", {
    body: { sku, quantity },
    headers: { "idempotency-key": key },
  });
}

test("a repeated Idempotency-Key charges once and returns the first result", async () => {
  const user = await signUp();
  const sku = await createPrice(10);
  const key = crypto.randomUUID();
  const first = await deduct(user, key, sku);
  assert.equal(first.headers.get("idempotent-replayed"), null);
  const second = await deduct(user, key, sku);
  assert.equal(second.status, first.status);
  assert.equal(second.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(second.body, first.body);
  assert.equal((await invoke(user.client, "credits")).body.balance, 90);
});

test("ten concurrent requests with one Idempotency-Key charge once", async () => {
  const user = await signUp();
  const sku = await createPrice(10);
  const key = crypto.randomUUID();
  // All ten wait for the account before any of them can see another's key.
  const answers = await withDatabase((sql) =>
    sql.begin(async (transaction) => {
      await transaction`select 1 from credit_accounts where user_id = ${user.id} for update`;
      const requests = Array.from({ length: 10 }, () => deduct(user, key, sku));
      await until(async () => {
        const [row] =
          await transaction`select count(*)::int as waiting from pg_locks where not granted`;
        return row?.waiting === 10;
      });
      return { requests };
    })
  ).then(({ requests }) => Promise.all(requests));
  assert.deepEqual(answers.map((answer) => answer.status), Array(10).fill(200));
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.body))).size, 1);
  const replayed = answers.filter((answer) => answer.headers.get("idempotent-replayed") === "true");
  assert.equal(replayed.length, 9);
  assert.equal((await invoke(user.client, "credits")).body.balance, 90);
});

test("an Idempotency-Key with another request is refused and charges nothing", async () => {
  const user = await signUp();
  const [sku, otherSku] = await Promise.all([createPrice(10), createPrice(10)]);
  const key = crypto.randomUUID();
  await deduct(user, key, sku);
  for (const answer of [await deduct(user, key, sku, 2), await deduct(user, key, otherSku)]) {
    assert.equal(answer.status, 422);
    assert.equal(answer.body.code, "idempotency_key_reused");
  }
  assert.equal((await invoke(user.client, "credits")).body.balance, 90);
});

test("two users may use the same Idempotency-Key", async () => {
  const [one, two] = await Promise.all([signUp(), signUp()]);
  const sku = await createPrice(10);
  const key = crypto.randomUUID();
  for (const user of [one, two]) {
    const answer = await deduct(user, key, sku);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("idempotent-replayed"), null);
    assert.equal(answer.body.balance_after, 90);
  }
});

test("a service's Idempotency-Key is separate for each user, and from the users' own keys", async () => {
  const [one, two] = await Promise.all([signUp(), signUp()]);
  const key = crypto.randomUUID();
  const charge = (user: TestUser) =>
    invoke(serviceClient(), "credits/deduct", {
      body: { user_id: user.id, amount: 5 },
      headers: { "idempotency-key": key },
    });
  // The user has used the key for something else before.
  assert.equal((await deduct(one, key, await createPrice(1))).status, 200);
  assert.equal((await charge(one)).headers.get("idempotent-replayed"), null);
  assert.equal((await charge(two)).headers.get("idempotent-replayed"), null);
  assert.equal((await charge(one)).headers.get("idempotent-replayed"), "true");
});

test("a refused request does not use up its Idempotency-Key", async () => {
  const user = await signUp();
  const [dear, cheap] = await Promise.all([createPrice(1000), createPrice(1)]);
  const key = crypto.randomUUID();
  assert.equal((await deduct(user, key, dear)).status, 402);
  assert.equal((await deduct(user, key, cheap)).status, 200);
});

test("an invalid Idempotency-Key is refused", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  for (const key of ["k".repeat(256), "k".repeat(10 * 1024), "two words", ""]) {
    const answer = await deduct(user, key, sku);
    assert.equal(answer.status, 400, key.slice(0, 20));
    assert.equal(answer.body.code, "invalid_idempotency_key");
  }
  assert.equal((await deduct(user, "k".repeat(255), sku)).status, 200);
  assert.equal((await invoke(user.client, "credits")).body.balance, 99);
});
