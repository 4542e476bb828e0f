/**
 * Opens the page of the tutorial in Chromium, and does what its reader does.
 *
 * @module
 */

import { launchChromium, requireChromium } from "../../stack/chromium.ts";

/** Milliseconds: far longer than anything takes. */
const PATIENCE_MS = 60_000;

/**
 * Serves the built app, signs up, sends a message, and sees the balance change.
 *
 * @param app folder of the app
 * @param grant grants 50 credits to a user
 * @returns why it could not run
 */
export async function openTutorialPage(
  app: string,
  grant: (user_id: string) => Promise<void>,
): Promise<string | undefined> {
  const missing = await requireChromium();
  if (missing) return `The page was built, but not opened. ${missing}`;
  await using server = await serve(app);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(server.url);
    await page.fill("[name=email]", `ada-${crypto.randomUUID()}@example.com`);
    await page.fill("[name=password]", "correct horse");
    await page.click("#sign-up button");
    await page.locator("#balance", { hasText: /^100$/ }).waitFor();
    await page.fill("[name=text]", "Good morning");
    await page.click("#send button");
    await page.locator("#sent", { hasText: "Saved: Good morning" }).waitFor();
    await grant(await page.locator("#user").innerText());
    await page.locator("#balance", { hasText: /^150$/ }).waitFor();
    if (errors.length > 0) throw new Error(`The page threw errors: ${errors.join()}`);
  } finally {
    await browser.close();
  }
}

/** Serves the built app on a free port. */
async function serve(app: string): Promise<AsyncDisposable & { url: string }> {
  const child = new Deno.Command("node", {
    args: ["node_modules/vite/bin/vite.js", "preview", "--host=127.0.0.1", "--port=0"],
    cwd: app,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  let url: string | undefined;
  while (!url) {
    const { value, done } = await lines.read();
    if (done) throw new Error(`vite preview has ended:\n${output}`);
    output += value;
    url = output.match(/http:\/\/127\.0\.0\.1:\d+\//)?.[0];
  }
  await lines.cancel();
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.status;
    },
  };
}
