/**
 * Compares the speed of pieces of work on several connections, as ratios from one run on one database.
 *
 * @module
 */

import process from "node:process";

import type { Sql } from "postgres";

import { applyMigrations } from "../stack/migrations.ts";
import { installPgtap } from "../stack/pgtap.ts";
import { applyPlatform } from "../stack/platform.ts";
import { freePort } from "../stack/ports.ts";
import { connect, type DatabaseAccess, startPostgres } from "../stack/postgres.ts";
import { noReport } from "../stack/progress.ts";

/** Scales the benchmarks. Use SCALE=0.01 to test a benchmark itself. */
export const SCALE = Number(Deno.env.get("SCALE") ?? "1");

/** Whether PostgreSQL is durable, as in production. DURABLE=0 turns it off. */
export const DURABLE = Deno.env.get("DURABLE") !== "0";

/** Connections that work at the same time. */
export const CONNECTIONS = 16;

/** Rounds. The compared works take turns, so that other load on the machine affects all alike. */
export const ROUNDS = 5;
/** Seconds of one turn. */
export const ROUND_SECONDS = Math.max(0.2, Math.min(3, 3 * SCALE));

/** What work returns that has nothing left to do in this turn. */
export const NOTHING_LEFT = Symbol("nothing left");

/** A piece of work on a connection, of one or more round trips. It is repeated. */
export type Work = (sql: Sql) => Promise<unknown>;

/** Work that is prepared, outside the measurement, before each of its turns. */
export interface PreparedWork {
  prepare: () => Promise<void>;
  work: Work;
}

/** The speed of a piece of work in one round. */
export interface Speed {
  perSecond: number;
  /** CPU time of the client for each piece, in microseconds, without the database. */
  client: number;
}

/**
 * Starts PostgreSQL with the project's migrations in a temporary folder, and removes it afterwards. The scratch
 * database of the tests will not do: it is not durable, and does not wait for the disk.
 */
export async function withDatabase(run: (access: DatabaseAccess) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-bench-" });
  // PostgreSQL's user needs access to its data below.
  await Deno.chmod(dir, 0o755);
  const access = { port: freePort(), password: crypto.randomUUID() };
  const server = await startPostgres({ ...access, dir, durable: DURABLE });
  try {
    await installPgtap(server.extensionDir);
    const admin = connect(access, "supabase_admin");
    await applyPlatform(admin, access.password);
    await admin.end();
    const sql = connect(access, "postgres");
    await applyMigrations(sql, noReport);
    await sql.end();
    await run(access);
  } finally {
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

async function measure(
  connections: Sql[],
  piece: Work | PreparedWork,
  seconds: number,
): Promise<Speed> {
  const work = typeof piece === "function" ? piece : piece.work;
  if (typeof piece !== "function") await piece.prepare();
  const cpu = process.cpuUsage();
  const start = performance.now();
  let count = 0;
  await Promise.all(connections.map(async (sql) => {
    while (performance.now() < start + seconds * 1000) {
      if (await work(sql) === NOTHING_LEFT) break;
      count++;
    }
  }));
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / elapsed * 1000, client: (user + system) / count };
}

/** Repeats pieces of work for a while without measuring. */
export async function warmUp(connections: Sql[], works: (Work | PreparedWork)[]): Promise<void> {
  for (const work of works) await measure(connections, work, ROUND_SECONDS / 3);
}

/** Measures pieces of work in turns. Returns the speeds of each by round. */
export async function compare(
  connections: Sql[],
  works: (Work | PreparedWork)[],
): Promise<Speed[][]> {
  const speeds: Speed[][] = works.map(() => []);
  await warmUp(connections, works);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, work] of works.entries()) {
      speeds[i]?.push(await measure(connections, work, ROUND_SECONDS));
    }
  }
  return speeds;
}

/** The middle one of some values. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** The median over the rounds of the ratio of two speeds. */
export function ratio(ours: Speed[], reference: Speed[]): number {
  return median(
    ours.map(({ perSecond }, round) => perSecond / (reference[round]?.perSecond ?? NaN)),
  );
}

/** Prints one line of the table. The aim, if any, is for the ratio. */
export function print(name: string, ours: Speed[], reference: Speed[], aim?: number): void {
  const [a, b] = [ours, reference].map((speeds) => {
    const perSecond = median(speeds.map((speed) => speed.perSecond)).toFixed(0);
    const client = median(speeds.map((speed) => speed.client)).toFixed(0);
    return `${perSecond.padStart(7)}/s ${client.padStart(4)} us`;
  });
  const reached = ratio(ours, reference);
  console.log(
    `${name.padEnd(48)} ${a}  ${b}  x${reached.toFixed(2)}${judge(reached, aim)}`,
  );
}

/** The aim of a ratio, and whether it was missed. */
export function judge(reached: number, aim?: number): string {
  if (aim === undefined) return "";
  return `, aim x${aim.toFixed(2)}${reached < aim ? " MISSED" : ""}`;
}
