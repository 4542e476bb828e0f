/**
 * `@supabase/lite` grants ALL on every table of every schema that has row level security to anon,
 * authenticated and service_role, once, before its first request (seen in 0.10.0). Supabase does no
 * such thing: what a role may do is what the migrations granted.
 *
 * @module
 */

import type { Connection } from "@supabase/lite";

/**
 * Tells the connection that it has made its grants. Its role (`stack_api`) could not make them anyway:
 * if this stops working, the first request fails; no table is opened.
 *
 * @param connection A connection that has served no request yet.
 */
export function keepGrants(connection: Connection): void {
  (connection as unknown as { rlsState: string }).rlsState = "active";
}
