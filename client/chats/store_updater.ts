/**
 * Updates a device's store from what the server answers. Answers arrive in any order; an older one never replaces a
 * newer one.
 *
 * @module
 */

import type { ChatState } from "./answers.ts";
import type { ChatRead } from "./chat_reader.ts";
import type { ChatStore, ContentUpdate, StoredChat } from "./chat_store.ts";

/** A chat after a change made on this device. It has a title only if the change set one. */
export type SavedChat = ChatState & Partial<StoredChat>;

/** Updates a store, one change at a time. */
export class StoreUpdater {
  readonly store: ChatStore;
  /** The deletions so far, numbered by id: the server reports one only once, and an answer from before it may still arrive. */
  readonly #deleted = new Map<string, number>();
  #deletions = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @param store nothing else changes it */
  constructor(store: ChatStore) {
    this.store = store;
  }

  /** Runs something that reads the store in order to change it, while nothing else does. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    const inTurn = () => this.store.exclusively ? this.store.exclusively(run) : run();
    const result = this.#last.then(inTurn);
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Stores a change made on this device, if the store has the version that was changed. If not, the next sync brings it.
   *
   * @param base the version that was changed, 0 for a new chat
   * @param chat the chat after the change
   * @param update what the change wrote of the content
   */
  async saved(base: number, chat: SavedChat, update?: ContentUpdate): Promise<void> {
    await this.exclusively(async () => {
      const stored = await this.store.get(chat.id);
      if (this.#deleted.has(chat.id) || (stored?.version ?? 0) !== base) return;
      const put = [{ encrypted_title: null, ...stored, ...chat }];
      await this.store.apply({ put, contents: await this.#fitting(update) });
    });
  }

  /** Stores what was read of a chat, if the store has the chat. If not, the next sync brings it. */
  async read({ chat, update }: ChatRead): Promise<void> {
    await this.exclusively(async () => {
      const stored = await this.store.get(chat.id);
      if (!stored || stored.deleted) return;
      const put = chat.version > stored.version ? [{ ...stored, ...chat }] : [];
      await this.store.apply({ put, contents: await this.#fitting(update) });
    });
  }

  /** Removes a chat that this device has deleted. */
  async deleted(id: string): Promise<void> {
    this.rememberDeleted(id);
    await this.exclusively(() => this.store.apply({ remove: [id] }));
  }

  /** Marks a chat as unsaved or not. A chat that was deleted stays only while it is unsaved. */
  async markUnsaved(id: string, unsaved: boolean): Promise<void> {
    await this.exclusively(async () => {
      const stored = await this.store.get(id);
      if (!stored) return;
      await this.store.apply(
        stored.deleted && !unsaved ? { remove: [id] } : { put: [{ ...stored, unsaved }] },
      );
    });
  }

  /** Remembers that a chat was deleted. */
  rememberDeleted(id: string): void {
    this.#deleted.set(id, ++this.#deletions);
  }

  /** How many deletions this device has heard of. */
  get deletions(): number {
    return this.#deletions;
  }

  /** Tells whether this device has heard of a chat's deletion since it had heard of so many. */
  isDeleted(deletions: number, id: string): boolean {
    return (this.#deleted.get(id) ?? 0) > deletions;
  }

  /** Forgets a deletion: the chat is back. */
  restored(id: string): void {
    this.#deleted.delete(id);
  }

  /** Forgets all deletions, before a sync that starts over: a restored backup may have brought chats back. */
  forgetDeleted(): void {
    this.#deleted.clear();
  }

  /** Returns an update of a content only if it continues the stored content, or if all of it is no older. */
  async #fitting(update: ContentUpdate | undefined): Promise<ContentUpdate[]> {
    if (!update) return [];
    const kept = await this.store.content(update.id);
    if (update.encrypted_data !== undefined) {
      const newer = !kept || kept.data_version < update.data_version ||
        kept.data_version === update.data_version && kept.next_segment <= update.next_segment;
      return newer ? [update] : [];
    }
    const from = update.next_segment - update.segments.length;
    const continues = kept?.data_version === update.data_version && kept.next_segment === from;
    return continues && update.segments.length > 0 ? [update] : [];
  }
}
