/**
 * Writes the archives that users have asked for, one portion at a time. The database says what comes next, and is told
 * when it is written. If this process ends in between, the portion is made anew, under another name.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { call, defined } from "../_shared/rpc.ts";
import { fromStorage, storageStatus } from "../_storage/errors.ts";
import type { Removed } from "../_storage/removals.ts";

type Client = SupabaseClient<Database>;

/** The bucket of archives. */
const BUCKET = "exports";

/** How many files are copied at the same time. */
const COPIES = 4;

/** How long a copy may take in milliseconds. */
const PATIENCE_MS = 30_000;

/** A file to copy. */
interface File {
  bucket: string;
  path: string;
  name: string;
  bytes: number;
}

/** What was written. */
interface Written {
  rows: number;
  /** Size of the object. */
  bytes: number;
  /** Size before compression. It costs CPU time; copies do not. */
  read: number;
  sha256?: string;
  missing?: string[];
}

/**
 * Writes the next portion of an export. If Storage fails, the export is continued later; the others go on.
 *
 * @param client Client with the secret key.
 * @param batch How many rows a portion has at most.
 * @throws {Problem} if the database refuses.
 */
export async function continueExport(client: Client, batch: number): Promise<Removed> {
  const portion = await call(() => client.rpc("next_export_portion", { batch }));
  const { export_id, token, kind, folder, name } = portion;
  if (!export_id || !token || !kind || !folder) return { rows: 0, bytes: 0, failed: 0 };
  let written: Written;
  try {
    written = kind === "files"
      ? await copyFiles(client, folder, (portion.files ?? []) as unknown as File[])
      : await writePart(client, `${folder}${name}`, portion.content ?? "", kind === "rows");
  } catch (failure) {
    const error = failure instanceof Error ? failure.message : String(failure);
    logLine("error", {
      function: "cleanup",
      message: `Export ${export_id} was interrupted: ${error}`,
    });
    await client.rpc("fail_export_portion", { export_id, token, error });
    return { rows: 0, bytes: 0, failed: 1 };
  }
  const { sha256, missing, bytes } = written;
  const args = defined({ export_id, token, bytes, sha256, missing });
  if (!await call(() => client.rpc("save_export_portion", args))) {
    // The export was cancelled, or its user deleted. The name of a part is this run's own.
    const names = kind === "files"
      ? ((portion.files ?? []) as unknown as File[]).map((file) => file.name)
      : [name];
    await client.storage.from(BUCKET).remove(names.map((one) => `${folder}${one}`));
  }
  return { rows: written.rows, bytes: written.read, failed: 0 };
}

/** Writes a part. */
async function writePart(
  client: Client,
  path: string,
  content: string,
  compress: boolean,
): Promise<Written> {
  const plain = new TextEncoder().encode(content);
  const body = compress ? await gzip(plain) : plain;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const contentType = compress ? "application/gzip" : "application/json";
  // The manifest may be there already, if a run ended before it could say so.
  const { error } = await client.storage.from(BUCKET).upload(path, body, {
    contentType,
    upsert: true,
  });
  if (error) throw fromStorage(error);
  return { rows: 1, bytes: body.byteLength, read: plain.byteLength, sha256 };
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a promise resolves to, unless it takes too long. */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Storage did not respond")), PATIENCE_MS);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Copies files inside Storage. A file that has been deleted in the meantime is missing. */
async function copyFiles(client: Client, folder: string, files: File[]): Promise<Written> {
  const missing: string[] = [];
  const pending = [...files];
  const work = async () => {
    for (let file = pending.shift(); file; file = pending.shift()) {
      const { error } = await inTime(
        client.storage.from(file.bucket)
          .copy(file.path, `${folder}${file.name}`, { destinationBucket: BUCKET }),
      );
      if (!error) continue;
      const status = storageStatus(error);
      // It is there from a run that ended before it could say so.
      if (status === 409) continue;
      // Storage will not copy this one, whose new name may be too long: the others are copied all the same.
      if (![400, 404, 413, 422].includes(status)) throw fromStorage(error);
      missing.push(file.name);
    }
  };
  await Promise.all(Array.from({ length: COPIES }, work));
  return { rows: files.length, bytes: 0, read: 0, missing };
}
