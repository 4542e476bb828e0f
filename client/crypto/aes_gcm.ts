/**
 * AES-256-GCM with its parts named as envelopes and wraps name them. Not for callers of the client: who chooses a nonce
 * can repeat one.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";
import { type Bytes, fromBase64, toBase64 } from "./encoding.ts";

/** Bytes of a nonce: the size that AES-GCM is made for (NIST SP 800-38D section 5.2.1.1). */
export const NONCE_BYTES = 12;

/** Bytes of a mac: the longest that AES-GCM has. */
export const MAC_BYTES = 16;

/** What AES-GCM makes of a plaintext, and needs to read it again. */
export interface Sealed {
  nonce: Bytes;
  ciphertext: Bytes;
  mac: Bytes;
}

/**
 * WebCrypto of this runtime.
 *
 * @throws CryptoError `webcrypto_missing`, e.g. on a web page that came neither by https nor from localhost
 */
export function webcrypto(): SubtleCrypto {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) {
    throw new CryptoError("webcrypto_missing", "WebCrypto needs a page from https or localhost");
  }
  return subtle;
}

/** So many random bytes. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** The parameters of one use of AES-GCM. No associated data is the same as empty associated data. */
export function gcm(nonce: Bytes, additionalData: Bytes = new Uint8Array()): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData, tagLength: MAC_BYTES * 8 };
}

/** Splits what WebCrypto answers, whose last bytes are the mac. */
export function split(nonce: Bytes, sealed: ArrayBuffer): Sealed {
  const end = sealed.byteLength - MAC_BYTES;
  return {
    nonce,
    ciphertext: new Uint8Array(sealed, 0, end),
    mac: new Uint8Array(sealed, end),
  };
}

/** Joins what {@link split} split. */
export function join({ ciphertext, mac }: Sealed): Bytes {
  const sealed = new Uint8Array(ciphertext.length + MAC_BYTES);
  sealed.set(ciphertext);
  sealed.set(mac, ciphertext.length);
  return sealed;
}

/**
 * What a decryption answers; that it fails says no more than that. Other errors are mistakes of the caller, such as a
 * key that may not decrypt, and pass.
 *
 * @throws CryptoError `decryption_failed`
 */
export async function opened<T>(decryption: Promise<T>): Promise<T> {
  try {
    return await decryption;
  } catch (error) {
    // Not instanceof: the error is of another realm where this runs in a sandbox.
    if ((error as Error)?.name === "OperationError") throw decryptionFailed();
    throw error;
  }
}

/** The error of everything that cannot be decrypted, whatever the reason. */
export function decryptionFailed(): CryptoError {
  return new CryptoError(
    "decryption_failed",
    "Cannot decrypt: the key or the place is another, or something was changed",
  );
}

/** The members of an envelope or a wrap that AES-GCM answered, as base64. */
export function sealedMembers({ nonce, ciphertext, mac }: Sealed) {
  return { nonce: toBase64(nonce), ciphertext: toBase64(ciphertext), mac: toBase64(mac) };
}

/** Reads what {@link sealedMembers} wrote, or answers undefined. */
export function readSealedMembers(members: Record<string, unknown>): Sealed | undefined {
  const nonce = fromBase64(members.nonce);
  const ciphertext = fromBase64(members.ciphertext);
  const mac = fromBase64(members.mac);
  if (nonce?.length !== NONCE_BYTES || mac?.length !== MAC_BYTES || !ciphertext) return undefined;
  return { nonce, ciphertext, mac };
}
