/**
 * AES-256-GCM, with its output split into the members of envelopes and wraps. Internal: a caller that chose its own
 * nonce could use one twice.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";
import { type Bytes, fromBase64, toBase64 } from "./encoding.ts";

/** WebCrypto's name for AES-GCM with keys of 256 bits. */
export const AES_256_GCM = { name: "AES-GCM", length: 256 };

/** Bytes of a nonce: the size that AES-GCM is designed for (NIST SP 800-38D section 5.2.1.1). */
export const NONCE_BYTES = 12;

/** Bytes of a mac: the longest that AES-GCM offers. */
export const MAC_BYTES = 16;

/** The result of an encryption. */
export interface Sealed {
  nonce: Bytes;
  ciphertext: Bytes;
  mac: Bytes;
}

/**
 * Returns this runtime's WebCrypto.
 *
 * @throws CryptoError `webcrypto_missing`, for example on a page that was loaded by plain http
 */
export function webcrypto(): SubtleCrypto {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) {
    throw new CryptoError(
      "webcrypto_missing",
      "There is no WebCrypto: load the page by https or from localhost",
    );
  }
  return subtle;
}

/** Returns this many random bytes. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Returns the parameters of one encryption. No associated data is the same as empty associated data. */
export function gcm(nonce: Bytes, additionalData: Bytes = new Uint8Array()): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData, tagLength: MAC_BYTES * 8 };
}

/** Splits WebCrypto's output, which ends with the mac. */
export function split(nonce: Bytes, sealed: ArrayBuffer): Sealed {
  const end = sealed.byteLength - MAC_BYTES;
  return {
    nonce,
    ciphertext: new Uint8Array(sealed, 0, end),
    mac: new Uint8Array(sealed, end),
  };
}

/** Reverses {@link split}. */
export function join({ ciphertext, mac }: Sealed): Bytes {
  const sealed = new Uint8Array(ciphertext.length + MAC_BYTES);
  sealed.set(ciphertext);
  sealed.set(mac, ciphertext.length);
  return sealed;
}

/**
 * Awaits a decryption and hides why it failed. Other errors are mistakes of the caller, such as a key without the usage
 * `decrypt`, and are passed on.
 *
 * @throws CryptoError `decryption_failed`
 */
export async function opened<T>(decryption: Promise<T>): Promise<T> {
  try {
    return await decryption;
  } catch (error) {
    // Not instanceof: in a sandbox, the error belongs to another realm.
    if ((error as Error)?.name === "OperationError") throw decryptionFailed();
    throw error;
  }
}

/** Makes the one error for everything that cannot be decrypted, whatever the reason. */
export function decryptionFailed(): CryptoError {
  return new CryptoError(
    "decryption_failed",
    "Cannot decrypt: wrong key or password, wrong place, or changed data",
  );
}

/** Writes an encryption as the base64 members of an envelope or a wrap. */
export function sealedMembers({ nonce, ciphertext, mac }: Sealed) {
  return { nonce: toBase64(nonce), ciphertext: toBase64(ciphertext), mac: toBase64(mac) };
}

/** Reverses {@link sealedMembers}; undefined if a member is missing or malformed. */
export function readSealedMembers(members: Record<string, unknown>): Sealed | undefined {
  const nonce = fromBase64(members.nonce);
  const ciphertext = fromBase64(members.ciphertext);
  const mac = fromBase64(members.mac);
  if (nonce?.length !== NONCE_BYTES || mac?.length !== MAC_BYTES || !ciphertext) return undefined;
  return { nonce, ciphertext, mac };
}
