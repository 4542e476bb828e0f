/**
 * What a device stores of its chats: encrypted, as the server has them. So the store can be anywhere, and can be
 * synchronised while the keys are locked.
 *
 * @module
 */

import type { Argon2idCost } from "../crypto/mod.ts";

/** A chat without its content. */
export interface StoredChat {
  readonly id: string;
  readonly version: number;
  readonly data_version: number;
  readonly next_segment: number;
  readonly is_starred: boolean;
  readonly encrypted_title: string | null;
  /** The head of the chat: what a device with the keys said of its state. Null or undefined if there is none. */
  readonly head?: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** Whether the app has unsaved changes: then the chat stays when another device deletes it. */
  readonly unsaved?: boolean;
  /** Whether another device has deleted the chat. */
  readonly deleted?: boolean;
}

/** A segment, encrypted. */
export interface StoredSegment {
  readonly number: number;
  readonly encrypted_data: string;
}

/** The content of a chat, as far as this device has read it. */
export interface StoredContent {
  /** Id of the chat. */
  readonly id: string;
  /** The version in which `encrypted_data` was saved. */
  readonly data_version: number;
  readonly encrypted_data: string;
  /** In the order of their numbers, without a gap. */
  readonly segments: readonly StoredSegment[];
  /** Number of the next segment to read. */
  readonly next_segment: number;
}

/** A chat for a backup, encrypted: it may be stored as JSON. */
export interface ChatBackup {
  readonly chat: StoredChat;
  readonly content: StoredContent;
}

/** A change of a stored content. */
export interface ContentUpdate {
  /** Id of the chat. */
  readonly id: string;
  readonly data_version: number;
  /** Replaces the whole stored content, segments included. Undefined: the update only adds segments. */
  readonly encrypted_data?: string;
  /** Follow the stored segments. */
  readonly segments: readonly StoredSegment[];
  readonly next_segment: number;
}

/** The head of an account: what a device with the keys said of all chats. */
export interface AccountHead {
  /** How often it was replaced. */
  readonly counter: number;
  /** Encrypted. */
  readonly sealed: string;
}

/** What a device remembers of the server. */
export interface StoreState {
  /** Where the next sync continues; null to start from the beginning. */
  readonly cursor: string | null;
  /** Id of the newest data key that this device has opened. If the server offers older keys, they are refused. */
  readonly key_id: string | null;
  /** What that key proves of itself: another key under its id is refused. */
  readonly key_proof: string | null;
  /** Id of the oldest epoch whose content is accepted. Undefined or 1: no epoch was closed. */
  readonly min_epoch?: string | 1;
  /** Id of the key with which a sync has last proven all chats: heads that older keys make are accepted no longer. */
  readonly proven_key?: string | null;
  /** The costliest derivation of the password that this device has seen: nothing cheaper is accepted. */
  readonly password_cost: Argon2idCost | null;
  /** The newest head of the account that this device has seen: nothing older is accepted. Undefined is the same as null. */
  readonly history?: AccountHead | null;
  /** Names this device in the head of the account: 16 hexadecimal digits. */
  readonly writer?: string | null;
}

/** A change of a store, made in one transaction. */
export interface StoreBatch {
  /** Chats to remove with their contents, before anything is put. */
  readonly remove?: readonly string[];
  readonly put?: readonly StoredChat[];
  readonly contents?: readonly ContentUpdate[];
  readonly state?: Partial<StoreState>;
}

/**
 * Where a device stores its chats. A store belongs to one user. One `Chats` uses it at a time, unless it has
 * `exclusively`.
 */
export interface ChatStore {
  /** Returns what the device remembers; both members are null at first. */
  state(): Promise<StoreState>;
  /** Returns one chat. */
  get(id: string): Promise<StoredChat | undefined>;
  /** Returns all chats, in any order. */
  list(): Promise<StoredChat[]>;
  /** Returns the content of a chat. A store may keep no contents: then opening a chat fetches all of it. */
  content(id: string): Promise<StoredContent | undefined>;
  /** Makes all changes of a batch, or none if the device stops meanwhile. */
  apply(batch: StoreBatch): Promise<void>;
  /**
   * Runs something that reads the store in order to change it, while no other `Chats` does. A store that several programs
   * or browser tabs share needs it, for example with Web Locks.
   */
  exclusively?<T>(run: () => Promise<T>): Promise<T>;
}
