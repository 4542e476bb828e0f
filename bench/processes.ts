/**
 * Processes of a benchmark, and the CPU time that they use. The times come from Linux's `/proc`.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { fileURLToPath } from "node:url";

/** Milliseconds of a tick of Linux's clock of CPU time. */
const TICK_MS = 10;

/** A process that a benchmark has started. */
export interface Host {
  readonly pid: number;
  /** What it printed when it was ready. */
  readonly ready: Record<string, string>;
  stop(): Promise<void>;
}

/**
 * Starts a script of this folder, and waits for its first line of JSON. The script must end when its stdin closes.
 *
 * @param script Name of the file.
 * @param args Its arguments.
 */
export async function startHost(script: string, ...args: string[]): Promise<Host> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      fileURLToPath(new URL(script, import.meta.url)),
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output: ReadableStream<Uint8Array<ArrayBuffer>> = child.stdout;
  const lines = createInterface({ input: Readable.fromWeb(output as NodeReadableStream) });
  const first = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error(`${script} ${args[0]} did not start`)));
  });
  return {
    pid: child.pid,
    ready: JSON.parse(first),
    async stop() {
      await child.stdin.close();
      await child.status;
    },
  };
}

/** What Linux says about a process: its parent, and its CPU time and that of children that have ended, in milliseconds. */
interface Status {
  parent: number;
  own: number;
  ended: number;
}

function readStatus(pid: number): Status | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The name of the program, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { parent, own: (user + system) * TICK_MS, ended: (endedUser + endedSystem) * TICK_MS };
}

function childrenOf(pid: number): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
    .filter((each) => Number.isInteger(each) && readStatus(each)?.parent === pid);
}

/** CPU time of a process, in milliseconds. */
export function cpuOf(pid: number): number {
  return readStatus(pid)?.own ?? 0;
}

/** CPU time of a process and its children, also of those that have ended, in milliseconds. */
export function cpuOfFamily(pid: number): number {
  const own = readStatus(pid);
  return childrenOf(pid).reduce(
    (sum, child) => sum + cpuOf(child),
    (own?.own ?? 0) + (own?.ended ?? 0),
  );
}

/** The child of a process whose command line contains a text. */
export function findChild(pid: number, text: string): number {
  const found = childrenOf(pid).find((child) =>
    Deno.readTextFileSync(`/proc/${child}/cmdline`).includes(text)
  );
  if (found === undefined) throw new Error(`The process ${pid} has no child with "${text}"`);
  return found;
}
