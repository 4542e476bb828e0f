/**
 * PostgREST reloads the schema on `notify pgrst, 'reload schema'`, which the platform sends after each
 * change. `@supabase/lite` keeps the schema that it read first. Requests that come before it has read the schema each read it
 * on their own: 50 at once then took ten seconds (seen in 0.10.0).
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { Sql } from "postgres";

/**
 * Makes the connection reload the schema after each notification, once for all requests that need it then.
 *
 * @param connection The connection of `@supabase/lite`.
 * @param listener A separate connection, which the caller closes.
 */
export async function reloadSchemaOnNotify(connection: Connection, listener: Sql): Promise<void> {
  let notifications = 0;
  const introspect = connection.introspect.bind(connection);
  const readings = new Map<string, ReturnType<typeof introspect>>();
  const read: typeof introspect = async (options) => {
    const before = notifications;
    const result = await introspect(options);
    // A read that was in progress during the change could have filled the cache again.
    if (notifications !== before) await connection.clearSchemaCache();
    return result;
  };
  connection.introspect = (options) => {
    const key = JSON.stringify(options ?? null);
    const shared = readings.get(key);
    if (shared) return shared;
    const reading = read(options).finally(() => {
      if (readings.get(key) === reading) readings.delete(key);
    });
    readings.set(key, reading);
    return reading;
  };
  await listener.listen("pgrst", async () => {
    notifications++;
    // What is being read may be the old schema.
    readings.clear();
    await connection.clearSchemaCache();
  });
}
