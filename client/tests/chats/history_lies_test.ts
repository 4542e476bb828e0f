/**
 * A server that lies about the history of an account: it leaves out, brings back, rolls back, splices and forges. Each
 * attack fails by name, the device keeps what it had, and the truth is shown as soon as the server tells it.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import { type Chat, type Chats, MemoryStore } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { type Json, type Lie, LyingServer } from "../support/lying_server.ts";

const code = (error: unknown) => (error as { code?: string })?.code;

/** A user with an honest phone, and a laptop and a new device behind a server that may lie. */
async function deceived() {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const store = new MemoryStore();
  const newDevice = (more = {}) => device(user, { fetch: server.fetch, attempts: 1, ...more });
  const laptop = newDevice({ store });
  await laptop.keys.unlock({ device: key });
  let a = await phone.save(phone.create(), "A: ", { title: "A" });
  for (let number = 0; number < 4; number++) a = await phone.append(a, `A${number} `);
  const b = await phone.save(phone.create(), "B", { title: "B", star: true });
  assert.equal((await laptop.sync()).verified, true);
  const fresh = async () => {
    const chats = newDevice();
    await chats.keys.unlock({ device: key });
    return chats;
  };
  return { user, password, phone, server, store, laptop, fresh, a, b };
}

/** Lies about the answers of `sync_chats`. */
const inSync = (change: (answer: Json) => Json): Lie => (answer, { path }) =>
  path === "rpc/sync_chats" ? change(answer) : undefined;

/** Lies about one chat wherever a sync lists it. */
const ofChat = (id: string, change: (chat: Json) => Json): Lie =>
  inSync((answer) => ({
    ...answer,
    changes: answer.changes.flatMap((chat: Json) => chat.id === id ? change(chat) ?? [] : chat),
  }));

/** Lies about the answer to `GET /chats/:id`. */
const inOpen = (change: (answer: Json) => Json): Lie => (answer, { method, path }) =>
  method === "GET" && path.startsWith("chats/") ? change(answer) : undefined;

/** Records what a server answers while a device does something. */
async function recorded(server: LyingServer, run: () => Promise<unknown>): Promise<Json[]> {
  const answers: Json[] = [];
  server.lie = (answer, { path }) => void (path === "chats/keys" || answers.push(answer));
  await run();
  server.lie = undefined;
  return answers;
}

/** Checks that a device shows the truth: the same as an honest one. */
async function showsTruth(chats: Chats, honest: Chats): Promise<void> {
  await honest.sync();
  assert.equal((await chats.sync()).verified, true);
  assert.equal(await chats.code(), await honest.code());
  const ids = async (device: Chats) => (await device.list()).map(({ id }) => id).sort();
  assert.deepEqual(await ids(chats), await ids(honest));
  for (const id of await ids(honest)) assert.deepEqual(await chats.open(id), await honest.open(id));
}

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
    const error = await server.telling(inOpen(change), () => chats.open(a.id));
    assert.equal(code(error), expected ?? "head_false", name);
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
    assert.equal(
      code(await server.telling(inOpen(() => answer), () => laptop.open(a.id))),
      expected,
      name,
    );
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

test("history: chats that are left out, deleted or brought back by the server are noticed", async () => {
  const { server, laptop, fresh, phone, a, b } = await deceived();
  await laptop.open(a.id);
  const gone = await phone.save(phone.create(), "gone");
  const [row] = await recorded(server, () => laptop.sync());
  await phone.delete(gone);
  await laptop.sync();
  const added = await phone.save(phone.create(), "new");
  const chats = await fresh();
  const back = row.changes[0];
  const listing = (change: (changes: Json[]) => Json[]) =>
    inSync((answer) => ({ ...answer, changes: change(answer.changes) }));
  for (
    const [name, lie] of [
      ["a new chat is left out", listing((all) => all.filter(({ id }) => id !== added.id))],
      [
        "an old chat is left out",
        listing((all) => [
          ...all.filter(({ id }) => id !== a.id && id !== added.id),
        ]),
      ],
      ["all chats are left out", listing(() => [])],
      [
        "a chat is deleted",
        listing((all) => [
          ...all.filter(({ id }) => id !== a.id),
          { id: a.id, deleted: true },
        ]),
      ],
      ["a deleted chat is brought back", listing((all) => [...all, back])],
    ] as [string, Lie][]
  ) {
    for (const device of [laptop, chats]) {
      assert.equal(code(await server.telling(lie, () => device.sync())), "history_false", name);
    }
    assert.deepEqual(await laptop.openKept(a.id), a, name);
  }
  await showsTruth(laptop, phone);
  await showsTruth(chats, phone);
  assert.equal((await laptop.list()).length, 3);
  assert.equal((await laptop.open(b.id)).content, "B");
});

test("history: what one answer hides, the next one brings", async () => {
  const { server, laptop, phone, a } = await deceived();
  await phone.append(a, "A4 ");
  const hide = inSync((answer) => server.told === 0 ? { ...answer, changes: [] } : undefined);
  const result = await server.telling(hide, () => laptop.sync()) as { verified: boolean };
  assert.equal(result.verified, true);
  await showsTruth(laptop, phone);
});

test("history: the head of the account cannot be left out, rolled back or moved", async () => {
  const { server, laptop, fresh, phone, a } = await deceived();
  const [{ history: before }] = await recorded(server, () => laptop.sync());
  await phone.append(a, "A4 ");
  const chats = await fresh();
  await chats.sync();
  await phone.star(await phone.open(a.id), true);
  const head = (change: (history: Json) => Json) =>
    inSync((answer) => ({ ...answer, history: change(answer.history) }));
  for (
    const [name, lie, expected] of [
      ["none", head(() => null), "history_missing"],
      ["an older one", head(() => before), "history_rolled_back"],
      [
        "an older one under the counter",
        head(({ counter }) => ({ ...before, counter })),
        "decryption_failed",
      ],
      ["another text", head((history) => ({ ...history, sealed: "{}" })), "history_false"],
      ["no counter", head((history) => ({ ...history, counter: 0 })), "unexpected_answer"],
      ["no text", head((history) => ({ ...history, sealed: 1 })), "unexpected_answer"],
    ] as [string, Lie, string][]
  ) {
    assert.equal(code(await server.telling(lie, () => chats.sync())), expected, name);
  }
  // A new device cannot know, but sees that something is wrong if the chats are not those of the head.
  const other = await fresh();
  assert.equal(code(await server.telling(head(() => null), () => other.sync())), "history_missing");
  assert.equal(code(await server.telling(head(() => before), () => other.sync())), "history_false");
  await showsTruth(laptop, phone);
  await showsTruth(other, phone);
});

test("history: the refusal of a change is checked like any other answer", async () => {
  const { server, laptop, phone, a } = await deceived();
  const [{ history: before }] = await recorded(server, () => laptop.sync());
  let chat = await phone.append(a, "A4 ");
  await laptop.sync();
  chat = await laptop.open(a.id);
  const problem = { code: "history_conflict", detail: "Conflict" };
  server.status = 409;
  for (
    const [name, answer, expected] of [
      ["no head", () => problem, "history_missing"],
      ["the known head", (history) => ({
        ...problem,
        history: { ...history, unproven_deletions: 0 },
      }), "false_answer"],
      ["an older head", () => ({ ...problem, history: before }), "history_rolled_back"],
      ["no object", () => ({ ...problem, history: 1 }), "unexpected_answer"],
    ] as [string, (history: Json) => Json, string][]
  ) {
    const { history } = await laptop.store.state();
    const lie: Lie = (_, { method }) => method === "POST" ? answer(history) : undefined;
    assert.equal(
      code(await server.telling(lie, () => laptop.append(chat, "more"))),
      expected,
      name,
    );
    await laptop.sync();
    chat = await laptop.open(a.id);
  }
  server.status = 200;
  await showsTruth(laptop, phone);
});

test("history: a deletion that nothing proves removes nothing, until the user accepts it", async () => {
  const { server, laptop, fresh, phone, a, b } = await deceived();
  await laptop.open(a.id);
  const claim = inSync((answer) => ({
    ...answer,
    history: { ...answer.history, unproven_deletions: 1 },
    changes: [...answer.changes.filter(({ id }: Json) => id !== a.id), { id: a.id, deleted: true }],
  }));
  const result = await server.telling(claim, () => laptop.sync());
  const { unproven, verified, removed, kept } = result as Awaited<ReturnType<Chats["sync"]>>;
  assert.deepEqual([unproven, verified, removed, kept], [[a.id], false, [], [a.id]]);
  assert.deepEqual(await laptop.openKept(a.id), a);
  // The claim must be about as many chats as are missing.
  const two = inSync((answer) => ({
    ...answer,
    history: { ...answer.history, unproven_deletions: 2 },
    changes: answer.changes.filter(({ id }: Json) => id !== a.id),
  }));
  assert.equal(
    code(await server.telling(two, async () => await (await fresh()).sync())),
    "history_false",
  );
  await showsTruth(laptop, phone);
  assert.equal((await laptop.open(b.id)).verified, true);
});
