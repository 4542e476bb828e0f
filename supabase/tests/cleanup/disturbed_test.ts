import assert from "node:assert/strict";

import { noteProcesses, withCheckout } from "../../functions/_testing/checkout.ts";
import { soak, test, type TestStack, until } from "../../functions/_testing/testing.ts";
import { DUE, type Stage, withStage } from "./scene_testing.ts";
import { clearScenes, fillScenes, JOBS, passLeases, readScenes } from "./scenes_testing.ts";

const ROUNDS = Math.ceil(soak);

/** Share of the calls that are lost. */
const LOST = 0.3;

/** A proxy between the functions and everything else that loses requests or their responses. */
interface Line {
  url: string;
  /** Share of the calls that are lost. */
  loss: number;
  lost: number;
  passed: number;
}

async function withLine(target: string, run: (line: Line) => Promise<void>): Promise<void> {
  const line: Line = { url: "", loss: 0, lost: 0, passed: 0 };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const before = Math.random() < line.loss / 2;
      const after = Math.random() < line.loss / 2;
      if (before) {
        line.lost++;
        return new Response("lost", { status: 503 });
      }
      const headers = new Headers(request.headers);
      headers.delete("host");
      const body = await request.arrayBuffer();
      const response = await fetch(`${target}${pathname}${search}`, {
        method: request.method,
        headers,
        ...(body.byteLength > 0 && { body }),
      });
      if (!after) {
        line.passed++;
        return response;
      }
      await response.body?.cancel();
      line.lost++;
      return new Response("lost", { status: 503 });
    },
  );
  line.url = `http://127.0.0.1:${server.addr.port}`;
  try {
    await run(line);
  } finally {
    await server.shutdown();
  }
}

interface Scenery {
  stage: Stage;
  line: Line;
  stack: TestStack;
  /** Kills the functions' process, and waits until a new one runs. */
  kill(): Promise<void>;
}

/** Starts a separate stack whose functions are behind a line that loses calls. */
async function withScenery(run: (scenery: Scenery) => Promise<void>): Promise<void> {
  await withCheckout(async (checkout) => {
    await withLine(`http://127.0.0.1:${checkout.environment.STACK_API_PORT}`, async (line) => {
      const processes = await noteProcesses(checkout, { SUPABASE_URL: line.url });
      await checkout.start();
      const stack = await checkout.stack();
      const kill = async () => {
        Deno.kill(processes().at(-1) as number, "SIGKILL");
        await until(async () => {
          const response = await fetch(`${stack.url}/functions/v1/cleanup/openapi.json`);
          await response.body?.cancel();
          return response.status === 200;
        });
      };
      await withStage(stack, (stage) => run({ stage, line, stack, kill }));
    });
  });
}

/** Requests jobs; undefined if there was no response. */
async function ask({ stack }: Scenery, jobs: string[], more: object = {}) {
  const response = await fetch(`${stack.url}/functions/v1/cleanup`, {
    method: "POST",
    headers: { apikey: stack.cronKey, "content-type": "application/json" },
    body: JSON.stringify({ jobs, ...more }),
  });
  const text = await response.text();
  return response.status === 200
    ? JSON.parse(text).jobs as { job: string; outcome: string; rows: number; bytes: number }[]
    : undefined;
}

/** Runs one job to its end, with as many requests as that takes here, and returns what they have done together. */
async function complete(scenery: Scenery, job: string) {
  for (let [rows, bytes] = [0, 0];;) {
    const [result] = await ask(scenery, [job], { max_seconds: 100 }) ?? [];
    rows += result?.rows ?? 0;
    bytes += result?.bytes ?? 0;
    if (result?.outcome !== "more") return { outcome: result?.outcome, rows, bytes };
  }
}

/** Runs jobs to their end without disturbance. */
async function finish(scenery: Scenery, jobs: string[]): Promise<void> {
  scenery.line.loss = 0;
  let outcomes: string[] | undefined;
  // A pending call of a killed process can still take a lease that nobody gives back, and a request has its limit of
  // batches.
  await until(async () => {
    await passLeases(scenery.stage);
    const results = await ask(scenery, jobs, { max_seconds: 100 });
    outcomes = results?.map(({ outcome }) => outcome);
    return !outcomes?.some((outcome) => ["leased", "more"].includes(outcome));
  });
  assert.deepEqual(outcomes, jobs.map(() => "done"));
}

/** Clears what the last round left, and returns a new label. */
async function begin(scenery: Scenery): Promise<string> {
  await finish(scenery, JOBS);
  await clearScenes(scenery.stage);
  await scenery.stage.sql`delete from private.cleanup_runs
    where job in ('credit_reconciliation', 'storage_reconciliation')`;
  const label = `scene ${crypto.randomUUID()}`;
  await fillScenes(scenery.stage, label);
  return label;
}

test("every cleanup job ends in the same state if calls are doubled and lost and its process is killed", async () => {
  await withScenery(async (scenery) => {
    const { stage, line, kill } = scenery;
    const quiet = await begin(scenery);
    const unchanged = await readScenes(stage, quiet);
    const foreseen = await ask(scenery, JOBS, { dry_run: true });
    assert.deepEqual(await readScenes(stage, quiet), unchanged, "A dry run changes nothing");

    // Other jobs queue more objects and post more entries than the dry run predicted, so these come first. With an account,
    // what others would look at is deleted.
    const order = ["account_deletions", undefined, "credit_seals", "storage_removals"];
    const place = (job: string) => order.includes(job) ? order.indexOf(job) : 1;
    const inTurn = JOBS.toSorted((a, b) => place(b) - place(a));
    for (const job of inTurn) {
      const { outcome, rows, bytes } = await complete(scenery, job);
      const due = foreseen?.find((preview) => preview.job === job);
      assert.ok((due?.rows ?? 0) >= DUE / 2, `${job} must have something to do`);
      assert.equal(outcome, "done", job);
      // How many portions an archive has, and how large it is, is not known before it is made.
      if (job === "account_exports") continue;
      assert.deepEqual([rows, bytes], [due?.rows, due?.bytes], job);
    }
    await finish(scenery, ["storage_removals"]);
    const expected = await readScenes(stage, quiet);
    for (const job of JOBS) {
      assert.notDeepEqual(expected[job], unchanged[job], `${job} did something`);
    }

    for (let round = 0; round < ROUNDS; round++) {
      const label = await begin(scenery);
      Object.assign(line, { loss: LOST, lost: 0, passed: 0 });
      const calls = Array.from({ length: 6 }, () => JOBS.map((job) => [job])).flat()
        .toSorted(() => Math.random() - 0.5).filter(() => Math.random() > LOST);
      let kills = 0;
      for (const [n, jobs] of calls.entries()) {
        // Caught at once: the process can be killed while this waits for something else.
        const asked = [ask(scenery, jobs), ask(scenery, jobs)].map((answer) =>
          answer.catch(() => {})
        );
        if (n % 8 === 7) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
          await kill();
          kills++;
        }
        await Promise.all(asked);
        // Otherwise all jobs would wait for the leases of killed runs.
        if (n % 4 === 3) await passLeases(stage);
      }
      assert.ok(
        line.lost > 20 && kills > 2,
        `Only ${line.lost} calls were lost, ${kills} processes killed`,
      );
      await finish(scenery, JOBS);
      await finish(scenery, ["storage_removals"]);
      assert.deepEqual(await readScenes(stage, label), expected);
    }
  });
});
