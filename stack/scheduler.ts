/**
 * Calls for cleanups when they are due, as pg_cron and pg_net do on the platform: the same schedules, the same request, the
 * same key, and nobody who asks what came of it.
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
  /** Takes a line about a call that failed. */
  log: (line: string) => void;
  /** When it looks what is due; default every minute, as pg_cron does. */
  every?: string;
}

/** A scheduler at work. */
export interface Scheduler {
  /** Calls for what a schedule says for the minute of `at`. */
  tick(at: Date): Promise<void>;
  /** Calls no more, and drops the calls under way. */
  stop(): Promise<void>;
}

/** As long as pg_net waits. */
const TIMEOUT_MS = 60_000;

const UTC = { timezone: "UTC" };

/**
 * Starts a scheduler. It begins with a call for what has come due while nothing ran.
 *
 * @param options Where the schedules are, and whom to call.
 */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const sql = connect(options.access, "postgres");
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
      if (!response.ok) options.log(`A cleanup was refused: ${await response.text()}`);
      else await response.body?.cancel();
    } catch (error) {
      if (!stopping.signal.aborted) options.log(`A cleanup was not answered: ${error}`);
    }
  };
  const tick = async (at: Date) => {
    try {
      const schedules = await sql`select schedule, request::text from private.cleanup_schedules`;
      const due = schedules.filter(({ schedule }) => new Cron(schedule, UTC).match(minuteOf(at)));
      await Promise.all(due.map(({ request }) => call(request)));
    } catch (error) {
      if (!stopping.signal.aborted) {
        options.log(`The schedules of cleanups cannot be read: ${error}`);
      }
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
      await sql.end({ timeout: 1 });
    },
  };
}

function minuteOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 60_000) * 60_000);
}
