/**
 * The types of the database, for supabase-js: `createClient<Database>(url, key)`.
 *
 * @module
 */

export type { Database, Json } from "../supabase/functions/_shared/database.types.ts";
