/**
 * Scenes of files: an upload with progress, one that a reload interrupts, and images until the credits run out.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

import type { Page } from "playwright-core";

import { balanceIs, type Scene } from "./site.ts";

/** Above what fits into the buffers of a connection. */
const SIZE = 5_000_000;

/** The scenes, by what they show. */
export const FILE_SCENES: Record<string, Scene> = {
  async "a file is uploaded with progress, and appears in the other tab"(site) {
    const page = await site.device();
    await site.signUp(page);
    const tab = await site.tab(page.context());
    for (const each of [page, tab]) await each.getByRole("link", { name: "Files" }).click();
    await page.getByText("Nothing here yet").waitFor();

    const { release } = await holdUploads(page);
    await choose(page, "notes.txt");
    await page.getByTestId("upload").getByText("notes.txt").waitFor();
    await page.getByRole("progressbar").waitFor();
    release();
    for (const each of [page, tab]) await each.getByTitle("notes.txt").waitFor();
    await page.getByTestId("upload").waitFor({ state: "detached" });
    await page.getByText("5.0 MB").waitFor();

    await page.getByRole("button", { name: "Delete notes.txt" }).click();
    await tab.getByText("Nothing here yet").waitFor();
  },

  async "an upload that a reload interrupts is made once when the file is chosen again"(site) {
    const page = await site.device();
    await site.signUp(page);
    await page.getByRole("link", { name: "Files" }).click();
    const { held } = await holdUploads(page);
    await choose(page, "draft.txt");
    await held;
    await page.reload();
    await page.getByText("Nothing here yet").waitFor();

    await page.unrouteAll({ behavior: "ignoreErrors" });
    await choose(page, "draft.txt");
    await page.getByTitle("draft.txt").waitFor();
    await page.getByTestId("upload").waitFor({ state: "detached" });
    await page.reload();
    await page.getByTitle("draft.txt").waitFor();
    assert.equal(await page.getByTitle("draft.txt").count(), 1);
  },

  async "images cost credits until there are too few, and the app says so"(site) {
    const page = await site.device();
    await site.signUp(page);
    await page.getByRole("link", { name: "Files" }).click();
    for (
      const [prompt, left] of [["A lighthouse in the evening", 60], [
        "Hills in spring",
        20,
      ]] as const
    ) {
      await create(page, prompt);
      await page.getByTitle(`${prompt}.png`).waitFor();
      await balanceIs(page, (credits) => credits === left);
    }
    await site.picture(page, "files");
    await create(page, "A third one");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("An image costs 40 credits, and you have 20. Nothing was charged.")
      .waitFor();
    await site.picture(page, "out-of-credits");
    await dialog.getByRole("button", { name: "See your credits" }).click();
    await page.getByRole("heading", { name: "Credits" }).waitFor();
    await page.getByText("\u221240", { exact: true }).first().waitFor();
    assert.equal(await page.getByText("\u221240", { exact: true }).count(), 2);
    await balanceIs(page, (credits) => credits === 20);
    await site.picture(page, "credits");
  },
};

async function choose(page: Page, name: string): Promise<void> {
  const text = "All work and no play makes a dull file.\n";
  const buffer = Buffer.from(text.repeat(Math.ceil(SIZE / text.length)).slice(0, SIZE));
  // The same file each time: a browser knows it by these.
  await page.getByTestId("file-input").setInputFiles({ name, mimeType: "text/plain", buffer });
}

async function create(page: Page, prompt: string): Promise<void> {
  await page.getByRole("button", { name: "Create an image" }).click();
  await page.getByLabel("What the image shows").fill(prompt);
  await page.getByRole("button", { name: "Create · 40 credits" }).click();
}

/** Holds back what a page sends to Storage. */
async function holdUploads(page: Page): Promise<{ held: Promise<void>; release: () => void }> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  await page.route("**/storage/v1/object/upload/sign/**", async (route) => {
    if (route.request().method() === "OPTIONS") return await route.continue();
    held.resolve();
    await released.promise;
    await route.continue();
  });
  return { held: held.promise, release: released.resolve };
}
