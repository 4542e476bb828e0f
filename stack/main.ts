/**
 * The commands of the local stack: start, stop, reset, status.
 *
 * @module
 */

import { taskCommand, unknownArgument } from "./command.ts";
import { StackFailure } from "./failure.ts";
import { launcherEnds } from "./launcher.ts";
import { acquireLock, lockHolder, stopHolder } from "./lock.ts";
import { readOptions, type StackOptions } from "./options.ts";
import { removeData } from "./postgres.ts";
import { printReport, say } from "./progress.ts";
import { nextSignal } from "./signals.ts";
import { type Stack, startStack } from "./stack.ts";

const HELP =
  `The local stack: PostgreSQL, REST, Auth, Storage, Realtime and the Edge Functions, without Docker.

  ${taskCommand("start")}     start the stack and show the log of the functions; Ctrl-C stops it
  ${taskCommand("stop")}      stop the stack that is running in another terminal
  ${
    taskCommand("reset")
  }     stop the stack and delete its data: users, rows and files; the keys stay
  ${taskCommand("status")}    show whether the stack is running, and its addresses and keys

Environment
  STACK_DIR        folder for data, keys and logs       (default .stack)
  STACK_API_PORT   port of the API on 127.0.0.1         (default 54321)
  STACK_DB_PORT    port of PostgreSQL on 127.0.0.1      (default 54322)
  STACK_MAIL_PORT  port of the e-mails on 127.0.0.1     (default 54324)
  STACK_DENO       Deno executable for the functions    (default this one)
  STACK_SCHEDULER  on or off: whether cleanup jobs run on a schedule  (default on)
`;

const COMMANDS: Record<string, (options: StackOptions) => Promise<void>> = {
  start,
  stop,
  reset,
  status,
};

async function start(options: StackOptions): Promise<void> {
  const orphaned = launcherEnds();
  const stack = await startStack(options, {
    report: printReport,
    log: say,
    watch: true,
    durable: true,
    schedule: options.schedule,
  });
  // Before it says that it runs: a Ctrl-C at that very moment must find a listener.
  const end = Promise.race([
    nextSignal(),
    orphaned.then(() => "the program that started it has ended" as const),
    stack.postgres.ended.then(() => "PostgreSQL's end" as const),
    nextFault(),
  ]);
  printSummary(stack, options);
  const signal = await end;
  if (signal === "PostgreSQL's end") {
    say(`\nPostgreSQL stopped unexpectedly. Its log: ${stack.postgres.dir}/postgres.log`);
  }
  say(`\nStopping (${signal})`);
  await stack.stop();
  say("Stopped. The data has been kept.");
  Deno.exit(signal === "PostgreSQL's end" || signal === "a fault" ? 1 : 0);
}

/** Where the database driver throws outside of any call when a PostgreSQL backend dies during a write. */
const DRIVER = /\/postgres\/(src|cjs\/src)\/connection\.js/;

/** Codes of a lost socket. The driver also rejects a query of its own with them, which nobody waits for. */
const LOST_SOCKET = ["ECONNRESET", "EPIPE"];

/**
 * Waits for an uncaught error, upon which the stack stops in order. The database driver's own is none
 * (https://github.com/porsager/postgres/issues/1154): `kept_lite.ts` replaces its connections.
 */
function nextFault(): Promise<"a fault"> {
  return new Promise((resolve) => {
    const end = (event: ErrorEvent | PromiseRejectionEvent) => {
      event.preventDefault();
      const error = "reason" in event ? event.reason : event.error;
      if (DRIVER.test(error?.stack ?? "") || LOST_SOCKET.includes(error?.code)) return;
      say(`\nUnexpected error: ${error?.stack ?? error}`);
      resolve("a fault");
    };
    globalThis.addEventListener("error", end);
    globalThis.addEventListener("unhandledrejection", end);
  });
}

function printSummary(stack: Stack, options: StackOptions): void {
  const { environment } = stack;
  say(`
Strongroom is running. Press Ctrl-C to stop it; the data is kept.

  API              ${environment.SUPABASE_URL}
  Functions        ${environment.SUPABASE_URL}/functions/v1/
  Database         ${environment.SUPABASE_DB_URL}
  Publishable key  ${environment.SUPABASE_PUBLISHABLE_KEY}
  Secret key       ${environment.SUPABASE_SECRET_KEY}
  E-mails          ${environment.SUPABASE_MAIL_URL ?? "not shown: local_smtp is off in config.toml"}

${options.dir}/env contains these values. The file services.log in the same folder contains the errors of REST, Auth and
Storage. Try:

  curl ${environment.SUPABASE_URL}/functions/v1/credits/openapi.json

The log of the functions follows.
`);
}

async function stop(options: StackOptions): Promise<void> {
  say(await stopHolder(options.dir) ? "Stopped." : "No stack is running here.");
}

async function reset(options: StackOptions): Promise<void> {
  await stop(options);
  const lock = await acquireLock(options.dir);
  await removeData(options.dir);
  await Deno.remove(`${options.dir}/supabase`, { recursive: true }).catch(() => {});
  await Deno.remove(`${options.dir}/env`).catch(() => {});
  await lock.release();
  say("The data has been deleted. The next start creates an empty database.");
}

async function status(options: StackOptions): Promise<void> {
  const pid = await lockHolder(options.dir);
  if (pid === undefined) {
    say(`No stack is running here. Start one with: ${taskCommand("start")}`);
    Deno.exit(3);
  }
  say(`Running (process ${pid}). Contents of ${options.dir}/env:\n`);
  say(await Deno.readTextFile(`${options.dir}/env`));
}

if (import.meta.main) {
  const [name, ...rest] = Deno.args;
  const command = name === undefined ? undefined : COMMANDS[name];
  // A command takes no arguments.
  const unknown = unknownArgument(command ? rest : Deno.args, () => false);
  if (!command || unknown || rest.length > 0) {
    say(unknown ? `${unknown}.\n\n${HELP}` : HELP);
    Deno.exit(unknown ? 2 : 0);
  }
  try {
    await command(await readOptions());
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`\n${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
