/**
 * The only import of `@supabase/lite`. It reads two settings from the environment when it is loaded, and this module
 * sets them first.
 *
 * @module
 */

Deno.env.set("EXPERIMENTAL_STORAGE", "1");
Deno.env.set("DO_NOT_TRACK", "1");

export const {
  generateApiKey,
  getAuthSchemaSql,
  getStorageSchemaSql,
} = await import("@supabase/lite");
export const { createApi } = await import("@supabase/lite/cli");
export const { createPostgresConnection } = await import("@supabase/lite/postgres");
