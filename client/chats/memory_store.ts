/**
 * The default store.
 *
 * @module
 */

import type { ChatStore, StoreBatch, StoredChat, StoredContent, StoreState } from "./chat_store.ts";

/** A store that is lost when the program ends. */
export class MemoryStore implements ChatStore {
  #state: StoreState = {
    ...{ cursor: null, key_id: null, key_proof: null, password_cost: null },
    ...{ history: null, writer: null },
  };
  readonly #chats = new Map<string, StoredChat>();
  readonly #contents = new Map<string, StoredContent>();

  /** Returns what the device remembers. */
  state(): Promise<StoreState> {
    return Promise.resolve(this.#state);
  }

  /** Returns one chat. */
  get(id: string): Promise<StoredChat | undefined> {
    return Promise.resolve(this.#chats.get(id));
  }

  /** Returns all chats. */
  list(): Promise<StoredChat[]> {
    return Promise.resolve([...this.#chats.values()]);
  }

  /** Returns the content of a chat. */
  content(id: string): Promise<StoredContent | undefined> {
    return Promise.resolve(this.#contents.get(id));
  }

  /** Makes all changes of a batch. */
  apply({ remove = [], put = [], contents = [], state }: StoreBatch): Promise<void> {
    for (const id of remove) {
      this.#chats.delete(id);
      this.#contents.delete(id);
    }
    for (const chat of put) this.#chats.set(chat.id, chat);
    for (const { encrypted_data, ...update } of contents) {
      const kept = this.#contents.get(update.id);
      if (encrypted_data !== undefined) {
        this.#contents.set(update.id, { ...update, encrypted_data });
      } else if (kept) {
        const segments = [...kept.segments, ...update.segments];
        this.#contents.set(update.id, { ...kept, ...update, segments });
      }
    }
    this.#state = { ...this.#state, ...state };
    return Promise.resolve();
  }
}
