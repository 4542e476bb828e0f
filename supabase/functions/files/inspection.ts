/**
 * Checks that an upload exists and matches its declaration.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { fromStorage, storageStatus } from "../_storage/errors.ts";
import { isOfType } from "../_shared/file_content.ts";

/** What an upload declares. */
export interface Declared {
  bucket: string;
  /** Path of the file once the upload is complete. */
  path: string;
  upload_path: string;
  size: number;
  content_type: string;
  is_opaque: boolean;
  /** Type with which the object was stored, under its one name. */
  stored_type: string | null;
  /** Version of the stored object before it is inspected. If it is still the same afterwards, it is what was inspected. */
  version: string;
}

/** A rule that an upload breaks: what was declared, and what was found. */
export interface Fault {
  rule: "size" | "content_type" | "content";
  expected: string | number;
  actual: string | number;
}

/** First bytes that are read: as many as `file-type` needs to detect a type. */
const FIRST_BYTES = 4100;

/**
 * Compares the stored object with its declaration.
 *
 * @param client Client with the secret key.
 * @param declared The upload.
 * @returns The first rule that it breaks; undefined if it breaks none.
 * @throws {Problem} 409 `upload_missing` if nothing was uploaded; the errors of Storage.
 */
export async function inspect(
  client: SupabaseClient<Database>,
  declared: Declared,
): Promise<Fault | undefined> {
  const bucket = client.storage.from(declared.bucket);
  const [info, bytes] = await Promise.all([
    bucket.info(declared.upload_path),
    declared.is_opaque ? undefined : readFirstBytes(client, declared),
  ]);
  // An object may arrive between the two queries: then this request came too early, too.
  if (info.error || declared.stored_type === null) {
    if (info.error && storageStatus(info.error) !== 404) throw fromStorage(info.error);
    throw new Problem(409, "upload_missing", "Nothing has been uploaded yet", {
      hint: "Upload the file first, then complete the upload",
    });
  }
  const size = info.data.size ?? 0;
  if (size !== declared.size) return { rule: "size", expected: declared.size, actual: size };
  const type = declared.content_type;
  if (declared.stored_type !== type) {
    return { rule: "content_type", expected: type, actual: declared.stored_type };
  }
  if (!bytes) return undefined;
  if (bytes.error) throw fromStorage(bytes.error);
  const { ok, detected } = await isOfType(bytes.data, type);
  return ok ? undefined : { rule: "content", expected: type, actual: detected };
}

/**
 * Says how an uploaded file differs from its declaration.
 *
 * @param fault The rule that it breaks.
 */
export function describe({ rule, expected, actual }: Fault): string {
  switch (rule) {
    case "size":
      return `The uploaded file is ${actual} bytes long, but ${expected} bytes were declared`;
    case "content_type":
      return `The file was uploaded as "${actual}", but "${expected}" was declared`;
    case "content":
      return `The content of the file is not of the declared type "${expected}": detected ${actual}`;
  }
}

async function readFirstBytes(client: SupabaseClient<Database>, { bucket, upload_path }: Declared) {
  const { data, error } = await client.storage.from(bucket)
    .setHeader("range", `bytes=0-${FIRST_BYTES - 1}`)
    .download(upload_path).asStream();
  if (error) return { data: null, error };
  const first = new Uint8Array(FIRST_BYTES);
  let length = 0;
  const reader = data.getReader();
  // Stops early: a Storage without range support sends the whole file.
  while (length < FIRST_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    first.set(value.subarray(0, FIRST_BYTES - length), length);
    length += Math.min(value.length, FIRST_BYTES - length);
  }
  await reader.cancel();
  return { data: first.subarray(0, length), error: null };
}
