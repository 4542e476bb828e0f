/**
 * Removes from Storage what nothing refers to any more. The list is kept in SQL, so that an interruption loses nothing:
 * what was not removed stays on it.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { unwrap } from "../_shared/rpc.ts";
import { storageStatus } from "./errors.ts";

/** What came of a removal. */
export interface Removed {
  /** How many objects left the list. */
  rows: number;
  /** Of those that were there. */
  bytes: number;
  /** How many Storage did not remove. */
  failed: number;
}

const NOTHING: Removed = { rows: 0, bytes: 0, failed: 0 };

const add = (a: Removed, b: Removed): Removed => ({
  rows: a.rows + b.rows,
  bytes: a.bytes + b.bytes,
  failed: a.failed + b.failed,
});

/**
 * Removes one batch of queued objects. What Storage does not remove stays queued with the reason, to be tried again later,
 * and does not hold up the rest.
 *
 * @param client Calls as the service.
 * @param batch How many, 1 to 1000.
 * @throws {Problem} when the database refuses.
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
 * Removes objects that are queued, and takes them off the list.
 *
 * @param client Calls as the service.
 * @param bucket_id Their bucket.
 * @param names Their names, at most 1000.
 * @returns What was removed; the rest is tried again later.
 * @throws {Problem} when the database refuses.
 */
export async function removeObjects(
  client: SupabaseClient<Database>,
  bucket_id: string,
  names: string[],
): Promise<Removed> {
  if (names.length === 0) return NOTHING;
  const { data, error } = await client.storage.from(bucket_id).remove(names);
  // With its bucket, an object is gone too.
  if (!error || storageStatus(error) === 404) {
    const rows = unwrap(await client.rpc("storage_objects_removed", { bucket_id, names }));
    const sizes = (data ?? []).map(({ metadata }) => Number(metadata?.size ?? 0));
    return { rows, bytes: sizes.reduce((sum, size) => sum + size, 0), failed: 0 };
  }
  // One name that Storage does not take does not keep the others.
  if ([400, 422].includes(storageStatus(error)) && names.length > 1) {
    const half = Math.ceil(names.length / 2);
    const first = await removeObjects(client, bucket_id, names.slice(0, half));
    const second = await removeObjects(client, bucket_id, names.slice(half));
    return add(first, second);
  }
  logLine("error", {
    message: `Storage did not remove ${names.length} objects of "${bucket_id}": ${error.message}`,
  });
  unwrap(
    await client.rpc("storage_removals_failed", { bucket_id, names, error: error.message }),
  );
  return { ...NOTHING, failed: names.length };
}
