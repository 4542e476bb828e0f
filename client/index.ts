/**
 * Everything of Strongroom that an app calls as its signed-in user, typed.
 *
 * ```ts
 * const strongroom = createStrongroom(supabase);
 * const { data, error } = await strongroom.credits.deduct({ sku: "image.generate", quantity: 1 });
 * if (error?.code === "insufficient_credits") offerMore(error.fields.available);
 * strongroom.live({ onCredits: showBalance });
 * ```
 *
 * Encrypted chats are in `@strongroom/client/chats`.
 *
 * @module
 */

import { type CallerOptions, methodsOf, sender } from "./api/caller.ts";
import type { Methods } from "./api/call.ts";
import { USER_ROUTES } from "./api/routes.ts";
import type { AnySupabaseClient } from "./chats/supabase_client.ts";
import { type Files, filesOf } from "./files/files.ts";
import { type Live, live, type LiveOptions } from "./live/live.ts";

export type { CallerOptions } from "./api/caller.ts";
export type {
  Answer,
  Call,
  CallOptions,
  Code,
  Input,
  Method,
  Methods,
  Result,
  RouteName,
} from "./api/call.ts";
export type { USER_ROUTES } from "./api/routes.ts";
export { type ClientCode, StrongroomError } from "./api/strongroom_error.ts";
export type { AnySupabaseClient } from "./chats/supabase_client.ts";
export type { DownloadCode, DownloadUrl, Files, UploadedFile, UrlOptions } from "./files/files.ts";
export type { StorageCode, UploadProgress } from "./files/storage.ts";
export type { UploadCode, UploadOptions } from "./files/upload.ts";
export type { Routes } from "./generated/routes.ts";
export type {
  About,
  AlertsPayload,
  ChatsPayload,
  CreditsPayload,
  FilesPayload,
  Live,
  LiveOptions,
  LiveStatus,
  MessagesPayload,
  Operation,
  UnitsPayload,
  WakeUp,
} from "./live/live.ts";

/** The calls of a signed-in user. */
export interface Strongroom extends Omit<Methods<typeof USER_ROUTES, "user">, "files"> {
  /** The routes of files, and uploads and downloads in one call each. */
  readonly files: Methods<typeof USER_ROUTES["files"], "user"> & Files;
  /**
   * Listens to what changes on the server, and calls your handlers. Also after each time that the connection was lost.
   *
   * @param options handlers, and the teams and projects to listen to
   * @returns the subscription: `stop()` ends it
   */
  live(options: LiveOptions): Live;
}

/**
 * Makes the calls of a user.
 *
 * @param supabase client of the signed-in user, or of a program with an API key as `accessToken`
 * @param options how calls are repeated
 */
export function createStrongroom(
  supabase: AnySupabaseClient,
  options: CallerOptions = {},
): Strongroom {
  const send = sender(supabase, options);
  const methods = methodsOf<typeof USER_ROUTES, "user">(USER_ROUTES, send);
  return {
    ...methods,
    files: { ...methods.files, ...filesOf(send) },
    live: (options) => live(supabase, options),
  };
}
