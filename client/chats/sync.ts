/**
 * Brings a device's store up to date.
 *
 * @module
 */

import { readSyncPage, type SyncPage } from "./answers.ts";
import { ChatsError, historyErrors } from "./chats_error.ts";
import { Mirror } from "./mirror.ts";
import { type SyncParts, type SyncResult, SyncRun } from "./sync_run.ts";

/** How often a sync starts over before it gives up. Each time, deletions were forgotten before it had read everything. */
const MAX_STARTS = 3;

/** A pass through the pages. */
interface Pass {
  readonly cursor: string | null;
  readonly run: SyncRun;
}

/**
 * Brings a store up to date, page by page. Each page is one change of the store, together with the cursor after it.
 *
 * Without a cursor, the sync reads all chats and then drops the stored ones that the server did not list. If the store
 * has any, the cursor is stored only with the last page: a sync that was interrupted must start over.
 */
export class Sync {
  readonly #parts: SyncParts;
  #mirror = new Mirror();
  /** Ids of chats that were marked as deleted, and are removed as soon as that is proven. */
  #doomed = new Set<string>();

  /** @param parts what it works with */
  constructor(parts: SyncParts) {
    this.#parts = parts;
  }

  /** Brings the store up to date. With `startOver`, reads everything again and accepts it. */
  async run(startOver: boolean): Promise<SyncResult> {
    const { store, history, keys, updater } = this.#parts;
    const accepted = startOver ? await history.forget() : undefined;
    if (startOver) await store.apply({ state: { cursor: null } });
    let { cursor, run } = await this.#begin(accepted);
    for (let starts = 1;;) {
      const seen = await history.seen();
      const { deletions } = updater;
      const proven_key = keys.dataKeys[0]?.key_id ?? null;
      let page: SyncPage;
      try {
        page = await this.#read(cursor);
      } catch (error) {
        const tooOld = error instanceof ChatsError && error.code === "cursor_too_old";
        if (!tooOld || ++starts > MAX_STARTS) throw error;
        ({ cursor, run } = await this.#startOver(accepted));
        continue;
      }
      ({ cursor } = page);
      await run.apply(page, deletions);
      if (page.has_more) continue;
      const found = await history.verify(this.#mirror, page.history, { seen, accepted });
      if (found) {
        const version = keys.version;
        return {
          ...await run.end(found, proven_key),
          started_over: startOver || starts > 1,
          keys_changed: version !== undefined && version !== page.key_version,
        };
      }
      // Perhaps only this pass was incomplete, or the store.
      if (run.whole) throw historyErrors.false(run.unlisted);
      ({ cursor, run } = await this.#startOver(accepted));
    }
  }

  /** Closes all epochs before the current one. Nothing may have changed since the sync. */
  async close(): Promise<void> {
    const { history, keys } = this.#parts;
    const { verified } = await this.run(false);
    const { left } = await keys.progress();
    if (left) throw new ChatsError("epoch_in_use", "Older keys encrypt chats: reencrypt");
    await history.close(this.#mirror, verified);
  }

  async #read(cursor: string | null): Promise<SyncPage> {
    const { requests, limit } = this.#parts;
    const args = { limit, with_titles: true, ...(cursor !== null && { cursor }) };
    return await requests.rpc("sync_chats", args, (answer) => readSyncPage(answer, cursor, limit));
  }

  async #startOver(accepted: number | undefined): Promise<Pass> {
    await this.#parts.store.apply({ state: { cursor: null } });
    return await this.#begin(accepted);
  }

  async #begin(accepted: number | undefined): Promise<Pass> {
    const { store, updater } = this.#parts;
    const { cursor } = await store.state();
    const options = { accepted: accepted !== undefined, doomed: this.#doomed };
    // Another program may have used the store since.
    if (cursor !== null && this.#mirror.cursor === cursor) {
      return { cursor, run: new SyncRun(this.#parts, this.#mirror, options) };
    }
    const stored = await store.list();
    for (const { id, deleted } of stored) if (deleted) this.#doomed.add(id);
    if (cursor !== null) {
      this.#mirror = Mirror.of(stored);
      return { cursor, run: new SyncRun(this.#parts, this.#mirror, options) };
    }
    updater.forgetDeleted();
    this.#mirror = new Mirror();
    return { cursor, run: new SyncRun(this.#parts, this.#mirror, { ...options, before: stored }) };
  }
}
