/**
 * Drives the built example app in Chromium against a stack of its own: `main.ts [--screenshots=FOLDER] [TEXT]` runs
 * the scenes whose names contain TEXT.
 *
 * @module
 */

import { launchChromium } from "../chromium.ts";
import { buildExample, exampleEnvironment, installExample } from "../example_app.ts";
import { StackFailure } from "../failure.ts";
import { readOptions } from "../options.ts";
import { freePort, freePorts } from "../ports.ts";
import { noReport, say } from "../progress.ts";
import { type Stack, startStack } from "../stack.ts";
import { ACCOUNT_SCENES } from "./account_scenes.ts";
import { CONVERSATION_SCENES } from "./conversation_scenes.ts";
import { FILE_SCENES } from "./file_scenes.ts";
import { PRIVATE_SCENES } from "./private_scenes.ts";
import type { Scene } from "./site.ts";
import { Site } from "./site.ts";
import { serveFolder } from "./static_server.ts";

const SCENES: Record<string, Scene> = {
  ...ACCOUNT_SCENES,
  ...CONVERSATION_SCENES,
  ...FILE_SCENES,
  ...PRIVATE_SCENES,
};

async function main(text: string, screenshots?: string): Promise<number> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-browser-" });
  await Deno.chmod(dir, 0o755);
  let stack: Stack | undefined;
  try {
    await installExample();
    stack = await startStack(
      { ...await readOptions(), dir, ...freePorts() },
      {
        report: noReport,
        log: (line) =>
          Deno.writeTextFileSync(`${dir}/functions.log`, `${line}\n`, { append: true }),
        watch: false,
        durable: false,
        schedule: false,
      },
    );
    const { environment } = stack;
    const pages = `${dir}/pages`;
    await buildExample(
      exampleEnvironment(stack.apiUrl, environment.SUPABASE_PUBLISHABLE_KEY ?? ""),
      pages,
    );
    const port = freePort();
    const server = serveFolder(pages, port);
    const browser = await launchChromium();
    try {
      const site = (name: string) =>
        new Site(browser, `http://127.0.0.1:${port}`, environment, name, screenshots);
      return await runScenes(site, text);
    } finally {
      await browser.close();
      await server.stop();
    }
  } finally {
    await stack?.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

async function runScenes(siteOf: (name: string) => Site, text: string): Promise<number> {
  let failed = 0;
  for (const [name, scene] of Object.entries(SCENES)) {
    if (!name.includes(text)) continue;
    const site = siteOf(name);
    const start = performance.now();
    const time = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    try {
      await scene(site);
      site.assertNoErrors();
      say(`ok  ${name} (${time()})`);
    } catch (error) {
      failed++;
      say(`FAILED  ${name} (${time()})\n${error instanceof Error ? error.stack : error}`);
      say(await site.describe());
    } finally {
      await site.close();
    }
  }
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  const screenshots = Deno.args.find((arg) => arg.startsWith("--screenshots="))?.split("=")[1];
  const text = Deno.args.find((arg) => !arg.startsWith("-")) ?? "";
  try {
    Deno.exit(await main(text, screenshots));
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
