/**
 * Heads of chats: checks what was read against them, and makes those of changes.
 *
 * @module
 */

import { foldContent, foldSegment, makeHead, parseHead, verifyHead } from "../crypto/mod.ts";
import type { DataKey } from "../crypto/mod.ts";
import { headVersion, readList, readStoredChat } from "./answers.ts";
import type { ChatVersion } from "./chat.ts";
import { readChat } from "./chat_reader.ts";
import type { StoredChat, StoredContent } from "./chat_store.ts";
import { keyOf } from "./chat_cipher.ts";
import { chatUnproven, epochClosed, headFalse } from "./chats_error.ts";
import type { HistoryParts } from "./history_parts.ts";
import { findKey } from "./open_keys.ts";

/** As many chats as are remembered that the store does not have in the same version. */
const REMEMBERED = 100;

/** A change of a chat, as far as its head says it. */
export interface StateChange {
  readonly data_version?: number;
  readonly next_segment?: number;
  readonly is_starred?: boolean;
  readonly encrypted_title?: string;
  /** Makes the fold after the change from the one before it. */
  readonly fold: (before: () => Promise<string>) => Promise<string>;
}

/** Heads of one user's chats. */
export class ChatHeads {
  readonly #parts: HistoryParts;
  /** Chats that were read or changed here. Not every store has each of them in the same version. */
  readonly #recent = new Map<string, StoredChat>();
  /** By id, the versions that the user accepts although nothing proves them. */
  readonly #accepted = new Map<string, number>();

  /** @param parts what heads are made from */
  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  /**
   * Checks a chat against its head.
   *
   * @param chat as the server or the store has it
   * @param content to check as well: all of it
   * @returns false if the chat has no head, or if the user accepts a change that nothing proves
   * @throws ChatsError `head_false`, `keys_locked`, `epoch_closed`; `chat_unproven` if a client that writes no heads has
   * changed the chat since
   */
  async check(chat: StoredChat, content?: StoredContent): Promise<boolean> {
    const holds = await this.#check(chat, content);
    const closed = this.#isClosed(chat, content);
    // A copy that the server no longer has is from before.
    if (!closed || chat.deleted) return holds;
    if (!this.#isAccepted(chat)) throw epochClosed(chat.id);
    return false;
  }

  #isClosed(chat: StoredChat, content?: StoredContent): boolean {
    const { epochs } = this.#parts.keys;
    return epochs.oldest !== 1 && this.keyIds(chat, content).some((id) => epochs.closed(id));
  }

  /**
   * Makes sure that a head is not by an older key than the one with which a sync has proven all chats: since then, honest
   * devices have made all heads with that key or a newer one.
   *
   * @param chat as the server has it
   * @param known as the store had it before the server was asked
   * @param proven the id of that key, before the store was asked
   * @returns false if it is, but the user accepts it
   * @throws ChatsError `head_false`, or `epoch_closed` if that key was closed
   */
  isNew(
    chat: StoredChat,
    known: StoredChat | undefined,
    proven: string | null | undefined,
  ): boolean {
    const { dataKeys, epochs } = this.#parts.keys;
    const ids: unknown[] = dataKeys.map(({ key_id }) => key_id);
    const { key_id } = parseHead(chat.head ?? "") ?? {};
    const since = ids.indexOf(proven);
    if (since < 0 || chat.head === known?.head || ids.indexOf(key_id) <= since) return true;
    if (this.#isAccepted(chat)) return false;
    throw (epochs.closed(key_id!) ? epochClosed : headFalse)(chat.id); // it is one of the ids
  }

  /** The ids of all keys that a chat was encrypted or proven with; null for format 1. */
  keyIds(chat: StoredChat, content?: StoredContent): (string | null)[] {
    const parts = [content, ...content?.segments ?? []].map((part) => part?.encrypted_data);
    const ids = [chat.encrypted_title, ...parts].flatMap((text) => text ? keyOf(text) : []);
    return ids.concat(this.#isOutdated(chat) ? [] : parseHead(chat.head ?? "")?.key_id ?? []);
  }

  async #check(chat: StoredChat, content?: StoredContent): Promise<boolean> {
    if (this.#isOutdated(chat) && !this.#isAccepted(chat)) throw chatUnproven(chat.id);
    if (!chat.head || this.#isOutdated(chat)) return false;
    const head = parseHead(chat.head);
    if (!head) throw headFalse(chat.id);
    const key = await findKey(this.#parts.keys, head.key_id);
    const place = { user_id: this.#parts.user_id, chat_id: chat.id };
    const holds = await verifyHead(head, place, chat, key) &&
      (!content || head.fold === await foldOf(content));
    if (!holds) throw headFalse(chat.id);
    // Somebody with the old key could have made it, unless a sync since the rotation has proven it.
    const { key_id } = this.#parts.keys.current;
    return [head.key_id, (await this.#parts.store.state()).proven_key].includes(key_id);
  }

  /** Lets the user see and change a version that nothing proves. */
  accept({ id, version }: ChatVersion): void {
    this.#accepted.set(id, version);
  }

  #isAccepted({ id, version }: ChatVersion): boolean {
    return this.#accepted.get(id) === version;
  }

  #isOutdated({ head, version }: StoredChat): boolean {
    return headVersion(head) > 0 && headVersion(head) < version;
  }

  /** Compares a chat with its head, if the key is at hand: a sync also runs while the keys are locked. */
  async checkIfPossible(chat: StoredChat, content?: StoredContent): Promise<void> {
    const key_id = parseHead(chat.head ?? "")?.key_id;
    const possible = this.#parts.keys.dataKeys.some((key) => key.key_id === key_id);
    if (possible && !this.#isOutdated(chat)) await this.#check(chat, content);
  }

  /** Remembers a chat in its newest version, for the next change of it. */
  remember(chat: StoredChat): void {
    this.#recent.delete(chat.id);
    this.#recent.set(chat.id, chat);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > REMEMBERED && oldest !== undefined) this.#recent.delete(oldest);
  }

  /**
   * Returns a chat in a version that is to be changed, as the server has it: from here, the store, or the server.
   *
   * @param chat the version
   * @param deleted whether it is to be deleted: whatever it is
   * @returns undefined if the server has another version, or no such chat: then it refuses the change
   */
  async before(
    { id, version }: ChatVersion,
    deleted = false,
  ): Promise<StoredChat | undefined> {
    const { proven_key } = await this.#parts.store.state();
    const known = await this.#parts.store.get(id);
    const found = [this.#recent.get(id), known]
      .find((chat) => chat?.version === version && chat.head !== undefined);
    // Perhaps another device has encrypted it again since, and has closed the epoch.
    const kept = found && this.#isClosed(found) ? undefined : found;
    const chat = kept ?? await this.#fetch(id);
    if (chat && !kept) this.isNew(chat, known, proven_key);
    if (chat?.version !== version) return undefined;
    if (!deleted) await this.check(chat);
    return chat;
  }

  /** Makes the head of a chat after a change. `before` is undefined for a new chat. */
  async after(
    { id, version }: ChatVersion,
    before: StoredChat | undefined,
    change: StateChange,
    key: DataKey,
  ): Promise<string> {
    const { fold, ...changed } = change;
    const state = { data_version: 1, next_segment: 0, is_starred: false, encrypted_title: null };
    const after = { ...state, ...before, ...changed, version: version + 1 };
    const folded = await fold(() => this.#foldBefore(before!)); // a new chat has a whole content
    const place = { user_id: this.#parts.user_id, chat_id: id };
    return await makeHead(place, after, folded, key);
  }

  /** The fold of a chat: from its head, or from its content, which is read if the store does not have it. */
  async #foldBefore(chat: StoredChat): Promise<string> {
    const head = parseHead(chat.head ?? "");
    if (head?.version === chat.version) return head.fold;
    const { store, requests } = this.#parts;
    const known = await store.get(chat.id);
    const kept = await store.content(chat.id);
    const read = await readChat(requests, chat.id, { known, kept });
    // If it has changed since, the server refuses the change.
    return await foldOf(read.content);
  }

  async #fetch(id: string): Promise<StoredChat | undefined> {
    const columns = "id,version,data_version,next_segment,is_starred,encrypted_title,head," +
      "created_at,updated_at";
    const [chat] = await this.#parts.requests.select(
      (supabase) => supabase.from("encrypted_chats").select(columns).eq("id", id),
      (rows) => readList(rows, 1).map(readStoredChat).filter((chat) => chat.id === id),
    );
    return chat;
  }
}

/** Folds a whole content. */
export async function foldOf({ encrypted_data, segments }: StoredContent): Promise<string> {
  let fold = await foldContent(encrypted_data);
  for (const segment of segments) fold = await foldSegment(fold, segment);
  return fold;
}
