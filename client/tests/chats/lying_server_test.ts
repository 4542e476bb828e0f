/**
 * A server that lies about chats. Each attack fails by name, and the device keeps what it had.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import { type Chat, type Chats, MemoryStore } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { type Json, type Lie, LyingServer } from "../support/lying_server.ts";

/** A user whose laptop talks to a lying server, and two chats with four segments each. */
async function deceived() {
  const { user, password, phone, key } = await newUser();
  const server = new LyingServer();
  const store = new MemoryStore();
  const newDevice = (more = {}) => device(user, { fetch: server.fetch, attempts: 1, ...more });
  const laptop = newDevice({ store });
  await laptop.keys.unlock({ device: key });
  const [a, b] = [await segmented(phone, "A"), await segmented(phone, "B")];
  await laptop.sync();
  const fresh = newDevice();
  await fresh.keys.unlock({ device: key });
  return { user, password, phone, server, store, laptop, fresh, a, b };
}

async function segmented(chats: Chats, title: string): Promise<Chat> {
  let chat = await chats.save(chats.create(), `${title}: `, { title });
  for (let number = 0; number < 4; number++) chat = await chats.append(chat, `${title}${number} `);
  return chat;
}

/** Lies about the answer to one method. */
function about(method: string, change: (answer: Json) => Json): Lie {
  return (answer, request) => request.method === method ? change(answer) : undefined;
}

/** Tells a lie at most this often: a client that believes it would go on for ever. */
const AT_MOST = 5;

/** Tells a lie a few times, and then the truth. */
function atMost(lie: Lie): Lie {
  let told = 0;
  return (answer, request) => ++told > AT_MOST ? undefined : lie(answer, request);
}

/** Puts the segments of an answer into another order, by their indexes. */
const segments = (...indexes: number[]) => (answer: Json) => ({
  ...answer,
  segments: indexes.map((index) => answer.segments[index]),
});

const members = (changes: Json) => (answer: Json) => ({ ...answer, ...changes });

const code = (error: unknown) => (error as { code?: string }).code;

test("a lying server: what is read is what was asked for", async () => {
  const { server, fresh, phone, a, b } = await deceived();
  const answerB = await phone.backup(b.id);
  const other = { ...answerB.chat, ...answerB.content, has_more: false };
  for (
    const [name, change, expected] of [
      ["another chat", () => other, "false_answer"],
      ["the other chat under this id", () => ({ ...other, id: a.id }), "decryption_failed"],
      ["segments 0 and 3", segments(0, 3), "segments_missing"],
      ["segments backwards", segments(3, 2, 1, 0), "segments_missing"],
      ["a segment again and again", segments(3, 3, 3, 3), "segments_missing"],
      ["the first segment twice", segments(0, 0, 1, 2, 3), "segments_missing"],
      ["no first segment", segments(1, 2, 3), "segments_missing"],
      ["no last segment", segments(0, 1, 2), "segments_missing"],
      ["fewer segments than there are", members({ next_segment: 3 }), "false_answer"],
      ["more segments than versions", members({ next_segment: 5 }), "false_answer"],
      ["a content newer than its chat", members({ data_version: 6 }), "false_answer"],
      ["a version that cannot be counted", members({ version: 2 ** 53 }), "unexpected_answer"],
      ["a version that is a text", members({ version: "5" }), "unexpected_answer"],
      ["no version", members({ version: 0 }), "unexpected_answer"],
      ["no content", members({ encrypted_data: null }), "false_answer"],
      ["a content that is too long", (answer) => ({
        ...answer,
        encrypted_data: "x".repeat(16 * 1024 * 1024 + 1),
      }), "unexpected_answer"],
      ["no time", members({ updated_at: "soon" }), "unexpected_answer"],
      ["a star that is none", members({ is_starred: "yes" }), "unexpected_answer"],
      ["no object", () => [], "unexpected_answer"],
    ] as [string, (answer: Json) => Json, string][]
  ) {
    const error = await server.telling(about("GET", change), () => fresh.open(a.id));
    assert.equal(code(error), expected, name);
  }
  const noEnd = atMost(about("GET", members({ has_more: true })));
  const error = await server.telling(noEnd, () => fresh.open(a.id));
  assert.equal(code(error), "segments_missing");
  assert.deepEqual(await fresh.open(a.id), a);
});

test("a lying server: a device notices another history of what it has", async () => {
  const { server, laptop, a } = await deceived();
  assert.deepEqual(await laptop.open(a.id), a);
  for (
    const [change, expected] of [
      [members({ version: 4, next_segment: 3 }), "chat_rolled_back"],
      [members({ data_version: 2 }), "chat_rolled_back"],
      [members({ next_segment: 3 }), "chat_rolled_back"],
      [members({ encrypted_data: "known" }), "false_answer"],
      [members({ version: 6, next_segment: 5 }), "segments_missing"],
    ] as [(answer: Json) => Json, string][]
  ) {
    const error = await server.telling(about("GET", change), () => laptop.open(a.id));
    assert.equal(code(error), expected, JSON.stringify(change({})));
  }
  assert.deepEqual(await laptop.openKept(a.id), a);
});

test("a lying server: the answer to a change names the chat, and what the change made of it", async () => {
  const { server, laptop, phone, a, b } = await deceived();
  const open = await laptop.open(a.id);
  const before = await phone.open(b.id);
  const lies: [string, string, (chat: Chat) => Promise<unknown>, Json][] = [];
  const append = (chat: Chat) => laptop.append(chat, "more");
  const save = (chat: Chat) => laptop.save(chat, "all of A");
  for (const wrong of [{ id: b.id }, { version: 99 }, { next_segment: 0 }, { data_version: 2 }]) {
    lies.push(["append", "POST", append, wrong]);
  }
  for (const wrong of [{ id: b.id }, { version: 99 }, { data_version: 1 }, { next_segment: 0 }]) {
    lies.push(["save", "PUT", save, wrong]);
  }
  for (const wrong of [{ id: b.id }, { version: 99 }, { is_starred: false }]) {
    lies.push(["star", "PATCH", (chat) => laptop.star(chat, true), wrong]);
  }
  let current = open;
  for (const [name, method, run, wrong] of lies) {
    const error = await server.telling(about(method, members(wrong)), () => run(current));
    assert.equal(code(error), "false_answer", `${name} ${JSON.stringify(wrong)}`);
    // Otherwise the next change would first be refused, and that refusal would be turned into a lie as well.
    await laptop.sync();
    current = await laptop.open(a.id);
  }
  const stale = { ...current, version: current.version - 1 };
  server.status = 409;
  for (const version of [stale.version, undefined, null, "7", 7.5, 2 ** 53]) {
    const conflict = about("PATCH", (answer) => ({ ...answer, version }));
    assert.equal(
      code(await server.telling(conflict, () => laptop.star(stale, true))),
      "false_answer",
      `${version}`,
    );
  }
  server.status = 200;
  assert.deepEqual(await phone.open(b.id), before);
  for (const wrong of [{ id: b.id }, { deleted: false }]) {
    const chat = await phone.save(phone.create(), "deleted");
    await laptop.sync();
    const lie = about("DELETE", members(wrong));
    assert.equal(code(await server.telling(lie, () => laptop.delete(chat))), "false_answer");
  }
  // The device remembers no head that the server does not say it has.
  const chat = await laptop.save(laptop.create(), "deleted");
  const { history } = await laptop.store.state();
  await server.telling(about("DELETE", members({ proven: false })), () => laptop.delete(chat));
  assert.deepEqual((await laptop.store.state()).history, history);
  assert.equal((await laptop.sync()).verified, true);
  const starred = await phone.save(phone.create(), "starred", { star: true });
  const backup = await phone.backup(starred.id);
  await phone.delete(starred);
  const unstarred = about("PUT", members({ is_starred: false }));
  const restore = () => laptop.restore(backup);
  assert.equal(code(await server.telling(unstarred, restore)), "false_answer");
});

test("a lying server: the head of a change is not made from another chat", async () => {
  const { server, fresh, phone, a, b } = await deceived();
  const { chat: row } = await phone.backup(b.id);
  const lie: Lie = (_, { path }) => path.startsWith("encrypted_chats") ? [row] : undefined;
  await server.telling(lie, () => fresh.rename(a, "renamed"));
  // It is sent without a head, as if an older client had made it.
  assert.equal(code(await phone.open(a.id).catch((error: unknown) => error)), "chat_unproven");
  const renamed = await phone.open(a.id, { unproven: true });
  assert.deepEqual([renamed.title, renamed.segments], ["renamed", a.segments]);
});

test("a lying server: a sync lists each chat once, moves on, and ends", async () => {
  const { server, laptop, phone, a, b } = await deceived();
  await phone.star(a, true);
  const twice = (answer: Json) => ({ ...answer, changes: [answer.changes[0], answer.changes[0]] });
  for (
    const [name, change, expected] of [
      ["a chat twice", twice, "false_answer"],
      ["no end", members({ has_more: true, changes: [], cursor: "0" }), "false_answer"],
      ["an earlier cursor", members({ cursor: "1" }), "false_answer"],
      ["no cursor", members({ cursor: "next" }), "false_answer"],
      ["no id", members({ changes: [{ id: "a", deleted: true }] }), "unexpected_answer"],
      ["no version", members({ changes: [{ id: a.id, deleted: false }] }), "unexpected_answer"],
    ] as [string, (answer: Json) => Json, string][]
  ) {
    const error = await server.telling(atMost(about("POST", change)), () => laptop.sync());
    assert.equal(code(error), expected, name);
  }
  const same = (answer: Json, asked: string) => ({ ...answer, has_more: true, cursor: asked });
  const { cursor } = await laptop.store.state();
  const error = await server.telling(
    atMost(about("POST", (answer) => same(answer, cursor!))), // the first sync has stored it
    () => laptop.sync(),
  );
  assert.equal(code(error), "false_answer");
  assert.deepEqual((await laptop.sync()).changed, [a.id]);
  assert.deepEqual((await laptop.list()).map(({ id }) => id).sort(), [a.id, b.id].sort());
});

test("a lying server: what is to be encrypted again is in order, and progress is not believed", async () => {
  const { server, laptop, password, phone, a } = await deceived();
  await laptop.open(a.id);
  await phone.keys.rotate(password);
  await laptop.keys.unlock({ password });
  const none = (answer: Json) => ({
    ...answer,
    keys: answer.keys.map((key: Json) => ({ ...key, envelopes: 0 })),
  });
  let left = 0;
  await server.telling(about("GET", none), async () => {
    ({ left } = await laptop.keys.progress());
  });
  // Of A the title, the content and four segments; of B the title.
  assert.equal(left, 7);
  const backwards = (answer: Json) =>
    Array.isArray(answer)
      ? [{ id: a.id }, { id: "00000000-0000-0000-0000-000000000000" }]
      : undefined;
  const error = await server.telling(about("GET", backwards), () => laptop.reencrypt());
  assert.equal(code(error), "false_answer");
});

test("a lying server: epochs have no gap and no second key, and changes of keys are what was asked for", async () => {
  const { server, fresh, laptop, password, phone } = await deceived();
  const { recoveryKey } = await phone.keys.rotate(password);
  const [first, second] = [0, 1];
  for (
    const [name, change, expected] of [
      ["an epoch twice", ({ keys }) => [keys[first], keys[second], keys[first]], "false_answer"],
      ["a gap", ({ keys }) => [{ ...keys[first], epoch: 3 }, keys[second]], "false_answer"],
      ["a gap before the first", ({ keys }) => [keys[first]], "false_answer"],
      ["the order", ({ keys }) => [keys[second], keys[first]], "false_answer"],
      [
        "one id",
        ({ keys }) => [keys[first], { ...keys[second], id: keys[first].id }],
        "false_answer",
      ],
      ["no keys", () => [], "false_answer"],
      ["a wrap twice", ({ keys }) => [
        { ...keys[first], wraps: [keys[first].wraps[0], keys[first].wraps[0]] },
        keys[second],
      ], "false_answer"],
    ] as [string, (answer: Json) => Json, string][]
  ) {
    const lie = about("GET", (answer) => ({ ...answer, keys: change(answer) }));
    const error = await server.telling(lie, () => fresh.keys.unlock({ password }));
    assert.equal(code(error), expected, name);
  }
  // The same gap, but the answer agrees with itself: only the numbers of the epochs show it.
  const gap = about("GET", (answer) => {
    const { keys: [current, older] } = answer;
    return { ...answer, epoch: 3, keys: [{ ...current, epoch: 3 }, older] };
  });
  const error = await server.telling(gap, () => fresh.keys.unlock({ password }));
  assert.equal(code(error), "false_answer");
  const without = (kind: string) =>
    about("GET", ({ keys, ...answer }) => ({
      ...answer,
      keys: keys.map(({ wraps, ...key }: Json) => ({
        ...key,
        wraps: wraps.filter((wrap: Json) => wrap.kind !== kind),
      })),
    }));
  const unlock = () => fresh.keys.unlock({ password });
  assert.equal(code(await server.telling(without("epoch"), unlock)), "keys_rolled_back");
  const recover = () => fresh.keys.recover(recoveryKey, password);
  assert.equal(code(await server.telling(without("recovery"), recover)), "keys_locked");
  await laptop.keys.unlock({ password });
  for (const wrong of [{ version: 99 }, { key_id: crypto.randomUUID() }]) {
    const lie = about("PUT", members(wrong));
    const error = await server.telling(lie, () => laptop.keys.newRecoveryKey());
    assert.equal(code(error), "false_answer");
    await laptop.keys.unlock({ password });
  }
});
