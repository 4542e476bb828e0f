/**
 * Encrypts and decrypts chats, between what the app sees and what the server stores.
 *
 * @module
 */

import {
  CryptoError,
  type DataKey,
  decryptText,
  encrypt,
  parseEnvelope,
  type Part,
} from "../crypto/mod.ts";
import type { Chat, ChatSummary } from "./chat.ts";
import type { StoredChat, StoredContent } from "./chat_store.ts";
import type { Keyring } from "./keyring.ts";

/** Encrypts and decrypts the chats of one user. */
export class ChatCipher {
  readonly #keyring: Keyring;
  readonly #user_id: string;

  /**
   * @param keyring the user's keys
   * @param user_id UUID of the user
   */
  constructor(keyring: Keyring, user_id: string) {
    this.#keyring = keyring;
    this.#user_id = user_id;
  }

  /** Encrypts one part of a chat. */
  encrypt(content: string, key: DataKey, chat_id: string, part: Part): Promise<string> {
    return encrypt(content, { key, user_id: this.#user_id, chat_id, part });
  }

  /** Decrypts a chat with its content. */
  async chat(
    stored: StoredChat,
    { encrypted_data, segments }: StoredContent,
  ): Promise<Omit<Chat, "verified">> {
    const { id, encrypted_title, version, data_version, next_segment, is_starred } = stored;
    const [title, content, texts] = await Promise.all([
      encrypted_title === null ? null : this.#decrypt(encrypted_title, id, "title"),
      this.#decrypt(encrypted_data, id, "data"),
      Promise.all(
        segments.map((segment) => this.#decrypt(segment.encrypted_data, id, segment.number)),
      ),
    ]);
    const { created_at, updated_at } = stored;
    const title_key_id = encrypted_title === null ? null : keyOf(encrypted_title);
    return {
      ...{ id, version, title, is_starred, content, segments: texts },
      ...{ data_version, next_segment, title_key_id, created_at, updated_at },
    };
  }

  /** Decrypts the title of a chat. If that fails, the summary says why. */
  async summary(stored: StoredChat): Promise<Omit<ChatSummary, "verified">> {
    const { id, version, is_starred, created_at, updated_at, encrypted_title } = stored;
    const { unsaved = false, deleted = false } = stored;
    const about = { id, version, is_starred, created_at, updated_at, unsaved, deleted };
    if (encrypted_title === null) return { ...about, title: null };
    try {
      return { ...about, title: await this.#decrypt(encrypted_title, id, "title") };
    } catch (error) {
      return { ...about, title: null, title_error: error as Error };
    }
  }

  async #decrypt(envelope: string, chat_id: string, part: Part): Promise<string> {
    const place = { user_id: this.#user_id, chat_id, part };
    const { all: keys } = this.#keyring;
    try {
      return await decryptText(envelope, { ...place, keys });
    } catch (error) {
      // The epoch is missing here: another device has started it.
      if (!(error instanceof CryptoError) || error.key_id === undefined) throw error;
      await this.#keyring.refresh();
      return await decryptText(envelope, { ...place, keys: this.#keyring.all });
    }
  }
}

/** Returns the id of the key of an envelope; null for format 1. */
export function keyOf(envelope: string): string | null {
  const parsed = parseEnvelope(envelope);
  return parsed.v === "2" ? parsed.key_id : null;
}
