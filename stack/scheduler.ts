/**
 * Calls cleanup jobs when they are due, like pg_cron and pg_net on the platform: with the same schedules, the same
 * request and the same key, and without waiting for the result.
 *
 * @module
 */

import { Cron } from "croner";

import { connect, type DatabaseAccess } from "./postgres.ts";

/** What the scheduler needs. */
export interface SchedulerOptions {
  access: DatabaseAccess;
  apiUrl: string;
  /** The secret key named `cron`. */
  cronKey: string;
  /** Receives a line for each call that failed. */
  log: (line: string) => void;
  /** When to check the schedules. Default: every minute, like pg_cron. */
  every?: string;
}

/** A running scheduler. */
export interface Scheduler {
  /** Calls the jobs that are scheduled for the minute of `at`. */
  tick(at: Date): Promise<void>;
  /** Stops calling, and aborts pending calls. */
  stop(): Promise<void>;
}

/** The timeout of pg_net. */
const TIMEOUT_MS = 60_000;

const UTC = { timezone: "UTC" };

/**
 * Starts a scheduler. It first calls the jobs that became due while it was not running.
 *
 * @param options The database with the schedules, and the URL to call.
 */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();

  const call = async (body: string) => {
    try {
      const response = await fetch(`${options.apiUrl}/functions/v1/cleanup`, {
        method: "POST",
        headers: { "content-type": "application/json", apikey: options.cronKey },
        body,
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      if (!response.ok) {
        options.log(`The function cleanup refused a scheduled call: ${await response.text()}`);
      } else await response.body?.cancel();
    } catch (error) {
      if (!stopping.signal.aborted) {
        options.log(`A scheduled call of the function cleanup got no response: ${error}`);
      }
    }
  };
  const tick = async (at: Date) => {
    // A connection of its own: the last one may have been lost.
    const sql = connect(options.access, "postgres");
    try {
      const schedules = await sql`select schedule, request::text from private.cleanup_schedules`;
      const due = schedules.filter(({ schedule }) => new Cron(schedule, UTC).match(minuteOf(at)));
      await Promise.all(due.map(({ request }) => call(request)));
    } catch (error) {
      if (!stopping.signal.aborted) {
        options.log(`Cannot read the schedules of cleanup jobs: ${error}`);
      }
    } finally {
      await sql.end();
    }
  };
  const start = (work: Promise<void>) => {
    underWay.add(work);
    work.finally(() => underWay.delete(work));
  };

  start(call("{}"));
  const clock = new Cron(options.every ?? "* * * * *", UTC, () => start(tick(new Date())));
  return {
    tick,
    async stop() {
      clock.stop();
      stopping.abort();
      await Promise.all(underWay);
    },
  };
}

function minuteOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 60_000) * 60_000);
}
