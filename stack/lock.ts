/**
 * Makes sure that only one stack runs in a folder at a time.
 *
 * @module
 */

import { taskCommand } from "./command.ts";
import { StackFailure } from "./failure.ts";

const PAUSE_MS = 50;

const ATTEMPTS = 20;

/** PostgreSQL writes its memory to disk before it ends, which can take a while. */
const STOP_PATIENCE_MS = 60_000;

/** Held while a stack runs. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock of the folder `dir`. The operating system releases it when the process ends, even if it is
 * killed. The file itself stays and means nothing.
 *
 * @throws {StackFailure} if the folder is not writable or a stack is already running there.
 */
export async function acquireLock(dir: string): Promise<Lock> {
  const file = await open(dir);
  // A process that looks for the holder has the lock for an instant, and a new holder has not written its id yet.
  for (let attempt = 1; !await file.tryLock(true); attempt++) {
    const pid = await lockHolder(dir);
    if (pid === undefined && attempt < ATTEMPTS) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      continue;
    }
    file.close();
    throw new StackFailure(
      `A stack is already running here (process ${pid ?? "unknown"})`,
      `Use it, or stop it with: ${taskCommand("stop")}`,
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return {
    async release() {
      await file.truncate();
      file.close();
    },
  };
}

/** The process id of the stack that runs in `dir`; undefined if none does. */
export async function lockHolder(dir: string): Promise<number | undefined> {
  const path = `${dir}/lock`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true });
  } catch {
    return undefined;
  }
  try {
    // Shared, so that several processes can look at once.
    if (await file.tryLock(false)) return undefined;
    return Number(await Deno.readTextFile(path)) || undefined;
  } finally {
    file.close();
  }
}

/**
 * Stops the stack that runs in `dir`, and waits until it has.
 *
 * @returns Whether one was running.
 * @throws {StackFailure} if it does not stop.
 */
export async function stopHolder(dir: string): Promise<boolean> {
  const pid = await lockHolder(dir);
  if (pid === undefined) return false;
  Deno.kill(pid, "SIGTERM");
  const deadline = performance.now() + STOP_PATIENCE_MS;
  while (await lockHolder(dir) !== undefined) {
    if (performance.now() > deadline) {
      throw new StackFailure(
        `Process ${pid} did not stop within a minute`,
        `End it with: kill -9 ${pid}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return true;
}

async function open(dir: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(dir, { recursive: true });
    return await Deno.open(`${dir}/lock`, { create: true, write: true });
  } catch (cause) {
    throw new StackFailure(
      `Cannot write to ${dir}: ${cause instanceof Error ? cause.message : cause}`,
      "Make the folder writable, or set STACK_DIR to a writable folder.",
      { cause },
    );
  }
}
