/**
 * Base64, UTF-8, UUIDs and JSON. Everything is read strictly: what an envelope says has exactly one spelling.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";

/** Bytes that WebCrypto accepts: not those of a SharedArrayBuffer. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** As many arguments as `String.fromCharCode` takes in every runtime; a multiple of 3, so that no chunk is padded. */
const CHUNK = 0x6000;

/** Writes bytes as base64 (RFC 4648 section 4, with padding). */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + CHUNK)));
  }
  return text;
}

/** Reads base64; undefined unless the text is exactly what {@link toBase64} writes for these bytes. */
export function fromBase64(text: unknown): Bytes | undefined {
  if (typeof text !== "string") return undefined;
  const digits = text.replace(/={1,2}$/, "");
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/]/.test(digits)) return undefined;
  if (!text.endsWith(canonicalEnd(text))) return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Rewrites the last four digits: `atob` ignores their unused bits, which would give one byte many spellings. */
function canonicalEnd(text: string): string {
  return btoa(atob(text.slice(-4)));
}

/** A lone surrogate: half of a character, where a text was cut. `TextEncoder` would replace it silently. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Encodes a text as UTF-8.
 *
 * @throws CryptoError `not_text` if the text has a lone surrogate
 */
export function toUtf8(text: string): Bytes {
  if (LONE_SURROGATE.test(text)) {
    throw new CryptoError("not_text", "The text contains half of a character (a lone surrogate)");
  }
  return new TextEncoder().encode(text);
}

/**
 * Decodes UTF-8, and keeps a byte order mark.
 *
 * @throws CryptoError `not_text` if the bytes are not UTF-8
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CryptoError("not_text", "The content is not UTF-8 text");
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Tells whether a value is a UUID in the spelling that is authenticated: lower case, with hyphens. */
export function isUuid(value: unknown): value is string {
  return typeof value === "string" && UUID.test(value);
}

/**
 * Returns the UUID of an argument in lower case.
 *
 * @throws CryptoError `invalid_argument` if it is not a UUID
 */
export function uuidArgument(name: string, value: string): string {
  const uuid = typeof value === "string" ? value.toLowerCase() : value;
  if (!isUuid(uuid)) throw new CryptoError("invalid_argument", `${name} is not a UUID`);
  return uuid;
}

/**
 * Writes the associated data of a ciphertext as RFC 8785 JSON. For members that are integers up to 2^53 - 1, or ASCII
 * strings without `"` and `\`, that is `JSON.stringify` with sorted names.
 */
export function associatedData(members: Record<string, string | number>): Bytes {
  return new TextEncoder().encode(JSON.stringify(members, Object.keys(members).sort()));
}

/** Parses the text of a JSON object; undefined if it is anything else. */
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
