/**
 * Files in one call each: upload, download, and URLs.
 *
 * @module
 */

import type { Answer, Call, Code, Result } from "../api/call.ts";
import { asCall, type Send } from "../api/caller.ts";
import { StrongroomError } from "../api/strongroom_error.ts";
import { fetchFile } from "./storage.ts";
import { type UploadCode, uploadFile, type UploadOptions } from "./upload.ts";

/** A file that was uploaded and checked. */
export type UploadedFile = Answer<"POST /files/uploads/{id}/complete">;

/** What a URL does. */
export interface UrlOptions {
  /** True: a browser saves the file under its own name. A text: under this name. */
  download?: true | string;
  /** Seconds for which the URL is valid (the longest time of the bucket). */
  expires_in?: number;
  signal?: AbortSignal;
}

/** A URL from which anybody can download a file. */
export interface DownloadUrl {
  url: string;
  /** ISO 8601. */
  expires_at: string;
}

/** Codes with which a download can fail. */
export type DownloadCode = Code<"POST /files/downloads"> | "object_not_found" | "download_failed";

/** Files in one call each. */
export interface Files {
  /**
   * Uploads a file: reserves the upload, sends the bytes and has them checked.
   *
   * The bytes go directly to Storage. In browsers, files of more than 6 MB are sent in chunks (TUS) if Storage accepts
   * that. Such an upload continues where it was interrupted, also after a reload: upload the same file again.
   *
   * @param file the bytes; the name and the type of a `File` are taken from it
   * @param options bucket, name, progress
   * @returns the file; its `path` names it in the bucket
   */
  upload(file: Blob, options: UploadOptions): Call<UploadedFile, UploadCode>;
  /**
   * Makes a URL of a file, for example for an image or a link.
   *
   * @param bucket of the file
   * @param path of the file
   * @param options how the URL is used, and how long
   */
  url(bucket: string, path: string, options?: UrlOptions): Call<DownloadUrl, DownloadCode>;
  /**
   * Downloads a file.
   *
   * @param bucket of the file
   * @param path of the file
   * @param options a signal
   */
  download(
    bucket: string,
    path: string,
    options?: { signal?: AbortSignal },
  ): Call<Blob, DownloadCode>;
}

/** Makes the methods of files. */
export function filesOf(send: Send): Files {
  const url = (bucket: string, path: string, options: UrlOptions = {}) =>
    signUrl(send, bucket, path, options);
  const download = async (
    bucket: string,
    path: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Result<Blob, DownloadCode>> => {
    const signed = await url(bucket, path, { ...(signal && { signal }) });
    return signed.error ? signed : await fetchFile(signed.data.url, signal);
  };
  return {
    upload: (file, options) => asCall(uploadFile(send, file, options)),
    url: (...args) => asCall(url(...args)),
    download: (...args) => asCall(download(...args)),
  };
}

async function signUrl(
  send: Send,
  bucket: string,
  path: string,
  { download, expires_in, signal }: UrlOptions,
): Promise<Result<DownloadUrl, DownloadCode>> {
  const paths = [download === undefined ? path : { path, download }];
  const body = { bucket, paths, ...(expires_in !== undefined && { expires_in }) };
  const { data, error } = await send("POST /files/downloads", [], body, { signal }) as Result<
    Answer<"POST /files/downloads">,
    Code<"POST /files/downloads">
  >;
  if (error) return { data: null, error };
  const [signed] = data.urls;
  if (signed) return { data: { url: signed.url, expires_at: data.expires_at }, error: null };
  const refused = new StrongroomError<DownloadCode>(
    "object_not_found",
    `There is no file ${path} in ${bucket} that this user may read`,
    { status: 404, hint: "Check the bucket and the path" },
  );
  return { data: null, error: refused };
}
