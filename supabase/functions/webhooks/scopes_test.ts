import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";
import { balanceOf, purchase } from "./purchases_testing.ts";
import { deliverStripe } from "./webhooks_testing.ts";

const service = serviceClient();
const [image, text] = await Promise.all([createPrice(2), createPrice(1)]);

test("POST /webhooks/stripe grants credits that pay for some skus only, if the price says so", async () => {
  const user = await signUp();
  const id = `price_${crypto.randomUUID()}`;
  const priced = await service.from("stripe_prices")
    .insert({ id, credits: 50, skus: [image], priority: 10 });
  assert.equal(priced.error, null);
  const event = purchase(id, user.id);
  for (const _delivery of ["first", "again"]) {
    const { status, body } = await deliverStripe(event);
    assert.deepEqual([status, body.outcome], [200, "processed"]);
  }
  const { body: balance } = await invoke(user.client, "credits");
  assert.deepEqual([balance.balance, balance.available, balance.scoped], [150, 100, 50]);
  const { data: grants } = await user.client.from("credit_grants")
    .select("amount, skus, priority, category, source").eq("source", "stripe");
  assert.deepEqual(grants, [
    { amount: 50, skus: [image], priority: 10, category: "paid", source: "stripe" },
  ]);

  const charge = (sku: string, quantity: number) =>
    invoke(user.client, "credits/deduct", { body: { sku, quantity } });
  const refused = await charge(text, 101);
  assert.deepEqual([refused.status, refused.body.available], [402, 100]);
  assert.equal((await charge(image, 20)).status, 200);
  const { body: after } = await invoke(user.client, "credits");
  assert.deepEqual([after.available, after.scoped], [100, 10]);
});

test("what a price pays for must be skus, or beginnings of skus", async () => {
  for (const skus of [[], ["*"], ["Image"], ["a*b"], ["a b"], Array(101).fill("a")]) {
    const { error } = await service.from("stripe_prices")
      .insert({ id: `price_${crypto.randomUUID()}`, credits: 1, skus });
    assert.equal(error?.code, "23514", JSON.stringify(skus));
  }
});

test("a refund of such a payment takes limited credits back, and what was spent of them becomes a debt", async () => {
  const user = await signUp();
  const id = `price_${crypto.randomUUID()}`;
  await service.from("stripe_prices").insert({ id, credits: 50, skus: [image] });
  const event = purchase(id, user.id);
  await deliverStripe(event);
  await invoke(service, "credits/deduct", { body: { user_id: user.id, amount: 100 } });
  await invoke(user.client, "credits/deduct", { body: { sku: image, quantity: 5 } });
  const { payment_intent } = (event.data as { object: { payment_intent: string } }).object;
  const refund = {
    ...event,
    id: `evt_${crypto.randomUUID()}`,
    type: "charge.refunded",
    data: {
      object: { id: `ch_${id}`, payment_intent, amount: 900, amount_refunded: 900 },
      previous_attributes: { amount_refunded: 0 },
    },
  };
  assert.equal((await deliverStripe(refund)).body.outcome, "processed");
  assert.equal(await balanceOf(user.id), -10);
});
