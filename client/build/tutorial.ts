/**
 * Does what docs/tutorial.md says, in a new folder: the commands and the code are those of the page. Where there is a
 * Chromium, it also opens the page that comes out.
 *
 * @module
 */

import { bash, PROJECT_DIR, startStack } from "./local_stack.ts";
import { openTutorialPage } from "./tutorial_page.ts";

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
  await using _stack = await startStack(startIt, `${copy}/.stack`);

  await bash(`${create}\n${keys}`, dir);
  const app = `${dir}/my-chat`;
  await Deno.writeTextFile(`${app}/src/main.ts`, code.text);
  await bash(`${build}\nnpx --no-install tsc --strict`, app);
  const missing = await openTutorialPage(app, async (user_id) => {
    await bash(grant.replace("USER_ID", user_id), copy);
  });
  console.log(missing ?? "The page works in Chromium");
}

const dir = await Deno.makeTempDir({ prefix: "strongroom-tutorial-" });
try {
  await follow(dir);
} finally {
  await Deno.remove(dir, { recursive: true });
}
