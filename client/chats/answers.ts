/**
 * Reads the server's answers. The server may answer anything: each answer is checked here against its form, what was
 * asked for, and what the client already knows. Nothing else looks at an answer that was not read here.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";
import type { StoredChat, StoredContent, StoredSegment } from "./chat_store.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** More than the longest envelope of any server, in characters. */
const MAX_ENVELOPE = 16 * 1024 * 1024;

/** Makes the error for an answer that is not what Strongroom answers. */
function unexpected(what: string): ChatsError {
  return new ChatsError("unexpected_answer", `Unexpected answer: ${what}`, { status: 200 });
}

/** Makes the error for an answer that contradicts what was asked for, what the client knows, or itself. */
export function falseAnswer(what: string): ChatsError {
  return new ChatsError("false_answer", `The server's answer cannot be true: ${what}`);
}

/** Requires something of an answer. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw falseAnswer(what);
}

/** The members of an answer, each read in its form. */
export class Members {
  readonly #members: Record<string, unknown>;

  /** @param value the answer, or a part of it */
  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw unexpected("not an object");
    }
    this.#members = value as Record<string, unknown>;
  }

  /** Whether the member is missing or null. */
  lacks(name: string): boolean {
    return this.#members[name] === undefined || this.#members[name] === null;
  }

  /** Reads a text of limited length. */
  text(name: string, longest = 1024): string {
    const value = this.#members[name];
    if (typeof value !== "string" || value.length > longest) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a text that may be missing. */
  optionalText(name: string): string | undefined {
    return this.lacks(name) ? undefined : this.text(name);
  }

  /** Reads an envelope. It is null only if the server may leave it out. */
  envelope(name: string): string {
    return this.text(name, MAX_ENVELOPE);
  }

  /** Reads a UUID. */
  uuid(name: string): string {
    const value = this.text(name);
    if (!UUID.test(value)) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a whole number that JavaScript can count, from a lowest one. */
  count(name: string, lowest = 0): number {
    const value = this.#members[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < lowest) {
      throw unexpected(`"${name}"`);
    }
    return value;
  }

  /** Reads a number that may be missing. */
  optionalCount(name: string): number | undefined {
    return this.lacks(name) ? undefined : this.count(name);
  }

  /** Reads a boolean. */
  flag(name: string): boolean {
    const value = this.#members[name];
    if (typeof value !== "boolean") throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a time. */
  time(name: string): string {
    const value = this.text(name);
    if (Number.isNaN(Date.parse(value))) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a list. */
  list(name: string, longest = Infinity): Members[] {
    return readList(this.#members[name], longest);
  }
}

/** Reads a list of objects. */
export function readList(value: unknown, longest = Infinity): Members[] {
  if (!Array.isArray(value) || value.length > longest) throw unexpected("not a list");
  return value.map((entry) => new Members(entry));
}

/** A chat after a change, or in a list: without its title. */
export type ChatState = Omit<StoredChat, "encrypted_title" | "unsaved" | "deleted">;

/** Reads the state of a chat. A chat has at least one version, of which each save and each segment makes one. */
export function readState(members: Members): ChatState {
  const state = {
    id: members.uuid("id"),
    version: members.count("version", 1),
    data_version: members.count("data_version", 1),
    next_segment: members.count("next_segment"),
    is_starred: members.flag("is_starred"),
    created_at: members.time("created_at"),
    updated_at: members.time("updated_at"),
  };
  const { version, data_version, next_segment } = state;
  must(data_version <= version, "content newer than its chat");
  must(next_segment < version, "more segments than versions");
  return state;
}

/** Reads a chat as the store has it. */
export function readStoredChat(members: Members): StoredChat {
  const encrypted_title = members.lacks("encrypted_title")
    ? null
    : members.envelope("encrypted_title");
  return { ...readState(members), encrypted_title };
}

/** What a change must have made of a chat, as far as it is known. */
export type Expected = Partial<ChatState> & Pick<ChatState, "id">;

/** Reads the answer to a change of a chat: it must be about this chat, and have made the change and nothing else. */
export function readChanged(value: unknown, expected: Expected): ChatState {
  const state = readState(new Members(value));
  for (const [name, is] of Object.entries(expected)) {
    must(state[name as keyof ChatState] === is, `another "${name}" than the change makes`);
  }
  return state;
}

/** Reads the answer to a deletion. */
export function readDeletion(value: unknown, id: string): void {
  const members = new Members(value);
  must(members.uuid("id") === id, "another chat than was deleted");
  must(members.flag("deleted"), "the chat was not deleted");
}

/** The answer of `GET /chats/:id`. */
export interface ChatPage {
  readonly chat: StoredChat;
  /** Null if the device has it. */
  readonly encrypted_data: string | null;
  /** Without a gap. */
  readonly segments: readonly StoredSegment[];
  readonly has_more: boolean;
}

/** What a device has of a chat. */
export interface Known {
  readonly chat: StoredChat | undefined;
  readonly content: Pick<StoredContent, "data_version" | "next_segment"> | undefined;
}

/**
 * Reads a page of a chat.
 *
 * @param value the answer
 * @param id of the chat that was asked for
 * @param known what the device has of it; the server was told which content
 */
export function readChatPage(value: unknown, id: string, known: Known): ChatPage {
  const members = new Members(value);
  const chat = readStoredChat(members);
  must(chat.id === id, "another chat than was asked for");
  if (known.chat && !follows(chat, known.chat)) throw chatRolledBack(id);
  const { version, data_version, next_segment } = chat;
  const encrypted_data = members.lacks("encrypted_data")
    ? null
    : members.envelope("encrypted_data");
  const kept = data_version === known.content?.data_version ? known.content : undefined;
  must((encrypted_data === null) === (kept !== undefined), "its content is known, or is missing");
  const segments = members.list("segments").map((segment) => ({
    number: segment.count("number"),
    encrypted_data: segment.envelope("encrypted_data"),
  }));
  // The first content is followed by segment 0. A later one goes on where the numbers of the one before it ended.
  const from = kept?.next_segment ?? (data_version === 1 ? 0 : segments[0]?.number ?? next_segment);
  segments.forEach(({ number }, index) => {
    if (number !== from + index) throw segmentsMissing(id);
  });
  must(from + segments.length <= next_segment, "segments that the chat does not have");
  if (!kept) {
    must(from < data_version, "more segments than versions before the content");
    must(next_segment - from <= version - data_version, "more segments than versions after it");
  }
  return { chat, encrypted_data, segments, has_more: members.flag("has_more") };
}

/** Whether one state of a chat can come after another, or is the same. */
function follows(chat: StoredChat, before: StoredChat): boolean {
  if (chat.version !== before.version) return chat.version > before.version;
  return chat.data_version === before.data_version && chat.next_segment === before.next_segment;
}

/** Makes the error `chat_rolled_back`. */
function chatRolledBack(id: string): ChatsError {
  return new ChatsError(
    "chat_rolled_back",
    `The server has an older version of chat "${id}" than this device, or another history`,
  );
}

/** Makes the error `segments_missing`. */
export function segmentsMissing(id: string): ChatsError {
  return new ChatsError("segments_missing", `The server left out segments of chat "${id}"`);
}

/** The answer of `sync_chats`. */
export interface SyncPage {
  readonly changes: readonly (StoredChat | { readonly id: string; readonly deleted: true })[];
  readonly cursor: string;
  readonly has_more: boolean;
  readonly key_version: number;
}

/**
 * Reads a page of a sync.
 *
 * @param value the answer
 * @param cursor from the page before
 * @param limit the number of changes that was asked for
 */
export function readSyncPage(value: unknown, cursor: string | null, limit: number): SyncPage {
  const members = new Members(value);
  const page = {
    cursor: members.text("cursor"),
    has_more: members.flag("has_more"),
    key_version: members.count("key_version"),
    changes: members.list("changes", limit).map((change) =>
      change.flag("deleted")
        ? { id: change.uuid("id"), deleted: true as const }
        : readStoredChat(change)
    ),
  };
  must(/^\d{1,18}(-\d{1,18})?$/.test(page.cursor), "a cursor that is none");
  must(page.cursor.length <= 37 && position(page.cursor) >= position(cursor), "an earlier cursor");
  if (page.has_more) must(position(page.cursor) > position(cursor), "a sync without an end");
  must(new Set(page.changes.map(({ id }) => id)).size === page.changes.length, "a chat twice");
  return page;
}

function position(cursor: string | null): bigint {
  return BigInt(cursor?.split("-")[0] ?? -1);
}

/** Reads ids of chats in order, all after a given one. */
export function readIds(
  value: unknown,
  name: string,
  { after, limit }: { after: string; limit: number },
): string[] {
  const ids = readList(value, limit).map((row) => row.uuid(name));
  must(ids.every((id, index) => id >= (ids[index - 1] ?? id) && id > after), "ids out of order");
  return ids;
}

/** Leaves out what is undefined. */
export function defined<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}
