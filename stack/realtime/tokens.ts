/**
 * Who a client of Realtime is: its API key, or the session token that it sends in place of it.
 *
 * @module
 */

import { decodeJwt, jwtVerify } from "jose";

import type { StackKeys } from "../keys.ts";

/** The claims of a caller. */
export interface Claims extends Record<string, unknown> {
  role: string;
  /** Seconds since 1970. Keys have none. */
  exp?: number;
}

/** A refusal, with the message that the platform gives. */
export class Refused extends Error {}

/** Returns the claims of an API key, or nothing for an unknown one. */
export function claimsOfKey(key: string | null, keys: StackKeys): Claims | undefined {
  if (key === keys.publishableKey) return { role: "anon" };
  if (key !== null && Object.values(keys.secretKeys).includes(key)) return { role: "service_role" };
}

/**
 * Verifies a session token.
 *
 * @throws {Refused} if it is not valid, or no longer.
 */
export async function claimsOfToken(token: string, keys: StackKeys): Promise<Claims> {
  try {
    const secret = new TextEncoder().encode(keys.jwtSecret);
    const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"] });
    if (typeof payload.role !== "string" || typeof payload.exp !== "number") {
      throw new Refused("InvalidJWTToken: Fields `role` and `exp` are required in JWT");
    }
    return payload as Claims;
  } catch (error) {
    if (error instanceof Refused) throw error;
    switch ((error as { code?: string }).code) {
      case "ERR_JWT_EXPIRED": {
        const ago = Math.floor(Date.now() / 1000) - (decodeJwt(token).exp ?? 0);
        throw new Refused(`InvalidJWTToken: Token has expired ${ago} seconds ago`);
      }
      case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
        throw new Refused("JwtSignatureError: Failed to validate JWT signature");
      default:
        throw new Refused("MalformedJWT: The token provided is not a valid JWT");
    }
  }
}
