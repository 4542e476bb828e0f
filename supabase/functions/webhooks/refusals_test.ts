import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import { functionsUrl, serviceClient, test, until, withDatabase } from "../_testing/testing.ts";
import {
  askAuthHook,
  deliverStandard,
  deliverStripe,
  now,
  post,
  type Reply,
  SECRETS,
  standardHeaders,
  stripeSignature,
} from "./webhooks_testing.ts";

const id = () => `evt_${crypto.randomUUID()}`;
const event = () => ({
  id: id(),
  object: "event",
  api_version: "2026-10-28.endive",
  type: "customer.created",
  created: now(),
  data: { object: { id: "cus_1" } },
});

/** Everything that is stored except the counter. */
async function image(): Promise<unknown> {
  return await withDatabase(async (sql) => [
    ...await sql`select * from webhook_events order by id`,
    ...await sql`select * from stripe_customers order by id`,
    ...await sql`select * from stripe_payments order by id`,
    ...await sql`select count(*) from credit_transactions`,
  ]);
}

async function counted(provider: string, reason: string): Promise<number> {
  const { data, error } = await serviceClient().from("webhook_refusals").select("deliveries")
    .match({ provider, reason });
  if (error) throw error;
  return data.reduce((sum, row) => sum + row.deliveries, 0);
}

/** Asserts that deliveries are refused, and that only their number is stored. */
async function assertRefused(
  provider: string,
  [status, code]: [number, string],
  deliveries: (() => Promise<Reply>)[],
): Promise<void> {
  const before = await image();
  const count = await counted(provider, code);
  for (const deliver of deliveries) {
    const reply = await deliver();
    assert.deepEqual([reply.status, reply.body.code], [status, code]);
    assert.equal(reply.headers.get("content-type"), "application/problem+json");
  }
  await until(async () => await counted(provider, code) === count + deliveries.length);
  assert.deepEqual(await image(), before);
}

test("POST /webhooks/stripe refuses a delivery that Stripe has not signed", async () => {
  const body = JSON.stringify(event());
  const other = JSON.stringify(event());
  const good = await stripeSignature(body);
  const send = (header: string) => () => post("stripe", body, { "stripe-signature": header });
  await assertRefused("stripe", [401, "signature_invalid"], [
    // A digit that the signature does not have there.
    send(good.replace(/v1=./, (start) => start === "v1=0" ? "v1=1" : "v1=0")),
    send(good.replace("v1=", "v0=")),
    send(`t=${now()}`),
    send(`t=${now()},v1=`),
    () => deliverStripe(body, { signed: other }),
    () => deliverStripe(`${body} `, { signed: body }),
    () => deliverStripe(body, { secret: SECRETS.standard[0] }),
    () => deliverStripe(body, { secret: SECRETS.database[0] }),
    () => deliverStripe(body, { secret: "whsec_" }),
  ]);
  await assertRefused("stripe", [401, "signature_missing"], [
    () => post("stripe", body, {}),
    send(""),
    send("nonsense"),
    send(good.replace("t=", "x=")),
    send(good.replace(/t=\d+/, "t=now")),
    () => post("stripe", body, standardHeaders(id(), body, [SECRETS.standard[0]])),
  ]);
});

test("POST /webhooks/stripe refuses a signature that is too old or from the future", async () => {
  const body = JSON.stringify(event());
  const old = await stripeSignature(body, { timestamp: now() - 301 });
  await assertRefused("stripe", [401, "signature_expired"], [
    () => post("stripe", body, { "stripe-signature": old }),
    () => deliverStripe(body, { timestamp: now() + 310 }),
    () => deliverStripe(body, { timestamp: 0 + 1 }),
  ]);
  // The old signature together with the current time.
  await assertRefused("stripe", [401, "signature_missing"], [
    () => post("stripe", body, { "stripe-signature": `t=${now()},${old}` }),
    () => post("stripe", body, { "stripe-signature": `${old},t=${now()}` }),
    () => post("stripe", body, { "stripe-signature": `t,${old}` }),
  ]);
  assert.equal((await deliverStripe(event(), { timestamp: now() - 250 })).status, 200);
});

test("POST /webhooks/stripe refuses a signed body that is not an event", async () => {
  await assertRefused("stripe", [400, "invalid_json"], [
    () => deliverStripe("{"),
    () => deliverStripe(" "),
    () => deliverStripe(`\ufeff${JSON.stringify(event())}`),
    () => post("stripe", new Uint8Array([0xff, 0xfe]), { "stripe-signature": `t=${now()},v1=00` }),
  ]);
  await assertRefused("stripe", [422, "invalid_webhook_event"], [
    ...["{}", "[]", "1", "null", '"event"'].map((body) => () => deliverStripe(body)),
    () => deliverStripe({ ...event(), id: 7 }),
    () => deliverStripe({ ...event(), id: "x".repeat(256) }),
    () => deliverStripe({ ...event(), type: "" }),
    () => deliverStripe({ ...event(), created: "now" }),
    () => deliverStripe({ ...event(), created: 1e300 }),
    () => deliverStripe({ ...event(), data: {} }),
    () => deliverStripe({ ...event(), object: "v2.core.event" }),
  ]);
});

test("POST /webhooks/... replaces characters that the database cannot hold", async () => {
  const stripe = await deliverStripe({ ...event(), text: "a\u0000b" });
  assert.equal(stripe.status, 200);
  assert.equal(stripe.headers.get("replaced-characters"), "1");
  const standard = await deliverStandard(id(), { type: "mail.read", data: { "\ud83d": "\0" } });
  assert.equal(standard.status, 200);
  assert.equal(standard.headers.get("replaced-characters"), "2");
});

test("POST /webhooks/... refuses an event that is nested too deeply", async () => {
  const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
  const nested = (body: unknown) => JSON.stringify(body).replace('"HERE"', deep);
  const stripe = nested({ ...event(), more: "HERE" });
  const order = nested({ type: "order.paid", data: "HERE" });
  const row = nested({ type: "INSERT", schema: "public", table: "t", record: { more: "HERE" } });
  const hook = nested({
    metadata: { uuid: crypto.randomUUID(), name: "before-user-created" },
    user: { more: "HERE" },
  });
  const refused: [number, string] = [422, "invalid_webhook_event"];
  await assertRefused("stripe", refused, [() => deliverStripe(stripe)]);
  await assertRefused("standard:local", refused, [
    () => post("standard/local", order, standardHeaders(id(), order, [SECRETS.standard[0]])),
  ]);
  await assertRefused("database", refused, [
    () => post("database", row, { "x-webhook-secret": SECRETS.database[0] }),
  ]);
  await assertRefused("auth", refused, [
    () => post("auth", hook, standardHeaders(id(), hook, [SECRETS.auth[0]])),
  ]);
  // Brackets in a string do not count as nesting.
  const good = { ...event(), more: deep, nested: JSON.parse("[".repeat(99) + "]".repeat(99)) };
  assert.equal((await deliverStripe(good)).status, 200);
});

test("POST /webhooks/... refuses a body of 2 MB", async () => {
  const large = { ...event(), text: "x".repeat(2_000_000) };
  await assertRefused("stripe", [413, "body_too_large"], [() => deliverStripe(large)]);
  await assertRefused("standard:local", [413, "body_too_large"], [
    () => deliverStandard(id(), large),
  ]);
  await assertRefused("auth", [413, "body_too_large"], [() => askAuthHook(large)]);
  await assertRefused("database", [413, "body_too_large"], [
    () => post("database", JSON.stringify(large), { "x-webhook-secret": SECRETS.database[0] }),
  ]);
});

test("POST /webhooks/standard/:source refuses a delivery that its source has not signed", async () => {
  const body = JSON.stringify({ type: "order.paid" });
  const headers = standardHeaders(id(), body, [SECRETS.standard[0]]);
  const without = (name: string) => ({ ...headers, [name]: "" });
  await assertRefused("standard:local", [401, "signature_invalid"], [
    () => deliverStandard(id(), { type: "x" }, { signed: body }),
    () => deliverStandard(id(), { type: "x" }, { secret: SECRETS.auth[0] }),
    () => post("standard/local", body, { ...headers, "webhook-id": "another" }),
    () => post("standard/local", body, { ...headers, "webhook-signature": "v1" }),
    () => post("standard/local", body, { ...headers, "webhook-signature": "v2,AAAA" }),
  ]);
  await assertRefused("standard:local", [401, "signature_missing"], [
    () => post("standard/local", body, {}),
    () => post("standard/local", body, without("webhook-id")),
    () => post("standard/local", body, without("webhook-timestamp")),
    () => post("standard/local", body, without("webhook-signature")),
    () => post("standard/local", body, { ...headers, "webhook-timestamp": "now" }),
  ]);
  await assertRefused("standard:local", [401, "signature_expired"], [
    () => deliverStandard(id(), { type: "x" }, { timestamp: now() - 310 }),
    () => deliverStandard(id(), { type: "x" }, { timestamp: now() + 310 }),
  ]);
  await assertRefused("standard:local", [422, "invalid_webhook_event"], [
    () => deliverStandard(id(), {}),
    () => deliverStandard(id(), []),
    () => deliverStandard(id(), { type: 7 }),
    () => deliverStandard(id(), { type: "x", timestamp: "yesterday" }),
    () => deliverStandard("x".repeat(256), { type: "x" }),
  ]);
  await assertRefused("standard", [404, "webhook_source_unknown"], [
    () => post("standard/nobody", body, headers),
    () => post("standard/toString", body, headers),
    () => post("standard/Any%20text%27%3b", body, headers),
  ]);
});

test("POST /webhooks/database refuses a sender without the secret", async () => {
  const body = JSON.stringify({ type: "INSERT", schema: "public", table: "t", record: {} });
  const send = (secret: string, text = body) => () =>
    post("database", text, { "x-webhook-secret": secret });
  await assertRefused("database", [401, "signature_missing"], [
    () => post("database", body, {}),
    send(""),
  ]);
  await assertRefused("database", [401, "signature_invalid"], [
    send("x"),
    send(SECRETS.stripe[0]),
    send(SECRETS.database.join(",")),
  ]);
  await assertRefused("database", [400, "invalid_json"], [send(SECRETS.database[0], "{")]);
  await assertRefused("database", [422, "invalid_webhook_event"], [
    send(SECRETS.database[0], "[]"),
    send(SECRETS.database[0], "{}"),
  ]);
});

test("POST /webhooks/auth refuses other senders than Auth, and unsupported hooks", async () => {
  const hook = { metadata: { uuid: crypto.randomUUID(), name: "before-user-created" }, user: {} };
  await assertRefused("auth", [401, "signature_invalid"], [
    () => askAuthHook(hook, [SECRETS.standard[0]]),
    () => askAuthHook(hook, [SECRETS.standard[0], SECRETS.standard[1]]),
  ]);
  await assertRefused("auth", [401, "signature_missing"], [
    () => post("auth", JSON.stringify(hook), {}),
  ]);
  await assertRefused("auth", [422, "auth_hook_unsupported"], [
    () => askAuthHook({ user: {}, sms: { otp: "561166" } }),
    () => askAuthHook({ user_id: crypto.randomUUID(), claims: {}, authentication_method: "otp" }),
    () => askAuthHook({ ...hook, metadata: { uuid: "x", name: "after-user-created" } }),
    () => askAuthHook([]),
  ]);
});

test("webhooks has no other routes", async () => {
  for (
    const [method, path, status] of [
      ["GET", "stripe", 405],
      ["POST", "paypal", 404],
      ["POST", "standard", 404],
      ["POST", "standard/local/more", 404],
    ] as const
  ) {
    const response = await fetchChecked(`${functionsUrl}/webhooks/${path}`, { method });
    assert.equal(response.status, status, `${method} ${path}`);
    await response.body?.cancel();
  }
});
