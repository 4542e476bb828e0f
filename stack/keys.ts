/**
 * The keys of a stack. They are created on its first start and kept in its folder, never in git.
 *
 * @module
 */

import { generateApiKey } from "./supabase_lite.ts";

/** The keys of a Supabase project that the stack needs. */
export interface StackKeys {
  /** Secret that session tokens are signed with (HS256). */
  jwtSecret: string;
  /** Key id under which the functions find that secret in `SUPABASE_JWKS`. */
  jwtKid: string;
  /** For clients: `sb_publishable_...`. */
  publishableKey: string;
  /** For servers, by name: `default` and `cron`. */
  secretKeys: { default: string; cron: string };
  /** Password of the database's superuser and of the roles of the services. */
  databasePassword: string;
}

/**
 * Reads the keys of the stack in `dir`, or creates them if there are none.
 *
 * @param dir The stack's folder.
 */
export async function readKeys(dir: string): Promise<StackKeys> {
  const path = `${dir}/keys.json`;
  const text = await Deno.readTextFile(path).catch(() => undefined);
  if (text !== undefined) return JSON.parse(text);
  const keys: StackKeys = {
    jwtSecret: crypto.randomUUID() + crypto.randomUUID(),
    jwtKid: crypto.randomUUID(),
    publishableKey: (await generateApiKey("publishable")).key,
    secretKeys: {
      default: (await generateApiKey("secret")).key,
      cron: (await generateApiKey("secret")).key,
    },
    databasePassword: crypto.randomUUID(),
  };
  // Written under another name first, so that the file is never incomplete.
  await Deno.writeTextFile(`${path}.partial`, JSON.stringify(keys, null, 2) + "\n", {
    mode: 0o600,
  });
  await Deno.rename(`${path}.partial`, path);
  return keys;
}

/** The symmetric key set that verifies session tokens, as the platform puts it in `SUPABASE_JWKS`. */
export function toJwks(keys: StackKeys): { keys: Record<string, string>[] } {
  const k = btoa(keys.jwtSecret).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return { keys: [{ kty: "oct", alg: "HS256", use: "sig", kid: keys.jwtKid, k }] };
}
