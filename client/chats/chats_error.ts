/**
 * What goes wrong with encrypted chats, apart from the cryptography (`crypto_error.ts`).
 *
 * @module
 */

import type { Chat } from "./chat.ts";

/** What a {@link ChatsError} is made of beside its code and message. */
export interface ChatsErrorOptions {
  /** HTTP status, 0 where there was no answer or none was needed. */
  status?: number;
  /** The problem document's other members, such as `available`. */
  fields?: Record<string, unknown>;
  /** What went wrong underneath. */
  cause?: unknown;
}

/**
 * A refusal, of the server or of the client itself. `code` is for programs and stable: one of `docs/chats.md` or
 * `docs/errors.md`, or one of the client's own, which `client/README.md` lists.
 */
export class ChatsError extends Error {
  override readonly name: string = "ChatsError";
  readonly code: string;
  /** HTTP status; 0 where there was no answer or none was needed. */
  readonly status: number;
  /** The problem document's members: `hint`, `request_id` and those of the code, such as `available`. */
  readonly fields: Record<string, unknown>;
  /**
   * With `unreachable`, of a change: sends the same request again, so that it is done once even if it had arrived, and
   * resolves as the call would have. Undefined for what only reads: call it again.
   */
  repeat?: () => Promise<unknown>;

  /**
   * @param code stable snake_case word
   * @param message sentence for people, without a full stop; never holds a key, a password or a plaintext
   * @param options status, members and cause
   */
  constructor(code: string, message: string, options: ChatsErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.fields = options.fields ?? {};
  }
}

/** 409 `version_conflict`: the chat was changed meanwhile, and the change that was asked for was not made. */
export class ChatConflict extends ChatsError {
  override readonly name: string = "ChatConflict";
  /** Id of the chat. */
  readonly id: string;
  /** The version that the server has. */
  readonly version: number;
  /** What the server has, decrypted; undefined where that could not be read now: `open(id)` says why. */
  readonly chat: Chat | undefined;

  /**
   * @param id the chat
   * @param chat what the server has
   * @param cause the server's refusal
   */
  constructor(id: string, chat: Chat | undefined, cause: ChatsError) {
    super(cause.code, cause.message, { status: cause.status, fields: cause.fields, cause });
    this.id = id;
    this.chat = chat;
    this.version = Number(cause.fields.version);
  }
}
