/**
 * Runs cleanup jobs, one batch of each in turn, until all are done or the time is over.
 *
 * A batch is one call and one transaction, which also writes the history and renews the lease that keeps other requests
 * off the job. If this process ends early, only whole batches were done, and the rest is still due.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { call } from "../_shared/rpc.ts";
import { removeQueuedObjects } from "../_storage/removals.ts";
import { continueExport } from "./exports.ts";
import { pauseAfter } from "./pauses.ts";

type Client = SupabaseClient<Database>;

/** What a run of a job did. */
export interface RunResult {
  job: string;
  /**
   * `done` if nothing more is due, `more` if the time was over, `leased` if another run has the job, `disabled`, or
   * `failed`.
   */
  outcome: string;
  rows: number;
  bytes: number;
  batches: number;
  run_id: number | null;
  /** Why it failed. */
  error?: string;
  /** Findings that a person has to look at. */
  report?: unknown[];
}

/** How to run jobs. */
export interface RunOptions {
  /** Seconds after which no new batch begins. */
  seconds: number;
  /** Id of the request, for the log. */
  requestId: string;
}

/** What a job did outside the database. */
interface DoneOutside {
  rows: number;
  bytes: number;
  failed: number;
}

/** What a job does outside the database after each batch but the last. */
const OUTSIDE: Record<string, (client: Client, batch: number) => Promise<DoneOutside>> = {
  storage_removals: removeQueuedObjects,
  account_exports: continueExport,
};

/** Bytes after which a run ends, because compressing them costs CPU time: about 1 s for these. */
const MOST_BYTES: Record<string, number> = { account_exports: 24 * 1024 * 1024 };

/** Limit of batches in a run. Each takes about 1 ms of CPU time, and the platform allows a request 2 s. */
const MOST_BATCHES = 500;

/** Findings that a run reports: as many as the history keeps. */
const MOST_FINDINGS = 20;

/**
 * Runs jobs.
 *
 * @param client Client with the secret key.
 * @param jobs The jobs, with their schedules.
 * @param options Time limit and request id.
 * @returns The result of each. A job that fails does not stop the others.
 */
export async function runJobs(
  client: Client,
  jobs: { job: string; schedule: string }[],
  options: RunOptions,
): Promise<RunResult[]> {
  const end = performance.now() + options.seconds * 1000;
  // Loaded on use, so that the other routes do not pay for it at a cold start.
  const { Cron } = await import("croner");
  // In UTC like pg_cron.
  const nextTime = (schedule: string) =>
    new Cron(schedule, { timezone: "UTC" }).nextRun()?.toISOString();
  const runs = jobs.map(({ job, schedule }) => new Run(client, job, nextTime(schedule)));
  let pending = runs;
  for (let batches = 0; pending.length > 0; pending = pending.filter((run) => !run.ended)) {
    for (const run of pending) {
      if (performance.now() < end && batches++ < MOST_BATCHES) {
        const begun = performance.now();
        await run.step();
        if (!run.ended) await pause(pauseAfter(run.result.job, performance.now() - begun));
      } else await run.stop();
    }
  }
  for (const run of runs) logRun(run, options.requestId);
  return runs.map((run) => run.result);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

class Run {
  readonly result: RunResult;
  ended = false;
  /** The cause of a failure, for operators. */
  cause: string | undefined;
  readonly begun = performance.now();
  /** Chosen here, so that the lease can be given back even if the response to the first batch is lost. */
  readonly #lease = crypto.randomUUID();
  /** Work done outside the database that is not in the history yet. */
  #removed = { rows: 0, bytes: 0 };

  constructor(
    readonly client: Client,
    job: string,
    readonly nextRunAt: string | undefined,
  ) {
    this.result = { job, outcome: "more", rows: 0, bytes: 0, batches: 0, run_id: null };
  }

  /** Runs a batch. */
  async step(): Promise<void> {
    const { result } = this;
    try {
      const args = {
        job: result.job,
        ...this.#removed,
        lease: this.#lease,
        ...(this.nextRunAt !== undefined && { next_run_at: this.nextRunAt }),
      };
      const batch = await call(() => this.client.rpc("run_cleanup_batch", args));
      this.#removed = { rows: 0, bytes: 0 };
      result.outcome = batch.outcome ?? "more";
      result.rows += batch.rows ?? 0;
      result.bytes += batch.bytes ?? 0;
      result.run_id ??= batch.run_id;
      if (Array.isArray(batch.report)) {
        result.report = [...result.report ?? [], ...batch.report].slice(0, MOST_FINDINGS);
      }
      this.ended = result.outcome !== "more";
      if (batch.run_id !== null) result.batches++;
      if (this.ended) return;
      await this.#doOutside(batch.batch_size ?? 1);
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Ends the run before everything is done. */
  async stop(): Promise<void> {
    this.ended = true;
    if (this.result.batches > 0) await this.#end();
  }

  async #doOutside(batch: number): Promise<void> {
    const outside = OUTSIDE[this.result.job];
    if (!outside) return;
    const { rows, bytes, failed } = await outside(this.client, batch);
    this.#removed = { rows, bytes };
    this.result.rows += rows;
    this.result.bytes += bytes;
    // Storage is failing, so this run ends; its objects are tried again later.
    if (failed > 0 && rows === 0) throw new Error(`Storage failed for all ${failed} objects`);
    if (this.result.bytes >= (MOST_BYTES[this.result.job] ?? Infinity)) await this.stop();
  }

  async #fail(error: unknown): Promise<void> {
    this.ended = true;
    this.result.outcome = "failed";
    this.result.error = error instanceof Error ? error.message : String(error);
    this.cause = describeFailure(error);
    await this.#end(this.cause);
  }

  /** Records the end in the history. If that fails too, the lease expires on its own. */
  async #end(error?: string): Promise<void> {
    const args = {
      job: this.result.job,
      ...this.#removed,
      lease: this.#lease,
      ...(error !== undefined && { error }),
    };
    try {
      await call(() => this.client.rpc("end_cleanup_run", args));
    } catch (failure) {
      logLine("error", { function: "cleanup", job: this.result.job, message: `${failure}` });
    }
  }
}

/** What the database or Storage said. The problem itself has only what callers may see. */
function describeFailure(error: unknown): string {
  const { code, message, cause } = error as Error & { code?: string };
  const reason = (cause as { message?: string } | undefined)?.message ?? message ?? String(error);
  return error instanceof Problem ? `${code}: ${reason}` : reason;
}

function logRun({ result, begun, cause }: Run, request_id: string): void {
  const level = result.outcome === "failed" || result.report ? "error" : "info";
  const duration_ms = Math.round(performance.now() - begun);
  logLine(level, {
    function: "cleanup",
    request_id,
    ...result,
    ...(cause && { cause }),
    duration_ms,
  });
}
