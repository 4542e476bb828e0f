import assert from "node:assert/strict";

import { ChatsError } from "../../mod.ts";
import { approvalErrors } from "../../devices/approval_errors.ts";
import { fromBrowser, passkeyErrors } from "../../passkeys/passkey_errors.ts";

const read = (path: string) => Deno.readTextFile(new URL(`../../../docs/${path}`, import.meta.url));

Deno.test("device approval, passkeys: the pages say what the user can do about each error", async () => {
  for (
    const [errors, path] of [
      [approvalErrors, "device-approval.md"],
      [passkeyErrors, "passkeys.md"],
    ] as const
  ) {
    const page = await read(path);
    for (const make of Object.values(errors)) {
      const { code } = make();
      if (code !== "invalid_argument") assert.match(page, RegExp(`^\\| \`${code}\``, "m"), code);
    }
  }
});

Deno.test("passkeys: what a browser throws keeps its cause", () => {
  for (const name of ["NotAllowedError", "InvalidStateError", "SecurityError"]) {
    const thrown = new DOMException("", name);
    const error = fromBrowser(thrown);
    assert.ok(error instanceof ChatsError && error.cause === thrown, name);
  }
  const other = new RangeError("other");
  assert.equal(fromBrowser(other), other);
});
