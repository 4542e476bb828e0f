import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import {
  createPrice,
  signUp,
  stack,
  test,
  type TestUser,
  until,
} from "../../../supabase/functions/_testing/testing.ts";
import { createStrongroom, type Strongroom } from "../../index.ts";
import { type Fate, type Proxy, startProxy } from "../support/proxy.ts";

/** The calls of a user, through a proxy. */
async function withProxy(
  fate: (route: string, count: number) => Fate,
  run: (
    user: TestUser,
    client: Strongroom & Pick<Proxy, "requests">,
  ) => Promise<void>,
) {
  await using proxy = startProxy(fate);
  const user = await signUp();
  await run(user, through(proxy, user));
}

function through(
  proxy: Proxy,
  user: TestUser,
): Strongroom & Pick<Proxy, "requests"> {
  const supabase = createClient(proxy.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
  });
  return {
    ...createStrongroom(supabase, { attempts: 3, pause_ms: 1 }),
    requests: proxy.requests,
  };
}

const balance = async (user: TestUser) =>
  (await createStrongroom(user.client).credits.balance()).data?.balance;

test("client: a charge whose answer is lost after the server committed it is charged once", async () => {
  const sku = await createPrice(30);
  await withProxy(
    (_route, count) => count < 2 ? "lose answer" : "deliver",
    async (user, client) => {
      const { data } = await client.credits.deduct({ sku, quantity: 1 });
      assert.equal(data?.balance_after, 70);
      assert.equal(client.requests.length, 3);
      assert.equal(new Set(client.requests.map(({ key }) => key)).size, 1);
      assert.equal(await balance(user), 70);
      // A new call is a new charge.
      await client.credits.deduct({ sku, quantity: 1 }).throwOnError();
      assert.equal(await balance(user), 40);
    },
  );
});

test("client: if every answer is lost, the call gives up, says what to do, and repeat() completes it", async () => {
  const sku = await createPrice(30);
  let lose = true;
  await withProxy(
    () => lose ? "lose answer" : "deliver",
    async (user, client) => {
      const { error } = await client.credits.deduct({ sku, quantity: 1 });
      assert.deepEqual([error?.code, error?.status], ["unreachable", 0]);
      assert.match(error?.hint ?? "", /repeat\(\)/);
      assert.equal(client.requests.length, 3);
      lose = false;
      const repeated = await error?.repeat?.() as {
        data: { balance_after: number };
      };
      assert.equal(repeated.data.balance_after, 70);
      assert.equal(await balance(user), 70);
    },
  );
});

test("client: 502, 503 and 504 are repeated, but no other status, and not a 503 without Retry-After", async () => {
  const problem = (status: number, code: string, retry?: string) =>
    Response.json({ code, detail: "Busy" }, {
      status,
      ...(retry && { headers: { "retry-after": retry } }),
    });
  const cases: [() => Response, number][] = [
    [() => problem(503, "try_again", "0.001"), 3],
    [() => problem(504, "database_timeout", "0.001"), 3],
    [
      () =>
        Response.json({ code: "WORKER_ERROR", message: "ended" }, {
          status: 502,
        }),
      3,
    ],
    [() => new Response("<html>", { status: 504 }), 3],
    [() => problem(429, "too_many_requests", "0.001"), 3],
    [() => problem(429, "too_many_rows"), 1],
    [() => problem(429, "too_many_requests", "3600"), 1],
    [() => problem(503, "signing_keys_missing"), 1],
    [() => problem(500, "internal_error"), 1],
    [() => new Response("<html>", { status: 403 }), 1],
  ];
  for (const [answer, requests] of cases) {
    await withProxy(answer, async (_user, client) => {
      const { error } = await client.credits.balance();
      const expected = await answer().json().catch(() => ({}));
      if (expected.detail) assert.equal(error?.code, expected.code);
      assert.equal(error?.status, answer().status);
      assert.equal(client.requests.length, requests, error?.code);
      if (answer().headers.has("retry-after")) assert.ok(error?.retryAfter);
    });
  }
});

test("client: a change that the server cannot recognise is not sent twice after a lost answer", async () => {
  await withProxy(() => "lose answer", async (user, client) => {
    const { error } = await client.keys.create({
      name: "Once",
      permissions: ["credits:read"],
    });
    assert.deepEqual([error?.code, error?.repeat], ["unreachable", undefined]);
    assert.match(error?.hint ?? "", /may have been made/);
    assert.equal(client.requests.length, 1);
    const { keys } = await createStrongroom(user.client).keys.list()
      .throwOnError();
    assert.equal(keys.length, 1);
  });
});

test("client: a signal ends a call while it waits to be repeated", async () => {
  const busy = () =>
    Response.json({ code: "try_again", detail: "Busy" }, {
      status: 503,
      headers: { "retry-after": "20" },
    });
  await withProxy(busy, async (_user, client) => {
    const abort = new AbortController();
    const call = client.credits.balance({}, { signal: abort.signal });
    await until(() => client.requests.length === 1);
    abort.abort();
    assert.equal((await call).error?.code, "aborted");
    assert.equal(client.requests.length, 1);
  });
});
