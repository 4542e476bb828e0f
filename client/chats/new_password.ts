/**
 * The floor for new passwords. They are checked on the device: nobody else ever sees them.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";

const MIN_LENGTH = 10;

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
  const { findFault } = await import("./common_passwords.ts");
  const fault = findFault(characters);
  if (fault) throw new ChatsError("password_too_common", fault);
}
