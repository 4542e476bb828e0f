/**
 * Scenes of encrypted chats: two devices, the passphrase, the recovery key, and what the server sees.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";
import postgres from "postgres";

import type { Scene, Site } from "./site.ts";

const PASSPHRASE = "seven quiet otters";
const SECRET = "The surprise party is on Friday";

/** The scenes, by what they show. */
export const PRIVATE_SCENES: Record<string, Scene> = {
  async "an encrypted chat is the same on two devices, and the server cannot read it"(site) {
    const laptop = await site.device();
    const person = await site.signUp(laptop);
    await setUp(laptop);
    await write(laptop, SECRET);
    await laptop.getByRole("heading", { name: SECRET }).waitFor();

    const tablet = await site.device({ dark: true });
    await site.signIn(tablet, person);
    await tablet.getByRole("link", { name: "Private chats" }).click();
    await tablet.getByLabel("Passphrase").waitFor();
    await site.picture(tablet, "unlock");
    await unlock(tablet, "not the passphrase");
    await tablet.getByRole("alert").getByText("That is not right").waitFor();
    await unlock(tablet, PASSPHRASE);
    await tablet.getByRole("link", { name: SECRET }).click();
    await texts(tablet).getByText(SECRET).waitFor();
    assert.equal(await keyOf(tablet), await keyOf(laptop));

    await tablet.getByLabel("Write for your eyes only").fill("Bring candles");
    await tablet.keyboard.press("Enter");
    await texts(laptop).getByText("Bring candles").waitFor();
    await laptop.getByLabel("Write for your eyes only").fill("And no balloons");
    await laptop.keyboard.press("Enter");
    await texts(tablet).getByText("And no balloons").waitFor();
    await site.picture(tablet, "private");

    // The device has its key: no passphrase after a reload.
    await laptop.reload();
    await texts(laptop).getByText("And no balloons").waitFor();
    await assertUnreadable(site.environment.SUPABASE_ADMIN_DB_URL ?? "");
  },

  async "a forgotten passphrase is replaced with the recovery key"(site) {
    const laptop = await site.device();
    const person = await site.signUp(laptop);
    const recoveryKey = await setUp(laptop);
    await write(laptop, SECRET);
    await laptop.getByRole("link", { name: SECRET }).waitFor();

    const phone = await site.device();
    await site.signIn(phone, person);
    await phone.getByRole("link", { name: "Private chats" }).click();
    await phone.getByRole("button", { name: "Forgot your passphrase?" }).click();
    await phone.getByLabel("Recovery key").fill(recoveryKey.toLowerCase());
    await phone.getByLabel("New passphrase").fill("nine patient herons");
    await phone.getByRole("button", { name: "Unlock" }).click();
    await phone.getByRole("link", { name: SECRET }).click();
    await texts(phone).getByText(SECRET).waitFor();

    await laptop.getByRole("button", { name: "Lock this device" }).click();
    await unlock(laptop, "nine patient herons");
    await laptop.getByRole("link", { name: SECRET }).waitFor();
  },

  async "a new device is let in by another, also after a reload"(site) {
    const laptop = await site.device();
    const person = await site.signUp(laptop);
    await setUp(laptop);
    await write(laptop, SECRET);

    const phone = await site.device({ dark: true });
    await site.signIn(phone, person);
    await phone.getByRole("link", { name: "Private chats" }).click();
    await phone.getByRole("button", { name: "Use another device" }).click();
    const code = await phone.getByTestId("device-code").innerText();
    await phone.getByAltText("The same code, to scan").waitFor();
    await phone.reload();
    assert.equal(await phone.getByTestId("device-code").innerText(), code);

    await laptop.getByRole("button", { name: "Add a device" }).click();
    const typed = laptop.getByLabel("Code on the new device");
    await typed.fill(`${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`);
    await typed.press("Enter");
    await laptop.getByRole("alert").getByText("mistyped").waitFor();
    await typed.fill(code.toLowerCase());
    await typed.press("Enter");
    await laptop.getByText("Let “Chrome on Linux” read your private chats?").waitFor();
    await laptop.getByRole("button", { name: "Let it in" }).click();
    await phone.getByRole("link", { name: SECRET }).click();
    await texts(phone).getByText(SECRET).waitFor();
    assert.equal(await keyOf(phone), await keyOf(laptop));
    await phone.reload();
    await texts(phone).getByText(SECRET).waitFor();
  },

  async "a passkey unlocks the chats"(site) {
    const laptop = await site.device();
    await laptop.goto(named(site));
    const devtools = await laptop.context().newCDPSession(laptop);
    await devtools.send("WebAuthn.enable");
    await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        ...{ protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal" },
        ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
        ...{ hasPrf: true, automaticPresenceSimulation: true },
      },
    });
    await site.signUp(laptop);
    await setUp(laptop);
    await write(laptop, SECRET);
    await laptop.getByRole("button", { name: "Add a passkey" }).click();
    await laptop.getByText("1 passkey", { exact: true }).waitFor();
    await laptop.getByRole("button", { name: "Lock this device" }).click();
    await laptop.getByRole("button", { name: "Use a passkey" }).click();
    await laptop.getByRole("link", { name: SECRET }).click();
    await texts(laptop).getByText(SECRET).waitFor();
  },
};

/** The app under a name: pages under an address cannot have passkeys. */
function named({ url }: Site): string {
  return url.replace("127.0.0.1", "localhost");
}

/** Sets the keys up; returns the recovery key. */
async function setUp(page: Page): Promise<string> {
  await page.getByRole("link", { name: "Private chats" }).click();
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Set up private chats" }).click();
  const recoveryKey = await page.getByTestId("recovery-key").innerText();
  await page.getByLabel("I have kept it in a safe place").check();
  await page.getByRole("button", { name: "Open my private chats" }).click();
  return recoveryKey;
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByRole("main").getByRole("button", { name: "New private chat" }).last().click();
  await page.getByLabel("Write for your eyes only").fill(text);
  await page.keyboard.press("Enter");
}

async function unlock(page: Page, passphrase: string): Promise<void> {
  await page.getByLabel("Passphrase").fill(passphrase);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
}

function texts(page: Page) {
  return page.locator("article.message");
}

async function keyOf(page: Page): Promise<string> {
  return await page.getByTestId("key-id").innerText();
}

/** Looks for the words in everything that the database has. */
async function assertUnreadable(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  try {
    const tables = await sql`
      select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname in ('public', 'private', 'storage')`;
    for (const { name } of tables) {
      const [row] = await sql.unsafe(
        `select count(*)::int as found from ${name} as t where t::text like $1 or t::text like $2`,
        ["%surprise party%", "%Bring candles%"],
      );
      assert.equal(row?.found, 0, name);
    }
  } finally {
    await sql.end();
  }
}
