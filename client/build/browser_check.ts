/**
 * Runs in Chromium what only a browser has: IndexedDB, tabs, uploads with progress, and uploads that go on after a reload.
 *
 * @module
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";
import { build, stop } from "esbuild";
import type { Browser, Page } from "playwright-core";

import { launchChromium, requireChromium } from "../../stack/chromium.ts";
import type { Session } from "../tests/browser/page.ts";
import { CLIENT_DIR, ENTRIES, PACKAGE_DIR } from "./bundle.ts";
import { type LocalStack, START, startStack } from "./local_stack.ts";
import { startPlatform } from "./played_platform.ts";

/** Milliseconds: far longer than anything takes. */
const PATIENCE_MS = 60_000;

const MIB = 1024 * 1024;

/** Bundles the page with the built package in place of the sources. */
async function bundlePage(): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [`${CLIENT_DIR}tests/browser/page.ts`],
      bundle: true,
      format: "esm",
      write: false,
      logLevel: "error",
      plugins: [{
        name: "package",
        setup: ({ onResolve }) => {
          onResolve({ filter: /^\.\.\/\.\.\// }, ({ path }) => {
            const source = `${CLIENT_DIR}${path.slice("../../".length)}`;
            const entry = Object.keys(ENTRIES).find((name) => ENTRIES[name] === source);
            return { path: `${PACKAGE_DIR}/${entry}.js` };
          });
        },
      }],
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}

/** Signs up a user of the stack. */
async function signUp({ environment }: LocalStack, url: string): Promise<Session> {
  const key = environment.SUPABASE_PUBLISHABLE_KEY!;
  const supabase = createClient(environment.SUPABASE_URL!, key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const email = `${crypto.randomUUID()}@example.com`;
  const { data, error } = await supabase.auth.signUp({ email, password: "correct horse" });
  if (error) throw error;
  return { url, key, token: data.session!.access_token, user_id: data.user!.id };
}

// deno-lint-ignore no-explicit-any -- the functions of page.ts
type Functions = Record<string, (...args: any[]) => Promise<any>>;

/** Calls a function of `page.ts` in a page. */
// deno-lint-ignore no-explicit-any -- each check asserts what it expects
async function call(page: Page, name: string, ...args: unknown[]): Promise<any> {
  return await page.evaluate(async ([name, args]) => {
    const functions: Functions = await import("/page.js" as string);
    return await functions[name as string]!(...args as unknown[]);
  }, [name, args] as const);
}

async function checkStores(browser: Browser, url: string, session: Session): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  assert.ok((await call(page, "testStores")).length > 5);

  const first = await call(page, "openChats", session);
  const chat = { title: "Greetings", content: "Good morning" };
  assert.deepEqual(first, { remembered: false, extractable: null, ...chat });
  await page.reload();
  const again = await call(page, "openChats", session);
  assert.deepEqual(again, { remembered: true, extractable: false, ...chat });

  const tabs = [page, await context.newPage()];
  await tabs[1]!.goto(url);
  const user = crypto.randomUUID();
  const counts = await Promise.all(tabs.map((tab) => call(tab, "count", user, 100)));
  assert.equal(Math.max(...counts), 200);

  await context.close();
}

/** In a context of its own, because a browser remembers for a while how much room there is. */
async function checkQuota(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(url);
  const devtools = await page.context().newCDPSession(page);
  const { origin } = new URL(url);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 10 * MIB });
  assert.equal(await call(page, "fill", crypto.randomUUID()), "quota_exceeded");
  await page.close();
}

async function checkUploads(
  browser: Browser,
  platform: Awaited<ReturnType<typeof startPlatform>>,
  session: Session,
): Promise<void> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(platform.url);
  let used = 0;
  const expect = async (name: string, bytes: number, resumable: boolean) => {
    used += bytes;
    const answer = await call(page, "upload", session, { name, bytes });
    const { code, size, same, usage, progress } = answer;
    assert.deepEqual([code ?? null, size, same], [null, bytes, true], name);
    assert.deepEqual([usage.used, usage.reserved], [used, 0], name);
    assert.deepEqual(progress.at(-1), { sent: bytes, total: bytes, resumable }, name);
    return progress.length;
  };
  platform.resumable = false;
  assert.ok(await expect("small", 3 * MIB, false) > 2, "progress is reported while a file is sent");
  await expect("large, without chunks", 7 * MIB, false);
  platform.resumable = true;
  await expect("large", 13 * MIB, true);
  assert.equal(platform.received, 13 * MIB);

  // A reload after the first of three chunks has arrived.
  platform.received = 0;
  platform.hold = true;
  const upload = { name: "interrupted", bytes: 13 * MIB };
  const lost = call(page, "upload", session, upload).catch(() => {});
  await platform.held;
  await page.reload();
  await lost;
  platform.hold = false;
  const started = platform.created;
  await expect(upload.name, upload.bytes, true);
  assert.equal(platform.created, started, "the upload was continued, not started again");
  assert.equal(platform.received, upload.bytes, "no chunk was sent twice");
  await page.close();
}

/** Passkeys of Chromium's own authenticator. Its pages need a name: an address cannot have passkeys. */
async function checkPasskeys(browser: Browser, url: string, session: Session): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const plug = async (hasPrf: boolean) => {
    const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        ...{ protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal" },
        ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true, hasPrf },
        automaticPresenceSimulation: true,
      },
    });
    return { authenticatorId };
  };
  const first = await plug(true);
  const added = await call(page, "addPasskey", session, "MacBook", true);
  assert.deepEqual(added, { shown: "MacBook", supported: true });
  assert.deepEqual(await call(page, "addPasskey", session, "Again", false), {
    code: "passkey_exists",
  });
  await page.reload();
  const unlocked = { content: "Good morning", name: "MacBook", used: true };
  assert.deepEqual(await call(page, "unlockByPasskey", session), unlocked);
  await devtools.send("WebAuthn.setUserVerified", { ...first, isUserVerified: false });
  assert.deepEqual(await call(page, "unlockByPasskey", session), { code: "passkey_cancelled" });
  await devtools.send("WebAuthn.removeVirtualAuthenticator", first);

  const second = await plug(false);
  const without = await call(page, "addPasskey", session, "Old stick", false);
  assert.deepEqual(without, { code: "passkey_without_keys" });
  assert.deepEqual(await call(page, "unlockByPasskey", session), { code: "passkey_cancelled" });
  await devtools.send("WebAuthn.removeVirtualAuthenticator", second);
  await context.close();
}

/** One browser lets another in, which is reloaded meanwhile. */
async function checkDevices(browser: Browser, url: string, session: Session): Promise<void> {
  const contexts = [await browser.newContext(), await browser.newContext()];
  const [old, fresh] = await Promise.all(contexts.map(async (context) => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  })) as [Page, Page];
  const shown = await call(fresh, "beginDevice", session);
  await fresh.reload();
  assert.deepEqual(await call(fresh, "beginDevice", session), shown);
  const accepted = call(fresh, "acceptDevice", session);
  assert.equal(await call(old, "approveDevice", session, shown.qr), "Chromium");
  const expected = { content: "Good morning", extractable: false, state: null };
  assert.deepEqual(await accepted, expected);
  await Promise.all(contexts.map((context) => context.close()));
}

async function main(): Promise<void> {
  const missing = await requireChromium();
  if (missing) return console.log(`Not run: ${missing}`);
  const dir = await Deno.makeTempDir({ prefix: "strongroom-browser-" });
  try {
    await using stack = await startStack(START, `${dir}/stack`);
    await using platform = await startPlatform(stack, await bundlePage(), `${dir}/chunks`);
    const browser = await launchChromium();
    try {
      await checkStores(browser, platform.url, await signUp(stack, platform.url));
      await checkQuota(browser, platform.url);
      const named = platform.url.replace("127.0.0.1", "localhost");
      const session = await signUp(stack, named);
      await checkPasskeys(browser, named, session);
      await checkDevices(browser, named, session);
      await checkUploads(browser, platform, await signUp(stack, platform.url));
    } finally {
      await browser.close();
    }
    console.log("The package works in Chromium");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

await main();
