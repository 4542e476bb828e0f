/**
 * Before its first request, `@supabase/lite` grants ALL on every table with row level security to anon,
 * authenticated and service_role (seen in 0.10.0). Supabase does not: roles have only what the migrations
 * granted.
 *
 * @module
 */

import type { Connection } from "@supabase/lite";

/**
 * Tells the connection that it has already made its grants. Its role (`stack_api`) could not make them
 * anyway: if this stops working, the first request fails, and no table is exposed.
 *
 * @param connection A connection that has not served a request yet.
 */
export function keepGrants(connection: Connection): void {
  (connection as unknown as { rlsState: string }).rlsState = "active";
}
