/**
 * Supabase Storage refuses a signed URL whose token has expired or is forged with 400. `@supabase/lite` returns 500
 * (seen in 0.10.0).
 *
 * @module
 */

import { errors, jwtVerify } from "jose";

/** Downloads and uploads with a signed URL. */
const SIGNED_PATH = /^\/storage\/v1\/object\/(upload\/)?sign\//;

/**
 * Refuses a request with a signed URL whose token is not valid.
 *
 * @param request An incoming request.
 * @param secret The secret that tokens are signed with.
 * @returns The refusal; undefined for all other requests.
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
