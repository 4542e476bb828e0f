import assert from "node:assert/strict";
import fc from "fast-check";

import { coded } from "../support/assertions.ts";
import { fromHex, toHex } from "../support/known_keys.ts";
import { soak } from "../support/soak.ts";
import {
  CryptoError,
  formatRecoveryKey,
  generateRecoveryKey,
  parseRecoveryKey,
} from "../../crypto/mod.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

Deno.test("recovery key: the client writes and reads the vectors, however they are typed", () => {
  for (const { secret, recovery_key, also_read } of vectors.recovery_keys) {
    assert.equal(formatRecoveryKey(fromHex(secret)), recovery_key);
    for (const typed of [recovery_key, ...also_read]) {
      assert.equal(toHex(parseRecoveryKey(typed)), secret, typed);
    }
  }
});

Deno.test("recovery key: the invalid vectors are refused", () => {
  for (const { name, recovery_key, code } of vectors.recovery_keys_refused) {
    assert.throws(() => parseRecoveryKey(recovery_key), coded(code), name);
  }
});

Deno.test("recovery key: any secret can be written and read", () => {
  const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(fc.property(secret, (bytes) => {
    assert.deepEqual(parseRecoveryKey(formatRecoveryKey(bytes)), bytes);
  }));
  assert.notEqual(generateRecoveryKey(), generateRecoveryKey());
});

Deno.test("recovery key: every mistyped character is noticed", () => {
  const [key, typed] = keyAndCharacters();
  let tried = 0;
  for (let at = 0; at < typed.length; at++) {
    for (const character of `${ALPHABET}U*$`) {
      if (character === typed[at]) continue;
      noticed(typed.with(at, character), key);
      tried++;
    }
    noticed(typed.toSpliced(at, 1), key);
    noticed(typed.toSpliced(at, 0, typed[at]!), key);
  }
  assert.equal(tried, 60 * 34);
});

Deno.test("recovery key: any two swapped characters are noticed", () => {
  const [key, typed] = keyAndCharacters();
  for (let i = 0; i < typed.length; i++) {
    for (let j = i + 1; j < typed.length; j++) {
      if (typed[i] !== typed[j]) noticed(typed.with(i, typed[j]!).with(j, typed[i]!), key);
    }
  }
});

Deno.test("recovery key: up to four mistyped characters are noticed", () => {
  const [key, typed] = keyAndCharacters();
  const changes = fc.uniqueArray(
    fc.record({ at: fc.nat({ max: 59 }), to: fc.constantFrom(...ALPHABET) }),
    { minLength: 1, maxLength: 4, selector: ({ at }) => at },
  );
  fc.assert(
    fc.property(changes, (changes) => {
      const mistyped = changes.reduce((text, { at, to }) => text.with(at, to), typed);
      fc.pre(mistyped.join("") !== typed.join(""));
      noticed(mistyped, key);
    }),
    { numRuns: 2000 * soak },
  );
});

Deno.test("recovery key: an error does not repeat what was typed", () => {
  const [key] = keyAndCharacters();
  for (const typed of [`${key}!`, key.slice(1), key.replace("SR", "SS")]) {
    assert.throws(() => parseRecoveryKey(typed), (error) => {
      assert.ok(error instanceof CryptoError);
      assert.ok(!key.split("-").some((group) => error.message.includes(group)));
      return true;
    });
  }
});

Deno.test("recovery key: a secret of another length is refused", () => {
  for (const length of [0, 31, 33]) {
    const secret = new Uint8Array(length);
    assert.throws(() => formatRecoveryKey(secret), coded("invalid_argument"));
  }
});

function keyAndCharacters(): [string, string[]] {
  const key = generateRecoveryKey();
  return [key, [...key.replaceAll("-", "")]];
}

function noticed(typed: string[], key: string): void {
  assert.throws(
    () => parseRecoveryKey(typed.join("")),
    (error) => error instanceof CryptoError && /recovery_key/.test(error.code),
    `${typed.join("")} passes for ${key}`,
  );
}
