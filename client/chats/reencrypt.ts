/**
 * Finds chats that the current key does not encrypt, and saves them again.
 *
 * @module
 */

import { readIds } from "./answers.ts";
import { ChatConflict, ChatsError } from "./chats_error.ts";
import type { Requests } from "./requests.ts";

/** The result of one call of `reencrypt`. */
export interface Reencryption {
  /** Ids of chats that the current key encrypts now. */
  readonly done: readonly string[];
  /** Chats that could not be read or saved, each with the reason. */
  readonly failed: readonly { readonly id: string; readonly error: Error }[];
  /** Where to continue; null after the last chat. */
  readonly after: string | null;
}

const FIRST = "00000000-0000-0000-0000-000000000000";

/** Codes which say that another device has deleted the chat. */
const GONE = ["chat_not_found", "chat_deleted"];

/** Codes of failures that concern all chats. */
const STOP = ["keys_locked", "unreachable"];

/** Chats to look for at once: fewer than the largest page of any project's REST API. */
const PAGE = 100;

/** How often a chat is tried while other devices save it. */
const ATTEMPTS = 3;

/**
 * Saves outdated chats again, in the order of their ids.
 *
 * @param requests as the user
 * @param key_id id of the current data key
 * @param options `limit`: the largest number of chats, 1 or more; `after`: where the previous call stopped
 * @param renew saves one chat again
 */
export async function reencrypt(
  requests: Requests,
  key_id: string,
  { limit = PAGE, after = FIRST }: { limit?: number; after?: string },
  renew: (id: string) => Promise<void>,
): Promise<Reencryption> {
  const { ids, more } = await outdated(requests, key_id, { limit: Math.min(limit, PAGE), after });
  const done: string[] = [];
  const failed: { id: string; error: Error }[] = [];
  for (const id of ids) {
    try {
      if (await renewed(id, renew)) done.push(id);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error instanceof ChatsError && STOP.includes(error.code)) throw error;
      failed.push({ id, error });
    }
  }
  return { done, failed, after: more ? ids.at(-1) ?? null : null };
}

/** Saves one chat again. False if it was deleted. */
async function renewed(id: string, renew: (id: string) => Promise<void>): Promise<boolean> {
  for (let attempt = 1;; attempt++) {
    try {
      await renew(id);
      return true;
    } catch (error) {
      if (error instanceof ChatsError && GONE.includes(error.code)) return false;
      if (!(error instanceof ChatConflict) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Lists the ids of chats with an envelope that the current key does not encrypt, in order, and whether more follow. */
async function outdated(
  requests: Requests,
  key_id: string,
  { limit, after }: { limit: number; after: string },
): Promise<{ ids: string[]; more: boolean }> {
  const chats = await requests.select(
    (supabase) =>
      supabase.from("encrypted_chats").select("id").gt("id", after).or(
        `key_id.is.null,key_id.neq.${key_id},title_key_id.neq.${key_id},` +
          "and(encrypted_title.not.is.null,title_key_id.is.null)",
      ).order("id").limit(limit),
    (rows) => readIds(rows, "id", { after, limit }),
  );
  const segments = await requests.select(
    (supabase) =>
      supabase.from("chat_segments").select("chat_id").gt("chat_id", after)
        .neq("key_id", key_id).order("chat_id").limit(limit),
    (rows) => readIds(rows, "chat_id", { after, limit }),
  );
  const lists = [chats, segments];
  // If one list was cut off, ids beyond its end may be missing from the union.
  const ends = lists.filter((list) => list.length === limit).map((list) => list.at(-1) ?? "");
  const [end] = ends.sort();
  const all = [...new Set(lists.flat())].sort().filter((id) => end === undefined || id <= end);
  return { ids: all.slice(0, limit), more: end !== undefined || all.length > limit };
}
