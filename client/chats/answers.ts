/**
 * Reads the server's answers. The server may answer anything: each answer is checked here against its form, what was
 * asked for, and what the client already knows. Nothing else looks at an answer that was not read here.
 *
 * @module
 */

import { parseHead } from "../crypto/mod.ts";
import type { AccountHead, StoredChat, StoredContent, StoredSegment } from "./chat_store.ts";
import { chatRolledBack, ChatsError, headFalse, headMissing } from "./chats_error.ts";
import { Members, must, readList } from "./members.ts";

export { falseAnswer, Members, must, readList } from "./members.ts";

/** The longest head of an account, in characters. */
const MAX_HISTORY = 8192;

/** A chat after a change, or in a list: without its title. */
export type ChatState = Omit<StoredChat, "encrypted_title" | "head" | "unsaved" | "deleted">;

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
  must(data_version <= version, "the content is newer than the chat");
  must(next_segment < version, "the chat has more segments than versions");
  return state;
}

/** Reads a chat as the store has it. */
export function readStoredChat(members: Members): StoredChat {
  const encrypted_title = members.lacks("encrypted_title")
    ? null
    : members.envelope("encrypted_title");
  const head = members.lacks("head") ? null : members.text("head");
  const state = readState(members);
  const named = head === null ? 0 : parseHead(head)?.version;
  if (named === undefined) throw headFalse(state.id);
  if (named > state.version) throw chatRolledBack(state.id);
  return { ...state, encrypted_title, head };
}

/** The version that the head of a chat names; 0 if there is no head, -1 if it is malformed. */
export function headVersion(head: string | null | undefined): number {
  return typeof head === "string" ? parseHead(head)?.version ?? -1 : 0;
}

/** Makes sure that one state of a chat can come after another, or is the same: heads do not go back, or away. */
export function mustFollow(chat: StoredChat, before: StoredChat): void {
  const [version, known] = [headVersion(chat.head), headVersion(before.head)];
  if (!follows(chat, before)) throw chatRolledBack(chat.id);
  if (version === 0 && known > 0) throw headMissing(chat.id);
  if (version < known) throw chatRolledBack(chat.id);
}

/** The head of an account, and how many chats were deleted since by clients that write no heads. */
export interface AccountHeadAnswer extends AccountHead {
  readonly unproven_deletions: number;
}

/** Reads the head of an account. */
export function readAccountHead(members: Members): AccountHeadAnswer {
  return {
    counter: members.count("counter", 1),
    sealed: members.text("sealed", MAX_HISTORY),
    unproven_deletions: members.count("unproven_deletions"),
  };
}

/** Reads the answer to a new head of an account. */
export function readHistoryChange(value: unknown, counter: number): void {
  must(
    new Members(value).count("counter", 1) === counter,
    "the counter is another",
  );
}

/** What a change must have made of a chat, as far as it is known. */
export type Expected = Partial<ChatState> & Pick<ChatState, "id">;

/** Reads the answer to a change of a chat: it must be about this chat, and have made the change and nothing else. */
export function readChanged(value: unknown, expected: Expected): ChatState {
  const state = readState(new Members(value));
  for (const [name, is] of Object.entries(expected)) {
    must(state[name as keyof ChatState] === is, `"${name}" is not what the change makes of it`);
  }
  return state;
}

/** Reads the answer to a deletion. Returns whether the head of the account was replaced with it. */
export function readDeletion(value: unknown, id: string): boolean {
  const members = new Members(value);
  must(members.uuid("id") === id, "it names another chat");
  must(members.flag("deleted"), "the chat was not deleted");
  return !members.lacks("proven") && members.flag("proven");
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
  must(chat.id === id, "it names another chat");
  if (known.chat) mustFollow(chat, known.chat);
  const { version, data_version, next_segment } = chat;
  const encrypted_data = members.lacks("encrypted_data")
    ? null
    : members.envelope("encrypted_data");
  const kept = data_version === known.content?.data_version ? known.content : undefined;
  must(
    (encrypted_data === null) === (kept !== undefined),
    "the content is missing, or sent again",
  );
  const segments = members.list("segments").map((segment) => ({
    number: segment.count("number"),
    encrypted_data: segment.envelope("encrypted_data"),
  }));
  // The first content is followed by segment 0. A later one goes on where the numbers of the one before it ended.
  const from = kept?.next_segment ?? (data_version === 1 ? 0 : segments[0]?.number ?? next_segment);
  segments.forEach(({ number }, index) => {
    if (number !== from + index) throw segmentsMissing(id);
  });
  must(from + segments.length <= next_segment, "the chat has fewer segments");
  if (!kept) {
    must(from < data_version, "the chat has more segments than versions");
    must(
      next_segment - from <= version - data_version,
      "the chat has more segments than versions",
    );
  }
  return { chat, encrypted_data, segments, has_more: members.flag("has_more") };
}

/** Whether one state of a chat can come after another, or is the same. */
function follows(chat: StoredChat, before: StoredChat): boolean {
  if (chat.version !== before.version) return chat.version > before.version;
  return chat.data_version === before.data_version && chat.next_segment === before.next_segment;
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
  /** The head of the account when the page was read; null if there is none. */
  readonly history: AccountHeadAnswer | null;
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
    history: members.lacks("history") ? null : readAccountHead(members.object("history")),
    changes: members.list("changes", limit).map((change) =>
      change.flag("deleted")
        ? { id: change.uuid("id"), deleted: true as const }
        : readStoredChat(change)
    ),
  };
  must(/^\d{1,18}(-\d{1,18})?$/.test(page.cursor), "the cursor is malformed");
  must(
    position(page.cursor) >= position(cursor),
    "the cursor goes back",
  );
  if (page.has_more) must(position(page.cursor) > position(cursor), "the sync does not advance");
  must(
    new Set(page.changes.map(({ id }) => id)).size === page.changes.length,
    "a chat is listed twice",
  );
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
  must(
    ids.every((id, index) => id >= (ids[index - 1] ?? id) && id > after),
    "the ids are out of order",
  );
  return ids;
}

/** Leaves out what is undefined. */
export function defined<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}
