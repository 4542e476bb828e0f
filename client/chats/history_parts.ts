/**
 * What the history of an account works with, and what it finds.
 *
 * @module
 */

import type { ChatStore } from "./chat_store.ts";
import type { Keyring } from "./keyring.ts";
import type { Requests } from "./requests.ts";

/** How one change changes the heads of an account. */
export interface HeadChange {
  readonly chat_id: string;
  readonly before: string | null;
  /** Null if the chat is deleted. */
  readonly after: string | null;
}

/** What a sync finds about the history. */
export interface Verification {
  /** Whether the listed chats are exactly those of the newest head. */
  readonly verified: boolean;
  /** Whether the chats that are no longer listed were deleted by devices with the keys. */
  readonly proven: boolean;
}

/** What a {@link History} works with. */
export interface HistoryParts {
  readonly requests: Requests;
  readonly keys: Keyring;
  readonly store: ChatStore;
  readonly user_id: string;
}
