/**
 * The password key: wraps the data key for a user who knows the password.
 *
 * @module
 */

import { randomBytes } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { WRAPPING_USAGES } from "./data_key.ts";
import { fromBase64, toBase64 } from "./encoding.ts";
import { pbkdf2Key } from "./pbkdf2.ts";

/** How a password key is derived. The server stores this beside the wrap. */
export interface PasswordParameters {
  /** Base64 of 16 to 64 random bytes. */
  readonly salt: string;
  /** Rounds of PBKDF2-HMAC-SHA256, 600,000 to 10,000,000. */
  readonly iterations: number;
}

/** A key that was derived from a password. */
export interface PasswordKey extends PasswordParameters {
  readonly kind: "password";
  readonly key: CryptoKey;
}

/** The minimum of OWASP's Password Storage Cheat Sheet. A server that offers less makes guessing cheap. */
const MIN_ITERATIONS = 600_000;

/** A server that offers more would keep the device busy for minutes. */
const MAX_ITERATIONS = 10_000_000;

const MIN_SALT_BYTES = 16;
const MAX_SALT_BYTES = 64;
const NEW_SALT_BYTES = 32;

/**
 * Derives a key from a password. This is slow on purpose: 0.1 s on a desktop computer, 1 s on a slow phone.
 *
 * @param password 1 character or more, not trimmed. It is normalised to NFKC, because keyboards differ in how they write
 * characters such as "é"
 * @param parameters to unwrap: those stored beside the wrap. To wrap: leave them out for a new salt of 32 bytes and
 * 600,000 rounds
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character,
 * `key_parameters_refused` for parameters outside their ranges
 */
export async function derivePasswordKey(
  password: string,
  parameters: PasswordParameters = {
    salt: toBase64(randomBytes(NEW_SALT_BYTES)),
    iterations: MIN_ITERATIONS,
  },
): Promise<PasswordKey> {
  const { salt, iterations } = parameters;
  const bytes = fromBase64(salt);
  if (!bytes || bytes.length < MIN_SALT_BYTES || bytes.length > MAX_SALT_BYTES) {
    throw new CryptoError(
      "key_parameters_refused",
      `The salt must be base64 of ${MIN_SALT_BYTES} to ${MAX_SALT_BYTES} bytes`,
    );
  }
  if (
    !Number.isInteger(iterations) || iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS
  ) {
    throw new CryptoError(
      "key_parameters_refused",
      `The iterations must be an integer from ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`,
    );
  }
  const key = await pbkdf2Key(password.normalize("NFKC"), bytes, iterations, WRAPPING_USAGES);
  return { kind: "password", salt, iterations, key };
}
