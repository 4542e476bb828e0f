/**
 * PostgREST reads the schema anew on `notify pgrst, 'reload schema'`, which the platform sends after each
 * change of it; `@supabase/lite` keeps what it has read (seen in 0.10.0).
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { Sql } from "postgres";

/**
 * Has the connection forget the schema at each notification.
 *
 * @param connection The connection of `@supabase/lite`.
 * @param listener A connection of its own, to be closed by the caller.
 */
export async function reloadSchemaOnNotify(connection: Connection, listener: Sql): Promise<void> {
  let notifications = 0;
  const introspect = connection.introspect.bind(connection);
  connection.introspect = async (options) => {
    const before = notifications;
    const result = await introspect(options);
    // What was read while the schema changed was kept after it had been forgotten.
    if (notifications !== before) await connection.clearSchemaCache();
    return result;
  };
  await listener.listen("pgrst", async () => {
    notifications++;
    await connection.clearSchemaCache();
  });
}
