/**
 * Starts a local stack of its own for a check, as a user starts it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Root of the checkout. */
export const PROJECT_DIR: string = fileURLToPath(new URL("../..", import.meta.url))
  .replace(/\/$/, "");

/** How users start the stack. */
export const START = "npx --yes deno@2.9.6 task start";

/** A stack that is running. Disposing of it stops it. */
export interface LocalStack extends AsyncDisposable {
  /** What its file `env` says. */
  environment: Record<string, string>;
}

/**
 * Runs commands in bash, one after the other.
 *
 * @param commands to run
 * @param cwd where
 * @param env further variables
 * @throws if one of them fails
 */
export async function bash(
  commands: string,
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", commands],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout);
  if (code !== 0) throw new Error(`This failed:\n${commands}\n${output}${decoder.decode(stderr)}`);
  return output;
}

/**
 * Starts the stack on free ports.
 *
 * @param command that a user types
 * @param dir folder of the stack
 */
export async function startStack(command: string, dir: string): Promise<LocalStack> {
  const own = command.replace("npx --yes deno@2.9.6", Deno.execPath());
  const [api, db, mail] = [freePort(), freePort(), freePort()];
  const child = new Deno.Command("bash", {
    args: ["-c", `exec ${own}`],
    cwd: PROJECT_DIR,
    env: {
      STACK_DIR: dir,
      STACK_API_PORT: `${api}`,
      STACK_DB_PORT: `${db}`,
      STACK_MAIL_PORT: `${mail}`,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes("Strongroom is running")) {
    const { value, done } = await lines.read();
    if (done) throw new Error(`The stack has ended:\n${output}`);
    output += value;
  }
  const drained = (async () => {
    while (!(await lines.read()).done);
  })();
  const text = await Deno.readTextFile(`${dir}/env`);
  return {
    environment: Object.fromEntries(
      [...text.matchAll(/^(\w+)=["']?(.*?)["']?$/gm)].map(([, name, value]) => [name, value]),
    ),
    [Symbol.asyncDispose]: async () => {
      await bash(own.replace("start", "stop"), PROJECT_DIR, { STACK_DIR: dir });
      await Promise.all([child.status, drained]);
    },
  };
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
