/**
 * Chats as an app has them: decrypted.
 *
 * @module
 */

/** Which chat, in which version: what a change is based on. */
export interface ChatVersion {
  /** UUID, made by the client. */
  readonly id: string;
  /** How often it was saved, 0 when never. */
  readonly version: number;
}

/** What is known of a chat without its content. */
export interface ChatSummary extends ChatVersion {
  /** Null where it has none, or where `title_error` says why it cannot be read. */
  readonly title: string | null;
  /** A `CryptoError`, or a `ChatsError` such as `keys_locked`. */
  readonly title_error?: Error;
  readonly is_starred: boolean;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601. */
  readonly updated_at: string;
  /** The app has marked that it has changes that are not saved (`markUnsaved`). */
  readonly unsaved: boolean;
  /** Another device has deleted it; it is only there because it is `unsaved`. */
  readonly deleted: boolean;
}

/** A chat. It is a value: what changes a chat answers a new one. */
export interface Chat extends ChatVersion {
  /** Null where it has none. */
  readonly title: string | null;
  readonly is_starred: boolean;
  /** What was last saved as a whole. What it means is the app's. */
  readonly content: string;
  /** What was appended since, in order. */
  readonly segments: readonly string[];
  /** Version in which `content` was saved. */
  readonly data_version: number;
  /** Number of the next segment. */
  readonly next_segment: number;
  /** Key that the title is encrypted with, null for none and for format 1.0. */
  readonly title_key_id: string | null;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601. */
  readonly updated_at: string;
}
