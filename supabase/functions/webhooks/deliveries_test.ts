import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, withDatabase } from "../_testing/testing.ts";
import { balanceOf, kept, pack, purchase } from "./purchases_testing.ts";
import { stripeEvent } from "./stripe_payments_testing.ts";
import {
  askAuthHook,
  deliverStandard,
  deliverStripe,
  now,
  post,
  type Reply,
  SECRETS,
} from "./webhooks_testing.ts";

const service = serviceClient();

test("POST /webhooks/stripe grants a purchase once", async () => {
  const user = await signUp();
  const event = purchase(await pack(), user.id);
  const first = await deliverStripe(event);
  assert.deepEqual([first.status, first.body.outcome, first.body.replayed], [
    200,
    "processed",
    false,
  ]);
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) => deliverStripe(event, { secret: SECRETS.stripe[n % 2]! })),
  );
  for (const { status, body } of replies) {
    assert.deepEqual([status, body.outcome, body.replayed], [200, "processed", true]);
  }
  assert.equal(await balanceOf(user.id), 600);
  const row = await kept(event.id);
  assert.deepEqual(row.payload, event);
  assert.deepEqual([row.provider, row.type, row.attempts], ["stripe", event.type, 1]);
  assert.equal(Date.parse(row.event_created_at ?? ""), (event.created as number) * 1000);
});

test("POST /webhooks/stripe applies an event once if it arrives twenty times at once", async () => {
  const user = await signUp();
  const event = purchase(await pack(), user.id);
  const replies = await Promise.all(Array.from({ length: 20 }, () => deliverStripe(event)));
  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal(replies.filter(({ body }) => !body.replayed).length, 1);
  assert.equal(await balanceOf(user.id), 600);
});

test("POST /webhooks/stripe keeps an event whose effect fails, asks for a repeat, and finally gives up", async () => {
  const user = await signUp();
  const event = purchase(await pack());
  const customer = (event.data as { object: { customer: string } }).object.customer;
  const reply = await deliverStripe(event);
  assert.deepEqual([reply.status, reply.body.code, reply.body.attempts], [
    503,
    "webhook_effect_failed",
    1,
  ]);
  assert.equal(reply.headers.get("retry-after"), "5");
  assert.ok(!JSON.stringify(reply.body).includes(customer));
  assert.match(
    (await kept(event.id)).error ?? "",
    /^stripe_customer_unknown: Customer ".*" is not linked to any user or team$/,
  );

  const limit = await withDatabase((sql) =>
    sql`select value::int from private.settings where name = 'webhooks.max_attempts'`
  );
  for (let attempt = 2; attempt < limit[0]?.value; attempt++) {
    assert.equal((await deliverStripe(event)).status, 503);
  }
  const last = await deliverStripe(event);
  assert.deepEqual([last.status, last.body.outcome, last.body.replayed], [200, "dead", false]);
  assert.deepEqual((await deliverStripe(event)).body.outcome, "dead");

  const { error } = await service.from("stripe_customers").insert({
    id: customer,
    user_id: user.id,
  });
  assert.equal(error, null);
  const replay = () =>
    invoke(service, "webhooks/replay", { body: { provider: "stripe", event_id: event.id } });
  assert.deepEqual((await replay()).body.processed, 1);
  assert.equal((await kept(event.id)).outcome, "processed");
  assert.equal((await replay()).status, 200);
  assert.equal(await balanceOf(user.id), 600);
});

test("POST /webhooks/stripe keeps an event whose type has no handler", async () => {
  const event = stripeEvent("price.created", now(), { id: "price_1", object: "price" });
  const { status, body } = await deliverStripe(event);
  assert.deepEqual([status, body.outcome], [200, "ignored"]);
  assert.equal((await kept(event.id)).type, "price.created");
});

test("POST /webhooks/standard/:source keeps events, and applies the effects that have a handler", async () => {
  await withDatabase(async (sql) => {
    await sql`create table private.orders (id text, total numeric)`;
    await sql.unsafe(`create function private.on_order(event public.webhook_events) returns jsonb
      language plpgsql set search_path = '' as $$
      begin
        insert into private.orders values (event.event_id, (event.payload #>> '{data,total}')::numeric);
        return '{"kept": true}';
      end $$`);
    await sql`insert into private.webhook_handlers values ('standard:local', 'order.paid', 'private.on_order')`;
  });
  try {
    const id = crypto.randomUUID();
    const event = {
      type: "order.paid",
      timestamp: "2026-11-20T10:00:00.5+01:00",
      data: { total: 7 },
    };
    assert.equal((await deliverStandard(id, event)).body.outcome, "processed");
    assert.equal(
      (await deliverStandard(id, event, { secret: SECRETS.standard[1] })).body.replayed,
      true,
    );
    assert.equal(
      (await deliverStandard(crypto.randomUUID(), { type: "order.seen" })).body.outcome,
      "ignored",
    );
    await withDatabase(async (sql) => {
      const orders = await sql`select id, total from private.orders`;
      assert.deepEqual(orders.map((row) => [row.id, Number(row.total)]), [[id, 7]]);
    });
    const row = await kept(id);
    assert.equal(row.provider, "standard:local");
    assert.equal(new Date(row.event_created_at ?? "").toISOString(), "2026-11-20T09:00:00.500Z");
    const broken = await deliverStandard(crypto.randomUUID(), {
      ...event,
      data: { total: "much" },
    });
    assert.deepEqual([broken.status, broken.body.code], [503, "webhook_effect_failed"]);
  } finally {
    await withDatabase(async (sql) => {
      await sql`delete from private.webhook_handlers where provider = 'standard:local'`;
      await sql`drop function private.on_order(public.webhook_events)`;
      await sql`drop table private.orders`;
    });
  }
});

test("POST /webhooks/database trusts the row in the table, not the message", async () => {
  const user = await signUp();
  const record = { id: user.id, display_name: "Somebody else" };
  const send = (secret: string): Promise<Reply> =>
    post(
      "database",
      JSON.stringify({
        type: "UPDATE",
        schema: "public",
        table: "profiles",
        record,
        old_record: record,
      }),
      { "x-webhook-secret": secret },
    );
  await withDatabase(async (sql) => {
    await sql.unsafe(`create function private.on_profile(event public.webhook_events) returns jsonb
      language sql set search_path = '' as $$ select jsonb_build_object('name', event.payload #> '{record,display_name}') $$`);
    await sql`insert into private.webhook_handlers values ('database', 'public.profiles.UPDATE', 'private.on_profile')`;
  });
  try {
    const { data } = await service.from("profiles").update({ display_name: "Ada" })
      .eq("id", user.id).select().single();
    assert.equal(data?.display_name, "Ada");
    const { body } = await send(SECRETS.database[0]);
    assert.equal(body.outcome, "processed");
    const { data: event } = await service.from("webhook_events").select().eq("id", body.id)
      .single();
    assert.deepEqual(event?.result, { name: "Ada" });
    assert.equal((await send(SECRETS.database[1])).body.replayed, true);
  } finally {
    await withDatabase(async (sql) => {
      await sql`delete from private.webhook_handlers where type = 'public.profiles.UPDATE'`;
      await sql`drop function private.on_profile(public.webhook_events)`;
    });
  }
});

test("POST /webhooks/auth tells Auth whether a user may sign up", async () => {
  const domain = `${crypto.randomUUID()}.example`;
  const { error } = await service.from("blocked_email_domains").insert({ domain });
  assert.equal(error, null);
  const ask = (email: string, uuid: string = crypto.randomUUID()) => ({
    metadata: {
      uuid,
      time: "2026-11-20T10:00:00.000000Z",
      name: "before-user-created",
      ip_address: "127.0.0.1",
    },
    user: {
      id: crypto.randomUUID(),
      aud: "authenticated",
      role: "",
      email,
      phone: "",
      identities: [],
    },
  });
  const allowed = await askAuthHook(ask("ada@example.com"));
  assert.deepEqual([allowed.status, allowed.body], [200, {}]);
  assert.match(allowed.headers.get("content-type") ?? "", /^application\/json/);

  const question = ask(`ada@mail.${domain}`);
  const refused = await askAuthHook(question);
  assert.deepEqual([refused.status, refused.body.error.http_code], [200, 403]);
  // Signed with both secrets, as Auth does during a rotation, or with the next one only. Another attempt asks the same
  // question.
  for (const secrets of [[SECRETS.auth[0], SECRETS.auth[1]], [SECRETS.auth[1]]]) {
    assert.deepEqual((await askAuthHook(question, secrets)).body, refused.body);
  }
  const { count } = await service.from("webhook_events").select("*", { count: "exact", head: true })
    .eq("event_id", question.metadata.uuid);
  assert.equal(count, 1);
});

test("POST /webhooks/replay requires the secret key, and refuses bad requests with their codes", async () => {
  const user = await signUp();
  const body = { provider: "stripe", event_id: "evt_none" };
  assert.equal((await invoke(user.client, "webhooks/replay", { body })).status, 401);
  const ask = async (body: Record<string, unknown>) => {
    const reply = await invoke(service, "webhooks/replay", { body });
    return [reply.status, reply.body.code];
  };
  assert.deepEqual(await ask(body), [404, "webhook_event_not_found"]);
  for (
    const wrong of [
      {},
      { event_id: "evt_none" },
      { provider: "stripe" },
      { ...body, received_from: "2026-01-01T00:00:00Z" },
      { received_from: "yesterday" },
      { received_from: "2026-01-01T00:00:00Z", batch: 501 },
      { received_from: "2026-01-01T00:00:00Z", after: -1 },
      { received_from: "2026-01-01T00:00:00Z", more: 1 },
    ]
  ) assert.deepEqual(await ask(wrong), [422, "invalid_request"], JSON.stringify(wrong));

  const event = stripeEvent("price.created", now(), { id: "price_1", object: "price" });
  await deliverStripe(event);
  await withDatabase((sql) =>
    sql`update webhook_events set payload = null where event_id = ${event.id}`
  );
  assert.deepEqual(await ask({ provider: "stripe", event_id: event.id }), [
    409,
    "webhook_payload_gone",
  ]);
});
