/**
 * Tests that every store for encrypted chats must pass. Run them on your own store with any test runner:
 *
 * ```ts
 * for (const { name, run } of storeTests) test(name, () => run(() => MyStore.open()));
 * ```
 *
 * @module
 */

import type {
  ChatStore,
  StoredChat,
  StoredContent,
  StoredSegment,
  StoreState,
} from "./chats/chat_store.ts";

/** A test of a store. */
export interface StoreTest {
  readonly name: string;
  /**
   * Runs the test.
   *
   * @param open opens an empty store
   * @throws Error that says what the store does wrong
   */
  run(open: () => ChatStore | Promise<ChatStore>): Promise<void>;
}

const ID = "c4a70000-0000-4000-8000-00000000000a";
const OTHER = "c4a70000-0000-4000-8000-00000000000b";

function chat(id: string, version: number, more: Partial<StoredChat> = {}): StoredChat {
  const at = "2026-11-01T00:00:00.000Z";
  const state = { is_starred: false, encrypted_title: null, created_at: at, updated_at: at };
  return { id, version, data_version: 1, next_segment: 0, ...state, ...more };
}

function segments(from: number, to: number): StoredSegment[] {
  return Array.from({ length: to - from }, (_, index) => {
    const number = from + index;
    return { number, encrypted_data: `segment ${number}` };
  });
}

function content(id: string, count: number, data_version = 1): StoredContent {
  const encrypted_data = `data ${data_version}`;
  return { id, data_version, encrypted_data, segments: segments(0, count), next_segment: count };
}

/** The tests. Each opens a store of its own. */
export const storeTests: readonly StoreTest[] = [
  {
    name: "a new store is empty",
    run: async (open) => {
      const store = await open();
      same(known(await store.state()), {}, "state()");
      same(await store.list(), [], "list()");
      same(await store.get(ID), undefined, "get() of an unknown chat");
      same(await store.content(ID), undefined, "content() of an unknown chat");
    },
  },
  {
    name: "chats are stored, replaced and removed with their contents",
    run: async (open) => {
      const store = await open();
      const first = chat(ID, 1, { encrypted_title: "title", is_starred: true, unsaved: true });
      await store.apply({
        put: [first, chat(OTHER, 1)],
        contents: [content(ID, 2), content(OTHER, 1)],
      });
      same(await store.get(ID), first, "get()");
      await store.apply({ put: [chat(ID, 2)] });
      same(await store.get(ID), chat(ID, 2), "get() of a replaced chat, without its old members");
      same(byId(await store.list()), [chat(ID, 2), chat(OTHER, 1)], "list()");
      await store.apply({ remove: [ID] });
      same(await store.list(), [chat(OTHER, 1)], "list() after a removal");
      same(await store.content(ID), undefined, "content() of a removed chat");
      same(await store.content(OTHER), content(OTHER, 1), "content() of the other chat");
    },
  },
  {
    name: "a removal comes before what the same batch puts",
    run: async (open) => {
      const store = await open();
      await store.apply({ put: [chat(ID, 5)], contents: [content(ID, 3)] });
      await store.apply({ remove: [ID], put: [chat(ID, 1)] });
      same(await store.get(ID), chat(ID, 1), "get()");
      same(await store.content(ID), undefined, "content(): the old one is removed");
    },
  },
  {
    name: "segments are added in order to the stored content, however many there are",
    run: async (open) => {
      const store = await open();
      await store.apply({ put: [chat(ID, 1)], contents: [content(ID, 0)] });
      for (const [from, to] of [[0, 1], [1, 9], [9, 12], [12, 120]] as const) {
        const added = { id: ID, data_version: 1, segments: segments(from, to), next_segment: to };
        await store.apply({ contents: [added] });
      }
      same(await store.content(ID), content(ID, 120), "content()");
    },
  },
  {
    name: "a content with encrypted_data replaces the content and all its segments",
    run: async (open) => {
      const store = await open();
      await store.apply({ put: [chat(ID, 1)], contents: [content(ID, 12)] });
      await store.apply({ contents: [content(ID, 1, 2)] });
      same(await store.content(ID), content(ID, 1, 2), "content()");
    },
  },
  {
    name: "segments of a content that is not stored are ignored",
    run: async (open) => {
      const store = await open();
      const added = { id: ID, data_version: 1, segments: segments(3, 4), next_segment: 4 };
      await store.apply({ put: [chat(ID, 1)], contents: [added] });
      same(await store.content(ID), undefined, "content()");
    },
  },
  {
    name: "members of the state are replaced one by one",
    run: async (open) => {
      const store = await open();
      const password_cost = { memory_kib: 19_456, passes: 2 };
      await store.apply({ state: { cursor: "42", password_cost } });
      await store.apply({ state: { key_id: ID, key_proof: "proof" } });
      const whole = { cursor: "42", key_id: ID, key_proof: "proof", password_cost };
      same(known(await store.state()), whole, "state()");
      await store.apply({ state: { cursor: null } });
      const { cursor: _, ...rest } = whole;
      same(known(await store.state()), rest, "state() with a cursor of null");
    },
  },
  {
    name: "batches that are applied at the same time are all applied",
    run: async (open) => {
      const store = await open();
      const numbers = Array.from({ length: 20 }, (_, index) => index + 10);
      const ids = numbers.map((number) => `c4a70000-0000-4000-8000-0000000000${number}`);
      await Promise.all(
        ids.map((id) =>
          store.apply({ put: [chat(id, 1)], contents: [content(id, 1)], state: { cursor: id } })
        ),
      );
      same((await store.list()).map(({ id }) => id).sort(), ids, "ids in list()");
      for (const id of ids) same(await store.content(id), content(id, 1), "content()");
    },
  },
  {
    name: "what is run exclusively runs one after the other",
    run: async (open) => {
      const store = await open();
      if (!store.exclusively) return;
      let running = 0;
      await Promise.all(Array.from({ length: 5 }, () =>
        store.exclusively!(async () => {
          same(++running, 1, "programs that run exclusively");
          await store.state();
          running--;
        })));
      const answer = await store.exclusively(() => Promise.resolve("answer"));
      same(answer, "answer", "the result of exclusively()");
    },
  },
];

/** What is not known is null, or left out. */
function known(state: StoreState): Partial<StoreState> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== null));
}

function byId(chats: StoredChat[]): StoredChat[] {
  return chats.toSorted((a, b) => a.id < b.id ? -1 : 1);
}

/** Compares two values, whatever the order of their members. */
function same(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [actual, expected].map((value) => JSON.stringify(ordered(value)));
  if (found !== wanted) throw new Error(`${what}: expected ${wanted}, but got ${found}`);
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(members.map(([name, member]) => [name, ordered(member)]));
}
