/**
 * What a data key proves: that an id is its own, and that whoever changes the keys has it.
 *
 * @module
 */

import { webcrypto } from "./aes_gcm.ts";
import { toBase64 } from "./encoding.ts";
import { hkdfBytes } from "./hkdf.ts";

const ID_LABEL = "strongroom chat key id v3";
const PROOF_LABEL = "strongroom chat key proof v3";
const CHANGE_LABEL = "strongroom chat key change v3 ";

/** The version in a UUID whose other bits are made by a program's own rule (RFC 9562). */
const BOUND = "8";

/** Derives the id of a data key, a UUID of version 8: no other key has the same id. */
export async function keyIdOf(secret: CryptoKey): Promise<string> {
  const bytes = (await hkdfBytes(secret, ID_LABEL)).subarray(0, 16);
  bytes[6] = 0x80 | bytes[6]! & 0x0f; // there are 16
  bytes[8] = 0x80 | bytes[8]! & 0x3f;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Whether an id belongs to a key, or is one of the random ids of older keys, which belong to none. */
export async function mayHaveId(secret: CryptoKey, key_id: string): Promise<boolean> {
  return key_id[14] !== BOUND || key_id === await keyIdOf(secret);
}

/** Derives what a device remembers of a key, to recognise it: also an older one, whose id is random. */
export async function keyProof(secret: CryptoKey): Promise<string> {
  return toBase64(await hkdfBytes(secret, PROOF_LABEL));
}

/** Derives the proof for a change of the keys, base64 of 32 bytes. Each number is used once. */
export async function changeProof(secret: CryptoKey, number: number): Promise<string> {
  return toBase64(await hkdfBytes(secret, CHANGE_LABEL + number));
}

/** Derives what the server stores to check a proof: it tells nothing about the proof. */
export async function changeProofHash(secret: CryptoKey, number: number): Promise<string> {
  const proof = await hkdfBytes(secret, CHANGE_LABEL + number);
  return toBase64(new Uint8Array(await webcrypto().digest("SHA-256", proof)));
}
