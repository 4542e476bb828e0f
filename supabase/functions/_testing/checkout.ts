/**
 * For tests of the whole stack: a separate checkout, started and stopped with the usual commands.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

import { stackOf, type TestStack, until } from "./testing.ts";

/** A separate checkout, with a folder and ports for its stack. */
export interface Checkout {
  /** Folder of everything. */
  root: string;
  project: string;
  dir: string;
  environment: Record<string, string>;
  /** Runs a command of the stack, with arguments if it has any, until it ends. */
  command(name: string, environment?: Record<string, string>): Promise<Ended>;
  /**
   * Starts the stack and waits until it runs. `by`: the program that is told to start it, with its first arguments. `detached`: as in a
   * terminal, where a signal reaches all processes of a group.
   */
  start(by?: string[], detached?: boolean): Promise<Started>;
  /** The running stack. */
  stack(): Promise<TestStack>;
}

export interface Ended {
  code: number;
  output: string;
}

export interface Started {
  child: Deno.ChildProcess;
  /** What it printed until it ran. */
  output: string;
  /** Returns what has been read of its output since. */
  rest(): string;
  /** Waits until it has ended and everything that it printed has been read. */
  ended(): Promise<Ended>;
}

const PROJECT_DIR = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

/** Runs the commands of the stack. */
const DENO = [Deno.execPath(), "run", "-A", "--quiet", "stack/main.ts"];

/** The parts of the project that the stack needs. */
const PARTS = [".npmrc", "deno.json", "deno.lock", "import_map.json", "stack", "supabase"];

/**
 * Makes a checkout in a folder whose name has a space. Afterwards, ends everything that runs in it and removes it.
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
    STACK_MAIL_PORT: String(freePort()),
    // Scheduled jobs must not run in the middle of a test.
    STACK_SCHEDULER: "off",
  };
  const spawn = (name: string, more: Record<string, string> = {}, by = DENO, detached = false) =>
    new Deno.Command(by[0] ?? "", {
      args: [...by.slice(1), ...name.split(" ")],
      cwd: project,
      env: { ...environment, ...more },
      detached,
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
      async start(by, detached) {
        const child = spawn("start", {}, by, detached).spawn();
        children.push(child);
        return { child, ...await readUntil(child, "The log of the functions follows") };
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
 * Makes a stack record the processes of functions that it starts.
 *
 * @param checkout A checkout whose stack has not been started yet.
 * @param variables Environment variables that override the stack's for these processes.
 * @returns A function that reads their ids, newest last.
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

/** Ids of the processes that have a path in their arguments. Empty on systems without /proc. */
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

/** Kills all processes of PostgreSQL, so that nothing that is only in its memory is still written. */
export async function killPostgres({ dir }: Checkout): Promise<void> {
  const [pid = ""] = (await Deno.readTextFile(`${dir}/postgres/data/postmaster.pid`)).split("\n");
  // On systems without /proc, the children end by themselves once the server is gone.
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  // The server first: it restarts children that end.
  const processes = [pid, ...children.trim().split(" ")].filter(Boolean);
  for (const process of processes) {
    try {
      Deno.kill(Number(process), "SIGKILL");
    } catch { /* it has ended */ }
  }
  // A new server cannot start while one of them still has the shared memory.
  await until(async () => {
    const commands = processes.map((id) =>
      Deno.readTextFile(`/proc/${id}/cmdline`).catch(() => "")
    );
    return (await Promise.all(commands)).every((command) => command === "");
  });
}

/** Waits until the stack has started PostgreSQL again after it was killed, and answers. */
export async function untilAnswering(stack: TestStack): Promise<void> {
  const headers = { apikey: stack.secretKey };
  await until(async () => {
    const response = await fetch(`${stack.url}/rest/v1/credit_prices?limit=1`, { headers });
    await response.body?.cancel();
    return response.ok;
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
  throw new Error(`None of the ports ${first} to ${last} is free`);
}

async function copy(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-R", from, to] }).output();
  assert.ok(success);
}

async function readUntil(
  { stdout, stderr, status }: Deno.ChildProcess,
  text: string,
): Promise<Omit<Started, "child">> {
  const decoder = new TextDecoder();
  const reader = stdout.getReader();
  const errors = new Response(stderr).text();
  let output = "";
  while (!output.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The stack ended before it was ready:\n${output}${await errors}`);
    output += decoder.decode(value, { stream: true });
  }
  // Reads the rest too, so that the pipe does not fill up.
  let rest = "";
  const read = (async () => {
    for await (const chunk of readable(reader)) rest += decoder.decode(chunk, { stream: true });
  })();
  return {
    output,
    rest: () => rest,
    async ended() {
      const { code } = await status;
      await read;
      return { code, output: output + rest + await errors };
    },
  };
}

async function* readable(reader: ReadableStreamDefaultReader<Uint8Array>) {
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}
