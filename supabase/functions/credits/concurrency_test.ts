import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

test("of 50 concurrent deductions of 1 from a balance of 20, 20 succeed, 30 are refused, and the entries add up", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  await invoke(serviceClient(), "credits/deduct", { body: { user_id: user.id, amount: 80 } });

  const answers = await Promise.all(
    Array.from(
      { length: 50 },
      () => invoke(user.client, "credits/deduct", { body: { sku, quantity: 1 } }),
    ),
  );
  const charged = answers.filter((answer) => answer.status === 200);
  const refused = answers.filter((answer) => answer.status === 402);
  assert.equal(charged.length, 20);
  assert.equal(refused.length, 30);
  for (const { body } of refused) {
    assert.equal(body.code, "insufficient_credits");
    assert.equal(body.available, 0);
  }
  assert.equal((await invoke(user.client, "credits")).body.balance, 0);

  const { data: entries } = await user.client.from("credit_transactions")
    .select("entry_no, amount, balance_after, created_at").order("entry_no");
  assert.ok(entries);
  assert.deepEqual(
    entries.map((entry) => entry.entry_no),
    Array.from({ length: 22 }, (_, i) => i + 1),
  );
  let balance = 0;
  for (const entry of entries) {
    balance += entry.amount;
    assert.equal(entry.balance_after, balance, `after entry ${entry.entry_no}`);
  }
  assert.equal(balance, 0);
  const times = entries.map((entry) => entry.created_at);
  assert.deepEqual(times, times.toSorted());
});
