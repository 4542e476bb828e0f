import assert from "node:assert/strict";

import { killPostgres, untilAnswering, withCheckout } from "../../functions/_testing/checkout.ts";
import { soak, test, type TestStack, until } from "../../functions/_testing/testing.ts";
import { type Stage, withStage } from "./scene_testing.ts";
import {
  clearScenes,
  fillScenes,
  JOBS,
  passLeases,
  readScenes,
  setBatches,
} from "./scenes_testing.ts";

const KILLS = Math.ceil(soak);

async function cleanUp(
  { url, cronKey }: TestStack,
  jobs: string[],
): Promise<{ job: string; outcome: string }[]> {
  const response = await fetch(`${url}/functions/v1/cleanup`, {
    method: "POST",
    headers: { apikey: cronKey },
    body: JSON.stringify({ jobs, max_seconds: 100 }),
  });
  return (await response.json()).jobs;
}

const HOLD = 20261120;

/** Lets no run end while the session of the stage lives, so that a kill finds every job at work, however fast it is. */
async function holdLastBatches({ sql }: Stage): Promise<void> {
  await sql.unsafe(`
    create or replace function private.hold_last_batch() returns trigger language plpgsql as $$
    begin
      perform pg_catalog.pg_advisory_xact_lock_shared(${HOLD});
      return new;
    end $$;
    create or replace trigger hold_last_batch before update on private.cleanup_runs
      for each row when (new.outcome <> 'running') execute function private.hold_last_batch();
    select pg_advisory_lock(${HOLD})`).simple();
}

/** Runs all jobs to their end, and then removes the objects that they queued. */
async function finish(stack: TestStack, stage: Stage): Promise<void> {
  await passLeases(stage);
  await complete(stack, JOBS);
  await complete(stack, ["storage_removals"]);
}

/** Calls the jobs that ran out of time again, as the scheduler does. */
async function complete(stack: TestStack, jobs: string[]): Promise<void> {
  const results = await cleanUp(stack, jobs);
  const more = results.filter(({ outcome }) => outcome === "more");
  assert.deepEqual(results.filter(({ outcome }) => !["done", "more"].includes(outcome)), []);
  if (more.length > 0) await complete(stack, more.map(({ job }) => job));
}

test("cleanup jobs that are interrupted by a kill of PostgreSQL are completed by their next run", async () => {
  await withCheckout(async (checkout) => {
    await checkout.start();
    const stack = await checkout.stack();
    const expected = await withStage(stack, async (stage) => {
      await fillScenes(stage, "scene quiet");
      await finish(stack, stage);
      return await readScenes(stage, "scene quiet");
    });
    for (let kill = 1; kill <= KILLS; kill++) {
      const label = `scene ${kill}`;
      await withStage(stack, async (stage) => {
        await stage.sql`delete from private.cleanup_runs`;
        await clearScenes(stage);
        await fillScenes(stage, label);
        // Many batches, so that no job is done before all have started.
        await setBatches(stage, 1 / 2);
        await holdLastBatches(stage);
        const answer = cleanUp(stack, JOBS).then(() => "answered", () => "cut off");
        // Waits until every job is in the middle of its work.
        await until(async () => {
          const runs = await stage.sql`
            select job from private.cleanup_runs where outcome = 'running' and batches >= 2`;
          return new Set(runs.map(({ job }) => job)).size === JOBS.length;
        });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
        await killPostgres(checkout);
        await answer;
      });

      await untilAnswering(stack);
      await withStage(stack, async (stage) => {
        await setBatches(stage);
        const runs = await stage.sql`
          select r.job, r.rows, r.batches, j.batch_size
          from private.cleanup_runs as r join private.cleanup_jobs as j on j.name = r.job
          where r.outcome = 'running'`;
        for (const { job, rows, batches, batch_size } of runs) {
          assert.ok(
            Number(rows) <= batches * batch_size,
            `${job} must count only what it has done`,
          );
        }
        // A lease that was not given back keeps other runs off the job. None is left if the request outlived the kill:
        // PostgreSQL can be back before its next batch.
        const leased = await cleanUp(stack, JOBS);
        assert.deepEqual(
          leased.filter(({ outcome }) => outcome === "leased").map(({ job }) => job).toSorted(),
          runs.map(({ job }) => job).toSorted(),
        );
        await finish(stack, stage);
        assert.deepEqual(await readScenes(stage, label), expected);
        const interrupted = await stage.sql`
          select job from private.cleanup_runs where outcome = 'interrupted'`;
        assert.equal(interrupted.length, runs.length);
      });
    }
  });
});
