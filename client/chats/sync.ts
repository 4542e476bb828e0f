/**
 * Brings a store up to date.
 *
 * @module
 */

import { type StoredChat, storedChat } from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import type { Requests } from "./requests.ts";
import type { StoreKeeper } from "./store_updater.ts";

/** What a sync has changed in the store. */
export interface SyncResult {
  /** Ids of chats that are new, or of which something has changed. */
  readonly changed: readonly string[];
  /** Ids of chats that were deleted, and are gone from the store. */
  readonly removed: readonly string[];
  /** Ids of chats that were deleted and have stayed, as `deleted`, because they are `unsaved`. */
  readonly kept: readonly string[];
  /**
   * Ids of chats that the server has in an older version than this device had: it was restored from a backup, or is not
   * what it should be. To be shown to the user.
   */
  readonly rolled_back: readonly string[];
  /** Everything was read anew, as the device was away longer than deletions are remembered, or asked for it. */
  readonly started_over: boolean;
  /** The keys were changed by another device since they were unlocked here: `unlock` them again. */
  readonly keys_changed: boolean;
}

/** An answer of `sync_chats`. */
interface SyncPage {
  readonly changes: readonly (StoredChat & { deleted: boolean })[];
  readonly cursor: string;
  readonly has_more: boolean;
  readonly key_version: number;
}

/** How often a sync starts over before it gives up: deletions were forgotten each time before it had read all. */
const MOST_STARTS = 3;

/** How a store is brought up to date. */
export interface SyncOptions {
  /** Whether to start without the cursor. */
  startOver: boolean;
  /** How many chats a page has, 1 to 1000. */
  limit: number;
  /** The version of the keys that are open. */
  keyVersion: () => number | undefined;
}

/**
 * Brings a store up to date, page by page, each as one change of the store with the cursor behind it.
 *
 * Without a cursor it gets all there is, and drops what it did not get; so then the cursor is kept only with the last
 * page, if there was anything to drop.
 *
 * @param requests as the user
 * @param keeper of the store
 * @param options how
 */
export async function synchronise(
  requests: Requests,
  keeper: StoreKeeper,
  { startOver, limit, keyVersion }: SyncOptions,
): Promise<SyncResult> {
  const { store } = keeper;
  if (startOver) await store.apply({ state: { cursor: null } });
  let { cursor } = await store.state();
  let run = cursor === null ? await startRun(keeper) : new SyncRun(keeper);
  for (let starts = 1;;) {
    let page: SyncPage;
    try {
      const args = { limit, with_titles: true, ...(cursor !== null && { cursor }) };
      page = await requests.rpc("sync_chats", args) as SyncPage;
    } catch (error) {
      const tooOld = error instanceof ChatsError && error.code === "cursor_too_old";
      if (!tooOld || ++starts > MOST_STARTS) throw error;
      cursor = null;
      await store.apply({ state: { cursor } });
      run = await startRun(keeper);
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

async function startRun(keeper: StoreKeeper): Promise<SyncRun> {
  keeper.exhume();
  return new SyncRun(keeper, await keeper.store.list());
}

/** One run through the pages. */
class SyncRun {
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #kept = new Set<string>();
  readonly #rolledBack = new Set<string>();
  readonly #keeper: StoreKeeper;
  /** What was there before a start without a cursor, and has not been listed yet. */
  readonly #unlisted: Map<string, StoredChat> | undefined;
  /** What was there then. */
  readonly #before: ReadonlyMap<string, StoredChat>;

  /** @param before with a start without a cursor, what there is */
  constructor(keeper: StoreKeeper, before: StoredChat[] = []) {
    this.#keeper = keeper;
    this.#before = new Map(before.map((chat) => [chat.id, chat]));
    this.#unlisted = before.length > 0 ? new Map(this.#before) : undefined;
  }

  async apply({ changes, cursor, has_more }: SyncPage): Promise<void> {
    await this.#keeper.alone(async () => {
      const remove: string[] = [];
      const put: StoredChat[] = [];
      for (const { deleted, ...change } of changes) {
        this.#unlisted?.delete(change.id);
        if (deleted) await this.#drop(change.id, remove, put);
        else await this.#take(storedChat(change), remove, put);
      }
      if (!has_more) {
        for (const id of this.#unlisted?.keys() ?? []) await this.#drop(id, remove, put);
      }
      const hold = this.#unlisted !== undefined && has_more;
      await this.#keeper.store.apply({ remove, put, ...(!hold && { state: { cursor } }) });
    });
  }

  /** A chat that the server does not have any more. */
  async #drop(id: string, remove: string[], put: StoredChat[]): Promise<void> {
    this.#keeper.bury(id);
    const stored = await this.#keeper.store.get(id);
    if (stored?.unsaved) {
      put.push({ ...stored, deleted: true });
      this.#kept.add(id);
    } else if (stored) {
      remove.push(id);
      this.#removed.add(id);
    }
  }

  /** A chat that the server has. */
  async #take(change: StoredChat, remove: string[], put: StoredChat[]): Promise<void> {
    const { id, version } = change;
    const stored = await this.#keeper.store.get(id);
    const before = this.#before.get(id);
    const rolledBack = before && (version < before.version ||
      version === before.version &&
        Date.parse(change.updated_at) !== Date.parse(before.updated_at));
    if (rolledBack) {
      remove.push(id);
      this.#rolledBack.add(id);
    } else if (this.#keeper.isBuried(id) || stored && stored.version >= version) return;
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
