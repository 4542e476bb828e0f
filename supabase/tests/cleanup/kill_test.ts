import assert from "node:assert/strict";

import { killPostgres, processesOf, withCheckout } from "../../functions/_testing/checkout.ts";
import { soak, test, type TestStack, until } from "../../functions/_testing/testing.ts";
import { BATCH_SIZE, type Stage, withStage } from "./scene_testing.ts";
import { clearScenes, fillScenes, JOBS, passLeases, readScenes } from "./scenes_testing.ts";

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

/** Runs all jobs to their end, and then removes what they have queued. */
async function finish(stack: TestStack, stage: Stage): Promise<void> {
  await passLeases(stage);
  await complete(stack, JOBS);
  await complete(stack, ["storage_removals"]);
}

/** Calls again for the jobs whose time was over before they were done, as the scheduler does. */
async function complete(stack: TestStack, jobs: string[]): Promise<void> {
  const results = await cleanUp(stack, jobs);
  const more = results.filter(({ outcome }) => outcome === "more");
  assert.deepEqual(results.filter(({ outcome }) => !["done", "more"].includes(outcome)), []);
  if (more.length > 0) await complete(stack, more.map(({ job }) => job));
}

test("what PostgreSQL was killed in the midst of, the next run of each job completes", async () => {
  await withCheckout(async (checkout) => {
    let { child } = await checkout.start();
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
        // Many batches, so that no job is done while the last one comes to its midst.
        await stage.sql`update private.cleanup_jobs set batch_size = ${BATCH_SIZE / 2}`;
        const answer = cleanUp(stack, JOBS).then(() => "answered", () => "cut off");
        // Every job is in its midst.
        await until(async () => {
          const runs = await stage.sql`
            select job from private.cleanup_runs where outcome = 'running' and batches >= 2`;
          return new Set(runs.map(({ job }) => job)).size === JOBS.length;
        });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
        await killPostgres(checkout);
        await answer;
      });
      assert.equal((await child.status).code, 1);
      await until(() => processesOf(checkout.root).length === 0);

      ({ child } = await checkout.start());
      await withStage(stack, async (stage) => {
        await stage.sql`update private.cleanup_jobs set batch_size = ${BATCH_SIZE}`;
        const runs = await stage.sql`
          select job, rows, batches from private.cleanup_runs where outcome = 'running'`;
        assert.ok(runs.length >= JOBS.length / 2, "Jobs were interrupted");
        for (const { job, rows, batches } of runs) {
          assert.ok(Number(rows) <= batches * BATCH_SIZE, `${job} is counted as it was done`);
        }
        // A lease that its holder has not given back keeps others off.
        const leased = await cleanUp(stack, JOBS);
        assert.ok(leased.some(({ outcome }) => outcome === "leased"));
        await finish(stack, stage);
        assert.deepEqual(await readScenes(stage, label), expected);
        const interrupted = await stage.sql`
          select job from private.cleanup_runs where outcome = 'interrupted'`;
        assert.equal(interrupted.length, runs.length);
      });
    }
  });
});
