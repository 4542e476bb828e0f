import assert from "node:assert/strict";
import fc from "fast-check";

import {
  invoke,
  serviceClient,
  signUp,
  soak,
  test,
  withDatabase,
} from "../../functions/_testing/testing.ts";
import { deliverStripe, now } from "../../functions/webhooks/webhooks_testing.ts";
import { BALANCE, PRICES, type StripeEvent, yearOf } from "./year_testing.ts";

/** Number of orders to try: 4 by default, 200 with SOAK=50. */
const ORDERS = Math.ceil(4 * soak);

const CONNECTIONS = 10;

const YEAR = 365 * 86_400;

/** Delivers events in the given order over ten connections, and returns those that must be repeated. */
async function deliver(events: StripeEvent[]): Promise<StripeEvent[]> {
  const queue = [...events];
  const repeat = new Map<string, StripeEvent>();
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (let event = queue.shift(); event; event = queue.shift()) {
      const reply = await deliverStripe(event);
      if (reply.status === 200) repeat.delete(event.id);
      else {
        assert.equal(reply.status, 503, JSON.stringify(reply.body));
        repeat.set(event.id, event);
      }
    }
  }));
  return [...repeat.values()];
}

/** Creates a team and its year of events. The buyer is a user who buys as the same customer. */
async function newTeam(
  buyer?: string,
): Promise<{ team: string; suffix: string; events: StripeEvent[] }> {
  const suffix = crypto.randomUUID().slice(0, 8);
  const { data, error } = await serviceClient().from("teams").insert({ name: "Year" }).select("id")
    .single();
  if (error) throw error;
  const events = yearOf(data.id, suffix, now() - YEAR - 40 * 86_400, buyer);
  return { team: data.id, suffix, events };
}

/**
 * The result of a year, without ids that differ between years. Leaves out what shows the order of arrival:
 * numbers and times of entries, the balance after each, and attempts.
 */
async function endOf(team: string, suffix: string, events: StripeEvent[]): Promise<unknown> {
  const names = new Map(events.map(({ id }, place) => [id, `evt_${place}`]));
  const state = await withDatabase(async (sql) => ({
    problems: await sql`
      select r.* from credit_accounts as a, credit_reconciliation(a.id) as r where a.team_id = ${team}`,
    account: await sql`
      select balance, held, debt, overdraft_used, version from credit_accounts where team_id = ${team}`,
    entries: await sql`
      select t.kind, t.amount, t.description, t.actor, jsonb_array_length(t.allocations) as allocations
      from credit_transactions as t join credit_accounts as a on a.id = t.account_id
      where a.team_id = ${team} order by 1, 2, 3`,
    grants: await sql`
      select g.category, g.amount, g.remaining, g.status, g.external_reference, g.description, g.expires_at is null as lasting
      from credit_grants as g join credit_accounts as a on a.id = g.account_id
      where a.team_id = ${team} order by external_reference`,
    payments: await sql`
      select p.id, p.amount, p.credits, p.taken_back, p.lapsed, cardinality(p.grant_ids) as grants
      from stripe_payments as p join credit_accounts as a on a.id = p.account_id where a.team_id = ${team} order by 1`,
    team: await sql`
      select tier, subscription_status, stripe_customer_id, stripe_subscription_id, cancel_at_period_end,
        extract(epoch from current_period_end - ${new Date(0)}) - ${events[0]
      ?.created as number} as ends
      from teams where id = ${team}`,
    subscriptions: await sql`
      select id, customer_id, status, price_ids, state_rank, state_event_id, invoice_paid, invoice_event_id
      from stripe_subscriptions where team_id = ${team}`,
    history: await sql`
      select stripe_event_id, event_type, event_data -> 'status' as status, event_data -> 'invoice' as invoice
      from subscription_events where team_id = ${team} order by created_at, event_type, 3, 4`,
    events: await sql`
      select event_id, type, outcome, result from webhook_events where event_id = any (${[
      ...names.keys(),
    ]})`,
  }));
  state.events.sort((a, b) => order(names, a.event_id) - order(names, b.event_id));
  // Whether an event found a newer one depends on the order.
  for (const event of state.events) if (event.result) delete event.result.newer;
  const text = JSON.stringify(state).replaceAll(suffix, "SUFFIX")
    .replace(/evt_[0-9a-f]{32}/g, (id) => names.get(id) ?? id);
  return JSON.parse(text);
}

function order(names: Map<string, string>, id: string): number {
  return [...names.keys()].indexOf(id);
}

/** An order of events, and how often each is delivered. */
interface Order {
  shuffled: number[];
  copies: number[];
  seed: number;
}

function ordersOf(events: StripeEvent[]): fc.Arbitrary<Order> {
  const places = events.map((_, place) => place);
  return fc.record({
    shuffled: fc.shuffledSubarray(places, { minLength: places.length }),
    copies: fc.array(fc.integer({ min: 1, max: 5 }), {
      minLength: places.length,
      maxLength: places.length,
    }),
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  });
}

/** Delivers events in an order until all have succeeded. */
async function deliverAll(
  events: StripeEvent[],
  { shuffled, copies, seed }: Order,
): Promise<void> {
  // Spreads copies of an event over the whole year.
  const deliveries = shuffled.flatMap((place, i) =>
    Array.from({ length: copies[place] ?? 1 }, (_, copy) => ({
      event: events[place] as StripeEvent,
      when: copy === 0 ? i : (seed * (i + 1) * copy) % (events.length * 2),
    }))
  ).sort((a, b) => a.when - b.when).map(({ event }) => event);
  // Stripe repeats deliveries without a 200, in any order.
  let repeat = await deliver(deliveries);
  for (let round = 0; repeat.length > 0; round++) {
    assert.ok(round < 5, `Still failing: ${repeat.map(({ type }) => type)}`);
    repeat = await deliver(repeat.reverse());
  }
}

test("a year of events has the same result in any order and with any number of deliveries", async () => {
  const { error } = await serviceClient().from("stripe_prices").upsert(PRICES);
  assert.equal(error, null);

  const inOrder = await newTeam();
  for (const event of inOrder.events) {
    assert.equal((await deliverStripe(event)).status, 200, event.type);
  }
  // deno-lint-ignore no-explicit-any -- the result is asserted below
  const expected = await endOf(inOrder.team, inOrder.suffix, inOrder.events) as any;
  assert.deepEqual(expected.problems, []);
  assert.equal(Number(expected.account[0].balance), BALANCE);
  assert.equal(Number(expected.account[0].debt), 0);
  assert.deepEqual(
    [
      expected.team[0].tier,
      expected.team[0].subscription_status,
      expected.team[0].cancel_at_period_end,
    ],
    ["free", "canceled", true],
  );
  assert.equal(expected.payments.length, 12);
  assert.deepEqual(
    new Set(expected.events.map((event: { outcome: string }) => event.outcome)),
    new Set(["processed", "ignored"]),
  );

  await fc.assert(
    fc.asyncProperty(ordersOf(inOrder.events), async (order) => {
      const { team, suffix, events } = await newTeam();
      await deliverAll(events, order);
      assert.deepEqual(await endOf(team, suffix, events), expected);
    }),
    { numRuns: ORDERS, endOnFailure: true },
  );
});

test("a customer who buys for a user and a team, in any order, gives each their own purchases", async () => {
  const { error } = await serviceClient().from("stripe_prices").upsert(PRICES);
  assert.equal(error, null);
  // Leaves out records of credits that were granted before it was known that they belong to the team.
  const figures = async (user: string, ...of: Parameters<typeof endOf>) => {
    // deno-lint-ignore no-explicit-any -- a part of it
    const { account: [account], ...end } = await endOf(...of) as any;
    const [own] = await withDatabase((sql) =>
      sql`
      select a.balance, a.debt, (select count(*) from credit_reconciliation(a.id)) as problems,
        (select count(*) from stripe_payments as p where p.account_id = a.id) as payments
      from credit_accounts as a where a.user_id = ${user}`
    );
    const { problems, team, subscriptions, history, events } = end;
    const payments = end.payments.map(({ grants: _, ...payment }: { grants: number }) => payment);
    const { balance, debt } = account;
    return { balance, debt, own, problems, team, subscriptions, history, events, payments };
  };
  const user = await signUp();
  const inOrder = await newTeam(user.id);
  for (const event of inOrder.events) {
    assert.equal((await deliverStripe(event)).status, 200, event.type);
  }
  const expected = await figures(user.id, inOrder.team, inOrder.suffix, inOrder.events);
  assert.equal(Number(expected.balance), BALANCE);
  assert.equal(Number(expected.own?.balance), 100 + 500);
  assert.equal(Number(expected.own?.payments), 1);

  await fc.assert(
    fc.asyncProperty(ordersOf(inOrder.events), async (order) => {
      const { id } = await signUp();
      const { team, suffix, events } = await newTeam(id);
      await deliverAll(events, order);
      assert.deepEqual(await figures(id, team, suffix, events), expected);
    }),
    { numRuns: ORDERS, endOnFailure: true },
  );
});

test("replaying all received events changes nothing", async () => {
  const { team, suffix, events } = await newTeam();
  let repeat = await deliver([...events].reverse());
  while (repeat.length > 0) repeat = await deliver(repeat);
  const image = () =>
    withDatabase(async (sql) => [
      ...await sql`select * from webhook_events where outcome in ('processed', 'ignored') order by id`,
      ...await sql`select * from credit_accounts order by id`,
      ...await sql`select * from credit_transactions order by account_id, entry_no`,
      ...await sql`select * from credit_grants order by id`,
      ...await sql`select * from stripe_payments order by id`,
      ...await sql`select * from stripe_subscriptions order by id`,
      ...await sql`select * from stripe_customers order by id`,
      ...await sql`select * from subscription_events order by id`,
      ...await sql`select * from teams order by id`,
      ...await sql`select * from private.stripe_refunds order by charge_id, refunded_from`,
      ...await sql`select * from private.stripe_disputes order by id`,
    ]);
  const before = await image();
  const end = await endOf(team, suffix, events);

  let replayed = 0;
  for (let after: number | null = 0; after !== null;) {
    const { status, body } = await invoke(serviceClient(), "webhooks/replay", {
      body: { provider: "stripe", received_from: "2000-01-01T00:00:00Z", after },
    });
    assert.equal(status, 200, JSON.stringify(body));
    replayed += body.replayed;
    after = body.next_after;
  }
  assert.ok(replayed >= events.length);
  assert.deepEqual(await image(), before);
  assert.deepEqual(await endOf(team, suffix, events), end);
});
