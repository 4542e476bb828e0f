import assert from "node:assert/strict";

import { createPrice, invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

const service = serviceClient();
const [image, text] = await Promise.all([createPrice(2), createPrice(1)]);

test("a grant that is limited to skus pays for these first, and for nothing else", async () => {
  const user = await signUp();
  const terms = { user_id: user.id, amount: 5, priority: 10, skus: [image] };
  const granted = await invoke(service, "credits/grants", { body: terms });
  assert.deepEqual([granted.status, granted.body.skus], [201, [image]]);
  const balance = async () => {
    const { body } = await invoke(user.client, "credits");
    return [body.balance, body.available, body.scoped];
  };
  assert.deepEqual(await balance(), [105, 100, 5]);

  const quote = async (sku: string, quantity: number) => {
    const { body } = await invoke(user.client, "credits/quote", {
      body: { items: [{ sku, quantity }] },
    });
    return [body.available, body.affordable];
  };
  assert.deepEqual(await quote(image, 52), [105, true]);
  assert.deepEqual(await quote(text, 101), [100, false]);

  const charge = (body: object) => invoke(user.client, "credits/deduct", { body });
  assert.equal((await charge({ sku: text, quantity: 1 })).status, 200);
  assert.deepEqual(await balance(), [104, 99, 5]);
  const both = { items: [{ sku: text, quantity: 1 }, { sku: image, quantity: 2 }] };
  assert.equal((await charge(both)).status, 200);
  assert.deepEqual(await balance(), [99, 98, 1]);
  const refused = await charge({ sku: text, quantity: 99 });
  assert.deepEqual(
    [refused.status, refused.body.code, refused.body.available, refused.body.required],
    [402, "insufficient_credits", 98, 99],
  );
  const plain = await invoke(service, "credits/deduct", {
    body: { user_id: user.id, amount: 99 },
  });
  assert.deepEqual([plain.status, plain.body.available], [402, 98]);
  const { data } = await user.client.from("credit_grants").select("skus, remaining")
    .not("skus", "is", null);
  assert.deepEqual(data, [{ skus: [image], remaining: 1 }]);
});

test("what a grant is limited to must be skus, or beginnings of skus", async () => {
  const { id: user_id } = await signUp();
  for (const skus of [[], ["*"], ["Image"], ["a*b"], [1], "image", Array(101).fill("a")]) {
    const { status, body } = await invoke(service, "credits/grants", {
      body: { user_id, amount: 1, skus },
    });
    assert.deepEqual([status, body.code], [422, "invalid_request"], JSON.stringify(skus));
  }
  const { body } = await invoke(service, "credits/grants", {
    body: { user_id, amount: 1, skus: ["image.*"] },
  });
  assert.deepEqual(body.skus, ["image.*"]);
});
