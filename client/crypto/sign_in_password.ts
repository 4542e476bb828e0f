/**
 * One password for both sign-in and chats, without the server ever seeing it.
 *
 * @module
 */

import { webcrypto } from "./aes_gcm.ts";
import { argon2idBytes, MIN_COST } from "./argon2id.ts";
import { type Bytes, toBase64, toUtf8 } from "./encoding.ts";
import { hkdfBytes } from "./hkdf.ts";
import { pbkdf2Bytes } from "./pbkdf2.ts";

/** What the value is for: no key of the chats has this label, whatever salt the server sends. */
const LABEL = "strongroom sign-in v3";

/** How the salts of the old sign-in passwords begin, which were not split by purpose. */
const OLD_PURPOSE = "strongroom sign-in\n";
const OLD_ITERATIONS = 600_000;

function nameOf(email: string): string {
  return email.trim().toLowerCase().normalize("NFKC");
}

/**
 * Derives the password that an app sends to Supabase Auth, if people use one password for both sign-in and chats.
 *
 * Auth receives it in clear. It opens no chat, and the only way from it to the password is guessing. If the account has
 * ever signed in with the password itself, the user must choose a new one.
 *
 * @param email of the account, in any case. When it changes, the result changes
 * @param password 1 character or more; normalised to NFKC
 * @returns base64 of 32 bytes
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character, `argon2id_missing`
 */
export async function signInPassword(email: string, password: string): Promise<string> {
  const name = toUtf8(`${LABEL}\n${nameOf(email)}`);
  const salt = new Uint8Array(await webcrypto().digest("SHA-256", name));
  const secret = await argon2idBytes(password.normalize("NFKC"), salt, MIN_COST);
  return toBase64(await hkdfBytes(secret, LABEL));
}

/**
 * Derives the sign-in password as clients did before: PBKDF2 alone. Only to replace it by {@link signInPassword}.
 *
 * @throws CryptoError as {@link signInPassword}
 */
export async function oldSignInPassword(email: string, password: string): Promise<string> {
  const salt = toUtf8(OLD_PURPOSE + nameOf(email));
  return toBase64(await pbkdf2Bytes(password.normalize("NFKC"), salt, OLD_ITERATIONS));
}

/**
 * Tells whether a salt is that of an old sign-in password, of any address. With it, a password would become a key that
 * Auth has received.
 */
export function isSignInSalt(salt: Bytes): boolean {
  return toUtf8(OLD_PURPOSE).every((byte, index) => salt[index] === byte);
}
