/**
 * Runs PostgreSQL as a child process, and never leaves it behind.
 *
 * @module
 */

import postgres, { type PostgresError } from "postgres";

import { taskCommand } from "./command.ts";
import { StackFailure } from "./failure.ts";
import { initialise } from "./initdb.ts";
import { findPostgres, type PostgresBinaries, reachableDir } from "./postgres_binaries.ts";
import { within } from "./within.ts";

/** A running PostgreSQL. */
export interface Postgres {
  /** Process id of the server, for tests that kill it. */
  readonly pid: number;
  /** Resolves when the server has ended. */
  readonly ended: Promise<void>;
  /** Folder of data and log. */
  readonly dir: string;
  readonly extensionDir: string;
  /** Shuts the server down, disconnecting its clients, and waits for it. */
  stop(): Promise<void>;
}

/** What is needed to connect to the database. */
export interface DatabaseAccess {
  /** Port on 127.0.0.1. */
  port: number;
  /** Password of the superuser and of the roles of the services; that of `postgres` is `postgres`. */
  password: string;
}

/** How to start PostgreSQL. */
export interface PostgresOptions extends DatabaseAccess {
  /** The stack's folder. */
  dir: string;
  /** Whether data must survive a crash of the machine. False for stacks of tests. */
  durable: boolean;
  /** The PostgreSQL to use. Default: the one from npm. */
  binaries?: PostgresBinaries;
  /** Additional settings of the server. */
  settings?: Record<string, string>;
}

/**
 * Starts PostgreSQL. Initializes its data folder first if it does not exist.
 *
 * @throws {StackFailure} if the folder belongs to another version or the server does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = options.binaries ?? await findPostgres();
  const dir = await reachableDir(`${options.dir}/postgres`, binaries.user);
  const data = `${dir}/data`;
  await initialise(binaries, data, options.password);

  const deadline = Date.now() + PREDECESSOR_PATIENCE_MS;
  while (true) {
    try {
      return await launch(binaries, dir, options);
    } catch (error) {
      if (!(error instanceof PredecessorLingers)) throw error;
      if (Date.now() > deadline) {
        throw new StackFailure(
          "Processes of the previous PostgreSQL are still running",
          `Wait until they have ended, or end the postgres processes that use ${data}.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Milliseconds that PostgreSQL may take to write its memory to disk. */
const STOP_PATIENCE_MS = 30_000;

/** The previous server was killed, and a busy child process has not noticed yet. */
class PredecessorLingers extends Error {}

async function launch(
  binaries: PostgresBinaries,
  dir: string,
  options: PostgresOptions,
): Promise<Postgres> {
  const data = `${dir}/data`;
  const logged = await Deno.stat(`${dir}/postgres.log`).then(({ size }) => size, () => 0);
  const child = spawnServer(binaries, dir, options);
  const guard = spawnGuard(binaries, data);
  const ended = child.status.then(() => {});
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch { /* it has ended already */ }
  };
  const stop = async () => {
    kill("SIGINT");
    await within(STOP_PATIENCE_MS, ended);
    // Stops at once. The next start recovers.
    kill("SIGQUIT");
    await ended;
    await guard.stdin.close().catch(() => {});
    await guard.status;
  };
  try {
    await waitUntilReady(options, child, dir, logged);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, ended, dir, extensionDir: binaries.extensionDir, stop };
}

/** Removes the data folder of the stack in `dir`. The stack must not be running. */
export async function removeData(dir: string): Promise<void> {
  const { user } = await findPostgres();
  const data = await reachableDir(`${dir}/postgres`, user);
  await Deno.remove(data, { recursive: true });
}

/**
 * Connects to the stack's database.
 *
 * @param access Port and password.
 * @param user `postgres` (the role that runs migrations) or `supabase_admin` (the superuser).
 * @param options Passed to the driver.
 */
export function connect(
  access: DatabaseAccess,
  user: "postgres" | "supabase_admin",
  options: postgres.Options<Record<string, never>> = {},
): postgres.Sql {
  return postgres(databaseUrl(access, user), { onnotice: () => {}, max: 1, ...options });
}

/** The connection string of a role. */
export function databaseUrl(access: DatabaseAccess, user: string): string {
  const password = user === "postgres" ? "postgres" : access.password;
  return `postgresql://${user}:${password}@127.0.0.1:${access.port}/postgres`;
}

function spawnServer(
  binaries: PostgresBinaries,
  dir: string,
  options: PostgresOptions,
): Deno.ChildProcess {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: options.port,
    unix_socket_directories: "",
    max_connections: 200,
    wal_level: "logical",
    log_min_messages: "warning",
    // A connection on which nothing is sent delays the stop of the server that long, if it was opened during the stop.
    authentication_timeout: "5s",
    ...(!options.durable && { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return new Deno.Command("sh", {
    // Logs to a file, because a pipe would break when the process that reads it ends.
    args: [
      "-c",
      'exec "$0" "$@" >>"$STACK_LOG" 2>&1',
      binaries.postgres,
      "-D",
      `${dir}/data`,
      ...args,
    ],
    env: { STACK_LOG: `${dir}/postgres.log`, LC_ALL: "C" },
    ...binaries.user,
    cwd: "/",
    // A Ctrl-C in the terminal must not reach it: it would end before the programs that use it.
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Stops the server if this process dies without stopping it, because its end of the pipe then closes. */
function spawnGuard(binaries: PostgresBinaries, data: string): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: [
      "-c",
      'trap "" INT TERM HUP; cat >/dev/null; exec "$0" stop -D "$1" -m fast -s',
      binaries.pgCtl,
      data,
    ],
    ...binaries.user,
    cwd: "/",
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/**
 * Waits until no PostgreSQL runs on the data of a stack. After a kill -9, the guard of the last run may still be
 * shutting down its server.
 *
 * @param stackDir The stack's folder.
 * @throws {StackFailure} if one keeps running.
 */
export async function waitForPredecessor(stackDir: string): Promise<void> {
  const binaries = await findPostgres();
  const data = `${await reachableDir(`${stackDir}/postgres`, binaries.user)}/data`;
  const deadline = Date.now() + PREDECESSOR_PATIENCE_MS;
  while (await serverRuns(binaries, data)) {
    if (Date.now() > deadline) {
      throw new StackFailure(
        `Another PostgreSQL server is using ${data}`,
        `Stop that server. If no PostgreSQL server is running, remove ${data}/postmaster.pid.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** PostgreSQL writes its memory to disk before it ends, which can take a while. */
const PREDECESSOR_PATIENCE_MS = 60_000;

async function serverRuns(binaries: PostgresBinaries, data: string): Promise<boolean> {
  const { success } = await new Deno.Command(binaries.pgCtl, {
    args: ["status", "-D", data],
    ...binaries.user,
    cwd: "/",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

async function waitUntilReady(
  options: PostgresOptions,
  child: Deno.ChildProcess,
  dir: string,
  logged: number,
): Promise<void> {
  let exited = false;
  child.status.then(() => exited = true);
  while (true) {
    if (exited) {
      const bytes = await Deno.readFile(`${dir}/postgres.log`).catch(() => new Uint8Array());
      const log = new TextDecoder().decode(bytes.subarray(logged));
      if (log.includes("pre-existing shared memory block")) throw new PredecessorLingers();
      throw new StackFailure(
        `PostgreSQL did not start: ${log.trim().split("\n").slice(-3).join(" / ")}`,
        `If its data is damaged, delete it with: ${taskCommand("reset")}`,
      );
    }
    try {
      if (await isReachable(options)) return;
    } catch {
      throw new StackFailure(
        "The data was created with keys that differ from those in keys.json",
        `Delete the data with: ${taskCommand("reset")}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Milliseconds that an attempt to reach the server may take. */
const ATTEMPT_MS = 5_000;

/**
 * Whether the server answers a query. It may end meanwhile, and the driver then waits for ever: hence the limit.
 *
 * @param access Port and password.
 * @throws {PostgresError} if the password is wrong.
 */
export async function isReachable(access: DatabaseAccess): Promise<boolean> {
  const sql = connect(access, "supabase_admin", { fetch_types: false });
  try {
    return await within(ATTEMPT_MS, sql`select 1`) !== undefined;
  } catch (error) {
    if ((error as PostgresError).code === INVALID_PASSWORD) throw error;
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** SQLSTATE of a login with a wrong password. */
const INVALID_PASSWORD = "28P01";
