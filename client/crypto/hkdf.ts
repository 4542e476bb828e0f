/**
 * HKDF-SHA256: splits one secret by purpose. Results with different labels tell nothing about each other.
 *
 * @module
 */

import { AES_256_GCM, webcrypto } from "./aes_gcm.ts";
import { type Bytes, toUtf8 } from "./encoding.ts";

function hkdf(label: string): HkdfParams {
  return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: toUtf8(label) };
}

async function importSecret(secret: Bytes, usage: KeyUsage): Promise<CryptoKey> {
  return await webcrypto().importKey("raw", secret, "HKDF", false, [usage]);
}

/** Derives an AES-256-GCM key from a secret. The label says what it is for. */
export async function hkdfKey(
  secret: Bytes,
  label: string,
  usages: KeyUsage[],
): Promise<CryptoKey> {
  const base = await importSecret(secret, "deriveKey");
  return await webcrypto().deriveKey(hkdf(label), base, AES_256_GCM, false, usages);
}

/** Derives 32 bytes from a secret. The label says what they are for. */
export async function hkdfBytes(secret: Bytes | CryptoKey, label: string): Promise<Bytes> {
  const base = secret instanceof Uint8Array ? await importSecret(secret, "deriveBits") : secret;
  return new Uint8Array(await webcrypto().deriveBits(hkdf(label), base, 256));
}
