/**
 * Encrypts and decrypts the chunks of attachments. Each is an envelope `attachment/ID` of its own, so that chunks cannot be
 * exchanged. The first byte of its content says what it is.
 *
 * @module
 */

import type { Keyring } from "../chats/keyring.ts";
import { CryptoError, decrypt, encrypt, padmeLength } from "../crypto/mod.ts";

/** What a chunk contains: bytes of the file, or the manifest. `other` was written by another client, as a single envelope. */
export type ChunkKind = "chunk" | "manifest" | "other";

const KINDS: readonly ChunkKind[] = ["chunk", "manifest"];

/** Encrypts and decrypts chunks. */
export class ChunkCipher {
  readonly #keys: Keyring;
  readonly #user_id: string;

  /**
   * @param keys the user's keys
   * @param user_id UUID of the user
   */
  constructor(keys: Keyring, user_id: string) {
    this.#keys = keys;
    this.#user_id = user_id;
  }

  /** Returns the size of the envelope of a content, which has to be reserved before its id is known. */
  async envelopeSize(content_bytes: number): Promise<number> {
    const nowhere = crypto.getRandomValues(new Uint8Array(1));
    const id = this.#user_id;
    const empty = await this.#encrypt(id, id, nowhere);
    return empty.length - base64Length(nowhere.length) + base64Length(1 + content_bytes);
  }

  /** Encrypts a chunk. */
  async seal(
    chat_id: string,
    id: string,
    kind: "chunk" | "manifest",
    content: Uint8Array,
  ): Promise<string> {
    const whole = new Uint8Array(1 + content.length);
    whole[0] = KINDS.indexOf(kind);
    whole.set(content, 1);
    return await this.#encrypt(chat_id, id, whole);
  }

  /** Decrypts a chunk. */
  async open(
    chat_id: string,
    id: string,
    envelope: string,
  ): Promise<{ kind: ChunkKind; content: Uint8Array<ArrayBuffer> }> {
    const place = { user_id: this.#user_id, chat_id, part: `attachment/${id}` as const };
    let whole: Uint8Array;
    try {
      whole = await decrypt(envelope, { ...place, keys: this.#keys.all });
    } catch (error) {
      // Another device has started the epoch of the key.
      if (!(error instanceof CryptoError) || error.key_id === undefined) throw error;
      await this.#keys.refresh();
      whole = await decrypt(envelope, { ...place, keys: this.#keys.all });
    }
    return { kind: KINDS[whole[0] ?? -1] ?? "other", content: Uint8Array.from(whole.subarray(1)) };
  }

  #encrypt(chat_id: string, id: string, content: Uint8Array): Promise<string> {
    const key = this.#keys.current;
    return encrypt(content, { key, user_id: this.#user_id, chat_id, part: `attachment/${id}` });
  }
}

/** Returns the nonce of an envelope. No two envelopes have the same. */
export function nonceOf(envelope: string): string {
  return JSON.parse(envelope).nonce;
}

/** The length of a content after it was padded, encrypted and written as base64. */
function base64Length(content_bytes: number): number {
  return 4 * Math.ceil(padmeLength(content_bytes + 1) / 3);
}
