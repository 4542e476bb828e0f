/**
 * PBKDF2-HMAC-SHA256, as all keys from passwords use it.
 *
 * @module
 */

import { AES_256_GCM, webcrypto } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { type Bytes, toUtf8 } from "./encoding.ts";

/**
 * Derives an AES-256-GCM key from a password.
 *
 * @param password 1 character or more, used as it is
 * @param salt random bytes
 * @param iterations number of rounds
 * @param usages what the key may do
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character
 */
export async function pbkdf2Key(
  password: string,
  salt: Bytes,
  iterations: number,
  usages: KeyUsage[],
): Promise<CryptoKey> {
  const base = await baseKey(password, "deriveKey");
  const algorithm = pbkdf2(salt, iterations);
  return await webcrypto().deriveKey(algorithm, base, AES_256_GCM, false, usages);
}

/**
 * Derives 32 bytes from a password.
 *
 * @param password 1 character or more, used as it is
 * @param salt any bytes
 * @param iterations number of rounds
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character
 */
export async function pbkdf2Bytes(
  password: string,
  salt: Bytes,
  iterations: number,
): Promise<Bytes> {
  const base = await baseKey(password, "deriveBits");
  return new Uint8Array(await webcrypto().deriveBits(pbkdf2(salt, iterations), base, 256));
}

async function baseKey(password: string, usage: "deriveKey" | "deriveBits"): Promise<CryptoKey> {
  if (password === "") throw new CryptoError("invalid_argument", "The password is empty");
  return await webcrypto().importKey("raw", toUtf8(password), "PBKDF2", false, [usage]);
}

function pbkdf2(salt: Bytes, iterations: number): Pbkdf2Params {
  return { name: "PBKDF2", hash: "SHA-256", salt, iterations };
}
