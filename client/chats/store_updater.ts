/**
 * Brings what a device learns of chats into its store. Answers arrive in any order: none takes the place of a newer one.
 *
 * @module
 */

import type { ChatStore, ContentUpdate, StoredChat } from "./chat_store.ts";
import type { ChatRead } from "./chat_reader.ts";

/** A chat after a change of this device; its title only where that was changed. */
export type SavedChat = Omit<StoredChat, "encrypted_title"> & Partial<StoredChat>;

/** Changes a store, one change at a time. */
export class StoreKeeper {
  readonly store: ChatStore;
  /** An answer from before its deletion may still be on its way, and a deletion is told only once. */
  readonly #buried = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param store what is changed by nobody else */
  constructor(store: ChatStore) {
    this.store = store;
  }

  /** Runs something that reads the store in order to change it, alone. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Takes a change in that this device has made, if the store had the version that was changed: else the next sync does.
   *
   * @param base the version that was changed, 0 for a new chat
   * @param chat what is there now
   * @param update what the change has written of the content
   */
  async saved(base: number, chat: SavedChat, update?: ContentUpdate): Promise<void> {
    await this.alone(async () => {
      const stored = await this.store.get(chat.id);
      if (this.#buried.has(chat.id) || (stored?.version ?? 0) !== base) return;
      const put = [{ encrypted_title: null, ...stored, ...chat }];
      await this.store.apply({ put, contents: await this.#fitting(update) });
    });
  }

  /** Takes in what was read of a chat, if the store has the chat: else the next sync brings it. */
  async read({ chat, update }: ChatRead): Promise<void> {
    await this.alone(async () => {
      const stored = await this.store.get(chat.id);
      if (!stored || stored.deleted) return;
      const put = chat.version > stored.version ? [{ ...stored, ...chat }] : [];
      await this.store.apply({ put, contents: await this.#fitting(update) });
    });
  }

  /** Removes a chat for good. */
  async deleted(id: string): Promise<void> {
    this.#buried.add(id);
    await this.alone(() => this.store.apply({ remove: [id] }));
  }

  /** Notes that a chat is gone for good. */
  bury(id: string): void {
    this.#buried.add(id);
  }

  /** Whether a chat is gone for good. */
  isBuried(id: string): boolean {
    return this.#buried.has(id);
  }

  /** Forgets which chats are gone: what is listed from now on is there, as in a database restored from a backup. */
  exhume(): void {
    this.#buried.clear();
  }

  /** An update of a content, where it continues what is there or is newer. */
  async #fitting(update: ContentUpdate | undefined): Promise<ContentUpdate[]> {
    if (!update) return [];
    const kept = await this.store.content(update.id);
    if (update.encrypted_data !== undefined) {
      const newer = !kept || kept.data_version < update.data_version ||
        kept.data_version === update.data_version && kept.next_segment < update.next_segment;
      return newer ? [update] : [];
    }
    const from = update.next_segment - update.segments.length;
    const continues = kept?.data_version === update.data_version && kept.next_segment === from;
    return continues && update.segments.length > 0 ? [update] : [];
  }
}
