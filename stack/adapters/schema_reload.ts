/**
 * PostgREST reloads the schema on `notify pgrst, 'reload schema'`, which the platform sends after each
 * change. `@supabase/lite` keeps the schema that it read first (seen in 0.10.0).
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { Sql } from "postgres";

/**
 * Makes the connection reload the schema after each notification.
 *
 * @param connection The connection of `@supabase/lite`.
 * @param listener A separate connection, which the caller closes.
 */
export async function reloadSchemaOnNotify(connection: Connection, listener: Sql): Promise<void> {
  let notifications = 0;
  const introspect = connection.introspect.bind(connection);
  connection.introspect = async (options) => {
    const before = notifications;
    const result = await introspect(options);
    // A read that was in progress during the change could have filled the cache again.
    if (notifications !== before) await connection.clearSchemaCache();
    return result;
  };
  await listener.listen("pgrst", async () => {
    notifications++;
    await connection.clearSchemaCache();
  });
}
