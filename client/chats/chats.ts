/**
 * Encrypted chats of one user on one device: keys, chats and what changes in them, over `functions/chats`. The server
 * gets nothing that it could read. How to use it: `client/README.md`.
 *
 * ```ts
 * const chats = new Chats(supabase, user.id);
 * const recoveryKey = await chats.keys.setUp("correct horse battery staple"); // shown once
 * let chat = await chats.save(chats.create(), "Hello", { title: "Greetings" });
 * chat = await chats.append(chat, ", world");
 * ```
 *
 * @module
 */

import type { Chat, ChatSummary, ChatVersion } from "./chat.ts";
import { ChatCipher } from "./chat_cipher.ts";
import { readChat } from "./chat_reader.ts";
import { type ChatStore, MemoryStore, type StoredChat, storedChat } from "./chat_store.ts";
import { ChatConflict, ChatsError } from "./chats_error.ts";
import type { DataKey } from "../crypto/mod.ts";
import { Keyring } from "./keyring.ts";
import { reencrypt, type Reencryption } from "./reencrypt.ts";
import {
  type AnySupabaseClient,
  change,
  type ChatRequest,
  type RequestOptions,
  Requests,
} from "./requests.ts";
import { type SavedChat, StoreKeeper } from "./store_updater.ts";
import { synchronise, type SyncResult } from "./sync.ts";

/** How a `Chats` works. */
export interface ChatsOptions extends RequestOptions {
  /** What the device keeps (a `MemoryStore`). */
  store?: ChatStore;
  /** How many chats a page of a sync has, 1 to 1000 (500): with titles well below a megabyte. */
  page_size?: number;
  /** One content of a content and what was appended to it, for `compact` and `reencrypt` (one text after the other). */
  join?: (content: string, segments: readonly string[]) => string;
}

/** What is saved beside a content. */
export interface SaveOptions {
  /** A new title; without one it stays. */
  title?: string;
  /** Whether it is starred; without this it stays. */
  star?: boolean;
}

/** The encrypted chats of one user on one device. */
export class Chats {
  /** The user's keys: nothing is encrypted or decrypted before they are set up, or unlocked. */
  readonly keys: Keyring;
  /** What the device keeps of the chats, encrypted. */
  readonly store: ChatStore;
  readonly #requests: Requests;
  readonly #cipher: ChatCipher;
  readonly #keeper: StoreKeeper;
  readonly #join: NonNullable<ChatsOptions["join"]>;
  readonly #pageSize: number;
  #syncing: Promise<unknown> = Promise.resolve();

  /**
   * @param supabase where the user is signed in
   * @param user_id UUID of that user, from their session
   * @param options the device's store, and how requests are repeated
   */
  constructor(supabase: AnySupabaseClient, user_id: string, options: ChatsOptions = {}) {
    const { store = new MemoryStore(), page_size = 500, join, ...requests } = options;
    this.store = store;
    this.#requests = new Requests(supabase, requests);
    this.keys = new Keyring(this.#requests, user_id, store);
    this.#cipher = new ChatCipher(this.keys, user_id);
    this.#keeper = new StoreKeeper(store);
    this.#pageSize = page_size;
    this.#join = join ?? ((content, segments) => content + segments.join(""));
  }

  /** A new chat with a random id, which is nowhere yet: `save` it. */
  create(): Chat {
    const now = new Date().toISOString();
    return {
      ...{ id: crypto.randomUUID(), version: 0, title: null, is_starred: false },
      ...{ content: "", segments: [], data_version: 0, next_segment: 0, title_key_id: null },
      ...{ created_at: now, updated_at: now },
    };
  }

  /**
   * Reads a chat: from the server, what the store does not have of it.
   *
   * @param id of the chat
   * @throws ChatsError 404 `chat_not_found`; `chat_rolled_back` where the server has an older version than the store
   * (see `sync`); `segments_missing`; `keys_locked`; CryptoError `decryption_failed`, or `key_missing` for format 1.0
   * without `keys.readV1`
   */
  async open(id: string): Promise<Chat> {
    const [known, kept] = [await this.store.get(id), await this.store.content(id)];
    const read = await readChat(this.#requests, id, { known, kept });
    const chat = await this.#cipher.chat(read.chat, read.content);
    // Only now: what does not open would not be fetched again.
    await this.#keeper.read(read);
    return chat;
  }

  /**
   * A chat as the store has it, without asking the server; undefined where it has not all of it.
   *
   * @param id of the chat
   * @throws ChatsError `keys_locked`; CryptoError as `open`
   */
  async openKept(id: string): Promise<Chat | undefined> {
    const [stored, content] = [await this.store.get(id), await this.store.content(id)];
    const whole = stored && content && content.data_version === stored.data_version &&
      content.next_segment === stored.next_segment;
    return whole ? await this.#cipher.chat(stored, content) : undefined;
  }

  /** The chats in the store, the one that was changed last first. Of those that another device changes, `sync` tells. */
  async list(): Promise<ChatSummary[]> {
    const chats = await this.store.list();
    const newestFirst = chats.toSorted((a, b) =>
      Date.parse(b.updated_at) - Date.parse(a.updated_at)
    );
    return await Promise.all(newestFirst.map((chat) => this.#cipher.summary(chat)));
  }

  /**
   * Saves a chat as a whole: the content takes the place of the one before and of all segments.
   *
   * @param chat the version that it is based on, or one from `create`
   * @param content all of it; with its quotes and base64 8 MiB at most
   * @param options a new title, a star
   * @returns the chat as it is now
   * @throws ChatConflict where the server has another version; ChatsError `keys_locked`, 410 `chat_deleted`, 413
   * `envelope_too_large` or `chat_quota_exceeded`, `unreachable` (with `repeat`)
   */
  async save(chat: Chat, content: string, { title, star }: SaveOptions = {}): Promise<Chat> {
    // A title of an older epoch, or of format 1.0, is encrypted anew with the rest.
    const titleFor = ({ key_id }: DataKey) =>
      title ?? (chat.title_key_id === key_id ? undefined : chat.title ?? undefined);
    return await this.#change(chat, async (key) => {
      const encrypted_data = await this.#cipher.encrypt(content, key, chat.id, "data");
      const body = { encrypted_data, ...await this.#beside(chat, key, titleFor(key), star) };
      return {
        request: change("PUT", pathOf(chat), { expected_version: chat.version, ...body }),
        done: async (saved) => {
          const { id, data_version, next_segment } = saved;
          const update = { id, data_version, encrypted_data, segments: [], next_segment };
          await this.#keeper.saved(chat.version, { ...saved, ...titleIn(body) }, update);
          const title_key_id = body.encrypted_title ? key.key_id : chat.title_key_id;
          return {
            ...chat,
            ...saved,
            title: title ?? chat.title,
            title_key_id,
            content,
            segments: [],
          };
        },
      };
    });
  }

  /**
   * Adds a segment to a chat, at the cost of the segment, however long the chat is.
   *
   * @param chat the version that it is added to
   * @param text of the segment
   * @returns the chat as it is now
   * @throws as `save`
   */
  async append(chat: Chat, text: string): Promise<Chat> {
    return await this.#change(chat, async (key) => {
      const number = chat.next_segment;
      const encrypted_data = await this.#cipher.encrypt(text, key, chat.id, number);
      const body = { expected_version: chat.version, number, encrypted_data };
      return {
        request: change("POST", `${pathOf(chat)}/segments`, body),
        done: async (saved) => {
          const { id, data_version, next_segment } = saved;
          const segments = [{ number, encrypted_data }];
          const update = { id, data_version, segments, next_segment };
          await this.#keeper.saved(chat.version, saved, update);
          return { ...chat, ...saved, segments: [...chat.segments, text] };
        },
      };
    });
  }

  /**
   * Makes one content of a content and its segments, as `join` does, and saves it. Worth while when there are many
   * segments, as each is a row to read.
   *
   * @param chat all of it, in the version that it is based on
   * @throws as `save`
   */
  async compact(chat: Chat): Promise<Chat> {
    return await this.save(chat, this.#join(chat.content, chat.segments));
  }

  /**
   * Gives a chat another title.
   *
   * @param chat the version that is renamed; a summary from `list` will do
   * @returns it as it is now
   * @throws as `save`
   */
  async rename<T extends ChatVersion>(chat: T, title: string): Promise<T> {
    return await this.#patch(chat, { title });
  }

  /**
   * Stars a chat, or takes its star away.
   *
   * @param chat the version that is starred; a summary from `list` will do
   * @returns it as it is now
   * @throws as `save`
   */
  async star<T extends ChatVersion>(chat: T, star: boolean): Promise<T> {
    return await this.#patch(chat, { star });
  }

  /**
   * Deletes a chat for all devices, for good.
   *
   * @param chat the version that is deleted; a summary from `list` will do
   * @throws ChatConflict where the server has another version; ChatsError 404 `chat_not_found`, `unreachable`
   */
  async delete(chat: ChatVersion): Promise<void> {
    const path = `${pathOf(chat)}?expected_version=${chat.version}`;
    await this.#attempt(chat, {
      request: { method: "DELETE", path },
      done: () => this.#keeper.deleted(chat.id),
    });
  }

  /**
   * Brings the store up to date: everything that was saved and deleted before it was called. Titles come with it, contents
   * when they are opened. It needs no keys.
   *
   * @param options `startOver`: read all anew, as after a `chat_rolled_back` that the user accepts
   * @returns what has changed
   * @throws ChatsError `unreachable`: what had come is in the store
   */
  sync({ startOver = false }: { startOver?: boolean } = {}): Promise<SyncResult> {
    const options = { startOver, limit: this.#pageSize, keyVersion: () => this.keys.version };
    const run = () => synchronise(this.#requests, this.#keeper, options);
    const result = this.#syncing.then(run, run);
    this.#syncing = result;
    return result;
  }

  /**
   * Notes in the store that the app has changes of a chat that are not saved yet, which it keeps itself: then a sync does
   * not remove the chat when another device deletes it, but marks it as `deleted`. Save what is left under a new id, and
   * unmark it: then it goes.
   *
   * @param id of a chat in the store
   * @param unsaved whether there are such changes
   */
  async markUnsaved(id: string, unsaved: boolean): Promise<void> {
    await this.#keeper.alone(async () => {
      const stored = await this.store.get(id);
      if (!stored) return;
      await this.store.apply(
        stored.deleted && !unsaved ? { remove: [id] } : { put: [{ ...stored, unsaved }] },
      );
    });
  }

  /**
   * Encrypts chats with the key in force that are not yet, some at a time: after a rotation, or after `keys.readV1`. What
   * was appended to them is made one with their content, as `join` does.
   *
   * @param options `limit`: how many at most (100); `after`: as the last call answered
   * @returns what was done, and where to go on
   */
  async reencrypt(options: { limit?: number; after?: string } = {}): Promise<Reencryption> {
    return await reencrypt(this.#requests, this.keys.current.key_id, options, async (id) => {
      await this.compact(await this.open(id));
    });
  }

  async #patch<T extends ChatVersion>(chat: T, { title, star }: SaveOptions): Promise<T> {
    return await this.#change(chat, async (key) => {
      const body = await this.#beside(chat, key, title, star);
      return {
        request: change("PATCH", pathOf(chat), { expected_version: chat.version, ...body }),
        done: async (saved) => {
          await this.#keeper.saved(chat.version, { ...saved, ...titleIn(body) });
          const { version, is_starred, updated_at } = saved;
          const named = title === undefined ? {} : { title, title_key_id: key.key_id };
          return { ...chat, version, is_starred, updated_at, ...named };
        },
      };
    });
  }

  /** What of a title and a star is to be saved. */
  async #beside(chat: ChatVersion, key: DataKey, title?: string, star?: boolean): Promise<Beside> {
    return {
      ...(title !== undefined && {
        encrypted_title: await this.#cipher.encrypt(title, key, chat.id, "title"),
      }),
      ...(star !== undefined && { is_starred: star }),
    };
  }

  /** Makes a change with the key in force; with that which is in force now, where another device has begun an epoch. */
  async #change<T>(
    chat: ChatVersion,
    make: (key: DataKey) => Promise<Change<T>>,
  ): Promise<T> {
    try {
      return await this.#attempt(chat, await make(this.keys.current));
    } catch (error) {
      if (!(error instanceof ChatsError) || !ENCRYPT_ANEW.includes(error.code)) throw error;
      if (error.code === "key_epoch_old") await this.keys.refresh();
      return await this.#attempt(chat, await make(this.keys.current));
    }
  }

  async #attempt<T>(chat: ChatVersion, made: Change<T>): Promise<T> {
    try {
      return await this.#requests.send(made.request, (answer: StoredChat) => {
        const { encrypted_title: _, ...saved } = storedChat(answer);
        return made.done(saved);
      });
    } catch (error) {
      if (!(error instanceof ChatsError)) throw error;
      if (error.repeat) error.repeat = () => this.#attempt(chat, made);
      if (error.code !== "version_conflict") throw error;
      throw new ChatConflict(chat.id, await this.open(chat.id).catch(() => undefined), error);
    }
  }
}

/** What was refused for how it was encrypted, and is encrypted anew. */
const ENCRYPT_ANEW = ["key_epoch_old", "nonce_reused"];

/** A change, and what is done when it is made. */
interface Change<T> {
  request: ChatRequest;
  done: (saved: SavedChat) => Promise<T>;
}

/** What is saved beside a content. */
interface Beside {
  encrypted_title?: string;
  is_starred?: boolean;
}

function pathOf({ id }: ChatVersion): string {
  return encodeURIComponent(id);
}

function titleIn({ encrypted_title }: Beside): Pick<Beside, "encrypted_title"> {
  return encrypted_title === undefined ? {} : { encrypted_title };
}
