/**
 * Heads of the account, opened with the data key: what may follow what, and what comes next.
 *
 * @module
 */

import {
  type DataKey,
  emptySum,
  type HistoryContent,
  historyKeyOf,
  historyTerm,
  openHistory,
  sealHistory,
  xor,
} from "../crypto/mod.ts";
import type { AccountHead } from "./chat_store.ts";
import { historyErrors } from "./chats_error.ts";
import type { HeadChange } from "./history_parts.ts";

/** As many devices as the head of an account names: those that wrote last. */
const MOST_WRITERS = 64;

/** A head of the account that was opened. */
export interface OpenedHead extends AccountHead {
  readonly key_id: string;
  readonly content: HistoryContent;
}

/** A head of the account that another one replaces: without `content` if it did not open. */
export type BaseHead = AccountHead & Partial<OpenedHead>;

/** A new head of the account, to be sent with the change. */
export interface NewHistory {
  /** The counter of the head that it replaces. */
  readonly expected: number;
  readonly counter: number;
  readonly sealed: string;
}

/** Returns the id of the key that sealed a head of the account. Throws `history_false` if it is malformed. */
export function keyOf({ sealed }: AccountHead): string {
  const key_id = historyKeyOf(sealed);
  if (key_id === undefined) throw historyErrors.false();
  return key_id;
}

/**
 * Opens a head of the account.
 *
 * @throws CryptoError `decryption_failed`
 */
export async function openHead(
  { counter, sealed }: AccountHead,
  user_id: string,
  key: DataKey,
): Promise<OpenedHead> {
  const content = await openHistory(sealed, user_id, counter, key);
  return { counter, sealed, key_id: key.key_id, content };
}

/**
 * Makes sure that a head of the account can come after another one, or is the same. What it closes stays closed.
 *
 * @param head the later one
 * @param known the one that this device has seen
 * @param keys all data keys, the newest first
 * @throws ChatsError `history_rolled_back`, `history_forked`
 */
export function mustFollowHead(
  head: OpenedHead,
  known: OpenedHead | undefined,
  keys: readonly DataKey[],
): void {
  if (!known || head.sealed === known.sealed) return;
  const ids: unknown[] = keys.map(({ key_id }) => key_id).reverse();
  // 1 is older than all of them.
  const age = (epoch: string | 1) => -ids.indexOf(epoch);
  const older = head.counter < known.counter || age(head.key_id) > age(known.key_id) ||
    age(head.content.min_epoch) > age(known.content.min_epoch);
  if (older) throw historyErrors.rolledBack();
  const { writers } = head.content;
  // A full list leaves out those that wrote longest ago.
  const least = Object.keys(writers).length < MOST_WRITERS ? 0 : Infinity;
  const forked = head.counter === known.counter ||
    Object.entries(known.content.writers).some(([writer, counter]) =>
      (writers[writer] ?? least) < counter
    );
  if (forked) throw historyErrors.forked();
}

/** Counts and adds up the chats after one of them has changed. */
export async function changeSum(
  key: DataKey,
  known: OpenedHead | undefined,
  { chat_id, before, after }: HeadChange,
): Promise<Pick<HistoryContent, "chats" | "sum">> {
  let { chats = 0, sum = emptySum() } = known?.content ?? {};
  if (before !== null) {
    [chats, sum] = [chats - 1, xor(sum, await historyTerm(chat_id, before, key))];
  }
  if (after !== null) {
    [chats, sum] = [chats + 1, xor(sum, await historyTerm(chat_id, after, key))];
  }
  return { chats, sum };
}

/** What a new head says of the chats and the epochs, and who makes it. */
export interface NextHead extends Pick<HistoryContent, "chats" | "sum" | "min_epoch"> {
  readonly user_id: string;
  /** The name of this device. */
  readonly writer: string;
  readonly counter: number;
}

/** Makes a head of the account that replaces another one, or is the first. */
export async function nextHead(
  key: DataKey,
  before: BaseHead | null | undefined,
  { user_id, writer, counter, chats, sum, min_epoch }: NextHead,
): Promise<NewHistory> {
  const { writers = {} } = before?.content ?? {};
  const newest = Object.entries({ ...writers, [writer]: counter })
    .sort(([, a], [, b]) => b - a).slice(0, MOST_WRITERS);
  const content = { chats, min_epoch, sum, writers: Object.fromEntries(newest) };
  const sealed = await sealHistory(content, user_id, counter, key);
  return { expected: before?.counter ?? 0, counter, sealed };
}
