/**
 * Brings a device's store up to date.
 *
 * @module
 */

import { readSyncPage, type SyncPage } from "./answers.ts";
import type { StoredChat } from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import type { Requests } from "./requests.ts";
import type { StoreUpdater } from "./store_updater.ts";

/** What a sync changed in the store. */
export interface SyncResult {
  /** Ids of chats that are new or have changed. */
  readonly changed: readonly string[];
  /** Ids of chats that were deleted and removed from the store. */
  readonly removed: readonly string[];
  /** Ids of chats that were deleted but stay in the store, marked as `deleted`, because they are `unsaved`. */
  readonly kept: readonly string[];
  /**
   * Ids of chats of which the server has an older version than this device had: the server was restored from a backup, or
   * is not honest. Tell the user.
   */
  readonly rolled_back: readonly string[];
  /** Whether everything was read again, on request or because the device was away longer than deletions are remembered. */
  readonly started_over: boolean;
  /** Whether another device has changed the keys since they were unlocked here: `unlock` them again. */
  readonly keys_changed: boolean;
}

/** How often a sync starts over before it gives up. Each time, deletions were forgotten before it had read everything. */
const MAX_STARTS = 3;

/** How a sync works. */
export interface SyncOptions {
  /** Whether to ignore the stored cursor and read everything again. */
  startOver: boolean;
  /** Chats in a page, 1 to 1000. */
  limit: number;
  /** Returns the version of the open keys. */
  keyVersion: () => number | undefined;
}

/**
 * Brings a store up to date, page by page. Each page is one change of the store, together with the cursor after it.
 *
 * Without a cursor, the sync reads all chats and then drops the stored ones that the server did not list. If the store
 * has any, the cursor is stored only with the last page: a sync that was interrupted must start over.
 *
 * @param requests as the user
 * @param updater of the store
 * @param options how the sync works
 */
export async function synchronise(
  requests: Requests,
  updater: StoreUpdater,
  { startOver, limit, keyVersion }: SyncOptions,
): Promise<SyncResult> {
  const { store } = updater;
  if (startOver) await store.apply({ state: { cursor: null } });
  let { cursor } = await store.state();
  let run = cursor === null ? await startRun(updater) : new SyncRun(updater);
  for (let starts = 1;;) {
    let page: SyncPage;
    try {
      const args = { limit, with_titles: true, ...(cursor !== null && { cursor }) };
      const read = (answer: unknown) => readSyncPage(answer, cursor, limit);
      page = await requests.rpc("sync_chats", args, read);
    } catch (error) {
      const tooOld = error instanceof ChatsError && error.code === "cursor_too_old";
      if (!tooOld || ++starts > MAX_STARTS) throw error;
      cursor = null;
      await store.apply({ state: { cursor } });
      run = await startRun(updater);
      continue;
    }
    ({ cursor } = page);
    await run.apply(page);
    if (!page.has_more) {
      const known = keyVersion();
      return {
        ...run.result(),
        started_over: startOver || starts > 1,
        keys_changed: known !== undefined && known !== page.key_version,
      };
    }
  }
}

async function startRun(updater: StoreUpdater): Promise<SyncRun> {
  updater.forgetDeleted();
  return new SyncRun(updater, await updater.store.list());
}

/** One pass through the pages. */
class SyncRun {
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #kept = new Set<string>();
  readonly #rolledBack = new Set<string>();
  readonly #updater: StoreUpdater;
  /** Chats of `#before` that the server has not listed yet. */
  readonly #unlisted: Map<string, StoredChat> | undefined;
  /** The stored chats before a pass without a cursor. */
  readonly #before: ReadonlyMap<string, StoredChat>;

  /**
   * @param updater of the store
   * @param before the stored chats, for a pass without a cursor
   */
  constructor(updater: StoreUpdater, before: StoredChat[] = []) {
    this.#updater = updater;
    this.#before = new Map(before.map((chat) => [chat.id, chat]));
    this.#unlisted = before.length > 0 ? new Map(this.#before) : undefined;
  }

  async apply({ changes, cursor, has_more }: SyncPage): Promise<void> {
    await this.#updater.exclusively(async () => {
      const remove: string[] = [];
      const put: StoredChat[] = [];
      for (const change of changes) {
        this.#unlisted?.delete(change.id);
        if ("version" in change) await this.#take(change, remove, put);
        else await this.#drop(change.id, remove, put);
      }
      if (!has_more) {
        for (const id of this.#unlisted?.keys() ?? []) await this.#drop(id, remove, put);
      }
      const hold = this.#unlisted !== undefined && has_more;
      await this.#updater.store.apply({ remove, put, ...(!hold && { state: { cursor } }) });
    });
  }

  /** Handles a chat that the server no longer has. */
  async #drop(id: string, remove: string[], put: StoredChat[]): Promise<void> {
    this.#updater.rememberDeleted(id);
    const stored = await this.#updater.store.get(id);
    if (stored?.unsaved) {
      put.push({ ...stored, deleted: true });
      this.#kept.add(id);
    } else if (stored) {
      remove.push(id);
      this.#removed.add(id);
    }
  }

  /** Handles a chat that the server has. */
  async #take(change: StoredChat, remove: string[], put: StoredChat[]): Promise<void> {
    const { id, version } = change;
    const stored = await this.#updater.store.get(id);
    const before = this.#before.get(id);
    const rolledBack = before && (version < before.version ||
      version === before.version &&
        Date.parse(change.updated_at) !== Date.parse(before.updated_at));
    if (rolledBack) {
      remove.push(id);
      this.#rolledBack.add(id);
    } else if (this.#updater.isDeleted(id) || stored && stored.version >= version) return;
    put.push({ ...change, ...(stored?.unsaved && { unsaved: true }) });
    this.#changed.add(id);
  }

  result(): Pick<SyncResult, "changed" | "removed" | "kept" | "rolled_back"> {
    return {
      changed: [...this.#changed],
      removed: [...this.#removed],
      kept: [...this.#kept],
      rolled_back: [...this.#rolledBack],
    };
  }
}
