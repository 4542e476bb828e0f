/**
 * One password for both sign-in and chats, without the server ever seeing it.
 *
 * @module
 */

import { toBase64, toUtf8 } from "./encoding.ts";
import { pbkdf2Bytes } from "./pbkdf2.ts";

/** As many as for a password key: guessing from the sign-in password must not be faster than guessing from a wrap. */
const ITERATIONS = 600_000;

/** Keeps this salt different from all others. */
const PURPOSE = "strongroom sign-in\n";

/**
 * Derives the password that an app sends to Supabase Auth, if people use one password for both sign-in and chats.
 *
 * Auth receives it in clear. It opens no chat, and the only way from it to the password is guessing. If the account has
 * ever signed in with the password itself, the user must choose a new one.
 *
 * @param email of the account, in any case. When it changes, the result changes
 * @param password 1 character or more; normalised to NFKC
 * @returns base64 of 32 bytes
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character
 */
export async function signInPassword(email: string, password: string): Promise<string> {
  const salt = toUtf8(PURPOSE + email.trim().toLowerCase().normalize("NFKC"));
  return toBase64(await pbkdf2Bytes(password.normalize("NFKC"), salt, ITERATIONS));
}
