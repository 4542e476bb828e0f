/**
 * The environment that the platform gives a function. It is read and checked once, before the first request, so that a
 * function without keys does not start.
 *
 * @module
 */

import type { SupabaseEnv } from "@supabase/server";
import { resolveEnv } from "@supabase/server/core";

let environment: SupabaseEnv | undefined;

/**
 * The URL and the keys of the project. The platform starts a function anew when they change.
 *
 * @throws {Error} as {@link requireEnvironment}.
 */
export function projectEnvironment(): SupabaseEnv {
  return environment ??= requireEnvironment();
}

/**
 * Reads the environment, and makes sure that the function has what it needs to authenticate its callers.
 *
 * @throws {Error} that names the missing variable and where to find its value.
 */
export function requireEnvironment(): SupabaseEnv {
  const { data: env, error } = resolveEnv();
  if (error) throw new Error(`Cannot start: ${error.message}`, { cause: error });

  const missing = [
    Object.keys(env.publishableKeys).length === 0 && "SUPABASE_PUBLISHABLE_KEYS",
    !env.secretKeys.default && "SUPABASE_SECRET_KEYS",
    // Without it, routes with optional sign-in would accept forged tokens.
    !env.jwks && "SUPABASE_JWKS",
  ].filter(Boolean);
  if (missing.length > 0) {
    throw new Error(
      `Cannot start: ${missing.join(", ")} must be set. The platform does so for projects that ` +
        "have publishable and secret keys: Project Settings > API Keys",
    );
  }
  return env;
}
