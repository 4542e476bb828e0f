/**
 * Sees to it that one stack runs in a folder at a time.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";

/** Held while a stack runs. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock of the folder `dir`. The operating system drops it with the process, so that a stack
 * that was killed leaves none behind; the file stays and means nothing.
 *
 * @throws {StackFailure} when the folder cannot be written or a stack is running there.
 */
export async function acquireLock(dir: string): Promise<Lock> {
  const file = await open(dir);
  if (!await file.tryLock(true)) {
    file.close();
    const pid = await lockHolder(dir);
    throw new StackFailure(
      `A stack is running here already (process ${pid ?? "unknown"})`,
      "Use it, or stop it with: deno task stop",
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

/** The process id of the stack that runs in `dir`; undefined when none does. */
export async function lockHolder(dir: string): Promise<number | undefined> {
  const path = `${dir}/lock`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true });
  } catch {
    return undefined;
  }
  try {
    if (await file.tryLock(true)) return undefined;
    return Number(await Deno.readTextFile(path)) || undefined;
  } finally {
    file.close();
  }
}

async function open(dir: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(dir, { recursive: true });
    return await Deno.open(`${dir}/lock`, { create: true, write: true });
  } catch (cause) {
    throw new StackFailure(
      `Cannot write to ${dir}: ${cause instanceof Error ? cause.message : cause}`,
      "Make it writable, or set STACK_DIR to a folder that is.",
      { cause },
    );
  }
}
