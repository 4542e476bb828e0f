/**
 * The keys of one stack: made on its first start, kept in its folder, never in git.
 *
 * @module
 */

import { generateApiKey } from "./supabase_lite.ts";

/** The keys a Supabase project has, as far as the stack needs them. */
export interface StackKeys {
  /** Secret that session tokens are signed with (HS256). */
  jwtSecret: string;
  /** Key id under which the functions find that secret in `SUPABASE_JWKS`. */
  jwtKid: string;
  /** For clients: `sb_publishable_...`. */
  publishableKey: string;
  /** For servers, by name: `default` and `cron`. */
  secretKeys: { default: string; cron: string };
}

/**
 * Reads the keys of the stack in `dir`, making them when there are none.
 *
 * @param dir The stack's folder.
 */
export async function readKeys(dir: string): Promise<StackKeys> {
  const path = `${dir}/keys.json`;
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const keys: StackKeys = {
    jwtSecret: crypto.randomUUID() + crypto.randomUUID(),
    jwtKid: crypto.randomUUID(),
    publishableKey: (await generateApiKey("publishable")).key,
    secretKeys: {
      default: (await generateApiKey("secret")).key,
      cron: (await generateApiKey("secret")).key,
    },
  };
  await Deno.writeTextFile(path, JSON.stringify(keys, null, 2) + "\n", { mode: 0o600 });
  return keys;
}

/** The symmetric key set that verifies session tokens, as the platform puts it in `SUPABASE_JWKS`. */
export function toJwks(keys: StackKeys): { keys: Record<string, string>[] } {
  const k = btoa(keys.jwtSecret).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return { keys: [{ kty: "oct", alg: "HS256", use: "sig", kid: keys.jwtKid, k }] };
}
