/**
 * Chromium, for checks. Debian's is installed if it is missing and that is possible.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

/** Debian puts it there; the variable `CHROMIUM` names another place. */
const EXECUTABLE = Deno.env.get("CHROMIUM") || "/usr/bin/chromium";

/** Without these, Chromium needs a display, a sandbox that root cannot have, or connections to elsewhere. */
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** Installs Chromium if it is missing. Returns why there is none, and what to do; undefined if there is one. */
export async function requireChromium(): Promise<string | undefined> {
  if (await exists(EXECUTABLE)) return undefined;
  const elsewhere = `There is no ${EXECUTABLE}. Install Chromium, and set CHROMIUM to its path.`;
  if (Deno.uid() !== 0 || !await exists("/usr/bin/apt-get")) return elsewhere;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "chromium"]]) {
    const { success, stderr } = await new Deno.Command("apt-get", { args, env, stdin: "null" })
      .output();
    if (!success) return `apt-get failed: ${new TextDecoder().decode(stderr).trim()}. ${elsewhere}`;
  }
  return await exists(EXECUTABLE) ? undefined : elsewhere;
}

/** Starts Chromium. */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

async function exists(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile ?? false;
}
