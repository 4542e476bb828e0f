import assert from "node:assert/strict";
import { parseEnv } from "node:util";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import { soak, test, until } from "../../functions/_testing/testing.ts";
import {
  type Checkout,
  killPostgres,
  processesOf,
  withCheckout,
} from "../../../stack/checkout_testing.ts";
import { readKeys, type StackKeys } from "../../../stack/keys.ts";
import { databaseUrl } from "../../../stack/postgres.ts";
import { BATCH_SIZE, type Stage } from "./scene_testing.ts";
import { clearScenes, fillScenes, JOBS, passLeases, readScenes } from "./scenes_testing.ts";

const KILLS = Math.ceil(soak);

/** A stack that runs. */
interface Running extends Stage {
  url: string;
  keys: StackKeys;
}

async function withStage<T>(checkout: Checkout, run: (running: Running) => Promise<T>): Promise<T> {
  const env = parseEnv(await Deno.readTextFile(`${checkout.dir}/env`)) as Record<string, string>;
  const keys = await readKeys(checkout.dir);
  const access = {
    port: Number(checkout.environment.STACK_DB_PORT),
    password: keys.databasePassword,
  };
  const url = env.SUPABASE_URL ?? "";
  const client = createClient<Database>(url, keys.secretKeys.default, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const sql = postgres(databaseUrl(access, "supabase_admin"), { max: 1, onnotice: () => {} });
  try {
    return await run({ sql, client, url, keys });
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

async function cleanUp({ url, keys }: Running, jobs: string[]): Promise<{ outcome: string }[]> {
  const response = await fetch(`${url}/functions/v1/cleanup`, {
    method: "POST",
    headers: { apikey: keys.secretKeys.cron },
    body: JSON.stringify({ jobs, max_seconds: 100 }),
  });
  return (await response.json()).jobs;
}

/** Runs all jobs to their end; and what they have queued is removed. */
async function finish(running: Running): Promise<void> {
  await passLeases(running);
  const results = [
    ...await cleanUp(running, JOBS),
    ...await cleanUp(running, ["storage_removals"]),
  ];
  assert.deepEqual(results.filter(({ outcome }) => outcome !== "done"), []);
}

test("what PostgreSQL was killed in the midst of, the next run of each job completes", async () => {
  await withCheckout(async (checkout) => {
    let stack = await checkout.start();
    const expected = await withStage(checkout, async (running) => {
      await fillScenes(running, "scene quiet");
      await finish(running);
      return await readScenes(running, "scene quiet");
    });
    for (let kill = 1; kill <= KILLS; kill++) {
      const label = `scene ${kill}`;
      await withStage(checkout, async (running) => {
        await running.sql`delete from private.cleanup_runs`;
        await clearScenes(running);
        await fillScenes(running, label);
        const answer = cleanUp(running, JOBS).then(() => "answered", () => "cut off");
        // Every job is in its midst.
        await until(async () => {
          const runs = await running.sql`
            select job from private.cleanup_runs where outcome = 'running' and batches >= 2`;
          return new Set(runs.map(({ job }) => job)).size === JOBS.length;
        });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
        await killPostgres(checkout);
        await answer;
      });
      assert.equal((await stack.child.status).code, 1);
      await until(() => processesOf(checkout.root).length === 0);

      stack = await checkout.start();
      await withStage(checkout, async (running) => {
        const runs = await running.sql`
          select job, rows, batches from private.cleanup_runs where outcome = 'running'`;
        assert.ok(runs.length >= JOBS.length / 2, "Jobs were interrupted");
        for (const { job, rows, batches } of runs) {
          assert.ok(Number(rows) <= batches * BATCH_SIZE, `${job} is counted as it was done`);
        }
        // A lease that its holder has not given back keeps others off.
        const leased = await cleanUp(running, JOBS);
        assert.ok(leased.some(({ outcome }) => outcome === "leased"));
        await finish(running);
        assert.deepEqual(await readScenes(running, label), expected);
        const interrupted = await running.sql`
          select job from private.cleanup_runs where outcome = 'interrupted'`;
        assert.equal(interrupted.length, runs.length);
      });
    }
  });
});
