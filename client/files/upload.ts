/**
 * Uploads a file: reserves it, sends its bytes to Storage, and completes it.
 *
 * @module
 */

import type { Answer, Code, Result } from "../api/call.ts";
import type { Send } from "../api/caller.ts";
import type { StrongroomError } from "../api/strongroom_error.ts";
import { forgetKey, rememberedKey, rememberKey } from "./remembered.ts";
import { putFile, type Reservation, type StorageCode, type UploadProgress } from "./storage.ts";
import { canResume, sendInChunks } from "./tus.ts";

/** How a file is uploaded. */
export interface UploadOptions {
  bucket: string;
  /** Name of the file (that of a `File`, otherwise `file`). */
  name?: string;
  /** Content type (that of the blob). */
  content_type?: string;
  project_id?: string;
  chat_id?: string;
  /** Called as the bytes are sent, from 0 to `total`. */
  onProgress?: (progress: UploadProgress) => void;
  /** Ends and cancels the upload. */
  signal?: AbortSignal;
}

/** Codes with which an upload can fail. */
export type UploadCode =
  | Code<"POST /files/uploads">
  | Code<"POST /files/uploads/{id}/complete">
  | StorageCode;

/** The size above which Supabase recommends to send a file in chunks. */
const CHUNKED_BYTES = 6 * 1024 * 1024;

/** The reservation under the remembered key cannot be used any more: the file was uploaded before, or too long ago. */
const USED_UP = ["upload_already_complete", "upload_expired", "idempotency_key_reused"];

/** Uploads a file: see `Files.upload`. */
export async function uploadFile(
  send: Send,
  file: Blob,
  options: UploadOptions,
): Promise<Result<Answer<"POST /files/uploads/{id}/complete">, UploadCode>> {
  const { bucket, content_type = file.type, onProgress, signal, project_id, chat_id } = options;
  const name = options.name ?? ("name" in file ? String(file.name) : "file");
  const body = {
    ...{ bucket, name, size: file.size, content_type },
    ...(project_id !== undefined && { project_id }),
    ...(chat_id !== undefined && { chat_id }),
  };
  const remembered = rememberedKey(file, body);
  let reserved = await reserve(send, body, remembered ?? rememberKey(file, body), signal);
  if (remembered && USED_UP.includes(reserved.error?.code ?? "")) {
    reserved = await reserve(send, body, rememberKey(file, body), signal);
  }
  if (reserved.error) return refused(reserved.error);
  const reservation = reserved.data;

  const transfer = { reservation, file, onProgress, signal };
  let failure = file.size > CHUNKED_BYTES && canResume()
    ? await sendInChunks(transfer)
    : "unsupported";
  if (failure === "unsupported") failure = await putFile(transfer);
  if (failure) {
    if (failure.code === "aborted") await cancel(send, reservation);
    return refused(failure);
  }
  const completed = await send("POST /files/uploads/{id}/complete", [reservation.id], {}, {
    signal,
  });
  if (completed.error) return refused(completed.error as StrongroomError<UploadCode>);
  forgetKey(file, body);
  return completed as Result<Answer<"POST /files/uploads/{id}/complete">, never>;

  function refused(error: StrongroomError<UploadCode>): { data: null; error: typeof error } {
    // After a refusal or when the user has cancelled it, the same file would begin a new upload.
    if (error.code !== "unreachable" && error.status < 500) forgetKey(file, body);
    return { data: null, error };
  }
}

async function reserve(
  send: Send,
  body: Record<string, unknown>,
  idempotency_key: string,
  signal: AbortSignal | undefined,
): Promise<Result<Reservation, Code<"POST /files/uploads">>> {
  const options = { idempotency_key, signal };
  return await send("POST /files/uploads", [], body, options) as Result<
    Reservation,
    Code<"POST /files/uploads">
  >;
}

/** Gives the reserved bytes back at once, not when the reservation expires. */
async function cancel(send: Send, { bucket, path, upload_path }: Reservation): Promise<void> {
  // The path of an avatar is also that of the current one, which stays.
  if (path === upload_path) await send("DELETE /files", [], { bucket, paths: [path] });
}
