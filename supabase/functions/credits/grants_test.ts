import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, withDatabase } from "../_testing/testing.ts";

const service = serviceClient();

test("POST /credits/grants grants credits once for a payment", async () => {
  const user = await signUp();
  const grant = {
    user_id: user.id,
    amount: 250.5,
    category: "paid",
    priority: 10,
    expires_at: new Date(Date.now() + 86_400_000).toISOString(),
    source: "stripe",
    external_reference: `pi_${crypto.randomUUID()}`,
    cost_basis: 0.012345,
    currency: "eur",
    description: "A pack of 250",
  };
  const first = await invoke(service, "credits/grants", { body: grant });
  assert.equal(first.status, 201);
  const { id, account_id, effective_at, created_at, expires_at, ...rest } = first.body;
  assert.ok(id && account_id && effective_at && created_at);
  assert.equal(Date.parse(expires_at), Date.parse(grant.expires_at));
  assert.deepEqual(rest, {
    category: "paid",
    amount: 250.5,
    remaining: 250.5,
    held: 0,
    priority: 10,
    status: "active",
    source: "stripe",
    external_reference: grant.external_reference,
    cost_basis: 0.012345,
    currency: "eur",
    description: "A pack of 250",
    voided_at: null,
    voided_by: null,
    void_reason: null,
    skus: null,
    unit: "credits",
  });
  // The webhook arrives again, and computes another expiry.
  const again = await invoke(service, "credits/grants", {
    body: { ...grant, expires_at: new Date(Date.now() + 90_000_000).toISOString() },
  });
  assert.equal(again.status, 201);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.equal(again.body.id, id);
  assert.equal((await invoke(user.client, "credits")).body.balance, 350.5);

  const other = await signUp();
  const stolen = await invoke(service, "credits/grants", { body: { ...grant, user_id: other.id } });
  assert.equal(stolen.status, 409);
  assert.equal(stolen.body.code, "external_reference_used");
  const { data } = await user.client.from("credit_grants").select("id, remaining").order(
    "priority",
  );
  assert.deepEqual(data?.[0], { id, remaining: 250.5 });
  assert.deepEqual((await other.client.from("credit_grants").select("source")).data, [
    { source: "signup" },
  ]);
});

test("ten concurrent requests for one payment grant once", async () => {
  const user = await signUp();
  const body = { user_id: user.id, amount: 10, external_reference: crypto.randomUUID() };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => invoke(service, "credits/grants", { body })),
  );
  assert.deepEqual(answers.map((answer) => answer.status), Array(10).fill(201));
  assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1);
  assert.equal((await invoke(user.client, "credits")).body.balance, 110);
});

test("POST /credits/grants accepts the largest amount and refuses one step more", async () => {
  const user = await signUp();
  const grant = (amount: number) =>
    invoke(service, "credits/grants", { body: { user_id: user.id, amount } });
  const charge = (amount: number) =>
    invoke(service, "credits/deduct", { body: { user_id: user.id, amount } });
  assert.equal((await grant(1_000_000_000)).status, 201);
  assert.equal((await charge(1_000_000_000)).body.balance_after, 100);
  for (const refused of [await grant(1_000_000_000.0001), await charge(1_000_000_000.0001)]) {
    assert.equal(refused.status, 422);
    assert.equal(refused.body.code, "invalid_request");
    assert.deepEqual(refused.body.errors.map((error: { path: string }) => error.path), ["amount"]);
  }
});

test("POST /credits/grants/:id/void ends a grant, and records by whom and why", async () => {
  const user = await signUp();
  const { body: grant } = await invoke(service, "credits/grants", {
    body: { user_id: user.id, amount: 50, priority: 0 },
  });
  await invoke(service, "credits/deduct", { body: { user_id: user.id, amount: 20 } });
  const path = `credits/grants/${grant.id}/void`;
  const body = { voided_by: "Ada Example", reason: "Charged back" };
  const headers = { "idempotency-key": crypto.randomUUID() };
  for (const replayed of [null, "true"]) {
    const answer = await invoke(service, path, { body, headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("idempotent-replayed"), replayed);
    assert.equal(answer.body.status, "voided");
    assert.equal(answer.body.remaining, 0);
    assert.equal(answer.body.voided_by, "Ada Example");
  }
  const again = await invoke(service, path, { body });
  assert.equal(again.status, 409);
  assert.equal(again.body.code, "grant_already_voided");
  const none = await invoke(service, `credits/grants/${crypto.randomUUID()}/void`, { body });
  assert.equal(none.body.code, "grant_not_found");
  assert.equal((await invoke(user.client, "credits")).body.balance, 100);
});

test("POST /credits/refunds refunds a charge in parts, and never more than the charge", async () => {
  const user = await signUp();
  const { body: charge } = await invoke(service, "credits/deduct", {
    body: { user_id: user.id, amount: 30 },
  });
  const { account_id, entry_no } = charge;
  const refund = (amount?: number, headers: Record<string, string> = {}) =>
    invoke(service, "credits/refunds", {
      body: { account_id, entry_no, ...(amount !== undefined && { amount }) },
      headers,
    });
  const key = { "idempotency-key": crypto.randomUUID() };
  const part = await refund(12.5, key);
  assert.equal(part.status, 200);
  assert.equal(part.body.amount, 12.5);
  assert.equal(part.body.refund_of, entry_no);
  assert.equal((await refund(12.5, key)).headers.get("idempotent-replayed"), "true");
  const tooMuch = await refund(17.5001);
  assert.equal(tooMuch.status, 422);
  assert.equal(tooMuch.body.code, "refund_exceeds_charge");
  assert.equal(tooMuch.body.refundable, 17.5);
  assert.equal((await refund()).body.balance_after, 100);
  const none = await invoke(service, "credits/refunds", { body: { account_id, entry_no: 99 } });
  assert.equal(none.status, 404);
  assert.equal(none.body.code, "entry_not_found");
});

test("PUT /credits/overdraft lets an account go below zero, and refuses a limit below what is in use", async () => {
  const user = await signUp();
  const overdraft = (overdraft_limit: number) =>
    invoke(service, "credits/overdraft", {
      method: "PUT",
      body: { user_id: user.id, overdraft_limit },
    });
  const set = await overdraft(20);
  assert.equal(set.status, 200);
  assert.equal(set.body.available, 120);
  await invoke(service, "credits/deduct", { body: { user_id: user.id, amount: 110 } });
  const refused = await overdraft(9.9999);
  assert.equal(refused.status, 409);
  assert.equal(refused.body.code, "overdraft_in_use");
  assert.equal(refused.body.used, 10);
  assert.equal((await invoke(user.client, "credits")).body.available, 10);
});

test("0.1 granted 10,000 times is 1000, and charged 10,000 times leaves 0", async () => {
  const user = await signUp();
  const repeat = (name: "grant_credits" | "deduct_credits") =>
    withDatabase((sql) =>
      sql.unsafe(`do $$ begin
        for i in 1..10000 loop
          perform public.${name}('${user.id}', amount => 0.1);
          commit;
        end loop;
      end $$`)
    );
  await repeat("grant_credits");
  assert.equal((await invoke(user.client, "credits")).body.balance, 1100);
  await repeat("deduct_credits");
  assert.equal((await invoke(user.client, "credits")).body.balance, 100);
});
