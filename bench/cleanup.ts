/**
 * What cleanup jobs cost: how many rows a second each heavy job processes in batches with a million rows due, and how
 * much slower charges on 16 connections are meanwhile. Compared with doing everything in one statement.
 *
 * The slowdown by batches is measured in turns with the job and without it, so that other load on the machine affects both
 * alike: it is the median of the ratios of each turn with the job to its two neighbours.
 *
 * PostgreSQL is durable, as in production; with DURABLE=0 it is not. ONLY=idempotency_keys,... runs only
 * some of the jobs.
 *
 * @module
 */

import type { Sql } from "postgres";

import { connect } from "../stack/postgres.ts";
import { pauseAfter } from "../supabase/functions/cleanup/pauses.ts";
import { HEAVY, PAYERS, ROWS } from "./cleanup_jobs.ts";
import { CONNECTIONS, DURABLE, median, SCALE, withDatabase } from "./throughput.ts";

/** Seconds of a turn with the job, or without it. */
const TURN_SECONDS = Math.max(1, Math.min(4, 40 * SCALE));

/** Most turns with the job. */
const MOST_TURNS = 15;

/** The aim: largest slowdown of the slowest twentieth of charges. */
const AIM = 1.3;

/** Inserts due rows quickly, and updates the statistics. */
async function fill(admin: Sql, statements: string): Promise<void> {
  await admin.begin((transaction) =>
    transaction.unsafe(
      `set local session_replication_role = replica; set local synchronous_commit = off; ${statements}`,
    )
      .simple()
  );
  await admin.unsafe("vacuum analyze").simple();
  await admin.unsafe("checkpoint").simple();
}

/** Runs a job to its end, or for some seconds, with the function's pause after each batch. Returns whether it has ended. */
async function runJob(
  sql: Sql,
  job: string,
  seconds = Infinity,
  lease = crypto.randomUUID(),
): Promise<boolean> {
  const start = performance.now();
  while (performance.now() < start + seconds * 1000) {
    const begun = performance.now();
    const [batch] = await sql`select outcome from run_cleanup_batch(${job}, ${lease})`;
    if (batch?.outcome === "done") return true;
    if (batch?.outcome !== "more") throw new Error(`${job} is ${batch?.outcome}`);
    await pause(pauseAfter(job, performance.now() - begun) / 1000);
  }
  return false;
}

async function runAtOnce(sql: Sql, statement: string): Promise<number> {
  const start = performance.now();
  await sql.begin((transaction) => transaction.unsafe(statement).simple());
  return ROWS / (performance.now() - start) * 1000;
}

/** Charges on all connections during the work. Returns the 95th percentile of their times in milliseconds. */
async function charge(connections: Sql[], work: Promise<unknown>): Promise<number> {
  let over = false;
  work.finally(() => over = true).catch(() => {});
  const times: number[] = [];
  await Promise.all(connections.map(async (sql, i) => {
    for (let n = 0; !over; n++) {
      const payer = Math.floor(Math.random() * PAYERS) + 1;
      const start = performance.now();
      await sql`select * from deduct_credits(user_id => md5('payer' || ${payer}::text)::uuid, amount => 0.0001,
        idempotency_key => ${`${i}-${n}-${crypto.randomUUID()}`})`;
      times.push(performance.now() - start);
    }
  }));
  await work;
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? NaN;
}

/** Charges in turns with a job and without it. Returns the percentiles without it, and the slowdowns by it. */
async function chargeInTurns(
  connections: Sql[],
  worker: Sql,
  job: string,
): Promise<{ calm: number[]; slowdowns: number[] }> {
  const lease = crypto.randomUUID();
  const calm = [await charge(connections, pause(TURN_SECONDS))];
  const slowdowns: number[] = [];
  for (let turn = 0, ended = false; turn < MOST_TURNS && !ended; turn++) {
    const work = runJob(worker, job, TURN_SECONDS, lease);
    const during = await charge(connections, work);
    ended = await work;
    const after = await charge(connections, pause(TURN_SECONDS));
    // The turn in which the job ends may be too short to tell anything.
    if (!ended || slowdowns.length === 0) {
      slowdowns.push(during / (((calm.at(-1) ?? NaN) + after) / 2));
    }
    calm.push(after);
  }
  return { calm, slowdowns };
}

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  const worker = connect(access, "postgres");
  const connections = Array.from({ length: CONNECTIONS }, () => connect(access, "postgres"));
  await admin.unsafe(
    `insert into auth.users (id, email) select md5('payer' || n)::uuid, n || '@example.com'
    from generate_series(1, ${PAYERS}) as n; analyze`,
  ).simple();
  await charge(connections, pause(1));

  const only = Deno.env.get("ONLY")?.split(",");
  console.log(
    `${ROWS} rows due, ${CONNECTIONS} connections charging, ${
      DURABLE ? "durable" : "not durable"
    }. Slowdown: of the 95th ` +
      `percentile of charges, aim x${AIM} for batches (in brackets: each turn)\n\n${
        "".padEnd(22)
      } ${"batches".padStart(10)} ${"at once".padStart(10)}` +
      `   alone, then slowdown by batches, at once`,
  );
  for (const { job, fill: statements, atOnce, aim = AIM } of HEAVY) {
    if (only && !only.includes(job)) continue;
    await fill(admin, statements);
    const start = performance.now();
    await runJob(worker, job);
    const alone = ROWS / (performance.now() - start) * 1000;

    await fill(admin, statements);
    const turns = await chargeInTurns(connections, worker, job);

    await fill(admin, statements);
    let speed = 0;
    const big = await charge(
      connections,
      runAtOnce(worker, atOnce).then((reached) => speed = reached),
    );
    const calm = median(turns.calm);
    const slowdown = median(turns.slowdowns);
    console.log(
      `${job.padEnd(22)} ${alone.toFixed(0).padStart(8)}/s ${speed.toFixed(0).padStart(8)}/s   ${
        calm.toFixed(1)
      } ms, ` +
        `x${slowdown.toFixed(2)}${slowdown > aim ? ` MISSED x${aim}` : ""} (${
          turns.slowdowns.map((ratio) => ratio.toFixed(2)).join(" ")
        }), x${(big / calm).toFixed(2)}`,
    );
  }
  await Promise.all([admin, worker, ...connections].map((sql) => sql.end()));
});
