/**
 * Makes changes of chats: encrypts them, proves them, sends them, and stores what the server answers.
 *
 * @module
 */

import { type DataKey, foldContent, foldSegment } from "../crypto/mod.ts";
import { defined, type Expected, falseAnswer, readDeletion } from "./answers.ts";
import type { Chat, ChatVersion } from "./chat.ts";
import {
  type Change,
  type ChatWriterParts,
  pathOf,
  proveChange,
  stateOf,
  type TitleAndStar,
} from "./chat_change.ts";
import type { ContentUpdate } from "./chat_store.ts";
import { ChatConflict, ChatsError } from "./chats_error.ts";

/** What can be saved beside a content. */
export interface SaveOptions {
  /** A new title (the title stays). */
  title?: string;
  /** Whether the chat is starred (stays as it is). */
  star?: boolean;
}

/** How often a change is made anew after each refusal that says nothing about the change itself. */
const AGAIN: Readonly<Record<string, number>> = {
  // Another device may rotate again while the change is made anew.
  key_epoch_old: 9,
  nonce_reused: 1,
  // Other devices have changed other chats first: once, unless many write at the same time.
  history_conflict: 100,
};

/** Makes changes of one user's chats. */
export class ChatWriter {
  readonly #parts: ChatWriterParts;

  /** @param parts what it works with */
  constructor(parts: ChatWriterParts) {
    this.#parts = parts;
  }

  /** Replaces the whole content of a chat. */
  async save(chat: Chat, content: string, { title, star }: SaveOptions): Promise<Chat> {
    return await this.#save(chat, content, { title, star }, false);
  }

  /** Saves a chat that may have been deleted. Its versions continue, so it gets its head with another change. */
  async restore(chat: Chat, content: string, options: SaveOptions): Promise<Chat> {
    const restored = await this.#save(chat, content, options, true);
    return await this.patch(restored, { star: restored.is_starred });
  }

  async #save(
    chat: Chat,
    content: string,
    { title, star }: { title?: string | undefined; star?: boolean | undefined },
    restore: boolean,
  ): Promise<Chat> {
    const { cipher, updater } = this.#parts;
    // A title of an older epoch, or of format 1, is encrypted again with the rest.
    const titleFor = ({ key_id }: DataKey) =>
      title ?? (chat.title_key_id === key_id ? undefined : chat.title ?? undefined);
    return await this.#change(chat, async (key) => {
      const encrypted_data = await cipher.encrypt(content, key, chat.id, "data");
      const beside = await this.#titleAndStar(chat, key, titleFor(key), star);
      const members = {
        ...{ expected_version: chat.version, encrypted_data, ...beside },
        ...(restore && { restore }),
      };
      // The versions of a chat that was deleted continue, and its segments begin again.
      const { id, version, next_segment } = chat;
      const is_starred = star ?? chat.is_starred;
      const changed = { data_version: version + 1, next_segment, is_starred };
      const expected = restore
        ? { id, next_segment: 0, is_starred }
        : { id, version: version + 1, ...changed };
      const state = { ...changed, ...beside, fold: () => foldContent(encrypted_data) };
      const body = { method: "PUT", path: pathOf(chat), members, expected } as const;
      return await proveChange(
        this.#parts,
        chat,
        key,
        { ...body, state: restore ? undefined : state },
        async (saved) => {
          const { id, data_version, next_segment } = saved;
          const update = { id, data_version, encrypted_data, segments: [], next_segment };
          if (restore) updater.restored(id);
          await updater.saved(chat.version, saved, update);
          const title_key_id = beside.encrypted_title ? key.key_id : chat.title_key_id;
          const named = { title: title ?? chat.title, title_key_id };
          return { ...chat, ...stateOf(saved), ...named, content, segments: [] };
        },
      );
    });
  }

  /** Adds a segment to a chat. */
  async append(chat: Chat, text: string): Promise<Chat> {
    const { cipher, updater } = this.#parts;
    return await this.#change(chat, async (key) => {
      const number = chat.next_segment;
      const encrypted_data = await cipher.encrypt(text, key, chat.id, number);
      const members = { expected_version: chat.version, number, encrypted_data };
      const { id, is_starred, data_version } = chat;
      const expected = {
        ...{ id, version: chat.version + 1, next_segment: number + 1, data_version, is_starred },
      };
      const segment = { number, encrypted_data };
      const fold = async (before: () => Promise<string>) => foldSegment(await before(), segment);
      const path = `${pathOf(chat)}/segments`;
      const body = { method: "POST", path, members, expected } as const;
      const state = { data_version, next_segment: number + 1, is_starred, fold };
      return await proveChange(this.#parts, chat, key, { ...body, state }, async (saved) => {
        const { id, data_version, next_segment } = saved;
        const update: ContentUpdate = { id, data_version, segments: [segment], next_segment };
        await updater.saved(chat.version, saved, update);
        return { ...chat, ...stateOf(saved), segments: [...chat.segments, text] };
      });
    });
  }

  /** Changes the title or the star of a chat. */
  async patch<T extends ChatVersion>(chat: T, { title, star }: SaveOptions): Promise<T> {
    return await this.#change(chat, async (key) => {
      const beside = await this.#titleAndStar(chat, key, title, star);
      const members = { expected_version: chat.version, ...beside };
      const { id, is_starred, data_version, next_segment }: Expected = chat;
      const known = { is_starred: star ?? is_starred, data_version, next_segment };
      const expected = { ...defined(known), id, version: chat.version + 1 };
      const state = { ...beside, fold: (before: () => Promise<string>) => before() };
      const body = { method: "PATCH", path: pathOf(chat), members, expected, state } as const;
      return await proveChange(this.#parts, chat, key, body, async (saved) => {
        await this.#parts.updater.saved(chat.version, saved);
        const { version, is_starred, updated_at, verified } = stateOf(saved);
        const named = title === undefined ? {} : { title, title_key_id: key.key_id };
        return { ...chat, version, is_starred, updated_at, verified, ...named };
      });
    });
  }

  /** Deletes a chat. */
  async delete(chat: ChatVersion): Promise<void> {
    const { heads, history, updater, sync } = this.#parts;
    const path = `${pathOf(chat)}?expected_version=${chat.version}`;
    await this.#change(chat, async () => {
      const before = await heads.before(chat, true);
      const change = { chat_id: chat.id, before: before?.head ?? null, after: null };
      const next = before && await history.next(change, sync);
      const read = (answer: unknown) => readDeletion(answer, chat.id);
      const body = next && { body: { history: next } };
      return {
        request: { method: "DELETE", path, read, ...body },
        done: async (proven) => {
          if (next && proven) await history.made(next);
          await updater.deleted(chat.id);
        },
      };
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

  /**
   * Makes a change with the current key, after those that were begun before. Makes it anew if another device has started
   * a new epoch, or has changed another chat meanwhile.
   */
  async #change<A, T>(
    chat: ChatVersion,
    make: (key: DataKey) => Promise<Change<A, T>>,
    unanswered?: Change<A, T>,
  ): Promise<T> {
    return await this.#parts.history.inTurn(() => this.#attempt(chat, make, unanswered));
  }

  async #attempt<A, T>(
    chat: ChatVersion,
    make: (key: DataKey) => Promise<Change<A, T>>,
    unanswered: Change<A, T> | undefined,
  ): Promise<T> {
    const { keys, history, sync } = this.#parts;
    const again = { ...AGAIN };
    for (;;) {
      const made = unanswered ?? await make(keys.current);
      const seen = await history.seen();
      try {
        return await this.#send(chat, made);
      } catch (error) {
        if (!(error instanceof ChatsError)) throw error;
        if (error.repeat) error.repeat = () => this.#change(chat, make, made);
        if ((again[error.code] ?? 0) === 0) throw error;
        again[error.code]!--; // there is one
        if (error.code === "key_epoch_old") await keys.refresh();
        if (error.code === "history_conflict") {
          await history.conflict(error, made.request, seen, sync);
        }
        unanswered = undefined;
      }
    }
  }

  async #send<A, T>(chat: ChatVersion, made: Change<A, T>): Promise<T> {
    const { requests, open } = this.#parts;
    try {
      return await requests.send(made.request, made.done);
    } catch (error) {
      if (!(error instanceof ChatsError) || error.code !== "version_conflict") throw error;
      const { version } = error.fields;
      if (!Number.isSafeInteger(version) || version === chat.version) {
        throw falseAnswer(
          "it reports a conflict with what the change is based on",
        );
      }
      throw new ChatConflict(chat.id, await open(chat.id).catch(() => undefined), error);
    }
  }
}
