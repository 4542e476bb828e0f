/**
 * One change of a chat: what is sent, and what proves it.
 *
 * @module
 */

import type { DataKey } from "../crypto/mod.ts";
import { type ChatState, type Expected, headVersion, readChanged } from "./answers.ts";
import type { Chat, ChatVersion } from "./chat.ts";
import type { ChatCipher } from "./chat_cipher.ts";
import type { ChatHeads, StateChange } from "./chat_heads.ts";
import type { StoredChat } from "./chat_store.ts";
import type { NewHistory } from "./account_head.ts";
import type { History } from "./history.ts";
import type { Keyring } from "./keyring.ts";
import { change, type ChatRequest, type Requests } from "./requests.ts";
import type { StoreUpdater } from "./store_updater.ts";

/** What a `ChatWriter` works with. */
export interface ChatWriterParts {
  readonly requests: Requests;
  readonly keys: Keyring;
  readonly cipher: ChatCipher;
  readonly updater: StoreUpdater;
  readonly heads: ChatHeads;
  readonly history: History;
  /** Reads a chat, to show it in a conflict. */
  readonly open: (id: string) => Promise<Chat>;
  /** Brings the store up to date. */
  readonly sync: () => Promise<unknown>;
}

/** A change that is ready to be sent. */
export interface Change<A, T> {
  request: ChatRequest<A>;
  /** Handles the answer. */
  done: (answer: A) => Promise<T>;
}

/** What is sent to change a chat, before it is proven. */
export interface ChangeBody {
  readonly method: "PUT" | "PATCH" | "POST";
  readonly path: string;
  readonly members: Record<string, unknown>;
  /** What the answer must be. */
  readonly expected: Expected;
  /** What it changes of the head. Undefined: the change comes without a head. */
  readonly state: StateChange | undefined;
  readonly title?: string | undefined;
}

/** A chat after a change, as it is stored. */
export type SavedState = ChatState & Pick<StoredChat, "head" | "encrypted_title">;

/** Makes the request of a change: with the head of the chat after it, and the head of the account. */
export async function proveChange<T>(
  { heads, history, sync }: ChatWriterParts,
  chat: ChatVersion,
  key: DataKey,
  { method, path, members, expected, state }: ChangeBody,
  done: (saved: SavedState) => Promise<T>,
): Promise<Change<ChatState, T>> {
  const before = chat.version === 0 ? undefined : await heads.before(chat);
  let proof: { head: string; history: NewHistory } | undefined;
  if (state && (before || chat.version === 0)) {
    const head = await heads.after(chat, before, state, key);
    const change = { chat_id: chat.id, before: before?.head ?? null, after: head };
    proof = { head, history: await history.next(change, sync) };
  }
  const read = (answer: unknown) => readChanged(answer, expected);
  return {
    request: change(method, path, { ...members, ...proof }, read),
    done: async (answer) => {
      const { encrypted_title = null }: Partial<StoredChat> = { ...before, ...members };
      const saved = { ...answer, encrypted_title, head: proof?.head ?? before?.head ?? null };
      if (proof) await history.made(proof.history);
      heads.remember(saved);
      return await done(saved);
    },
  };
}

/** The path of a chat after `/chats/`. */
export function pathOf({ id }: ChatVersion): string {
  return encodeURIComponent(id);
}

/** Members of a request body beside the content. */
export interface TitleAndStar {
  encrypted_title?: string;
  is_starred?: boolean;
}

/** What an app sees of a chat after a change, beside what it has changed. */
export function stateOf({ encrypted_title: _, head, ...state }: SavedState) {
  return { ...state, verified: headVersion(head) === state.version };
}
