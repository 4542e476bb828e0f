/**
 * One password for the sign-in and for the chats, of which the server gets to see neither.
 *
 * @module
 */

import { webcrypto } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { toBase64, toUtf8 } from "./encoding.ts";

/** As many as for the chats: who has what it makes guesses passwords as slowly as who has a wrap. */
const ITERATIONS = 600_000;

/** So that it is no salt of anything else. */
const PURPOSE = "strongroom sign-in\n";

/**
 * What an app gives to Supabase Auth as the password, where people have one password for the sign-in and for the chats.
 * Auth receives it in clear; it opens no chat, and leads back to the password only by guessing. An account that has ever
 * signed in with the password itself needs a new one.
 *
 * @param email of the account, in whatever case: when it changes, so does what this answers
 * @param password 1 character or more; taken in NFKC
 * @returns base64 of 32 bytes
 * @throws CryptoError `invalid_argument` for an empty password
 */
export async function signInPassword(email: string, password: string): Promise<string> {
  if (password === "") throw new CryptoError("invalid_argument", "Password is empty");
  const bytes = toUtf8(password.normalize("NFKC"));
  const base = await webcrypto().importKey("raw", bytes, "PBKDF2", false, ["deriveBits"]);
  const salt = toUtf8(PURPOSE + email.trim().toLowerCase().normalize("NFKC"));
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS };
  return toBase64(new Uint8Array(await webcrypto().deriveBits(algorithm, base, 256)));
}
