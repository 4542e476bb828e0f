/**
 * Reads and writes objects in Storage.
 *
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";

import { fetchWhileMoving } from "./moving_fetch.ts";
import type { StorageAccess } from "./options.ts";

/** An object, and what Storage knows of it. */
export interface StoredObject {
  bucket: string;
  name: string;
  contentType: string | undefined;
  /** As in `max-age=3600`. */
  cacheControl: string | undefined;
}

/**
 * Whether a bucket and a name are a path that means nothing else: a client resolves `..`, and would send the secret key to
 * another route.
 */
export function isPlainPath({ bucket, name }: { bucket: string; name: string }): boolean {
  return !/[/\\]/.test(bucket) &&
    [bucket, ...name.split("/")].every((part) => !["", ".", ".."].includes(part)) &&
    !name.includes("\\");
}

/** Begins to read an object; undefined if it does not exist. */
export type ReadObject = (
  object: StoredObject,
) => Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;

/** Writes an object while it is read. Returns why Storage refuses it; undefined if it is stored. */
export type WriteObject = (
  object: StoredObject,
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
) => Promise<string | undefined>;

/**
 * Reads objects through the API of a project.
 *
 * @param access How to reach it.
 */
export function storageReader(access: StorageAccess): ReadObject {
  const client = clientOf(access);
  return async ({ bucket, name }) => {
    const { data, error } = await client.storage.from(bucket).download(name).asStream();
    if (!error) return data;
    if (isRefusal(error)) return undefined;
    throw error;
  };
}

/**
 * Reads objects from files in `FOLDER/objects/BUCKET/NAME`.
 *
 * @param dir The folder.
 */
export function folderReader(dir: string): ReadObject {
  return async ({ bucket, name }) => {
    try {
      const root = await Deno.realPath(`${dir}/objects`);
      const path = await Deno.realPath(`${root}/${bucket}/${name}`);
      // A link that leads out of the folder.
      if (!path.startsWith(`${root}/`) || !(await Deno.stat(path)).isFile) return undefined;
      return (await Deno.open(path)).readable;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  };
}

/**
 * Writes objects through the API of a project. One that exists is replaced.
 *
 * @param access How to reach it.
 */
export function storageWriter(access: StorageAccess): WriteObject {
  const client = clientOf(access);
  return async ({ bucket, name, contentType, cacheControl }, bytes) => {
    const seconds = cacheControl?.match(/max-age=(\d+)/)?.[1];
    const { error } = await client.storage.from(bucket).upload(name, bytes, {
      upsert: true,
      ...(contentType && { contentType }),
      ...(seconds && { cacheControl: seconds }),
    });
    if (error && !isRefusal(error)) throw error;
    return error?.message;
  };
}

function clientOf({ url, secretKey }: StorageAccess): SupabaseClient {
  return createClient(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { fetch: fetchWhileMoving },
  });
}

/** Whether an error is the fault of the object, and not of the connection or the server. */
function isRefusal(error: unknown): boolean {
  const status = Number((error as { status?: number }).status);
  return status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
}
