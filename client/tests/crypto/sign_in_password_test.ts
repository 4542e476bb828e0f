import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";

import { CryptoError, signInPassword } from "../../crypto/mod.ts";

Deno.test("signInPassword: is PBKDF2 with the account as its salt", async () => {
  const salt = "strongroom sign-in\nada@example.com";
  const expected = pbkdf2Sync("correct horse é", salt, 600_000, 32, "sha256").toString("base64");
  assert.equal(await signInPassword("Ada@Example.com ", "correct horse e\u0301"), expected);
  assert.notEqual(await signInPassword("bob@example.com", "correct horse é"), expected);
  await assert.rejects(signInPassword("ada@example.com", ""), CryptoError);
});
