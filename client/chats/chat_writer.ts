/**
 * Makes changes of chats: encrypts them, sends them, and stores what the server answers.
 *
 * @module
 */

import type { DataKey } from "../crypto/mod.ts";
import {
  type ChatState,
  defined,
  type Expected,
  falseAnswer,
  readChanged,
  readDeletion,
} from "./answers.ts";
import type { Chat, ChatVersion } from "./chat.ts";
import type { ChatCipher } from "./chat_cipher.ts";
import { ChatConflict, ChatsError } from "./chats_error.ts";
import type { Keyring } from "./keyring.ts";
import { change, type ChatRequest, type Requests } from "./requests.ts";
import type { StoreUpdater } from "./store_updater.ts";

/** What can be saved beside a content. */
export interface SaveOptions {
  /** A new title (the title stays). */
  title?: string;
  /** Whether the chat is starred (stays as it is). */
  star?: boolean;
}

/** What a {@link ChatWriter} works with. */
export interface ChatWriterParts {
  readonly requests: Requests;
  readonly keys: Keyring;
  readonly cipher: ChatCipher;
  readonly updater: StoreUpdater;
  /** Reads a chat, to show it in a conflict. */
  readonly open: (id: string) => Promise<Chat>;
}

/** Codes of refusals after which the change is encrypted again. */
const ENCRYPT_AGAIN = ["key_epoch_old", "nonce_reused"];

/** A change that is ready to be sent. */
interface Change<A, T> {
  request: ChatRequest<A>;
  /** Handles the answer. */
  done: (answer: A) => Promise<T>;
}

/** Members of a request body beside the content. */
interface TitleAndStar {
  encrypted_title?: string;
  is_starred?: boolean;
}

/** Makes changes of one user's chats. */
export class ChatWriter {
  readonly #parts: ChatWriterParts;

  /** @param parts what it works with */
  constructor(parts: ChatWriterParts) {
    this.#parts = parts;
  }

  /** Replaces the whole content of a chat. With `restore`, the chat may have been deleted. */
  async save(
    chat: Chat,
    content: string,
    { title, star }: SaveOptions,
    restore = false,
  ): Promise<Chat> {
    const { cipher, updater } = this.#parts;
    // A title of an older epoch, or of format 1, is encrypted again with the rest.
    const titleFor = ({ key_id }: DataKey) =>
      title ?? (chat.title_key_id === key_id ? undefined : chat.title ?? undefined);
    return await this.#change(chat, async (key) => {
      const encrypted_data = await cipher.encrypt(content, key, chat.id, "data");
      const beside = await this.#titleAndStar(chat, key, titleFor(key), star);
      const body = {
        ...{ expected_version: chat.version, encrypted_data, ...beside },
        ...(restore && { restore }),
      };
      // The versions of a chat that was deleted continue, and its segments begin again.
      const { id, version, next_segment } = chat;
      const expected = restore
        ? { id, next_segment: 0 }
        : { id, version: version + 1, data_version: version + 1, next_segment };
      const is_starred = star ?? chat.is_starred;
      return {
        request: changing("PUT", pathOf(chat), body, { ...expected, is_starred }),
        done: async (saved) => {
          const { id, data_version, next_segment } = saved;
          const update = { id, data_version, encrypted_data, segments: [], next_segment };
          await updater.saved(chat.version, { ...saved, ...titleIn(beside) }, update);
          const title_key_id = beside.encrypted_title ? key.key_id : chat.title_key_id;
          const named = { title: title ?? chat.title, title_key_id };
          return { ...chat, ...saved, ...named, content, segments: [] };
        },
      };
    });
  }

  /** Adds a segment to a chat. */
  async append(chat: Chat, text: string): Promise<Chat> {
    const { cipher, updater } = this.#parts;
    return await this.#change(chat, async (key) => {
      const number = chat.next_segment;
      const encrypted_data = await cipher.encrypt(text, key, chat.id, number);
      const body = { expected_version: chat.version, number, encrypted_data };
      const { id, is_starred, data_version } = chat;
      const expected = { id, version: chat.version + 1, next_segment: number + 1, data_version };
      return {
        request: changing("POST", `${pathOf(chat)}/segments`, body, { ...expected, is_starred }),
        done: async (saved) => {
          const { id, data_version, next_segment } = saved;
          const segments = [{ number, encrypted_data }];
          const update = { id, data_version, segments, next_segment };
          await updater.saved(chat.version, saved, update);
          return { ...chat, ...saved, segments: [...chat.segments, text] };
        },
      };
    });
  }

  /** Changes the title or the star of a chat. */
  async patch<T extends ChatVersion>(chat: T, { title, star }: SaveOptions): Promise<T> {
    return await this.#change(chat, async (key) => {
      const beside = await this.#titleAndStar(chat, key, title, star);
      const body = { expected_version: chat.version, ...beside };
      const { id, is_starred, data_version, next_segment }: Expected = chat;
      const known = { is_starred: star ?? is_starred, data_version, next_segment };
      const expected = { ...defined(known), id, version: chat.version + 1 };
      return {
        request: changing("PATCH", pathOf(chat), body, expected),
        done: async (saved) => {
          await this.#parts.updater.saved(chat.version, { ...saved, ...titleIn(beside) });
          const { version, is_starred, updated_at } = saved;
          const named = title === undefined ? {} : { title, title_key_id: key.key_id };
          return { ...chat, version, is_starred, updated_at, ...named };
        },
      };
    });
  }

  /** Deletes a chat. */
  async delete(chat: ChatVersion): Promise<void> {
    const path = `${pathOf(chat)}?expected_version=${chat.version}`;
    const read = (answer: unknown) => readDeletion(answer, chat.id);
    await this.#send(chat, {
      request: { method: "DELETE", path, read },
      done: () => this.#parts.updater.deleted(chat.id),
    });
  }

  async #titleAndStar(
    chat: ChatVersion,
    key: DataKey,
    title?: string,
    star?: boolean,
  ): Promise<TitleAndStar> {
    return {
      ...(title !== undefined && {
        encrypted_title: await this.#parts.cipher.encrypt(title, key, chat.id, "title"),
      }),
      ...(star !== undefined && { is_starred: star }),
    };
  }

  /** Makes a change with the current key. If another device has started a new epoch, makes it again with that key. */
  async #change<T>(
    chat: ChatVersion,
    make: (key: DataKey) => Promise<Change<ChatState, T>>,
  ): Promise<T> {
    const { keys } = this.#parts;
    try {
      return await this.#send(chat, await make(keys.current));
    } catch (error) {
      if (!(error instanceof ChatsError) || !ENCRYPT_AGAIN.includes(error.code)) throw error;
      if (error.code === "key_epoch_old") await keys.refresh();
      return await this.#send(chat, await make(keys.current));
    }
  }

  async #send<A, T>(chat: ChatVersion, made: Change<A, T>): Promise<T> {
    const { requests, open } = this.#parts;
    try {
      return await requests.send(made.request, made.done);
    } catch (error) {
      if (!(error instanceof ChatsError)) throw error;
      if (error.repeat) error.repeat = () => this.#send(chat, made);
      if (error.code !== "version_conflict") throw error;
      const { version } = error.fields;
      if (!Number.isSafeInteger(version) || version === chat.version) {
        throw falseAnswer("a conflict with the version that the change is based on");
      }
      throw new ChatConflict(chat.id, await open(chat.id).catch(() => undefined), error);
    }
  }
}

/** Makes a request that changes a chat, and says what the answer must be. */
function changing(
  method: "PUT" | "PATCH" | "POST",
  path: string,
  body: Record<string, unknown>,
  expected: Expected,
): ChatRequest<ChatState> {
  return change(method, path, body, (answer) => readChanged(answer, expected));
}

function pathOf({ id }: ChatVersion): string {
  return encodeURIComponent(id);
}

function titleIn({ encrypted_title }: TitleAndStar): Pick<TitleAndStar, "encrypted_title"> {
  return encrypted_title === undefined ? {} : { encrypted_title };
}
