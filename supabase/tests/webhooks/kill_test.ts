import assert from "node:assert/strict";
import postgres from "postgres";

import {
  killPostgres,
  noteProcesses,
  untilAnswering,
  withCheckout,
} from "../../functions/_testing/checkout.ts";
import { serviceClient, soak, test, until } from "../../functions/_testing/testing.ts";
import { deliverStripe, now } from "../../functions/webhooks/webhooks_testing.ts";
import { BALANCE, PRICES, type StripeEvent, yearOf } from "./year_testing.ts";

const CONNECTIONS = 10;

/** Kills of each kind. */
const KILLS = soak < 5 ? 1 : Math.min(5, soak);

/** Years that are delivered at the same time. */
const YEARS = 3;

/** Delivers the events that are not done. An event is done once the response is 200. */
async function deliver(url: string, events: StripeEvent[], done: Set<string>): Promise<void> {
  const queue = events.filter(({ id }) => !done.has(id));
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (let event = queue.shift(); event; event = queue.shift()) {
      try {
        const { status } = await deliverStripe(event, {}, `${url}/functions/v1`);
        if (status === 200) done.add(event.id);
      } catch { /* nobody has answered: it is delivered again */ }
    }
  }));
}

/** Asserts that every year has the usual result, with each event applied once. */
async function assertOnce(dbUrl: string, events: StripeEvent[]): Promise<void> {
  const sql = postgres(dbUrl, { max: 1 });
  try {
    assert.deepEqual([...await sql`select * from credit_reconciliation()`], []);
    const teams = await sql`
      select a.balance, a.version, t.tier, t.subscription_status
      from teams as t join credit_accounts as a on a.team_id = t.id where t.name = 'Killed'`;
    assert.equal(teams.length % YEARS, 0);
    assert.equal(new Set(teams.map(({ version }) => version)).size, 1);
    for (const team of teams) {
      assert.deepEqual(
        [Number(team.balance), team.tier, team.subscription_status],
        [BALANCE, "free", "canceled"],
      );
    }
    const [kept] = await sql`
      select count(*)::int as events, count(*) filter (where outcome in ('failed', 'dead'))::int as failed
      from webhook_events`;
    assert.deepEqual([kept?.events, kept?.failed], [events.length, 0]);
  } finally {
    await sql.end();
  }
}

test("events are applied once, whichever process is killed during delivery", async () => {
  await withCheckout(async (checkout) => {
    const processes = await noteProcesses(checkout);
    await checkout.start();
    const stack = await checkout.stack();
    const { error } = await serviceClient(stack).from("stripe_prices").upsert(PRICES);
    assert.equal(error, null);

    const all: StripeEvent[] = [];
    for (let round = 0; round < 2 * KILLS; round++) {
      const postgresDies = round % 2 === 0;
      const sql = postgres(stack.dbUrl, { max: 1 });
      const teams = await sql`
        insert into teams (name) select 'Killed' from generate_series(1, ${YEARS}) returning id`;
      // Repeats before the customer is known must not turn an event into a dead letter here.
      await sql`update private.settings set value = 100 where name = 'webhooks.max_attempts'`;
      await sql.end();
      const events = teams.flatMap(({ id }) =>
        yearOf(id, crypto.randomUUID().slice(0, 8), now() - 400 * 86_400)
      ).sort(() => Math.random() - 0.5);
      all.push(...events);

      const done = new Set<string>();
      const delivered = deliver(stack.url, events, done);
      await until(() => done.size > 10 + Math.random() * events.length / 2);
      if (postgresDies) await killPostgres(checkout);
      else Deno.kill(processes().at(-1) as number, "SIGKILL");
      await delivered;
      if (postgresDies) await untilAnswering(stack);
      // Delivers all events again: Stripe may not have received the responses.
      done.clear();
      for (let again = 0; again < 8 && done.size < events.length; again++) {
        await deliver(stack.url, events, done);
      }
      assert.equal(done.size, events.length);
      await assertOnce(stack.dbUrl, all);
    }
  });
});
