/**
 * One pass of a sync through the pages of the server.
 *
 * @module
 */

import { mustFollow, type SyncPage } from "./answers.ts";
import type { ChatHeads } from "./chat_heads.ts";
import type { ChatStore, StoredChat } from "./chat_store.ts";
import { chatRolledBack } from "./chats_error.ts";
import type { History } from "./history.ts";
import type { Verification } from "./history_parts.ts";
import type { Keyring } from "./keyring.ts";
import type { Mirror } from "./mirror.ts";
import type { Requests } from "./requests.ts";
import type { StoreUpdater } from "./store_updater.ts";

/** What a sync changed in the store. */
export interface SyncResult {
  /** Ids of chats that are new or have changed. */
  readonly changed: readonly string[];
  /** Ids of chats that were deleted and removed from the store. */
  readonly removed: readonly string[];
  /**
   * Ids of chats that were deleted but stay in the store, marked as `deleted`, because they are `unsaved`, or `unproven`.
   */
  readonly kept: readonly string[];
  /**
   * Ids of chats that are no longer there, while nothing proves that a device of the user has deleted them: a client that
   * writes no heads did, or the server is not honest. They stay in the store, marked as `deleted`. Ask the user, then sync
   * with `startOver` to accept it. While the keys are locked, nothing can be proven.
   */
  readonly unproven: readonly string[];
  /** Whether the store has exactly the chats and heads of which a device with the keys says that they are all. */
  readonly verified: boolean;
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

/** What a sync works with. */
export interface SyncParts {
  readonly requests: Requests;
  readonly keys: Keyring;
  readonly store: ChatStore;
  readonly heads: ChatHeads;
  readonly history: History;
  readonly updater: StoreUpdater;
  /** Chats in a page, 1 to 1000. */
  readonly limit: number;
}

/** One pass through the pages. */
export class SyncRun {
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #kept = new Set<string>();
  readonly #rolledBack = new Set<string>();
  readonly #parts: SyncParts;
  readonly #mirror: Mirror;
  readonly #accepted: boolean;
  readonly #doomed: Set<string>;
  /** Chats of `#before` that the server has not listed yet. */
  readonly #unlisted: Map<string, StoredChat> | undefined;
  /** The stored chats before a pass without a cursor. */
  readonly #before: ReadonlyMap<string, StoredChat>;
  /** Whether the pass lists everything. */
  readonly whole: boolean;

  /**
   * @param parts what it works with
   * @param mirror takes in what is listed
   * @param options `before`: the stored chats, for a pass without a cursor; `accepted`: whether the user accepts what the
   * server has; `doomed`: ids of chats to remove as soon as their deletion is proven
   */
  constructor(
    parts: SyncParts,
    mirror: Mirror,
    { accepted, doomed, before }: {
      accepted: boolean;
      doomed: Set<string>;
      before?: StoredChat[];
    },
  ) {
    this.#parts = parts;
    this.#mirror = mirror;
    this.#accepted = accepted;
    this.#doomed = doomed;
    this.whole = before !== undefined;
    this.#before = new Map(before?.map((chat) => [chat.id, chat]));
    this.#unlisted = this.#before.size > 0 ? new Map(this.#before) : undefined;
  }

  /** Ids of stored chats that the server has not listed. */
  get unlisted(): string[] {
    return [...this.#unlisted?.keys() ?? []];
  }

  /**
   * Takes in a page.
   *
   * @param deletions how many deletions this device had heard of when it asked for the page
   */
  async apply({ changes, cursor, has_more }: SyncPage, deletions: number): Promise<void> {
    const { updater, heads, store } = this.#parts;
    const { proven_key } = await store.state();
    for (const change of changes) {
      if (!("version" in change)) continue;
      const listed = this.#mirror.get(change.id);
      if (listed) mustFollow(change, listed);
      heads.isNew(change, listed ?? this.#before.get(change.id), proven_key);
      // A head that the user accepts although it is false still does not open: the chat can be deleted.
      if (!this.#accepted) await heads.checkIfPossible(change);
    }
    await updater.exclusively(async () => {
      const put: StoredChat[] = [];
      const remove: string[] = [];
      for (const change of changes) {
        this.#unlisted?.delete(change.id);
        if ("version" in change) await this.#take(change, deletions, put, remove);
        else await this.#drop(change.id, put);
      }
      if (!has_more) {
        for (const id of this.#unlisted?.keys() ?? []) await this.#drop(id, put);
      }
      const hold = this.#unlisted !== undefined && has_more;
      await store.apply({ remove, put, ...(!hold && { state: { cursor } }) });
      for (const change of changes) {
        if ("version" in change) this.#mirror.list(change);
        else this.#mirror.delete(change.id);
      }
      this.#mirror.cursor = cursor;
    });
  }

  /** Marks a chat that the server no longer has. It stays until that is proven. */
  async #drop(id: string, put: StoredChat[]): Promise<void> {
    const { updater, store } = this.#parts;
    updater.rememberDeleted(id);
    const stored = await store.get(id);
    if (!stored) return;
    put.push({ ...stored, deleted: true });
    this.#kept.add(id);
    this.#doomed.add(id);
  }

  /** Handles a chat that the server has. */
  async #take(
    change: StoredChat,
    deletions: number,
    put: StoredChat[],
    remove: string[],
  ): Promise<void> {
    const { updater, store } = this.#parts;
    const { id, version } = change;
    const stored = await store.get(id);
    const before = this.#before.get(id);
    const rolledBack = before && (version < before.version ||
      version === before.version &&
        Date.parse(change.updated_at) !== Date.parse(before.updated_at));
    if (rolledBack) {
      // Without heads nothing tells a restored backup from a lie: the user is told. With heads the user is asked.
      if (before.head && !this.#accepted) throw chatRolledBack(id);
      remove.push(id);
      this.#rolledBack.add(id);
    } else if (
      updater.isDeleted(deletions, id) ||
      stored && !stored.deleted && stored.version >= version
    ) {
      return;
    }
    updater.restored(id);
    put.push({ ...change, ...(stored?.unsaved && { unsaved: true }) });
    this.#changed.add(id);
  }

  /** Removes what was deleted, if that is proven, and returns what has changed. `proven_key`: that of the last page. */
  async end(
    { proven, verified }: Verification,
    proven_key: string | null,
  ): Promise<Omit<SyncResult, "started_over" | "keys_changed">> {
    const { updater, store } = this.#parts;
    const unproven: string[] = [];
    await updater.exclusively(async () => {
      for (const id of this.#doomed) {
        const stored = await store.get(id);
        if (!stored?.deleted || stored.unsaved) continue;
        if (proven) this.#removed.add(id);
        else unproven.push(id);
      }
      if (proven) this.#doomed.clear();
      await store.apply({
        remove: [...this.#removed],
        ...(verified && { state: { proven_key } }),
      });
    });
    for (const id of this.#removed) this.#kept.delete(id);
    return {
      changed: [...this.#changed],
      removed: [...this.#removed],
      kept: [...this.#kept],
      rolled_back: [...this.#rolledBack],
      unproven,
      verified,
    };
  }
}
