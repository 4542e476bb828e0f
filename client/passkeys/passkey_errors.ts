/**
 * Errors of passkeys. `docs/passkeys.md` says for each what the user can do.
 *
 * @module
 */

import { ChatsError } from "../chats/chats_error.ts";

const make = (code: string, message: string) => (cause?: unknown) =>
  new ChatsError(code, message, { cause });

/** Makes the errors. */
export const passkeyErrors = {
  unsupported: make("passkey_unsupported", "This browser does not support passkeys"),
  withoutKeys: make(
    "passkey_without_keys",
    "This passkey cannot derive keys: choose another place to keep it",
  ),
  cancelled: make("passkey_cancelled", "No passkey was used: cancelled, or none is at hand"),
  exists: make("passkey_exists", "This passkey already unlocks the chats"),
  notFound: make("passkey_not_found", "No passkey unlocks the chats: use the password"),
  false: make("passkey_false", "The server has changed what it stores about the passkey"),
  refused: make("passkey_refused", "The browser refuses passkeys on this page"),
};

/** Turns what a browser throws into an error with a code. */
export function fromBrowser(error: unknown): Error {
  switch ((error as Error | undefined)?.name) {
    // The browser does not tell a cancellation from a missing passkey, so that pages cannot find out which there are.
    case "NotAllowedError":
    case "AbortError":
      return passkeyErrors.cancelled(error);
    case "InvalidStateError":
      return passkeyErrors.exists(error);
    case "NotSupportedError":
      return passkeyErrors.withoutKeys(error);
    case "SecurityError":
      return passkeyErrors.refused(error);
  }
  return error instanceof Error ? error : passkeyErrors.unsupported(error);
}
