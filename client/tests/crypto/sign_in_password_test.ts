import assert from "node:assert/strict";
import { createHash, hkdfSync, pbkdf2Sync } from "node:crypto";
import { argon2id } from "hash-wasm";

import { CryptoError, oldSignInPassword, signInPassword } from "../../crypto/mod.ts";

Deno.test("signInPassword: is Argon2id with the account as its salt, and then HKDF with its own label", async () => {
  const label = "strongroom sign-in v3";
  const salt = createHash("sha256").update(`${label}\nada@example.com`).digest();
  const secret = await argon2id({
    ...{
      password: "correct horse \u00e9",
      salt,
      memorySize: 19_456,
      iterations: 2,
      parallelism: 1,
    },
    ...{ hashLength: 32, outputType: "binary" },
  });
  const expected = btoa(
    String.fromCharCode(...new Uint8Array(hkdfSync("sha256", secret, "", label, 32))),
  );
  assert.equal(await signInPassword("Ada@Example.com ", "correct horse e\u0301"), expected);
  assert.notEqual(await signInPassword("bob@example.com", "correct horse \u00e9"), expected);
  await assert.rejects(signInPassword("ada@example.com", ""), CryptoError);
});

Deno.test("oldSignInPassword: is PBKDF2 with the account as its salt", async () => {
  const salt = "strongroom sign-in\nada@example.com";
  const expected = pbkdf2Sync("correct horse \u00e9", salt, 600_000, 32, "sha256").toString(
    "base64",
  );
  assert.equal(await oldSignInPassword("Ada@Example.com ", "correct horse e\u0301"), expected);
});
