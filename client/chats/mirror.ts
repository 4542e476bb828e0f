/**
 * What the server has listed of an account: which chats, and which head each of them has. Only the sync writes here, so
 * after its last page this is the account at one moment, whatever this device changes meanwhile.
 *
 * @module
 */

import { type DataKey, emptySum, historyTerm, xor } from "../crypto/mod.ts";
import type { StoredChat } from "./chat_store.ts";

/** How many terms are derived at once. */
const AT_ONCE = 200;

/** The chats of an account as the sync has listed them. */
export class Mirror {
  /** The cursor after the page that was listed last; null before the first one. */
  cursor: string | null = null;
  readonly #chats = new Map<string, StoredChat>();
  /** Heads that were added (in) or replaced (out) since the sum was computed. */
  #changed: { id: string; head: string }[] = [];
  #sum = emptySum();
  #key: DataKey | undefined;

  /** Takes over what a store has: what was listed up to its cursor. */
  static of(stored: StoredChat[]): Mirror {
    const mirror = new Mirror();
    for (const chat of stored) if (!chat.deleted) mirror.#chats.set(chat.id, chat);
    return mirror;
  }

  /** Returns a chat as it was last listed. */
  get(id: string): StoredChat | undefined {
    return this.#chats.get(id);
  }

  /** Number of chats that have a head. */
  get heads(): number {
    let heads = 0;
    for (const { head } of this.#chats.values()) if (head) heads++;
    return heads;
  }

  /** Takes in a chat as it is listed. */
  list(chat: StoredChat): void {
    this.#toggle(chat.id);
    this.#chats.set(chat.id, chat);
    this.#toggle(chat.id);
  }

  /** Takes out a chat that was deleted. */
  delete(id: string): void {
    this.#toggle(id);
    this.#chats.delete(id);
  }

  /** Computes the sum of all heads: from what has changed since the last time, unless the key is another. */
  async sum(key: DataKey): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#key?.secret !== key.secret) {
      this.#changed = [...this.#chats.values()].flatMap(({ id, head }) => head ? { id, head } : []);
      this.#sum = emptySum();
      this.#key = key;
    }
    const changed = this.#changed;
    this.#changed = [];
    for (let from = 0; from < changed.length; from += AT_ONCE) {
      const some = changed.slice(from, from + AT_ONCE);
      const terms = await Promise.all(some.map(({ id, head }) => historyTerm(id, head, key)));
      this.#sum = terms.reduce(xor, this.#sum);
    }
    return this.#sum;
  }

  /** A head that comes or goes changes the sum in the same way. */
  #toggle(id: string): void {
    const head = this.#chats.get(id)?.head;
    if (head) this.#changed.push({ id, head });
  }
}
