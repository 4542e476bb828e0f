/**
 * Verifies the credentials of requests. `@supabase/server` verifies each of them; one that it has accepted is then
 * recognized for a short time: the cryptography costs more than all the rest of a request.
 *
 * @module
 */

import type { AuthConfig, AuthError, AuthResult } from "@supabase/server";
import { extractCredentials, verifyAuth } from "@supabase/server/core";

import { legacyJwtSecret, projectEnvironment, verifiesTokens } from "./env.ts";

/** Milliseconds that an accepted token is recognized, unless it expires before. */
const RECOGNIZED_MS = 60_000;

/** How the keys of a project begin. One in `Authorization` is not a token. */
const API_KEY = "sb_";

/** Most tokens that are recognized: about 3 MB. */
const MOST_TOKENS = 1000;

/** Why credentials are refused. `SIGNING_KEYS_MISSING`: nobody's session token can be verified. */
export type Refusal = Pick<AuthError, "code" | "status" | "cause" | "details">;

/** Who sent a request, or why its credentials are refused. */
export type Verified = { data: AuthResult; error: null } | { data: null; error: Refusal };

/** What was accepted, and until when it is recognized, in milliseconds. */
interface Accepted {
  auth: AuthResult;
  until: number;
}

/**
 * Creates a function that verifies the credentials of a request.
 *
 * @param auth The accepted credentials. Tokens are only recognized if `user` comes first.
 * @param audience The audience of the tokens.
 */
export function createVerifier(
  auth: AuthConfig,
  audience: string,
): (request: Request) => Promise<Verified> {
  const tokens = new Map<string, Accepted>();
  const keys: { key: string; auth: AuthResult }[] = [];
  const tokenDecides = [auth].flat()[0] === "user";
  const check = async (request: Request, token: string | null): Promise<Verified> => {
    if (tokenDecides && token !== null && !token.startsWith(API_KEY)) {
      if (!verifiesTokens(projectEnvironment())) return refusal("SIGNING_KEYS_MISSING", 503);
      const secret = legacyJwtSecret();
      if (secret !== undefined) {
        // Loaded on use, so that other projects do not pay for it at a cold start.
        const { isSymmetric, verifyLegacyToken } = await import("./legacy_token.ts");
        if (isSymmetric(token)) {
          return await verifyLegacyToken(token, secret, audience).then(
            (data) => ({ data, error: null }),
            (cause) => refusal("INVALID_JWT", 401, cause),
          );
        }
      }
    }
    return await verifyAuth(request, { auth, audience, env: projectEnvironment() });
  };

  return async function verify(request) {
    const { token, apikey } = extractCredentials(request);
    const known = token === null ? findKey(keys, apikey) : findToken(tokens, token);
    if (known) return { data: known, error: null };

    const verified = await check(request, token);
    const { data } = verified;
    if (data?.authMode === "user" && data.token !== null && tokenDecides) {
      acceptToken(tokens, data.token, data);
    } else if (data?.authMode === "secret" && token === null && apikey !== null) {
      keys.push({ key: apikey, auth: data });
    }
    return verified;
  };
}

function refusal(code: string, status: number, cause?: unknown): Verified {
  return { data: null, error: { code, status, cause } };
}

function acceptToken(tokens: Map<string, Accepted>, token: string, auth: AuthResult): void {
  const [oldest] = tokens.keys();
  if (tokens.size >= MOST_TOKENS && oldest !== undefined) tokens.delete(oldest);
  const expiry = (auth.jwtClaims?.exp ?? 0) * 1000;
  tokens.set(token, { auth, until: Math.min(Date.now() + RECOGNIZED_MS, expiry) });
}

function findToken(tokens: Map<string, Accepted>, token: string): AuthResult | undefined {
  const accepted = tokens.get(token);
  if (!accepted || Date.now() < accepted.until) return accepted?.auth;
  tokens.delete(token);
}

function findKey(
  keys: { key: string; auth: AuthResult }[],
  apikey: string | null,
): AuthResult | undefined {
  return keys.find(({ key }) => apikey !== null && isSame(key, apikey))?.auth;
}

/** Compares in a time that reveals nothing about the key. */
function isSame(key: string, given: string): boolean {
  let difference = key.length ^ given.length;
  for (let i = 0; i < key.length; i++) difference |= key.charCodeAt(i) ^ given.charCodeAt(i);
  return difference === 0;
}
