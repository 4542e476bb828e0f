/**
 * Reserves uploads: the database reserves the bytes and chooses the path, and Storage signs the URL.
 *
 * @module
 */

import type { SupabaseContext } from "@supabase/server";

import type { Database } from "../_shared/database.types.ts";
import { call, defined } from "../_shared/rpc.ts";
import { fromStorage } from "./errors.ts";

/** What will be uploaded, and by whom. */
export interface UploadRequest {
  user_id: string;
  actor: "user" | "service";
  bucket: string;
  /** Name of the file: 1 to 1024 characters. */
  name: string;
  /** Size in bytes. */
  size: number;
  content_type: string;
  project_id?: string | undefined;
  chat_id?: string | undefined;
  idempotency_key?: string | undefined;
}

/** A reserved upload, with the URL to upload to. */
export interface SignedUpload {
  id: string;
  bucket: string;
  /** Path of the file once the upload is complete. */
  path: string;
  /** Path to upload to, for `uploadToSignedUrl(upload_path, token, file)`. */
  upload_path: string;
  token: string;
  /** The content type under its one name, to upload the bytes with. */
  content_type: string;
  /** URL to PUT the bytes to. */
  url: string;
  /** When the URL expires. */
  expires_at: string;
  replayed: boolean;
}

/**
 * Reserves an upload and signs its URL. A user's URL is signed as that user, so that Storage's policies apply and the
 * user owns the object. If Storage does not sign the URL, the reservation is released.
 *
 * @param context The clients of a request that was authenticated as `user` or `secret`.
 * @param request What will be uploaded.
 * @throws {Problem} if `reserve_upload` or Storage refuses.
 */
export async function startUpload(
  context: Pick<SupabaseContext<Database>, "supabase" | "supabaseAdmin">,
  request: UploadRequest,
): Promise<SignedUpload> {
  const { supabaseAdmin } = context;
  const reserved = await call(() => supabaseAdmin.rpc("reserve_upload", defined({ ...request })));
  const { id, bucket, path, upload_path, content_type, replayed } = reserved as Reserved;
  const signer = request.actor === "user" ? context.supabase : supabaseAdmin;
  const { data, error } = await signer.storage.from(bucket).createSignedUploadUrl(upload_path);
  if (error) {
    // A repeated request keeps the first request's reservation: its URL may be in use.
    if (!replayed) {
      await supabaseAdmin.rpc("release_upload", { user_id: request.user_id, upload_id: id });
    }
    throw fromStorage(error);
  }
  const { token, signedUrl: url } = data;
  const expires_at = expiryOf(token);
  return { id, bucket, path, upload_path, content_type, token, url, expires_at, replayed };
}

/** Columns that are never null here. */
interface Reserved {
  id: string;
  bucket: string;
  path: string;
  upload_path: string;
  content_type: string;
  replayed: boolean;
}

/** When a token expires, according to its own claims. */
function expiryOf(token: string): string {
  const payload = token.split(".")[1] ?? "";
  const { exp } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
  return new Date(exp * 1000).toISOString();
}
