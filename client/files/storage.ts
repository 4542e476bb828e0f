/// <reference lib="dom" />

/**
 * Sends bytes to Storage, and fetches them, with signed URLs.
 *
 * @module
 */

import type { Answer, Result } from "../api/call.ts";
import { type ClientCode, StrongroomError } from "../api/strongroom_error.ts";
import { pause } from "../api/support.ts";

/** A reserved upload. */
export type Reservation = Answer<"POST /files/uploads">;

/** How far an upload is. */
export interface UploadProgress {
  /** Bytes. */
  sent: number;
  /** Bytes. */
  total: number;
  /** Whether the upload can be continued after a reload. */
  resumable: boolean;
}

/** Codes of sending bytes. */
export type StorageCode = ClientCode | "upload_failed";

/** What to send where. */
export interface Transfer {
  reservation: Reservation;
  file: Blob;
  onProgress: ((progress: UploadProgress) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** How often the bytes are sent before the upload fails. */
const ATTEMPTS = 3;

/** Milliseconds before the second attempt. */
const PAUSE_MS = 500;

/** What Storage answered. */
interface Reply {
  status: number;
  text: string;
}

/**
 * Sends a file in one request.
 *
 * @returns why it failed
 */
export async function putFile(
  transfer: Transfer,
): Promise<StrongroomError<StorageCode> | undefined> {
  const { file, onProgress, signal } = transfer;
  for (let attempted = 1;; attempted++) {
    onProgress?.({ sent: 0, total: file.size, resumable: false });
    const reply = await put(transfer).catch((cause: unknown) => cause as Error);
    if (signal?.aborted) return new StrongroomError("aborted", "The upload was aborted");
    if (!(reply instanceof Error)) {
      const arrived = reply.status < 300 || attempted > 1 && isDuplicate(reply);
      if (arrived) {
        onProgress?.({ sent: file.size, total: file.size, resumable: false });
        return undefined;
      }
      if (reply.status < 500 && reply.status !== 429) return uploadFailed(reply.status, reply.text);
    }
    if (attempted >= ATTEMPTS) {
      return new StrongroomError("unreachable", "Storage did not receive the file", {
        status: reply instanceof Error ? 0 : reply.status,
        hint: "Upload the file again when the device is online",
        cause: reply,
      });
    }
    await pause(PAUSE_MS * 2 ** (attempted - 1) * (0.5 + Math.random()), signal);
  }
}

/** Makes the error of an upload that Storage refuses. */
export function uploadFailed(status: number, text: string): StrongroomError<StorageCode> {
  return new StrongroomError("upload_failed", "Storage refused the file", {
    status,
    hint: "Check that the file has not changed since it was chosen, then upload it again",
    fields: { storage: text },
  });
}

function put({ reservation, file, onProgress, signal }: Transfer): Promise<Reply> {
  const { url, content_type } = reservation;
  const headers = { "content-type": content_type, "cache-control": "max-age=3600" };
  // fetch does not report how much it has sent.
  if (!onProgress || typeof XMLHttpRequest === "undefined") {
    return fetch(url, { method: "PUT", headers, body: file, ...(signal && { signal }) })
      .then(async (response) => ({ status: response.status, text: await response.text() }));
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) =>
      onProgress({ sent: loaded, total: file.size, resumable: false });
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = request.onabort = () => reject(new TypeError("The connection was lost"));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(file);
  });
}

/** An earlier attempt has arrived, but its answer was lost. The completion checks what has arrived. */
function isDuplicate({ status, text }: Reply): boolean {
  return status === 409 || status === 400 && /"statusCode":\s*"409"/.test(text);
}

/** Fetches a file from a signed URL. */
export async function fetchFile(
  url: string,
  signal: AbortSignal | undefined,
): Promise<Result<Blob, ClientCode | "download_failed">> {
  try {
    const response = await fetch(url, { ...(signal && { signal }) });
    if (response.ok) return { data: await response.blob(), error: null };
    const { status } = response;
    const fields = { storage: await response.text() };
    const message = "Storage did not return the file";
    return {
      data: null,
      error: new StrongroomError("download_failed", message, { status, fields }),
    };
  } catch (cause) {
    const error = signal?.aborted
      ? new StrongroomError<ClientCode>("aborted", "The download was aborted")
      : new StrongroomError<ClientCode>("unreachable", "Storage cannot be reached", {
        hint: "Call the method again when the device is online",
        cause,
      });
    return { data: null, error };
  }
}
