/**
 * Scenes of conversations: an answer that streams, two tabs, no network.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import { balanceIs, eventually, type Scene, session } from "./site.ts";

/** The scenes, by what they show. */
export const CONVERSATION_SCENES: Record<string, Scene> = {
  async "an answer streams, is paid for, and is there after a reload"(site) {
    const page = await site.device();
    await site.signUp(page);
    await balanceIs(page, (credits) => credits === 100);
    await page.getByText("What you ask appears here").waitFor();
    await site.picture(page, "welcome");
    await ask(page, "Plan a quiet weekend in the mountains");
    await answers(page).getByText("This answer comes").waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await balanceIs(page, (credits) => credits < 100 && credits > 99);
    const text = await answers(page).innerText();
    assert.match(text, /among its words\. This answer/, "the whole answer");
    await page.getByRole("link", { name: "Plan a quiet weekend" }).waitFor();
    await site.picture(page, "conversation");

    await page.reload();
    await answers(page).waitFor();
    assert.equal(await answers(page).innerText(), text);
  },

  async "an answer in Markdown is shown as such"(site) {
    const page = await site.device();
    await site.signUp(page);
    const { user_id } = await session(page);
    const content = "Three **lakes**:\n\n- Upper\n- Lower\n\n```js\ncount(lakes);\n```";
    const { conversation } = await site.callAsService("conversations", {
      user_id,
      title: "Three lakes",
      message: { role: "user", content: "Name three lakes" },
    });
    await site.callAsService(`conversations/${conversation.id}/messages`, {
      user_id,
      role: "assistant",
      content,
    });
    await page.getByRole("link", { name: "Three lakes" }).click();
    await answers(page).locator("strong", { hasText: "lakes" }).waitFor();
    assert.deepEqual(await answers(page).getByRole("listitem").allInnerTexts(), ["Upper", "Lower"]);
    await answers(page).locator("pre", { hasText: "count(lakes);" }).waitFor();
  },

  async "an answer goes on after a reload in its middle"(site) {
    const page = await site.device();
    await site.signUp(page);
    await ask(page, "Tell me more [words=150] [pace=40]");
    await answers(page).getByText("It needs neither").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await answers(page).getByText("It needs neither").waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    const text = await answers(page).locator("p").innerText();
    assert.equal(text.split(" ").length, 150, "without a gap or a double");
    await page.reload();
    await answers(page).waitFor();
    assert.equal(await answers(page).locator("p").innerText(), text);
  },

  async "an answer is replaced by another one, and both are paid for"(site) {
    const page = await site.device();
    await site.signUp(page);
    await ask(page, "Once more, please [words=6]");
    // While an answer is written, more is held than it costs in the end.
    const first = await balanceIs(page, (credits) => credits > 99 && credits < 100);
    await page.getByRole("button", { name: "Ask again" }).click();
    await balanceIs(page, (credits) => credits > 99 && credits < first);
    await page.getByTestId("cost").waitFor();
    assert.equal(await answers(page).count(), 1);
    await page.reload();
    await page.getByTestId("cost").waitFor();
    assert.equal(await answers(page).count(), 1);
  },

  async "the model calls a tool that runs in the browser, and goes on with its output"(site) {
    const page = await site.device();
    const person = await site.signUp(page);
    const tablet = await site.device({ width: 820, dark: true });
    await site.signIn(tablet, person);
    await ask(page, "What time is it? [tool]");
    for (const each of [page, tablet]) {
      if (each === tablet) await each.getByRole("link", { name: "What time is it?" }).click();
      await answers(each).getByText("The tool returned").waitFor();
      assert.equal(await each.getByTestId("tool").innerText(), "Looked at your clock");
      assert.match(await answers(each).innerText(), /"time_zone":"UTC"/);
      assert.equal(await answers(each).count(), 1, "one message");
      assert.equal(await each.getByRole("alert").count(), 0);
    }
    await site.picture(page, "tool");
  },

  async "the server runs a tool when the user allows it, and the answer goes on"(site) {
    const page = await site.device();
    const person = await site.signUp(page);
    const rename = (title: string) => `[call rename_conversation {"title":"${title}"}] [words=4]`;
    await ask(page, `What shall we call this? ${rename("Three lakes")}`);
    await page.getByText("May this conversation be called “Three lakes”?").waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await site.picture(page, "permission");
    assert.equal(await page.getByRole("link", { name: "Three lakes", exact: true }).count(), 0);
    // The question is still there after a reload, and on another device.
    await page.reload();
    await page.getByRole("button", { name: "Allow", exact: true }).waitFor();
    const tablet = await site.device({ width: 820, dark: true });
    await site.signIn(tablet, person);
    await tablet.getByRole("link", { name: "What shall we call this?" }).click();
    await tablet.getByRole("button", { name: "Allow", exact: true }).click();
    for (const each of [page, tablet]) {
      await answers(each).getByText("The tool returned").waitFor();
      assert.equal(await each.getByTestId("tool").innerText(), "Renamed this conversation");
      await each.getByRole("link", { name: "Three lakes", exact: true }).waitFor();
      assert.equal(await answers(each).count(), 1, "one message");
      assert.equal(await each.getByRole("alert").count(), 0);
    }

    await ask(page, `And now? ${rename("Four lakes")}`);
    await page.getByRole("button", { name: "Do not allow" }).click();
    await answers(page).getByText("The user did not allow this call").waitFor();
    assert.equal(await page.getByTestId("tool").last().innerText(), "Not allowed");
    await page.getByRole("link", { name: "Three lakes", exact: true }).waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
  },

  async "an answer that costs more than is left is refused, and the question is not lost"(site) {
    const page = await site.device();
    await site.signUp(page);
    await balanceIs(page, (credits) => credits === 100);
    const { user_id } = await session(page);
    await site.callAsService("credits/deduct", { user_id, amount: 97, description: "An evening" });
    await ask(page, "Are you still there?");
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/^This answer can cost up to [\d.]+ credits, and you have 3\./)
      .waitFor();
    await dialog.getByRole("button", { name: "Not now" }).click();
    assert.equal(await page.getByLabel("Ask Lantern").inputValue(), "Are you still there?");
    assert.equal(await answers(page).count(), 0);
    await balanceIs(page, (credits) => credits === 3);
  },

  async "an answer can be stopped, and what it said stays"(site) {
    const page = await site.device();
    await site.signUp(page);
    await ask(page, "Tell me much [words=2000] [pace=20]");
    await answers(page).getByText("It needs neither").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await answers(page).getByText("It needs neither").waitFor();
    await ask(page, "Thank you [words=4]");
    await answers(page).nth(1).getByText("This answer comes from").waitFor();
  },

  async "two tabs and another device show the same conversation at once"(site) {
    const laptop = await site.device();
    const person = await site.signUp(laptop);
    await ask(laptop, "Which day is it?");
    await laptop.getByRole("button", { name: "Send" }).waitFor();
    const first = await balanceIs(laptop, (credits) => credits > 99 && credits < 100);
    const tab = await site.tab(laptop.context());
    const phone = await site.device({ width: 390, height: 844, dark: true });
    await fillInOnPhone(phone, person.email, person.password);
    await phone.getByRole("button", { name: "Menu" }).click();
    for (const page of [tab, phone]) {
      await page.getByRole("link", { name: "Which day is it?" }).click();
      await answers(page).waitFor();
    }

    await ask(phone, "And tomorrow?");
    for (const page of [laptop, tab, phone]) {
      await page.getByText("And tomorrow?").waitFor();
      await answers(page).nth(1).getByText("It needs").waitFor();
    }
    await site.picture(phone, "phone");
    // While the answer runs, what it may cost is held, and a tab may show that or not yet.
    await phone.getByRole("button", { name: "Send" }).waitFor();
    const balances = await Promise.all(
      [laptop, tab].map((page) => balanceIs(page, (credits) => credits > 99 && credits < first)),
    );
    assert.equal(balances[0], balances[1]);
  },

  async "without a network nothing is lost, and the app goes on when it is back"(site) {
    const page = await site.device();
    await site.signUp(page);
    await ask(page, "Hello [words=4]");
    await answers(page).waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();

    await page.context().setOffline(true);
    await page.getByText("You are offline").waitFor();
    await ask(page, "Can you hear me? [words=7]");
    await page.getByRole("alert").getByText("The server cannot be reached").waitFor();
    // What was written is in the field again.
    await eventually(async () =>
      await page.getByLabel("Ask Lantern").inputValue() === "Can you hear me? [words=7]" ||
      undefined
    );

    await page.context().setOffline(false);
    await page.getByText("You are offline").waitFor({ state: "detached" });
    // What was not sent is still said after something else has changed, and the app has read the messages again.
    const read = page.waitForResponse((response) => response.url().includes("/rest/v1/messages"));
    const { user_id } = await session(page);
    const message = { role: "user", content: "Elsewhere" };
    await site.callAsService("conversations", { user_id, message });
    await (await read).finished();
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
    await answers(page).nth(1).getByText("played model").waitFor();
    assert.equal(await page.getByText("Can you hear me?").count(), 1, "it was sent once");
    // What others change is heard again, too.
    const tab = await site.tab(page.context());
    await tab.getByRole("link", { name: "Hello" }).click();
    await ask(tab, "From the other tab [words=3]");
    await page.getByText("From the other tab").waitFor();
  },
};

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel("Ask Lantern").fill(text);
  await page.keyboard.press("Enter");
}

function answers(page: Page) {
  return page.locator("[data-role=assistant]");
}

/** The address of the user is in the menu, which a phone does not show at first. */
async function fillInOnPhone(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("What is on your mind?").waitFor();
}
