/**
 * The password key: wraps the data key for a user who knows the password.
 *
 * @module
 */

import { randomBytes } from "./aes_gcm.ts";
import { argon2idBytes, type Argon2idCost, MIN_COST } from "./argon2id.ts";
import { CryptoError } from "./crypto_error.ts";
import { WRAPPING_USAGES } from "./data_key.ts";
import { type Bytes, fromBase64, toBase64 } from "./encoding.ts";
import { hkdfKey } from "./hkdf.ts";
import { pbkdf2Key } from "./pbkdf2.ts";
import { isSignInSalt } from "./sign_in_password.ts";

/** How a password key is derived. The server stores this beside the wrap. */
export type PasswordParameters =
  & {
    /** Base64 of 16 to 64 random bytes. */
    readonly salt: string;
  }
  & (Argon2idCost | {
    /** Rounds of PBKDF2-HMAC-SHA256, 600,000 to 2,000,000. Only older wraps have them. */
    readonly iterations: number;
  });

/** A key that was derived from a password. */
export type PasswordKey = PasswordParameters & {
  readonly kind: "password";
  readonly key: CryptoKey;
};

/** The minimum of OWASP's Password Storage Cheat Sheet. A server that offers less makes guessing cheap. */
const MIN_ITERATIONS = 600_000;

/** A server that offers more would keep a slow phone busy for longer than a few seconds. */
const MAX_ITERATIONS = 2_000_000;

const MIN_SALT_BYTES = 16;
const MAX_SALT_BYTES = 64;
const NEW_SALT_BYTES = 32;

/** What the key is for: no other value from a password has this label. */
const LABEL = "strongroom chat password key v3";

/** Makes parameters for a new password key, with a salt of 32 random bytes. */
export function newPasswordParameters(cost: Argon2idCost = MIN_COST): PasswordParameters {
  const { memory_kib, passes } = cost;
  return { salt: toBase64(randomBytes(NEW_SALT_BYTES)), memory_kib, passes };
}

/**
 * Derives a key from a password. This is slow on purpose: 0.1 s on a desktop computer, 1 s on a slow phone.
 *
 * @param password 1 character or more, not trimmed. It is normalised to NFKC, because keyboards differ in how they write
 * characters such as "é"
 * @param parameters to unwrap: those stored beside the wrap. To wrap: leave them out for a new salt, 19 MiB and 2 passes
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character,
 * `key_parameters_refused` for parameters outside their ranges and for the salts of sign-in passwords,
 * `argon2id_missing`
 */
export async function derivePasswordKey(
  password: string,
  parameters: PasswordParameters = newPasswordParameters(),
): Promise<PasswordKey> {
  const normalised = password.normalize("NFKC");
  const { salt } = parameters;
  const bytes = readSalt(salt);
  if ("iterations" in parameters) {
    const { iterations } = parameters;
    if (
      !Number.isInteger(iterations) || iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS
    ) {
      throw new CryptoError(
        "key_parameters_refused",
        `The iterations must be an integer from ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`,
      );
    }
    const key = await pbkdf2Key(normalised, bytes, iterations, WRAPPING_USAGES);
    return { kind: "password", salt, iterations, key };
  }
  const { memory_kib, passes } = parameters;
  const secret = await argon2idBytes(normalised, bytes, { memory_kib, passes });
  const key = await hkdfKey(secret, LABEL, WRAPPING_USAGES);
  return { kind: "password", salt, memory_kib, passes, key };
}

function readSalt(salt: string): Bytes {
  const bytes = fromBase64(salt);
  if (!bytes || bytes.length < MIN_SALT_BYTES || bytes.length > MAX_SALT_BYTES) {
    throw new CryptoError(
      "key_parameters_refused",
      `The salt must be base64 of ${MIN_SALT_BYTES} to ${MAX_SALT_BYTES} bytes`,
    );
  }
  if (isSignInSalt(bytes)) {
    throw new CryptoError(
      "key_parameters_refused",
      "The salt is that of a sign-in password, which the server knows",
    );
  }
  return bytes;
}
