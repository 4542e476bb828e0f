/**
 * A signed URL whose token has expired or is forged: Supabase Storage refuses it with 400, `@supabase/lite` answers 500
 * (seen in 0.10.0).
 *
 * @module
 */

import { errors, jwtVerify } from "jose";

/** Downloads and uploads by a signed URL. */
const SIGNED_PATH = /^\/storage\/v1\/object\/(upload\/)?sign\//;

/**
 * The refusal of a request that comes by a signed URL whose token does not hold.
 *
 * @param request An incoming request.
 * @param secret What tokens are signed with.
 * @returns Nothing for any other request.
 */
export async function refuseToken(request: Request, secret: string): Promise<Response | undefined> {
  const url = new URL(request.url);
  const token = url.searchParams.get("token");
  if (!SIGNED_PATH.test(url.pathname) || request.method === "POST" || token === null) return;
  try {
    await jwtVerify(token, new TextEncoder().encode(secret));
  } catch (error) {
    await request.body?.cancel();
    const message = error instanceof errors.JWTExpired
      ? '"exp" claim timestamp check failed'
      : "signature verification failed";
    return Response.json({ statusCode: "400", error: "InvalidJWT", message }, {
      status: 400,
      headers: { "access-control-allow-origin": "*" },
    });
  }
}
