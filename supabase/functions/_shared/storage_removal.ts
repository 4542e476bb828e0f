/**
 * Removes from Storage what nothing refers to any more. The list is kept in SQL, so that an interruption loses nothing:
 * what was not removed stays on it.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "./database.types.ts";
import { unwrap } from "./rpc.ts";

/**
 * Removes one batch of queued objects.
 *
 * @param client Calls as the service.
 * @param batch How many, 1 to 1000.
 * @returns How many objects left the list, and the bytes of those that were there.
 * @throws {Problem} when the database refuses; {StorageError} when Storage does.
 */
export async function removeQueuedObjects(
  client: SupabaseClient<Database>,
  batch = 1000,
): Promise<{ rows: number; bytes: number }> {
  let rows = 0;
  let bytes = 0;
  const queued = unwrap(await client.rpc("next_storage_removals", { batch }));
  for (const [bucket_id, objects] of Map.groupBy(queued, (object) => object.bucket_id)) {
    const names = objects.map((object) => object.name);
    const { data, error } = await client.storage.from(bucket_id).remove(names);
    if (error) throw error;
    rows += unwrap(await client.rpc("storage_objects_removed", { bucket_id, names }));
    for (const { metadata } of data) bytes += Number(metadata?.size ?? 0);
  }
  return { rows, bytes };
}
