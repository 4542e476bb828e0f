/**
 * Padding, so that the length of a ciphertext says little of the length of its content.
 *
 * @module
 */

import { decryptionFailed } from "./aes_gcm.ts";
import type { Bytes } from "./encoding.ts";

/** The byte that ends the content (ISO/IEC 7816-4). */
const END = 0x80;

/**
 * Bytes to which the shortest contents are padded. Padmé alone hardly pads a short text: the length of a title, or of
 * "yes" and "no", would be seen to the byte.
 */
const SHORTEST = 64;

/**
 * The length to which a content is padded.
 *
 * @param length bytes of the content with its end mark, 1 or more
 * @returns bytes: 64, or the Padmé length of more, which is at most 12 % longer
 * (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019, section 4)
 */
export function padmeLength(length: number): number {
  if (length <= SHORTEST) return SHORTEST;
  const exponent = Math.floor(Math.log2(length));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(length / step) * step;
}

/** The content, its end mark, and zeros up to {@link padmeLength}, or none. */
export function pad(content: Uint8Array, toPadmeLength: boolean): Bytes {
  const length = content.length + 1;
  const padded = new Uint8Array(toPadmeLength ? padmeLength(length) : length);
  padded.set(content);
  padded[content.length] = END;
  return padded;
}

/**
 * The content that {@link pad} padded, to whatever length.
 *
 * @throws CryptoError `decryption_failed` where no end mark is found
 */
export function unpad(padded: Bytes): Bytes {
  let end = padded.length - 1;
  while (padded[end] === 0) end--;
  if (padded[end] !== END) throw decryptionFailed();
  return padded.slice(0, end);
}
