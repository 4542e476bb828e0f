/**
 * The inputs of the test vectors.
 *
 * @module
 */

import { toBase64, toUtf8 } from "../../crypto/encoding.ts";
import { counting, toHex } from "../support/known_keys.ts";

/** The user of all vectors. */
export const USER = "0c1d2e3f-0000-4000-8000-000000000001";

/** Another user, whose vectors these are not. */
export const OTHER_USER = "0c1d2e3f-0000-4000-8000-000000000002";

/** An epoch of the vectors. */
export interface Epoch {
  key_id: string;
  data_key: string;
}

/** The first epoch. */
export const OLD: Epoch = {
  key_id: "e90c0000-0000-4000-8000-000000000001",
  data_key: hex(0x00, 32),
};

/** The second epoch. */
export const NEW: Epoch = {
  key_id: "e90c0000-0000-4000-8000-000000000002",
  data_key: hex(0x20, 32),
};

/** Returns the hexadecimal digits of bytes that count up from a first one. */
export function hex(first: number, length: number): string {
  return toHex(counting(first, length));
}

/** Flips the first bit of base64 bytes. */
export function flipFirstBit(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  bytes[0]! ^= 0x80; // none is empty
  return toBase64(bytes);
}

/** Derives a key from a password as the client does, but an extractable one. */
export async function pbkdf2(
  password: string,
  salt: string,
  iterations: number,
): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey("raw", toUtf8(password), "PBKDF2", false, [
    "deriveKey",
  ]);
  return await crypto.subtle.deriveKey(
    {
      name: "PBKDF2",
      hash: "SHA-256",
      iterations,
      salt: Uint8Array.from(atob(salt), (character) => character.charCodeAt(0)),
    },
    base,
    { name: "AES-GCM", length: 256 },
    true,
    ["encrypt"],
  );
}
