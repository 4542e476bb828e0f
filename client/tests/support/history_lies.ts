/**
 * Devices behind a server that lies about the history of an account.
 *
 * @module
 */

import assert from "node:assert/strict";

import { type Chats, MemoryStore } from "../../mod.ts";
import { device, newUser } from "./devices.ts";
import { type Json, type Lie, LyingServer } from "./lying_server.ts";

/** The code of an error. */
export const code = (error: unknown) => (error as { code?: string })?.code;

/** A user with an honest phone, and a laptop and a new device behind a server that may lie. */
export async function deceived() {
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
export const inSync = (change: (answer: Json) => Json): Lie => (answer, { path }) =>
  path === "rpc/sync_chats" ? change(answer) : undefined;

/** Lies about one chat wherever a sync lists it. */
export const ofChat = (id: string, change: (chat: Json) => Json): Lie =>
  inSync((answer) => ({
    ...answer,
    changes: answer.changes.flatMap((chat: Json) => chat.id === id ? change(chat) ?? [] : chat),
  }));

/** Lies about the answer to `GET /chats/:id`. */
export const inOpen = (change: (answer: Json) => Json): Lie => (answer, { method, path }) =>
  method === "GET" && path.startsWith("chats/") ? change(answer) : undefined;

/** Records what a server answers while a device does something. */
export async function recorded(server: LyingServer, run: () => Promise<unknown>): Promise<Json[]> {
  const answers: Json[] = [];
  server.lie = (answer, { path }) => void (path === "chats/keys" || answers.push(answer));
  await run();
  server.lie = undefined;
  return answers;
}

/** Checks that a device shows the truth: the same as an honest one. */
export async function showsTruth(chats: Chats, honest: Chats): Promise<void> {
  await honest.sync();
  assert.equal((await chats.sync()).verified, true);
  assert.equal(await chats.code(), await honest.code());
  const ids = async (device: Chats) => (await device.list()).map(({ id }) => id).sort();
  assert.deepEqual(await ids(chats), await ids(honest));
  for (const id of await ids(honest)) assert.deepEqual(await chats.open(id), await honest.open(id));
}
