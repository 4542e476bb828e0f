import assert from "node:assert/strict";

import { test, until } from "../supabase/functions/_testing/testing.ts";
import { keysOf, tokenOf, withKeys } from "./functions_testing.ts";

const [A, B] = [crypto.randomUUID(), crypto.randomUUID()];
const ofA = `credits?user_id=${A}`;

test("each request acts with its own credential, in whatever order and however many at once", async () => {
  const keys = keysOf("now");
  const bearer = async (id: string) => `Bearer ${await tokenOf(id, keys)}`;
  const [a, b] = [await bearer(A), await bearer(B)];
  const { default: key, cron } = keys.secretKeys;
  const publishable = keys.publishableKey;
  await withKeys(keys, async ({ ask, received }) => {
    const read = (authorization: string) => () => ask("credits", { authorization });
    const charge = (authorization: string) => () =>
      ask("credits/deduct", { authorization }, { sku: "x", quantity: 1 });
    const cases: [request: () => Promise<number>, apikey: string, authorization: string][] = [
      [read(a), publishable, a],
      [read(b), publishable, b],
      [() => ask(ofA, { apikey: key }), key, `Bearer ${key}`],
      [charge(a), key, `Bearer ${key}`],
      [read(a), publishable, a],
      [() => ask("cleanup", { apikey: cron }), cron, `Bearer ${cron}`],
      [charge(b), key, `Bearer ${key}`],
      [() => ask("credits", { apikey: key, authorization: b }), publishable, b],
      [read(a), publishable, a],
    ];
    for (const [request, apikey, authorization] of cases) {
      assert.equal(await request(), 200);
      // supabase-js sends a secret key in apikey alone, or in both headers.
      assert.deepEqual(
        received().map((call) => ({
          ...call,
          authorization: call.authorization ?? `Bearer ${key}`,
        })),
        [{ apikey, authorization }],
      );
    }
    const refused: Record<string, string>[] = [
      {},
      { apikey: publishable },
      { apikey: cron },
      { apikey: `${key}x` },
      { apikey: key.slice(0, -1) },
      { authorization: `Bearer ${key}` },
      { authorization: `${a}x` },
      { apikey: key, authorization: `${a}x` },
    ];
    for (const headers of refused) assert.equal(await ask(ofA, headers), 401);
    assert.deepEqual(received(), [], "nothing refused reaches the database");

    const many = Array.from({ length: 40 }, (_, n) => n % 2 === 0 ? a : b);
    const statuses = await Promise.all(many.map((authorization) => read(authorization)()));
    assert.ok(statuses.every((status) => status === 200));
    const senders = received().map(({ authorization }) => authorization);
    assert.deepEqual(senders.toSorted(), many.toSorted());
  });
});

test("after a rotation, the former secret key and the tokens of the former signing key are refused", async () => {
  const former = keysOf("former");
  const now = keysOf("now");
  const authorization = `Bearer ${await tokenOf(A, former)}`;
  await withKeys(former, async ({ ask }) => {
    assert.equal(await ask(ofA, { apikey: former.secretKeys.default }), 200);
    assert.equal(await ask("credits", { authorization }), 200);
  });
  await withKeys(now, async ({ ask, received }) => {
    assert.equal(await ask(ofA, { apikey: now.secretKeys.default }), 200);
    assert.equal(received()[0]?.apikey, now.secretKeys.default);
    assert.equal(await ask(ofA, { apikey: former.secretKeys.default }), 401);
    assert.equal(await ask("cleanup", { apikey: former.secretKeys.cron }), 401);
    assert.equal(await ask("credits", { authorization }), 401);
    assert.deepEqual(received(), []);
  });
});

test("a token that was accepted is refused as soon as it has expired", async () => {
  const keys = keysOf("now");
  await withKeys(keys, async ({ ask, received }) => {
    const long = await tokenOf(A, keys);
    let authorization = "";
    // On a busy machine, a token can expire before it was accepted: then the next one lives longer.
    for (let [accepted, seconds] = [0, 3]; accepted < 3; seconds *= 2) {
      authorization = `Bearer ${await tokenOf(A, keys, `${seconds}s`)}`;
      accepted = 0;
      while (accepted < 3 && await ask("credits", { authorization }) === 200) accepted++;
    }
    await until(async () => await ask("credits", { authorization }) === 401);
    received();
    assert.equal(await ask("credits", { authorization }), 401);
    assert.deepEqual(received(), []);
    assert.equal(await ask("credits", { authorization: `Bearer ${long}` }), 200);
  });
});
