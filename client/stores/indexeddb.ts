/// <reference lib="dom" />

/**
 * A store for encrypted chats in IndexedDB, which all tabs of a browser share.
 *
 * ```ts
 * const store = await IndexedDbStore.open(user.id);
 * const chats = new Chats(supabase, user.id, { store });
 * const device = await store.deviceKey();
 * if (device) await chats.keys.unlock({ device });
 * else {
 *   await chats.keys.unlock({ password });
 *   await store.setDeviceKey(await chats.keys.rememberDevice());
 * }
 * ```
 *
 * @module
 */

import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from "idb";

import type {
  ChatStore,
  ContentUpdate,
  StoreBatch,
  StoredChat,
  StoredContent,
  StoredSegment,
  StoreState,
} from "../chats/chat_store.ts";
import type { DeviceKey } from "../crypto/mod.ts";

/** Why the store cannot be used. */
export type StoreErrorCode =
  /** The browser gives the page no more room: delete something, or ask the user to. Nothing was changed. */
  | "quota_exceeded"
  /** There is no IndexedDB here, or the browser does not let the page use it. */
  | "storage_unavailable"
  /** The store was closed, or another tab has deleted it or needs a newer version of the app: reload the page. */
  | "store_closed";

/** An error of the store. */
export class StoreError extends Error {
  override readonly name: string = "StoreError";
  readonly code: StoreErrorCode;

  /**
   * @param code stable snake_case word
   * @param message a sentence for people, without a full stop
   * @param cause the error of the browser
   */
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

interface Schema extends DBSchema {
  /** `state` and `device`. */
  about: { key: string; value: StoreState | DeviceKey };
  chats: { key: string; value: StoredChat };
  contents: { key: string; value: Omit<StoredContent, "segments"> };
  /** By chat and number: appending a segment does not write the others. */
  segments: { key: [string, number]; value: StoredSegment & { id: string } };
}

const VERSION = 1;

const EMPTY: StoreState = { cursor: null, key_id: null, key_proof: null, password_cost: null };

/** A store in IndexedDB. What it contains of chats is encrypted, as on the server. */
export class IndexedDbStore implements ChatStore {
  readonly #database: IDBPDatabase<Schema>;
  readonly #name: string;

  private constructor(database: IDBPDatabase<Schema>, name: string) {
    this.#database = database;
    this.#name = name;
  }

  /**
   * Opens the store of a user, and creates it if there is none.
   *
   * @param user_id UUID of the user: each user of a browser has a store
   * @throws StoreError `storage_unavailable`, `quota_exceeded`
   */
  static async open(user_id: string): Promise<IndexedDbStore> {
    const name = nameOf(user_id);
    let database: IDBPDatabase<Schema> | undefined;
    try {
      database = await openDB<Schema>(name, VERSION, {
        upgrade(created) {
          created.createObjectStore("about");
          created.createObjectStore("chats", { keyPath: "id" });
          created.createObjectStore("contents", { keyPath: "id" });
          created.createObjectStore("segments", { keyPath: ["id", "number"] });
        },
        // Another tab deletes the store, or has a newer version of the app: it must not wait for this tab.
        blocking: () => database?.close(),
      });
    } catch (error) {
      throw storeError(error) ?? new StoreError(
        "storage_unavailable",
        "The browser does not let this page store chats",
        error,
      );
    }
    return new IndexedDbStore(database, name);
  }

  /**
   * Deletes the store of a user with everything in it, for example after signing out. Other tabs that have it open can
   * no longer use it.
   *
   * @param user_id UUID of the user
   */
  static async delete(user_id: string): Promise<void> {
    await deleteDB(nameOf(user_id));
  }

  /** Closes the store. */
  close(): void {
    this.#database.close();
  }

  /** Returns the key of this device; undefined if it is not remembered. */
  async deviceKey(): Promise<DeviceKey | undefined> {
    const key = await this.#run(() => this.#database.get("about", "device"));
    return key as DeviceKey | undefined;
  }

  /**
   * Stores the key of this device, which never leaves WebCrypto.
   *
   * @param key from `keys.rememberDevice()`; undefined forgets the device
   */
  async setDeviceKey(key: DeviceKey | undefined): Promise<void> {
    await this.#run(async () => {
      if (key) await this.#database.put("about", key, "device");
      else await this.#database.delete("about", "device");
    });
  }

  /** Runs something that reads the store in order to change it, while no other tab does. */
  async exclusively<T>(run: () => Promise<T>): Promise<T> {
    const locks = globalThis.navigator?.locks;
    return locks ? await locks.request(this.#name, run) as T : await run();
  }

  /** Returns what the device remembers. */
  async state(): Promise<StoreState> {
    const state = await this.#run(() => this.#database.get("about", "state"));
    return { ...EMPTY, ...state as StoreState | undefined };
  }

  /** Returns one chat. */
  async get(id: string): Promise<StoredChat | undefined> {
    return await this.#run(() => this.#database.get("chats", id));
  }

  /** Returns all chats. */
  async list(): Promise<StoredChat[]> {
    return await this.#run(() => this.#database.getAll("chats"));
  }

  /** Returns the content of a chat. */
  async content(id: string): Promise<StoredContent | undefined> {
    return await this.#run(async () => {
      const transaction = this.#database.transaction(["contents", "segments"]);
      const [content, rows] = await Promise.all([
        transaction.objectStore("contents").get(id),
        transaction.objectStore("segments").getAll(rangeOf(id)),
      ]);
      if (!content) return undefined;
      const segments = rows.map(({ number, encrypted_data }) => ({ number, encrypted_data }));
      return { ...content, segments };
    });
  }

  /** Makes all changes of a batch in one transaction. */
  async apply({ remove = [], put = [], contents = [], state }: StoreBatch): Promise<void> {
    await this.#run(async () => {
      const transaction = this.#database.transaction(
        ["about", "chats", "contents", "segments"],
        "readwrite",
      );
      const [about, chats] = [transaction.objectStore("about"), transaction.objectStore("chats")];
      const [bodies, segments] = [
        transaction.objectStore("contents"),
        transaction.objectStore("segments"),
      ];
      /** A transaction ends when nothing of it is awaited, so everything is awaited here. */
      const change = async () => {
        for (const id of remove) {
          await Promise.all([chats.delete(id), bodies.delete(id), segments.delete(rangeOf(id))]);
        }
        for (const chat of put) await chats.put(chat);
        for (const update of contents) await write(update);
        if (state) {
          const before = await about.get("state");
          await about.put({ ...EMPTY, ...before as StoreState | undefined, ...state }, "state");
        }
        await transaction.done;
      };
      const write = async ({ segments: added, encrypted_data, ...content }: ContentUpdate) => {
        const kept = await bodies.get(content.id);
        if (encrypted_data === undefined && !kept) return;
        if (encrypted_data !== undefined) await segments.delete(rangeOf(content.id));
        const data = encrypted_data ?? kept!.encrypted_data;
        await bodies.put({ ...content, encrypted_data: data });
        for (const segment of added) await segments.put({ ...segment, id: content.id });
      };
      try {
        await change();
      } catch (error) {
        // The reason is that of the transaction, if it has failed.
        transaction.done.catch(() => {});
        abort(transaction);
        throw transaction.error ?? error;
      }
    });
  }

  async #run<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw storeError(error) ?? error;
    }
  }
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch { /* it has ended */ }
}

function nameOf(user_id: string): string {
  return `strongroom:chats:${user_id}`;
}

/** All segments of a chat. An array is greater than every number. */
function rangeOf(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id], [id, []]);
}

/** Names the errors of a browser that an app must handle. */
function storeError(error: unknown): StoreError | undefined {
  switch ((error as Error | null)?.name) {
    case "QuotaExceededError":
      return new StoreError("quota_exceeded", "The browser has no more room for chats", error);
    case "InvalidStateError":
      return new StoreError("store_closed", "The store of chats is closed: reload the page", error);
    case "SecurityError":
      return new StoreError(
        "storage_unavailable",
        "The browser does not let this page store chats",
        error,
      );
  }
}
