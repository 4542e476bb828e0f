/**
 * A lane: a separate stack on which test files run one after the other, while other lanes run other files. No two files that
 * run at the same time share users, settings, jobs or a database, so each may change them.
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

/** Makes Auth hash passwords quickly, because tests sign up many users. */
const QUICK_PASSWORDS = { LITE_AUTH_BCRYPT_COST: "4" };

/** A running lane. */
export interface Lane {
  /** Runs pgTAP files. They count rows, so they run before anything else. */
  runPgtap(files: Selection[], signal: AbortSignal): Promise<Outcome[]>;
  /** Runs files of Deno tests from a queue that all lanes share, until it is empty. */
  runDeno(queue: Selection[], signal: AbortSignal): Promise<Outcome[]>;
  stop(): Promise<void>;
}

/**
 * Starts a lane.
 *
 * @param dir The folder of the lane, which must not exist.
 * @throws {StackFailure} when the stack does not start.
 */
export async function startLane(dir: string): Promise<Lane> {
  const temporary = `${dir}/tmp`;
  for (const folder of [dir, temporary]) {
    await Deno.mkdir(folder);
    // PostgreSQL's user must be able to reach its data.
    await Deno.chmod(folder, 0o755);
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("test_stack.ts", import.meta.url)), dir],
    cwd: PROJECT_DIR,
    env: QUICK_PASSWORDS,
    // It must outlive a Ctrl-C in the terminal, because tests may still use it. It ends when its stdin closes.
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
    throw new StackFailure(
      "A stack for the tests did not start",
      "Fix the error that is shown above, then run the tests again.",
    );
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
          throw new StackFailure(
            "A stack for the tests stopped while tests were running",
            "Fix the error that is shown above, then run the tests again.",
          );
        }
      }
      return outcomes;
    },
    stop,
  };
}

/** Reads the line that says that the stack runs. Any other line is a message for people. */
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
