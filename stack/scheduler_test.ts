import assert from "node:assert/strict";

import { stack, test, until, withDatabase } from "../supabase/functions/_testing/testing.ts";
import { readKeys } from "./keys.ts";
import { type Scheduler, startScheduler } from "./scheduler.ts";

async function withScheduler(
  every: string,
  run: (scheduler: Scheduler, log: string[]) => Promise<void>,
): Promise<void> {
  const { databasePassword, secretKeys } = await readKeys(stack.dir);
  const log: string[] = [];
  const scheduler = startScheduler({
    access: { port: Number(new URL(stack.dbUrl).port), password: databasePassword },
    apiUrl: stack.url,
    cronKey: secretKeys.cron,
    log: (line) => log.push(line),
    every,
  });
  try {
    await run(scheduler, log);
  } finally {
    await scheduler.stop();
  }
}

/** A pattern that does not occur while the tests run. */
const NEVER = "0 0 29 2 1";

async function runsOf(job: string): Promise<number> {
  return await withDatabase(async (sql) => {
    const [row] = await sql`select count(*)::int from private.cleanup_runs where job = ${job}`;
    return row?.count ?? 0;
  });
}

async function withSchedule(schedule: string, run: () => Promise<void>): Promise<void> {
  await withDatabase(async (sql) => {
    const [before] =
      await sql`select schedule from private.cleanup_jobs where name = 'finished_tasks'`;
    const set = (schedule: string) =>
      sql`update private.cleanup_jobs set schedule = ${schedule} where name = 'finished_tasks'`;
    await set(schedule);
    try {
      await run();
    } finally {
      await set(before?.schedule);
    }
  });
}

test("the scheduler calls a job only in the minutes of its schedule, in UTC", async () => {
  await withSchedule("17 5 * * *", async () => {
    await withScheduler(NEVER, async (scheduler, log) => {
      const health = () =>
        withDatabase((sql) =>
          sql`select 1 from cleanup_health() where next_run_at <= now() and enabled`
        );
      // Jobs of every minute are due again if the first call lasts beyond the minute.
      await until(async () => {
        const due = (await health()).length;
        if (due > 0) await scheduler.tick(new Date());
        return due === 0;
      });
      const before = await runsOf("finished_tasks");
      await scheduler.tick(new Date("2026-11-20T05:16:59Z"));
      await scheduler.tick(new Date("2026-11-20T05:18:00Z"));
      await scheduler.tick(new Date("2026-11-20T17:17:00Z"));
      assert.equal(await runsOf("finished_tasks"), before);
      await scheduler.tick(new Date("2026-11-20T05:17:00Z"));
      await scheduler.tick(new Date("2026-11-21T05:17:59Z"));
      assert.equal(await runsOf("finished_tasks"), before + 2);
      assert.deepEqual(log, []);
    });
  });
});

test("the scheduler first calls jobs that became due while it was not running", async () => {
  await withDatabase((sql) =>
    sql`update private.cleanup_jobs set next_run_at = now() - interval '1 day' where name = 'finished_tasks'`
  );
  const before = await runsOf("finished_tasks");
  await withScheduler(NEVER, () => until(async () => await runsOf("finished_tasks") > before));
});

test("the scheduler calls jobs again each minute", async () => {
  await withSchedule("* * * * *", async () => {
    await withScheduler("* * * * * *", async () => {
      const before = await runsOf("finished_tasks");
      await until(async () => await runsOf("finished_tasks") >= before + 2);
    });
  });
});

test("the scheduler logs a refused call and continues", async () => {
  const log: string[] = [];
  const { databasePassword } = await readKeys(stack.dir);
  const scheduler = startScheduler({
    access: { port: Number(new URL(stack.dbUrl).port), password: databasePassword },
    apiUrl: stack.url,
    cronKey: stack.secretKey,
    log: (line) => log.push(line),
    every: NEVER,
  });
  await until(() => log.length > 0);
  await scheduler.stop();
  assert.match(log[0] ?? "", /refused.*invalid_api_key/);
});
