/**
 * Padding hides the exact length of a content from everybody who sees its ciphertext.
 *
 * @module
 */

import { decryptionFailed } from "./aes_gcm.ts";
import type { Bytes } from "./encoding.ts";

/** The byte that marks the end of the content (ISO/IEC 7816-4). */
const END = 0x80;

/** The shortest padded length, in bytes. Padmé alone would show the length of a title, or of "yes" and "no", exactly. */
const SHORTEST = 64;

/**
 * Computes the padded length of a content.
 *
 * @param length bytes of the content with its end mark, 1 or more
 * @returns 64, or the Padmé length of a longer content, which adds 12 % at most
 * (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019, section 4)
 */
export function padmeLength(length: number): number {
  if (length <= SHORTEST) return SHORTEST;
  const exponent = Math.floor(Math.log2(length));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(length / step) * step;
}

/** Adds the end mark, and zeros up to {@link padmeLength} if `toPadmeLength` is true. */
export function pad(content: Uint8Array, toPadmeLength: boolean): Bytes {
  const length = content.length + 1;
  const padded = new Uint8Array(toPadmeLength ? padmeLength(length) : length);
  padded.set(content);
  padded[content.length] = END;
  return padded;
}

/**
 * Reverses {@link pad}, whatever the padded length.
 *
 * @throws CryptoError `decryption_failed` if there is no end mark
 */
export function unpad(padded: Bytes): Bytes {
  let end = padded.length - 1;
  while (padded[end] === 0) end--;
  if (padded[end] !== END) throw decryptionFailed();
  return padded.slice(0, end);
}
