/**
 * Session tokens of Supabase Auth name their signing key (`kid`), and `@supabase/server` requires it. Those
 * of `@supabase/lite` do not (seen in 0.10.0).
 *
 * @module
 */

import { CompactSign, compactVerify, decodeProtectedHeader } from "jose";

import type { StackKeys } from "../keys.ts";

/**
 * Signs the bearer token of a request again with its `kid` and unchanged claims. A token that the stack did not
 * issue passes unchanged, and the function refuses it.
 *
 * @param headers Headers of the request, changed in place.
 * @param keys The keys of the stack.
 */
export async function nameSigningKey(headers: Headers, keys: StackKeys): Promise<void> {
  const token = headers.get("authorization")?.match(/^Bearer (ey.+)$/)?.[1];
  if (!token) return;
  try {
    if (decodeProtectedHeader(token).kid) return;
    const secret = new TextEncoder().encode(keys.jwtSecret);
    // Only the signature is checked here. The function checks whether the token has expired.
    const { payload } = await compactVerify(token, secret, { algorithms: ["HS256"] });
    const signed = await new CompactSign(payload)
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: keys.jwtKid })
      .sign(secret);
    headers.set("authorization", `Bearer ${signed}`);
  } catch {
    return;
  }
}
