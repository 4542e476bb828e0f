/**
 * Looks at what was uploaded: whether it is there, and what was declared.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { fromStorage, storageStatus } from "../_storage/errors.ts";
import { isOfType } from "./content.ts";

/** What was declared of an upload. */
export interface Declared {
  bucket: string;
  /** Where the file is once it is complete. */
  path: string;
  upload_path: string;
  size: number;
  content_type: string;
  is_opaque: boolean;
}

/** A rule that an upload does not keep: what was declared, and what there is. */
export interface Fault {
  rule: "size" | "content_type" | "content";
  expected: string | number;
  actual: string | number;
}

/** As many of the first bytes as tell a kind: what `file-type` looks at. */
const FIRST_BYTES = 4100;

/**
 * Compares what is stored with what was declared.
 *
 * @param client Calls as the service.
 * @param declared The upload.
 * @returns The first rule that it does not keep; undefined when it keeps all.
 * @throws {Problem} 409 `upload_missing` when there is nothing; what Storage refuses.
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
  if (info.error) {
    if (storageStatus(info.error) !== 404) throw fromStorage(info.error);
    throw new Problem(409, "upload_missing", "Nothing has been uploaded yet", {
      hint: "Upload the file first",
    });
  }
  const size = info.data.size ?? 0;
  if (size !== declared.size) return { rule: "size", expected: declared.size, actual: size };
  const type = (info.data.contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== declared.content_type) {
    return { rule: "content_type", expected: declared.content_type, actual: type };
  }
  if (!bytes) return undefined;
  if (bytes.error) throw fromStorage(bytes.error);
  const { ok, detected } = await isOfType(bytes.data, type);
  return ok ? undefined : { rule: "content", expected: type, actual: detected };
}

async function readFirstBytes(client: SupabaseClient<Database>, { bucket, upload_path }: Declared) {
  const { data, error } = await client.storage.from(bucket)
    .setHeader("range", `bytes=0-${FIRST_BYTES - 1}`)
    .download(upload_path).asStream();
  if (error) return { data: null, error };
  const first = new Uint8Array(FIRST_BYTES);
  let length = 0;
  const reader = data.getReader();
  // Not to the end: a Storage that does not know ranges answers all of it.
  while (length < FIRST_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    first.set(value.subarray(0, FIRST_BYTES - length), length);
    length += Math.min(value.length, FIRST_BYTES - length);
  }
  await reader.cancel();
  return { data: first.subarray(0, length), error: null };
}
