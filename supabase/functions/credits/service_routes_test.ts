import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  stack,
  test,
} from "../_testing/testing.ts";

const id = crypto.randomUUID();

/** The routes that only a service may call, each with a valid body. */
const ROUTES: [method: "POST" | "PUT", path: string, body: Record<string, unknown>][] = [
  ["POST", "grants", { user_id: id, amount: 1 }],
  ["POST", `grants/${id}/void`, { voided_by: "Ada Example", reason: "Test" }],
  ["POST", "holds", { user_id: id, amount: 1 }],
  ["POST", `holds/${id}/capture`, {}],
  ["POST", `holds/${id}/release`, {}],
  ["POST", "refunds", { account_id: id, entry_no: 1 }],
  ["PUT", "overdraft", { user_id: id, overdraft_limit: 1 }],
];

test("service routes refuse a user, even with their own id, and a caller who is not signed in", async () => {
  const user = await signUp();
  for (const [method, path, body] of ROUTES) {
    for (const client of [user.client, anonymousClient()]) {
      const own = "user_id" in body ? { ...body, user_id: user.id } : body;
      const answer = await invoke(client, `credits/${path}`, { method, body: own });
      assert.equal(answer.status, 401, path);
    }
  }
  const { balance, available } = (await invoke(user.client, "credits")).body;
  assert.deepEqual({ balance, available }, { balance: 100, available: 100 });
});

test("the SQL functions refuse a user who calls them directly", async () => {
  const user = await signUp();
  const calls: Record<string, Record<string, unknown>> = {
    grant_credits: { user_id: user.id, amount: 1 },
    void_credit_grant: { grant_id: id, voided_by: "x", reason: "x" },
    hold_credits: { user_id: user.id, amount: 1 },
    capture_credit_hold: { hold_id: id },
    release_credit_hold: { hold_id: id },
    refund_credits: { account_id: id, entry_no: 1 },
    transfer_credits: { amount: 1, from_user_id: id, to_user_id: user.id },
    set_credit_overdraft: { user_id: user.id, overdraft_limit: 1 },
    set_credit_alert: { user_id: user.id, threshold: 1 },
    credit_statement: { user_id: user.id, month: "2026-11-01" },
    quote_credits: { user_id: user.id, items: [] },
    credit_reconciliation: {},
  };
  for (const [name, args] of Object.entries(calls)) {
    for (const client of [user.client, anonymousClient()]) {
      const { error } = await client.rpc(name as never, args as never);
      assert.equal(error?.code, "42501", name);
    }
  }
});

test("service routes refuse bad bodies with their problems", async () => {
  const service = serviceClient();
  const bad: [method: "POST" | "PUT", path: string, bodies: unknown[]][] = [
    ["POST", "grants", [
      {},
      { user_id: id },
      { amount: 1 },
      { user_id: id, team_id: id, amount: 1 },
      { user_id: "x", amount: 1 },
      { user_id: id, amount: "1" },
      { user_id: id, amount: 0 },
      { user_id: id, amount: 0.00001 },
      { user_id: id, amount: 1e308 },
      { user_id: id, amount: 1, category: "free" },
      { user_id: id, amount: 1, priority: 101 },
      { user_id: id, amount: 1, priority: 0.5 },
      { user_id: id, amount: 1, expires_at: "tomorrow" },
      { user_id: id, amount: 1, currency: "EUR" },
      { user_id: id, amount: 1, external_reference: "" },
      { user_id: id, amount: 1, remaining: 9 },
    ]],
    ["POST", `grants/${id}/void`, [{}, { voided_by: "x" }, { voided_by: "", reason: "x" }]],
    ["POST", "grants/1/void", [{ voided_by: "x", reason: "x" }]],
    ["POST", "holds", [
      {},
      { user_id: id },
      { amount: 1 },
      { user_id: id, amount: -1 },
      { user_id: id, amount: 1, items: [{ sku: "a", quantity: 1 }] },
      { user_id: id, items: [] },
      { user_id: id, items: [{ sku: "a" }] },
      { user_id: id, amount: 1, expires_in: 0 },
      { user_id: id, amount: 1, expires_in: 1.5 },
      { user_id: id, amount: 1, description: "d".repeat(501) },
    ]],
    ["POST", `holds/${id}/capture`, [
      { amount: -1 },
      { amount: 1, items: [{ sku: "a", quantity: 1 }] },
      { allow_overage: "yes" },
      { extra: 1 },
      null,
      [],
    ]],
    ["POST", "holds/1/capture", [{}]],
    ["POST", `holds/${id}/release`, [{ amount: 1 }, null]],
    ["POST", "refunds", [
      {},
      { account_id: id },
      { account_id: id, entry_no: 0 },
      { account_id: id, entry_no: 1.5 },
      { account_id: id, entry_no: 1e300 },
      { account_id: id, entry_no: 1, amount: 0 },
    ]],
    ["PUT", "overdraft", [
      { user_id: id },
      { overdraft_limit: 1 },
      { user_id: id, overdraft_limit: -1 },
      { user_id: id, overdraft_limit: 1e10 },
      { user_id: id, overdraft_limit: null },
    ]],
    ["PUT", "alert", [{ user_id: id }, { threshold: 1 }, { user_id: id, threshold: 0 }]],
  ];
  for (const [method, path, bodies] of bad) {
    for (const body of bodies) {
      const what = `${method} ${path} ${JSON.stringify(body)}`;
      const answer = await fetchChecked(`${stack.url}/functions/v1/credits/${path}`, {
        method,
        headers: { apikey: stack.secretKey, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      assert.equal(answer.status, 422, what);
      assert.equal((await answer.json()).code, "invalid_request", what);
    }
    const broken = await fetchChecked(`${stack.url}/functions/v1/credits/${path}`, {
      method,
      headers: { apikey: stack.secretKey },
      body: "{",
    });
    assert.equal(broken.status, path.includes("/1/") ? 422 : 400, path);
  }
  const unknown = await invoke(service, "credits/grants", { body: { user_id: id, amount: 1 } });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.body.code, "account_not_found");
});
