/**
 * Errors of encrypted chats. The cryptography has its own class, `CryptoError`.
 *
 * @module
 */

import type { Chat } from "./chat.ts";

/** Details of a {@link ChatsError}. */
export interface ChatsErrorOptions {
  /** HTTP status; 0 if there was no response. */
  status?: number;
  /** Further members of the problem document, such as `available`. */
  fields?: Record<string, unknown>;
  /** The error underneath. */
  cause?: unknown;
}

/**
 * A refusal by the server or by the client itself. Programs use the stable `code`: one from `docs/chats.md` or
 * `docs/errors.md`, or one of the client's own, which `client/README.md` lists.
 */
export class ChatsError extends Error {
  override readonly name: string = "ChatsError";
  readonly code: string;
  /** HTTP status; 0 if there was no response. */
  readonly status: number;
  /** Further members of the problem document: `hint`, `request_id`, and those of the code, such as `available`. */
  readonly fields: Record<string, unknown>;
  /**
   * Only with `unreachable`, and only for changes: sends the same request again and resolves as the call would have. The
   * change is made once, even if an earlier attempt arrived. To repeat a read, call it again.
   */
  repeat?: () => Promise<unknown>;

  /**
   * @param code stable snake_case word
   * @param message a sentence for people, without a full stop; never contains a key, a password or a plaintext
   * @param options status, fields and cause
   */
  constructor(code: string, message: string, options: ChatsErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.fields = options.fields ?? {};
  }
}

/** 409 `version_conflict`: the chat has changed since the version that the change was based on. Nothing was changed. */
export class ChatConflict extends ChatsError {
  override readonly name: string = "ChatConflict";
  /** Id of the chat. */
  readonly id: string;
  /** The version on the server. */
  readonly version: number;
  /** The chat on the server, decrypted; undefined if it could not be read: `open(id)` says why. */
  readonly chat: Chat | undefined;

  /**
   * @param id the chat
   * @param chat the chat on the server
   * @param cause the server's refusal
   */
  constructor(id: string, chat: Chat | undefined, cause: ChatsError) {
    super(cause.code, cause.message, { status: cause.status, fields: cause.fields, cause });
    this.id = id;
    this.chat = chat;
    this.version = Number(cause.fields.version);
  }
}

/** Makes the error `keys_rolled_back`: no chain of wraps leads to the key that this device remembers. */
export function keysRolledBack(): ChatsError {
  return new ChatsError(
    "keys_rolled_back",
    "The server offers older keys than this device has seen",
  );
}

/** Makes the error `keys_locked`: nothing at hand opens the current keys. */
export function keysLocked(): ChatsError {
  return new ChatsError("keys_locked", "The keys are locked: unlock them with the password");
}

/** Makes the error `chat_rolled_back`. */
export function chatRolledBack(id: string): ChatsError {
  return new ChatsError(
    "chat_rolled_back",
    `The server has an older version of chat "${id}" than this device`,
  );
}

/** Makes the error `head_missing`. */
export function headMissing(id: string): ChatsError {
  return new ChatsError("head_missing", `The server left out the head of chat "${id}"`);
}

/** Makes the error `head_false`. */
export function headFalse(id: string): ChatsError {
  return new ChatsError(
    "head_false",
    `The server has changed chat "${id}"`,
  );
}

/** Makes the error `chat_unproven`. */
export function chatUnproven(id: string): ChatsError {
  return new ChatsError(
    "chat_unproven",
    `Nothing proves the last change of chat "${id}"`,
  );
}

/** Makes the error `epoch_closed`. */
export function epochClosed(id: string): ChatsError {
  return new ChatsError(
    "epoch_closed",
    `The key of chat "${id}" was closed`,
  );
}

/** Makes the errors about the history of the account. */
export const historyErrors = {
  missing: () =>
    new ChatsError(
      "history_missing",
      "The server left out the head of the account",
    ),
  rolledBack: () =>
    new ChatsError(
      "history_rolled_back",
      "The server has an older state of the account than this device",
    ),
  forked: () =>
    new ChatsError(
      "history_forked",
      "The server shows this account in two versions",
    ),
  /** `missing`: ids of the stored chats that were not listed. */
  false: (missing: readonly string[] = []) =>
    new ChatsError(
      "history_false",
      "The server lists other chats than the account has",
      { fields: { missing } },
    ),
  unproven: () =>
    new ChatsError(
      "history_unproven",
      "Nothing proves that the chats are complete",
    ),
};
