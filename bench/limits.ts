/**
 * What counting requests costs: charges over HTTP, with the function and REST of the local stack, compared with the same
 * charges when REST calls no pre-request function; and charges by the database's function in transactions as PostgREST
 * makes them, to see the database alone.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";
import type { Sql } from "postgres";

import { readOptions } from "../stack/options.ts";
import { freePorts } from "../stack/ports.ts";
import { connect } from "../stack/postgres.ts";
import { noReport, say } from "../stack/progress.ts";
import { startStack } from "../stack/stack.ts";
import { DURABLE, judge, SCALE } from "./throughput.ts";

/** Rounds. Ours and the reference take turns, so that other load on the machine affects both. */
const ROUNDS = Math.max(3, Math.round(25 * SCALE));
/** Charges of one turn. */
const CHARGES = Math.max(10, Math.round(100 * SCALE));
/** The aim: the speed of ours relative to the reference. */
const AIM = 0.97;

const HOOK = "alter role authenticator set pgrst.db_pre_request = 'private.count_request'";
const NO_HOOK = "alter role authenticator reset pgrst.db_pre_request";

/** Runs both in turns, and returns the median of the milliseconds that a charge took in each. */
async function compare(
  ours: () => Promise<unknown>,
  reference: () => Promise<unknown>,
  prepare: (counted: boolean) => Promise<unknown> = () => Promise.resolve(),
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, work] of [ours, reference].entries()) {
      await prepare(i === 0);
      await work();
      const start = performance.now();
      for (let n = 0; n < CHARGES; n++) await work();
      // The first round warms up.
      if (round >= 0) times[i]?.push((performance.now() - start) / CHARGES);
    }
  }
  const [a, b] = times.map((all) => all.toSorted((x, y) => x - y)[Math.floor(all.length / 2)]);
  return [a ?? NaN, b ?? NaN];
}

function report(name: string, [ours, reference]: [number, number], aim?: number): void {
  const [a, b] = [ours, reference].map((ms) => `${ms.toFixed(3).padStart(7)} ms`);
  const reached = reference / ours;
  say(`${name.padEnd(44)} ${a} ${b}  x${reached.toFixed(3)}${judge(reached, aim)}`);
}

/** A transaction as PostgREST makes it. */
function inTransaction(sql: Sql, user: string, counted: boolean): Promise<unknown> {
  return sql.begin(async (transaction) => {
    await transaction`select set_config('role', 'service_role', true),
      set_config('request.headers', ${JSON.stringify({ "x-counted-user": user })}, true)`;
    if (counted) await transaction`select private.count_request()`;
    await transaction`select * from deduct_credits(${user}, amount => 0.0001, idempotency_key => ${crypto.randomUUID()})`;
  });
}

const dir = await Deno.makeTempDir({ prefix: "strongroom-bench-" });
await Deno.chmod(dir, 0o755);
const stack = await startStack(
  { ...await readOptions(), dir, ...freePorts() },
  { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: false },
);
const sql = connect(stack.access, "postgres");
try {
  const { SUPABASE_URL = "", SUPABASE_PUBLISHABLE_KEY = "" } = stack.environment;
  const client = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  await sql`update private.settings set value = 1000000000 where name = 'requests.per_user'`;
  const { data } = await client.auth.signUp({ email: "a@example.com", password: "correct horse" });
  const user = data.user?.id ?? "";
  await sql`insert into credit_prices (sku, unit, price, quantity_scale) values ('bench', 'one', 0.0001, 0)`;
  const charge = async () => {
    const { error } = await client.functions.invoke("credits/deduct", {
      body: { sku: "bench", quantity: 1 },
      headers: { "idempotency-key": crypto.randomUUID() },
    });
    if (error) throw new Error(await error.context.text());
  };
  say(`A charge with and without counting, median of ${ROUNDS} rounds of ${CHARGES}\n`);
  report(
    "over HTTP",
    await compare(charge, charge, async (counted) => {
      await sql.unsafe(counted ? HOOK : NO_HOOK);
      await sql.unsafe("notify pgrst, 'reload config'");
    }),
    AIM,
  );
  report(
    "in the database alone",
    await compare(() => inTransaction(sql, user, true), () => inTransaction(sql, user, false)),
  );
} finally {
  await sql.end();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
}
