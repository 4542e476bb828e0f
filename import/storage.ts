/**
 * Reads and writes objects in Storage.
 *
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";

import { StackFailure } from "../stack/failure.ts";
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

/** Reads the bytes of an object; undefined if they do not exist. */
export type ReadObject = (object: StoredObject) => Promise<Uint8Array<ArrayBuffer> | undefined>;

/** Writes an object. Returns why Storage refuses it; undefined if it is stored. */
export type WriteObject = (
  object: StoredObject,
  bytes: Uint8Array<ArrayBuffer>,
) => Promise<string | undefined>;

/**
 * Reads objects through the API of a project.
 *
 * @param access How to reach it.
 */
export function storageReader(access: StorageAccess): ReadObject {
  const client = clientOf(access);
  return ({ bucket, name }) =>
    persistently(`read ${bucket}/${name}`, async () => {
      const { data, error } = await client.storage.from(bucket).download(name);
      if (error) {
        if (isRefusal(error)) return undefined;
        throw error;
      }
      return new Uint8Array(await data.arrayBuffer());
    });
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
      return path.startsWith(`${root}/`) ? await Deno.readFile(path) : undefined;
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
  return ({ bucket, name, contentType, cacheControl }, bytes) =>
    persistently(`write ${bucket}/${name}`, async () => {
      const seconds = cacheControl?.match(/max-age=(\d+)/)?.[1];
      const { error } = await client.storage.from(bucket).upload(name, bytes, {
        upsert: true,
        ...(contentType && { contentType }),
        ...(seconds && { cacheControl: seconds }),
      });
      if (error && !isRefusal(error)) throw error;
      return error?.message;
    });
}

function clientOf({ url, secretKey }: StorageAccess): SupabaseClient {
  return createClient(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }),
    },
  });
}

/** Milliseconds that a transfer may take. */
const TIMEOUT_MS = 120_000;

/** Attempts before an import gives up. */
const ATTEMPTS = 4;

/** Whether an error is the fault of the object, and not of the connection or the server. */
function isRefusal(error: unknown): boolean {
  const status = Number((error as { status?: number }).status);
  return status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
}

async function persistently<T>(what: string, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run();
    } catch (cause) {
      if (attempt === ATTEMPTS) {
        throw new StackFailure(
          `Cannot ${what}: ${(cause as Error).message}`,
          "Check the URL and the secret key of the project, and repeat the command: it continues here.",
          { cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}
