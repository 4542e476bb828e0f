/**
 * The environment of a function: what the platform gives it, and what an operator may add. It is read and checked once,
 * before the first request, so that a function without keys does not start.
 *
 * @module
 */

import type { SupabaseEnv } from "@supabase/server";
import { resolveEnv } from "@supabase/server/core";

import { logLine } from "./log.ts";

let environment: SupabaseEnv | undefined;

/**
 * The URL and the keys of the project. The platform starts a function anew when they change.
 *
 * @throws {Error} as {@link requireEnvironment}.
 */
export function projectEnvironment(): SupabaseEnv {
  if (!environment) {
    environment = requireEnvironment();
    if (!verifiesTokens(environment)) logLine("error", { message: NO_SIGNING_KEY });
  }
  return environment;
}

/** Says to operators why every session token is refused. */
const NO_SIGNING_KEY =
  "SUPABASE_JWKS has no key, so no session token can be verified. The project signs them with its " +
  "legacy JWT secret: set LEGACY_JWT_SECRET, or change to a signing key (docs/deploy.md)";

/**
 * The legacy JWT secret of the project, if an operator has set it: for a project that signs its session tokens with it.
 * The name does not begin with `SUPABASE_`, because the platform refuses to set such names.
 */
export function legacyJwtSecret(): string | undefined {
  return Deno.env.get("LEGACY_JWT_SECRET") || undefined;
}

/** The name of the secret key that may call `cleanup`: `cron`, unless an operator has set another one. */
export function cleanupKeyName(): string {
  return Deno.env.get("CLEANUP_KEY_NAME") || "cron";
}

/**
 * Whether there is a key that session tokens could be signed with.
 *
 * @param environment The environment of the project.
 */
export function verifiesTokens({ jwks }: SupabaseEnv): boolean {
  const keys = jwks && "keys" in jwks ? jwks.keys : undefined;
  return keys?.length !== 0 || legacyJwtSecret() !== undefined;
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
