/**
 * Debian's Chromium, for checks.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** As root, and without traffic of its own. */
const ARGUMENTS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** Milliseconds: far longer than anything takes. */
export const PATIENCE_MS = 60_000;

/** Returns why there is no Chromium; undefined if there is one. */
export async function missingChromium(): Promise<string | undefined> {
  if (await Deno.stat(CHROMIUM).then(() => true, () => false)) return undefined;
  return `needs ${CHROMIUM} (Debian: apt-get install chromium)`;
}

/** Starts a browser. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}
