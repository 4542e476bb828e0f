/**
 * Chats as an app sees them: decrypted.
 *
 * @module
 */

/** Identifies a chat in one version. Every change says on which version it is based. */
export interface ChatVersion {
  /** UUID, made by the client. */
  readonly id: string;
  /** Number of times the chat was changed on the server; 0 before it is first saved. */
  readonly version: number;
}

/** A chat without its content. */
export interface ChatSummary extends ChatVersion {
  /** Null if the chat has no title, or if `title_error` says why it cannot be read. */
  readonly title: string | null;
  /** A `CryptoError`, or a `ChatsError` such as `keys_locked`. */
  readonly title_error?: Error;
  readonly is_starred: boolean;
  /** Whether a device with the keys has confirmed this state: see `docs/verified-history.md`. */
  readonly verified: boolean;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601. */
  readonly updated_at: string;
  /** Whether the app has unsaved changes, according to `markUnsaved`. */
  readonly unsaved: boolean;
  /** Whether another device has deleted the chat. It is still in the store because it is `unsaved`. */
  readonly deleted: boolean;
}

/** A chat with its content. It is a value: each change returns a new one. */
export interface Chat extends ChatVersion {
  /** Null if the chat has no title. */
  readonly title: string | null;
  readonly is_starred: boolean;
  /** What was last saved as a whole. The app decides what it means. */
  readonly content: string;
  /** What was appended since then, in order. */
  readonly segments: readonly string[];
  /** The version in which `content` was saved. */
  readonly data_version: number;
  /** Number of the next segment. */
  readonly next_segment: number;
  /** Id of the data key that encrypts the title; null if there is no title, or if it is of format 1. */
  readonly title_key_id: string | null;
  /**
   * Whether a device with the keys has confirmed this state. If not, the chat was last changed by a client that writes no
   * heads, or the server claims so.
   */
  readonly verified: boolean;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601. */
  readonly updated_at: string;
}
