/**
 * Everything an app needs for encrypted chats.
 *
 * ```ts
 * const chats = new Chats(supabase, user.id);
 * const recoveryKey = await chats.keys.setUp("correct horse battery staple"); // show it once
 * let chat = await chats.save(chats.create(), "Hello", { title: "Greetings" });
 * chat = await chats.append(chat, ", world");
 * ```
 *
 * `client/README.md` explains how to use it. The cryptography alone is in `crypto/mod.ts`.
 *
 * @module
 */

export type { Chat, ChatSummary, ChatVersion } from "./chats/chat.ts";
export type {
  AccountHead,
  ChatBackup,
  ChatStore,
  ContentUpdate,
  StoreBatch,
  StoredChat,
  StoredContent,
  StoredSegment,
  StoreState,
} from "./chats/chat_store.ts";
export type { SaveOptions } from "./chats/chat_writer.ts";
export { Chats } from "./chats/chats.ts";
export type { ChatsOptions } from "./chats/chats_options.ts";
export { ChatConflict, ChatsError, type ChatsErrorOptions } from "./chats/chats_error.ts";
export { Keyring } from "./chats/keyring.ts";
export { MemoryStore } from "./chats/memory_store.ts";
export type { Reencryption } from "./chats/reencrypt.ts";
export type { AnySupabaseClient } from "./chats/supabase_client.ts";
export type { RequestOptions, Requests } from "./chats/requests.ts";
export { signIn } from "./chats/sign_in.ts";
export type { SyncResult } from "./chats/sync_run.ts";
export type {
  RememberedDevice,
  Rotation,
  RotationProgress,
  Unlocking,
} from "./chats/wrapped_keys.ts";
export {
  type Argon2idCost,
  CryptoError,
  type CryptoErrorCode,
  type DataKey,
  type DeviceKey,
  generateDeviceKey,
  importDeviceKey,
  oldSignInPassword,
  signInPassword,
} from "./crypto/mod.ts";
