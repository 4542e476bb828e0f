/**
 * What the check of the package in a browser runs in the page: `client/build/browser_check.ts` bundles it with the built
 * package and calls these functions.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { Chats } from "../../mod.ts";
import { createStrongroom, type UploadProgress } from "../../index.ts";
import { storeTests } from "../../store_tests.ts";
import { IndexedDbStore, StoreError } from "../../stores/indexeddb.ts";

export * from "./devices_page.ts";

/** A session that the check made: the page is loaded several times. */
export interface Session {
  url: string;
  key: string;
  token: string;
  user_id: string;
}

function client({ url, key, token }: Session) {
  return createClient(url, key, { accessToken: () => Promise.resolve(token) });
}

/** Uploads a file that is the same after each reload of the page. */
export async function upload(session: Session, { name, bytes }: { name: string; bytes: number }) {
  const content = new Uint8Array(bytes).map((_, index) => index >> 16);
  const file = new File([content], name, { type: "application/x-tar", lastModified: 1_000_000 });
  const progress: UploadProgress[] = [];
  Object.assign(globalThis, { progress });
  const { data, error } = await createStrongroom(client(session)).files.upload(file, {
    bucket: "app_storage",
    onProgress: (one) => progress.push(one),
  });
  const { files } = createStrongroom(client(session));
  const back = data && await files.download(data.bucket, data.path).throwOnError();
  const same = back &&
    new Uint8Array(await back.arrayBuffer()).every((byte, index) => byte === content[index]);
  const usage = await files.usage().throwOnError();
  return { code: error?.code, size: data?.size, same, usage, progress };
}

/** Runs the tests for stores. */
export async function testStores(): Promise<string[]> {
  for (const { run } of storeTests) await run(() => IndexedDbStore.open(crypto.randomUUID()));
  return storeTests.map(({ name }) => name);
}

/** Sets up keys and remembers this device, or unlocks the chats with the device key after a reload. */
export async function openChats(session: Session) {
  const store = await IndexedDbStore.open(session.user_id);
  const chats = new Chats(client(session), session.user_id, { store });
  const device = await store.deviceKey();
  if (device) await chats.keys.unlock({ device });
  else {
    await chats.keys.setUp("a password for the chats");
    await store.setDeviceKey(await chats.keys.rememberDevice());
    await chats.save(chats.create(), "Good morning", { title: "Greetings" });
  }
  const [chat] = await chats.list();
  const kept = await chats.openKept(chat!.id);
  store.close();
  return {
    remembered: device !== undefined,
    extractable: device?.key.extractable ?? null,
    title: chat!.title,
    content: kept?.content,
  };
}

/** Counts in a store, together with other tabs. */
export async function count(user_id: string, times: number): Promise<number> {
  const store = await IndexedDbStore.open(user_id);
  for (let time = 0; time < times; time++) {
    await store.exclusively(async () => {
      const { cursor } = await store.state();
      await store.apply({ state: { cursor: `${Number(cursor) + 1}` } });
    });
  }
  const { cursor } = await store.state();
  store.close();
  return Number(cursor);
}

/** Fills the browser's room for this page, which the check has made small. */
export async function fill(user_id: string): Promise<string | undefined> {
  const store = await IndexedDbStore.open(user_id);
  try {
    for (let number = 0; number < 100; number++) {
      // Random throughout, because browsers compress what they store.
      const blocks = Array.from(
        { length: 20 },
        () => String.fromCharCode(...crypto.getRandomValues(new Uint8Array(60_000))),
      );
      const encrypted_data = blocks.join("");
      const content = { id: `${number}`, data_version: 1, encrypted_data, segments: [] };
      await store.apply({ contents: [{ ...content, next_segment: 0 }] });
    }
  } catch (error) {
    return error instanceof StoreError ? error.code : `${error}`;
  }
}
