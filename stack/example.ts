/**
 * `deno task example`: starts the example app, and the local stack if none runs.
 *
 * @module
 */

import { parseEnv } from "node:util";
import { fileURLToPath } from "node:url";

import { isHelp, taskCommand, unknownArgument } from "./command.ts";
import { EXAMPLE_DIR, exampleEnvironment, installExample } from "./example_app.ts";
import { StackFailure } from "./failure.ts";
import { launcherEnds } from "./launcher.ts";
import { lockHolder } from "./lock.ts";
import { readOptions, type StackOptions } from "./options.ts";
import { printReport, say, step } from "./progress.ts";
import { nextSignal } from "./signals.ts";

const HELP = `Starts the example app in examples/chat, and the local stack if none is running.

  ${taskCommand("example")}

The app is on http://127.0.0.1:3000. Ctrl-C stops it, and the stack if this command has started it.
`;

/** Starts the local stack, and waits until it runs. */
async function startStack(): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("main.ts", import.meta.url)), "start"],
    // It is stopped below, after the app.
    detached: true,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes("The log of the functions follows")) {
    const { done, value } = await reader.read();
    if (done) {
      const [problem, cure] = output.trim().split("\n").slice(-2);
      throw new StackFailure(problem?.replace(/\.$/, "") ?? "The stack ended", cure ?? "");
    }
    output += value;
  }
  // Reads on, so that the pipe does not fill up. The log of the functions would drown that of the app.
  (async () => {
    while (!(await reader.read()).done);
  })();
  return child;
}

async function main(options: StackOptions): Promise<number> {
  const orphaned = launcherEnds();
  const stack = await lockHolder(options.dir) === undefined
    ? await step(printReport, "Starting the local stack", startStack)
    : undefined;
  try {
    await step(printReport, "Building the package and installing the app", installExample);
    const env = parseEnv(await Deno.readTextFile(`${options.dir}/env`));
    say(`\nE-mails of the app: ${env.SUPABASE_MAIL_URL ?? "not shown"}\n`);
    const app = new Deno.Command("npx", {
      args: ["--no-install", "vite"],
      cwd: EXAMPLE_DIR,
      env: exampleEnvironment(env.SUPABASE_URL ?? "", env.SUPABASE_PUBLISHABLE_KEY ?? ""),
      stdin: "null",
    }).spawn();
    const ended = await Promise.race([nextSignal(), orphaned, app.status]);
    if (typeof ended !== "object") app.kill("SIGTERM");
    return (await app.status).signal === null && typeof ended === "object" ? ended.code : 0;
  } finally {
    stack?.kill("SIGTERM");
    await stack?.status;
  }
}

if (import.meta.main) {
  const unknown = unknownArgument(Deno.args, () => false);
  if (unknown || Deno.args.some(isHelp)) {
    say(unknown ? `${unknown}.\n\n${HELP}` : HELP);
    Deno.exit(unknown ? 2 : 0);
  }
  try {
    Deno.exit(await main(await readOptions()));
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`\n${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
