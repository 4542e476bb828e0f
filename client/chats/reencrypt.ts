/**
 * Finds what is not encrypted with the key in force, and has it saved anew.
 *
 * @module
 */

import { ChatConflict, ChatsError } from "./chats_error.ts";
import type { Requests } from "./requests.ts";

/** What one call of `reencrypt` did. */
export interface Reencryption {
  /** Ids of chats that are encrypted with the key in force now. */
  readonly done: readonly string[];
  /** Chats that could not be read or saved, with the reason. */
  readonly failed: readonly { readonly id: string; readonly error: Error }[];
  /** Where to go on, null after the last. */
  readonly after: string | null;
}

const FIRST = "00000000-0000-0000-0000-000000000000";

/** Refusals that say that another device has deleted the chat. */
const GONE = ["chat_not_found", "chat_deleted"];

/** Failures that are not of one chat. */
const STOP = ["keys_locked", "unreachable"];

/** As many at most are looked for at once: less than what any project answers in one page. */
const PAGE = 100;

/** How often a chat is tried that other devices save at the same time. */
const ATTEMPTS = 3;

/**
 * Saves chats anew, in the order of their ids.
 *
 * @param requests as the user
 * @param key_id the key in force
 * @param options `limit`: how many at most, 1 or more; `after`: where the call before has stopped
 * @param renew saves a chat anew
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

/** Whether the chat was saved anew; it need not be when it is gone. */
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

/** Ids of chats with an envelope that is not encrypted with the key in force, in order, and whether there are further ones. */
async function outdated(
  requests: Requests,
  key_id: string,
  { limit, after }: { limit: number; after: string },
): Promise<{ ids: string[]; more: boolean }> {
  const chats = await requests.select<{ id: string }>((supabase) =>
    supabase.from("encrypted_chats").select("id").gt("id", after).or(
      `key_id.is.null,key_id.neq.${key_id},title_key_id.neq.${key_id},` +
        "and(encrypted_title.not.is.null,title_key_id.is.null)",
    ).order("id").limit(limit)
  );
  const segments = await requests.select<{ chat_id: string }>((supabase) =>
    supabase.from("chat_segments").select("chat_id").gt("chat_id", after)
      .neq("key_id", key_id).order("chat_id").limit(limit)
  );
  const lists = [chats.map(({ id }) => id), segments.map(({ chat_id }) => chat_id)];
  // Beyond the end of a list that was cut off, the other one does not say what is there.
  const ends = lists.filter((list) => list.length === limit).map((list) => list.at(-1) ?? "");
  const [end] = ends.sort();
  const all = [...new Set(lists.flat())].sort().filter((id) => end === undefined || id <= end);
  return { ids: all.slice(0, limit), more: end !== undefined || all.length > limit };
}
