/**
 * The example app in a browser, as a scene uses it.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Browser, BrowserContext, Page } from "playwright-core";

/** A scene: what users do, and what they see. */
export type Scene = (site: Site) => Promise<void>;

/** A user of a scene. */
export interface Person {
  email: string;
  password: string;
}

/** Milliseconds that a page has to show what is waited for. */
const PATIENCE_MS = 20_000;

/** What browsers report when a request fails as the scene wants it: the server refuses, or there is no network. */
const EXPECTED = /Failed to load resource|net::ERR_|WebSocket connection to/;

/** The app, opened on as many devices as the scene wants. */
export class Site {
  #contexts: BrowserContext[] = [];
  #errors: string[] = [];

  constructor(
    private browser: Browser,
    readonly url: string,
    /** The environment of the stack. */
    readonly environment: Record<string, string>,
    private name: string,
    private screenshots: string | undefined,
  ) {}

  /** Opens the app on a new device: nothing is stored there. */
  async device(options: { width?: number; height?: number; dark?: boolean } = {}): Promise<Page> {
    const { width = 1280, height = 800, dark = false } = options;
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      locale: "en-GB",
      timezoneId: "UTC",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    this.#contexts.push(context);
    return await this.tab(context);
  }

  /** Opens the app in another tab of a device. */
  async tab(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", (error) => this.#errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !EXPECTED.test(message.text())) {
        this.#errors.push(message.text());
      }
    });
    await page.goto(this.url);
    return page;
  }

  /** Signs a new user up on a device. */
  async signUp(page: Page, name = "ada"): Promise<Person> {
    const email = `${name}-${crypto.randomUUID().slice(0, 8)}@example.com`;
    const person = { email, password: "correct horse" };
    await page.getByRole("button", { name: "Create an account" }).click();
    await fillIn(page, person);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText(email).waitFor();
    return person;
  }

  /** Signs a user in. */
  async signIn(page: Page, person: Person): Promise<void> {
    await fillIn(page, person);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText(person.email).waitFor();
  }

  /** Calls a function with the secret key, as the server of a product does. */
  // deno-lint-ignore no-explicit-any -- each scene knows what it asks for
  async callAsService(path: string, body: Record<string, unknown>): Promise<any> {
    const { SUPABASE_URL, SUPABASE_SECRET_KEY = "" } = this.environment;
    const response = await fetch(`${SUPABASE_URL}/functions/v1/${path}`, {
      method: "POST",
      headers: { apikey: SUPABASE_SECRET_KEY, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  /** Keeps a picture of the page, if pictures are wanted. */
  async picture(page: Page, name: string): Promise<void> {
    if (this.screenshots) await page.screenshot({ path: `${this.screenshots}/${name}.png` });
  }

  /** Fails if a page has reported an error. */
  assertNoErrors(): void {
    assert.deepEqual(this.#errors, []);
  }

  /** What the pages show, to find out why a scene failed. */
  async describe(): Promise<string> {
    const pages = this.#contexts.flatMap((context) => context.pages());
    const texts = pages.map(async (page, index) => {
      const text = await page.locator("body").innerText({ timeout: 1_000 }).catch(String);
      return `Page ${index + 1} of "${this.name}" at ${page.url()}:\n${text}`;
    });
    return [...await Promise.all(texts), ...this.#errors].join("\n");
  }

  async close(): Promise<void> {
    for (const context of this.#contexts) await context.close();
  }
}

async function fillIn(page: Page, { email, password }: Person): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
}

/** Who is signed in on a page. A refresh token can be used once. */
export async function session(page: Page): Promise<{ user_id: string; refresh_token: string }> {
  return await page.evaluate(() => {
    const key = Object.keys(localStorage).find((name) => name.endsWith("-auth-token")) ?? "";
    const { user, refresh_token } = JSON.parse(localStorage.getItem(key) ?? "{}");
    return { user_id: user?.id, refresh_token };
  });
}

/** Waits until a page shows a balance. */
export async function balanceIs(page: Page, wanted: (credits: number) => boolean): Promise<number> {
  return await eventually(async () => {
    const credits = Number(await page.getByTestId("balance").textContent());
    return wanted(credits) ? credits : undefined;
  });
}

/** Waits until something is there. */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  while (true) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `Still not there: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
