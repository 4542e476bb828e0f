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
 * Removes one batch of queued objects, of at most 1000.
 *
 * @param client Calls as the service.
 * @returns How many objects were on the batch: fewer than 1000 when that was all.
 * @throws {Problem} when the database refuses; {StorageError} when Storage does.
 */
export async function removeQueuedObjects(client: SupabaseClient<Database>): Promise<number> {
  const queued = unwrap(await client.rpc("next_storage_removals", {}));
  for (const [bucket_id, objects] of Map.groupBy(queued, (object) => object.bucket_id)) {
    const names = objects.map((object) => object.name);
    const { error } = await client.storage.from(bucket_id).remove(names);
    if (error) throw error;
    unwrap(await client.rpc("storage_objects_removed", { bucket_id, names }));
  }
  return queued.length;
}
