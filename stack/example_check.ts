/**
 * Drives the example app in Chromium. Installs Chromium if it is missing and that is possible.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

import type { NotRun } from "./cron_check.ts";
import { PROJECT_DIR } from "./options.ts";

/** Where Debian and Ubuntu put it. */
const CHROMIUM = "/usr/bin/chromium";

/**
 * Runs all scenes of `browser/`.
 *
 * @returns What is wrong; nothing if all is well; or why it could not run.
 */
export async function checkExample(): Promise<string | NotRun | undefined> {
  const chromium = Deno.env.get("CHROMIUM") || CHROMIUM;
  if (!await exists(chromium)) {
    const problem = await installChromium();
    if (problem) return { notRun: `Chromium is missing. ${problem}` };
  }
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      fileURLToPath(new URL("browser/main.ts", import.meta.url)),
      chromium,
    ],
    cwd: PROJECT_DIR,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (code === 0) return undefined;
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Installs Debian's Chromium. Returns what to do if that is not possible. */
async function installChromium(): Promise<string | undefined> {
  const elsewhere = "Install it, and set CHROMIUM to its path.";
  if (Deno.uid() !== 0 || !await exists("/usr/bin/apt-get")) return elsewhere;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "chromium"]]) {
    const { success, stderr } = await new Deno.Command("apt-get", { args, env, stdin: "null" })
      .output();
    if (!success) return `apt-get failed: ${new TextDecoder().decode(stderr).trim()}. ${elsewhere}`;
  }
  return await exists(CHROMIUM) ? undefined : elsewhere;
}

async function exists(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile ?? false;
}
