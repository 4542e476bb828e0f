import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import {
  type Answer,
  cronClient,
  functionsUrl,
  invoke,
  serviceClient,
  signUp,
  stack,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";

const cleanUp = (body: Record<string, unknown>) => invoke(cronClient(), "cleanup", { body });

/** Creates tasks of a user that are due for deletion. */
async function finishTasks(user: TestUser, count: number): Promise<void> {
  await withDatabase((sql) =>
    sql`insert into tasks (user_id, prompt, status, updated_at)
      select ${user.id}, 'x', 'completed', now() - interval '1 year' from generate_series(1, ${count})`
  );
}

async function countTasks(user: TestUser): Promise<number | null> {
  return (await user.client.from("tasks").select("id", { count: "exact", head: true })).count;
}

/** Changes a job for the duration of a test. */
async function withJob(
  job: string,
  change: Record<string, string | number | boolean | null>,
  run: () => Promise<void>,
): Promise<void> {
  await withDatabase(async (sql) => {
    const [before] =
      await sql`select batch_size, enabled, schedule, lease, leased_until, next_run_at
      from private.cleanup_jobs where name = ${job}`;
    await sql`update private.cleanup_jobs set ${sql(change)} where name = ${job}`;
    try {
      await run();
    } finally {
      await sql`update private.cleanup_jobs set ${sql(before ?? {})} where name = ${job}`;
    }
  });
}

function only(answer: Answer) {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.jobs.length, 1);
  return answer.body.jobs[0];
}

test("POST /cleanup does what a dry run predicts, in batches, and records it in the history", async () => {
  const user = await signUp();
  await finishTasks(user, 25);
  const foreseen = await cleanUp({ jobs: ["finished_tasks"], dry_run: true });
  assert.equal(foreseen.body.dry_run, true);
  const { outcome, rows, bytes } = only(foreseen);
  assert.equal(outcome, "due");
  assert.ok(rows >= 25);
  assert.equal(await countTasks(user), 25);

  await withJob("finished_tasks", { batch_size: 10 }, async () => {
    const run = only(await cleanUp({ jobs: ["finished_tasks"] }));
    assert.deepEqual([run.outcome, run.rows, run.bytes], ["done", rows, bytes]);
    assert.equal(run.batches, Math.floor(rows / 10) + 1);
    assert.equal(await countTasks(user), 0);

    const { body } = await invoke(cronClient(), "cleanup/runs?job=finished_tasks&limit=1");
    const [entry] = body.runs;
    assert.equal(entry.id, run.run_id);
    assert.deepEqual([entry.job, entry.outcome, entry.rows], ["finished_tasks", "done", rows]);
    assert.ok(entry.ended_at >= entry.started_at);
  });
  const again = only(await cleanUp({ jobs: ["finished_tasks"] }));
  assert.deepEqual([again.outcome, again.rows], ["done", 0]);
});

test("POST /cleanup without jobs runs the jobs that are due, and sets their next time", async () => {
  const user = await signUp();
  await finishTasks(user, 1);
  await withJob("finished_tasks", { next_run_at: "2020-01-01" }, async () => {
    const before = new Date();
    const { status, body } = await cleanUp({});
    assert.equal(status, 200);
    // The job that has been due longest comes first.
    assert.deepEqual(body.jobs[0], {
      job: "finished_tasks",
      outcome: "done",
      rows: 1,
      bytes: 0,
      batches: 1,
      run_id: body.jobs[0].run_id,
    });
    assert.equal(await countTasks(user), 0);
    const next = (await cleanUp({})).body.jobs.map(({ job }: { job: string }) => job);
    assert.ok(!next.includes("finished_tasks"));
    const health = await invoke(cronClient(), "cleanup");
    const job = health.body.jobs.find(({ job }: { job: string }) => job === "finished_tasks");
    assert.equal(job.overdue, false);
    const at = new Date(job.next_run_at);
    assert.ok(at > before);
    // 33 3 * * *, in UTC.
    assert.deepEqual([at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()], [3, 33, 0]);
  });
});

test("an overdue job is reported as overdue, and a disabled one neither runs nor is overdue", async () => {
  const health = async () => {
    const { body } = await invoke(cronClient(), "cleanup");
    return body.jobs.find(({ job }: { job: string }) => job === "finished_tasks");
  };
  await withJob("finished_tasks", { next_run_at: "2020-01-01" }, async () => {
    assert.equal((await health()).overdue, true);
  });
  await withJob("finished_tasks", { next_run_at: "2020-01-01", enabled: false }, async () => {
    assert.equal((await health()).overdue, false);
    assert.equal(only(await cleanUp({ jobs: ["finished_tasks"] })).outcome, "disabled");
    const { body } = await cleanUp({ dry_run: true });
    assert.ok(!JSON.stringify(body).includes("finished_tasks"));
    assert.equal(only(await cleanUp({ jobs: ["finished_tasks"], dry_run: true })).outcome, "due");
  });
});

test("a leased job is left to the run that has it, until that run's lease expires", async () => {
  const lease = crypto.randomUUID();
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await withJob("finished_tasks", { lease, leased_until: later }, async () => {
    const run = only(await cleanUp({ jobs: ["finished_tasks"] }));
    assert.deepEqual([run.outcome, run.rows, run.run_id], ["leased", 0, null]);
  });
  await withDatabase((sql) =>
    sql`insert into private.cleanup_runs (job) values ('finished_tasks')`
  );
  const past = new Date(Date.now() - 1).toISOString();
  await withJob("finished_tasks", { lease, leased_until: past }, async () => {
    assert.equal(only(await cleanUp({ jobs: ["finished_tasks"] })).outcome, "done");
    const { body } = await invoke(cronClient(), "cleanup/runs?job=finished_tasks&limit=2");
    assert.deepEqual(
      body.runs.map(({ outcome }: { outcome: string }) => outcome),
      ["done", "interrupted"],
    );
  });
  await withJob("finished_tasks", { lease, leased_until: later }, async () => {
    // The holder of an earlier lease can do nothing.
    const args = { job: "finished_tasks", lease: crypto.randomUUID() };
    const { data } = await serviceClient().rpc("run_cleanup_batch", args);
    assert.equal(data?.outcome, "leased");
    assert.equal((await serviceClient().rpc("end_cleanup_run", args)).data, false);
  });
});

test("a request ends after max_seconds, and the next one continues the job", async () => {
  const user = await signUp();
  await finishTasks(user, 20_000);
  await withJob("finished_tasks", { batch_size: 1, next_run_at: "2020-01-01" }, async () => {
    const first = only(await cleanUp({ jobs: ["finished_tasks"], max_seconds: 1 }));
    assert.equal(first.outcome, "more");
    assert.ok(first.rows > 0 && first.rows < 20_000);
    assert.equal(await countTasks(user), 20_000 - first.rows);
    const { body } = await invoke(cronClient(), "cleanup/runs?job=finished_tasks&limit=1");
    assert.deepEqual([body.runs[0].outcome, body.runs[0].rows], ["more", first.rows]);
    await withDatabase((sql) =>
      sql`update private.cleanup_jobs set batch_size = 5000 where name = 'finished_tasks'`
    );
    // It is still due.
    const { body: { jobs } } = await cleanUp({});
    assert.equal(jobs[0].job, "finished_tasks");
    assert.deepEqual([jobs[0].outcome, jobs[0].rows], ["done", 20_000 - first.rows]);
  });
});

test("a job that fails is reported in the response, the history and the log, and the others continue", async () => {
  await withDatabase(async (sql) => {
    await sql.unsafe(`
      insert into private.cleanup_jobs (name, description, schedule, batch_size) values ('broken', 'x', '0 0 1 1 *', 1);
      create function private.cleanup_broken(job private.cleanup_jobs, dry_run boolean) returns private.cleanup_result
      language plpgsql set search_path = '' as $$ begin
        if (select batches from private.cleanup_runs where cleanup_runs.job = 'broken' and outcome = 'running') = 1 then
          raise exception 'Broken in the second batch';
        end if;
        return row(1, 0, true, null, null)::private.cleanup_result;
      end $$`).simple();
    try {
      const { body } = await cleanUp({ jobs: ["broken", "finished_tasks"] });
      const [broken, tasks] = body.jobs;
      assert.deepEqual([broken.outcome, broken.rows, broken.batches], ["failed", 1, 1]);
      assert.equal(tasks.outcome, "done");
      const { body: { runs } } = await invoke(cronClient(), "cleanup/runs?job=broken");
      assert.equal(runs.length, 1);
      assert.equal(runs[0].outcome, "failed");
      assert.match(runs[0].error, /Broken in the second batch/);
      // Another process writes the log.
      let line = "";
      await until(async () => {
        const log = await Deno.readTextFile(`${stack.dir}/functions.log`);
        line = log.split("\n").slice(0, -1).findLast((line) => line.includes('"job":"broken"')) ??
          "";
        return line !== "";
      });
      const { level, job, outcome, rows, duration_ms, request_id } = JSON.parse(line);
      assert.deepEqual([level, job, outcome, rows], ["error", "broken", "failed", 1]);
      assert.ok(duration_ms >= 0 && request_id);

      // A job that cannot even begin is in the history too.
      await sql`drop function private.cleanup_broken(private.cleanup_jobs, boolean)`;
      assert.equal(only(await cleanUp({ jobs: ["broken"] })).outcome, "failed");
      const after = await invoke(cronClient(), "cleanup/runs?job=broken&limit=1");
      assert.match(after.body.runs[0].error, /cleanup_broken/);
    } finally {
      await sql`drop function if exists private.cleanup_broken(private.cleanup_jobs, boolean)`;
      await sql`delete from private.cleanup_jobs where name = 'broken'`;
    }
  });
});

test("of two requests for a job one runs it, and the other does not wait", async () => {
  await withDatabase(async (sql) => {
    await sql.unsafe(`
      insert into private.cleanup_jobs (name, description, schedule, batch_size) values ('slow', 'x', '0 0 1 1 *', 1);
      create function private.cleanup_slow(job private.cleanup_jobs, dry_run boolean) returns private.cleanup_result
      language plpgsql set search_path = '' as $$ begin
        perform pg_advisory_xact_lock(8);
        return row(1, 0, false, null, null)::private.cleanup_result;
      end $$`).simple();
    try {
      await sql`select pg_advisory_lock(8)`;
      const first = cleanUp({ jobs: ["slow"] });
      await until(async () =>
        (await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`).length > 0
      );
      assert.equal(only(await cleanUp({ jobs: ["slow"] })).outcome, "leased");
      await sql`select pg_advisory_unlock(8)`;
      const { outcome, rows } = only(await first);
      assert.deepEqual([outcome, rows], ["done", 1]);
      assert.equal((await sql`select 1 from cleanup_runs('slow')`).length, 1);
    } finally {
      await sql`select pg_advisory_unlock_all()`;
      await sql`drop function private.cleanup_slow(private.cleanup_jobs, boolean)`;
      await sql`delete from private.cleanup_jobs where name = 'slow'`;
    }
  });
});

test("GET /cleanup/runs returns each run once, in pages, newest first", async () => {
  for (let n = 0; n < 5; n++) await cleanUp({ jobs: ["finished_tasks"] });
  const ids: number[] = [];
  let query = "?job=finished_tasks&limit=2";
  for (let page = 0; page < 3; page++) {
    const { body } = await invoke(cronClient(), `cleanup/runs${query}`);
    ids.push(...body.runs.map(({ id }: { id: number }) => id));
    query = `?job=finished_tasks&limit=2&before=${body.next_before}`;
  }
  assert.equal(new Set(ids).size, 6);
  assert.deepEqual(ids, ids.toSorted((a, b) => b - a));
  const first = await invoke(cronClient(), `cleanup/runs?limit=1000&before=${Math.min(...ids)}`);
  assert.equal(first.body.next_before, null);
});

test("cleanup refuses unknown jobs, members and values", async () => {
  for (
    const [body, status, code] of [
      [{ jobs: ["no_such"] }, 404, "cleanup_job_not_found"],
      [{ jobs: ["finished_tasks", "no_such"], dry_run: true }, 404, "cleanup_job_not_found"],
      [{ jobs: [] }, 422, "invalid_request"],
      [{ jobs: ["a'; drop table x"] }, 422, "invalid_request"],
      [{ jobs: "finished_tasks" }, 422, "invalid_request"],
      [{ dry_run: "yes" }, 422, "invalid_request"],
      [{ max_seconds: 101 }, 422, "invalid_request"],
      [{ max_seconds: 0 }, 422, "invalid_request"],
      [{ other: 1 }, 422, "invalid_request"],
    ] as const
  ) {
    const answer = await cleanUp(body);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  const named = (await cleanUp({ jobs: ["no_such"] })).body;
  assert.equal(named.job, "no_such");
  for (const query of ["limit=0", "limit=1001", "before=x", "before=0", "job=A", "other=1"]) {
    assert.equal((await invoke(cronClient(), `cleanup/runs?${query}`)).status, 422, query);
  }
  assert.equal((await invoke(cronClient(), "cleanup/runs?job=no_such")).status, 404);
  const headers = { apikey: stack.cronKey };
  const empty = await fetchChecked(`${functionsUrl}/cleanup`, { method: "POST", headers });
  assert.equal(empty.status, 400);
  await empty.body?.cancel();
});

test("a job that is named twice runs once", async () => {
  assert.equal(only(await cleanUp({ jobs: ["finished_tasks", "finished_tasks"] })).outcome, "done");
});
