/**
 * The recovery key: a random secret that people write down and type in again, and the key that it becomes, which wraps
 * the data key.
 *
 * @module
 */

import { randomBytes } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { WRAPPING_USAGES } from "./data_key.ts";
import type { Bytes } from "./encoding.ts";
import { hkdfKey } from "./hkdf.ts";

/** A key that was derived from a recovery key. */
export interface RecoveryKey {
  readonly kind: "recovery";
  readonly key: CryptoKey;
}

/** Keeps this derivation different from all others. */
const INFO = "strongroom chat recovery key v2";

/** Crockford's base32, which has no I, L, O and U. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The start of every recovery key, so that people recognise one. */
const PREFIX = "SR";

const SECRET_BYTES = 32;

/** Characters for the 256 bits of the secret, 5 bits each. */
const SECRET_LENGTH = 52;
const CHECKSUM_LENGTH = 6;
const LENGTH = PREFIX.length + SECRET_LENGTH + CHECKSUM_LENGTH;

/** Characters between two hyphens. */
const GROUP = 5;

/** The checksum of BIP-173 with the constant of BIP-350 (Bech32m). */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CONSTANT = 0x2bc830a3;

/** Makes a recovery key from 32 random bytes. Show it once, and do not store it. */
export function generateRecoveryKey(): string {
  return formatRecoveryKey(randomBytes(SECRET_BYTES));
}

/**
 * Derives the wrapping key from a recovery key.
 *
 * @param recoveryKey from `generateRecoveryKey`, or as somebody typed it
 * @throws CryptoError `malformed_recovery_key` or `recovery_key_mistyped`, as {@link parseRecoveryKey}
 */
export async function deriveRecoveryKey(recoveryKey: string): Promise<RecoveryKey> {
  const secret = parseRecoveryKey(recoveryKey);
  return { kind: "recovery", key: await hkdfKey(secret, INFO, WRAPPING_USAGES) };
}

/**
 * Writes a secret as a recovery key: 60 characters in 12 groups. The first 2 are `SR`, the last 6 a checksum.
 *
 * @param secret 32 bytes
 * @throws CryptoError `invalid_argument` for another length
 */
export function formatRecoveryKey(secret: Uint8Array): string {
  if (secret.length !== SECRET_BYTES) {
    throw new CryptoError(
      "invalid_argument",
      `The secret of a recovery key must have ${SECRET_BYTES} bytes, not ${secret.length}`,
    );
  }
  return withChecksum([...digitsOf(PREFIX), ...regroup(secret, 8, 5)]);
}

/** Adds the checksum to the 54 values before it and writes all 60 in groups. Test vectors use it for invalid values. */
export function withChecksum(values: number[]): string {
  const remainder = polymod([...values, ...new Array(CHECKSUM_LENGTH).fill(0)]) ^ CONSTANT;
  const checksum = Array.from(
    { length: CHECKSUM_LENGTH },
    (_, i) => (remainder >> (25 - 5 * i)) & 31,
  );
  const text = [...values, ...checksum].map((value) => ALPHABET[value]).join("");
  return text.match(new RegExp(`.{${GROUP}}`, "g"))!.join("-"); // its length is a multiple of GROUP
}

/**
 * Reads a recovery key that somebody typed: in either case, with spaces or dashes anywhere, O for 0, I and L for 1.
 *
 * @returns the 32 bytes of the secret
 * @throws CryptoError `malformed_recovery_key` if it has too few, too many or impossible characters;
 * `recovery_key_mistyped` if the checksum does not match. The checksum always catches up to 4 wrong characters and any 2
 * swapped ones. Of other mistakes it misses one in a thousand million
 */
export function parseRecoveryKey(text: string): Bytes {
  const typed = text.toUpperCase().replace(/[\s\p{Pd}]/gu, "")
    .replaceAll("O", "0").replace(/[IL]/g, "1");
  const values = digitsOf(typed);
  const foreign = values.indexOf(-1);
  if (foreign >= 0) {
    throw malformed(`Character ${foreign + 1} cannot be part of a recovery key`);
  }
  if (values.length !== LENGTH) {
    throw malformed(`The recovery key has ${values.length} characters instead of ${LENGTH}`);
  }
  if (polymod(values) !== CONSTANT) {
    throw new CryptoError(
      "recovery_key_mistyped",
      "The recovery key is mistyped: compare it with what was written down",
    );
  }
  const digits = values.slice(PREFIX.length, PREFIX.length + SECRET_LENGTH);
  // The last character holds 1 bit of the secret; its other 4 bits are zero.
  if (!typed.startsWith(PREFIX) || (digits[SECRET_LENGTH - 1]! & 15) !== 0) {
    throw malformed("This is not a recovery key for chats");
  }
  return Uint8Array.from(regroup(digits, 5, 8).slice(0, SECRET_BYTES));
}

/** Returns the value of each character, -1 for one outside the alphabet. */
function digitsOf(text: string): number[] {
  return Array.from(text, (character) => ALPHABET.indexOf(character));
}

/** Regroups bits into groups of another size, and fills the last group with zeros. */
function regroup(values: Iterable<number>, from: number, to: number): number[] {
  const groups: number[] = [];
  let [bits, held] = [0, 0];
  for (const value of values) {
    bits = (bits << from) | value;
    held += from;
    while (held >= to) {
      held -= to;
      groups.push(bits >> held);
      bits &= (1 << held) - 1;
    }
  }
  if (held > 0) groups.push(bits << (to - held));
  return groups;
}

/** Returns the remainder of the checksum's polynomial: a checksum is right if it equals the constant. */
function polymod(values: number[]): number {
  let remainder = 1;
  for (const value of values) {
    const top = remainder >> 25;
    remainder = ((remainder & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) {
      if ((top >> bit) & 1) remainder ^= term;
    }
  }
  return remainder;
}

function malformed(message: string): CryptoError {
  return new CryptoError("malformed_recovery_key", message);
}
