/**
 * PostgreSQL as a child process: made, started, stopped, and never left behind.
 *
 * @module
 */

import postgres from "postgres";

import { StackFailure } from "./failure.ts";
import { findPostgres, type PostgresBinaries, reachableDir } from "./postgres_binaries.ts";

const MAJOR_VERSION = "17";

/** A running PostgreSQL. */
export interface Postgres {
  /** Process id of the server, for tests that kill it. */
  readonly pid: number;
  /** Ends when the server has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Folder of data and log. */
  readonly dir: string;
  /** Whether the data folder was made by this start. */
  readonly fresh: boolean;
  readonly extensionDir: string;
  /** Shuts the server down, disconnecting its clients, and waits for it. */
  stop(): Promise<void>;
}

/** How to start PostgreSQL. */
export interface PostgresOptions {
  /** The stack's folder. */
  dir: string;
  /** Port on 127.0.0.1. */
  port: number;
  /** Whether data must survive the machine's sudden death; false for the stacks of tests. */
  durable: boolean;
}

/**
 * Starts PostgreSQL, initialising its data folder first where there is none.
 *
 * @throws {StackFailure} when the folder is another version's or the server does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await findPostgres();
  const dir = await reachableDir(`${options.dir}/postgres`, binaries.user);
  const data = `${dir}/data`;
  const fresh = await initialise(binaries, data);
  await waitForPredecessor(data);

  const child = spawnServer(binaries, dir, options);
  const guard = spawnGuard(binaries, data);
  const ended = child.status.then(() => {});
  await waitUntilReady(options.port, child, dir);

  return {
    pid: child.pid,
    ended,
    dir,
    fresh,
    extensionDir: binaries.extensionDir,
    async stop() {
      try {
        child.kill("SIGINT");
      } catch { /* it has ended already */ }
      await ended;
      await guard.stdin.close().catch(() => {});
      await guard.status;
    },
  };
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
 * @param port Port on 127.0.0.1.
 * @param user `postgres` (as migrations run), `supabase_admin` (the superuser) or a service's role.
 * @param options Passed to the driver.
 */
export function connect(
  port: number,
  user: "postgres" | "supabase_admin",
  options: postgres.Options<Record<string, never>> = {},
): postgres.Sql {
  return postgres(databaseUrl(port, user), { onnotice: () => {}, max: 1, ...options });
}

/** The connection string of a role. All local roles have the password `postgres`. */
export function databaseUrl(port: number, user: string): string {
  return `postgresql://${user}:postgres@127.0.0.1:${port}/postgres`;
}

async function initialise(binaries: PostgresBinaries, data: string): Promise<boolean> {
  const version = await Deno.readTextFile(`${data}/PG_VERSION`).catch(() => undefined);
  if (version !== undefined) {
    if (version.trim() === MAJOR_VERSION) return false;
    throw new StackFailure(
      `The data folder was made by PostgreSQL ${version.trim()}, this is ${MAJOR_VERSION}`,
      "Empty it: deno task reset",
    );
  }
  // Under another name until it is whole: an interrupted initdb is done again, not found half made.
  const partial = `${data}.partial`;
  await Deno.remove(partial, { recursive: true }).catch(() => {});
  const passwordFile = await Deno.makeTempFile({ dir: data.replace(/\/data$/, "") });
  await Deno.writeTextFile(passwordFile, "postgres\n");
  if (binaries.user.uid !== undefined) await Deno.chown(passwordFile, binaries.user.uid, null);
  const { success, stderr } = await new Deno.Command(binaries.initdb, {
    args: [
      `--pgdata=${partial}`,
      "--username=supabase_admin",
      "--auth=scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--encoding=UTF8",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
      "--no-sync",
    ],
    ...binaries.user,
    cwd: "/",
  }).output();
  await Deno.remove(passwordFile);
  if (!success) {
    throw new StackFailure(
      `initdb failed: ${new TextDecoder().decode(stderr).trim()}`,
      "Check that the folder can be written, or set STACK_DIR to one that can.",
    );
  }
  await Deno.rename(partial, data);
  return true;
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
    ...(!options.durable && { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return new Deno.Command("sh", {
    // A file takes the log, not a pipe: a pipe would break with the process that reads it.
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
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Stops the server when this process dies without doing so: its end of the pipe closes then. */
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
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** After a kill -9 the guard of the last run may still be shutting its server down. */
async function waitForPredecessor(data: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (true) {
    const file = await Deno.readTextFile(`${data}/postmaster.pid`).catch(() => undefined);
    const pid = Number(file?.split("\n")[0]);
    if (!pid || !isAlive(pid)) return;
    if (Date.now() > deadline) {
      throw new StackFailure(
        `Another PostgreSQL (process ${pid}) uses ${data}`,
        `Stop it, or remove ${data}/postmaster.pid if that process is something else.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 is not offered; SIGCONT does nothing to a process that runs.
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied;
  }
}

async function waitUntilReady(port: number, child: Deno.ChildProcess, dir: string): Promise<void> {
  let exited = false;
  child.status.then(() => exited = true);
  while (true) {
    if (exited) {
      const log = await Deno.readTextFile(`${dir}/postgres.log`).catch(() => "");
      throw new StackFailure(
        `PostgreSQL did not start: ${log.trim().split("\n").slice(-3).join(" / ")}`,
        "If its data is damaged, empty it: deno task reset",
      );
    }
    const sql = connect(port, "supabase_admin", { connect_timeout: 5 });
    try {
      await sql`select 1`;
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 30));
    } finally {
      await sql.end();
    }
  }
}
