/**
 * What a new device shows for another to read: a code to type, and the text of a QR code.
 *
 * @module
 */

import { type Bytes, fromBase64, isUuid } from "../crypto/encoding.ts";
import { approvalErrors } from "./approval_errors.ts";

/** Crockford's base32, which has no I, L, O and U. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Characters of a code: 35 random bits, and a check character. */
const LENGTH = 8;

const QR_PREFIX = "strongroom-device:1:";

/** What a device reads from the screen of a new one. */
export interface ReadCode {
  /** Eight characters. */
  readonly code: string;
  /** Only from a QR code: the id of the approval. */
  readonly id?: string;
  /** Only from a QR code: the share of the new device, in base64. */
  readonly share?: string;
}

/** Makes a code: eight characters, such as `7KQ2M9XD`. */
export function generateCode(): string {
  // 32 divides 256, so each character is equally likely.
  const random = crypto.getRandomValues(new Uint8Array(LENGTH - 1));
  const values = Array.from(random, (byte) => byte % 32);
  return textOf([...values, checkOf(values)]);
}

/** Adds the check character to seven values. Test vectors use it. */
export function codeOf(values: readonly number[]): string {
  return textOf([...values, checkOf(values)]);
}

/** Writes a code as people read it: `7KQ2-M9XD`. */
export function formatCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/** Writes the text of a QR code. */
export function formatQr({ id, code, share }: Required<ReadCode>): string {
  return `${QR_PREFIX}${id}:${code}:${share}`;
}

/**
 * Reads what somebody typed or scanned: a code in either case, with spaces and dashes anywhere, O for 0, I and L for 1; or
 * the text of a QR code.
 *
 * @throws ChatsError `approval_code_mistyped`: nothing was sent, so the user can correct it
 */
export function readCode(text: string): ReadCode {
  const trimmed = text.trim();
  if (!trimmed.startsWith(QR_PREFIX)) return { code: checked(trimmed) };
  const [id, code = "", share, ...more] = trimmed.slice(QR_PREFIX.length).split(":");
  const whole = isUuid(id) && fromBase64(share)?.length === 32 && more.length === 0;
  if (!whole) throw approvalErrors.codeMistyped();
  return { id, code: checked(code), share: share! };
}

function checked(typed: string): string {
  const code = typed.toUpperCase().replace(/[\s\p{Pd}]/gu, "")
    .replaceAll("O", "0").replace(/[IL]/g, "1");
  const values = Array.from(code, (character) => ALPHABET.indexOf(character));
  const [check] = values.slice(-1);
  const whole = values.length === LENGTH && !values.includes(-1) &&
    check === checkOf(values.slice(0, -1));
  if (!whole) throw approvalErrors.codeMistyped();
  return code;
}

/**
 * The check character, by the Luhn algorithm modulo 32: it detects each single wrong character, and each swap of two
 * neighbours but that of the first and the last character of the alphabet.
 */
function checkOf(values: readonly number[]): number {
  let sum = 0;
  [...values].reverse().forEach((value, index) => {
    const term = index % 2 === 0 ? 2 * value : value;
    sum += Math.floor(term / 32) + term % 32;
  });
  return (32 - sum % 32) % 32;
}

function textOf(values: readonly number[]): string {
  return values.map((value) => ALPHABET[value]).join("");
}

/** Reads the bytes of a share; undefined if it is not base64 of 32 bytes. */
export function shareBytes(share: string | null | undefined): Bytes | undefined {
  const bytes = fromBase64(share);
  return bytes?.length === 32 ? bytes : undefined;
}
