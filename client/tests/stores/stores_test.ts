import "fake-indexeddb/auto";
import assert from "node:assert/strict";

import { MemoryStore } from "../../chats/memory_store.ts";
import type { StoredChat } from "../../chats/chat_store.ts";
import { IndexedDbStore } from "../../stores/indexeddb.ts";
import { storeTests } from "../../store_tests.ts";
import { rejection } from "../support/assertions.ts";
import { StoreError } from "../../stores/indexeddb.ts";

Deno.test("stores: the memory store passes the tests for stores", async () => {
  for (const { run } of storeTests) await run(() => new MemoryStore());
});

Deno.test("stores: the IndexedDB store passes the tests for stores", async () => {
  for (const { run } of storeTests) {
    const opened: IndexedDbStore[] = [];
    await run(async () => {
      const store = await IndexedDbStore.open(crypto.randomUUID());
      opened.push(store);
      return store;
    });
    for (const store of opened) store.close();
  }
});

Deno.test("stores: the tests for stores find a store that forgets segments, orders them as text, or changes half a batch", async () => {
  class Forgetful extends MemoryStore {
    override async content(id: string) {
      const content = await super.content(id);
      return content && { ...content, segments: content.segments.slice(0, 9) };
    }
  }
  class Textual extends MemoryStore {
    override async content(id: string) {
      const content = await super.content(id);
      return content &&
        {
          ...content,
          segments: content.segments.toSorted((a, b) => `${a.number}` < `${b.number}` ? -1 : 1),
        };
    }
  }
  class Half extends MemoryStore {
    override apply({ state: _, ...batch }: Parameters<MemoryStore["apply"]>[0]) {
      return super.apply(batch);
    }
  }
  for (const Store of [Forgetful, Textual, Half]) {
    const failed = await Promise.all(
      storeTests.map(({ run }) => run(() => new Store()).then(() => false, () => true)),
    );
    assert.ok(failed.includes(true), Store.name);
  }
});

const ID = "c4a70000-0000-4000-8000-00000000000a";
const at = "2026-11-01T00:00:00.000Z";
const chat = (id: string): StoredChat => ({
  ...{ id, version: 1, data_version: 1, next_segment: 0, is_starred: false },
  ...{ encrypted_title: null, created_at: at, updated_at: at },
});

Deno.test("IndexedDbStore: what is stored is there when it is opened again, for this user only, until it is deleted", async () => {
  const user = crypto.randomUUID();
  const store = await IndexedDbStore.open(user);
  await store.apply({ put: [chat(ID)], state: { cursor: "7" } });
  store.close();
  const [again, other] = [await IndexedDbStore.open(user), await IndexedDbStore.open(ID)];
  assert.deepEqual(await again.list(), [chat(ID)]);
  assert.equal((await again.state()).cursor, "7");
  assert.deepEqual(await other.list(), []);
  // Another tab signs out.
  await IndexedDbStore.delete(user);
  await rejection(again.list(), StoreError, "store_closed");
  const fresh = await IndexedDbStore.open(user);
  assert.deepEqual(await fresh.list(), []);
  fresh.close();
  other.close();
});

Deno.test("IndexedDbStore: a batch of which a part cannot be stored changes nothing, and a full browser has a named error", async () => {
  const store = await IndexedDbStore.open(crypto.randomUUID());
  const bad = { ...chat(ID), version: (() => {}) as unknown as number };
  await assert.rejects(store.apply({ put: [chat(crypto.randomUUID()), bad] }));
  assert.deepEqual(await store.list(), []);

  const { put } = IDBObjectStore.prototype;
  try {
    IDBObjectStore.prototype.put = function (value, ...key) {
      if (value.id === ID) throw new DOMException("The quota is exceeded", "QuotaExceededError");
      return put.call(this, value, ...key);
    };
    const full = store.apply({ put: [chat(crypto.randomUUID()), chat(ID)] });
    await rejection(full, StoreError, "quota_exceeded");
  } finally {
    IDBObjectStore.prototype.put = put;
  }
  assert.deepEqual(await store.list(), []);
  await store.apply({ put: [chat(ID)] });
  assert.deepEqual(await store.list(), [chat(ID)]);
  store.close();
});
