/**
 * Verifies session tokens that a project still signs with its legacy JWT secret (HS256). The platform does not give that
 * secret to functions, and `@supabase/server` looks for keys in `SUPABASE_JWKS` only.
 *
 * @module
 */

import type { AuthResult } from "@supabase/server";
import { decodeProtectedHeader, errors, jwtVerify } from "jose";

/** Supabase Auth signs with no other algorithm of this kind. */
const ALGORITHM = "HS256";

/** Whether a token says that it was signed with a shared secret. */
export function isSymmetric(token: string): boolean {
  try {
    return decodeProtectedHeader(token).alg === ALGORITHM;
  } catch {
    return false;
  }
}

/**
 * Verifies a token, and returns who sent it, as `@supabase/server` does.
 *
 * @param token The token.
 * @param secret The legacy JWT secret of the project.
 * @param audience The audience of the tokens.
 * @throws {errors.JOSEError} if the token is not valid.
 */
export async function verifyLegacyToken(
  token: string,
  secret: string,
  audience: string,
): Promise<AuthResult> {
  const key = new TextEncoder().encode(secret);
  const { payload } = await jwtVerify(token, key, { algorithms: [ALGORITHM], audience });
  const { sub } = payload;
  if (typeof sub !== "string") throw new errors.JWTInvalid("The token has no subject");
  const jwtClaims = { ...payload, sub } as NonNullable<AuthResult["jwtClaims"]>;
  const userClaims = {
    id: sub,
    role: jwtClaims.role,
    email: jwtClaims.email,
    appMetadata: jwtClaims.app_metadata,
    userMetadata: jwtClaims.user_metadata,
  } as NonNullable<AuthResult["userClaims"]>;
  return { authMode: "user", token, userClaims, jwtClaims, keyName: null };
}
