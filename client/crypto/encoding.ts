/**
 * Bytes and texts: strict in what it reads, as everything that an envelope says has one spelling.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";

/** Bytes that WebCrypto takes: not those of a SharedArrayBuffer. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What `String.fromCharCode` takes as arguments at once everywhere; a multiple of 3, so that no part is padded. */
const CHUNK = 0x6000;

/** Base64 of RFC 4648 section 4, with padding. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + CHUNK)));
  }
  return text;
}

/** The bytes of a base64 text, or undefined unless it is the one text that {@link toBase64} writes for them. */
export function fromBase64(text: unknown): Bytes | undefined {
  if (typeof text !== "string") return undefined;
  const digits = text.replace(/={1,2}$/, "");
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/]/.test(digits)) return undefined;
  if (!text.endsWith(btoaOfLast(text))) return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** The last four digits again: `atob` overlooks bits that no byte has, so that one byte would have many spellings. */
function btoaOfLast(text: string): string {
  return btoa(atob(text.slice(-4)));
}

/** A lone surrogate: half a character, left where a text was cut. `TextEncoder` would silently replace it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * UTF-8 of a text.
 *
 * @throws CryptoError `not_text` where the text has a lone surrogate
 */
export function toUtf8(text: string): Bytes {
  if (LONE_SURROGATE.test(text)) {
    throw new CryptoError("not_text", "Text has half of a character (a lone surrogate)");
  }
  return new TextEncoder().encode(text);
}

/**
 * The text of UTF-8 bytes, a byte order mark included.
 *
 * @throws CryptoError `not_text` where they are no UTF-8
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CryptoError("not_text", "Content is not UTF-8 text");
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a value is a UUID in the one spelling that is authenticated: lower case, with hyphens. */
export function isUuid(value: unknown): value is string {
  return typeof value === "string" && UUID.test(value);
}

/**
 * The UUID of an argument, in lower case.
 *
 * @throws CryptoError `invalid_argument` where it is none
 */
export function uuidArgument(name: string, value: string): string {
  const uuid = typeof value === "string" ? value.toLowerCase() : value;
  if (!isUuid(uuid)) throw new CryptoError("invalid_argument", `Argument ${name} is not a UUID`);
  return uuid;
}

/**
 * The associated data of a ciphertext: RFC 8785 of its members. For members that are ASCII strings without `"` and `\`,
 * and integers up to 2^53 - 1, that is `JSON.stringify` with the names sorted.
 */
export function associatedData(members: Record<string, string | number>): Bytes {
  return new TextEncoder().encode(JSON.stringify(members, Object.keys(members).sort()));
}

/** The object that a JSON text says, or undefined. */
export function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}
