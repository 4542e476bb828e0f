import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import { createPrice, functionsUrl, signUp, stack, test, until } from "../_testing/testing.ts";

const url = `${functionsUrl}/credits`;

test("CORS lets a browser from any origin call a function with every header that supabase-js sends", async () => {
  const response = await fetchChecked(`${url}/deduct`, {
    method: "OPTIONS",
    headers: {
      origin: "https://app.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers":
        "authorization,apikey,content-type,idempotency-key,x-client-info",
    },
  });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.match(response.headers.get("access-control-allow-methods") ?? "", /POST/);
  for (const header of ["authorization", "apikey", "content-type", "idempotency-key"]) {
    assert.match(response.headers.get("access-control-allow-headers") ?? "", new RegExp(header));
  }
  await response.body?.cancel();
});

test("CORS lets a browser read successes, errors and the exposed headers", async () => {
  for (const path of ["/openapi.json", "", "/nope"]) {
    const response = await fetchChecked(url + path, {
      headers: { origin: "https://app.example.com" },
    });
    assert.equal(response.headers.get("access-control-allow-origin"), "*", path);
    assert.match(
      response.headers.get("access-control-expose-headers") ?? "",
      /idempotent-replayed/,
    );
    await response.body?.cancel();
  }
});

test("every response has a request id: the caller's if it is valid, else a new one", async () => {
  const send = async (id?: string) => {
    const response = await fetchChecked(url, { headers: id ? { "x-request-id": id } : {} });
    const { request_id } = await response.json();
    assert.equal(response.headers.get("x-request-id"), request_id);
    return request_id;
  };
  assert.match(await send(), /^[0-9a-f-]{36}$/);
  assert.equal(await send("trace-0123456789"), "trace-0123456789");
  assert.notEqual(await send('"}{"injected'), '"}{"injected');
  assert.notEqual(await send("x".repeat(300)), "x".repeat(300));
});

test("no response may be cached", async () => {
  for (const path of ["", "/openapi.json", "/nope"]) {
    const response = await fetchChecked(url + path);
    assert.equal(response.headers.get("cache-control"), "no-store", path);
    await response.body?.cancel();
  }
});

test("each request is logged as one line of JSON, without token, query or body", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  const id = crypto.randomUUID();
  const response = await fetchChecked(`${url}/deduct?private=query`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${user.token}`,
      "x-request-id": id,
      "idempotency-key": "private-key",
    },
    body: JSON.stringify({ sku, quantity: 1 }),
  });
  assert.equal(response.status, 200);
  await response.body?.cancel();

  const line = await findLogLine(id);
  const { time, duration_ms, ...rest } = JSON.parse(line);
  assert.deepEqual(rest, {
    level: "info",
    function: "credits",
    request_id: id,
    method: "POST",
    route: "/credits/deduct",
    status: 200,
  });
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.ok(duration_ms >= 0);
  for (const secret of [user.token, user.id, sku, "private"]) assert.ok(!line.includes(secret));
});

/** Another process writes the log, so the line can appear later, and the last one may not be whole. */
async function findLogLine(requestId: string): Promise<string> {
  let line: string | undefined;
  await until(async () => {
    const log = await Deno.readTextFile(`${stack.dir}/functions.log`);
    line = log.split("\n").slice(0, -1).find((candidate) => candidate.includes(requestId));
    return line !== undefined;
  });
  return line ?? "";
}
