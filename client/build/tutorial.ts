/**
 * Does what docs/tutorial.md says, in a new folder: the commands and the code are those of the page. Where there is a
 * Chromium, it also opens the page that comes out.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

import { openTutorialPage } from "./tutorial_page.ts";

const PROJECT_DIR = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** A block of code of the page: its language, the word after it, and its text. */
interface Block {
  language: string;
  place: string;
  text: string;
}

async function blocks(): Promise<Block[]> {
  const page = await Deno.readTextFile(`${PROJECT_DIR}/docs/tutorial.md`);
  return [...page.matchAll(/^```(\w+) ?(\w*)\n([^]*?)^```/gm)]
    .map(([, language = "", place = "", text = ""]) => ({ language, place, text }));
}

/**
 * Runs commands in bash, one after the other.
 *
 * @throws if one of them fails
 */
async function bash(
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

/** Runs the tutorial in a folder. */
async function follow(dir: string): Promise<void> {
  const all = await blocks();
  const of = (place: string) =>
    all.filter((block) => block.place === place).map(({ text }) => text);
  const [code] = all.filter(({ language }) => language === "ts");
  const [checkout = "", [create = "", keys = "", build = ""], [grant = ""]] = [
    of("checkout")[0],
    of("app"),
    of("service"),
  ];
  const [packIt = "", startIt = ""] = checkout.trim().split("\n");
  if (!code || !startIt || !build || !grant) throw new Error("The tutorial lacks a block");

  await bash(packIt, PROJECT_DIR);
  // The checkout of the tutorial, with a stack of its own.
  const copy = `${dir}/strongroom`;
  await Deno.mkdir(`${copy}/client`, { recursive: true });
  await Deno.symlink(`${PROJECT_DIR}/client/dist`, `${copy}/client/dist`);
  await using _stack = await startStack(startIt, copy);

  await bash(`${create}\n${keys}`, dir);
  const app = `${dir}/my-chat`;
  await Deno.writeTextFile(`${app}/src/main.ts`, code.text);
  await bash(`${build}\nnpx --no-install tsc --strict`, app);
  const missing = await openTutorialPage(app, async (user_id) => {
    await bash(grant.replace("USER_ID", user_id), copy);
  });
  console.log(missing ?? "The page works in Chromium");
}

/** Starts the stack with the command of the page, on free ports. */
async function startStack(command: string, copy: string): Promise<AsyncDisposable> {
  const [api, db] = [freePort(), freePort()];
  const child = new Deno.Command("bash", {
    args: ["-c", `exec ${command.replace("npx --yes deno@2.9.6", Deno.execPath())}`],
    cwd: PROJECT_DIR,
    env: { STACK_DIR: `${copy}/.stack`, STACK_API_PORT: `${api}`, STACK_DB_PORT: `${db}` },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
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
  return {
    [Symbol.asyncDispose]: async () => {
      await bash(
        command.replace(/npx --yes deno@2\.9\.6/, Deno.execPath()).replace("start", "stop"),
        PROJECT_DIR,
        {
          STACK_DIR: `${copy}/.stack`,
        },
      );
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

const dir = await Deno.makeTempDir({ prefix: "strongroom-tutorial-" });
try {
  await follow(dir);
} finally {
  await Deno.remove(dir, { recursive: true });
}
