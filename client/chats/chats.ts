/**
 * Encrypted chats of one user on one device: what an app calls. `client/README.md` explains how to use it.
 *
 * @module
 */

import { MIN_COST } from "../crypto/mod.ts";
import type { Chat, ChatSummary, ChatVersion } from "./chat.ts";
import { ChatCipher } from "./chat_cipher.ts";
import { ChatHeads } from "./chat_heads.ts";
import { readChat, readProven } from "./chat_reader.ts";
import type { ChatBackup, ChatStore, StoredChat, StoredContent } from "./chat_store.ts";
import type { ChatsError } from "./chats_error.ts";
import type { ChatsOptions } from "./chats_options.ts";
import { ChatWriter, type SaveOptions } from "./chat_writer.ts";
import { History } from "./history.ts";
import { Keyring } from "./keyring.ts";
import { MemoryStore } from "./memory_store.ts";
import { reencrypt, type Reencryption } from "./reencrypt.ts";
import type { AnySupabaseClient } from "./supabase_client.ts";
import { Requests } from "./requests.ts";
import { StoreUpdater } from "./store_updater.ts";
import { Sync } from "./sync.ts";
import type { SyncResult } from "./sync_run.ts";

/** The encrypted chats of one user on one device. */
export class Chats {
  /** The user's keys. Set them up or unlock them before anything is encrypted or decrypted. */
  readonly keys: Keyring;
  /** What the device stores of the chats, encrypted. */
  readonly store: ChatStore;
  readonly #requests: Requests;
  readonly #cipher: ChatCipher;
  readonly #updater: StoreUpdater;
  readonly #writer: ChatWriter;
  readonly #join: NonNullable<ChatsOptions["join"]>;
  readonly #heads: ChatHeads;
  readonly #history: History;
  readonly #sync: Sync;
  #syncing: Promise<unknown> = Promise.resolve();

  /**
   * @param supabase client of the signed-in user
   * @param user_id UUID of that user, from the session
   * @param options the device's store, and how requests are repeated
   */
  constructor(supabase: AnySupabaseClient, user_id: string, options: ChatsOptions = {}) {
    const { store = new MemoryStore(), page_size = 500, join, ...others } = options;
    const { password_cost = MIN_COST, ...requests } = others;
    this.store = store;
    this.#requests = new Requests(supabase, requests);
    const [open, sync] = [(id: string) => this.open(id), () => this.sync()];
    this.keys = new Keyring(this.#requests, user_id, { store, password_cost, sync });
    this.#cipher = new ChatCipher(this.keys, user_id);
    this.#updater = new StoreUpdater(store);
    const parts = { requests: this.#requests, keys: this.keys, store, user_id };
    this.#heads = new ChatHeads(parts);
    this.#history = new History(parts);
    const more = { ...parts, heads: this.#heads, history: this.#history, updater: this.#updater };
    this.#writer = new ChatWriter({ ...more, cipher: this.#cipher, open, sync });
    this.#sync = new Sync({ ...more, limit: page_size });
    this.#join = join ?? ((content, segments) => content + segments.join(""));
  }

  /** Makes a new chat with a random id. It exists only in memory until you `save` it. */
  create(): Chat {
    const now = new Date().toISOString();
    return {
      ...{ id: crypto.randomUUID(), version: 0, title: null, is_starred: false },
      ...{ content: "", segments: [], data_version: 0, next_segment: 0, title_key_id: null },
      ...{ created_at: now, updated_at: now, verified: true },
    };
  }

  /**
   * Opens a chat: fetches from the server what the store does not have of it.
   *
   * @param id of the chat
   * @param options `unproven`: the user accepts an unproven change, or a closed key. The chat is shown, but not stored
   * @throws ChatsError 404 `chat_not_found`; `epoch_closed`; `chat_unproven` if an older client has changed the chat;
   * `chat_rolled_back`, `segments_missing`, `head_missing` or `head_false` if the server does not tell the truth;
   * `keys_locked`; CryptoError `decryption_failed`, or `key_missing` for format 1 without `keys.readV1`
   */
  async open(id: string, { unproven = false }: { unproven?: boolean } = {}): Promise<Chat> {
    const { proven_key } = await this.store.state();
    const device = { known: await this.store.get(id), kept: await this.store.content(id) };
    const opened = await readProven(this.#requests, id, device, async (read) => {
      if (unproven) this.#heads.accept(read.chat);
      const used = this.#heads.keyIds(read.chat, read.content);
      const synced = await this.#history.learn(used, () => this.sync());
      if (synced) return undefined;
      const isNew = this.#heads.isNew(read.chat, device.known, proven_key);
      const chat = await this.#decrypt(read.chat, read.content, isNew);
      // What the device knew before says nothing of what another sync has proven meanwhile.
      if ((await this.store.state()).proven_key !== proven_key) return undefined;
      this.#heads.remember(read.chat);
      // Only now: if it does not decrypt, it must be fetched again next time. What is not proven must not replace what is.
      if (chat.verified || !read.chat.head) await this.#updater.read(read);
      return chat;
    });
    return opened ?? await this.open(id, { unproven });
  }

  /**
   * Opens a chat from the store, without the server.
   *
   * @param id of the chat
   * @returns undefined if the store does not have all of it. Throws `keys_locked`; CryptoError as `open`
   */
  async openKept(id: string): Promise<Chat | undefined> {
    const [stored, content] = [await this.store.get(id), await this.store.content(id)];
    const whole = stored && content && content.data_version === stored.data_version &&
      content.next_segment === stored.next_segment;
    return whole ? await this.#decrypt(stored, content) : undefined;
  }

  async #decrypt(stored: StoredChat, content: StoredContent, isNew = true): Promise<Chat> {
    const chat = await this.#cipher.chat(stored, content);
    return { ...chat, verified: await this.#heads.check(stored, content) && isNew };
  }

  async #summary(stored: StoredChat): Promise<ChatSummary> {
    const summary = await this.#cipher.summary(stored);
    if (this.keys.locked) return { ...summary, verified: false };
    try {
      return { ...summary, verified: await this.#heads.check(stored) };
    } catch (error) {
      if ((error as ChatsError).code === "chat_unproven") return { ...summary, verified: false };
      return { title_error: error as Error, ...summary, title: null, verified: false };
    }
  }

  /** Lists the chats in the store, the most recently changed first. Call `sync` to learn what other devices changed. */
  async list(): Promise<ChatSummary[]> {
    const time = ({ updated_at }: StoredChat) => Date.parse(updated_at);
    const newestFirst = (await this.store.list()).toSorted((a, b) => time(b) - time(a));
    return await Promise.all(newestFirst.map((chat) => this.#summary(chat)));
  }

  /**
   * Saves a chat as a whole: the content replaces the previous content and all segments.
   *
   * @param chat the version that the change is based on, or a chat from `create`
   * @param content the whole content. Its envelope must not exceed 8 MiB
   * @param options a new title, a star
   * @returns the chat after the change
   * @throws ChatConflict if the server has another version; ChatsError `keys_locked`, 410 `chat_deleted` (see `restore`), 413
   * `envelope_too_large` or `chat_quota_exceeded`, `unreachable` (with `repeat`)
   */
  async save(chat: Chat, content: string, options: SaveOptions = {}): Promise<Chat> {
    return await this.#writer.save(chat, content, options);
  }

  /**
   * Adds a segment to a chat. The cost depends on the segment alone, not on the length of the chat.
   *
   * @param chat the version that the change is based on
   * @param text of the segment
   * @returns the chat after the change
   * @throws as `save`
   */
  async append(chat: Chat, text: string): Promise<Chat> {
    return await this.#writer.append(chat, text);
  }

  /**
   * Joins the content and its segments into one content, with `join`, and saves it. Do so when a chat has many segments:
   * each is a row to read.
   *
   * @param chat the version that the change is based on, with all its segments
   * @throws as `save`
   */
  async compact(chat: Chat): Promise<Chat> {
    return await this.save(chat, this.#join(chat.content, chat.segments));
  }

  /**
   * Gives a chat a new title.
   *
   * @param chat the version that the change is based on, for example a summary from `list`
   * @returns the chat or summary after the change
   * @throws as `save`
   */
  async rename<T extends ChatVersion>(chat: T, title: string): Promise<T> {
    return await this.#writer.patch(chat, { title });
  }

  /**
   * Stars a chat, or removes its star.
   *
   * @param chat the version that the change is based on, for example a summary from `list`
   * @returns the chat or summary after the change
   * @throws as `save`
   */
  async star<T extends ChatVersion>(chat: T, star: boolean): Promise<T> {
    return await this.#writer.patch(chat, { star });
  }

  /**
   * Deletes a chat permanently, on all devices.
   *
   * @param chat the version to delete, for example a summary from `list`
   * @throws ChatConflict if the server has another version; ChatsError 404 `chat_not_found`, `unreachable`
   */
  async delete(chat: ChatVersion): Promise<void> {
    await this.#writer.delete(chat);
  }

  /**
   * Reads a chat for a backup. It is still encrypted, so that the backup can be stored anywhere: the keys open it.
   *
   * @param id of the chat
   * @returns plain JSON
   * @throws as `open`
   */
  async backup(id: string): Promise<ChatBackup> {
    const [{ proven_key }, known] = [await this.store.state(), await this.store.get(id)];
    const { chat, content } = await readChat(this.#requests, id, { known, kept: undefined });
    const learn = () => this.#history.learn(this.#heads.keyIds(chat, content), () => this.sync());
    if (!this.keys.locked && await learn()) return await this.backup(id);
    this.#heads.isNew(chat, known, proven_key);
    await this.#heads.checkIfPossible(chat, content);
    const isSame = (await this.store.state()).proven_key === proven_key;
    return isSame ? { chat, content } : await this.backup(id);
  }

  /**
   * Brings back a chat from a backup, under its own id, also after it was deleted. The content and its segments are joined
   * with `join` and encrypted anew; other devices receive the chat with their next sync.
   *
   * @param backup from `backup`
   * @returns the chat, in a version after all that the server had of it
   * @throws ChatConflict if the chat exists; CryptoError as `open`; otherwise as `save`
   */
  async restore({ chat: stored, content }: ChatBackup): Promise<Chat> {
    // The user has kept it, like a copy that the server no longer has.
    const chat = await this.#decrypt({ ...stored, deleted: true }, content);
    const { title, is_starred: star, segments } = chat;
    const whole = segments.length > 0 ? this.#join(chat.content, segments) : chat.content;
    const options = { ...(title !== null && { title }), star };
    return await this.#writer.restore({ ...chat, version: 0, segments: [] }, whole, options);
  }

  /**
   * Brings the store up to date with everything that was saved or deleted before the call. Titles come with it, contents
   * when they are opened. The keys may be locked.
   *
   * @param options `startOver`: the user accepts what the server has, for example after `chat_rolled_back`: read everything
   * again, and confirm it to the other devices. A chat with a false head is then listed with an error
   * @throws CryptoError `decryption_failed` if the head of the account was not made with the keys; ChatsError `unreachable`
   * (the pages that did arrive are in the store); `history_missing`, `history_rolled_back`, `history_forked`,
   * `history_false`, `head_missing`, `head_false` or `chat_rolled_back` if the server leaves something out, brings it back or
   * changes it: nothing is removed from the store
   */
  sync({ startOver = false }: { startOver?: boolean } = {}): Promise<SyncResult> {
    return this.#afterSync(() => this.#sync.run(startOver));
  }

  #afterSync<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#syncing.then(run, run);
    this.#syncing = result;
    return result;
  }

  /**
   * Returns a code for the newest state of the account that this device has seen, such as `12345 67890`. If another device
   * shows the same code after a sync, both have seen the same history. Undefined before the first one.
   */
  async code(): Promise<string | undefined> {
    return await this.#history.code();
  }

  /**
   * Notes that the app has unsaved changes of a chat, which it keeps itself. If another device then deletes the chat, a sync
   * marks it as `deleted`: save the changes under a new id, then clear the mark, which removes the chat.
   *
   * @param id of a chat in the store
   * @param unsaved whether there are unsaved changes
   */
  async markUnsaved(id: string, unsaved: boolean): Promise<void> {
    await this.#updater.markUnsaved(id, unsaved);
  }

  /**
   * Encrypts outdated chats with the current key, some at a time, after a rotation or `keys.readV1`. It compacts each.
   *
   * @param options `limit`: the largest number of chats (100); `after`: from the previous result
   */
  async reencrypt(options: { limit?: number; after?: string } = {}): Promise<Reencryption> {
    const renew = async (id: string) => void await this.compact(await this.open(id));
    return await reencrypt(this.#requests, this.keys.current.key_id, options, renew);
  }

  /**
   * Closes all epochs before the current one, when `reencrypt` has encrypted everything again: from then on, no device
   * accepts a chat that an older key has encrypted or proven. Attachments with an older key, and backups, stay readable.
   *
   * @throws ChatsError `epoch_in_use` if older keys encrypt parts of chats; `history_unproven` if nothing
   * proves that the chats are complete; 409 `history_conflict` if chats change meanwhile: call it again; otherwise as `sync`
   */
  async closeEpochs(): Promise<void> {
    await this.#history.inTurn(() => this.#afterSync(() => this.#sync.close()));
  }
}
