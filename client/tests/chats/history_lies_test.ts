/**
 * A server that lies about the history of a chat: it leaves out, rolls back, splices and forges. Each
 * attack fails by name, the device keeps what it had, and the truth is shown as soon as the server tells it.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import type { Chat } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { pretend } from "../support/forgeries.ts";
import {
  code,
  deceived,
  inOpen,
  inSync,
  ofChat,
  recorded,
  showsTruth,
} from "../support/history_lies.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";

test("history: a content that the server calls newer cannot come without its segments", async () => {
  const { server, laptop, fresh, phone, a } = await deceived();
  await laptop.open(a.id);
  const [whole] = await recorded(server, async () => await (await fresh()).open(a.id));
  const newer = { ...whole, version: 6, data_version: 6, segments: [] };
  const head = JSON.stringify({ ...JSON.parse(whole.head), version: "6" });
  const chats = await fresh();
  for (
    const [answer, expected] of [[newer, "chat_unproven"], [
      { ...newer, head },
      "head_false",
    ]] as const
  ) {
    for (const device of [laptop, chats]) {
      assert.equal(
        code(await server.telling(inOpen(() => answer), () => device.open(a.id))),
        expected,
      );
    }
  }
  // If the user wants to see it all the same, it does not replace what the device has.
  const shown = await server.telling(
    inOpen(() => newer),
    () => laptop.open(a.id, { unproven: true }),
  );
  const { segments, verified } = shown as Chat;
  assert.deepEqual([segments, verified], [[], false]);
  assert.deepEqual(await laptop.openKept(a.id), a);
  await showsTruth(laptop, phone);
});

test("history: contents and segments of two times, and titles and stars of others, are refused", async () => {
  const { server, laptop, fresh, phone, a } = await deceived();
  const [before] = await recorded(server, async () => await (await fresh()).open(a.id));
  const [listed] = await recorded(server, () => laptop.sync({ startOver: true }));
  const old = listed.changes.find(({ id }: Json) => id === a.id);
  let chat = await phone.save(a, "A again: ");
  for (let number = 4; number < 8; number++) chat = await phone.append(chat, `A${number} `);
  chat = await phone.rename(chat, "Alpha");
  const chats = await fresh();
  for (
    const [name, change, expected] of [
      ["the content from before", ({ encrypted_data: _, ...now }) => ({
        ...now,
        encrypted_data: before.encrypted_data,
      })],
      ["the title from before", (now) => ({ ...now, encrypted_title: before.encrypted_title })],
      ["no title", (now) => ({ ...now, encrypted_title: null })],
      ["a star", (now) => ({ ...now, is_starred: true })],
      ["the head of another fold", (now) => ({
        ...now,
        head: JSON.stringify({
          ...JSON.parse(now.head),
          fold: JSON.parse(before.head).fold,
        }),
      })],
      ["a head that is none", (now) => ({ ...now, head: "{}" })],
      [
        "a state from before the head",
        (now) => ({ ...now, version: now.version - 1 }),
        "chat_rolled_back",
      ],
    ] as [string, (answer: Json) => Json, string?][]
  ) {
    for (const read of [() => chats.open(a.id), () => chats.backup(a.id)]) {
      const error = await server.telling(inOpen(change), read);
      assert.equal(code(error), expected ?? "head_false", name);
    }
  }
  for (
    const [name, change] of [
      ["the title from before", (now) => ({ ...now, encrypted_title: old.encrypted_title })],
      ["a star", (now) => ({ ...now, is_starred: true })],
      ["a head that is none", (now) => ({ ...now, head: "{}" })],
    ] as [string, (answer: Json) => Json][]
  ) {
    const error = await server.telling(ofChat(a.id, change), () => laptop.sync());
    assert.equal(code(error), "head_false", `${name}, in a sync`);
  }
  await showsTruth(laptop, phone);
  await showsTruth(chats, phone);
});

test("history: a chat cannot be rolled back under a higher version, nor lose its head", async () => {
  const { server, laptop, fresh, phone, a } = await deceived();
  const [before] = await recorded(server, async () => await (await fresh()).open(a.id));
  const chat = await phone.append(a, "A4 ");
  await laptop.sync();
  const known = { created_at: chat.created_at, updated_at: chat.updated_at };
  for (
    const [name, answer, expected] of [
      ["as it was", before, "chat_rolled_back"],
      ["as it was, in a higher version", { ...before, ...known, version: 9 }, "chat_rolled_back"],
      ["without its head", { ...before, ...known, version: 9, head: null }, "head_missing"],
    ] as [string, Json, string][]
  ) {
    const { segments: _s, encrypted_data: _d, has_more: _m, ...row } = answer;
    for (const read of [() => laptop.open(a.id), () => laptop.backup(a.id)]) {
      assert.equal(code(await server.telling(inOpen(() => answer), read)), expected, name);
    }
    const listed = inSync((now) => ({
      ...now,
      cursor: String(Number(now.cursor) + 1),
      changes: [{ ...row, deleted: false }],
    }));
    assert.equal(
      code(await server.telling(listed, () => laptop.sync())),
      expected,
      `${name}, in a sync`,
    );
  }
  // A device that knows nothing yet marks it, and its next sync tells.
  const chats = await fresh();
  const headless = { ...before, ...known, version: 9, head: null };
  const shown = await server.telling(inOpen(() => headless), () => chats.open(a.id));
  assert.equal((shown as Chat).verified, false);
  await showsTruth(laptop, phone);
  await showsTruth(chats, phone);
});

test("history: what the server only claimed to have saved does not stay in the way of the truth", async () => {
  const { user, phone, key } = await newUser();
  const server = new LyingServer();
  const laptop = device(user, { fetch: server.fetch, attempts: 1 });
  await laptop.keys.unlock({ device: key });
  const chat = await phone.save(phone.create(), "one");
  await laptop.sync();
  const opened = await laptop.open(chat.id);
  server.swallow = pretend;
  await laptop.save(opened, "by the laptop");
  server.swallow = undefined;
  const saved = await phone.star(await phone.save(chat, "by the phone"), true);

  assert.equal(code(await laptop.sync().catch((error: unknown) => error)), "history_forked");
  assert.equal((await laptop.sync({ startOver: true })).verified, true);
  // The content that the laptop has is of an earlier version, whose number is that of the content.
  for (const shown of [await laptop.open(chat.id), await laptop.openKept(chat.id)]) {
    assert.deepEqual([shown?.content, shown?.verified], ["by the phone", true]);
  }
  assert.equal((await laptop.append(await laptop.open(chat.id), "!")).version, saved.version + 1);
});
