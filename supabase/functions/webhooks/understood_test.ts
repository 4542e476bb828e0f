import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, withDatabase } from "../_testing/testing.ts";
import { balanceOf, kept, pack, purchase } from "./purchases_testing.ts";
import {
  deliverStripe,
  post,
  SECRETS,
  standardHeaders,
  stripeSignature,
} from "./webhooks_testing.ts";

const service = serviceClient();

test("POST /webhooks/stripe fails for a price that is not in the table, and a replay grants it", async () => {
  const user = await signUp();
  const price_id = `price_${crypto.randomUUID()}`;
  const event = purchase(price_id, user.id);
  const reply = await deliverStripe(event);
  assert.deepEqual([reply.status, reply.body.code], [503, "webhook_effect_failed"]);
  const { data: health, error } = await service.rpc("webhook_health");
  assert.equal(error, null);
  const [row] = (health ?? []).filter(({ example_event_id }) => example_event_id === event.id);
  assert.deepEqual([row?.provider, row?.type, row?.code], [
    "stripe",
    "checkout.session.completed",
    "stripe_price_unknown",
  ]);
  assert.ok(row?.example_error?.includes(price_id));

  await service.from("stripe_prices").insert({ id: price_id, credits: 500 });
  const body = { provider: "stripe", event_id: event.id };
  assert.equal((await invoke(service, "webhooks/replay", { body })).body.processed, 1);
  assert.equal(await balanceOf(user.id), 600);
});

test("POST /webhooks/stripe ignores an event about a deleted account, or about nobody", async () => {
  const user = await signUp();
  const price = await pack();
  assert.equal((await deliverStripe(purchase(price, user.id))).status, 200);
  await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
  const guest = purchase(price);
  (guest.data as { object: { customer: null } }).object.customer = null;
  for (
    const [event, ignored] of [
      [purchase(price, user.id), "account_deleted"],
      [guest, "names_nobody"],
    ] as const
  ) {
    const { status, body } = await deliverStripe(event);
    assert.deepEqual([status, body.outcome], [200, "ignored"]);
    assert.deepEqual((await kept(event.id)).result, { ignored });
  }
});

test("POST /webhooks/... is the same route with a slash at the end", async () => {
  const user = await signUp();
  const body = JSON.stringify(purchase(await pack(), user.id));
  const reply = await post("stripe/", body, { "stripe-signature": await stripeSignature(body) });
  assert.deepEqual([reply.status, reply.body.outcome], [200, "processed"]);
  const id = crypto.randomUUID();
  const order = JSON.stringify({ type: "order.seen" });
  const headers = standardHeaders(id, order, [SECRETS.standard[0]]);
  assert.equal((await post("standard/local/", order, headers)).status, 200);
});

test("POST /webhooks/standard/:source takes the same signature under the names of Svix", async () => {
  const svix = (headers: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.replace("webhook-", "svix-"), value]),
    );
  // As Clerk and Resend write their events: a number of milliseconds, and no timestamp.
  for (
    const [body, created] of [
      [
        { type: "user.created", object: "event", timestamp: 1_793_000_000_123, data: {} },
        1_793_000_000_123,
      ],
      [{ type: "user.seen", timestamp: 1_793_000_000, data: {} }, 1_793_000_000_000],
      [{ type: "email.sent", created_at: "2026-11-20T10:00:00.126Z", data: {} }, NaN],
    ] as const
  ) {
    const id = `msg_${crypto.randomUUID()}`;
    const text = JSON.stringify(body);
    const headers = svix(standardHeaders(id, text, [SECRETS.standard[0]]));
    const { status, body: receipt } = await post("standard/local", text, headers);
    assert.deepEqual([status, receipt.outcome], [200, "ignored"]);
    assert.equal((await post("standard/local", text, headers)).body.replayed, true);
    assert.equal(Date.parse((await kept(id)).event_created_at ?? ""), created);
  }
  const text = JSON.stringify({ type: "user.created" });
  const headers = svix(standardHeaders("msg_1", text, [SECRETS.auth[0]]));
  assert.equal((await post("standard/local", text, headers)).body.code, "signature_invalid");
  const { "svix-signature": _, ...unsigned } = headers;
  assert.equal((await post("standard/local", text, unsigned)).body.code, "signature_missing");
});
