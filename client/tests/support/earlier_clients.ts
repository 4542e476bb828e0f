/**
 * What earlier versions of the client have sent and stored. `client/tests/vectors/earlier` has it as it was recorded: the
 * requests are sent once more, so that the server has what it would have of such a user.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";
import { SignJWT } from "jose";

import {
  stack,
  type TestUser,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import type { StoreBatch, StoredChat, StoredContent, StoreState } from "../../chats/chat_store.ts";
import { fromHex } from "./known_keys.ts";
import { type DeviceKey, importDeviceKey, MemoryStore } from "../../mod.ts";

/** A user of an earlier client. */
export interface EarlierUser {
  user: TestUser;
  password: string;
  recovery_key: string;
  /** The key of the device that has stored `store`. */
  device: DeviceKey;
  store: MemoryStore;
  /** Chuk Chat's password and salt. */
  v1: { password: string; salt: string };
  /** What the chats say; the last one is in format 1. */
  chats: EarlierChat[];
}

/** A chat as the earlier client showed it. */
export interface EarlierChat {
  id: string;
  title: string;
  content: string;
  segments: string[];
  is_starred: boolean;
}

interface Recorded extends Omit<EarlierUser, "user" | "device" | "store"> {
  user_id: string;
  device: { device_id: string; secret: string };
  requests: { method: string; path: string; body: Record<string, unknown> }[];
  store: { state: StoreState; chats: StoredChat[]; contents: StoredContent[] };
}

/**
 * Makes the user anew, sends what the earlier client has sent, and deletes the user at the end.
 *
 * @param name of a file in `client/tests/vectors/earlier`
 * @param run the test
 */
export async function withEarlierUser(
  name: string,
  run: (earlier: EarlierUser) => Promise<void>,
): Promise<void> {
  const file = new URL(`../vectors/earlier/${name}.json`, import.meta.url);
  const recorded = JSON.parse(await Deno.readTextFile(file)) as Recorded;
  const { user_id, password, recovery_key, v1, chats } = recorded;
  await remove(user_id);
  const user = await make(user_id);
  try {
    for (const { method, path, body } of recorded.requests) await send(user, method, path, body);
    const { device_id, secret } = recorded.device;
    const device = await importDeviceKey(device_id, fromHex(secret));
    const store = await fill(user, recorded.store);
    await run({ user, password, recovery_key, device, store, v1, chats });
  } finally {
    await remove(user_id);
  }
}

async function remove(user_id: string): Promise<void> {
  await withDatabase((sql) => sql`delete from auth.users where id = ${user_id}`);
}

/** Everything is encrypted for this id, so the user cannot sign up. */
async function make(id: string): Promise<TestUser> {
  const email = `${id}@example.com`;
  await withDatabase((sql) =>
    sql`insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
      values (${id}, ${email}, 'authenticated', 'authenticated', '{}', '{}')`
  );
  const token = await new SignJWT({ sub: id, aud: "authenticated", role: "authenticated" })
    .setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode(stack.jwtSecret));
  const options = { accessToken: () => Promise.resolve(token) };
  return { id, email, token, client: createClient(stack.url, stack.publishableKey, options) };
}

async function send(
  { token }: TestUser,
  method: string,
  path: string,
  body: Record<string, unknown>,
): Promise<void> {
  const response = await fetch(`${stack.url}/${path}`, {
    method,
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": crypto.randomUUID(),
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
}

/** Fills a store. The times of the chats are those of today. */
async function fill(
  { client }: TestUser,
  { state, chats, contents }: Recorded["store"],
): Promise<MemoryStore> {
  const { data } = await client.from("encrypted_chats").select("id,created_at,updated_at")
    .throwOnError();
  const times = new Map(data.map(({ id, ...times }) => [id, times]));
  const put = chats.map((chat) => ({ ...chat, ...times.get(chat.id) }));
  const store = new MemoryStore();
  await store.apply({ put, contents, state } as StoreBatch);
  return store;
}
