/**
 * Uploads that are reserved: the database sets the bytes aside and chooses where they go, Storage signs the URL.
 *
 * @module
 */

import type { SupabaseContext } from "@supabase/server";

import type { Database } from "../_shared/database.types.ts";
import { call, defined } from "../_shared/rpc.ts";
import { fromStorage } from "./errors.ts";

/** What is to be uploaded, by whom. */
export interface UploadRequest {
  user_id: string;
  actor: "user" | "service";
  bucket: string;
  /** What the file is called: 1 to 1024 characters. */
  name: string;
  /** Bytes. */
  size: number;
  content_type: string;
  project_id?: string | undefined;
  chat_id?: string | undefined;
  idempotency_key?: string | undefined;
}

/** An upload that has been reserved, and the URL that takes its bytes. */
export interface SignedUpload {
  id: string;
  bucket: string;
  /** Where the file is once it is complete. */
  path: string;
  /** Where the bytes go: for `uploadToSignedUrl(upload_path, token, file)`. */
  upload_path: string;
  token: string;
  /** Takes the bytes by PUT. */
  url: string;
  /** When the URL ends. */
  expires_at: string;
  replayed: boolean;
}

/**
 * Reserves an upload and signs its URL. For a user it is signed as that user, so that Storage's own policies have their
 * say and the object is the user's. What Storage does not sign is not reserved either.
 *
 * @param context Of the request: whose route is for `user` or `secret`.
 * @param request What is to be uploaded.
 * @throws {Problem} as `reserve_upload` says; what Storage refuses.
 */
export async function startUpload(
  context: SupabaseContext<Database>,
  request: UploadRequest,
): Promise<SignedUpload> {
  const { supabase, supabaseAdmin } = context;
  const reserved = await call(() => supabaseAdmin.rpc("reserve_upload", defined({ ...request })));
  const { id, bucket, path, upload_path, replayed } = reserved as Reserved;
  const signer = request.actor === "user" ? supabase : supabaseAdmin;
  const { data, error } = await signer.storage.from(bucket).createSignedUploadUrl(upload_path);
  if (error) {
    // A repeat leaves what the first one reserved, whose URL may be in use.
    if (!replayed) {
      await supabaseAdmin.rpc("release_upload", { user_id: request.user_id, upload_id: id });
    }
    throw fromStorage(error);
  }
  const { token, signedUrl: url } = data;
  return { id, bucket, path, upload_path, token, url, expires_at: expiryOf(token), replayed };
}

/** What the database always fills in. */
interface Reserved {
  id: string;
  bucket: string;
  path: string;
  upload_path: string;
  replayed: boolean;
}

/** When a token ends, as it says itself. */
function expiryOf(token: string): string {
  const payload = token.split(".")[1] ?? "";
  const { exp } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
  return new Date(exp * 1000).toISOString();
}
