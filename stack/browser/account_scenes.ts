/**
 * Scenes of accounts: signing up and in, a lost password, a session that is renewed.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import { balanceIs, eventually, type Scene, session } from "./site.ts";

/** The scenes, by what they show. */
export const ACCOUNT_SCENES: Record<string, Scene> = {
  async "a user signs up, sees the balance, and signs in again"(site) {
    const page = await site.device();
    await site.picture(page, "sign-in");
    const person = await site.signUp(page);
    await balanceIs(page, (credits) => credits === 100);
    await page.getByRole("button", { name: "Sign out" }).click();

    await page.getByLabel("E-mail").fill(person.email);
    await page.getByLabel("Password").fill("wrong horse");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("Invalid login credentials").waitFor();
    await site.signIn(page, person);
    await balanceIs(page, (credits) => credits === 100);
  },

  async "a lost password is replaced with the link of a mail"(site) {
    const page = await site.device();
    const { email } = await site.signUp(page);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Forgot your password?" }).click();
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("button", { name: "Send the link" }).click();
    await page.getByText("a mail with a link is on its way").waitFor();

    // The mail, as a person reads it in the browser.
    await page.goto(site.environment.SUPABASE_MAIL_URL ?? "");
    await page.getByRole("link", { name: email }).click();
    await site.picture(page, "mail");
    const opened = page.context().waitForEvent("page");
    await page.frameLocator("iframe").getByRole("link").first().click();
    const app = await opened;
    await app.getByLabel("New password").fill("a better horse");
    await app.getByRole("button", { name: "Save the password" }).click();
    await app.getByText(email).waitFor();
    assert.ok(app.url().startsWith(site.url));

    await app.getByRole("button", { name: "Sign out" }).click();
    await site.signIn(app, { email, password: "a better horse" });
  },

  async "a session that is about to expire is renewed, and the app goes on"(site) {
    const page = await site.device();
    await site.signUp(page);
    const before = await refreshToken(page);
    await page.evaluate(() => {
      const key = Object.keys(localStorage).find((name) => name.endsWith("-auth-token")) ?? "";
      const session = JSON.parse(localStorage.getItem(key) ?? "{}");
      session.expires_at = Math.floor(Date.now() / 1000) + 5;
      localStorage.setItem(key, JSON.stringify(session));
    });
    const renewed = page.waitForResponse((response) =>
      response.url().includes("grant_type=refresh_token")
    );
    await page.reload();
    assert.equal((await renewed).status(), 200);
    await eventually(async () => await refreshToken(page) !== before || undefined);
    await page.getByLabel("Ask Lantern").fill("Do you still know me? [words=5]");
    await page.keyboard.press("Enter");
    await page.getByText("This answer comes from the").waitFor();
    await balanceIs(page, (credits) => credits < 100);
  },
};

/** A new access token is the same as the old one if both are of the same second. */
async function refreshToken(page: Page): Promise<string> {
  return (await session(page)).refresh_token;
}
