/**
 * A server that lies at random. Whatever it answers, a device shows the truth, marks what nobody has confirmed, or throws
 * an error with a code; it keeps what it had, and writes under no other key. As soon as the server tells the truth again,
 * so does the device. Meanwhile, the user changes the password, rotates the keys and closes epochs; the server then has the
 * older data keys, and a stolen session tries to change the keys. `SOAK=10` tells ten times as many lies, and `SEED=...` repeats those of a failed run.
 */

import assert from "node:assert/strict";

import { tell } from "../../../supabase/functions/_testing/tell.ts";
import { invoke, soak, test, type TestUser } from "../../../supabase/functions/_testing/testing.ts";
import {
  type Chat,
  type Chats,
  ChatsError,
  CryptoError,
  MemoryStore,
  type SyncResult,
} from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { seededRandom } from "../support/faulty_network.ts";
import { FORGED } from "../support/forgeries.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";
import { RandomLies } from "../support/random_lies.ts";

const LIES = 60 * soak;

/** Each chat says which one it is in every part. */
const parts = ({ id, title, content, segments }: Chat) => ({
  id,
  texts: [...title === null ? [] : [title], content, ...segments],
});

test("a device and a server that lies at random", async () => {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 32));
  tell(`SEED=${seed}, ${LIES} lies`);
  await run(seededRandom(seed));
});

async function run(random: () => number): Promise<void> {
  const account = await newUser();
  const { user, phone } = account;
  let { password, key } = account;
  const one = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)]!;
  const server = new LyingServer();
  const lies = new RandomLies(user.id, random);
  const sent: string[] = [];
  const fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const { method, url } = request;
    if (method !== "GET" && !url.includes("/keys")) sent.push(await request.clone().text());
    return await server.fetch(request);
  };
  const options = { fetch, attempts: 1, page_size: 3 };
  const devices = [0, 1].map(() => device(user, { ...options, store: new MemoryStore() }));
  for (const chats of devices) await chats.keys.unlock({ device: key });

  await grow(phone, random);
  const kinds = new Map<string, number>();
  const count = (kind: string) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  for (let step = 0; step < LIES; step++) {
    // The truth goes on, and the server listens.
    server.lie = lies.listen;
    await syncHonest(phone, count);
    await grow(phone, random);
    if (random() < 0.02) {
      // Another device wraps the keys under the password again if it is told that the wrap costs too little.
      await phone.keys.unlock({ password });
      password = `a new password for the chats ${step}`;
      await phone.keys.changePassword(password);
      count("changed password");
    }
    if (random() < 0.015) {
      await rotate(phone, password, random() < 0.5);
      lies.oldKeys = phone.keys.dataKeys.slice(1);
      for (const chats of devices) await chats.keys.unlock({ password });
      key = await devices[0]!.keys.rememberDevice();
      count("rotation");
    }
    const laptop = one(devices);
    if (random() < 0.7) await recover(laptop, password, lies);
    await syncHonest(phone, count);
    const truth = await stateOf(phone);
    const had = await kept(laptop);

    const fresh = device(user, options);
    const chats = random() < 0.3 ? fresh : laptop;
    if (chats === fresh) await fresh.keys.unlock({ device: key });
    const ids = [...truth.keys()];
    lies.last = "";
    server.lie = lies.tell;
    server.swallow = lies.swallow;
    const ended = await one([
      () => chats.sync(),
      () => chats.open(one(ids)).then((chat) => check(chat, truth, lies)),
      () => chats.open(one(ids)).then((chat) => check(chat, truth, lies)),
      () => grow(chats, random),
      () => grow(chats, random),
      () => chats.keys.unlock(random() < 0.8 ? { device: key } : { password }),
      () => chats.backup(one(ids)),
      () => one([() => chats.keys.progress(), () => chats.keys.devices()])(),
      () => one([() => chats.closeEpochs(), () => chats.reencrypt({ limit: 2 })])(),
      () => stolenSession(user, chats),
    ])().catch((error: unknown) => error);
    server.lie = server.swallow = undefined;
    if (ended instanceof Error) {
      const named = ended instanceof ChatsError || ended instanceof CryptoError;
      if (!named) throw new Error(`An error without a code (${lies.last})`, { cause: ended });
      count(ended.code);
    } else count("no error");
    for (const { id, title, verified } of await chats.list()) {
      const forged = !verified && title === FORGED;
      assert.ok(!title || forged || title.startsWith(id), `${title} in ${id} (${lies.last})`);
    }

    // Nothing that the device had is lost, unless it has changed or deleted it itself.
    await syncHonest(phone, count);
    const now = new Set((await phone.list()).map(({ id }) => id));
    for (const [id, chat] of had) {
      // A deletion that the server has only claimed counts, too: it has the chat.
      if (!now.has(id) || lies.last.startsWith(`DELETE chats/${id}`)) continue;
      const stored = await laptop.store.get(id);
      const content = await laptop.store.content(id);
      assert.ok(content && stored!.version >= chat.version, `${id} is lost (${lies.last})`);
    }
  }
  const text = (counts: Map<string, number>) =>
    [...counts].map(([kind, times]) => `${kind} ${times}`).join(", ");
  tell(text(kinds));
  if (soak > 1) tell(text(lies.told));

  const known = new Set(phone.keys.dataKeys.map(({ key_id }) => key_id));
  for (const body of sent) {
    for (const [, id = ""] of body.matchAll(/key_id\\?":\\?"([^"\\]+)/g)) {
      assert.ok(known.has(id), `Something was written under the key ${id}`);
    }
  }
  for (const laptop of devices) {
    await recover(laptop, password, lies);
    await syncHonest(phone, count);
    assert.deepEqual(await summaries(laptop), await summaries(phone));
    for (const { id } of await phone.list()) {
      assert.deepEqual(parts(await laptop.open(id)), parts(await phone.open(id)));
    }
  }
}

/** Changes a chat at random, or makes one. */
async function grow(chats: Chats, random: () => number): Promise<void> {
  const all = await chats.list();
  if (all.length < 5 || random() < 0.1) {
    const chat = chats.create();
    return void await chats.save(chat, `${chat.id}.`, { title: `${chat.id} title` });
  }
  const one = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)]!;
  const chat = await chats.open(one(all).id);
  const { id } = chat;
  await one([
    () => chats.append(chat, `${id} ${random()}`),
    () => chats.append(chat, `${id} ${random()}`),
    () => chats.star(chat, random() < 0.5),
    () => chats.rename(chat, `${id} ${random()}`),
    () => chats.save(chat, `${id} ${random()}`),
    () => all.length > 5 ? chats.delete(chat) : chats.compact(chat),
  ])();
}

/** Rotates the keys on an honest device, and perhaps shuts out the older ones for good. */
async function rotate(phone: Chats, password: string, close: boolean): Promise<void> {
  await phone.keys.rotate(password);
  if (!close) return;
  await phone.sync();
  await phone.reencrypt();
  await phone.closeEpochs();
}

/** What somebody does who has only the session: the honest database must refuse it. */
async function stolenSession(user: TestUser, { keys }: Chats): Promise<void> {
  const { body: before } = await invoke(user.client, "chats/keys");
  const wrap = { ...before.keys[0].wraps.find(({ kind }: Json) => kind === "recovery") };
  const body = {
    expected_version: before.version,
    key_id: before.key_id,
    wraps: [{ kind: "recovery", wrap: wrap.wrap }],
    next_proof_hash: btoa("\0".repeat(32)),
    proof: btoa("\0".repeat(32)),
  };
  const { status } = await invoke(user.client, "chats/keys", { method: "PUT", body });
  assert.equal(status, 403);
  await keys.devices();
}

/** The chats of an honest device. */
async function stateOf(phone: Chats): Promise<Map<string, Chat>> {
  const truth = new Map<string, Chat>();
  for (const { id } of await phone.list()) truth.set(id, await phone.open(id));
  return truth;
}

/** The verified chats that a device can show without the server. */
async function kept(chats: Chats): Promise<Map<string, Chat>> {
  const had = new Map<string, Chat>();
  for (const { id } of await chats.list()) {
    const chat = await chats.openKept(id).catch(() => undefined);
    if (chat?.verified) had.set(id, chat);
  }
  return had;
}

/** Checks what a device shows: all parts belong to the chat, and it is the newest state that another device shows. */
function check(chat: Chat, truth: Map<string, Chat>, lies: RandomLies): void {
  const { id, texts } = parts(chat);
  for (const text of texts) assert.ok(text.startsWith(id), `${text} in ${id} (${lies.last})`);
  if (chat.verified) assert.deepEqual(parts(chat), parts(truth.get(id)!), lies.last);
}

const summaries = async (chats: Chats) =>
  (await chats.list()).map((
    { id, title, is_starred, verified },
  ) => [id, title, is_starred, verified]).sort();

/**
 * Syncs a device that is told the truth. It notices if a device was made to believe in changes that were not made, and has
 * based others on them.
 */
async function syncHonest(phone: Chats, count: (kind: string) => void): Promise<void> {
  const result = await phone.sync().catch((error: unknown) => error);
  if (result instanceof Error) {
    const { code } = result as ChatsError;
    assert.ok(["history_forked", "history_false", "history_rolled_back"].includes(code), result);
    count(`${code} on the other device`);
  }
  const verified = !(result instanceof Error) && (result as SyncResult).verified;
  if (!verified) assert.equal((await phone.sync({ startOver: true })).verified, true);
}

/** Brings a device back to the truth. If it believes that the server has rolled back, the user accepts what there is. */
async function recover(chats: Chats, password: string, lies: RandomLies): Promise<void> {
  const result = await chats.sync().catch((error: unknown) => error);
  if (result instanceof Error || (result as SyncResult).keys_changed) {
    await chats.keys.unlock({ password });
  }
  if (!(result instanceof Error) && (result as SyncResult).verified) return;
  const { verified } = await chats.sync({ startOver: true });
  assert.equal(verified, true, lies.last);
}
