/**
 * The key of envelopes of format 1, which are read but never written.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";
import { fromBase64 } from "./encoding.ts";
import { pbkdf2Key } from "./pbkdf2.ts";
import { isSignInSalt } from "./sign_in_password.ts";

/** A key that only decrypts envelopes of format 1. */
export interface V1Key {
  readonly v: "1";
  readonly key: CryptoKey;
}

/** The rounds that format 1 prescribes. */
const ITERATIONS = 600_000;

/**
 * Derives the key of a user's envelopes of format 1. Pass it to `decrypt` only while such envelopes exist: they are
 * not bound to their place.
 *
 * @param password exactly as the user typed it: format 1 does not normalise
 * @param salt base64 of 1 byte or more: `user_metadata.chat_kdf_salt`
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character,
 * `key_parameters_refused` for a salt that is empty, not base64, or that of a sign-in password
 */
export async function deriveV1Key(password: string, salt: string): Promise<V1Key> {
  const bytes = fromBase64(salt);
  if (!bytes?.length) {
    throw new CryptoError("key_parameters_refused", "The salt must be base64 of 1 byte or more");
  }
  if (isSignInSalt(bytes)) {
    throw new CryptoError(
      "key_parameters_refused",
      "The salt is that of a sign-in password, which the server knows",
    );
  }
  return { v: "1", key: await pbkdf2Key(password, bytes, ITERATIONS, ["decrypt"]) };
}
