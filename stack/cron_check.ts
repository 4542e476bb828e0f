/**
 * Checks that cleanup jobs run on a schedule in a database with pg_cron: on PostgreSQL 15 from Debian's packages, with
 * the real pg_cron and a stand-in for pg_net that records the calls. Also runs the pgTAP tests and `supabase db lint`
 * there.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Sql } from "postgres";

import { installPackages, withDebianPostgres } from "./debian_postgres.ts";
import { applyMigrations } from "./migrations.ts";
import { supabaseCli } from "./npm_tools.ts";
import { PROJECT_DIR } from "./options.ts";
import { executeOn, runPgtap } from "./pgtap_runner.ts";
import { connect, type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { noReport } from "./progress.ts";
import { sum } from "./test_outcome.ts";

/** The result of a check that could not run. */
export interface NotRun {
  notRun: string;
}

/** pg_cron starts jobs at the full minute. */
const PATIENCE_MS = 90_000;

const EVERY_MINUTE = "* * * * *";

/** Runs the check. */
export async function checkCron(): Promise<string | NotRun | undefined> {
  const missing = await installPackages();
  if (missing) return { notRun: missing };
  return await withDebianPostgres(async (access) => {
    const sql = connect(access, "postgres");
    try {
      await applyMigrations(sql, noReport);
      await checkSchedules(sql);
      await setSecrets(sql);
      // Registered now and checked at the end, so that the minute passes meanwhile.
      const jobs = await registerForNextMinute(sql);
      const findings = await lint(access) ?? await runTests(access);
      if (findings) return findings;
      await checkCalls(sql, jobs);
    } catch (error) {
      if (error instanceof assert.AssertionError) return error.message;
      throw error;
    } finally {
      await sql.end();
    }
  });
}

/** Checks that the migration registers each job once, and that disabled jobs are unregistered. */
async function checkSchedules(sql: Sql): Promise<void> {
  const wanted = async () => {
    const jobs = await sql`select name, schedule from private.cleanup_jobs where enabled`;
    const schedules = jobs.map((job) => [`cleanup:${job.name}`, job.schedule]);
    return [["cleanup", "*/10 * * * *"], ...schedules].sort();
  };
  const registered = async () =>
    (await sql`select jobname, schedule from cron.job`).map((job) => [job.jobname, job.schedule])
      .sort();
  const again = async () => {
    const [row] = await sql`select private.schedule_cleanups() as count`;
    assert.equal(row?.count, (await wanted()).length);
    assert.deepEqual(await registered(), await wanted());
  };
  assert.deepEqual(await registered(), await wanted(), "The migration must register all schedules");
  await again();
  await again();
  await sql`select cron.schedule('another', '0 0 1 1 *', 'select 1')`;
  await sql`update private.cleanup_jobs set schedule = '7 7 * * *' where name = 'finished_tasks'`;
  await sql`update private.cleanup_jobs set enabled = false where name = 'stale_drafts'`;
  await sql`select private.schedule_cleanups()`;
  const others = await sql`select cron.unschedule('another') as removed`;
  assert.equal(others[0]?.removed, true, "Schedules of others must stay");
  await again();
  await sql`update private.cleanup_jobs set enabled = true where name = 'stale_drafts'`;
  await again();
}

/** Sets the secrets as the documentation says. */
async function setSecrets(sql: Sql): Promise<void> {
  await assert.rejects(sql`select private.call_cleanup('{}')`, { code: "P0002" });
  const page = await Deno.readTextFile(`${PROJECT_DIR}/docs/cleanup.md`);
  const statements = page.match(/```sql\n\s*(select vault\.create_secret[\s\S]*?)```/)?.[1];
  assert.ok(statements, "docs/cleanup.md must say how to set the secrets");
  await sql.unsafe(statements).simple();
}

async function registerForNextMinute(sql: Sql): Promise<string[]> {
  await sql`update private.cleanup_jobs set schedule = ${EVERY_MINUTE}`;
  await sql`select private.schedule_cleanups()`;
  return (await sql`select name from private.cleanup_jobs`).map(({ name }) => name);
}

async function lint(access: DatabaseAccess): Promise<string | undefined> {
  const remote = `--remote=${databaseUrl(access, "postgres")}`;
  const { code, stdout, output } = await supabaseCli(
    ...["db", "lint", remote, "--level", "warning", "--schema", "public,private"],
  );
  // It prints findings as JSON.
  if (code !== 0 || /^\[/m.test(stdout)) return `supabase db lint found:\n${output}`;
  if (!/Linting schema: private/.test(output)) {
    return `supabase db lint checked nothing:\n${output}`;
  }
}

async function runTests(access: DatabaseAccess): Promise<string | undefined> {
  const { passed, failed } = sum(await runPgtap(executeOn(databaseUrl(access, "postgres"))));
  if (failed > 0 || passed === 0) {
    return `${failed} pgTAP tests failed on PostgreSQL 15: see above.`;
  }
}

/** Checks that pg_cron has called each job at the right address, with the key and enough time to respond. */
async function checkCalls(sql: Sql, jobs: string[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  const called = async () =>
    new Set((await sql`select body from net.calls`).flatMap(({ body }) => body.jobs ?? []));
  while ((await called()).size < jobs.length) {
    assert.ok(Date.now() < deadline, `pg_cron has called only these jobs: ${[...await called()]}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await sql`select cron.unschedule(jobname) from cron.job`;
  const calls = await sql`select url, headers, body, timeout_milliseconds from net.calls`;
  for (const call of calls) {
    assert.equal(call.url, "https://YOUR-PROJECT.supabase.co/functions/v1/cleanup");
    assert.equal(call.headers.apikey, "sb_secret_...");
    assert.ok(call.timeout_milliseconds > 25_000);
  }
  const asked = calls.map(({ body }) => JSON.stringify(body)).filter((body) => body !== "{}");
  assert.deepEqual([...new Set(asked)].sort(), jobs.map((job) => `{"jobs":["${job}"]}`).sort());
  const failures =
    await sql`select command, return_message from cron.job_run_details where status = 'failed'`;
  assert.deepEqual([...failures], []);
}
