import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import {
  createPrice,
  functionsUrl,
  invoke,
  signUp,
  stack,
  test,
  type TestUser,
} from "../_testing/testing.ts";

function post(
  user: TestUser,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetchChecked(`${functionsUrl}/credits/deduct`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${user.token}`,
      "content-type": "application/json",
      ...headers,
    },
    body,
  });
}

async function assertProblem(response: Response, status: number, code: string, what: string) {
  assert.equal(response.status, status, what);
  assert.equal(response.headers.get("content-type"), "application/problem+json", what);
  const problem = await response.json();
  assert.equal(problem.code, code, what);
  assert.equal(problem.status, status, what);
  assert.equal(problem.type, "about:blank", what);
  assert.ok(problem.title && problem.detail, what);
  assert.equal(problem.request_id, response.headers.get("x-request-id"), what);
}

test("POST /credits/deduct refuses each bad body with its own problem and charges nothing", async () => {
  const user = await signUp();
  const sku = await createPrice(1);
  const cases: [what: string, body: BodyInit, status: number, code: string][] = [
    ["nothing", "", 400, "invalid_json"],
    ["not JSON", "sku=1", 400, "invalid_json"],
    ["half an object", `{"sku": "${sku}"`, 400, "invalid_json"],
    ["NaN", `{"sku": "${sku}", "quantity": NaN}`, 400, "invalid_json"],
    ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), 400, "invalid_json"],
    ["null", "null", 422, "invalid_request"],
    ["an array", `[{"sku": "${sku}", "quantity": 1}]`, 422, "invalid_request"],
    ["no quantity", `{"sku": "${sku}"}`, 422, "invalid_request"],
    ["no sku", `{"quantity": 1}`, 422, "invalid_request"],
    ["an extra field", `{"sku": "${sku}", "quantity": 1, "note": "x"}`, 422, "invalid_request"],
    ["__proto__", `{"sku": "${sku}", "quantity": 1, "__proto__": {}}`, 422, "invalid_request"],
    ["quantity 0", `{"sku": "${sku}", "quantity": 0}`, 422, "invalid_request"],
    ["quantity -0", `{"sku": "${sku}", "quantity": -0}`, 422, "invalid_request"],
    ["quantity -1", `{"sku": "${sku}", "quantity": -1}`, 422, "invalid_request"],
    ["quantity 1.5", `{"sku": "${sku}", "quantity": 1.5}`, 422, "invalid_quantity"],
    ["quantity 1e308", `{"sku": "${sku}", "quantity": 1e308}`, 422, "invalid_request"],
    ["quantity 1e400", `{"sku": "${sku}", "quantity": 1e400}`, 422, "invalid_request"],
    ["quantity 1e-320", `{"sku": "${sku}", "quantity": 1e-320}`, 422, "invalid_request"],
    ["quantity 1e-9", `{"sku": "${sku}", "quantity": 1e-9}`, 422, "invalid_request"],
    ["a string", `{"sku": "${sku}", "quantity": "1"}`, 422, "invalid_request"],
    ["a list", `{"sku": "${sku}", "quantity": [1]}`, 422, "invalid_request"],
    ["a boolean", `{"sku": "${sku}", "quantity": true}`, 422, "invalid_request"],
    ["an unknown sku", `{"sku": "no.such", "quantity": 1}`, 422, "unknown_sku"],
    ["a sku with NUL", `{"sku": "a\\u0000b", "quantity": 1}`, 422, "invalid_request"],
    ["a number as sku", `{"sku": 1, "quantity": 1}`, 422, "invalid_request"],
    [
      "a body of 2 MB",
      `{"sku": "${"x".repeat(2 * 1024 * 1024)}", "quantity": 1}`,
      413,
      "body_too_large",
    ],
    [
      "a streamed body of 2 MB",
      new Blob(["x".repeat(2 * 1024 * 1024)]).stream(),
      413,
      "body_too_large",
    ],
  ];
  for (const [what, body, status, code] of cases) {
    await assertProblem(await post(user, body), status, code, what);
  }
  await assertProblem(
    await post(user, `{"sku": "${sku}", "quantity": 1}`, {
      "idempotency-key": "k".repeat(10 * 1024),
    }),
    400,
    "invalid_idempotency_key",
    "a key of 10 KB",
  );
  assert.equal((await invoke(user.client, "credits")).body.balance, 100);
});

test("POST /credits/deduct reports which member is wrong and why", async () => {
  const user = await signUp();
  const problem = await (await post(user, `{"sku": "x", "quantity": 0, "note": 1}`)).json();
  assert.deepEqual(problem.errors, [
    { path: "quantity", message: "Too small: expected number to be >=0.0001" },
    { path: "", message: 'Unrecognized key: "note"' },
  ]);
});

test("credits returns 404 for an unknown route and 405 for a wrong method", async () => {
  const user = await signUp();
  const headers = { authorization: `Bearer ${user.token}` };
  await assertProblem(
    await fetchChecked(`${functionsUrl}/credits/nope`, { headers }),
    404,
    "route_not_found",
    "unknown route",
  );
  const wrong = await fetchChecked(`${functionsUrl}/credits/deduct`, { method: "DELETE", headers });
  assert.equal(wrong.headers.get("allow"), "POST");
  await assertProblem(wrong, 405, "method_not_allowed", "wrong method");
});

test("credits refuses every caller without a user's token or the secret key", async () => {
  const sku = await createPrice(1);
  const cases: [what: string, headers: Record<string, string>, code: string][] = [
    ["nothing", {}, "credentials_missing"],
    ["the publishable key", { apikey: stack.publishableKey }, "credentials_missing"],
    [
      "the publishable key twice, as supabase-js sends it",
      { apikey: stack.publishableKey, authorization: `Bearer ${stack.publishableKey}` },
      "credentials_missing",
    ],
    ["a made-up secret key", { apikey: "sb_secret_made_up" }, "invalid_api_key"],
    ["a secret key of another name", { apikey: stack.cronKey }, "invalid_api_key"],
    [
      "the secret key as a token",
      { authorization: `Bearer ${stack.secretKey}` },
      "credentials_missing",
    ],
    ["a garbage token", { authorization: "Bearer garbage" }, "invalid_token"],
    ["another scheme", { authorization: "Basic dXNlcjpwYXNz" }, "credentials_missing"],
  ];
  for (const [what, headers, code] of cases) {
    const response = await fetchChecked(`${functionsUrl}/credits/deduct`, {
      method: "POST",
      headers,
      body: JSON.stringify({ sku, quantity: 1 }),
    });
    assert.equal(response.headers.get("www-authenticate"), "Bearer", what);
    await assertProblem(response, 401, code, what);
  }
});
