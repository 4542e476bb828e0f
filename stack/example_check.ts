/**
 * Drives the example app in Chromium.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

import { requireChromium } from "./chromium.ts";
import type { NotRun } from "./cron_check.ts";
import { PROJECT_DIR } from "./options.ts";

/**
 * Runs all scenes of `browser/`.
 *
 * @returns What is wrong; nothing if all is well; or why it could not run.
 */
export async function checkExample(): Promise<string | NotRun | undefined> {
  const missing = await requireChromium();
  if (missing) return { notRun: missing };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      fileURLToPath(new URL("browser/main.ts", import.meta.url)),
    ],
    cwd: PROJECT_DIR,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (code === 0) return undefined;
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
