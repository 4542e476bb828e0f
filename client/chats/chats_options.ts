/**
 * How encrypted chats work on a device.
 *
 * @module
 */

import type { Argon2idCost } from "../crypto/mod.ts";
import type { ChatStore } from "./chat_store.ts";
import type { RequestOptions } from "./requests.ts";

/** How a `Chats` works. */
export interface ChatsOptions extends RequestOptions {
  /** Where the device stores its chats (a `MemoryStore`). */
  store?: ChatStore;
  /** Chats in a page of a sync, 1 to 1000 (500). With titles, a page of 500 is well below a megabyte. */
  page_size?: number;
  /** The cost of deriving new password keys (19,456 KiB and 2 passes). Older ones are replaced by the next `unlock`. */
  password_cost?: Argon2idCost;
  /** Joins a content and its segments into one content, for `compact` and `reencrypt` (concatenation). */
  join?: (content: string, segments: readonly string[]) => string;
}
