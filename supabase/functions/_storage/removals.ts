/**
 * Removes objects from Storage that no record refers to. The queue is a table, so an interruption loses nothing: an
 * object stays queued until it is removed.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import { afterResponse } from "../_shared/after_response.ts";
import type { Database } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { unwrap } from "../_shared/rpc.ts";
import { storageStatus } from "./errors.ts";

/** The result of a removal. */
export interface Removed {
  /** How many objects left the queue. */
  rows: number;
  /** Bytes of the objects that still existed. */
  bytes: number;
  /** How many objects Storage failed to remove. */
  failed: number;
}

const NOTHING: Removed = { rows: 0, bytes: 0, failed: 0 };

const add = (a: Removed, b: Removed): Removed => ({
  rows: a.rows + b.rows,
  bytes: a.bytes + b.bytes,
  failed: a.failed + b.failed,
});

/**
 * Removes one batch of queued objects. An object that Storage fails to remove stays queued with the reason and is tried
 * again later. It does not hold up the others.
 *
 * @param client Client with the secret key.
 * @param batch How many objects, 1 to 1000.
 * @throws {Problem} if the database refuses.
 */
export async function removeQueuedObjects(
  client: SupabaseClient<Database>,
  batch = 1000,
): Promise<Removed> {
  let total = NOTHING;
  const queued = unwrap(await client.rpc("next_storage_removals", { batch }));
  for (const [bucket, objects] of Map.groupBy(queued, (object) => object.bucket_id)) {
    total = add(total, await removeObjects(client, bucket, objects.map(({ name }) => name)));
  }
  return total;
}

/**
 * Removes one batch of queued objects after the response. The cleanup removes what stays in the queue.
 *
 * @param client Client with the secret key.
 */
export function removeAfterResponse(client: SupabaseClient<Database>): void {
  afterResponse(removeQueuedObjects(client));
}

/**
 * Removes queued objects from Storage and from the queue.
 *
 * @param client Client with the secret key.
 * @param bucket_id Their bucket.
 * @param names Their names, at most 1000.
 * @returns What was removed. The rest is tried again later.
 * @throws {Problem} if the database refuses.
 */
export async function removeObjects(
  client: SupabaseClient<Database>,
  bucket_id: string,
  names: string[],
): Promise<Removed> {
  if (names.length === 0) return NOTHING;
  const { data, error } = await client.storage.from(bucket_id).remove(names);
  // 404 means that the bucket is gone, and its objects with it.
  if (!error || storageStatus(error) === 404) {
    const rows = unwrap(await client.rpc("storage_objects_removed", { bucket_id, names }));
    const sizes = (data ?? []).map(({ metadata }) => Number(metadata?.size ?? 0));
    return { rows, bytes: sizes.reduce((sum, size) => sum + size, 0), failed: 0 };
  }
  // One name that Storage rejects must not block the others.
  if ([400, 422].includes(storageStatus(error)) && names.length > 1) {
    const half = Math.ceil(names.length / 2);
    const first = await removeObjects(client, bucket_id, names.slice(0, half));
    const second = await removeObjects(client, bucket_id, names.slice(half));
    return add(first, second);
  }
  logLine("error", {
    message:
      `Storage failed to remove ${names.length} objects from "${bucket_id}": ${error.message}`,
  });
  unwrap(
    await client.rpc("storage_removals_failed", { bucket_id, names, error: error.message }),
  );
  return { ...NOTHING, failed: names.length };
}
