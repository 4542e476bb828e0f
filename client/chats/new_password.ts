/**
 * The floor for new passwords. They are checked on the device: nobody else ever sees them.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";

const MIN_LENGTH = 10;

/** A password with fewer different characters is a pattern, such as `aaaaaaaaaa`. */
const MIN_DIFFERENT = 5;

/**
 * Refuses a new password that attackers would try first.
 *
 * @param password as the user typed it
 * @throws ChatsError `password_too_short`, `password_too_common`
 */
export async function checkNewPassword(password: string): Promise<void> {
  const characters = [...password.normalize("NFKC")];
  if (characters.length < MIN_LENGTH) {
    throw new ChatsError(
      "password_too_short",
      `The password must have at least ${MIN_LENGTH} characters`,
    );
  }
  // A page loads it when somebody chooses a password.
  const { COMMON } = await import("./common_passwords.ts");
  const text = characters.join("").toLowerCase().replace(/[^\p{L}\p{N}@!]/gu, "");
  const [half, rest] = [text.slice(0, text.length / 2), text.slice(text.length / 2)];
  const stem = (word: string) => word.replace(/[\d!]+$/, "");
  const guessed = [text, half === rest ? half : text].some((word) =>
    COMMON.has(word) || COMMON.has(stem(word))
  );
  if (guessed || new Set(characters).size < MIN_DIFFERENT || isSequence(characters)) {
    throw new ChatsError(
      "password_too_common",
      "The password is among the first that attackers try: choose another one",
    );
  }
}

/** Whether all characters follow each other, such as `1234567890` or `jihgfedcba`. */
function isSequence(characters: string[]): boolean {
  const steps = characters.slice(1).map((character, index) =>
    character.codePointAt(0)! - characters[index]!.codePointAt(0)! // none is empty
  );
  const [first] = steps;
  // Only 0 comes after 9.
  return Math.abs(first ?? 0) === 1 &&
    steps.every((step) => step === first || Math.abs(step) === 9);
}
