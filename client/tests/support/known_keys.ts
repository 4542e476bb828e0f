/**
 * Keys with known bytes, for tests and test vectors. An app must not have this.
 *
 * @module
 */

import { DATA_KEY_USAGES } from "../../crypto/data_key.ts";
import {
  type DataKey,
  derivePasswordKey,
  deriveRecoveryKey,
  epochKey,
  importDeviceKey,
  type PasswordParameters,
  type WrappingKey,
} from "../../crypto/mod.ts";

/** Reads hexadecimal digits. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

/** Writes bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns bytes that count up from a first one. */
export function counting(first: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 255);
}

/** Exports an extractable AES key as hexadecimal digits. */
export async function bytesOf(key: CryptoKey): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.exportKey("raw", key)));
}

/** Makes a data key from known bytes. */
export async function dataKey(
  key_id: string,
  hex: string,
  extractable = false,
): Promise<DataKey> {
  const key = await crypto.subtle.importKey(
    "raw",
    fromHex(hex),
    "AES-GCM",
    extractable,
    DATA_KEY_USAGES,
  );
  const secret = await crypto.subtle.importKey("raw", fromHex(hex), "HKDF", false, ["deriveBits"]);
  return { key_id, key, secret };
}

/** What a wrapping key is derived from. */
export type WrappingSource =
  | ({ kind: "password"; password: string } & PasswordParameters)
  | { kind: "recovery"; recovery_key: string }
  | { kind: "device"; device_id: string; wrapping_key: string }
  | { kind: "epoch"; wrapped_by: string; wrapping_key: string };

const derived = new Map<string, Promise<WrappingKey>>();

/** Derives a wrapping key, once for each source. */
export function wrappingKey(source: WrappingSource): Promise<WrappingKey> {
  const name = JSON.stringify(source);
  if (!derived.has(name)) derived.set(name, derive(source));
  return derived.get(name)!; // set above
}

async function derive(source: WrappingSource): Promise<WrappingKey> {
  switch (source.kind) {
    case "password":
      return await derivePasswordKey(source.password, source);
    case "recovery":
      return await deriveRecoveryKey(source.recovery_key);
    case "device":
      return await importDeviceKey(source.device_id, fromHex(source.wrapping_key));
    case "epoch":
      return epochKey(await dataKey(source.wrapped_by, source.wrapping_key));
  }
}
