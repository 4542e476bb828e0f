/**
 * For tests of whole stacks: a checkout of the test's own, started and stopped as a person does it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

import { stackOf, type TestStack, until } from "./testing.ts";

/** A checkout of the test's own, and a place and ports for its stack. */
export interface Checkout {
  /** Where all of it is. */
  root: string;
  project: string;
  dir: string;
  environment: Record<string, string>;
  /** Runs a command of the stack to its end. */
  command(name: string, environment?: Record<string, string>): Promise<Ended>;
  /** Starts the stack and waits until it runs. */
  start(): Promise<Started>;
  /** The stack that runs. */
  stack(): Promise<TestStack>;
}

export interface Ended {
  code: number;
  output: string;
}

export interface Started {
  child: Deno.ChildProcess;
  output: string;
}

const PROJECT_DIR = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

/** What the stack needs of the project. */
const PARTS = ["deno.json", "deno.lock", "import_map.json", "stack", "supabase"];

/**
 * Makes a checkout in a folder of a name with a space, and removes it with all that runs in it.
 *
 * @param run What to do with it.
 * @param mode Mode of the folder around it.
 */
export async function withCheckout(
  run: (checkout: Checkout) => Promise<void>,
  mode = 0o755,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "strongroom-checkout-" });
  await Deno.chmod(root, mode);
  const project = `${root}/a project`;
  await Deno.mkdir(project);
  for (const part of PARTS) await copy(`${PROJECT_DIR}/${part}`, `${project}/${part}`);
  await Deno.symlink(`${PROJECT_DIR}/node_modules`, `${project}/node_modules`);

  const dir = `${root}/stack`;
  const environment = {
    STACK_DIR: dir,
    STACK_API_PORT: String(freePort()),
    STACK_DB_PORT: String(freePort()),
    // What a test does not ask for must not happen in its midst.
    STACK_SCHEDULER: "off",
  };
  const spawn = (name: string, more: Record<string, string> = {}) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "stack/main.ts", name],
      cwd: project,
      env: { ...environment, ...more },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  const children: Deno.ChildProcess[] = [];
  try {
    await run({
      root,
      project,
      dir,
      environment,
      async command(name, more) {
        const { code, stdout, stderr } = await spawn(name, more).output();
        const decoder = new TextDecoder();
        return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
      },
      async start() {
        const child = spawn("start").spawn();
        children.push(child);
        child.stderr.cancel();
        return { child, output: await readUntil(child.stdout, "What the functions log follows") };
      },
      async stack() {
        return stackOf(parseEnv(await Deno.readTextFile(`${dir}/env`)), dir);
      },
    });
  } finally {
    for (const child of children) {
      try {
        child.kill("SIGTERM");
      } catch { /* it has ended */ }
      await child.status;
    }
    await until(() => processesOf(root).length === 0);
    await Deno.remove(root, { recursive: true });
  }
}

/**
 * Has a stack note the functions' processes that it starts.
 *
 * @param checkout Whose stack has not been started yet.
 * @param variables Variables that the processes get in place of the stack's.
 * @returns Reads their ids, the newest last.
 */
export async function noteProcesses(
  { root, environment }: Checkout,
  variables: Record<string, string> = {},
): Promise<() => number[]> {
  const deno = Deno.env.get("STACK_DENO") || Deno.execPath();
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
  const script = `#!/bin/sh\n${
    exports.join("")
  }[ "$1" = run ] && echo $$ >>'${root}/processes'\nexec '${deno}' "$@"\n`;
  environment.STACK_DENO = `${root}/deno`;
  await Deno.writeTextFile(environment.STACK_DENO, script, { mode: 0o755 });
  return () => Deno.readTextFileSync(`${root}/processes`).trim().split("\n").map(Number);
}

/** Ids of the processes that have a path in their arguments; none where there is no /proc. */
export function processesOf(path: string): string[] {
  try {
    return [...Deno.readDirSync("/proc")].map((entry) => entry.name).filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(path);
      } catch {
        return false;
      }
    });
  } catch {
    return [];
  }
}

/** Kills PostgreSQL with all its processes: nothing that it has only in memory can still be written. */
export async function killPostgres({ dir }: Checkout): Promise<void> {
  const [pid = ""] = (await Deno.readTextFile(`${dir}/postgres/data/postmaster.pid`)).split("\n");
  // Where there is no /proc they end by themselves when they miss the server.
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  // The server first: it would start anew whatever it misses.
  const processes = [pid, ...children.trim().split(" ")].filter(Boolean);
  for (const process of processes) {
    try {
      Deno.kill(Number(process), "SIGKILL");
    } catch { /* it has ended */ }
  }
  // No other server starts while one of them has its memory.
  await until(async () => {
    const commands = processes.map((id) =>
      Deno.readTextFile(`/proc/${id}/cmdline`).catch(() => "")
    );
    return (await Promise.all(commands)).every((command) => command === "");
  });
}

let portsUsed = 0;

/** Chooses a free port on 127.0.0.1 among those that the test runner reserved for this process. */
function freePort(): number {
  const [first = NaN, last = NaN] = (Deno.env.get("STACK_TEST_PORTS") ?? "").split("-").map(Number);
  const count = last - first + 1;
  assert.ok(count > 0, "STACK_TEST_PORTS is not set. Start the tests with: deno task test");
  for (let tried = 0; tried < count; tried++) {
    const port = first + portsUsed++ % count;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch { /* it is taken */ }
  }
  throw new Error(`No port from ${first} to ${last} is free`);
}

async function copy(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-R", from, to] }).output();
  assert.ok(success);
}

async function readUntil(stream: ReadableStream<Uint8Array>, text: string): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let output = "";
  while (!output.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The stack ended before it ran:\n${output}`);
    output += decoder.decode(value, { stream: true });
  }
  // What follows is of no interest, but must not fill the pipe.
  (async () => {
    while (!(await reader.read()).done);
  })();
  return output;
}
