/**
 * The client through which everything is sent.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

/** A supabase-js client, whatever its database types. */
// deno-lint-ignore no-explicit-any -- the app's types are its own
export type AnySupabaseClient = SupabaseClient<any, any, any, any, any>;
