import assert from "node:assert/strict";

import type { StoredChat, StoredContent } from "../../chats/chat_store.ts";
import { MemoryStore } from "../../chats/memory_store.ts";
import { StoreUpdater } from "../../chats/store_updater.ts";

const id = "c4a70000-0000-4000-8000-00000000000a";

function chat(version: number, more: Partial<StoredChat> = {}): StoredChat {
  const at = new Date(version * 1000).toISOString();
  const numbers = { version, data_version: 1, next_segment: version - 1 };
  const state = { is_starred: false, encrypted_title: null, created_at: at, updated_at: at };
  return { id, ...numbers, ...state, ...more };
}

/** Makes a store with one whole chat in this version. */
async function updaterOf(version: number, data_version = 1): Promise<StoreUpdater> {
  const updater = new StoreUpdater(new MemoryStore());
  const put = [chat(version, { data_version })];
  await updater.store.apply({ put, contents: [content(version - 1, data_version)] });
  return updater;
}

function content(segments: number, data_version = 1): StoredContent {
  const list = Array.from({ length: segments }, (_, number) => segment(number));
  const encrypted_data = `data ${data_version}`;
  return { id, data_version, encrypted_data, segments: list, next_segment: segments };
}

const segment = (number: number) => ({ number, encrypted_data: `segment ${number}` });

const appended = (number: number) => ({
  ...{ id, data_version: 1, segments: [segment(number)], next_segment: number + 1 },
});

Deno.test("StoreUpdater: a change of the stored version is stored, with its segment", async () => {
  const updater = await updaterOf(2);
  await updater.saved(2, chat(3), appended(1));
  assert.equal((await updater.store.get(id))?.version, 3);
  assert.deepEqual(await updater.store.content(id), content(2));
});

Deno.test("StoreUpdater: an old answer does not replace a newer one", async () => {
  const updater = await updaterOf(4);
  await updater.saved(2, chat(3), appended(1));
  await updater.saved(0, chat(1), content(0));
  await updater.read({ chat: chat(3), content: content(2), update: content(2) });
  assert.deepEqual(await updater.store.get(id), chat(4));
  assert.deepEqual(await updater.store.content(id), content(3));
});

Deno.test("StoreUpdater: an answer from before its deletion does not bring a chat back", async () => {
  const updater = await updaterOf(2);
  await updater.deleted(id);
  await updater.saved(0, chat(1), content(0));
  await updater.read({ chat: chat(3), content: content(2), update: content(2) });
  assert.equal(await updater.store.get(id), undefined);
  assert.equal(await updater.store.content(id), undefined);
});

Deno.test("StoreUpdater: an update that does not continue the stored content is ignored", async () => {
  const updater = await updaterOf(4);
  for (const update of [appended(2), appended(4), { ...appended(3), data_version: 2 }]) {
    await updater.read({ chat: chat(6), content: content(5), update });
    assert.deepEqual(await updater.store.content(id), content(3));
  }
  await updater.read({ chat: chat(6), content: content(4), update: appended(3) });
  assert.deepEqual(await updater.store.content(id), content(4));
});

Deno.test("StoreUpdater: changes that wait for a slow store do not undo each other", async () => {
  class SlowStore extends MemoryStore {
    override async get(id: string): Promise<StoredChat | undefined> {
      const stored = await super.get(id);
      await new Promise((resolve) => setTimeout(resolve));
      return stored;
    }
  }
  const updater = new StoreUpdater(new SlowStore());
  await Promise.all([
    updater.saved(0, chat(1)),
    updater.saved(1, chat(2)),
    updater.saved(2, chat(3)),
  ]);
  assert.equal((await updater.store.get(id))?.version, 3);
});

Deno.test("StoreUpdater: a change without a title keeps the title and the mark for unsaved changes", async () => {
  const updater = await updaterOf(2);
  await updater.store.apply({ put: [chat(2, { encrypted_title: "title", unsaved: true })] });
  const { encrypted_title: _, ...saved } = chat(3);
  await updater.saved(2, saved);
  assert.deepEqual(await updater.store.get(id), {
    ...chat(3),
    encrypted_title: "title",
    unsaved: true,
  });
});
