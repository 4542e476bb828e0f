/**
 * Errors of approvals. `docs/device-approval.md` says for each what the user can do.
 *
 * @module
 */

import { ChatsError } from "../chats/chats_error.ts";

const make = (code: string, message: string) => (cause?: unknown) =>
  new ChatsError(code, message, { cause });

/** Makes the errors. */
export const approvalErrors = {
  codeMistyped: make(
    "approval_code_mistyped",
    "The code is mistyped: compare it with the one on the new device",
  ),
  codeWrong: make(
    "approval_code_wrong",
    "The code is not that of the new device, or the server has changed what the devices sent",
  ),
  expired: make("approval_expired", "The approval has expired: begin again on the new device"),
  refused: make("approval_refused", "The other device has refused, or the code was wrong"),
  notFound: make("approval_not_found", "No new device of this account waits for approval"),
  outdated: make("approval_outdated", "The keys were rotated meanwhile: begin again"),
  false: make("approval_false", "The server has changed what the devices sent to each other"),
  malformed: make("invalid_argument", "This is not the state of an approval"),
  nameless: make("invalid_argument", "Call name() first, and show the user who wants to be let in"),
};
