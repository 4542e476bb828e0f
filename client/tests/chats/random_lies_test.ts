/**
 * A server that lies at random. Whatever it answers, the device shows the truth, marks what nobody has confirmed, or throws
 * an error with a code; it keeps what it had, and writes under no other key. As soon as the server tells the truth again,
 * so does the device. `SOAK=10` tells ten times as many lies, and `SEED=...` repeats those of a failed run.
 */

import assert from "node:assert/strict";

import { soak, test } from "../../../supabase/functions/_testing/testing.ts";
import { type Chat, type Chats, ChatsError, CryptoError, MemoryStore } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { seededRandom } from "../support/faulty_network.ts";
import { LyingServer } from "../support/lying_server.ts";
import { RandomLies } from "../support/random_lies.ts";

const LIES = 60 * soak;

/** Each chat says which one it is in every part. */
const parts = ({ id, title, content, segments }: Chat) => ({
  id,
  texts: [...title === null ? [] : [title], content, ...segments],
});

test("a device and a server that lies at random", async () => {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`SEED=${seed}, ${LIES} lies`);
  await run(seededRandom(seed));
});

async function run(random: () => number): Promise<void> {
  const { user, phone, key } = await newUser();
  const one = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)]!;
  const server = new LyingServer();
  const lies = new RandomLies(random);
  const sent: string[] = [];
  const fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    if (request.method !== "GET") sent.push(await request.clone().text());
    return await server.fetch(request);
  };
  const store = new MemoryStore();
  const laptop = device(user, { store, fetch, attempts: 1, page_size: 3 });
  await laptop.keys.unlock({ device: key });

  const grow = async (chats: Chats): Promise<void> => {
    const all = await chats.list();
    if (all.length < 5 || random() < 0.1) {
      const chat = chats.create();
      return void await chats.save(chat, `${chat.id}.`, { title: `${chat.id} title` });
    }
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
  };
  /** Checks what the device shows: all parts belong to the chat, and it is the newest state that another device shows. */
  const check = (chat: Chat, truth: Map<string, Chat>) => {
    const { id, texts } = parts(chat);
    for (const text of texts) assert.ok(text.startsWith(id), `${text} in ${id} (${lies.last})`);
    if (chat.verified) assert.deepEqual(parts(chat), parts(truth.get(id)!), lies.last);
  };

  const kinds = new Map<string, number>();
  for (let step = 0; step < LIES; step++) {
    // The truth goes on, and the server listens.
    server.lie = lies.listen;
    await grow(phone);
    if (random() < 0.7) await recover(laptop, lies);
    await phone.sync();
    const truth = new Map<string, Chat>();
    for (const { id } of await phone.list()) truth.set(id, await phone.open(id));
    const had = new Map<string, Chat>();
    for (const { id } of await laptop.list()) {
      const chat = await laptop.openKept(id).catch(() => undefined);
      if (chat?.verified && truth.has(id)) had.set(id, chat);
    }

    const fresh = device(user, { fetch, attempts: 1, page_size: 3 });
    const chats = random() < 0.3 ? fresh : laptop;
    if (chats === fresh) await fresh.keys.unlock({ device: key });
    const ids = [...truth.keys()];
    server.lie = lies.tell;
    const ended = await one([
      () => chats.sync().then((result) => result),
      () => chats.open(one(ids)).then((chat) => check(chat, truth)),
      () => chats.open(one(ids)).then((chat) => check(chat, truth)),
      () => grow(chats),
      () => chats.keys.unlock({ device: key }),
      () => chats.backup(one(ids)),
    ])().catch((error: unknown) => error);
    server.lie = undefined;
    if (ended instanceof Error) {
      const named = ended instanceof ChatsError || ended instanceof CryptoError;
      if (!named) throw new Error(`An error without a code (${lies.last})`, { cause: ended });
      kinds.set(ended.code, (kinds.get(ended.code) ?? 0) + 1);
    } else kinds.set("no error", (kinds.get("no error") ?? 0) + 1);

    // Nothing that the laptop had is lost, unless it has changed or deleted it itself.
    await phone.sync();
    const now = new Set((await phone.list()).map(({ id }) => id));
    for (const [id, chat] of had) {
      if (!now.has(id)) continue;
      const kept = await laptop.openKept(id).catch(() => undefined);
      const content = await store.content(id);
      assert.ok(content && (!kept || kept.version >= chat.version), `${id} is lost (${lies.last})`);
    }
  }
  console.log([...kinds].map(([kind, times]) => `${kind} ${times}`).join(", "));

  const known = new Set(phone.keys.dataKeys.map(({ key_id }) => key_id));
  for (const body of sent) {
    for (const [, id = ""] of body.matchAll(/key_id\\?":\\?"([^"\\]+)/g)) {
      assert.ok(known.has(id), `Something was written under the key ${id}`);
    }
  }
  await recover(laptop, lies);
  await phone.sync();
  const titles = async (chats: Chats) =>
    (await chats.list()).map((
      { id, title, is_starred, verified },
    ) => [id, title, is_starred, verified])
      .sort();
  assert.deepEqual(await titles(laptop), await titles(phone));
  for (const { id } of await phone.list()) {
    assert.deepEqual(parts(await laptop.open(id)), parts(await phone.open(id)));
  }
}

/** Brings the device back to the truth. If it believes that the server has rolled back, the user accepts what there is. */
async function recover(chats: Chats, lies: RandomLies): Promise<void> {
  const result = await chats.sync().catch((error: unknown) => error);
  if (!(result instanceof Error) && (result as { verified: boolean }).verified) return;
  const { verified } = await chats.sync({ startOver: true });
  assert.equal(verified, true, lies.last);
}
