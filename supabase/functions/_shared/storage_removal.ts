/**
 * Removes from Storage what nothing refers to any more. The list is kept in SQL, so that an interruption loses nothing:
 * what was not removed stays on it.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "./database.types.ts";
import { unwrap } from "./rpc.ts";
import { storageStatus } from "./storage_error.ts";

/**
 * Removes one batch of queued objects, of at most 1000. What Storage does not remove stays queued with the reason, to be
 * tried again later, and does not hold up the rest.
 *
 * @param client Calls as the service.
 * @returns How many objects were on the batch: fewer than 1000 when that was all.
 * @throws {Problem} when the database refuses.
 */
export async function removeQueuedObjects(client: SupabaseClient<Database>): Promise<number> {
  const queued = unwrap(await client.rpc("next_storage_removals", {}));
  for (const [bucket, objects] of Map.groupBy(queued, (object) => object.bucket_id)) {
    await removeObjects(client, bucket, objects.map((object) => object.name));
  }
  return queued.length;
}

/**
 * Removes objects that are queued, and takes them off the list.
 *
 * @param client Calls as the service.
 * @param bucket_id Their bucket.
 * @param names Their names, at most 1000.
 * @returns Whether they are gone; those that are not are tried again later.
 * @throws {Problem} when the database refuses.
 */
export async function removeObjects(
  client: SupabaseClient<Database>,
  bucket_id: string,
  names: string[],
): Promise<boolean> {
  if (names.length === 0) return true;
  const { error } = await client.storage.from(bucket_id).remove(names);
  // With its bucket, an object is gone too.
  if (!error || storageStatus(error) === 404) {
    unwrap(await client.rpc("storage_objects_removed", { bucket_id, names }));
    return true;
  }
  // One name that Storage does not take does not keep the others.
  if ([400, 422].includes(storageStatus(error)) && names.length > 1) {
    const half = Math.ceil(names.length / 2);
    const first = await removeObjects(client, bucket_id, names.slice(0, half));
    return await removeObjects(client, bucket_id, names.slice(half)) && first;
  }
  console.error(JSON.stringify({
    level: "error",
    message: `Storage did not remove ${names.length} objects of "${bucket_id}": ${error.message}`,
  }));
  unwrap(
    await client.rpc("storage_removals_failed", { bucket_id, names, error: error.message }),
  );
  return false;
}
