/**
 * The recovery key: a random secret as people write it down and type it in again.
 *
 * @module
 */

import { randomBytes } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import type { Bytes } from "./encoding.ts";

/** Crockford's base32: no I, L, O and U. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** What a recovery key begins with, so that it is known for one. */
const PREFIX = "SR";

const SECRET_BYTES = 32;

/** Characters of 5 bits for the 256 of the secret. */
const SECRET_LENGTH = 52;
const CHECKSUM_LENGTH = 6;
const LENGTH = PREFIX.length + SECRET_LENGTH + CHECKSUM_LENGTH;

/** Characters between two hyphens. */
const GROUP = 5;

/** The code of BIP-173 and the constant of BIP-350 (Bech32m). */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CONSTANT = 0x2bc830a3;

/** Makes a recovery key: 32 random bytes, as {@link formatRecoveryKey} writes them. To be shown once, and not stored. */
export function generateRecoveryKey(): string {
  return formatRecoveryKey(randomBytes(SECRET_BYTES));
}

/**
 * Writes a secret as a recovery key: 60 characters in 12 groups, `SR...`, the last 6 a checksum.
 *
 * @param secret 32 bytes
 * @throws CryptoError `invalid_argument` for another length
 */
export function formatRecoveryKey(secret: Uint8Array): string {
  if (secret.length !== SECRET_BYTES) {
    throw new CryptoError("invalid_argument", "Secret of a recovery key is not 32 bytes");
  }
  return withChecksum([...digitsOf(PREFIX), ...regroup(secret, 8, 5)]);
}

/** The 54 values before the checksum, with it, in groups. For test vectors too: those of no recovery key. */
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
 * @throws CryptoError `malformed_recovery_key` where characters are missing, too many or not of its alphabet;
 * `recovery_key_mistyped` where they do not match the checksum: up to 4 wrong characters and any two that were swapped
 * are always noticed, all else but for one in a thousand million
 */
export function parseRecoveryKey(text: string): Bytes {
  const typed = text.toUpperCase().replace(/[\s\p{Pd}]/gu, "")
    .replaceAll("O", "0").replace(/[IL]/g, "1");
  const values = digitsOf(typed);
  const foreign = values.indexOf(-1);
  if (foreign >= 0) {
    throw malformed(`Recovery key has a character that none has, at ${foreign + 1} of ${LENGTH}`);
  }
  if (values.length !== LENGTH) {
    throw malformed(`Recovery key has ${values.length} characters instead of ${LENGTH}`);
  }
  if (polymod(values) !== CONSTANT) {
    throw new CryptoError("recovery_key_mistyped", "Recovery key has a mistyped character");
  }
  const digits = values.slice(PREFIX.length, PREFIX.length + SECRET_LENGTH);
  // The last character has 1 bit of the secret; the other 4 are zero.
  if (!typed.startsWith(PREFIX) || (digits[SECRET_LENGTH - 1]! & 15) !== 0) {
    throw malformed("Recovery key is of another kind");
  }
  return Uint8Array.from(regroup(digits, 5, 8).slice(0, SECRET_BYTES));
}

/** The value of each character, -1 for one that is not of the alphabet. */
function digitsOf(text: string): number[] {
  return Array.from(text, (character) => ALPHABET.indexOf(character));
}

/** The same bits in groups of another size, the last filled up with zeros. */
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

/** The remainder of the code: a checksum is right where it is the constant. */
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
