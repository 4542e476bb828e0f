/**
 * A lane: a stack of its own, on which files of tests run one after the other while other lanes run others. So no file shares
 * users, settings, jobs or a database with one that runs at the same time, whatever it does to them.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { fileURLToPath } from "node:url";

import { runDenoFile } from "./deno_runner.ts";
import { StackFailure } from "./failure.ts";
import { PROJECT_DIR } from "./options.ts";
import { executeOn, runPgtap } from "./pgtap_runner.ts";
import { say } from "./progress.ts";
import type { Selection } from "./test_files.ts";
import { type Outcome, reportFile } from "./test_outcome.ts";

/** Auth hashes a password in a hundredth of the time: tests sign up many users, and guess no passwords. */
const QUICK_PASSWORDS = { LITE_AUTH_BCRYPT_COST: "4" };

/** A running lane. */
export interface Lane {
  /** Runs pgTAP files, before anything else: they count rows. */
  runPgtap(files: Selection[], signal: AbortSignal): Promise<Outcome[]>;
  /** Takes files of Deno tests from the queue that it shares with other lanes, until that is empty. */
  runDeno(queue: Selection[], signal: AbortSignal): Promise<Outcome[]>;
  stop(): Promise<void>;
}

/**
 * Starts a lane.
 *
 * @param dir A folder of its own.
 * @throws {StackFailure} when its stack does not start.
 */
export async function startLane(dir: string): Promise<Lane> {
  const temporary = `${dir}/tmp`;
  for (const folder of [dir, temporary]) {
    await Deno.mkdir(folder);
    // PostgreSQL's user has to reach its data below.
    await Deno.chmod(folder, 0o755);
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("test_stack.ts", import.meta.url)), dir],
    cwd: PROJECT_DIR,
    env: QUICK_PASSWORDS,
    // A Ctrl-C in the terminal is not for it: tests may still be using it. It ends with its stdin.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let stopping = false;
  const stop = async () => {
    stopping = true;
    await child.stdin.close().catch(() => {});
    await child.status;
  };
  const environment = await readEnvironment(child);
  if (!environment) {
    await stop();
    throw new StackFailure("A stack for the tests did not start", "See above.");
  }
  let ended = false;
  child.status.then(() => ended = true);

  return {
    runPgtap: (files, signal) =>
      runPgtap(
        executeOn(environment.SUPABASE_DB_URL ?? ""),
        files.map(({ path }) => path),
        signal,
      ),
    async runDeno(queue, signal) {
      const outcomes: Outcome[] = [];
      while (!signal.aborted) {
        const file = queue.shift();
        if (!file) break;
        const start = performance.now();
        const outcome = await runDenoFile(file, { dir, temporary, environment, signal });
        if (signal.aborted) break;
        reportFile(outcome, start);
        outcomes.push(outcome);
        if (ended && !stopping) {
          throw new StackFailure(`The stack of the tests ended by itself`, "See above.");
        }
      }
      return outcomes;
    },
    stop,
  };
}

/** The line that says that the stack runs; everything else that it writes is for people. */
async function readEnvironment(
  child: Deno.ChildProcess,
): Promise<Record<string, string> | undefined> {
  const stdout = child.stdout as ReadableStream<Uint8Array>;
  const input = Readable.fromWeb(stdout as NodeReadableStream);
  for await (const line of createInterface({ input })) {
    if (line.startsWith("{")) return { ...JSON.parse(line), ...QUICK_PASSWORDS };
    say(line);
  }
}
