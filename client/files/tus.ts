/// <reference lib="dom" />

/**
 * Sends a file in chunks (TUS), so that an upload continues where it was interrupted.
 *
 * @module
 */

import { StrongroomError } from "../api/strongroom_error.ts";
import { type StorageCode, type Transfer, uploadFailed } from "./storage.ts";

/** Supabase accepts no other size, except for the last chunk. */
const CHUNK_BYTES = 6 * 1024 * 1024;

/** Pauses in milliseconds before a chunk is sent again. */
const RETRY_MS = [500, 2000, 5000, 10_000];

/** Storage without resumable uploads has no such route. */
const UNSUPPORTED = [404, 405, 501];

/** Whether this runtime remembers uploads and is where a page may be reloaded. */
export function canResume(): boolean {
  return typeof XMLHttpRequest !== "undefined";
}

/**
 * Sends a file in chunks.
 *
 * @returns why it failed; `unsupported` if Storage has no resumable uploads, before any byte was sent
 */
export async function sendInChunks(
  { reservation, file, onProgress, signal }: Transfer,
): Promise<StrongroomError<StorageCode> | "unsupported" | undefined> {
  const { Upload } = await import("tus-js-client");
  const { bucket, upload_path, content_type, token, url } = reservation;
  const [storage] = url.split("/object/upload/sign/");
  return await new Promise((resolve) => {
    const abort = async () => {
      await upload.abort(true).catch(() => {});
      resolve(new StrongroomError("aborted", "The upload was aborted"));
    };
    const end = (failure?: StrongroomError<StorageCode> | "unsupported") => {
      signal?.removeEventListener("abort", abort);
      resolve(failure);
    };
    const upload = new Upload(file as File, {
      endpoint: `${storage}/upload/resumable/sign`,
      headers: { "x-signature": token },
      metadata: {
        bucketName: bucket,
        objectName: upload_path,
        contentType: content_type,
        cacheControl: "3600",
      },
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_MS,
      uploadDataDuringCreation: false,
      removeFingerprintOnSuccess: true,
      // The reservation is the same after a reload: see remembered.ts.
      fingerprint: () => Promise.resolve(`strongroom:${reservation.id}`),
      onProgress: (sent, total) =>
        onProgress?.({ sent, total: total ?? file.size, resumable: true }),
      onSuccess: () => end(),
      onError: (error) => {
        const answer = "originalResponse" in error ? error.originalResponse : null;
        const status = answer?.getStatus() ?? 0;
        if (!upload.url && UNSUPPORTED.includes(status)) end("unsupported");
        else if (status >= 400 && status < 500) end(uploadFailed(status, answer?.getBody() ?? ""));
        else {
          end(
            new StrongroomError("unreachable", "Storage did not receive the whole file", {
              status,
              hint: "Upload the same file again when the device is online: it continues",
              cause: error,
            }),
          );
        }
      },
    });
    signal?.addEventListener("abort", abort);
    void upload.findPreviousUploads().then(([previous]) => {
      if (previous) upload.resumeFromPreviousUpload(previous);
      if (!signal?.aborted) upload.start();
    });
  });
}
